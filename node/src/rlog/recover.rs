//! Opening a log: replays its segments and tells a torn tail from rot.
//!
//! The writer has at most one group of frames in flight, and each frame says how many bytes before it were fsynced when
//! it was issued. So at the first frame that is not what was written there are two cases:
//! - something later proves that this place had been fsynced (a frame whose watermark lies beyond it, or a following
//!   segment, whose head says how long this one was): **rot**, and the log is not opened;
//! - nothing does: it belongs to the **last group in flight**, whose write a crash may have torn. It is cut off.
//!
//! The window in which damage to acknowledged bytes can pass for a torn tail is therefore the last group of the last
//! segment, until the next group or the Mark that the writer adds when it has been idle.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::frame::{self, ALIGN_BYTES, Header, Kind};
use super::index::{Place, Segment};
use super::segment::{self, Head, HeadFault, SEGMENT_HEADER_BYTES, Secrets};
use super::state::{LogState, Purged};

/// Why a log is not opened. The node reports it and does not vote.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk failed.
    #[error("the raft log could not be {doing}: {source}; check the disk")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the disk answered.
        source: io::Error,
    },
    /// Acknowledged bytes are not what was written.
    #[error(
        "the raft log is damaged in {segment} at offset {offset} ({reason}), first bad entry {first_bad_index}; \
         do not start this node again, add a new one in its place"
    )]
    Rot {
        /// File name of the segment.
        segment: String,
        /// Offset of the first bad frame, in bytes.
        offset: u64,
        /// Index of the first entry that is not known to be sound.
        first_bad_index: u64,
        /// What proves that this is no torn tail.
        reason: RotReason,
    },
    /// The storage key is not the one the log was written under.
    #[error("the raft log in {segment} was written under another storage key; configure that key")]
    WrongKey {
        /// File name of the segment.
        segment: String,
    },
    /// The log belongs to another ledger.
    #[error("the raft log in {segment} belongs to another ledger; check the data directory")]
    WrongLedger {
        /// File name of the segment.
        segment: String,
    },
    /// The log was written by another format version.
    #[error("the raft log in {segment} has format version {version}, which this build cannot read; use a newer build")]
    Version {
        /// File name of the segment.
        segment: String,
        /// The version found.
        version: u32,
    },
}

/// What proves that acknowledged bytes are gone or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotReason {
    /// A later frame says the place had been fsynced.
    #[error("a later frame proves it was durable")]
    LaterFrame,
    /// A later segment says the place had been fsynced.
    #[error("a later segment proves it was durable")]
    LaterSegment,
    /// A segment between two others is missing.
    #[error("the segment is missing")]
    MissingSegment,
    /// The frames are sound one by one but contradict each other.
    #[error("sound frames contradict each other")]
    Contradiction,
    /// Entries that were never purged are in no segment.
    #[error("entries that were never purged are missing")]
    MissingEntries,
}

/// A tail that a crash tore, and that recovery cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// File name of the segment.
    pub segment: String,
    /// Where the cut was made, in bytes.
    pub offset: u64,
    /// Bytes cut off, not counting zeros written ahead.
    pub bytes: u64,
}

/// A segment as replayed.
pub struct Replayed {
    /// To read from.
    pub segment: Segment,
    /// Bytes of it that count.
    pub len: u64,
    /// The highest entry index in it, truncated ones included.
    pub entry_max: Option<u64>,
}

/// A replayed log.
#[derive(Default)]
pub struct Replay {
    /// Its small state.
    pub state: LogState,
    /// Where its live entries are.
    pub places: BTreeMap<u64, Place>,
    /// Its segments, in order.
    pub segments: Vec<Replayed>,
    /// What was cut off.
    pub torn: Option<TornTail>,
    /// The sequence number for the next segment.
    pub next_seq: u64,
    /// The last index that the head of the first segment knows of.
    base_last: Option<u64>,
}

/// Replays the log in `disk`, cutting off a torn tail. Nothing else is changed, and a second call finds the same.
pub fn replay(disk: &dyn Disk, secrets: &Secrets) -> Result<Replay, OpenError> {
    let (mut heads, torn_head) = load_heads(disk, secrets)?;
    let mut replay = Replay::default();
    let last_seq = heads.keys().next_back().copied();
    let mut first = true;
    while let Some((seq, (file, head))) = heads.pop_first() {
        let next = heads.first_key_value().map(|(_, (_, head))| head.previous);
        let limit = match next {
            None => None,
            Some(Some(previous)) if previous.seq == seq => Some(previous.len),
            Some(_) => return Err(rot(seq, 0, &replay.state, RotReason::Contradiction)),
        };
        replay.enter(seq, &head, first)?;
        first = false;
        replay.scan(seq, file, head, limit)?;
    }
    if let Some((seq, torn)) = torn_head {
        // A crash before the directory is synced leaves the torn file: the next opening removes it again.
        disk.remove(&segment::file_name(seq)).map_err(io("repaired"))?;
        disk.sync_dir().map_err(io("repaired"))?;
        replay.torn = replay.torn.or(Some(torn));
    }
    replay.next_seq = last_seq.map_or(1, |seq| seq + 1);
    replay.check_complete(last_seq)?;
    Ok(replay)
}

type Heads = BTreeMap<u64, (Arc<dyn DiskFile>, Head)>;

/// Reads all heads. The head of the last segment may be torn: such a segment holds nothing that was acknowledged.
fn load_heads(disk: &dyn Disk, secrets: &Secrets) -> Result<(Heads, Option<(u64, TornTail)>), OpenError> {
    let names = disk.list().map_err(io("listed"))?;
    let seqs: Vec<u64> = names.iter().filter_map(|name| segment::parse_file_name(name)).collect();
    let mut heads = Heads::new();
    let mut torn = None;
    let empty = LogState::default();
    for (at, seq) in seqs.iter().copied().enumerate() {
        if at.checked_sub(1).and_then(|before| seqs.get(before)).is_some_and(|before| before + 1 != seq) {
            return Err(rot(seq - 1, 0, &empty, RotReason::MissingSegment));
        }
        let segment = segment::file_name(seq);
        let file = disk.open(&segment).map_err(io("opened"))?;
        match secrets.read_head(seq, file.as_ref()).map_err(io("read"))? {
            Ok(head) => {
                heads.insert(seq, (file, head));
            }
            Err(HeadFault::Version { version }) => return Err(OpenError::Version { segment, version }),
            Err(HeadFault::WrongLedger) => return Err(OpenError::WrongLedger { segment }),
            Err(HeadFault::WrongKey) => return Err(OpenError::WrongKey { segment }),
            Err(HeadFault::Damaged { offset }) if at + 1 < seqs.len() => {
                return Err(rot(seq, offset, &empty, RotReason::LaterSegment));
            }
            Err(HeadFault::Damaged { offset }) => {
                let bytes = read_all(file.as_ref())?;
                if proven_durable(&bytes, offset) {
                    return Err(rot(seq, offset, &empty, RotReason::LaterFrame));
                }
                torn = Some((seq, TornTail { segment, offset: 0, bytes: used(&bytes) }));
            }
        }
    }
    Ok((heads, torn))
}

impl Replay {
    /// Takes over the state at the head of a segment, which must be the one that the segments before it lead to.
    fn enter(&mut self, seq: u64, head: &Head, first: bool) -> Result<(), OpenError> {
        let same = self.state.vote == head.state.vote
            && self.state.purged == head.state.purged
            && self.state.last == head.state.last;
        if !first && !same {
            return Err(rot(seq, SEGMENT_HEADER_BYTES as u64, &self.state, RotReason::Contradiction));
        }
        if first {
            self.base_last = head.state.last;
        }
        self.state = head.state.clone();
        Ok(())
    }

    /// Replays the frames of one segment: up to `limit` when a later segment says how long it was, else up to its
    /// end, cutting off a torn tail.
    fn scan(&mut self, seq: u64, file: Arc<dyn DiskFile>, head: Head, limit: Option<u64>) -> Result<(), OpenError> {
        let mut bytes = read_all(file.as_ref())?;
        let limit_bytes = limit.map_or(bytes.len(), |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let mut at = head.len;
        let mut entry_max = None;
        while (at as usize) < limit_bytes {
            let header = bytes.get(at as usize..limit_bytes.min(bytes.len())).and_then(|rest| Header::decode(rest, at));
            let whole = header.and_then(|header| {
                let frame = bytes.get_mut(at as usize..at as usize + header.frame_len())?;
                Some((header, frame::open(&head.cipher, &header, frame)?))
            });
            let Some((header, body)) = whole else { break };
            let place = Place { segment: seq, offset: at, len: header.frame_len() as u32 };
            if !self.apply(&header, body, place) {
                return Err(rot(seq, at, &self.state, RotReason::Contradiction));
            }
            if header.kind == Kind::Entry {
                entry_max = entry_max.max(Some(header.index));
            }
            at += header.frame_len() as u64;
        }
        match limit {
            Some(limit) if at != limit => return Err(rot(seq, at, &self.state, RotReason::LaterSegment)),
            Some(_) => {}
            None if proven_durable(&bytes, at) => return Err(rot(seq, at, &self.state, RotReason::LaterFrame)),
            None => self.cut_tail(seq, file.as_ref(), &bytes, at).map_err(io("repaired"))?,
        }
        let segment = Segment { seq, file, cipher: Arc::new(head.cipher) };
        self.segments.push(Replayed { segment, len: at, entry_max });
        Ok(())
    }

    fn apply(&mut self, header: &Header, body: &[u8], place: Place) -> bool {
        match header.kind {
            Kind::State => return false,
            Kind::Mark => {}
            Kind::Vote => self.state.vote = Some(body.to_vec()),
            Kind::Committed => self.state.committed = Some(body.to_vec()),
            Kind::Entry if self.state.accepts(header.index) => {
                self.state.last = Some(header.index);
                self.places.insert(header.index, place);
            }
            Kind::Entry => return false,
            Kind::TruncateFrom if self.state.may_truncate_from(header.index) => {
                self.state.truncate_from(header.index);
                self.places.split_off(&header.index);
            }
            Kind::TruncateFrom => return false,
            Kind::Purge => {
                self.state.purge(Purged { index: header.index, meta: body.to_vec() });
                self.places = self.places.split_off(&header.index.saturating_add(1));
            }
        }
        true
    }

    /// Cuts the last segment at `at` and makes what is left durable: it may be in the page cache only.
    ///
    /// After an fsync that failed, the kernel calls pages clean that are not on disk, so this fsync may lie about the last
    /// group. That cannot pass unnoticed: the next segment's head states the length, and a shorter file is then rot.
    fn cut_tail(&mut self, seq: u64, file: &dyn DiskFile, bytes: &[u8], at: u64) -> io::Result<()> {
        let torn = used(bytes.get(at as usize..).unwrap_or_default());
        if torn > 0 {
            self.torn = Some(TornTail { segment: segment::file_name(seq), offset: at, bytes: torn });
        }
        if bytes.len() as u64 > at {
            file.set_len(at)?;
        }
        file.sync_data()
    }

    /// Every entry between the purged one and the last one must have been found.
    fn check_complete(&self, last_seq: Option<u64>) -> Result<(), OpenError> {
        let Some(last) = self.state.last else { return Ok(()) };
        let first_place = self.places.first_key_value().map(|(index, _)| *index);
        let start = match (&self.state.purged, self.base_last, first_place) {
            (Some(purged), ..) => purged.index + 1,
            // Entries from before the first segment, and no purge that would have allowed deleting theirs.
            (None, Some(_), _) => 0,
            // A log that never was purged begins wherever its first entry was put.
            (None, None, Some(first)) => first,
            (None, None, None) => return Ok(()),
        };
        let complete = self.places.len() as u64 == (last + 1).saturating_sub(start)
            && first_place.is_none_or(|first| first == start);
        if complete {
            return Ok(());
        }
        let first_bad = (start..=last).find(|index| !self.places.contains_key(index)).unwrap_or(last);
        let state = LogState { last: first_bad.checked_sub(1), ..LogState::default() };
        Err(rot(last_seq.unwrap_or_default(), 0, &state, RotReason::MissingEntries))
    }
}

/// Whether a frame behind `bad` says that `bad` had been fsynced when it was issued.
fn proven_durable(bytes: &[u8], bad: u64) -> bool {
    let start = (bad as usize + 1).next_multiple_of(ALIGN_BYTES);
    (start..bytes.len()).step_by(ALIGN_BYTES).any(|at| {
        let rest = bytes.get(at..).unwrap_or_default();
        rest.starts_with(&frame::MAGIC) && Header::decode(rest, at as u64).is_some_and(|header| header.durable > bad)
    })
}

/// Bytes up to the last one that is not zero.
fn used(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
}

fn read_all(file: &dyn DiskFile) -> Result<Vec<u8>, OpenError> {
    let read = || {
        let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
        let have = file.read_at(0, &mut bytes)?;
        bytes.truncate(have);
        Ok(bytes)
    };
    read().map_err(io("read"))
}

fn io(doing: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io { doing, source }
}

fn rot(seq: u64, offset: u64, state: &LogState, reason: RotReason) -> OpenError {
    let first_bad_index = state.last.map_or(0, |last| last.saturating_add(1));
    OpenError::Rot { segment: segment::file_name(seq), offset, first_bad_index, reason }
}
