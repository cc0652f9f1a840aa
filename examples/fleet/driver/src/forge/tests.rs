//! Tests of the forgery: exactly one byte, within one decision's leaf, and the record stays readable.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use assent_ledger::archive::append_leaf;
use assent_ledger::chain::Head;
use assent_ledger::entry::Entry;
use assent_ledger::ids::{Origin, Seq, TenantId, TenantSeq, Time, TreeSize};
use assent_ledger::json::Value;

use super::*;

fn leaf(seq: u64, kind: &str) -> Vec<u8> {
    let origin = Origin::new("assent.example/forge").unwrap();
    let last = Head::genesis(&origin).last;
    let body = Value::map([("tool", Value::str("refunds.create")), ("verdict", Value::str("deny"))]);
    let (tenant, event_id) = (TenantId::new("acme").unwrap(), format!("event-{seq}"));
    Entry {
        origin,
        seq: Seq(seq),
        time: Time(seq),
        nonce: [0; 16],
        tenant,
        tseq: TenantSeq(seq),
        prev: last,
        tprev: last,
        kind: kind.to_owned(),
        event_id,
        run_id: None,
        trace_id: None,
        actor: None,
        body,
        payloads: Vec::new(),
    }
    .encode()
    .unwrap()
}

fn bundle(kinds: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (seq, kind) in kinds.iter().enumerate() {
        append_leaf(&mut bytes, &leaf(seq as u64, kind)).unwrap();
    }
    bytes
}

#[test]
fn exactly_one_byte_within_a_decisions_leaf_is_changed() {
    let original = bundle(&["assent.run.opened", DECISION_KIND, "assent.run.closed"]);
    let mut forged = original.clone();
    let (seq, before, after) = change_decision(&mut forged).unwrap();
    assert_eq!((seq, before.as_str(), after.as_str()), (1, "refunds.create", "xefunds.create"));
    let changed: Vec<usize> = (0..original.len()).filter(|at| original[*at] != forged[*at]).collect();
    let start = LENGTH_BYTES + leaf(0, "assent.run.opened").len() + LENGTH_BYTES;
    assert_eq!(changed.len(), 1);
    assert!((start..start + leaf(1, DECISION_KIND).len()).contains(&changed[0]));
    let leaf = &forged[start..start + leaf(1, DECISION_KIND).len()];
    assert_eq!(EntryView::parse(leaf).unwrap().seq, Seq(1), "it is still an entry, only another one");
}

#[test]
fn without_a_decision_nothing_is_changed() {
    let original = bundle(&["assent.run.opened"]);
    let mut bytes = original.clone();
    assert_eq!(change_decision(&mut bytes), None);
    assert_eq!(bytes, original);
}

#[test]
fn an_archive_is_copied_forged_and_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (worm, copied) = (folder.path().join("worm"), folder.path().join("copy"));
    for (start, end) in [(0u64, 3u64), (3, 5)] {
        let name = SpanName { start: Seq(start), end: TreeSize(end) };
        let tenant = worm.join("ledger/spans").join(name.to_string()).join("tenants/ab");
        fs::create_dir_all(&tenant).unwrap();
        fs::write(tenant.join("bundle"), bundle(&[DECISION_KIND])).unwrap();
    }
    copy(&worm, &copied).unwrap();
    assert_eq!(spans(&copied).unwrap().len(), 2);
    let forged = change_one_record(&copied).unwrap();
    assert!(forged.file.starts_with("ledger/spans") && forged.file.ends_with("bundle"));
    assert_ne!(fs::read(worm.join(&forged.file)).unwrap(), fs::read(copied.join(&forged.file)).unwrap());
    assert_eq!(cut_tail(&copied).unwrap(), SpanName { start: Seq(3), end: TreeSize(5) });
    assert_eq!((spans(&copied).unwrap().len(), spans(&worm).unwrap().len()), (1, 2));
}
