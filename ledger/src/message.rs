//! What agents sign: messages to other agents of their tenant, and the keys that take over from theirs.
//!
//! Both texts name the ledger and the tenant, so that a signature is worth nothing elsewhere. Every field stands on a line of its own and
//! holds no line break; a field that is absent is an empty line.

use crate::hash::Hash;
use crate::ids::{Origin, TenantId, Time};
use crate::keys::PublicKey;

/// Everything of a message that its sender signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageText<'a> {
    /// The ledger.
    pub origin: &'a Origin,
    /// The tenant of sender and recipient.
    pub tenant: &'a TenantId,
    /// Version of the envelope's shape, such as `v1`.
    pub schema_version: &'a str,
    /// When it was written.
    pub time: Time,
    /// The sender's run.
    pub run_id: Option<&'a str>,
    /// The sender's trace.
    pub trace_id: Option<&'a str>,
    /// Version of the protocol, such as `1.0`.
    pub protocol: &'a str,
    /// What the sender lets the recipient do; none holds a comma.
    pub capabilities: &'a [String],
    /// Never used twice by the sender.
    pub nonce: &'a str,
    /// From when on the message is not accepted any more.
    pub expires_at: Time,
    /// The sending instance.
    pub sender_instance: Option<&'a str>,
    /// Who sends.
    pub sender: &'a str,
    /// Who is to receive.
    pub recipient: &'a str,
    /// The run in which the recipient is to act on it.
    pub recipient_run: Option<&'a str>,
    /// Media type of the payload.
    pub content_type: &'a str,
    /// SHA-256 of the payload's exact bytes.
    pub payload_hash: Hash,
}

impl MessageText<'_> {
    /// The bytes that the sender's key signs.
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines: [&str; 17] = [
            "assent/agent-message/1",
            self.origin.as_str(),
            self.tenant.as_str(),
            self.schema_version,
            &self.time.to_string(),
            self.run_id.unwrap_or_default(),
            self.trace_id.unwrap_or_default(),
            self.protocol,
            &self.capabilities.join(","),
            self.nonce,
            &self.expires_at.to_string(),
            self.sender_instance.unwrap_or_default(),
            self.sender,
            self.recipient,
            self.recipient_run.unwrap_or_default(),
            self.content_type,
            &self.payload_hash.to_string(),
        ];
        joined(&lines)
    }
}

/// A new key of an agent, which the key before it vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationText<'a> {
    /// The ledger.
    pub origin: &'a Origin,
    /// The tenant.
    pub tenant: &'a TenantId,
    /// Whose keys they are.
    pub subject: &'a str,
    /// The key that signs, and ends.
    pub old_key_id: &'a str,
    /// The name of the new key.
    pub new_key_id: &'a str,
    /// The new key.
    pub new_key: PublicKey,
}

impl RotationText<'_> {
    /// The bytes that the old key signs.
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines: [&str; 7] = [
            "assent/agent-key-rotation/1",
            self.origin.as_str(),
            self.tenant.as_str(),
            self.subject,
            self.old_key_id,
            self.new_key_id,
            &self.new_key.to_string(),
        ];
        joined(&lines)
    }
}

fn joined(lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    for line in lines {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out
}
