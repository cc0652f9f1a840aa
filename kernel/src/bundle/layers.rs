//! The layers around a bundle: runtime rules that are asked before its own, and the operator's baseline that it cannot override.

use std::collections::BTreeMap;
use std::sync::Arc;

use assent_ledger::hash::{Hash, sha256};

use super::combine::Votes;
use super::compile::{check_ids, check_tool_names};
use super::condition::Scratch;
use super::contract::Contract;
use super::error::{BundleError, BundleErrorKind, Diagnostics, Lint};
use super::evaluate::{Call, at};
use super::facts::{Accumulated, Facts, Per, Situation};
use super::fields::{Fields, text};
use super::limits::RUNTIME_RULES_MAX;
use super::outcome::Outcome;
use super::pattern::Patterns;
use super::rules::{Layer, Rule};
use super::source;
use super::tool::Tool;
use super::work::Work;
use super::{CompiledBundle, counted};
use crate::limits::BASELINE_COUNTED_BYTES_MAX;
use crate::reason::ReasonCode;
use crate::value::Object;
use crate::verdict::Verdict;

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

/// Which rules and contract rules may concern tools that a bundle does not declare: those of their class that name no tool, for tools
/// that rules name are declared.
#[derive(Debug, Default)]
pub(super) struct Undeclared {
    contracts: ByClass,
    rules: ByClass,
}

/// Positions of what is about a class, and of what is about any.
#[derive(Debug, Default)]
struct ByClass {
    classes: BTreeMap<Arc<str>, Vec<u32>>,
    any: Vec<u32>,
}

impl Undeclared {
    /// Sorts out the rules of a bundle.
    pub(super) fn of(contracts: &[Contract], rules: &[Rule]) -> Undeclared {
        let mut sorted = Undeclared::default();
        for (position, contract) in (0u32..).zip(contracts) {
            sorted.contracts.add(position, &contract.classes);
        }
        for (position, rule) in (0u32..).zip(rules).filter(|(_, rule)| rule.tools.is_none()) {
            match &rule.classes {
                Some(classes) => sorted.rules.add(position, classes),
                None => sorted.rules.any.push(position),
            }
        }
        sorted
    }
}

impl ByClass {
    fn add(&mut self, position: u32, classes: &[Arc<str>]) {
        for class in classes {
            let known = self.classes.entry(class.clone()).or_default();
            if known.last() != Some(&position) {
                known.push(position);
            }
        }
    }

    /// The positions for a class, in their order.
    fn of(&self, class: &str) -> impl Iterator<Item = u32> {
        let of_class = self.classes.get(class).map_or(&[][..], Vec::as_slice);
        let mut all = [of_class, &self.any].concat();
        all.sort_unstable();
        all.into_iter()
    }
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
    [BASELINE_PREFIX, key].concat().into()
}

/// Whether what is added up under this key is the operator's baseline's.
pub fn is_of_baseline(key: &str) -> bool {
    key.starts_with(BASELINE_PREFIX)
}

/// What the keys of a baseline's sums begin with.
const BASELINE_PREFIX: &str = "baseline!";

impl CompiledBundle {
    /// Whether the bundle can be an operator's baseline: nothing in it would be ignored there.
    ///
    /// # Errors
    /// Every section that a baseline cannot have, in the order of their names here; that more is counted in each run than a baseline may.
    pub fn check_baseline(&self) -> Result<(), Vec<BundleError>> {
        let mut d = Diagnostics::default();
        for (at, section) in &self.idle_in_baseline {
            let message = format!("`{section}` says nothing in an operator's baseline");
            let hint = "a baseline has tools, contract, rules and rego; the rest is for the tenants' bundles";
            d.error_hint(*at, BundleErrorKind::InvalidValue, message, hint);
        }
        counted::check(self, BASELINE_COUNTED_BYTES_MAX, BASELINE_PREFIX.len(), &mut d);
        if d.errors.is_empty() { Ok(()) } else { Err(d.errors) }
    }

    /// What this bundle says as the operator's baseline about a call of a tool that the tenant's bundle does not declare. A tool that the
    /// baseline declares neither is known by its name alone: rules that name a class or an action do not concern it.
    pub fn evaluate_undeclared(
        &self,
        name: &str,
        (subject, args): (&str, &Object),
        facts: &impl Facts,
        work: &Work,
    ) -> Outcome {
        let undeclared = Tool::undeclared(name);
        let tool = self.tools.get(name).unwrap_or(&undeclared);
        let memo = Scratch::new(work);
        let situation = facts.situation();
        let mut votes = Votes::new(&situation);
        votes.baseline(self.baseline_votes(&Call { subject, tool, args }, facts, &situation, &memo));
        if work.is_exhausted() {
            votes.deny(ReasonCode::PolicyBudget);
        }
        // Only what the baseline has against the call is asked for.
        votes.agree(ReasonCode::AllowedRulesPassed);
        votes.outcome()
    }

    /// What this bundle says about a call as the operator's baseline: its contract and its rules are asked; capabilities are the
    /// tenant's affair. A tool that the baseline declares counts as declared there, any other as the tenant declares it.
    pub(super) fn baseline_votes<'a, 'c>(
        &'a self,
        call: &Call<'c>,
        facts: &impl Facts,
        situation: &Situation<'a>,
        memo: &Scratch<'c>,
    ) -> Votes<'a> {
        let facts = BaselineFacts(facts);
        let mut votes = Votes::new(situation);
        match self.tools.get(call.tool.name()) {
            Some(tool) => {
                let contracts = tool.contracts.iter().filter_map(|position| at(&self.contracts, *position));
                contract_votes(contracts, call, &facts, memo, &mut votes);
                let rules = self.candidates(tool, call, situation);
                rule_vote(rules, call, situation, memo, &mut votes);
            }
            None => {
                let class = call.tool.class();
                let contracts =
                    self.undeclared.contracts.of(class).filter_map(|position| at(&self.contracts, position));
                contract_votes(contracts, call, &facts, memo, &mut votes);
                let rules = self.undeclared.rules.of(class).filter_map(|position| at(&self.rules, position));
                rule_vote(rules.filter(|rule| rule.concerns(call.tool)), call, situation, memo, &mut votes);
            }
        }
        self.rego_votes(call, &facts, memo.work, &mut votes);
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
/// matched. For what is a replacement itself, compute rules neither agree nor end the search: the first that matches is asked
/// whether it would leave it as it is.
pub(super) fn rule_vote<'a, 'c>(
    rules: impl Iterator<Item = &'a Rule>,
    call: &Call<'c>,
    situation: &Situation<'_>,
    memo: &Scratch<'c>,
    votes: &mut Votes<'a>,
) -> bool {
    let mut computed = false;
    for rule in rules {
        let computes = situation.replacing && rule.verdict == Verdict::Compute;
        if computes && computed {
            continue;
        }
        match rule.matches(call, situation, memo) {
            Ok(false) => {}
            matched if rule.shadow => votes.shadow_rule(rule, matched.is_err()),
            Ok(true) => {
                votes.rule(rule, call);
                if !computes {
                    return true;
                }
                computed = true;
            }
            Err(code) => {
                votes.failed(rule, code);
                return true;
            }
        }
    }
    false
}
