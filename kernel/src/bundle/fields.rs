//! Typed reading of a mapping's keys, with an error at the right place for whatever does not fit.

use std::sync::Arc;

use super::error::{BundleErrorKind, Diagnostics, Position, nearest_hint};
use super::limits::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use super::source::{Key, Node, NodeKind};
use crate::value::{Number, Object, Value};

/// A mapping whose keys were checked against those its section knows.
pub(super) struct Fields<'n> {
    pub(super) at: Position,
    what: &'static str,
    members: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// Opens a mapping. `known` are its keys; `later` are keys of the format this kernel version does not enforce yet.
    pub(super) fn open(
        node: &'n Node,
        what: &'static str,
        known: &[&str],
        later: &[&str],
        d: &mut Diagnostics,
    ) -> Option<Fields<'n>> {
        let NodeKind::Map(members) = &node.kind else {
            wrong_type(node, what, "a mapping", d);
            return None;
        };
        for (key, _) in members {
            let name = key.text.as_str();
            if later.contains(&name) {
                d.unavailable(key.at, &format!("`{name}` of {what}"), "remove the key, nothing would enforce it");
            } else if !known.contains(&name) {
                let hint = nearest_hint(name, known.iter().copied());
                let all = || format!("known keys: {}", known.join(", "));
                let message = format!("{what} has no key `{name}`");
                d.error_hint(key.at, BundleErrorKind::UnknownKey, message, &hint.unwrap_or_else(all));
            }
        }
        Some(Fields { at: node.at, what, members })
    }

    /// The value under one of the spellings of a key; giving two spellings is an error.
    pub(super) fn any(&self, spellings: &[&str], d: &mut Diagnostics) -> Option<&'n Node> {
        let mut found: Option<&'n Node> = None;
        for (key, node) in self.members {
            if spellings.contains(&key.text.as_str()) {
                if found.is_some() {
                    let message = format!("`{}` is another spelling of a key given above", key.text);
                    d.error(key.at, BundleErrorKind::Duplicate, message);
                }
                found = found.or(Some(node));
            }
        }
        found
    }

    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.members.iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }

    /// Whether the mapping has no keys at all.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn required(&self, key: &str, d: &mut Diagnostics) -> Option<&'n Node> {
        let node = self.get(key);
        if node.is_none() {
            self.missing(key, d);
        }
        node
    }

    pub(super) fn missing(&self, key: &str, d: &mut Diagnostics) {
        d.error(self.at, BundleErrorKind::MissingKey, format!("{} needs the key `{key}`", self.what));
    }

    /// The items of a list under `key`; none when the key is absent.
    pub(super) fn items(&self, key: &str, max: usize, d: &mut Diagnostics) -> &'n [Node] {
        self.get(key).map_or(&[], |node| list(node, key, max, d))
    }
}

/// The items of a list node; a null stands for an empty list, as YAML authors leave it.
pub(super) fn list<'n>(node: &'n Node, what: &str, max: usize, d: &mut Diagnostics) -> &'n [Node] {
    match &node.kind {
        NodeKind::List(items) if items.len() > max => {
            d.error(
                node.at,
                BundleErrorKind::TooLarge,
                format!("`{what}` has {} items, keep it to {max}", items.len()),
            );
            &[]
        }
        NodeKind::List(items) => items,
        NodeKind::Scalar { .. } if node.scalar_value() == Some(Value::Null) => &[],
        _ => {
            wrong_type(node, what, "a list", d);
            &[]
        }
    }
}

pub(super) fn wrong_type(node: &Node, what: &str, wanted: &str, d: &mut Diagnostics) {
    d.error(node.at, BundleErrorKind::WrongType, format!("{what} must be {wanted}, this is a {}", node.type_name()));
}

/// A scalar's text, whatever type YAML would give it; null is refused.
pub(super) fn text<'n>(node: &'n Node, what: &str, d: &mut Diagnostics) -> Option<&'n str> {
    let NodeKind::Scalar { text, plain } = &node.kind else {
        wrong_type(node, what, "a text", d);
        return None;
    };
    if *plain && node.scalar_value() == Some(Value::Null) {
        d.error(node.at, BundleErrorKind::WrongType, format!("{what} must be a text, this is empty"));
        return None;
    }
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("{what} has {} bytes, keep it to {TEXT_BYTES_MAX}", text.len());
        d.error(node.at, BundleErrorKind::TooLarge, message);
        return None;
    }
    Some(text)
}

/// An identifier: 1 to 128 of `A-Za-z0-9._:/@#-`, the alphabet that may appear in a record.
pub(super) fn name(node: &Node, what: &str, d: &mut Diagnostics) -> Option<Arc<str>> {
    let text = text(node, what, d)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:/@#-".contains(&b);
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(allowed) {
        let message = format!("{what} must be 1 to {NAME_BYTES_MAX} of letters, digits and . _ : / @ # -");
        d.error(node.at, BundleErrorKind::InvalidValue, message);
        return None;
    }
    Some(text.into())
}

/// One identifier or a list of them; an empty list is an error.
pub(super) fn names(node: &Node, what: &str, max: usize, d: &mut Diagnostics) -> Vec<(Position, Arc<str>)> {
    one_or_many(node, what, max, d).iter().filter_map(|n| Some((n.at, name(n, what, d)?))).collect()
}

/// A list's items, or the single node; an empty list is an error.
pub(super) fn one_or_many<'n>(node: &'n Node, what: &str, max: usize, d: &mut Diagnostics) -> &'n [Node] {
    match &node.kind {
        NodeKind::List(items) if items.is_empty() => {
            d.error(node.at, BundleErrorKind::InvalidValue, format!("`{what}` is an empty list, it can never match"));
            &[]
        }
        NodeKind::List(_) => list(node, what, max, d),
        _ => core::slice::from_ref(node),
    }
}

pub(super) fn boolean(node: &Node, what: &str, d: &mut Diagnostics) -> Option<bool> {
    if let Some(Value::Bool(value)) = node.scalar_value() {
        return Some(value);
    }
    wrong_type(node, what, "true or false", d);
    None
}

pub(super) fn number(node: &Node, what: &str, d: &mut Diagnostics) -> Option<Number> {
    if let Some(Value::Number(value)) = node.scalar_value() {
        return Some(value);
    }
    wrong_type(node, what, "a decimal number without quotes", d);
    None
}

/// A whole number from 0 to `max`.
pub(super) fn count(node: &Node, what: &str, max: u64, d: &mut Diagnostics) -> Option<u64> {
    let number = number(node, what, d)?;
    let value = number.text().parse::<u64>().ok().filter(|n| number.is_integer() && *n <= max);
    if value.is_none() {
        d.error(node.at, BundleErrorKind::InvalidValue, format!("{what} must be a whole number from 0 to {max}"));
    }
    value
}

/// A text, number or boolean to compare arguments with.
pub(super) fn scalar(node: &Node, what: &str, d: &mut Diagnostics) -> Option<Value> {
    match node.scalar_value() {
        Some(value @ (Value::Bool(_) | Value::Number(_))) => Some(value),
        Some(Value::String(_)) => text(node, what, d).map(|t| Value::String(t.to_owned())),
        Some(_) => {
            wrong_type(node, what, "a text, a number or a boolean", d);
            None
        }
        None if matches!(node.kind, NodeKind::Scalar { .. }) => {
            let message = format!("{what} is a number that cannot be compared exactly");
            d.error_hint(
                node.at,
                BundleErrorKind::InvalidValue,
                message,
                "write it in decimal, or quote it if it is a text",
            );
            None
        }
        None => {
            wrong_type(node, what, "a text, a number or a boolean", d);
            None
        }
    }
}

/// A text that must be one of a few.
pub(super) fn one_of(node: &Node, what: &str, known: &[&'static str], d: &mut Diagnostics) -> Option<&'static str> {
    let written = text(node, what, d)?;
    let found = known.iter().find(|name| **name == written).copied();
    if found.is_none() {
        let message = format!("`{written}` is no {what}");
        d.error_hint(node.at, BundleErrorKind::InvalidValue, message, &format!("use one of {}", known.join(", ")));
    }
    found
}

/// Any value as JSON has it: scalars, lists and mappings of such.
pub(super) fn literal(node: &Node, what: &str, d: &mut Diagnostics) -> Option<Value> {
    match &node.kind {
        NodeKind::Scalar { .. } if node.scalar_value() == Some(Value::Null) => Some(Value::Null),
        NodeKind::Scalar { .. } => scalar(node, what, d),
        NodeKind::List(items) => {
            let items: Vec<Option<Value>> = items.iter().map(|item| literal(item, what, d)).collect();
            items.into_iter().collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        NodeKind::Map(members) => {
            let read = |(key, node): &(Key, Node)| (key.text.clone(), literal(node, what, d));
            let members: Vec<(String, Option<Value>)> = members.iter().map(read).collect();
            let members = members.into_iter().map(|(name, value)| Some((name, value?))).collect::<Option<Vec<_>>>();
            // The source's mappings name every key once, so that this cannot fail.
            members.and_then(|members| Object::new(members).ok()).map(Value::Object)
        }
    }
}
