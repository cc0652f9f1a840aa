//! What the policy says about a call.

use std::sync::Arc;

use assent_ledger::hash::Hash;

use super::evaluate::Call;
use super::facts::Per;
use super::obligation::Obligation;
use crate::reason::ReasonCode;
use crate::value::{Number, Object};
use crate::verdict::Verdict;

/// The id of a contract rule or a policy rule.
pub type RuleId = Arc<str>;

/// What the policy says about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The most restrictive vote.
    pub verdict: Verdict,
    /// Why, sorted by precedence, each code once, never empty.
    pub codes: Vec<ReasonCode>,
    /// What stood against the call (contract rules, the baseline's, ratios), then the policy rule that matched, then
    /// satisfied contract rules.
    pub rules: Vec<RuleId>,
    /// Predicates of matching enforced contract rules that hold.
    pub contract_passed: u32,
    /// Predicates of matching enforced contract rules.
    pub contract_total: u32,
    /// What rules that are only tried would have decided, in the order they were asked; at most `SHADOW_MAX`.
    pub shadow: Vec<ShadowVote>,
    /// What the enforcement point has to do besides; at most `OBLIGATIONS_MAX`, each once.
    pub obligations: Vec<Obligation>,
    /// Who has to agree; present exactly when the verdict is escalate.
    pub approval: Option<ApprovalNeed>,
    /// Who had to agree, when people have agreed already to what was asked for.
    pub granted: Option<ApprovalNeed>,
    /// What is to run instead; present exactly when the verdict is compute.
    pub replacement: Option<Replacement>,
    /// What a policy in Rego says about its vote, in its own words. They may repeat arguments: they belong into a payload.
    pub reasons: Vec<String>,
    /// What is to be added up if the call takes effect, for predicates across steps.
    pub accumulate: Vec<Accumulate>,
    /// What the operator's baseline says by itself, whatever the others say; allow when it says nothing against the call.
    pub baseline: Verdict,
}

impl Outcome {
    /// A deny for one reason, without any rule having been asked.
    pub fn deny(code: ReasonCode) -> Outcome {
        Outcome {
            verdict: Verdict::Deny,
            codes: vec![code],
            rules: Vec::new(),
            contract_passed: 0,
            contract_total: 0,
            shadow: Vec::new(),
            obligations: Vec::new(),
            approval: None,
            granted: None,
            replacement: None,
            reasons: Vec::new(),
            accumulate: Vec::new(),
            baseline: Verdict::Allow,
        }
    }
}

/// What a rule that is only tried would have decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShadowVote {
    /// The rule.
    pub rule: RuleId,
    /// Its decision; deny when its evaluation failed or its contract is violated.
    pub verdict: Verdict,
}

/// Who has to agree to a call before it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalNeed {
    /// Roles of which each must be held by one of those who agree; sorted. Empty: any approver.
    pub roles: Vec<Arc<str>>,
    /// How many different people have to agree, at least 1.
    pub required: u32,
    /// After how many seconds the request lapses.
    pub expires_seconds: u32,
    /// The arguments that an approver may change; empty: any of them. Sorted.
    pub fields: Vec<Arc<str>>,
}

impl ApprovalNeed {
    /// Seconds after which a request lapses when the rule does not say.
    pub const EXPIRES_SECONDS_DEFAULT: u32 = 3_600;

    /// What satisfies both: all roles, the larger number of people, the shorter time, the arguments that both leave open.
    pub fn and(mut self, other: ApprovalNeed) -> ApprovalNeed {
        self.roles.extend(other.roles);
        self.roles.sort();
        self.roles.dedup();
        let roles = u32::try_from(self.roles.len()).unwrap_or(u32::MAX);
        self.required = self.required.max(other.required).max(roles);
        self.expires_seconds = self.expires_seconds.min(other.expires_seconds);
        if self.fields.is_empty() {
            self.fields = other.fields;
        } else if !other.fields.is_empty() {
            self.fields.retain(|field| other.fields.contains(field));
        }
        self
    }
}

/// What people have agreed to: so many, in these roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted<'a> {
    /// How many different people.
    pub votes: u32,
    /// The roles that they were asked for and hold.
    pub roles: &'a [String],
}

impl Granted<'_> {
    /// Whether this is enough for a need: as many people, and each role.
    pub fn meets(&self, need: &ApprovalNeed) -> bool {
        let held = |role: &Arc<str>| self.roles.iter().any(|known| **known == **role);
        need.required <= self.votes && need.roles.iter().all(held)
    }
}

impl Default for ApprovalNeed {
    fn default() -> Self {
        let expires_seconds = Self::EXPIRES_SECONDS_DEFAULT;
        ApprovalNeed { roles: Vec::new(), required: 1, expires_seconds, fields: Vec::new() }
    }
}

/// A call that is to run in place of the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The tool; `None` when it stays the same.
    pub tool: Option<Arc<str>>,
    /// All arguments of the replacement.
    pub args: Object,
}

impl Replacement {
    /// Whether this is the call itself.
    pub(super) fn is(&self, call: &Call<'_>) -> bool {
        self.args == *call.args && self.tool.as_deref().is_none_or(|tool| tool == call.tool.name())
    }

    /// The arguments as JSON text.
    pub fn inputs(&self) -> Vec<u8> {
        self.args.to_json()
    }
}

/// One addition to what a predicate across steps has accumulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accumulate {
    /// The predicate's key: the contract rule's id, a digest of what is added up, and `run` or `day`.
    pub key: Arc<str>,
    /// Within which calls it is added up.
    pub per: Per,
    /// What to add.
    pub add: Addend,
}

/// What one call adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addend {
    /// One call.
    Count,
    /// The argument's value.
    Sum(Number),
    /// The digest of the argument's value, if it is new.
    Distinct(Hash),
}
