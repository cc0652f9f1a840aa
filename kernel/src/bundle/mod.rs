//! Policy bundles: YAML in, a compiled, indexed, immutable policy out, and the evaluation of calls against it.
//!
//! A bundle is compiled once, when it is offered; deciding a call then only looks up and compares.
//! What this kernel version does not enforce it does not accept: such keys are refused with a message that says so.

mod across;
mod approval;
mod capability;
mod combine;
mod compile;
mod compute;
mod condition;
mod contract;
mod error;
mod evaluate;
mod explain;
mod facts;
mod fields;
mod host;
pub mod limits;
mod lint;
mod obligation;
mod outcome;
mod path;
mod pattern;
mod rules;
mod select;
mod source;
mod tool;

use std::collections::BTreeMap;
use std::sync::Arc;

use assent_ledger::hash::{Hash, sha256};

pub use compile::compile;
pub use error::{BundleError, BundleErrorKind, Lint, LintKind, Position};
pub use evaluate::Call;
pub use facts::{Accumulated, Facts, NoFacts, Per, RunFacts, Situation, TaintSources};
pub use obligation::Obligation;
pub use outcome::{Accumulate, Addend, ApprovalNeed, Outcome, Replacement, RuleId, ShadowVote};
pub use tool::{ArgumentError, Tool};

/// A bundle that was read, checked and indexed. Immutable; shared between threads freely.
#[derive(Debug)]
pub struct CompiledBundle {
    name: String,
    version: String,
    hash: Hash,
    tools: BTreeMap<Arc<str>, Tool>,
    principals: capability::Principals,
    contracts: Vec<contract::Contract>,
    /// In the order they are asked: by layer, then by priority, then by position in the source.
    rules: Vec<rules::Rule>,
    lints: Vec<Lint>,
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

    /// The declared tool of this name.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name)
    }

    /// The declared tools in order of their names.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.values()
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
