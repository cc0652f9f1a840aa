//! `ReplayTrace`: one run at its governed boundary, step by step. Built while entries go by, so that a run of any length is read once.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Origin, Seq, TenantId};

use super::decision::{ToolFacts, request_digest};
use super::evidence::{Evidence, Gone};
use super::response::snapshot_uri;
use super::{Json, SCHEMA_VERSION};
use crate::command::{Agent, CallContext};
use crate::event::{CONTEXT_ROLE, EventBody, OUTPUT_ROLE, PolicyDecision, ToolResponse};
use crate::replay::{Held, Recorded};

/// A run's trace under construction.
pub struct ReplayTrace {
    tenant: TenantId,
    run: String,
    origin: Option<Origin>,
    seqs: Option<(Seq, Seq)>,
    trace_id: Option<String>,
    agent: Agent,
    policy: Option<Hash>,
    prompt: Option<Hash>,
    schema: Option<Hash>,
    steps: Vec<Step>,
    erased: Vec<String>,
    missing: Vec<String>,
}

/// One governed call.
struct Step {
    tool: String,
    decision_id: String,
    request: Option<Hash>,
    response: Option<Hash>,
    snapshot: Option<String>,
}

impl ReplayTrace {
    /// The trace of a run of which no entry was seen yet.
    pub fn new(tenant: TenantId, run: String) -> ReplayTrace {
        ReplayTrace {
            tenant,
            run,
            origin: None,
            seqs: None,
            trace_id: None,
            agent: Agent::default(),
            policy: None,
            prompt: None,
            schema: None,
            steps: Vec::new(),
            erased: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Takes an entry in, if it is of the run.
    pub fn add(&mut self, recorded: &Recorded, evidence: &impl Evidence) {
        let entry = &recorded.entry;
        if entry.tenant != self.tenant || entry.run_id.as_ref() != Some(&self.run) {
            return;
        }
        self.origin.get_or_insert_with(|| entry.origin.clone());
        self.seqs = Some((self.seqs.map_or(entry.seq, |(first, _)| first), entry.seq));
        if self.trace_id.is_none() {
            self.trace_id.clone_from(&entry.trace_id);
        }
        match &recorded.body {
            Some(EventBody::Decision(decision)) => self.decided(recorded, decision, evidence),
            Some(EventBody::ToolResponse(response)) => self.responded(recorded, response, evidence),
            _ => {}
        }
    }

    fn decided(&mut self, recorded: &Recorded, decision: &PolicyDecision, evidence: &impl Evidence) {
        if self.agent == Agent::default() {
            self.agent = decision.agent.clone();
        }
        let mut gone = Gone::default();
        let request = request_digest(recorded, decision, "request_hash", &mut gone, evidence);
        self.note(gone);
        // The bundles of the last call: a run outlives an activation.
        self.policy = decision.bundle.or(self.policy);
        self.schema = ToolFacts::of(decision, evidence).schema.or(self.schema);
        if let Some(Held::Bytes(bytes)) = recorded.payload(CONTEXT_ROLE, evidence)
            && let Ok(context) = CallContext::decode(&bytes)
        {
            self.prompt = context.claimed.prompt_bundle.or(self.prompt);
        }
        self.steps.push(Step {
            tool: decision.tool.clone(),
            decision_id: recorded.entry.event_id.clone(),
            request,
            response: None,
            snapshot: None,
        });
    }

    fn responded(&mut self, recorded: &Recorded, response: &ToolResponse, evidence: &impl Evidence) {
        let at = self.steps.iter().rposition(|step| step.decision_id == response.decision_id);
        let mut gone = Gone::default();
        let hash = gone.digest(recorded, OUTPUT_ROLE, "response_hash", evidence);
        if let Some(step) = at.and_then(|at| self.steps.get_mut(at)) {
            step.response = hash;
            step.snapshot = snapshot_uri(recorded, evidence);
        }
        self.note(gone);
    }

    fn note(&mut self, gone: Gone) {
        let number = self.steps.len() + 1;
        let (erased, missing) = gone.into_parts();
        self.erased.extend(erased.into_iter().map(|field| format!("steps[{number}].{field}")));
        self.missing.extend(missing.into_iter().map(|field| format!("steps[{number}].{field}")));
    }

    /// The trace; `None` when no entry of the run was seen. What a model was asked and said is only known where a run recorded it.
    pub fn finish(self) -> Option<Json> {
        let ((first, last), origin) = (self.seqs?, self.origin?);
        let steps = self.steps.iter().zip(1u64..).map(|(step, number)| step.to_json(number)).collect();
        Some(Json::object([
            ("schema_version", Json::text(Some(SCHEMA_VERSION))),
            ("trace_id", Json::text(self.trace_id.as_deref())),
            ("run_id", Json::text(Some(&self.run))),
            ("tenant_id", Json::text(Some(self.tenant.as_str()))),
            (
                "agent",
                Json::object([
                    ("agent_instance_id", Json::text(self.agent.instance_id.as_deref())),
                    ("agent_name", Json::text(self.agent.name.as_deref())),
                    ("agent_version", Json::text(self.agent.version.as_deref())),
                ]),
            ),
            (
                "model",
                Json::object([
                    ("model_id", Json::Null),
                    ("model_version", Json::Null),
                    ("temperature", Json::Null),
                    ("seed", Json::Null),
                    ("decoding", Json::Null),
                ]),
            ),
            (
                "bundles",
                Json::object([
                    ("prompt_bundle_hash", Json::digest(self.prompt)),
                    ("policy_bundle_hash", Json::digest(self.policy)),
                    ("tool_schema_hash", Json::digest(self.schema)),
                ]),
            ),
            ("steps", Json::List(steps)),
            (
                "assent",
                Json::object([
                    ("origin", Json::text(Some(origin.as_str()))),
                    ("first_seq", Json::Text(first.to_string())),
                    ("last_seq", Json::Text(last.to_string())),
                    ("erased", Json::texts(self.erased.iter().map(String::as_str))),
                    ("missing", Json::texts(self.missing.iter().map(String::as_str))),
                ]),
            ),
        ]))
    }
}

impl Step {
    fn to_json(&self, number: u64) -> Json {
        Json::object([
            ("step_index", Json::int(Some(number))),
            ("step_type", Json::text(Some("tool_call"))),
            ("tool_name", Json::text(Some(&self.tool))),
            ("request_hash", Json::digest(self.request)),
            ("response_hash", Json::digest(self.response)),
            ("response_snapshot_uri", Json::text(self.snapshot.as_deref())),
            ("policy_decision_id", Json::text(Some(&self.decision_id))),
            ("ledger_event_id", Json::text(Some(&self.decision_id))),
        ])
    }
}
