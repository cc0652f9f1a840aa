//! The Raft log as openraft sees it: an adapter over [`RaftLogEngine`], which decides nothing of its own.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::{EntryPayload, OptionalSend, RaftTypeConfig};
use tokio::sync::oneshot;

use super::codec::{
    decode_log_id, decode_vote, encode_log_id, encode_vote, entry_to_record, record_log_id, record_to_entry,
};
use super::types::{Entry, LogId, TypeConfig, Vote};
use crate::rlog::{LogRecord, Purged, RaftLogEngine};
use crate::store::compiled::CompiledBundles;

/// Entries for replication are read in portions of about this many bytes.
const READ_BYTES_MAX: usize = 2 << 20;

/// A handle on the Raft log; clones share it.
#[derive(Clone)]
pub struct RaftLogStore {
    engine: Arc<RaftLogEngine>,
    bundles: Option<CompiledBundles>,
}

impl RaftLogStore {
    /// Wraps an open log.
    pub fn new(engine: Arc<RaftLogEngine>) -> Self {
        Self { engine, bundles: None }
    }

    /// The same log, which has the bundles of entries compiled from when they are appended on, not only when they are applied.
    pub fn compiling(self, bundles: CompiledBundles) -> Self {
        Self { bundles: Some(bundles), ..self }
    }

    /// Entries of `range`; a read that has to go to the disk does not hold up the runtime.
    async fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let records = match self.engine.read_from_memory(range.clone(), bytes_max) {
            Some(records) => records,
            None => {
                let engine = Arc::clone(&self.engine);
                tokio::task::spawn_blocking(move || engine.read(range, bytes_max)).await.map_err(io::Error::other)??
            }
        };
        records.iter().map(|record: &Arc<LogRecord>| record_to_entry(record).map_err(undecodable)).collect()
    }
}

/// Authenticated bytes that do not decode: written by another version, never damage.
fn undecodable(error: assent_kernel::codec::CodecError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn half_open(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

impl RaftLogReader<TypeConfig> for RaftLogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(half_open(&range), usize::MAX).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.read(start..end, READ_BYTES_MAX).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        self.engine.vote().map(|bytes| decode_vote(&bytes).map_err(undecodable)).transpose()
    }
}

impl RaftLogStorage<TypeConfig> for RaftLogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let purged = self.engine.purged().map(|purged| decode_log_id(&purged.meta).map_err(undecodable)).transpose()?;
        let mut last_log_id = purged;
        if let Some(last) = self.engine.last().filter(|_| self.engine.first().is_some()) {
            let engine = Arc::clone(&self.engine);
            let read = tokio::task::spawn_blocking(move || engine.read(last..last + 1, usize::MAX));
            let found = read.await.map_err(io::Error::other)??;
            let record =
                found.first().ok_or_else(|| io::Error::other("the last entry of the raft log is not there"))?;
            last_log_id = Some(record_log_id(record).map_err(undecodable)?);
        }
        Ok(LogState { last_purged_log_id: purged, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (tell, told) = oneshot::channel();
        // Nobody listens any more only when this call was dropped.
        let done = Box::new(move |result| tell.send(result).unwrap_or_default());
        self.engine.save_vote(encode_vote(vote), done)?;
        told.await.map_err(io::Error::other)?
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        committed.map_or(Ok(()), |id| self.engine.save_committed(encode_log_id(&id)))
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        self.engine.committed().map(|bytes| decode_log_id(&bytes).map_err(undecodable)).transpose()
    }

    /// A crash before the group is synced leaves a beginning of it, which Raft allows: nothing of it was acknowledged.
    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = <TypeConfig as RaftTypeConfig>::Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let compile_ahead = |entry: &Entry| {
            if let (Some(bundles), EntryPayload::Normal(batch)) = (&self.bundles, &entry.payload) {
                bundles.compile_ahead(&batch.0);
            }
        };
        let records = entries.into_iter().inspect(compile_ahead).map(|entry| entry_to_record(&entry)).collect();
        self.engine.append(records, Box::new(move |result| callback.io_completed(result)))
    }

    /// Not waited for: what comes later is durable only together with it. A crash before that leaves entries that no
    /// leader acknowledged on this node's account, which the next leader removes again.
    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        self.engine.truncate_after(last_log_id.map(|id| id.index), Box::new(|_| ()))
    }

    /// Not waited for: a crash before it is durable leaves entries that are purged again.
    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let purged = Purged { index: log_id.index, meta: encode_log_id(&log_id) };
        self.engine.purge(purged, Box::new(|_| ()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::raft::types::{BatchAnswer, SnapshotMeta, StoredMembership};
    use crate::rlog::sim_disk::SimDisk;
    use crate::rlog::{LogOptions, RaftLogConfig};
    use futures::{Stream, StreamExt};
    use openraft::StorageError;
    use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};
    use openraft::testing::log::{StoreBuilder, Suite};

    type MemorySnapshot =
        Snapshot<openraft::impls::leader_id_adv::LeaderId<u64, u64>, u64, crate::raft::types::Member, ()>;

    /// The least state machine that openraft's suite accepts: it remembers what was applied, not what it said.
    #[derive(Clone, Default)]
    struct Memory {
        applied: Option<LogId>,
        membership: StoredMembership,
        snapshot: Arc<std::sync::Mutex<Option<SnapshotMeta>>>,
    }

    impl RaftSnapshotBuilder<TypeConfig> for Memory {
        type SnapshotData = ();

        async fn build_snapshot(&mut self) -> Result<MemorySnapshot, io::Error> {
            let meta = SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() };
            *self.snapshot.lock().unwrap() = Some(meta.clone());
            Ok(Snapshot { meta, snapshot: () })
        }
    }

    impl RaftStateMachine<TypeConfig> for Memory {
        type SnapshotData = ();
        type SnapshotBuilder = Self;

        async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
            Ok((self.applied, self.membership.clone()))
        }

        async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
        where
            S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
        {
            while let Some(item) = entries.next().await {
                let (entry, responder) = item?;
                self.applied = Some(entry.log_id);
                if let EntryPayload::Membership(membership) = entry.payload {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                }
                responder.into_iter().for_each(|responder| responder.send(BatchAnswer::default()));
            }
            Ok(())
        }

        async fn get_snapshot_builder(&mut self) -> Self {
            self.clone()
        }

        async fn install_snapshot(&mut self, meta: &SnapshotMeta, _snapshot: ()) -> Result<(), io::Error> {
            self.applied = meta.last_log_id;
            self.membership = meta.last_membership.clone();
            *self.snapshot.lock().unwrap() = Some(meta.clone());
            Ok(())
        }

        async fn get_current_snapshot(&mut self) -> Result<Option<MemorySnapshot>, io::Error> {
            Ok(self.snapshot.lock().unwrap().clone().map(|meta| Snapshot { meta, snapshot: () }))
        }
    }

    struct Builder;

    impl StoreBuilder<TypeConfig, RaftLogStore, Memory> for Builder {
        async fn build(&self) -> Result<((), RaftLogStore, Memory), StorageError<TypeConfig>> {
            let config = RaftLogConfig { segment_bytes_max: 1024, cache_bytes_max: 100, ..RaftLogConfig::default() };
            let options =
                LogOptions { config, ledger: [1; 32], random: Box::new(|| Ok([9; 32])), fatal: Arc::new(|_| ()) };
            let (engine, _) = RaftLogEngine::open(SimDisk::new(), options, &[2; 32]).unwrap();
            Ok(((), RaftLogStore::new(Arc::new(engine)), Memory::default()))
        }
    }

    #[test]
    fn openrafts_own_suite_accepts_the_log() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(Suite::test_all(Builder)).unwrap();
    }
}
