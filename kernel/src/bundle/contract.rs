//! Contract rules: predicates that matching calls must satisfy.

use std::sync::Arc;

use super::condition::{
    Check, Condition, HostMemo, Order, read_bound, read_directories, read_hosts, read_value, read_values,
};
use super::error::{BundleErrorKind, Diagnostics, LintKind, Position};
use super::fields::{Fields, boolean, name, names, text, wrong_type};
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
    pub(super) predicates: Vec<Predicate>,
}

/// One predicate: a condition on a selected argument.
#[derive(Debug, Clone)]
pub(super) struct Predicate {
    pub(super) at: Position,
    pub(super) selector: Selector,
    condition: Condition,
}

impl Predicate {
    pub(super) fn holds<'a>(&self, args: &'a Object, memo: &HostMemo<'a>) -> bool {
        self.condition.check(self.selector.find(args), memo) == Check::Holds
    }
}

impl Contract {
    /// Whether the rule is about this tool.
    pub(super) fn concerns(&self, tool: &Tool) -> bool {
        self.tools.iter().any(|(_, name)| *name == tool.name) || self.classes.contains(&tool.class)
    }

    /// Reads one item of `contract`.
    pub(super) fn read(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Contract> {
        const KNOWN: [&str; 9] =
            ["id", "name", "description", "tools", "class", "hard", "soft", "threshold", "require"];
        const LATER: [&str; 5] = ["across", "window", "shadow", "sum", "count"];
        let fields = Fields::open(node, "a contract rule", &KNOWN, &LATER, d)?;
        for key in ["name", "description"] {
            if let Some(node) = fields.get(key) {
                text(node, key, d);
            }
        }
        refuse_soft(&fields, d);
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
        let predicates = items.iter().filter_map(|item| read_predicate(item, patterns, d)).collect();
        let classes = classes.into_iter().map(|(_, class)| class).collect();
        Some(Contract { at: node.at, id: id?, tools, classes, predicates })
    }
}

fn refuse_soft(fields: &Fields<'_>, d: &mut Diagnostics) {
    let instead = "write hard: true, or remove the rule";
    if let Some(node) = fields.get("hard")
        && boolean(node, "hard", d) == Some(false)
    {
        d.unavailable(node.at, "`hard: false`, a soft contract rule,", instead);
    }
    if let Some(node) = fields.get("soft")
        && boolean(node, "soft", d) == Some(true)
    {
        d.unavailable(node.at, "`soft: true`, a soft contract rule,", instead);
    }
    if let Some(node) = fields.get("threshold") {
        d.unavailable(node.at, "`threshold` of a soft contract rule", instead);
    }
}

fn read_predicate(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Predicate> {
    let fields = Fields::open(node, "a predicate", &["argument", "op", "value"], &["over", "per"], d)?;
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
    let predicate = Predicate { at: node.at, selector: selector?, condition: condition? };
    if let Condition::Matches(regex) = &predicate.condition
        && is_url_argument(predicate.selector.argument())
        && leaves_host_open(regex.as_str())
    {
        d.lint(value.at, LintKind::UnanchoredPattern, open_host_message());
    }
    Some(predicate)
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
