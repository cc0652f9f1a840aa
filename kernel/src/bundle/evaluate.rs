//! From a call to a verdict: capability first, then contract and rules vote and the most restrictive vote wins.

use super::CompiledBundle;
use super::combine::Votes;
use super::condition::HostMemo;
use super::contract::Predicate;
use super::facts::{Facts, NoFacts};
use super::outcome::{Outcome, ShadowVote};
use super::rules::Rule;
use super::tool::Tool;
use crate::reason::ReasonCode;
use crate::value::Object;

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

impl CompiledBundle {
    /// [`CompiledBundle::evaluate_with`] for a first call about whose surroundings nothing is known.
    pub fn evaluate(&self, call: &Call<'_>) -> Outcome {
        self.evaluate_with(call, &NoFacts)
    }

    /// Evaluates one call. Total and deterministic; the order of arguments does not matter.
    ///
    /// A lacking capability is final: contract and rules are then not asked.
    pub fn evaluate_with(&self, call: &Call<'_>, facts: &impl Facts) -> Outcome {
        let situation = facts.situation();
        if let Err(code) = self.principals.check(call.subject, call.tool, call.args, situation.leased) {
            return Outcome::deny(code);
        }
        let memo = HostMemo::default();
        let mut votes = Votes::new(situation.approved);
        self.contract_votes(call, facts, &memo, &mut votes);
        let first = self.first_match(call, facts, &memo, &mut votes);
        match first {
            Some(rule) => votes.rule(rule, call.args),
            // Rules that are present vote: none matching is their implicit deny. Those that are only tried do not count.
            None if self.rules.iter().any(|rule| !rule.shadow) => votes.deny(ReasonCode::NoMatchingRule),
            None => {}
        }
        votes.outcome()
    }

    /// Asks every contract rule of the tool; none is skipped, so that the pass ratio counts them all.
    fn contract_votes<'a, 'c>(
        &'a self,
        call: &Call<'c>,
        facts: &impl Facts,
        memo: &HostMemo<'c>,
        votes: &mut Votes<'a>,
    ) {
        for contract in call.tool.contracts.iter().filter_map(|position| at(&self.contracts, *position)) {
            let total = contract.predicates.len();
            let holds = |predicate: &&Predicate| predicate.holds(call.args, facts, memo, votes.accumulate());
            let passed = contract.predicates.iter().filter(holds).count();
            votes.contract(contract, passed, total);
        }
    }

    /// The first enforced rule that matches; rules before it that are only tried leave their vote.
    fn first_match<'a, 'c>(
        &'a self,
        call: &Call<'c>,
        facts: &impl Facts,
        memo: &HostMemo<'c>,
        votes: &mut Votes<'a>,
    ) -> Option<&'a Rule> {
        let situation = facts.situation();
        for rule in call.tool.rules.iter().filter_map(|position| at(&self.rules, *position)) {
            if rule.matches(call, &situation, memo) {
                if !rule.shadow {
                    return Some(rule);
                }
                votes.shadow(ShadowVote { rule: rule.id.clone(), verdict: rule.verdict });
            }
        }
        None
    }
}

pub(super) fn at<T>(items: &[T], position: u32) -> Option<&T> {
    items.get(usize::try_from(position).ok()?)
}
