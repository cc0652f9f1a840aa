//! Invariant: a snapshot brings over everything or nothing. What arrives damaged or lies about itself is not installed, and
//! a transfer that broke off goes on where it stood.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use assent_chaos_tests::support::commands::{Author, tenant};
use assent_chaos_tests::support::lone_store::{apply, commands_entry, membership_entry, open_store};
use assent_chaos_tests::support::transfer::{PIECE_BYTES, send, transfer};
use assent_ledger::entry::Entry;
use assent_ledger::ids::Seq;
use assent_node::raft::types::Vote;
use assent_node::raft::wire::{SnapshotHeader, encode_snapshot_header};
use assent_node::store::Store;
use assent_node::store::snapshot::{SnapshotError, SnapshotFolder};
use openraft::storage::RaftStateMachine;

/// A store with a ledger of a few hundred entries; returns the index of the next Raft entry.
async fn filled(folder: &Path, author: &mut Author) -> (Arc<Store>, u64) {
    let store = open_store(folder);
    apply(&store, membership_entry(1)).await;
    apply(&store, commands_entry(2, author.founding(&[1, 2, 3]))).await;
    for index in 3..33 {
        apply(&store, commands_entry(index, (0..10).map(|_| author.evaluate()).collect())).await;
    }
    apply(&store, commands_entry(33, vec![author.seal(0)])).await;
    (store, 34)
}

fn assert_same(one: &Arc<Store>, two: &Arc<Store>) {
    assert_eq!(*one.progress().borrow(), *two.progress().borrow());
    assert_eq!(one.state_digest(), two.state_digest());
    let leaves = one.entries(Seq(0), usize::MAX).unwrap();
    assert!(leaves.len() > 300, "{} entries", leaves.len());
    assert_eq!(leaves, two.entries(Seq(0), usize::MAX).unwrap());
    let size = one.progress().borrow().size;
    assert_eq!(one.root_at(size).unwrap(), two.root_at(size).unwrap());
    let seals =
        |store: &Store| store.seals(Default::default(), 10).unwrap().iter().map(|s| s.encode()).collect::<Vec<_>>();
    assert_eq!(seals(one), seals(two));
    assert_eq!(seals(one).len(), 1);
}

/// Every payload of the tenant opens in the store, with the bytes that the other has.
fn assert_payloads_open(one: &Store, two: &Store) {
    let mut opened = 0;
    for seq in one.tenant_entries(&tenant(), Seq(0), usize::MAX).unwrap() {
        for payload in Entry::parse(&one.entry(seq).unwrap().unwrap()).unwrap().payloads {
            let [a, b] = [one, two].map(|store| store.payload(&tenant(), &payload.commitment).unwrap().unwrap());
            assert!(a == b, "payload {} differs", payload.commitment);
            opened += 1;
        }
    }
    assert!(opened > 300, "{opened} payloads");
}

async fn install(store: &Arc<Store>, folder: SnapshotFolder) {
    let mut machine = assent_node::store::state_machine::StateMachine::new(store.clone());
    machine.install_snapshot(&folder.header.meta.clone(), folder).await.unwrap();
}

/// Where the receiver keeps what it is receiving.
fn receiving(folder: &Path) -> std::path::PathBuf {
    let folders = std::fs::read_dir(folder.join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    folders.into_iter().find(|path| path.extension().is_some_and(|e| e == "receiving")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installed_snapshot_is_the_same_store() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut author = Author::new(1);
    let (sender, next) = filled(from.path(), &mut author).await;
    let receiver = open_store(to.path());
    let snapshot = sender.build_snapshot().unwrap();
    let arrived = transfer(&receiver, &snapshot).await.unwrap();
    install(&receiver, arrived).await;
    assert_same(&sender, &receiver);
    assert_payloads_open(&sender, &receiver);
    // Both go on alike, also after the receiver was started again.
    drop(receiver);
    let receiver = open_store(to.path());
    let more = commands_entry(next, (0..10).map(|_| author.evaluate()).collect());
    apply(&sender, more.clone()).await;
    apply(&receiver, more).await;
    assert_same(&sender, &receiver);
    assert_payloads_open(&sender, &receiver);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_any_file_is_refused() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (sender, _) = filled(from.path(), &mut Author::new(2)).await;
    let snapshot = sender.build_snapshot().unwrap();
    let receiver = open_store(to.path());
    let mut flipped = 0;
    for (number, file) in snapshot.header.files.iter().enumerate().filter(|(_, file)| file.length > 0) {
        send(&receiver, &snapshot, usize::MAX).await.unwrap();
        let path = receiving(to.path()).join(&file.name);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = (number * 7919) % bytes.len();
        bytes[at] ^= 0x10;
        std::fs::write(&path, bytes).unwrap();
        match receiver.snapshots().finish(snapshot.header.clone()) {
            Err(SnapshotError::Damaged { name }) => assert_eq!(name, file.name),
            other => panic!("{} with a flipped byte: {:?}", file.name, other.map(|folder| folder.path)),
        }
        // Only what was discarded is sent again.
        let offsets = receiver.snapshots().offsets(&snapshot.header).unwrap();
        let missing: Vec<usize> =
            (0..offsets.len()).filter(|i| offsets[*i] < snapshot.header.files[*i].length).collect();
        assert_eq!(missing, [number]);
        flipped += 1;
    }
    assert!(flipped >= 4, "{flipped} files");
    assert_eq!(receiver.progress().borrow().size.0, 0, "nothing was installed");
    let arrived = transfer(&receiver, &snapshot).await.unwrap();
    install(&receiver, arrived).await;
    assert_same(&sender, &receiver);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_transfer_goes_on_where_it_stood() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (sender, _) = filled(from.path(), &mut Author::new(3)).await;
    let snapshot = sender.build_snapshot().unwrap();
    let total: u64 = snapshot.header.files.iter().map(|file| file.length).sum();
    assert!(total > 4 * PIECE_BYTES as u64, "{total} bytes");
    let mut sent = 0;
    let mut tries = 0;
    while sent < total {
        // Each try breaks off after two pieces, and the receiver is started again in between.
        let receiver = open_store(to.path());
        let now = send(&receiver, &snapshot, 2).await.unwrap();
        assert!(now > 0, "a try brought nothing at {sent} of {total}");
        sent += now;
        tries += 1;
    }
    assert_eq!(sent, total, "not a byte is sent twice");
    assert!(tries > 2, "{tries} tries");
    let receiver = open_store(to.path());
    let arrived = receiver.snapshots().finish(snapshot.header.clone()).unwrap();
    install(&receiver, arrived).await;
    assert_same(&sender, &receiver);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_lies_about_the_content_is_refused() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (sender, _) = filled(from.path(), &mut Author::new(4)).await;
    let snapshot = sender.build_snapshot().unwrap();
    let receiver = open_store(to.path());
    let lies: [fn(&mut SnapshotHeader); 3] =
        [|header| header.size += 1, |header| header.root[0] ^= 1, |header| header.state_digest[31] ^= 1];
    for lie in lies {
        let mut lying = snapshot.clone();
        lie(&mut lying.header);
        assert_ne!(
            encode_snapshot_header(&Vote::new(0, 0), &lying.header),
            encode_snapshot_header(&Vote::new(0, 0), &snapshot.header)
        );
        let arrived = transfer(&receiver, &lying).await.unwrap();
        let refused = receiver.install_snapshot(&arrived);
        assert!(matches!(refused, Err(SnapshotError::Contradiction { .. })), "{refused:?}");
        assert_eq!(receiver.progress().borrow().size.0, 0, "nothing was installed");
        let kept = receiver.snapshots().current().unwrap();
        assert!(kept.is_none(), "what was refused must not be this node's own snapshot at its next start");
    }
    drop(receiver);
    let receiver = open_store(to.path());
    let arrived = transfer(&receiver, &snapshot).await.unwrap();
    install(&receiver, arrived).await;
    assert_same(&sender, &receiver);
}
