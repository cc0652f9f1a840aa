//! One condition on one argument, with the three answers a condition can have.

use core::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::error::{BundleErrorKind, Diagnostics};
use super::fields::{number, one_or_many, scalar, text, wrong_type};
use super::host::{Host, HostPattern, url_host};
use super::path::{Directory, segments};
use super::pattern::Pattern;
use super::source::{Node, NodeKind};
use super::work::Work;
use crate::value::{Number, Value};

/// Most items of a condition's list.
const ITEMS_MAX: usize = 4_096;

/// What a condition says about an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The argument has the right type and the condition holds.
    Holds,
    /// The argument has the right type and the condition does not hold.
    Fails,
    /// The argument is missing or wrongly typed, which always counts against the caller.
    Odd,
}

impl Check {
    fn of(holds: bool) -> Check {
        if holds { Check::Holds } else { Check::Fails }
    }

    fn not(self) -> Check {
        match self {
            Check::Holds => Check::Fails,
            Check::Fails => Check::Holds,
            Check::Odd => Check::Odd,
        }
    }
}

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A comparison with a fixed number, exact.
#[derive(Debug, Clone)]
pub(super) struct NumberTest {
    order: Order,
    bound: Number,
}

impl NumberTest {
    pub(super) const fn new(order: Order, bound: Number) -> NumberTest {
        NumberTest { order, bound }
    }

    /// What a number is at least, and at most, when the test holds.
    pub(super) const fn bounds(&self) -> (Option<&Number>, Option<&Number>) {
        match self.order {
            Order::Equal => (Some(&self.bound), Some(&self.bound)),
            Order::NotEqual => (None, None),
            Order::Less | Order::LessOrEqual => (None, Some(&self.bound)),
            Order::Greater | Order::GreaterOrEqual => (Some(&self.bound), None),
        }
    }

    pub(super) fn holds(&self, number: &Number) -> bool {
        let compared = number.cmp(&self.bound);
        match self.order {
            Order::Equal => compared.is_eq(),
            Order::NotEqual => compared.is_ne(),
            Order::Less => compared.is_lt(),
            Order::LessOrEqual => compared.is_le(),
            Order::Greater => compared.is_gt(),
            Order::GreaterOrEqual => compared.is_ge(),
        }
    }
}

/// A condition on one value.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Matches(Pattern),
    In(Values),
    NotIn(Values),
    Compare(NumberTest),
    HostIn(Vec<HostPattern>),
    Within(Vec<Directory>),
}

impl Condition {
    /// Whether the condition holds for the value, if there is one.
    pub(super) fn check<'a>(&self, value: Option<&'a Value>, memo: &Scratch<'a>) -> Check {
        let Some(value) = value else { return Check::Odd };
        match self {
            Condition::Matches(pattern) => {
                value.as_str().and_then(|text| pattern.finds(text, memo.work)).map_or(Check::Odd, Check::of)
            }
            Condition::In(values) => values.check(value),
            Condition::NotIn(values) => values.check(value).not(),
            Condition::Compare(test) => value.as_number().map_or(Check::Odd, |number| Check::of(test.holds(number))),
            Condition::HostIn(hosts) => {
                memo.host(value).map_or(Check::Odd, |host| Check::of(hosts.iter().any(|pattern| pattern.matches(host))))
            }
            Condition::Within(directories) => memo
                .path(value)
                .map_or(Check::Odd, |path| Check::of(directories.iter().any(|directory| directory.holds(&path)))),
        }
    }
}

/// What one evaluation keeps for itself: hosts and paths that were read, since many rules ask about the same arguments, and what it may
/// still spend. Values are told apart by where they are; nothing depends on the order of places.
pub(super) struct Scratch<'a> {
    hosts: RefCell<BTreeMap<usize, Option<Host<'a>>>>,
    paths: RefCell<BTreeMap<usize, Option<Rc<[&'a str]>>>>,
    pub(super) work: &'a Work,
}

impl<'a> Scratch<'a> {
    /// Nothing read yet.
    pub(super) const fn new(work: &'a Work) -> Scratch<'a> {
        Scratch { hosts: RefCell::new(BTreeMap::new()), paths: RefCell::new(BTreeMap::new()), work }
    }

    fn host(&self, value: &'a Value) -> Option<Host<'a>> {
        let read = || value.as_str().and_then(url_host);
        *self.hosts.borrow_mut().entry(core::ptr::from_ref(value).addr()).or_insert_with(read)
    }

    fn path(&self, value: &'a Value) -> Option<Rc<[&'a str]>> {
        let read = || value.as_str().and_then(segments).map(Rc::from);
        self.paths.borrow_mut().entry(core::ptr::from_ref(value).addr()).or_insert_with(read).clone()
    }
}

/// A set of scalars. A value of a type the set has no member of is wrongly typed.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    pub(super) texts: BTreeSet<Box<str>>,
    numbers: BTreeSet<Number>,
    booleans: BTreeSet<bool>,
}

impl Values {
    fn insert(&mut self, value: Value) {
        match value {
            Value::String(text) => {
                self.texts.insert(text.into());
            }
            Value::Number(number) => {
                self.numbers.insert(number);
            }
            Value::Bool(boolean) => {
                self.booleans.insert(boolean);
            }
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }

    fn check(&self, value: &Value) -> Check {
        match value {
            Value::String(text) if !self.texts.is_empty() => Check::of(self.texts.contains(text.as_str())),
            Value::Number(number) if !self.numbers.is_empty() => Check::of(self.numbers.contains(number)),
            Value::Bool(boolean) if !self.booleans.is_empty() => Check::of(self.booleans.contains(boolean)),
            _ => Check::Odd,
        }
    }
}

/// Reads a list of scalars, or one scalar.
pub(super) fn read_values(node: &Node, what: &str, d: &mut Diagnostics) -> Option<Values> {
    let items = one_or_many(node, what, ITEMS_MAX, d);
    let mut values = Values::default();
    for item in items {
        values.insert(scalar(item, what, d)?);
    }
    (!items.is_empty()).then_some(values)
}

/// Reads exactly one scalar as a set.
pub(super) fn read_value(node: &Node, what: &str, d: &mut Diagnostics) -> Option<Values> {
    if !matches!(node.kind, NodeKind::Scalar { .. }) {
        wrong_type(node, what, "one text, number or boolean", d);
        return None;
    }
    read_values(node, what, d)
}

/// Reads one host or a list of hosts.
pub(super) fn read_hosts(node: &Node, what: &str, d: &mut Diagnostics) -> Option<Vec<HostPattern>> {
    let parse = |item: &Node, d: &mut Diagnostics| {
        let host = HostPattern::parse(text(item, what, d)?);
        if host.is_none() {
            let hint = "write the host alone, such as api.example.com, *.example.com or 10.0.0.1";
            d.error_hint(
                item.at,
                BundleErrorKind::InvalidValue,
                format!("`{what}` lists something that is no host"),
                hint,
            );
        }
        host
    };
    all(one_or_many(node, what, ITEMS_MAX, d), parse, d)
}

/// Reads one directory or a list of directories.
pub(super) fn read_directories(node: &Node, what: &str, d: &mut Diagnostics) -> Option<Vec<Directory>> {
    let parse = |item: &Node, d: &mut Diagnostics| {
        let directory = Directory::parse(text(item, what, d)?);
        if directory.is_none() {
            let hint = "write an absolute path such as /srv/reports; everything beneath it is included";
            d.error_hint(
                item.at,
                BundleErrorKind::InvalidValue,
                format!("`{what}` lists something that is no directory"),
                hint,
            );
        }
        directory
    };
    all(one_or_many(node, what, ITEMS_MAX, d), parse, d)
}

/// Reads a bound for a comparison.
pub(super) fn read_bound(node: &Node, what: &str, order: Order, d: &mut Diagnostics) -> Option<Condition> {
    Some(Condition::Compare(NumberTest::new(order, number(node, what, d)?)))
}

/// All items read, or nothing when one of them failed or there are none.
fn all<T>(
    items: &[Node],
    mut read: impl FnMut(&Node, &mut Diagnostics) -> Option<T>,
    d: &mut Diagnostics,
) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = items.iter().map(|item| read(item, d)).collect();
    let all: Option<Vec<T>> = read.into_iter().collect();
    all.filter(|items| !items.is_empty())
}
