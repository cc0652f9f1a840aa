//! Golden vector of what agents sign.
//!
//! `ASSENT_BLESS=1 cargo test -p assent-ledger --test vectors_message` rewrites the file. A changed vector is a changed format.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use assent_ledger::hash::sha256;
use assent_ledger::ids::{Origin, TenantId, Time};
use assent_ledger::keys::SecretKey;
use assent_ledger::message::{MessageText, RotationText};

const PAYLOAD: &[u8] = br#"{"task_id":"7","inputs":{"tool":"crm.update_contact","args":{"contact_id":"123"}}}"#;

fn made() -> serde_json::Value {
    let (origin, tenant) = (Origin::new("ledger.example/one").unwrap(), TenantId::new("acme").unwrap());
    let key = SecretKey::from_seed(&[21; 32]);
    let capabilities = ["delegate_task".to_owned(), "return_result".to_owned()];
    let full = MessageText {
        origin: &origin,
        tenant: &tenant,
        schema_version: "v1",
        time: Time(1_766_571_900_000_000),
        run_id: Some("run-1"),
        trace_id: Some("trace-1"),
        protocol: "1.0",
        capabilities: &capabilities,
        nonce: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        expires_at: Time(1_766_571_960_000_000),
        sender_instance: Some("spiffe://org/agent/planner#run-123"),
        sender: "spiffe://org/agent/planner",
        recipient: "spiffe://org/agent/executor",
        recipient_run: Some("run-2"),
        content_type: "application/json",
        payload_hash: sha256(&[PAYLOAD]),
    };
    let sparse = MessageText {
        run_id: None,
        trace_id: None,
        capabilities: &[],
        sender_instance: None,
        recipient_run: None,
        ..full
    };
    let new_key = SecretKey::from_seed(&[22; 32]).public();
    let rotation = RotationText {
        origin: &origin,
        tenant: &tenant,
        subject: "spiffe://org/agent/planner",
        old_key_id: "kid-1",
        new_key_id: "kid-2",
        new_key,
    };
    let signed = |text: Vec<u8>| {
        let signature = key.sign(&text);
        key.public().verify(&text, &signature).unwrap();
        serde_json::json!({ "text": String::from_utf8(text).unwrap(), "signature": hex::encode(signature) })
    };
    serde_json::json!({
        "format": "assent/agent-message/1",
        "payload": String::from_utf8(PAYLOAD.to_vec()).unwrap(),
        "public_key": key.public().to_string(),
        "seed": hex::encode([21; 32]),
        "full": signed(full.to_bytes()),
        "sparse": signed(sparse.to_bytes()),
        "rotation": signed(rotation.to_bytes()),
    })
}

#[test]
fn what_agents_sign_is_frozen() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/vectors/message/message.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&made()).unwrap());
    if std::env::var_os("ASSENT_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text, "a change of format needs a new version");
}

#[test]
fn moving_a_text_between_fields_changes_what_is_signed() {
    let (origin, tenant) = (Origin::new("ledger.example/one").unwrap(), TenantId::new("acme").unwrap());
    let plain = MessageText {
        origin: &origin,
        tenant: &tenant,
        schema_version: "v1",
        time: Time(1),
        run_id: None,
        trace_id: None,
        protocol: "1.0",
        capabilities: &[],
        nonce: "n",
        expires_at: Time(2),
        sender_instance: None,
        sender: "a",
        recipient: "b",
        recipient_run: None,
        content_type: "text/plain",
        payload_hash: sha256(&[b""]),
    };
    let others = [
        MessageText { run_id: Some("x"), ..plain },
        MessageText { trace_id: Some("x"), ..plain },
        MessageText { sender_instance: Some("x"), ..plain },
        MessageText { recipient_run: Some("x"), ..plain },
        MessageText { sender: "b", recipient: "a", ..plain },
        MessageText { time: Time(2), expires_at: Time(1), ..plain },
    ];
    let texts: std::collections::BTreeSet<Vec<u8>> = others.iter().chain([&plain]).map(MessageText::to_bytes).collect();
    assert_eq!(texts.len(), others.len() + 1);
}
