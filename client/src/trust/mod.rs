//! What a client believes, and why: a pinned root key, the keys that it endorsed on the ledger, and strict
//! verification.
//!
//! The root key and the ledger's origin come from outside. Everything else, the log key, the receipt keys and the
//! quorum, is read from the ledger's system entries and believed because the root key signed it. The system chain is
//! checked link by link, so that nothing can be left out of its middle; a node that withholds its newest entries can
//! hide a retirement until a checkpoint is checked.

mod check;
mod keys;

pub use keys::Trust;

pub(crate) use check::{check_request, check_response};

use assent_ledger::checkpoint::{CheckpointError, VerifiedCheckpoint};
use assent_ledger::cosignature::Cosigned;
use assent_ledger::endorse::KeyringError;
use assent_ledger::entry::EntryError;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TreeSize};
use assent_ledger::json::JsonError;
use assent_ledger::note::NoteError;
use assent_ledger::proof::ProofError;
use assent_ledger::receipt::ReceiptError;

/// Why an answer is not believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The answer has no receipt.
    #[error("the answer has no receipt")]
    NoReceipt,
    /// The receipt is malformed, not signed by an endorsed receipt key, or does not cover its leaf.
    #[error("the receipt is not accepted: {0}")]
    Receipt(#[from] ReceiptError),
    /// The leaf says something else than the answer or the request.
    #[error("the leaf on the record says {field} is {recorded:?}, the answer or the request says {stated:?}")]
    Disagrees {
        /// Which field.
        field: &'static str,
        /// What the leaf says.
        recorded: String,
        /// What the answer or the request says.
        stated: String,
    },
    /// A system entry does not fold into the keyring.
    #[error("system entry {seq} is not accepted: {source}")]
    Keyring {
        /// The entry.
        seq: Seq,
        /// Why.
        source: KeyringError,
    },
    /// A system entry is malformed.
    #[error("a system entry is malformed: {0}")]
    Entry(#[from] EntryError),
    /// A body is not canonical JSON.
    #[error("the body of an entry is malformed: {0}")]
    Json(#[from] JsonError),
    /// The chain of system entries is broken.
    #[error("the chain of system entries is broken at entry {seq}: {what}; the node left out or changed an entry")]
    Chain {
        /// The entry that does not fit.
        seq: Seq,
        /// What does not fit.
        what: &'static str,
    },
    /// The checkpoint is malformed or not signed by the endorsed log key.
    #[error("the checkpoint is not accepted: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A cosignature is bad.
    #[error("the checkpoint's cosignatures are not accepted: {0}")]
    Cosignature(#[from] NoteError),
    /// Too few nodes cosigned.
    #[error("{got} endorsed nodes cosigned the checkpoint of size {size}, the ledger requires {required}")]
    Quorum {
        /// The checkpoint's size.
        size: TreeSize,
        /// Distinct endorsed nodes.
        got: usize,
        /// The ledger's own parameter.
        required: u32,
    },
    /// The path does not lead to the signed root.
    #[error("the proof is not accepted: {0}")]
    Proof(#[from] ProofError),
    /// A hash in an answer does not have 32 bytes, or there are too many.
    #[error("the proof's hashes are malformed")]
    Hashes,
    /// Two checkpoints of one size have different roots, each signed: the ledger was forked.
    #[error(
        "DIVERGED: size {size} was signed with root {first} and with root {second}; keep both checkpoints as evidence"
    )]
    Diverged {
        /// The size.
        size: TreeSize,
        /// One root.
        first: Hash,
        /// The other.
        second: Hash,
    },
}

/// A checkpoint whose log signature and quorum of cosignatures have been verified.
#[derive(Debug, Clone)]
pub struct CheckedCheckpoint {
    /// The checkpoint.
    pub verified: VerifiedCheckpoint,
    /// Who cosigned, by endorsed keys that are valid at its size.
    pub cosigned: Cosigned,
}

/// Reads the hashes of an answer.
pub(crate) fn hashes<'a, B: AsRef<[u8]> + 'a>(items: impl IntoIterator<Item = &'a B>) -> Result<Vec<Hash>, TrustError> {
    let mut out = Vec::new();
    for item in items {
        if out.len() >= assent_ledger::limits::PROOF_HASHES_MAX {
            return Err(TrustError::Hashes);
        }
        out.push(hash(item.as_ref())?);
    }
    Ok(out)
}

/// Reads one hash of an answer.
pub(crate) fn hash(bytes: &[u8]) -> Result<Hash, TrustError> {
    bytes.try_into().map(Hash).map_err(|_| TrustError::Hashes)
}
