//! `ToolRequestEnvelope`: what the agent asked for, in its own words.

use super::decision::{ToolFacts, call, request_digest};
use super::evidence::{Evidence, Gone, content};
use super::{Json, SCHEMA_VERSION};
use crate::command::{CallContext, Evaluate};
use crate::event::{EventBody, PolicyDecision};
use crate::replay::Recorded;

/// The envelope of the call that a decision answers; `None` for any other entry. Tenant, subject and attestation are the
/// credential's, category and risk tier the bundle's; the rest is what the caller said.
pub fn tool_request_envelope(recorded: &Recorded, evidence: &impl Evidence) -> Option<Json> {
    let Some(EventBody::Decision(decision)) = &recorded.body else { return None };
    let mut gone = Gone::default();
    let entry = &recorded.entry;
    let call = call(recorded, decision, "inputs.payload", &mut gone, evidence);
    let request = request_digest(recorded, decision, "hashes.request_hash", &mut gone, evidence);
    let nothing = CallContext::default();
    let context = call.as_ref().map_or(&nothing, |call| &call.context);
    let tool = ToolFacts::of(decision, evidence);
    Some(Json::object([
        ("schema_version", Json::text(Some(SCHEMA_VERSION))),
        ("event_type", Json::text(Some("dare.tool.request"))),
        ("time", Json::Text(entry.time.to_string())),
        ("run_id", Json::text(entry.run_id.as_deref())),
        ("trace_id", Json::text(entry.trace_id.as_deref())),
        ("span_id", Json::text(context.span_id.as_deref())),
        ("tenant_id", Json::text(Some(entry.tenant.as_str()))),
        ("environment", Json::text(Some(&decision.environment))),
        ("agent", agent(decision, context)),
        (
            "tool",
            Json::object([
                ("name", Json::text(Some(&decision.tool))),
                ("category", Json::text(tool.category)),
                ("risk_tier", Json::text(tool.risk_tier)),
                ("idempotency_key", Json::text(context.idempotency_key.as_deref())),
            ]),
        ),
        ("inputs", inputs(call.as_ref())),
        (
            "bundles",
            Json::object([
                ("policy_bundle_hash", Json::digest(decision.bundle)),
                ("prompt_bundle_hash", Json::digest(context.claimed.prompt_bundle)),
                ("tool_schema_hash", Json::digest(tool.schema)),
            ]),
        ),
        ("hashes", Json::object([("request_hash", Json::digest(request))])),
        ("context", said(decision, context)),
        ("assent", gone.extension(recorded, [("decision_id", Json::text(Some(&entry.event_id)))])),
    ]))
}

fn agent(decision: &PolicyDecision, context: &CallContext) -> Json {
    let claims = context.claims.iter().map(|(name, hash)| (name.clone(), Json::digest(Some(*hash)))).collect();
    Json::object([
        ("agent_instance_id", Json::text(decision.agent.instance_id.as_deref())),
        ("agent_name", Json::text(decision.agent.name.as_deref())),
        ("agent_version", Json::text(decision.agent.version.as_deref())),
        (
            "identity",
            Json::object([
                ("subject", Json::text(decision.subject.as_deref())),
                ("attested", Json::Bool(decision.attested)),
                ("claims", Json::Object(claims)),
            ]),
        ),
    ])
}

fn inputs(call: Option<&Evaluate>) -> Json {
    let (payload, encoding) = match call {
        Some(call) => content(&call.content_type, &call.inputs),
        None => (Json::Null, Json::Null),
    };
    Json::object([
        ("content_type", Json::text(call.map(|call| call.content_type.as_str()))),
        ("payload", payload),
        ("encoding", encoding),
    ])
}

fn said(decision: &PolicyDecision, context: &CallContext) -> Json {
    let budgets = &context.budgets;
    let approval = context.approval_id.as_deref().or(decision.effects.approval.as_deref());
    Json::object([
        ("orm_risk_score", Json::fixed(context.risk_score_milli.map(u64::from), 3)),
        (
            "budgets",
            Json::object([
                ("tokens_remaining", Json::int(budgets.tokens_remaining)),
                ("tool_calls_remaining", Json::int(budgets.tool_calls_remaining)),
                ("cost_usd_remaining", Json::fixed(budgets.cost_micro_usd_remaining, 6)),
            ]),
        ),
        ("source_labels", Json::texts(context.source_labels.iter().map(String::as_str))),
        (
            "approval",
            Json::object([
                ("required", Json::Bool(decision.effects.approval.is_some())),
                ("approval_id", Json::text(approval)),
            ]),
        ),
    ])
}
