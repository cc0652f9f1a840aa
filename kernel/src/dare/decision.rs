//! `PolicyDecisionRecord`: what was decided, and why.

use assent_ledger::hash::Hash;

use super::evidence::{Evidence, Gone};
use super::{Json, SCHEMA_VERSION};
use crate::command::Evaluate;
use crate::decide::request_hash;
use crate::event::{CONTEXT_ROLE, EventBody, INPUT_ROLE, Obligation, PolicyDecision};
use crate::replay::{Recorded, call_of};

/// The record of a decision; `None` for any other entry.
pub fn policy_decision_record(recorded: &Recorded, evidence: &impl Evidence) -> Option<Json> {
    let Some(EventBody::Decision(decision)) = &recorded.body else { return None };
    let entry = &recorded.entry;
    let mut gone = Gone::default();
    let tool = ToolFacts::of(decision, evidence);
    let request = request_digest(recorded, decision, "inputs.request_hash", &mut gone, evidence);
    let context = gone.digest(recorded, CONTEXT_ROLE, "inputs.context_hash", evidence);
    Some(Json::object([
        ("schema_version", Json::text(Some(SCHEMA_VERSION))),
        ("event_type", Json::text(Some(PolicyDecision::KIND))),
        ("time", Json::Text(entry.time.to_string())),
        ("decision_id", Json::text(Some(&entry.event_id))),
        ("run_id", Json::text(entry.run_id.as_deref())),
        ("trace_id", Json::text(entry.trace_id.as_deref())),
        ("tenant_id", Json::text(Some(entry.tenant.as_str()))),
        ("environment", Json::text(Some(&decision.environment))),
        (
            "subject",
            Json::object([
                ("agent_instance_id", Json::text(decision.agent.instance_id.as_deref())),
                ("subject_id", Json::text(decision.subject.as_deref())),
                ("attested", Json::Bool(decision.attested)),
            ]),
        ),
        (
            "action",
            Json::object([
                ("type", Json::text(Some("tool.invoke"))),
                ("tool_name", Json::text(Some(&decision.tool))),
                ("tool_category", Json::text(tool.category)),
                ("risk_tier", Json::text(tool.risk_tier)),
            ]),
        ),
        ("inputs", Json::object([("request_hash", Json::digest(request)), ("context_hash", Json::digest(context))])),
        (
            "bundles",
            Json::object([
                ("policy_bundle_hash", Json::digest(decision.bundle)),
                ("tool_schema_hash", Json::digest(tool.schema)),
            ]),
        ),
        (
            "result",
            Json::object([
                ("decision", Json::text(Some(decision.verdict.name()))),
                ("reason_codes", Json::texts(decision.codes.iter().map(|code| code.name()))),
                ("obligations", Json::List(decision.effects.obligations.iter().map(obligation).collect())),
            ]),
        ),
        ("assent", gone.extension(recorded, extension(decision))),
    ]))
}

fn extension(decision: &PolicyDecision) -> [(&'static str, Json); 4] {
    let codes = decision.codes.iter().map(|code| Json::Number(code.number().to_string())).collect();
    let rules = decision.rules.iter().flat_map(|rules| rules.shown.iter().map(String::as_str));
    [
        ("effective", Json::text(Some(decision.effective.name()))),
        ("observe", Json::Bool(decision.observe)),
        ("reason_numbers", Json::List(codes)),
        ("rules", Json::texts(rules)),
    ]
}

fn obligation(obligation: &Obligation) -> Json {
    let params = obligation.params.iter().map(|(name, text)| (name.clone(), Json::text(Some(text)))).collect();
    Json::object([
        ("type", Json::text(Some(&obligation.kind))),
        ("required", Json::Bool(obligation.required)),
        ("params", Json::Object(params)),
    ])
}

/// What the bundle that decided says about the tool; nothing when the bundle is not at hand or does not know the tool.
#[derive(Default)]
pub(super) struct ToolFacts {
    pub category: Option<&'static str>,
    pub risk_tier: Option<&'static str>,
    pub schema: Option<Hash>,
}

impl ToolFacts {
    pub(super) fn of(decision: &PolicyDecision, evidence: &impl Evidence) -> ToolFacts {
        let Some(bundle) = decision.bundle.and_then(|hash| evidence.bundle(&hash)) else { return ToolFacts::default() };
        let Some(tool) = bundle.tool(&decision.tool) else { return ToolFacts::default() };
        ToolFacts { category: tool.category(), risk_tier: tool.risk_tier(), schema: Some(tool.schema_hash()) }
    }
}

/// The call that a decision answers, while its payloads exist.
pub(super) fn call(
    recorded: &Recorded,
    decision: &PolicyDecision,
    field: &'static str,
    gone: &mut Gone,
    evidence: &impl Evidence,
) -> Option<Evaluate> {
    gone.bytes(recorded, INPUT_ROLE, field, evidence)?;
    call_of(recorded, decision, evidence).ok()
}

/// The plain request hash of the call that a decision answers, while its payloads exist and the bundle is at hand.
pub fn request_hash_of(recorded: &Recorded, evidence: &impl Evidence) -> Option<Hash> {
    let Some(EventBody::Decision(decision)) = &recorded.body else { return None };
    request_digest(recorded, decision, "", &mut Gone::default(), evidence)
}

/// The plain hash of a request. Without the bundle that declares the tool's schema it cannot be computed, only without the payload.
pub(super) fn request_digest(
    recorded: &Recorded,
    decision: &PolicyDecision,
    field: &'static str,
    gone: &mut Gone,
    evidence: &impl Evidence,
) -> Option<Hash> {
    let call = call(recorded, decision, field, gone, evidence)?;
    let schema = match decision.bundle {
        Some(hash) => evidence.bundle(&hash)?.tool(&decision.tool).map(crate::bundle::Tool::schema_hash),
        None => None,
    };
    Some(request_hash(&recorded.entry.tenant, decision.subject.as_deref(), &call, schema.as_ref()))
}
