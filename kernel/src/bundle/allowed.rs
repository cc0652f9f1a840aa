//! The values that `enum` and `const` list. A list of elements may be as long as inputs are, and each is looked for: none is compared with
//! all that are listed.

use std::collections::BTreeSet;

use crate::value::{Number, Value};

/// A set of values. Numbers are equal whatever their text.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowed {
    values: Vec<Value>,
    texts: BTreeSet<Box<str>>,
    /// Whole numbers of 64 bits, in ascending order: what most lists of numbers are.
    whole: Vec<i64>,
    /// The other numbers.
    numbers: BTreeSet<Number>,
    /// The canonical bytes of what is neither.
    others: BTreeSet<Vec<u8>>,
}

impl Allowed {
    /// The set of these values.
    pub(super) fn of(values: Vec<Value>) -> Allowed {
        let mut allowed = Allowed::default();
        for value in &values {
            match value {
                Value::String(text) => {
                    allowed.texts.insert(text.as_str().into());
                }
                Value::Number(number) => match number.whole() {
                    Some(whole) => allowed.whole.push(whole),
                    None => {
                        allowed.numbers.insert(number.clone());
                    }
                },
                other => {
                    allowed.others.insert(other.canonical_bytes());
                }
            }
        }
        allowed.whole.sort_unstable();
        Allowed { values, ..allowed }
    }

    /// The values as they are listed.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// Whether the value is listed.
    pub(super) fn contains(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.texts.contains(text.as_str()),
            Value::Number(number) => match number.whole() {
                Some(whole) => self.whole.binary_search(&whole).is_ok(),
                None => !self.numbers.is_empty() && self.numbers.contains(number),
            },
            other => !self.others.is_empty() && self.others.contains(&other.canonical_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::value::parse;

    #[test]
    fn a_value_is_found_by_what_it_is() {
        let listed =
            parse(br#"["a", 1, 2.50, -70, 18446744073709551615, 1e30, true, null, [1, {"b": 2}], {"x": 1, "y": [2]}]"#)
                .unwrap();
        let Value::Array(listed) = listed else { panic!("no list") };
        let allowed = Allowed::of(listed.clone());
        assert!(listed.iter().all(|value| allowed.contains(value)));
        assert_eq!(allowed.values(), listed);
        for (text, found) in [
            ("1.0", true),
            ("25e-1", true),
            ("-7e1", true),
            ("-70.0", true),
            ("70", false),
            ("18446744073709551615", true),
            ("18446744073709551614", false),
            ("1000e27", true),
            ("-1", false),
            (r#"[1.0, {"b": 2}]"#, true),
            (r#"{"y": [2], "x": 1}"#, true),
            (r#""1""#, false),
            ("false", false),
            ("[]", false),
            (r#"{"x": 1}"#, false),
            ("3", false),
        ] {
            assert_eq!(allowed.contains(&parse(text.as_bytes()).unwrap()), found, "{text}");
        }
        assert!(!Allowed::default().contains(&Value::Null));
    }
}
