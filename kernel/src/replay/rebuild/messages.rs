//! Messages between agents, and the keys that they are signed with, as commands again.

use super::bytes;
use crate::command::{AgentKeyRotation, AgentMessage, CommandBody, MessageCommand, NewAgentKey};
use crate::event::{AgentKeyRegistered, AgentKeyRotated, ENVELOPE_ROLE, MESSAGE_ROLE};
use crate::replay::finding::Why;
use crate::replay::recorded::{Payloads, Recorded};

/// The message that an entry records.
pub(super) fn message(recorded: &Recorded, payloads: &impl Payloads) -> Result<CommandBody, Why> {
    message_of(recorded, payloads).map(|message| command(MessageCommand::Record(Box::new(message))))
}

/// The message that an entry records, as it was sent.
pub(crate) fn message_of(recorded: &Recorded, payloads: &impl Payloads) -> Result<AgentMessage, Why> {
    let envelope = bytes(recorded, ENVELOPE_ROLE, payloads)?;
    let payload = bytes(recorded, MESSAGE_ROLE, payloads)?;
    AgentMessage::from_parts(&envelope, payload).map_err(|_| Why::PayloadMissing { role: ENVELOPE_ROLE })
}

pub(super) fn registered(recorded: &Recorded, body: &AgentKeyRegistered) -> CommandBody {
    command(MessageCommand::RegisterKey(NewAgentKey {
        tenant: recorded.entry.tenant.clone(),
        subject: body.subject.clone(),
        key_id: body.key_id.clone(),
        public_key: *body.public_key.as_bytes(),
    }))
}

pub(super) fn rotated(recorded: &Recorded, body: &AgentKeyRotated) -> CommandBody {
    let new = NewAgentKey {
        tenant: recorded.entry.tenant.clone(),
        subject: body.subject.clone(),
        key_id: body.key_id.clone(),
        public_key: *body.public_key.as_bytes(),
    };
    let (old_key_id, signature) = (body.previous.clone(), body.signature);
    command(MessageCommand::RotateKey(AgentKeyRotation { new, old_key_id, signature }))
}

fn command(message: MessageCommand) -> CommandBody {
    CommandBody::Message(Box::new(message))
}
