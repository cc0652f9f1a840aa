//! The memory firewall: access lists, expiry, taint, quarantine, external stores in two decisions, and what observing softens.

use crate::support::*;
use assent_kernel::bundle::{Sensitivity, bundle_hash};
use assent_kernel::command::{
    Caller, CommandBody, ControlCommand, KillTarget, MemoryAct, MemoryCommand, MemoryQuarantine, MemoryRead,
    MemoryRelease, MemoryTarget, MemoryWrite, OfferedSource, RetrievedItem, RunRequest, TenantSettings,
};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::refusal::Refusal;
use assent_kernel::state::keys::{MemoryKey, RunRecord};
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;
use assent_ledger::hash::sha256;
use assent_ledger::ids::Seq;

const MEMORY: &str = "
memory:
  - namespace: notes
    readers: [agent-1, 'team-*']
    writers: [agent-1, agent-2]
    ttl_seconds_max: 3600
    labels: []
    classification_max: confidential
    on_tainted_write: quarantine
  - {namespace: strict, readers: ['*'], writers: ['*'], on_tainted_write: deny, labels: []}
  - {namespace: open, readers: ['*'], writers: ['*'], on_tainted_write: label}
  - {namespace: kb, readers: [agent-1], classification_max: internal}
";

fn source() -> Vec<u8> {
    let (before, _) = BUNDLE.split_once("\nmemory:").unwrap();
    format!("{before}{MEMORY}").into_bytes()
}

fn world(seed: u64) -> World {
    let mut world = World::ready(seed);
    for subject in ["agent-2", "agent-10", "team-a"] {
        world.must(admin("acme"), register("acme", subject));
        world.must(admin("acme"), credential_of(&agent("acme", Some(subject))));
    }
    world.must(admin("acme"), CommandBody::OfferBundle(OfferedSource { tenant: tenant("acme"), source: source() }));
    let bundle_hash = bundle_hash(&source());
    let activate = |environment: &str| CommandBody::ActivateBundle {
        tenant: tenant("acme"),
        environment: environment.into(),
        bundle_hash,
    };
    world.must(admin("acme"), activate("prod"));
    world.must(admin("acme"), activate("test"));
    world
}

pub(super) fn me(subject: &str) -> Caller {
    agent("acme", Some(subject))
}

pub(super) fn act(namespace: &str) -> MemoryAct {
    MemoryAct { environment: "prod".into(), namespace: namespace.into(), subject: None, run_id: None, trace_id: None }
}

pub(super) fn write(namespace: &str, key: &str) -> MemoryWrite {
    MemoryWrite {
        act: act(namespace),
        key: key.into(),
        content_type: "text/plain".into(),
        value: b"remember the milk".to_vec(),
        external: false,
        ttl_seconds: None,
        labels: Vec::new(),
        classification: Sensitivity::Internal,
    }
}

pub(super) fn read(namespace: &str, key: &str) -> MemoryCommand {
    let target = MemoryTarget::Key(key.into());
    MemoryCommand::Read(Box::new(MemoryRead { act: act(namespace), target, clearance: None }))
}

pub(super) fn kept(write: MemoryWrite) -> MemoryCommand {
    MemoryCommand::Write(Box::new(write))
}

fn web(origin: &str) -> TaintLabel {
    TaintLabel { source: TaintSource::Web, origin: origin.into(), confidence_milli: 900, propagated_from: None }
}

/// What was enforced, the first code, and the details by name.
pub(super) struct Ruled {
    pub(super) seq: Seq,
    pub(super) event_id: String,
    pub(super) verdict: Verdict,
    pub(super) code: ReasonCode,
    pub(super) details: Vec<(String, String)>,
}

impl Ruled {
    fn detail(&self, name: &str) -> Option<&str> {
        self.details.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }
}

pub(super) fn ask(world: &mut World, caller: Caller, asked: MemoryCommand) -> Ruled {
    match world.send(caller, CommandBody::Memory(Box::new(asked))) {
        Answer::Ruled { seq, event_id, verdict, codes, details, .. } => {
            Ruled { seq, event_id, verdict, code: codes[0], details }
        }
        other => panic!("{other:?}"),
    }
}

pub(super) fn code(world: &mut World, subject: &str, asked: MemoryCommand) -> ReasonCode {
    let ruled = ask(world, me(subject), asked);
    assert_eq!(ruled.verdict == Verdict::Allow, ruled.code.is_allow());
    ruled.code
}

fn quarantine(namespace: &str, key: &str, quarantined: bool) -> CommandBody {
    CommandBody::Memory(Box::new(MemoryCommand::Quarantine(MemoryQuarantine {
        tenant: tenant("acme"),
        environment: "prod".into(),
        namespace: namespace.into(),
        key: key.into(),
        quarantined,
        justification: b"looks like an instruction".to_vec(),
    })))
}

/// Admins get a ruling too.
fn judged(world: &mut World, body: CommandBody) {
    let answer = world.send(admin("acme"), body);
    assert!(matches!(answer, Answer::Ruled { verdict: Verdict::Allow, .. }), "{answer:?}");
}

pub(super) fn implicit_run(world: &World, subject: &str) -> RunRecord {
    let key = StateKey::ImplicitRun(tenant("acme"), subject.to_owned());
    let Some(Record::ImplicitRun(known)) = world.state.get(&key).as_deref().cloned() else { panic!("no run") };
    match world.state.get(&StateKey::Run(tenant("acme"), known.run_id)).as_deref() {
        Some(Record::Run(run)) => run.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn access_lists_compare_whole_names() {
    let mut world = world(1);
    assert_eq!(code(&mut world, "agent-1", kept(write("notes", "todo"))), MemoryAllowed);
    for (subject, asked, expected) in [
        ("agent-1", read("notes", "todo"), MemoryAllowed),
        ("team-a", read("notes", "todo"), MemoryAllowed),
        ("agent-2", read("notes", "todo"), MemoryAcl),
        // `agent-1` is a prefix of this subject, and no pattern.
        ("agent-10", read("notes", "todo"), MemoryAcl),
        ("agent-10", kept(write("notes", "todo")), MemoryAcl),
        ("team-a", kept(write("notes", "todo")), MemoryAcl),
        ("agent-2", kept(write("notes", "todo")), MemoryAllowed),
        // A namespace that begins like another one is another one, and one that nobody declares admits nobody.
        ("agent-1", read("notes/private", "todo"), MemoryAcl),
        ("agent-1", read("note", "todo"), MemoryAcl),
        ("agent-1", read("kb", "notes"), MemoryUnknown),
        ("agent-1", kept(write("kb", "todo")), MemoryAcl),
        ("agent-1", read("notes", "todo/1"), MemoryUnknown),
    ] {
        assert_eq!(code(&mut world, subject, asked.clone()), expected, "{subject} {asked:?}");
    }
    let elsewhere = MemoryRead {
        act: MemoryAct { environment: "test".into(), ..act("notes") },
        target: MemoryTarget::Key("todo".into()),
        clearance: None,
    };
    assert_eq!(code(&mut world, "agent-1", MemoryCommand::Read(Box::new(elsewhere.clone()))), MemoryUnknown);
    let nowhere = MemoryAct { environment: "dev".into(), ..act("notes") };
    let nowhere = MemoryRead { act: nowhere, ..elsewhere };
    assert_eq!(code(&mut world, "agent-1", MemoryCommand::Read(Box::new(nowhere))), NoActiveBundle);
    assert_eq!(implicit_run(&world, "agent-10").counters.strikes, 2);
}

#[test]
fn a_read_says_where_the_value_is() {
    let mut world = world(2);
    let command = world.command(me("agent-1"), CommandBody::Memory(Box::new(kept(write("notes", "todo")))));
    let applied = world.apply(vec![command]);
    let entry = applied.entries.last().unwrap();
    let leaf = String::from_utf8(entry.leaf.clone()).unwrap();
    assert!(!leaf.contains("milk"), "{leaf}");
    let payload = &entry.payloads[0];
    assert_eq!(payload.role, "value");
    let found = ask(&mut world, me("agent-1"), read("notes", "todo"));
    assert_eq!(found.detail("value_commitment"), Some(payload.commitment.to_string().as_str()));
    assert_eq!(found.detail("value_entry"), Some(entry.seq.to_string().as_str()));
    assert_eq!((found.detail("version"), found.detail("classification")), (Some("1"), Some("internal")));
    // Written again it is the next version; a read gives the new value.
    let second = ask(&mut world, me("agent-2"), kept(write("notes", "todo")));
    let found = ask(&mut world, me("agent-1"), read("notes", "todo"));
    assert_eq!(found.detail("value_entry"), Some(second.seq.to_string().as_str()));
    assert_eq!(found.detail("version"), Some("2"));
    assert!(implicit_run(&world, "agent-1").taint.is_empty(), "clean memory of a namespace without labels");
}

#[test]
fn what_expires_is_gone_whether_or_not_it_was_swept() {
    let mut world = world(3);
    let short = MemoryWrite { ttl_seconds: Some(60), ..write("notes", "short") };
    assert_eq!(code(&mut world, "agent-1", kept(short)), MemoryAllowed);
    let long = MemoryWrite { ttl_seconds: Some(u64::MAX), ..write("notes", "long") };
    assert_eq!(code(&mut world, "agent-1", kept(long)), MemoryAllowed);
    world.clock += 61 * SECOND;
    assert_eq!(code(&mut world, "agent-1", read("notes", "short")), MemoryExpired);
    assert_eq!(code(&mut world, "agent-1", read("notes", "long")), MemoryAllowed);
    world.clock += 3_600 * SECOND;
    assert_eq!(code(&mut world, "agent-1", read("notes", "long")), MemoryExpired, "the namespace's hour, not more");
    world.clock += 60 * SECOND;
    world.must(node(), CommandBody::Tick);
    assert_eq!(code(&mut world, "agent-1", read("notes", "short")), MemoryUnknown);
    // A renewed entry outlives the row of its first life.
    let renewed = |world: &mut World| code(world, "agent-1", kept(write("notes", "renewed")));
    assert_eq!(renewed(&mut world), MemoryAllowed);
    world.clock += 1_800 * SECOND;
    assert_eq!(renewed(&mut world), MemoryAllowed);
    world.clock += 1_900 * SECOND;
    world.must(node(), CommandBody::Tick);
    assert_eq!(code(&mut world, "agent-1", read("notes", "renewed")), MemoryAllowed);
}

#[test]
fn a_poisoned_entry_is_not_read_until_an_admin_clears_it() {
    let mut world = world(4);
    let poison = MemoryWrite { labels: vec![web("evil.example")], ..write("notes", "todo") };
    assert_eq!(code(&mut world, "agent-1", kept(write("notes", "todo"))), MemoryAllowed);
    let ruled = ask(&mut world, me("agent-2"), kept(poison));
    assert_eq!((ruled.code, ruled.detail("quarantined")), (MemoryAllowed, Some("true")));
    // What was there is still there and still clean; what was written waits aside, and nothing takes its place unseen.
    let before = ask(&mut world, me("agent-1"), read("notes", "todo"));
    assert_eq!((before.code, before.detail("version")), (MemoryAllowed, Some("1")));
    assert!(!implicit_run(&world, "agent-1").taint.has(TaintSource::Web));
    let again = MemoryWrite { labels: vec![web("evil.example")], ..write("notes", "todo") };
    assert_eq!(code(&mut world, "agent-2", kept(again)), MemoryQuarantined);
    assert_eq!(code(&mut world, "agent-1", kept(write("notes", "todo"))), MemoryAllowed);
    // Where nothing was there, there is nothing to read until then.
    let fresh = MemoryWrite { labels: vec![web("evil.example")], ..write("notes", "fresh") };
    assert_eq!(ask(&mut world, me("agent-2"), kept(fresh)).detail("quarantined"), Some("true"));
    assert_eq!(code(&mut world, "agent-1", read("notes", "fresh")), MemoryQuarantined);
    let drop = MemoryCommand::Forget { act: act("notes"), key: "fresh".into() };
    assert_eq!(code(&mut world, "agent-1", drop), MemoryQuarantined);
    judged(&mut world, quarantine("notes", "todo", false));
    let cleared = ask(&mut world, me("agent-1"), read("notes", "todo"));
    assert_eq!((cleared.code, cleared.detail("version")), (MemoryAllowed, Some("3")));
    let run = implicit_run(&world, "agent-1");
    assert!(run.taint.has(TaintSource::Web), "cleared for reading, and still from where it is from");
    // The taint goes on from here: what the reader writes is tainted.
    let passed_on = ask(&mut world, me("agent-1"), kept(write("notes", "summary")));
    assert_eq!(passed_on.detail("quarantined"), Some("true"));
    assert_eq!(code(&mut world, "agent-1", kept(write("strict", "summary"))), MemoryTainted);
    assert_eq!(world.refused(admin("acme"), quarantine("notes", "todo", false)), Refusal::Unchanged);
    judged(&mut world, quarantine("notes", "never-written", true));
    assert_eq!(code(&mut world, "agent-1", read("notes", "never-written")), MemoryQuarantined);
    assert_eq!(world.refused(me("agent-1"), quarantine("notes", "x", true)).number(), 30);
}

#[test]
fn what_waits_aside_and_expires_takes_the_place_of_nothing() {
    let mut world = world(14);
    let poison =
        |key: &str| MemoryWrite { labels: vec![web("evil.example")], ttl_seconds: Some(60), ..write("notes", key) };
    for key in ["todo", "marked"] {
        assert_eq!(code(&mut world, "agent-1", kept(write("notes", key))), MemoryAllowed);
        assert_eq!(ask(&mut world, me("agent-2"), kept(poison(key))).detail("quarantined"), Some("true"));
    }
    assert_eq!(code(&mut world, "agent-2", kept(poison("todo"))), MemoryQuarantined);
    judged(&mut world, quarantine("notes", "marked", true));
    world.clock += 61 * SECOND;
    // Nobody has swept it yet, and still there is nothing to let through.
    assert_eq!(world.refused(admin("acme"), quarantine("notes", "todo", false)), Refusal::Unchanged);
    judged(&mut world, quarantine("notes", "marked", false));
    for key in ["todo", "marked"] {
        let found = ask(&mut world, me("agent-1"), read("notes", key));
        assert_eq!((found.code, found.detail("version")), (MemoryAllowed, Some("1")), "{key}");
    }
    assert!(!implicit_run(&world, "agent-1").taint.has(TaintSource::Web));
    // Another one may wait in its place.
    assert_eq!(ask(&mut world, me("agent-2"), kept(poison("todo"))).detail("quarantined"), Some("true"));
}

#[test]
fn labels_of_entries_and_namespaces_taint_their_readers() {
    let mut world = world(5);
    let tainted = MemoryWrite { labels: vec![web("example.com")], ..write("open", "page") };
    let written = ask(&mut world, me("agent-1"), kept(tainted));
    assert_eq!(written.detail("quarantined"), None);
    assert_eq!(code(&mut world, "agent-2", read("open", "page")), MemoryAllowed);
    let run = implicit_run(&world, "agent-2");
    assert!(run.taint.has(TaintSource::Web) && run.taint.has(TaintSource::Rag), "the bundle gives `open` no labels");
    let origins: Vec<&str> = run.taint.iter().map(|(_, origin, _)| origin).collect();
    assert_eq!(origins, ["example.com", "open"]);
    let leaf = Entry::parse(world.leaves.last().unwrap()).unwrap();
    let from = leaf.body.get("taint").unwrap().as_list().unwrap()[0].get("from").unwrap().as_str().unwrap().to_owned();
    assert_eq!(from, written.event_id);
}

#[test]
fn classification_bounds_what_is_kept_and_read() {
    let mut world = world(6);
    let secret = MemoryWrite { classification: Sensitivity::Secret, ..write("notes", "key") };
    assert_eq!(code(&mut world, "agent-1", kept(secret)), MemoryClassification);
    let confidential = MemoryWrite { classification: Sensitivity::Confidential, ..write("notes", "salary") };
    assert_eq!(code(&mut world, "agent-1", kept(confidential)), MemoryAllowed);
    let cleared = |clearance| {
        let target = MemoryTarget::Key("salary".into());
        MemoryCommand::Read(Box::new(MemoryRead { act: act("notes"), target, clearance }))
    };
    assert_eq!(code(&mut world, "agent-1", cleared(Some(Sensitivity::Internal))), MemoryClassification);
    assert_eq!(code(&mut world, "agent-1", cleared(Some(Sensitivity::Confidential))), MemoryAllowed);
    assert_eq!(implicit_run(&world, "agent-1").counters.sensitive_reads, 1);
}

#[test]
fn retrieval_takes_two_decisions() {
    let mut world = world(7);
    let query = || {
        let target = MemoryTarget::Query { content_type: "text/plain".into(), query: b"how do I".to_vec() };
        MemoryCommand::Read(Box::new(MemoryRead { act: act("kb"), target, clearance: None }))
    };
    assert_eq!(code(&mut world, "agent-2", query()), MemoryAcl);
    let asked = ask(&mut world, me("agent-1"), query());
    assert_eq!((asked.code, asked.detail("classification")), (MemoryAllowed, Some("internal")));
    judged(&mut world, quarantine("kb", "doc-2", true));
    let item = |id: &str, classification| RetrievedItem { id: id.into(), labels: vec![web(id)], classification };
    let release = |query: &str, namespace: &str| {
        MemoryCommand::Release(Box::new(MemoryRelease {
            act: act(namespace),
            query: query.into(),
            items: vec![
                item("doc-1", Sensitivity::None),
                item("doc-2", Sensitivity::None),
                item("doc-3", Sensitivity::Confidential),
                item("doc-4", Sensitivity::Internal),
            ],
        }))
    };
    assert_eq!(code(&mut world, "agent-1", release("nobody", "kb")), MemoryUnknown);
    assert_eq!(code(&mut world, "agent-1", release(&asked.event_id, "notes")), MemoryUnknown, "another namespace");
    assert_eq!(code(&mut world, "agent-2", release(&asked.event_id, "open")), MemoryUnknown, "another's query");
    let released = ask(&mut world, me("agent-1"), release(&asked.event_id, "kb"));
    assert_eq!((released.verdict, released.code), (Verdict::Allow, MemoryAllowed));
    assert_eq!((released.detail("released"), released.detail("withheld")), (Some("0,3"), Some("1:601,2:605")));
    let origins: Vec<String> = implicit_run(&world, "agent-1").taint.iter().map(|(_, o, _)| o.to_owned()).collect();
    assert_eq!(origins, ["doc-1", "doc-4", "kb"], "what was withheld taints nobody");
    assert_eq!(code(&mut world, "agent-1", release(&asked.event_id, "kb")), MemoryUnknown, "released once");
    let late = ask(&mut world, me("agent-1"), query());
    world.clock += 601 * SECOND;
    assert_eq!(code(&mut world, "agent-1", release(&late.event_id, "kb")), MemoryExpired);
}

#[test]
fn an_erased_value_is_not_read_any_more() {
    let mut world = world(8);
    let written = ask(&mut world, me("agent-1"), kept(write("notes", "todo")));
    let found = ask(&mut world, me("agent-1"), read("notes", "todo"));
    let commitment = found.detail("value_commitment").unwrap().parse().unwrap();
    let erase = ControlCommand::ErasePayload {
        tenant: tenant("acme"),
        seq: written.seq,
        commitment,
        justification: Vec::new(),
    };
    world.must(admin("acme"), control(erase));
    assert_eq!(code(&mut world, "agent-1", read("notes", "todo")), MemoryUnknown);
}

#[test]
fn forgetting_drops_the_entry_and_keeps_the_record() {
    let mut world = world(9);
    assert_eq!(code(&mut world, "agent-1", kept(write("notes", "todo"))), MemoryAllowed);
    let drop = || MemoryCommand::Forget { act: act("notes"), key: "todo".into() };
    assert_eq!(code(&mut world, "team-a", drop()), MemoryAcl);
    assert_eq!(code(&mut world, "agent-2", drop()), MemoryAllowed);
    assert_eq!(code(&mut world, "agent-1", read("notes", "todo")), MemoryUnknown);
    assert_eq!(code(&mut world, "agent-2", drop()), MemoryUnknown);
    let key = StateKey::Memory(tenant("acme"), MemoryKey::Entry("prod", "notes", "todo").text());
    assert!(world.state.get(&key).is_none());
}

#[test]
fn observing_softens_policy_and_not_the_quarantine() {
    let mut world = world(10);
    let settings = TenantSettings { observe: true, ..TenantSettings::default() };
    world.must(admin("acme"), control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings }));
    let ruled = ask(&mut world, me("agent-10"), kept(write("notes", "todo")));
    assert_eq!((ruled.verdict, ruled.code), (Verdict::Allow, MemoryAcl));
    let leaf = Entry::parse(world.leaves.last().unwrap()).unwrap();
    let of = |field: &str| leaf.body.get(field).unwrap().as_str().unwrap().to_owned();
    assert_eq!((of("verdict"), of("effective")), ("deny".into(), "allow".into()));
    assert_eq!(code(&mut world, "agent-1", read("notes", "todo")), MemoryAllowed, "it was kept");
    judged(&mut world, quarantine("notes", "todo", true));
    assert_eq!(ask(&mut world, me("agent-1"), read("notes", "todo")).verdict, Verdict::Deny);
    let target = KillTarget::Agent("agent-1".into());
    let (tenant, justification) = (tenant("acme"), Vec::new());
    world.must(admin("acme"), control(ControlCommand::KillSwitch { tenant, target, engaged: true, justification }));
    assert_eq!(code(&mut world, "agent-1", read("notes", "todo")), KillSwitchAgent);
}

#[test]
fn a_closed_or_foreign_run_remembers_nothing() {
    let mut world = world(11);
    let run = |run_id: &str| RunRequest { run_id: run_id.into(), subject: None, parent_run_id: None };
    world.must(me("agent-1"), CommandBody::OpenRun(run("mine")));
    let within = |run: &str| {
        let act = MemoryAct { run_id: Some(run.into()), ..act("notes") };
        kept(MemoryWrite { act, ..write("notes", "todo") })
    };
    assert_eq!(code(&mut world, "agent-2", within("mine")), RunNotOwned);
    assert_eq!(code(&mut world, "agent-1", within("mine")), MemoryAllowed);
    world.must(me("agent-1"), CommandBody::CloseRun(run("mine")));
    assert_eq!(code(&mut world, "agent-1", within("mine")), RunClosed);
}

#[test]
fn a_repeated_request_gets_the_same_answer() {
    let mut world = world(12);
    let command = world.command(me("agent-1"), CommandBody::Memory(Box::new(kept(write("notes", "todo")))));
    let first = world.send_command(command.clone());
    world.through_snapshot();
    let Answer::Ruled { seq, replayed: false, details, .. } = first else { panic!() };
    let Answer::Ruled { seq: again, replayed: true, details: same, .. } = world.send_command(command) else { panic!() };
    assert_eq!((seq, details), (again, same));
    let commitment = Entry::parse(world.leaves.last().unwrap()).unwrap().payloads[0].commitment;
    assert_ne!(commitment, sha256(&[b"remember the milk"]), "committed under a salt");
}
