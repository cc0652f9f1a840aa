//! An entry: the envelope whose canonical bytes are a leaf of the ledger's tree.
//!
//! `Entry` is what a writer fills in and encodes once; `EntryView` is what a reader gets from stored bytes. Nothing is ever
//! re-serialised in order to verify it: a leaf's bytes are hashed as they are.

mod encode;
mod view;

pub use view::{EntryView, PayloadView, Payloads};

use crate::hash::Hash;
use crate::ids::{IdError, Origin, Seq, TenantId, TenantSeq, Time};
use crate::json::{JsonError, Value};
use crate::limits;

/// The version that every entry carries in its first field.
pub const ENTRY_VERSION: &str = "assent/entry/1";

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The ledger that it belongs to.
    pub origin: Origin,
    /// Its position, which is also its leaf index.
    pub seq: Seq,
    /// When it was applied; never before the entry in front of it.
    pub time: Time,
    /// 128 random bits, so that a leaf cannot be guessed from its hash.
    pub nonce: [u8; 16],
    /// Whose entry it is.
    pub tenant: TenantId,
    /// Its position among the tenant's entries.
    pub tseq: TenantSeq,
    /// Leaf hash of the entry before it, or the ledger's genesis digest.
    pub prev: Hash,
    /// Leaf hash of the tenant's entry before it, or the tenant's genesis digest.
    pub tprev: Hash,
    /// The event type (`type` in the bytes), such as `dare.policy.decision`: `[a-z0-9._-]`.
    pub kind: String,
    /// The event's id: printable ASCII.
    pub event_id: String,
    /// The run that it belongs to, if any: printable ASCII.
    pub run_id: Option<String>,
    /// The trace that it belongs to, if any: printable ASCII.
    pub trace_id: Option<String>,
    /// Who acted, if anybody: printable ASCII, as a rule a SPIFFE id.
    pub actor: Option<String>,
    /// The typed body: an object.
    pub body: Value,
    /// Commitments to the payloads, in the order of their roles in the event.
    pub payloads: Vec<PayloadCommitment>,
}

/// What a leaf says about a payload: enough to check it, nothing to guess it from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadCommitment {
    /// `SHA-256(salt ‖ bytes)`.
    pub commitment: Hash,
    /// Media type: printable ASCII.
    pub content_type: String,
    /// Length of the payload, in bytes, without the salt.
    pub length: u64,
    /// What the payload is to the event, such as `input`: printable ASCII.
    pub role: String,
}

/// Why bytes are not an entry, or why an entry cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The leaf is longer than C2SP entry bundles can carry.
    #[error("leaf has {got} bytes, at most {max} are allowed; move detail into a payload", max = limits::LEAF_BYTES_MAX)]
    TooLong {
        /// Its length, in bytes.
        got: usize,
    },
    /// The bytes are not canonical JSON, or the body cannot be written as such.
    #[error("entry is not narrow canonical JSON: {0}")]
    Json(#[from] JsonError),
    /// The first field is not `@v` with the version that this code reads.
    #[error("entry does not start with the version {ENTRY_VERSION}; use a reader of its own version")]
    Version,
    /// A field that the envelope does not have.
    #[error("unknown field {field}; only the fields of {ENTRY_VERSION} are allowed")]
    UnknownField {
        /// The start of its name.
        field: String,
    },
    /// A field that every entry has.
    #[error("field {field} is missing; give every mandatory field")]
    MissingField {
        /// Its name.
        field: &'static str,
    },
    /// A decimal string that is not canonical or does not fit 64 bits.
    #[error("field {field} must be a decimal string below 2^64")]
    BadNumber {
        /// The field.
        field: &'static str,
    },
    /// Not a time, or one after the year 9999.
    #[error("field time must look like 2026-11-20T18:00:00.123456Z, in the years 1970 to 9999")]
    BadTime,
    /// Not lower-case hexadecimal of the field's length.
    #[error("field {field} must be lower-case hexadecimal of its fixed length")]
    BadHex {
        /// The field.
        field: &'static str,
    },
    /// A text that is empty, too long, or outside the field's alphabet.
    #[error("field {field} must have 1 to {max} bytes of {alphabet}")]
    BadText {
        /// The field.
        field: &'static str,
        /// The limit, in bytes.
        max: usize,
        /// The characters that are allowed.
        alphabet: &'static str,
    },
    /// The ledger's or the tenant's name is not valid.
    #[error("bad name: {0}")]
    BadName(#[from] IdError),
    /// The body is not an object.
    #[error("field body must be an object")]
    BadBody,
    /// An empty list of payloads is written by leaving the field out.
    #[error("field payloads is an empty list; leave the field out")]
    EmptyPayloads,
    /// More payloads than an entry may have.
    #[error("entry has more than {max} payloads; split the event", max = limits::PAYLOADS_PER_ENTRY_MAX)]
    TooManyPayloads,
    /// A payload longer than a payload may be.
    #[error("payload length {got} exceeds {max} bytes; store it elsewhere and commit to a pointer", max = limits::PAYLOAD_BYTES_MAX)]
    PayloadTooLong {
        /// The length that was given.
        got: u64,
    },
}

impl EntryError {
    /// A stable short name of the kind, as used in the shared test vectors.
    pub const fn kind(&self) -> &'static str {
        match self {
            EntryError::TooLong { .. } => "too_long",
            EntryError::Json(error) => error.kind(),
            EntryError::Version => "wrong_version",
            EntryError::UnknownField { .. } => "unknown_field",
            EntryError::MissingField { .. } => "missing_field",
            EntryError::BadNumber { .. } => "bad_number",
            EntryError::BadTime => "bad_time",
            EntryError::BadHex { .. } => "bad_hex",
            EntryError::BadText { .. } => "bad_text",
            EntryError::BadName(_) => "bad_name",
            EntryError::BadBody => "bad_body",
            EntryError::EmptyPayloads => "empty_payloads",
            EntryError::TooManyPayloads => "too_many_payloads",
            EntryError::PayloadTooLong { .. } => "payload_too_long",
        }
    }
}

impl Entry {
    /// Parses a leaf into an entry that owns its parts; see [`EntryView::parse`].
    pub fn parse(leaf: &[u8]) -> Result<Entry, EntryError> {
        EntryView::parse(leaf)?.to_entry()
    }
}

/// How long a text field may be and what it may consist of; the writer and the reader apply the same rule.
struct TextRule {
    field: &'static str,
    max: usize,
    alphabet: &'static str,
    ok: fn(u8) -> bool,
}

impl TextRule {
    const fn printable(field: &'static str, max: usize) -> Self {
        TextRule { field, max, alphabet: "printable ASCII", ok: |b| matches!(b, 0x20..=0x7e) }
    }

    fn check(&self, text: &str) -> Result<(), EntryError> {
        if !text.is_empty() && text.len() <= self.max && text.bytes().all(self.ok) {
            return Ok(());
        }
        Err(EntryError::BadText { field: self.field, max: self.max, alphabet: self.alphabet })
    }
}

const KIND: TextRule = TextRule {
    field: "type",
    max: limits::KIND_BYTES_MAX,
    alphabet: "lower-case letters, digits and . _ -",
    ok: |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'),
};
const EVENT_ID: TextRule = TextRule::printable("event_id", limits::ID_BYTES_MAX);
const RUN_ID: TextRule = TextRule::printable("run_id", limits::ID_BYTES_MAX);
const TRACE_ID: TextRule = TextRule::printable("trace_id", limits::ID_BYTES_MAX);
const ACTOR: TextRule = TextRule::printable("actor", limits::ACTOR_BYTES_MAX);
const CONTENT_TYPE: TextRule = TextRule::printable("content_type", limits::CONTENT_TYPE_BYTES_MAX);
const ROLE: TextRule = TextRule::printable("role", limits::ROLE_BYTES_MAX);

fn check_payload_length(length: u64) -> Result<(), EntryError> {
    if length > limits::PAYLOAD_BYTES_MAX as u64 {
        return Err(EntryError::PayloadTooLong { got: length });
    }
    Ok(())
}
