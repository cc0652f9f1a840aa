//! How far the ledger has come: `Progress`. Small, for every entry writes it.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, Time, TreeSize};

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// How far time, seals, cosignatures and anchors have come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProgressRecord {
    /// Time of the last entry.
    pub time: Time,
    /// Number of entries.
    pub size: TreeSize,
    /// First entry of the open span.
    pub span_start: Seq,
    /// Entries of tenants in the open span; the system's own do not count towards a seal.
    pub span_entries: u64,
    /// Time of the open span's first entry of a tenant, or of the last seal.
    pub span_since: Time,
    /// Size of the last sealed checkpoint; 0 before the first.
    pub sealed: TreeSize,
    /// The last cosigned checkpoint.
    pub cosigned: Option<CosignedRecord>,
    /// Size of the last anchored checkpoint; 0 before the first.
    pub anchored: TreeSize,
}

/// A cosigned checkpoint: what the anchor of its size has to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedRecord {
    /// Its size.
    pub size: TreeSize,
    /// SHA-256 of the checkpoint's text.
    pub checkpoint: Hash,
    /// SHA-256 of the manifest.
    pub manifest: Hash,
}

impl RecordCodec for ProgressRecord {
    const VERSION: u8 = 2;

    fn write(&self, w: &mut Writer) {
        w.u64(self.time.0);
        w.u64(self.size.0);
        w.u64(self.span_start.0);
        w.u64(self.span_entries);
        w.u64(self.span_since.0);
        w.u64(self.sealed.0);
        w.option(self.cosigned.as_ref(), |w, cosigned| {
            w.u64(cosigned.size.0);
            w.fixed(&cosigned.checkpoint.0);
            w.fixed(&cosigned.manifest.0);
        });
        w.u64(self.anchored.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(ProgressRecord {
            time: r.time("the time")?,
            size: r.size("the size")?,
            span_start: r.seq("the span's start")?,
            span_entries: r.u64("the span's entries")?,
            span_since: r.time("the span's time")?,
            sealed: r.size("the sealed size")?,
            cosigned: r.option("the cosigned checkpoint", |r| {
                Ok(CosignedRecord {
                    size: r.size("its size")?,
                    checkpoint: r.hash("its digest")?,
                    manifest: r.hash("its manifest")?,
                })
            })?,
            anchored: r.size("the anchored size")?,
        })
    }
}
