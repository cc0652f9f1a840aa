//! Body of `dare.policy.decision`: who asked for which tool, what was decided and why, and a commitment to the request.
//!
//! Nothing in it derives from the arguments: they are a payload, and a payload may have to be erased.

use assent_ledger::hash::Hash;
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::effects::Effects;
use super::fields::{Fields, with_opt};
use crate::command::{Agent, RequestId};
use crate::limits::RULES_SHOWN_MAX;
use crate::reason::ReasonCode;
use crate::verdict::Verdict;

/// A decided call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDecision {
    /// What the agent said about itself.
    pub agent: Agent,
    /// The run that the call named, when the entry is not in it: another subject's run gets no entry.
    pub asked_run_id: Option<String>,
    /// The subject that the call named, when it is not the credential's.
    pub asked_subject: Option<String>,
    /// Whether the subject was proven and not merely stated.
    pub attested: bool,
    /// The bundle that decided, if it came to that.
    pub bundle: Option<Hash>,
    /// Why, by ascending number, each once, at least one.
    pub codes: Vec<ReasonCode>,
    /// What is enforced; differs from the verdict in observe mode only.
    pub effective: Verdict,
    /// What the call changes, besides being recorded.
    pub effects: Effects,
    /// The environment.
    pub environment: String,
    /// Whether the decision is recorded without being enforced.
    pub observe: bool,
    /// Predicates of contract rules that held, in thousandths of those that were asked; absent when none was.
    pub pass_ratio_milli: Option<u32>,
    /// `SHA-256(request salt ‖ request hash)`; the salt is in the answer, not in the leaf.
    pub request_commitment: Hash,
    /// The caller's id of the request.
    pub request_id: RequestId,
    /// The rules that mattered.
    pub rules: Option<ShownRules>,
    /// Whose call it was, as far as is known.
    pub subject: Option<String>,
    /// The tool.
    pub tool: String,
    /// Hash of the tool's declaration in the bundle: what the request's hash binds besides the arguments.
    pub tool_schema: Option<Hash>,
    /// What was decided.
    pub verdict: Verdict,
}

/// Ids of rules, capped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRules {
    /// The first of them.
    pub shown: Vec<String>,
    /// How many there are.
    pub total: u32,
}

impl PolicyDecision {
    /// The entry type.
    pub const KIND: &'static str = "dare.policy.decision";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let codes = self.codes.iter().map(|code| u32::from(code.number()));
        let mut value = Value::map([
            ("attested", Value::from(self.attested)),
            ("codes", Value::list(codes)),
            ("effective", Value::str(self.effective.name())),
            ("environment", Value::str(&*self.environment)),
            ("observe", Value::from(self.observe)),
            ("request_commitment", Value::from(self.request_commitment)),
            ("request_id", Value::str(self.request_id.to_string())),
            ("tool", Value::str(&*self.tool)),
            ("verdict", Value::str(self.verdict.name())),
        ]);
        value = with_opt(value, "agent", agent_value(&self.agent));
        value = with_opt(value, "asked_run_id", self.asked_run_id.as_deref());
        value = with_opt(value, "asked_subject", self.asked_subject.as_deref());
        value = with_opt(value, "bundle", self.bundle);
        value = with_opt(value, "pass_ratio_milli", self.pass_ratio_milli);
        value = with_opt(value, "subject", self.subject.as_deref());
        value = with_opt(value, "tool_schema", self.tool_schema);
        value = with_opt(value, "effects", self.effects.to_value());
        with_opt(value, "rules", self.rules.as_ref().map(ShownRules::to_value))
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the decision")?;
        let verdict = |v: &Value| Verdict::from_name(v.as_str()?);
        let verdicts = "deny, escalate, compute or allow";
        let decision = PolicyDecision {
            agent: match fields.read_opt("agent", "an object", Some)? {
                Some(agent) => agent_from(agent)?,
                None => Agent::default(),
            },
            asked_run_id: fields.text_opt("asked_run_id")?,
            asked_subject: fields.text_opt("asked_subject")?,
            attested: fields.bool("attested")?,
            bundle: fields.hash_opt("bundle")?,
            codes: fields.read("codes", "known reason codes in strictly ascending order, at least one", codes_from)?,
            effective: fields.read("effective", verdicts, verdict)?,
            effects: match fields.read_opt("effects", "an object", Some)? {
                Some(effects) => Effects::from_value(effects)?,
                None => Effects::default(),
            },
            environment: fields.text("environment")?,
            observe: fields.bool("observe")?,
            pass_ratio_milli: fields.read_opt("pass_ratio_milli", "an integer from 0 to 1000", milli_from)?,
            request_commitment: fields.hash("request_commitment")?,
            request_id: fields.read("request_id", "a version 7 UUID", |v| v.as_str()?.parse().ok())?,
            rules: match fields.read_opt("rules", "an object", Some)? {
                Some(rules) => Some(ShownRules::from_value(rules)?),
                None => None,
            },
            subject: fields.text_opt("subject")?,
            tool: fields.text("tool")?,
            tool_schema: fields.hash_opt("tool_schema")?,
            verdict: fields.read("verdict", verdicts, verdict)?,
        };
        fields.finish()?;
        Ok(decision)
    }
}

fn agent_value(agent: &Agent) -> Option<Value> {
    if *agent == Agent::default() {
        return None;
    }
    let value = with_opt(Value::empty_map(), "instance_id", agent.instance_id.as_deref());
    let value = with_opt(value, "name", agent.name.as_deref());
    Some(with_opt(value, "version", agent.version.as_deref()))
}

fn agent_from(value: &Value) -> Result<Agent, BodyError> {
    let mut fields = Fields::of(value, "the agent")?;
    let agent = Agent {
        instance_id: fields.text_opt("instance_id")?,
        name: fields.text_opt("name")?,
        version: fields.text_opt("version")?,
    };
    fields.finish()?;
    if agent == Agent::default() {
        return Err(BodyError::Invalid { field: "agent", expected: "absent when nothing is known" });
    }
    Ok(agent)
}

/// Codes as a list of numbers.
pub(super) fn codes_value(codes: &[ReasonCode]) -> Value {
    Value::list(codes.iter().map(|code| u32::from(code.number())))
}

pub(super) fn codes_from(value: &Value) -> Option<Vec<ReasonCode>> {
    let number = |item: &Value| ReasonCode::from_number(u16::try_from(item.as_int()?).ok()?);
    let codes: Option<Vec<ReasonCode>> = value.as_list()?.iter().map(number).collect();
    codes.filter(|codes| !codes.is_empty() && codes.is_sorted_by(|a, b| a < b))
}

fn milli_from(value: &Value) -> Option<u32> {
    u32::try_from(value.as_int()?).ok().filter(|n| *n <= 1_000)
}

impl ShownRules {
    fn to_value(&self) -> Value {
        Value::map([("shown", Value::list(self.shown.iter().map(String::as_str))), ("total", Value::from(self.total))])
    }

    fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the rules")?;
        let texts = |v: &Value| v.as_list()?.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        let rules = ShownRules {
            shown: fields.read("shown", "a list of strings", texts)?,
            total: fields.read("total", "an integer below 2^32", |v| u32::try_from(v.as_int()?).ok())?,
        };
        fields.finish()?;
        let shown = rules.shown.len();
        if shown == 0 || shown > RULES_SHOWN_MAX || shown as u64 > u64::from(rules.total) {
            return Err(BodyError::Invalid { field: "shown", expected: "1 to 8 ids, no more than the total" });
        }
        Ok(rules)
    }
}
