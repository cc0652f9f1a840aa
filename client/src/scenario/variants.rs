//! Variants of a scenario: the same steps where policy is only observed, or where one rule is only tried.

use super::expect::Expect;
use super::model::{ObserveVariant, Scenario, ShadowVariant};

/// The scenario itself and the variants that it asks for. The error names a rule that the bundle does not have.
pub fn variants(scenario: &Scenario) -> Result<Vec<Scenario>, String> {
    let mut all = vec![scenario.clone()];
    all.extend(scenario.observe.map(|how| observed(scenario, how)));
    if let Some(shadow) = &scenario.shadow {
        all.push(tried(scenario, shadow)?);
    }
    Ok(all)
}

/// The verdicts and reasons stay, what is enforced may not; counters of a run go another way and are not asked.
fn observed(scenario: &Scenario, how: ObserveVariant) -> Scenario {
    let mut observed = scenario.clone();
    observed.name = format!("{} [observe]", scenario.name);
    observed.tenant_mode = Some("observe".to_owned());
    for step in &mut observed.steps {
        let expect = &mut step.expect;
        expect.run = None;
        if how == ObserveVariant::Soft && expect.verdict.is_some() {
            expect.effective = Some("allow".to_owned());
        }
    }
    observed
}

fn tried(scenario: &Scenario, shadow: &ShadowVariant) -> Result<Scenario, String> {
    let mut tried = scenario.clone();
    tried.name = format!("{} [shadow]", scenario.name);
    let text = scenario.bundle_text.as_deref().unwrap_or_default();
    tried.bundle_text = Some(with_shadow(text, &shadow.rule)?);
    if let Some(last) = tried.steps.last_mut() {
        let (verdict, codes) = (Some(shadow.verdict.clone()), Some(shadow.codes.clone()));
        last.expect = Expect { verdict, codes, ..Expect::default() };
    }
    Ok(tried)
}

/// The bundle with `shadow: true` beneath the rule's `- id: …`.
fn with_shadow(text: &str, rule: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 32);
    let mut found = 0;
    for line in text.lines() {
        out.push_str(line);
        out.push('\n');
        if let Some(indent) = line.strip_suffix(&format!("- id: {rule}")) {
            found += 1;
            out.push_str(&format!("{indent}  shadow: true\n"));
        }
    }
    if found == 1 { Ok(out) } else { Err(format!("the bundle has {found} lines `- id: {rule}`, one is needed")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn one_rule_is_made_to_be_tried() {
        let text = "rules:\n  - id: a\n    priority: 1\n  - id: ab\n    priority: 2\n";
        let with = with_shadow(text, "a").unwrap();
        assert_eq!(with, "rules:\n  - id: a\n    shadow: true\n    priority: 1\n  - id: ab\n    priority: 2\n");
        assert!(with_shadow(text, "b").is_err());
    }
}
