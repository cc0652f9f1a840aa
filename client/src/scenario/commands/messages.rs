//! Messages between the subjects of a scenario, each of whom has a key of its own.

use assent_kernel::command::{AgentMessage, CommandBody, MessageCommand, NewAgentKey};
use assent_ledger::hash::sha256;
use assent_ledger::ids::{Origin, TenantId, Time};
use assent_ledger::keys::SecretKey;

use super::Who;
use crate::scenario::model::{MessageStep, Scenario};

const KEY_ID: &str = "scenario";
const SECOND_MICROS: u64 = 1_000_000;

/// The key of a subject; the same in every run, and known to nobody but scenarios.
fn key_of(subject: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[b"scenario key of ", subject.as_bytes()]).0)
}

/// Registers every subject's key.
pub(super) fn registrations(scenario: &Scenario, tenant: &TenantId) -> Vec<CommandBody> {
    let register = |subject: &str| {
        MessageCommand::RegisterKey(NewAgentKey {
            tenant: tenant.clone(),
            subject: subject.to_owned(),
            key_id: KEY_ID.to_owned(),
            public_key: *key_of(subject).public().as_bytes(),
        })
    };
    let commands = scenario.subjects.iter().filter(|subject| !subject.wide).map(|subject| register(&subject.name));
    commands.map(|command| CommandBody::Message(Box::new(command))).collect()
}

/// The command of a `message` step.
pub(super) fn message(
    step: &MessageStep,
    who: &Who,
    (origin, tenant): (&Origin, &TenantId),
    now: Time,
    drawn: &str,
) -> Result<CommandBody, String> {
    let Who::Subject(own, _) = who else { return Err("only subjects send messages".to_owned()) };
    let sender = step.claim_sender.as_deref().unwrap_or(own);
    let payload = step.content.clone().into_bytes();
    let expires_in = step.expires_in.unwrap_or(60).saturating_mul(SECOND_MICROS);
    let mut message = AgentMessage {
        schema_version: "v1".to_owned(),
        time: now,
        run_id: step.run.clone(),
        trace_id: None,
        protocol: step.version.clone().unwrap_or_else(|| "1.0".to_owned()),
        capabilities: vec!["delegate_task".to_owned()],
        // A nonce has at least sixteen characters.
        nonce: format!("scenario-nonce-{}", step.nonce.as_deref().unwrap_or(drawn)),
        expires_at: Time(now.0.saturating_add(expires_in)),
        sender_instance: None,
        sender: sender.to_owned(),
        recipient: step.to.clone(),
        recipient_run: step.to_run.clone(),
        content_type: "text/plain".to_owned(),
        payload_hash: sha256(&[&payload]),
        payload,
        key_id: KEY_ID.to_owned(),
        signature: [0; 64],
        taint: Vec::new(),
    };
    let key = if step.wrong_key { key_of("nobody at all") } else { key_of(own) };
    message.signature = key.sign(&message.text(origin, tenant).to_bytes());
    Ok(CommandBody::Message(Box::new(MessageCommand::Record(Box::new(message)))))
}
