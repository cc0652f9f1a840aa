//! From a call to a verdict: capability first, then contract and rules vote and the most restrictive vote wins.

use super::CompiledBundle;
use super::combine::Votes;
use super::condition::Scratch;
use super::facts::{Facts, NoFacts};
use super::layers::{RuntimeRules, contract_votes, rule_vote};
use super::outcome::Outcome;
use super::tool::Tool;
use super::work::Work;
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
    /// [`CompiledBundle::evaluate_with`] for a first call about whose surroundings nothing is known, without other layers.
    pub fn evaluate(&self, call: &Call<'_>) -> Outcome {
        self.evaluate_with(call, &NoFacts)
    }

    /// [`CompiledBundle::evaluate_layered`] without other layers.
    pub fn evaluate_with(&self, call: &Call<'_>, facts: &impl Facts) -> Outcome {
        self.evaluate_layered(call, facts, None, None)
    }

    /// Evaluates one call. Total and deterministic; the order of arguments does not matter.
    ///
    /// A lacking capability is final: nothing else is then asked. Otherwise the contract, the rules (those of `runtime` before the
    /// bundle's own) and the operator's `baseline` vote. The baseline can deny, ask for approval and replace the call; what it
    /// allows is still the bundle's to allow.
    pub fn evaluate_layered(
        &self,
        call: &Call<'_>,
        facts: &impl Facts,
        baseline: Option<&CompiledBundle>,
        runtime: Option<&RuntimeRules>,
    ) -> Outcome {
        let situation = facts.situation();
        let work = Work::default();
        let subject = situation.authority.unwrap_or(call.subject);
        if let Err(code) = self.principals.check(subject, (call.tool, call.args), situation.leased, &work) {
            return Outcome::deny(code);
        }
        self.ask_layered(call, facts, (baseline, runtime), &work)
    }

    /// [`CompiledBundle::evaluate_layered`] but for the capability, which the caller has asked for, with what is left to spend.
    pub fn ask_layered(
        &self,
        call: &Call<'_>,
        facts: &impl Facts,
        (baseline, runtime): (Option<&CompiledBundle>, Option<&RuntimeRules>),
        work: &Work,
    ) -> Outcome {
        let situation = facts.situation();
        let memo = Scratch::new(work);
        let mut votes = Votes::new(&situation);
        if let Some(adjustment) = situation.adjusted {
            votes.tighten(adjustment, call.tool);
        }
        if let Some(baseline) = baseline {
            votes.baseline(baseline.baseline_votes(call, facts, &situation, &memo));
        }
        contract_votes(
            call.tool.contracts.iter().filter_map(|p| at(&self.contracts, *p)),
            call,
            facts,
            &memo,
            &mut votes,
        );
        let first = runtime.map_or(&[][..], |runtime| &runtime.rules).iter().filter(|rule| rule.concerns(call.tool));
        let own = self.candidates(call.tool, call, &situation);
        let matched = rule_vote(first.chain(own), call, &situation, &memo, &mut votes);
        // Rules that are present vote: none matching is their implicit deny. Those that are only tried and those of the runtime
        // layer do not count as present.
        if !matched && self.rules.iter().any(|rule| !rule.shadow) {
            votes.deny(ReasonCode::NoMatchingRule);
        }
        self.rego_votes(call, facts, work, &mut votes);
        if work.is_exhausted() {
            votes.deny(ReasonCode::PolicyBudget);
        }
        votes.outcome()
    }
}

pub(super) fn at<T>(items: &[T], position: u32) -> Option<&T> {
    items.get(usize::try_from(position).ok()?)
}
