//! Seeded sequences of leases, delegations, escalated calls and answers: the same in any batches and through snapshots; no lease is
//! spent beyond its calls, no approval used twice.

use std::collections::BTreeMap;

use crate::support::*;
use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{
    ApprovalAction, ApprovalCommand, Batch, CallContext, Caller, Command, CommandBody, Evaluate, GrantCommand,
    GrantTerms, OfferedSource, Role,
};
use assent_kernel::machine::Answer;
use assent_ledger::entry::Entry;

const GRANTS: &str = include_str!("support/grants.yaml");
const AGENTS: [&str; 3] = ["agent-1", "agent-2", "agent-3"];
const PEOPLE: [&str; 4] = ["alice@example.com", "bob@example.com", "owner@example.com", "agent-1"];

fn person(subject: &str) -> Caller {
    let subject = Some(subject.to_owned());
    Caller { credential: format!("person-{}", subject.as_deref().unwrap()), subject, role: Role::Approver, ..me() }
}

fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

fn other_bundle() -> String {
    GRANTS.replace("version: 1", "version: 2")
}

fn prepared(seed: u64) -> World {
    let mut world = World::ready(seed);
    for subject in &AGENTS[1..] {
        world.must(admin("acme"), register("acme", subject));
        world.must(admin("acme"), credential_of(&agent("acme", Some(subject))));
    }
    for subject in PEOPLE {
        world.must(admin("acme"), credential_of(&person(subject)));
    }
    for source in [other_bundle(), GRANTS.to_owned()] {
        let offered = OfferedSource { tenant: tenant("acme"), source: source.into_bytes() };
        world.must(admin("acme"), CommandBody::OfferBundle(offered));
    }
    world.must(admin("acme"), activated(GRANTS));
    world
}

fn activated(source: &str) -> CommandBody {
    let (tenant, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    CommandBody::ActivateBundle { tenant, environment: "prod".into(), bundle_hash }
}

/// Ids that answers have shown so far.
#[derive(Default)]
struct Known {
    leases: Vec<String>,
    approvals: Vec<String>,
}

fn one_of(dice: &mut Dice, ids: &[String]) -> String {
    if ids.is_empty() { "nothing".into() } else { dice.pick(ids) }
}

fn terms(dice: &mut Dice) -> GrantTerms {
    let constraints = dice.pick(&["", "", r#"{"hosts":["api.example.com"]}"#, "["]);
    GrantTerms {
        environment: "prod".into(),
        run_id: None,
        class: dice.pick(&["http", "http", "file", "shell"]).into(),
        actions: vec![dice.pick(&["get", "get", "read", "run", "*"]).into()],
        constraints: constraints.as_bytes().to_vec(),
        calls: 1 + dice.below(3) as u32,
        seconds: 30 + dice.below(300) as u32,
        justification: Vec::new(),
    }
}

fn random_call(dice: &mut Dice) -> Evaluate {
    let (tool, inputs) = dice.pick(&[
        ("http.get", r#"{"url":"https://api.example.com/v1"}"#),
        ("http.get", r#"{"url":"https://api.example.com/v1"}"#),
        ("file.read", r#"{"path":"/srv/data/a"}"#),
        ("pay.send", r#"{"amount_usd":5,"account":"primary"}"#),
        ("wire.send", r#"{"amount_usd":5}"#),
    ]);
    let chain: &[&str] = dice.pick(&[&[][..], &[], &["agent-1"], &["agent-2", "agent-1"]]);
    let on_behalf_of = chain.iter().map(|&subject| subject.to_owned()).collect();
    Evaluate { context: Box::new(CallContext { on_behalf_of, ..CallContext::default() }), ..call(tool, inputs) }
}

fn random(world: &mut World, known: &Known) -> Command {
    let mut dice = world.dice.clone();
    dice.next();
    world.clock += dice.below(4) * SECOND;
    let asker = agent("acme", Some(dice.pick(&["agent-1", "agent-1", "agent-2", "agent-3"])));
    let (caller, body) = match dice.below(20) {
        0 if dice.below(3) == 0 => (admin("acme"), activated(&dice.pick(&[GRANTS.to_owned(), other_bundle()]))),
        1 => (node(), CommandBody::Tick),
        2..=4 => {
            (asker, CommandBody::Grant(Box::new(GrantCommand::Request { subject: None, terms: terms(&mut dice) })))
        }
        5..=7 => {
            let lease = (dice.below(3) > 0).then(|| one_of(&mut dice, &known.leases));
            let (to, terms) = (dice.pick(&AGENTS).to_owned(), terms(&mut dice));
            (asker, CommandBody::Grant(Box::new(GrantCommand::Delegate { subject: None, lease, to, terms })))
        }
        8 => {
            let (lease, justification) = (one_of(&mut dice, &known.leases), Vec::new());
            let revoke = GrantCommand::Revoke { tenant: tenant("acme"), subject: None, lease, justification };
            (dice.pick(&[asker, admin("acme")]), CommandBody::Grant(Box::new(revoke)))
        }
        9..=13 => {
            let recent = known.approvals.len().saturating_sub(4);
            let approval = one_of(&mut dice, &known.approvals[recent..]);
            let modify = ApprovalAction::Modify(br#"{"amount_usd":4}"#.to_vec());
            let (yes, no) = (ApprovalAction::Approve, ApprovalAction::Deny);
            let action = dice.pick(&[yes.clone(), yes.clone(), yes, modify, no, ApprovalAction::RequestMoreInfo]);
            let conditions = dice.pick(&[vec![], vec![], vec!["max_amount_usd:5".to_owned()], vec!["x:y".to_owned()]]);
            let answer = ApprovalCommand { approval, action, conditions, justification: Vec::new() };
            let anybody = dice.pick(&PEOPLE);
            let who = dice.pick(&["alice@example.com", "bob@example.com", anybody]);
            (person(who), CommandBody::Approval(Box::new(answer)))
        }
        _ => (asker, evaluate(random_call(&mut dice))),
    };
    let command = world.command(caller, body);
    match dice.below(10) {
        0 => Command { stamp: command.stamp.clone(), ..dice.pick(&world.sent) },
        _ => command,
    }
}

fn learn(known: &mut Known, answer: &Answer) {
    match answer {
        Answer::Decided { terms, .. } => known.approvals.extend(terms.approval.clone()),
        Answer::Ruled { details, .. } => {
            known.leases.extend(details.iter().filter(|(name, _)| name == "lease").map(|(_, id)| id.clone()));
        }
        _ => {}
    }
}

fn text(entry: &Entry, path: &[&str]) -> Option<String> {
    let mut value = &entry.body;
    for step in path {
        value = value.get(step)?;
    }
    value.as_str().map(str::to_owned)
}

/// What the leaves alone must show.
fn check(entries: &[Entry]) -> (usize, usize) {
    let (mut left, mut parents) = (BTreeMap::new(), BTreeMap::new());
    let (mut used, mut taken) = (BTreeMap::new(), BTreeMap::new());
    let mut spent = 0;
    for entry in entries {
        if let Some(lease) = text(entry, &["lease"]).filter(|_| text(entry, &["verdict"]).as_deref() == Some("allow")) {
            left.insert(lease.clone(), entry.body.get("calls").unwrap().as_int().unwrap() as i64);
            parents.insert(lease, text(entry, &["from"]));
        }
        if entry.kind == "assent.token.expired" {
            // Nobody carried these out: the leases get their calls back.
            for token in entry.body.get("tokens").unwrap().as_list().unwrap() {
                let mut link = taken.remove(token.get("decision_id").unwrap().as_str().unwrap());
                while let Some(lease) = link {
                    *left.get_mut(&lease).unwrap() += 1;
                    link = parents.get(&lease).cloned().flatten();
                }
            }
        }
        if entry.kind != "dare.policy.decision" {
            continue;
        }
        let may_run = matches!(text(entry, &["effective"]).as_deref(), Some("allow" | "compute"));
        let mut link = text(entry, &["effects", "lease"]).filter(|_| may_run);
        if let Some(lease) = &link {
            taken.insert(entry.event_id.clone(), lease.clone());
        }
        while let Some(lease) = link {
            spent += 1;
            let calls = left.get_mut(&lease).expect("a lease that was granted");
            *calls -= 1;
            assert!(*calls >= 0, "{lease} is spent beyond its calls");
            link = parents.get(&lease).cloned().flatten();
        }
        if let Some(approval) = text(entry, &["effects", "approved_by"]) {
            assert_eq!(used.insert(approval, entry.seq), None, "an approval was used twice");
        }
    }
    (spent, used.len())
}

/// A seeded ledger of leases, delegations, escalated calls and answers.
pub fn grants_world(seed: u64, count: usize) -> World {
    let mut world = prepared(seed);
    let mut known = Known::default();
    for _ in 0..count {
        let command = random(&mut world, &known);
        let answer = world.send_command(command);
        learn(&mut known, &answer);
    }
    world
}

#[test]
fn batches_and_snapshots_do_not_matter_and_nothing_is_spent_twice() {
    let (mut spent, mut used) = (0, 0);
    for seed in 1..=3 {
        let mut world = grants_world(seed, 400);
        let mut copy = World::new(seed);
        let mut rest = world.sent.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at((1 + copy.dice.below(9) as usize).min(rest.len()));
            copy.dice.next();
            let batch = Batch { commands: batch.to_vec() };
            copy.apply(batch.commands);
            if copy.index.is_multiple_of(8) {
                copy.through_snapshot();
            }
            rest = later;
        }
        assert_eq!(copy.leaves, world.leaves, "seed {seed}");
        assert_eq!(copy.summary(), world.summary(), "seed {seed}");
        let entries: Vec<Entry> = world.leaves.iter().map(|leaf| Entry::parse(leaf).unwrap()).collect();
        let (of_leases, of_approvals) = check(&entries);
        (spent, used) = (spent + of_leases, used + of_approvals);
    }
    assert!(spent > 8 && used > 4, "{spent} {used}");
}
