//! Variants of a scenario: the same steps where policy is only observed, or where one rule is only tried.

use serde_json::json;

use super::expect::Expect;
use super::model::{Action, ObserveVariant, Scenario, ShadowVariant};

/// The scenario itself and the variants that it asks for. The error names a rule that the bundle does not have.
pub fn variants(scenario: &Scenario) -> Result<Vec<Scenario>, String> {
    let mut all = vec![scenario.clone()];
    all.extend(scenario.observe.map(|how| observed(scenario, how)));
    if let Some(shadow) = &scenario.shadow {
        all.push(tried(scenario, shadow)?);
    }
    Ok(all)
}

/// The verdicts and reasons stay, what is enforced may not; counters of a run go another way and are not asked. A step that says
/// itself what it comes to here is held to that alone.
fn observed(scenario: &Scenario, how: ObserveVariant) -> Scenario {
    let mut observed = scenario.clone();
    observed.name = format!("{} [observe]", scenario.name);
    observed.tenant_mode = Some("observe".to_owned());
    for step in &mut observed.steps {
        // What is not a call is ruled on the same way, or says itself what it comes to.
        let softened = how == ObserveVariant::Soft && matches!(step.action(), Ok(Action::Evaluate(_)));
        if let Some(own) = step.in_observe.take() {
            step.expect = own;
            continue;
        }
        let expect = &mut step.expect;
        (expect.run, expect.recorded) = (None, None);
        if softened && expect.verdict.is_some() {
            expect.effective = Some("allow".to_owned());
        }
    }
    observed
}

fn tried(scenario: &Scenario, shadow: &ShadowVariant) -> Result<Scenario, String> {
    let mut tried = scenario.clone();
    tried.name = format!("{} [shadow]", scenario.name);
    let mut found = 0;
    for text in [&mut tried.bundle_text, &mut tried.baseline_text].into_iter().flatten() {
        let (with, here) = with_shadow(text, &shadow.rule);
        *text = with;
        found += here;
    }
    if found != 1 {
        return Err(format!("the bundle has {found} lines `- id: {}`, one is needed", shadow.rule));
    }
    if let Some(last) = tried.steps.last_mut() {
        let (verdict, codes) = (Some(shadow.verdict.clone()), Some(shadow.codes.clone()));
        let vote = json!([{"rule": shadow.rule, "verdict": shadow.vote}]);
        let recorded = Some(json!({"body": {"effects": {"shadow": vote}}}));
        last.expect = Expect { verdict, codes, recorded, ..Expect::default() };
    }
    Ok(tried)
}

/// The text with `shadow: true` beneath the rule's `- id: …` or `- builtin: …`, and how many such lines it has.
fn with_shadow(text: &str, rule: &str) -> (String, u32) {
    let mut out = String::with_capacity(text.len() + 32);
    let mut found = 0;
    for line in text.lines() {
        out.push_str(line);
        out.push('\n');
        let named = |key: &str| line.strip_suffix(&format!("- {key}: {rule}"));
        if let Some(indent) = named("id").or_else(|| named("builtin")) {
            found += 1;
            out.push_str(&format!("{indent}  shadow: true\n"));
        }
    }
    (out, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rule_is_made_to_be_tried() {
        let text = "rules:\n  - id: a\n    priority: 1\n  - id: ab\n    priority: 2\n";
        let with = "rules:\n  - id: a\n    shadow: true\n    priority: 1\n  - id: ab\n    priority: 2\n";
        assert_eq!(with_shadow(text, "a"), (with.to_owned(), 1));
        assert_eq!(with_shadow(text, "b"), (text.to_owned(), 0));
        let builtin = "behaviour:\n  - builtin: a\n";
        assert_eq!(with_shadow(builtin, "a"), (format!("{builtin}    shadow: true\n"), 1));
    }
}
