//! Which mode a run is led to by what is no call: the gravest consequence, once, and from where it stood.

use super::memory::{act, ask, kept, me, read, write};
use crate::support::calls::world_under;
use crate::support::*;
use assent_kernel::command::{ControlCommand, MemoryCommand, TenantSettings};
use assent_kernel::event::{EventBody, RunModeChanged};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::replay::Recorded;
use assent_kernel::state::keys::RunMode;

const SOURCE: &str = "
name: conduct
version: 1
tools: [{name: note.read, class: file, action: read, category: read}]
principals: [{subject: agent-1, capabilities: [{class: file, actions: [read]}]}]
rules: [{id: rest, match: {toolClass: [file]}, decision: allow}]
memory:
  - {namespace: notes, readers: [agent-1], writers: [agent-1], labels: []}
  - {namespace: closed, readers: [nobody], writers: [nobody]}
behaviour:
  - {id: restricts, action: restrict, steps: [{tool: note.read}, {class: memory, action: forget}]}
  - {id: quarantines, action: quarantine, steps: [{tool: note.read}, {class: memory, action: forget}]}
  - {id: denies, action: deny, steps: [{tool: note.read}, {class: memory, action: forget}]}
  - {id: quarantines-too, action: quarantine, steps: [{tool: note.read}, {class: memory, action: forget}]}
  - {id: later, action: deny, steps: [{class: memory, action: write}, {class: memory, action: write}, {tool: note.read}]}
limits: {strikes: 3}
";

/// What has changed the mode of a run, in order.
pub(super) fn changes(world: &World) -> Vec<RunModeChanged> {
    let of = |leaf: &Vec<u8>| match Recorded::read(leaf).unwrap().body {
        Some(EventBody::RunModeChanged(change)) => Some(*change),
        _ => None,
    };
    world.leaves.iter().filter_map(of).collect()
}

fn note(world: &mut World) {
    let answer = world.send(me("agent-1"), evaluate(call("note.read", "{}")));
    assert!(matches!(answer, Answer::Decided { .. }), "{answer:?}");
}

fn forget() -> MemoryCommand {
    MemoryCommand::Forget { act: act("notes"), key: "todo".into() }
}

#[test]
fn of_several_completed_rules_the_gravest_counts_and_of_those_the_first() {
    let mut world = world_under(SOURCE);
    assert_eq!(ask(&mut world, me("agent-1"), kept(write("notes", "todo"))).code, MemoryAllowed);
    note(&mut world);
    assert_eq!(ask(&mut world, me("agent-1"), forget()).code, BehaviourSequence);
    let changes = changes(&world);
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((change.rule.as_deref(), change.to), (Some("quarantines"), RunMode::Quarantined));
    assert_eq!(change.steps.len(), 2, "it says what led there: {change:?}");
    // A quarantined run comes to no further step of anything, whatever it tries.
    assert_eq!(ask(&mut world, me("agent-1"), kept(write("notes", "todo"))).code, RunQuarantined);
    match Recorded::read(world.leaves.last().unwrap()).unwrap().body {
        Some(EventBody::MemoryAccess(body)) => assert_eq!(body.latches, []),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_restricted_run_reads_its_memory_and_is_restricted_once() {
    let mut world = world_under(SOURCE);
    assert_eq!(ask(&mut world, me("agent-1"), kept(write("notes", "todo"))).code, MemoryAllowed);
    for n in 1..=5 {
        assert_eq!(ask(&mut world, me("agent-1"), read("closed", "x")).code, MemoryAcl, "{n}");
    }
    let modes: Vec<_> = changes(&world).iter().map(|change| (change.from, change.to)).collect();
    assert_eq!(modes, [(RunMode::Normal, RunMode::Restricted)]);
    assert_eq!(ask(&mut world, me("agent-1"), read("notes", "todo")).code, MemoryAllowed);
    assert_eq!(ask(&mut world, me("agent-1"), kept(write("notes", "todo"))).code, RunRestricted);
    assert_eq!(ask(&mut world, me("agent-1"), forget()).code, RunRestricted);
}

#[test]
fn where_policy_is_only_observed_a_mode_follows_the_one_that_would_have_been() {
    let mut world = world_under(SOURCE);
    let settings = TenantSettings { observe: true, ..TenantSettings::default() };
    world.must(admin("acme"), control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings }));
    for _ in 0..3 {
        ask(&mut world, me("agent-1"), kept(write("closed", "x")));
    }
    note(&mut world);
    ask(&mut world, me("agent-1"), forget());
    let modes: Vec<_> = changes(&world).iter().map(|change| (change.from, change.to, change.shadow)).collect();
    let expected = [(RunMode::Normal, RunMode::Restricted, true), (RunMode::Restricted, RunMode::Quarantined, true)];
    assert_eq!(modes, expected);
}
