//! What the entries about leases and executions say: in which run, bound to it or not, and what was stated besides.

use super::grants::*;
use crate::support::spending;
use crate::support::*;
use assent_kernel::command::{CommandBody, GrantCommand, GrantTerms};
use assent_kernel::event::{EventBody, GrantRuled};
use assent_kernel::reason::ReasonCode::CapabilityNotGrantable;
use assent_kernel::replay::Recorded;
use assent_ledger::entry::Entry;

fn in_run(run_id: &str) -> GrantTerms {
    GrantTerms { run_id: Some(run_id.into()), ..terms("http", &["get"]) }
}

/// The last entry, and the ruling in it.
fn last(world: &World) -> (Entry, GrantRuled) {
    let recorded = Recorded::read(world.leaves.last().unwrap()).unwrap();
    let ruled = match recorded.body.unwrap() {
        EventBody::CapabilityGranted(body) => body.ruled.clone(),
        EventBody::CapabilityDelegated(body) => body.ruled.clone(),
        other => panic!("{other:?}"),
    };
    (recorded.entry, ruled)
}

#[test]
fn what_was_stated_is_kept_where_it_is_not_what_holds() {
    let mut world = world(81);
    let stated = |subject: &str, run_id: &str| {
        let (subject, terms) = (Some(subject.to_owned()), in_run(run_id));
        CommandBody::Grant(Box::new(GrantCommand::Request { subject, terms }))
    };
    let wide = || agent("acme", None);
    ask(&mut world, wide(), stated("agent-1", "r1")).unwrap();
    let (entry, ruled) = last(&world);
    assert_eq!((entry.run_id.as_deref(), entry.actor.as_deref()), (Some("r1"), Some("agent-1")));
    assert_eq!((ruled.asked_run_id, ruled.asked_subject, ruled.bound), (None, None, true));
    // A subject that nobody knows, and a run that is another's.
    ask(&mut world, wide(), stated("ghost", "r9")).unwrap_err();
    let (entry, ruled) = last(&world);
    assert_eq!((entry.run_id, ruled.subject), (None, None));
    assert_eq!((ruled.asked_run_id.as_deref(), ruled.asked_subject.as_deref()), (Some("r9"), Some("ghost")));
}

#[test]
fn a_lease_of_a_run_is_its_runs_to_the_end_and_what_is_passed_on_is_nobodys() {
    let mut world = world(82);
    let lease = ask(&mut world, me(), request(in_run("r1"))).unwrap();
    ask(&mut world, me(), delegate(Some(&lease), "agent-2", in_run("r1"))).unwrap();
    let (entry, ruled) = last(&world);
    assert_eq!((entry.run_id.as_deref(), ruled.bound), (Some("r1"), false));
    let elsewhere = ask(&mut world, me(), delegate(Some(&lease), "agent-2", in_run("r2")));
    assert_eq!(elsewhere, Err(CapabilityNotGrantable), "a lease of a run is passed on in that run only");
    world.clock += 121 * SECOND;
    let tick = world.command(node(), CommandBody::Tick);
    let applied = world.apply(vec![tick]);
    let mut ends: Vec<_> = applied
        .entries
        .iter()
        .filter(|entry| entry.kind == "assent.capability.expired")
        .map(|entry| Entry::parse(&entry.leaf).unwrap().run_id)
        .collect();
    ends.sort_unstable();
    assert_eq!(ends, [None, Some("r1".to_owned())]);
}

#[test]
fn executions_are_entries_of_the_run_that_they_are_of() {
    let mut world = spending::spending(83);
    let token = spending::ask(&mut world, &spending::payment()).unwrap();
    for body in [spending::redeem(token.redeem()), spending::complete(token.complete())] {
        world.send(spending::me(), body);
        let entry = Recorded::read(world.leaves.last().unwrap()).unwrap().entry;
        assert_eq!(entry.run_id.as_deref(), Some("run-1"), "{}", entry.kind);
    }
}
