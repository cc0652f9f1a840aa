//! A bundle with budgets and rates, and agents that redeem and complete what it allows.

use std::collections::BTreeMap;

use assent_kernel::command::{
    Caller, CommandBody, Complete, Completion, Evaluate, ExecutionCommand, Fulfilled, OfferedSource, Redeem, Usage,
};
use assent_kernel::decide::request_hash;
use assent_kernel::event::EventBody;
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode;
use assent_kernel::replay::Recorded;
use assent_kernel::state::keys::{BudgetRecord, OutstandingRecord, RunRecord};
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::verdict::Verdict;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;

use super::*;

pub const SPEND: &str = r"
name: spend
version: 1
tools:
  - name: pay
    class: pay
    action: pay
    category: external_effect
    inputs:
      amount: {type: integer, required: true}
    cost: {tokens: 10}
    output_labels: [{source: web, origin: bank.example}]
principals:
  - subject: agent-*
    capabilities:
      - {class: pay, actions: [pay]}
rules:
  - id: allow-pay
    match: {toolClass: pay}
    decision: allow
    obligations: [{type: redact, required: true}]
budgets:
  - {id: few, unit: calls, limit: 5, per: day}
  - {id: tokens, scope: tenant, unit: tokens, limit: 100, match: {tool: pay}}
  - {id: other, scope: tenant, unit: calls, limit: 0, match: {principal: somebody-else}}
rates:
  - {id: fast, calls: 6, per_seconds: 60, burst: 6}
";

/// What an agent holds after an allow.
#[derive(Clone)]
pub struct Token {
    pub seq: Seq,
    pub decision_id: String,
    pub salt: [u8; 32],
    pub hash: Hash,
}

impl Token {
    pub fn redeem(&self) -> Redeem {
        let Token { seq, decision_id, salt, hash } = self.clone();
        Redeem { decision_id, seq, request_hash: hash, request_salt: salt, audience: None }
    }

    pub fn complete(&self) -> Complete {
        Complete {
            decision_id: self.decision_id.clone(),
            seq: self.seq,
            status: Completion::Success,
            duration_ms: 12,
            content_type: "application/json".into(),
            output: b"{\"ok\":true}".to_vec(),
            redacted: Some(b"{}".to_vec()),
            taint: Vec::new(),
            fulfilled: vec![Fulfilled { kind: "redact".into(), proof: Hash([1; 32]) }],
            usage: Some(Usage { tokens: 4, cost_micro_usd: 0 }),
        }
    }
}

pub fn redeem(asked: Redeem) -> CommandBody {
    CommandBody::Execution(Box::new(ExecutionCommand::Redeem(asked)))
}

pub fn complete(asked: Complete) -> CommandBody {
    CommandBody::Execution(Box::new(ExecutionCommand::Complete(asked)))
}

pub fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

pub fn spending(seed: u64) -> World {
    spending_under(seed, SPEND)
}

pub fn spending_under(seed: u64, source: &str) -> World {
    let mut world = World::ready(seed);
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let bundle_hash = assent_kernel::bundle::bundle_hash(source.as_bytes());
    let (tenant, environment) = (tenant("acme"), "prod".into());
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment, bundle_hash });
    world
}

pub fn payment() -> Evaluate {
    let mut call = Evaluate { run_id: Some("run-1".into()), ..call("pay", r#"{"amount":7}"#) };
    call.context.fulfils = Some(vec!["redact".into()]);
    call
}

pub fn ask(world: &mut World, call: &Evaluate) -> Result<Token, Vec<ReasonCode>> {
    let bundle = assent_kernel::bundle::compile(SPEND.as_bytes()).unwrap();
    let schema = bundle.tool("pay").unwrap().schema_hash();
    let hash = request_hash(&tenant("acme"), Some("agent-1"), call, Some(&schema));
    match world.send(me(), evaluate(call.clone())) {
        Answer::Decided { seq, decision_id, verdict: Verdict::Allow, request_salt: salt, terms, .. } => {
            assert_eq!(terms.token_expires.unwrap().0, world.clock + 60 * SECOND);
            Ok(Token { seq, decision_id, salt, hash })
        }
        Answer::Decided { codes, .. } => Err(codes),
        other => panic!("{other:?}"),
    }
}

pub fn ruled(answer: Answer) -> (Verdict, Vec<ReasonCode>) {
    match answer {
        Answer::Ruled { verdict, codes, .. } => (verdict, codes),
        other => panic!("{other:?}"),
    }
}

pub fn outstanding(world: &World, token: &Token) -> Option<OutstandingRecord> {
    match world.state.get(&StateKey::Outstanding(token.seq.0)).as_deref() {
        Some(Record::Outstanding(record)) => Some(record.clone()),
        _ => None,
    }
}

pub fn run(world: &World) -> RunRecord {
    match world.state.get(&StateKey::Run(tenant("acme"), "run-1".into())).as_deref() {
        Some(Record::Run(run)) => run.clone(),
        other => panic!("{other:?}"),
    }
}

pub fn budgets(world: &World) -> BTreeMap<String, BudgetRecord> {
    let rows = world.state.records().filter_map(|(key, record)| match (key, record.as_ref()) {
        (StateKey::Budget(_, key), Record::Budget(budget)) => Some((key.clone(), *budget)),
        _ => None,
    });
    rows.collect()
}

pub fn used(world: &World, id: &str) -> (u64, u64) {
    let found = budgets(world).into_iter().find(|(key, _)| key.split('|').nth(1) == Some(id));
    found.map_or((0, 0), |(_, budget)| (budget.reserved, budget.spent))
}

pub fn last_body(world: &World) -> EventBody {
    Recorded::read(world.leaves.last().unwrap()).unwrap().body.unwrap()
}
