//! Calls that wait for people: they count once, what happens meanwhile counts, and their run waits with them.

use super::behaviour::SOURCE;
use crate::support::calls::*;
use crate::support::*;
use assent_kernel::command::{ApprovalAction, ApprovalCommand, Caller, CommandBody, Role};
use assent_kernel::event::PolicyDecision;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::state::keys::RunMode;
use assent_kernel::verdict::Verdict;

fn boss() -> Caller {
    let subject = Some("boss@example.com".to_owned());
    Caller { subject, attested: true, role: Role::Approver, credential: "key-boss".into(), ..agent("acme", None) }
}

fn world(source: &str) -> World {
    let mut world = world_under(source);
    world.must(admin("acme"), credential_of(&boss()));
    world
}

/// Asks for a call that waits for people.
fn wait(world: &mut World, tool: &str, inputs: &str) -> String {
    let decision = ask(world, tool, inputs);
    assert_eq!(decision.effective, Verdict::Escalate, "{decision:?}");
    decision.effects.approval.unwrap()
}

/// The decision that comes of a person's agreement.
fn agree(world: &mut World, approval: String) -> PolicyDecision {
    let (conditions, justification) = (Vec::new(), Vec::new());
    let command = ApprovalCommand { approval, action: ApprovalAction::Approve, conditions, justification };
    world.send(boss(), CommandBody::Approval(Box::new(command)));
    last_decision(world)
}

#[test]
fn a_call_that_waited_for_people_counts_once() {
    let twice = "  - {id: twice, action: deny, steps: [{tool: pay}, {tool: pay}]}\nlimits: {repeats: 1}\n\
        rates: [{id: slow, calls: 1, per_seconds: 3600}]\n";
    let mut world = world(&SOURCE.replace("limits: {repeats: 4}\n", twice));
    let approval = wait(&mut world, "pay", r#"{"amount":1}"#);
    let (before, taken) = (run_record(&world, "run-1"), rates(&world));
    let decision = agree(&mut world, approval);
    assert_eq!((decision.verdict, decision.effects.rates.len()), (Verdict::Allow, 0), "{decision:?}");
    let after = run_record(&world, "run-1");
    assert_eq!((after.latches.get("twice"), after.recent), (Some(&1), before.recent), "no step and no repetition");
    let counters = |calls: u32, egress: u32, writes: u32| (calls, egress, writes);
    let of = |run: &assent_kernel::state::keys::RunCounters| counters(run.calls, run.egress, run.writes);
    assert_eq!((of(&before.counters), of(&after.counters)), (counters(1, 1, 0), counters(1, 1, 1)));
    assert_eq!(rates(&world), taken);
    // The next one is another call.
    world.clock += 3_600 * SECOND;
    denied(&ask(&mut world, "pay", r#"{"amount":2}"#), &[BehaviourSequence]);
}

#[test]
fn what_happened_while_a_call_waited_counts() {
    let mut world = world(SOURCE);
    let approval = wait(&mut world, "pay", r#"{"amount":1}"#);
    assert_eq!(ask(&mut world, "secret.read", "{}").verdict, Verdict::Allow);
    denied(&agree(&mut world, approval), &[BehaviourSequence]);
    assert_eq!(run_record(&world, "run-1").mode, RunMode::Quarantined);
}

#[test]
fn an_idle_run_waits_with_its_calls() {
    let mut world = world(SOURCE);
    let first = decide(&mut world, call("pay", r#"{"amount":1}"#));
    let approval = first.effects.approval.clone().unwrap();
    world.clock += 31 * 60 * SECOND;
    // Another call of the same agent, to the same run: it is not over as long as people are asked about it.
    assert_eq!(decide(&mut world, call("note.read", "{}")).verdict, Verdict::Allow);
    let decision = agree(&mut world, approval);
    assert_eq!((decision.verdict, decision.effects.replaces.is_some()), (Verdict::Allow, true), "{decision:?}");
    // Once nobody is asked any more, it ends as every other.
    decide(&mut world, call("pay", r#"{"amount":2}"#));
    world.clock += 61 * 60 * SECOND;
    let before = world.leaves.len();
    decide(&mut world, call("note.read", "{}"));
    assert_eq!(world.leaves.len() - before, 3, "closed, opened, decided");
}
