//! What runs that are held back may go on doing.

use crate::support::calls::*;
use crate::support::runs::run;
use crate::support::*;
use assent_kernel::command::RunCommand;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::state::keys::RunMode;
use assent_kernel::verdict::Verdict;

const SOURCE: &str = "
name: reading
version: 1
tools:
  - {name: page.get, class: http, action: get, category: read, schema: {type: object, additionalProperties: true}}
  - {name: secret.read, class: file, action: read, category: read, sensitivity: secret}
  - {name: note.read, class: file, action: read, category: read, quarantine_safe: true}
principals: [{subject: agent-1, capabilities: [{class: http, actions: [get]}, {class: file, actions: [read]}]}]
rules: [{id: rest, match: {toolClass: [http, file]}, decision: allow}]
limits: {repeats: 3}
";

fn set(world: &mut World, mode: RunMode) {
    let (tenant, run_id, justification) = (tenant("acme"), "run-1".to_owned(), b"odd".to_vec());
    world.must(admin("acme"), run(RunCommand::SetRunMode { tenant, run_id, mode, justification }));
}

#[test]
fn what_is_there_to_carry_something_and_is_empty_carries_nothing() {
    let mut world = world_under(SOURCE);
    assert_eq!(ask(&mut world, "secret.read", "{}").verdict, Verdict::Allow);
    set(&mut world, RunMode::Restricted);
    for (body, carries) in
        [("null", false), ("\"\"", false), ("[]", false), ("{}", false), ("0", true), ("\"x\"", true)]
    {
        let decision = ask(&mut world, "page.get", &format!(r#"{{"options":{{"body":{body}}}}}"#));
        assert_eq!(decision.codes.contains(&RunRestricted), carries, "{body}: {:?}", decision.codes);
    }
}

#[test]
fn a_quarantined_run_does_what_is_safe_as_often_as_it_likes() {
    let mut world = world_under(SOURCE);
    for _ in 0..3 {
        assert_eq!(ask(&mut world, "note.read", "{}").verdict, Verdict::Allow);
    }
    denied(&ask(&mut world, "note.read", "{}"), &[BehaviourLoop]);
    set(&mut world, RunMode::Quarantined);
    for _ in 0..5 {
        assert_eq!(ask(&mut world, "note.read", "{}").verdict, Verdict::Allow);
    }
    denied(&ask(&mut world, "secret.read", "{}"), &[RunQuarantined]);
}
