//! Unit and property tests of receipts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::endorse::{GenesisParameters, Grant, endorse, sign_genesis};
use crate::entry::Entry;
use crate::ids::{TenantId, TenantSeq};
use crate::json::Value;
use crate::keys::SecretKey;
use crate::tree::merkle_root;

const NODE: NodeId = NodeId(0xa);

fn origin() -> Origin {
    Origin::new("example.org/log").unwrap()
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[5; 32])
}

fn leaf(origin: Origin, seq: u64) -> String {
    let entry = Entry {
        origin,
        seq: Seq(seq),
        time: Time(1_795_197_600_000_000),
        nonce: [3; 16],
        tenant: TenantId::new("acme").unwrap(),
        tseq: TenantSeq(seq),
        prev: leaf_hash(b"prev"),
        tprev: leaf_hash(b"tprev"),
        kind: "assent.run.started".to_owned(),
        event_id: format!("event \"{seq}\""),
        run_id: None,
        trace_id: None,
        actor: None,
        body: Value::empty_map(),
        payloads: Vec::new(),
    };
    String::from_utf8(entry.encode().unwrap()).unwrap()
}

fn leaves(first: u64, count: u64) -> Vec<String> {
    (first..first + count).map(|seq| leaf(origin(), seq)).collect()
}

fn batch(first: u64, leaves: &[String]) -> SignedBatch {
    let hashes = leaves.iter().map(|l| leaf_hash(l.as_bytes())).collect();
    BatchSigner::new(origin(), NODE, key()).sign(Seq(first), hashes).unwrap()
}

#[test]
fn every_receipt_of_every_batch_verifies() {
    for count in 1..=17 {
        let leaves = leaves(40, count);
        let batch = batch(40, &leaves);
        assert_eq!(*batch.root(), merkle_root(leaves.iter().map(|l| leaf_hash(l.as_bytes()))));
        for (index, leaf) in (0..count).zip(&leaves) {
            let receipt = batch.receipt(index, leaf).unwrap();
            let parsed = Receipt::parse(&receipt.to_json().unwrap()).unwrap();
            assert_eq!(parsed, receipt);
            let verified = parsed.verify(&origin(), NODE, &key().public()).unwrap();
            assert_eq!((verified.seq(), verified.leaf(), verified.node()), (Seq(40 + index), leaf.as_bytes(), NODE));
        }
    }
}

fn one() -> Receipt {
    let leaves = leaves(40, 5);
    batch(40, &leaves).receipt(2, &leaves[2]).unwrap()
}

#[test]
fn changed_receipts_are_refused() {
    let bad = [
        Receipt { index: 3, ..one() },
        Receipt { index: 5, ..one() },
        Receipt { count: 4, ..one() },
        Receipt { count: 0, ..one() },
        Receipt { count: limits::RECEIPT_BATCH_MAX + 1, ..one() },
        Receipt { first_seq: Seq(41), ..one() },
        Receipt { first_seq: Seq(u64::MAX), ..one() },
        Receipt { leaf: leaf(origin(), 43), ..one() },
        Receipt { path: one().path[1..].to_vec(), ..one() },
        Receipt { path: [one().path, vec![leaf_hash(b"x")]].concat(), ..one() },
        Receipt { root: leaf_hash(b"x"), ..one() },
        Receipt { signature: [0; 64], ..one() },
        Receipt { key_name: crate::keys::cosigner_key_name(&origin(), NODE), ..one() },
        Receipt { key_name: receipt_key_name(&origin(), NodeId(0xb)), ..one() },
        Receipt { key_name: "example.org/other/receipt/000000000000000a".to_owned(), ..one() },
        Receipt { origin: Origin::new("example.org/other").unwrap(), ..one() },
    ];
    for receipt in bad {
        assert!(receipt.clone().verify(&origin(), NODE, &key().public()).is_err(), "{receipt:?}");
    }
    let stranger = SecretKey::from_seed(&[6; 32]).public();
    assert_eq!(one().verify(&origin(), NODE, &stranger), Err(ReceiptError::Signature));
}

#[test]
fn the_leaf_must_agree_with_its_place() {
    for wrong in [leaf(origin(), 39), leaf(Origin::new("example.org/x").unwrap(), 40)] {
        let receipt = batch(40, core::slice::from_ref(&wrong)).receipt(0, &wrong).unwrap();
        assert_eq!(receipt.verify(&origin(), NODE, &key().public()), Err(ReceiptError::LeafDisagrees));
    }
    let junk = "no entry".to_owned();
    let receipt = batch(40, core::slice::from_ref(&junk)).receipt(0, &junk).unwrap();
    assert!(matches!(receipt.verify(&origin(), NODE, &key().public()), Err(ReceiptError::Entry(_))));
}

#[test]
fn only_signed_leaves_get_receipts() {
    let leaves = leaves(40, 3);
    let batch = batch(40, &leaves);
    assert_eq!(batch.receipt(1, &leaves[2]), Err(ReceiptError::OtherLeaf { index: 1 }));
    assert_eq!(batch.receipt(3, &leaves[2]), Err(ReceiptError::Index { index: 3, count: 3 }));
    let signer = BatchSigner::new(origin(), NODE, key());
    assert!(matches!(signer.sign(Seq(0), Vec::new()), Err(ReceiptError::Batch { .. })));
    assert!(matches!(signer.sign(Seq(u64::MAX), vec![leaf_hash(b"a"); 2]), Err(ReceiptError::Batch { .. })));
}

#[test]
fn the_keyring_decides_by_size() {
    let root = SecretKey::from_seed(&[1; 32]);
    let ring = |from: u64, to: u64| {
        let mut ring = Keyring::new(origin(), root.public());
        let parameters = GenesisParameters {
            origin: origin(),
            kernel_version: 1,
            quorum: 1,
            seal_entries: 10,
            seal_seconds: 10,
            interval_max_seconds: 60,
        };
        ring.create(sign_genesis(&root, parameters)).unwrap();
        let (from_size, to_size) = (TreeSize(from), Some(TreeSize(to)));
        let grant = Grant { role: Role::Receipt, node: Some(NODE), from_size, to_size };
        ring.endorse(&endorse(&origin(), &root, key().public(), grant).unwrap()).unwrap();
        ring
    };
    assert!(one().verify_with(&ring(45, 45)).is_ok(), "the size after the batch is 45");
    for (from, to) in [(1, 44), (46, 50)] {
        let refused = one().verify_with(&ring(from, to));
        assert!(matches!(refused, Err(ReceiptError::Keyring(KeyringError::OutsideInterval { .. }))));
    }
}

#[test]
fn conflicts_are_seen() {
    let verified = one().verify(&origin(), NODE, &key().public()).unwrap();
    assert!(!verified.conflicts_with_leaf(&leaf_hash(one().leaf.as_bytes())));
    assert!(verified.conflicts_with_leaf(&leaf_hash(b"another")));
    let other = one().leaf.replace("event \\", "other \\");
    let others = batch(42, core::slice::from_ref(&other)).receipt(0, &other).unwrap();
    let others = others.verify(&origin(), NODE, &key().public()).unwrap();
    assert!(verified.conflicts_with(&others) && !verified.conflicts_with(&verified));
}

#[test]
fn documents_are_strict() {
    let good = String::from_utf8(one().to_json().unwrap()).unwrap();
    let bad = [
        good.replace("assent/receipt/1", "assent/receipt/2"),
        good.replace("\"index\":\"2\"", "\"index\":2"),
        good.replace("\"index\":\"2\"", "\"index\":\"02\""),
        good.replace("\"index\":\"2\",", ""),
        good.replace("\"index\"", "\"indey\""),
        good.replace("{\"@v\"", "{ \"@v\""),
        good.replace("\"origin\"", "\"nonce\":\"1\",\"origin\""),
        format!("{good}\n"),
    ];
    for text in bad {
        assert!(Receipt::parse(text.as_bytes()).is_err(), "{text}");
    }
    let long = vec![b' '; RECEIPT_BYTES_MAX + 1];
    assert!(matches!(Receipt::parse(&long), Err(ReceiptError::TooLong { .. })));
}

proptest! {
    #[test]
    fn any_flipped_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = one().to_json().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(receipt) = Receipt::parse(&bytes) {
            prop_assert!(receipt.verify(&origin(), NODE, &key().public()).is_err());
        }
    }

    #[test]
    fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Receipt::parse(&bytes).is_err());
    }
}
