//! The result document of a policy, and the vote it stands for.

use regorus::Value as Rego;

use super::convert;
use super::limits::{OBLIGATIONS_MAX, REASON_BYTES_MAX, REASONS_MAX, REMOVALS_MAX};
use crate::value::{Object, Value};
use crate::verdict::Verdict;

/// How a policy votes on a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegoVote {
    /// The bundle has no policy: it abstains.
    Absent,
    /// The entry point is undefined for this input: a deny.
    Undefined,
    /// The policy failed, or its result is not of the schema: a deny.
    Error,
    /// The policy spent its budget: a deny.
    BudgetExhausted,
    /// The policy's vote.
    Vote(RegoDecision),
}

/// A policy's vote with what comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegoDecision {
    /// The verdict.
    pub verdict: Verdict,
    /// The policy's own words, at most 16 texts of at most 256 bytes. They may repeat arguments: they are recorded in a payload, never
    /// in a leaf.
    pub reasons: Vec<String>,
    /// What has to be done with the call, at most 16.
    pub obligations: Vec<RegoObligation>,
    /// The call to make in its place; there exactly when the verdict is compute.
    pub compute: Option<RegoCompute>,
}

/// One obligation as the policy wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegoObligation {
    /// The obligation's type.
    pub kind: String,
    /// Whether an enforcement point that cannot fulfil it must not run the call; true unless the policy says otherwise.
    pub required: bool,
    /// Its parameters.
    pub params: Object,
}

/// The replacement of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegoCompute {
    /// Another tool, when it is another.
    pub tool: Option<String>,
    /// Arguments to set, by name.
    pub set: Object,
    /// Arguments to take out, by name.
    pub remove: Vec<String>,
}

/// Reads the value of the entry point.
pub(super) fn read(value: &Rego) -> RegoVote {
    match value {
        Rego::Undefined => RegoVote::Undefined,
        Rego::Bool(allow) => RegoVote::Vote(RegoDecision {
            verdict: if *allow { Verdict::Allow } else { Verdict::Deny },
            reasons: Vec::new(),
            obligations: Vec::new(),
            compute: None,
        }),
        value => convert::from_rego(value).and_then(|value| decision(&value)).map_or(RegoVote::Error, RegoVote::Vote),
    }
}

fn known(object: &Object, keys: &[&str]) -> Option<()> {
    object.iter().all(|(name, _)| keys.contains(&name)).then_some(())
}

fn decision(value: &Value) -> Option<RegoDecision> {
    let Value::Object(object) = value else { return None };
    known(object, &["decision", "reasons", "obligations", "compute"])?;
    let verdict = Verdict::from_name(object.get("decision")?.as_str()?)?;
    let reasons = texts(object.get("reasons"), REASONS_MAX)?;
    let obligations = match object.get("obligations") {
        None => Vec::new(),
        Some(Value::Array(items)) if items.len() <= OBLIGATIONS_MAX => {
            items.iter().map(obligation).collect::<Option<Vec<_>>>()?
        }
        Some(_) => return None,
    };
    let compute = match object.get("compute") {
        None => None,
        Some(value) => Some(compute(value)?),
    };
    let consistent = compute.is_some() == (verdict == Verdict::Compute);
    consistent.then_some(RegoDecision { verdict, reasons, obligations, compute })
}

fn texts(value: Option<&Value>, max: usize) -> Option<Vec<String>> {
    match value {
        None => Some(Vec::new()),
        Some(Value::Array(items)) if items.len() <= max => items.iter().map(text).collect(),
        Some(_) => None,
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| text.len() <= REASON_BYTES_MAX).map(str::to_owned)
}

fn obligation(value: &Value) -> Option<RegoObligation> {
    let Value::Object(object) = value else { return None };
    known(object, &["type", "required", "params"])?;
    let required = match object.get("required") {
        None => true,
        Some(Value::Bool(required)) => *required,
        Some(_) => return None,
    };
    let params = match object.get("params") {
        None => Object::default(),
        Some(Value::Object(params)) => params.clone(),
        Some(_) => return None,
    };
    Some(RegoObligation { kind: text(object.get("type")?)?, required, params })
}

fn compute(value: &Value) -> Option<RegoCompute> {
    let Value::Object(object) = value else { return None };
    known(object, &["tool", "set", "remove"])?;
    let tool = match object.get("tool") {
        None => None,
        Some(tool) => Some(text(tool)?),
    };
    let set = match object.get("set") {
        None => Object::default(),
        Some(Value::Object(set)) => set.clone(),
        Some(_) => return None,
    };
    let remove = texts(object.get("remove"), REMOVALS_MAX)?;
    let compute = RegoCompute { tool, set, remove };
    (compute != RegoCompute::default()).then_some(compute)
}
