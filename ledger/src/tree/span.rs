//! The tree over one span's leaves, built with `rs_merkle` and accepted only if its root is the one that we compute ourselves.
//!
//! `rs_merkle` builds here and never verifies: its verifier takes duplicate indexes and trailing hashes.

use rs_merkle::{Hasher, MerkleTree};

use super::merkle_root;
use crate::hash::{Hash, empty_root, node_hash, sha256};
use crate::ids::TreeSize;
use crate::proof::{ProofError, verify_inclusion};

/// RFC 6962 node hashing for `rs_merkle`; an odd last node rises unhashed, which gives the RFC's shape.
#[derive(Clone)]
struct Rfc6962;

impl Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        sha256(&[data]).0
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        right.map_or(*left, |right| node_hash(&Hash(*left), &Hash(*right)).0)
    }
}

/// The Merkle tree over a span's leaf hashes alone.
pub struct SpanTree {
    tree: MerkleTree<Rfc6962>,
    leaves: Vec<Hash>,
    root: Hash,
}

/// Why a span tree is not to be trusted or has no such path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanTreeError {
    /// The two implementations disagree about the root.
    #[error("span root {theirs} of the tree builder differs from our own {ours}; do not seal with this build")]
    Root {
        /// What we computed.
        ours: Hash,
        /// What the builder computed.
        theirs: Hash,
    },
    /// The leaf is not in the span.
    #[error("leaf {index} is not in a span of {count} leaves")]
    Index {
        /// The leaf that was asked for, counted from the span's start.
        index: usize,
        /// The span's leaves.
        count: usize,
    },
    /// The builder's path does not lead to the root.
    #[error("path of leaf {index} of the tree builder does not verify: {source}")]
    Path {
        /// The leaf, counted from the span's start.
        index: usize,
        /// What our verifier says.
        source: ProofError,
    },
}

impl SpanTree {
    /// Builds the tree and compares its root with our own.
    pub fn build(leaves: Vec<Hash>) -> Result<Self, SpanTreeError> {
        let raw: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf.0).collect();
        let tree = MerkleTree::<Rfc6962>::from_leaves(&raw);
        let theirs = tree.root().map_or_else(empty_root, Hash);
        let ours = merkle_root(leaves.iter().copied());
        if ours != theirs {
            return Err(SpanTreeError::Root { ours, theirs });
        }
        Ok(SpanTree { tree, leaves, root: ours })
    }

    /// The span's root.
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The path of one leaf, counted from the span's start; it has passed our verifier.
    pub fn path(&self, index: usize) -> Result<Vec<Hash>, SpanTreeError> {
        let count = self.leaves.len();
        let leaf = self.leaves.get(index).ok_or(SpanTreeError::Index { index, count })?;
        let path: Vec<Hash> = self.tree.proof(&[index]).proof_hashes().iter().map(|hash| Hash(*hash)).collect();
        verify_inclusion(leaf, index as u64, TreeSize(count as u64), &path, &self.root)
            .map_err(|source| SpanTreeError::Path { index, source })?;
        Ok(path)
    }
}
