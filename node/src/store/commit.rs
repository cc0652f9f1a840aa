//! The one write: everything that a Raft entry came to, in one RocksDB batch, the position included.

use assent_kernel::machine::{AppliedBatch, AppliedEntry, encode_tenant_head};
use assent_kernel::state::StateKey;
use assent_ledger::entry::EntryView;
use assent_ledger::ids::{TenantId, TreeSize};
use assent_ledger::payload::{unwrap_key, wrap_key};
use assent_ledger::seal::{SpanAnchored, SpanCosigned};
use zeroize::Zeroizing;

use super::columns::{Column, entry_key, meta, node_key, run_index_key, seal_key, tenant_index_key};
use super::db::{Batch, DbError};
use super::generation::Generation;
use super::load;
use super::seals::{AnchoredRow, CosignedRow, SealRow};
use super::secrets::StorageKey;
use crate::raft::types::{LogId, StoredMembership};

/// Why a batch cannot be written: the node stops.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Something that must be there is not, or does not open.
    #[error("{0}")]
    Inconsistent(String),
}

fn inconsistent(error: impl core::fmt::Display) -> CommitError {
    CommitError::Inconsistent(error.to_string())
}

/// Writes what a Raft entry came to.
///
/// A crash before the write leaves the state before the entry, and the Raft log applies it again with the same result; after the write,
/// the entry is applied as a whole, `last_applied` with it, and is never applied twice.
pub fn commit(
    generation: &Generation,
    storage_key: &StorageKey,
    applied: &AppliedBatch,
    log_id: &LogId,
) -> Result<(), CommitError> {
    let mut batch = generation.db.batch();
    for bucket in &applied.dropped_buckets {
        let from = StateKey::request_prefix(*bucket);
        let to = StateKey::request_prefix(bucket.saturating_add(1));
        batch.delete_range(Column::State, &from, &to)?;
    }
    for (key, record) in &applied.state {
        match record {
            Some(record) => batch.put(Column::State, &key.encode(), &record.encode())?,
            None => batch.delete(Column::State, &key.encode())?,
        }
    }
    let new_keys: Vec<(&TenantId, &[u8; 32])> = applied.tenant_keys.iter().map(|(t, k)| (t, k)).collect();
    for (tenant, key) in &new_keys {
        batch.put(Column::TenantKeys, tenant.as_str().as_bytes(), &storage_key.wrap(tenant, key))?;
    }
    let mut keys = TenantKeyring { generation, storage_key, new: &new_keys, last: None };
    for entry in &applied.entries {
        put_entry(&mut batch, entry)?;
        put_payloads(&mut batch, entry, &mut keys)?;
    }
    erase(&mut batch, generation, applied, &mut keys)?;
    for (address, hash) in &applied.nodes {
        batch.put(Column::Nodes, &node_key(*address), hash.as_bytes())?;
    }
    for (tenant, head) in &applied.tenant_heads {
        batch.put(Column::TenantHeads, tenant.as_str().as_bytes(), &encode_tenant_head(head))?;
    }
    put_seals(&mut batch, generation, applied)?;
    batch.put(Column::Meta, meta::HEAD, &applied.head.encode())?;
    batch.put(Column::Meta, meta::LAST_APPLIED, &load::encode_last_applied(log_id))?;
    batch.write()?;
    generation.remember(&applied.state);
    Ok(())
}

/// Records that a Raft entry without commands was applied.
pub fn commit_position(
    generation: &Generation,
    log_id: &LogId,
    membership: Option<&StoredMembership>,
) -> Result<(), CommitError> {
    let mut batch = generation.db.batch();
    if let Some(membership) = membership {
        batch.put(Column::Meta, meta::MEMBERSHIP, &load::encode_membership(membership))?;
    }
    batch.put(Column::Meta, meta::LAST_APPLIED, &load::encode_last_applied(log_id))?;
    Ok(batch.write()?)
}

fn put_entry(batch: &mut Batch<'_>, entry: &AppliedEntry) -> Result<(), DbError> {
    batch.put(Column::Entries, &entry_key(entry.seq), &entry.leaf)?;
    batch.put(Column::TenantIndex, &tenant_index_key(&entry.tenant, entry.tseq), &entry.seq.0.to_be_bytes())?;
    match &entry.run_id {
        Some(run) => batch.put(Column::RunIndex, &run_index_key(&entry.tenant, run, entry.seq), &[]),
        None => Ok(()),
    }
}

fn put_payloads(batch: &mut Batch<'_>, entry: &AppliedEntry, keys: &mut TenantKeyring<'_>) -> Result<(), CommitError> {
    for payload in &entry.payloads {
        let tenant_key = keys.get(&entry.tenant)?;
        let wrapped = wrap_key(&tenant_key, &payload.data_key, &payload.commitment).map_err(inconsistent)?;
        batch.put(Column::Payloads, payload.commitment.as_bytes(), &payload.ciphertext)?;
        batch.put(Column::PayloadKeys, payload.commitment.as_bytes(), &wrapped)?;
    }
    Ok(())
}

/// Destroys the wrapped keys of erased payloads. After the payloads of this very batch are put: one of them may be among the erased.
///
/// A commitment of another tenant's payload destroys nothing: its key does not open under the tenant's.
fn erase(
    batch: &mut Batch<'_>,
    generation: &Generation,
    applied: &AppliedBatch,
    keys: &mut TenantKeyring<'_>,
) -> Result<(), CommitError> {
    for (tenant, commitment) in &applied.erased {
        let own = applied.entries.iter().filter(|entry| entry.tenant == *tenant);
        let is_new = own.flat_map(|entry| &entry.payloads).any(|payload| payload.commitment == *commitment);
        let is_kept = match generation.db.get(Column::PayloadKeys, commitment.as_bytes())? {
            Some(wrapped) => unwrap_key(&*keys.get(tenant)?, commitment, &wrapped).is_ok(),
            None => false,
        };
        if is_new || is_kept {
            batch.delete(Column::PayloadKeys, commitment.as_bytes())?;
        }
    }
    Ok(())
}

/// Tenants' keys while a batch is being written; most batches are about few tenants.
struct TenantKeyring<'a> {
    generation: &'a Generation,
    storage_key: &'a StorageKey,
    new: &'a [(&'a TenantId, &'a [u8; 32])],
    last: Option<(TenantId, Zeroizing<[u8; 32]>)>,
}

impl TenantKeyring<'_> {
    fn get(&mut self, tenant: &TenantId) -> Result<Zeroizing<[u8; 32]>, CommitError> {
        if let Some((_, key)) = self.new.iter().find(|(t, _)| *t == tenant) {
            return Ok(Zeroizing::new(**key));
        }
        if let Some((_, key)) = self.last.as_ref().filter(|(t, _)| t == tenant) {
            return Ok(key.clone());
        }
        let wrapped = self.generation.db.get(Column::TenantKeys, tenant.as_str().as_bytes())?;
        let wrapped = wrapped.ok_or_else(|| CommitError::Inconsistent(format!("tenant {tenant} has no key")))?;
        let key = self.storage_key.unwrap(tenant, &wrapped).map_err(inconsistent)?;
        self.last = Some((tenant.clone(), key.clone()));
        Ok(key)
    }
}

/// Seals, cosignatures and anchors that the batch recorded.
fn put_seals(batch: &mut Batch<'_>, generation: &Generation, applied: &AppliedBatch) -> Result<(), CommitError> {
    let mut rows: Vec<SealRow> = Vec::new();
    for facts in &applied.sealed {
        let time = applied.entries.iter().find(|e| e.seq == facts.seq).map(|e| e.time).unwrap_or_default();
        rows.push(SealRow {
            start: facts.span_start,
            size: facts.size_after,
            root: facts.root_after,
            reason: facts.body.reason,
            tenant_map_root: facts.body.tenant_map_root,
            state_digest: facts.body.state_digest,
            time,
            cosigned: None,
            anchored: None,
        });
    }
    for entry in &applied.entries {
        match entry.kind {
            SpanCosigned::KIND => {
                let body = SpanCosigned::from_value(&body_of(entry)?).map_err(inconsistent)?;
                let row = row_of(&mut rows, generation, body.size)?;
                row.cosigned = Some(CosignedRow {
                    checkpoint: body.checkpoint,
                    manifest: body.manifest,
                    cosignatures: body.cosignatures,
                });
            }
            SpanAnchored::KIND => {
                let body = SpanAnchored::from_value(&body_of(entry)?).map_err(inconsistent)?;
                let row = row_of(&mut rows, generation, body.size)?;
                row.anchored = Some(AnchoredRow { sink_uri: body.sink_uri, seq: entry.seq });
            }
            _ => {}
        }
    }
    for row in &rows {
        batch.put(Column::Seals, &seal_key(row.size), &row.encode())?;
    }
    Ok(())
}

fn body_of(entry: &AppliedEntry) -> Result<assent_ledger::json::Value, CommitError> {
    EntryView::parse(&entry.leaf).map_err(inconsistent)?.body_value().map_err(inconsistent)
}

fn row_of<'a>(
    rows: &'a mut Vec<SealRow>,
    generation: &Generation,
    size: TreeSize,
) -> Result<&'a mut SealRow, CommitError> {
    let index = match rows.iter().position(|r| r.size == size) {
        Some(index) => index,
        None => {
            let row = generation.seal(size).map_err(inconsistent)?;
            rows.push(row.ok_or_else(|| CommitError::Inconsistent(format!("no seal of size {size}")))?);
            rows.len() - 1
        }
    };
    rows.get_mut(index).ok_or_else(|| CommitError::Inconsistent("seal row".to_owned()))
}
