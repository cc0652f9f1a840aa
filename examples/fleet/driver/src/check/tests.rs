//! Tests of the final check: what is lost, doubled or foreign is said, and a sound ledger passes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Write as _;

use assent_ledger::chain::Head;
use assent_ledger::entry::Entry;
use assent_ledger::ids::{Origin, Seq, TenantId, TenantSeq, Time};
use assent_ledger::json::Value;

use super::*;

fn workload(count: usize) -> Workload {
    let mut text = String::new();
    for n in 0..count {
        writeln!(
            text,
            r#"{{"tenant":"t","token_name":"t/a","subject":"s","environment":"prod","run_id":"r{n}","trace_id":"x","agent":{{"agent_instance_id":"i","name":"n","version":"1"}},"tool":"t","inputs":{{}},"expect":"allow","expect_code":"X","scenario":"s"}}"#
        )
        .unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Workload::read(file.path(), 0, 0).unwrap()
}

fn leaf(seq: u64, kind: &str, request_id: &str) -> Vec<u8> {
    let origin = Origin::new("assent.example/check").unwrap();
    let head = Head::genesis(&origin);
    Entry {
        origin,
        seq: Seq(seq),
        time: Time(seq),
        nonce: [0; 16],
        tenant: TenantId::new("t").unwrap(),
        tseq: TenantSeq(seq),
        prev: head.last,
        tprev: head.last,
        kind: kind.to_owned(),
        event_id: format!("event-{seq}"),
        run_id: None,
        trace_id: None,
        actor: None,
        body: Value::map([("request_id", Value::str(request_id))]),
        payloads: Vec::new(),
    }
    .encode()
    .unwrap()
}

/// A ledger with one entry of another kind, then the given requests' decisions; and the receipts for those.
fn ledger(requests: &[&str]) -> (Ledger, Vec<Acknowledged>) {
    let mut ledger = Ledger::default();
    ledger.push(&leaf(0, "assent.run.opened", "")).unwrap();
    let mut receipts = Vec::new();
    for (position, request) in requests.iter().enumerate() {
        let seq = position as u64 + 1;
        let bytes = leaf(seq, DECISION_KIND, request);
        ledger.push(&bytes).unwrap();
        receipts.push(Acknowledged { position, seq, leaf: leaf_hash(&bytes) });
    }
    (ledger, receipts)
}

#[test]
fn a_sound_ledger_passes() {
    let workload = workload(3);
    let ids: Vec<&str> = workload.planned().iter().map(|p| p.request_id.as_str()).collect();
    let (ledger, receipts) = ledger(&ids);
    let checked = ledger.check(&workload, &receipts, 0);
    assert!(checked.is_ok(), "{checked:?}");
    assert_eq!((checked.entries, checked.decisions, checked.receipts), (4, 3, 3));
    assert!(ledger.root(4).is_some() && ledger.root(5).is_none());
}

#[test]
fn what_is_lost_is_said() {
    let workload = workload(3);
    let ids: Vec<&str> = workload.planned().iter().map(|p| p.request_id.as_str()).collect();
    // The last decision is not on the ledger, but a client has its receipt.
    let (_, receipts) = ledger(&ids);
    let (short, _) = ledger(&ids[..2]);
    let checked = short.check(&workload, &receipts, 0);
    assert_eq!((checked.lost, checked.doubled, checked.is_ok()), (2, 0, false), "{checked:?}");
    // Everything is on the ledger, but one client got no receipt.
    let (whole, _) = ledger(&ids);
    assert_eq!(whole.check(&workload, &receipts[..2], 0).lost, 1);
    // A receipt for another leaf.
    let mut forged = receipts.clone();
    forged[1].leaf = Hash([7; 32]);
    assert!(!whole.check(&workload, &forged, 0).is_ok());
}

#[test]
fn what_is_doubled_or_foreign_is_said() {
    let workload = workload(2);
    let ids: Vec<&str> = workload.planned().iter().map(|p| p.request_id.as_str()).collect();
    let (twice, receipts) = ledger(&[ids[0], ids[1], ids[0]]);
    let checked = twice.check(&workload, &receipts[..2], 0);
    assert_eq!((checked.lost, checked.doubled), (0, 1), "{checked:?}");
    let (more, receipts) = ledger(&[ids[0], ids[1], "another"]);
    let checked = more.check(&workload, &receipts[..2], 0);
    assert_eq!((checked.lost, checked.doubled, checked.foreign), (0, 0, 1), "{checked:?}");
    assert!(more.check(&workload, &receipts[..2], 1).is_ok(), "it was there before");
    let (sound, receipts) = ledger(&ids);
    let same = [receipts[0].clone(), Acknowledged { position: 1, ..receipts[0].clone() }];
    assert!(sound.check(&workload, &same, 0).doubled > 0);
}

#[test]
fn an_entry_at_the_wrong_place_is_refused() {
    let mut ledger = Ledger::default();
    assert!(ledger.push(&leaf(1, DECISION_KIND, "x")).unwrap_err().to_string().contains("position 0"));
}
