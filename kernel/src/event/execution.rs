//! Bodies of `dare.tool.request`, `dare.tool.response` and `assent.token.expired`: a decision is redeemed, its outcome known, or
//! its time over.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::Ruling;
use super::decision::codes_from;
use super::fields::{Fields, with_opt};
use super::lists::{labels, list, texts, with_labels, with_list};
use crate::command::{Completion, Fulfilled, Usage};
use crate::limits::{OBLIGATIONS_MAX, TOKENS_PER_ENTRY_MAX};
use crate::reason::ReasonCode;
use crate::taint::TaintLabel;
use crate::verdict::Verdict;

/// A redemption: an executor asked to run what was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRequest {
    /// The executor that it says it is, if it says so.
    pub audience: Option<String>,
    /// Why, by ascending number, each once, at least one.
    pub codes: Vec<ReasonCode>,
    /// Position of the decision, as the executor states it.
    pub decision: Seq,
    /// Event id of the decision, as the executor states it.
    pub decision_id: String,
    /// Name of the credential that asked.
    pub redeemer: String,
    /// The tool, if the decision is known.
    pub tool: Option<String>,
    /// Whether it may run now: allow or deny.
    pub verdict: Verdict,
}

/// What came of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResponse {
    /// Why it was taken in or not, by ascending number, each once, at least one.
    pub codes: Vec<ReasonCode>,
    /// Position of the decision, as the executor states it.
    pub decision: Seq,
    /// Event id of the decision, as the executor states it.
    pub decision_id: String,
    /// How long it took, in milliseconds, as the executor says.
    pub duration_ms: u64,
    /// Obligations that were fulfilled, with digests of the proofs.
    pub fulfilled: Vec<Fulfilled>,
    /// Required obligations without a proof.
    pub missing: Vec<String>,
    /// Name of the credential that reported it.
    pub redeemer: String,
    /// How it ended.
    pub status: Completion,
    /// Labels of the output, besides those that the tool always has.
    pub taint: Vec<TaintLabel>,
    /// The tool, if the decision is known.
    pub tool: Option<String>,
    /// What it used; absent when the executor does not know.
    pub usage: Option<Usage>,
    /// Whether it was taken in: allow or deny.
    pub verdict: Verdict,
}

/// Decisions that nobody redeemed in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenExpired {
    /// They, by ascending position, at least one, at most 64.
    pub tokens: Vec<ExpiredToken>,
}

/// A decision that nobody redeemed in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredToken {
    /// Its position.
    pub decision: Seq,
    /// Its event id.
    pub decision_id: String,
}

impl ToolRequest {
    /// The entry type.
    pub const KIND: &'static str = "dare.tool.request";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([
            ("codes", codes_value(&self.codes)),
            ("decision", Value::decimal(self.decision.0)),
            ("decision_id", Value::str(&*self.decision_id)),
            ("redeemer", Value::str(&*self.redeemer)),
            ("verdict", Value::str(self.verdict.name())),
        ]);
        let value = with_opt(value, "audience", self.audience.as_deref());
        with_opt(value, "tool", self.tool.as_deref())
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the tool request")?;
        let body = ToolRequest {
            audience: fields.text_opt("audience")?,
            codes: read_codes(&mut fields)?,
            decision: read_seq(&mut fields, "decision")?,
            decision_id: fields.text("decision_id")?,
            redeemer: fields.text("redeemer")?,
            tool: fields.text_opt("tool")?,
            verdict: read_verdict(&mut fields)?,
        };
        fields.finish()?;
        Ok(body)
    }

    /// What the executor gets to know.
    pub fn ruling(&self) -> Ruling {
        let details = self.tool.iter().map(|tool| ("tool".to_owned(), tool.clone())).collect();
        Ruling { verdict: self.verdict, codes: self.codes.clone(), details }
    }
}

impl ToolResponse {
    /// The entry type.
    pub const KIND: &'static str = "dare.tool.response";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([
            ("codes", codes_value(&self.codes)),
            ("decision", Value::decimal(self.decision.0)),
            ("decision_id", Value::str(&*self.decision_id)),
            ("duration_ms", Value::decimal(self.duration_ms)),
            ("redeemer", Value::str(&*self.redeemer)),
            ("status", Value::str(self.status.name())),
            ("verdict", Value::str(self.verdict.name())),
        ]);
        let value = with_list(value, "fulfilled", &self.fulfilled, |item| {
            Value::map([("proof", Value::from(item.proof)), ("type", Value::str(&*item.kind))])
        });
        let value = with_list(value, "missing", &self.missing, |kind| Value::str(&**kind));
        let value = with_labels(value, "taint", &self.taint);
        let value = with_opt(value, "usage", self.usage.map(usage_value));
        with_opt(value, "tool", self.tool.as_deref())
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the tool response")?;
        let status = |v: &Value| Completion::from_name(v.as_str()?);
        let body = ToolResponse {
            codes: read_codes(&mut fields)?,
            decision: read_seq(&mut fields, "decision")?,
            decision_id: fields.text("decision_id")?,
            duration_ms: fields.read("duration_ms", "a number as text", Value::as_decimal)?,
            fulfilled: list(&mut fields, "fulfilled", OBLIGATIONS_MAX, read_fulfilled)?,
            missing: texts(&mut fields, "missing", OBLIGATIONS_MAX)?,
            redeemer: fields.text("redeemer")?,
            status: fields.read("status", "success, failure or unknown", status)?,
            taint: labels(&mut fields, "taint")?,
            tool: fields.text_opt("tool")?,
            usage: match fields.read_opt("usage", "an object", Some)? {
                Some(usage) => Some(read_usage(usage)?),
                None => None,
            },
            verdict: read_verdict(&mut fields)?,
        };
        fields.finish()?;
        Ok(body)
    }

    /// What the executor gets to know.
    pub fn ruling(&self) -> Ruling {
        let details = self.missing.iter().map(|kind| ("missing_obligation".to_owned(), kind.clone())).collect();
        Ruling { verdict: self.verdict, codes: self.codes.clone(), details }
    }
}

impl TokenExpired {
    /// The entry type.
    pub const KIND: &'static str = "assent.token.expired";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        with_list(Value::empty_map(), "tokens", &self.tokens, |token| {
            Value::map([
                ("decision", Value::decimal(token.decision.0)),
                ("decision_id", Value::str(&*token.decision_id)),
            ])
        })
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the expired tokens")?;
        let tokens = list(&mut fields, "tokens", TOKENS_PER_ENTRY_MAX, |item| {
            let mut fields = Fields::of(item, "a token")?;
            let token =
                ExpiredToken { decision: read_seq(&mut fields, "decision")?, decision_id: fields.text("decision_id")? };
            fields.finish()?;
            Ok(token)
        })?;
        fields.finish()?;
        if tokens.is_empty() {
            return Err(BodyError::Missing { field: "tokens" });
        }
        if !tokens.is_sorted_by(|a, b| a.decision < b.decision) {
            return Err(BodyError::Invalid { field: "tokens", expected: "strictly ascending positions" });
        }
        Ok(TokenExpired { tokens })
    }
}

fn codes_value(codes: &[ReasonCode]) -> Value {
    Value::list(codes.iter().map(|code| u32::from(code.number())))
}

fn read_codes(fields: &mut Fields<'_>) -> Result<Vec<ReasonCode>, BodyError> {
    fields.read("codes", "known reason codes in strictly ascending order, at least one", codes_from)
}

fn read_seq(fields: &mut Fields<'_>, field: &'static str) -> Result<Seq, BodyError> {
    fields.read(field, "a number as text", Value::as_decimal).map(Seq)
}

fn read_verdict(fields: &mut Fields<'_>) -> Result<Verdict, BodyError> {
    let verdict = |v: &Value| Verdict::from_name(v.as_str()?).filter(|v| matches!(v, Verdict::Allow | Verdict::Deny));
    fields.read("verdict", "allow or deny", verdict)
}

fn usage_value(usage: Usage) -> Value {
    Value::map([("cost_micro_usd", Value::decimal(usage.cost_micro_usd)), ("tokens", Value::decimal(usage.tokens))])
}

fn read_usage(value: &Value) -> Result<Usage, BodyError> {
    let mut fields = Fields::of(value, "the usage")?;
    let usage = Usage {
        cost_micro_usd: fields.read("cost_micro_usd", "a number as text", Value::as_decimal)?,
        tokens: fields.read("tokens", "a number as text", Value::as_decimal)?,
    };
    fields.finish()?;
    Ok(usage)
}

fn read_fulfilled(item: &Value) -> Result<Fulfilled, BodyError> {
    let mut fields = Fields::of(item, "a fulfilled obligation")?;
    let proof: Hash = fields.hash("proof")?;
    let fulfilled = Fulfilled { kind: fields.text("type")?, proof };
    fields.finish()?;
    Ok(fulfilled)
}
