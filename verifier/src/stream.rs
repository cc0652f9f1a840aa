//! Reads objects with large buffers and hashes them on the way: bundles record by record, lists of leaf hashes whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use assent_ledger::hash::Hash;
use sha2::{Digest, Sha256};

/// Large enough for the longest record and for few system calls, in bytes.
const BUFFER_BYTES: usize = 1 << 18;

/// Digest and length of an object, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// SHA-256 of the bytes.
    pub digest: Hash,
    /// How many there were.
    pub length: u64,
}

/// Why a bundle's next record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The object ends within a record.
    #[error("the object ends within record {record}")]
    Truncated {
        /// Which record, from 0.
        record: u64,
    },
    /// A record of no bytes.
    #[error("record {record} is empty")]
    Empty {
        /// Which record, from 0.
        record: u64,
    },
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file read through one buffer, every byte hashed.
struct Source {
    file: File,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    hasher: Sha256,
    length: u64,
}

impl Source {
    fn open(path: &Path, buffer: Vec<u8>) -> io::Result<Self> {
        let mut buffer = buffer;
        buffer.resize(BUFFER_BYTES, 0);
        Ok(Source { file: File::open(path)?, buffer, from: 0, to: 0, hasher: Sha256::new(), length: 0 })
    }

    /// Makes at least `want` bytes available; false when the file ends before.
    fn fill(&mut self, want: usize) -> io::Result<bool> {
        if self.to - self.from >= want {
            return Ok(true);
        }
        self.buffer.copy_within(self.from..self.to, 0);
        (self.to, self.from) = (self.to - self.from, 0);
        while self.to < want {
            let Some(free) = self.buffer.get_mut(self.to..) else { return Ok(false) };
            let got = match self.file.read(free) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if got == 0 {
                return Ok(false);
            }
            self.hasher.update(free.get(..got).unwrap_or_default());
            self.length += got as u64;
            self.to += got;
        }
        Ok(true)
    }

    fn finish(mut self) -> io::Result<(Measured, Vec<u8>)> {
        loop {
            (self.from, self.to) = (0, 0);
            if !self.fill(1)? {
                let digest = Hash(self.hasher.finalize().into());
                return Ok((Measured { digest, length: self.length }, self.buffer));
            }
        }
    }
}

/// A bundle or any other object, read in order.
pub struct Bundle {
    source: Source,
    record: u64,
}

impl Bundle {
    /// Opens the object; `buffer` is reused from the one before.
    pub fn open(path: &Path, buffer: Vec<u8>) -> io::Result<Self> {
        Ok(Bundle { source: Source::open(path, buffer)?, record: 0 })
    }

    /// The next leaf, or `None` at the end of the object.
    pub fn next_leaf(&mut self) -> Result<Option<&[u8]>, StreamError> {
        let record = self.record;
        if !self.source.fill(2)? {
            let rest = self.source.to - self.source.from;
            return if rest == 0 { Ok(None) } else { Err(StreamError::Truncated { record }) };
        }
        let header = self.source.buffer.get(self.source.from..).and_then(|b| b.first_chunk::<2>());
        let length = usize::from(u16::from_be_bytes(*header.ok_or(StreamError::Truncated { record })?));
        if length == 0 {
            return Err(StreamError::Empty { record });
        }
        if !self.source.fill(2 + length)? {
            return Err(StreamError::Truncated { record });
        }
        let start = self.source.from + 2;
        self.source.from = start + length;
        self.record += 1;
        self.source.buffer.get(start..start + length).map(Some).ok_or(StreamError::Truncated { record })
    }

    /// Reads what is left and gives the whole object's digest, with the buffer for the next.
    pub fn finish(self) -> io::Result<(Measured, Vec<u8>)> {
        self.source.finish()
    }
}

/// Digest and length of an object.
pub fn measure(path: &Path, buffer: Vec<u8>) -> io::Result<(Measured, Vec<u8>)> {
    Source::open(path, buffer)?.finish()
}

/// Reads a `leaves` object: its hashes, at most `max` (any more are only hashed), and the number of bytes after the last whole
/// hash that was kept.
pub fn read_leaves(path: &Path, max: usize, buffer: Vec<u8>) -> io::Result<(Vec<Hash>, u64, Measured, Vec<u8>)> {
    let mut source = Source::open(path, buffer)?;
    let mut leaves = Vec::new();
    while leaves.len() < max && source.fill(32)? {
        let available = source.buffer.get(source.from..source.to).unwrap_or_default();
        let (chunks, _) = available.as_chunks::<32>();
        let take = chunks.len().min(max - leaves.len());
        leaves.extend(chunks.iter().take(take).map(|c| Hash(*c)));
        source.from += take * 32;
    }
    let (measured, buffer) = source.finish()?;
    let kept = leaves.len() as u64 * 32;
    Ok((leaves, measured.length.saturating_sub(kept), measured, buffer))
}
