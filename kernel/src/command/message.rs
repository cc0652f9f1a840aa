//! Messages between agents (DARE's `AgentMessageEnvelope`), and the keys with which agents sign them.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Origin, TenantId, Time};
use assent_ledger::keys::SIGNATURE_BYTES;
use assent_ledger::message::MessageText;

use super::Role;
use super::context::{read_texts, write_texts};
use crate::admit;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{MESSAGE_CAPABILITIES_MAX, NAME_BYTES_MAX, NONCE_BYTES_MIN, PAYLOAD_BYTES_MAX, SUBJECT_BYTES_MAX};
use crate::refusal::Refusal;
use crate::taint::{TaintLabel, read_labels, write_labels};

/// A command about messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageCommand {
    /// Records a message before it is sent. Agent.
    Record(Box<AgentMessage>),
    /// Makes a key known with which a subject signs. Operator or the tenant's admin.
    RegisterKey(NewAgentKey),
    /// Puts a key in the place of another one, which vouches for it. The subject, operator or the tenant's admin.
    RotateKey(AgentKeyRotation),
}

/// A message from one agent to another of its tenant.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentMessage {
    /// Version of the envelope's shape.
    pub schema_version: String,
    /// When it was written.
    pub time: Time,
    /// The sender's run; `None` for the sender's implicit run.
    pub run_id: Option<String>,
    /// The sender's trace.
    pub trace_id: Option<String>,
    /// Version of the protocol.
    pub protocol: String,
    /// What the sender lets the recipient do.
    pub capabilities: Vec<String>,
    /// Never used twice by the sender.
    pub nonce: String,
    /// From when on the message is not accepted any more.
    pub expires_at: Time,
    /// The sending instance.
    pub sender_instance: Option<String>,
    /// Who sends.
    pub sender: String,
    /// Who is to receive.
    pub recipient: String,
    /// The run in which the recipient is to act on it.
    pub recipient_run: Option<String>,
    /// Media type of the payload.
    pub content_type: String,
    /// The exact bytes.
    pub payload: Vec<u8>,
    /// SHA-256 of them, as the sender has it.
    pub payload_hash: Hash,
    /// The key that signs.
    pub key_id: String,
    /// Its signature.
    pub signature: [u8; SIGNATURE_BYTES],
    /// Labels of what the message holds, besides those of the run. Not signed: they only ever add.
    pub taint: Vec<TaintLabel>,
}

impl core::fmt::Debug for AgentMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The payload is the agents' data: its length is all that a log may show.
        write!(f, "AgentMessage({} to {}, {} bytes)", self.sender, self.recipient, self.payload.len())
    }
}

/// The registration of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAgentKey {
    /// The tenant.
    pub tenant: TenantId,
    /// Whose key it is.
    pub subject: String,
    /// Its name, unique for the subject.
    pub key_id: String,
    /// The Ed25519 public key.
    pub public_key: [u8; 32],
}

/// A key that takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentKeyRotation {
    /// The new key.
    pub new: NewAgentKey,
    /// The key that ends.
    pub old_key_id: String,
    /// The old key's signature over `assent_ledger::message::RotationText`.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl AgentMessage {
    /// What the sender signs.
    pub fn text<'a>(&'a self, origin: &'a Origin, tenant: &'a TenantId) -> MessageText<'a> {
        MessageText {
            origin,
            tenant,
            schema_version: &self.schema_version,
            time: self.time,
            run_id: self.run_id.as_deref(),
            trace_id: self.trace_id.as_deref(),
            protocol: &self.protocol,
            capabilities: &self.capabilities,
            nonce: &self.nonce,
            expires_at: self.expires_at,
            sender_instance: self.sender_instance.as_deref(),
            sender: &self.sender,
            recipient: &self.recipient,
            recipient_run: self.recipient_run.as_deref(),
            content_type: &self.content_type,
            payload_hash: self.payload_hash,
        }
    }

    /// The message without its payload's bytes, as the payload of role `envelope` holds it: hash and signature could give the payload
    /// away, so that no leaf may.
    pub fn envelope(&self) -> Vec<u8> {
        let mut w = Writer::versioned(ENVELOPE_VERSION);
        self.write_head(&mut w);
        w.finish()
    }

    /// The message that an envelope and a payload make; any bytes are safe.
    pub fn from_parts(envelope: &[u8], payload: Vec<u8>) -> Result<AgentMessage, CodecError> {
        let mut r = Reader::versioned(envelope, "an envelope", ENVELOPE_VERSION)?;
        let message = AgentMessage::read_head(&mut r, payload)?;
        r.finish()?;
        Ok(message)
    }

    fn write_head(&self, w: &mut Writer) {
        w.text(&self.schema_version);
        w.u64(self.time.0);
        w.text_opt(self.run_id.as_deref());
        w.text_opt(self.trace_id.as_deref());
        w.text(&self.protocol);
        write_texts(&self.capabilities, w);
        w.text(&self.nonce);
        w.u64(self.expires_at.0);
        w.text_opt(self.sender_instance.as_deref());
        w.text(&self.sender);
        w.text(&self.recipient);
        w.text_opt(self.recipient_run.as_deref());
        w.text(&self.content_type);
        w.fixed(&self.payload_hash.0);
        w.text(&self.key_id);
        w.fixed(&self.signature);
        write_labels(&self.taint, w);
    }

    fn read_head(r: &mut Reader<'_>, payload: Vec<u8>) -> Result<AgentMessage, CodecError> {
        let name = |r: &mut Reader<'_>, what| r.text(what, NAME_BYTES_MAX);
        let name_opt = |r: &mut Reader<'_>, what| r.text_opt(what, NAME_BYTES_MAX);
        Ok(AgentMessage {
            schema_version: name(r, "the schema's version")?,
            time: r.time("the time")?,
            run_id: name_opt(r, "the run")?,
            trace_id: name_opt(r, "the trace")?,
            protocol: name(r, "the protocol")?,
            capabilities: read_texts(r, "the capabilities", MESSAGE_CAPABILITIES_MAX, NAME_BYTES_MAX)?,
            nonce: name(r, "the nonce")?,
            expires_at: r.time("the expiry")?,
            sender_instance: name_opt(r, "the sender's instance")?,
            sender: r.text("the sender", SUBJECT_BYTES_MAX)?,
            recipient: r.text("the recipient", SUBJECT_BYTES_MAX)?,
            recipient_run: name_opt(r, "the recipient's run")?,
            content_type: name(r, "the content type")?,
            payload,
            payload_hash: r.hash("the payload's hash")?,
            key_id: name(r, "the key")?,
            signature: r.fixed("the signature")?,
            taint: read_labels(r)?,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        admit::name("schema_version", &self.schema_version)?;
        admit::name("protocol.version", &self.protocol)?;
        admit::name("protocol.nonce", &self.nonce)?;
        if self.nonce.len() < NONCE_BYTES_MIN {
            return Err(Refusal::Malformed {
                field: "protocol.nonce",
                expected: "at least 16 characters, drawn at random",
            });
        }
        admit::each("protocol.capabilities", &self.capabilities, MESSAGE_CAPABILITIES_MAX, admit::name)?;
        admit::optional(admit::name, "run_id", self.run_id.as_deref())?;
        admit::optional(admit::name, "trace_id", self.trace_id.as_deref())?;
        admit::optional(admit::name, "sender.agent_instance_id", self.sender_instance.as_deref())?;
        admit::subject("sender.subject_id", &self.sender)?;
        admit::subject("recipient.subject_id", &self.recipient)?;
        admit::optional(admit::name, "recipient_run_id", self.recipient_run.as_deref())?;
        admit::media_type(&self.content_type)?;
        admit::payload("payload", &self.payload)?;
        admit::name("signature.key_id", &self.key_id)?;
        if self.time > Time::MAX || self.expires_at > Time::MAX {
            return Err(Refusal::Malformed { field: "time", expected: "before the year 10000" });
        }
        admit::labels(&self.taint)
    }
}

const ENVELOPE_VERSION: u8 = 1;

impl NewAgentKey {
    fn write(&self, w: &mut Writer) {
        w.text(self.tenant.as_str());
        w.text(&self.subject);
        w.text(&self.key_id);
        w.fixed(&self.public_key);
    }

    fn read(r: &mut Reader<'_>) -> Result<NewAgentKey, CodecError> {
        Ok(NewAgentKey {
            tenant: r.tenant("the tenant")?,
            subject: r.text("the subject", SUBJECT_BYTES_MAX)?,
            key_id: r.text("the key", NAME_BYTES_MAX)?,
            public_key: r.fixed("the public key")?,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        admit::subject("subject", &self.subject)?;
        admit::name("key_id", &self.key_id)
    }
}

impl MessageCommand {
    pub(super) const fn tag(&self) -> u8 {
        match self {
            MessageCommand::Record(_) => 26,
            MessageCommand::RegisterKey(_) => 36,
            MessageCommand::RotateKey(_) => 37,
        }
    }

    /// The command's name in refusals and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            MessageCommand::Record(_) => "record-message",
            MessageCommand::RegisterKey(_) => "register-agent-key",
            MessageCommand::RotateKey(_) => "rotate-agent-key",
        }
    }

    /// The roles that may give it.
    pub(crate) const fn permitted(&self) -> &'static [Role] {
        match self {
            MessageCommand::Record(_) => &[Role::Agent],
            MessageCommand::RegisterKey(_) => &[Role::Operator, Role::TenantAdmin],
            MessageCommand::RotateKey(_) => &[Role::Operator, Role::TenantAdmin, Role::Agent],
        }
    }

    /// The tenant that it is about; messages are of the caller's.
    pub(crate) const fn target(&self) -> Option<&TenantId> {
        match self {
            MessageCommand::Record(_) => None,
            MessageCommand::RegisterKey(new) => Some(&new.tenant),
            MessageCommand::RotateKey(rotation) => Some(&rotation.new.tenant),
        }
    }

    /// The subject that a tenant-wide credential acts for.
    pub(crate) fn asserted_subject(&self) -> Option<&str> {
        match self {
            MessageCommand::Record(message) => Some(&message.sender),
            MessageCommand::RegisterKey(_) | MessageCommand::RotateKey(_) => None,
        }
    }

    /// Checks the shape of every field.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self {
            MessageCommand::Record(message) => message.check(),
            MessageCommand::RegisterKey(new) => new.check(),
            MessageCommand::RotateKey(rotation) => {
                rotation.new.check()?;
                admit::name("old_key_id", &rotation.old_key_id)
            }
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            MessageCommand::Record(message) => {
                message.write_head(w);
                w.bytes(&message.payload);
            }
            MessageCommand::RegisterKey(new) => new.write(w),
            MessageCommand::RotateKey(rotation) => {
                rotation.new.write(w);
                w.text(&rotation.old_key_id);
                w.fixed(&rotation.signature);
            }
        }
    }

    /// Reads what follows the tag; nothing when the tag is of another area.
    pub(super) fn read(tag: u8, r: &mut Reader<'_>) -> Result<Option<MessageCommand>, CodecError> {
        Ok(Some(match tag {
            26 => {
                let mut message = AgentMessage::read_head(r, Vec::new())?;
                message.payload = r.bytes("the payload", PAYLOAD_BYTES_MAX)?.to_vec();
                MessageCommand::Record(Box::new(message))
            }
            36 => MessageCommand::RegisterKey(NewAgentKey::read(r)?),
            37 => MessageCommand::RotateKey(AgentKeyRotation {
                new: NewAgentKey::read(r)?,
                old_key_id: r.text("the old key", NAME_BYTES_MAX)?,
                signature: r.fixed("the signature")?,
            }),
            _ => return Ok(None),
        }))
    }
}
