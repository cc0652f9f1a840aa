//! The tenant map: a sorted Merkle map from blinded tenant ids to entry counts and last leaf hashes.
//!
//! Each seal carries its root over every tenant, every time, so that a tenant's last entries cannot be withheld unnoticed.

use std::collections::BTreeMap;

use crate::hash::{Hash, leaf_hash, sha256};
use crate::ids::{Origin, TenantId, TreeSize};
use crate::proof::{ProofError, inclusion_root};
use crate::tree::{MemoryNodes, TreeError, inclusion_path, merkle_root};

const ID_CONTEXT: &[u8] = b"assent tenant id/1\n";
const LEAF_CONTEXT: &[u8] = b"assent tenant map leaf/1\n";
const ROOT_CONTEXT: &[u8] = b"assent tenant map/1\n";

/// The name under which others see a tenant. `blind` is 32 random bytes, fixed when the tenant is created; zeros for `-`.
pub fn opaque_tenant_id(origin: &Origin, blind: &[u8; 32], tenant: &TenantId) -> Hash {
    sha256(&[ID_CONTEXT, origin.as_str().as_bytes(), b"\n", blind, tenant.as_str().as_bytes()])
}

/// One tenant's line in the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantMapLeaf {
    /// The opaque tenant id.
    pub id: Hash,
    /// Number of the tenant's entries, at least 1.
    pub count: u64,
    /// Leaf hash of its last entry.
    pub last: Hash,
}

impl TenantMapLeaf {
    /// The leaf's hash in the map's tree.
    pub fn hash(&self) -> Hash {
        let mut leaf = Vec::with_capacity(LEAF_CONTEXT.len() + 72);
        leaf.extend_from_slice(LEAF_CONTEXT);
        leaf.extend_from_slice(&self.id.0);
        leaf.extend_from_slice(&self.count.to_be_bytes());
        leaf.extend_from_slice(&self.last.0);
        leaf_hash(&leaf)
    }
}

/// Where a tenant's leaf stands in the map, and the hashes from there to the tree's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantMapPath {
    /// Position among the sorted ids.
    pub index: u64,
    /// Number of tenants in the map.
    pub size: u64,
    /// Inclusion path, from the leaf's sibling upwards.
    pub path: Vec<Hash>,
}

/// Why a map cannot be built, or why membership in one is not proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantMapError {
    /// The same tenant twice.
    #[error("tenant {id} is in the map already; give each tenant once")]
    Duplicate {
        /// Its opaque id.
        id: Hash,
    },
    /// A tenant without entries is not in the map.
    #[error("tenant {id} has no entries; leave it out")]
    NoEntries {
        /// Its opaque id.
        id: Hash,
    },
    /// The tenant is not in the map.
    #[error("tenant {id} is not in the map")]
    Unknown {
        /// Its opaque id.
        id: Hash,
    },
    /// The path is malformed.
    #[error("tenant map path is refused: {0}")]
    Path(#[from] ProofError),
    /// The path leads to another map.
    #[error("tenant map path leads to another root than the one given")]
    RootMismatch,
}

/// A tenant map under construction, and then the source of its paths.
#[derive(Debug, Clone, Default)]
pub struct TenantMap {
    leaves: BTreeMap<Hash, (u64, Hash)>,
}

impl TenantMap {
    /// A map without tenants.
    pub const fn new() -> Self {
        TenantMap { leaves: BTreeMap::new() }
    }

    /// A map of all the leaves.
    pub fn from_leaves(leaves: impl IntoIterator<Item = TenantMapLeaf>) -> Result<Self, TenantMapError> {
        let mut map = Self::new();
        for leaf in leaves {
            map.insert(leaf)?;
        }
        Ok(map)
    }

    /// Adds a tenant.
    pub fn insert(&mut self, leaf: TenantMapLeaf) -> Result<(), TenantMapError> {
        if leaf.count == 0 {
            return Err(TenantMapError::NoEntries { id: leaf.id });
        }
        if self.leaves.insert(leaf.id, (leaf.count, leaf.last)).is_some() {
            return Err(TenantMapError::Duplicate { id: leaf.id });
        }
        Ok(())
    }

    /// Number of tenants.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there are no tenants.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The leaves, sorted by opaque id.
    pub fn leaves(&self) -> impl Iterator<Item = TenantMapLeaf> {
        self.leaves.iter().map(|(id, (count, last))| TenantMapLeaf { id: *id, count: *count, last: *last })
    }

    /// The map's root.
    pub fn root(&self) -> Hash {
        map_root(self.leaves.len() as u64, &merkle_root(self.leaves().map(|leaf| leaf.hash())))
    }

    /// Builds the tree once, for the paths of many tenants.
    pub fn paths(&self) -> TenantMapPaths {
        let ids = self.leaves.keys().copied().collect();
        TenantMapPaths { ids, nodes: MemoryNodes::from_leaves(self.leaves().map(|leaf| leaf.hash())) }
    }

    /// The path of one tenant.
    pub fn path(&self, id: &Hash) -> Result<TenantMapPath, TenantMapError> {
        self.paths().path(id)
    }
}

/// A finished map's tree.
#[derive(Debug, Clone)]
pub struct TenantMapPaths {
    ids: Vec<Hash>,
    nodes: MemoryNodes,
}

impl TenantMapPaths {
    /// The path of one tenant.
    pub fn path(&self, id: &Hash) -> Result<TenantMapPath, TenantMapError> {
        let unknown = TenantMapError::Unknown { id: *id };
        let Ok(index) = self.ids.binary_search(id) else { return Err(unknown) };
        let (index, size) = (index as u64, self.ids.len() as u64);
        match inclusion_path(&self.nodes, index, TreeSize(size)) {
            Ok(path) => Ok(TenantMapPath { index, size, path }),
            Err(TreeError::Read(never)) => match never {},
            Err(_) => Err(unknown),
        }
    }
}

/// Checks strictly that `leaf` is in the map with root `root`.
pub fn verify_membership(root: &Hash, leaf: &TenantMapLeaf, path: &TenantMapPath) -> Result<(), TenantMapError> {
    if leaf.count == 0 {
        return Err(TenantMapError::NoEntries { id: leaf.id });
    }
    let tree_root = inclusion_root(&leaf.hash(), path.index, TreeSize(path.size), &path.path)?;
    if map_root(path.size, &tree_root) == *root { Ok(()) } else { Err(TenantMapError::RootMismatch) }
}

fn map_root(size: u64, tree_root: &Hash) -> Hash {
    sha256(&[ROOT_CONTEXT, &size.to_be_bytes(), &tree_root.0])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn leaf(i: u32) -> TenantMapLeaf {
        let bytes = i.to_be_bytes();
        TenantMapLeaf { id: sha256(&[b"id", &bytes]), count: u64::from(i) + 1, last: sha256(&[b"last", &bytes]) }
    }

    #[test]
    fn every_member_is_proven_and_nothing_else() {
        for n in 1..40u32 {
            let map = TenantMap::from_leaves((0..n).map(leaf)).unwrap();
            let reversed = TenantMap::from_leaves((0..n).rev().map(leaf)).unwrap();
            let root = map.root();
            assert_eq!(root, reversed.root());
            let paths = map.paths();
            for i in 0..n {
                let member = leaf(i);
                let path = paths.path(&member.id).unwrap();
                verify_membership(&root, &member, &path).unwrap();
                let fewer = TenantMapLeaf { count: member.count + 1, ..member };
                assert_eq!(verify_membership(&root, &fewer, &path), Err(TenantMapError::RootMismatch));
                let other = TenantMapLeaf { last: member.id, ..member };
                assert_eq!(verify_membership(&root, &other, &path), Err(TenantMapError::RootMismatch));
                let larger = TenantMapPath { size: path.size + 1, ..path.clone() };
                assert!(verify_membership(&root, &member, &larger).is_err());
                let elsewhere = TenantMapPath { index: path.index + 1, ..path };
                assert!(verify_membership(&root, &member, &elsewhere).is_err());
            }
            let stranger = leaf(n).id;
            assert_eq!(paths.path(&stranger), Err(TenantMapError::Unknown { id: stranger }));
        }
    }

    #[test]
    fn tenants_twice_or_without_entries_are_refused() {
        let one = leaf(1);
        assert_eq!(TenantMap::from_leaves([one, one]).unwrap_err(), TenantMapError::Duplicate { id: one.id });
        let none = TenantMapLeaf { count: 0, ..one };
        assert_eq!(TenantMap::from_leaves([none]).unwrap_err(), TenantMapError::NoEntries { id: one.id });
    }
}
