//! Reading entries, proofs, payloads and seals.

use std::sync::Arc;

use assent_kernel::state::keys::OutstandingRecord;
use assent_kernel::state::{Record, StateKey};
use assent_ledger::chain::TenantHead;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId, TreeSize};
use assent_ledger::payload::{self, OpenedPayload};
use assent_ledger::tree::{NodeAddress, NodeRead};

use super::Store;
use super::columns::{
    Column, entry_key, last_u64, run_index_key, run_prefix, seal_key, tenant_index_key, tenant_prefix,
};
use super::db::DbError;
use super::generation::Generation;
use super::seals::SealRow;
use super::secrets::UnwrapError;

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A stored value is malformed.
    #[error("stored {0} is malformed")]
    Malformed(&'static str),
    /// The tree's nodes do not give what was asked for.
    #[error("{0}")]
    Tree(String),
    /// A tenant's key does not open.
    #[error(transparent)]
    Key(#[from] UnwrapError),
    /// A payload does not open.
    #[error(transparent)]
    Payload(#[from] payload::PayloadError),
}

type Result<T> = core::result::Result<T, StoreError>;

impl Store {
    /// A leaf's bytes, verbatim.
    pub fn entry(&self, seq: Seq) -> Result<Option<Vec<u8>>> {
        Ok(self.view().db.get(Column::Entries, &entry_key(seq))?)
    }

    /// Leaves from `from` on, at most `limit`.
    pub fn entries(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>> {
        let view = self.view();
        let rows = view.db.scan(Column::Entries, &entry_key(from), &[])?;
        rows.take(limit)
            .map(|row| {
                let (key, leaf) = row?;
                let seq = last_u64(&key).ok_or(StoreError::Malformed("entry key"))?;
                Ok((Seq(seq), leaf.into_vec()))
            })
            .collect()
    }

    /// Positions of one tenant's entries from `from` on, at most `limit`.
    pub fn tenant_entries(&self, tenant: &TenantId, from: Seq, limit: usize) -> Result<Vec<Seq>> {
        let view = self.view();
        let first = first_tenant_entry(&view, tenant, from)?;
        let start = tenant_index_key(tenant, assent_ledger::ids::TenantSeq(first));
        let rows = view.db.scan(Column::TenantIndex, &start, &tenant_prefix(tenant))?;
        rows.take(limit).map(|row| last_u64(&row?.1).map(Seq).ok_or(StoreError::Malformed("tenant index"))).collect()
    }

    /// Positions of one run's entries from `from` on, at most `limit`.
    pub fn run_entries(&self, tenant: &TenantId, run: &str, from: Seq, limit: usize) -> Result<Vec<Seq>> {
        let view = self.view();
        let rows = view.db.scan(Column::RunIndex, &run_index_key(tenant, run, from), &run_prefix(tenant, run))?;
        rows.take(limit).map(|row| last_u64(&row?.0).map(Seq).ok_or(StoreError::Malformed("run index"))).collect()
    }

    /// A leaf's hash.
    pub fn leaf_hash_at(&self, seq: Seq) -> Result<Option<Hash>> {
        Ok(self.view().node(NodeAddress { level: 0, index: seq.0 })?)
    }

    /// The tree's nodes.
    pub fn nodes(&self) -> Arc<Generation> {
        self.view()
    }

    /// Root of the tree over the first `size` entries, recomputed from the stored nodes.
    pub fn root_at(&self, size: TreeSize) -> Result<Hash> {
        self.view().root_at(size).map_err(StoreError::Tree)
    }

    /// A payload's ciphertext; `None` when it was erased or never was.
    pub fn ciphertext(&self, commitment: &Hash) -> Result<Option<Vec<u8>>> {
        Ok(self.view().db.get(Column::Payloads, commitment.as_bytes())?)
    }

    /// Several payloads' ciphertexts, in the order of the commitments; `None` where one was erased or never was.
    pub fn ciphertexts(&self, commitments: &[Hash]) -> Result<Vec<Option<Vec<u8>>>> {
        let keys: Vec<&[u8]> = commitments.iter().map(|c| c.as_bytes().as_slice()).collect();
        Ok(self.view().db.get_many(Column::Payloads, &keys)?)
    }

    /// A payload's content, for its tenant.
    pub fn payload(&self, tenant: &TenantId, commitment: &Hash) -> Result<Option<OpenedPayload>> {
        let view = self.view();
        let (Some(ciphertext), Some(wrapped), Some(tenant_key)) = (
            view.db.get(Column::Payloads, commitment.as_bytes())?,
            view.db.get(Column::PayloadKeys, commitment.as_bytes())?,
            view.db.get(Column::TenantKeys, tenant.as_str().as_bytes())?,
        ) else {
            return Ok(None);
        };
        let tenant_key = self.storage_key.unwrap(tenant, &tenant_key)?;
        let data_key = payload::unwrap_key(&tenant_key, commitment, &wrapped)?;
        Ok(Some(payload::decrypt(&data_key, commitment, &ciphertext)?))
    }

    /// Records of the state whose keys differ in their last text only, from behind `after` on, in the order of that text; at most `limit`.
    pub fn records(
        &self,
        key: impl Fn(String) -> StateKey,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, Record)>> {
        let view = self.view();
        let (prefix, from) = (key(String::new()).encode(), key(after.to_owned()).encode());
        let rows = view.db.scan(Column::State, &from, &prefix)?;
        let record = |row: std::result::Result<super::db::Row, DbError>| {
            let (bytes, value) = row?;
            let name = bytes.get(prefix.len()..).and_then(|name| std::str::from_utf8(name).ok());
            let name = name.ok_or(StoreError::Malformed("state key"))?.to_owned();
            let record = Record::decode(&key(name.clone()), &value).map_err(|_| StoreError::Malformed("state"))?;
            Ok((name, record))
        };
        // The page before ended with `after`.
        let fresh = rows.map(record).filter(|row| !matches!(row, Ok((name, _)) if !after.is_empty() && name == after));
        fresh.take(limit).collect()
    }

    /// Decisions that wait to be redeemed or completed, from `from` on, of all tenants; at most `limit`.
    pub fn outstanding(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, OutstandingRecord)>> {
        let view = self.view();
        let prefix: Vec<u8> = StateKey::Outstanding(from.0).encode().into_iter().take(1).collect();
        let rows = view.db.scan(Column::State, &StateKey::Outstanding(from.0).encode(), &prefix)?;
        let record = |row: std::result::Result<super::db::Row, DbError>| {
            let (bytes, value) = row?;
            let seq = Seq(last_u64(&bytes).ok_or(StoreError::Malformed("state key"))?);
            match Record::decode(&StateKey::Outstanding(seq.0), &value) {
                Ok(Record::Outstanding(record)) => Ok((seq, record)),
                _ => Err(StoreError::Malformed("state")),
            }
        };
        rows.take(limit).map(record).collect()
    }

    /// One seal, by the size of its checkpoint.
    pub fn seal(&self, size: TreeSize) -> Result<Option<SealRow>> {
        self.view().seal(size)
    }

    /// Seals with checkpoints of at least `from`, at most `limit`.
    pub fn seals(&self, from: TreeSize, limit: usize) -> Result<Vec<SealRow>> {
        let view = self.view();
        let rows = view.db.scan(Column::Seals, &seal_key(from), &[])?;
        rows.take(limit).map(|row| SealRow::decode(&row?.1).map_err(|_| StoreError::Malformed("seal"))).collect()
    }

    /// The newest co-signed seal.
    pub fn latest_cosigned(&self) -> Result<Option<SealRow>> {
        let view = self.view();
        match view.progress().and_then(|p| p.cosigned) {
            Some(cosigned) => view.seal(cosigned.size),
            None => Ok(None),
        }
    }

    /// Every tenant that has entries, the system's included.
    pub fn tenants(&self) -> Result<Vec<TenantId>> {
        let view = self.view();
        let rows = view.db.scan(Column::TenantHeads, &[], &[])?;
        rows.map(|row| {
            let (key, _) = row?;
            let name = String::from_utf8_lossy(&key).into_owned();
            TenantId::new(name).map_err(|_| StoreError::Malformed("tenant"))
        })
        .collect()
    }

    /// The end of a tenant's chain just before `before`; `None` when it had no entry there.
    pub fn tenant_head_before(&self, tenant: &TenantId, before: Seq) -> Result<Option<TenantHead>> {
        let view = self.view();
        let count = first_tenant_entry(&view, tenant, before)?;
        let Some(last) = count.checked_sub(1) else { return Ok(None) };
        let key = tenant_index_key(tenant, assent_ledger::ids::TenantSeq(last));
        let seq = view.db.get(Column::TenantIndex, &key)?.as_deref().and_then(last_u64);
        let seq = Seq(seq.ok_or(StoreError::Malformed("tenant index"))?);
        let last = self.leaf_hash_at(seq)?.ok_or(StoreError::Malformed("leaf hash"))?;
        Ok(Some(TenantHead { count, last }))
    }
}

impl Generation {
    /// One seal, by the size of its checkpoint.
    pub fn seal(&self, size: TreeSize) -> Result<Option<SealRow>> {
        let bytes = self.db.get(Column::Seals, &seal_key(size))?;
        bytes.map(|b| SealRow::decode(&b).map_err(|_| StoreError::Malformed("seal"))).transpose()
    }
}

/// How many entries of a tenant lie before `seq`: its chain is searched by halves, for positions ascend with it.
fn first_tenant_entry(view: &Generation, tenant: &TenantId, seq: Seq) -> Result<u64> {
    let head = view.db.get(Column::TenantHeads, tenant.as_str().as_bytes())?;
    let Some(head) = head else { return Ok(0) };
    let head = assent_kernel::machine::decode_tenant_head(&head).map_err(|_| StoreError::Malformed("tenant head"))?;
    let (mut low, mut high) = (0, head.count);
    while low < high {
        let middle = low + (high - low) / 2;
        let key = tenant_index_key(tenant, assent_ledger::ids::TenantSeq(middle));
        let at = view.db.get(Column::TenantIndex, &key)?.as_deref().and_then(last_u64);
        if at.ok_or(StoreError::Malformed("tenant index"))? < seq.0 {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
