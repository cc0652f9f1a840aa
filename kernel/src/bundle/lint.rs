//! What loads but probably does not mean what it says.

use super::error::{Diagnostics, LintKind};
use super::rules::Rule;
use super::tool::Tool;
use super::{CompiledBundle, orchestration};
use crate::verdict::Verdict;

/// Adds the lints that need the whole bundle; those of single patterns were added while reading.
pub(super) fn lint(bundle: &CompiledBundle, d: &mut Diagnostics) {
    // A bundle without tools is a fragment of rules to be read, not to be activated: nothing to compare with.
    if bundle.tools.is_empty() {
        return;
    }
    let tools: Vec<&Tool> = bundle.tools.values().collect();
    capabilities(bundle, &tools, d);
    contracts(bundle, &tools, d);
    orchestration::lint(&bundle.orchestration, &tools, d);
    for rule in &bundle.rules {
        rule_arguments(rule, &tools, d);
    }
    unreachable(bundle, d);
}

fn capabilities(bundle: &CompiledBundle, tools: &[&Tool], d: &mut Diagnostics) {
    for capability in bundle.principals.all() {
        let covered: Vec<_> = tools.iter().filter(|tool| capability.covers(tool)).collect();
        if covered.is_empty() {
            let message = format!("no declared tool is covered by this capability for class `{}`", capability.class());
            d.lint(capability.at(), LintKind::MatchesNoTool, message);
        }
        for argument in capability.constraints().arguments() {
            if let Some(tool) = covered.iter().find(|tool| tool.requires(argument).is_none()) {
                let message = format!("`{}` declares no `{argument}`, so this constraint never covers it", tool.name);
                d.lint(capability.at(), LintKind::ConstraintWithoutArgument, message);
            }
        }
    }
}

fn contracts(bundle: &CompiledBundle, tools: &[&Tool], d: &mut Diagnostics) {
    for contract in &bundle.contracts {
        let mut concerned = tools.iter().filter(|tool| contract.concerns(tool)).peekable();
        if concerned.peek().is_none() {
            let message = format!("the contract rule `{}` concerns no declared tool", contract.id);
            d.lint(contract.at, LintKind::MatchesNoTool, message);
        }
        for tool in concerned {
            for predicate in &contract.predicates {
                let Some(selector) = predicate.selector() else { continue };
                if tool.requires(selector.argument()).is_none() {
                    let message = format!("`{}` declares no `{selector}`, so it always fails", tool.name);
                    d.lint(predicate.at, LintKind::UndeclaredArgument, message);
                }
            }
        }
    }
}

fn rule_arguments(rule: &Rule, tools: &[&Tool], d: &mut Diagnostics) {
    let concerned: Vec<_> = tools.iter().filter(|tool| rule.concerns(tool)).collect();
    if concerned.is_empty() {
        d.lint(rule.at, LintKind::MatchesNoTool, format!("the rule `{}` matches no declared tool", rule.id));
    }
    for parameter in &rule.parameters {
        let argument = parameter.selector.argument();
        let present = |tool: &&&Tool| tool.requires(argument) == Some(true) && parameter.selector.is_whole();
        if rule.verdict == Verdict::Deny {
            if let Some(tool) = concerned.iter().find(|tool| !present(tool)) {
                let selector = &parameter.selector;
                let message = format!(
                    "`{}` does not require `{selector}`: `{}` also denies calls without it",
                    tool.name, rule.id
                );
                d.lint(parameter.at, LintKind::DenyOnAbsentArgument, message);
            }
        } else if let Some(tool) = concerned.iter().find(|tool| tool.requires(argument).is_none()) {
            let message = format!("`{}` declares no `{argument}`, so `{}` never matches it", tool.name, rule.id);
            d.lint(parameter.at, LintKind::UndeclaredArgument, message);
        }
    }
}

/// A rule is unreachable when for every tool it concerns an earlier rule matches unconditionally.
fn unreachable(bundle: &CompiledBundle, d: &mut Diagnostics) {
    let mut reachable = vec![false; bundle.rules.len()];
    let mut listed = vec![false; bundle.rules.len()];
    for tool in bundle.tools.values() {
        let mut open = true;
        for position in tool.rules.iter() {
            let Ok(position) = usize::try_from(*position) else { continue };
            let Some(rule) = bundle.rules.get(position) else { continue };
            if let (Some(reach), Some(list)) = (reachable.get_mut(position), listed.get_mut(position)) {
                *reach |= open;
                *list = true;
            }
            open &= !rule.is_unconditional();
        }
    }
    for ((rule, reach), list) in bundle.rules.iter().zip(reachable).zip(listed) {
        if list && !reach {
            let message = format!("the rule `{}` is never asked, an earlier rule always matches", rule.id);
            d.lint(rule.at, LintKind::Unreachable, message);
        }
    }
}
