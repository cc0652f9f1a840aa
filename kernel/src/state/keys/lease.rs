//! A capability that a subject holds for a time: `Lease(tenant, lease id)`; granted to it, or passed on by another subject.

use assent_ledger::ids::{Seq, Time};

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{CHAIN_MAX, LEASE_ACTIONS_MAX, LEASE_CONSTRAINTS_BYTES_MAX, NAME_BYTES_MAX, SUBJECT_BYTES_MAX};
use crate::state::record::RecordCodec;

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Who may use it.
    pub holder: String,
    /// The run to which it is bound; `None` holds in every run of the holder.
    pub run_id: Option<String>,
    /// The environment in whose bundle it lies.
    pub environment: String,
    /// The class of tools.
    pub class: String,
    /// The actions; `*` alone is every action that the bundle's capability covers.
    pub actions: Vec<String>,
    /// What arguments must satisfy besides.
    pub constraints: LeaseConstraints,
    /// How many calls are left.
    pub calls_left: u32,
    /// From when on it is worth nothing.
    pub expires: Time,
    /// Position of the entry that granted it: it dies when somebody in it is stopped later.
    pub granted: Seq,
    /// Whether it was revoked, or died with a quarantine.
    pub revoked: bool,
    /// The lease that it was passed on from; `None` for one that was granted, and for one passed on from a standing capability.
    pub parent: Option<String>,
    /// Who passed it on, from the nearest to the origin; empty for one that was granted.
    pub chain: Vec<String>,
}

/// What arguments must satisfy, beyond the bundle's own capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseConstraints {
    /// Nothing more.
    None,
    /// JSON as `bundle` reads it.
    Json(Vec<u8>),
    /// They were erased: nothing satisfies them.
    Unknown,
}

impl LeaseRecord {
    /// On whose authority it rests: the subject whose capability in the bundle it narrows.
    pub fn authority(&self) -> &str {
        self.chain.last().unwrap_or(&self.holder)
    }

    /// Whether it covers these actions of a class.
    pub fn covers(&self, class: &str, actions: impl IntoIterator<Item = impl AsRef<str>>) -> bool {
        let every = self.actions.iter().any(|action| action == ALL_ACTIONS);
        self.class == class
            && (every || actions.into_iter().all(|action| self.actions.iter().any(|known| known == action.as_ref())))
    }
}

/// Stands for every action.
pub const ALL_ACTIONS: &str = "*";

impl RecordCodec for LeaseRecord {
    const VERSION: u8 = 2;

    fn write(&self, w: &mut Writer) {
        w.text(&self.holder);
        w.text_opt(self.run_id.as_deref());
        w.text(&self.environment);
        w.text(&self.class);
        write_texts(&self.actions, w);
        match &self.constraints {
            LeaseConstraints::None => w.u8(0),
            LeaseConstraints::Json(json) => {
                w.u8(1);
                w.bytes(json);
            }
            LeaseConstraints::Unknown => w.u8(2),
        }
        w.u32(self.calls_left);
        w.u64(self.expires.0);
        w.u64(self.granted.0);
        w.bool(self.revoked);
        w.text_opt(self.parent.as_deref());
        write_texts(&self.chain, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(LeaseRecord {
            holder: r.text("the holder", SUBJECT_BYTES_MAX)?,
            run_id: r.text_opt("the run", NAME_BYTES_MAX)?,
            environment: r.text("the environment", NAME_BYTES_MAX)?,
            class: r.text("the class", NAME_BYTES_MAX)?,
            actions: read_texts(r, "the actions", LEASE_ACTIONS_MAX, NAME_BYTES_MAX)?,
            constraints: match r.u8("the constraints")? {
                0 => LeaseConstraints::None,
                1 => LeaseConstraints::Json(r.bytes("the constraints", LEASE_CONSTRAINTS_BYTES_MAX)?.to_vec()),
                2 => LeaseConstraints::Unknown,
                got => return Err(CodecError::Choice { what: "the constraints", got: u64::from(got) }),
            },
            calls_left: r.u32("the calls")?,
            expires: r.time("the expiry")?,
            granted: r.seq("the grant")?,
            revoked: r.bool("revoked")?,
            parent: r.text_opt("the parent", NAME_BYTES_MAX)?,
            chain: read_texts(r, "the chain", CHAIN_MAX, SUBJECT_BYTES_MAX)?,
        })
    }
}

pub(super) fn write_texts(texts: &[String], w: &mut Writer) {
    w.count(texts.len());
    texts.iter().for_each(|text| w.text(text));
}

pub(super) fn read_texts(
    r: &mut Reader<'_>,
    what: &'static str,
    count_max: usize,
    bytes_max: usize,
) -> Result<Vec<String>, CodecError> {
    let count = r.count(what, count_max)?;
    (0..count).map(|_| r.text(what, bytes_max)).collect()
}
