//! Lists in event bodies: strings, objects, labels; each capped, each absent when empty.

use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::fields::{Fields, with_opt};
use crate::limits::{LATCHES_MAX, TAINT_LABELS_MAX};
use crate::taint::{TaintLabel, TaintSource};

/// Adds a list if it has items.
pub(super) fn with_list<T>(value: Value, field: &str, items: &[T], to_value: impl FnMut(&T) -> Value) -> Value {
    if items.is_empty() { value } else { value.with(field, Value::list(items.iter().map(to_value))) }
}

/// The strings of a list, or none when it is absent; an empty list is refused, for absence says the same.
pub(super) fn texts(fields: &mut Fields<'_>, field: &'static str, max: usize) -> Result<Vec<String>, BodyError> {
    list(fields, field, max, |item| item.as_str().map(str::to_owned).ok_or(invalid(field)))
}

/// The items of a list, or none when it is absent.
pub(super) fn list<T>(
    fields: &mut Fields<'_>,
    field: &'static str,
    max: usize,
    read: impl FnMut(&Value) -> Result<T, BodyError>,
) -> Result<Vec<T>, BodyError> {
    let Some(items) = fields.read_opt(field, "a list", Value::as_list)? else { return Ok(Vec::new()) };
    if items.is_empty() || items.len() > max {
        return Err(invalid(field));
    }
    items.iter().map(read).collect()
}

fn invalid(field: &'static str) -> BodyError {
    BodyError::Invalid { field, expected: "a list of as many items as its limit says, absent when there is none" }
}

/// Adds taint labels.
pub(super) fn with_labels(value: Value, field: &str, labels: &[TaintLabel]) -> Value {
    with_list(value, field, labels, |label| {
        let value = Value::map([
            ("confidence_milli", Value::from(u32::from(label.confidence_milli))),
            ("origin", Value::str(&*label.origin)),
            ("source", Value::str(label.source.name())),
        ]);
        with_opt(value, "from", label.propagated_from.as_deref())
    })
}

/// Reads taint labels.
pub(super) fn labels(fields: &mut Fields<'_>, field: &'static str) -> Result<Vec<TaintLabel>, BodyError> {
    list(fields, field, TAINT_LABELS_MAX, |item| {
        let mut fields = Fields::of(item, "a label")?;
        let milli = |v: &Value| u16::try_from(v.as_int()?).ok().filter(|n| *n <= 1_000);
        let label = TaintLabel {
            source: fields.read("source", "a taint source", |v| TaintSource::from_name(v.as_str()?))?,
            origin: fields.text("origin")?,
            confidence_milli: fields.read("confidence_milli", "an integer from 0 to 1000", milli)?,
            propagated_from: fields.text_opt("from")?,
        };
        fields.finish()?;
        Ok(label)
    })
}

/// Adds the rules of behaviour that come to a step.
pub(super) fn with_latches(value: Value, latches: &[(String, u8)]) -> Value {
    with_list(value, "latches", latches, |(rule, step)| {
        Value::map([("rule", Value::str(&**rule)), ("step", Value::from(u32::from(*step)))])
    })
}

/// Reads the rules of behaviour that come to a step: those of the run and those of its subject.
pub(super) fn latches(fields: &mut Fields<'_>) -> Result<Vec<(String, u8)>, BodyError> {
    list(fields, "latches", 2 * LATCHES_MAX, |item| {
        let mut fields = Fields::of(item, "a latch")?;
        let step = |v: &Value| u8::try_from(v.as_int()?).ok();
        let latch = (fields.text("rule")?, fields.read("step", "an integer below 256", step)?);
        fields.finish()?;
        Ok(latch)
    })
}
