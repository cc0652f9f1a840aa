//! What is counted in a run is exact, whatever happens, and is one record that stays small.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::calls::{activate_source, decide, world_under};
use crate::support::spending::{Token, budgets, complete, me, outstanding, redeem, ruled};
use crate::support::*;
use assent_kernel::bundle::compile;
use assent_kernel::charge::{Period, Unit, parse_budget};
use assent_kernel::command::{
    CommandBody, Evaluate, OfferedSource, ReportSignal, RunRequest, SignalScope, Signals, Usage,
};
use assent_kernel::decide::request_hash;
use assent_kernel::limits::RUN_COUNTS_BYTES_MAX;
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::state::keys::{BudgetRecord, Counted, CountedKind, RunCountsRecord};
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::verdict::Verdict;

pub(super) const HEAD: &str = "
name: counted
version: 1
tools:
  - {name: pay, class: pay, action: pay, cost: {tokens: 2}, inputs: {n: {type: integer, required: true}, to: {type: string, required: true}}}
principals: [{subject: agent-*, capabilities: [{class: pay, actions: [pay]}]}]
rules: [{id: allow-pay, match: {toolClass: pay}, decision: allow}]
limits: {strikes: 1000000, repeats: 1000000}
";
const COUNTED: &str = "
budgets:
  - {id: of-run, unit: calls, limit: 6, per: run}
  - {id: of-run-a-day, scope: run, unit: tokens, limit: 8, per: day}
rates: [{id: calm, scope: run, calls: 4, per_seconds: 60, burst: 4}]
contract:
  - id: in-all
    tools: [pay]
    require:
      - {sum: n, per: run, op: '<=', value: 60}
      - {count: '*', per: run, op: '<=', value: 8}
      - {distinct: to, per: run, op: '<=', value: 3}
";

pub(super) fn counts(world: &World, run_id: &str) -> RunCountsRecord {
    match world.state.get(&StateKey::RunCounts(tenant("acme"), run_id.into())).as_deref() {
        Some(Record::RunCounts(counts)) => {
            assert!(counts.bytes() <= RUN_COUNTS_BYTES_MAX);
            counts.clone()
        }
        _ => RunCountsRecord::default(),
    }
}

pub(super) fn pay(run_id: &str, environment: &str, n: u64, to: u64) -> Evaluate {
    let inputs = format!(r#"{{"n":{n},"to":"{to}"}}"#);
    Evaluate { run_id: Some(run_id.into()), environment: environment.into(), ..call("pay", &inputs) }
}

pub(super) fn activate_in(world: &mut World, environment: &str, source: &str) {
    let bundle_hash = assent_kernel::bundle::bundle_hash(source.as_bytes());
    let (tenant, environment) = (tenant("acme"), environment.into());
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment, bundle_hash });
}

fn offer(world: &mut World, source: &str) {
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
}

/// What one run counts in one environment, in the plainest way: every call on record, none of them forgotten.
#[derive(Default)]
struct Model {
    /// What completed calls used, by the day of the call: calls and tokens.
    spent_calls: u64,
    spent_tokens: BTreeMap<u64, u64>,
    /// The bucket in millionths of a call, and when.
    bucket: Option<(u64, u64)>,
    sum: u64,
    count: u64,
    to: BTreeSet<u64>,
}

/// What is set aside for the calls under way, from their own records: calls, and tokens of a day.
fn reserved(world: &World, run_id: &str, environment: &str, day: u64) -> (u64, u64) {
    let (mut calls, mut tokens) = (0, 0);
    for (_, record) in world.state.records() {
        let Record::Outstanding(record) = record.as_ref() else { continue };
        for reservation in
            record.reserved.iter().filter(|_| record.run_id == run_id && record.environment == environment)
        {
            let charge = parse_budget(&reservation.budget).unwrap();
            match charge.unit {
                Unit::Calls => calls += reservation.amount,
                _ if charge.window == day => tokens += reservation.amount,
                _ => {}
            }
        }
    }
    (calls, tokens)
}

const DAY: u64 = 24 * 3_600 * SECOND;

impl Model {
    /// What a call comes to, from its rate to its contract. A rate is taken from whatever is decided.
    fn call(&mut self, (calls, tokens): (u64, u64), now: u64, n: u64, to: u64) -> Result<(), ReasonCode> {
        const CALL: u64 = 15 * SECOND;
        let (level, at) = self.bucket.unwrap_or((4 * CALL, now));
        let level = (level + (now - at)).min(4 * CALL);
        self.bucket = Some((level.saturating_sub(CALL), now));
        if level < CALL {
            return Err(RateExceeded);
        }
        let spent_tokens = self.spent_tokens.get(&(now / DAY)).copied().unwrap_or_default();
        if self.spent_calls + calls + 1 > 6 || spent_tokens + tokens + 2 > 8 {
            return Err(BudgetExceeded);
        }
        let to_after = self.to.len() + usize::from(!self.to.contains(&to));
        if self.sum + n > 60 || self.count + 1 > 8 || to_after > 3 {
            return Err(ContractViolated);
        }
        (self.sum, self.count) = (self.sum + n, self.count + 1);
        self.to.insert(to);
        Ok(())
    }
}

fn ask(world: &mut World, call: &Evaluate, schema: assent_ledger::hash::Hash) -> Result<Token, ReasonCode> {
    let hash = request_hash(&tenant("acme"), Some("agent-1"), call, Some(&schema));
    match world.send(me(), evaluate(call.clone())) {
        Answer::Decided { seq, decision_id, verdict: Verdict::Allow, request_salt: salt, .. } => {
            Ok(Token { seq, decision_id, salt, hash })
        }
        Answer::Decided { codes, .. } => Err(codes[0]),
        other => panic!("{other:?}"),
    }
}

/// The budgets of a run are what the decisions under way and the outcomes say.
fn check_budgets(world: &World, model: &Model, run_id: &str, environment: &str) {
    let counts = counts(world, run_id);
    let known = counts.get(environment, CountedKind::Budget(Unit::Tokens, Period::Day), "of-run-a-day");
    let Some(Counted::Budget(_, _, of_day)) = known else { return };
    let (calls, tokens) = reserved(world, run_id, environment, of_day.window);
    let spent = model.spent_tokens.get(&of_day.window).copied().unwrap_or_default();
    assert_eq!((of_day.reserved, of_day.spent), (tokens, spent));
    let known = counts.get(environment, CountedKind::Budget(Unit::Calls, Period::Run), "of-run");
    let used = BudgetRecord { window: 0, reserved: calls, spent: model.spent_calls };
    assert_eq!(known, Some(&Counted::Budget(Unit::Calls, Period::Run, used)));
}

#[test]
fn runs_count_as_the_plainest_model_does() {
    let source = format!("{HEAD}{COUNTED}");
    let schema = compile(source.as_bytes()).unwrap().tool("pay").unwrap().schema_hash();
    let mut seen: BTreeMap<Option<ReasonCode>, u32> = BTreeMap::new();
    for seed in 0..10 {
        let (mut world, mut dice) = (world_under(&source), Dice(seed));
        activate_in(&mut world, "test", &source);
        let mut models: BTreeMap<(&str, &str), Model> = BTreeMap::new();
        let mut tokens: Vec<(Token, (&str, &str), u64)> = Vec::new();
        for _ in 0..90 {
            match dice.below(7) {
                0..=3 => {
                    let of = (dice.pick(&["run-1", "run-2"]), dice.pick(&["prod", "prod", "test"]));
                    let (n, to, now) = (dice.below(9), dice.below(5), world.clock + 1_000);
                    let aside = reserved(&world, of.0, of.1, now / DAY);
                    let wanted = models.entry(of).or_default().call(aside, now, n, to);
                    let got = ask(&mut world, &pay(of.0, of.1, n, to), schema);
                    assert_eq!(got.as_ref().map(drop).map_err(|code| *code), wanted, "seed {seed}");
                    *seen.entry(wanted.err()).or_default() += 1;
                    tokens.extend(got.map(|token| (token, of, now / DAY)));
                }
                4 if !tokens.is_empty() => {
                    let (token, of, day) = tokens.swap_remove(dice.below(tokens.len() as u64) as usize);
                    if outstanding(&world, &token).is_some()
                        && ruled(world.send(me(), redeem(token.redeem()))).0 == Verdict::Allow
                    {
                        let usage = Usage { tokens: dice.below(4), cost_micro_usd: 0 };
                        let done = assent_kernel::command::Complete {
                            usage: Some(usage),
                            fulfilled: Vec::new(),
                            ..token.complete()
                        };
                        assert_eq!(ruled(world.send(me(), complete(done))).0, Verdict::Allow);
                        let model = models.get_mut(&of).unwrap();
                        model.spent_calls += 1;
                        *model.spent_tokens.entry(day).or_default() += usage.tokens;
                    }
                }
                5 => drop(world.send(node(), CommandBody::Tick)),
                _ => world.clock += dice.pick(&[1, 10, 30, 70, 13 * 3_600]) * SECOND,
            }
            for ((run_id, environment), model) in &models {
                check_budgets(&world, model, run_id, environment);
            }
            if dice.below(20) == 0 {
                world.through_snapshot();
            }
        }
        assert!(budgets(&world).is_empty(), "none stands by itself");
        let rows = world.state.records().filter(|(key, _)| matches!(key, StateKey::RunCounts(..))).count();
        assert!(rows <= 2, "one record a run");
        for ((run_id, environment), model) in &models {
            let counts = counts(&world, run_id);
            let sums = counts.iter().filter(|(of, name, _)| of == environment && name.starts_with("in-all#"));
            for (_, _, counted) in sums {
                match counted {
                    Counted::Calls(count) => assert_eq!(*count, model.count),
                    Counted::Distinct(values) => assert_eq!(values.len(), model.to.len()),
                    Counted::Sum(sum) => {
                        let sum = assent_kernel::value::Number::parse(sum).unwrap();
                        assert_eq!(sum, assent_kernel::value::Number::from_u64(model.sum));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert!(seen.len() == 4 && seen.values().all(|count| *count > 20), "{seen:?}");
}

#[test]
fn no_more_values_are_kept_than_the_bound_needs() {
    let observed =
        "mode: observe\ncontract: [{id: few, tools: [pay], require: [{distinct: to, per: run, op: '<=', value: 2}]}]\n";
    let mut world = world_under(&format!("{HEAD}{observed}"));
    let kept = |world: &World| {
        let counts = counts(world, "run-1");
        let kept = counts.iter().find_map(|(_, _, counted)| match counted {
            Counted::Distinct(values) => Some(values.len()),
            _ => None,
        });
        kept.unwrap_or_default()
    };
    let of_call = |world: &mut World, to| decide(world, pay("run-1", "prod", 1, to)).verdict == Verdict::Allow;
    for (to, (holds, values)) in [
        (1, (true, 1)),
        (1, (true, 1)),
        (2, (true, 2)),
        (3, (false, 3)),
        (4, (false, 3)),
        (1, (false, 3)),
        (9, (false, 3)),
    ] {
        assert_eq!((of_call(&mut world, to), kept(&world)), (holds, values), "{to}");
    }
}

#[test]
fn a_share_of_a_rate_that_changes_is_one_bucket_more() {
    let source = format!(
        "{HEAD}rates: [{{id: calm, scope: run, calls: 100, per_seconds: 3600, burst: 100}}]
orchestration:
  - {{id: a, when: {{risk: 0.1}}, adjust: {{rates: 0.5}}}}
  - {{id: b, when: {{risk: 0.2}}, adjust: {{rates: 0.2}}}}
  - {{id: c, when: {{risk: 0.3}}, adjust: {{rates: 0.1}}}}\n"
    );
    let mut world = world_under(&source);
    world.must(admin("acme"), credential_of(&reporter("acme", None)));
    let mut allowed = 0;
    let mut bytes = BTreeSet::new();
    for round in 0..60 {
        let signals = Signals { risk_milli: Some([100, 200, 300][round % 3]), ..Signals::default() };
        let report = ReportSignal { scope: SignalScope::Tenant, signals, valid_seconds: 3_600 };
        world.must(reporter("acme", None), CommandBody::Signal(Box::new(report)));
        for _ in 0..3 {
            allowed += u64::from(decide(&mut world, pay("run-1", "prod", 1, 1)).verdict == Verdict::Allow);
        }
        bytes.insert(counts(&world, "run-1").bytes());
    }
    assert_eq!(bytes.len(), 1, "the run does not grow");
    // Going back and forth gives nothing: it is as many as the largest share has at once, at most.
    assert!((1..=50).contains(&allowed), "{allowed}");
}

/// So many budgets of each run, whose ids have this prefix.
fn many(prefix: &str, count: usize) -> String {
    let budget = |n| format!("  - {{id: {prefix}-{n:02}, unit: calls, limit: 3, per: run}}\n");
    format!("{HEAD}budgets:\n{}", (0..count).map(budget).collect::<String>())
}

#[test]
fn a_bundle_that_could_count_too_much_is_refused_at_the_place() {
    // Each takes 2 bytes, its id of 9 and 24: of 1,403 bytes, 40 fit.
    assert!(compile(many("budget", 40).as_bytes()).is_ok());
    let errors = compile(many("budget", 41).as_bytes()).unwrap_err();
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    let line = many("budget", 41).lines().position(|line| line.contains("budget-40")).unwrap() + 1;
    assert_eq!((error.line as usize, error.column), (line, 5));
    assert_eq!(error.message, "all that is counted in each run takes 1435 bytes there, and at most 1403 are kept");
    assert!(error.hint.as_ref().unwrap().contains("by the day"));
    // What is the subject's or a day's does not count; sums, values and shares do.
    assert!(compile(many("budget", 60).replace("per: run", "per: day").as_bytes()).is_ok());
    let distinct = |bound: &str, per: &str| {
        let predicate = format!("{{distinct: to, per: {per}, op: '<=', value: {bound}}}");
        let source = format!("{HEAD}contract: [{{id: d, tools: [pay], require: [{predicate}, {predicate}]}}]\n");
        compile(source.as_bytes()).map_err(|errors| (errors[0].line, errors[0].column))
    };
    assert!(distinct("83", "run").is_ok() && distinct("1e9", "day").is_ok());
    assert_eq!(distinct("90", "run").unwrap_err(), (9, 44));
    assert!(distinct("1e300", "run").is_err());
    let rates = |count: usize, share: &str| {
        let rate = |n| format!("  - {{id: rate-{n:02}, scope: run, calls: 1}}\n");
        let rates = (0..count).map(rate).collect::<String>();
        compile(
            format!("{HEAD}rates:\n{rates}orchestration: [{{id: a, when: {{risk: 0.1}}, adjust: {{{share}: 0.5}}}}]\n")
                .as_bytes(),
        )
    };
    assert!(rates(36, "budgets").is_ok());
    let of_rate = rates(37, "budgets").unwrap_err();
    let line = format!("{HEAD}rates:\n").lines().count() + 37;
    assert_eq!((of_rate[0].line as usize, of_rate[0].column), (line, 5), "{of_rate:?}");
    assert!(rates(21, "rates").is_ok() && rates(22, "rates").is_err());
}

#[test]
fn a_baseline_counts_less() {
    let source = |sums: usize| {
        let predicate = |n| format!("{{sum: n{n}, per: run, op: '<=', value: 5}}");
        let predicates: Vec<String> = (0..sums).map(predicate).collect();
        format!("name: b\nversion: '1'\ncontract: [{{id: cap, class: pay, require: [{}]}}]\n", predicates.join(", "))
    };
    // Each takes 2 bytes, 33 for its name and 45.
    assert!(compile(source(4).as_bytes()).unwrap().check_baseline().is_ok());
    let errors = compile(source(5).as_bytes()).unwrap().check_baseline().unwrap_err();
    assert!(errors[0].message.ends_with("takes 400 bytes there, and at most 320 are kept"), "{errors:?}");
    assert_eq!(errors[0].line, 3);
}

#[test]
fn what_an_earlier_bundle_counted_binds_and_leaves_the_room_that_is_left() {
    let (first, second) = (many("first", 32), many("other", 32));
    let mut world = world_under(&first);
    let ask = |world: &mut World, run: &str| decide(world, pay(run, "prod", 1, 1));
    for _ in 0..2 {
        assert_eq!(ask(&mut world, "run-1").verdict, Verdict::Allow);
    }
    activate_source(&mut world, &second);
    let full = ask(&mut world, "run-1");
    assert_eq!((full.verdict, full.codes.as_slice()), (Verdict::Deny, &[PolicyBudget][..]));
    assert!(full.effects.reserved.is_empty() && full.effects.token_expires.is_none());
    assert_eq!(counts(&world, "run-1").iter().count(), 32, "nothing is forgotten, and nothing half taken in");
    assert_eq!(ask(&mut world, "run-2").verdict, Verdict::Allow, "a new run has room");
    // The first bundle comes back: what was used then is used.
    activate_in(&mut world, "prod", &first);
    assert_eq!(ask(&mut world, "run-1").verdict, Verdict::Allow);
    assert_eq!(ask(&mut world, "run-1").codes, [BudgetExceeded]);
    // Who only observes is not held up, and counts what has room.
    let observing = format!("{second}mode: observe\n");
    activate_source(&mut world, &observing);
    for _ in 0..5 {
        let seen = ask(&mut world, "run-1");
        assert!(seen.codes.contains(&PolicyBudget) && seen.effective == Verdict::Allow, "{seen:?}");
    }
    assert!(counts(&world, "run-1").iter().count() > 32);
}

/// So many sums of each run, under names that begin with this.
fn summed(prefix: &str, count: usize) -> String {
    let rule = |n| {
        let rule = format!("{prefix}-{n:02}");
        format!("  - {{id: {rule}, tools: [pay], require: [{{sum: n, per: run, op: '<', value: 1e9}}]}}\n")
    };
    format!("{HEAD}contract:\n{}", (0..count).map(rule).collect::<String>())
}

#[test]
fn what_cannot_be_added_up_in_a_run_is_not_allowed() {
    let most = (1..60).take_while(|count| compile(summed("first", *count).as_bytes()).is_ok()).last().unwrap();
    let mut world = world_under(&summed("first", most));
    let ask = |world: &mut World, run: &str| decide(world, pay(run, "prod", 1, 1));
    assert_eq!(ask(&mut world, "run-1").verdict, Verdict::Allow);
    for count in [most, 1] {
        activate_source(&mut world, &summed("other", count));
        let room = RUN_COUNTS_BYTES_MAX - counts(&world, "run-1").bytes();
        let asked = ask(&mut world, "run-1");
        if count == 1 && room > 100 {
            assert_eq!(asked.verdict, Verdict::Allow, "one more fits into {room} bytes");
        } else {
            assert_eq!(
                (asked.verdict, asked.codes.as_slice()),
                (Verdict::Deny, &[PolicyBudget][..]),
                "{count} into {room}"
            );
        }
    }
    // As many as there is room for, to the last: none is lost.
    for n in 0..most {
        activate_source(&mut world, &summed(&format!("more-{n}"), 1));
        let before = counts(&world, "run-1").iter().count();
        let asked = ask(&mut world, "run-1");
        let after = counts(&world, "run-1").iter().count();
        assert_eq!(after - before, usize::from(asked.verdict == Verdict::Allow), "{n}: {asked:?}");
        if asked.verdict != Verdict::Allow {
            assert_eq!(asked.codes, [PolicyBudget]);
        }
    }
    assert_eq!(ask(&mut world, "run-1").codes, [PolicyBudget], "in the end it is full");
    assert_eq!(ask(&mut world, "run-2").verdict, Verdict::Allow);
}

#[test]
fn a_run_has_room_for_more_environments_than_one_as_long_as_it_lasts() {
    let source = many("budget", 15);
    let mut world = world_under(&source);
    for environment in ["test", "dev"] {
        activate_in(&mut world, environment, &source);
    }
    let verdicts = ["prod", "test", "dev"].map(|environment| {
        let decision = decide(&mut world, pay("run-1", environment, 1, 1));
        (decision.verdict, counts(&world, "run-1").iter().count())
    });
    assert_eq!(verdicts, [(Verdict::Allow, 15), (Verdict::Allow, 30), (Verdict::Allow, 45)]);
    offer(&mut world, &many("others", 15));
    activate_in(&mut world, "dev", &many("others", 15));
    assert_eq!(decide(&mut world, pay("run-1", "dev", 1, 1)).codes, [PolicyBudget]);
    assert_eq!(decide(&mut world, pay("run-1", "prod", 1, 1)).verdict, Verdict::Allow);
}

#[test]
fn no_row_reminds_of_a_run_that_is_open() {
    let mut world = world_under(&format!("{HEAD}{COUNTED}"));
    world.must(admin("acme"), credential_of(&reporter("acme", None)));
    decide(&mut world, pay("run-1", "prod", 1, 1));
    for n in 0..5 {
        let signals = Signals { risk_milli: Some(n), ..Signals::default() };
        let report = ReportSignal { scope: SignalScope::Run("run-1".into()), signals, valid_seconds: 60 };
        world.must(reporter("acme", None), CommandBody::Signal(Box::new(report)));
    }
    let rows = |world: &World| world.state.records().filter(|(key, _)| matches!(key, StateKey::Expiry(..))).count();
    assert_eq!(rows(&world), 0);
    let run = RunRequest { run_id: "run-1".into(), subject: None, parent_run_id: None };
    world.must(me(), CommandBody::CloseRun(run));
    assert_eq!(rows(&world), 2, "the counts, and the run");
    let signal = StateKey::Signal(tenant("acme"), SignalScope::Run("run-1").key());
    assert!(world.state.get(&signal).is_none());
    world.through_snapshot();
    for _ in 0..2 {
        world.clock += DAY;
        world.send(node(), CommandBody::Tick);
    }
    assert!(counts(&world, "run-1").is_empty() && rows(&world) == 1);
}
