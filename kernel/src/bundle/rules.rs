//! Policy rules: match, decide, first match wins.

use std::sync::Arc;

use super::capability::SubjectPattern;
use super::condition::{Check, Condition, HostMemo, Order, read_bound, read_directories, read_hosts, read_values};
use super::contract::open_host_message;
use super::error::{BundleErrorKind, Diagnostics, LintKind, Position};
use super::fields::{Fields, count, list, name, names, one_or_many, text, wrong_type};
use super::limits::{PRIORITY_DEFAULT, PRIORITY_MAX};
use super::pattern::{Patterns, is_url_argument, leaves_host_open};
use super::select::Selector;
use super::source::{Node, NodeKind};
use super::tool::Tool;
use crate::value::Object;
use crate::verdict::Verdict;

/// Most names, tags or parameters of one rule.
const ITEMS_MAX: usize = 1_024;

/// One policy rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) at: Position,
    pub(super) id: Arc<str>,
    pub(super) priority: u64,
    pub(super) verdict: Verdict,
    pub(super) classes: Option<Vec<Arc<str>>>,
    pub(super) actions: Option<Vec<Arc<str>>>,
    pub(super) tools: Option<Vec<(Position, Arc<str>)>>,
    subjects: Option<Vec<SubjectPattern>>,
    pub(super) parameters: Vec<Parameter>,
}

/// The conditions a rule puts on one argument.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) at: Position,
    pub(super) selector: Selector,
    conditions: Vec<Condition>,
}

impl Rule {
    /// Whether the rule can match calls of this tool at all. Of a tool with several actions nobody knows which one a call
    /// performs, so a deny rule matches when it names one of them and any other rule only when it names all.
    pub(super) fn concerns(&self, tool: &Tool) -> bool {
        let listed = |action: &Arc<str>| self.actions.as_ref().is_none_or(|actions| actions.contains(action));
        let actions = match self.verdict {
            Verdict::Deny | Verdict::Escalate => tool.actions.iter().any(listed),
            Verdict::Compute | Verdict::Allow => tool.actions.iter().all(listed),
        };
        actions
            && self.classes.as_ref().is_none_or(|classes| classes.contains(&tool.class))
            && self.tools.as_ref().is_none_or(|tools| tools.iter().any(|(_, name)| *name == tool.name))
    }

    /// Whether the rule matches a call of a tool it concerns. A missing or wrongly typed argument counts against the caller:
    /// allow rules do not match, deny rules do.
    pub(super) fn matches<'a>(&self, subject: &str, args: &'a Object, memo: &HostMemo<'a>) -> bool {
        if !self.subjects.as_ref().is_none_or(|subjects| subjects.iter().any(|pattern| pattern.matches(subject))) {
            return false;
        }
        let against_caller = matches!(self.verdict, Verdict::Deny | Verdict::Escalate);
        let odd_matches = |check: Check| check == Check::Holds || (check == Check::Odd && against_caller);
        self.parameters.iter().all(|parameter| {
            let value = parameter.selector.find(args);
            parameter.conditions.iter().all(|condition| odd_matches(condition.check(value, memo)))
        })
    }

    /// Whether the rule matches every call of the tools it concerns.
    pub(super) fn is_unconditional(&self) -> bool {
        self.subjects.is_none() && self.parameters.is_empty()
    }

    /// Reads one item of `rules`.
    pub(super) fn read(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Rule> {
        const KNOWN: [&str; 8] = ["id", "name", "description", "priority", "match", "decision", "reason", "tags"];
        const LATER: [&str; 4] = ["condition", "obligations", "shadow", "layer"];
        let fields = Fields::open(node, "a rule", &KNOWN, &LATER, d)?;
        for key in ["name", "description", "reason"] {
            if let Some(node) = fields.get(key) {
                text(node, key, d);
            }
        }
        for tag in fields.get("tags").map_or(&[][..], |node| list(node, "tags", ITEMS_MAX, d)) {
            text(tag, "a tag", d);
        }
        let id = fields.required("id", d).and_then(|node| name(node, "a rule's id", d));
        let priority = match fields.get("priority") {
            Some(node) => count(node, "priority", PRIORITY_MAX, d),
            None => Some(PRIORITY_DEFAULT),
        };
        let verdict = fields.required("decision", d).and_then(|node| read_decision(node, d));
        let matching = fields.required("match", d)?;
        let mut rule = Rule {
            at: node.at,
            id: id?,
            priority: priority?,
            verdict: verdict?,
            classes: None,
            actions: None,
            tools: None,
            subjects: None,
            parameters: Vec::new(),
        };
        rule.read_match(matching, patterns, d);
        Some(rule)
    }

    fn read_match(&mut self, node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) {
        const KNOWN: [&str; 7] =
            ["toolClass", "tool_class", "action", "tool", "principalId", "principal_id", "parameters"];
        const LATER: [&str; 2] = ["taintSources", "taint_sources"];
        let Some(fields) = Fields::open(node, "match", &KNOWN, &LATER, d) else { return };
        let bare = |names: Vec<(Position, Arc<str>)>| names.into_iter().map(|(_, name)| name).collect();
        let classes = fields.any(&["toolClass", "tool_class"], d);
        self.classes = classes.map(|node| bare(names(node, "toolClass", ITEMS_MAX, d)));
        self.actions = fields.get("action").map(|node| bare(names(node, "action", ITEMS_MAX, d)));
        self.tools = fields.get("tool").map(|node| names(node, "tool", ITEMS_MAX, d));
        self.subjects = fields.any(&["principalId", "principal_id"], d).map(|node| {
            let items = one_or_many(node, "principalId", ITEMS_MAX, d);
            items.iter().filter_map(|item| SubjectPattern::read(item, d)).collect()
        });
        let Some(parameters) = fields.get("parameters") else { return };
        let NodeKind::Map(members) = &parameters.kind else {
            wrong_type(parameters, "parameters", "a mapping from argument to conditions", d);
            return;
        };
        for (key, node) in members {
            let Some(selector) = Selector::read(&key.text, key.at, d) else { continue };
            self.read_parameter(selector, node, patterns, d);
        }
    }

    fn read_parameter(&mut self, selector: Selector, node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) {
        const KNOWN: [&str; 8] = ["pattern", "in", "notIn", "not_in", "min", "max", "host", "within"];
        let Some(fields) = Fields::open(node, "a parameter", &KNOWN, &[], d) else { return };
        let mut conditions = Vec::new();
        if let Some(at) = fields.get("pattern") {
            let regex = patterns.compile(at, d);
            let open = regex.as_ref().is_some_and(|regex| leaves_host_open(regex.as_str()));
            if open && self.verdict == Verdict::Allow && is_url_argument(selector.argument()) {
                d.lint(at.at, LintKind::UnanchoredPattern, open_host_message());
            }
            conditions.extend(regex.map(Condition::Matches));
        }
        let values = |node, d: &mut Diagnostics| read_values(node, "the listed values", d);
        conditions.extend(fields.get("in").and_then(|node| values(node, d)).map(Condition::In));
        conditions.extend(fields.any(&["notIn", "not_in"], d).and_then(|node| values(node, d)).map(Condition::NotIn));
        conditions.extend(fields.get("min").and_then(|node| read_bound(node, "min", Order::GreaterOrEqual, d)));
        conditions.extend(fields.get("max").and_then(|node| read_bound(node, "max", Order::LessOrEqual, d)));
        conditions.extend(fields.get("host").and_then(|node| read_hosts(node, "host", d)).map(Condition::HostIn));
        conditions
            .extend(fields.get("within").and_then(|node| read_directories(node, "within", d)).map(Condition::Within));
        if fields.is_empty() {
            let message = format!("the parameter `{selector}` has no condition, so it restricts nothing");
            d.error_hint(
                node.at,
                BundleErrorKind::InvalidValue,
                message,
                "give pattern, in, notIn, min, max, host or within",
            );
        }
        self.parameters.push(Parameter { at: node.at, selector, conditions });
    }
}

fn read_decision(node: &Node, d: &mut Diagnostics) -> Option<Verdict> {
    match text(node, "decision", d)? {
        "allow" => Some(Verdict::Allow),
        "deny" => Some(Verdict::Deny),
        later @ ("require-approval" | "require_approval" | "escalate" | "compute") => {
            d.unavailable(node.at, &format!("`decision: {later}`"), "decide allow or deny");
            None
        }
        other => {
            let message = format!("`{other}` is no decision");
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "use allow or deny");
            None
        }
    }
}
