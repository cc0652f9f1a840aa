//! What agents pass on: messages between each other, and memory for later.

use assent_kernel::bundle::Sensitivity;
use assent_kernel::command::{
    AgentKeyRotation, AgentMessage, Caller, CommandBody, MemoryAct, MemoryCommand, MemoryQuarantine, MemoryRead,
    MemoryRelease, MemoryTarget, MemoryWrite, MessageCommand, NewAgentKey, RetrievedItem,
};
use assent_kernel::taint::TaintSource;
use assent_ledger::hash::sha256;
use assent_ledger::ids::Time;
use assent_ledger::keys::SecretKey;
use assent_ledger::message::RotationText;

use super::super::runs::label;
use super::super::{Dice, SECOND, World, admin, agent, operator, origin, tenant};
use super::seen::recent;
use super::{SUBJECTS, boss, of, once_in, run_id};

/// The key of a subject under a name; every name has its own.
fn key(subject: &str, name: u64) -> SecretKey {
    SecretKey::from_seed(&sha256(&[b"message key of ", subject.as_bytes(), &name.to_be_bytes()]).0)
}

fn new_key(of: &str, subject: &str, name: u64) -> NewAgentKey {
    NewAgentKey {
        tenant: tenant(of),
        subject: subject.into(),
        key_id: format!("k{name}"),
        public_key: *key(subject, name).public().as_bytes(),
    }
}

/// Messages, mostly signed as they should be, by whoever has a key; keys that take over from each other as time goes on.
pub fn message(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let of = of(dice);
    let subject = dice.pick(&SUBJECTS[..3]);
    let own = agent(of, Some(subject));
    // Which key is the newest depends on how far the world has come: some are registered and rotated too early or too late.
    let name = (world.sent.len() / 300) as u64 + dice.below(2);
    let by = dice.pick(&[operator(), admin(of)]);
    let (caller, command) = match dice.below(9) {
        0 | 1 => (by, MessageCommand::RegisterKey(new_key(of, subject, name))),
        2 | 3 => (dice.pick(&[own, by]), MessageCommand::RotateKey(rotation(dice, of, subject, name))),
        _ => (own, MessageCommand::Record(Box::new(signed(world, dice, of, subject, name)))),
    };
    (caller, CommandBody::Message(Box::new(command)))
}

fn rotation(dice: &mut Dice, of: &str, subject: &str, name: u64) -> AgentKeyRotation {
    let (old, new) = (key(subject, name), new_key(of, subject, name + 1));
    let (origin, tenant, old_key_id) = (origin(), tenant(of), format!("k{name}"));
    let text = RotationText {
        origin: &origin,
        tenant: &tenant,
        subject,
        old_key_id: &old_key_id,
        new_key_id: &new.key_id,
        new_key: key(subject, name + 1).public(),
    };
    let signature = if once_in(dice, 5) { [0; 64] } else { old.sign(&text.to_bytes()) };
    AgentKeyRotation { new, old_key_id, signature }
}

fn signed(world: &World, dice: &mut Dice, of: &str, subject: &str, name: u64) -> AgentMessage {
    let payload = b"a message".to_vec();
    let taint = if once_in(dice, 3) { vec![label(TaintSource::Web, "web")] } else { Vec::new() };
    let mut message = AgentMessage {
        schema_version: "v1".into(),
        time: Time(world.clock),
        run_id: once_in(dice, 2).then(|| run_id(world, dice)),
        trace_id: None,
        protocol: dice.pick(&["1.0", "1.0", "1.0", "1.0", "2.0", "no protocol"]).into(),
        capabilities: Vec::new(),
        nonce: format!("nonce-of-16-chars-{}", dice.below(400)),
        expires_at: Time(world.clock + dice.below(7_200) * SECOND),
        sender_instance: None,
        sender: subject.into(),
        recipient: dice.pick(&SUBJECTS).into(),
        recipient_run: once_in(dice, 4).then(|| run_id(world, dice)),
        content_type: "text/plain".into(),
        payload_hash: sha256(&[&payload]),
        payload,
        key_id: format!("k{name}"),
        signature: [0; 64],
        taint,
    };
    message.signature = key(subject, name).sign(&message.text(&origin(), &tenant(of)).to_bytes());
    message
}

/// Accesses to a few names in three namespaces, and now and then an admin's word about one.
pub fn memory(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let of = of(dice);
    let caller = agent(of, Some(dice.pick(&["agent-1", "agent-1", "agent-2", "agent-3"])));
    let act = MemoryAct {
        environment: "prod".into(),
        namespace: dice.pick(&["notes", "notes", "open", "kb"]).into(),
        subject: once_in(dice, 12).then(|| dice.pick(&SUBJECTS).to_owned()),
        run_id: once_in(dice, 2).then(|| run_id(world, dice)),
        trace_id: None,
    };
    let key = format!("key-{}", dice.below(4));
    let classification = dice.pick(&Sensitivity::ALL);
    let command = match dice.below(12) {
        0 => MemoryCommand::Forget { act, key },
        1 | 2 => {
            let asked = MemoryQuarantine {
                tenant: tenant(of),
                environment: act.environment,
                namespace: act.namespace,
                key: format!("key-{}", dice.below(2)),
                quarantined: once_in(dice, 2),
                justification: b"looked at".to_vec(),
            };
            let by = dice.pick(&[operator(), admin(of), boss(of)]);
            return (by, CommandBody::Memory(Box::new(MemoryCommand::Quarantine(asked))));
        }
        3 | 4 => {
            let query = dice.pick(&["what", "who knows"]).as_bytes().to_vec();
            let target = MemoryTarget::Query { content_type: "text/plain".into(), query };
            let clearance = once_in(dice, 2).then_some(classification);
            MemoryCommand::Read(Box::new(MemoryRead { act, target, clearance }))
        }
        5 => {
            let known = recent(dice, &world.seen.queries, 3).filter(|_| dice.below(6) > 0);
            let (caller, act, query) = known.unwrap_or_else(|| (caller, act, "nobody".into()));
            let item = |id: &str, classification| RetrievedItem {
                id: id.into(),
                labels: vec![label(TaintSource::Rag, id)],
                classification,
            };
            let items = vec![item(&key, Sensitivity::None), item("other", classification)];
            let release = MemoryCommand::Release(Box::new(MemoryRelease { act, query, items }));
            return (caller, CommandBody::Memory(Box::new(release)));
        }
        6..=8 => {
            let source = dice.pick(&TaintSource::ALL);
            MemoryCommand::Write(Box::new(MemoryWrite {
                act,
                key,
                content_type: "text/plain".into(),
                value: dice.bytes::<8>().to_vec(),
                external: once_in(dice, 6),
                ttl_seconds: once_in(dice, 2).then(|| dice.below(7_200)),
                labels: if once_in(dice, 5) { vec![label(source, "written")] } else { Vec::new() },
                classification,
            }))
        }
        _ => {
            let (target, clearance) = (MemoryTarget::Key(key), once_in(dice, 2).then_some(classification));
            MemoryCommand::Read(Box::new(MemoryRead { act, target, clearance }))
        }
    };
    (caller, CommandBody::Memory(Box::new(command)))
}
