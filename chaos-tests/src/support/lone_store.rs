//! One real store without consensus: entries are handed to the state machine as openraft would hand them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use assent_kernel::command::{Batch, Command};
use assent_node::fence::Fence;
use assent_node::raft::types::{CommandBatch, Entry, LogId, Member, Membership};
use assent_node::store::Store;
use assent_node::store::secrets::StorageKey;
use assent_node::store::state_machine::StateMachine;
use futures::stream;
use openraft::EntryPayload;
use openraft::impls::leader_id_adv::LeaderId;
use openraft::storage::RaftStateMachine;

use super::commands::origin;

/// The tests' storage key, the same on every node.
pub const STORAGE_KEY: [u8; 32] = [5; 32];

/// Opens the real store below a data folder.
pub fn open_store(data_dir: &Path) -> Arc<Store> {
    open_store_with_fence(data_dir).0
}

/// The same, with the fence that the store raises.
pub fn open_store_with_fence(data_dir: &Path) -> (Arc<Store>, Arc<Fence>) {
    std::fs::create_dir_all(data_dir.join("node")).unwrap();
    let fence = Arc::new(Fence::load(data_dir).unwrap());
    let store = Store::open(data_dir, origin(), StorageKey::new(STORAGE_KEY.into()), fence.clone()).unwrap();
    (store, fence)
}

/// A committed entry of commands.
pub fn commands_entry(index: u64, commands: Vec<Command>) -> Entry {
    let bytes = Batch { commands }.encode();
    entry(index, EntryPayload::Normal(CommandBatch(bytes.into())))
}

/// A committed entry that makes nodes 1 to 3 the voters.
pub fn membership_entry(index: u64) -> Entry {
    let member = |node: u64| Member { name: format!("n{node}"), ..Member::default() };
    let nodes: BTreeMap<u64, Member> = (1..=3).map(|node| (node, member(node))).collect();
    entry(index, EntryPayload::Membership(Membership::new(vec![(1..=3).collect()], nodes).unwrap()))
}

fn entry(index: u64, payload: EntryPayload<CommandBatch, u64, Member>) -> Entry {
    Entry { log_id: LogId::new(LeaderId { term: 1, node_id: 1 }, index), payload }
}

/// Applies one committed entry.
pub async fn apply(store: &Arc<Store>, entry: Entry) {
    let mut machine = StateMachine::new(store.clone());
    machine.apply(stream::iter([Ok((entry, None))])).await.unwrap();
}
