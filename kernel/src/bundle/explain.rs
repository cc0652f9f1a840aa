//! Why a call got its verdict, in lines a person can read. Shows names and ids only, never argument values.

use super::CompiledBundle;
use super::condition::HostMemo;
use super::evaluate::{Call, at};
use super::facts::Facts;

impl CompiledBundle {
    /// The steps of [`CompiledBundle::evaluate_with`] for this call, one line each, ending with the verdict and its codes.
    pub fn explain(&self, call: &Call<'_>, facts: &impl Facts) -> Vec<String> {
        let mut lines = Vec::new();
        match self.principals.check(call.subject, call.tool, call.args, facts.situation().leased) {
            Ok(()) => lines.push(format!("capability: one covers `{}` of class `{}`", call.tool.name, call.tool.class)),
            Err(code) => lines.push(format!("capability: {}", code.description())),
        }
        let outcome = self.evaluate_with(call, facts);
        if !outcome.codes.iter().any(|code| code.is_structural()) {
            self.explain_contract(call, facts, &mut lines);
            self.explain_rules(call, facts, &mut lines);
        }
        let codes: Vec<&str> = outcome.codes.iter().map(|code| code.name()).collect();
        lines.push(format!("verdict: {} ({})", outcome.verdict, codes.join(", ")));
        lines
    }

    fn explain_contract(&self, call: &Call<'_>, facts: &impl Facts, lines: &mut Vec<String>) {
        for contract in call.tool.contracts.iter().filter_map(|position| at(&self.contracts, *position)) {
            let failing: Vec<String> = contract
                .predicates
                .iter()
                .filter(|predicate| !predicate.holds(call.args, facts, &HostMemo::default(), &mut Vec::new()))
                .map(|predicate| match predicate.selector() {
                    Some(selector) => format!("`{selector}` (line {})", predicate.at.line),
                    None => format!("the number of calls (line {})", predicate.at.line),
                })
                .collect();
            lines.push(match failing.as_slice() {
                [] => format!("contract {}: holds", contract.id),
                _ => format!("contract {}: violated by {}", contract.id, failing.join(", ")),
            });
        }
    }

    fn explain_rules(&self, call: &Call<'_>, facts: &impl Facts, lines: &mut Vec<String>) {
        for rule in call.tool.rules.iter().filter_map(|position| at(&self.rules, *position)) {
            let (id, line) = (&rule.id, rule.at.line);
            if !rule.matches(call, &facts.situation(), &HostMemo::default()) {
                lines.push(format!("rule {id} (line {line}): does not match"));
            } else if rule.shadow {
                lines.push(format!("rule {id} (line {line}): matches, would decide {}, is only tried", rule.verdict));
            } else {
                lines.push(format!("rule {id} (line {line}): matches, decides {}", rule.verdict));
                return;
            }
        }
        lines.push("rules: none matches".to_owned());
    }
}
