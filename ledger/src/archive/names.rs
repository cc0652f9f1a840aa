//! Paths of objects in storage. Every path has one spelling, and none can leave its span's directory.

use core::fmt;
use core::str::FromStr;

use super::ArchiveError;
use crate::hash::Hash;
use crate::ids::{Origin, Seq, TreeSize};

/// The first path element of a ledger: its origin with every character outside `[A-Za-z0-9._-]` replaced by `_`.
///
/// An origin of dots only becomes underscores, so that no prefix means "here" or "above". Two origins may share a prefix:
/// what lies there is told apart by its signatures, and a node refuses to start over a prefix that it does not know.
pub fn ledger_prefix(origin: &Origin) -> String {
    let dots_only = origin.as_str().bytes().all(|b| b == b'.');
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || (c == '.' && !dots_only);
    origin.as_str().chars().map(|c| if keep(c) { c } else { '_' }).collect()
}

/// A span as its directory names it: `<start>-<end>`, both with 20 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpanName {
    /// First entry.
    pub start: Seq,
    /// Entry after the last; the size of the span's checkpoint.
    pub end: TreeSize,
}

impl fmt::Display for SpanName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:020}", self.start.0, self.end.0)
    }
}

impl FromStr for SpanName {
    type Err = ArchiveError;

    fn from_str(text: &str) -> Result<Self, ArchiveError> {
        let (start, end) = text.split_once('-').ok_or(ArchiveError::Path)?;
        let name = SpanName { start: Seq(padded(start)?), end: TreeSize(padded(end)?) };
        if name.start.0 < name.end.0 { Ok(name) } else { Err(ArchiveError::Path) }
    }
}

fn padded(text: &str) -> Result<u64, ArchiveError> {
    if text.len() != 20 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ArchiveError::Path);
    }
    text.parse().map_err(|_| ArchiveError::Path)
}

/// An object of a span. Tenants appear by their opaque id. The order is the order of the paths' bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanObject {
    /// The checkpoint note with the log's signature and the committed cosignatures.
    Checkpoint,
    /// Every leaf hash of the span, 32 bytes each.
    Leaves,
    /// The manifest note.
    Manifest,
    /// One tenant's leaves.
    TenantBundle(Hash),
    /// One tenant's place in the tenant map.
    TenantMap(Hash),
    /// One tenant's payload ciphertexts.
    TenantPayloads(Hash),
}

impl SpanObject {
    /// Sorts as the path does: `checkpoint`, `leaves`, `manifest`, `tenants/<id>/bundle|map|payloads`.
    fn sort_key(&self) -> (u8, Option<&Hash>, u8) {
        match self {
            SpanObject::Checkpoint => (0, None, 0),
            SpanObject::Leaves => (1, None, 0),
            SpanObject::Manifest => (2, None, 0),
            SpanObject::TenantBundle(id) => (3, Some(id), 0),
            SpanObject::TenantMap(id) => (3, Some(id), 1),
            SpanObject::TenantPayloads(id) => (3, Some(id), 2),
        }
    }
}

impl PartialOrd for SpanObject {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SpanObject {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl fmt::Display for SpanObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpanObject::Checkpoint => f.write_str("checkpoint"),
            SpanObject::Leaves => f.write_str("leaves"),
            SpanObject::Manifest => f.write_str("manifest"),
            SpanObject::TenantBundle(id) => write!(f, "tenants/{id}/bundle"),
            SpanObject::TenantMap(id) => write!(f, "tenants/{id}/map"),
            SpanObject::TenantPayloads(id) => write!(f, "tenants/{id}/payloads"),
        }
    }
}

impl FromStr for SpanObject {
    type Err = ArchiveError;

    fn from_str(text: &str) -> Result<Self, ArchiveError> {
        match text {
            "checkpoint" => return Ok(SpanObject::Checkpoint),
            "leaves" => return Ok(SpanObject::Leaves),
            "manifest" => return Ok(SpanObject::Manifest),
            _ => {}
        }
        let rest = text.strip_prefix("tenants/").ok_or(ArchiveError::Path)?;
        let (id, kind) = rest.split_once('/').ok_or(ArchiveError::Path)?;
        let id: Hash = id.parse().map_err(|_| ArchiveError::Path)?;
        match kind {
            "bundle" => Ok(SpanObject::TenantBundle(id)),
            "map" => Ok(SpanObject::TenantMap(id)),
            "payloads" => Ok(SpanObject::TenantPayloads(id)),
            _ => Err(ArchiveError::Path),
        }
    }
}

/// An object's whole path: `<ledger prefix>/spans/<start>-<end>/<object>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    /// The ledger's prefix, as `ledger_prefix` gives it.
    pub prefix: String,
    /// The span.
    pub span: SpanName,
    /// The object.
    pub object: SpanObject,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/spans/{}/{}", self.prefix, self.span, self.object)
    }
}

impl FromStr for ObjectName {
    type Err = ArchiveError;

    fn from_str(text: &str) -> Result<Self, ArchiveError> {
        let mut parts = text.splitn(4, '/');
        let (Some(prefix), Some("spans"), Some(span), Some(object)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ArchiveError::Path);
        };
        // A prefix is the prefix of itself: same alphabet, not dots only, not empty, not too long.
        let as_origin = Origin::new(prefix).map_err(|_| ArchiveError::Path)?;
        if ledger_prefix(&as_origin) != prefix {
            return Err(ArchiveError::Path);
        }
        Ok(ObjectName { prefix: prefix.to_owned(), span: span.parse()?, object: object.parse()? })
    }
}
