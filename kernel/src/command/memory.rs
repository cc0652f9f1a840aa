//! Memory: what agents keep for later, and what they retrieve from elsewhere.

use assent_ledger::ids::TenantId;

use super::Role;
use crate::admit;
use crate::bundle::Sensitivity;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{MEMORY_ITEMS_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, SUBJECT_BYTES_MAX};
use crate::refusal::Refusal;
use crate::taint::{TaintLabel, read_labels, write_labels};

/// A command about memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryCommand {
    /// Keeps a value. Agent.
    Write(Box<MemoryWrite>),
    /// Asks for a value of the built-in store, or to query an external one. Agent.
    Read(Box<MemoryRead>),
    /// Drops a value. Agent.
    Forget {
        /// Who, where.
        act: MemoryAct,
        /// The entry's name.
        key: String,
    },
    /// Asks which of the items that an external query has found may be used. Agent.
    Release(Box<MemoryRelease>),
    /// Keeps an entry or an external item from being read, or lets it be read again. Operator or the tenant's admin.
    Quarantine(MemoryQuarantine),
}

/// Who acts on which namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryAct {
    /// The environment whose bundle decides; memory of another one is apart.
    pub environment: String,
    /// The namespace.
    pub namespace: String,
    /// The asserted subject; only honoured for tenant-wide credentials.
    pub subject: Option<String>,
    /// The run; `None` for the subject's implicit run.
    pub run_id: Option<String>,
    /// The caller's trace.
    pub trace_id: Option<String>,
}

/// A value that is to be kept.
#[derive(Clone, PartialEq, Eq)]
pub struct MemoryWrite {
    /// Who, where.
    pub act: MemoryAct,
    /// The entry's name: a name, never text of the value.
    pub key: String,
    /// Media type of the value.
    pub content_type: String,
    /// The exact bytes of the value, or of a reference to it.
    pub value: Vec<u8>,
    /// Whether the value lies elsewhere and the bytes are a reference (DARE's `payload_ref`).
    pub external: bool,
    /// How long it is to last, in seconds; `None` for as long as the namespace lets it.
    pub ttl_seconds: Option<u64>,
    /// Labels of the value, besides those of the run.
    pub labels: Vec<TaintLabel>,
    /// How sensitive the value is.
    pub classification: Sensitivity,
}

/// A value that is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct MemoryRead {
    /// Who, where.
    pub act: MemoryAct,
    /// Which.
    pub target: MemoryTarget,
    /// The highest classification that this use admits; `None` for the namespace's.
    pub clearance: Option<Sensitivity>,
}

/// What is read.
#[derive(Clone, PartialEq, Eq)]
pub enum MemoryTarget {
    /// An entry of the built-in store.
    Key(String),
    /// A query to an external store, whose results need a second decision.
    Query {
        /// Media type.
        content_type: String,
        /// The exact bytes.
        query: Vec<u8>,
    },
}

/// What an external query has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryRelease {
    /// Who, where: as in the query.
    pub act: MemoryAct,
    /// Event id of the query's decision.
    pub query: String,
    /// The items.
    pub items: Vec<RetrievedItem>,
}

/// One item of an external store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrievedItem {
    /// Its id in that store.
    pub id: String,
    /// Labels of where it came from.
    pub labels: Vec<TaintLabel>,
    /// How sensitive it is.
    pub classification: Sensitivity,
}

/// An entry or an external item that is suspected, or cleared.
#[derive(Clone, PartialEq, Eq)]
pub struct MemoryQuarantine {
    /// The tenant.
    pub tenant: TenantId,
    /// The environment.
    pub environment: String,
    /// The namespace.
    pub namespace: String,
    /// The entry's name, or the external item's id.
    pub key: String,
    /// Whether it is kept from being read.
    pub quarantined: bool,
    /// Why, in words; a payload of the entry.
    pub justification: Vec<u8>,
}

impl core::fmt::Debug for MemoryWrite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Values are the agents' data: their length is all that a log may show.
        write!(f, "MemoryWrite({} {}, {} bytes)", self.act.namespace, self.key, self.value.len())
    }
}

impl core::fmt::Debug for MemoryRead {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.target {
            MemoryTarget::Key(key) => write!(f, "MemoryRead({} {key})", self.act.namespace),
            MemoryTarget::Query { query, .. } => {
                write!(f, "MemoryRead({}, query of {} bytes)", self.act.namespace, query.len())
            }
        }
    }
}

impl core::fmt::Debug for MemoryQuarantine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "MemoryQuarantine({} {}, {})", self.namespace, self.key, self.quarantined)
    }
}

impl MemoryAct {
    fn write(&self, w: &mut Writer) {
        w.text(&self.environment);
        w.text(&self.namespace);
        w.text_opt(self.subject.as_deref());
        w.text_opt(self.run_id.as_deref());
        w.text_opt(self.trace_id.as_deref());
    }

    fn read(r: &mut Reader<'_>) -> Result<MemoryAct, CodecError> {
        Ok(MemoryAct {
            environment: r.text("the environment", NAME_BYTES_MAX)?,
            namespace: r.text("the namespace", NAME_BYTES_MAX)?,
            subject: r.text_opt("the subject", SUBJECT_BYTES_MAX)?,
            run_id: r.text_opt("the run", NAME_BYTES_MAX)?,
            trace_id: r.text_opt("the trace", NAME_BYTES_MAX)?,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        admit::name("environment", &self.environment)?;
        admit::name("namespace", &self.namespace)?;
        admit::optional(admit::subject, "subject", self.subject.as_deref())?;
        admit::optional(admit::name, "run_id", self.run_id.as_deref())?;
        admit::optional(admit::name, "trace_id", self.trace_id.as_deref())
    }
}

impl MemoryCommand {
    pub(super) const fn tag(&self) -> u8 {
        match self {
            MemoryCommand::Write(_) => 29,
            MemoryCommand::Read(_) => 30,
            MemoryCommand::Forget { .. } => 31,
            MemoryCommand::Release(_) => 32,
            MemoryCommand::Quarantine(_) => 43,
        }
    }

    /// The command's name in refusals and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            MemoryCommand::Write(_) => "memory-write",
            MemoryCommand::Read(_) => "memory-read",
            MemoryCommand::Forget { .. } => "memory-forget",
            MemoryCommand::Release(_) => "memory-release",
            MemoryCommand::Quarantine(_) => "memory-quarantine",
        }
    }

    /// The roles that may give it.
    pub(crate) const fn permitted(&self) -> &'static [Role] {
        match self {
            MemoryCommand::Quarantine(_) => &[Role::Operator, Role::TenantAdmin],
            _ => &[Role::Agent],
        }
    }

    /// The tenant that it is about; what agents do is of the caller's.
    pub(crate) const fn target(&self) -> Option<&TenantId> {
        match self {
            MemoryCommand::Quarantine(asked) => Some(&asked.tenant),
            _ => None,
        }
    }

    /// Who acts, where; an admin does not act in a run.
    pub(crate) const fn act(&self) -> Option<&MemoryAct> {
        match self {
            MemoryCommand::Write(asked) => Some(&asked.act),
            MemoryCommand::Read(asked) => Some(&asked.act),
            MemoryCommand::Forget { act, .. } => Some(act),
            MemoryCommand::Release(asked) => Some(&asked.act),
            MemoryCommand::Quarantine(_) => None,
        }
    }

    /// The subject that a tenant-wide credential acts for.
    pub(crate) fn asserted_subject(&self) -> Option<&str> {
        self.act()?.subject.as_deref()
    }

    /// Checks the shape of every field.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.act().map_or(Ok(()), MemoryAct::check)?;
        match self {
            MemoryCommand::Write(asked) => {
                admit::name("key", &asked.key)?;
                admit::media_type(&asked.content_type)?;
                admit::payload("value", &asked.value)?;
                admit::labels(&asked.labels)
            }
            MemoryCommand::Read(asked) => match &asked.target {
                MemoryTarget::Key(key) => admit::name("key", key),
                MemoryTarget::Query { content_type, query } => {
                    admit::media_type(content_type)?;
                    admit::payload("query", query)
                }
            },
            MemoryCommand::Forget { key, .. } => admit::name("key", key),
            MemoryCommand::Release(asked) => check_release(asked),
            MemoryCommand::Quarantine(asked) => {
                admit::name("environment", &asked.environment)?;
                admit::name("namespace", &asked.namespace)?;
                admit::name("key", &asked.key)?;
                admit::payload("justification", &asked.justification)
            }
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            MemoryCommand::Write(asked) => {
                asked.act.write(w);
                w.text(&asked.key);
                w.text(&asked.content_type);
                w.bytes(&asked.value);
                w.bool(asked.external);
                w.option(asked.ttl_seconds, Writer::u64);
                write_labels(&asked.labels, w);
                w.u8(asked.classification.number());
            }
            MemoryCommand::Read(asked) => {
                asked.act.write(w);
                match &asked.target {
                    MemoryTarget::Key(key) => {
                        w.u8(1);
                        w.text(key);
                    }
                    MemoryTarget::Query { content_type, query } => {
                        w.u8(2);
                        w.text(content_type);
                        w.bytes(query);
                    }
                }
                w.option(asked.clearance, |w, level| w.u8(level.number()));
            }
            MemoryCommand::Forget { act, key } => {
                act.write(w);
                w.text(key);
            }
            MemoryCommand::Release(asked) => {
                asked.act.write(w);
                w.text(&asked.query);
                write_items(&asked.items, w);
            }
            MemoryCommand::Quarantine(asked) => {
                w.text(asked.tenant.as_str());
                w.text(&asked.environment);
                w.text(&asked.namespace);
                w.text(&asked.key);
                w.bool(asked.quarantined);
                w.bytes(&asked.justification);
            }
        }
    }

    /// Reads what follows the tag; nothing when the tag is of another area.
    pub(super) fn read(tag: u8, r: &mut Reader<'_>) -> Result<Option<MemoryCommand>, CodecError> {
        let name = |r: &mut Reader<'_>, what| r.text(what, NAME_BYTES_MAX);
        Ok(Some(match tag {
            29 => MemoryCommand::Write(Box::new(MemoryWrite {
                act: MemoryAct::read(r)?,
                key: name(r, "the key")?,
                content_type: name(r, "the content type")?,
                value: r.bytes("the value", PAYLOAD_BYTES_MAX)?.to_vec(),
                external: r.bool("external")?,
                ttl_seconds: r.option("the life", |r| r.u64("the life"))?,
                labels: read_labels(r)?,
                classification: read_level(r)?,
            })),
            30 => MemoryCommand::Read(Box::new(MemoryRead {
                act: MemoryAct::read(r)?,
                target: read_target(r)?,
                clearance: r.option("the clearance", read_level)?,
            })),
            31 => MemoryCommand::Forget { act: MemoryAct::read(r)?, key: name(r, "the key")? },
            32 => MemoryCommand::Release(Box::new(MemoryRelease {
                act: MemoryAct::read(r)?,
                query: name(r, "the query")?,
                items: read_items(r)?,
            })),
            43 => MemoryCommand::Quarantine(MemoryQuarantine {
                tenant: r.tenant("the tenant")?,
                environment: name(r, "the environment")?,
                namespace: name(r, "the namespace")?,
                key: name(r, "the key")?,
                quarantined: r.bool("quarantined")?,
                justification: r.bytes("the justification", PAYLOAD_BYTES_MAX)?.to_vec(),
            }),
            _ => return Ok(None),
        }))
    }
}

fn check_release(asked: &MemoryRelease) -> Result<(), Refusal> {
    admit::name("query", &asked.query)?;
    if asked.items.len() > MEMORY_ITEMS_MAX {
        return Err(Refusal::Malformed { field: "items", expected: "a list of at most 64" });
    }
    asked.items.iter().try_for_each(|item| {
        admit::name("id", &item.id)?;
        admit::labels(&item.labels)
    })
}

fn read_target(r: &mut Reader<'_>) -> Result<MemoryTarget, CodecError> {
    let what = "what is read";
    match r.u8(what)? {
        1 => Ok(MemoryTarget::Key(r.text("the key", NAME_BYTES_MAX)?)),
        2 => Ok(MemoryTarget::Query {
            content_type: r.text("the content type", NAME_BYTES_MAX)?,
            query: r.bytes("the query", PAYLOAD_BYTES_MAX)?.to_vec(),
        }),
        got => Err(CodecError::Choice { what, got: u64::from(got) }),
    }
}

/// Writes the items that a query has found.
pub(crate) fn write_items(items: &[RetrievedItem], w: &mut Writer) {
    w.count(items.len());
    for item in items {
        w.text(&item.id);
        write_labels(&item.labels, w);
        w.u8(item.classification.number());
    }
}

/// Reads the items that a query has found.
pub(crate) fn read_items(r: &mut Reader<'_>) -> Result<Vec<RetrievedItem>, CodecError> {
    let count = r.count("the items", MEMORY_ITEMS_MAX)?;
    let item = |r: &mut Reader<'_>| {
        Ok(RetrievedItem {
            id: r.text("an item", NAME_BYTES_MAX)?,
            labels: read_labels(r)?,
            classification: read_level(r)?,
        })
    };
    (0..count).map(|_| item(r)).collect()
}

/// Reads a classification's number.
pub(crate) fn read_level(r: &mut Reader<'_>) -> Result<Sensitivity, CodecError> {
    let number = r.u8("a classification")?;
    Sensitivity::from_number(number).ok_or(CodecError::Choice { what: "a classification", got: u64::from(number) })
}
