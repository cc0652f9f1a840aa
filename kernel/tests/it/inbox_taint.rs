//! What messages bring becomes an entry of the run in which their recipient acts next: what is new to it, and once.

use super::messages::*;
use crate::support::calls::in_run;
use crate::support::runs::{label, run};
use crate::support::*;
use assent_kernel::command::{CommandBody, MessageCommand, RunCommand, RunRequest};
use assent_kernel::event::EventBody;
use assent_kernel::limits::TAINT_ORIGINS_MAX;
use assent_kernel::reason::ReasonCode::MessageAccepted;
use assent_kernel::replay::Recorded;
use assent_kernel::taint::{TaintLabel, TaintSource};

fn world(seed: u64) -> World {
    let mut world = World::ready(seed);
    world.must(admin("acme"), register("acme", "agent-2"));
    world.must(admin("acme"), credential_of(&agent("acme", Some("agent-2"))));
    let key = new_key("agent-2", "k1", &seed_of("agent-2"));
    world.must(admin("acme"), message(MessageCommand::RegisterKey(key)));
    let run = RunRequest { run_id: run_of("agent-2"), subject: None, parent_run_id: None };
    world.must(agent("acme", Some("agent-2")), CommandBody::OpenRun(run));
    let run = RunRequest { run_id: "r1".into(), subject: None, parent_run_id: None };
    world.must(agent("acme", Some("agent-1")), CommandBody::OpenRun(run));
    world
}

/// Has a message bring this label to `agent-1`; what its next call takes on from its inbox.
fn taken_on(world: &mut World, nonce: &str, source: TaintSource, origin: &str) -> Vec<String> {
    // From a run of its own each time, so that a message brings nothing but its label.
    let run = RunRequest { run_id: format!("run-{nonce}"), subject: None, parent_run_id: None };
    world.must(agent("acme", Some("agent-2")), CommandBody::OpenRun(run));
    let sent = signed(world, "agent-2", "agent-1", nonce, |m| {
        m.run_id = Some(format!("run-{nonce}"));
        m.taint = vec![label(source, origin)];
    });
    assert_eq!(sent, MessageAccepted);
    calls(world)
}

fn calls(world: &mut World) -> Vec<String> {
    let before = world.leaves.len();
    world.send(agent("acme", Some("agent-1")), evaluate(in_run("mail.send", GOOD_MAIL, "r1")));
    let mut labels: Vec<TaintLabel> = Vec::new();
    for leaf in &world.leaves[before..] {
        let recorded = Recorded::read(leaf).unwrap();
        if let Some(EventBody::TaintAttached(body)) = recorded.body {
            let (run, trace) = (recorded.entry.run_id, recorded.entry.trace_id);
            assert_eq!((run.as_deref(), trace.as_deref()), (Some("r1"), Some("trace-1")));
            labels.extend(body.labels.iter().cloned());
        }
    }
    labels.into_iter().map(|label| format!("{} {}", label.source.name(), label.origin)).collect()
}

#[test]
fn a_run_takes_on_what_is_new_to_it_and_once() {
    let mut world = world(1);
    assert_eq!(taken_on(&mut world, "a", TaintSource::Web, "a.example"), ["web a.example"]);
    assert_eq!(calls(&mut world), [""; 0], "known by now");
    assert_eq!(taken_on(&mut world, "b", TaintSource::Web, "b.example"), ["web b.example"], "another origin");
    assert_eq!(taken_on(&mut world, "c", TaintSource::Email, "a.example"), ["email a.example"], "another source");
    assert_eq!(taken_on(&mut world, "d", TaintSource::Web, "b.example"), [""; 0]);
}

#[test]
fn a_run_that_tells_origins_apart_no_more_takes_on_new_sources_only() {
    for (origins, expected) in [(TAINT_ORIGINS_MAX - 1, &["web z.example"][..]), (TAINT_ORIGINS_MAX, &[])] {
        let mut world = world(2);
        let labels: Vec<_> = (0..origins).map(|n| label(TaintSource::Web, &format!("host-{n}.example"))).collect();
        for labels in labels.chunks(16) {
            let attach = RunCommand::AttachTaint { run_id: "r1".into(), subject: None, labels: labels.to_vec() };
            world.must(agent("acme", Some("agent-1")), run(attach));
        }
        assert_eq!(taken_on(&mut world, "z", TaintSource::Web, "z.example"), expected, "{origins} origins");
        assert_eq!(taken_on(&mut world, "e", TaintSource::Email, "box.example"), ["email box.example"]);
    }
}
