//! Reading an entry: one strict pass over the leaf that borrows from it.

use std::borrow::Cow;

use super::{
    ACTOR, CONTENT_TYPE, ENTRY_VERSION, EVENT_ID, Entry, EntryError, KIND, PayloadCommitment, ROLE, RUN_ID, TRACE_ID,
    TextRule, check_payload_length,
};
use crate::hash::{Hash, hex_fixed};
use crate::ids::{IdError, Origin, Seq, TenantId, TenantSeq, Time, parse_decimal};
use crate::json::{JsonError, ListCursor, Scanner, Value};
use crate::limits::{LEAF_BYTES_MAX, PAYLOADS_PER_ENTRY_MAX};

/// Longest part of an unknown field's name that an error repeats, in bytes.
const SHOWN_NAME_BYTES_MAX: usize = 32;

/// An entry as it stands in its leaf's bytes; texts are borrowed unless they contain escapes.
#[derive(Debug, Clone)]
pub struct EntryView<'a> {
    /// The ledger's name; valid as an [`Origin`].
    pub origin: &'a str,
    /// Position in the ledger.
    pub seq: Seq,
    /// When the entry was applied.
    pub time: Time,
    /// 128 random bits.
    pub nonce: [u8; 16],
    /// The tenant's name; valid as a [`TenantId`].
    pub tenant: &'a str,
    /// Position among the tenant's entries.
    pub tseq: TenantSeq,
    /// Leaf hash of the entry before.
    pub prev: Hash,
    /// Leaf hash of the tenant's entry before.
    pub tprev: Hash,
    /// The event type.
    pub kind: &'a str,
    /// The event's id.
    pub event_id: Cow<'a, str>,
    /// The run, if any.
    pub run_id: Option<Cow<'a, str>>,
    /// The trace, if any.
    pub trace_id: Option<Cow<'a, str>>,
    /// Who acted, if anybody.
    pub actor: Option<Cow<'a, str>>,
    /// The body: a validated canonical JSON object.
    pub body: &'a str,
    /// The list of payloads as it stands in the leaf, validated, or empty.
    payloads: &'a str,
}

/// One payload's commitment, borrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadView<'a> {
    /// `SHA-256(salt ‖ bytes)`.
    pub commitment: Hash,
    /// Media type.
    pub content_type: Cow<'a, str>,
    /// Length, in bytes, without the salt.
    pub length: u64,
    /// What the payload is to the event.
    pub role: Cow<'a, str>,
}

impl<'a> EntryView<'a> {
    /// Parses a leaf: canonical JSON with just the envelope's fields, each within its limits.
    pub fn parse(leaf: &'a [u8]) -> Result<Self, EntryError> {
        if leaf.len() > LEAF_BYTES_MAX {
            return Err(EntryError::TooLong { got: leaf.len() });
        }
        let mut scanner = Scanner::new(leaf)?;
        let mut object = scanner.begin_object()?;
        if scanner.next_key(&mut object)? != Some("@v") || scanner.plain_string()? != ENTRY_VERSION {
            return Err(EntryError::Version);
        }
        let mut fields = Fields::default();
        while let Some(key) = scanner.next_key(&mut object)? {
            fields.read(key, &mut scanner)?;
        }
        scanner.end()?;
        fields.finish()
    }

    /// The body as a value; it was validated when the leaf was parsed.
    pub fn body_value(&self) -> Result<Value, JsonError> {
        Scanner::nested(self.body, 1).value()
    }

    /// The payload commitments in their order.
    pub fn payloads(&self) -> Payloads<'a> {
        Payloads::over(self.payloads)
    }

    /// A copy that owns its parts.
    pub fn to_entry(&self) -> Result<Entry, EntryError> {
        let owned = |text: &Option<Cow<'a, str>>| text.as_ref().map(|text| text.clone().into_owned());
        Ok(Entry {
            origin: Origin::new(self.origin)?,
            seq: self.seq,
            time: self.time,
            nonce: self.nonce,
            tenant: TenantId::new(self.tenant)?,
            tseq: self.tseq,
            prev: self.prev,
            tprev: self.tprev,
            kind: self.kind.to_owned(),
            event_id: self.event_id.clone().into_owned(),
            run_id: owned(&self.run_id),
            trace_id: owned(&self.trace_id),
            actor: owned(&self.actor),
            body: self.body_value()?,
            payloads: self.payloads().map(PayloadView::into_commitment).collect(),
        })
    }
}

impl PayloadView<'_> {
    /// A copy that owns its parts.
    pub fn into_commitment(self) -> PayloadCommitment {
        PayloadCommitment {
            commitment: self.commitment,
            content_type: self.content_type.into_owned(),
            length: self.length,
            role: self.role.into_owned(),
        }
    }
}

/// The envelope's fields while they are being read.
#[derive(Default)]
struct Fields<'a> {
    actor: Option<Cow<'a, str>>,
    body: Option<&'a str>,
    event_id: Option<Cow<'a, str>>,
    nonce: Option<[u8; 16]>,
    origin: Option<&'a str>,
    payloads: &'a str,
    prev: Option<Hash>,
    run_id: Option<Cow<'a, str>>,
    seq: Option<u64>,
    tenant: Option<&'a str>,
    time: Option<Time>,
    tprev: Option<Hash>,
    trace_id: Option<Cow<'a, str>>,
    tseq: Option<u64>,
    kind: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn read(&mut self, key: &str, scanner: &mut Scanner<'a>) -> Result<(), EntryError> {
        match key {
            "actor" => self.actor = Some(text(&ACTOR, scanner)?),
            "body" => self.body = Some(body(scanner)?),
            "event_id" => self.event_id = Some(text(&EVENT_ID, scanner)?),
            "nonce" => self.nonce = Some(hex("nonce", scanner)?),
            "origin" => self.origin = Some(name(scanner, Origin::check)?),
            "payloads" => self.payloads = payloads(scanner)?,
            "prev" => self.prev = Some(Hash(hex("prev", scanner)?)),
            "run_id" => self.run_id = Some(text(&RUN_ID, scanner)?),
            "seq" => self.seq = Some(decimal("seq", scanner)?),
            "tenant" => self.tenant = Some(name(scanner, TenantId::check)?),
            "time" => self.time = Some(Time::parse(scanner.plain_string()?.as_bytes()).ok_or(EntryError::BadTime)?),
            "tprev" => self.tprev = Some(Hash(hex("tprev", scanner)?)),
            "trace_id" => self.trace_id = Some(text(&TRACE_ID, scanner)?),
            "tseq" => self.tseq = Some(decimal("tseq", scanner)?),
            "type" => self.kind = Some(kind(scanner)?),
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    fn finish(self) -> Result<EntryView<'a>, EntryError> {
        let missing = |field: &'static str| EntryError::MissingField { field };
        Ok(EntryView {
            actor: self.actor,
            body: self.body.ok_or(missing("body"))?,
            event_id: self.event_id.ok_or(missing("event_id"))?,
            nonce: self.nonce.ok_or(missing("nonce"))?,
            origin: self.origin.ok_or(missing("origin"))?,
            payloads: self.payloads,
            prev: self.prev.ok_or(missing("prev"))?,
            run_id: self.run_id,
            seq: Seq(self.seq.ok_or(missing("seq"))?),
            tenant: self.tenant.ok_or(missing("tenant"))?,
            time: self.time.ok_or(missing("time"))?,
            tprev: self.tprev.ok_or(missing("tprev"))?,
            trace_id: self.trace_id,
            tseq: TenantSeq(self.tseq.ok_or(missing("tseq"))?),
            kind: self.kind.ok_or(missing("type"))?,
        })
    }
}

/// The payload commitments of a parsed entry, in order.
#[derive(Debug, Clone)]
pub struct Payloads<'a> {
    scanner: Scanner<'a>,
    list: Option<ListCursor>,
}

impl<'a> Payloads<'a> {
    fn over(list: &'a str) -> Self {
        let mut scanner = Scanner::nested(list, 1);
        let list = scanner.begin_list().ok();
        Payloads { scanner, list }
    }
}

impl<'a> Iterator for Payloads<'a> {
    type Item = PayloadView<'a>;

    /// The list was validated when the leaf was parsed, so that an error cannot occur here; it would end the iteration.
    fn next(&mut self) -> Option<PayloadView<'a>> {
        let list = self.list.as_mut()?;
        if self.scanner.next_item(list).ok()? {
            return payload(&mut self.scanner).ok();
        }
        self.list = None;
        None
    }
}

/// Validates the list of payloads and returns the slice that it occupies.
fn payloads<'a>(scanner: &mut Scanner<'a>) -> Result<&'a str, EntryError> {
    let start = scanner.at();
    let mut list = scanner.begin_list()?;
    let mut count = 0;
    while scanner.next_item(&mut list)? {
        count += 1;
        if count > PAYLOADS_PER_ENTRY_MAX {
            return Err(EntryError::TooManyPayloads);
        }
        payload(scanner)?;
    }
    if count == 0 { Err(EntryError::EmptyPayloads) } else { Ok(scanner.since(start)?) }
}

fn payload<'a>(scanner: &mut Scanner<'a>) -> Result<PayloadView<'a>, EntryError> {
    let mut object = scanner.begin_object()?;
    let (mut commitment, mut content_type, mut length, mut role) = (None, None, None, None);
    while let Some(key) = scanner.next_key(&mut object)? {
        match key {
            "commitment" => commitment = Some(Hash(hex("commitment", scanner)?)),
            "content_type" => content_type = Some(text(&CONTENT_TYPE, scanner)?),
            "length" => length = Some(decimal("length", scanner)?),
            "role" => role = Some(text(&ROLE, scanner)?),
            _ => return Err(unknown(key)),
        }
    }
    let missing = |field: &'static str| EntryError::MissingField { field };
    let length = length.ok_or(missing("length"))?;
    check_payload_length(length)?;
    Ok(PayloadView {
        commitment: commitment.ok_or(missing("commitment"))?,
        content_type: content_type.ok_or(missing("content_type"))?,
        length,
        role: role.ok_or(missing("role"))?,
    })
}

#[cold]
fn unknown(key: &str) -> EntryError {
    EntryError::UnknownField { field: key.chars().take(SHOWN_NAME_BYTES_MAX).collect() }
}

fn text<'a>(rule: &TextRule, scanner: &mut Scanner<'a>) -> Result<Cow<'a, str>, EntryError> {
    let text = scanner.string()?;
    rule.check(&text)?;
    Ok(text)
}

// The alphabets of the fields below have no backslash: a string with escapes fails its check without being resolved.

fn kind<'a>(scanner: &mut Scanner<'a>) -> Result<&'a str, EntryError> {
    let text = scanner.plain_string()?;
    KIND.check(text)?;
    Ok(text)
}

fn name<'a>(scanner: &mut Scanner<'a>, check: fn(&str) -> Result<(), IdError>) -> Result<&'a str, EntryError> {
    let text = scanner.plain_string()?;
    check(text)?;
    Ok(text)
}

fn body<'a>(scanner: &mut Scanner<'a>) -> Result<&'a str, EntryError> {
    let raw = scanner.raw_value()?;
    if raw.starts_with('{') { Ok(raw) } else { Err(EntryError::BadBody) }
}

fn hex<const N: usize>(field: &'static str, scanner: &mut Scanner<'_>) -> Result<[u8; N], EntryError> {
    hex_fixed(scanner.plain_string()?).ok_or(EntryError::BadHex { field })
}

fn decimal(field: &'static str, scanner: &mut Scanner<'_>) -> Result<u64, EntryError> {
    parse_decimal(scanner.plain_string()?.as_bytes()).ok_or(EntryError::BadNumber { field })
}
