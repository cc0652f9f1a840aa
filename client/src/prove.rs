//! Proving one entry: a verified checkpoint, a verified path, and a file that anybody can check offline.

use assent_ledger::hash::leaf_hash;
use assent_ledger::ids::Seq;

use crate::client::Client;
use crate::deadline::Deadline;
use crate::error::ClientError;
use crate::tlog_proof::TlogProof;
use crate::trust::{CheckedCheckpoint, Trust, hash, hashes};
use crate::v1;

/// An entry proven to be in the ledger under a co-signed checkpoint.
#[derive(Debug, Clone)]
pub struct ProvenEntry {
    /// The proof, ready to be written to a `.tlog-proof` file.
    pub proof: TlogProof,
    /// The verified checkpoint in it.
    pub checkpoint: CheckedCheckpoint,
    /// The leaf's bytes; `None` where the caller may only see the hash.
    pub leaf: Option<Vec<u8>>,
}

impl Client {
    /// Proves that entry `seq` is in the ledger: fetches the newest co-signed checkpoint, verifies it, fetches path and
    /// leaf, and verifies the path up to the signed root.
    ///
    /// Errors: `Config` without a [`Trust`]; `Refused` with code `NOT_SEALED` while no co-signed checkpoint covers the
    /// entry.
    pub async fn prove(&self, seq: u64, deadline: Deadline) -> Result<ProvenEntry, ClientError> {
        let Some(trust) = self.trust().cloned() else {
            return Err(ClientError::Config("proving needs a root key and an origin to pin".to_owned()));
        };
        let note = self.checkpoint(deadline).await?.note;
        let checkpoint = trust.checkpoint(self, &note).await?;
        let size = checkpoint.verified.size();
        if seq >= size.0 {
            return Err(ClientError::Refused {
                code: "NOT_SEALED".to_owned(),
                message: format!(
                    "entry {seq} is under no co-signed checkpoint yet (the newest has size {size}); seal, or wait"
                ),
            });
        }
        let answer = self.inclusion_proof(seq, size.0, deadline).await?;
        let leaf = self.leaf(seq, deadline).await?;
        let leaf_hash = match &leaf {
            Some(leaf) => leaf_hash(leaf),
            None => hash(&answer.leaf_hash)?,
        };
        Trust::inclusion(&checkpoint, &leaf_hash, seq, &answer)?;
        let path = hashes(&answer.path)?;
        let proof = TlogProof { extra: leaf.clone(), index: Seq(seq), path, checkpoint: note.to_vec() };
        Ok(ProvenEntry { proof, checkpoint, leaf })
    }

    /// The leaf's bytes of one entry, if the caller may see them. Not verified here.
    async fn leaf(&self, seq: u64, deadline: Deadline) -> Result<Option<Vec<u8>>, ClientError> {
        let request = v1::EntriesRequest { from_seq: seq, limit: 1, ..v1::EntriesRequest::default() };
        let mut entries = self.entries(request, deadline).await?;
        match entries.next().await? {
            Some(record) if record.seq == seq && !record.leaf.is_empty() => Ok(Some(record.leaf.to_vec())),
            _ => Ok(None),
        }
    }
}
