//! Addresses of perfect nodes, and where they are read from.

use core::convert::Infallible;

use super::Frontier;
use crate::hash::Hash;
use crate::ids::TreeSize;

/// Where a perfect node stands: it covers the leaves `index * 2^level .. (index + 1) * 2^level`. Level 0 holds leaf hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    /// Height above the leaves.
    pub level: u8,
    /// Position within the level, from 0.
    pub index: u64,
}

/// Reads stored perfect nodes.
pub trait NodeRead {
    /// What can go wrong in reading.
    type Error;

    /// The node's hash, or `None` when it was never stored.
    fn node(&self, address: NodeAddress) -> Result<Option<Hash>, Self::Error>;
}

impl<N: NodeRead + ?Sized> NodeRead for &N {
    type Error = N::Error;

    fn node(&self, address: NodeAddress) -> Result<Option<Hash>, Self::Error> {
        (**self).node(address)
    }
}

/// All perfect nodes of a tree in memory: one list per level, filled from the left as the tree grows.
#[derive(Debug, Clone, Default)]
pub struct MemoryNodes {
    levels: Vec<Vec<Hash>>,
    frontier: Frontier,
}

impl MemoryNodes {
    /// The nodes of a tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The nodes of the tree over `leaves` (leaf hashes).
    pub fn from_leaves(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut nodes = Self::new();
        for leaf in leaves {
            nodes.push(leaf);
        }
        nodes
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let levels = &mut self.levels;
        self.frontier.push_with(leaf, |address, hash| {
            // Nodes of a level complete in the order of their index, and a level's first node completes after the first of
            // the level below: pushing puts each at its index.
            let level = usize::from(address.level);
            if level == levels.len() {
                levels.push(Vec::new());
            }
            if let Some(row) = levels.get_mut(level) {
                row.push(hash);
            }
        });
    }

    /// Number of leaves.
    pub const fn size(&self) -> TreeSize {
        self.frontier.size()
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }
}

impl NodeRead for MemoryNodes {
    type Error = Infallible;

    fn node(&self, address: NodeAddress) -> Result<Option<Hash>, Infallible> {
        let row = self.levels.get(usize::from(address.level));
        let index = usize::try_from(address.index).ok();
        Ok(row.zip(index).and_then(|(row, index)| row.get(index)).copied())
    }
}
