//! What a node knows about a seal: written when the seal, its cosignatures and its anchor are applied.

use assent_kernel::codec::{CodecError, Reader, Writer};
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, Time, TreeSize};
use assent_ledger::note::NoteSignature;
use assent_ledger::seal::SealReason;

const VERSION: u8 = 1;
const TEXT_BYTES_MAX: usize = 4096;

/// One seal.
#[derive(Clone, Debug, PartialEq)]
pub struct SealRow {
    /// First entry of the span.
    pub start: Seq,
    /// Size of the checkpoint: the seal's leaf is its last.
    pub size: TreeSize,
    /// Root of that size.
    pub root: Hash,
    /// Why it was sealed.
    pub reason: SealReason,
    /// As the seal's leaf states it.
    pub tenant_map_root: Hash,
    /// As the seal's leaf states it.
    pub state_digest: Hash,
    /// When it was sealed.
    pub time: Time,
    /// Once a quorum's cosignatures are committed.
    pub cosigned: Option<CosignedRow>,
    /// Once its anchor is committed.
    pub anchored: Option<AnchoredRow>,
}

/// The committed choice of cosignatures.
#[derive(Clone, Debug, PartialEq)]
pub struct CosignedRow {
    /// SHA-256 of the checkpoint note's text.
    pub checkpoint: Hash,
    /// SHA-256 of the manifest note.
    pub manifest: Hash,
    /// The chosen lines.
    pub cosignatures: Vec<NoteSignature>,
}

/// The recorded anchor.
#[derive(Clone, Debug, PartialEq)]
pub struct AnchoredRow {
    /// Where.
    pub sink_uri: String,
    /// The entry that records it.
    pub seq: Seq,
}

impl SealRow {
    /// As stored.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::versioned(VERSION);
        w.u64(self.start.0);
        w.u64(self.size.0);
        w.fixed(&self.root.0);
        w.text(self.reason.as_str());
        w.fixed(&self.tenant_map_root.0);
        w.fixed(&self.state_digest.0);
        w.u64(self.time.0);
        w.option(self.cosigned.as_ref(), |w, row| {
            w.fixed(&row.checkpoint.0);
            w.fixed(&row.manifest.0);
            w.count(row.cosignatures.len());
            for line in &row.cosignatures {
                w.text(&line.to_string());
            }
        });
        w.option(self.anchored.as_ref(), |w, row| {
            w.text(&row.sink_uri);
            w.u64(row.seq.0);
        });
        w.finish()
    }

    /// Reads what was stored.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut r = Reader::versioned(bytes, "a seal", VERSION)?;
        let row = SealRow {
            start: Seq(r.u64("the start")?),
            size: TreeSize(r.u64("the size")?),
            root: r.hash("the root")?,
            reason: r
                .text("the reason", TEXT_BYTES_MAX)?
                .parse()
                .map_err(|_| CodecError::Invalid { what: "the reason" })?,
            tenant_map_root: r.hash("the tenant map root")?,
            state_digest: r.hash("the state digest")?,
            time: r.time("the time")?,
            cosigned: r.option("the cosignatures", read_cosigned)?,
            anchored: r.option("the anchor", |r| {
                Ok(AnchoredRow { sink_uri: r.text("the sink", TEXT_BYTES_MAX)?, seq: Seq(r.u64("the entry")?) })
            })?,
        };
        r.finish()?;
        Ok(row)
    }
}

fn read_cosigned(r: &mut Reader<'_>) -> Result<CosignedRow, CodecError> {
    let (checkpoint, manifest) = (r.hash("the checkpoint")?, r.hash("the manifest")?);
    let count = r.count("the cosignatures", assent_ledger::limits::NOTE_SIGNATURES_MAX)?;
    let mut cosignatures = Vec::new();
    for _ in 0..count {
        let line = NoteSignature::parse(&r.text("a cosignature", TEXT_BYTES_MAX)?);
        cosignatures.push(line.ok_or(CodecError::Invalid { what: "a cosignature" })?);
    }
    Ok(CosignedRow { checkpoint, manifest, cosignatures })
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_ledger::cosignature::cosign;
    use assent_ledger::hash::leaf_hash;
    use assent_ledger::keys::SecretKey;

    #[test]
    fn rows_round_trip() {
        let line = cosign("o\n1\nr\n", "o/node/1", &SecretKey::from_seed(&[1; 32]), 7).unwrap();
        let mut row = SealRow {
            start: Seq(3),
            size: TreeSize(9),
            root: leaf_hash(b"r"),
            reason: SealReason::Idle,
            tenant_map_root: leaf_hash(b"m"),
            state_digest: leaf_hash(b"s"),
            time: Time(5),
            cosigned: None,
            anchored: None,
        };
        assert_eq!(SealRow::decode(&row.encode()).unwrap(), row);
        row.cosigned =
            Some(CosignedRow { checkpoint: leaf_hash(b"c"), manifest: leaf_hash(b"x"), cosignatures: vec![line] });
        row.anchored = Some(AnchoredRow { sink_uri: "file:worm/o".to_owned(), seq: Seq(12) });
        assert_eq!(SealRow::decode(&row.encode()).unwrap(), row);
        assert!(SealRow::decode(&row.encode()[1..]).is_err());
    }
}
