//! Why a call got its verdict, in lines a person can read. Shows names and ids only, never argument values.

use super::CompiledBundle;
use super::condition::Scratch;
use super::contract::Contract;
use super::evaluate::{Call, at};
use super::facts::Facts;
use super::layers::RuntimeRules;
use super::work::Work;
use crate::verdict::Verdict;

impl CompiledBundle {
    /// The steps of [`CompiledBundle::evaluate_layered`] for this call, one line each, ending with the verdict and its codes. Of
    /// the baseline only what it votes is shown, in the last line's codes: its text is the operator's.
    pub fn explain(
        &self,
        call: &Call<'_>,
        facts: &impl Facts,
        baseline: Option<&CompiledBundle>,
        runtime: Option<&RuntimeRules>,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let situation = facts.situation();
        let subject = situation.authority.unwrap_or(call.subject);
        match self.principals.check(subject, (call.tool, call.args), situation.leased, &Work::default()) {
            Ok(()) => lines.push(format!("capability: one covers `{}` of class `{}`", call.tool.name, call.tool.class)),
            Err(code) => lines.push(format!("capability: {}", code.description())),
        }
        if let Some(adjustment) = situation.adjusted.filter(|adjustment| !adjustment.is_empty()) {
            let values: Vec<String> =
                adjustment.values().map(|(knob, value)| format!("{} {value}", knob.name())).collect();
            lines.push(format!("orchestration: {} ({})", adjustment.rules().join(", "), values.join(", ")));
        }
        let outcome = self.evaluate_layered(call, facts, baseline, runtime);
        if !outcome.codes.iter().any(|code| code.is_structural()) {
            for contract in call.tool.contracts.iter().filter_map(|position| at(&self.contracts, *position)) {
                lines.push(explain_contract(contract, call, facts));
            }
            self.explain_rules(call, facts, runtime, &mut lines);
        }
        if let Some(need) = &outcome.approval {
            let roles = if need.roles.is_empty() { "any approver".to_owned() } else { need.roles.join(", ") };
            lines.push(format!("approval: {} of {roles}, within {} seconds", need.required, need.expires_seconds));
        }
        lines.extend(outcome.obligations.iter().map(|obligation| {
            let required = if obligation.required { "required" } else { "wanted" };
            format!("obligation {}: {required}", obligation.kind)
        }));
        let codes: Vec<&str> = outcome.codes.iter().map(|code| code.name()).collect();
        lines.push(format!("verdict: {} ({})", outcome.verdict, codes.join(", ")));
        lines
    }

    fn explain_rules(
        &self,
        call: &Call<'_>,
        facts: &impl Facts,
        runtime: Option<&RuntimeRules>,
        lines: &mut Vec<String>,
    ) {
        let first = runtime.map_or(&[][..], |runtime| &runtime.rules).iter().filter(|rule| rule.concerns(call.tool));
        let own = call.tool.rules.iter().filter_map(|position| at(&self.rules, *position));
        for rule in first.chain(own) {
            let (id, line) = (&rule.id, rule.at.line);
            let matched = rule.matches(call, &facts.situation(), &Scratch::new(&Work::default()));
            let (does, verdict) = match matched {
                Ok(false) => {
                    lines.push(format!("rule {id} (line {line}): does not match"));
                    continue;
                }
                Ok(true) => ("matches", rule.verdict),
                Err(_) => ("its condition fails", Verdict::Deny),
            };
            if rule.shadow {
                lines.push(format!("rule {id} (line {line}): {does}, would decide {verdict}, is only tried"));
            } else {
                lines.push(format!("rule {id} (line {line}): {does}, decides {verdict}"));
                return;
            }
        }
        lines.push("rules: none matches".to_owned());
    }
}

fn explain_contract(contract: &Contract, call: &Call<'_>, facts: &impl Facts) -> String {
    let failing: Vec<String> = contract
        .predicates
        .iter()
        .filter(|predicate| !predicate.holds(call.args, facts, &Scratch::new(&Work::default()), &mut Vec::new()))
        .map(|predicate| match predicate.selector() {
            Some(selector) => format!("`{selector}` (line {})", predicate.at.line),
            None => format!("the number of calls (line {})", predicate.at.line),
        })
        .collect();
    let tried = if contract.shadow { ", is only tried" } else { "" };
    match failing.as_slice() {
        [] => format!("contract {}: holds{tried}", contract.id),
        _ => format!("contract {}: violated by {}{tried}", contract.id, failing.join(", ")),
    }
}
