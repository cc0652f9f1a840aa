//! Constraints of capabilities and leases: conditions on well-known arguments, and on any argument by name.

use super::condition::{Check, Condition, Scratch, read_directories, read_hosts};
use super::contract::{Test, read_condition};
use super::error::{BundleError, BundleErrorKind, Diagnostics, Position};
use super::fields::{Fields, list, one_or_many, text};
use super::pattern::Patterns;
use super::source::{Key, Node, NodeKind};
use super::work::Work;
use crate::value::{Object, Value, parse_object};

/// Most hosts, paths, commands, databases or arguments of one set of constraints.
const ITEMS_MAX: usize = 4_096;

/// Most different patterns of one lease's constraints.
const LEASE_PATTERNS_MAX: usize = 4;
/// Units that compiling one of them takes.
const LEASE_PATTERN_UNITS: usize = 16 << 10;
/// Units that reading one byte of a lease's constraints costs.
const READ_UNITS_PER_BYTE: usize = 8;

/// Constraints that must all hold. None at all restricts nothing.
#[derive(Debug, Clone, Default)]
pub struct Constraints(Vec<Constraint>);

#[derive(Debug, Clone)]
enum Constraint {
    /// A condition on a well-known argument: `url` for hosts, `path` for paths.
    On(&'static str, Condition),
    /// The first word of `command`, or its first element, is one of these.
    Commands(Vec<Box<str>>),
    /// `database` is one of these.
    Databases(Vec<Box<str>>),
    /// A condition on any argument.
    Argument(Test),
}

impl Constraints {
    /// Whether a call with these arguments lies within all constraints. A missing or odd argument does not.
    pub fn hold(&self, args: &Object, work: &Work) -> bool {
        self.hold_within(args, &Scratch::new(work))
    }

    /// Whether they hold, with what this evaluation keeps for itself.
    pub(super) fn hold_within<'a>(&self, args: &'a Object, memo: &Scratch<'a>) -> bool {
        self.0.iter().all(|constraint| constraint.holds(args, memo))
    }

    /// Reads a JSON object with `hosts`, `paths`, `commands`, `databases` and `arguments`, as a capability's `constraints` has
    /// them, from a lease's own bytes. What holds under a capability and such constraints holds under both. The errors name
    /// no useful place: their line and column are 1.
    ///
    /// They are read again for each call that the lease is asked about, which takes from `work` what reading them and compiling their
    /// patterns does. What is not paid for is neither read nor compiled, and is an error.
    pub fn read_json(json: &[u8], work: &Work) -> Result<Constraints, Vec<BundleError>> {
        let mut d = Diagnostics::default();
        let at = Position { line: 1, column: 1 };
        if !work.spend_pattern(json.len().saturating_mul(READ_UNITS_PER_BYTE)) {
            d.error(at, BundleErrorKind::TooLarge, "reading the constraints is not paid for".to_owned());
            return Err(d.errors);
        }
        match parse_object(json) {
            Ok(object) => {
                let paid_for = work.pattern_units() / LEASE_PATTERN_UNITS;
                let mut patterns = Patterns::few(paid_for.min(LEASE_PATTERNS_MAX));
                let constraints = Constraints::read(&node(&Value::Object(object), at), true, &mut patterns, &mut d);
                let units = patterns.tried().saturating_mul(LEASE_PATTERN_UNITS);
                // One pattern more than was paid for was not compiled: nothing that follows is either.
                let unpaid = paid_for < LEASE_PATTERNS_MAX && !d.errors.is_empty();
                let _ = work.spend_pattern(if unpaid { usize::MAX } else { units });
                if d.errors.is_empty() { Ok(constraints) } else { Err(d.errors) }
            }
            Err(error) => {
                d.error(at, BundleErrorKind::Syntax, error.to_string());
                Err(d.errors)
            }
        }
    }

    /// The arguments that are constrained, for lint.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Constraint::argument)
    }

    /// Reads the mapping under `constraints`.
    pub(super) fn read(node: &Node, in_lease: bool, patterns: &mut Patterns, d: &mut Diagnostics) -> Constraints {
        const KNOWN: [&str; 11] = [
            "hosts",
            "allowedHosts",
            "paths",
            "allowedPaths",
            "commands",
            "allowedCommands",
            "databases",
            "allowedDatabases",
            "arguments",
            "maxCallsPerMinute",
            "max_calls_per_minute",
        ];
        // A bundle's rates are read where the budgets are; a lease counts its calls itself.
        let later: &[&str] = if in_lease { &["maxCallsPerMinute", "max_calls_per_minute"] } else { &[] };
        let Some(fields) = Fields::open(node, "constraints", &KNOWN, later, d) else { return Constraints::default() };
        let hosts = fields.any(&["hosts", "allowedHosts"], d).and_then(|node| read_hosts(node, "hosts", d));
        let paths = fields.any(&["paths", "allowedPaths"], d).and_then(|node| read_directories(node, "paths", d));
        let commands = fields.any(&["commands", "allowedCommands"], d).map(|node| read_texts(node, "commands", d));
        let databases = fields.any(&["databases", "allowedDatabases"], d).map(|node| read_texts(node, "databases", d));
        let mut constraints = Vec::new();
        constraints.extend(hosts.map(|hosts| Constraint::On("url", Condition::HostIn(hosts))));
        constraints.extend(paths.map(|paths| Constraint::On("path", Condition::Within(paths))));
        constraints.extend(commands.map(Constraint::Commands));
        constraints.extend(databases.map(Constraint::Databases));
        for item in fields.get("arguments").map_or(&[][..], |node| list(node, "arguments", ITEMS_MAX, d)) {
            let Some(fields) = Fields::open(item, "a constraint on an argument", &["argument", "op", "value"], &[], d)
            else {
                continue;
            };
            constraints.extend(read_condition(&fields, patterns, d).map(Constraint::Argument));
        }
        Constraints(constraints)
    }
}

/// A JSON value as the bundle's reader sees it.
fn node(value: &Value, at: Position) -> Node {
    let scalar = |text: &str, plain| NodeKind::Scalar { text: text.to_owned(), plain };
    let kind = match value {
        Value::Null => scalar("null", true),
        Value::Bool(true) => scalar("true", true),
        Value::Bool(false) => scalar("false", true),
        Value::Number(number) => scalar(&number.text(), true),
        Value::String(text) => scalar(text, false),
        Value::Array(elements) => NodeKind::List(elements.iter().map(|element| node(element, at)).collect()),
        Value::Object(object) => {
            let member = |(name, value): (&str, &Value)| (Key { at, text: name.to_owned() }, node(value, at));
            NodeKind::Map(object.iter().map(member).collect())
        }
    };
    Node { at, kind }
}

fn read_texts(node: &Node, what: &str, d: &mut Diagnostics) -> Vec<Box<str>> {
    one_or_many(node, what, ITEMS_MAX, d).iter().filter_map(|item| text(item, what, d).map(Into::into)).collect()
}

impl Constraint {
    fn argument(&self) -> &str {
        match self {
            Constraint::On(argument, _) => argument,
            Constraint::Commands(_) => "command",
            Constraint::Databases(_) => "database",
            Constraint::Argument(test) => test.selector().map_or("", |selector| selector.argument()),
        }
    }

    fn holds<'a>(&self, args: &'a Object, memo: &Scratch<'a>) -> bool {
        let listed = |texts: &[Box<str>], text: &str| texts.iter().any(|t| **t == *text);
        match self {
            Constraint::On(name, condition) => condition.check(args.get(name), memo) == Check::Holds,
            Constraint::Commands(commands) => {
                args.get("command").and_then(command_word).is_some_and(|word| listed(commands, word))
            }
            Constraint::Databases(databases) => {
                args.get("database").and_then(Value::as_str).is_some_and(|database| listed(databases, database))
            }
            Constraint::Argument(Test::On(selector, condition)) => {
                condition.check(selector.find(args), memo) == Check::Holds
            }
            // Only conditions on one call are read here.
            Constraint::Argument(Test::Across(_)) => false,
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
    fn what_is_not_paid_for_is_not_compiled_and_what_is_wrong_is_no_matter_of_payment() {
        let pattern = |n: usize| format!(r#"{{"argument":"s","op":"matches","value":"a{{{n}}}"}}"#);
        let json = |patterns: usize| {
            format!(r#"{{"arguments":[{}]}}"#, (0..patterns).map(pattern).collect::<Vec<_>>().join(","))
        };
        let read = |left: usize, patterns: usize| {
            let work = Work::default();
            let read = json(patterns).len() * READ_UNITS_PER_BYTE;
            assert!(work.spend_pattern(work.pattern_units() - left - read));
            (Constraints::read_json(json(patterns).as_bytes(), &work).is_ok(), work.is_exhausted())
        };
        assert_eq!(read(LEASE_PATTERN_UNITS - 1, 1), (false, true), "less than one costs");
        assert_eq!(read(LEASE_PATTERN_UNITS, 1), (true, false));
        assert_eq!(read(4 * LEASE_PATTERN_UNITS - 1, 4), (false, true));
        assert_eq!(read(4 * LEASE_PATTERN_UNITS, 4), (true, false));
        assert_eq!(
            read(4 * LEASE_PATTERN_UNITS, 5),
            (false, false),
            "more than a lease may have, however much is left"
        );
    }

    #[test]
    fn reading_is_paid_for_byte_by_byte() {
        let json = format!(r#"{{"commands":["{}"]}}"#, "x".repeat(1_000));
        let work = Work::default();
        let before = work.pattern_units();
        assert!(Constraints::read_json(json.as_bytes(), &work).is_ok());
        assert_eq!(before - work.pattern_units(), 8 * json.len());
        let read = (0..1_000).take_while(|_| Constraints::read_json(json.as_bytes(), &work).is_ok()).count();
        assert!(read < 40 && work.is_exhausted(), "{read}");
    }

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
