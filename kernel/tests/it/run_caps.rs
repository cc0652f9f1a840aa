//! A run that real commands drive to all of its caps at once stays within `RUN_BYTES_MAX`, with everything that is counted in it.

use assent_kernel::bundle::{bundle_hash, compile};
use assent_kernel::command::{
    CallContext, Caller, CommandBody, Evaluate, ExecutionCommand, OfferedSource, Redeem, ReportSignal, RunCommand,
    RunRequest, SignalScope, Signals,
};
use assent_kernel::decide::request_hash;
use assent_kernel::limits::*;
use assent_kernel::machine::Answer;
use assent_kernel::state::keys::NestingRecord;
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_kernel::verdict::Verdict;
use assent_ledger::hash::Hash;

use crate::support::calls::activate_baseline;
use crate::support::*;

fn long(start: &str, bytes: usize) -> String {
    format!("{start}{}", "x".repeat(bytes - start.len()))
}

/// All that a bundle can count in each run, to a few bytes: with one more value it is refused. Names are as long as they may be where they are
/// not part of what is bounded here.
fn source(values: usize) -> String {
    let mut source = "name: capped
version: 1
tools: [{name: t, class: c, action: a, inputs: {n: {type: integer, required: true}}}]
principals: [{subject: agent-*, capabilities: [{class: c, actions: [a]}]}]
rules: [{id: allow, match: {toolClass: c}, decision: allow}]
orchestration: [{id: risky, when: {risk: 0.5}, adjust: {rates: 0.9}}]
limits: {depth: 100, fan_out: 1000000, repeats: 1000000}
behaviour:
"
    .to_owned();
    for n in 0..LATCHES_MAX {
        let id = long(&format!("b{n}-"), BEHAVIOUR_ID_BYTES_MAX);
        source += &format!("  - {{id: {id}, steps: [{{class: c}}, {{class: never}}]}}\n");
    }
    source += "budgets:\n  - {id: few, scope: run, unit: calls, limit: 1000000, per: day}\n";
    source += "  - {id: all, unit: calls, limit: 1000000, per: run}\n";
    source += "rates: [{id: calm, scope: run, calls: 1000000, per_seconds: 1}]\n";
    let bound = values - 1;
    source
        + &format!(
            "contract:
  - {{id: sums, tools: [t], require: [{{sum: n, per: run, op: '<=', value: 1e37}}, {{count: '*', per: run, op: '<', value: 1e9}}]}}
  - {{id: values, soft: true, threshold: 0, tools: [t], require: [{{distinct: n, per: run, op: '<=', value: {bound}}}]}}\n"
        )
}

const BASELINE: &str = "name: b\nversion: 1\ntools: [{name: t, class: c, action: a}]
contract:
  - {id: cap, tools: [t], require: [{sum: n, per: run, op: '<=', value: 1e37}, {count: '*', per: run, op: '<', value: 1e9}]}
  - {id: top, tools: [t], require: [{sum: n, per: run, op: '<=', value: 1e37}, {count: '*', per: run, op: '<', value: 1e9}]}\n";

/// The most values that a bundle with all of this can tell apart.
fn most_values() -> usize {
    (1..200).take_while(|values| compile(source(*values).as_bytes()).is_ok()).last().unwrap()
}

struct Capped {
    world: World,
    tenant: String,
    environment: String,
    run_id: String,
    agent: Caller,
    schema: Hash,
}

impl Capped {
    fn new() -> Capped {
        let (tenant, subject) = (long("t", 64), long("agent-", SUBJECT_BYTES_MAX));
        let mut world = World::ready(3);
        let agent = Caller { credential: "key-long".into(), ..agent(&tenant, Some(&subject)) };
        world.must(operator(), new_tenant(&tenant));
        let admin = Caller { credential: "admin".into(), ..admin(&tenant) };
        let watch = Caller { credential: "watch".into(), ..reporter(&tenant, None) };
        world.must(operator(), credential_of(&admin));
        world.must(admin.clone(), register(&tenant, &subject));
        world.must(admin.clone(), credential_of(&agent));
        world.must(admin.clone(), credential_of(&watch));
        let (source, environment) = (source(most_values()), long("prod", NAME_BYTES_MAX));
        let offered = OfferedSource { tenant: admin.tenant.clone(), source: source.as_bytes().to_vec() };
        world.must(admin.clone(), CommandBody::OfferBundle(offered));
        let activated = CommandBody::ActivateBundle {
            tenant: admin.tenant.clone(),
            environment: environment.clone(),
            bundle_hash: bundle_hash(source.as_bytes()),
        };
        world.must(admin, activated);
        activate_baseline(&mut world, BASELINE);
        let run_id = long("run-", NAME_BYTES_MAX);
        let run = RunRequest { run_id: run_id.clone(), subject: None, parent_run_id: None };
        world.must(agent.clone(), CommandBody::OpenRun(run));
        let signals = Signals { risk_milli: Some(600), queue_depth: Some(3), budget_use_milli: Some(100) };
        let report = ReportSignal { scope: SignalScope::Run(run_id.clone()), signals, valid_seconds: 24 * 3_600 };
        world.must(watch, CommandBody::Signal(Box::new(report)));
        let schema = compile(source.as_bytes()).unwrap().tool("t").unwrap().schema_hash();
        Capped { world, tenant, environment, run_id, agent, schema }
    }

    fn taint(&mut self) {
        let labels: Vec<TaintLabel> = (0..TAINT_ORIGINS_MAX + 14)
            .zip(TaintSource::ALL.into_iter().cycle())
            .map(|(n, source)| TaintLabel {
                source,
                origin: long(&format!("{n}-"), NAME_BYTES_MAX),
                confidence_milli: 1_000,
                propagated_from: None,
            })
            .collect();
        for labels in labels.chunks(TAINT_LABELS_MAX) {
            let attach =
                RunCommand::AttachTaint { run_id: self.run_id.clone(), subject: None, labels: labels.to_vec() };
            self.world.must(self.agent.clone(), CommandBody::Run(Box::new(attach)));
        }
    }

    /// Calls, and starts what was allowed.
    fn call(&mut self, n: u64) {
        let asked = Evaluate {
            environment: self.environment.clone(),
            run_id: Some(self.run_id.clone()),
            context: Box::new(CallContext::default()),
            ..call("t", &format!(r#"{{"n":{n}}}"#))
        };
        let hash = request_hash(&self.agent.tenant, self.agent.subject.as_deref(), &asked, Some(&self.schema));
        let answer = self.world.send(self.agent.clone(), evaluate(asked));
        let Answer::Decided { seq, decision_id, verdict, request_salt, codes, .. } = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(verdict, Verdict::Allow, "{codes:?}");
        let redeem = Redeem { decision_id, seq, request_hash: hash, request_salt, audience: None };
        let redeem = CommandBody::Execution(Box::new(ExecutionCommand::Redeem(redeem)));
        assert!(matches!(self.world.send(self.agent.clone(), redeem), Answer::Ruled { verdict: Verdict::Allow, .. }));
    }

    /// The bytes of each record that is the run's, decisions in flight aside.
    fn records(&self) -> Vec<(u8, usize)> {
        let mut found = Vec::new();
        for (key, record) in self.world.state.records() {
            let (key, bytes) = (key.clone(), key.encode().len() + record.encode().len());
            let of_run = match (&key, record.as_ref()) {
                (StateKey::Outstanding(_), _) => false,
                (_, Record::Expiry(row)) => String::from_utf8_lossy(&row.item.encode()).contains(&self.run_id),
                _ => String::from_utf8_lossy(&key.encode()).contains(&self.run_id),
            };
            if of_run {
                found.push((key.number(), bytes));
            }
        }
        found
    }
}

#[test]
fn a_run_at_all_of_its_caps_is_within_its_bound() {
    let mut capped = Capped::new();
    assert_eq!(capped.tenant.len(), assent_ledger::limits::TENANT_BYTES_MAX);
    capped.taint();
    for n in 0..most_values() as u64 + 9 {
        capped.call(9_000_000_000_000_000_000 + n);
    }
    let records = capped.records();
    let bytes: usize = records.iter().map(|(_, bytes)| bytes).sum();
    let mut kinds: Vec<u8> = records.iter().map(|(kind, _)| *kind).collect();
    kinds.sort_unstable();
    // Its record, signals, adjustment, nesting and counts.
    assert_eq!(kinds, [14, 33, 44, 45, 47], "{records:?}");
    assert!(bytes <= RUN_BYTES_MAX, "{bytes} bytes: {records:?}");
    // It is at its caps indeed, but for the ids of built-in behaviour rules, which are longer by the part that they name.
    assert!(bytes + LATCHES_MAX * BEHAVIOUR_PART_BYTES_MAX + 200 > RUN_BYTES_MAX, "{bytes} bytes: {records:?}");
    let of = |key: StateKey| capped.world.state.get(&key);
    let tenant = || capped.agent.tenant.clone();
    match of(StateKey::Nesting(tenant(), capped.run_id.clone())).as_deref() {
        Some(Record::Nesting(NestingRecord { under_way, rest: Some(_) })) => assert_eq!(under_way.len(), UNDER_WAY_MAX),
        other => panic!("{other:?}"),
    }
    match of(StateKey::Run(tenant(), capped.run_id.clone())).as_deref() {
        Some(Record::Run(run)) => {
            assert_eq!((run.latches.len(), run.taint.iter().count()), (LATCHES_MAX, TAINT_ORIGINS_MAX + 7));
        }
        other => panic!("{other:?}"),
    }
    match of(StateKey::RunCounts(tenant(), capped.run_id.clone())).as_deref() {
        Some(Record::RunCounts(counts)) => assert!(counts.bytes() + 100 > RUN_COUNTS_BYTES_MAX, "{}", counts.bytes()),
        other => panic!("{other:?}"),
    }
}
