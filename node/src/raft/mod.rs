//! Consensus: openraft's types, messages and network. Only this crate names openraft.

pub mod codec;
pub mod log_store;
pub mod network;
pub mod open;
pub mod peer_service;
pub mod reconcile;
pub mod types;
pub mod wire;

use crate::store::state_machine::StateMachine;
use types::TypeConfig;

/// A handle to this node's Raft.
pub type RaftHandle = openraft::Raft<TypeConfig, StateMachine>;

/// openraft's configuration from the node's.
pub fn raft_config(
    timing: &crate::config::RaftTiming,
    ledger: &str,
) -> Result<openraft::Config, openraft::ConfigError> {
    openraft::Config {
        cluster_name: ledger.to_owned(),
        heartbeat_interval: timing.heartbeat_ms,
        election_timeout_min: timing.election_ms_min,
        election_timeout_max: timing.election_ms_max,
        // A node that cannot win an election does not disturb a healthy leader.
        enable_pre_vote: Some(true),
        // A leader that restarts is elected again or is none: with an unsynced state machine, restoring it would be unsound.
        enable_leader_restore: Some(false),
        // A node that lost its data never comes back under its old id; a log that went backwards is an error.
        allow_log_reversion: Some(false),
        // Leader and followers write to disk at the same time.
        broadcast_submitted_on_append: Some(true),
        snapshot_policy: openraft::SnapshotPolicy::LogsSinceLast(timing.snapshot_entries),
        max_in_snapshot_log_to_keep: timing.keep_entries,
        max_payload_entries: 64,
        install_snapshot_timeout: 60_000,
        ..openraft::Config::default()
    }
    .validate()
}
