//! Body of `assent.signal.reported`: what a reporter said about a run, a subject or the tenant, and until when it holds.

use assent_ledger::ids::Time;
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::fields::{Fields, with_opt};
use crate::command::{SignalScope, Signals};

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalReported {
    /// From when on it says nothing any more.
    pub expires: Time,
    /// What it is about.
    pub scope: SignalScope,
    /// The values; what is absent stays as it was.
    pub signals: Signals,
}

impl SignalReported {
    /// The entry type.
    pub const KIND: &'static str = "assent.signal.reported";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let mut value =
            Value::map([("expires", Value::decimal(self.expires.0)), ("scope", Value::str(self.scope.kind()))]);
        value = with_opt(value, "name", Some(self.scope.name()).filter(|name| !name.is_empty()));
        with_signals(value, &self.signals)
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the report")?;
        let expires = fields.read("expires", "a time in microseconds", |v| v.as_decimal().map(Time))?;
        let kind = fields.text("scope")?;
        let name = fields.text_opt("name")?;
        let scope = SignalScope::from_parts(&kind, name.as_deref().unwrap_or_default());
        let scope = scope.filter(|_| name.as_deref() != Some(""));
        let scope =
            scope.ok_or(BodyError::Invalid { field: "scope", expected: "tenant, or a named subject or run" })?;
        let signals = read_signals(&mut fields)?;
        fields.finish()?;
        if signals.is_empty() {
            return Err(BodyError::Missing { field: "risk_milli" });
        }
        Ok(SignalReported { expires, scope, signals })
    }
}

/// Adds the signals that there are.
pub(super) fn with_signals(value: Value, signals: &Signals) -> Value {
    let value = with_opt(value, "risk_milli", signals.risk_milli);
    let value = with_opt(value, "queue_depth", signals.queue_depth);
    with_opt(value, "budget_use_milli", signals.budget_use_milli)
}

/// Reads the signals that there are.
pub(super) fn read_signals(fields: &mut Fields<'_>) -> Result<Signals, BodyError> {
    let number = |v: &Value| u32::try_from(v.as_int()?).ok();
    let expected = "an integer below 2^32";
    Ok(Signals {
        risk_milli: fields
            .read_opt("risk_milli", "an integer from 0 to 1000", |v| number(v).filter(|n| *n <= 1_000))?,
        queue_depth: fields.read_opt("queue_depth", expected, number)?,
        budget_use_milli: fields.read_opt("budget_use_milli", expected, number)?,
    })
}
