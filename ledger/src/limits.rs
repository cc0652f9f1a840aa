//! Every cap of the evidence formats, in one place, with the relations between them checked at compile time.

/// Longest leaf, in bytes (C2SP entry bundles carry a 16-bit length).
pub const LEAF_BYTES_MAX: usize = 65_535;
/// Deepest nesting of a leaf's JSON.
pub const JSON_DEPTH_MAX: usize = 8;
/// Largest JSON integer: below 2^53, so that every reader sees the same number.
pub const JSON_INT_MAX: u64 = (1 << 53) - 1;
/// Longest ledger origin, in bytes.
pub const ORIGIN_BYTES_MAX: usize = 128;
/// Longest tenant name, in bytes.
pub const TENANT_BYTES_MAX: usize = 64;
/// Longest event id, run id, trace id, in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Longest entry type, in bytes.
pub const KIND_BYTES_MAX: usize = 64;
/// Longest actor (a SPIFFE id), in bytes.
pub const ACTOR_BYTES_MAX: usize = 512;
/// Longest content type, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 128;
/// Longest payload role, in bytes.
pub const ROLE_BYTES_MAX: usize = 64;
/// Most payload commitments in one entry.
pub const PAYLOADS_PER_ENTRY_MAX: usize = 16;
/// Longest payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Longest proof path: a tree of 2^63 leaves has paths of at most 63 hashes, consistency proofs of one more.
pub const PROOF_HASHES_MAX: usize = 64;
/// Largest tree, in leaves: far beyond reach, and small enough that no sum of two sizes overflows.
pub const TREE_SIZE_MAX: u64 = 1 << 62;
/// Longest signed note, in bytes.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// Most signature lines on one note.
pub const NOTE_SIGNATURES_MAX: usize = 100;
/// Most entries in one span.
pub const SPAN_ENTRIES_MAX: u64 = 1 << 20;
/// Most commands' entries in one receipt batch.
pub const RECEIPT_BATCH_MAX: u64 = 1 << 16;

const _: () = assert!(LEAF_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(RECEIPT_BATCH_MAX <= SPAN_ENTRIES_MAX);
const _: () = assert!(ORIGIN_BYTES_MAX + TENANT_BYTES_MAX + ACTOR_BYTES_MAX + 3 * ID_BYTES_MAX < LEAF_BYTES_MAX / 4);
