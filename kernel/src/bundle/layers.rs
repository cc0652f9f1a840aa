//! The layers around a bundle: runtime rules that are asked before its own, and the operator's baseline that it cannot override.

use std::sync::Arc;

use assent_ledger::hash::{Hash, sha256};

use super::CompiledBundle;
use super::combine::Votes;
use super::compile::{check_ids, check_tool_names};
use super::condition::Scratch;
use super::contract::Contract;
use super::error::{BundleError, BundleErrorKind, Diagnostics, Lint};
use super::evaluate::{Call, at};
use super::facts::{Accumulated, Facts, Per, Situation};
use super::fields::{Fields, text};
use super::limits::RUNTIME_RULES_MAX;
use super::pattern::Patterns;
use super::rules::{Layer, Rule};
use super::source;

/// The runtime layer of an environment: rules that are asked before those of the bundle. Immutable.
#[derive(Debug)]
pub struct RuntimeRules {
    hash: Hash,
    /// In the order they are asked: by priority, then by position in the source.
    pub(super) rules: Vec<Rule>,
    lints: Vec<Lint>,
}

impl RuntimeRules {
    /// The hash of the source: `SHA-256("assent runtime rules/1\n" ‖ source)`.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are no rules, which is how a runtime layer is taken away.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What loads but probably does not mean what it says, in order of lines.
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }
}

/// The hash that names a runtime layer: `SHA-256("assent runtime rules/1\n" ‖ source)`.
pub fn runtime_hash(source: &[u8]) -> Hash {
    sha256(&[b"assent runtime rules/1\n", source])
}

/// Compiles the YAML source of a runtime layer (`rules` alone) for a bundle, whose tools it may name and whose ids it may not
/// repeat. The result may be asked with a later bundle too: what it says about tools that are gone then concerns nothing.
///
/// # Errors
/// Everything that is wrong with the source, in order of lines.
pub fn compile_runtime(source: &[u8], bundle: &CompiledBundle) -> Result<RuntimeRules, Vec<BundleError>> {
    let mut d = Diagnostics::default();
    let rules = source::parse(source, &mut d).and_then(|root| {
        let fields = Fields::open(&root, "a runtime layer", &["name", "description", "rules"], &[], &mut d)?;
        for key in ["name", "description"] {
            if let Some(node) = fields.get(key) {
                text(node, key, &mut d);
            }
        }
        fields.required("rules", &mut d)?;
        let mut patterns = Patterns::default();
        let items = fields.items("rules", RUNTIME_RULES_MAX, &mut d);
        Some(items.iter().filter_map(|item| Rule::read(item, &mut patterns, &mut d)).collect::<Vec<Rule>>())
    });
    let mut rules = rules.unwrap_or_default();
    for rule in &mut rules {
        if rule.layer == Layer::BuiltIn {
            let message = "a rule of the runtime layer cannot be of the built-in one";
            d.error_hint(rule.at, BundleErrorKind::InvalidValue, message, "remove `layer`");
        }
        rule.layer = Layer::Runtime;
        if bundle
            .rules
            .iter()
            .map(|known| &known.id)
            .chain(bundle.contracts.iter().map(|known| &known.id))
            .any(|id| *id == rule.id)
        {
            let message = format!("the id `{}` is taken by a rule of the bundle", rule.id);
            d.error(rule.at, BundleErrorKind::Duplicate, message);
        }
    }
    check_ids(&[], &rules, &mut d);
    check_tool_names(&bundle.tools, &[], &rules, &mut d);
    d.errors.sort_by_key(|error| (error.line, error.column));
    if !d.errors.is_empty() {
        return Err(d.errors);
    }
    rules.sort_by_key(|rule| rule.priority);
    d.lints.sort_by_key(|lint| (lint.line, lint.column, lint.kind));
    Ok(RuntimeRules { hash: runtime_hash(source), rules, lints: d.lints })
}

/// Facts as the baseline sees them: what it adds up is kept apart from what the tenant's bundle adds up.
struct BaselineFacts<'f, F>(&'f F);

impl<F: Facts> Facts for BaselineFacts<'_, F> {
    fn situation(&self) -> Situation<'_> {
        self.0.situation()
    }

    fn accumulated(&self, key: &str, per: Per, value: Option<&Hash>) -> Accumulated {
        self.0.accumulated(&baseline_key(key), per, value)
    }
}

/// The key of a baseline's sums. No id contains the mark, so that no tenant's key is the same.
fn baseline_key(key: &str) -> Arc<str> {
    format!("baseline!{key}").into()
}

impl CompiledBundle {
    /// What this bundle says about a call as the operator's baseline: its contract and its rules are asked; capabilities are the
    /// tenant's affair. A tool that the baseline declares counts as declared there, any other as the tenant declares it.
    pub(super) fn baseline_votes<'a, 'c>(
        &'a self,
        call: &Call<'c>,
        facts: &impl Facts,
        memo: &Scratch<'c>,
    ) -> Votes<'a> {
        let facts = BaselineFacts(facts);
        let mut votes = Votes::new(facts.situation().approved);
        match self.tools.get(call.tool.name()) {
            Some(tool) => {
                let contracts = tool.contracts.iter().filter_map(|position| at(&self.contracts, *position));
                contract_votes(contracts, call, &facts, memo, &mut votes);
                let rules = tool.rules.iter().filter_map(|position| at(&self.rules, *position));
                rule_vote(rules, call, &facts, memo, &mut votes);
            }
            None => {
                let contracts = self.contracts.iter().filter(|contract| contract.concerns(call.tool));
                contract_votes(contracts, call, &facts, memo, &mut votes);
                let rules = self.rules.iter().filter(|rule| rule.concerns(call.tool));
                rule_vote(rules, call, &facts, memo, &mut votes);
            }
        }
        self.rego_votes(call, &facts, &mut votes);
        votes.rename_keys(baseline_key);
        votes
    }
}

/// Asks every contract rule; none is skipped, so that the pass ratio counts them all.
pub(super) fn contract_votes<'a, 'c>(
    contracts: impl Iterator<Item = &'a Contract>,
    call: &Call<'c>,
    facts: &impl Facts,
    memo: &Scratch<'c>,
    votes: &mut Votes<'a>,
) {
    for contract in contracts {
        let mut passed = 0;
        for predicate in &contract.predicates {
            passed += usize::from(predicate.holds(call.args, facts, memo, votes.accumulate()));
        }
        votes.contract(contract, passed, contract.predicates.len());
    }
}

/// Takes the vote of the first enforced rule that matches; rules before it that are only tried leave theirs. Whether one
/// matched.
pub(super) fn rule_vote<'a, 'c>(
    rules: impl Iterator<Item = &'a Rule>,
    call: &Call<'c>,
    facts: &impl Facts,
    memo: &Scratch<'c>,
    votes: &mut Votes<'a>,
) -> bool {
    let situation = facts.situation();
    for rule in rules {
        match rule.matches(call, &situation, memo) {
            Ok(false) => {}
            matched if rule.shadow => votes.shadow_rule(rule, matched.is_err()),
            Ok(true) => {
                votes.rule(rule, call.args);
                return true;
            }
            Err(code) => {
                votes.failed(rule, code);
                return true;
            }
        }
    }
    false
}
