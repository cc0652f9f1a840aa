//! Opening the Raft log on the node's disk.

use std::path::Path;
use std::sync::Arc;

use assent_ledger::hash::sha256;
use assent_ledger::ids::Origin;

use super::log_store::RaftLogStore;
use crate::random;
use crate::rlog::disk::RealDisk;
use crate::rlog::{LogOptions, OpenError, RaftLogConfig, RaftLogEngine};

/// Why the Raft log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenLogError {
    /// The folder.
    #[error("raft log in {path}: {source}")]
    Disk {
        /// The folder.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Its content. Damage to acknowledged records is named here: such a node must not vote.
    #[error("raft log: {0}; this node must not vote: remove it from the cluster and add a new one under a new id")]
    Log(#[from] OpenError),
}

/// Opens the log in `folder`, encrypted under the storage key, for one ledger.
pub fn open(folder: &Path, storage_key: &[u8; 32], origin: &Origin) -> Result<RaftLogStore, OpenLogError> {
    let disk =
        RealDisk::open(folder).map_err(|source| OpenLogError::Disk { path: folder.display().to_string(), source })?;
    let options = LogOptions {
        config: RaftLogConfig::default(),
        ledger: sha256(&[b"assent raft log/1\n", origin.as_str().as_bytes()]).0,
        random: Box::new(|| Ok(random::bytes())),
        // After a failed fsync nobody can say what is on the disk: the process ends, and the next start reads what is really there.
        fatal: Arc::new(|error| {
            tracing::error!(%error, "the raft log's disk failed; stopping");
            std::process::abort();
        }),
    };
    let (engine, recovered) = RaftLogEngine::open(Arc::new(disk), options, storage_key)?;
    if let Some(torn) = &recovered.torn {
        tracing::warn!(?torn, "a crash left a torn tail that nobody was answered for; it was cut off");
    }
    tracing::info!(first = ?recovered.first, last = ?recovered.last, "raft log opened");
    Ok(RaftLogStore::new(Arc::new(engine)))
}
