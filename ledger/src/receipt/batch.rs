//! Signing a batch once and cutting receipts from it.

use super::{Receipt, ReceiptError, check_batch, signed_text};
use crate::hash::{Hash, leaf_hash, node_hash};
use crate::ids::{NodeId, Origin, Seq};
use crate::keys::{SIGNATURE_BYTES, SecretKey, receipt_key_name};

/// A node's receipt key with the names that go into its receipts.
#[derive(Debug)]
pub struct BatchSigner {
    origin: Origin,
    key_name: String,
    key: SecretKey,
}

impl BatchSigner {
    /// Binds a receipt key to its ledger and node.
    pub fn new(origin: Origin, node: NodeId, key: SecretKey) -> Self {
        let key_name = receipt_key_name(&origin, node);
        BatchSigner { origin, key_name, key }
    }

    /// Signs the root over a batch's leaf hashes, in order of `seq` from `first_seq`. One signature, `count` node hashes.
    /// The caller signs nothing that is not committed.
    pub fn sign(&self, first_seq: Seq, leaf_hashes: Vec<Hash>) -> Result<SignedBatch, ReceiptError> {
        let count = u64::try_from(leaf_hashes.len()).unwrap_or(u64::MAX);
        check_batch(first_seq, count)?;
        let (levels, root) = build(leaf_hashes);
        let text = signed_text(&self.origin, first_seq, count, &root);
        let signature = self.key.sign(text.as_bytes());
        let (origin, key_name) = (self.origin.clone(), self.key_name.clone());
        Ok(SignedBatch { origin, key_name, first_seq, count, levels, root, signature })
    }
}

/// A signed batch, from which each receipt costs a path and no signature.
#[derive(Debug, Clone)]
pub struct SignedBatch {
    origin: Origin,
    key_name: String,
    first_seq: Seq,
    count: u64,
    /// Every level of the tree, leaves first, the root's level left out.
    levels: Vec<Vec<Hash>>,
    root: Hash,
    signature: [u8; SIGNATURE_BYTES],
}

impl SignedBatch {
    /// First entry of the batch.
    pub fn first_seq(&self) -> Seq {
        self.first_seq
    }

    /// Number of entries of the batch.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Root over the batch's leaf hashes.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// The receipt for the leaf at `index`, from 0; the leaf must be the one whose hash was signed.
    pub fn receipt(&self, index: u64, leaf: &str) -> Result<Receipt, ReceiptError> {
        if index >= self.count {
            return Err(ReceiptError::Index { index, count: self.count });
        }
        let at = |level: &Vec<Hash>, index: u64| usize::try_from(index).ok().and_then(|i| level.get(i).copied());
        let signed = self.levels.first().map_or(Some(self.root), |leaves| at(leaves, index));
        if signed != Some(leaf_hash(leaf.as_bytes())) {
            return Err(ReceiptError::OtherLeaf { index });
        }
        let mut path = Vec::with_capacity(self.levels.len());
        let mut position = index;
        for level in &self.levels {
            path.extend(at(level, position ^ 1));
            position >>= 1;
        }
        Ok(Receipt {
            origin: self.origin.clone(),
            first_seq: self.first_seq,
            count: self.count,
            index,
            key_name: self.key_name.clone(),
            leaf: leaf.to_owned(),
            path,
            root: self.root,
            signature: self.signature,
        })
    }
}

/// Builds an RFC 6962 tree bottom-up: a node without a right sibling rises unhashed, which gives the same shape as the
/// recursive definition. The caller has made sure that there is at least one leaf.
fn build(leaf_hashes: Vec<Hash>) -> (Vec<Vec<Hash>>, Hash) {
    let mut levels = Vec::new();
    let mut level = leaf_hashes;
    while level.len() > 1 {
        let parents = level
            .chunks(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(node_hash(left, right)),
                [single] => Some(*single),
                _ => None,
            })
            .collect();
        levels.push(core::mem::replace(&mut level, parents));
    }
    let root = level.first().copied().unwrap_or_else(crate::hash::empty_root);
    (levels, root)
}
