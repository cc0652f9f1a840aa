//! Typed bodies of the entries that seal, cosign and anchor a span; unknown and missing fields are refused.

pub(crate) mod fields;
mod keys;

pub use fields::BodyError;
pub use keys::{KeyEndorsed, KeyRetired, LedgerCreated};

use core::fmt;
use core::str::FromStr;

use fields::{Fields, int, object, string};

use crate::hash::Hash;
use crate::ids::{NodeId, Seq, Time, TreeSize};
use crate::json::Value;
use crate::limits;
use crate::note::NoteSignature;

/// Longest sink URI and object version id, in bytes.
const SINK_TEXT_BYTES_MAX: usize = 1024;

/// Why a span was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealReason {
    /// Enough entries of tenants.
    Count,
    /// Enough time since the last seal, with entries.
    Time,
    /// Enough time since the last seal, and nothing happened: silence is attested.
    Idle,
    /// An operator asked.
    Manual,
}

impl SealReason {
    /// The reason's name in entries and manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            SealReason::Count => "count",
            SealReason::Time => "time",
            SealReason::Idle => "idle",
            SealReason::Manual => "manual",
        }
    }
}

impl fmt::Display for SealReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no seal reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected count, time, idle or manual")]
pub struct SealReasonParseError;

impl FromStr for SealReason {
    type Err = SealReasonParseError;

    fn from_str(text: &str) -> Result<Self, SealReasonParseError> {
        [SealReason::Count, SealReason::Time, SealReason::Idle, SealReason::Manual]
            .into_iter()
            .find(|r| r.as_str() == text)
            .ok_or(SealReasonParseError)
    }
}

/// Body of `assent.span.sealed`, the last leaf of a span: `seq = size`, and the checkpoint over it has size `size + 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanSealed {
    /// Version of the kernel that decided the span.
    pub kernel_version: u32,
    /// The node that led when the seal was proposed.
    pub leader_node: NodeId,
    /// Raft log index of the seal.
    pub log_index: u64,
    /// Node ids of the voters, strictly ascending, at least one.
    pub membership: Vec<NodeId>,
    /// Why.
    pub reason: SealReason,
    /// Root of the tree of `size` leaves, before this one.
    pub root: Hash,
    /// Number of leaves before this one.
    pub size: TreeSize,
    /// First entry of the span.
    pub span_start: Seq,
    /// Digest of the kernel's state.
    pub state_digest: Hash,
    /// Root of the tenant map, as of just before this leaf.
    pub tenant_map_root: Hash,
    /// Raft term of the seal.
    pub term: u64,
}

impl SpanSealed {
    /// The entry type.
    pub const KIND: &'static str = "assent.span.sealed";

    /// Size of the checkpoint over this seal: one more than `size`.
    pub const fn checkpoint_size(&self) -> TreeSize {
        TreeSize(self.size.0.saturating_add(1))
    }

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::Map(object([
            ("kernel_version", int(self.kernel_version)),
            ("leader_node", string(self.leader_node)),
            ("log_index", string(self.log_index)),
            ("membership", Value::List(self.membership.iter().map(string).collect())),
            ("reason", string(self.reason)),
            ("root", string(self.root)),
            ("size", string(self.size)),
            ("span_start", string(self.span_start)),
            ("state_digest", string(self.state_digest)),
            ("tenant_map_root", string(self.tenant_map_root)),
            ("term", string(self.term)),
        ]))
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the seal")?;
        let sealed = SpanSealed {
            kernel_version: fields.int("kernel_version", 0)?,
            leader_node: fields.parse("leader_node", "a node id")?,
            log_index: fields.decimal("log_index")?,
            membership: membership(fields.list("membership")?)?,
            reason: fields.parse("reason", "count, time, idle or manual")?,
            root: fields.hash("root")?,
            size: TreeSize(fields.decimal("size")?),
            span_start: Seq(fields.decimal("span_start")?),
            state_digest: fields.hash("state_digest")?,
            tenant_map_root: fields.hash("tenant_map_root")?,
            term: fields.decimal("term")?,
        };
        fields.finish()?;
        if sealed.size.0 == u64::MAX {
            return Err(BodyError::Invalid { field: "size", expected: "below 2^64-1" });
        }
        if sealed.span_start.0 > sealed.size.0 {
            return Err(BodyError::Invalid { field: "span_start", expected: "at most the size" });
        }
        Ok(sealed)
    }
}

fn membership(items: &[Value]) -> Result<Vec<NodeId>, BodyError> {
    let invalid = BodyError::Invalid { field: "membership", expected: "node ids in strictly ascending order" };
    let nodes: Option<Vec<NodeId>> = items
        .iter()
        .map(|item| match item {
            Value::Str(text) => text.parse().ok(),
            _ => None,
        })
        .collect();
    nodes.filter(|n| !n.is_empty() && n.is_sorted_by(|a, b| a < b)).ok_or(invalid)
}

/// Body of `assent.span.cosigned`: the cosignatures that the quorum chose, committed before anything is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanCosigned {
    /// SHA-256 of the checkpoint note's text.
    pub checkpoint: Hash,
    /// The chosen lines, strictly ascending by key name.
    pub cosignatures: Vec<NoteSignature>,
    /// SHA-256 of the manifest note, its signature included.
    pub manifest: Hash,
    /// Size of the checkpoint.
    pub size: TreeSize,
}

impl SpanCosigned {
    /// The entry type.
    pub const KIND: &'static str = "assent.span.cosigned";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let line =
            |s: &NoteSignature| Value::Map(object([("key_name", string(s.name())), ("signature_line", string(s))]));
        Value::Map(object([
            ("checkpoint", string(self.checkpoint)),
            ("cosignatures", Value::List(self.cosignatures.iter().map(line).collect())),
            ("manifest", string(self.manifest)),
            ("size", string(self.size)),
        ]))
    }

    /// Reads the body strictly: each line is well formed, by the key that it is listed under, in strictly ascending order.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the cosigned span")?;
        let lines = fields.list("cosignatures")?;
        let field = "cosignatures";
        if lines.len() >= limits::NOTE_SIGNATURES_MAX {
            return Err(BodyError::Invalid { field, expected: "shorter, to fit on one note" });
        }
        let cosignatures = lines.iter().map(cosignature).collect::<Result<Vec<_>, _>>()?;
        if !cosignatures.is_sorted_by(|a, b| a.name() < b.name()) {
            return Err(BodyError::Invalid { field, expected: "in strictly ascending order of key names" });
        }
        let cosigned = SpanCosigned {
            checkpoint: fields.hash("checkpoint")?,
            cosignatures,
            manifest: fields.hash("manifest")?,
            size: TreeSize(fields.decimal("size")?),
        };
        fields.finish()?;
        Ok(cosigned)
    }
}

fn cosignature(value: &Value) -> Result<NoteSignature, BodyError> {
    let mut fields = Fields::of(value, "a cosignature")?;
    let name = fields.text("key_name")?;
    let line = NoteSignature::parse(fields.text("signature_line")?).filter(|s| s.name() == name);
    fields.finish()?;
    line.ok_or(BodyError::Invalid { field: "signature_line", expected: "a signature line by the named key" })
}

/// Body of `assent.span.anchored`: the span's objects are in WORM storage and were read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanAnchored {
    /// SHA-256 of the checkpoint note's text.
    pub checkpoint: Hash,
    /// SHA-256 of the manifest note, its signature included.
    pub manifest: Hash,
    /// How many objects the manifest lists.
    pub objects: u32,
    /// Until when storage refuses to delete them, if it promises that.
    pub retain_until: Option<Time>,
    /// Size of the checkpoint.
    pub size: TreeSize,
    /// Where: a URI without credentials, at most 1,024 bytes.
    pub sink_uri: String,
    /// Version ids that storage gave, at most 1,024 bytes each; absent from the JSON when empty.
    pub version_ids: Vec<String>,
}

impl SpanAnchored {
    /// The entry type.
    pub const KIND: &'static str = "assent.span.anchored";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let mut map = object([
            ("checkpoint", string(self.checkpoint)),
            ("manifest", string(self.manifest)),
            ("objects", int(self.objects)),
            ("size", string(self.size)),
            ("sink_uri", string(&self.sink_uri)),
        ]);
        if let Some(time) = self.retain_until {
            map.insert("retain_until".to_owned(), string(time));
        }
        if !self.version_ids.is_empty() {
            map.insert("version_ids".to_owned(), Value::List(self.version_ids.iter().map(string).collect()));
        }
        Value::Map(map)
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the anchored span")?;
        let version_ids =
            if fields.has("version_ids") { version_ids(fields.list("version_ids")?)? } else { Vec::new() };
        let anchored = SpanAnchored {
            checkpoint: fields.hash("checkpoint")?,
            manifest: fields.hash("manifest")?,
            objects: fields.int("objects", 0)?,
            retain_until: fields.parse_opt("retain_until", "a time with microseconds")?,
            size: TreeSize(fields.decimal("size")?),
            sink_uri: fields.text("sink_uri")?.to_owned(),
            version_ids,
        };
        fields.finish()?;
        if !is_sink_text(&anchored.sink_uri) {
            return Err(BodyError::Invalid { field: "sink_uri", expected: "1 to 1024 visible ASCII characters" });
        }
        Ok(anchored)
    }
}

fn version_ids(items: &[Value]) -> Result<Vec<String>, BodyError> {
    let ids: Option<Vec<String>> = items
        .iter()
        .map(|item| match item {
            Value::Str(text) if is_sink_text(text) => Some(text.clone()),
            _ => None,
        })
        .collect();
    let expected = "a list, not empty, of 1 to 1024 visible ASCII characters each";
    ids.filter(|i| !i.is_empty()).ok_or(BodyError::Invalid { field: "version_ids", expected })
}

fn is_sink_text(text: &str) -> bool {
    (1..=SINK_TEXT_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
