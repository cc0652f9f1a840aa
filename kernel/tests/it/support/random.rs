//! Generated commands of the areas with many fields.

use assent_kernel::bundle::Sensitivity;
use assent_kernel::command::{
    AgentKeyRotation, AgentMessage, ControlCommand, KillTarget, MemoryAct, MemoryCommand, MemoryQuarantine, MemoryRead,
    MemoryRelease, MemoryTarget, MemoryWrite, MessageCommand, NewAgentKey, RetrievedItem, TenantSettings,
};
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{NodeId, Seq, Time};
use assent_ledger::keys::SecretKey;

use super::{Dice, SECOND, SUBJECTS, World, origin, tenant};

/// A runtime layer that denies one tool.
pub const RUNTIME: &str = "rules: [{id: stop-mail, match: {tool: mail.send}, decision: deny}]";

/// Control commands; what would stop everything is rare and soon taken back.
pub fn random_control(dice: &mut Dice, of: &str, other: &str) -> ControlCommand {
    let tenant = tenant(of);
    let often_off = dice.below(4) == 0;
    match dice.below(9) {
        0 => ControlCommand::SetTenantDisabled { tenant, disabled: often_off && of == "newco" },
        1 => ControlCommand::EnablePrincipal { tenant, subject: other.into() },
        2 => {
            let settings = TenantSettings { observe: dice.below(3) == 0, require_attested: often_off };
            ControlCommand::ConfigureTenant { tenant, settings }
        }
        7 => {
            let source = dice.pick(&[RUNTIME, RUNTIME, "rules: []", "rules: ["]).as_bytes().to_vec();
            ControlCommand::SetRuntimeRules { tenant, environment: "prod".into(), source }
        }
        3 => ControlCommand::ErasePayload {
            tenant,
            seq: Seq(dice.below(200)),
            commitment: Hash([dice.below(9) as u8; 32]),
            justification: b"asked for by the person".to_vec(),
        },
        4 => ControlCommand::ActivateKernelVersion { version: dice.below(4) as u32, supports: vec![NodeId(1)] },
        _ => {
            let agent = KillTarget::Agent(other.into());
            let target = dice.pick(&[KillTarget::Tenant, agent, KillTarget::Tool("http.fetch".into())]);
            ControlCommand::KillSwitch { tenant, target, engaged: often_off, justification: Vec::new() }
        }
    }
}

/// Messages, mostly signed as they should be, by whoever has a key.
pub fn random_message(world: &World, dice: &mut Dice, of: &str, subject: &str) -> MessageCommand {
    let key = |subject: &str| SecretKey::from_seed(&sha256(&[b"message key of ", subject.as_bytes()]).0);
    let new = |key_id: &str, key: &SecretKey| NewAgentKey {
        tenant: tenant(of),
        subject: subject.into(),
        key_id: key_id.into(),
        public_key: *key.public().as_bytes(),
    };
    match dice.below(6) {
        0 => MessageCommand::RegisterKey(new("k1", &key(subject))),
        1 if dice.below(4) == 0 => {
            let signature = [0; 64];
            MessageCommand::RotateKey(AgentKeyRotation { new: new("k2", &key(of)), old_key_id: "k1".into(), signature })
        }
        _ => {
            let payload = b"a message".to_vec();
            let source = TaintSource::Web;
            let label = TaintLabel { source, origin: "web".into(), confidence_milli: 1_000, propagated_from: None };
            let mut message = AgentMessage {
                schema_version: "v1".into(),
                time: Time(world.clock),
                run_id: None,
                trace_id: None,
                protocol: dice.pick(&["1.0", "1.0", "1.0", "2.0"]).into(),
                capabilities: Vec::new(),
                nonce: format!("nonce-of-16-chars-{}", dice.below(40)),
                expires_at: Time(world.clock + dice.below(7_200) * SECOND),
                sender_instance: None,
                sender: subject.into(),
                recipient: dice.pick(&SUBJECTS).into(),
                recipient_run: None,
                content_type: "text/plain".into(),
                payload_hash: sha256(&[&payload]),
                payload,
                key_id: "k1".into(),
                signature: [0; 64],
                taint: if dice.below(3) == 0 { vec![label] } else { Vec::new() },
            };
            message.signature = key(subject).sign(&message.text(&origin(), &tenant(of)).to_bytes());
            MessageCommand::Record(Box::new(message))
        }
    }
}

/// Accesses to two namespaces, and now and then an admin's word about an entry.
pub fn random_memory(world: &World, dice: &mut Dice, of: &str, subject: Option<String>) -> MemoryCommand {
    let act = MemoryAct {
        environment: "prod".into(),
        namespace: dice.pick(&["notes", "kb"]).into(),
        subject,
        run_id: None,
        trace_id: None,
    };
    let key = format!("key-{}", dice.below(4));
    let classification = dice.pick(&Sensitivity::ALL);
    let source = dice.pick(&TaintSource::ALL);
    let label = TaintLabel { source, origin: "x".into(), confidence_milli: 500, propagated_from: None };
    let labels = if dice.below(3) == 0 { vec![label] } else { Vec::new() };
    match dice.below(9) {
        0 => MemoryCommand::Forget { act, key },
        1 => MemoryCommand::Quarantine(MemoryQuarantine {
            tenant: tenant(of),
            environment: act.environment,
            namespace: act.namespace,
            key,
            quarantined: dice.below(2) == 0,
            justification: Vec::new(),
        }),
        2 => MemoryCommand::Read(Box::new(MemoryRead {
            act,
            target: MemoryTarget::Query { content_type: "text/plain".into(), query: b"what".to_vec() },
            clearance: None,
        })),
        3 => MemoryCommand::Release(Box::new(MemoryRelease {
            act,
            query: world.queries.last().cloned().unwrap_or_else(|| "nobody".into()),
            items: vec![RetrievedItem { id: key, labels, classification }],
        })),
        4..=6 => MemoryCommand::Write(Box::new(MemoryWrite {
            act,
            key,
            content_type: "text/plain".into(),
            value: dice.bytes::<8>().to_vec(),
            external: false,
            ttl_seconds: Some(dice.below(7_200)),
            labels,
            classification,
        })),
        _ => {
            let target = MemoryTarget::Key(key);
            MemoryCommand::Read(Box::new(MemoryRead { act, target, clearance: Some(classification) }))
        }
    }
}
