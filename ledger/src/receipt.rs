//! Receipts: one leaf, its path to the root of the batch in which it was applied, and the node's signature on that root.

mod batch;
mod document;

pub use batch::{BatchSigner, SignedBatch};

use crate::endorse::{Keyring, KeyringError};
use crate::entry::{EntryError, EntryView};
use crate::hash::{Hash, leaf_hash};
use crate::ids::{NodeId, Origin, Seq, Time, TreeSize};
use crate::json::JsonError;
use crate::keys::{PublicKey, Role, SIGNATURE_BYTES, SignatureInvalid, receipt_key_name};
use crate::limits;
use crate::proof::{ProofError, verify_inclusion};
use crate::seal::BodyError;

/// Longest receipt, in bytes: a leaf whose every byte is escaped, a full path, and the other fields.
pub const RECEIPT_BYTES_MAX: usize = 2 * limits::LEAF_BYTES_MAX + limits::PROOF_HASHES_MAX * 67 + 4096;

/// Why a receipt cannot be made or is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Longer than the cap, in bytes.
    #[error("the receipt has {got} bytes, more than {max}")]
    TooLong {
        /// The cap.
        max: usize,
        /// What was offered.
        got: usize,
    },
    /// Not narrow canonical JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not the fields of a receipt.
    #[error(transparent)]
    Fields(#[from] BodyError),
    /// No entries, too many, or beyond the last sequence number.
    #[error("a batch of {count} entries from {first_seq} cannot be: it must hold 1 to {max} entries")]
    Batch {
        /// First entry.
        first_seq: Seq,
        /// Number of entries.
        count: u64,
        /// The cap, in entries.
        max: u64,
    },
    /// The leaf's place is outside the batch.
    #[error("index {index} is outside a batch of {count} entries")]
    Index {
        /// The index.
        index: u64,
        /// The batch's entries.
        count: u64,
    },
    /// The leaf is not the one at that place of the batch.
    #[error("the leaf at index {index} is not the one that the batch was signed over")]
    OtherLeaf {
        /// The index.
        index: u64,
    },
    /// The key's name is not `<origin>/receipt/<node id>`, or names another node than the caller.
    #[error("key {key_name} is not the receipt key of this node of {origin}")]
    KeyName {
        /// The receipt's origin.
        origin: Origin,
        /// The name that it states.
        key_name: String,
    },
    /// The receipt is another ledger's.
    #[error("the receipt is of ledger {got}, expected {expected}")]
    OtherLedger {
        /// The ledger that was asked for.
        expected: Origin,
        /// The receipt's origin.
        got: Origin,
    },
    /// The path does not lead from the leaf to the batch root.
    #[error(transparent)]
    Path(#[from] ProofError),
    /// The signature does not verify.
    #[error("the receipt's signature does not verify")]
    Signature,
    /// The keyring has no receipt key of that name for that size.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The leaf is no entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The leaf's own `seq` or `origin` contradicts the receipt.
    #[error("the leaf states another sequence number or ledger than its receipt")]
    LeafDisagrees,
}

impl From<SignatureInvalid> for ReceiptError {
    fn from(SignatureInvalid: SignatureInvalid) -> Self {
        ReceiptError::Signature
    }
}

/// What a receipt states; verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The ledger.
    pub origin: Origin,
    /// First entry of the batch.
    pub first_seq: Seq,
    /// Number of entries of the batch.
    pub count: u64,
    /// The leaf's place in the batch, from 0.
    pub index: u64,
    /// Name of the key that signed: `<origin>/receipt/<node id>`.
    pub key_name: String,
    /// The leaf, verbatim.
    pub leaf: String,
    /// Inclusion path in the tree over the batch's leaf hashes alone.
    pub path: Vec<Hash>,
    /// Root of that tree.
    pub root: Hash,
    /// Over `signed_text`.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// The text that a node signs once per batch.
pub fn signed_text(origin: &Origin, first_seq: Seq, count: u64, root: &Hash) -> String {
    format!("assent/receipt/1\n{origin}\n{first_seq}\n{count}\n{root}\n")
}

impl Receipt {
    /// The document: canonical JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, ReceiptError> {
        Ok(document::to_value(self).to_bytes()?)
    }

    /// Parses a document strictly: canonical JSON with exactly the fields of a receipt.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong { max: RECEIPT_BYTES_MAX, got: bytes.len() });
        }
        document::from_value(&crate::json::parse(bytes)?)
    }

    /// Verifies with one node's key, whatever the interval in which it is endorsed. The caller names the node, because the
    /// signature does not cover the key's name.
    pub fn verify(self, origin: &Origin, node: NodeId, key: &PublicKey) -> Result<VerifiedReceipt, ReceiptError> {
        if self.origin != *origin {
            return Err(ReceiptError::OtherLedger { expected: origin.clone(), got: self.origin });
        }
        if self.check_shape()?.0 != node {
            return Err(ReceiptError::KeyName { origin: origin.clone(), key_name: self.key_name });
        }
        key.verify(signed_text(&self.origin, self.first_seq, self.count, &self.root).as_bytes(), &self.signature)?;
        let hash = leaf_hash(self.leaf.as_bytes());
        verify_inclusion(&hash, self.index, TreeSize(self.count), &self.path, &self.root)?;
        let entry = EntryView::parse(self.leaf.as_bytes())?;
        let (seq, time) = (entry.seq, entry.time);
        let stated = self.first_seq.0.checked_add(self.index).map(Seq);
        if stated != Some(seq) || entry.origin != self.origin.as_str() {
            return Err(ReceiptError::LeafDisagrees);
        }
        Ok(VerifiedReceipt { seq, time, leaf_hash: hash, node, receipt: self })
    }

    /// Verifies with the receipt key that the keyring holds valid at the tree size after the batch.
    pub fn verify_with(self, keyring: &Keyring) -> Result<VerifiedReceipt, ReceiptError> {
        let (node, size) = self.check_shape()?;
        if self.origin != *keyring.origin() {
            return Err(ReceiptError::OtherLedger { expected: keyring.origin().clone(), got: self.origin });
        }
        let key = *keyring.key_at(Role::Receipt, &self.key_name, size)?;
        self.verify(keyring.origin(), node, &key)
    }

    /// Numbers and names fit together; gives the node and the tree size after the batch.
    fn check_shape(&self) -> Result<(NodeId, TreeSize), ReceiptError> {
        let size = check_batch(self.first_seq, self.count)?;
        if self.index >= self.count {
            return Err(ReceiptError::Index { index: self.index, count: self.count });
        }
        let node = self.key_name.rsplit_once('/').and_then(|(_, node)| node.parse::<NodeId>().ok());
        match node.filter(|n| receipt_key_name(&self.origin, *n) == self.key_name) {
            Some(node) => Ok((node, size)),
            None => Err(ReceiptError::KeyName { origin: self.origin.clone(), key_name: self.key_name.clone() }),
        }
    }
}

fn check_batch(first_seq: Seq, count: u64) -> Result<TreeSize, ReceiptError> {
    let max = limits::RECEIPT_BATCH_MAX;
    let size = first_seq.0.checked_add(count).filter(|_| (1..=max).contains(&count));
    size.map(TreeSize).ok_or(ReceiptError::Batch { first_seq, count, max })
}

/// A receipt whose signature, path and leaf have been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    seq: Seq,
    time: Time,
    leaf_hash: Hash,
    node: NodeId,
    receipt: Receipt,
}

impl VerifiedReceipt {
    /// The entry's sequence number, as leaf and receipt both state it.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The entry's time.
    pub fn time(&self) -> Time {
        self.time
    }

    /// The entry's leaf bytes, verbatim.
    pub fn leaf(&self) -> &[u8] {
        self.receipt.leaf.as_bytes()
    }

    /// The entry's leaf hash.
    pub fn leaf_hash(&self) -> &Hash {
        &self.leaf_hash
    }

    /// The ledger.
    pub fn origin(&self) -> &Origin {
        &self.receipt.origin
    }

    /// The node whose key signed.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The receipt as it was.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Whether the sealed ledger holds another leaf at this place: then the receipt is evidence against its signer.
    /// The caller has proved `leaf_hash_at_seq` to be in a verified checkpoint at `seq()`.
    pub fn conflicts_with_leaf(&self, leaf_hash_at_seq: &Hash) -> bool {
        self.leaf_hash != *leaf_hash_at_seq
    }

    /// Whether two receipts of one ledger promise different leaves at one place.
    pub fn conflicts_with(&self, other: &VerifiedReceipt) -> bool {
        self.origin() == other.origin() && self.seq == other.seq && self.leaf_hash != other.leaf_hash
    }
}

#[cfg(test)]
mod tests;
