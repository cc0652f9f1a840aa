//! The record against what this kernel computes, field by field.
//!
//! What the leader drew at random is not on the record. Every command is therefore decided twice, under two seeds: where the two
//! results agree the record must agree with them, and where they differ the record may hold anything of the same length, as
//! long as it uses one recorded text for one computed text throughout the command. No list of random fields is needed, and a new
//! event cannot be forgotten in one.

use std::collections::BTreeMap;

use assent_ledger::json::Value;

use super::finding::Found;

/// Texts that differ between seeds, with what the record has in their place.
#[derive(Default)]
pub(super) struct Renames {
    recorded: BTreeMap<String, String>,
}

impl Renames {
    fn accept(&mut self, computed: &str, recorded: &str) -> bool {
        if computed.len() != recorded.len() {
            return false;
        }
        let known = self.recorded.entry(computed.to_owned()).or_insert_with(|| recorded.to_owned());
        known == recorded
    }
}

/// The first difference between a recorded form and the forms computed under two seeds.
pub(super) fn first_difference(recorded: &Value, one: &Value, two: &Value, renames: &mut Renames) -> Option<Found> {
    walk("", recorded, one, two, renames)
}

fn walk(path: &str, recorded: &Value, one: &Value, two: &Value, renames: &mut Renames) -> Option<Found> {
    match (recorded, one, two) {
        (Value::Map(recorded), Value::Map(one), Value::Map(two)) => {
            let fields: std::collections::BTreeSet<&String> = recorded.keys().chain(one.keys()).collect();
            fields.into_iter().find_map(|field| {
                let path = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
                match (recorded.get(field), one.get(field), two.get(field)) {
                    (Some(recorded), Some(one), two) => walk(&path, recorded, one, two.unwrap_or(one), renames),
                    (recorded, one, _) => Some(differs(&path, recorded, one)),
                }
            })
        }
        (Value::List(recorded), Value::List(one), Value::List(two)) => {
            let longest = recorded.len().max(one.len());
            (0..longest).find_map(|at| {
                let path = format!("{path}[{at}]");
                match (recorded.get(at), one.get(at), two.get(at)) {
                    (Some(recorded), Some(one), two) => walk(&path, recorded, one, two.unwrap_or(one), renames),
                    (recorded, one, _) => Some(differs(&path, recorded, one)),
                }
            })
        }
        (Value::Str(recorded), Value::Str(one), Value::Str(two)) if one != two && renames.accept(one, recorded) => None,
        (recorded, one, two) if recorded == one && one == two => None,
        _ => Some(differs(path, Some(recorded), Some(one))),
    }
}

pub(super) fn differs(field: &str, recorded: Option<&Value>, computed: Option<&Value>) -> Found {
    Found::Differs { field: field.to_owned(), recorded: shown(recorded), computed: shown(computed) }
}

/// A value as text, or `absent`.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "absent".to_owned(),
        Some(Value::Str(text)) => text.clone(),
        Some(value) => match value.to_bytes() {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => "unwritable".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn value(pairs: &[(&str, &str)]) -> Value {
        Value::map(pairs.iter().map(|(key, text)| (*key, Value::str(*text))))
    }

    #[test]
    fn random_texts_may_be_anything_but_only_one_thing() {
        let (one, two) = (value(&[("a", "r1"), ("b", "r1")]), value(&[("a", "r2"), ("b", "r2")]));
        let same = value(&[("a", "xx"), ("b", "xx")]);
        assert_eq!(first_difference(&same, &one, &two, &mut Renames::default()), None);
        let other = first_difference(&value(&[("a", "xx"), ("b", "yy")]), &one, &two, &mut Renames::default());
        assert!(matches!(other, Some(Found::Differs { field, .. }) if field == "b"));
        let longer = first_difference(&value(&[("a", "xxx"), ("b", "xxx")]), &one, &two, &mut Renames::default());
        assert!(matches!(longer, Some(Found::Differs { field, .. }) if field == "a"));
    }

    #[test]
    fn what_does_not_depend_on_the_seed_must_be_equal_and_present() {
        let computed = value(&[("a", "1"), ("b", "2")]);
        for (recorded, at) in [(value(&[("a", "1")]), "b"), (value(&[("a", "0"), ("b", "2")]), "a")] {
            let found = first_difference(&recorded, &computed, &computed, &mut Renames::default());
            assert!(matches!(found, Some(Found::Differs { field, .. }) if field == at));
        }
    }
}
