//! The archive: where a span's objects lie in storage and how their bytes are framed.

mod framing;
mod map_path;
mod names;

pub use framing::{
    ArchivedPayload, BundleReader, LeafHashReader, PayloadReader, append_leaf, append_leaf_hash, append_payload,
};
pub use map_path::MapPathFile;
pub use names::{ObjectName, SpanName, SpanObject, ledger_prefix};

/// Why a name or an object's bytes are not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not a path that this crate would write.
    #[error("no object of an archive has this path")]
    Path,
    /// The object ends within a record.
    #[error("the {what} object ends within record {record}; fetch the whole object")]
    Truncated {
        /// Which kind of object.
        what: &'static str,
        /// Which record, from 0.
        record: u64,
    },
    /// A record's length is outside its range, in bytes.
    #[error("record {record} of the {what} object states {got} bytes, expected {min} to {max}")]
    Length {
        /// Which kind of object.
        what: &'static str,
        /// Which record, from 0.
        record: u64,
        /// Least length.
        min: usize,
        /// Greatest length.
        max: usize,
        /// The stated length.
        got: usize,
    },
    /// A line of a tenant map path that is missing or malformed, from 1.
    #[error("line {line} of the tenant map path must be {expected}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// The numbers of a tenant map path contradict each other.
    #[error("the tenant map path states an index, a size or a number of hashes that cannot be")]
    MapPath,
    /// The source of the bytes failed.
    #[error("the object cannot be read: {0}")]
    Source(#[from] std::io::Error),
}

#[cfg(test)]
mod tests;
