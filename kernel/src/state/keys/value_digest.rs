//! What tells the distinct values of a contract across steps apart within a run.

use assent_ledger::hash::Hash;

/// Bytes of a digest that are kept. Two values with the same digest count as one: whoever wants more values than a contract allows would have
/// to find such pairs. With 16 bytes that takes 2^64 attempts for each; with 8 it would take 2^32, which is an afternoon's work.
const DIGEST_BYTES: usize = 16;

/// The first bytes of a value's digest. It stays in the state and never gets into a leaf.
pub type ValueDigest = [u8; DIGEST_BYTES];

/// The digest as it is kept.
pub fn value_digest(hash: &Hash) -> ValueDigest {
    let mut digest = [0; DIGEST_BYTES];
    digest.iter_mut().zip(hash.0).for_each(|(kept, byte)| *kept = byte);
    digest
}
