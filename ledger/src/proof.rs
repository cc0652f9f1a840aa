//! Strict verification of inclusion and consistency proofs (RFC 6962, as restated in RFC 9162 section 2.1).
//!
//! A proof has exactly one length for its sizes; one hash more or less is refused before anything is hashed. Sizes must come
//! from a signed checkpoint, never from beside the proof.

use crate::hash::{Hash, empty_root, node_hash};
use crate::ids::TreeSize;

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf is not in a tree of this size.
    #[error("leaf index {index} is not below the tree size {size}")]
    IndexBeyondSize {
        /// The claimed index.
        index: u64,
        /// The tree's size.
        size: TreeSize,
    },
    /// The older tree is larger than the newer one.
    #[error("older size {old} exceeds newer size {new}")]
    SizesReversed {
        /// The older size.
        old: TreeSize,
        /// The newer size.
        new: TreeSize,
    },
    /// The number of hashes is not the one that these sizes have.
    #[error("proof must have exactly {expected} hashes, got {got}")]
    Length {
        /// The only length that is right.
        expected: usize,
        /// The length that was offered.
        got: usize,
    },
    /// The path leads to another root.
    #[error("proof leads to another root than the one given")]
    RootMismatch,
    /// The path leads to the newer root but not to the older one, or the older root is not that of its size.
    #[error("proof leads to another older root than the one given")]
    OldRootMismatch,
}

impl ProofError {
    /// A stable short name of the kind, as used in the shared test vectors.
    pub const fn kind(&self) -> &'static str {
        match self {
            ProofError::IndexBeyondSize { .. } => "index_beyond_size",
            ProofError::SizesReversed { .. } => "sizes_reversed",
            ProofError::Length { .. } => "proof_length",
            ProofError::RootMismatch => "root_mismatch",
            ProofError::OldRootMismatch => "old_root_mismatch",
        }
    }
}

/// Checks that the leaf with hash `leaf` is number `index` of the tree of `size` leaves with root `root`.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: TreeSize, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if inclusion_root(leaf, index, size, path)? == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// The root that an inclusion path of the right length leads to; the caller must compare it with a trusted one.
pub fn inclusion_root(leaf: &Hash, index: u64, size: TreeSize, path: &[Hash]) -> Result<Hash, ProofError> {
    if index >= size.0 {
        return Err(ProofError::IndexBeyondSize { index, size });
    }
    let last = size.0 - 1;
    check_length(path_length(index, last), path.len())?;
    let mut walk = Walk { node: index, last };
    let mut hash = *leaf;
    for sibling in path {
        hash = if walk.sibling_is_left() { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) };
        walk.rise();
    }
    Ok(hash)
}

/// Checks that the tree of size `new` with root `new_root` extends the tree of size `old` with root `old_root`.
///
/// Anything extends the empty tree: with `old` 0 the proof must be empty and `old_root` that of the empty tree. With equal
/// sizes the proof must be empty and the roots equal.
pub fn verify_consistency(
    old: TreeSize,
    old_root: &Hash,
    new: TreeSize,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::SizesReversed { old, new });
    }
    check_length(consistency_length(old, new), path.len())?;
    if old.0 == 0 && *old_root != empty_root() {
        return Err(ProofError::OldRootMismatch);
    }
    if old == new {
        return if old_root == new_root { Ok(()) } else { Err(ProofError::RootMismatch) };
    }
    if old.0 == 0 {
        return Ok(());
    }
    let (old_found, new_found) = consistency_roots(old, old_root, new, path);
    if new_found != *new_root {
        Err(ProofError::RootMismatch)
    } else if old_found != *old_root {
        Err(ProofError::OldRootMismatch)
    } else {
        Ok(())
    }
}

/// The older and the newer root that a path of the right length leads to, for `0 < old < new`.
fn consistency_roots(old: TreeSize, old_root: &Hash, new: TreeSize, path: &[Hash]) -> (Hash, Hash) {
    // The walk starts at the largest perfect subtree that ends the old tree. When that is the whole old tree, its root is
    // known and not part of the proof.
    let level = old.0.trailing_zeros();
    let mut walk = Walk { node: (old.0 - 1) >> level, last: (new.0 - 1) >> level };
    let (seed, rest) = match path.split_first() {
        Some((first, rest)) if !old.0.is_power_of_two() => (*first, rest),
        _ => (*old_root, path),
    };
    let (mut old_hash, mut new_hash) = (seed, seed);
    for sibling in rest {
        if walk.sibling_is_left() {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        walk.rise();
    }
    (old_hash, new_hash)
}

/// A climb from a node towards the root: its index and that of the last node of its level.
struct Walk {
    node: u64,
    last: u64,
}

impl Walk {
    /// Whether the next hash of the proof stands on the left. A last node without a right sibling rises until it is a right
    /// child itself, so that its sibling is then on the left too.
    const fn sibling_is_left(&self) -> bool {
        self.node & 1 == 1 || self.node == self.last
    }

    /// Goes to the parent, past the levels on which a last node has no sibling.
    const fn rise(&mut self) {
        while self.node & 1 == 0 && self.node == self.last && self.node != 0 {
            self.node >>= 1;
            self.last >>= 1;
        }
        self.node >>= 1;
        self.last >>= 1;
    }
}

/// The one length of an inclusion path: a sibling on each level until the node is on the right edge, and from there one for each
/// level on which it is a right child.
const fn path_length(index: u64, last: u64) -> usize {
    let below_edge = 64 - (index ^ last).leading_zeros();
    let on_edge = if below_edge == 64 { 0 } else { (index >> below_edge).count_ones() };
    (below_edge + on_edge) as usize
}

/// The one length of a consistency proof between two sizes, `old <= new`.
pub const fn consistency_length(old: TreeSize, new: TreeSize) -> usize {
    if old.0 == 0 || old.0 == new.0 {
        return 0;
    }
    let level = old.0.trailing_zeros();
    let seed = if old.0.is_power_of_two() { 0 } else { 1 };
    seed + path_length((old.0 - 1) >> level, (new.0 - 1) >> level)
}

/// The one length of an inclusion path, `index < size`.
pub const fn inclusion_length(index: u64, size: TreeSize) -> usize {
    path_length(index, size.0.saturating_sub(1))
}

const fn check_length(expected: usize, got: usize) -> Result<(), ProofError> {
    if expected == got { Ok(()) } else { Err(ProofError::Length { expected, got }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    #[test]
    fn edges_of_the_sizes() {
        let (a, b, empty) = (leaf_hash(b"a"), leaf_hash(b"b"), empty_root());
        let (none, one, two) = (TreeSize(0), TreeSize(1), TreeSize(2));
        assert_eq!(verify_inclusion(&a, 0, one, &[], &a), Ok(()));
        assert_eq!(verify_inclusion(&a, 0, none, &[], &a), Err(ProofError::IndexBeyondSize { index: 0, size: none }));
        assert_eq!(verify_inclusion(&a, 1, one, &[], &a), Err(ProofError::IndexBeyondSize { index: 1, size: one }));
        assert_eq!(verify_consistency(none, &empty, none, &empty, &[]), Ok(()));
        assert_eq!(verify_consistency(none, &empty, none, &a, &[]), Err(ProofError::RootMismatch));
        assert_eq!(verify_consistency(none, &empty, one, &a, &[]), Ok(()));
        assert_eq!(verify_consistency(none, &a, one, &a, &[]), Err(ProofError::OldRootMismatch));
        assert_eq!(verify_consistency(none, &empty, one, &a, &[b]), Err(ProofError::Length { expected: 0, got: 1 }));
        assert_eq!(verify_consistency(one, &a, one, &a, &[]), Ok(()));
        assert_eq!(verify_consistency(one, &a, one, &b, &[]), Err(ProofError::RootMismatch));
        assert_eq!(verify_consistency(two, &a, one, &a, &[]), Err(ProofError::SizesReversed { old: two, new: one }));
        assert_eq!(verify_consistency(one, &a, two, &node_hash(&a, &b), &[b]), Ok(()));
        assert_eq!(verify_consistency(one, &b, two, &node_hash(&a, &b), &[b]), Err(ProofError::RootMismatch));
    }

    #[test]
    fn huge_sizes_neither_panic_nor_pass() {
        let a = leaf_hash(b"a");
        let path = vec![a; 128];
        for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1] {
            for index in [0, 1, size / 2, size - 1] {
                for length in [0, 1, 63, 64, 65, 128] {
                    let path = path.get(..length).unwrap_or_default();
                    assert!(verify_inclusion(&a, index, TreeSize(size), path, &a).is_err());
                    let old = TreeSize(index.max(1));
                    assert!(verify_consistency(old, &leaf_hash(b"b"), TreeSize(size), &a, path).is_err());
                }
            }
        }
    }
}
