//! Calls under a bundle of a test's own, and what their leaves say.

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{Caller, CommandBody, Evaluate, OfferedSource};
use assent_kernel::event::{EventBody, PolicyDecision};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode;
use assent_kernel::state::keys::{RateRecord, RunRecord};
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;

use super::{World, admin, agent, call, evaluate, operator, tenant};

/// Makes this the bundle of `acme`.
pub fn activate_source(world: &mut World, source: &str) {
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (tenant, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment: "prod".into(), bundle_hash });
}

/// A ledger whose `acme` has this bundle.
pub fn world_under(source: &str) -> World {
    let mut world = World::ready(7);
    activate_source(&mut world, source);
    world
}

/// Makes this the operator's baseline for everybody.
pub fn activate_baseline(world: &mut World, source: &str) {
    let bundle_hash = bundle_hash(source.as_bytes());
    let offered = OfferedSource { tenant: tenant("-"), source: source.as_bytes().to_vec() };
    world.must(operator(), CommandBody::OfferBundle(offered));
    let (tenant, environment) = (tenant("-"), "*".into());
    world.must(operator(), CommandBody::ActivateBundle { tenant, environment, bundle_hash });
}

/// Decides a call of this caller and returns what its leaf says.
pub fn decide_for(world: &mut World, caller: Caller, call: Evaluate) -> PolicyDecision {
    let answer = world.send(caller, evaluate(call));
    assert!(matches!(answer, Answer::Decided { .. }), "{answer:?}");
    last_decision(world)
}

/// The decision that is the last entry.
pub fn last_decision(world: &World) -> PolicyDecision {
    let entry = Entry::parse(world.leaves.last().unwrap()).unwrap();
    match EventBody::from_value(&entry.kind, &entry.body).unwrap().unwrap() {
        EventBody::Decision(body) => *body,
        other => panic!("{other:?}"),
    }
}

/// Decides a call of `agent-1` and returns what its leaf says.
pub fn decide(world: &mut World, call: Evaluate) -> PolicyDecision {
    decide_for(world, agent("acme", Some("agent-1")), call)
}

/// Decides a call of `agent-1` in `run-1`.
pub fn ask(world: &mut World, tool: &str, inputs: &str) -> PolicyDecision {
    decide(world, in_run(tool, inputs, "run-1"))
}

pub fn in_run(tool: &str, inputs: &str, run_id: &str) -> Evaluate {
    Evaluate { run_id: Some(run_id.into()), ..call(tool, inputs) }
}

/// A run's record.
pub fn run_record(world: &World, run_id: &str) -> RunRecord {
    match world.state.get(&StateKey::Run(tenant("acme"), run_id.into())).as_deref() {
        Some(Record::Run(run)) => run.clone(),
        other => panic!("{other:?}"),
    }
}

/// The rates' buckets that were ever taken from, by key.
pub fn rates(world: &World) -> Vec<(String, RateRecord)> {
    let rows = world.state.records().filter_map(|(key, record)| match (key, record.as_ref()) {
        (StateKey::Rate(_, key), Record::Rate(rate)) => Some((key.clone(), *rate)),
        _ => None,
    });
    rows.collect()
}

/// The call is denied for exactly these reasons, and is not enforced.
pub fn softened(decision: &PolicyDecision, codes: &[ReasonCode]) {
    assert_eq!((decision.verdict, decision.codes.as_slice()), (Verdict::Deny, codes), "{decision:?}");
    assert_eq!(decision.effective, Verdict::Allow, "{decision:?}");
    assert!(decision.effects.token_expires.is_some());
}

/// The call is denied for exactly these reasons, and does not run.
pub fn denied(decision: &PolicyDecision, codes: &[ReasonCode]) {
    assert_eq!((decision.verdict, decision.codes.as_slice()), (Verdict::Deny, codes), "{decision:?}");
    assert_eq!((decision.effective, decision.effects.token_expires), (Verdict::Deny, None), "{decision:?}");
}
