//! The one thread that writes: it takes everything that is queued, writes it at once, syncs once, and answers in order.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chacha20poly1305::ChaCha20Poly1305;

use super::disk::{Disk, DiskFile};
use super::frame::{self, Draft, Kind};
use super::index::{Index, LogRecord, Place, Segment};
use super::segment::{self, Previous, Secrets};
use super::state::{LogState, Purged};

/// Called when an operation is durable, or when it is not known to be and never will be.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// Called once, on the writer thread and before any waiting operation hears of the failure, when the disk failed.
pub type FatalHook = Arc<dyn Fn(&io::Error) + Send + Sync>;

/// Source of segment ids: 32 random bytes, never the same twice.
pub type RandomSource = Box<dyn FnMut() -> io::Result<[u8; 32]> + Send>;

/// When callers are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckMode {
    /// After the fsync: the only mode that keeps the promise.
    AfterFsync,
    /// Before it: the negative control of the crash tests, reachable on the simulated disk only.
    BeforeFsync,
}

/// Bounds of the log.
#[derive(Debug, Clone, Copy)]
pub struct RaftLogConfig {
    /// A segment that reached this many bytes is followed by a new one.
    pub segment_bytes_max: u64,
    /// Records kept in memory after they were written, in bytes of meta and payload.
    pub cache_bytes_max: usize,
    /// Queued operations are written together until they have this many bytes.
    pub group_bytes_max: usize,
    /// Zeros are written ahead in steps of this many bytes, so that a group's fsync need not make a new file length
    /// durable; zero for never.
    pub reserve_bytes: u64,
    /// After this long without work, a Mark closes the window in which rot could pass for a torn tail.
    pub idle_mark: Duration,
}

impl Default for RaftLogConfig {
    fn default() -> Self {
        Self {
            segment_bytes_max: 64 << 20,
            cache_bytes_max: 64 << 20,
            group_bytes_max: 4 << 20,
            reserve_bytes: 1 << 20,
            idle_mark: Duration::from_millis(20),
        }
    }
}

/// One queued operation.
pub(super) enum Op {
    Append { records: Vec<Arc<LogRecord>>, done: Done },
    TruncateFrom { index: u64, done: Done },
    Purge { purged: Purged, done: Done },
    Vote { bytes: Vec<u8>, done: Done },
    Committed { bytes: Vec<u8> },
    Mark { done: Done },
    Close,
}

impl Op {
    fn bytes(&self) -> usize {
        match self {
            Self::Append { records, .. } => records.iter().map(|record| record.meta.len() + record.payload.len()).sum(),
            _ => 0,
        }
    }

    fn into_done(self) -> Option<Done> {
        match self {
            Self::Append { done, .. }
            | Self::TruncateFrom { done, .. }
            | Self::Purge { done, .. }
            | Self::Vote { done, .. }
            | Self::Mark { done } => Some(done),
            Self::Committed { .. } | Self::Close => None,
        }
    }
}

/// The segment being written.
pub(super) struct Active {
    pub seq: u64,
    pub file: Arc<dyn DiskFile>,
    pub cipher: Arc<ChaCha20Poly1305>,
    /// Bytes written.
    pub len: u64,
    /// Bytes known to be fsynced.
    pub durable: u64,
    /// The file is this long; what lies beyond `len` is zeros.
    pub reserved: u64,
}

/// All that the writer thread owns.
pub(super) struct Writer {
    pub disk: Arc<dyn Disk>,
    pub config: RaftLogConfig,
    pub secrets: Secrets,
    pub random: RandomSource,
    pub fatal: FatalHook,
    pub ack: AckMode,
    pub index: Arc<Mutex<Index>>,
    pub active: Active,
    /// The small state as of the last operation written.
    pub state: LogState,
    /// A committed id that waits for the next group.
    pub committed_waiting: Option<Vec<u8>>,
    /// Something was written since the last Mark.
    pub unmarked: bool,
    /// Segments and the highest entry index in each.
    pub segments: BTreeMap<u64, Option<u64>>,
    /// The purge that an earlier group made durable: segments below it may be deleted once one more group is.
    pub purged_durable: Option<u64>,
}

/// The frames of one group and who waits for them.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    dones: Vec<Done>,
    places: Vec<(Arc<LogRecord>, Place)>,
    /// Whether anything but waiting committed ids is in it.
    urgent: bool,
    closing: bool,
}

/// Creates segment `seq` with its head, durable when this returns.
///
/// A crash before the directory is synced leaves no file or a torn head: recovery removes it, nothing was in it.
pub(super) fn create_segment(
    disk: &dyn Disk,
    secrets: &Secrets,
    random: &mut RandomSource,
    seq: u64,
    previous: Option<Previous>,
    state: &LogState,
) -> io::Result<Active> {
    let (head, cipher) = secrets.write_head(seq, &random()?, previous, state)?;
    let file = disk.create(&segment::file_name(seq))?;
    file.write_at(0, &head)?;
    file.sync_data()?;
    disk.sync_dir()?;
    let len = head.len() as u64;
    Ok(Active { seq, file, cipher: Arc::new(cipher), len, durable: len, reserved: len })
}

impl Writer {
    /// Works until the log is closed or its handle is gone.
    pub fn run(mut self, queue: &Receiver<Op>) {
        loop {
            let op = if self.unmarked || self.committed_waiting.is_some() {
                queue.recv_timeout(self.config.idle_mark)
            } else {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let first = match op {
                Ok(op) => op,
                Err(RecvTimeoutError::Timeout) => Op::Mark { done: Box::new(|_| ()) },
                Err(RecvTimeoutError::Disconnected) => Op::Close,
            };
            let mut group = Group::default();
            let written = self.fill(first, queue, &mut group).and_then(|()| self.commit(&mut group));
            match written.and_then(|()| if group.closing { self.close() } else { Ok(()) }) {
                Ok(()) if group.closing => return,
                Ok(()) => {}
                Err(error) => return self.fail(&error, group, queue),
            }
        }
    }

    /// Puts `first` and whatever else is queued into the group.
    fn fill(&mut self, first: Op, queue: &Receiver<Op>, group: &mut Group) -> io::Result<()> {
        let mut next = Some(first);
        let mut bytes = 0;
        let mut failed = Ok(());
        while let Some(op) = next {
            bytes += op.bytes();
            group.closing |= matches!(op, Op::Close);
            // After a failure the rest is only collected, to be told.
            if failed.is_ok() {
                failed = self.encode(&op, group);
            }
            group.dones.extend(op.into_done());
            next = if group.closing || bytes >= self.config.group_bytes_max { None } else { queue.try_recv().ok() };
        }
        failed
    }

    fn encode(&mut self, op: &Op, group: &mut Group) -> io::Result<()> {
        match op {
            Op::Committed { bytes } => {
                self.committed_waiting = Some(bytes.clone());
                return Ok(());
            }
            Op::Close => return Ok(()),
            _ => {}
        }
        if group.bytes.is_empty() && self.active.len >= self.config.segment_bytes_max {
            self.rotate()?;
        }
        group.urgent = true;
        self.unmarked = true;
        if let Some(committed) = self.committed_waiting.take() {
            self.frame(group, Kind::Committed, 0, &[], &committed)?;
            self.state.committed = Some(committed);
        }
        match op {
            Op::Append { records, .. } => {
                for record in records {
                    let place = self.frame(group, Kind::Entry, record.index, &record.meta, &record.payload)?;
                    group.places.push((Arc::clone(record), place));
                    self.state.last = Some(record.index);
                    let entry_max = self.segments.entry(self.active.seq).or_default();
                    *entry_max = (*entry_max).max(Some(record.index));
                }
            }
            Op::TruncateFrom { index, .. } => {
                self.frame(group, Kind::TruncateFrom, *index, &[], &[])?;
                self.state.truncate_from(*index);
            }
            Op::Purge { purged, .. } => {
                self.frame(group, Kind::Purge, purged.index, &[], &purged.meta)?;
                self.state.purge(purged.clone());
            }
            Op::Vote { bytes, .. } => {
                self.frame(group, Kind::Vote, 0, &[], bytes)?;
                self.state.vote = Some(bytes.clone());
            }
            Op::Mark { .. } => {
                self.frame(group, Kind::Mark, 0, &[], &[])?;
                // A Mark vouches for earlier groups, not for what is written together with it.
                self.unmarked = !group.dones.is_empty();
            }
            Op::Committed { .. } | Op::Close => {}
        }
        Ok(())
    }

    /// Leaves the log as it is found fastest: with a Mark behind the last group, and without zeros at its end.
    fn close(&mut self) -> io::Result<()> {
        if self.unmarked || self.committed_waiting.is_some() {
            let mut group = Group::default();
            self.encode(&Op::Mark { done: Box::new(|_| ()) }, &mut group)?;
            self.commit(&mut group)?;
        }
        self.active.file.set_len(self.active.len)?;
        self.active.file.sync_data()
    }

    fn frame(&self, group: &mut Group, kind: Kind, index: u64, meta: &[u8], payload: &[u8]) -> io::Result<Place> {
        let offset = self.active.len + group.bytes.len() as u64;
        let draft = Draft { kind, index, meta, payload };
        let header = frame::seal(&self.active.cipher, draft, offset, self.active.durable, &mut group.bytes)
            .map_err(io::Error::other)?;
        Ok(Place { segment: self.active.seq, offset, len: header.frame_len() as u32 })
    }

    /// Writes the group, syncs once, answers.
    ///
    /// A crash before the sync returns leaves any part of the group: nobody was answered, recovery keeps the sound
    /// beginning. A crash after it leaves the group.
    fn commit(&mut self, group: &mut Group) -> io::Result<()> {
        if !group.urgent {
            return Ok(());
        }
        let end = self.active.len + group.bytes.len() as u64;
        if end > self.active.reserved {
            self.active.reserved = end.max((end + self.config.reserve_bytes).min(self.config.segment_bytes_max));
            group.bytes.resize((self.active.reserved - self.active.len) as usize, 0);
        }
        self.active.file.write_at(self.active.len, &group.bytes)?;
        if self.ack == AckMode::BeforeFsync {
            group.dones.drain(..).for_each(|done| done(Ok(())));
        }
        self.active.file.sync_data()?;
        self.active.len = end;
        self.active.durable = end;
        {
            let mut index = lock(&self.index);
            for (record, place) in group.places.drain(..) {
                index.written(&record, place);
            }
            index.evict();
        }
        group.dones.drain(..).for_each(|done| done(Ok(())));
        self.delete_segments()?;
        self.purged_durable = self.state.purged.as_ref().map(|purged| purged.index);
        Ok(())
    }

    /// Starts the next segment. All of the present one is durable: its groups were synced one by one.
    ///
    /// The zeros behind its end are given back without a sync: the next head says where it ended.
    fn rotate(&mut self) -> io::Result<()> {
        self.active.file.set_len(self.active.len)?;
        if let Some(committed) = self.committed_waiting.take() {
            self.state.committed = Some(committed);
        }
        let previous = Previous { seq: self.active.seq, len: self.active.len };
        let seq = self.active.seq + 1;
        let disk = self.disk.as_ref();
        self.active = create_segment(disk, &self.secrets, &mut self.random, seq, Some(previous), &self.state)?;
        self.segments.insert(seq, None);
        let segment = Segment { seq, file: Arc::clone(&self.active.file), cipher: Arc::clone(&self.active.cipher) };
        lock(&self.index).segments.insert(seq, segment);
        Ok(())
    }

    /// Deletes the oldest segments that hold nothing live.
    ///
    /// Runs one durable group after the one that carried the purge, so that a later watermark vouches for both the
    /// purge and the head that replaces the deleted segments. The directory is synced after each removal: a crash must
    /// not leave a gap, which would pass for a lost segment.
    fn delete_segments(&mut self) -> io::Result<()> {
        while let Some((seq, entry_max)) = self.segments.first_key_value().map(|(seq, max)| (*seq, *max)) {
            let dead = entry_max.is_none_or(|max| self.purged_durable.is_some_and(|purged| max <= purged));
            if seq == self.active.seq || !dead {
                break;
            }
            self.disk.remove(&segment::file_name(seq))?;
            self.disk.sync_dir()?;
            self.segments.pop_first();
            lock(&self.index).segments.remove(&seq);
        }
        Ok(())
    }

    /// The disk failed. What it holds now is unknown and a second fsync would lie, so nothing is tried again: the
    /// process is told first, then everyone who waits, and everyone who comes later.
    fn fail(self, error: &io::Error, group: Group, queue: &Receiver<Op>) {
        lock(&self.index).poisoned = Some(error.to_string());
        (self.fatal)(error);
        let tell = |done: Done| done(Err(poisoned(&error.to_string())));
        group.dones.into_iter().for_each(tell);
        let mut closing = group.closing;
        // The handle waits for this thread once it has sent the Close, so nothing comes after it.
        while !closing {
            let Ok(op) = queue.recv() else { return };
            closing = matches!(op, Op::Close);
            op.into_done().into_iter().for_each(tell);
        }
    }
}

/// The answer to everything after the disk failed.
pub(super) fn poisoned(cause: &str) -> io::Error {
    io::Error::other(format!(
        "the raft log failed and takes nothing more ({cause}); the outcome of writes in flight is unknown"
    ))
}

/// The index; a panic elsewhere while it was held leaves it consistent, since its methods do not call out.
pub(super) fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}
