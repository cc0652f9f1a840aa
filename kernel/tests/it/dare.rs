//! DARE's views: each produced record fits the schema that is shipped with it. `dare_vectors.rs` compares them byte for byte.

use std::collections::BTreeMap;

use crate::support::archive::{Archive, archive, full_call, schema, sealed, valid};
use crate::support::{GOOD_MAIL, agent, call, evaluate};
use assent_kernel::dare::{PAYLOAD_REF_TYPE, PayloadRef, ledger_event, policy_decision_record, tool_request_envelope};
use assent_kernel::event::EventBody;
use assent_kernel::replay::Recorded;
use assent_ledger::hash::sha256;
use serde_json::Value;

fn one_call() -> (Archive, Recorded) {
    let archive = archive(|keeper| {
        keeper.send(agent("acme", Some("agent-1")), evaluate(full_call()));
        sealed(keeper);
    });
    let decision = archive.entries.iter().find(|r| matches!(r.body, Some(EventBody::Decision(_)))).unwrap().clone();
    (archive, decision)
}

#[test]
fn a_decision_its_request_and_its_commit_fit_their_schemas() {
    let (archive, decision) = one_call();
    let text = policy_decision_record(&decision, &archive).unwrap().to_text();
    let record = valid("policy-decision-record", &text);
    let text = tool_request_envelope(&decision, &archive).unwrap().to_text();
    let request = valid("tool-request-envelope", &text);
    let text = ledger_event(&decision, &archive).to_text();
    let event = valid("ledger-event", &text);

    // The three speak of the same request, and the numbers are those that were given.
    assert_eq!(record["inputs"]["request_hash"], request["hashes"]["request_hash"]);
    assert_eq!(record["inputs"]["request_hash"], event["references"]["tool_request_hash"]);
    assert_eq!(record["decision_id"], event["references"]["policy_decision_id"]);
    assert_eq!(request["context"]["orm_risk_score"].to_string(), "0.42");
    assert_eq!(request["context"]["budgets"]["cost_usd_remaining"].to_string(), "18.5");
    assert_eq!(request["inputs"]["payload"], serde_json::from_str::<Value>(GOOD_MAIL).unwrap());
    assert!(event["signatures"]["signature"].is_string() && event["immutability"]["sink_uri"].is_string());
}

#[test]
fn every_entry_of_a_mixed_ledger_has_a_valid_commit_and_every_decision_its_records() {
    let world = crate::support::random_world(12, 250);
    let archive = Archive::of(world.leaves, BTreeMap::new(), BTreeMap::new());
    let (event, record, request) =
        (schema("ledger-event"), schema("policy-decision-record"), schema("tool-request-envelope"));
    let parsed = |json: assent_kernel::dare::Json| serde_json::from_str::<Value>(&json.to_text()).unwrap();
    let mut decisions = 0;
    for recorded in &archive.entries {
        assert!(event.is_valid(&parsed(ledger_event(recorded, &archive))));
        if let Some(json) = policy_decision_record(recorded, &archive) {
            decisions += 1;
            assert!(record.is_valid(&parsed(json)));
            assert!(request.is_valid(&parsed(tool_request_envelope(recorded, &archive).unwrap())));
        }
    }
    assert!(decisions > 20);
}

#[test]
fn what_an_erased_payload_would_say_is_null_and_named() {
    let (mut archive, decision) = one_call();
    archive.erased.extend(decision.entry.payloads.iter().map(|payload| payload.commitment));
    let record = valid("policy-decision-record", &policy_decision_record(&decision, &archive).unwrap().to_text());
    assert_eq!(record["inputs"]["request_hash"], Value::Null);
    assert_eq!(record["assent"]["erased"], serde_json::json!(["inputs.request_hash", "inputs.context_hash"]));
    let text = tool_request_envelope(&decision, &archive).unwrap().to_text();
    let request = valid("tool-request-envelope", &text);
    assert_eq!(request["inputs"]["payload"], Value::Null);
    assert_eq!(request["assent"]["erased"], serde_json::json!(["inputs.payload", "hashes.request_hash"]));
    assert!(!text.contains("example.com\"]"), "nothing of the payload is left");
    let event = valid("ledger-event", &ledger_event(&decision, &archive).to_text());
    assert_eq!(event["assent"]["erased"], serde_json::json!(["references.tool_request_hash"]));
}

#[test]
fn inputs_that_are_no_json_come_back_in_base64() {
    let mut odd = call("mail.send", "");
    odd.inputs = vec![0xff, 0x00, b'a'];
    let archive = archive(|keeper| keeper.send(agent("acme", Some("agent-1")), evaluate(odd)));
    let decision = archive.entries.last().unwrap();
    let request = valid("tool-request-envelope", &tool_request_envelope(decision, &archive).unwrap().to_text());
    assert_eq!((&request["inputs"]["payload"], &request["inputs"]["encoding"]), (&"/wBh".into(), &"base64".into()));
}

#[test]
fn pointers_fit_their_schema() {
    let pointer = PayloadRef {
        payload_hash: sha256(&[b"elsewhere"]),
        uri: "protected://payloads/1".into(),
        encryption: "kms:key-1".into(),
        classification: "regulated".into(),
        expires_at: Some("2026-12-24T00:00:00.000000Z".parse().unwrap()),
    };
    let text = pointer.to_json().to_text();
    valid("payload-ref", &text);
    assert!(PAYLOAD_REF_TYPE.ends_with("+json"));
}

#[test]
fn the_schemas_are_strict() {
    let (archive, decision) = one_call();
    let text = policy_decision_record(&decision, &archive).unwrap().to_text();
    let record: Value = serde_json::from_str(&text).unwrap();
    let validator = schema("policy-decision-record");
    let mut unknown = record.clone();
    unknown["subject"]["more"] = true.into();
    assert!(!validator.is_valid(&unknown));
    let mut missing = record.clone();
    missing.as_object_mut().unwrap().remove("decision_id");
    assert!(!validator.is_valid(&missing));
    let mut wrong = record;
    wrong["inputs"]["request_hash"] = "sha256:xyz".into();
    assert!(!validator.is_valid(&wrong));
}
