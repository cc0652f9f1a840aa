//! Roots, inclusion paths and consistency paths of any past size, from stored perfect nodes.

use super::frontier::fold_right;
use super::{NodeAddress, NodeRead};
use crate::hash::{Hash, empty_root};
use crate::ids::TreeSize;
use crate::limits::TREE_SIZE_MAX;

/// Why a root or a path cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// The store failed.
    #[error("reading a tree node failed: {0}")]
    Read(E),
    /// A node that a tree of this size has is not in the store.
    #[error("tree node {index} of level {level} is missing; rebuild the tree from its leaves", level = .0.level, index = .0.index)]
    Missing(NodeAddress),
    /// The leaf is not in a tree of this size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    Index {
        /// The leaf that was asked for.
        index: u64,
        /// The tree's size.
        size: TreeSize,
    },
    /// The older tree would be larger than the newer one.
    #[error("the older tree ({old} leaves) must not be larger than the newer one ({new})")]
    Sizes {
        /// Size of the older tree.
        old: TreeSize,
        /// Size of the newer tree.
        new: TreeSize,
    },
    /// The size is beyond what a tree may have.
    #[error("tree size {0} exceeds the limit of {max}", max = TREE_SIZE_MAX)]
    TooLarge(TreeSize),
}

/// The root of the tree over the first `size` leaves.
pub fn root_at<N: NodeRead>(nodes: &N, size: TreeSize) -> Result<Hash, TreeError<N::Error>> {
    check_size(size)?;
    if size.0 == 0 { Ok(empty_root()) } else { range_root(nodes, 0, size.0) }
}

/// The path of leaf `index` to the root of the tree over the first `size` leaves, from the leaf's sibling upwards.
pub fn inclusion_path<N: NodeRead>(nodes: &N, index: u64, size: TreeSize) -> Result<Vec<Hash>, TreeError<N::Error>> {
    check_size(size)?;
    if index >= size.0 {
        return Err(TreeError::Index { index, size });
    }
    let (mut start, mut count) = (0, size.0);
    let mut path = Vec::new();
    while count > 1 {
        let left = split(count);
        if index - start < left {
            path.push(range_root(nodes, start + left, count - left)?);
            count = left;
        } else {
            path.push(range_root(nodes, start, left)?);
            start += left;
            count -= left;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree over the first `new` leaves extends that over the first `old`; empty when `old` is 0 or equals `new`.
pub fn consistency_path<N: NodeRead>(
    nodes: &N,
    old: TreeSize,
    new: TreeSize,
) -> Result<Vec<Hash>, TreeError<N::Error>> {
    check_size(new)?;
    if old > new {
        return Err(TreeError::Sizes { old, new });
    }
    if old.0 == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut start, mut count, mut old_count) = (0, new.0, old.0);
    let mut path = Vec::new();
    while old_count != count {
        let left = split(count);
        if old_count <= left {
            path.push(range_root(nodes, start + left, count - left)?);
            count = left;
        } else {
            path.push(range_root(nodes, start, left)?);
            start += left;
            count -= left;
            old_count -= left;
        }
    }
    // From the very left, what is left is the old tree itself, whose root the verifier holds.
    if start > 0 {
        path.push(range_root(nodes, start, count)?);
    }
    path.reverse();
    Ok(path)
}

fn check_size<E>(size: TreeSize) -> Result<(), TreeError<E>> {
    if size.0 > TREE_SIZE_MAX { Err(TreeError::TooLarge(size)) } else { Ok(()) }
}

/// The largest power of two below `count`, which is at least 2: where RFC 6962 splits a tree.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root over `count >= 1` leaves from `start`, a multiple of the largest power of two in `count`.
fn range_root<N: NodeRead>(nodes: &N, mut start: u64, mut count: u64) -> Result<Hash, TreeError<N::Error>> {
    let mut roots = Vec::with_capacity(count.count_ones() as usize);
    while count > 0 {
        let level = count.ilog2();
        let address = NodeAddress { level: level as u8, index: start >> level };
        roots.push(nodes.node(address).map_err(TreeError::Read)?.ok_or(TreeError::Missing(address))?);
        start += 1 << level;
        count -= 1 << level;
    }
    Ok(fold_right(&roots).unwrap_or_else(empty_root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use crate::tree::MemoryNodes;

    #[test]
    fn questions_without_an_answer_are_refused() {
        let nodes = MemoryNodes::from_leaves((0..5u8).map(|i| leaf_hash(&[i])));
        let (two, five, six) = (TreeSize(2), TreeSize(5), TreeSize(6));
        assert_eq!(inclusion_path(&nodes, 5, five), Err(TreeError::Index { index: 5, size: five }));
        assert_eq!(inclusion_path(&nodes, 0, TreeSize(0)), Err(TreeError::Index { index: 0, size: TreeSize(0) }));
        assert_eq!(consistency_path(&nodes, five, two), Err(TreeError::Sizes { old: five, new: two }));
        assert_eq!(root_at(&nodes, six), Err(TreeError::Missing(NodeAddress { level: 1, index: 2 })));
        assert_eq!(root_at(&nodes, TreeSize(u64::MAX)), Err(TreeError::TooLarge(TreeSize(u64::MAX))));
    }
}
