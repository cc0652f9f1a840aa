//! Unit tests of endorsements, the keyring's intervals and the counting of cosigners.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::checkpoint::{Checkpoint, CheckpointError, VerifiedCheckpoint};
use crate::cosignature::{cosign, quorum};
use crate::hash::leaf_hash;
use crate::ids::Seq;
use crate::keys::{cosigner_key_name, log_key_name};
use crate::note::NoteError;

fn origin() -> Origin {
    Origin::new("example.org/log").unwrap()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

const ROOT: u8 = 1;
const LOG: u8 = 2;
const NODE_A: u8 = 10;
const NODE_B: u8 = 11;

fn grant(role: Role, node: Option<u64>, from: u64, to: Option<u64>) -> Grant {
    Grant { role, node: node.map(NodeId), from_size: TreeSize(from), to_size: to.map(TreeSize) }
}

fn made(public: u8, grant: Grant) -> KeyEndorsed {
    endorse(&origin(), &key(ROOT), key(public).public(), grant).unwrap()
}

fn created() -> LedgerCreated {
    let parameters = GenesisParameters {
        origin: origin(),
        kernel_version: 1,
        quorum: 2,
        seal_entries: 100,
        seal_seconds: 10,
        interval_max_seconds: 60,
    };
    sign_genesis(&key(ROOT), parameters)
}

fn keyring() -> Keyring {
    let mut ring = Keyring::new(origin(), key(ROOT).public());
    ring.apply(Seq(0), LedgerCreated::KIND, &created().to_value()).unwrap();
    for (seq, body) in [
        made(LOG, grant(Role::Log, None, 1, None)),
        made(NODE_A, grant(Role::Cosigner, Some(0xa), 1, Some(100))),
        made(NODE_B, grant(Role::Cosigner, Some(0xb), 50, None)),
    ]
    .iter()
    .enumerate()
    {
        ring.apply(Seq(seq as u64 + 1), KeyEndorsed::KIND, &body.to_value()).unwrap();
    }
    ring
}

#[test]
fn intervals_include_both_ends() {
    let ring = keyring();
    let a = cosigner_key_name(&origin(), NodeId(0xa));
    for (size, ok) in [(0, false), (1, true), (100, true), (101, false)] {
        assert_eq!(ring.key_at(Role::Cosigner, &a, TreeSize(size)).is_ok(), ok, "size {size}");
    }
    assert!(matches!(ring.key_at(Role::Cosigner, &a, TreeSize(101)), Err(KeyringError::OutsideInterval { .. })));
    assert!(
        matches!(ring.key_at(Role::Receipt, &a, TreeSize(1)), Err(KeyringError::Unknown { .. })),
        "roles never mix"
    );
}

#[test]
fn creation_is_pinned() {
    let mut other_root = Keyring::new(origin(), key(9).public());
    assert!(matches!(other_root.create(created()), Err(KeyringError::RootKey { .. })));
    let mut other_name = Keyring::new(Origin::new("example.org/x").unwrap(), key(ROOT).public());
    assert!(matches!(other_name.create(created()), Err(KeyringError::Origin { .. })));
    let mut ring = Keyring::new(origin(), key(ROOT).public());
    let early = made(LOG, grant(Role::Log, None, 1, None));
    assert_eq!(ring.endorse(&early), Err(KeyringError::Creation));
    assert_eq!(ring.apply(Seq(0), "assent.run.started", &early.to_value()), Err(KeyringError::Creation));
    assert_eq!(keyring().apply(Seq(9), LedgerCreated::KIND, &created().to_value()), Err(KeyringError::Creation));
    assert_eq!(keyring().create(created()), Err(KeyringError::Creation));
}

#[test]
fn every_parameter_of_the_genesis_is_signed() {
    let root = key(ROOT).public();
    assert_eq!(verify_genesis(&root, &created()), Ok(()));
    assert!(verify_genesis(&key(9).public(), &created()).is_err());
    let mut flipped = created().signature;
    flipped[0] ^= 1;
    let edits = [
        LedgerCreated { interval_max_seconds: 61, ..created() },
        LedgerCreated { kernel_version: 2, ..created() },
        LedgerCreated { quorum: 1, ..created() },
        LedgerCreated { seal_entries: 101, ..created() },
        LedgerCreated { seal_seconds: 11, ..created() },
        LedgerCreated { signature: flipped, ..created() },
        LedgerCreated { signature: key(LOG).sign(genesis_text(&created()).as_bytes()), ..created() },
    ];
    for edit in edits {
        let mut ring = Keyring::new(origin(), root);
        assert_eq!(ring.create(edit.clone()), Err(KeyringError::GenesisNotSigned), "{edit:?}");
        assert_eq!(ring.created(), None, "a refused genesis changes nothing");
    }
    // Origin and root key are pinned besides being signed: the text names them, so that no signature moves to another ledger.
    let other = LedgerCreated { origin: Origin::new("example.org/x").unwrap(), ..created() };
    assert!(verify_genesis(&root, &other).is_err());
    let mut ring = Keyring::new(other.origin.clone(), root);
    assert_eq!(ring.create(other), Err(KeyringError::GenesisNotSigned));
}

#[test]
fn every_field_is_signed() {
    let good = made(NODE_A, grant(Role::Cosigner, Some(0xa), 1, Some(100)));
    let root = key(ROOT).public();
    assert!(verify_endorsement(&origin(), &root, &good).is_ok());
    let receipt_name = Role::Receipt.key_name(&origin(), good.node).unwrap();
    let edits = [
        KeyEndorsed { from_size: TreeSize(0), ..good.clone() },
        KeyEndorsed { to_size: None, ..good.clone() },
        KeyEndorsed { to_size: Some(TreeSize(101)), ..good.clone() },
        KeyEndorsed { public_key: key(NODE_B).public(), ..good.clone() },
        KeyEndorsed { key_name: cosigner_key_name(&origin(), NodeId(0xb)), node: Some(NodeId(0xb)), ..good.clone() },
        KeyEndorsed { role: Role::Receipt, key_name: receipt_name, ..good.clone() },
    ];
    for edit in edits {
        assert_eq!(verify_endorsement(&origin(), &root, &edit), Err(EndorseError::Signature), "{edit:?}");
    }
    let renamed = KeyEndorsed { key_name: "x".to_owned(), ..good.clone() };
    assert!(matches!(verify_endorsement(&origin(), &root, &renamed), Err(EndorseError::KeyName { .. })));
    let other = Origin::new("example.org/x").unwrap();
    assert!(verify_endorsement(&other, &root, &good).is_err());
    assert!(matches!(
        endorse(&origin(), &key(ROOT), root, grant(Role::Log, Some(1), 1, None)),
        Err(EndorseError::Node { .. })
    ));
    assert!(matches!(
        endorse(&origin(), &key(ROOT), root, grant(Role::Log, None, 2, Some(1))),
        Err(EndorseError::EmptyInterval { .. })
    ));
}

#[test]
fn keys_are_neither_shared_nor_overlapping() {
    let mut ring = keyring();
    let before = ring.clone();
    let refused = [
        made(ROOT, grant(Role::Receipt, Some(0xa), 1, None)),
        made(LOG, grant(Role::Receipt, Some(0xa), 1, None)),
        made(NODE_A, grant(Role::Receipt, Some(0xa), 1, None)),
        made(NODE_A, grant(Role::Cosigner, Some(0xc), 1, None)),
    ];
    for body in refused {
        assert!(matches!(ring.endorse(&body), Err(KeyringError::Reused { .. })), "{body:?}");
    }
    for (from, to) in [(1, None), (100, Some(200)), (0, Some(1)), (5, Some(6))] {
        let body = made(30, grant(Role::Cosigner, Some(0xa), from, to));
        assert!(matches!(ring.endorse(&body), Err(KeyringError::Overlap { .. })), "{from} to {to:?}");
    }
    assert_eq!(ring, before, "a refused entry changes nothing");
    ring.endorse(&made(30, grant(Role::Cosigner, Some(0xa), 101, None))).unwrap();
}

#[test]
fn rotation_of_the_log_key() {
    let mut ring = keyring();
    let name = log_key_name(&origin());
    let next = made(40, grant(Role::Log, None, 81, None));
    assert!(matches!(ring.endorse(&next), Err(KeyringError::Overlap { .. })));
    let body = retire(&origin(), &key(ROOT), Role::Log, &name, key(LOG).public(), TreeSize(80));
    let forged = KeyRetired { to_size: TreeSize(70), ..body.clone() };
    assert_eq!(ring.retire(&forged), Err(KeyringError::Endorse(EndorseError::Signature)));
    ring.apply(Seq(80), KeyRetired::KIND, &body.to_value()).unwrap();
    ring.endorse(&next).unwrap();
    assert_eq!(ring.key_at(Role::Log, &name, TreeSize(80)).unwrap(), &key(LOG).public());
    assert_eq!(ring.key_at(Role::Log, &name, TreeSize(81)).unwrap(), &key(40).public());
    let longer = retire(&origin(), &key(ROOT), Role::Log, &name, key(LOG).public(), TreeSize(90));
    assert!(matches!(ring.retire(&longer), Err(KeyringError::NothingToRetire { .. })), "never lengthened");
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { origin: origin(), size: TreeSize(size), root: leaf_hash(b"root") }
}

#[test]
fn cosigners_are_counted_once_and_within_their_interval() {
    let ring = keyring();
    let names = [0xa, 0xb].map(|n| cosigner_key_name(&origin(), NodeId(n)));
    let verified = |size| {
        let bytes = checkpoint(size).sign(&key(LOG)).unwrap().to_bytes();
        VerifiedCheckpoint::verify_with(&bytes, &ring).unwrap()
    };
    let line = |seed, name: &str, size| cosign(&checkpoint(size).text(), name, &key(seed), 1_795_197_600).unwrap();

    let at_60 = quorum(&ring, &verified(60), &[line(NODE_B, &names[1], 60), line(NODE_A, &names[0], 60)]).unwrap();
    assert!(at_60.reaches(2) && !at_60.reaches(3));
    assert_eq!(at_60.valid[0].node, NodeId(0xa));
    assert_eq!(at_60.valid[0].time_seconds, 1_795_197_600);

    let at_40 = quorum(&ring, &verified(40), &[line(NODE_A, &names[0], 40), line(NODE_B, &names[1], 40)]).unwrap();
    assert_eq!((at_40.valid.len(), at_40.outside_interval), (1, vec![names[1].clone()]));

    let strangers = [line(77, &names[0], 60), line(NODE_A, "elsewhere.example", 60)];
    let none = quorum(&ring, &verified(60), &strangers).unwrap();
    assert_eq!((none.valid.len(), none.unknown), (0, 2));

    let other_text = [line(NODE_A, &names[0], 61)];
    assert!(matches!(quorum(&ring, &verified(60), &other_text), Err(NoteError::BadSignature { .. })));
    let twice = [line(NODE_A, &names[0], 60), line(NODE_A, &names[0], 60)];
    assert!(matches!(quorum(&ring, &verified(60), &twice), Err(NoteError::DuplicateSignature { .. })));
}

#[test]
fn checkpoints_need_a_log_key_of_their_size() {
    let ring = keyring();
    let early = Checkpoint { root: crate::hash::empty_root(), ..checkpoint(0) }.sign(&key(LOG)).unwrap();
    assert!(matches!(
        VerifiedCheckpoint::verify_with(&early.to_bytes(), &ring),
        Err(CheckpointError::Keyring(KeyringError::OutsideInterval { .. }))
    ));
    let by_cosigner = checkpoint(60).sign(&key(NODE_A)).unwrap();
    assert!(VerifiedCheckpoint::verify_with(&by_cosigner.to_bytes(), &ring).is_err());
}

#[test]
fn policy_lists_the_interval() {
    let ring = keyring();
    let policy = ring.tlog_policy(TreeSize(60)).unwrap().unwrap();
    let kinds: Vec<&str> = policy.lines().map(|l| l.split(' ').next().unwrap()).collect();
    assert_eq!(kinds, ["log", "witness", "witness", "group", "quorum"]);
    assert!(policy.contains("\ngroup cosigners 2 n0 n1\n"));
    assert_eq!(ring.tlog_policy(TreeSize(0)).unwrap(), None);
}
