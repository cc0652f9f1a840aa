//! Limits on nested calls and on fan-out: the kernel computes depth and children itself, and nobody escapes them by saying nothing or
//! something else.

use crate::replay::{record, run as replayed};
use crate::support::spending::*;
use crate::support::*;
use assent_kernel::command::{CommandBody, Evaluate, RunRequest};
use assent_kernel::limits::UNDER_WAY_MAX;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::state::{Record, StateKey, StateRead};

fn source() -> &'static str {
    SPEND.split("budgets:").next().unwrap()
}

fn world(limits: &str) -> World {
    spending_under(1, &format!("{}limits: {{{limits}}}\n", source()))
}

/// Different amounts, so that no call repeats the one before.
fn from(parent: Option<&Token>, amount: u64) -> Evaluate {
    named(parent.map(|parent| parent.decision_id.as_str()), amount)
}

fn named(parent: Option<&str>, amount: u64) -> Evaluate {
    let mut call = Evaluate { inputs: format!(r#"{{"amount":{amount}}}"#).into_bytes(), ..payment() };
    call.context.parent_decision = parent.map(str::to_owned);
    call
}

fn start(world: &mut World, token: &Token) {
    assert_eq!(ruled(world.send(me(), redeem(token.redeem()))).1, [Redeemed]);
}

fn end(world: &mut World, token: &Token) {
    assert_eq!(ruled(world.send(me(), complete(token.complete()))).1, [Redeemed]);
}

/// A call that is allowed and under way.
fn under_way(world: &mut World, parent: Option<&Token>, amount: u64) -> Token {
    let token = ask(world, &from(parent, amount)).unwrap();
    start(world, &token);
    token
}

fn denied(world: &mut World, call: &Evaluate) -> ReasonCode {
    match ask(world, call) {
        Err(codes) => codes[0],
        Ok(token) => panic!("{} is allowed", token.decision_id),
    }
}

fn depth(world: &World, token: &Token) -> u32 {
    outstanding(world, token).unwrap().depth
}

#[test]
fn depth_is_counted_by_the_kernel() {
    let mut world = world("depth: 2");
    let a = under_way(&mut world, None, 1);
    let b = under_way(&mut world, Some(&a), 2);
    let c = under_way(&mut world, Some(&b), 3);
    assert_eq!([&a, &b, &c].map(|token| depth(&world, token)), [0, 1, 2]);
    assert_eq!(denied(&mut world, &from(Some(&c), 4)), BehaviourDepth);
    world.through_snapshot();
    assert_eq!(denied(&mut world, &from(Some(&c), 5)), BehaviourDepth);
    end(&mut world, &c);
    end(&mut world, &b);
    let d = ask(&mut world, &from(Some(&a), 6)).unwrap();
    assert_eq!(depth(&world, &d), 1);
    let (entries, book) = record(&world);
    assert_eq!(replayed(&entries, &book).1, []);
}

#[test]
fn who_names_no_parent_is_nested_in_the_deepest_execution() {
    let mut world = world("depth: 2");
    let a = under_way(&mut world, None, 1);
    let b = under_way(&mut world, None, 2);
    let c = under_way(&mut world, None, 3);
    assert_eq!([&a, &b, &c].map(|token| depth(&world, token)), [0, 1, 2]);
    assert_eq!(denied(&mut world, &from(None, 4)), BehaviourDepth);
    for token in [&c, &b, &a] {
        end(&mut world, token);
    }
    let d = ask(&mut world, &from(None, 5)).unwrap();
    assert_eq!(depth(&world, &d), 0, "nothing is under way");
}

#[test]
fn padding_pushes_no_parent_out_of_sight() {
    let mut world = world("depth: 1");
    let a = under_way(&mut world, None, 1);
    let b = under_way(&mut world, Some(&a), 2);
    for n in 0..40 {
        let padding = under_way(&mut world, Some(&a), 100 + n);
        end(&mut world, &padding);
    }
    assert_eq!(denied(&mut world, &from(Some(&b), 3)), BehaviourDepth);
    assert_eq!(denied(&mut world, &from(None, 4)), BehaviourDepth);
    // More executions at once than are told apart: what is beyond them is as deep as the deepest.
    for n in 0..UNDER_WAY_MAX as u64 + 3 {
        under_way(&mut world, Some(&a), 200 + n);
    }
    assert_eq!(denied(&mut world, &named(Some("forged"), 5)), BehaviourDepth);
    let key = StateKey::Nesting(tenant("acme"), "run-1".into());
    assert!(world.state.get(&key).unwrap().encode().len() < 1_200, "bounded");
}

#[test]
fn a_forged_parent_is_denied() {
    let mut world = world("depth: 5");
    let a = under_way(&mut world, None, 1);
    let waiting = ask(&mut world, &from(Some(&a), 2)).unwrap();
    let done = under_way(&mut world, Some(&a), 3);
    end(&mut world, &done);
    // Another run of the same subject, and one of another subject.
    let elsewhere = ask(&mut world, &Evaluate { run_id: Some("run-2".into()), ..from(None, 4) }).unwrap();
    start(&mut world, &elsewhere);
    for parent in ["d-0", &waiting.decision_id, &done.decision_id, &elsewhere.decision_id] {
        assert_eq!(denied(&mut world, &named(Some(parent), 5)), BehaviourParent, "{parent:?}");
    }
    world.must(admin("acme"), register("acme", "agent-2"));
    world.must(admin("acme"), credential_of(&agent("acme", Some("agent-2"))));
    let of_other = Evaluate { run_id: Some("run-3".into()), ..from(Some(&a), 6) };
    match world.send(agent("acme", Some("agent-2")), evaluate(of_other)) {
        assent_kernel::machine::Answer::Decided { codes, .. } => assert_eq!(codes, [BehaviourParent]),
        other => panic!("{other:?}"),
    }
    // The forged ones have not moved the real one.
    let next = ask(&mut world, &from(Some(&a), 7)).unwrap();
    assert_eq!(depth(&world, &next), 1);
}

#[test]
fn fan_out_counts_every_call_that_came_from_one() {
    let mut world = world("fan_out: 3");
    let a = under_way(&mut world, None, 1);
    for n in 0..3 {
        let parent = (n != 1).then_some(&a);
        let child = under_way(&mut world, parent, 10 + n);
        end(&mut world, &child);
    }
    assert_eq!(denied(&mut world, &from(Some(&a), 20)), BehaviourFanOut);
    assert_eq!(denied(&mut world, &from(None, 21)), BehaviourFanOut, "saying nothing does not help");
    end(&mut world, &a);
    let next = under_way(&mut world, None, 22);
    assert!(ask(&mut world, &from(Some(&next), 23)).is_ok(), "the next call has its own");
}

#[test]
fn an_outcome_that_never_comes_stops_a_run_for_an_hour() {
    let mut world = world("depth: 1, fan_out: 1");
    let lost = under_way(&mut world, None, 1);
    ask(&mut world, &from(Some(&lost), 2)).unwrap();
    world.clock += 3_599 * SECOND;
    assert_eq!(denied(&mut world, &from(None, 3)), BehaviourFanOut);
    world.clock += 2 * SECOND;
    let next = ask(&mut world, &from(None, 4)).unwrap();
    assert_eq!(depth(&world, &next), 0);
    assert_eq!(denied(&mut world, &from(Some(&lost), 5)), BehaviourParent);
}

#[test]
fn without_limits_a_parent_is_only_recorded_and_a_closed_run_leaves_nothing() {
    let mut world = world("repeats: 9");
    let a = ask(&mut world, &named(Some("whatever"), 1)).unwrap();
    assert_eq!(depth(&world, &a), 0);
    start(&mut world, &a);
    let key = StateKey::Nesting(tenant("acme"), "run-1".into());
    assert!(matches!(world.state.get(&key).as_deref(), Some(Record::Nesting(known)) if known.under_way.len() == 1));
    let close = RunRequest { run_id: "run-1".into(), subject: None, parent_run_id: None };
    world.must(me(), CommandBody::CloseRun(close));
    assert!(world.state.get(&key).is_none());
    end(&mut world, &a);
    assert!(world.state.get(&key).is_none(), "a late outcome brings nothing back");
}
