//! What is no call and still counts: requests for capabilities and accesses to memory are strikes and steps of behaviour rules.

use super::memory::{act, ask, kept, me, read, write};
use crate::support::*;
use assent_kernel::bundle::{Sensitivity, bundle_hash};
use assent_kernel::command::{
    CommandBody, ControlCommand, Evaluate, GrantCommand, GrantTerms, MemoryCommand, MemoryRead, MemoryRelease,
    MemoryTarget, MemoryWrite, OfferedSource, RetrievedItem, TenantSettings,
};
use assent_kernel::event::{EventBody, RunModeChanged};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::replay::Recorded;
use assent_kernel::state::keys::{RunMode, RunRecord};
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::verdict::Verdict;

const MORE: &str = "
memory:
  - {namespace: notes, readers: [agent-1], writers: [agent-1], classification_max: secret, labels: []}
  - {namespace: kb, readers: [agent-1], classification_max: secret, labels: []}
  - {namespace: closed, readers: [nobody], writers: [nobody]}
";

/// The pipeline's bundle with memory, and one rule more that ends in memory.
fn world(seed: u64) -> World {
    let own = "behaviour:\n  - {id: page-then-memory, steps: [{tool: page.get}, {class: memory, action: forget}]}\n";
    let source = format!("{}{MORE}", include_str!("support/pipeline.yaml").replace("behaviour:\n", own));
    let mut world = World::ready(seed);
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (tenant, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment: "prod".into(), bundle_hash });
    world
}

fn observe(world: &mut World) {
    let settings = TenantSettings { observe: true, ..TenantSettings::default() };
    world.must(admin("acme"), control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings }));
}

fn request(class: &str, action: &str) -> CommandBody {
    let terms = GrantTerms {
        environment: "prod".into(),
        run_id: None,
        class: class.into(),
        actions: vec![action.into()],
        constraints: Vec::new(),
        calls: 1,
        seconds: 60,
        justification: Vec::new(),
    };
    CommandBody::Grant(Box::new(GrantCommand::Request { subject: None, terms }))
}

fn asked(world: &mut World, class: &str, action: &str) -> Vec<ReasonCode> {
    match world.send(me("agent-1"), request(class, action)) {
        Answer::Ruled { codes, .. } => codes,
        other => panic!("{other:?}"),
    }
}

fn called(world: &mut World, tool: &str, inputs: &str) -> Vec<ReasonCode> {
    match world.send(me("agent-1"), evaluate(Evaluate { run_id: None, ..call(tool, inputs) })) {
        Answer::Decided { codes, .. } => codes,
        other => panic!("{other:?}"),
    }
}

fn run_of_agent(world: &World) -> RunRecord {
    super::memory::implicit_run(world, "agent-1")
}

/// The last two entries: a change of mode, and the id of what brought it.
fn change(world: &World) -> (RunModeChanged, String) {
    let [first, last] = &world.leaves[world.leaves.len() - 2..] else { panic!() };
    match Recorded::read(first).unwrap().body {
        Some(EventBody::RunModeChanged(change)) => (*change, Recorded::read(last).unwrap().entry.event_id),
        other => panic!("{other:?}"),
    }
}

fn page(world: &mut World, tool: &str) -> Vec<ReasonCode> {
    called(world, tool, r#"{"url":"https://ok.example/"}"#)
}

#[test]
fn denied_requests_for_capabilities_are_strikes() {
    let mut world = world(61);
    for n in 1..=3 {
        assert_eq!(run_of_mode(&world), RunMode::Normal, "before request {n}");
        assert_eq!(asked(&mut world, "other", "do"), [CapabilityNotGrantable]);
    }
    let run = run_of_agent(&world);
    assert_eq!((run.mode, run.counters.strikes, run.counters.capability_denied), (RunMode::Restricted, 3, 3));
    let (change, id) = change(&world);
    assert_eq!((change.decision, change.to), (Some(id), RunMode::Restricted));
    // Observed, it leads to a mode in the shadow state only.
    let mut world = self::world(62);
    observe(&mut world);
    for _ in 0..3 {
        asked(&mut world, "other", "do");
    }
    let run = run_of_agent(&world);
    assert_eq!((run.mode, run.shadow.mode, run.shadow.strikes), (RunMode::Normal, RunMode::Restricted, 3));
}

/// The mode of the agent's implicit run; normal before there is one.
fn run_of_mode(world: &World) -> RunMode {
    match world.state.get(&StateKey::ImplicitRun(tenant("acme"), "agent-1".into())).as_deref() {
        Some(Record::ImplicitRun(_)) => run_of_agent(world).mode,
        _ => RunMode::Normal,
    }
}

#[test]
fn a_denied_request_is_the_first_step_of_an_escalation() {
    // What follows may be a call of a riskier class, or another request.
    let mut world = world(63);
    assert_eq!(asked(&mut world, "http", "get"), [CapabilityNotGrantable]);
    assert_eq!(called(&mut world, "note.read", "{}"), [BehaviourSequence]);
    assert_eq!(run_of_agent(&world).mode, RunMode::Restricted);
    let mut world = self::world(64);
    assert_eq!(asked(&mut world, "http", "get"), [CapabilityNotGrantable]);
    assert_eq!(asked(&mut world, "http", "get"), [CapabilityNotGrantable], "no riskier class");
    assert_eq!(asked(&mut world, "shell", "exec"), [CapabilityNotGrantable, BehaviourSequence]);
    let (change, id) = change(&world);
    assert_eq!((change.decision, change.rule.as_deref()), (Some(id), Some("denied_capability_then_escalation/http")));
    assert_eq!(run_of_agent(&world).mode, RunMode::Restricted);
}

#[test]
fn denied_accesses_to_memory_restrict_the_run() {
    let mut world = world(65);
    for _ in 0..2 {
        assert_eq!(ask(&mut world, me("agent-1"), read("closed", "x")).code, MemoryAcl);
        assert_eq!(run_of_agent(&world).mode, RunMode::Normal);
    }
    assert_eq!(ask(&mut world, me("agent-1"), read("closed", "x")).code, MemoryAcl);
    let (change, id) = change(&world);
    assert_eq!((change.decision, change.to), (Some(id), RunMode::Restricted));
    assert_eq!(run_of_agent(&world).mode, RunMode::Restricted);
    assert_eq!(ask(&mut world, me("agent-1"), kept(write("notes", "todo"))).code, RunRestricted);
    let mut world = self::world(66);
    observe(&mut world);
    for _ in 0..3 {
        assert_eq!(ask(&mut world, me("agent-1"), kept(write("closed", "x"))).verdict, Verdict::Allow);
    }
    let run = run_of_agent(&world);
    assert_eq!((run.mode, run.shadow.mode, run.counters.strikes), (RunMode::Normal, RunMode::Restricted, 0));
}

#[test]
fn what_was_read_from_memory_does_not_leave() {
    let mut world = world(67);
    let secret = MemoryWrite { classification: Sensitivity::Confidential, ..write("notes", "plan") };
    assert_eq!(ask(&mut world, me("agent-1"), kept(secret)).code, MemoryAllowed);
    assert!(page(&mut world, "page.post")[0].is_allow(), "nothing was read yet");
    assert_eq!(ask(&mut world, me("agent-1"), read("notes", "plan")).code, MemoryAllowed);
    assert_eq!(run_of_agent(&world).counters.sensitive_reads, 1);
    assert_eq!(page(&mut world, "page.post"), [BehaviourSequence]);
    assert_eq!(run_of_agent(&world).mode, RunMode::Quarantined);
}

#[test]
fn what_was_released_from_a_store_counts_as_read() {
    for (classification, reads) in [(Sensitivity::Internal, 0), (Sensitivity::Confidential, 1)] {
        let mut world = world(68);
        let target = MemoryTarget::Query { content_type: "text/plain".into(), query: b"how do I".to_vec() };
        let query = MemoryCommand::Read(Box::new(MemoryRead { act: act("kb"), target, clearance: None }));
        let query = ask(&mut world, me("agent-1"), query).event_id;
        assert_eq!(run_of_agent(&world).counters.sensitive_reads, 0, "a query brings nothing yet");
        let items = vec![RetrievedItem { id: "doc-1".into(), labels: Vec::new(), classification }];
        let release = MemoryCommand::Release(Box::new(MemoryRelease { act: act("kb"), query, items }));
        assert_eq!(ask(&mut world, me("agent-1"), release).code, MemoryAllowed);
        assert_eq!(run_of_agent(&world).counters.sensitive_reads, reads);
        assert_eq!(page(&mut world, "page.post").contains(&BehaviourSequence), reads > 0);
    }
}

#[test]
fn an_access_to_memory_that_completes_a_sequence_is_not_made() {
    let mut world = world(69);
    assert_eq!(ask(&mut world, me("agent-1"), kept(write("notes", "todo"))).code, MemoryAllowed);
    page(&mut world, "page.get");
    let forget = || MemoryCommand::Forget { act: act("notes"), key: "todo".into() };
    assert_eq!(ask(&mut world, me("agent-1"), forget()).code, BehaviourSequence);
    let (change, id) = change(&world);
    assert_eq!((change.decision, change.rule.as_deref()), (Some(id), Some("page-then-memory")));
    assert_eq!(run_of_agent(&world).mode, RunMode::Quarantined);
    assert_eq!(ask(&mut world, me("agent-1"), forget()).code, RunQuarantined);
    // Observed, it is made, and the record says that it would not have been.
    let mut world = self::world(70);
    observe(&mut world);
    assert_eq!(ask(&mut world, me("agent-1"), kept(write("notes", "todo"))).code, MemoryAllowed);
    page(&mut world, "page.get");
    let ruled = ask(&mut world, me("agent-1"), forget());
    assert_eq!((ruled.verdict, ruled.code), (Verdict::Allow, BehaviourSequence));
    assert_eq!((run_of_agent(&world).mode, run_of_agent(&world).shadow.mode), (RunMode::Normal, RunMode::Quarantined));
}

/// The entries of a run that moved a rule's latch, by position and step, and then the one that completed it: what was matched. No padding
/// between them shows up.
#[test]
fn a_quarantine_names_its_rule_and_each_matched_entry_says_so_itself() {
    let mut world = super::support::calls::world_under(super::behaviour::SOURCE);
    let mut send = |tool: &str, inputs: &str| {
        super::support::calls::ask(&mut world, tool, inputs);
        world.leaves.len() - 1
    };
    send("note.read", r#"{"path":"a","n":1}"#);
    let first = send("secret.read", r#"{"path":"s"}"#);
    send("note.read", r#"{"path":"b","n":2}"#);
    let last = send("page.post", r#"{"text":"out"}"#);
    let (change, decision) = change(&world);
    let rule = change.rule.clone().unwrap();
    assert_eq!((change.to, change.steps.len()), (RunMode::Quarantined, 2));
    let completes = Recorded::read(&world.leaves[last]).unwrap().entry.event_id;
    assert_eq!((change.decision, decision), (Some(completes.clone()), completes));
    let moved = |leaf: &Vec<u8>| match Recorded::read(leaf).unwrap().body {
        Some(EventBody::Decision(body)) => {
            body.effects.latches.iter().find(|(of, _)| *of == rule).map(|(_, step)| *step)
        }
        _ => None,
    };
    let matched: Vec<_> = world.leaves.iter().enumerate().filter_map(|(at, leaf)| Some((at, moved(leaf)?))).collect();
    assert_eq!(matched, [(first, 1)]);
}
