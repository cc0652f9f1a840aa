//! Which entries are live and where they are: in memory, on disk, or both.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use chacha20poly1305::ChaCha20Poly1305;

use super::disk::DiskFile;
use super::frame::{self, Header, Kind};
use super::segment;
use super::state::{LogState, Purged};

/// One entry of the log. The engine looks at the index only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Position in the log; consecutive.
    pub index: u64,
    /// Small part, up to 65,535 bytes (the adapter keeps term, node and kind here).
    pub meta: Vec<u8>,
    /// Large part, shared and never copied.
    pub payload: Arc<[u8]>,
}

impl LogRecord {
    fn cost(&self) -> usize {
        self.meta.len() + self.payload.len()
    }
}

/// Where a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Sequence number of the segment.
    pub segment: u64,
    /// Byte offset of the frame in it.
    pub offset: u64,
    /// Bytes of the whole frame.
    pub len: u32,
}

/// An entry: in memory while it is not written, and for as long as the cache has room.
#[derive(Debug, Clone)]
struct Slot {
    place: Option<Place>,
    record: Option<Arc<LogRecord>>,
}

/// A segment one can read from.
#[derive(Clone)]
pub struct Segment {
    /// Its sequence number.
    pub seq: u64,
    /// Its file.
    pub file: Arc<dyn DiskFile>,
    /// Its cipher.
    pub cipher: Arc<ChaCha20Poly1305>,
}

/// An entry found by [`Index::find`]: at hand, or to be read from disk.
pub enum Found {
    /// In memory.
    Record(Arc<LogRecord>),
    /// On disk.
    OnDisk(u64, Place, Segment),
}

/// The live entries, the small state and the open segments.
pub struct Index {
    /// Vote, committed, purged, last: as of the last call, durable or not.
    pub state: LogState,
    /// Segments that are open for reading.
    pub segments: BTreeMap<u64, Segment>,
    /// Set once, when the disk failed.
    pub poisoned: Option<String>,
    first: u64,
    slots: VecDeque<Slot>,
    /// Entries from this index on have their record in memory.
    cached_from: u64,
    cached_bytes: usize,
    cache_bytes_max: usize,
}

impl Index {
    /// An index over what recovery found; `places` are those of the live entries from `first` on.
    pub fn new(
        state: LogState,
        segments: BTreeMap<u64, Segment>,
        first: u64,
        places: impl IntoIterator<Item = Place>,
        cache_bytes_max: usize,
    ) -> Self {
        let slots: VecDeque<Slot> = places.into_iter().map(|place| Slot { place: Some(place), record: None }).collect();
        let cached_from = first + slots.len() as u64;
        Self { state, segments, poisoned: None, first, slots, cached_from, cached_bytes: 0, cache_bytes_max }
    }

    /// Index of the first live entry and the index after the last one.
    pub fn live(&self) -> Range<u64> {
        self.first..self.first + self.slots.len() as u64
    }

    /// Appends records; they are readable from now on.
    ///
    /// # Errors
    /// `InvalidInput` when the indexes are not the next ones; nothing is appended then.
    pub fn append(&mut self, records: &[Arc<LogRecord>]) -> io::Result<()> {
        let mut state = self.state.clone();
        for record in records {
            if !state.accepts(record.index) {
                return Err(invalid(format!("entry {} does not follow the last one, {:?}", record.index, state.last)));
            }
            state.last = Some(record.index);
        }
        for record in records {
            if self.slots.is_empty() {
                self.first = record.index;
                self.cached_from = record.index;
            }
            self.cached_bytes += record.cost();
            self.slots.push_back(Slot { place: None, record: Some(Arc::clone(record)) });
        }
        self.state = state;
        Ok(())
    }

    /// Removes the entries from `from` on.
    ///
    /// # Errors
    /// `InvalidInput` when `from` was purged.
    pub fn truncate_from(&mut self, from: u64) -> io::Result<()> {
        if !self.state.may_truncate_from(from) {
            return Err(invalid(format!("entry {from} was purged and cannot be truncated")));
        }
        while self.live().end > from.max(self.first) {
            self.slots.pop_back().iter().for_each(|slot| self.forget(slot));
        }
        self.cached_from = self.cached_from.min(self.live().end);
        self.state.truncate_from(from);
        Ok(())
    }

    /// Removes the entries up to and including `purged`.
    pub fn purge(&mut self, purged: Purged) {
        while !self.slots.is_empty() && self.first <= purged.index {
            self.slots.pop_front().iter().for_each(|slot| self.forget(slot));
            self.first += 1;
        }
        self.first = self.first.max(purged.index.saturating_add(1));
        self.cached_from = self.cached_from.max(self.first);
        self.state.purge(purged);
    }

    fn forget(&mut self, slot: &Slot) {
        if let Some(record) = &slot.record {
            self.cached_bytes -= record.cost();
        }
    }

    /// Notes that a record has been written. A record that was truncated in the meantime, even one replaced by another
    /// under the same index, is left alone.
    pub fn written(&mut self, record: &Arc<LogRecord>, place: Place) {
        let slot = record.index.checked_sub(self.first).and_then(|at| self.slots.get_mut(at as usize));
        if let Some(slot) = slot.filter(|slot| slot.record.as_ref().is_some_and(|held| Arc::ptr_eq(held, record))) {
            slot.place = Some(place);
        }
    }

    /// Drops the oldest written records from memory until the cache is within its bound.
    pub fn evict(&mut self) {
        while self.cached_bytes > self.cache_bytes_max {
            let at = self.cached_from.saturating_sub(self.first) as usize;
            let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.place.is_some()) else { return };
            if let Some(record) = slot.record.take() {
                self.cached_bytes -= record.cost();
            }
            self.cached_from += 1;
        }
    }

    /// The live entries of `range`, in order, up to `bytes_max` bytes but at least one.
    ///
    /// # Errors
    /// `NotFound` when a segment is not open, which recovery excludes.
    pub fn find(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Found>> {
        let live = self.live();
        let range = range.start.max(live.start)..range.end.min(live.end);
        let mut found = Vec::new();
        let mut bytes = 0_usize;
        for index in range {
            let Some(slot) = self.slots.get((index - self.first) as usize) else { break };
            let (cost, item) = match (&slot.record, slot.place) {
                (Some(record), _) => (record.cost(), Found::Record(Arc::clone(record))),
                (None, Some(place)) => {
                    let segment = self.segments.get(&place.segment).ok_or_else(|| {
                        io::Error::new(io::ErrorKind::NotFound, format!("segment {:016x} is not open", place.segment))
                    })?;
                    (place.len as usize, Found::OnDisk(index, place, segment.clone()))
                }
                (None, None) => {
                    return Err(io::Error::other(format!("entry {index} is neither in memory nor on disk")));
                }
            };
            bytes = bytes.saturating_add(cost);
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push(item);
        }
        Ok(found)
    }
}

impl Found {
    /// The record, when it is in memory.
    pub fn in_memory(self) -> Option<Arc<LogRecord>> {
        match self {
            Self::Record(record) => Some(record),
            Self::OnDisk(..) => None,
        }
    }

    /// The record; read, decrypted and authenticated when it is not in memory.
    ///
    /// # Errors
    /// `InvalidData`, naming the place, when the bytes on disk are not those that were written.
    pub fn load(self) -> io::Result<Arc<LogRecord>> {
        let (index, place, segment) = match self {
            Self::Record(record) => return Ok(record),
            Self::OnDisk(index, place, segment) => (index, place, segment),
        };
        let mut bytes = vec![0; place.len as usize];
        let have = segment.file.read_at(place.offset, &mut bytes)?;
        let record = Header::decode(&bytes, place.offset)
            .filter(|header| have == bytes.len() && header.frame_len() == have)
            .filter(|header| header.kind == Kind::Entry && header.index == index)
            .and_then(|header| {
                let body = frame::open(&segment.cipher, &header, &mut bytes)?;
                let (meta, payload) = body.split_at_checked(usize::from(header.meta_len))?;
                Some(Arc::new(LogRecord { index, meta: meta.to_vec(), payload: Arc::from(payload) }))
            });
        record.ok_or_else(|| {
            let name = segment::file_name(place.segment);
            let text = format!(
                "raft log entry {index} is damaged on disk ({name}, offset {}); replace this node",
                place.offset
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        })
    }
}

/// A call that breaks the log's order.
pub fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
