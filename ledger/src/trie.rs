//! The state trie: a Merkle commitment to a set of keys and values whose root depends on the content only.
//!
//! The root of a set is defined by recursion over the SHA-256 digests of its keys:
//! - no key: `SHA-256("assent state empty/1\n")`;
//! - one key: `SHA-256("assent state leaf/1\n" ‖ SHA-256(key) ‖ SHA-256(value))`;
//! - more: `SHA-256("assent state node/1\n" ‖ bit ‖ root of those with 0 ‖ root of those with 1)`, where `bit` (one byte, 0 is
//!   the first and highest bit) is the first bit at which the digests differ.
//!
//! So there is one node fewer than there are keys, and removing a key leaves the shape that the set without it always has. In
//! memory the hashes are computed when the root is asked for, and only along the paths that have changed.

use crate::hash::{Hash, sha256};

const EMPTY_CONTEXT: &[u8] = b"assent state empty/1\n";
const LEAF_CONTEXT: &[u8] = b"assent state leaf/1\n";
const NODE_CONTEXT: &[u8] = b"assent state node/1\n";

/// A set of keys and values, of which only digests are held: about 160 bytes for each key.
#[derive(Debug, Clone, Default)]
pub struct StateTrie {
    top: Option<Box<Node>>,
    len: usize,
}

/// The trie below some point. Paths are at most 256 branches long, one for each bit of a digest, which bounds all recursion.
#[derive(Debug, Clone)]
enum Node {
    Leaf { key: Hash, digest: Hash },
    Branch(Branch),
}

#[derive(Debug, Clone)]
struct Branch {
    /// The first bit at which the keys below differ.
    bit: u8,
    /// The digest, unless something below has changed since it was computed.
    digest: Option<Hash>,
    zero: Box<Node>,
    one: Box<Node>,
}

impl StateTrie {
    /// The empty set.
    pub const fn new() -> Self {
        StateTrie { top: None, len: 0 }
    }

    /// Number of keys.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no keys.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets the value of a key, new or not.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.insert_digests(sha256(&[key]), sha256(&[value]));
    }

    /// The same as [`StateTrie::insert`], for digests of key and value that are at hand.
    pub fn insert_digests(&mut self, key: Hash, value: Hash) {
        let digest = sha256(&[LEAF_CONTEXT, &key.0, &value.0]);
        let Some(top) = &mut self.top else {
            self.top = Some(Box::new(Node::Leaf { key, digest }));
            self.len = 1;
            return;
        };
        match first_difference(top.nearest(&key), &key) {
            None => {
                top.replace(&key, digest);
            }
            Some(bit) => {
                top.split(bit, key, digest);
                self.len += 1;
            }
        }
    }

    /// Takes a key out; returns whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.remove_digest(&sha256(&[key]))
    }

    /// The same as [`StateTrie::remove`], for the digest of a key.
    pub fn remove_digest(&mut self, key: &Hash) -> bool {
        let Some(top) = &mut self.top else { return false };
        // Looking first keeps a miss from marking digests as stale.
        if top.nearest(key) != key {
            return false;
        }
        match top.as_mut() {
            Node::Leaf { .. } => self.top = None,
            Node::Branch(_) => top.remove(key),
        }
        self.len -= 1;
        true
    }

    /// Whether a key is there.
    pub fn contains(&self, key: &[u8]) -> bool {
        let key = sha256(&[key]);
        self.top.as_ref().is_some_and(|top| *top.nearest(&key) == key)
    }

    /// The root; hashes what has changed since it was last asked for.
    pub fn root(&mut self) -> Hash {
        match &mut self.top {
            None => sha256(&[EMPTY_CONTEXT]),
            Some(top) => top.digest(),
        }
    }
}

impl Node {
    /// The key that is reached by following the bits of `key`; equals it if it is there.
    fn nearest(&self, key: &Hash) -> &Hash {
        let mut node = self;
        loop {
            match node {
                Node::Leaf { key, .. } => return key,
                Node::Branch(branch) => node = if bit_of(key, branch.bit) { &branch.one } else { &branch.zero },
            }
        }
    }

    /// Gives the leaf of `key`, which is there, another digest; returns whether that changed anything.
    fn replace(&mut self, key: &Hash, new: Hash) -> bool {
        match self {
            Node::Leaf { digest, .. } => core::mem::replace(digest, new) != new,
            Node::Branch(branch) => {
                let changed = branch.side_of(key).replace(key, new);
                if changed {
                    branch.digest = None;
                }
                changed
            }
        }
    }

    /// Adds a leaf that first differs from its nearest neighbour at `bit`.
    fn split(&mut self, bit: u8, key: Hash, digest: Hash) {
        if let Node::Branch(branch) = self
            && branch.bit < bit
        {
            branch.digest = None;
            return branch.side_of(&key).split(bit, key, digest);
        }
        let old = core::mem::replace(self, Node::Leaf { key, digest });
        let leaf = Box::new(Node::Leaf { key, digest });
        let old = Box::new(old);
        let (zero, one) = if bit_of(&key, bit) { (old, leaf) } else { (leaf, old) };
        *self = Node::Branch(Branch { bit, digest: None, zero, one });
    }

    /// Takes out the leaf of `key`, which is below this branch; the branch above it gives way to its other side.
    fn remove(&mut self, key: &Hash) {
        let Node::Branch(branch) = self else { return };
        branch.digest = None;
        let side = branch.side_of(key);
        if let Node::Branch(_) = side.as_ref() {
            return side.remove(key);
        }
        let other = if bit_of(key, branch.bit) { &mut branch.zero } else { &mut branch.one };
        // The placeholder lives until the assignment below overwrites the branch that holds it.
        let placeholder = Node::Leaf { key: *key, digest: Hash::default() };
        let survivor = core::mem::replace(other.as_mut(), placeholder);
        *self = survivor;
    }

    fn digest(&mut self) -> Hash {
        match self {
            Node::Leaf { digest, .. } => *digest,
            Node::Branch(branch) => {
                if let Some(digest) = branch.digest {
                    return digest;
                }
                let (zero, one) = (branch.zero.digest(), branch.one.digest());
                *branch.digest.insert(sha256(&[NODE_CONTEXT, &[branch.bit], &zero.0, &one.0]))
            }
        }
    }
}

impl Branch {
    fn side_of(&mut self, key: &Hash) -> &mut Box<Node> {
        if bit_of(key, self.bit) { &mut self.one } else { &mut self.zero }
    }
}

/// Bit `bit` of a digest, counted from the highest bit of the first byte.
fn bit_of(key: &Hash, bit: u8) -> bool {
    key.0.get(usize::from(bit >> 3)).is_some_and(|byte| byte & (0x80 >> (bit & 7)) != 0)
}

/// The first bit at which two digests differ, or `None` if they are equal.
fn first_difference(a: &Hash, b: &Hash) -> Option<u8> {
    let (byte, (x, y)) = (0u8..).zip(a.0.iter().zip(&b.0)).find(|(_, (x, y))| x != y)?;
    Some(byte * 8 + (x ^ y).leading_zeros() as u8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The root straight from its definition.
    fn defined_root(set: &[(Hash, Hash)]) -> Hash {
        match set {
            [] => sha256(&[EMPTY_CONTEXT]),
            [(key, value)] => sha256(&[LEAF_CONTEXT, &key.0, &value.0]),
            [first, rest @ ..] => {
                let bit = rest.iter().filter_map(|(key, _)| first_difference(&first.0, key)).min().unwrap();
                let (one, zero): (Vec<_>, Vec<_>) = set.iter().copied().partition(|(key, _)| bit_of(key, bit));
                sha256(&[NODE_CONTEXT, &[bit], &defined_root(&zero).0, &defined_root(&one).0])
            }
        }
    }

    fn check(trie: &mut StateTrie, content: &BTreeMap<Hash, Hash>) {
        let set: Vec<_> = content.iter().map(|(key, value)| (*key, *value)).collect();
        assert_eq!(trie.root(), defined_root(&set));
        assert_eq!(trie.len(), content.len());
    }

    proptest! {
        #[test]
        fn root_depends_on_content_only(steps in prop::collection::vec((0u8..24, prop::option::of(0u8..4), any::<bool>()), 0..200)) {
            let mut trie = StateTrie::new();
            let mut content = BTreeMap::new();
            for (key, value, look) in steps {
                let digest = sha256(&[&[key]]);
                if let Some(value) = value {
                    trie.insert(&[key], &[value]);
                    content.insert(digest, sha256(&[&[value]]));
                } else {
                    prop_assert_eq!(trie.remove(&[key]), content.remove(&digest).is_some());
                }
                prop_assert_eq!(trie.contains(&[key]), content.contains_key(&digest));
                if look {
                    check(&mut trie, &content);
                }
            }
            check(&mut trie, &content);
        }

        /// Keys that share long prefixes, which digests of real keys never do.
        #[test]
        fn close_keys_keep_the_shape(steps in prop::collection::vec((any::<u8>(), 0usize..32, any::<bool>()), 0..200)) {
            let mut trie = StateTrie::new();
            let mut content = BTreeMap::new();
            for (byte, at, insert) in steps {
                let mut key = Hash([0; 32]);
                key.0[at] = byte;
                if insert {
                    trie.insert_digests(key, key);
                    content.insert(key, key);
                } else {
                    prop_assert_eq!(trie.remove_digest(&key), content.remove(&key).is_some());
                }
            }
            check(&mut trie, &content);
        }
    }

    #[test]
    fn deepest_possible_trie() {
        let mut trie = StateTrie::new();
        let mut content = BTreeMap::new();
        for bit in 0..=255u8 {
            let mut key = Hash([0; 32]);
            key.0[usize::from(bit / 8)] = 0x80 >> (bit % 8);
            trie.insert_digests(key, key);
            content.insert(key, key);
        }
        check(&mut trie, &content);
        for key in content.keys().copied().collect::<Vec<_>>() {
            assert!(trie.remove_digest(&key));
            content.remove(&key);
            check(&mut trie, &content);
        }
        assert!(trie.is_empty());
    }
}
