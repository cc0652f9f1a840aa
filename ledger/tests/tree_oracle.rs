//! The tree and its proofs against `ct-merkle`, for every size up to 300, and against everything that a forger would try.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::ids::TreeSize;
use assent_ledger::proof::{ProofError, consistency_length, inclusion_length, verify_consistency, verify_inclusion};
use assent_ledger::tree::{
    Frontier, MemoryNodes, SpanTree, SpanTreeError, consistency_path, inclusion_path, merkle_root, root_at,
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;

const SIZE_MAX: u64 = 300;

fn leaf(i: u64) -> [u8; 8] {
    i.to_be_bytes()
}

fn hash_of(i: u64) -> Hash {
    leaf_hash(&leaf(i))
}

fn concatenated(path: &[Hash]) -> Vec<u8> {
    path.iter().flat_map(|hash| hash.0).collect()
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    assert!(rest.is_empty());
    hashes.iter().copied().map(Hash).collect()
}

/// The oracle's trees of all sizes, ours over the largest, and the roots that both agree on.
struct Both {
    theirs: Vec<MemoryBackedTree<Sha256, [u8; 8]>>,
    nodes: MemoryNodes,
    roots: Vec<Hash>,
}

fn both() -> Both {
    let mut tree = MemoryBackedTree::new();
    let mut theirs = vec![tree.clone()];
    for i in 0..SIZE_MAX {
        tree.push(leaf(i));
        theirs.push(tree.clone());
    }
    let nodes = MemoryNodes::from_leaves((0..SIZE_MAX).map(hash_of));
    let roots = theirs.iter().map(|tree| Hash((*tree.root().as_bytes()).into())).collect();
    Both { theirs, nodes, roots }
}

#[test]
fn roots_agree() {
    let Both { nodes, roots, .. } = both();
    let mut frontier = Frontier::new();
    for size in 0..=SIZE_MAX {
        let root = roots[size as usize];
        assert_eq!(frontier.root(), root, "frontier of {size}");
        assert_eq!(root_at(&nodes, TreeSize(size)).unwrap(), root, "stored nodes at {size}");
        assert_eq!(merkle_root((0..size).map(hash_of)), root, "leaves of {size}");
        frontier.append(hash_of(size));
    }
    assert_eq!((nodes.size(), nodes.root()), (TreeSize(SIZE_MAX), roots[SIZE_MAX as usize]));
}

#[test]
fn every_inclusion_proof_agrees() {
    let Both { theirs, nodes, roots } = both();
    for size in 1..=SIZE_MAX {
        let (tree, root) = (&theirs[size as usize], roots[size as usize]);
        for index in 0..size {
            let path = inclusion_path(&nodes, index, TreeSize(size)).unwrap();
            let their_proof = tree.prove_inclusion(index as usize);
            assert_eq!(hashes(their_proof.as_bytes()), path, "path of {index} in {size}");
            assert_eq!(inclusion_length(index, TreeSize(size)), path.len());
            verify_inclusion(&hash_of(index), index, TreeSize(size), &path, &root).unwrap();
            let our_proof = InclusionProof::<Sha256>::try_from_bytes(concatenated(&path)).unwrap();
            tree.root().verify_inclusion(&leaf(index), index, &our_proof).unwrap();
        }
    }
}

#[test]
fn every_consistency_proof_agrees() {
    let Both { theirs, nodes, roots } = both();
    for new in 1..=SIZE_MAX {
        let (tree, new_root) = (&theirs[new as usize], roots[new as usize]);
        for old in 0..=new {
            let old_root = roots[old as usize];
            let path = consistency_path(&nodes, TreeSize(old), TreeSize(new)).unwrap();
            assert_eq!(consistency_length(TreeSize(old), TreeSize(new)), path.len());
            verify_consistency(TreeSize(old), &old_root, TreeSize(new), &new_root, &path).unwrap();
            if old > 0 {
                let their_proof = tree.prove_consistency((new - old) as usize);
                if old < new {
                    assert_eq!(hashes(their_proof.as_bytes()), path, "from {old} to {new}");
                    let our_proof = ConsistencyProof::<Sha256>::try_from_bytes(concatenated(&path)).unwrap();
                    let their_old: RootHash<Sha256> = theirs[old as usize].root();
                    tree.root().verify_consistency(&their_old, &our_proof).unwrap();
                }
            }
        }
    }
}

#[test]
fn forged_inclusion_proofs_are_refused() {
    let Both { nodes, roots, .. } = both();
    for size in 1..=SIZE_MAX {
        let root = roots[size as usize];
        for index in (0..size).step_by(if size < 70 { 1 } else { 7 }) {
            let leaf = hash_of(index);
            let path = inclusion_path(&nodes, index, TreeSize(size)).unwrap();
            let refused = |leaf: &Hash, index, size, path: &[Hash], root: &Hash| {
                verify_inclusion(leaf, index, TreeSize(size), path, root).unwrap_err()
            };
            for at in 0..path.len() {
                let mut flipped = path.clone();
                flipped[at].0[at % 32] ^= 1 << (at % 8);
                assert_eq!(refused(&leaf, index, size, &flipped, &root), ProofError::RootMismatch);
                let mut dropped = path.clone();
                dropped.remove(at);
                assert!(matches!(refused(&leaf, index, size, &dropped, &root), ProofError::Length { .. }));
            }
            let mut appended = path.clone();
            appended.push(root);
            assert!(matches!(refused(&leaf, index, size, &appended, &root), ProofError::Length { .. }));
            for other in [index.wrapping_sub(1), index + 1, index ^ 2, size, u64::MAX] {
                if other != index {
                    refused(&leaf, other, size, &path, &root);
                }
            }
            for other in [size - 1, size + 1] {
                // A path says nothing about the size to its right as long as its shape stays: the root is the signed one
                // of `size`, and whoever lies about the size beside it must be caught by the checkpoint. What must hold is
                // that no other size gives *its own* root.
                if let Some(other_root) = roots.get(other as usize) {
                    refused(&leaf, index, other, &path, other_root);
                }
            }
            refused(&hash_of(index + 1), index, size, &path, &root);
            refused(&leaf, index, size, &path, &leaf_hash(b"another root"));
        }
    }
}

#[test]
fn forged_consistency_proofs_are_refused() {
    let Both { nodes, roots, .. } = both();
    for new in 2..=SIZE_MAX {
        for old in (1..new).step_by(if new < 70 { 1 } else { 7 }) {
            let (old_root, new_root) = (roots[old as usize], roots[new as usize]);
            let path = consistency_path(&nodes, TreeSize(old), TreeSize(new)).unwrap();
            let refused = |old, old_root: &Hash, new, new_root: &Hash, path: &[Hash]| {
                verify_consistency(TreeSize(old), old_root, TreeSize(new), new_root, path).unwrap_err()
            };
            for at in 0..path.len() {
                let mut flipped = path.clone();
                flipped[at].0[31 - at % 32] ^= 1 << (at % 8);
                assert_eq!(refused(old, &old_root, new, &new_root, &flipped), ProofError::RootMismatch);
                let mut dropped = path.clone();
                dropped.remove(at);
                assert!(matches!(refused(old, &old_root, new, &new_root, &dropped), ProofError::Length { .. }));
            }
            let mut appended = path.clone();
            appended.push(new_root);
            assert!(matches!(refused(old, &old_root, new, &new_root, &appended), ProofError::Length { .. }));
            refused(old, &new_root, new, &old_root, &path);
            refused(old, &leaf_hash(b"x"), new, &new_root, &path);
            refused(old, &old_root, new, &leaf_hash(b"x"), &path);
            refused(new, &new_root, old, &old_root, &path);
            refused(0, &old_root, new, &new_root, &path);
            refused(old - 1, &roots[old as usize - 1], new, &new_root, &path);
            refused(old + 1, &roots[old as usize + 1], new, &new_root, &path);
            refused(old, &old_root, new - 1, &roots[new as usize - 1], &path);
            if let Some(next_root) = roots.get(new as usize + 1) {
                refused(old, &old_root, new + 1, next_root, &path);
            }
        }
    }
}

#[test]
fn span_trees_of_the_builder_have_our_shape() {
    for count in 0..=SIZE_MAX {
        let leaves: Vec<Hash> = (0..count).map(hash_of).collect();
        let nodes = MemoryNodes::from_leaves(leaves.iter().copied());
        let tree = SpanTree::build(leaves).unwrap();
        assert_eq!(tree.root(), nodes.root());
        for index in 0..count {
            let path = tree.path(index as usize).unwrap();
            assert_eq!(path, inclusion_path(&nodes, index, TreeSize(count)).unwrap(), "path of {index} in {count}");
        }
        let count = count as usize;
        assert_eq!(tree.path(count), Err(SpanTreeError::Index { index: count, count }));
    }
}
