//! How votes become a verdict: deny over escalate over compute over allow, and nobody allowing is deny.

use std::sync::Arc;

use super::contract::{Contract, Strength};
use super::evaluate::Call;
use super::facts::Situation;
use super::limits::{OBLIGATIONS_MAX, SHADOW_MAX};
use super::obligation::Obligation;
use super::orchestration::Adjustment;
use super::outcome::{Accumulate, ApprovalNeed, Granted, Outcome, Replacement, RuleId, ShadowVote};
use super::rules::Rule;
use super::tool::Tool;
use crate::reason::ReasonCode;
use crate::verdict::Verdict;

/// The votes on one call.
#[derive(Debug)]
pub(super) struct Votes<'a> {
    /// What people have agreed to: what escalates for no more than that agrees.
    granted: Option<Granted<'a>>,
    /// Whether the call is itself a replacement, so that nothing may replace it and who would leave it as it is abstains.
    replacing: bool,
    /// Whether anything agreed to this call, to one in its place, or to it once a person has agreed.
    agreed: bool,
    /// Every code that any vote came with; those of the winning band are the decision's.
    codes: Vec<ReasonCode>,
    against: Vec<&'a RuleId>,
    matched: Vec<&'a RuleId>,
    satisfied: Vec<&'a RuleId>,
    soft: Vec<(&'a RuleId, u32)>,
    passed: u32,
    total: u32,
    shadow: Vec<ShadowVote>,
    obligations: Vec<&'a Obligation>,
    /// Obligations that were not written in the bundle but made by its policy in Rego.
    made: Vec<Obligation>,
    reasons: Vec<String>,
    approval: Option<ApprovalNeed>,
    replacement: Option<Replacement>,
    accumulate: Vec<Accumulate>,
    /// The least threshold of soft contract rules, in thousandths.
    least_threshold_milli: u32,
    /// The least number of people who have to agree where people are asked.
    least_approvers: u32,
    /// What the operator's baseline said by itself.
    baseline: Verdict,
}

impl<'a> Votes<'a> {
    pub(super) fn new(situation: &Situation<'a>) -> Votes<'a> {
        Votes {
            granted: situation.granted,
            replacing: situation.replacing,
            agreed: false,
            codes: Vec::with_capacity(4),
            against: Vec::new(),
            matched: Vec::new(),
            satisfied: Vec::new(),
            soft: Vec::new(),
            passed: 0,
            total: 0,
            shadow: Vec::new(),
            obligations: Vec::new(),
            made: Vec::new(),
            reasons: Vec::new(),
            approval: None,
            replacement: None,
            accumulate: Vec::new(),
            least_threshold_milli: 0,
            least_approvers: 0,
            baseline: Verdict::Allow,
        }
    }

    /// What reported signals make stricter: thresholds, the number of people, and calls to which people have to agree. It agrees to
    /// nothing itself.
    pub(super) fn tighten(&mut self, adjustment: &Adjustment, tool: &Tool) {
        self.least_threshold_milli = adjustment.contract_threshold_milli();
        self.least_approvers = adjustment.approvers();
        if let Some(need) = adjustment.need(tool) {
            self.escalate(ReasonCode::ApprovalRequiredBySignal, need);
        }
    }

    /// A vote against the call, or an error, which is one too.
    pub(super) fn deny(&mut self, code: ReasonCode) {
        self.codes.push(code);
    }

    /// A vote for the call.
    pub(super) fn agree(&mut self, code: ReasonCode) {
        self.agreed = true;
        self.codes.push(code);
    }

    /// A vote for the call once any approver agrees to it.
    pub(super) fn ask(&mut self, code: ReasonCode) {
        self.agreed = true;
        self.escalate(code, ApprovalNeed::default());
    }

    /// An obligation that comes with a vote.
    pub(super) fn oblige(&mut self, obligation: Obligation) {
        self.made.push(obligation);
    }

    /// What a policy says about its vote.
    pub(super) fn explain(&mut self, reasons: Vec<String>) {
        self.reasons.extend(reasons);
    }

    /// A matching contract rule, of whose predicates so many hold.
    pub(super) fn contract(&mut self, contract: &'a Contract, passed: usize, total: usize) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        if contract.shadow {
            let (passed, total) = (count(passed), count(total));
            let held = match contract.strength {
                Strength::Hard => passed == total,
                Strength::Soft { threshold_milli } => reaches(passed, total, threshold_milli),
            };
            let verdict = if held { Verdict::Allow } else { Verdict::Deny };
            self.shadow(ShadowVote { rule: contract.id.clone(), verdict });
            return;
        }
        self.passed = self.passed.saturating_add(count(passed));
        self.total = self.total.saturating_add(count(total));
        self.obligations.extend(&contract.obligations);
        match contract.strength {
            Strength::Hard if passed < total => {
                self.against.push(&contract.id);
                self.codes.push(ReasonCode::ContractViolated);
            }
            Strength::Hard => self.satisfied.push(&contract.id),
            Strength::Soft { threshold_milli } => self.soft.push((&contract.id, threshold_milli)),
        }
    }

    /// Soft contract rules look at the ratio over all predicates, so they vote when all are counted.
    fn close_contract(&mut self) {
        for (id, threshold_milli) in core::mem::take(&mut self.soft) {
            let threshold_milli = threshold_milli.max(self.least_threshold_milli);
            if reaches(self.passed, self.total, threshold_milli) {
                self.satisfied.push(id);
            } else {
                self.against.push(id);
                self.codes.push(ReasonCode::ContractRatioLow);
            }
        }
        if !self.satisfied.is_empty() {
            self.agreed = true;
            self.codes.push(ReasonCode::ContractSatisfied);
        }
    }

    /// What predicates across steps add up.
    pub(super) fn accumulate(&mut self) -> &mut Vec<Accumulate> {
        &mut self.accumulate
    }

    /// The policy rule that matched.
    pub(super) fn rule(&mut self, rule: &'a Rule, call: &Call<'_>) {
        self.matched.push(&rule.id);
        self.obligations.extend(&rule.obligations);
        match rule.verdict {
            Verdict::Deny => self.codes.push(ReasonCode::RuleDenied),
            Verdict::Escalate => {
                self.agreed = true;
                self.escalate(ReasonCode::ApprovalRequired, rule.approval.clone());
            }
            Verdict::Compute => match rule.compute.apply(call.args) {
                Some(replacement) => self.compute(replacement, call),
                None => self.codes.push(ReasonCode::PolicyError),
            },
            Verdict::Allow => {
                self.agreed = true;
                self.codes.push(ReasonCode::AllowlistMatch);
            }
        }
    }

    /// A vote for asking people. Whether those who have agreed already are enough is seen when all is asked for.
    fn escalate(&mut self, code: ReasonCode, need: ApprovalNeed) {
        self.codes.push(code);
        self.approval = Some(match self.approval.take() {
            Some(earlier) => earlier.and(need),
            None => need,
        });
    }

    /// What people have agreed to satisfies everything that asks or nothing: a part of it would be asked for again and again.
    fn close_approval(&mut self) -> Option<ApprovalNeed> {
        let granted = self.granted?;
        let need = self.approval.take_if(|need| granted.meets(need))?;
        self.codes.retain(|code| !code.is_escalate());
        self.codes.push(ReasonCode::Approved);
        Some(need)
    }

    /// What the operator's baseline says: it can deny, ask and replace, never allow.
    pub(super) fn baseline(&mut self, mut baseline: Votes<'a>) {
        baseline.close_contract();
        let denied = baseline.codes.iter().any(|code| code.is_deny());
        self.baseline = match (denied, &baseline.approval, &baseline.replacement) {
            (true, ..) => Verdict::Deny,
            (_, Some(_), _) => Verdict::Escalate,
            (.., Some(_)) => Verdict::Compute,
            _ => Verdict::Allow,
        };
        let failed = |code: &&ReasonCode| matches!(code, ReasonCode::PolicyError | ReasonCode::PolicyBudget);
        if let Some(code) = baseline.codes.iter().find(failed) {
            self.codes.push(*code);
        } else if denied {
            self.codes.push(ReasonCode::BaselineDenied);
        }
        if let Some(need) = baseline.approval {
            self.escalate(ReasonCode::ApprovalRequiredByBaseline, need);
        }
        if let Some(replacement) = baseline.replacement {
            self.codes.extend(baseline.codes.iter().filter(|code| code.is_compute()));
            self.replacement = Some(replacement);
        }
        self.against.extend(baseline.against);
        self.matched.extend(baseline.matched);
        baseline.shadow.into_iter().for_each(|vote| self.shadow(vote));
        self.obligations.extend(baseline.obligations);
        self.made.extend(baseline.made);
        self.reasons.extend(baseline.reasons);
        self.accumulate.extend(baseline.accumulate);
    }

    /// Gives what is added up other keys.
    pub(super) fn rename_keys(&mut self, rename: impl Fn(&str) -> Arc<str>) {
        self.accumulate.iter_mut().for_each(|item| item.key = rename(&item.key));
    }

    /// A vote for running something else; a second, different one is a conflict. Of what is a replacement itself it can only say
    /// that it is not the right one.
    pub(super) fn compute(&mut self, replacement: Replacement, call: &Call<'_>) {
        if self.replacing {
            if !replacement.is(call) {
                self.codes.push(ReasonCode::ComputeRejected);
            }
            return;
        }
        self.agreed = true;
        if self.replacement.as_ref().is_some_and(|earlier| *earlier != replacement) {
            self.codes.push(ReasonCode::ComputeConflict);
        }
        if replacement.tool.is_some() {
            self.codes.push(ReasonCode::ToolReplaced);
        }
        if replacement.tool.is_none() || replacement.args != *call.args {
            self.codes.push(ReasonCode::ArgumentsReplaced);
        }
        self.replacement = Some(replacement);
    }

    /// A rule whose condition could not be evaluated.
    pub(super) fn failed(&mut self, rule: &'a Rule, code: ReasonCode) {
        self.against.push(&rule.id);
        self.codes.push(code);
    }

    /// A rule that is only tried and matches, or whose condition could not be evaluated.
    pub(super) fn shadow_rule(&mut self, rule: &Rule, failed: bool) {
        let verdict = if failed { Verdict::Deny } else { rule.verdict };
        self.shadow(ShadowVote { rule: rule.id.clone(), verdict });
    }

    fn shadow(&mut self, vote: ShadowVote) {
        if self.shadow.len() < SHADOW_MAX {
            self.shadow.push(vote);
        }
    }

    /// The most restrictive vote, with the codes of its band. Nobody allowing is a deny.
    pub(super) fn outcome(mut self) -> Outcome {
        self.close_contract();
        let granted = self.close_approval();
        if granted.is_some() && self.baseline == Verdict::Escalate {
            // The people that the baseline asks for have agreed: it stands against nothing any more.
            self.baseline = Verdict::Allow;
        }
        if !self.agreed && !self.codes.iter().any(|code| code.is_deny()) {
            self.codes.push(ReasonCode::NoMatchingRule);
        }
        let any = |is: fn(ReasonCode) -> bool| self.codes.iter().any(|code| is(*code));
        let (verdict, in_band): (Verdict, fn(ReasonCode) -> bool) = if any(ReasonCode::is_deny) {
            (Verdict::Deny, ReasonCode::is_deny)
        } else if any(ReasonCode::is_escalate) {
            (Verdict::Escalate, ReasonCode::is_escalate)
        } else if any(ReasonCode::is_compute) {
            (Verdict::Compute, ReasonCode::is_compute)
        } else {
            self.codes.push(ReasonCode::AllowedRulesPassed);
            (Verdict::Allow, ReasonCode::is_allow)
        };
        self.codes.retain(|code| in_band(*code));
        self.codes.sort_unstable();
        self.codes.dedup();
        let mut obligations: Vec<Obligation> = self.obligations.into_iter().cloned().chain(self.made).collect();
        obligations.sort();
        obligations.dedup();
        if let Some(need) = &mut self.approval {
            need.required = need.required.max(self.least_approvers);
        }
        let ids = self.against.iter().chain(&self.matched).chain(&self.satisfied);
        let mut outcome = Outcome {
            verdict,
            codes: self.codes,
            rules: ids.map(|id| RuleId::clone(id)).collect(),
            contract_passed: self.passed,
            contract_total: self.total,
            shadow: self.shadow,
            obligations,
            approval: self.approval.filter(|_| verdict == Verdict::Escalate),
            granted,
            replacement: self.replacement.filter(|_| verdict == Verdict::Compute),
            reasons: self.reasons,
            accumulate: self.accumulate,
            baseline: self.baseline,
        };
        // An obligation that cannot be passed on must not be forgotten silently. Where that is only observed the call runs, and is added up.
        if outcome.obligations.len() > OBLIGATIONS_MAX {
            let Outcome { rules, reasons, baseline, accumulate, .. } = outcome;
            outcome = Outcome { rules, reasons, baseline, accumulate, ..Outcome::deny(ReasonCode::PolicyError) };
        }
        outcome
    }
}

/// Whether so many of so many are at least this share, in thousandths; exact.
fn reaches(passed: u32, total: u32, threshold_milli: u32) -> bool {
    u64::from(passed) * 1_000 >= u64::from(threshold_milli) * u64::from(total)
}
