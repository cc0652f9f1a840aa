//! Predicates across steps: the sum, the number or the number of distinct values that would hold after this call.

use std::sync::Arc;

use assent_ledger::hash::{Hash, sha256};

use super::condition::{NumberTest, Order};
use super::error::{BundleErrorKind, Diagnostics};
use super::facts::{Facts, Per};
use super::fields::{Fields, number, text};
use super::limits::DISTINCT_MAX;
use super::outcome::{Accumulate, Addend};
use super::select::Selector;
use super::source::Node;
use crate::value::{Number, Object, Value};

/// What is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Sum,
    Count,
    Distinct,
}

/// One predicate across steps.
#[derive(Debug, Clone)]
pub(super) struct Across {
    quantity: Quantity,
    /// `None` counts every call.
    pub(super) selector: Option<Selector>,
    per: Per,
    test: NumberTest,
    key: Arc<str>,
}

impl Across {
    /// Whether the predicate would hold after this call, and what the call adds. An argument that is missing or wrongly typed,
    /// a sum that cannot be held exactly and too many distinct values count against the caller.
    pub(super) fn holds(&self, args: &Object, facts: &impl Facts) -> (bool, Option<Accumulate>) {
        let value = match &self.selector {
            Some(selector) => match selector.find(args) {
                Some(value) => Some(value),
                None => return (false, None),
            },
            None => None,
        };
        let Some(add) = self.addend(value) else { return (false, None) };
        let digest = match &add {
            Addend::Distinct(hash) => Some(hash),
            Addend::Count | Addend::Sum(_) => None,
        };
        let before = facts.accumulated(&self.key, self.per, digest);
        let after = match &add {
            Addend::Count => before.count.checked_add(1).map(Number::from_u64),
            Addend::Sum(number) => before.sum.checked_add(number),
            Addend::Distinct(_) => {
                let distinct = before.distinct.saturating_add(u64::from(!before.seen));
                (distinct <= DISTINCT_MAX).then(|| Number::from_u64(distinct))
            }
        };
        let Some(after) = after else { return (false, None) };
        let accumulate = Accumulate { key: self.key.clone(), per: self.per, add };
        (self.test.holds(&after), Some(accumulate))
    }

    fn addend(&self, value: Option<&Value>) -> Option<Addend> {
        Some(match (self.quantity, value) {
            (Quantity::Count, _) => Addend::Count,
            (Quantity::Sum, value) => Addend::Sum(value?.as_number()?.clone()),
            (Quantity::Distinct, value) => Addend::Distinct(digest(value?)),
        })
    }

    /// Whether a predicate's mapping is one across steps.
    pub(super) fn is_meant(fields: &Fields<'_>) -> bool {
        ["sum", "count", "distinct"].iter().any(|key| fields.get(key).is_some())
    }

    /// Reads `{sum|count|distinct: argument, per: run|day, op, value}`; the rule's id, `owner`, and what is
    /// added up name it, so that its place among the others and its bound may change.
    pub(super) fn read(fields: &Fields<'_>, owner: &str, d: &mut Diagnostics) -> Option<Across> {
        let given: Vec<(Quantity, &Node)> =
            [(Quantity::Sum, "sum"), (Quantity::Count, "count"), (Quantity::Distinct, "distinct")]
                .into_iter()
                .filter_map(|(quantity, key)| Some((quantity, fields.get(key)?)))
                .collect();
        let [(quantity, argument)] = given.as_slice() else {
            d.error(fields.at, BundleErrorKind::Duplicate, "a predicate adds up one of sum, count and distinct");
            return None;
        };
        if let Some(node) = fields.get("argument") {
            let message = "the argument of a predicate across steps stands beside sum, count or distinct";
            d.error_hint(node.at, BundleErrorKind::Duplicate, message, "remove `argument`");
        }
        let written = text(argument, "the argument", d)?;
        let selector = match (quantity, written) {
            (Quantity::Count, "*") => None,
            _ => Some(Selector::read(written, argument.at, d)?),
        };
        let per = fields.required("per", d).and_then(|node| read_per(node, d));
        let op = fields.required("op", d).and_then(|node| read_op(node, d));
        let value = fields.required("value", d).and_then(|node| number(node, "value", d));
        let (per, op, value) = (per?, op?, value?);
        let key = key(owner, *quantity, selector.as_ref(), per);
        Some(Across { quantity: *quantity, selector, per, test: NumberTest::new(op, value), key })
    }
}

fn read_per(node: &Node, d: &mut Diagnostics) -> Option<Per> {
    match text(node, "per", d)? {
        "run" => Some(Per::Run),
        "day" => Some(Per::Day),
        other => {
            let message = format!("nothing is added up per `{other}`");
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "use run or day");
            None
        }
    }
}

fn read_op(node: &Node, d: &mut Diagnostics) -> Option<Order> {
    let op = match text(node, "op", d)? {
        "==" => Order::Equal,
        "!=" => Order::NotEqual,
        "<" => Order::Less,
        "<=" => Order::LessOrEqual,
        ">" => Order::Greater,
        ">=" => Order::GreaterOrEqual,
        other => {
            let message = format!("`{other}` does not compare sums and numbers");
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "use one of ==, !=, <, <=, >, >=");
            return None;
        }
    };
    Some(op)
}

/// What names a sum for good. Two predicates of a rule about the same sum share it.
fn key(owner: &str, quantity: Quantity, selector: Option<&Selector>, per: Per) -> Arc<str> {
    let quantity = match quantity {
        Quantity::Sum => "sum",
        Quantity::Count => "count",
        Quantity::Distinct => "distinct",
    };
    let argument = selector.map(ToString::to_string).unwrap_or_default();
    // The digest keeps keys short, however long a pointer is.
    let digest = sha256(&[b"assent accumulator/1\n", quantity.as_bytes(), &[0], argument.as_bytes()]);
    let short: String = digest.0.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{owner}#{short}/{}", per.name()).into()
}

/// A digest that equal values share, whatever was written.
fn digest(value: &Value) -> Hash {
    sha256(&[b"assent distinct value/1\n", &value.canonical_bytes()])
}
