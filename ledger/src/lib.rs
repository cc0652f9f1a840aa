//! The evidence of Assent: entries, hash chains, the Merkle tree, seals, proofs and their strict verification.
//!
//! Architecture Invariant: this crate is pure. It reads no clock, no randomness, no file and no environment, and it never awaits.

pub mod archive;
pub mod chain;
pub mod checkpoint;
pub mod cosignature;
pub mod endorse;
pub mod entry;
pub mod hash;
pub mod ids;
pub mod json;
pub mod keys;
pub mod limits;
pub mod manifest;
pub mod map;
pub mod message;
pub mod note;
pub mod payload;
pub mod proof;
pub mod receipt;
pub mod seal;
pub mod tree;
pub mod trie;
