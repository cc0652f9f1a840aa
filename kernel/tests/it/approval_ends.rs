//! When waiting ends: exactly at its time, with nothing to say once there was an answer, and with the room for it exactly full.

use super::approvals::*;
use crate::support::*;
use assent_kernel::command::{ApprovalAction, CommandBody, ControlCommand, Evaluate};
use assent_kernel::machine::{Answer, AppliedBatch};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::replay::Recorded;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;

fn pay(amount: u64) -> Evaluate {
    let inputs = format!(r#"{{"amount_usd":{amount},"account":"primary"}}"#);
    Evaluate { run_id: Some("r1".into()), ..call("pay.send", &inputs) }
}

fn modified(approval: &str, amount: u64) -> CommandBody {
    answer(approval, ApprovalAction::Modify(pay(amount).inputs), &[])
}

/// The bundle with rules that come before its own.
fn with_rules(rules: &str) -> String {
    let source = GRANTS.replacen("rules:\n", &format!("rules:\n{rules}"), 1);
    assert_ne!(source, GRANTS);
    source
}

/// Has the next command be stamped at this time.
fn at(world: &mut World, micros: u64) {
    world.clock = micros - 1_000;
}

/// All entries of a kind.
fn entries(world: &World, kind: &str) -> Vec<Entry> {
    let read = |leaf: &Vec<u8>| Recorded::read(leaf).unwrap().entry;
    world.leaves.iter().map(read).filter(|entry| entry.kind == kind).collect()
}

#[test]
fn waiting_ends_at_exactly_its_time() {
    let mut world = world(41);
    let (command, _) = wait_for(&mut world, pay(4_000));
    let end = world.clock + 600 * SECOND;
    at(&mut world, end - 1);
    assert_eq!(again(&mut world, &command).codes, [ApprovalRequired], "a moment before");
    at(&mut world, end);
    assert_eq!(again(&mut world, &command).codes, [ApprovalExpired]);
    // The entry about it is the run's.
    at(&mut world, end + 60 * SECOND);
    world.must(node(), CommandBody::Tick);
    let runs: Vec<_> = entries(&world, "assent.approval.expired").into_iter().map(|entry| entry.run_id).collect();
    assert_eq!(runs, [Some("r1".to_owned())]);
}

#[test]
fn an_approval_that_was_answered_never_expires() {
    let mut world = world(42);
    let (_, approval) = wait_for(&mut world, pay(4_000));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Allow, Approved, true));
    for _ in 0..3 {
        // Neither when it would have ended nor when nobody can ask about it any more.
        world.clock += 13 * 3_600 * SECOND;
        while let Answer::Recorded { .. } = world.send(node(), CommandBody::Tick) {}
    }
    assert_eq!(entries(&world, "assent.approval.expired"), []);
}

#[test]
fn an_implicit_run_waits_until_exactly_the_end_of_the_waiting() {
    for (early, stays) in [(1, true), (0, false)] {
        let mut world = world(43);
        activate_source(
            &mut world,
            &GRANTS.replace("required: 1, expires_seconds: 600", "required: 1, expires_seconds: 3600"),
        );
        wait_for(&mut world, call("pay.send", PAY));
        let first = Recorded::read(world.leaves.last().unwrap()).unwrap().entry.run_id;
        let end = world.clock + 3_600 * SECOND;
        at(&mut world, end - early);
        let read = call("file.read", r#"{"path":"/srv/data/a"}"#);
        assert_eq!(seen(world.send(me(), evaluate(read))).verdict, Verdict::Allow);
        let second = Recorded::read(world.leaves.last().unwrap()).unwrap().entry.run_id;
        assert_eq!(first == second, stays, "{early} µs before the end");
    }
}

#[test]
fn the_entries_of_an_approval_say_whose_call_it_is_and_in_which_run() {
    let mut world = world(44);
    let (_, approval) = wait_for(&mut world, pay(4_000));
    let [asked] = entries(&world, "assent.approval.requested").try_into().unwrap();
    let of = |text: &str| Some(text.to_owned());
    assert_eq!((asked.actor, asked.run_id, asked.trace_id), (of("agent-1"), of("r1"), of("trace-1")));
    activate_source(&mut world, &format!("{GRANTS}# another one\n"));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApprovalVoid, false));
    let [void] = entries(&world, "assent.approval.void").try_into().unwrap();
    assert_eq!((void.actor, void.run_id), (of("alice@example.com"), of("r1")));
}

#[test]
fn a_runtime_layer_that_came_in_between_has_people_asked_again() {
    let mut world = world(45);
    let (command, approval) = wait_for(&mut world, pay(4_000));
    let layer = |source: &str| {
        let (tenant, environment, source) = (tenant("acme"), "prod".into(), source.as_bytes().to_vec());
        control(ControlCommand::SetRuntimeRules { tenant, environment, source })
    };
    world.must(admin("acme"), layer("rules: [{id: no-wires, match: {tool: wire.send}, decision: deny}]"));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApprovalVoid, false));
    let second = again(&mut world, &command).terms.approval.unwrap();
    // Without the layer it is the policy of before, and not that of the second asking.
    world.must(admin("acme"), layer("rules: []"));
    assert_eq!(heard(&mut world, person("alice"), yes(&second)), (Verdict::Deny, ApprovalVoid, false));
    let third = again(&mut world, &command).terms.approval.unwrap();
    assert_eq!(heard(&mut world, person("alice"), yes(&third)), (Verdict::Allow, Approved, true));
}

#[test]
fn a_condition_may_name_a_number() {
    let mut world = world(46);
    for (condition, code) in [("must_use_amount_usd:4000", Approved), ("must_use_amount_usd:4001", ApprovalDenied)] {
        let (_, approval) = wait_for(&mut world, pay(4_000));
        let bound = answer(&approval, ApprovalAction::Approve, &[condition]);
        assert_eq!(heard(&mut world, person("alice"), bound).1, code, "{condition}");
    }
}

#[test]
fn a_call_without_room_to_wait_counts_as_denied_and_one_that_is_asked_again_keeps_its_place() {
    let two = "  - {id: large, priority: 1, match: {tool: pay.send, parameters: {amount_usd: {min: 5000}}}, \
        decision: escalate, approval: {required: 2}}\n";
    let mut world = world(47);
    activate_source(&mut world, &with_rules(two));
    let waiting: Vec<_> = (1..=64).map(|n| wait_for(&mut world, pay(n))).collect();
    assert_eq!(seen(world.send(me(), evaluate(pay(65)))).codes, [RateExceeded]);
    let counters = calls::run_record(&world, "r1").counters;
    assert_eq!((counters.calls, counters.escalated, counters.denied), (65, 64, 1));
    // What comes of an answer needs two people, and waits for them in the place of what one has answered.
    let (command, approval) = &waiting[20];
    assert_eq!(heard(&mut world, person("alice"), modified(approval, 6_000)), (Verdict::Allow, Approved, true));
    let now = again(&mut world, command);
    assert_eq!((now.verdict, now.codes[0]), (Verdict::Escalate, ApprovalRequired));
    assert_ne!(now.terms.approval.as_ref(), Some(approval));
    assert_eq!(seen(world.send(me(), evaluate(pay(66)))).codes, [RateExceeded], "and that was the only place");
}

/// The roles of the payloads of the decision that comes of an answer.
fn roles(applied: &AppliedBatch) -> Vec<&str> {
    applied.entries.last().unwrap().payloads.iter().map(|payload| payload.role.as_str()).collect()
}

#[test]
fn what_people_agreed_to_and_does_not_run_is_kept_beside_what_was_asked_for() {
    let rules = "
  - {id: never, priority: 1, match: {tool: pay.send, parameters: {amount_usd: {min: 9000}}}, decision: deny}
  - {id: odd, priority: 2, match: {tool: pay.send, parameters: {amount_usd: {in: [7777]}}}, decision: escalate, approval: {required: 2}}
  - {id: cut-odd, priority: 3, match: {tool: pay.send, parameters: {amount_usd: {min: 8500}}}, decision: compute, compute: {set: {amount_usd: 7777}}}
  - {id: cut, priority: 4, match: {tool: pay.send, parameters: {amount_usd: {min: 8000}}}, decision: compute, compute: {set: {amount_usd: 7000}}}
";
    let mut world = world(48);
    activate_source(&mut world, &with_rules(rules));
    for (amount, verdict, kept) in [
        (9_500, Verdict::Deny, true),
        (8_600, Verdict::Escalate, true),
        // What runs is in the payloads, and it is neither what was asked for nor what was agreed to.
        (8_100, Verdict::Compute, false),
        // What runs is what was agreed to: it is the replacement.
        (30, Verdict::Compute, false),
    ] {
        let (command, approval) = wait_for(&mut world, pay(amount % 100 + 1));
        let answered = world.command(person("alice"), modified(&approval, amount));
        let applied = world.apply(vec![answered]);
        let (roles, now) = (roles(&applied), again(&mut world, &command));
        assert_eq!((now.verdict, roles.contains(&"modified")), (verdict, kept), "{amount} {roles:?}");
        assert!(verdict != Verdict::Escalate || now.codes == [ApprovalRequired], "{:?}", now.codes);
        assert_eq!(roles.contains(&"replacement"), verdict > Verdict::Deny, "{amount} {roles:?}");
    }
}
