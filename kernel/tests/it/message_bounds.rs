//! How long a message lasts, into which run it goes, who its entry says sent it, and who may take over a key.

use super::messages::*;
use crate::support::*;
use assent_kernel::command::{AgentKeyRotation, Caller, CommandBody, MessageCommand, RunRequest};
use assent_kernel::event::EventBody;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::refusal::Refusal;
use assent_kernel::replay::Recorded;
use assent_ledger::ids::Time;
use assent_ledger::keys::SecretKey;
use assent_ledger::message::RotationText;

const DAY: u64 = 24 * 3_600 * SECOND;

fn world(seed: u64) -> World {
    let mut world = World::ready(seed);
    world.must(admin("acme"), register("acme", "agent-2"));
    world.must(admin("acme"), credential_of(&agent("acme", Some("agent-2"))));
    for subject in ["agent-1", "agent-2"] {
        let key = new_key(subject, "k1", &seed_of(subject));
        world.must(admin("acme"), message(MessageCommand::RegisterKey(key)));
        let run = RunRequest { run_id: run_of(subject), subject: None, parent_run_id: None };
        world.must(agent("acme", Some(subject)), CommandBody::OpenRun(run));
    }
    world
}

#[test]
fn a_message_lasts_for_a_day_at_most() {
    let mut world = world(1);
    // It is taken in a millisecond after it was written.
    let until = |micros: u64| {
        move |m: &mut assent_kernel::command::AgentMessage| m.expires_at = Time(m.time.0 + 1_000 + micros)
    };
    assert_eq!(signed(&mut world, "agent-1", "agent-2", "day", until(DAY)), MessageAccepted);
    assert_eq!(signed(&mut world, "agent-1", "agent-2", "longer", until(DAY + 1)), MessageExpired);
    assert_eq!(signed(&mut world, "agent-1", "agent-2", "over", until(0)), MessageExpired);
    assert_eq!(signed(&mut world, "agent-1", "agent-2", "end", |m| m.time = m.expires_at), MessageAccepted);
}

#[test]
fn nothing_is_sent_into_a_run_that_is_over() {
    let mut world = world(2);
    let close = RunRequest { run_id: run_of("agent-2"), subject: None, parent_run_id: None };
    world.must(agent("acme", Some("agent-2")), CommandBody::CloseRun(close));
    let sent = signed(&mut world, "agent-1", "agent-2", "late", |m| m.recipient_run = Some(run_of("agent-2")));
    assert_eq!(sent, RunClosed);
}

#[test]
fn the_entry_says_in_which_run_and_whether_it_is_proven_who_sent_it() {
    let mut world = world(3);
    assert_eq!(signed(&mut world, "agent-1", "agent-2", "one", |_| {}), MessageAccepted);
    let seen = |world: &World| {
        let recorded = Recorded::read(world.leaves.last().unwrap()).unwrap();
        let Some(EventBody::AgentMessage(body)) = recorded.body else { panic!("{}", recorded.entry.kind) };
        (recorded.entry.run_id, recorded.entry.trace_id, body.attested)
    };
    let (run, trace) = (Some(run_of("agent-1")), Some("trace-1".to_owned()));
    assert_eq!(seen(&world), (run.clone(), trace.clone(), true));
    // The same message, handed in under a credential of the whole tenant: whoever holds that is not known to be the sender.
    let body = world.sent.last().unwrap().body.clone();
    let wide = Caller { attested: true, ..agent("acme", None) };
    world.send(wide, body);
    assert_eq!(seen(&world), (run, trace, false));
}

#[test]
fn operators_and_admins_look_after_the_keys_of_a_tenant() {
    let mut world = world(4);
    let known = message(MessageCommand::RegisterKey(new_key("agent-1", "k1", &seed_of("agent-2"))));
    assert_eq!(world.refused(operator(), known), Refusal::AgentKeyExists);
    let rotation = |from: &str, to: &str, old: &SecretKey, new: &SecretKey| {
        let (origin, tenant) = (origin(), tenant("acme"));
        let text = RotationText {
            origin: &origin,
            tenant: &tenant,
            subject: "agent-1",
            old_key_id: from,
            new_key_id: to,
            new_key: new.public(),
        };
        let signature = old.sign(&text.to_bytes());
        let new = new_key("agent-1", to, new);
        message(MessageCommand::RotateKey(AgentKeyRotation { new, old_key_id: from.into(), signature }))
    };
    let keys: Vec<SecretKey> =
        [seed_of("agent-1"), SecretKey::from_seed(&[8; 32]), SecretKey::from_seed(&[9; 32])].into();
    world.must(operator(), rotation("k1", "k2", &keys[0], &keys[1]));
    // An admin who is somebody is not the agent, and takes the old key's word like everybody.
    let boss = Caller { subject: Some("boss@example.com".into()), credential: "key-boss".into(), ..admin("acme") };
    world.must(admin("acme"), credential_of(&boss));
    world.must(boss, rotation("k2", "k3", &keys[1], &keys[2]));
}
