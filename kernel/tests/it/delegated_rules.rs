//! Rules about subjects bind everybody on whose behalf a call is made: nobody gets more by acting through, or for, another one.

use assent_kernel::bundle::{Call, Situation, compile};
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::value;

const HEAD: &str = "name: n\nversion: '1'\n\
    tools: [{name: t, class: c, action: a}]\n\
    principals: [{subject: helper, capabilities: [{class: c, actions: [a]}]}]\n";

fn codes(sections: &str, chain: &[&str]) -> Vec<ReasonCode> {
    let source = format!("{HEAD}{sections}\n");
    let bundle = compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"));
    let args = value::parse_object(b"{}").unwrap();
    let chain: Vec<String> = chain.iter().map(|subject| (*subject).to_owned()).collect();
    let situation = Situation { chain: &chain, ..Situation::default() };
    bundle.evaluate_with(&Call { subject: "helper", tool: bundle.tool("t").unwrap(), args: &args }, &situation).codes
}

#[test]
fn a_deny_matches_one_of_them_and_an_allow_all_of_them() {
    let rules = |first: &str| {
        format!(
            "rules: [{{id: r, priority: 1, match: {{principalId: {first}}}, decision: deny}}, {{id: a, match: {{}}, decision: allow}}]"
        )
    };
    assert_eq!(codes(&rules("intern"), &[]), [AllowedRulesPassed, AllowlistMatch]);
    assert_eq!(codes(&rules("intern"), &["boss", "intern"]), [RuleDenied], "the intern has the helper do it");
    let asks = rules("intern").replace("deny", "escalate");
    assert_eq!(codes(&asks, &["intern"]), [ApprovalRequired]);
    let allow = |who: &str| format!("rules: [{{id: r, match: {{principalId: {who}}}, decision: allow}}]");
    assert_eq!(codes(&allow("helper"), &[]), [AllowedRulesPassed, AllowlistMatch]);
    assert_eq!(codes(&allow("helper"), &["intern"]), [NoMatchingRule]);
    assert_eq!(codes(&allow("[helper, 'boss*']"), &["boss-1", "boss-2"]), [AllowedRulesPassed, AllowlistMatch]);
    let compute = "rules: [{id: r, match: {principalId: helper}, decision: compute, compute: {set: {x: 1}}}]";
    assert_eq!(codes(compute, &[]), [ArgumentsReplaced]);
    assert_eq!(codes(compute, &["intern"]), [NoMatchingRule]);
}

#[test]
fn conditions_and_rego_know_the_chain() {
    let condition =
        "rules: [{id: r, match: {}, decision: allow, condition: \"size(chain) <= 1 && !('intern' in chain)\"}]";
    assert_eq!(codes(condition, &["boss"]), [AllowedRulesPassed, AllowlistMatch]);
    assert_eq!(codes(condition, &["intern"]), [NoMatchingRule]);
    assert_eq!(codes(condition, &["boss", "chief"]), [NoMatchingRule]);
    let rego = "rego:\n  modules:\n  - file: p.rego\n    source: |\n      package assent\n      default decision := false\n      \
                decision if count([who | some who in input.chain; who == \"intern\"]) == 0\n";
    assert_eq!(codes(rego, &["boss"]), [AllowedRulesPassed, RegoAllowed]);
    assert_eq!(codes(rego, &["boss", "intern"]), [RegoDenied]);
}
