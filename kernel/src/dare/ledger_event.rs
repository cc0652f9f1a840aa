//! `LedgerEvent`: one entry as a hash-chained commit, with what it refers to, who signed for it and where it is anchored.

use assent_ledger::hash::Hash;

use super::decision::request_digest;
use super::evidence::{Evidence, Gone, base64_text};
use super::response::decision_of;
use super::{Json, SCHEMA_VERSION};
use crate::event::{EventBody, OUTPUT_ROLE, PolicyDecision};
use crate::replay::Recorded;

/// What an entry refers to.
#[derive(Default)]
pub(super) struct References {
    pub decision_id: Option<String>,
    pub environment: Option<String>,
    pub request: Option<Hash>,
    pub response: Option<Hash>,
}

/// The commit of any entry.
pub fn ledger_event(recorded: &Recorded, evidence: &impl Evidence) -> Json {
    let entry = &recorded.entry;
    let mut gone = Gone::default();
    let references = references(recorded, &mut gone, evidence);
    let receipt = evidence.receipt(entry.seq);
    let anchored = evidence.anchored(entry.seq);
    let retention = anchored.as_ref().and_then(|anchored| anchored.retain_until);
    Json::object([
        ("schema_version", Json::text(Some(SCHEMA_VERSION))),
        ("event_type", Json::text(Some("dare.ledger.event"))),
        ("time", Json::Text(entry.time.to_string())),
        ("ledger_event_id", Json::text(Some(&entry.event_id))),
        ("run_id", Json::text(entry.run_id.as_deref())),
        ("tenant_id", Json::text(Some(entry.tenant.as_str()))),
        ("environment", Json::text(references.environment.as_deref())),
        (
            "references",
            Json::object([
                ("trace_id", Json::text(entry.trace_id.as_deref())),
                ("policy_decision_id", Json::text(references.decision_id.as_deref())),
                ("tool_request_hash", Json::digest(references.request)),
                ("tool_response_hash", Json::digest(references.response)),
            ]),
        ),
        (
            "hash_chain",
            Json::object([
                ("prev_event_hash", Json::digest(Some(entry.prev))),
                ("event_hash", Json::digest(Some(recorded.hash))),
            ]),
        ),
        (
            "signatures",
            Json::object([
                ("signing_key_id", Json::text(receipt.as_ref().map(|receipt| receipt.key_name.as_str()))),
                ("signature", Json::text(receipt.map(|receipt| base64_text(&receipt.signature)).as_deref())),
            ]),
        ),
        (
            "immutability",
            Json::object([
                ("sink_uri", Json::text(anchored.map(|anchored| anchored.sink_uri).as_deref())),
                ("retention_class", Json::text(retention.map(|time| format!("retain_until:{time}")).as_deref())),
            ]),
        ),
        ("assent", gone.extension(recorded, [("type", Json::text(Some(&entry.kind)))])),
    ])
}

fn references(recorded: &Recorded, gone: &mut Gone, evidence: &impl Evidence) -> References {
    match &recorded.body {
        Some(EventBody::Decision(decision)) => of_decision(recorded, decision, gone, evidence),
        Some(EventBody::ToolRequest(body)) => of_execution(recorded, &body.decision_id, gone, evidence),
        Some(EventBody::ToolResponse(body)) => {
            let references = of_execution(recorded, &body.decision_id, gone, evidence);
            let response = gone.digest(recorded, OUTPUT_ROLE, "references.tool_response_hash", evidence);
            References { response, ..references }
        }
        _ => References::default(),
    }
}

fn of_decision(
    recorded: &Recorded,
    decision: &PolicyDecision,
    gone: &mut Gone,
    evidence: &impl Evidence,
) -> References {
    References {
        decision_id: Some(recorded.entry.event_id.clone()),
        environment: Some(decision.environment.clone()),
        request: request_digest(recorded, decision, "references.tool_request_hash", gone, evidence),
        response: None,
    }
}

/// What an execution refers to is its decision's.
fn of_execution(recorded: &Recorded, decision_id: &str, gone: &mut Gone, evidence: &impl Evidence) -> References {
    let decided = evidence.entry(&recorded.entry.tenant, decision_id);
    match decided.as_ref().and_then(|decided| Some((decided, decision_of(decided)?))) {
        Some((decided, decision)) => of_decision(decided, decision, gone, evidence),
        None => References { decision_id: Some(decision_id.to_owned()), ..References::default() },
    }
}
