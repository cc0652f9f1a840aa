//! Principals and their capabilities. One capability must cover the whole call; nothing is granted by default.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::condition::{Check, Condition, HostMemo, read_directories, read_hosts};
use super::error::{BundleErrorKind, Diagnostics, Position};
use super::fields::{Fields, name, names, one_or_many, text};
use super::limits::{CAPABILITIES_MAX, NAME_BYTES_MAX};
use super::source::Node;
use super::tool::Tool;
use crate::reason::ReasonCode;
use crate::value::{Object, Value};

/// Most actions, commands or databases of one capability.
const ITEMS_MAX: usize = 4_096;

/// Who holds which capabilities: subjects by exact text, and by prefix.
#[derive(Debug, Clone, Default)]
pub(super) struct Principals {
    exact: BTreeMap<Box<str>, Vec<Capability>>,
    /// Prefixes grouped by their length in bytes, so that a subject is looked up once per distinct length.
    prefixes: BTreeMap<usize, BTreeMap<Box<str>, Vec<Capability>>>,
}

/// A subject as rules and principals name it: exact, or everything that begins with a text (`agent-*`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SubjectPattern {
    Exact(Box<str>),
    Prefix(Box<str>),
}

impl SubjectPattern {
    pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<SubjectPattern> {
        let written = text(node, "a subject", d)?;
        let (fixed, prefix) = match written.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (written, false),
        };
        if written.is_empty() || written.len() > NAME_BYTES_MAX * 2 || fixed.contains('*') {
            let message =
                format!("a subject is a text of 1 to {} bytes, with at most one * at its end", NAME_BYTES_MAX * 2);
            d.error(node.at, BundleErrorKind::InvalidValue, message);
            return None;
        }
        Some(if prefix { SubjectPattern::Prefix(fixed.into()) } else { SubjectPattern::Exact(fixed.into()) })
    }

    pub(super) fn matches(&self, subject: &str) -> bool {
        match self {
            SubjectPattern::Exact(exact) => **exact == *subject,
            SubjectPattern::Prefix(prefix) => subject.starts_with(&**prefix),
        }
    }
}

#[derive(Debug, Clone)]
struct Capability {
    class: Arc<str>,
    /// `None` is every action.
    actions: Option<Vec<Arc<str>>>,
    constraints: Vec<Constraint>,
    at: Position,
}

#[derive(Debug, Clone)]
enum Constraint {
    /// A condition on a well-known argument: `url` for hosts, `path` for paths.
    On(&'static str, Condition),
    /// The first word of `command`, or its first element, is one of these.
    Commands(Vec<Box<str>>),
    /// `database` is one of these.
    Databases(Vec<Box<str>>),
}

impl Principals {
    /// Reads one item of `principals`.
    pub(super) fn read(&mut self, node: &Node, d: &mut Diagnostics) {
        let known = ["subject", "description", "capabilities"];
        let Some(fields) = Fields::open(node, "a principal", &known, &["owner", "roles", "budgets", "rates"], d) else {
            return;
        };
        if let Some(node) = fields.get("description") {
            text(node, "description", d);
        }
        let subject = fields.required("subject", d).and_then(|node| SubjectPattern::read(node, d));
        let items = fields.items("capabilities", CAPABILITIES_MAX, d);
        let capabilities: Vec<Capability> = items.iter().filter_map(|item| Capability::read(item, d)).collect();
        let before = match subject {
            Some(SubjectPattern::Exact(exact)) => self.exact.insert(exact, capabilities),
            Some(SubjectPattern::Prefix(prefix)) => {
                self.prefixes.entry(prefix.len()).or_default().insert(prefix, capabilities)
            }
            None => None,
        };
        if before.is_some() {
            d.error(
                node.at,
                BundleErrorKind::Duplicate,
                "this subject has a principal already, list its capabilities there",
            );
        }
    }

    fn of<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a Capability> {
        let prefixed = self.prefixes.iter().filter_map(|(length, group)| group.get(subject.get(..*length)?));
        self.exact.get(subject).into_iter().chain(prefixed).flatten()
    }

    /// Whether one capability of the subject covers the call; otherwise the code that says what is lacking.
    pub(super) fn check(&self, subject: &str, tool: &Tool, args: &Object) -> Result<(), ReasonCode> {
        let mut lacking = ReasonCode::CapabilityMissing;
        for capability in self.of(subject).filter(|capability| capability.covers_tool(tool)) {
            if capability.constraints.iter().all(|constraint| constraint.holds(args)) {
                return Ok(());
            }
            lacking = ReasonCode::CapabilityConstraint;
        }
        Err(lacking)
    }

    /// Every capability's place, class and constrained arguments, for lint.
    pub(super) fn lint_view(&self) -> impl Iterator<Item = CapabilityView<'_>> {
        let all = self.exact.values().chain(self.prefixes.values().flat_map(BTreeMap::values)).flatten();
        all.map(|capability| CapabilityView {
            at: capability.at,
            class: &capability.class,
            arguments: capability.constraints.iter().map(Constraint::argument).collect(),
            capability,
        })
    }
}

/// What lint needs to know of a capability.
pub(super) struct CapabilityView<'a> {
    pub(super) at: Position,
    pub(super) class: &'a str,
    pub(super) arguments: Vec<&'static str>,
    capability: &'a Capability,
}

impl CapabilityView<'_> {
    pub(super) fn covers(&self, tool: &Tool) -> bool {
        self.capability.covers_tool(tool)
    }
}

impl Capability {
    fn read(node: &Node, d: &mut Diagnostics) -> Option<Capability> {
        const LATER: [&str; 6] = ["lease_required", "lease", "standing", "rates", "budgets", "arguments"];
        let fields = Fields::open(node, "a capability", &["class", "actions", "constraints"], &LATER, d)?;
        let class = fields.required("class", d).and_then(|node| name(node, "a capability's class", d));
        let actions = fields.required("actions", d).map(|node| read_actions(node, d));
        let constraints = fields.get("constraints").map(|node| read_constraints(node, d)).unwrap_or_default();
        Some(Capability { class: class?, actions: actions?, constraints, at: node.at })
    }

    fn covers_tool(&self, tool: &Tool) -> bool {
        let covered = |action: &Arc<str>| self.actions.as_ref().is_none_or(|actions| actions.contains(action));
        self.class == tool.class && tool.actions.iter().all(covered)
    }
}

/// The listed actions; `None` when one of them is `*`.
fn read_actions(node: &Node, d: &mut Diagnostics) -> Option<Vec<Arc<str>>> {
    let items = one_or_many(node, "actions", ITEMS_MAX, d);
    let is_star = |item: &Node| item.scalar_value().is_some_and(|value| value.as_str() == Some("*"));
    if items.iter().any(is_star) {
        if items.len() > 1 {
            let message = "`*` covers every action, list it alone or not at all";
            d.error(node.at, BundleErrorKind::InvalidValue, message);
        }
        return None;
    }
    Some(names(node, "actions", ITEMS_MAX, d).into_iter().map(|(_, action)| action).collect())
}

fn read_constraints(node: &Node, d: &mut Diagnostics) -> Vec<Constraint> {
    let known = ["hosts", "paths", "commands", "databases"];
    let Some(fields) = Fields::open(node, "constraints", &known, &["rates", "budgets", "arguments"], d) else {
        return Vec::new();
    };
    let hosts = fields.get("hosts").and_then(|node| read_hosts(node, "hosts", d));
    let paths = fields.get("paths").and_then(|node| read_directories(node, "paths", d));
    let commands = fields.get("commands").map(|node| read_texts(node, "commands", d));
    let databases = fields.get("databases").map(|node| read_texts(node, "databases", d));
    let mut constraints = Vec::new();
    constraints.extend(hosts.map(|hosts| Constraint::On("url", Condition::HostIn(hosts))));
    constraints.extend(paths.map(|paths| Constraint::On("path", Condition::Within(paths))));
    constraints.extend(commands.map(Constraint::Commands));
    constraints.extend(databases.map(Constraint::Databases));
    constraints
}

fn read_texts(node: &Node, what: &str, d: &mut Diagnostics) -> Vec<Box<str>> {
    one_or_many(node, what, ITEMS_MAX, d).iter().filter_map(|item| text(item, what, d).map(Into::into)).collect()
}

impl Constraint {
    fn argument(&self) -> &'static str {
        match self {
            Constraint::On(argument, _) => argument,
            Constraint::Commands(_) => "command",
            Constraint::Databases(_) => "database",
        }
    }

    fn holds(&self, args: &Object) -> bool {
        let value = args.get(self.argument());
        let listed = |texts: &[Box<str>], text: &str| texts.iter().any(|t| **t == *text);
        match self {
            Constraint::On(_, condition) => condition.check(value, &HostMemo::default()) == Check::Holds,
            Constraint::Commands(commands) => value.and_then(command_word).is_some_and(|word| listed(commands, word)),
            Constraint::Databases(databases) => {
                value.and_then(Value::as_str).is_some_and(|database| listed(databases, database))
            }
        }
    }
}

/// The program a command runs: its first element, or its first word when a shell could not find a second program in it.
fn command_word(command: &Value) -> Option<&str> {
    match command {
        Value::Array(elements) => elements.first()?.as_str(),
        Value::String(text) => {
            let chains = |c: char| matches!(c, ';' | '|' | '&' | '`' | '<' | '>') || (c.is_control() && c != '\t');
            if text.contains(chains) || text.contains("$(") {
                return None;
            }
            text.split_ascii_whitespace().next()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_word_is_the_only_program() {
        let word = |text: &str| command_word(&Value::String(text.to_owned())).map(str::to_owned);
        assert_eq!(word("git log -1").as_deref(), Some("git"));
        assert_eq!(word("  ls\t-l").as_deref(), Some("ls"));
        for text in [
            "",
            " ",
            "git log; rm -rf /",
            "git log | sh",
            "git log && sh",
            "git `sh`",
            "git $(sh)",
            "git\nsh",
            "git > /etc/x",
        ] {
            assert_eq!(word(text), None, "{text:?}");
        }
        assert_eq!(word("X=1 git").as_deref(), Some("X=1"));
        let argv = Value::Array(vec![Value::String("git".into()), Value::String("a;b".into())]);
        assert_eq!(command_word(&argv), Some("git"));
        assert_eq!(command_word(&Value::Array(vec![])), None);
    }
}
