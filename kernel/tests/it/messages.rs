//! Messages between agents: what is accepted, every way to be denied, how taint travels, and keys that take over.

use crate::support::*;
use assent_kernel::command::{
    AgentKeyRotation, AgentMessage, Caller, CommandBody, ControlCommand, Evaluate, KillTarget, MessageCommand,
    NewAgentKey, RunRequest, TenantSettings,
};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::refusal::Refusal;
use assent_kernel::state::keys::{RunRecord, SubjectStateRecord};
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_ledger::entry::Entry;
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::Time;
use assent_ledger::keys::SecretKey;
use assent_ledger::message::RotationText;

const A: &str = "agent-1";
const B: &str = "agent-2";
const C: &str = "agent-3";

pub(super) fn seed_of(subject: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[b"message key of ", subject.as_bytes()]).0)
}

pub(super) fn message(command: MessageCommand) -> CommandBody {
    CommandBody::Message(Box::new(command))
}

pub(super) fn new_key(subject: &str, key_id: &str, key: &SecretKey) -> NewAgentKey {
    NewAgentKey {
        tenant: tenant("acme"),
        subject: subject.into(),
        key_id: key_id.into(),
        public_key: *key.public().as_bytes(),
    }
}

/// Three agents with credentials, keys and a run each.
fn world(seed: u64) -> World {
    let mut world = World::ready(seed);
    for subject in [A, B, C] {
        if subject != A {
            world.must(admin("acme"), register("acme", subject));
            world.must(admin("acme"), credential_of(&agent("acme", Some(subject))));
        }
        let key = new_key(subject, "k1", &seed_of(subject));
        world.must(admin("acme"), message(MessageCommand::RegisterKey(key)));
        let run = RunRequest { run_id: run_of(subject), subject: None, parent_run_id: None };
        world.must(me(subject), CommandBody::OpenRun(run));
    }
    world
}

fn me(subject: &str) -> Caller {
    agent("acme", Some(subject))
}

pub(super) fn run_of(subject: &str) -> String {
    format!("run-of-{subject}")
}

fn unsigned(world: &World, from: &str, to: &str, nonce: &str) -> AgentMessage {
    let payload = br#"{"task":"contact 123"}"#.to_vec();
    AgentMessage {
        schema_version: "v1".into(),
        time: Time(world.clock),
        run_id: Some(run_of(from)),
        trace_id: Some("trace-1".into()),
        protocol: "1.0".into(),
        capabilities: vec!["delegate_task".into()],
        nonce: format!("{nonce:0>16}"),
        expires_at: Time(world.clock + 3_600 * SECOND),
        sender_instance: None,
        sender: from.into(),
        recipient: to.into(),
        recipient_run: None,
        content_type: "application/json".into(),
        payload_hash: sha256(&[&payload]),
        payload,
        key_id: "k1".into(),
        signature: [0; 64],
        taint: Vec::new(),
    }
}

fn sign(mut message: AgentMessage, key: &SecretKey) -> AgentMessage {
    message.signature = key.sign(&message.text(&origin(), &tenant("acme")).to_bytes());
    message
}

fn send(world: &mut World, caller: Caller, asked: AgentMessage) -> ReasonCode {
    let command = world.command(caller, message(MessageCommand::Record(Box::new(asked))));
    let applied = world.apply(vec![command]);
    let entry = Entry::parse(&applied.entries.last().unwrap_or_else(|| panic!("{:?}", applied.answers)).leaf).unwrap();
    assert_eq!(entry.kind, "dare.agent.message");
    let code = entry.body.get("codes").unwrap().as_list().unwrap()[0].as_int().unwrap();
    let code = ReasonCode::from_number(u16::try_from(code).unwrap()).unwrap();
    assert_eq!(entry.body.get("verdict").unwrap().as_str() == Some("allow"), code.is_allow());
    code
}

pub(super) fn signed(
    world: &mut World,
    from: &str,
    to: &str,
    nonce: &str,
    change: impl Fn(&mut AgentMessage),
) -> ReasonCode {
    let mut asked = unsigned(world, from, to, nonce);
    change(&mut asked);
    let asked = sign(asked, &seed_of(from));
    send(world, me(from), asked)
}

fn run(world: &World, run_id: &str) -> RunRecord {
    match world.state.get(&StateKey::Run(tenant("acme"), run_id.to_owned())).as_deref() {
        Some(Record::Run(run)) => run.clone(),
        other => panic!("{other:?}"),
    }
}

fn inbox(world: &World, subject: &str) -> SubjectStateRecord {
    match world.state.get(&StateKey::SubjectState(tenant("acme"), subject.to_owned())).as_deref() {
        Some(Record::SubjectState(known)) => known.clone(),
        _ => SubjectStateRecord::default(),
    }
}

pub(super) fn web(origin: &str) -> TaintLabel {
    TaintLabel { source: TaintSource::Web, origin: origin.into(), confidence_milli: 900, propagated_from: None }
}

#[test]
fn what_is_wrong_with_a_message_is_recorded() {
    let mut world = world(1);
    let now = world.clock;
    type Change = Box<dyn Fn(&mut AgentMessage)>;
    let cases: Vec<(&str, Change, ReasonCode)> = vec![
        ("in order", Box::new(|_| {}), MessageAccepted),
        ("shape", Box::new(|m| m.schema_version = "v2".into()), ProtocolUnsupported),
        ("protocol", Box::new(|m| m.protocol = "0.9".into()), ProtocolUnsupported),
        ("expired", Box::new(move |m| (m.time, m.expires_at) = (Time(1), Time(now))), MessageExpired),
        ("too long", Box::new(move |m| m.expires_at = Time(now + 25 * 3_600 * SECOND)), MessageExpired),
        ("backwards", Box::new(|m| m.time = Time(m.expires_at.0 + 1)), MessageExpired),
        ("stranger", Box::new(|m| m.recipient = "nobody".into()), RecipientUnknown),
        ("other key", Box::new(|m| m.key_id = "k2".into()), SignatureInvalid),
        ("other bytes", Box::new(|m| m.payload.push(b' ')), SignatureInvalid),
        ("foreign run", Box::new(|m| m.recipient_run = Some(run_of(A))), RunNotOwned),
        ("no such run", Box::new(|m| m.recipient_run = Some("none".into())), RunNotOwned),
        ("named run", Box::new(|m| m.recipient_run = Some(run_of(B))), MessageAccepted),
        ("sender's run is another's", Box::new(|m| m.run_id = Some(run_of(C))), RunNotOwned),
    ];
    for (n, (name, change, code)) in cases.into_iter().enumerate() {
        assert_eq!(signed(&mut world, A, B, &format!("n-{n}"), change), code, "{name}");
    }
    assert_eq!(run(&world, &run_of(A)).counters.messages, 2);
}

#[test]
fn every_signed_field_is_covered() {
    let mut world = world(2);
    type Change = fn(&mut AgentMessage);
    let changes: [Change; 8] = [
        |m| m.time = Time(m.time.0 - 1),
        |m| m.run_id = None,
        |m| m.trace_id = None,
        |m| m.capabilities.push("return_result".into()),
        |m| m.nonce.push('x'),
        |m| m.expires_at = Time(m.expires_at.0 - 1),
        |m| m.recipient = C.into(),
        |m| m.content_type = "text/plain".into(),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut asked = sign(unsigned(&world, A, B, &format!("n-{n}")), &seed_of(A));
        change(&mut asked);
        assert_eq!(send(&mut world, me(A), asked), SignatureInvalid, "change {n}");
    }
    // Labels are not signed: whoever adds one can only make things stricter.
    let mut asked = sign(unsigned(&world, A, B, "labels"), &seed_of(A));
    asked.taint.push(web("example.com"));
    assert_eq!(send(&mut world, me(A), asked), MessageAccepted);
}

#[test]
fn a_nonce_is_used_once_and_remembered_until_the_message_expires() {
    let mut world = world(3);
    let first = sign(unsigned(&world, A, B, "once"), &seed_of(A));
    assert_eq!(send(&mut world, me(A), first.clone()), MessageAccepted);
    assert_eq!(send(&mut world, me(A), first.clone()), NonceReplayed);
    // Another message under the nonce is a replay too; the nonce of another sender is not.
    assert_eq!(signed(&mut world, A, C, "once", |_| {}), NonceReplayed);
    assert_eq!(signed(&mut world, B, C, "once", |_| {}), MessageAccepted);
    // Two copies in one batch: exactly one is accepted.
    let twin = sign(unsigned(&world, A, B, "twin"), &seed_of(A));
    let twins: Vec<_> =
        (0..2).map(|_| world.command(me(A), message(MessageCommand::Record(Box::new(twin.clone()))))).collect();
    let applied = world.apply(twins);
    let verdicts: Vec<String> = applied
        .entries
        .iter()
        .map(|entry| Entry::parse(&entry.leaf).unwrap().body.get("verdict").unwrap().as_str().unwrap().to_owned())
        .collect();
    assert_eq!(verdicts, ["allow", "deny"]);
    // When the row is swept, the copy is refused for its age.
    world.clock += 2 * 3_600 * SECOND;
    world.must(node(), CommandBody::Tick);
    let nonce = StateKey::MessageNonce(tenant("acme"), format!("{A} {}", first.nonce));
    assert!(world.state.get(&nonce).is_none());
    assert_eq!(send(&mut world, me(A), first), MessageExpired);
}

#[test]
fn nobody_sends_in_anothers_name() {
    let mut world = world(4);
    let of_a = sign(unsigned(&world, A, C, "relay"), &seed_of(A));
    assert_eq!(send(&mut world, me(B), of_a.clone()), SubjectMismatch, "relayed by another principal");
    let forged = sign(AgentMessage { sender: A.into(), ..unsigned(&world, B, C, "forge") }, &seed_of(B));
    assert_eq!(send(&mut world, agent("acme", None), AgentMessage { run_id: None, ..forged }), SignatureInvalid);
    // A tenant-wide credential may hand in what the sender signed, unless the tenant wants proof of who asks.
    assert_eq!(send(&mut world, agent("acme", None), of_a), MessageAccepted);
    let settings = TenantSettings { require_attested: true, ..TenantSettings::default() };
    world.must(admin("acme"), control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings }));
    let again = sign(unsigned(&world, A, C, "again"), &seed_of(A));
    assert_eq!(send(&mut world, agent("acme", None), again), SubjectMismatch);
}

#[test]
fn a_stopped_agent_sends_nothing() {
    let mut world = world(5);
    let target = KillTarget::Agent(A.into());
    let switch = |engaged| {
        let justification = Vec::new();
        control(ControlCommand::KillSwitch { tenant: tenant("acme"), target: target.clone(), engaged, justification })
    };
    world.must(admin("acme"), switch(true));
    assert_eq!(signed(&mut world, A, B, "killed", |_| {}), KillSwitchAgent);
    world.must(admin("acme"), switch(false));
    let close = RunRequest { run_id: run_of(A), subject: None, parent_run_id: None };
    world.must(me(A), CommandBody::CloseRun(close));
    assert_eq!(signed(&mut world, A, B, "closed", |_| {}), RunClosed);
    let off = |subject: &str| CommandBody::DisablePrincipal { tenant: tenant("acme"), subject: subject.into() };
    world.must(admin("acme"), off(C));
    assert_eq!(signed(&mut world, B, C, "to a disabled one", |m| m.nonce = "n".repeat(16)), RecipientUnknown);
    assert_eq!(signed(&mut world, C, B, "from-one", |_| {}), PrincipalDisabled);
}

#[test]
fn taint_travels_with_messages_and_over_relays() {
    let mut world = world(6);
    assert_eq!(signed(&mut world, A, B, "first", |m| m.taint.push(web("evil.example"))), MessageAccepted);
    assert!(run(&world, &run_of(A)).taint.is_untrusted(), "the sender has handled what it labels");
    let received = inbox(&world, B);
    assert_eq!((received.inbox[0].label.origin.as_str(), received.generation), ("evil.example", 1));
    assert!(received.inbox[0].label.propagated_from.as_deref().is_some_and(|id| id.len() == 36), "the message's id");
    // B says nothing of it and writes to C from a new run: the taint goes along.
    assert_eq!(signed(&mut world, B, C, "second", |m| m.run_id = None), MessageAccepted);
    let third = inbox(&world, C);
    assert_eq!((third.inbox[0].label.origin.as_str(), third.generation), ("evil.example", 2));
    // Into a named run at once. Naming one keeps it from no other in which the recipient may read it.
    let named = |m: &mut AgentMessage| {
        m.recipient_run = Some(run_of(C));
        m.taint.push(web("third.example"));
    };
    assert_eq!(signed(&mut world, A, C, "third", named), MessageAccepted);
    let taken = run(&world, &run_of(C));
    assert!(taken.taint.has(TaintSource::Web) && taken.generation == 1);
    assert!(inbox(&world, C).inbox.iter().any(|item| item.label.origin == "third.example"));
    // A denied message carries nothing.
    let before = inbox(&world, B);
    assert_eq!(signed(&mut world, A, B, "denied", |m| m.protocol = "9".into()), ProtocolUnsupported);
    assert_eq!(inbox(&world, B), before);
    // What has expired joins nothing any more; but whoever has read it does not act upon it at once.
    assert_eq!(before.labels(Time(world.clock + 2 * 3_600 * SECOND)).count(), 0);
    let brief = |m: &mut AgentMessage| {
        m.expires_at = Time(m.time.0 + SECOND);
        m.taint.push(web("brief.example"));
    };
    assert_eq!(signed(&mut world, A, B, "brief", brief), MessageAccepted);
    let knows = |seconds: u64| {
        let later = Time(world.clock + seconds * SECOND);
        inbox(&world, B).labels(later).any(|label| label.origin == "brief.example")
    };
    assert_eq!([2, 3_500, 3_601].map(knows), [true, true, false]);
}

/// Whoever has had a message stands as far from a person as it says, in whichever run it acts, as long as the message is good.
#[test]
fn a_recipient_takes_the_messages_distance_into_every_run() {
    let source = "name: n\nversion: 1\ntools: [{name: t, class: c, action: a}]\nlimits: {generation: 1}\n\
        principals: [{subject: agent-*, capabilities: [{class: c, actions: [a]}]}]\n\
        rules: [{id: rest, match: {toolClass: c}, decision: allow}]\n";
    let mut world = world(8);
    super::support::calls::activate_source(&mut world, source);
    let act = |world: &mut World, subject: &str, run: Option<String>| match world
        .send(me(subject), evaluate(Evaluate { run_id: run, ..call("t", "{}") }))
    {
        Answer::Decided { codes, .. } => codes,
        other => panic!("{other:?}"),
    };
    for (n, (from, to)) in [(A, B), (B, C)].into_iter().enumerate() {
        assert_eq!(signed(&mut world, from, to, &format!("plain-{n}"), |_| {}), MessageAccepted);
    }
    assert!(act(&mut world, B, Some(run_of(B)))[0].is_allow(), "one message away");
    for run in [Some(run_of(C)), None, Some(run_of(C))] {
        assert_eq!(act(&mut world, C, run), [BehaviourCascade], "two messages away");
    }
    assert!(act(&mut world, A, Some(run_of(A)))[0].is_allow());
    // And takes along whoever acts in a run that it causes.
    let caused = RunRequest { run_id: "caused".into(), subject: None, parent_run_id: Some(run_of(B)) };
    world.must(me(A), CommandBody::OpenRun(caused));
    assert_eq!(act(&mut world, A, Some("caused".into())), [BehaviourCascade], "a message and a run away");
    world.clock += 3_700 * SECOND;
    assert!(act(&mut world, C, Some(run_of(C)))[0].is_allow(), "the message has expired");
}

#[test]
fn a_cascade_of_agents_ends() {
    let mut world = world(7);
    let codes: Vec<ReasonCode> = (0..80)
        .map(|n| {
            let (from, to) = if n % 2 == 0 { (A, B) } else { (B, A) };
            signed(&mut world, from, to, &format!("hop-{n}"), |m| {
                m.taint.push(web("x"));
                m.recipient_run = Some(run_of(to));
            })
        })
        .collect();
    assert!(codes[..64].iter().all(|code| *code == MessageAccepted));
    // Both stand 64 and 63 messages from a person: what one starts, the other does not carry on.
    assert!(codes[64..].iter().step_by(2).all(|code| *code == BehaviourCascade));
}

#[test]
fn a_new_key_needs_the_word_of_the_old_one() {
    let mut world = world(8);
    let (old, new) = (seed_of(A), SecretKey::from_seed(&[9; 32]));
    let rotation = |old_key_id: &str, new_key_id: &str, signer: &SecretKey| {
        let (origin, tenant) = (origin(), tenant("acme"));
        let text = RotationText {
            origin: &origin,
            tenant: &tenant,
            subject: A,
            old_key_id,
            new_key_id,
            new_key: new.public(),
        };
        let signature = signer.sign(&text.to_bytes());
        let new = new_key(A, new_key_id, &new);
        message(MessageCommand::RotateKey(AgentKeyRotation { new, old_key_id: old_key_id.into(), signature }))
    };
    let is_refused = |refusal: Refusal| matches!(refusal, Refusal::KeyRefused { .. });
    assert!(is_refused(world.refused(me(A), rotation("k1", "k2", &new))));
    assert!(is_refused(world.refused(me(A), rotation("k0", "k2", &old))));
    assert_eq!(world.refused(me(B), rotation("k1", "k2", &old)), Refusal::SubjectMismatch);
    assert_eq!(world.refused(me(A), rotation("k1", "k1", &old)), Refusal::AgentKeyExists);
    assert_eq!(world.refused(agent("zeta", Some(A)), rotation("k1", "k2", &old)), Refusal::OtherTenant);
    world.must(me(A), rotation("k1", "k2", &old));
    assert!(is_refused(world.refused(me(A), rotation("k1", "k3", &old))), "a retired key vouches for nothing");
    assert_eq!(signed(&mut world, A, B, "old-key", |_| {}), SignatureInvalid);
    let asked = sign(AgentMessage { key_id: "k2".into(), ..unsigned(&world, A, B, "new-key") }, &new);
    assert_eq!(send(&mut world, me(A), asked), MessageAccepted);
    let mut weak = [0; 32];
    weak[0] = 1;
    let weak = NewAgentKey { public_key: weak, ..new_key(B, "k2", &new) };
    assert!(is_refused(world.refused(admin("acme"), message(MessageCommand::RegisterKey(weak)))));
    let known = new_key(B, "k1", &new);
    assert_eq!(world.refused(admin("acme"), message(MessageCommand::RegisterKey(known))), Refusal::AgentKeyExists);
}

#[test]
fn what_could_give_a_message_away_is_in_payloads() {
    let mut world = world(9);
    let asked = sign(unsigned(&world, A, B, "quiet"), &seed_of(A));
    let command = world.command(me(A), message(MessageCommand::Record(Box::new(asked.clone()))));
    let applied = world.apply(vec![command]);
    let leaf = String::from_utf8(applied.entries[0].leaf.clone()).unwrap();
    for secret in [
        Hash(asked.signature[..32].try_into().unwrap()).to_string(),
        asked.payload_hash.to_string(),
        "contact".to_owned(),
    ] {
        assert!(!leaf.contains(&secret), "{leaf}");
    }
    let roles: Vec<&str> = applied.entries[0].payloads.iter().map(|payload| payload.role.as_str()).collect();
    assert_eq!(roles, ["message", "envelope"]);
    assert_eq!(AgentMessage::from_parts(&asked.envelope(), asked.payload.clone()).unwrap(), asked);
}
