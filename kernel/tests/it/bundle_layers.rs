//! The layers around a bundle: a runtime layer that is asked first, and an operator's baseline that nothing overrides.

use assent_kernel::bundle::{
    Accumulated, Call, CompiledBundle, Facts, Granted, Outcome, Per, RuntimeRules, Situation, compile, compile_runtime,
    runtime_hash,
};
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::value::{self, Number};
use assent_kernel::verdict::Verdict;
use assent_ledger::hash::Hash;

const HEAD: &str = "name: n\nversion: '1'\ntools: [{name: t, class: c, action: a}, {name: u, class: c, action: b}]\n\
    principals: [{subject: s, capabilities: [{class: c, actions: ['*']}]}]\n";
const ALLOW: &str = "rules: [{id: allow-all, decision: allow, match: {}}]";

fn bundle(source: &str) -> CompiledBundle {
    compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"))
}

fn project(sections: &str) -> CompiledBundle {
    bundle(&format!("{HEAD}{sections}\n"))
}

fn baseline(sections: &str) -> CompiledBundle {
    bundle(&format!("name: operator\nversion: '1'\n{sections}\n"))
}

fn runtime(rules: &str, bundle: &CompiledBundle) -> RuntimeRules {
    compile_runtime(format!("rules: {rules}").as_bytes(), bundle).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn ask(
    bundle: &CompiledBundle,
    tool: &str,
    args: &str,
    facts: &impl Facts,
    baseline: Option<&CompiledBundle>,
    runtime: Option<&RuntimeRules>,
) -> Outcome {
    let args = value::parse_object(args.as_bytes()).unwrap();
    let call = Call { subject: "s", tool: bundle.tool(tool).unwrap(), args: &args };
    let lines = bundle.explain(&call, facts, baseline, runtime);
    let outcome = bundle.evaluate_layered(&call, facts, baseline, runtime);
    assert!(lines.last().unwrap().starts_with(&format!("verdict: {}", outcome.verdict)));
    outcome
}

fn codes(project: &CompiledBundle, baseline: &CompiledBundle, args: &str) -> Vec<ReasonCode> {
    ask(project, "t", args, &Situation::default(), Some(baseline), None).codes
}

#[test]
fn the_baselines_denies_and_questions_cannot_be_overridden() {
    let project = project(ALLOW);
    for (sections, wanted) in [
        ("rules: [{id: b, decision: deny, match: {toolClass: c}}]", vec![BaselineDenied]),
        ("rules: [{id: b, decision: deny, match: {toolClass: other}}]", vec![AllowedRulesPassed, AllowlistMatch]),
        ("rules: [{id: b, decision: allow, match: {}}]", vec![AllowedRulesPassed, AllowlistMatch]),
        ("rules: [{id: b, decision: escalate, match: {action: a}}]", vec![ApprovalRequiredByBaseline]),
        ("rules: [{id: b, decision: compute, compute: {set: {dry_run: true}}, match: {}}]", vec![ArgumentsReplaced]),
        ("contract: [{id: b, class: c, require: [{argument: n, op: '<', value: 5}]}]", vec![BaselineDenied]),
        ("rules: [{id: b, shadow: true, decision: deny, match: {}}]", vec![AllowedRulesPassed, AllowlistMatch]),
    ] {
        assert_eq!(codes(&project, &baseline(sections), r#"{"n":7}"#), wanted, "{sections}");
    }
}

#[test]
fn the_baseline_allows_nothing_by_itself() {
    let silent = project("");
    for sections in [
        "rules: [{id: b, decision: allow, match: {}}]",
        "contract: [{id: b, class: c, require: [{argument: n, op: '<', value: 5}]}]",
        "rules: [{id: b, decision: escalate, match: {}}]",
        "rules: [{id: b, decision: compute, compute: {set: {dry_run: true}}, match: {}}]",
    ] {
        assert_eq!(codes(&silent, &baseline(sections), r#"{"n":1}"#), [NoMatchingRule], "{sections}");
    }
    let approved = Situation { granted: Some(Granted { votes: 1, roles: &[] }), ..Situation::default() };
    let asks = baseline("rules: [{id: b, decision: escalate, match: {}}]");
    assert_eq!(ask(&silent, "t", "{}", &approved, Some(&asks), None).codes, [NoMatchingRule]);
    let outcome = ask(&project(ALLOW), "t", "{}", &approved, Some(&asks), None);
    assert_eq!(outcome.codes, [AllowedRulesPassed, AllowlistMatch, Approved]);
}

#[test]
fn two_different_replacements_are_a_conflict_and_equal_ones_are_not() {
    let compute =
        |n: u32| format!("rules: [{{id: b{n}, decision: compute, match: {{}}, compute: {{set: {{limit: {n}}}}}}}]");
    let project = project(&compute(1));
    assert_eq!(codes(&project, &baseline(&compute(1)), "{}"), [ArgumentsReplaced]);
    assert_eq!(codes(&project, &baseline(&compute(2)), "{}"), [ComputeConflict]);
}

#[test]
fn both_approvals_are_asked_for() {
    let rule = |id: &str, role: &str| {
        format!("rules: [{{id: {id}, decision: escalate, match: {{}}, approval: {{role: {role}}}}}]")
    };
    let outcome = ask(
        &project(&rule("p", "lead")),
        "t",
        "{}",
        &Situation::default(),
        Some(&baseline(&rule("b", "operator"))),
        None,
    );
    assert_eq!(
        (outcome.verdict, &outcome.codes[..]),
        (Verdict::Escalate, &[ApprovalRequired, ApprovalRequiredByBaseline][..])
    );
    let need = outcome.approval.unwrap();
    assert_eq!((need.roles.iter().map(|r| &**r).collect::<Vec<_>>(), need.required), (vec!["lead", "operator"], 2));
}

#[test]
fn a_tool_that_the_baseline_declares_is_what_the_baseline_says_it_is() {
    let baseline = baseline(
        "tools: [{name: t, class: shell, action: exec}]\nrules: [{id: b, decision: deny, match: {toolClass: shell}}]",
    );
    let project = project(ALLOW);
    assert_eq!(ask(&project, "t", "{}", &Situation::default(), Some(&baseline), None).codes, [BaselineDenied]);
    assert_eq!(ask(&project, "u", "{}", &Situation::default(), Some(&baseline), None).verdict, Verdict::Allow);
}

/// Says what the baseline and the bundle have added up already.
struct Sums {
    baseline: u64,
    own: u64,
}

impl Facts for Sums {
    fn situation(&self) -> Situation<'_> {
        Situation::default()
    }

    fn accumulated(&self, key: &str, _: Per, _: Option<&Hash>) -> Accumulated {
        let sum = if key.starts_with("baseline!cap#") { self.baseline } else { self.own };
        Accumulated { sum: Number::from_u64(sum), ..Accumulated::default() }
    }
}

#[test]
fn the_baseline_adds_up_apart_from_the_bundle() {
    let contract = |max: u32| {
        format!("contract: [{{id: cap, class: c, require: [{{sum: n, per: day, op: '<=', value: {max}}}]}}]")
    };
    let (project, baseline) = (project(&contract(10)), baseline(&contract(100)));
    let ask = |baseline_sum, own| {
        let sums = Sums { baseline: baseline_sum, own };
        ask(&project, "t", r#"{"n":5}"#, &sums, Some(&baseline), None)
    };
    let outcome = ask(95, 5);
    assert_eq!(outcome.verdict, Verdict::Allow);
    let mut keys: Vec<&str> = outcome.accumulate.iter().map(|item| &*item.key).collect();
    keys.sort_unstable();
    assert!(keys[0].starts_with("baseline!cap#") && keys[1].starts_with("cap#") && keys.len() == 2, "{keys:?}");
    assert_eq!(ask(0, 6).codes, [ContractViolated]);
    assert_eq!(ask(96, 0).codes, [BaselineDenied]);
}

#[test]
fn the_runtime_layer_is_asked_first_and_denies_nothing_by_being_there() {
    let project = project("rules: [{id: p, priority: 0, decision: allow, match: {}}]");
    let stop = runtime(
        "[{id: r2, priority: 5, decision: allow, match: {}}, {id: r1, priority: 4, decision: deny, match: {tool: t}}]",
        &project,
    );
    let none = Situation::default();
    assert_eq!(ask(&project, "t", "{}", &none, None, Some(&stop)).rules[0].as_ref(), "r1");
    assert_eq!(ask(&project, "u", "{}", &none, None, Some(&stop)).rules[0].as_ref(), "r2");
    assert_eq!(ask(&project, "t", "{}", &none, None, None).rules[0].as_ref(), "p");
    let narrow = runtime("[{id: r1, decision: deny, match: {tool: u}}]", &project);
    let contract_only = self::project("contract: [{id: k, class: c, require: [{argument: n, op: '<', value: 5}]}]");
    assert_eq!(ask(&contract_only, "t", r#"{"n":1}"#, &none, None, Some(&narrow)).verdict, Verdict::Allow);
    assert_eq!(ask(&contract_only, "u", r#"{"n":1}"#, &none, None, Some(&narrow)).codes, [RuleDenied]);
    let empty = runtime("[]", &project);
    assert!(empty.is_empty());
    assert_eq!(empty.hash(), runtime_hash(b"rules: []"));
}

#[test]
fn a_runtime_layer_holds_rules_that_fit_the_bundle_alone() {
    let project = project(ALLOW);
    for (source, words) in [
        ("rules: [{id: allow-all, decision: deny, match: {}}]", "taken by a rule of the bundle"),
        ("rules: [{id: r, decision: deny, match: {}}, {id: r, decision: deny, match: {}}]", "the id `r` is taken"),
        ("rules: [{id: r, decision: deny, match: {tool: tt}}]", "no tool `tt` is declared"),
        ("rules: [{id: r, layer: built-in, decision: deny, match: {}}]", "cannot be of the built-in one"),
        ("contract: []\nrules: []", "a runtime layer has no key `contract`"),
        ("name: x", "needs the key `rules`"),
        ("", "is empty"),
    ] {
        let errors = compile_runtime(source.as_bytes(), &project).unwrap_err();
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(text.join("\n").contains(words), "{source}\n{text:?}");
    }
}
