//! The types that openraft is instantiated with.

use core::fmt;
use std::sync::Arc;

use assent_kernel::machine::AppliedBatch;

openraft::declare_raft_types!(
    /// One ledger's Raft group.
    pub TypeConfig:
        D = CommandBatch,
        R = BatchAnswer,
        NodeId = u64,
        Node = Member,
);

/// A log id: the leader's term and node, and the index.
pub type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
/// A vote.
pub type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
/// A log entry.
pub type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
/// The membership with the log id that set it.
pub type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
/// A membership: the voters' sets and every node's addresses.
pub type Membership = openraft::Membership<u64, Member>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;

/// What a Raft entry carries: an encoded [`assent_kernel::command::Batch`], kept as bytes, so that what was committed is what every
/// replica decodes.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandBatch(pub Arc<[u8]>);

impl fmt::Debug for CommandBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandBatch({} bytes)", self.0.len())
    }
}

impl fmt::Display for CommandBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What applying an entry gave, on the node that proposed it; `None` for entries without commands.
#[derive(Clone, Default)]
pub struct BatchAnswer(pub Option<Arc<AppliedBatch>>);

impl fmt::Debug for BatchAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchAnswer({} entries)", self.0.as_ref().map_or(0, |b| b.entries.len()))
    }
}

impl fmt::Display for BatchAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the membership records of a node.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Member {
    /// The operator's name for the node; its certificate carries it.
    pub name: String,
    /// Where other nodes reach it, `host:port`.
    pub peer_address: String,
    /// Where clients reach it, `host:port`.
    pub client_address: String,
}
