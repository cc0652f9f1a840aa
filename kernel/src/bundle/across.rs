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
use super::work::Work;
use crate::state::keys::{CountedKind, ValueDigest};
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
    /// How many distinct values are told apart: with one more than the bound no further value changes the answer.
    told_apart: u64,
}

impl Across {
    /// Whether the predicate would hold after this call, and what the call adds. An argument that is missing or wrongly typed,
    /// a sum that cannot be held exactly and too many distinct values count against the caller.
    pub(super) fn holds(&self, args: &Object, facts: &impl Facts, work: &Work) -> (bool, Option<Accumulate>) {
        let value = match &self.selector {
            Some(selector) => match selector.find(args) {
                Some(value) => Some(value),
                None => return (false, None),
            },
            None => None,
        };
        let Some(add) = self.addend(value, work) else { return (false, None) };
        let digest = match &add {
            Addend::Distinct(hash) => Some(hash),
            Addend::Count | Addend::Sum(_) => None,
        };
        let before = facts.accumulated(&self.key, self.per, digest);
        // What is told apart beyond the need of the predicate is not kept in the run, where room is short.
        let is_needless = matches!(add, Addend::Distinct(_))
            && self.per == Per::Run
            && !before.seen
            && before.distinct >= self.told_apart;
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
        (self.test.holds(&after), (!is_needless).then_some(accumulate))
    }

    fn addend(&self, value: Option<&Value>, work: &Work) -> Option<Addend> {
        Some(match (self.quantity, value) {
            (Quantity::Count, _) => Addend::Count,
            (Quantity::Sum, value) => Addend::Sum(value?.as_number()?.clone()),
            (Quantity::Distinct, value) => {
                let value = value?;
                work.spend_pattern(value.weight()).then(|| Addend::Distinct(digest(value)))?
            }
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
        let told_apart = told_apart(&value);
        Some(Across { quantity: *quantity, selector, per, test: NumberTest::new(op, value), key, told_apart })
    }

    /// What a run keeps for it: the name, and the most bytes under a name of that many. Nothing for what is added up by the day.
    pub(super) fn in_run(&self) -> Option<(&Arc<str>, impl Fn(usize) -> usize)> {
        let kind = match self.quantity {
            Quantity::Sum => CountedKind::Sum,
            Quantity::Count => CountedKind::Calls,
            Quantity::Distinct => CountedKind::Distinct,
        };
        let values = if self.quantity == Quantity::Distinct { self.told_apart } else { 0 };
        let values = usize::try_from(values).unwrap_or(usize::MAX).saturating_mul(size_of::<ValueDigest>());
        (self.per == Per::Run).then_some((&self.key, move |name| kind.item_bytes(name).saturating_add(values)))
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

/// The smallest whole number above a bound; at most one more than are ever told apart.
fn told_apart(bound: &Number) -> u64 {
    let (mut least, mut most) = (0, DISTINCT_MAX + 1);
    while least < most {
        let middle = least.midpoint(most);
        if Number::from_u64(middle) > *bound {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    least
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn one_value_more_than_the_bound_is_told_apart() {
        for (bound, values) in
            [("-1", 0), ("0", 1), ("0.5", 1), ("5", 6), ("5.0001", 6), ("1023", 1_024), ("1024", 1_025), ("1e9", 1_025)]
        {
            assert_eq!(told_apart(&Number::parse(bound).unwrap()), values, "{bound}");
        }
    }
}
