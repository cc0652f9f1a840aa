//! Sections `leases` and `approvals`: on which terms capabilities are lent and passed on, and people are asked. What a bundle does not
//! say is as it is built in.

use std::sync::Arc;

use super::capability::LeaseTerms;
use super::error::{BundleErrorKind, Diagnostics};
use super::fields::{Fields, count, list, name, one_of};
use super::limits::{APPROVAL_SECONDS_MAX, LEASE_CALLS_MAX, LEASE_SECONDS_MAX};
use super::outcome::ApprovalNeed;
use super::rules::Rule;
use super::source::{Node, NodeKind};
use crate::limits::{APPROVED_TOKEN_MICROS, CHAIN_MAX};

/// Most classes that a bundle can call risky.
const CLASSES_MAX: usize = 64;
/// Longest time in which an approved call can be redeemed, in seconds. A longer one would hold up what others get back.
const TOKEN_SECONDS_MAX: u64 = APPROVED_TOKEN_MICROS / 1_000_000;

/// What a person can tie an agreement to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionKind {
    /// `max_ARGUMENT:NUMBER`.
    Max,
    /// `must_use_ARGUMENT:VALUE`.
    MustUse,
    /// `expires_in_seconds:N`.
    ExpiresIn,
    /// `audience:NAME`.
    Audience,
}

impl ConditionKind {
    /// Every kind.
    pub const ALL: [ConditionKind; 4] =
        [ConditionKind::Max, ConditionKind::MustUse, ConditionKind::ExpiresIn, ConditionKind::Audience];

    /// The name in bundles.
    pub const fn name(self) -> &'static str {
        match self {
            ConditionKind::Max => "max",
            ConditionKind::MustUse => "must_use",
            ConditionKind::ExpiresIn => "expires_in_seconds",
            ConditionKind::Audience => "audience",
        }
    }

    /// The kind of a condition's name, such as `max_amount`.
    pub fn of(condition: &str) -> Option<ConditionKind> {
        match condition {
            "expires_in_seconds" => Some(ConditionKind::ExpiresIn),
            "audience" => Some(ConditionKind::Audience),
            name if name.starts_with("max_") => Some(ConditionKind::Max),
            name if name.starts_with("must_use_") => Some(ConditionKind::MustUse),
            _ => None,
        }
    }
}

/// On which terms capabilities are lent and passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSettings {
    /// Classes whose tools, where they do more than read, are not lent to a run that strangers have touched.
    risky_classes: Vec<Arc<str>>,
    /// How many subjects may lie between an origin and who acts on its behalf.
    delegation_depth: usize,
    /// The most that any lease gives, whatever its capability says.
    most: LeaseTerms,
}

impl Default for LeaseSettings {
    fn default() -> LeaseSettings {
        LeaseSettings {
            risky_classes: ["shell", "database", "file"].map(Arc::from).to_vec(),
            delegation_depth: CHAIN_MAX,
            most: LeaseTerms { calls_max: LEASE_CALLS_MAX, seconds_max: LEASE_SECONDS_MAX },
        }
    }
}

impl LeaseSettings {
    /// Whether a class is too risky for a run that strangers have touched.
    pub fn is_risky(&self, class: &str) -> bool {
        self.risky_classes.iter().any(|risky| **risky == *class)
    }

    /// How long a chain of delegations may be.
    pub const fn delegation_depth(&self) -> usize {
        self.delegation_depth
    }

    /// What a lease of a capability gives at most.
    pub fn within(&self, terms: LeaseTerms) -> LeaseTerms {
        LeaseTerms {
            calls_max: terms.calls_max.min(self.most.calls_max),
            seconds_max: terms.seconds_max.min(self.most.seconds_max),
        }
    }

    /// Reads the section.
    pub(super) fn read(node: &Node, d: &mut Diagnostics) -> LeaseSettings {
        const KNOWN: [&str; 4] = ["risky_classes", "delegation_depth", "calls_max", "seconds_max"];
        let mut settings = LeaseSettings::default();
        let Some(fields) = Fields::open(node, "leases", &KNOWN, &[], d) else { return settings };
        if let Some(node) = fields.get("risky_classes") {
            let items = list(node, "risky_classes", CLASSES_MAX, d);
            settings.risky_classes = items.iter().filter_map(|item| name(item, "a class", d)).collect();
        }
        if let Some(node) = fields.get("delegation_depth") {
            let depth = count(node, "delegation_depth", CHAIN_MAX as u64, d).and_then(|n| usize::try_from(n).ok());
            settings.delegation_depth = depth.unwrap_or(settings.delegation_depth);
        }
        let most = &mut settings.most;
        for (key, place, max) in [
            ("calls_max", &mut most.calls_max, LEASE_CALLS_MAX),
            ("seconds_max", &mut most.seconds_max, LEASE_SECONDS_MAX),
        ] {
            *place = fields.get(key).and_then(|node| positive(node, key, max, d)).unwrap_or(*place);
        }
        settings
    }
}

/// On which terms people are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalSettings {
    conditions: Vec<ConditionKind>,
    expires_seconds: u32,
    expires_seconds_max: u32,
    token_seconds: u64,
}

impl Default for ApprovalSettings {
    fn default() -> ApprovalSettings {
        ApprovalSettings {
            conditions: ConditionKind::ALL.to_vec(),
            expires_seconds: ApprovalNeed::EXPIRES_SECONDS_DEFAULT,
            expires_seconds_max: u32::try_from(APPROVAL_SECONDS_MAX).unwrap_or(u32::MAX),
            token_seconds: TOKEN_SECONDS_MAX,
        }
    }
}

impl ApprovalSettings {
    /// Whether people may tie their agreement to this condition.
    pub fn admits(&self, condition: &str) -> bool {
        ConditionKind::of(condition).is_none_or(|kind| self.conditions.contains(&kind))
    }

    /// For how long an approval waits that asked for so much, in seconds.
    pub fn waits_seconds(&self, asked: u32) -> u32 {
        asked.min(self.expires_seconds_max)
    }

    /// For how long an approved call can be redeemed, in microseconds.
    pub const fn token_micros(&self) -> u64 {
        self.token_seconds * 1_000_000
    }

    /// Reads the section.
    pub(super) fn read(node: &Node, d: &mut Diagnostics) -> ApprovalSettings {
        const KNOWN: [&str; 4] = ["conditions", "expires_seconds", "expires_seconds_max", "token_seconds"];
        let mut settings = ApprovalSettings::default();
        let Some(fields) = Fields::open(node, "approvals", &KNOWN, &[], d) else { return settings };
        if let Some(node) = fields.get("conditions") {
            let names = ConditionKind::ALL.map(ConditionKind::name);
            let kinds = list(node, "conditions", ConditionKind::ALL.len(), d).iter().filter_map(|item| {
                let written = one_of(item, "kind of condition", &names, d)?;
                ConditionKind::ALL.into_iter().find(|kind| kind.name() == written)
            });
            settings.conditions = kinds.collect();
        }
        for (key, place) in [
            ("expires_seconds", &mut settings.expires_seconds),
            ("expires_seconds_max", &mut settings.expires_seconds_max),
        ] {
            let seconds = fields.get(key).and_then(|node| positive(node, key, APPROVAL_SECONDS_MAX, d));
            *place = seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(*place);
        }
        if let Some(node) = fields.get("token_seconds") {
            settings.token_seconds =
                positive(node, "token_seconds", TOKEN_SECONDS_MAX, d).unwrap_or(settings.token_seconds);
        }
        settings
    }

    /// Gives the rules that do not say how long people may be waited for what the bundle says for all.
    pub(super) fn complete(&self, nodes: &[Node], rules: &mut [Rule]) {
        let says = |node: &Node| {
            let approval = member(node, "approval");
            approval
                .is_some_and(|node| ["expires_seconds", "expiresSeconds"].iter().any(|key| member(node, key).is_some()))
        };
        let silent: std::collections::BTreeSet<_> =
            nodes.iter().filter(|node| !says(node)).map(|node| node.at).collect();
        for rule in rules.iter_mut().filter(|rule| silent.contains(&rule.at)) {
            rule.approval.expires_seconds = self.expires_seconds;
        }
    }
}

fn member<'n>(node: &'n Node, wanted: &str) -> Option<&'n Node> {
    let NodeKind::Map(members) = &node.kind else { return None };
    members.iter().find(|(key, _)| key.text == wanted).map(|(_, node)| node)
}

fn positive(node: &Node, what: &str, max: u64, d: &mut Diagnostics) -> Option<u64> {
    let value = count(node, what, max, d)?;
    if value == 0 {
        d.error(node.at, BundleErrorKind::InvalidValue, format!("{what} must be at least 1"));
    }
    Some(value).filter(|value| *value > 0)
}
