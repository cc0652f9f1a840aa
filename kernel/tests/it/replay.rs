//! The record decided again: a ledger of mixed commands replays without a difference, and what was changed is named.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use crate::support::random::SOURCE;
use crate::support::{BUNDLE, World, agent, mail, random_world, tenant};
use assent_kernel::bundle::{bundle_hash, compile};
use assent_kernel::command::{CommandBody, RunRequest};
use assent_kernel::event::EventBody;
use assent_kernel::machine::Answer;
use assent_kernel::replay::{Finding, Flip, Found, Held, Payloads, Recorded, Selection, Summary, WhatIf, Why, replay};
use assent_kernel::verdict::Verdict;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId};
use assent_ledger::payload::decrypt;

/// Payloads as an auditor would get them, erased ones marked.
#[derive(Default, Clone)]
pub struct Book {
    bytes: BTreeMap<Hash, Vec<u8>>,
    pub erased: BTreeSet<Hash>,
    salts: BTreeMap<Seq, [u8; 32]>,
}

impl Payloads for Book {
    fn payload(&self, _: &TenantId, commitment: &Hash) -> Held {
        match self.bytes.get(commitment) {
            _ if self.erased.contains(commitment) => Held::Erased,
            Some(bytes) => Held::Bytes(bytes.clone()),
            None => Held::Missing,
        }
    }

    fn request_salt(&self, seq: Seq) -> Option<[u8; 32]> {
        self.salts.get(&seq).copied()
    }
}

/// Applies a world's commands once more, to keep its payloads and answers too.
pub fn record(world: &World) -> (Vec<Recorded>, Book) {
    let mut copy = World::new(0);
    let mut book = Book::default();
    for command in world.sent.clone() {
        let applied = copy.apply(vec![command]);
        for payload in applied.entries.iter().flat_map(|entry| &entry.payloads) {
            let opened = decrypt(&payload.data_key, &payload.commitment, &payload.ciphertext).unwrap();
            book.bytes.insert(payload.commitment, opened.bytes.to_vec());
        }
        for answer in applied.answers {
            if let Answer::Decided { seq, request_salt, .. } = answer {
                book.salts.insert(seq, request_salt);
            }
        }
    }
    assert_eq!(copy.leaves, world.leaves);
    (world.leaves.iter().map(|leaf| Recorded::read(leaf).unwrap()).collect(), book)
}

pub fn run(entries: &[Recorded], book: &Book) -> (Summary, Vec<Finding>) {
    let mut found = Vec::new();
    let entries = entries.iter().cloned().map(Ok::<_, Infallible>);
    let summary = replay(entries, book, |finding| found.push(finding)).unwrap();
    (summary, found)
}

fn decisions(entries: &[Recorded]) -> impl Iterator<Item = &Recorded> {
    entries.iter().filter(|recorded| matches!(recorded.body, Some(EventBody::Decision(_))))
}

/// Decisions that an agent asked for; the others were made when people had agreed.
fn asked(entries: &[Recorded]) -> u64 {
    let own = decisions(entries).filter(|recorded| match &recorded.body {
        Some(EventBody::Decision(body)) => body.effects.approved_by.is_none(),
        _ => false,
    });
    own.count() as u64
}

fn edit(recorded: &mut Recorded, change: impl FnOnce(&mut assent_kernel::event::PolicyDecision)) {
    let Some(EventBody::Decision(body)) = &mut recorded.body else { panic!("a decision") };
    change(body);
    recorded.entry.body = body.to_value();
}

#[test]
fn a_ledger_of_mixed_commands_replays_without_a_difference() {
    for seed in [1, 2] {
        let (entries, book) = record(&random_world(seed, 500));
        let (summary, found) = run(&entries, &book);
        assert_eq!(found, [], "seed {seed}");
        assert_eq!((summary.entries, summary.elsewhere), (entries.len() as u64, 0));
        assert_eq!(summary.decisions, asked(&entries));
        assert!(summary.decisions > 60, "{summary:?}");
    }
}

#[test]
fn one_tenant_and_the_system_replay_without_the_others() {
    let (entries, book) = record(&random_world(4, 400));
    let own: Vec<Recorded> = entries
        .iter()
        .filter(|recorded| recorded.entry.tenant == tenant("acme") || recorded.entry.tenant.is_system())
        .cloned()
        .collect();
    let (summary, found) = run(&own, &book);
    assert_eq!(found, []);
    assert!(summary.elsewhere >= 1, "the creation of other tenants");
    assert_eq!(summary.decisions, asked(&own));
}

#[test]
fn a_tampered_verdict_is_the_finding_and_the_only_one() {
    let (mut entries, book) = record(&random_world(5, 300));
    let at = entries
        .iter()
        .position(|r| matches!(&r.body, Some(EventBody::Decision(body)) if body.verdict == Verdict::Deny))
        .unwrap();
    edit(&mut entries[at], |body| body.verdict = Verdict::Allow);
    let (_, found) = run(&entries, &book);
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(finding.seq, Seq(at as u64));
    assert_eq!(
        finding.what,
        Found::Differs { field: "body.verdict".into(), recorded: "allow".into(), computed: "deny".into() }
    );
}

#[test]
fn changed_codes_payloads_and_commitments_are_named() {
    let mut world = World::ready(6);
    world.send(agent("acme", Some("agent-1")), mail());
    world.send(agent("acme", Some("agent-1")), mail());
    let (entries, book) = record(&world);
    let last = entries.len() - 1;
    assert_eq!(run(&entries, &book).1, []);

    let field = |entries: &[Recorded], book: &Book| match &run(entries, book).1[..] {
        [Finding { seq, what: Found::Differs { field, .. }, .. }] if *seq == Seq(last as u64) => field.clone(),
        other => panic!("{other:?}"),
    };
    let mut changed = entries.clone();
    edit(&mut changed[last], |body| body.tool = "http.fetch".into());
    assert!(field(&changed, &book).starts_with("body."));

    let mut changed = entries.clone();
    edit(&mut changed[last], |body| body.request_commitment = Hash([9; 32]));
    assert_eq!(field(&changed, &book), "body.request_commitment");

    let mut changed = entries.clone();
    changed[last].entry.payloads[0].length += 1;
    assert_eq!(field(&changed, &book), "payloads[0].length");

    let mut changed = entries;
    changed[last].entry.run_id = Some("somebody-elses".into());
    assert_ne!(run(&changed, &book).1, []);
}

#[test]
fn another_bundle_than_the_one_that_decided_is_reported() {
    let mut world = World::ready(7);
    world.send(agent("acme", Some("agent-1")), mail());
    let (mut entries, mut book) = record(&world);
    // Somebody exchanged the source of the bundle: same place on the record, other content.
    let at = entries.iter().position(|r| matches!(r.body, Some(EventBody::BundleOffered(_)))).unwrap();
    let commitment = entries[at].entry.payloads[0].commitment;
    book.bytes.insert(commitment, BUNDLE.replace("100", "101").into_bytes());
    let (_, found) = run(&entries, &book);
    assert!(found.iter().any(|f| f.seq == Seq(at as u64) && f.what.contradicts()), "{found:?}");

    // A source that was not handed over cannot be decided under.
    book.bytes.remove(&commitment);
    entries.retain(|r| r.entry.tenant == tenant("acme") || r.entry.tenant.is_system());
    let (summary, found) = run(&entries, &book);
    assert_eq!(summary.contradictions, 0, "{found:?}");
    let last = Seq(entries.last().unwrap().entry.seq.0);
    assert!(found.iter().any(|f| f.seq == last && f.what == Found::NotReplayable(Why::BundleMissing)), "{found:?}");
}

#[test]
fn an_erased_payload_is_not_replayable_and_no_difference() {
    let world = random_world(8, 300);
    let (entries, mut book) = record(&world);
    let erased: Vec<&Recorded> = decisions(&entries).step_by(3).collect();
    book.erased.extend(erased.iter().map(|recorded| recorded.entry.payloads[0].commitment));
    let (summary, found) = run(&entries, &book);
    assert_eq!(summary.contradictions, 0, "{found:?}");
    let why = Found::NotReplayable(Why::PayloadErased { role: "input" });
    let named: Vec<Seq> = found.iter().filter(|f| f.what == why).map(|f| f.seq).collect();
    assert_eq!(named, erased.iter().map(|r| r.entry.seq).collect::<Vec<_>>());
}

#[test]
fn entries_that_no_command_makes_are_reported() {
    let mut world = World::ready(9);
    world.send(agent("acme", Some("agent-1")), mail());
    let (entries, book) = record(&world);
    // The run of the first call, opened twice.
    let at = entries.iter().position(|r| matches!(r.body, Some(EventBody::RunOpened(_)))).unwrap();
    let mut forged = entries.clone();
    forged.insert(at, entries[at].clone());
    let (summary, _) = run(&forged, &book);
    assert!(summary.contradictions >= 1);
    // And not at all.
    let mut forged = entries;
    forged.remove(at);
    let (summary, _) = run(&forged, &book);
    assert!(summary.contradictions >= 1);
}

#[test]
fn commands_of_the_same_time_are_told_apart() {
    let mut world = World::ready(13);
    let me = || agent("acme", Some("agent-1"));
    let in_run = |id: &str| {
        let mut call = crate::support::call("mail.send", crate::support::GOOD_MAIL);
        (call.run_id, call.trace_id) = (Some(id.into()), None);
        crate::support::evaluate(call)
    };
    world.send(me(), in_run("run-1"));
    let closed = RunRequest { run_id: "run-1".into(), subject: None, parent_run_id: None };
    let bodies = [CommandBody::CloseRun(closed), in_run("run-2"), in_run("run-1"), in_run("run-3")];
    let mut commands: Vec<_> = bodies.into_iter().map(|body| world.command(me(), body)).collect();
    let time = commands[0].stamp.time;
    commands.iter_mut().for_each(|command| command.stamp.time = time);
    world.apply(commands);
    let (entries, book) = record(&world);
    assert_eq!(entries.iter().filter(|recorded| recorded.entry.time == time).count(), 6);
    assert_eq!(run(&entries, &book).1, []);
}

fn ask(world: &World, bundle: &str, selection: Selection) -> (u64, Vec<Flip>) {
    let (entries, book) = record(world);
    let what_if = WhatIf {
        hash: bundle_hash(bundle.as_bytes()),
        bundle: Arc::new(compile(bundle.as_bytes()).unwrap()),
        selection,
    };
    let mut flips = Vec::new();
    let entries = entries.into_iter().map(Ok::<_, Infallible>);
    let summary = what_if.run(entries, &book, |flip| flips.push(flip)).unwrap();
    assert_eq!(summary.flipped, flips.len() as u64);
    (summary.asked, flips)
}

#[test]
fn what_if_names_the_calls_that_flip_and_the_rule() {
    let world = random_world(10, 400);
    let acme = Selection { environment: Some("prod".into()), tenant: Some(tenant("acme")), ..Selection::default() };
    let (asked, flips) = ask(&world, SOURCE, acme);
    assert!(asked > 30);
    // Under the bundle that was active anyway only what came before its activation can flip.
    assert!(
        flips.iter().all(|flip| flip.recorded.codes.iter().any(|code| code.name() == "NO_ACTIVE_BUNDLE")),
        "{flips:?}"
    );

    let mut world = World::ready(10);
    for of in ["acme", "zeta", "acme"] {
        world.send(agent(of, Some("agent-1")), mail());
    }
    let rule = "  - id: nobody-mails\n    match: {tool: mail.send}\n    decision: deny\n    priority: 0\n";
    let (asked, flips) = ask(
        &world,
        &BUNDLE.replace("rules:\n", &format!("rules:\n{rule}")),
        Selection { tenant: Some(tenant("acme")), ..Selection::default() },
    );
    assert_eq!((asked, flips.len()), (2, 2));
    for flip in flips {
        assert_eq!((flip.recorded.verdict, flip.computed.verdict), (Verdict::Allow, Verdict::Deny));
        assert_eq!((flip.tenant.clone(), flip.tool.as_str()), (tenant("acme"), "mail.send"));
        assert!(flip.computed.rules.iter().any(|rule| rule == "nobody-mails"), "{flip:?}");
    }
}
