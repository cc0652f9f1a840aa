//! Policy bundles: YAML in, a compiled, indexed, immutable policy out, and the evaluation of calls against it.
//!
//! A bundle is compiled once, when it is offered; deciding a call then only looks up and compares.
//! What this kernel version does not enforce it does not accept: such keys are refused with a message that says so.

mod across;
mod allowed;
mod approval;
mod behaviour;
mod budgets;
mod capability;
mod cel;
mod combine;
mod compile;
mod compute;
mod condition;
mod constraint;
mod contract;
mod counted;
mod diff;
mod encoder;
mod error;
mod evaluate;
mod explain;
mod facts;
mod fields;
mod host;
mod inputs;
mod layers;
pub mod limits;
mod lint;
mod memory;
mod obligation;
pub mod opa;
mod orchestration;
mod outcome;
mod path;
mod pattern;
mod presets;
pub mod rego;
mod rules;
mod schema;
mod select;
mod sensitivity;
mod settings;
mod sieve;
mod source;
mod tool;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use assent_ledger::hash::{Hash, sha256};

use crate::reason::ReasonCode;

pub use behaviour::{Advance, Behaviour, BehaviourAction, Happening, Limits, What};
pub use budgets::{Budget, Rate};
pub use capability::{CapabilityView, LeaseTerms};
pub use compile::{check, compile};
pub use constraint::Constraints;
pub use diff::{Change, ChangeKind, diff};
pub use error::{BundleError, BundleErrorKind, Lint, LintKind, Position};
pub use evaluate::Call;
pub use facts::{Accumulated, Facts, NoFacts, Per, RunFacts, Situation, TaintSources};
pub use inputs::ArgumentError;
pub use layers::{RuntimeRules, compile_runtime, is_of_baseline, runtime_hash};
pub use memory::{MemorySpace, TaintedWrite};
pub use obligation::Obligation;
pub use orchestration::{Adjustment, Knob};
pub use outcome::{Accumulate, Addend, ApprovalNeed, Granted, Outcome, Replacement, RuleId, ShadowVote};
pub use presets::{Preset, presets};
pub use sensitivity::Sensitivity;
pub use settings::{ApprovalSettings, ConditionKind, LeaseSettings};
pub use tool::Tool;
pub use work::Work;

/// A bundle that was read, checked and indexed. Immutable; shared between threads freely.
#[derive(Debug)]
pub struct CompiledBundle {
    name: String,
    version: String,
    hash: Hash,
    observe: bool,
    observe_unknown: bool,
    tools: BTreeMap<Arc<str>, Tool>,
    principals: capability::Principals,
    contracts: Vec<contract::Contract>,
    /// In the order they are asked: by layer, then by priority, then by position in the source.
    rules: Vec<rules::Rule>,
    sieve: sieve::Sieve,
    budgets: Vec<Budget>,
    rates: Vec<Rate>,
    rego: Option<rego::RegoPolicy>,
    memory: memory::MemorySpaces,
    behaviour: Vec<Behaviour>,
    limits: Limits,
    orchestration: Vec<orchestration::OrchestrationRule>,
    leases: LeaseSettings,
    approvals: ApprovalSettings,
    lints: Vec<Lint>,
    undeclared: layers::Undeclared,
    /// Sections that say nothing in an operator's baseline, and where they are.
    idle_in_baseline: Vec<(Position, &'static str)>,
}

impl CompiledBundle {
    /// The hash of the source this bundle was compiled from, see [`bundle_hash`].
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The bundle's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bundle's version, as written.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The declared namespace of memory of this name.
    pub fn memory(&self, namespace: &str) -> Option<&MemorySpace> {
        self.memory.get(namespace)
    }

    /// The declared tool of this name.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name)
    }

    /// The declared tools in order of their names.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.values()
    }

    /// Whether the bundle asks for its policy to be recorded without being enforced (`mode: observe`).
    pub const fn observes(&self) -> bool {
        self.observe
    }

    /// Whether calls of tools that the bundle does not declare are recorded without being enforced (`unknown_tools: observe`).
    pub const fn observes_unknown_tools(&self) -> bool {
        self.observe_unknown
    }

    /// The behaviour rules, in the order written.
    pub fn behaviour(&self) -> &[Behaviour] {
        &self.behaviour
    }

    /// How often, deep and wide calls may come.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// On which terms capabilities are lent and passed on.
    pub const fn leases(&self) -> &LeaseSettings {
        &self.leases
    }

    /// On which terms people are asked.
    pub const fn approvals(&self) -> &ApprovalSettings {
        &self.approvals
    }

    /// The capabilities of a subject: of its own name first, then of its prefixes, the longest first.
    pub fn capabilities<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = CapabilityView<'a>> {
        self.principals.capabilities(subject)
    }

    /// The capability that covers a whole call: one that stands before one that needs a lease.
    ///
    /// # Errors
    /// `CAPABILITY_MISSING` when none is about the tool, `CAPABILITY_CONSTRAINT` when none admits the arguments.
    pub fn covering<'a>(&'a self, call: &Call<'a>, work: &Work) -> Result<CapabilityView<'a>, ReasonCode> {
        self.principals.covering(call.subject, call.tool, call.args, work)
    }

    /// Whether it has a policy in Rego.
    pub const fn has_rego(&self) -> bool {
        self.rego.is_some()
    }

    /// The owner of a subject, when the bundle names one.
    pub fn owner<'a>(&'a self, subject: &'a str) -> Option<&'a str> {
        self.principals.owner(subject)
    }

    /// The roles of a subject, by its own name and by all its prefixes; may repeat.
    pub fn roles<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a str> {
        self.principals.roles(subject)
    }

    /// The budgets, in the order written.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// The rates, in the order written.
    pub fn rates(&self) -> &[Rate] {
        &self.rates
    }

    /// A tool that this bundle does not declare, with the budgets and rates that name no class, action or other tool.
    pub fn undeclared(&self, name: &str) -> Tool {
        let mut tool = Tool::undeclared(name);
        tool.charged = budgets::positions(&self.budgets, &self.rates, &tool);
        tool
    }

    /// The budgets that calls of a tool of this bundle may be charged to, in the order written.
    pub fn budgets_of<'a>(&'a self, tool: &'a Tool) -> impl Iterator<Item = &'a Budget> {
        tool.charged.0.iter().filter_map(|position| self.budgets.get(usize::try_from(*position).ok()?))
    }

    /// The rates that calls of a tool of this bundle may be charged to, in the order written.
    pub fn rates_of<'a>(&'a self, tool: &'a Tool) -> impl Iterator<Item = &'a Rate> {
        tool.charged.1.iter().filter_map(|position| self.rates.get(usize::try_from(*position).ok()?))
    }

    /// What loads but probably does not mean what it says, in order of lines.
    pub fn lint(&self) -> Vec<Lint> {
        self.lints.clone()
    }
}

/// The hash that names a bundle: `SHA-256("assent bundle/1\n" ‖ source)`.
pub fn bundle_hash(source: &[u8]) -> Hash {
    sha256(&[b"assent bundle/1\n", source])
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<CompiledBundle>();
};
