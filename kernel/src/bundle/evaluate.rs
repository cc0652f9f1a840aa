//! From a call to a verdict: capability first, then contract and rules vote and the most restrictive vote wins.

use std::sync::Arc;

use super::CompiledBundle;
use super::condition::HostMemo;
use super::contract::Contract;
use super::rules::Rule;
use super::tool::Tool;
use crate::reason::ReasonCode;
use crate::value::Object;
use crate::verdict::Verdict;

/// The id of a contract rule or a policy rule.
pub type RuleId = Arc<str>;

/// A call whose tool and arguments were already checked against the bundle.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The authenticated subject.
    pub subject: &'a str,
    /// The tool, from the same bundle's [`CompiledBundle::tool`].
    pub tool: &'a Tool,
    /// The arguments, having passed [`Tool::check_arguments`].
    pub args: &'a Object,
}

/// What the bundle says about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The most restrictive vote.
    pub verdict: Verdict,
    /// Why, sorted by precedence, each code once, never empty.
    pub codes: Vec<ReasonCode>,
    /// Violated contract rules, then the policy rule that matched, then satisfied contract rules.
    pub rules: Vec<RuleId>,
    /// Predicates of matching contract rules that hold.
    pub contract_passed: u32,
    /// Predicates of matching contract rules.
    pub contract_total: u32,
}

impl Outcome {
    fn structural(code: ReasonCode) -> Outcome {
        Outcome { verdict: Verdict::Deny, codes: vec![code], rules: Vec::new(), contract_passed: 0, contract_total: 0 }
    }
}

/// The contract rules' vote.
struct ContractVote<'a> {
    violated: Vec<&'a Contract>,
    satisfied: Vec<&'a Contract>,
    passed: u32,
    total: u32,
}

impl CompiledBundle {
    /// Evaluates one call. Total and deterministic; the order of arguments does not matter.
    ///
    /// A lacking capability is final: contract and rules are then not asked.
    pub fn evaluate(&self, call: &Call<'_>) -> Outcome {
        if let Err(code) = self.principals.check(call.subject, call.tool, call.args) {
            return Outcome::structural(code);
        }
        let memo = HostMemo::default();
        let contract = self.contract_vote(call, &memo);
        let rule = self.first_match(call, &memo);
        let denies = rule.is_some_and(|rule| rule.verdict == Verdict::Deny);
        let allows = rule.is_some_and(|rule| rule.verdict == Verdict::Allow);
        let satisfied = contract.violated.is_empty() && !contract.satisfied.is_empty();
        let mut codes = Vec::with_capacity(3);
        if !contract.violated.is_empty() {
            codes.push(ReasonCode::ContractViolated);
        }
        if denies {
            codes.push(ReasonCode::RuleDenied);
        }
        // Rules that are present vote: none matching is their implicit deny. Without any rules only the contract can allow.
        let rules_silent = rule.is_none() && !self.rules.is_empty();
        let nobody_allows = codes.is_empty() && !allows && !satisfied;
        if rules_silent || nobody_allows {
            codes.push(ReasonCode::NoMatchingRule);
        }
        let verdict = if codes.is_empty() { Verdict::Allow } else { Verdict::Deny };
        if verdict == Verdict::Allow {
            codes.push(ReasonCode::AllowedRulesPassed);
            codes.extend(allows.then_some(ReasonCode::AllowlistMatch));
            codes.extend(satisfied.then_some(ReasonCode::ContractSatisfied));
        }
        let violated = contract.violated.iter().map(|rule| &rule.id);
        let ids = violated.chain(rule.map(|rule| &rule.id)).chain(contract.satisfied.iter().map(|rule| &rule.id));
        Outcome {
            verdict,
            codes,
            rules: ids.cloned().collect(),
            contract_passed: contract.passed,
            contract_total: contract.total,
        }
    }

    /// Asks every contract rule of the tool; none is skipped, so that the pass ratio counts them all.
    fn contract_vote<'a, 'c>(&'a self, call: &Call<'c>, memo: &HostMemo<'c>) -> ContractVote<'a> {
        let mut vote = ContractVote { violated: Vec::new(), satisfied: Vec::new(), passed: 0, total: 0 };
        for contract in call.tool.contracts.iter().filter_map(|position| at(&self.contracts, *position)) {
            let mut held = true;
            for predicate in &contract.predicates {
                let holds = predicate.holds(call.args, memo);
                held &= holds;
                vote.total = vote.total.saturating_add(1);
                vote.passed = vote.passed.saturating_add(u32::from(holds));
            }
            if held {
                vote.satisfied.push(contract);
            } else {
                vote.violated.push(contract);
            }
        }
        vote
    }

    fn first_match<'c>(&self, call: &Call<'c>, memo: &HostMemo<'c>) -> Option<&Rule> {
        let mut candidates = call.tool.rules.iter().filter_map(|position| at(&self.rules, *position));
        candidates.find(|rule| rule.matches(call.subject, call.args, memo))
    }
}

pub(super) fn at<T>(items: &[T], position: u32) -> Option<&T> {
    items.get(usize::try_from(position).ok()?)
}
