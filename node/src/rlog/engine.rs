//! The handle on an open log: calls change the index at once and are queued for the writer in the same order.

use std::io;
use std::ops::Range;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use zeroize::Zeroizing;

use super::disk::Disk;
use super::frame::BODY_BYTES_MAX;
use super::index::{Index, LogRecord, Segment, invalid};
use super::recover::{self, OpenError, Replay, TornTail};
use super::segment::{Previous, Secrets};
use super::sim_disk::SimDisk;
use super::state::Purged;
use super::writer::{
    AckMode, Done, FatalHook, Op, RaftLogConfig, RandomSource, Writer, create_segment, lock, poisoned,
};

/// How a log is opened.
pub struct LogOptions {
    /// Bounds.
    pub config: RaftLogConfig,
    /// SHA-256 of the ledger's identity; a log of another ledger is refused.
    pub ledger: [u8; 32],
    /// Where segment ids come from.
    pub random: RandomSource,
    /// Called when the disk failed; in production it ends the process.
    pub fatal: FatalHook,
}

/// What was found when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The last vote.
    pub vote: Option<Vec<u8>>,
    /// The last committed log id that reached the disk.
    pub committed: Option<Vec<u8>>,
    /// The last purged entry.
    pub purged: Option<Purged>,
    /// Index of the first live entry; `None` when there is none.
    pub first: Option<u64>,
    /// Index of the last entry, or of the last purged one.
    pub last: Option<u64>,
    /// What a crash had torn and was cut off.
    pub torn: Option<TornTail>,
    /// Number of segments read.
    pub segments: usize,
}

/// An open Raft log. Shared by reference; dropping it closes it.
pub struct RaftLogEngine {
    index: Arc<Mutex<Index>>,
    queue: Sender<Op>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl RaftLogEngine {
    /// Opens the log in `disk`, creating it when there is none, and starts a new segment.
    ///
    /// # Errors
    /// [`OpenError::Rot`] when acknowledged bytes are damaged: nothing was changed then.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        storage_key: &[u8; 32],
    ) -> Result<(Self, Recovered), OpenError> {
        Self::open_with(disk, options, storage_key, AckMode::AfterFsync)
    }

    /// The negative control of the crash tests: answers before the fsync. It takes the simulated disk by type, so no
    /// log on a real disk can be opened this way, in whatever build.
    #[doc(hidden)]
    pub fn open_answering_before_fsync(
        disk: Arc<SimDisk>,
        options: LogOptions,
        storage_key: &[u8; 32],
    ) -> Result<(Self, Recovered), OpenError> {
        Self::open_with(disk, options, storage_key, AckMode::BeforeFsync)
    }

    fn open_with(
        disk: Arc<dyn Disk>,
        mut options: LogOptions,
        storage_key: &[u8; 32],
        ack: AckMode,
    ) -> Result<(Self, Recovered), OpenError> {
        let failed = |doing| move |source| OpenError::Io { doing, source };
        let secrets = Secrets { storage_key: Zeroizing::new(*storage_key), ledger: options.ledger };
        let replay = recover::replay(disk.as_ref(), &secrets)?;
        let previous = replay.segments.last().map(|last| Previous { seq: last.segment.seq, len: last.len });
        let state = replay.state.clone();
        let active = create_segment(disk.as_ref(), &secrets, &mut options.random, replay.next_seq, previous, &state)
            .map_err(failed("extended"))?;
        let recovered = summary(&replay);
        let mut ends: std::collections::BTreeMap<_, _> =
            replay.segments.iter().map(|replayed| (replayed.segment.seq, replayed.entry_max)).collect();
        ends.insert(active.seq, None);
        let own = Segment { seq: active.seq, file: Arc::clone(&active.file), cipher: Arc::clone(&active.cipher) };
        let readable =
            replay.segments.into_iter().map(|replayed| replayed.segment).chain([own]).map(|s| (s.seq, s)).collect();
        let first = recovered.first.or(recovered.last.map(|last| last + 1)).unwrap_or_default();
        let places = replay.places.into_values();
        let index = Index::new(state.clone(), readable, first, places, options.config.cache_bytes_max);
        let index = Arc::new(Mutex::new(index));
        let (queue, work) = mpsc::channel();
        let purged_durable = state.purged.as_ref().map(|purged| purged.index);
        let writer = Writer {
            disk,
            config: options.config,
            secrets,
            random: options.random,
            fatal: options.fatal,
            ack,
            index: Arc::clone(&index),
            active,
            state,
            committed_waiting: None,
            unmarked: true,
            segments: ends,
            purged_durable,
        };
        let thread = std::thread::Builder::new()
            .name("raft-log".to_owned())
            .spawn(move || writer.run(&work))
            .map_err(failed("given a writer thread"))?;
        Ok((Self { index, queue, thread: Mutex::new(Some(thread)) }, recovered))
    }

    /// Appends entries. They are readable when this returns and durable when `done` hears `Ok`; `done` runs on the
    /// writer thread and must not block.
    ///
    /// # Errors
    /// `InvalidInput` for entries that are too large or do not follow the last one, and the failure of the disk if it
    /// failed before. Nothing is appended then and `done` is not called.
    pub fn append(&self, records: Vec<LogRecord>, done: Done) -> io::Result<()> {
        for record in &records {
            if record.meta.len() > usize::from(u16::MAX) || record.meta.len() + record.payload.len() > BODY_BYTES_MAX {
                return Err(invalid(format!("entry {} is larger than {BODY_BYTES_MAX} bytes", record.index)));
            }
        }
        let records: Vec<_> = records.into_iter().map(Arc::new).collect();
        self.submit(|index| {
            index.append(&records)?;
            Ok(Op::Append { records, done })
        })
    }

    /// Removes all entries after `last_kept`; all entries when it is `None`. Needs no waiting for: later operations
    /// are durable only together with this one.
    ///
    /// # Errors
    /// `InvalidInput` when that would undo a purge.
    pub fn truncate_after(&self, last_kept: Option<u64>, done: Done) -> io::Result<()> {
        self.submit(|index| {
            let purged = index.state.purged.as_ref().map(|purged| purged.index);
            let from = last_kept.or(purged).map_or(0, |last| last.saturating_add(1));
            index.truncate_from(from)?;
            Ok(Op::TruncateFrom { index: from, done })
        })
    }

    /// Removes all entries up to and including `purged`, which may lie beyond the last entry: the log then goes on
    /// behind it. The caller's state must hold what is purged, durably.
    ///
    /// # Errors
    /// The failure of the disk if it failed before.
    pub fn purge(&self, purged: Purged, done: Done) -> io::Result<()> {
        self.submit(|index| {
            index.purge(purged.clone());
            Ok(Op::Purge { purged, done })
        })
    }

    /// Saves the vote; durable when `done` hears `Ok`.
    ///
    /// # Errors
    /// The failure of the disk if it failed before; `done` is not called then.
    pub fn save_vote(&self, vote: Vec<u8>, done: Done) -> io::Result<()> {
        self.submit(|index| {
            index.state.vote = Some(vote.clone());
            Ok(Op::Vote { bytes: vote, done })
        })
    }

    /// Saves the committed log id, with the next group or when the log is idle. Losing the newest is harmless: Raft
    /// finds it again.
    ///
    /// # Errors
    /// The failure of the disk if it failed before.
    pub fn save_committed(&self, committed: Vec<u8>) -> io::Result<()> {
        self.submit(|index| {
            index.state.committed = Some(committed.clone());
            Ok(Op::Committed { bytes: committed })
        })
    }

    /// Writes a Mark now instead of when idle; `done` hears when it is durable.
    ///
    /// # Errors
    /// The failure of the disk if it failed before.
    pub fn mark(&self, done: Done) -> io::Result<()> {
        self.submit(|_| Ok(Op::Mark { done }))
    }

    /// The live entries with index in `range`, in order, whole: up to `bytes_max` bytes, but at least one. Entries
    /// before the first or after the last are left out. Blocks on the disk for entries no longer in memory.
    ///
    /// # Errors
    /// `InvalidData` when an entry on disk is damaged: an error, never wrong bytes.
    pub fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Arc<LogRecord>>> {
        // Found under the lock, loaded without it: frames never change, and open files outlive their removal.
        let found = lock(&self.index).find(range, bytes_max)?;
        found.into_iter().map(super::index::Found::load).collect()
    }

    /// The same as [`RaftLogEngine::read`] without touching the disk; `None` when that is needed.
    pub fn read_from_memory(&self, range: Range<u64>, bytes_max: usize) -> Option<Vec<Arc<LogRecord>>> {
        let found = lock(&self.index).find(range, bytes_max).ok()?;
        found.into_iter().map(super::index::Found::in_memory).collect()
    }

    /// Index of the first live entry; `None` when there is none.
    pub fn first(&self) -> Option<u64> {
        Some(lock(&self.index).live()).filter(|live| !live.is_empty()).map(|live| live.start)
    }

    /// Index of the last entry, or of the last purged one when none is left.
    pub fn last(&self) -> Option<u64> {
        lock(&self.index).state.last
    }

    /// The last purged entry.
    pub fn purged(&self) -> Option<Purged> {
        lock(&self.index).state.purged.clone()
    }

    /// The last vote given to [`RaftLogEngine::save_vote`].
    pub fn vote(&self) -> Option<Vec<u8>> {
        lock(&self.index).state.vote.clone()
    }

    /// The last id given to [`RaftLogEngine::save_committed`].
    pub fn committed(&self) -> Option<Vec<u8>> {
        lock(&self.index).state.committed.clone()
    }

    /// Changes the index and queues the operation under one lock: both orders are the same.
    fn submit(&self, change: impl FnOnce(&mut Index) -> io::Result<Op>) -> io::Result<()> {
        let mut index = lock(&self.index);
        if let Some(cause) = &index.poisoned {
            return Err(poisoned(cause));
        }
        let op = change(&mut index)?;
        self.queue.send(op).map_err(|_| poisoned("the writer thread is gone"))
    }
}

fn summary(replay: &Replay) -> Recovered {
    Recovered {
        vote: replay.state.vote.clone(),
        committed: replay.state.committed.clone(),
        purged: replay.state.purged.clone(),
        first: replay.places.first_key_value().map(|(index, _)| *index),
        last: replay.state.last,
        torn: replay.torn.clone(),
        segments: replay.segments.len(),
    }
}

impl Drop for RaftLogEngine {
    /// Writes what is queued and a Mark, then waits for the writer, unless it is the writer that drops the last handle.
    fn drop(&mut self) {
        // An error means that the writer is gone already.
        let _ = self.queue.send(Op::Close);
        let thread = self.thread.lock().map(|mut thread| thread.take()).ok().flatten();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            // A panic of the writer has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}
