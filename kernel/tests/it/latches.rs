//! A run that outlives its bundle: latches of rules that are gone make room for those of rules that are there, and no more than that.

use std::collections::BTreeSet;

use crate::support::World;
use crate::support::calls::*;
use crate::support::tenant;
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::verdict::Verdict;

const HEAD: &str = "
name: latched
version: 1
tools:
  - {name: note.read, class: file, action: read, category: read}
  - {name: note.write, class: file, action: write, category: reversible_write}
principals: [{subject: agent-1, capabilities: [{class: file, actions: [read, write]}]}]
rules: [{id: rest, match: {toolClass: [file]}, decision: allow}]
behaviour:
";

/// A bundle in which a note that is read is the first step of these rules: about one run, and about all of a subject.
fn source(of_run: &[String], across: &[String]) -> String {
    let rule = |id: &String, scope: &str| {
        format!("  - {{id: {id}, scope: {scope}, steps: [{{tool: note.read}}, {{tool: note.write}}]}}\n")
    };
    let of_run = of_run.iter().map(|id| rule(id, "run"));
    HEAD.to_owned() + &of_run.chain(across.iter().map(|id| rule(id, "principal"))).collect::<String>()
}

fn names(letter: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| format!("{letter}{n:02}")).collect()
}

/// Rules that have come to a step: in the run, and across runs.
fn latched(world: &World) -> [BTreeSet<String>; 2] {
    let across = match world.state.get(&StateKey::SubjectState(tenant("acme"), "agent-1".into())).as_deref() {
        Some(Record::SubjectState(known)) => known.latches.keys().cloned().collect(),
        other => panic!("{other:?}"),
    };
    [run_record(world, "run-1").latches.keys().cloned().collect(), across]
}

fn set(parts: &[Vec<String>]) -> BTreeSet<String> {
    parts.concat().into_iter().collect()
}

#[test]
fn rules_that_are_gone_make_as_much_room_as_is_needed() {
    // One of the rules stays; one has the name of another that was about something else.
    let many = [names("a", 0..1), names("b", 0..14)].concat();
    let few = [names("p", 0..1), names("a", 1..2), names("q", 0..7)].concat();
    let crossed = [names("p", 0..1), names("b", 0..14)].concat();
    let crossed_few = [names("a", 0..1), names("p", 1..2), names("q", 0..7)].concat();
    let first = |letter| names(letter, 0..12);
    // Twelve and fourteen are two more than there is room for: the first two go whose rules are not there any more.
    let left = |letter| [names(letter, 0..1), names(letter, 3..12), names("b", 0..14)];
    for (second, expected) in [
        (source(&many, &few), [set(&left("a")), set(&[first("p"), few.clone()])]),
        (source(&crossed_few, &crossed), [set(&[first("a"), crossed_few.clone()]), set(&left("p"))]),
    ] {
        let mut world = world_under(&source(&first("a"), &first("p")));
        assert_eq!(ask(&mut world, "note.read", "{}").verdict, Verdict::Allow);
        assert_eq!(latched(&world), [set(&[first("a")]), set(&[first("p")])]);
        activate_source(&mut world, &second);
        assert_eq!(ask(&mut world, "note.read", "{}").verdict, Verdict::Allow);
        assert_eq!(latched(&world), expected);
    }
}
