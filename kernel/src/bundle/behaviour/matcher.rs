//! What one step of a behaviour rule asks of a call.

use std::sync::Arc;

use crate::bundle::error::{BundleErrorKind, Diagnostics, Position};
use crate::bundle::facts::TaintSources;
use crate::bundle::fields::{Fields, boolean, count, names, one_of, one_or_many};
use crate::bundle::sensitivity::Sensitivity;
use crate::bundle::source::Node;
use crate::bundle::tool::Tool;
use crate::state::keys::ALL_ACTIONS;
use crate::taint::TaintSource;

/// Most names in one list.
const NAMES_MAX: usize = 64;

/// What happens: a call, or something else that a run does.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// A call of this tool.
    Call(&'a Tool),
    /// A request for a capability, or for passing one on.
    Request {
        /// The class of tools.
        class: &'a str,
        /// The actions; `*` stands for every one.
        actions: &'a [String],
    },
    /// An access to memory: class `memory`, with the operation's name as its action.
    Memory {
        /// The operation.
        action: &'static str,
        /// Whether it only reads.
        reads: bool,
    },
}

impl What<'_> {
    fn class(&self) -> &str {
        match self {
            What::Call(tool) => tool.class(),
            What::Request { class, .. } => class,
            What::Memory { .. } => "memory",
        }
    }

    /// Its name as a tool; nothing else has one.
    fn tool(&self) -> Option<&str> {
        if let What::Call(tool) = self { Some(tool.name()) } else { None }
    }

    fn has_one_of(&self, asked: &[Arc<str>]) -> bool {
        let named = |action: &str| asked.iter().any(|name| **name == *action);
        match self {
            What::Call(tool) => tool.actions().any(named),
            What::Request { actions, .. } => actions.iter().any(|action| action == ALL_ACTIONS || named(action)),
            What::Memory { action, .. } => named(action),
        }
    }

    const fn category(&self) -> Option<&'static str> {
        match self {
            What::Call(tool) => tool.category(),
            What::Request { .. } => None,
            What::Memory { reads, .. } => Some(if *reads { "read" } else { "reversible_write" }),
        }
    }

    fn is_egress(&self) -> bool {
        matches!(self, What::Call(tool) if tool.is_egress())
    }
}

/// What a run is about to do as behaviour rules see it, before it has happened.
#[derive(Debug, Clone, Copy)]
pub struct Happening<'a> {
    /// What it is.
    pub what: What<'a>,
    /// Sources of the run and of the call's own arguments.
    pub taint: TaintSources,
    /// How sensitive what it touches is.
    pub sensitivity: Sensitivity,
    /// Whether it was denied for want of a capability.
    pub capability_denied: bool,
    /// Characters of the longest text among the arguments.
    pub longest_argument: u64,
}

impl Happening<'_> {
    /// Whether it attempts to read something sensitive: whatever does not say that it writes.
    pub fn is_sensitive_read(&self) -> bool {
        self.sensitivity.is_sensitive() && matches!(self.what.category(), None | Some("read"))
    }

    /// Whether it touches a secret.
    pub fn is_secret_access(&self) -> bool {
        self.sensitivity == Sensitivity::Secret
    }
}

/// Conditions that all hold. Those that are absent do not ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Matcher {
    pub(super) taint: Option<TaintSources>,
    pub(super) classes: Option<Vec<Arc<str>>>,
    pub(super) actions: Option<Vec<Arc<str>>>,
    pub(super) tools: Option<Vec<Arc<str>>>,
    pub(super) categories: Option<Vec<&'static str>>,
    pub(super) sensitive_read: Option<bool>,
    pub(super) secret_access: Option<bool>,
    pub(super) egress: Option<bool>,
    pub(super) capability_denied: Option<bool>,
    pub(super) longer_than: Option<u64>,
}

impl Matcher {
    /// Whether it asks about taint only, which is a state and not something that a call does.
    pub(super) fn is_condition(&self) -> bool {
        self.taint.is_some() && *self == Matcher { taint: self.taint, ..Matcher::default() }
    }

    pub(super) fn holds(&self, happening: &Happening<'_>) -> bool {
        let what = &happening.what;
        let listed = |names: &Option<Vec<Arc<str>>>, name: &str| {
            names.as_ref().is_none_or(|names| names.iter().any(|known| **known == *name))
        };
        let is = |asked: Option<bool>, found: bool| asked.is_none_or(|asked| asked == found);
        self.taint.is_none_or(|sources| sources.meets(happening.taint))
            && listed(&self.classes, what.class())
            && self.actions.as_ref().is_none_or(|asked| what.has_one_of(asked))
            && (self.tools.is_none() || what.tool().is_some_and(|name| listed(&self.tools, name)))
            && self.categories.as_ref().is_none_or(|asked| what.category().is_some_and(|of| asked.contains(&of)))
            && is(self.sensitive_read, happening.is_sensitive_read())
            && is(self.secret_access, happening.is_secret_access())
            && is(self.egress, what.is_egress())
            && is(self.capability_denied, happening.capability_denied)
            && self.longer_than.is_none_or(|length| happening.longest_argument > length)
    }

    /// The matcher in words that may stand in a leaf: they come from the bundle alone.
    pub(super) fn words(&self) -> String {
        let mut words = Vec::new();
        let list = |names: &[Arc<str>]| names.join("|");
        words.extend(self.taint.map(|sources| {
            let names: Vec<_> = sources.iter().map(TaintSource::name).collect();
            format!("taint:{}", names.join("|"))
        }));
        words.extend(self.classes.as_deref().map(|names| format!("class:{}", list(names))));
        words.extend(self.actions.as_deref().map(|names| format!("action:{}", list(names))));
        words.extend(self.tools.as_deref().map(|names| format!("tool:{}", list(names))));
        words.extend(self.categories.as_ref().map(|names| format!("category:{}", names.join("|"))));
        let flags = [
            ("sensitive_read", self.sensitive_read),
            ("secret_access", self.secret_access),
            ("egress", self.egress),
            ("capability_denied", self.capability_denied),
        ];
        words.extend(flags.into_iter().filter_map(|(name, flag)| Some(format!("{name}:{}", flag?))));
        words.extend(self.longer_than.map(|length| format!("argument_longer_than:{length}")));
        words.join(" ")
    }

    pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<Matcher> {
        const KNOWN: [&str; 10] = [
            "taint",
            "class",
            "action",
            "tool",
            "category",
            "sensitive_read",
            "secret_access",
            "egress",
            "capability_denied",
            "argument_longer_than",
        ];
        let fields = Fields::open(node, "a step", &KNOWN, &[], d)?;
        let bare = |names: Vec<(Position, Arc<str>)>| names.into_iter().map(|(_, name)| name).collect();
        let flag = |key: &str, d: &mut Diagnostics| fields.get(key).and_then(|node| boolean(node, key, d));
        let matcher = Matcher {
            taint: fields.get("taint").map(|node| read_sources(node, d)),
            classes: fields.get("class").map(|node| bare(names(node, "class", NAMES_MAX, d))),
            actions: fields.get("action").map(|node| bare(names(node, "action", NAMES_MAX, d))),
            tools: fields.get("tool").map(|node| bare(names(node, "tool", NAMES_MAX, d))),
            categories: fields.get("category").map(|node| {
                let items = one_or_many(node, "category", NAMES_MAX, d);
                items.iter().filter_map(|item| one_of(item, "category", &CATEGORIES, d)).collect()
            }),
            sensitive_read: flag("sensitive_read", d),
            secret_access: flag("secret_access", d),
            egress: flag("egress", d),
            capability_denied: flag("capability_denied", d),
            longer_than: fields
                .get("argument_longer_than")
                .and_then(|node| count(node, "argument_longer_than", u64::from(u32::MAX), d)),
        };
        if matcher == Matcher::default() {
            let message = "a step that asks nothing is taken by every call";
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "say what the call is");
            return None;
        }
        Some(matcher)
    }
}

const CATEGORIES: [&str; 4] = ["read", "reversible_write", "irreversible_write", "external_effect"];

fn read_sources(node: &Node, d: &mut Diagnostics) -> TaintSources {
    let known = TaintSources::all_names();
    let items = one_or_many(node, "taint", known.len(), d);
    let source = |item: &Node| one_of(item, "taint source", &known, d).and_then(TaintSource::from_name);
    items.iter().filter_map(source).collect()
}
