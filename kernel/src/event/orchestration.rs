//! Body of `assent.orchestration.adjusted`: what is stricter in a run from now on, by which rules; without rules, that nothing is any
//! more. The run is the entry's.

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::fields::{Fields, with_opt};
use super::lists::{list, texts, with_list};
use super::signal::{read_signals, with_signals};
use crate::bundle::Knob;
use crate::bundle::limits::ORCHESTRATION_MAX;
use crate::codec::Writer;
use crate::command::Signals;

/// What is stricter in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrchestrationAdjusted {
    /// Whether people have to agree to some calls that did not need it.
    pub approval: bool,
    /// The bundle whose rules these are.
    pub bundle: Hash,
    /// The rules that hold, in the bundle's order; empty when nothing is adjusted any more.
    pub rules: Vec<String>,
    /// What was reported at that moment.
    pub signals: Signals,
    /// Whose run it is.
    pub subject: String,
    /// What is adjusted to what.
    pub values: Vec<(Knob, u32)>,
}

impl OrchestrationAdjusted {
    /// The entry type.
    pub const KIND: &'static str = "assent.orchestration.adjusted";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let mut value = Value::map([("bundle", Value::from(self.bundle)), ("subject", Value::str(&*self.subject))]);
        value = with_opt(value, "approval", self.approval.then_some(true));
        value = with_list(value, "rules", &self.rules, |rule| Value::str(&**rule));
        value = with_signals(value, &self.signals);
        with_list(value, "values", &self.values, |(knob, number)| {
            Value::map([("name", Value::str(knob.name())), ("value", Value::from(*number))])
        })
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the adjustment")?;
        let body = OrchestrationAdjusted {
            approval: fields.read_opt("approval", "true", |v| v.as_bool().filter(|b| *b))?.unwrap_or(false),
            bundle: fields.hash("bundle")?,
            rules: texts(&mut fields, "rules", ORCHESTRATION_MAX)?,
            signals: read_signals(&mut fields)?,
            subject: fields.text("subject")?,
            values: list(&mut fields, "values", Knob::ALL.len(), read_value)?,
        };
        fields.finish()?;
        if body.rules.is_empty() && (body.approval || !body.values.is_empty()) {
            return Err(BodyError::Missing { field: "rules" });
        }
        Ok(body)
    }

    /// Digest of what is adjusted: while it stays the same, nothing has changed. What was reported does not matter to it.
    pub fn digest(&self) -> Hash {
        let mut w = Writer::new();
        w.fixed(&self.bundle.0);
        w.count(self.rules.len());
        self.rules.iter().for_each(|rule| w.text(rule));
        w.count(self.values.len());
        for (knob, number) in &self.values {
            w.text(knob.name());
            w.u32(*number);
        }
        w.bool(self.approval);
        sha256(&[b"assent adjustment/1\n", &w.finish()])
    }
}

fn read_value(item: &Value) -> Result<(Knob, u32), BodyError> {
    let mut fields = Fields::of(item, "an adjusted value")?;
    let number = |v: &Value| u32::try_from(v.as_int()?).ok();
    let pair = (
        fields.read("name", "what can be adjusted", |v| Knob::from_name(v.as_str()?))?,
        fields.read("value", "an integer below 2^32", number)?,
    );
    fields.finish()?;
    Ok(pair)
}
