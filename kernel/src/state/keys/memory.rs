//! Memory: `Memory(tenant, what)`, with the four kinds of `what` that `MemoryKey` writes. Values are payloads and not here.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, Time};

use crate::bundle::Sensitivity;
use crate::codec::{CodecError, Reader, Writer};
use crate::command::read_level;
use crate::limits::{NAME_BYTES_MAX, SUBJECT_BYTES_MAX};
use crate::state::record::RecordCodec;
use crate::taint::{TaintLabel, read_labels, write_labels};

/// What a record of memory is about. No name holds a space, so that each text has one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryKey<'a> {
    /// An entry: environment, namespace, name.
    Entry(&'a str, &'a str, &'a str),
    /// A query that was allowed and whose results were not released yet: the decision's event id.
    Query(&'a str),
    /// That an entry or an external item is quarantined: environment, namespace, name.
    Quarantine(&'a str, &'a str, &'a str),
    /// A tainted value that is kept aside until somebody lets it take the name's place: environment, namespace, name.
    Aside(&'a str, &'a str, &'a str),
}

impl MemoryKey<'_> {
    /// The text in the state's key.
    pub fn text(&self) -> String {
        match self {
            MemoryKey::Entry(environment, namespace, key) => format!("entry {environment} {namespace} {key}"),
            MemoryKey::Query(id) => format!("query {id}"),
            MemoryKey::Quarantine(environment, namespace, key) => format!("quarantine {environment} {namespace} {key}"),
            MemoryKey::Aside(environment, namespace, key) => format!("aside {environment} {namespace} {key}"),
        }
    }
}

/// A record of memory, of the kind of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryRecord {
    /// A value that is kept.
    Entry(MemoryEntry),
    /// A query that waits for its release.
    Query(MemoryQuery),
    /// Since when something is kept from being read.
    Quarantine(Time),
}

/// A value that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryEntry {
    /// Who wrote it.
    pub subject: String,
    /// In which run.
    pub run_id: String,
    /// The write's entry, which holds the value as a payload.
    pub seq: Seq,
    /// The write's event id.
    pub event_id: String,
    /// The payload's commitment.
    pub value: Hash,
    /// Media type of the value.
    pub content_type: String,
    /// Whether the payload is a reference to a value elsewhere.
    pub external: bool,
    /// From when on it is gone.
    pub expires: Time,
    /// How sensitive it is.
    pub classification: Sensitivity,
    /// How often the name was written, from 1.
    pub version: u32,
    /// What had touched the writing run.
    pub taint: Vec<TaintLabel>,
}

/// A query that waits for its release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryQuery {
    /// Who asked.
    pub subject: String,
    /// The environment.
    pub environment: String,
    /// The namespace.
    pub namespace: String,
    /// The highest classification that may be released.
    pub clearance: Sensitivity,
    /// From when on nothing is released any more.
    pub expires: Time,
}

impl MemoryRecord {
    /// From when on the record is worth nothing; a quarantine stays.
    pub const fn expires(&self) -> Option<Time> {
        match self {
            MemoryRecord::Entry(entry) => Some(entry.expires),
            MemoryRecord::Query(query) => Some(query.expires),
            MemoryRecord::Quarantine(_) => None,
        }
    }

    /// Whether the record is still worth something, swept or not.
    pub fn lives_at(&self, now: Time) -> bool {
        self.expires().is_none_or(|expires| expires > now)
    }
}

impl RecordCodec for MemoryRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        match self {
            MemoryRecord::Entry(entry) => {
                w.u8(1);
                w.text(&entry.subject);
                w.text(&entry.run_id);
                w.u64(entry.seq.0);
                w.text(&entry.event_id);
                w.fixed(&entry.value.0);
                w.text(&entry.content_type);
                w.bool(entry.external);
                w.u64(entry.expires.0);
                w.u8(entry.classification.number());
                w.u32(entry.version);
                write_labels(&entry.taint, w);
            }
            MemoryRecord::Query(query) => {
                w.u8(2);
                w.text(&query.subject);
                w.text(&query.environment);
                w.text(&query.namespace);
                w.u8(query.clearance.number());
                w.u64(query.expires.0);
            }
            MemoryRecord::Quarantine(since) => {
                w.u8(3);
                w.u64(since.0);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let what = "a record of memory";
        let name = |r: &mut Reader<'_>, what| r.text(what, NAME_BYTES_MAX);
        Ok(match r.u8(what)? {
            1 => MemoryRecord::Entry(MemoryEntry {
                subject: r.text("the subject", SUBJECT_BYTES_MAX)?,
                run_id: name(r, "the run")?,
                seq: r.seq("the entry")?,
                event_id: name(r, "the event")?,
                value: r.hash("the value")?,
                content_type: name(r, "the content type")?,
                external: r.bool("external")?,
                expires: r.time("expires")?,
                classification: read_level(r)?,
                version: r.u32("the version")?,
                taint: read_labels(r)?,
            }),
            2 => MemoryRecord::Query(MemoryQuery {
                subject: r.text("the subject", SUBJECT_BYTES_MAX)?,
                environment: name(r, "the environment")?,
                namespace: name(r, "the namespace")?,
                clearance: read_level(r)?,
                expires: r.time("expires")?,
            }),
            3 => MemoryRecord::Quarantine(r.time("since")?),
            got => return Err(CodecError::Choice { what, got: u64::from(got) }),
        })
    }
}
