//! The compact range: what is needed to append to a tree and to know its root, at most one hash per level.

use super::NodeAddress;
use crate::hash::{Hash, empty_root, node_hash};
use crate::ids::TreeSize;
use crate::limits::TREE_SIZE_MAX;

/// The roots of the perfect subtrees that a tree of some size consists of, the largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

/// Why parts do not make a frontier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The size is beyond what a tree may have.
    #[error("tree size {size} exceeds the limit of {max}", max = TREE_SIZE_MAX)]
    Size {
        /// The size that was given.
        size: u64,
    },
    /// The number of hashes does not fit the size.
    #[error("a tree of {size} leaves has {expected} perfect subtrees, got {got} hashes")]
    Count {
        /// The size that was given.
        size: u64,
        /// How many hashes a frontier of that size has.
        expected: usize,
        /// How many there were.
        got: usize,
    },
}

impl Frontier {
    /// The frontier of the tree without leaves.
    pub const fn new() -> Self {
        Frontier { size: 0, roots: Vec::new() }
    }

    /// Puts a stored frontier together again. The hashes themselves cannot be checked here: compare `root()` with a known one.
    pub fn from_parts(size: TreeSize, roots: Vec<Hash>) -> Result<Self, FrontierError> {
        let size = size.0;
        if size > TREE_SIZE_MAX {
            return Err(FrontierError::Size { size });
        }
        let expected = size.count_ones() as usize;
        if roots.len() != expected {
            return Err(FrontierError::Count { size, expected, got: roots.len() });
        }
        Ok(Frontier { size, roots })
    }

    /// What is to be stored: the size and the subtree roots, the largest subtree first.
    pub fn to_parts(&self) -> (TreeSize, &[Hash]) {
        (TreeSize(self.size), &self.roots)
    }

    /// Number of leaves.
    pub const fn size(&self) -> TreeSize {
        TreeSize(self.size)
    }

    /// Appends a leaf hash and returns the perfect nodes that it completes, from level 0 (the leaf itself) upwards.
    pub fn push(&mut self, leaf: Hash) -> Vec<(NodeAddress, Hash)> {
        let mut completed = Vec::with_capacity(2);
        self.push_with(leaf, |address, hash| completed.push((address, hash)));
        completed
    }

    /// Appends a leaf hash without keeping the nodes that it completes.
    pub fn append(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _| ());
    }

    /// Appends a leaf hash and hands each perfect node that it completes to `completed`, from level 0 upwards.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(NodeAddress, Hash)) {
        let mut address = NodeAddress { level: 0, index: self.size };
        let mut hash = leaf;
        completed(address, hash);
        // Each set low bit of the size is a left sibling that has been waiting for this subtree.
        while address.index & 1 == 1 {
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(&left, &hash);
            address = NodeAddress { level: address.level + 1, index: address.index >> 1 };
            completed(address, hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root over all leaves; that of the empty tree is the hash of nothing.
    pub fn root(&self) -> Hash {
        fold_right(&self.roots).unwrap_or_else(empty_root)
    }
}

/// The root over perfect subtrees of falling size, joined from the smallest upwards.
pub(super) fn fold_right(roots: &[Hash]) -> Option<Hash> {
    roots.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}

/// The RFC 6962 root over leaf hashes, in memory that does not grow with their number.
pub fn merkle_root(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.append(leaf);
    }
    frontier.root()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::hash::leaf_hash;

    #[test]
    fn parts_round_trip_and_are_checked() {
        let mut frontier = Frontier::new();
        for i in 0..100u8 {
            let (size, roots) = frontier.to_parts();
            assert_eq!(Frontier::from_parts(size, roots.to_vec()).unwrap(), frontier);
            frontier.append(leaf_hash(&[i]));
        }
        let (size, roots) = frontier.to_parts();
        let short = roots.get(1..).unwrap().to_vec();
        assert_eq!(Frontier::from_parts(size, short), Err(FrontierError::Count { size: 100, expected: 3, got: 2 }));
        let beyond = TREE_SIZE_MAX + 1;
        assert_eq!(Frontier::from_parts(TreeSize(beyond), vec![]), Err(FrontierError::Size { size: beyond }));
    }

    #[test]
    fn completed_nodes_are_addressed_from_the_leaf_up() {
        let mut frontier = Frontier::new();
        for i in 0..3u8 {
            frontier.append(leaf_hash(&[i]));
        }
        let addresses: Vec<_> = frontier.push(leaf_hash(&[3])).iter().map(|(a, _)| (a.level, a.index)).collect();
        assert_eq!(addresses, [(0, 3), (1, 1), (2, 0)]);
    }
}
