//! Runs: idle for exactly so long, in how many environments, what their entries say, and who may write to them.

use super::conduct_modes::changes;
use crate::support::runs::{label, run};
use crate::support::*;
use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{Caller, CommandBody, ReportSignal, RunCommand, RunRequest, SignalScope, Signals};
use assent_kernel::limits::{ENVIRONMENTS_MAX, IMPLICIT_RUN_IDLE_MICROS};
use assent_kernel::reason::ReasonCode::RunClosed;
use assent_kernel::refusal::Refusal;
use assent_kernel::replay::Recorded;
use assent_kernel::state::keys::RunMode;
use assent_kernel::taint::TaintSource;
use assent_ledger::entry::Entry;

fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

fn entries(world: &World, from: usize) -> Vec<Entry> {
    world.leaves[from..].iter().map(|leaf| Recorded::read(leaf).unwrap().entry).collect()
}

fn request(run_id: &str) -> RunRequest {
    RunRequest { run_id: run_id.into(), subject: None, parent_run_id: None }
}

#[test]
fn an_implicit_run_may_be_idle_for_exactly_so_long() {
    let mut world = World::ready(1);
    let from = world.leaves.len();
    world.send(me(), mail());
    let [opened, first] = entries(&world, from).try_into().unwrap();
    assert_eq!((opened.run_id.as_ref(), opened.trace_id.as_deref()), (first.run_id.as_ref(), Some("trace-1")));
    world.clock += IMPLICIT_RUN_IDLE_MICROS - 1_000;
    let from = world.leaves.len();
    world.send(me(), mail());
    let [second] = entries(&world, from).try_into().unwrap();
    assert_eq!(second.run_id, first.run_id);
    world.clock += IMPLICIT_RUN_IDLE_MICROS - 999;
    let from = world.leaves.len();
    world.send(me(), mail());
    let [closed, opened, third] = entries(&world, from).try_into().unwrap();
    assert_eq!((closed.kind.as_str(), closed.trace_id.as_deref()), ("assent.run.closed", Some("trace-1")));
    assert_eq!((&closed.run_id, &opened.run_id), (&first.run_id, &third.run_id));
    assert_ne!(third.run_id, first.run_id);
}

#[test]
fn nothing_is_reported_about_a_run_that_is_over_or_comes_from_it() {
    let mut world = World::ready(2);
    world.must(admin("acme"), credential_of(&reporter("acme", None)));
    let report = || {
        let signals = Signals { risk_milli: Some(10), ..Signals::default() };
        CommandBody::Signal(Box::new(ReportSignal { scope: SignalScope::Run("r1".into()), signals, valid_seconds: 60 }))
    };
    let child = |run_id: &str| CommandBody::OpenRun(RunRequest { parent_run_id: Some("r1".into()), ..request(run_id) });
    assert_eq!(world.refused(me(), child("r2")), Refusal::RunUnknown);
    world.must(me(), CommandBody::OpenRun(request("r1")));
    world.must(reporter("acme", None), report());
    world.must(me(), child("r2"));
    world.must(me(), CommandBody::CloseRun(request("r1")));
    assert_eq!(world.refused(reporter("acme", None), report()), Refusal::RunClosed);
    assert_eq!(world.refused(me(), child("r3")), Refusal::RunClosed);
}

#[test]
fn a_run_is_written_to_by_its_subject_or_an_admin() {
    let mut world = World::ready(3);
    world.must(admin("acme"), register("acme", "agent-2"));
    world.must(admin("acme"), credential_of(&agent("acme", Some("agent-2"))));
    world.must(me(), CommandBody::OpenRun(request("r1")));
    let taint = |subject: Option<&str>| {
        let (run_id, subject) = ("r1".to_owned(), subject.map(str::to_owned));
        run(RunCommand::AttachTaint { run_id, subject, labels: vec![label(TaintSource::Web, "evil.example")] })
    };
    let wide = || agent("acme", None);
    assert_eq!(world.refused(wide(), taint(None)), Refusal::SubjectMissing);
    assert_eq!(world.refused(wide(), taint(Some("agent-2"))), Refusal::RunNotOwned);
    assert_eq!(world.refused(agent("acme", Some("agent-2")), taint(None)), Refusal::RunNotOwned);
    assert_eq!(world.refused(agent("acme", Some("agent-2")), taint(Some("agent-1"))), Refusal::SubjectMismatch);
    for (caller, subject) in [(me(), None), (me(), Some("agent-1")), (wide(), Some("agent-1")), (admin("acme"), None)] {
        world.must(caller, taint(subject));
    }
}

#[test]
fn a_change_of_mode_names_the_counters_that_have_moved() {
    let mut world = World::ready(4);
    let sent = call("mail.send", GOOD_MAIL);
    world.send(me(), evaluate(assent_kernel::command::Evaluate { run_id: Some("r1".into()), ..sent }));
    let (tenant, run_id, justification) = (tenant("acme"), "r1".to_owned(), b"odd".to_vec());
    let mode = RunMode::Restricted;
    world.must(admin("acme"), run(RunCommand::SetRunMode { tenant, run_id, mode, justification }));
    let [change] = changes(&world).try_into().unwrap();
    assert!(change.counters.contains(&("calls", 1)) && change.counters.iter().all(|(_, count)| *count > 0));
}

#[test]
fn a_tenant_has_so_many_environments_and_no_more() {
    let mut world = World::ready(5);
    let source = format!("{BUNDLE}# another one\n").into_bytes();
    let other = bundle_hash(&source);
    let offered = assent_kernel::command::OfferedSource { tenant: tenant("acme"), source };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let activate =
        |environment: String| CommandBody::ActivateBundle { tenant: tenant("acme"), environment, bundle_hash: other };
    for n in 1..ENVIRONMENTS_MAX {
        world.must(admin("acme"), activate(format!("env-{n}")));
    }
    let one_more = world.refused(admin("acme"), activate("one-more".into()));
    assert_eq!(one_more, Refusal::TooManyEnvironments { max: ENVIRONMENTS_MAX });
    world.must(admin("acme"), activate("prod".into()));
}

#[test]
fn nobody_opens_or_closes_a_run_for_somebody_else() {
    let mut world = World::ready(6);
    let stated = |run_id: &str| RunRequest { subject: Some("agent-2".into()), ..request(run_id) };
    assert_eq!(world.refused(me(), CommandBody::OpenRun(stated("r1"))), Refusal::SubjectMismatch);
    world.must(me(), CommandBody::OpenRun(request("r1")));
    assert_eq!(world.refused(me(), CommandBody::CloseRun(stated("r1"))), Refusal::SubjectMismatch);
    assert_eq!(world.refused(agent("acme", None), CommandBody::CloseRun(request("r1"))), Refusal::SubjectMissing);
}

#[test]
fn a_run_that_is_over_is_over_whatever_is_called_in_it() {
    let mut world = World::ready(7);
    world.must(me(), CommandBody::OpenRun(request("r1")));
    world.must(me(), CommandBody::CloseRun(request("r1")));
    let decision = calls::decide(&mut world, calls::in_run("nobody.knows", "{}", "r1"));
    calls::denied(&decision, &[RunClosed]);
    assert_eq!((decision.bundle, decision.effects.counts), (None, Vec::new()), "no policy is asked");
}
