//! What the entry of an access to memory says: what it was about, in which run, and what was stated besides.

use super::memory::{act, ask, kept, me, write};
use super::memory_labels::last;
use crate::support::calls::world_under;
use crate::support::*;
use assent_kernel::bundle::Sensitivity;
use assent_kernel::command::{
    Caller, CommandBody, ControlCommand, MemoryAct, MemoryCommand, MemoryQuarantine, MemoryRead, MemoryRelease,
    MemoryTarget, MemoryWrite, RetrievedItem, TenantSettings,
};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::replay::Recorded;
use assent_kernel::taint::TaintSource;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;

const SOURCE: &str = "
name: entries
version: 1
tools: [{name: note.read, class: file, action: read, category: read}]
principals: [{subject: agent-1, capabilities: [{class: file, actions: [read]}]}]
rules: [{id: rest, match: {toolClass: [file]}, decision: allow}]
memory:
  - {namespace: notes, readers: ['*'], writers: ['*'], on_tainted_write: label, labels: [], classification_max: secret}
  - {namespace: closed, readers: [nobody], writers: [nobody]}
behaviour:
  - {id: no-notes, action: restrict, steps: [{tool: note.read}, {class: memory, action: write}]}
";

fn entry(world: &World) -> Entry {
    Recorded::read(world.leaves.last().unwrap()).unwrap().entry
}

fn within(namespace: &str, subject: Option<&str>) -> MemoryAct {
    let of = |text: &str| Some(text.to_owned());
    MemoryAct { subject: subject.map(str::to_owned), run_id: of("r1"), trace_id: of("t1"), ..act(namespace) }
}

fn read(target: MemoryTarget) -> MemoryCommand {
    MemoryCommand::Read(Box::new(MemoryRead { act: within("notes", None), target, clearance: None }))
}

#[test]
fn an_access_names_its_key_or_query_its_run_and_its_trace() {
    let mut world = world_under(SOURCE);
    let key = || "todo".to_owned();
    let asked_at = |world: &mut World, asked: MemoryCommand| {
        let ruled = ask(world, me("agent-1"), asked);
        assert_eq!(ruled.code, MemoryAllowed);
        let entry = entry(world);
        assert_eq!((entry.run_id.as_deref(), entry.trace_id.as_deref()), (Some("r1"), Some("t1")));
        let body = last(world);
        assert_eq!((body.asked.run_id, body.asked.subject), (None, None));
        (body.key, body.query, ruled.event_id)
    };
    let written = kept(MemoryWrite { act: within("notes", Some("agent-1")), ..write("notes", "todo") });
    assert_eq!(asked_at(&mut world, written).0, Some(key()));
    assert_eq!(asked_at(&mut world, read(MemoryTarget::Key(key()))).0, Some(key()));
    let query = MemoryTarget::Query { content_type: "text/plain".into(), query: b"how do I".to_vec() };
    let (_, _, query) = asked_at(&mut world, read(query));
    let items = vec![RetrievedItem { id: "doc".into(), labels: Vec::new(), classification: Sensitivity::None }];
    let release = MemoryRelease { act: within("notes", None), query: query.clone(), items };
    assert_eq!(asked_at(&mut world, MemoryCommand::Release(Box::new(release))).1, Some(query));
    let forget = MemoryCommand::Forget { act: within("notes", None), key: key() };
    assert_eq!(asked_at(&mut world, forget).0, Some(key()));
}

#[test]
fn a_denied_access_keeps_what_was_stated_and_the_policy_that_denied_it() {
    let mut world = world_under(SOURCE);
    let denied = kept(MemoryWrite { act: within("closed", None), ..write("closed", "todo") });
    assert_eq!(ask(&mut world, me("agent-1"), denied).code, MemoryAcl);
    assert!(last(&world).bundle.is_some());
    let other = kept(MemoryWrite { act: within("notes", Some("agent-2")), ..write("notes", "todo") });
    assert_eq!(ask(&mut world, me("agent-1"), other).code, SubjectMismatch);
    let body = last(&world);
    assert_eq!((body.subject.as_deref(), body.attested), (Some("agent-1"), true));
    assert_eq!((body.asked.subject.as_deref(), body.asked.run_id.as_deref()), (Some("agent-2"), Some("r1")));
    // A credential of the whole tenant proves nobody in particular.
    let wide = Caller { attested: true, ..agent("acme", None) };
    let stated = kept(MemoryWrite { act: within("notes", Some("agent-1")), ..write("notes", "todo") });
    assert_eq!(ask(&mut world, wide, stated).code, MemoryAllowed);
    let body = last(&world);
    assert_eq!((body.subject.as_deref(), body.attested), (Some("agent-1"), false));
}

#[test]
fn an_admins_quarantine_is_nobodys_access() {
    let mut world = world_under(SOURCE);
    let boss = Caller { subject: Some("boss@example.com".into()), credential: "key-boss".into(), ..admin("acme") };
    world.must(admin("acme"), credential_of(&boss));
    for quarantined in [true, false] {
        let asked = MemoryQuarantine {
            tenant: tenant("acme"),
            environment: "prod".into(),
            namespace: "notes".into(),
            key: "todo".into(),
            quarantined,
            justification: b"odd".to_vec(),
        };
        world.send(boss.clone(), CommandBody::Memory(Box::new(MemoryCommand::Quarantine(asked))));
        let body = last(&world);
        assert_eq!((body.key.as_deref(), body.subject, body.codes), (Some("todo"), None, vec![MemoryAllowed]));
        assert_eq!((body.verdict, body.effective), (Verdict::Allow, Verdict::Allow));
        assert_eq!(entry(&world).actor.as_deref(), Some("boss@example.com"));
    }
}

#[test]
fn labels_name_the_access_itself_also_where_a_change_of_mode_comes_before_it() {
    let mut world = world_under(SOURCE);
    let settings = TenantSettings { observe: true, ..TenantSettings::default() };
    world.must(admin("acme"), control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings }));
    let first = calls::in_run("note.read", "{}", "r1");
    world.send(me("agent-1"), evaluate(first));
    let labels = vec![runs::label(TaintSource::Web, "evil.example")];
    let tainted = MemoryWrite { act: within("notes", None), labels, ..write("notes", "todo") };
    let before = world.leaves.len();
    assert_eq!(ask(&mut world, me("agent-1"), kept(tainted)).code, BehaviourSequence);
    let [change, access] = &world.leaves[before..] else { panic!("{}", world.leaves.len() - before) };
    let change = Recorded::read(change).unwrap().entry;
    assert_eq!((change.kind.as_str(), change.trace_id.as_deref()), ("assent.run.mode", Some("t1")));
    let access = Recorded::read(access).unwrap().entry;
    let from: Vec<_> = last(&world).labels.into_iter().map(|label| label.propagated_from).collect();
    assert_eq!(from, [Some(access.event_id)]);
}
