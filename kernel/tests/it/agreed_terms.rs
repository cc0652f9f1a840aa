//! What people tie their word to holds whoever else answers and whatever runs; and what was erased is agreed to by nobody.

use crate::support::calls::*;
use crate::support::*;
use assent_kernel::command::{ApprovalAction, ApprovalCommand, Caller, CommandBody, ControlCommand, Role};
use assent_kernel::event::{CONTEXT_ROLE, INPUT_ROLE};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::state::{StateKey, StateRead};
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;

const SOURCE: &str = "\
name: n
version: '1'
tools:
- {name: pay, class: c, action: a, inputs: {amount: {type: number, required: true}, account: {type: string}}}
- {name: send, class: c, action: send, category: external_effect, inputs: {amount: {type: number}, account: {type: string}}}
principals: [{subject: agent-1, capabilities: [{class: c, actions: [a, send]}]}]
rates:
- {id: sends, match: {tool: send}, calls: 1, per_seconds: 3600, burst: 1}
- {id: pays, match: {tool: pay}, calls: 100, per_seconds: 60}
";

fn person(name: &str) -> Caller {
    let subject = Some(format!("{name}@example.com"));
    Caller { subject, attested: true, role: Role::Approver, credential: format!("key-{name}"), ..agent("acme", None) }
}

fn world(rules: &str) -> World {
    let mut world = world_under(&format!("{SOURCE}{rules}\n"));
    for name in ["alice", "bob", "carol"] {
        world.must(admin("acme"), credential_of(&person(name)));
    }
    world
}

/// The approval that a payment waits for.
fn waits(world: &mut World, inputs: &str) -> String {
    let decision = ask(world, "pay", inputs);
    assert_eq!(decision.verdict, Verdict::Escalate, "{decision:?}");
    decision.effects.approval.unwrap()
}

fn answer(world: &mut World, who: &str, approval: &str, action: ApprovalAction, conditions: &[String]) -> ReasonCode {
    let (approval, conditions) = (approval.to_owned(), conditions.to_vec());
    let command = ApprovalCommand { approval, action, conditions, justification: Vec::new() };
    match world.send(person(who), CommandBody::Approval(Box::new(command))) {
        Answer::Ruled { codes, .. } => codes[0],
        other => panic!("{other:?}"),
    }
}

fn approve(world: &mut World, who: &str, approval: &str, conditions: &[&str]) -> ReasonCode {
    let conditions: Vec<String> = conditions.iter().map(|&text| text.to_owned()).collect();
    answer(world, who, approval, ApprovalAction::Approve, &conditions)
}

#[test]
fn nobody_crowds_out_what_others_tie_their_word_to() {
    let ask = "rules: [{id: ask, match: {tool: pay}, decision: escalate, approval: {required: 3}}]";
    let mut world = world(ask);
    let approval = waits(&mut world, r#"{"amount":5000}"#);
    let many: Vec<String> = (0..16).map(|n| format!("max_amount:{}", 10_001 + n)).collect();
    assert_eq!(answer(&mut world, "alice", &approval, ApprovalAction::Approve, &many), ApprovalRequired);
    assert_eq!(approve(&mut world, "bob", &approval, &["max_amount:100"]), ConditionUnknown, "there is no room for it");
    assert_eq!(approve(&mut world, "bob", &approval, &["max_amount:10001"]), ApprovalRequired, "it is there already");
    // One is too many, sixteen are not.
    let approval = waits(&mut world, r#"{"amount":4000}"#);
    assert_eq!(answer(&mut world, "alice", &approval, ApprovalAction::Approve, &many[1..]), ApprovalRequired);
    assert_eq!(approve(&mut world, "bob", &approval, &["max_amount:100"]), ApprovalRequired);
    assert_eq!(approve(&mut world, "carol", &approval, &[]), ApprovalDenied, "it binds");
}

const ESCALATE_AND_COMPUTE: &str = "\
rules: [{id: ask, match: {tool: pay}, decision: escalate}, {id: rest, match: {tool: send}, decision: allow}]
contract: [{id: positive, class: c, require: [{argument: amount, op: '>', value: 0}]}]
rego:
  modules:
  - file: p.rego
    source: |
      package assent
      default decision := true
      decision := {\"decision\": \"compute\", \"compute\": {COMPUTE}} if input.tool.name == \"pay\"
";

fn computing(compute: &str) -> String {
    ESCALATE_AND_COMPUTE.replace("COMPUTE", compute)
}

#[test]
fn what_runs_in_the_calls_place_meets_the_conditions_too() {
    let rules = computing(r#""set": {"account": "secondary"}"#);
    for (condition, wanted) in [
        ("must_use_account:primary", Verdict::Deny),
        ("max_amount:5", Verdict::Compute),
        ("expires_in_seconds:9", Verdict::Compute),
    ] {
        let mut world = world(&rules);
        let approval = waits(&mut world, r#"{"amount":5,"account":"primary"}"#);
        assert_eq!(approve(&mut world, "alice", &approval, &[condition]), Approved);
        let decision = last_decision(&world);
        assert_eq!(decision.verdict, wanted, "{condition}: {decision:?}");
        if wanted == Verdict::Deny {
            denied(&decision, &[ApprovalDenied]);
            assert!(decision.effects.replacement.is_none() && decision.effects.constraints.is_empty());
        }
    }
    // A tool that has no such argument meets no condition about it.
    let mut world = world(&computing(r#""tool": "send", "remove": ["account"]"#));
    let approval = waits(&mut world, r#"{"amount":5,"account":"primary"}"#);
    assert_eq!(approve(&mut world, "alice", &approval, &["must_use_account:primary"]), Approved);
    denied(&last_decision(&world), &[ApprovalDenied]);
}

#[test]
fn what_people_agree_to_is_taken_from_the_rate_of_what_runs() {
    let mut world = world(&computing(r#""tool": "send""#));
    let mut decided = |n: u64| {
        let approval = waits(&mut world, &format!(r#"{{"amount":{n}}}"#));
        assert_eq!(approve(&mut world, "alice", &approval, &[]), Approved);
        let decision = last_decision(&world);
        (decision.verdict, decision.codes, run_record(&world, "run-1").counters.egress)
    };
    assert_eq!(decided(1), (Verdict::Compute, vec![ToolReplaced], 1), "it counts as sent");
    let (verdict, codes, _) = decided(2);
    assert_eq!((verdict, codes.as_slice()), (Verdict::Deny, &[RateExceeded][..]));
    // A call that waits, and is what runs, is taken from its rate once.
    let once = "rules: [{id: ask, match: {tool: send}, decision: escalate}]";
    let mut world = self::world(once);
    let approval = ask(&mut world, "send", r#"{"amount":1}"#).effects.approval.unwrap();
    assert_eq!(approve(&mut world, "alice", &approval, &[]), Approved);
    assert_eq!(last_decision(&world).verdict, Verdict::Allow);
    assert_eq!(run_record(&world, "run-1").counters.egress, 1);
}

/// The last decision's entry, and the commitment of one of its payloads.
fn payload(world: &World, role: &str) -> (Seq, Hash) {
    let entry = Entry::parse(world.leaves.last().unwrap()).unwrap();
    let payload = entry.payloads.iter().find(|payload| payload.role == role).unwrap();
    (entry.seq, payload.commitment)
}

fn erase(world: &mut World, (seq, commitment): (Seq, Hash)) {
    let erase = ControlCommand::ErasePayload { tenant: tenant("acme"), seq, commitment, justification: Vec::new() };
    world.must(admin("acme"), control(erase));
}

#[test]
fn what_was_erased_does_not_come_back_by_an_approval() {
    let rules = "rules: [{id: ask, match: {tool: pay}, decision: escalate, approval: {required: 2}}]";
    for role in [INPUT_ROLE, CONTEXT_ROLE] {
        let mut world = world(rules);
        let mut call = in_run("pay", r#"{"amount":7}"#, "run-1");
        call.context.span_id = Some("span".into());
        let approval = decide(&mut world, call).effects.approval.unwrap();
        let found = payload(&world, role);
        assert_eq!(approve(&mut world, "alice", &approval, &[]), ApprovalRequired);
        erase(&mut world, found);
        world.through_snapshot();
        assert_eq!(approve(&mut world, "bob", &approval, &[]), ApprovalVoid, "{role}");
        assert!(world.state.get(&StateKey::PendingCall(tenant("acme"), approval)).is_none());
    }
    // The same for what people have made of it.
    let mut world = world(rules);
    let approval = waits(&mut world, r#"{"amount":7}"#);
    let modify = ApprovalAction::Modify(br#"{"amount":6}"#.to_vec());
    assert_eq!(answer(&mut world, "alice", &approval, modify, &[]), ApprovalRequired);
    let found = payload(&world, "modified");
    erase(&mut world, found);
    assert_eq!(approve(&mut world, "bob", &approval, &[]), ApprovalVoid);
    // What has nothing to do with the call may go.
    let mut world = self::world(rules);
    let approval = waits(&mut world, r#"{"amount":7}"#);
    erase(&mut world, (Seq(0), Hash([9; 32])));
    assert_eq!(approve(&mut world, "alice", &approval, &[]), ApprovalRequired);
    assert_eq!(approve(&mut world, "bob", &approval, &[]), Approved);
}
