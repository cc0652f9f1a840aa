//! Every type of entry has its rule in the replay: what is on the record is enough to ask for it again, and a record of any type
//! that was changed is found.

use std::collections::{BTreeMap, BTreeSet};

use crate::grants_random::grants_world;
use crate::replay::{Book, record, run};
use crate::support::random::random_world_of;
use crate::support::runs::label;
use crate::support::{SECOND, World, admin, agent, control, credential_of, operator, register, tenant};
use assent_kernel::bundle::Sensitivity;
use assent_kernel::command::{
    Caller, CommandBody, ControlCommand, GrantCommand, GrantTerms, MemoryAct, MemoryCommand, MemoryQuarantine,
    MemoryRead, MemoryRelease, MemoryTarget, MemoryWrite, RetrievedItem, Role, RunCommand,
};
use assent_kernel::event::EventBody;
use assent_kernel::limits::KERNEL_VERSIONS;
use assent_kernel::replay::{Finding, Found, Recorded, Why};
use assent_kernel::state::keys::RunMode;
use assent_kernel::taint::TaintSource;
use assent_ledger::ids::Seq;
use assent_ledger::json::Value;

fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

/// A credential that any subject may be stated with.
fn wide() -> Caller {
    agent("acme", None)
}

fn boss() -> Caller {
    Caller { role: Role::TenantAdmin, credential: "key-of-boss".into(), ..agent("acme", Some("boss")) }
}

fn act(subject: Option<&str>, run_id: Option<&str>) -> MemoryAct {
    let (subject, run_id) = (subject.map(str::to_owned), run_id.map(str::to_owned));
    MemoryAct { environment: "prod".into(), namespace: "notes".into(), subject, run_id, trace_id: Some("t".into()) }
}

fn memory(command: MemoryCommand) -> CommandBody {
    CommandBody::Memory(Box::new(command))
}

fn write(act: MemoryAct, key: &str, labels: bool, ttl_seconds: Option<u64>) -> CommandBody {
    let labels = if labels { vec![label(TaintSource::UserProvided, "form")] } else { Vec::new() };
    memory(MemoryCommand::Write(Box::new(MemoryWrite {
        act,
        key: key.into(),
        content_type: "text/plain".into(),
        value: key.as_bytes().repeat(9),
        external: false,
        ttl_seconds,
        labels,
        classification: Sensitivity::Internal,
    })))
}

fn read(act: MemoryAct, key: &str, clearance: Option<Sensitivity>) -> CommandBody {
    memory(MemoryCommand::Read(Box::new(MemoryRead { act, target: MemoryTarget::Key(key.into()), clearance })))
}

/// Kinds of commands that the scripted worlds do not have: of administration,
const ADMINISTRATION: [&str; 16] = [
    "anchored",
    "configure-tenant",
    "cosigned",
    "disable-principal",
    "disable-tenant",
    "enable-principal",
    "enable-tenant",
    "endorse-key",
    "kill-tool",
    "register-agent-key",
    "register-credential",
    "retire-key",
    "revoke-credential",
    "rotate-agent-key",
    "seal",
    "signal-of-subject",
];
/// and of agents, with what these rest on.
const AGENTS: [&str; 11] = [
    "close-run",
    "complete",
    "erase-payload",
    "evaluate",
    "record-message",
    "redeem",
    "register-agent-key",
    "request-capability",
    "signal-of-subject",
    "signal-of-tenant",
    "tick",
];

/// Everything about memory and runs that a random sequence reaches rarely.
fn corners() -> World {
    let mut world = World::ready(21);
    world.must(admin("acme"), register("acme", "agent-2"));
    world.must(admin("acme"), credential_of(&boss()));
    // Values: for as long as asked, for as long as the namespace lets them, with labels, without a run, in a run of somebody else.
    world.send(me(), write(act(None, Some("run-1")), "a", false, Some(60)));
    world.send(me(), write(act(None, None), "b", true, Some(1_000_000)));
    world.send(wide(), write(act(Some("agent-2"), None), "c", true, None));
    world.send(wide(), write(act(Some("agent-2"), Some("run-1")), "c", true, Some(7)));
    world.send(wide(), write(act(None, None), "c", false, Some(8)));
    world.send(wide(), write(act(Some("nobody"), Some("run-9")), "c", false, Some(9)));
    for clearance in [None, Some(Sensitivity::None), Some(Sensitivity::Internal), Some(Sensitivity::Secret)] {
        world.send(me(), read(act(None, Some("run-1")), "b", clearance));
    }
    world.clock += 61 * SECOND;
    world.send(me(), read(act(None, Some("run-1")), "a", Some(Sensitivity::Internal)));
    let asked = MemoryRead {
        act: act(None, Some("run-1")),
        target: MemoryTarget::Query { content_type: "text/plain".into(), query: b"who knows".to_vec() },
        clearance: Some(Sensitivity::Internal),
    };
    world.send(me(), memory(MemoryCommand::Read(Box::new(asked))));
    let query = world.seen.queries.last().cloned().unwrap().2;
    let item = |id: &str, classification| RetrievedItem {
        id: id.into(),
        labels: vec![label(TaintSource::Web, id)],
        classification,
    };
    let items = vec![item("x", Sensitivity::None), item("y", Sensitivity::Secret)];
    world.send(
        me(),
        memory(MemoryCommand::Release(Box::new(MemoryRelease { act: act(None, Some("run-1")), query, items }))),
    );
    for quarantined in [true, false] {
        let (environment, namespace, key) = ("prod".into(), "notes".into(), "b".into());
        let justification = b"looks odd".to_vec();
        let asked =
            MemoryQuarantine { tenant: tenant("acme"), environment, namespace, key, quarantined, justification };
        let who = if quarantined { operator() } else { boss() };
        world.send(who, memory(MemoryCommand::Quarantine(asked)));
        world.send(me(), read(act(None, Some("run-2")), "b", None));
    }
    world.send(me(), memory(MemoryCommand::Forget { act: act(None, Some("run-2")), key: "b".into() }));
    runs(&mut world);
    runtime(&mut world);
    leases(&mut world);
    world
}

/// Modes set by hand, a quarantine that is left, labels from an admin who has a name, and a step.
fn runs(world: &mut World) {
    let run = |command| CommandBody::Run(Box::new(command));
    let (tenant, justification) = (tenant("acme"), b"because".to_vec());
    for mode in [RunMode::Restricted, RunMode::Normal, RunMode::Quarantined] {
        let (tenant, run_id, justification) = (tenant.clone(), "run-2".to_owned(), justification.clone());
        world.must(admin("acme"), run(RunCommand::SetRunMode { tenant, run_id, mode, justification }));
    }
    let run_id = || "run-2".to_owned();
    world.must(boss(), run(RunCommand::ReleaseQuarantine { tenant, run_id: run_id(), justification }));
    let labels = || vec![label(TaintSource::Web, "a-page")];
    for (who, subject) in [(boss(), None), (me(), None), (wide(), Some("agent-1".to_owned()))] {
        world.must(who, run(RunCommand::AttachTaint { run_id: run_id(), subject, labels: labels() }));
    }
    world.must(
        me(),
        run(RunCommand::RecordStep {
            run_id: run_id(),
            subject: None,
            kind: assent_kernel::event::StepKind::ModelOutput,
            source: Some("model-1".into()),
            labels: labels(),
            content_type: "text/plain".into(),
            content: b"what the model said".to_vec(),
        }),
    );
}

/// A runtime layer that stops a tool, and its end.
fn runtime(world: &mut World) {
    for source in ["rules: [{id: stop-mail, match: {tool: mail.send}, decision: deny}]", "rules: []"] {
        let (environment, source) = ("prod".to_owned(), source.as_bytes().to_vec());
        let tenant = tenant("acme");
        world.must(admin("acme"), control(ControlCommand::SetRuntimeRules { tenant, environment, source }));
        world.send(me(), crate::support::mail());
    }
}

/// Leases that nobody gets: of a subject that is not known, or not this credential's, or in a run that is somebody else's.
fn leases(world: &mut World) {
    let terms = |run_id: Option<&str>, seconds| GrantTerms {
        environment: "prod".into(),
        run_id: run_id.map(str::to_owned),
        class: "mail".into(),
        actions: vec!["send".into()],
        constraints: Vec::new(),
        calls: 2,
        seconds,
        justification: Vec::new(),
    };
    for (who, subject, run_id, seconds) in [
        (wide(), None, None, 60),
        (wide(), Some("nobody"), Some("run-7"), 61),
        (wide(), Some("agent-2"), Some("run-1"), 62),
        (me(), Some("agent-2"), None, 63),
        (me(), None, Some("run-1"), 64),
    ] {
        let (subject, terms) = (subject.map(str::to_owned), terms(run_id, seconds));
        let (to, lease) = ("agent-2".to_owned(), None);
        let asked = GrantCommand::Request { subject: subject.clone(), terms: terms.clone() };
        world.send(who.clone(), CommandBody::Grant(Box::new(asked)));
        world.send(who, CommandBody::Grant(Box::new(GrantCommand::Delegate { subject, lease, to, terms })));
    }
}

#[test]
fn leases_answers_and_rare_commands_replay_without_a_difference() {
    for (name, world) in
        [("corners", corners()), ("grants 1", grants_world(1, 300)), ("grants 2", grants_world(2, 300))]
    {
        let (entries, book) = record(&world);
        let (summary, found) = run(&entries, &book);
        assert_eq!(found, [], "{name}");
        assert_eq!((summary.entries, summary.elsewhere), (entries.len() as u64, 0), "{name}");
    }
}

#[test]
fn erased_payloads_are_not_replayable_where_they_were_read_and_nowhere_a_difference() {
    let (entries, book) = record(&corners());
    // What a query found, and the rules of a runtime layer, were read; values, queries, steps and justifications were not.
    let read = ["items", "bundle"];
    for recorded in &entries {
        for payload in &recorded.entry.payloads {
            let mut book = book.clone();
            book.erased.insert(payload.commitment);
            let (summary, found) = run(&entries, &book);
            assert_eq!(summary.contradictions, 0, "{} {}: {found:?}", recorded.entry.kind, payload.role);
            let of_it = |finding: &&Finding| finding.seq == recorded.entry.seq;
            let named = found.iter().find(of_it).map(|finding| &finding.what);
            if read.contains(&payload.role.as_str()) {
                let why =
                    matches!(named, Some(Found::NotReplayable(Why::PayloadErased { role })) if *role == payload.role);
                assert!(why, "{} {}: {found:?}", recorded.entry.kind, payload.role);
            }
        }
    }
}

/// Texts and numbers of a body, changed one at a time.
fn changed(value: &Value) -> Vec<Value> {
    match value {
        Value::Map(fields) => fields
            .iter()
            .flat_map(|(name, field)| changed(field).into_iter().map(move |other| (name, other)))
            .map(|(name, other)| {
                let mut fields = fields.clone();
                fields.insert(name.clone(), other);
                Value::Map(fields)
            })
            .collect(),
        Value::List(items) => (0..items.len())
            .flat_map(|at| changed(&items[at]).into_iter().map(move |other| (at, other)))
            .map(|(at, other)| {
                let mut items = items.clone();
                items[at] = other;
                Value::List(items)
            })
            .collect(),
        Value::Bool(is) => vec![Value::from(!is)],
        Value::Str(text) => ["allow", "deny", "normal", "1"]
            .into_iter()
            .map(str::to_owned)
            .chain([text.chars().rev().collect(), text.replace(['1', 'a'], "2")])
            .filter(|other| other != text)
            .map(Value::Str)
            .collect(),
        other => other.as_int().map(|n| vec![Value::from(u32::try_from(n).unwrap_or(0) + 1)]).unwrap_or_default(),
    }
}

/// Ways to change an entry of a record: each field of its body, its payload's length, and a second one of it.
fn tampered(entries: &[Recorded], at: usize) -> Vec<Vec<Recorded>> {
    let genuine = &entries[at];
    // A command's entries are close together, and what rests on this one soon follows.
    let near = &entries[..entries.len().min(at + 60)];
    let with = |other: Recorded| {
        let mut entries = near.to_vec();
        entries[at] = other;
        entries
    };
    let mut ways: Vec<Vec<Recorded>> = Vec::new();
    // Later fields first: those of a seal begin with where it lies in the log, of which the record says nothing else.
    for body in changed(&genuine.entry.body).into_iter().rev() {
        let Some(Ok(typed)) = EventBody::from_value(&genuine.entry.kind, &body) else { continue };
        let mut other = genuine.clone();
        (other.entry.body, other.body) = (body, Some(typed));
        ways.push(with(other));
    }
    if !genuine.entry.payloads.is_empty() {
        let mut other = genuine.clone();
        other.entry.payloads[0].length += 1;
        ways.push(with(other));
    }
    let mut twice = near.to_vec();
    twice.insert(at, genuine.clone());
    ways.push(twice);
    ways
}

fn is_found(entries: &[Recorded], book: &Book) -> bool {
    run(entries, book).0.contradictions > 0
}

#[test]
fn a_changed_record_of_each_kind_is_found() {
    let mut missed: BTreeMap<String, usize> = BTreeMap::new();
    let mut found: BTreeSet<String> = BTreeSet::new();
    let unseen = |found: &BTreeSet<String>| -> BTreeSet<&str> {
        EventBody::KINDS.iter().copied().filter(|kind| !found.contains(*kind)).collect()
    };
    // While a build decides under one version only, there is none to activate, and no entry about it that could be genuine.
    let unmade = if KERNEL_VERSIONS.len() == 1 { BTreeSet::from(["assent.kernel.activated"]) } else { BTreeSet::new() };
    let scripted: [fn() -> World; 2] = [corners, || grants_world(3, 160)];
    let random = (1..=4).flat_map(|seed| [(seed, &ADMINISTRATION[..]), (seed, &AGENTS[..])]);
    let random = random.map(|(seed, kinds)| random_world_of(seed, 180, kinds));
    let worlds = scripted.into_iter().map(|make| make()).chain(random);
    for world in worlds {
        if unseen(&found) == unmade {
            break;
        }
        let (entries, book) = record(&world);
        for at in 0..entries.len() {
            let kind = entries[at].entry.kind.clone();
            if found.contains(&kind) || missed.get(&kind).is_some_and(|times| *times >= 3) {
                continue;
            }
            if tampered(&entries, at).iter().any(|entries| is_found(entries, &book)) {
                found.insert(kind);
            } else {
                *missed.entry(kind).or_default() += 1;
            }
        }
    }
    missed.retain(|kind, _| !found.contains(kind));
    assert_eq!(missed, BTreeMap::new());
    assert_eq!(unseen(&found), unmade, "no such entry was made");
}

#[test]
fn a_mode_that_no_command_brought_is_unexplained() {
    let (mut entries, book) = record(&corners());
    let at = entries.iter().position(|r| matches!(r.body, Some(EventBody::RunModeChanged(_)))).unwrap();
    let Some(EventBody::RunModeChanged(body)) = &mut entries[at].body else { panic!("a mode") };
    body.trigger = assent_kernel::event::ModeTrigger::Strikes;
    let (_, found) = run(&entries, &book);
    assert_eq!((found[0].seq, &found[0].what), (Seq(at as u64), &Found::Unexplained));
}
