//! Golden vectors of DARE's views: `testdata/dare/archive.jsonl` holds entries with their payloads and receipts, `views.jsonl` the
//! records that they give, byte for byte. Both are read by implementers in other languages. `ASSENT_BLESS=1` writes the views
//! anew, `ASSENT_BLESS=archive` the entries too.

use std::collections::BTreeMap;

use crate::support::archive::{Archive, archive, full_call, repository, sealed, valid};
use crate::support::{agent, call, evaluate, mail};
use assent_kernel::dare::{ledger_event, policy_decision_record, tool_request_envelope};
use assent_kernel::replay::Recorded;
use assent_ledger::receipt::Receipt;
use serde_json::{Value, json};

/// What is recorded: calls that were allowed and denied, with and without a context, sealed and anchored.
fn scenario() -> Archive {
    archive(|keeper| {
        let planner = agent("acme", Some("agent-1"));
        keeper.send(planner.clone(), evaluate(full_call()));
        keeper.send(planner.clone(), mail());
        keeper.send(planner.clone(), evaluate(call("nobody.knows", "{}")));
        keeper.send(planner, evaluate(call("http.fetch", r#"{"url":"https://evil.example/"}"#)));
        sealed(keeper);
    })
}

fn write_archive(archive: &Archive) -> String {
    let mut out = String::new();
    for (recorded, leaf) in archive.entries.iter().zip(&archive.leaves) {
        let payloads: BTreeMap<String, String> = recorded
            .entry
            .payloads
            .iter()
            .map(|payload| (payload.commitment.to_string(), hex(&archive.payloads[&payload.commitment])))
            .collect();
        let receipt =
            archive.receipts.get(&recorded.entry.seq).map(|r| String::from_utf8(r.to_json().unwrap()).unwrap());
        let line = json!({"leaf": std::str::from_utf8(leaf).unwrap(), "payloads": payloads, "receipt": receipt});
        out += &(line.to_string() + "\n");
    }
    out
}

fn read_archive(text: &str) -> Archive {
    let (mut leaves, mut payloads, mut receipts) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let leaf = line["leaf"].as_str().unwrap().as_bytes().to_vec();
        for (commitment, bytes) in line["payloads"].as_object().unwrap() {
            payloads.insert(commitment.parse().unwrap(), unhex(bytes.as_str().unwrap()));
        }
        if let Some(receipt) = line["receipt"].as_str() {
            receipts.insert(Recorded::read(&leaf).unwrap().entry.seq, Receipt::parse(receipt.as_bytes()).unwrap());
        }
        leaves.push(leaf);
    }
    Archive::of(leaves, payloads, receipts)
}

fn views(archive: &Archive) -> String {
    let mut out = String::new();
    for recorded in &archive.entries {
        let views = [
            ("ledger-event", Some(ledger_event(recorded, archive))),
            ("policy-decision-record", policy_decision_record(recorded, archive)),
            ("tool-request-envelope", tool_request_envelope(recorded, archive)),
        ];
        for (name, view) in views {
            if let Some(view) = view {
                let text = view.to_text();
                valid(name, &text);
                out += &format!("{{\"schema\":\"{name}\",\"view\":{text}}}\n");
            }
        }
    }
    out
}

#[test]
fn recorded_entries_give_the_recorded_views() {
    let folder = repository().join("testdata/dare");
    let bless = std::env::var("ASSENT_BLESS").unwrap_or_default();
    if bless == "archive" {
        std::fs::write(folder.join("archive.jsonl"), write_archive(&scenario())).unwrap();
    }
    let archive = read_archive(&std::fs::read_to_string(folder.join("archive.jsonl")).unwrap());
    let views = views(&archive);
    if !bless.is_empty() {
        std::fs::write(folder.join("views.jsonl"), &views).unwrap();
    }
    let stored = std::fs::read_to_string(folder.join("views.jsonl")).unwrap();
    for (number, (stored, produced)) in stored.lines().zip(views.lines()).enumerate() {
        assert_eq!(stored, produced, "line {} of testdata/dare/views.jsonl", number + 1);
    }
    assert_eq!(stored.lines().count(), views.lines().count());
    assert!(views.lines().count() > 30);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
