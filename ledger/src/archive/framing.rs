//! Framing of leaves, leaf hashes and payload ciphertexts: appended to a buffer, read back as a stream in constant memory.

use std::io::Read;

use super::ArchiveError;
use crate::hash::Hash;
use crate::limits;
use crate::payload::{CIPHERTEXT_BYTES_MAX, OVERHEAD_BYTES};

const BUNDLE: &str = "bundle";
const LEAVES: &str = "leaves";
const PAYLOADS: &str = "payloads";

/// Appends one leaf in C2SP entry-bundle framing: 16-bit big-endian length, then the leaf (1 to 65,535 bytes).
pub fn append_leaf(bundle: &mut Vec<u8>, leaf: &[u8]) -> Result<(), ArchiveError> {
    let too_long =
        ArchiveError::Length { what: BUNDLE, record: 0, min: 1, max: limits::LEAF_BYTES_MAX, got: leaf.len() };
    let Some(length) = u16::try_from(leaf.len()).ok().filter(|n| *n > 0) else {
        return Err(too_long);
    };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(leaf);
    Ok(())
}

/// Appends one leaf hash, 32 bytes.
pub fn append_leaf_hash(leaves: &mut Vec<u8>, hash: &Hash) {
    leaves.extend_from_slice(hash.as_bytes());
}

/// Appends one payload: commitment, 32-bit big-endian length, ciphertext (48 bytes to the longest payload's).
pub fn append_payload(payloads: &mut Vec<u8>, commitment: &Hash, ciphertext: &[u8]) -> Result<(), ArchiveError> {
    let got = ciphertext.len();
    let length = checked_length(got, 0)?;
    payloads.extend_from_slice(commitment.as_bytes());
    payloads.extend_from_slice(&length.to_be_bytes());
    payloads.extend_from_slice(ciphertext);
    Ok(())
}

fn checked_length(got: usize, record: u64) -> Result<u32, ArchiveError> {
    let (min, max) = (OVERHEAD_BYTES, CIPHERTEXT_BYTES_MAX);
    let error = ArchiveError::Length { what: PAYLOADS, record, min, max, got };
    if !(min..=max).contains(&got) {
        return Err(error);
    }
    u32::try_from(got).map_err(|_| error)
}

/// Reads a bundle leaf by leaf.
pub struct BundleReader<R> {
    records: Records<R>,
}

impl<R: Read> BundleReader<R> {
    /// Reads from the start of a bundle object.
    pub fn new(source: R) -> Self {
        BundleReader { records: Records::new(source, BUNDLE) }
    }

    /// The next leaf, or `None` at the end of the object. The slice holds until the next call.
    pub fn next_leaf(&mut self) -> Result<Option<&[u8]>, ArchiveError> {
        let mut header = [0u8; 2];
        if !self.records.header(&mut header)? {
            return Ok(None);
        }
        let got = usize::from(u16::from_be_bytes(header));
        if got == 0 {
            let (record, max) = (self.records.record, limits::LEAF_BYTES_MAX);
            return Err(ArchiveError::Length { what: BUNDLE, record, min: 1, max, got });
        }
        self.records.body(got).map(Some)
    }
}

/// Reads a list of leaf hashes.
pub struct LeafHashReader<R> {
    records: Records<R>,
}

impl<R: Read> LeafHashReader<R> {
    /// Reads from the start of a `leaves` object.
    pub fn new(source: R) -> Self {
        LeafHashReader { records: Records::new(source, LEAVES) }
    }

    /// The next hash, or `None` at the end of the object.
    pub fn next_hash(&mut self) -> Result<Option<Hash>, ArchiveError> {
        let mut hash = [0u8; 32];
        if !self.records.header(&mut hash)? {
            return Ok(None);
        }
        self.records.record += 1;
        Ok(Some(Hash(hash)))
    }
}

/// One record of a payloads object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchivedPayload<'a> {
    /// The commitment that the leaf carries.
    pub commitment: Hash,
    /// Ciphertext with its tag.
    pub ciphertext: &'a [u8],
}

/// Reads a payloads object record by record.
pub struct PayloadReader<R> {
    records: Records<R>,
}

impl<R: Read> PayloadReader<R> {
    /// Reads from the start of a payloads object.
    pub fn new(source: R) -> Self {
        PayloadReader { records: Records::new(source, PAYLOADS) }
    }

    /// The next payload, or `None` at the end of the object. The slice holds until the next call.
    pub fn next_payload(&mut self) -> Result<Option<ArchivedPayload<'_>>, ArchiveError> {
        let mut commitment = [0u8; 32];
        if !self.records.header(&mut commitment)? {
            return Ok(None);
        }
        let mut length = [0u8; 4];
        self.records.exact(&mut length)?;
        let got = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        checked_length(got, self.records.record)?;
        let ciphertext = self.records.body(got)?;
        Ok(Some(ArchivedPayload { commitment: Hash(commitment), ciphertext }))
    }
}

/// A source of records with one buffer that grows with the bytes that are really there.
struct Records<R> {
    source: R,
    buffer: Vec<u8>,
    what: &'static str,
    record: u64,
}

impl<R: Read> Records<R> {
    fn new(source: R, what: &'static str) -> Self {
        Records { source, buffer: Vec::new(), what, record: 0 }
    }

    /// Fills `header` with a record's first bytes; false when the object ends exactly before it.
    fn header(&mut self, header: &mut [u8]) -> Result<bool, ArchiveError> {
        let Some((first, rest)) = header.split_first_mut() else { return Ok(false) };
        let got = (&mut self.source).take(1).read_to_end({
            self.buffer.clear();
            &mut self.buffer
        })?;
        match self.buffer.first() {
            Some(byte) if got == 1 => *first = *byte,
            _ => return Ok(false),
        }
        self.exact(rest)?;
        Ok(true)
    }

    fn exact(&mut self, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        let (what, record) = (self.what, self.record);
        self.source.read_exact(bytes).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => ArchiveError::Truncated { what, record },
            _ => ArchiveError::Source(e),
        })
    }

    fn body(&mut self, length: usize) -> Result<&[u8], ArchiveError> {
        self.buffer.clear();
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        let got = (&mut self.source).take(limit).read_to_end(&mut self.buffer)?;
        if got != length {
            return Err(ArchiveError::Truncated { what: self.what, record: self.record });
        }
        self.record += 1;
        Ok(&self.buffer)
    }
}
