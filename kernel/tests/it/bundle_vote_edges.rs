//! The edges of evaluation: what a value must be like to be looked at, how much a decision holds, what a baseline sees.

use assent_kernel::bundle::{
    Call, CompiledBundle, Granted, LintKind, Outcome, RunFacts, Situation, compile, compile_runtime, limits,
};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::value;
use assent_kernel::verdict::Verdict;

const HEAD: &str = "name: n\nversion: '1'\n\
    tools: [{name: t, class: c, action: a}, {name: u, class: c, action: a}]\n";
const OWNER: &str = "principals: [{subject: s, capabilities: [{class: c, actions: [a]}]}]\n";
const REST: &str = "{id: rest, priority: 900, match: {}, decision: allow}";

fn bundle(sections: &str) -> CompiledBundle {
    let source = format!("{HEAD}{OWNER}{sections}\n");
    compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"))
}

fn baseline(sections: &str) -> CompiledBundle {
    let source = format!("{HEAD}{sections}\n");
    compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"))
}

fn layered(own: &str, baseline: Option<&CompiledBundle>, args: &str, situation: &Situation<'_>) -> Outcome {
    let own = bundle(own);
    let args = value::parse_object(args.as_bytes()).unwrap();
    own.evaluate_layered(&Call { subject: "s", tool: own.tool("t").unwrap(), args: &args }, situation, baseline, None)
}

fn ask(own: &str, args: &str) -> Outcome {
    layered(own, None, args, &Situation::default())
}

/// Whether an allow rule with this parameter matches the text.
fn admits(parameter: &str, text: &str) -> bool {
    let own = format!("rules: [{{id: r, match: {{parameters: {{x: {parameter}}}}}, decision: allow}}]");
    let args =
        value::Value::Object(value::Object::new(vec![("x".to_owned(), value::Value::String(text.into()))]).unwrap());
    let own = bundle(&own);
    let value::Value::Object(args) = &args else { panic!() };
    let call = Call { subject: "s", tool: own.tool("t").unwrap(), args };
    own.evaluate_with(&call, &Situation::default()).verdict == Verdict::Allow
}

#[test]
fn urls_have_an_ordinary_host_or_none() {
    let host = |url: &str| admits("{host: ok.example}", url);
    assert!(host("https://ok.example/a?b") && host("https://ok.example:8443/"));
    for odd in
        ["https://ok.example/a b", "https://ok.example/a\u{7f}", "https://ok.example/a\\b", "https://ok.example/\n"]
    {
        assert!(!host(odd), "{odd:?}");
    }
    let long = |bytes: usize| format!("https://ok.example/{}", "a".repeat(bytes - 19));
    assert!(host(&long(limits::URL_BYTES_MAX)) && !host(&long(limits::URL_BYTES_MAX + 1)));
    // A name has at most 253 characters, its labels at most 63.
    let label = "a".repeat(63);
    let name = |last: usize| format!("https://{label}.{label}.{label}.{}.ok.example/", "b".repeat(last));
    let any = |url: &str| admits("{host: '*.ok.example'}", url);
    assert!(any(&name(50)), "253 characters");
    assert!(!any(&name(51)) && !any(&name(52)) && !any("https:///"));
}

#[test]
fn paths_are_so_long_and_no_longer() {
    let within = |path: &str| admits("{within: /srv}", path);
    let long = |bytes: usize| format!("/srv/{}", "a".repeat(bytes - 5));
    assert!(within(&long(limits::PATH_BYTES_MAX)) && !within(&long(limits::PATH_BYTES_MAX + 1)));
}

#[test]
fn a_value_of_another_type_counts_against_the_caller() {
    let values = [("['1', x]", "\"x\""), ("[1, 2]", "2"), ("[true]", "true")];
    for (listed, _) in values {
        for (own, given) in values {
            let contract = |op: &str| {
                format!("contract: [{{id: k, tools: [t], require: [{{argument: v, op: {op}, value: {listed}}}]}}]")
            };
            let says = |op: &str| ask(&contract(op), &format!("{{\"v\":{given}}}")).verdict;
            // Of the listed type it is in the list; of another it is neither in it nor not in it.
            assert_eq!(says("in"), if own == listed { Verdict::Allow } else { Verdict::Deny }, "{given} in {listed}");
            assert_eq!(says("not_in"), Verdict::Deny, "{given} not in {listed}");
        }
    }
}

#[test]
fn patterns_of_rules_and_conditions_are_so_long_and_no_longer() {
    let errors = |source: String| compile(source.as_bytes()).err().unwrap_or_default().len();
    let pattern = |bytes: usize| "a".repeat(bytes);
    let most = limits::PATTERN_BYTES_MAX;
    let rule = |bytes: usize| {
        format!(
            "{HEAD}rules: [{{id: r, match: {{parameters: {{x: {{pattern: '{}'}}}}}}, decision: allow}}]\n",
            pattern(bytes)
        )
    };
    assert_eq!((errors(rule(most)), errors(rule(most + 1))), (0, 1));
    let condition = |bytes: usize| {
        format!(
            "{HEAD}rules: [{{id: r, match: {{}}, condition: \"args.x.matches('{}')\", decision: allow}}]\n",
            pattern(bytes)
        )
    };
    assert_eq!((errors(condition(most)), errors(condition(most + 1))), (0, 1));
    let message = compile(rule(most + 1).as_bytes()).unwrap_err()[0].to_string();
    assert!(message.contains(&most.to_string()), "it says how long one may be: {message}");
}

#[test]
fn there_is_room_for_so_many_different_patterns() {
    let rules = |count: usize| {
        let one =
            |n: usize| format!("{{id: r{n}, match: {{parameters: {{x: {{pattern: 'p{n}'}}}}}}, decision: allow}}");
        let again = "{id: again, match: {parameters: {x: {pattern: 'p0'}}}, decision: allow}";
        let rules: Vec<String> = (0..count).map(one).collect();
        compile(format!("{HEAD}rules: [{}, {again}]\n", rules.join(", ")).as_bytes()).map(drop)
    };
    assert!(rules(limits::PATTERNS_MAX).is_ok(), "one that is known takes no room");
    assert_eq!(rules(limits::PATTERNS_MAX + 1).unwrap_err().len(), 1);
}

#[test]
fn a_pattern_that_leaves_the_host_open_is_pointed_out() {
    let lints = |pattern: &str| {
        let rule = format!(
            "{HEAD}{OWNER}rules: [{{id: r, match: {{parameters: {{url: {{pattern: '{pattern}'}}}}}}, decision: allow}}]\n"
        );
        compile(rule.as_bytes()).unwrap().lint().to_vec()
    };
    let open = lints(r"^https://api\.example\.com");
    assert!(
        open.iter().any(|lint| lint.kind == LintKind::UnanchoredPattern && lint.message.contains("evil.com")),
        "{open:?}"
    );
    for closed in [r"^https://api\.example\.com/", r"^https://api\.example\.com$", "^https://"] {
        assert!(lints(closed).iter().all(|lint| lint.kind != LintKind::UnanchoredPattern), "{closed}");
    }
}

#[test]
fn a_decision_holds_so_many_obligations_and_forgets_none_silently() {
    let rule = |name: &str, count: usize, rest: &str| {
        let one = |n: usize| format!("{{type: x-{name}-{n}}}");
        let all: Vec<String> = (0..count).map(one).collect();
        format!("rules: [{{id: {name}, match: {{}}, decision: allow, obligations: [{}]}}{rest}]", all.join(", "))
    };
    let half = limits::OBLIGATIONS_MAX / 2;
    let of_baseline = baseline(&rule("base", half, ""));
    let fits = layered(&rule("own", half, ""), Some(&of_baseline), "{}", &Situation::default());
    assert_eq!((fits.verdict, fits.obligations.len()), (Verdict::Allow, limits::OBLIGATIONS_MAX));
    let over = layered(&rule("own", half + 1, ""), Some(&of_baseline), "{}", &Situation::default());
    assert_eq!((over.verdict, &over.codes[..], over.obligations.len()), (Verdict::Deny, &[PolicyError][..], 0));
    let ids: Vec<&str> = over.rules.iter().map(|id| &**id).collect();
    assert!(ids.contains(&"own"), "what matched is still said: {ids:?}");
    let asks = baseline(&rule("base", half, "").replace("decision: allow", "decision: escalate"));
    let over = layered(&rule("own", half + 1, ""), Some(&asks), "{}", &Situation::default());
    assert_eq!((over.verdict, over.baseline), (Verdict::Deny, Verdict::Escalate));
}

#[test]
fn a_decision_names_so_many_tried_rules() {
    let tried = |count: usize| {
        let one = |n: usize| format!("{{id: r{n}, shadow: true, match: {{}}, decision: deny}}");
        let all: Vec<String> = (0..count).map(one).collect();
        ask(&format!("rules: [{}, {REST}]", all.join(", ")), "{}").shadow.len()
    };
    assert_eq!((tried(limits::SHADOW_MAX), tried(limits::SHADOW_MAX + 2)), (limits::SHADOW_MAX, limits::SHADOW_MAX));
}

#[test]
fn a_compute_rule_sets_so_many_values() {
    let sets = |count: usize| {
        let all: Vec<String> = (0..count).map(|n| format!("a{n}: 1")).collect();
        let rule =
            format!("rules: [{{id: r, match: {{}}, decision: compute, compute: {{set: {{{}}}}}}}]", all.join(", "));
        compile(format!("{HEAD}{rule}\n").as_bytes()).err().unwrap_or_default().len()
    };
    assert_eq!((sets(limits::COMPUTE_CHANGES_MAX), sets(limits::COMPUTE_CHANGES_MAX + 1)), (0, 1));
}

#[test]
fn what_the_baseline_came_to_is_said() {
    let says = |rule: &str, situation: &Situation<'_>| {
        let of_baseline = baseline(&format!("rules: [{rule}, {REST}]"));
        layered(&format!("rules: [{REST}]"), Some(&of_baseline), r#"{"n":1}"#, situation)
    };
    let clean = Situation::default();
    let compute = says("{id: b, match: {}, decision: compute, compute: {set: {n: 0}}}", &clean);
    assert_eq!((compute.verdict, compute.baseline), (Verdict::Compute, Verdict::Compute));
    let asks = "{id: b, match: {}, decision: escalate}";
    let escalate = says(asks, &clean);
    assert_eq!((escalate.verdict, escalate.baseline), (Verdict::Escalate, Verdict::Escalate));
    // The people that it asks for have agreed.
    let granted = Some(Granted { votes: 1, roles: &[] });
    let agreed = says(asks, &Situation { granted, ..Situation::default() });
    assert_eq!((agreed.verdict, agreed.baseline), (Verdict::Allow, Verdict::Allow));
    // What it denies stays denied, whoever has agreed.
    let denies = says("{id: b, match: {}, decision: deny}", &Situation { granted, ..Situation::default() });
    assert_eq!((denies.verdict, denies.baseline), (Verdict::Deny, Verdict::Deny));
}

/// Its conditions are about the same run as the tenant's.
#[test]
fn a_baseline_sees_the_situation() {
    let of_baseline =
        baseline(&format!("rules: [{{id: b, match: {{}}, condition: 'run.egress > 3', decision: deny}}, {REST}]"));
    let says = |egress: u64| {
        let run = RunFacts { egress, ..RunFacts::default() };
        let situation = Situation { run, ..Situation::default() };
        layered(&format!("rules: [{REST}]"), Some(&of_baseline), "{}", &situation).codes
    };
    assert_eq!((says(3)[0], says(4)[0]), (AllowedRulesPassed, BaselineDenied));
}

#[test]
fn a_runtime_layer_is_linted_like_a_bundle() {
    let rules =
        r"rules: [{id: r, match: {parameters: {url: {pattern: '^https://api\.example\.com'}}}, decision: allow}]";
    let layer = compile_runtime(rules.as_bytes(), &bundle("")).unwrap();
    assert_eq!(layer.lints().iter().map(|lint| lint.kind).collect::<Vec<_>>(), [LintKind::UnanchoredPattern]);
}
