//! Contract rules: predicates that matching calls must satisfy.

use std::sync::Arc;

use super::across::Across;
use super::condition::{
    Check, Condition, Order, Scratch, read_bound, read_directories, read_hosts, read_value, read_values,
};
use super::error::{BundleErrorKind, Diagnostics, LintKind, Position};
use super::facts::Facts;
use super::fields::{Fields, boolean, count, list, name, names, number, text, wrong_type};
use super::obligation::{Obligation, read_obligations};
use super::outcome::Accumulate;
use super::pattern::{Patterns, is_url_argument, leaves_host_open};
use super::select::Selector;
use super::source::{Node, NodeKind};
use super::tool::Tool;
use crate::value::Object;

/// Most tools, classes or predicates of one contract rule.
const ITEMS_MAX: usize = 1_024;
/// The operators, in the order they are offered.
const OPERATORS: &str = "==, !=, <, <=, >, >=, in, not_in, matches, within, host_in";

/// One contract rule.
#[derive(Debug, Clone)]
pub(super) struct Contract {
    pub(super) at: Position,
    pub(super) id: Arc<str>,
    pub(super) tools: Vec<(Position, Arc<str>)>,
    pub(super) classes: Vec<Arc<str>>,
    pub(super) strength: Strength,
    /// Tried and reported, never enforced.
    pub(super) shadow: bool,
    pub(super) predicates: Vec<Predicate>,
    pub(super) obligations: Vec<Obligation>,
}

/// What follows from predicates that do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// One that does not hold denies.
    Hard,
    /// The call is denied when fewer of all predicates hold than this, in thousandths.
    Soft { threshold_milli: u32 },
}

/// One predicate and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Predicate {
    pub(super) at: Position,
    pub(super) test: Test,
}

/// What a predicate asks.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// A condition on a selected argument.
    On(Selector, Condition),
    /// A sum or a number over several calls.
    Across(Across),
}

impl Predicate {
    /// Whether the predicate holds; what a predicate across steps adds up is left in `accumulate`.
    pub(super) fn holds<'a>(
        &self,
        args: &'a Object,
        facts: &impl Facts,
        memo: &Scratch<'a>,
        accumulate: &mut Vec<Accumulate>,
    ) -> bool {
        match &self.test {
            Test::On(selector, condition) => condition.check(selector.find(args), memo) == Check::Holds,
            Test::Across(across) => {
                let (holds, add) = across.holds(args, facts, memo.work);
                // Two predicates about the same sum add the call once.
                accumulate.extend(add.filter(|add| accumulate.iter().all(|known| known.key != add.key)));
                holds
            }
        }
    }

    /// The argument that is asked about; none when calls are counted.
    pub(super) fn selector(&self) -> Option<&Selector> {
        self.test.selector()
    }
}

impl Test {
    /// The argument that is asked about; none when calls are counted.
    pub(super) fn selector(&self) -> Option<&Selector> {
        match self {
            Test::On(selector, _) => Some(selector),
            Test::Across(across) => across.selector.as_ref(),
        }
    }
}

impl Contract {
    /// How many of its predicates look across steps.
    pub(super) fn across(&self) -> usize {
        self.predicates.iter().filter(|predicate| matches!(predicate.test, Test::Across(_))).count()
    }

    /// Whether the rule is about this tool.
    pub(super) fn concerns(&self, tool: &Tool) -> bool {
        self.tools.iter().any(|(_, name)| *name == tool.name) || self.classes.contains(&tool.class)
    }

    /// Reads one item of `contract`.
    pub(super) fn read(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Contract> {
        const KNOWN: [&str; 14] = [
            "id",
            "name",
            "description",
            "reason",
            "tags",
            "tools",
            "class",
            "hard",
            "soft",
            "threshold",
            "threshold_milli",
            "shadow",
            "require",
            "obligations",
        ];
        let fields = Fields::open(node, "a contract rule", &KNOWN, &[], d)?;
        for key in ["name", "description", "reason"] {
            if let Some(node) = fields.get(key) {
                text(node, key, d);
            }
        }
        for tag in fields.get("tags").map_or(&[][..], |node| list(node, "tags", ITEMS_MAX, d)) {
            text(tag, "a tag", d);
        }
        let strength = read_strength(&fields, d);
        let shadow = fields.get("shadow").map_or(Some(false), |node| boolean(node, "shadow", d));
        let obligations = fields.get("obligations").map(|node| read_obligations(node, d)).unwrap_or_default();
        let id = fields.required("id", d).and_then(|node| name(node, "a contract rule's id", d));
        let tools = fields.get("tools").map(|node| names(node, "tools", ITEMS_MAX, d)).unwrap_or_default();
        let classes = fields.get("class").map(|node| names(node, "class", ITEMS_MAX, d)).unwrap_or_default();
        if fields.get("tools").is_some() == fields.get("class").is_some() {
            d.error(node.at, BundleErrorKind::MissingKey, "a contract rule needs either `tools` or `class`");
        }
        fields.required("require", d)?;
        let items = fields.items("require", ITEMS_MAX, d);
        if items.is_empty() {
            d.error(
                node.at,
                BundleErrorKind::InvalidValue,
                "a contract rule that requires nothing would allow everything",
            );
        }
        let id = id?;
        let predicates = items.iter().filter_map(|item| read_predicate(item, &id, patterns, d)).collect();
        let classes = classes.into_iter().map(|(_, class)| class).collect();
        let (strength, shadow) = (strength?, shadow?);
        Some(Contract { at: node.at, id, tools, classes, strength, shadow, predicates, obligations })
    }
}

fn read_strength(fields: &Fields<'_>, d: &mut Diagnostics) -> Option<Strength> {
    let mut flag = |key: &str| fields.get(key).map(|node| boolean(node, key, d));
    let soft = match (flag("hard"), flag("soft")) {
        (Some(hard), Some(soft)) => {
            let (hard, soft) = (hard?, soft?);
            if hard == soft {
                d.error(fields.at, BundleErrorKind::InvalidValue, "a contract rule is either hard or soft");
                return None;
            }
            soft
        }
        (Some(hard), None) => !hard?,
        (None, Some(soft)) => soft?,
        (None, None) => false,
    };
    let threshold = fields.any(&["threshold", "threshold_milli"], d);
    match (soft, threshold) {
        (false, None) => Some(Strength::Hard),
        (false, Some(node)) => {
            let message = "a threshold says nothing about a hard contract rule";
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "write soft: true, or remove it");
            None
        }
        (true, None) => {
            fields.missing("threshold", d);
            None
        }
        (true, Some(node)) if fields.get("threshold_milli").is_some() => {
            let milli = count(node, "threshold_milli", 1_000, d)?;
            Some(Strength::Soft { threshold_milli: u32::try_from(milli).ok()? })
        }
        (true, Some(node)) => read_threshold(node, d),
    }
}

/// A share from 0 to 1 with at most three decimals.
fn read_threshold(node: &Node, d: &mut Diagnostics) -> Option<Strength> {
    let share = number(node, "threshold", d)?;
    let milli = share.to_milli().and_then(|milli| u32::try_from(milli).ok()).filter(|milli| *milli <= 1_000);
    if milli.is_none() {
        let message = "threshold must be a share from 0 to 1 with at most three decimals";
        d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "write it as 0.8, or use threshold_milli");
    }
    Some(Strength::Soft { threshold_milli: milli? })
}

fn read_predicate(node: &Node, owner: &str, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Predicate> {
    const KNOWN: [&str; 7] = ["argument", "op", "value", "sum", "count", "distinct", "per"];
    let fields = Fields::open(node, "a predicate", &KNOWN, &[], d)?;
    if Across::is_meant(&fields) {
        let across = Across::read(&fields, owner, d)?;
        return Some(Predicate { at: node.at, test: Test::Across(across) });
    }
    if let Some(per) = fields.get("per") {
        let message = "`per` needs sum, count or distinct";
        d.error_hint(per.at, BundleErrorKind::InvalidValue, message, "write sum: amount instead of argument: amount");
    }
    let condition = read_condition(&fields, patterns, d)?;
    Some(Predicate { at: node.at, test: condition })
}

/// Reads `{argument, op, value}`.
pub(super) fn read_condition(fields: &Fields<'_>, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Test> {
    let argument = fields.required("argument", d);
    let selector = argument.and_then(|node| Selector::read(text(node, "argument", d)?, node.at, d));
    let op = fields.required("op", d);
    let value = fields.required("value", d)?;
    let op = op?;
    let condition = match text(op, "op", d)? {
        "==" => read_value(value, "value", d).map(Condition::In),
        "!=" => read_value(value, "value", d).map(Condition::NotIn),
        "<" => read_bound(value, "value", Order::Less, d),
        "<=" => read_bound(value, "value", Order::LessOrEqual, d),
        ">" => read_bound(value, "value", Order::Greater, d),
        ">=" => read_bound(value, "value", Order::GreaterOrEqual, d),
        "in" => listed(value, d).and_then(|node| read_values(node, "value", d)).map(Condition::In),
        "not_in" => listed(value, d).and_then(|node| read_values(node, "value", d)).map(Condition::NotIn),
        "matches" => patterns.compile(value, d).map(Condition::Matches),
        "within" => read_directories(value, "value", d).map(Condition::Within),
        "host_in" => read_hosts(value, "value", d).map(Condition::HostIn),
        other => {
            let message = format!("`{other}` is no operator");
            d.error_hint(op.at, BundleErrorKind::InvalidValue, message, &format!("use one of {OPERATORS}"));
            None
        }
    };
    let (selector, condition) = (selector?, condition?);
    if let Condition::Matches(regex) = &condition
        && is_url_argument(selector.argument())
        && leaves_host_open(regex.as_str())
    {
        d.lint(value.at, LintKind::UnanchoredPattern, open_host_message());
    }
    Some(Test::On(selector, condition))
}

pub(super) fn open_host_message() -> String {
    "this pattern does not fix both ends of the host, so api.example.com would also admit api.example.com.evil.com; \
     compare hosts with `host` (rules) or `host_in` (contract)"
        .to_owned()
}

/// `in` and `not_in` want a list: a lone text there is usually a forgotten bracket.
fn listed<'n>(node: &'n Node, d: &mut Diagnostics) -> Option<&'n Node> {
    if matches!(node.kind, NodeKind::List(_)) {
        return Some(node);
    }
    wrong_type(node, "value", "a list for this operator", d);
    None
}
