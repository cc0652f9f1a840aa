//! Proof files in the C2SP tlog-proof format: one file that proves, offline, that an entry is in the ledger.
//!
//! Lines end in a newline. First `c2sp.org/tlog-proof@v1`; then, optionally, `extra ` and base64, which the format
//! leaves to the application and does not authenticate: Assent puts the leaf's bytes there, so that the file needs
//! nothing beside it (the leaf's hash is what the path starts from, so a wrong leaf fails). Then `index ` and the
//! decimal position, the path's hashes in base64, one per line from the leaf's sibling upwards, an empty line, and the
//! checkpoint verbatim with its signatures and cosignatures.

use assent_ledger::checkpoint::VerifiedCheckpoint;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::ids::Seq;
use assent_ledger::limits;
use assent_ledger::proof::{ProofError, verify_inclusion};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A parsed proof file; verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// The application's own bytes, not authenticated by the format; Assent's leaf.
    pub extra: Option<Vec<u8>>,
    /// The entry's position.
    pub index: Seq,
    /// The inclusion path, from the leaf's sibling upwards.
    pub path: Vec<Hash>,
    /// The checkpoint, a signed note, verbatim.
    pub checkpoint: Vec<u8>,
}

/// Why bytes are not a proof file, or why it proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Not UTF-8, or longer than such a file can be.
    #[error("the proof file is not UTF-8 or is too long")]
    Text,
    /// The first line is another one.
    #[error("the proof file must begin with the line {HEADER}")]
    Header,
    /// The line with the application's bytes is not canonical base64.
    #[error("the extra line is not base64")]
    Extra,
    /// The position is missing or not a canonical decimal.
    #[error("the index line is missing or malformed")]
    Index,
    /// A path line is not 32 bytes of base64, or there are too many.
    #[error("line {line} of the path is not 32 bytes of base64, or the path is too long")]
    Path {
        /// Which line of the path, from 0.
        line: usize,
    },
    /// No empty line before the checkpoint.
    #[error("the checkpoint is missing")]
    Checkpoint,
    /// The file does not carry the leaf, and none was given beside it.
    #[error("the file does not carry the leaf; give it beside the proof")]
    NoLeaf,
    /// The path does not lead to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Longest proof file, in bytes.
const FILE_BYTES_MAX: usize = limits::NOTE_BYTES_MAX + 2 * limits::LEAF_BYTES_MAX + limits::PROOF_HASHES_MAX * 45 + 256;

impl TlogProof {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{HEADER}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", BASE64_STANDARD.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        for hash in &self.path {
            text.push_str(&BASE64_STANDARD.encode(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.checkpoint);
        bytes
    }

    /// Parses strictly: `to_bytes` of the result gives the same bytes again.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(TlogProofError::Text);
        }
        let text = core::str::from_utf8(bytes).map_err(|_| TlogProofError::Text)?;
        let rest = text.strip_prefix(HEADER).and_then(|t| t.strip_prefix('\n')).ok_or(TlogProofError::Header)?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(TlogProofError::Checkpoint)?;
        if checkpoint.is_empty() {
            return Err(TlogProofError::Checkpoint);
        }
        let mut lines = head.split('\n').peekable();
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => {
                let text = line.strip_prefix("extra ").unwrap_or_default();
                Some(BASE64_STANDARD.decode(text).map_err(|_| TlogProofError::Extra)?)
            }
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(TlogProofError::Index)?;
        let index = index.parse().map_err(|_| TlogProofError::Index)?;
        let mut path = Vec::new();
        for (line, text) in lines.enumerate() {
            let bytes = BASE64_STANDARD.decode(text).ok().filter(|_| line < limits::PROOF_HASHES_MAX);
            let hash: [u8; 32] = bytes.and_then(|b| b.try_into().ok()).ok_or(TlogProofError::Path { line })?;
            path.push(Hash(hash));
        }
        Ok(TlogProof { extra, index, path, checkpoint: checkpoint.as_bytes().to_vec() })
    }

    /// Verifies the path from the leaf (the file's own, or `leaf` when it carries none) to the root of a verified
    /// checkpoint, and gives the leaf. The caller has verified [`TlogProof::checkpoint`] with the keys that it trusts.
    pub fn verify(&self, checkpoint: &VerifiedCheckpoint, leaf: Option<&[u8]>) -> Result<Vec<u8>, TlogProofError> {
        let leaf = leaf.or(self.extra.as_deref()).ok_or(TlogProofError::NoLeaf)?;
        verify_inclusion(&leaf_hash(leaf), self.index.0, checkpoint.size(), &self.path, checkpoint.root())?;
        Ok(leaf.to_vec())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use assent_ledger::checkpoint::Checkpoint;
    use assent_ledger::hash::node_hash;
    use assent_ledger::ids::{Origin, TreeSize};
    use assent_ledger::keys::SecretKey;

    use super::*;

    fn sample() -> (TlogProof, VerifiedCheckpoint) {
        let (leaf, sibling) = (b"leaf".to_vec(), leaf_hash(b"sibling"));
        let root = node_hash(&sibling, &leaf_hash(&leaf));
        let origin = Origin::new("example.org/log").unwrap();
        let key = SecretKey::from_seed(&[3; 32]);
        let note = Checkpoint { origin: origin.clone(), size: TreeSize(2), root }.sign(&key).unwrap().to_bytes();
        let verified = VerifiedCheckpoint::verify(&note, &origin, &key.public()).unwrap();
        (TlogProof { extra: Some(leaf), index: Seq(1), path: vec![sibling], checkpoint: note }, verified)
    }

    #[test]
    fn files_round_trip_and_verify() {
        let (proof, checkpoint) = sample();
        let bytes = proof.to_bytes();
        assert!(bytes.starts_with(b"c2sp.org/tlog-proof@v1\nextra bGVhZg==\nindex 1\n"));
        assert_eq!(TlogProof::parse(&bytes).unwrap(), proof);
        assert_eq!(proof.verify(&checkpoint, None).unwrap(), b"leaf");
        let bare = TlogProof { extra: None, ..proof.clone() };
        assert_eq!(TlogProof::parse(&bare.to_bytes()).unwrap(), bare);
        assert_eq!(bare.verify(&checkpoint, None), Err(TlogProofError::NoLeaf));
        assert!(bare.verify(&checkpoint, Some(b"leaf")).is_ok());
        let single = TlogProof { path: Vec::new(), index: Seq(0), ..proof };
        assert_eq!(TlogProof::parse(&single.to_bytes()).unwrap(), single);
    }

    #[test]
    fn changed_proofs_are_refused() {
        let (proof, checkpoint) = sample();
        let other_leaf = TlogProof { extra: Some(b"leaF".to_vec()), ..proof.clone() };
        let other_index = TlogProof { index: Seq(0), ..proof.clone() };
        let longer = TlogProof { path: vec![leaf_hash(b"sibling"); 2], ..proof };
        for bad in [other_leaf, other_index, longer] {
            assert!(bad.verify(&checkpoint, None).is_err());
        }
    }

    #[test]
    fn malformed_files_are_refused() {
        let good = String::from_utf8(sample().0.to_bytes()).unwrap();
        let bad = [
            String::new(),
            good.replace("@v1", "@v2"),
            good.replace("index 1", "index 01"),
            good.replace("index 1\n", ""),
            good.replace("extra bGVhZg==", "extra bGVhZg"),
            good.replace("\n\n", "\n"),
            good.replace("index 1\n", "index 1\nAAAA\n"),
        ];
        for text in bad {
            assert!(TlogProof::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
