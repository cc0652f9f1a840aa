//! Invariant: the Raft log and the state machine keep openraft's contract, as openraft's own storage suite states it.
//!
//! The suite hands a snapshot straight from one state machine to another. Between nodes there is a transfer, so there is
//! one here: what the suite installs has travelled piece by piece into the receiver's own folder first.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use assent_chaos_tests::support::dice::Dice;
use assent_chaos_tests::support::lone_store::{STORAGE_KEY, open_store};
use assent_chaos_tests::support::transfer::transfer;
use assent_node::raft::log_store::RaftLogStore;
use assent_node::raft::types::{LogId, SnapshotMeta, StoredMembership, TypeConfig};
use assent_node::rlog::disk::{Disk, RealDisk};
use assent_node::rlog::sim_disk::SimDisk;
use assent_node::rlog::{LogOptions, RaftLogConfig, RaftLogEngine};
use assent_node::store::Store;
use assent_node::store::snapshot::SnapshotFolder;
use assent_node::store::state_machine::StateMachine;
use futures::Stream;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::alias::SnapshotOf;
use openraft::{OptionalSend, StorageError};
use tempfile::TempDir;

/// The real state machine behind the transfer that nodes have between them.
struct Receiving {
    store: Arc<Store>,
    machine: StateMachine,
}

impl RaftStateMachine<TypeConfig> for Receiving {
    type SnapshotData = SnapshotFolder;
    type SnapshotBuilder = StateMachine;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        self.machine.applied_state().await
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        self.machine.apply(entries).await
    }

    async fn get_snapshot_builder(&mut self) -> StateMachine {
        self.machine.get_snapshot_builder().await
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, sent: SnapshotFolder) -> Result<(), io::Error> {
        let received = transfer(&self.store, &sent).await.map_err(io::Error::other)?;
        self.machine.install_snapshot(meta, received).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<TypeConfig, SnapshotFolder>>, io::Error> {
        self.machine.get_current_snapshot().await
    }
}

/// Gives every test of the suite stores of its own.
struct Builder {
    on_real_disk: bool,
    built: AtomicU64,
}

impl StoreBuilder<TypeConfig, RaftLogStore, Receiving, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, RaftLogStore, Receiving), StorageError<TypeConfig>> {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = match self.on_real_disk {
            true => Arc::new(RealDisk::open(&folder.path().join("raft")).unwrap()),
            false => SimDisk::new(),
        };
        let mut randomness = Dice::new(self.built.fetch_add(1, Ordering::Relaxed));
        let options = LogOptions {
            config: RaftLogConfig { segment_bytes_max: 1024, cache_bytes_max: 100, ..RaftLogConfig::default() },
            ledger: [1; 32],
            random: Box::new(move || Ok(randomness.bytes())),
            fatal: Arc::new(|_| ()),
        };
        let (engine, _) = RaftLogEngine::open(disk, options, &STORAGE_KEY).unwrap();
        let store = open_store(folder.path());
        let machine = StateMachine::new(store.clone());
        Ok((folder, RaftLogStore::new(Arc::new(engine)), Receiving { store, machine }))
    }
}

fn run_suite(on_real_disk: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(Suite::test_all(Builder { on_real_disk, built: AtomicU64::new(0) })).unwrap();
}

#[test]
fn openrafts_suite_passes_on_the_simulated_disk() {
    run_suite(false);
}

#[test]
fn openrafts_suite_passes_on_a_real_disk() {
    run_suite(true);
}
