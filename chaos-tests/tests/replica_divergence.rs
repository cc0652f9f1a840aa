//! Negative controls of determinism: a replica that applies an entry twice, or in the order of a hash map, comes to another
//! record than the others, and the comparison of roots at the next seal catches it. The same steps without the fault agree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashMap;
use std::sync::Arc;

use assent_chaos_tests::support::commands::{Author, cosigner_key, origin};
use assent_chaos_tests::support::lone_store::{apply, commands_entry, membership_entry, open_store_with_fence};
use assent_kernel::command::{Command, CommandBody};
use assent_ledger::checkpoint::Checkpoint;
use assent_ledger::cosignature::cosign;
use assent_ledger::hash::sha256;
use assent_ledger::ids::NodeId;
use assent_ledger::keys::cosigner_key_name;
use assent_ledger::seal::SpanCosigned;
use assent_node::fence::Fence;
use assent_node::store::Store;
use assent_node::store::columns::{Column, meta};
use assent_node::store::load::encode_last_applied;
use tempfile::TempDir;

/// A replica: its store, its fence, its folder.
struct Replica {
    store: Arc<Store>,
    fence: Arc<Fence>,
    folder: TempDir,
}

impl Replica {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, fence) = open_store_with_fence(folder.path());
        Replica { store, fence, folder }
    }

    /// Started again on the same folder.
    fn restarted(self) -> Self {
        let Replica { store, fence, folder } = self;
        drop((store, fence));
        let (store, fence) = open_store_with_fence(folder.path());
        Replica { store, fence, folder }
    }

    /// Forgets that the last entry was applied, though its effects are there: what a crash leaves behind when the position
    /// is written in a batch of its own.
    fn forget_position(&self, index: u64) {
        let before = commands_entry(index - 1, Vec::new()).log_id;
        let view = self.store.view();
        let mut batch = view.db.batch();
        batch.put(Column::Meta, meta::LAST_APPLIED, &encode_last_applied(&before)).unwrap();
        batch.write().unwrap();
    }

    fn root(&self) -> assent_ledger::hash::Hash {
        self.store.progress().borrow().root
    }

    fn size(&self) -> u64 {
        self.store.progress().borrow().size.0
    }
}

/// Seals, and records the cosignatures that a quorum gave to the healthy replica's checkpoint, on both.
async fn seal_and_cosign(author: &mut Author, healthy: &Replica, other: &Replica, index: u64) {
    let start = healthy.store.view().progress().unwrap().span_start.0;
    let seal = commands_entry(index, vec![author.seal(start)]);
    apply(&healthy.store, seal.clone()).await;
    apply(&other.store, seal).await;
    let progress = healthy.store.progress().borrow().clone();
    let checkpoint =
        Checkpoint { origin: origin(), size: progress.sealed, root: healthy.store.root_at(progress.sealed).unwrap() };
    let sign = |node: u64| {
        let name = cosigner_key_name(&origin(), NodeId(node));
        cosign(&checkpoint.text(), &name, &cosigner_key(node), 1_795_000_000).unwrap()
    };
    let body = SpanCosigned {
        checkpoint: checkpoint.digest(),
        cosignatures: vec![sign(1), sign(2)],
        manifest: sha256(&[b"manifest"]),
        size: progress.sealed,
    };
    let cosigned = commands_entry(index + 1, vec![author.node_command(CommandBody::Cosigned(Box::new(body)))]);
    apply(&healthy.store, cosigned.clone()).await;
    apply(&other.store, cosigned).await;
}

async fn founded(author: &mut Author) -> (Replica, Replica) {
    let (one, two) = (Replica::new(), Replica::new());
    let founding = commands_entry(2, author.founding(&[1, 2, 3]));
    for replica in [&one, &two] {
        apply(&replica.store, membership_entry(1)).await;
        apply(&replica.store, founding.clone()).await;
    }
    (one, two)
}

/// A batch that would be something else the second time: what is refused at first finds its subject then. (A batch of
/// accepted commands alone would show nothing: their request ids make the second application a repetition.)
fn sensitive_batch(author: &mut Author) -> Vec<Command> {
    vec![author.disable("late"), author.register("late"), author.evaluate()]
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_apply_the_same_agree_also_across_a_restart() {
    let mut author = Author::new(1);
    let (one, two) = founded(&mut author).await;
    let batch = commands_entry(3, sensitive_batch(&mut author));
    apply(&one.store, batch.clone()).await;
    apply(&two.store, batch).await;
    let two = two.restarted();
    seal_and_cosign(&mut author, &one, &two, 4).await;
    assert_eq!((one.size(), one.root()), (two.size(), two.root()));
    assert_eq!(one.store.state_digest(), two.store.state_digest());
    assert!(!one.fence.is_up() && !two.fence.is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_saved_apart_from_its_effects_is_caught() {
    let mut author = Author::new(2);
    let (healthy, faulty) = founded(&mut author).await;
    let batch = commands_entry(3, sensitive_batch(&mut author));
    apply(&healthy.store, batch.clone()).await;
    apply(&faulty.store, batch.clone()).await;
    faulty.forget_position(3);
    let faulty = faulty.restarted();
    // What openraft does then: it applies everything behind the position that it was told.
    assert_eq!(faulty.store.progress().borrow().applied_index, 2);
    apply(&faulty.store, batch).await;
    assert_eq!(faulty.store.progress().borrow().applied_index, healthy.store.progress().borrow().applied_index);
    assert_ne!((healthy.size(), healthy.root()), (faulty.size(), faulty.root()), "the double application shows");
    assert_ne!(healthy.store.state_digest(), faulty.store.state_digest());
    seal_and_cosign(&mut author, &healthy, &faulty, 4).await;
    assert!(!healthy.fence.is_up());
    assert!(faulty.fence.is_up(), "the replica that applied twice must fence itself off");
}

/// A build that iterates a hash map while it applies.
fn in_hash_map_order(commands: Vec<Command>) -> Vec<Command> {
    let map: HashMap<[u8; 16], Command> = commands.into_iter().map(|c| (*c.request_id.as_bytes(), c)).collect();
    map.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_a_hash_map_is_caught() {
    let mut author = Author::new(3);
    let (healthy, faulty) = founded(&mut author).await;
    // Sixteen commands come out in their own order by chance once in 2·10^13 times.
    let commands: Vec<Command> = (0..16).map(|_| author.evaluate()).collect();
    apply(&healthy.store, commands_entry(3, commands.clone())).await;
    apply(&faulty.store, commands_entry(3, in_hash_map_order(commands))).await;
    assert_eq!(healthy.size(), faulty.size());
    assert_ne!(healthy.root(), faulty.root(), "the other order shows");
    seal_and_cosign(&mut author, &healthy, &faulty, 4).await;
    assert!(!healthy.fence.is_up());
    assert!(faulty.fence.is_up(), "a quorum's checkpoint contradicts the faulty replica, which must fence itself off");
}
