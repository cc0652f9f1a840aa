//! A ledger begun anew from entry 0, by whoever stole the log key and one cosigner's key.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    reason = "tests"
)]

mod support;

use assent_ledger::endorse::genesis_text;
use assent_ledger::json::Value;
use assent_ledger::seal::LedgerCreated;
use assent_verifier::{Kind, Options, Report, Verdict, verify};
use support::ledger_builder::*;
use tempfile::TempDir;

/// Two spans under any genesis, with the genuine endorsements behind it and the cosignatures of one node.
fn begun_anew(genesis: Value) -> Report {
    let dir = TempDir::new().unwrap();
    let mut forged = Ledger::begun_with(origin(), genesis);
    forged.cosigned_by = vec![0];
    for _ in 0..2 {
        traffic(&mut forged, 6);
        forged.seal(dir.path());
    }
    verify(&Options::new(dir.path(), root_key().public())).unwrap()
}

fn expect_untrusted(genesis: Value, kind: Kind) {
    let report = begun_anew(genesis);
    let decisive = report.decisive().unwrap();
    assert_eq!((report.verdict, decisive.kind, decisive.seq), (Verdict::Untrusted, kind, 0), "{}", report.to_text());
}

#[test]
fn a_quorum_of_one_needs_the_root_keys_word() {
    let genuine = created(origin());
    expect_untrusted(genuine.to_value(), Kind::QuorumMissing);
    let weak = LedgerCreated { quorum: 1, ..genuine };
    let by_log = LedgerCreated { signature: log_key().sign(genesis_text(&weak).as_bytes()), ..weak.clone() };
    let Value::Map(mut unsigned) = weak.to_value() else { panic!("a body is an object") };
    unsigned.remove("signature").unwrap();
    for genesis in [weak.to_value(), by_log.to_value(), Value::Map(unsigned)] {
        expect_untrusted(genesis, Kind::GenesisNotSigned);
    }
    // With the root key's signature the same archive holds: nothing but the signature stood in the way.
    let signed = LedgerCreated { signature: root_key().sign(genesis_text(&weak).as_bytes()), ..weak };
    assert_eq!(begun_anew(signed.to_value()).verdict, Verdict::Valid);
}
