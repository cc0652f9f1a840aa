//! Values of the kernel to regorus' values and back, exactly or not at all.

use regorus::Value as Rego;

use crate::value::{Number, Object, Value};

/// The value for Rego; `None` when a number in it would lose digits: a policy must not compare another number than
/// the one that was sent.
pub(super) fn to_rego(value: &Value) -> Option<Rego> {
    Some(match value {
        Value::Null => Rego::Null,
        Value::Bool(bool) => Rego::Bool(*bool),
        Value::Number(number) => number_to_rego(number)?,
        Value::String(text) => Rego::from(text.as_str()),
        Value::Array(items) => Rego::from(items.iter().map(to_rego).collect::<Option<Vec<Rego>>>()?),
        Value::Object(object) => object_to_rego(object)?,
    })
}

pub(super) fn object_to_rego(object: &Object) -> Option<Rego> {
    let members = object.iter().map(|(name, value)| Some((Rego::from(name), to_rego(value)?)));
    Some(Rego::from(members.collect::<Option<std::collections::BTreeMap<Rego, Rego>>>()?))
}

/// Most zeros at the end of a whole number: writing out more of them takes longer than reading the number.
const ZEROS_MAX: usize = 64;

/// The number that a JSON text stands for, when Rego holds it exactly.
pub(super) fn number_text(text: &str) -> Option<Rego> {
    number_to_rego(&Number::parse(text).ok()?)
}

fn number_to_rego(number: &Number) -> Option<Rego> {
    // Inputs may consist of numbers, and nearly all are such integers.
    if let Some(integer) = number.plain_integer() {
        return Some(u64::try_from(integer).map_or_else(|_| Rego::from(integer), Rego::from));
    }
    let text = number.text();
    if let Ok(integer) = text.parse::<u64>() {
        return Some(Rego::from(integer));
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Rego::from(integer));
    }
    let normal = number.normal_text();
    let (coefficient, exponent) = normal.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    if let Ok(zeros) = usize::try_from(exponent) {
        if zeros > ZEROS_MAX {
            return None;
        }
        // A whole number, however it was written: as an integer of any size.
        return Rego::from_numeric_string(&format!("{coefficient}{}", "0".repeat(zeros))).ok();
    }
    let double: f64 = text.parse().ok()?;
    // The shortest text that reads as this double must be the same number.
    let shortest = Number::parse(&format!("{double:e}")).ok()?;
    (double.is_finite() && shortest == *number).then(|| Rego::from(double))
}

/// A value that a policy returned; `None` when it is no JSON: sets become arrays in order, `undefined` and keys that
/// are not texts do not occur in a result.
pub(super) fn from_rego(value: &Rego) -> Option<Value> {
    Some(match value {
        Rego::Null => Value::Null,
        Rego::Bool(bool) => Value::Bool(*bool),
        Rego::Number(_) => Value::Number(Number::parse(&value.to_json_str().ok()?).ok()?),
        Rego::String(text) => Value::String(text.as_ref().to_owned()),
        Rego::Array(items) => Value::Array(items.iter().map(from_rego).collect::<Option<_>>()?),
        Rego::Set(items) => Value::Array(items.iter_sorted().map(from_rego).collect::<Option<_>>()?),
        Rego::Object(object) => {
            let member = |(name, value): (&Rego, &Rego)| match name {
                Rego::String(name) => Some((name.as_ref().to_owned(), from_rego(value)?)),
                _ => None,
            };
            Value::Object(Object::new(object.iter_sorted().map(member).collect::<Option<_>>()?).ok()?)
        }
        Rego::Undefined => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn numbers_arrive_exactly_or_not_at_all() {
        for text in ["0", "-0", "-5", "18446744073709551615", "0.1", "-12.50", "1e3", "1.5e1", "1e64", "1e-7"] {
            let rego = number_text(text).unwrap_or_else(|| unreachable!("{text}"));
            let back = from_rego(&rego);
            if text != "1e64" {
                assert_eq!(back, Some(Value::Number(Number::parse(text).unwrap())), "{text}");
            }
        }
        for text in
            ["100.00000000000000001", "0.12345678901234567890", "1e-999", "", "1e65", "1e300", "1e999999999", "0x10"]
        {
            assert_eq!(number_text(text), None, "{text}");
        }
    }
}
