//! `ToolResponseEnvelope`: what a call came to, as its executor reported it.

use assent_ledger::ids::TenantId;

use super::evidence::{Evidence, Gone, content};
use super::{Json, SCHEMA_VERSION};
use crate::event::{EventBody, OUTPUT_REDACTED_ROLE, OUTPUT_ROLE, PolicyDecision, ToolResponse};
use crate::replay::{Held, Recorded};

/// The envelope of a reported outcome; `None` for any other entry, and for a report that was not taken in.
pub fn tool_response_envelope(recorded: &Recorded, evidence: &impl Evidence) -> Option<Json> {
    let Some(EventBody::ToolResponse(response)) = &recorded.body else { return None };
    let mut gone = Gone::default();
    let entry = &recorded.entry;
    let decided = evidence.entry(&entry.tenant, &response.decision_id);
    let decision = decided.as_ref().and_then(decision_of);
    let hash = gone.digest(recorded, OUTPUT_ROLE, "hashes.response_hash", evidence);
    let outputs = outputs(recorded, &mut gone, evidence);
    let obligations = response.fulfilled.iter().map(|item| item.kind.as_str());
    Some(Json::object([
        ("schema_version", Json::text(Some(SCHEMA_VERSION))),
        ("event_type", Json::text(Some(ToolResponse::KIND))),
        ("time", Json::Text(entry.time.to_string())),
        ("run_id", Json::text(entry.run_id.as_deref())),
        ("trace_id", Json::text(decided.as_ref().and_then(|decided| decided.entry.trace_id.as_deref()))),
        ("span_id", Json::text(decision.and_then(|decision| decision.effects.span_id.as_deref()))),
        ("tenant_id", Json::text(Some(entry.tenant.as_str()))),
        ("environment", Json::text(decision.map(|decision| decision.environment.as_str()))),
        (
            "tool",
            Json::object([
                ("name", Json::text(response.tool.as_deref())),
                ("status", Json::text(Some(response.status.name()))),
                ("duration_ms", Json::int(Some(response.duration_ms))),
            ]),
        ),
        ("outputs", outputs),
        ("hashes", Json::object([("response_hash", Json::digest(hash))])),
        (
            "policy",
            Json::object([
                ("decision_id", Json::text(Some(&response.decision_id))),
                ("decision", Json::text(decision.map(|decision| decision.verdict.name()))),
                ("obligations", Json::texts(obligations)),
                ("policy_bundle_hash", Json::digest(decision.and_then(|decision| decision.bundle))),
            ]),
        ),
        (
            "evidence",
            Json::object([
                ("ledger_event_id", Json::text(Some(&entry.event_id))),
                ("replay_trace_step_id", Json::text(Some(&response.decision_id))),
            ]),
        ),
        ("assent", gone.extension(recorded, [])),
    ]))
}

/// The decision that an entry records.
pub(super) fn decision_of(recorded: &Recorded) -> Option<&PolicyDecision> {
    match &recorded.body {
        Some(EventBody::Decision(decision)) => Some(decision),
        _ => None,
    }
}

/// What may be shown: the redacted output if there is one, the output otherwise.
fn outputs(recorded: &Recorded, gone: &mut Gone, evidence: &impl Evidence) -> Json {
    let role = [OUTPUT_REDACTED_ROLE, OUTPUT_ROLE].into_iter().find(|role| recorded.commitment(role).is_some());
    let committed = recorded.entry.payloads.iter().find(|payload| Some(payload.role.as_str()) == role);
    let bytes = role.and_then(|role| gone.bytes(recorded, role, "outputs.payload_redacted", evidence));
    let content_type = committed.map(|payload| payload.content_type.as_str());
    let (payload, encoding) = match (&bytes, content_type) {
        (Some(bytes), Some(content_type)) => content(content_type, bytes),
        _ => (Json::Null, Json::Null),
    };
    Json::object([
        ("content_type", Json::text(content_type)),
        ("payload_redacted", payload),
        ("encoding", encoding),
        ("snapshot_uri", Json::text(snapshot_uri(recorded, evidence).as_deref())),
    ])
}

/// Where a tool's output is kept, in the ledger's own terms: origin, tenant and commitment name one payload for ever.
pub(super) fn snapshot_uri(recorded: &Recorded, evidence: &impl Evidence) -> Option<String> {
    let commitment = recorded.commitment(OUTPUT_ROLE)?;
    let (origin, tenant): (_, &TenantId) = (&recorded.entry.origin, &recorded.entry.tenant);
    let erased = matches!(evidence.payload(tenant, commitment), Held::Erased);
    (!erased).then(|| format!("assent://{origin}/{tenant}/payloads/{commitment}"))
}
