//! The `rego` section of a bundle, and the policy's vote among the others.

use std::sync::Arc;

use super::{ENTRYPOINT, RegoDecision, RegoInput, RegoPolicy, RegoRun, RegoTool, RegoVote, limits};
use crate::bundle::combine::Votes;
use crate::bundle::error::{BundleErrorKind, Diagnostics, Position};
use crate::bundle::fields::{Fields, list, literal, text, wrong_type};
use crate::bundle::limits::{OBLIGATION_BYTES_MAX, OBLIGATION_PARAMS_MAX, OBLIGATIONS_MAX};
use crate::bundle::obligation::{params_bytes, read_kind};
use crate::bundle::source::{Node, NodeKind};
use crate::bundle::{Call, CompiledBundle, Facts, Obligation, Replacement, Work};
use crate::reason::ReasonCode;
use crate::value::{Object, Value};
use crate::verdict::Verdict;

/// Modules and data that come from files beside the bundle's YAML.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::bundle) struct Files {
    /// Name and source of each module.
    pub(in crate::bundle) modules: Vec<(String, String)>,
    /// The data document.
    pub(in crate::bundle) data: Option<Object>,
}

/// Reads the section and compiles it together with the files; `None` when there is no policy, or an error was reported.
pub(in crate::bundle) fn read(node: Option<&Node>, files: &Files, d: &mut Diagnostics) -> Option<RegoPolicy> {
    let mut at = Position { line: 1, column: 1 };
    let mut entry = ENTRYPOINT;
    let mut modules: Vec<(&str, &str)> = files.modules.iter().map(|(file, text)| (&**file, &**text)).collect();
    let mut data = files.data.clone();
    let mut kinds: Vec<Arc<str>> = Vec::new();
    if let Some(node) = node {
        at = node.at;
        let fields = Fields::open(node, "rego", &["entrypoint", "modules", "data", "obligations"], &[], d)?;
        if let Some(node) = fields.get("entrypoint") {
            entry = text(node, "entrypoint", d)?;
        }
        if let Some(node) = fields.get("data") {
            data = read_data(node, data, d);
        }
        let own = fields.get("obligations").map_or(&[][..], |node| list(node, "obligations", OBLIGATIONS_MAX, d));
        kinds.extend(own.iter().filter_map(|item| read_kind(item, d)));
        let items = fields.items("modules", limits::MODULES_MAX, d);
        modules.extend(items.iter().filter_map(|item| read_module(item, d)));
    } else if modules.is_empty() {
        return None;
    }
    match RegoPolicy::compile_at(entry, &modules, data.as_ref()) {
        Ok(policy) => Some(RegoPolicy { kinds: kinds.into(), ..policy }),
        Err(errors) => {
            for error in errors {
                let place = format!("{}:{}:{}: {}", error.file, error.line, error.column, error.message);
                match &error.hint {
                    Some(hint) => d.error_hint(at, BundleErrorKind::InvalidValue, place, hint),
                    None => d.error(at, BundleErrorKind::InvalidValue, place),
                }
            }
            None
        }
    }
}

fn read_module<'n>(node: &'n Node, d: &mut Diagnostics) -> Option<(&'n str, &'n str)> {
    let fields = Fields::open(node, "a module", &["file", "source"], &[], d)?;
    let file = fields.required("file", d).and_then(|node| text(node, "file", d));
    let source = fields.required("source", d).and_then(|node| match &node.kind {
        NodeKind::Scalar { text, .. } => Some(text.as_str()),
        _ => {
            wrong_type(node, "source", "a text", d);
            None
        }
    });
    file.zip(source)
}

fn read_data(node: &Node, files: Option<Object>, d: &mut Diagnostics) -> Option<Object> {
    if files.is_some() {
        let message = "the data is given twice: here and in the bundle's data file";
        d.error_hint(node.at, BundleErrorKind::Duplicate, message, "keep one of them");
    }
    match literal(node, "data", d)? {
        Value::Object(data) => Some(data),
        _ => {
            wrong_type(node, "data", "a mapping", d);
            None
        }
    }
}

impl CompiledBundle {
    /// The policy's vote on a call, with what is left to spend.
    pub(in crate::bundle) fn rego_vote(&self, call: &Call<'_>, facts: &impl Facts, work: &Work) -> RegoVote {
        let Some(policy) = &self.rego else { return RegoVote::Absent };
        if work.rego() == 0 {
            return RegoVote::BudgetExhausted;
        }
        let situation = facts.situation();
        let actions: Vec<&str> = call.tool.actions().collect();
        let taint: Vec<&str> = situation.call_taint.union(situation.run_taint).iter().map(|s| s.name()).collect();
        let chain: Vec<&str> = situation.chain.iter().map(String::as_str).collect();
        let labels: Vec<&str> = situation.labels.iter().map(String::as_str).collect();
        let input = RegoInput {
            tool: RegoTool {
                name: call.tool.name(),
                class: call.tool.class(),
                actions: &actions,
                category: call.tool.category(),
                risk_tier: call.tool.risk_tier(),
            },
            subject: call.subject,
            chain: &chain,
            environment: situation.environment,
            args: call.args,
            run: RegoRun {
                calls: situation.run.calls,
                denied: situation.run.denied,
                egress: situation.run.egress,
                sensitive_reads: situation.run.sensitive_reads,
                mode: situation.mode,
            },
            taint: &taint,
            risk_milli: situation.risk_milli,
            labels: &labels,
            time_ns: situation.now.0.saturating_mul(1_000),
        };
        let (vote, spent) = policy.eval_counted(&input, work.rego());
        work.spend_rego(spent);
        vote
    }

    /// Adds the policy's vote to the others; a bundle without a policy abstains.
    pub(in crate::bundle) fn rego_votes(
        &self,
        call: &Call<'_>,
        facts: &impl Facts,
        work: &Work,
        votes: &mut Votes<'_>,
    ) {
        match self.rego_vote(call, facts, work) {
            RegoVote::Absent => {}
            RegoVote::Undefined => votes.deny(ReasonCode::RegoUndefined),
            RegoVote::Error => votes.deny(ReasonCode::PolicyError),
            RegoVote::BudgetExhausted => votes.deny(ReasonCode::PolicyBudget),
            RegoVote::Vote(decision) => {
                let kinds = self.rego.as_ref().map_or(&[][..], |policy| &policy.kinds);
                vote(decision, kinds, call, votes);
            }
        }
    }
}

fn vote(decision: RegoDecision, kinds: &[Arc<str>], call: &Call<'_>, votes: &mut Votes<'_>) {
    // A kind gets into the leaf: one that was not written in the bundle could be made of arguments.
    let known =
        |kind: &str| Obligation::is_kind(kind) && (!Obligation::is_own(kind) || kinds.iter().any(|own| **own == *kind));
    votes.explain(decision.reasons);
    for obligation in &decision.obligations {
        match params(&obligation.params).filter(|_| known(&obligation.kind)) {
            Some(params) => votes.oblige(Obligation {
                kind: obligation.kind.as_str().into(),
                required: obligation.required,
                params,
                made: true,
            }),
            None => votes.deny(ReasonCode::PolicyError),
        }
    }
    match (decision.verdict, decision.compute) {
        (Verdict::Allow, _) => votes.agree(ReasonCode::RegoAllowed),
        (Verdict::Escalate, _) => votes.ask(ReasonCode::ApprovalRequired),
        (Verdict::Compute, Some(compute)) => {
            let mut members: Vec<(String, Value)> = call
                .args
                .iter()
                .filter(|(name, _)| compute.set.get(name).is_none() && !compute.remove.iter().any(|r| r == name))
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect();
            members.extend(compute.set.iter().map(|(name, value)| (name.to_owned(), value.clone())));
            match Object::new(members).ok() {
                Some(args) => {
                    let tool = compute.tool.as_deref().map(Arc::from);
                    votes.compute(Replacement { tool, args }, call);
                }
                None => votes.deny(ReasonCode::PolicyError),
            }
        }
        (Verdict::Deny | Verdict::Compute, _) => votes.deny(ReasonCode::RegoDenied),
    }
}

/// Parameters as an obligation carries them: names and texts, a list as one pair for each item.
fn params(object: &Object) -> Option<Vec<(Arc<str>, Arc<str>)>> {
    let mut out: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    for (name, value) in object.iter() {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            _ => core::slice::from_ref(value),
        };
        for item in items {
            let text: Arc<str> = match item {
                Value::String(text) => text.as_str().into(),
                Value::Number(number) => number.text().into(),
                Value::Bool(bool) => if *bool { "true" } else { "false" }.into(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            out.push((name.into(), text));
        }
    }
    (out.len() <= OBLIGATION_PARAMS_MAX && params_bytes(&out) <= OBLIGATION_BYTES_MAX).then_some(out)
}
