//! Receipts: one signature per applied batch, made when the first receipt of the batch is asked for.

use std::sync::{Arc, OnceLock};

use assent_kernel::machine::AppliedBatch;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::ids::Seq;
use assent_ledger::receipt::{BatchSigner, ReceiptError, SignedBatch};

use crate::outcome::ApiError;

/// Signs batches with this node's receipt key.
#[derive(Clone)]
pub struct ReceiptSigner {
    signer: Arc<BatchSigner>,
}

impl ReceiptSigner {
    /// With this node's key.
    pub fn new(signer: BatchSigner) -> Self {
        ReceiptSigner { signer: Arc::new(signer) }
    }

    /// For what was applied at once.
    pub fn batch(&self, batch: &AppliedBatch) -> ReceiptBatch {
        ReceiptBatch {
            signer: self.signer.clone(),
            first: batch.entries.first().map(|e| e.seq),
            hashes: batch.entries.iter().map(|e| e.hash).collect(),
            signed: OnceLock::new(),
        }
    }

    /// A receipt for an entry that was committed earlier, as a batch of its own.
    pub fn single(&self, seq: Seq, leaf: &[u8]) -> Result<Vec<u8>, ApiError> {
        let signed = self.signer.sign(seq, vec![leaf_hash(leaf)]).map_err(internal)?;
        document(&signed, 0, leaf)
    }
}

/// The entries of one batch, signed at most once.
pub struct ReceiptBatch {
    signer: Arc<BatchSigner>,
    first: Option<Seq>,
    hashes: Vec<Hash>,
    signed: OnceLock<Result<SignedBatch, String>>,
}

impl ReceiptBatch {
    /// The receipt for one of the batch's entries, as canonical JSON.
    pub fn receipt(&self, seq: Seq, leaf: &[u8]) -> Result<Vec<u8>, ApiError> {
        let first = self.first.ok_or_else(|| ApiError::internal("an empty batch has no receipts"))?;
        let signed = self
            .signed
            .get_or_init(|| self.signer.sign(first, self.hashes.clone()).map_err(|e| e.to_string()))
            .as_ref()
            .map_err(|e| ApiError::internal(e.clone()))?;
        document(signed, seq.0.saturating_sub(first.0), leaf)
    }
}

fn document(signed: &SignedBatch, index: u64, leaf: &[u8]) -> Result<Vec<u8>, ApiError> {
    let leaf = core::str::from_utf8(leaf).map_err(|_| ApiError::internal("a stored leaf is not UTF-8"))?;
    signed.receipt(index, leaf).and_then(|r| r.to_json()).map_err(internal)
}

fn internal(error: ReceiptError) -> ApiError {
    ApiError::internal(format!("receipt: {error}"))
}
