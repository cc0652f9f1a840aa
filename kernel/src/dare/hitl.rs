//! `HITLDecisionRecord`: what a person answered to a call that waited for one.

use assent_ledger::hash::Hash;

use super::decision::request_digest;
use super::evidence::{Evidence, Gone, base64_text};
use super::response::decision_of;
use super::{Json, SCHEMA_VERSION};
use crate::command::CallContext;
use crate::event::{CONTEXT_ROLE, EventBody, JUSTIFICATION_ROLE};
use crate::replay::{Held, Recorded};

/// The record of a person's answer; `None` for any other entry.
pub fn hitl_decision_record(recorded: &Recorded, evidence: &impl Evidence) -> Option<Json> {
    let Some(EventBody::HitlDecision(answer)) = &recorded.body else { return None };
    let entry = &recorded.entry;
    let mut gone = Gone::default();
    let decided = evidence.entry(&entry.tenant, &answer.decision);
    let decision = decided.as_ref().and_then(|decided| Some((decided, decision_of(decided)?)));
    let request = decision
        .and_then(|(decided, decision)| request_digest(decided, decision, "request.request_hash", &mut gone, evidence));
    let risk = decided.as_ref().and_then(|decided| match decided.payload(CONTEXT_ROLE, evidence) {
        Some(Held::Bytes(bytes)) => CallContext::decode(&bytes).ok()?.risk_score_milli,
        _ => None,
    });
    let justification = gone.bytes(recorded, JUSTIFICATION_ROLE, "decision.justification", evidence);
    let justification = justification.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let signature = evidence.receipt(entry.seq).map(|receipt| base64_text(&receipt.signature));
    Some(Json::object([
        ("schema_version", Json::text(Some(SCHEMA_VERSION))),
        ("approval_id", Json::text(Some(&answer.approval))),
        ("time", Json::Text(entry.time.to_string())),
        ("run_id", Json::text(entry.run_id.as_deref())),
        ("trace_id", Json::text(decided.as_ref().and_then(|decided| decided.entry.trace_id.as_deref()))),
        ("tenant_id", Json::text(Some(entry.tenant.as_str()))),
        ("environment", Json::text(decision.map(|(_, decision)| decision.environment.as_str()))),
        ("request", request_of(&answer.tool, request)),
        (
            "context",
            Json::object([
                ("orm_risk_score", Json::fixed(risk.map(u64::from), 3)),
                ("policy_decision_id", Json::text(Some(&answer.decision))),
                ("ledger_head_ref", Json::Text(format!("ledger://{}/{}/{}", entry.origin, entry.seq, entry.prev))),
            ]),
        ),
        (
            "decision",
            Json::object([
                ("approver_id", Json::text(Some(&answer.approver))),
                ("action", Json::text(Some(answer.action))),
                ("justification", Json::text(justification.as_deref())),
            ]),
        ),
        ("conditions", Json::texts(answer.conditions.iter().map(String::as_str))),
        (
            "evidence",
            Json::object([
                ("signature", Json::text(signature.as_deref())),
                ("ledger_event_id", Json::text(Some(&entry.event_id))),
            ]),
        ),
        (
            "assent",
            gone.extension(
                recorded,
                [
                    ("status", Json::text(Some(answer.status.name()))),
                    ("votes", Json::int(Some(u64::from(answer.votes)))),
                    ("required", Json::int(Some(u64::from(answer.required)))),
                    ("reason_codes", Json::texts(answer.codes.iter().map(|code| code.name()))),
                ],
            ),
        ),
    ]))
}

/// What was asked for. The ledger does not know which argument is an amount or a destination: they are in the request.
fn request_of(tool: &str, hash: Option<Hash>) -> Json {
    Json::object([
        ("tool_name", Json::text(Some(tool))),
        ("request_hash", Json::digest(hash)),
        ("amount_usd", Json::Null),
        ("destination_ref", Json::Null),
    ])
}
