//! Principals and their capabilities. One capability must cover the whole call; nothing is granted by default.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::condition::Scratch;
use super::constraint::Constraints;
use super::error::{BundleErrorKind, Diagnostics, Position};
use super::fields::{Fields, boolean, count, name, names, one_or_many, text};
use super::limits::{CAPABILITIES_MAX, LEASE_CALLS_MAX, LEASE_SECONDS_MAX, NAME_BYTES_MAX};
use super::pattern::Patterns;
use super::source::Node;
use super::tool::Tool;
use super::work::Work;
use crate::reason::ReasonCode;
use crate::value::Object;

/// Most actions of one capability, and most roles of one principal.
const ITEMS_MAX: usize = 4_096;

/// Who holds which capabilities: subjects by exact text, and by prefix.
#[derive(Debug, Clone, Default)]
pub(super) struct Principals {
    exact: BTreeMap<Box<str>, Principal>,
    /// Prefixes grouped by their length in bytes, so that a subject is looked up once per distinct length.
    prefixes: BTreeMap<usize, BTreeMap<Box<str>, Principal>>,
}

/// What the bundle says about the subjects of one pattern.
#[derive(Debug, Clone)]
struct Principal {
    pattern: SubjectPattern,
    owner: Option<Arc<str>>,
    roles: Vec<Arc<str>>,
    capabilities: Vec<Capability>,
}

/// A subject as rules and principals name it: exact, or everything that begins with a text (`agent-*`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SubjectPattern {
    Exact(Box<str>),
    Prefix(Box<str>),
}

impl core::fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            SubjectPattern::Exact(exact) => f.write_str(exact),
            SubjectPattern::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
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

    /// The pattern as it is written.
    pub(super) fn written(&self) -> String {
        match self {
            SubjectPattern::Exact(exact) => exact.to_string(),
            SubjectPattern::Prefix(prefix) => format!("{prefix}*"),
        }
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
    constraints: Constraints,
    /// What a lease of it may give at most; `None` when the capability stands without one.
    lease: Option<LeaseTerms>,
    at: Position,
}

/// What a lease of a capability may give at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerms {
    /// Calls.
    pub calls_max: u64,
    /// Seconds from the grant on.
    pub seconds_max: u64,
}

impl LeaseTerms {
    /// Calls of a lease when the bundle does not say.
    pub const CALLS_DEFAULT: u64 = 100;
    /// Seconds of a lease when the bundle does not say.
    pub const SECONDS_DEFAULT: u64 = 3_600;
}

/// One capability of a subject.
#[derive(Debug, Clone, Copy)]
pub struct CapabilityView<'a> {
    principal: &'a Principal,
    position: usize,
    capability: &'a Capability,
}

impl<'a> CapabilityView<'a> {
    /// A name that is the capability's own within the bundle: its principal's subject pattern and its place there.
    pub fn id(&self) -> String {
        format!("{}#{}", self.principal.pattern, self.position)
    }

    /// The class of tools.
    pub fn class(&self) -> &'a str {
        &self.capability.class
    }

    /// The actions; `None` is every action.
    pub fn actions(&self) -> Option<impl Iterator<Item = &'a str>> {
        self.capability.actions.as_ref().map(|actions| actions.iter().map(|action| &**action))
    }

    /// The constraints on arguments.
    pub const fn constraints(&self) -> &'a Constraints {
        &self.capability.constraints
    }

    /// What a lease may give at most; `None` when the capability stands without one.
    pub const fn lease(&self) -> Option<LeaseTerms> {
        self.capability.lease
    }

    /// Whether the capability is about this tool, whatever the arguments.
    pub fn covers(&self, tool: &Tool) -> bool {
        self.capability.covers_tool(tool)
    }

    pub(super) const fn at(&self) -> Position {
        self.capability.at
    }
}

impl Principals {
    /// Reads one item of `principals`.
    pub(super) fn read(&mut self, node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) {
        let known = ["subject", "description", "owner", "roles", "capabilities"];
        let Some(fields) = Fields::open(node, "a principal", &known, &["budgets", "rates"], d) else {
            return;
        };
        if let Some(node) = fields.get("description") {
            text(node, "description", d);
        }
        let pattern = fields.required("subject", d).and_then(|node| SubjectPattern::read(node, d));
        let owner = fields.get("owner").and_then(|node| name(node, "owner", d));
        let mut roles: Vec<Arc<str>> = match fields.get("roles") {
            Some(node) => names(node, "roles", ITEMS_MAX, d).into_iter().map(|(_, role)| role).collect(),
            None => Vec::new(),
        };
        roles.sort();
        roles.dedup();
        let items = fields.items("capabilities", CAPABILITIES_MAX, d);
        let capabilities = items.iter().filter_map(|item| Capability::read(item, patterns, d)).collect();
        let Some(pattern) = pattern else { return };
        let principal = Principal { pattern: pattern.clone(), owner, roles, capabilities };
        let before = match pattern {
            SubjectPattern::Exact(exact) => self.exact.insert(exact, principal),
            SubjectPattern::Prefix(prefix) => self.prefixes.entry(prefix.len()).or_default().insert(prefix, principal),
        };
        if before.is_some() {
            d.error(
                node.at,
                BundleErrorKind::Duplicate,
                "this subject has a principal already, list its capabilities there",
            );
        }
    }

    /// What is said about a subject: by its own name first, then by its prefixes, the longest first.
    fn of<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a Principal> {
        let prefixed = self.prefixes.iter().rev().filter_map(|(length, group)| group.get(subject.get(..*length)?));
        self.exact.get(subject).into_iter().chain(prefixed)
    }

    /// The capabilities of a subject: of its own name first, then of its prefixes, the longest first.
    pub(super) fn capabilities<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = CapabilityView<'a>> {
        self.of(subject).flat_map(Principal::views)
    }

    /// The capability that covers the call: one that stands before one that needs a lease. Otherwise what is lacking.
    pub(super) fn covering<'a>(
        &'a self,
        subject: &'a str,
        tool: &Tool,
        args: &Object,
        work: &Work,
    ) -> Result<CapabilityView<'a>, ReasonCode> {
        let mut lacking = ReasonCode::CapabilityMissing;
        let mut leased = None;
        let memo = Scratch::new(work);
        for view in self.capabilities(subject).filter(|view| view.covers(tool)) {
            lacking = ReasonCode::CapabilityConstraint;
            if view.constraints().hold_within(args, &memo) {
                if view.lease().is_none() {
                    return Ok(view);
                }
                leased = leased.or(Some(view));
            }
        }
        leased.ok_or(lacking)
    }

    /// Whether one capability of the subject covers the call; one that needs a lease does only when there is one.
    pub(super) fn check(
        &self,
        subject: &str,
        (tool, args): (&Tool, &Object),
        leased: bool,
        work: &Work,
    ) -> Result<(), ReasonCode> {
        match self.covering(subject, tool, args, work)?.lease() {
            Some(_) if !leased => Err(ReasonCode::LeaseRequired),
            _ => Ok(()),
        }
    }

    /// The subject's owner: as its own name says, else as its longest prefix that names one says.
    pub(super) fn owner<'a>(&'a self, subject: &'a str) -> Option<&'a str> {
        self.of(subject).find_map(|principal| principal.owner.as_deref())
    }

    /// The subject's roles by its own name and by all its prefixes.
    pub(super) fn roles<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a str> {
        self.of(subject).flat_map(|principal| principal.roles.iter().map(|role| &**role))
    }

    /// Every capability there is, for lint and for comparing bundles.
    pub(super) fn all(&self) -> impl Iterator<Item = CapabilityView<'_>> {
        self.exact.values().chain(self.prefixes.values().flat_map(BTreeMap::values)).flat_map(Principal::views)
    }
}

impl Principal {
    fn views(&self) -> impl Iterator<Item = CapabilityView<'_>> {
        let view = |(position, capability)| CapabilityView { principal: self, position, capability };
        self.capabilities.iter().enumerate().map(view)
    }
}

impl Capability {
    fn read(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Capability> {
        const KNOWN: [&str; 7] =
            ["class", "toolClass", "actions", "constraints", "standing", "lease", "lease_required"];
        let fields = Fields::open(node, "a capability", &KNOWN, &["rates", "budgets"], d)?;
        let class = fields.any(&["class", "toolClass"], d);
        if class.is_none() {
            fields.missing("class", d);
        }
        let class = class.and_then(|node| name(node, "a capability's class", d));
        let actions = fields.required("actions", d).map(|node| read_actions(node, d));
        let constraints = fields.get("constraints").map(|node| Constraints::read(node, false, patterns, d));
        let lease = read_lease(&fields, d);
        let constraints = constraints.unwrap_or_default();
        Some(Capability { class: class?, actions: actions?, constraints, lease: lease?, at: node.at })
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

/// Whether the capability needs a lease, and on which terms. `None` when an error was reported.
#[expect(clippy::option_option, reason = "an error is not the same as a capability without a lease")]
fn read_lease(fields: &Fields<'_>, d: &mut Diagnostics) -> Option<Option<LeaseTerms>> {
    let flag = |key: &str, d: &mut Diagnostics| match fields.get(key) {
        Some(node) => boolean(node, key, d).map(Some),
        None => Some(None),
    };
    let (standing, required) = (flag("standing", d)?, flag("lease_required", d)?);
    let terms = match fields.get("lease") {
        Some(node) => read_terms(node, d)?,
        None => None,
    };
    let defaults = LeaseTerms { calls_max: LeaseTerms::CALLS_DEFAULT, seconds_max: LeaseTerms::SECONDS_DEFAULT };
    let needs = terms.is_some() || required == Some(true);
    if standing == Some(needs) || (terms.is_some() && required == Some(false)) {
        let message = "a capability either stands or needs a lease";
        d.error_hint(
            fields.at,
            BundleErrorKind::InvalidValue,
            message,
            "write standing: true, or lease: {required: true}",
        );
        return None;
    }
    Some(needs.then(|| terms.unwrap_or(defaults)))
}

/// `{required, calls_max, seconds_max}`.
#[expect(clippy::option_option, reason = "an error is not the same as a lease that is not required")]
fn read_terms(node: &Node, d: &mut Diagnostics) -> Option<Option<LeaseTerms>> {
    let fields = Fields::open(node, "lease", &["required", "calls_max", "seconds_max"], &[], d)?;
    let required = fields.get("required").map_or(Some(true), |node| boolean(node, "required", d));
    let at_most = |key: &str, default: u64, max: u64, d: &mut Diagnostics| match fields.get(key) {
        Some(node) => count(node, key, max, d),
        None => Some(default),
    };
    let calls_max = at_most("calls_max", LeaseTerms::CALLS_DEFAULT, LEASE_CALLS_MAX, d);
    let seconds_max = at_most("seconds_max", LeaseTerms::SECONDS_DEFAULT, LEASE_SECONDS_MAX, d);
    let terms = LeaseTerms { calls_max: calls_max?, seconds_max: seconds_max? };
    Some(required?.then_some(terms))
}
