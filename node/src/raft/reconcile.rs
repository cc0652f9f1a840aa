//! Starting from a store that is ahead of its own Raft log.
//!
//! An entry is applied when a quorum has it on disk, and this node need not be in that quorum: its own fsync of the entry may still be
//! under way. When the power goes just then, RocksDB's unsynced log may survive while the Raft log's does not. The store is right, for
//! what it holds was committed; the log is behind, or even holds an entry that lost against the committed one.

use std::io;

use openraft::storage::{RaftLogReader, RaftLogStorage};

use super::log_store::RaftLogStore;
use crate::store::{Store, load};

/// Makes the log fit a store that is ahead of it: uncommitted entries that contradict the store are removed, and the store gets a
/// snapshot of what the log cannot give to others. openraft then moves the log's end to the store's. Call before Raft starts.
///
/// A crash in between leaves the same situation, with the snapshot made: the next start goes on from there.
///
/// # Errors
/// Whatever the disk or the store answers: the node cannot start.
pub async fn reconcile(log: &mut RaftLogStore, store: &Store) -> io::Result<()> {
    let applied = load::last_applied(&store.view().db).map_err(io::Error::other)?;
    let Some(applied) = applied else { return Ok(()) };
    let state = log.get_log_state().await?;
    let next = |id: Option<super::types::LogId>| id.map_or(0, |id| id.index + 1);
    if next(state.last_purged_log_id) > applied.index {
        return Ok(());
    }
    let contradicts = if next(state.last_log_id) > applied.index {
        let found = log.try_get_log_entries(applied.index..applied.index + 1).await?;
        if found.iter().any(|entry| entry.log_id == applied) {
            return Ok(());
        }
        true
    } else {
        false
    };
    tracing::warn!(%applied, log_end = ?state.last_log_id, "the store is ahead of the raft log after a loss of power");
    let covered = store
        .snapshots()
        .current()
        .map_err(io::Error::other)?
        .is_some_and(|s| s.header.meta.last_log_id >= Some(applied));
    if !covered {
        store.build_snapshot().map_err(io::Error::other)?;
    }
    if contradicts {
        let before = applied.index.checked_sub(1).map(|index| super::types::LogId::new(applied.leader_id, index));
        log.truncate_after(before).await?;
    }
    Ok(())
}
