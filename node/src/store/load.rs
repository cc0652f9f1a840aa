//! From a database to a machine: what a node does when it starts, and when it checks a snapshot.

use std::collections::BTreeMap;

use assent_kernel::codec::{CodecError, Reader, Writer};
use assent_kernel::machine::{HeadRecord, Machine, RestoreError, decode_tenant_head};
use assent_ledger::ids::{Origin, TenantId};

use super::columns::{Column, meta};
use super::db::{Db, DbError};
use crate::raft::codec::{put_log_id, put_membership, take_log_id, take_membership};
use crate::raft::types::{LogId, SnapshotMeta, StoredMembership};

const VERSION: u8 = 1;

/// What a database holds, ready to go on.
pub struct Loaded {
    /// The state machine.
    pub machine: Machine,
    /// The last Raft entry that it has applied.
    pub last_applied: Option<LogId>,
    /// The last membership that it has applied.
    pub membership: StoredMembership,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A stored value is malformed.
    #[error("stored {what} is malformed: {source}; restore this node from its peers under a new id")]
    Malformed {
        /// Which value.
        what: &'static str,
        /// The cause.
        source: CodecError,
    },
    /// The parts do not fit together.
    #[error("the stored parts do not fit together: {0}; restore this node from its peers under a new id")]
    Machine(#[from] RestoreError),
    /// It belongs to another ledger.
    #[error("the database belongs to ledger {found}, this node is configured for {expected}")]
    OtherLedger {
        /// The database's.
        found: String,
        /// The configuration's.
        expected: String,
    },
}

fn malformed(what: &'static str) -> impl FnOnce(CodecError) -> LoadError {
    move |source| LoadError::Malformed { what, source }
}

impl Loaded {
    /// What a snapshot of this covers.
    pub fn snapshot_meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.last_applied, last_membership: self.membership.clone() }
    }
}

/// Reads everything that the machine keeps in memory: heads, frontier, and the state's digests.
pub fn load(db: &Db) -> Result<Loaded, LoadError> {
    let invalid = CodecError::Invalid { what: "the origin" };
    let origin = db.get(Column::Meta, meta::ORIGIN)?.and_then(|b| String::from_utf8(b).ok());
    let origin = origin.and_then(|o| Origin::new(o).ok()).ok_or(invalid).map_err(malformed("origin"))?;
    let machine = match db.get(Column::Meta, meta::HEAD)? {
        None => Machine::new(origin),
        Some(bytes) => {
            let head = HeadRecord::decode(&bytes).map_err(malformed("head"))?;
            Machine::restore(origin, head, tenant_heads(db)?, records(db)?)?
        }
    };
    Ok(Loaded { machine, last_applied: last_applied(db)?, membership: membership(db)? })
}

fn tenant_heads(db: &Db) -> Result<BTreeMap<TenantId, assent_ledger::chain::TenantHead>, LoadError> {
    let mut heads = BTreeMap::new();
    for row in db.scan(Column::TenantHeads, &[], &[])? {
        let (key, value) = row?;
        let name = String::from_utf8_lossy(&key).into_owned();
        let tenant = TenantId::new(name)
            .map_err(|_| CodecError::Invalid { what: "a tenant" })
            .map_err(malformed("tenant head"))?;
        heads.insert(tenant, decode_tenant_head(&value).map_err(malformed("tenant head"))?);
    }
    Ok(heads)
}

/// A key and a record of the state, as bytes.
type StateRow = (Vec<u8>, Vec<u8>);

/// Every record of the state.
fn records(db: &Db) -> Result<Vec<StateRow>, LoadError> {
    let rows = db.scan(Column::State, &[], &[])?;
    Ok(rows.map(|row| row.map(|(key, value)| (key.into_vec(), value.into_vec()))).collect::<Result<_, _>>()?)
}

/// The last applied log id as stored.
pub fn last_applied(db: &Db) -> Result<Option<LogId>, LoadError> {
    let Some(bytes) = db.get(Column::Meta, meta::LAST_APPLIED)? else { return Ok(None) };
    let read = || {
        let mut r = Reader::versioned(&bytes, "a log id", VERSION)?;
        let id = take_log_id(&mut r)?;
        r.finish()?;
        Ok(Some(id))
    };
    read().map_err(malformed("last applied log id"))
}

/// The bytes of a log id.
pub fn encode_last_applied(id: &LogId) -> Vec<u8> {
    let mut w = Writer::versioned(VERSION);
    put_log_id(&mut w, id);
    w.finish()
}

fn membership(db: &Db) -> Result<StoredMembership, LoadError> {
    let Some(bytes) = db.get(Column::Meta, meta::MEMBERSHIP)? else { return Ok(StoredMembership::default()) };
    let read = || {
        let mut r = Reader::versioned(&bytes, "a membership", VERSION)?;
        let id = r.option("its log id", take_log_id)?;
        let membership = take_membership(&mut r)?;
        r.finish()?;
        Ok(StoredMembership::new(id, membership))
    };
    read().map_err(malformed("membership"))
}

/// The bytes of a membership.
pub fn encode_membership(membership: &StoredMembership) -> Vec<u8> {
    let mut w = Writer::versioned(VERSION);
    w.option(membership.log_id().as_ref(), put_log_id);
    put_membership(&mut w, membership.membership());
    w.finish()
}
