//! Behaviour rules: forbidden sequences of calls, and how often, deep and wide calls may come. Compiled to latches.
//!
//! A rule's state is one number, the steps that were seen in their order. Calls that match nothing leave it alone, so that no
//! amount of padding pushes a step out of sight. Steps match what a call *attempts*, allowed or not.

mod builtin;
mod matcher;

use std::sync::Arc;

use super::error::{BundleErrorKind, Diagnostics, nearest_hint};
use super::fields::{Fields, boolean, count, list, name, one_of, one_or_many};
use super::source::Node;
use crate::limits::{BEHAVIOUR_ID_BYTES_MAX, BEHAVIOUR_STEPS_MAX, LATCHES_MAX, PRINCIPAL_LATCH_PREFIX};

use matcher::Matcher;
pub use matcher::{Happening, What};

/// Most alternatives of one step.
const ALTERNATIVES_MAX: usize = 16;
/// What a limit may be at most.
const LIMIT_MAX: u64 = 1_000_000;

/// What happens when a sequence would be completed. The completing call is denied whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BehaviourAction {
    /// Nothing else.
    Deny,
    /// The run may only read from then on.
    Restrict,
    /// The run may only call quarantine-safe tools from then on.
    Quarantine,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Behaviour {
    id: Arc<str>,
    steps: Vec<Vec<Matcher>>,
    action: BehaviourAction,
    shadow: bool,
    across_runs: bool,
}

/// How often, deep and wide calls may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Denials after which a run may only read.
    pub strikes: u32,
    /// How often the same call may come, as long as no more than a few different ones come between.
    pub repeats: u32,
    /// How many runs and messages may lie between a person and a run.
    pub generation: u32,
    /// How many calls a call may be nested in; `None`: as many as there are.
    pub depth: Option<u32>,
    /// How many calls may come from one call; `None`: as many as there are.
    pub fan_out: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { strikes: 5, repeats: 50, generation: 8, depth: None, fan_out: None }
    }
}

/// Where a rule comes to with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// Steps seen from now on.
    pub position: u8,
    /// Whether the call completes the sequence.
    pub completes: bool,
}

impl Behaviour {
    /// The rule's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What completing it leads to.
    pub const fn action(&self) -> BehaviourAction {
        self.action
    }

    /// Whether it is only tried.
    pub const fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// Whether its steps may lie in different runs of one subject.
    pub const fn is_across_runs(&self) -> bool {
        self.across_runs
    }

    /// Whether one of its steps asks about denied capabilities: then requests for capabilities are steps of it too.
    pub fn is_about_capabilities(&self) -> bool {
        self.steps.iter().flatten().any(|matcher| matcher.capability_denied.is_some())
    }

    /// The name of its latch in the state: rules across runs have theirs apart.
    pub fn latch(&self) -> String {
        if self.across_runs { format!("{PRINCIPAL_LATCH_PREFIX}{}", self.id) } else { self.id.to_string() }
    }

    /// The steps in words, for the record of a quarantine.
    pub fn steps(&self) -> Vec<String> {
        let step = |step: &Vec<Matcher>| step.iter().map(Matcher::words).collect::<Vec<_>>().join(" or ");
        self.steps.iter().map(step).collect()
    }

    /// Takes a call in. One call is one step; conditions on taint are no steps of their own and hold as soon as they hold.
    pub fn advance(&self, position: u8, happening: &Happening<'_>) -> Advance {
        let mut at = usize::from(position).min(self.steps.len());
        let mut taken = false;
        while let Some(step) = self.steps.get(at) {
            let condition = step.iter().all(Matcher::is_condition);
            if (taken && !condition) || !step.iter().any(|matcher| matcher.holds(happening)) {
                break;
            }
            taken |= !condition;
            at += 1;
        }
        let completes = at == self.steps.len();
        // A completed rule stays one step before its end: the next attempt of the last step completes it again.
        let stored = if completes { at.saturating_sub(1) } else { at };
        Advance { position: u8::try_from(stored).unwrap_or(u8::MAX), completes }
    }
}

/// Reads the section `behaviour`.
pub(super) fn read(nodes: &[Node], d: &mut Diagnostics) -> Vec<Behaviour> {
    let rules: Vec<Behaviour> = nodes.iter().flat_map(|node| read_rule(node, d)).collect();
    if let Some(node) = nodes.first().filter(|_| rules.len() > LATCHES_MAX) {
        let message = format!("keep to {LATCHES_MAX} behaviour rules, built-in ones counted with all their parts");
        d.error(node.at, BundleErrorKind::TooLarge, message);
    }
    for (at, rule) in rules.iter().enumerate() {
        if rules.iter().take(at).any(|other| other.id == rule.id)
            && let Some(node) = nodes.first()
        {
            let message = format!("the behaviour rule `{}` is declared twice", rule.id);
            d.error_hint(node.at, BundleErrorKind::Duplicate, message, "give one of them another id");
        }
    }
    rules
}

fn read_rule(node: &Node, d: &mut Diagnostics) -> Vec<Behaviour> {
    const KNOWN: [&str; 6] = ["builtin", "id", "steps", "action", "shadow", "scope"];
    let Some(fields) = Fields::open(node, "a behaviour rule", &KNOWN, &[], d) else { return Vec::new() };
    let action = match fields.get("action").and_then(|node| one_of(node, "action", &ACTIONS, d)) {
        Some("deny") => BehaviourAction::Deny,
        Some("restrict") => BehaviourAction::Restrict,
        _ => BehaviourAction::Quarantine,
    };
    let shadow = fields.get("shadow").and_then(|node| boolean(node, "shadow", d)).unwrap_or(false);
    let scope = fields.get("scope").and_then(|node| one_of(node, "scope", &["run", "principal"], d));
    let across_runs = scope == Some("principal");
    let id = fields.get("id").map(|node| read_id(node, d));
    let parts = match (fields.get("builtin"), fields.get("steps")) {
        (Some(node), None) => {
            let Some(asked) = name(node, "builtin", d) else { return Vec::new() };
            let Some(parts) = builtin::rules(&asked) else {
                let hint = nearest_hint(&asked, builtin::NAMES);
                let hint = hint.unwrap_or_else(|| format!("use one of {}", builtin::NAMES.join(", ")));
                let message = format!("no behaviour rule `{asked}` is built in");
                d.error_hint(node.at, BundleErrorKind::UnknownName, message, &hint);
                return Vec::new();
            };
            let id = id.unwrap_or(Some(asked));
            parts.into_iter().map(|(part, steps)| (id.clone().map(|id| format!("{id}{part}")), steps)).collect()
        }
        (None, Some(node)) => {
            if id.is_none() {
                fields.missing("id", d);
            }
            vec![(id.flatten().map(|id| id.to_string()), read_steps(node, d))]
        }
        _ => {
            let message = "a behaviour rule is either built in or has steps";
            d.error_hint(node.at, BundleErrorKind::MissingKey, message, "give builtin, or id and steps");
            Vec::new()
        }
    };
    let rule =
        |(id, steps): (Option<String>, _)| Some(Behaviour { id: id?.into(), steps, action, shadow, across_runs });
    parts.into_iter().filter_map(rule).collect()
}

const ACTIONS: [&str; 3] = ["deny", "restrict", "quarantine"];

fn read_id(node: &Node, d: &mut Diagnostics) -> Option<Arc<str>> {
    let id = name(node, "a behaviour rule's id", d)?;
    if id.len() > BEHAVIOUR_ID_BYTES_MAX || id.starts_with(PRINCIPAL_LATCH_PREFIX) {
        let message = format!(
            "a behaviour rule's id has at most {BEHAVIOUR_ID_BYTES_MAX} bytes and no prefix {PRINCIPAL_LATCH_PREFIX}"
        );
        d.error(node.at, BundleErrorKind::InvalidValue, message);
        return None;
    }
    Some(id)
}

fn read_steps(node: &Node, d: &mut Diagnostics) -> Vec<Vec<Matcher>> {
    let items = list(node, "steps", BEHAVIOUR_STEPS_MAX, d);
    if items.is_empty() {
        d.error(node.at, BundleErrorKind::InvalidValue, "a behaviour rule needs at least one step");
    }
    let steps: Vec<Vec<Matcher>> = items.iter().map(|item| read_step(item, d)).collect();
    if !steps.is_empty() && steps.iter().flatten().all(Matcher::is_condition) {
        let message = "conditions on taint alone are completed by every call";
        d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "add a step that a call takes");
    }
    steps
}

/// One matcher, or a list of them of which one has to hold.
fn read_step(node: &Node, d: &mut Diagnostics) -> Vec<Matcher> {
    one_or_many(node, "a step", ALTERNATIVES_MAX, d).iter().filter_map(|item| Matcher::read(item, d)).collect()
}

/// Reads the section `limits`.
pub(super) fn read_limits(node: &Node, d: &mut Diagnostics) -> Limits {
    const KNOWN: [&str; 5] = ["strikes", "repeats", "generation", "depth", "fan_out"];
    let mut limits = Limits::default();
    let Some(fields) = Fields::open(node, "limits", &KNOWN, &[], d) else { return limits };
    let (mut depth, mut fan_out) = (0, 0);
    let places = [
        ("strikes", &mut limits.strikes),
        ("repeats", &mut limits.repeats),
        ("generation", &mut limits.generation),
        ("depth", &mut depth),
        ("fan_out", &mut fan_out),
    ];
    for (key, place) in places {
        let Some(node) = fields.get(key) else { continue };
        match count(node, key, LIMIT_MAX, d).map(u32::try_from) {
            Some(Ok(limit)) if limit > 0 => *place = limit,
            Some(_) => d.error(node.at, BundleErrorKind::InvalidValue, format!("`{key}` must be at least 1")),
            None => {}
        }
    }
    // Zero is refused above: it stands for what is not said.
    let said = |limit: u32| Some(limit).filter(|limit| *limit > 0);
    Limits { depth: said(depth), fan_out: said(fan_out), ..limits }
}
