//! Bodies of `dare.agent.message` and of agents' keys.

use assent_ledger::ids::Time;
use assent_ledger::json::Value;
use assent_ledger::keys::PublicKey;
use assent_ledger::seal::BodyError;

use super::decision::codes_from;
use super::fields::{Fields, with_opt};
use super::lists::{labels, texts, with_labels, with_list};
use crate::command::RequestId;
use crate::limits::MESSAGE_CAPABILITIES_MAX;
use crate::reason::ReasonCode;
use crate::taint::TaintLabel;
use crate::verdict::Verdict;

/// A message from one agent to another was checked. Its bytes are the payload `message`; what else the sender signed, with the hash
/// and the signature, is the payload `envelope`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentMessageChecked {
    /// Whether the sender was proven and not merely stated.
    pub attested: bool,
    /// What the sender lets the recipient do.
    pub capabilities: Vec<String>,
    /// Why, by ascending number, each once, at least one.
    pub codes: Vec<ReasonCode>,
    /// When the message expires.
    pub expires_at: Time,
    /// How many runs, messages or delegations lie between a person and whoever acts on it.
    pub generation: u32,
    /// Labels that the sender gave; its run takes them on, even when the message is denied.
    pub given: Vec<TaintLabel>,
    /// The key that signs.
    pub key_id: String,
    /// The sender's nonce.
    pub nonce: String,
    /// Version of the protocol.
    pub protocol: String,
    /// Who is to receive.
    pub recipient: String,
    /// The run in which the recipient is to act on it.
    pub recipient_run: Option<String>,
    /// The caller's id of the request.
    pub request_id: RequestId,
    /// Who sends.
    pub sender: String,
    /// The sending instance.
    pub sender_instance: Option<String>,
    /// What the recipient takes on.
    pub taint: Vec<TaintLabel>,
    /// `allow` or `deny`.
    pub verdict: Verdict,
}

impl AgentMessageChecked {
    /// The entry type.
    pub const KIND: &'static str = "dare.agent.message";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let mut value = Value::map([
            ("attested", Value::from(self.attested)),
            ("codes", Value::list(self.codes.iter().map(|code| u32::from(code.number())))),
            ("expires_at", Value::str(self.expires_at.to_string())),
            ("generation", Value::from(self.generation)),
            ("key_id", Value::str(&*self.key_id)),
            ("nonce", Value::str(&*self.nonce)),
            ("protocol", Value::str(&*self.protocol)),
            ("recipient", Value::str(&*self.recipient)),
            ("request_id", Value::str(self.request_id.to_string())),
            ("sender", Value::str(&*self.sender)),
            ("verdict", Value::str(self.verdict.name())),
        ]);
        value = with_list(value, "capabilities", &self.capabilities, |name| Value::str(&**name));
        value = with_labels(value, "given", &self.given);
        value = with_labels(value, "taint", &self.taint);
        value = with_opt(value, "recipient_run", self.recipient_run.as_deref());
        with_opt(value, "sender_instance", self.sender_instance.as_deref())
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the message")?;
        let body = AgentMessageChecked {
            attested: fields.bool("attested")?,
            capabilities: texts(&mut fields, "capabilities", MESSAGE_CAPABILITIES_MAX)?,
            codes: fields.read("codes", "known reason codes in strictly ascending order, at least one", codes_from)?,
            expires_at: fields.read("expires_at", "a time with six fraction digits", |v| v.as_str()?.parse().ok())?,
            generation: fields.read("generation", "an integer below 2^32", |v| u32::try_from(v.as_int()?).ok())?,
            given: labels(&mut fields, "given")?,
            key_id: fields.text("key_id")?,
            nonce: fields.text("nonce")?,
            protocol: fields.text("protocol")?,
            recipient: fields.text("recipient")?,
            recipient_run: fields.text_opt("recipient_run")?,
            request_id: fields.read("request_id", "a version 7 UUID", |v| v.as_str()?.parse().ok())?,
            sender: fields.text("sender")?,
            sender_instance: fields.text_opt("sender_instance")?,
            taint: labels(&mut fields, "taint")?,
            verdict: fields.read("verdict", "allow or deny", |v| Verdict::from_name(v.as_str()?))?,
        };
        fields.finish()?;
        Ok(body)
    }
}

/// A key with which a subject signs messages became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentKeyRegistered {
    /// Its name.
    pub key_id: String,
    /// The Ed25519 public key.
    pub public_key: PublicKey,
    /// Whose it is.
    pub subject: String,
}

impl AgentKeyRegistered {
    /// The entry type.
    pub const KIND: &'static str = "assent.agent-key.registered";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("key_id", Value::str(&*self.key_id)),
            ("public_key", Value::str(self.public_key.to_string())),
            ("subject", Value::str(&*self.subject)),
        ])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the registered agent key")?;
        let body = AgentKeyRegistered {
            key_id: fields.text("key_id")?,
            public_key: fields.read("public_key", PUBLIC_KEY, |v| v.as_str()?.parse().ok())?,
            subject: fields.text("subject")?,
        };
        fields.finish()?;
        Ok(body)
    }
}

/// A key took over from another one, which signed it and verifies nothing from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentKeyRotated {
    /// The new key's name.
    pub key_id: String,
    /// The old key's name.
    pub previous: String,
    /// The new key.
    pub public_key: PublicKey,
    /// The old key's signature, of fixed length, over `assent_ledger::message::RotationText`.
    pub signature: [u8; 64],
    /// Whose keys they are.
    pub subject: String,
}

impl AgentKeyRotated {
    /// The entry type.
    pub const KIND: &'static str = "assent.agent-key.rotated";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("key_id", Value::str(&*self.key_id)),
            ("previous", Value::str(&*self.previous)),
            ("public_key", Value::str(self.public_key.to_string())),
            ("signature", Value::hex(&self.signature)),
            ("subject", Value::str(&*self.subject)),
        ])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the rotated agent key")?;
        let signature = |v: &Value| assent_ledger::hash::hex_fixed::<64>(v.as_str()?);
        let body = AgentKeyRotated {
            key_id: fields.text("key_id")?,
            previous: fields.text("previous")?,
            public_key: fields.read("public_key", PUBLIC_KEY, |v| v.as_str()?.parse().ok())?,
            signature: fields.read("signature", "128 lower-case hexadecimal characters", signature)?,
            subject: fields.text("subject")?,
        };
        fields.finish()?;
        Ok(body)
    }
}

const PUBLIC_KEY: &str = "an Ed25519 public key as 64 lower-case hexadecimal characters";
