//! The column families: what is kept where, and how its keys are written. Names and key layouts are persisted: append only.

use assent_ledger::ids::{Seq, TenantId, TenantSeq, TreeSize};
use assent_ledger::tree::NodeAddress;

/// A column family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Last applied log id, membership, the ledger's head.
    Meta,
    /// `seq` → leaf bytes, verbatim.
    Entries,
    /// `tenant 0x00 tseq` → `seq`.
    TenantIndex,
    /// `tenant 0x00 run 0x00 seq` → nothing.
    RunIndex,
    /// `level index` → hash of a perfect subtree; level 0 are the leaf hashes.
    Nodes,
    /// The kernel's state: key → record.
    State,
    /// `tenant` → its chain's head.
    TenantHeads,
    /// commitment → ciphertext.
    Payloads,
    /// commitment → data key wrapped under its tenant's key; apart from the ciphertexts, so that erasure can destroy it.
    PayloadKeys,
    /// `tenant` → the tenant's key wrapped under the storage key.
    TenantKeys,
    /// checkpoint size → what is known about the seal.
    Seals,
}

impl Column {
    /// Every column family.
    pub const ALL: [Column; 11] = [
        Column::Meta,
        Column::Entries,
        Column::TenantIndex,
        Column::RunIndex,
        Column::Nodes,
        Column::State,
        Column::TenantHeads,
        Column::Payloads,
        Column::PayloadKeys,
        Column::TenantKeys,
        Column::Seals,
    ];

    /// Its name in RocksDB.
    pub const fn name(self) -> &'static str {
        match self {
            Column::Meta => "meta",
            Column::Entries => "entries",
            Column::TenantIndex => "tenant_index",
            Column::RunIndex => "run_index",
            Column::Nodes => "nodes",
            Column::State => "state",
            Column::TenantHeads => "tenant_heads",
            Column::Payloads => "payloads",
            Column::PayloadKeys => "payload_keys",
            Column::TenantKeys => "tenant_keys",
            Column::Seals => "seals",
        }
    }
}

/// Keys of `Column::Meta`.
pub mod meta {
    /// Encoded log id of the last applied Raft entry.
    pub const LAST_APPLIED: &[u8] = b"last_applied";
    /// Encoded membership and the log id that set it.
    pub const MEMBERSHIP: &[u8] = b"membership";
    /// Encoded head of the ledger.
    pub const HEAD: &[u8] = b"head";
    /// The ledger's origin: a node refuses another ledger's data.
    pub const ORIGIN: &[u8] = b"origin";
}

/// `Column::Entries`.
pub fn entry_key(seq: Seq) -> [u8; 8] {
    seq.0.to_be_bytes()
}

/// `Column::TenantIndex`.
pub fn tenant_index_key(tenant: &TenantId, tseq: TenantSeq) -> Vec<u8> {
    let mut key = tenant_prefix(tenant);
    key.extend_from_slice(&tseq.0.to_be_bytes());
    key
}

/// The common beginning of one tenant's keys; the zero byte keeps `ab` out of `a`'s range.
pub fn tenant_prefix(tenant: &TenantId) -> Vec<u8> {
    let mut key = tenant.as_str().as_bytes().to_vec();
    key.push(0);
    key
}

/// The common beginning of one run's keys in `Column::RunIndex`.
pub fn run_prefix(tenant: &TenantId, run: &str) -> Vec<u8> {
    let mut key = tenant_prefix(tenant);
    key.extend_from_slice(run.as_bytes());
    key.push(0);
    key
}

/// `Column::RunIndex`.
pub fn run_index_key(tenant: &TenantId, run: &str, seq: Seq) -> Vec<u8> {
    let mut key = run_prefix(tenant, run);
    key.extend_from_slice(&seq.0.to_be_bytes());
    key
}

/// `Column::Nodes`.
pub fn node_key(address: NodeAddress) -> [u8; 9] {
    let mut key = [0u8; 9];
    let (level, index) = key.split_at_mut(1);
    level.fill(address.level);
    index.copy_from_slice(&address.index.to_be_bytes());
    key
}

/// `Column::Seals`.
pub fn seal_key(size: TreeSize) -> [u8; 8] {
    size.0.to_be_bytes()
}

/// A big-endian number at the end of a key or as a value.
pub fn last_u64(bytes: &[u8]) -> Option<u64> {
    bytes.last_chunk::<8>().map(|b| u64::from_be_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_similar_names_do_not_overlap() {
        let (a, ab) = (TenantId::new("a").unwrap(), TenantId::new("ab").unwrap());
        assert!(!tenant_index_key(&ab, TenantSeq(0)).starts_with(&tenant_prefix(&a)));
        assert!(run_index_key(&a, "r1", Seq(7)).starts_with(&run_prefix(&a, "r1")));
        assert!(!run_index_key(&a, "r10", Seq(7)).starts_with(&run_prefix(&a, "r1")));
        assert_eq!(last_u64(&run_index_key(&a, "r", Seq(9))), Some(9));
    }

    #[test]
    fn keys_sort_as_numbers() {
        assert!(entry_key(Seq(255)) < entry_key(Seq(256)));
        assert!(node_key(NodeAddress { level: 0, index: u64::MAX }) < node_key(NodeAddress { level: 1, index: 0 }));
    }
}
