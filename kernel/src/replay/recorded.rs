//! What a replay reads: entries with their typed bodies, and the payloads that still exist.

use assent_ledger::entry::{Entry, EntryError};
use assent_ledger::hash::{Hash, leaf_hash, sha256};
use assent_ledger::ids::{Seq, TenantId};
use assent_ledger::json::Value;

use crate::event::{BodyError, Event, EventBody, PAYLOAD_ROLES, PayloadIntent};

/// One verified entry, read for replay and export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The envelope.
    pub entry: Entry,
    /// The typed body; `None` when this kernel does not know the event type.
    pub body: Option<EventBody>,
    /// Hash of the leaf.
    pub hash: Hash,
}

/// Why a leaf cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The bytes are no entry.
    #[error("the leaf is no entry: {0}; verify the archive before replaying it")]
    Entry(#[from] EntryError),
    /// The body does not have the shape of its type.
    #[error("the body of entry {seq} is not one of type {kind}: {error}; replay it with the kernel that wrote it")]
    Body {
        /// The entry.
        seq: Seq,
        /// Its type.
        kind: String,
        /// What is wrong.
        error: BodyError,
    },
}

impl Recorded {
    /// Reads a leaf. That it belongs to the ledger is the verifier's business, before this.
    pub fn read(leaf: &[u8]) -> Result<Recorded, ReadError> {
        let entry = Entry::parse(leaf)?;
        let body = match EventBody::from_value(&entry.kind, &entry.body) {
            Some(Ok(body)) => Some(body),
            Some(Err(error)) => return Err(ReadError::Body { seq: entry.seq, kind: entry.kind, error }),
            None => None,
        };
        Ok(Recorded { entry, body, hash: leaf_hash(leaf) })
    }

    /// The commitment of the payload with this role.
    pub fn commitment(&self, role: &str) -> Option<&Hash> {
        self.entry.payloads.iter().find(|payload| payload.role == role).map(|payload| &payload.commitment)
    }

    /// Role and commitment of each payload that the leaf names.
    pub(super) fn commitments(&self) -> impl Iterator<Item = (&'static str, Hash)> {
        let role = |name: &str| PAYLOAD_ROLES.iter().copied().find(|role| *role == name);
        self.entry.payloads.iter().filter_map(move |payload| Some((role(&payload.role)?, payload.commitment)))
    }

    /// The payload with this role; `None` when the entry has none.
    pub fn payload(&self, role: &str, payloads: &impl Payloads) -> Option<Held> {
        self.commitment(role).map(|commitment| payloads.payload(&self.entry.tenant, commitment))
    }

    /// The event, with the payloads that exist.
    pub(super) fn event(&self, payloads: &impl Payloads) -> Option<Event> {
        let mut intents = Vec::new();
        for payload in &self.entry.payloads {
            let held = payloads.payload(&self.entry.tenant, &payload.commitment);
            let role = PAYLOAD_ROLES.iter().copied().find(|role| *role == payload.role);
            if let (Some(role), Held::Bytes(bytes)) = (role, held) {
                intents.push(PayloadIntent { role, content_type: payload.content_type.clone(), bytes });
            }
        }
        Some(Event {
            tenant: self.entry.tenant.clone(),
            actor: self.entry.actor.clone(),
            run_id: self.entry.run_id.clone(),
            trace_id: self.entry.trace_id.clone(),
            body: self.body.clone()?,
            payloads: intents,
        })
    }

    /// What a computed event is compared with, in one form for both.
    pub(super) fn form(&self, payloads: &impl Payloads) -> Value {
        let items = self.entry.payloads.iter().map(|payload| {
            let held = payloads.payload(&self.entry.tenant, &payload.commitment);
            let form = payload_form(&payload.role, &payload.content_type, payload.length);
            match held {
                Held::Bytes(bytes) => form.with("sha256", sha256(&[&bytes])),
                Held::Erased | Held::Missing => form,
            }
        });
        let entry = &self.entry;
        form(
            [("tenant", Some(entry.tenant.as_str())), ("actor", entry.actor.as_deref())],
            [("run_id", entry.run_id.as_deref()), ("trace_id", entry.trace_id.as_deref())],
            &entry.kind,
            entry.body.clone(),
            items.collect(),
        )
    }
}

/// A computed event in the form of `Recorded::form`. Digests of payloads whose recorded bytes are gone are left out by `like`.
pub(super) fn computed_form(event: &Event, like: &Value) -> Value {
    let recorded = like.get("payloads").and_then(Value::as_list).unwrap_or_default();
    let items = event.payloads.iter().enumerate().map(|(at, payload)| {
        let form = payload_form(payload.role, &payload.content_type, payload.bytes.len() as u64);
        match recorded.get(at).and_then(|item| item.get("sha256")) {
            Some(_) => form.with("sha256", sha256(&[&payload.bytes])),
            None => form,
        }
    });
    form(
        [("tenant", Some(event.tenant.as_str())), ("actor", event.actor.as_deref())],
        [("run_id", event.run_id.as_deref()), ("trace_id", event.trace_id.as_deref())],
        event.body.kind(),
        event.body.to_value(),
        items.collect(),
    )
}

fn payload_form(role: &str, content_type: &str, length: u64) -> Value {
    Value::map([
        ("role", Value::str(role)),
        ("content_type", Value::str(content_type)),
        ("length", Value::decimal(length)),
    ])
}

fn form(
    who: [(&str, Option<&str>); 2],
    place: [(&str, Option<&str>); 2],
    kind: &str,
    body: Value,
    payloads: Vec<Value>,
) -> Value {
    let mut form = Value::map([("type", Value::str(kind)), ("body", body), ("payloads", Value::List(payloads))]);
    for (field, text) in who.into_iter().chain(place) {
        if let Some(text) = text {
            form = form.with(field, text);
        }
    }
    form
}

/// What became of a payload.
#[derive(Clone, PartialEq, Eq)]
pub enum Held {
    /// Its exact bytes, checked against the commitment by whoever hands them out.
    Bytes(Vec<u8>),
    /// It was erased, on the record.
    Erased,
    /// It was not handed over: no key, or not part of the export.
    Missing,
}

impl Held {
    /// The bytes, if they exist.
    pub fn bytes(&self) -> Option<&[u8]> {
        if let Held::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

impl core::fmt::Debug for Held {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Held::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Held::Erased => f.write_str("Erased"),
            Held::Missing => f.write_str("Missing"),
        }
    }
}

/// Where payloads come from.
pub trait Payloads {
    /// The payload of this commitment in this tenant's chain.
    fn payload(&self, tenant: &TenantId, commitment: &Hash) -> Held;

    /// The salt of a decision's request commitment, which the caller got with the answer; `None` when it is not known.
    fn request_salt(&self, _seq: Seq) -> Option<[u8; 32]> {
        None
    }
}

impl<P: Payloads> Payloads for &P {
    fn payload(&self, tenant: &TenantId, commitment: &Hash) -> Held {
        (*self).payload(tenant, commitment)
    }

    fn request_salt(&self, seq: Seq) -> Option<[u8; 32]> {
        (*self).request_salt(seq)
    }
}
