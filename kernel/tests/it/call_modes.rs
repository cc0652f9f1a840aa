//! Which mode a run is led to by its calls: the gravest consequence, once, and from where it stood.

use super::conduct_modes::changes;
use crate::support::calls::*;
use crate::support::*;
use assent_kernel::command::{ControlCommand, TenantSettings};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::state::keys::RunMode;

const HEAD: &str = "
name: called
version: 1
tools:
  - {name: note.read, class: file, action: read, category: read, inputs: {path: {type: string}, n: {type: integer}}}
  - {name: note.write, class: file, action: write, category: reversible_write}
principals: [{subject: agent-1, capabilities: [{class: file, actions: [read, write]}]}]
rules:
  - {id: bad, priority: 1, match: {tool: note.read, parameters: {path: {in: [bad]}}}, decision: deny}
  - {id: rest, priority: 900, match: {toolClass: [file]}, decision: allow}
limits: {strikes: 3}
behaviour:
";

/// A bundle in which reading a note and then writing one completes rules with these properties.
fn source(rules: &[&str]) -> String {
    let rule = |terms: &&str| format!("  - {{{terms}, steps: [{{tool: note.read}}, {{tool: note.write}}]}}\n");
    HEAD.to_owned() + &rules.iter().map(rule).collect::<String>()
}

const RULES: [&str; 4] = [
    "id: restricts, action: restrict",
    "id: quarantines, action: quarantine",
    "id: denies, action: deny",
    "id: quarantines-too, action: quarantine",
];

fn bad(n: usize) -> String {
    format!(r#"{{"path":"bad","n":{n}}}"#)
}

#[test]
fn of_several_completed_rules_the_gravest_counts_and_of_those_the_first() {
    let mut world = world_under(&source(&RULES));
    ask(&mut world, "note.read", "{}");
    denied(&ask(&mut world, "note.write", "{}"), &[BehaviourSequence]);
    let changes = changes(&world);
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((change.rule.as_deref(), change.to), (Some("quarantines"), RunMode::Quarantined));
    assert_eq!(change.steps.len(), 2, "it says what led there: {change:?}");
}

#[test]
fn a_run_that_goes_on_being_denied_is_restricted_once() {
    let mut world = world_under(&source(&RULES));
    for n in 0..5 {
        denied(&ask(&mut world, "note.read", &bad(n)), &[RuleDenied]);
    }
    let modes: Vec<_> = changes(&world).iter().map(|change| (change.from, change.to)).collect();
    assert_eq!(modes, [(RunMode::Normal, RunMode::Restricted)]);
}

#[test]
fn where_policy_is_only_observed_a_mode_follows_the_one_that_would_have_been() {
    let mut world = world_under(&source(&RULES));
    let settings = TenantSettings { observe: true, ..TenantSettings::default() };
    world.must(admin("acme"), control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings }));
    for n in 0..3 {
        softened(&ask(&mut world, "note.read", &bad(n)), &[RuleDenied]);
    }
    ask(&mut world, "note.write", "{}");
    let modes: Vec<_> = changes(&world).iter().map(|change| (change.from, change.to, change.shadow)).collect();
    let expected = [(RunMode::Normal, RunMode::Restricted, true), (RunMode::Restricted, RunMode::Quarantined, true)];
    assert_eq!(modes, expected);
}

#[test]
fn so_many_rules_that_are_tried_are_shown_and_no_more() {
    let ids: Vec<String> = (0..9).map(|n| format!("tried-{n}")).collect();
    for count in [8, 9] {
        let rules: Vec<String> = ids.iter().take(count).map(|id| format!("id: {id}, shadow: true")).collect();
        let mut world = world_under(&source(&rules.iter().map(String::as_str).collect::<Vec<_>>()));
        ask(&mut world, "note.read", "{}");
        let shown: Vec<String> =
            ask(&mut world, "note.write", "{}").effects.shadow.into_iter().map(|vote| vote.rule).collect();
        assert_eq!(shown, ids[..8], "of {count}");
    }
}
