//! Patterns that take an engine seconds: wherever they stand, the call pays for each place that is looked at, and is denied.

use crate::bounded::{HEAD, ask, bundle, decide_under};
use assent_kernel::bundle::{Call, Constraints, Sensitivity, Work, compile, limits};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::value;
use assent_kernel::verdict::Verdict;

/// Patterns that are linear in the text and far from it in a bundle: an engine that visits all places for each byte takes seconds.
const HOSTILE: [(&str, &str); 3] = [
    ("[ab]*a[ab]{900}[c-z]", "ab"),
    ("(?:[ab]?){500}[ab]{500}[c-z]", "ab"),
    ("(?:(?:ab?){0,40}.{0,20}){9}[c-z]", "abaab"),
];

/// A text of `bytes` that repeats the unit.
fn repeated(unit: &str, bytes: usize) -> String {
    unit.chars().cycle().take(bytes).collect()
}

#[test]
fn hostile_patterns_are_paid_for_wherever_they_stand() {
    for (pattern, unit) in HOSTILE {
        let args = format!(r#"{{"s":"{}"}}"#, repeated(unit, limits::PATTERN_INPUT_BYTES_MAX));
        for sections in [
            format!("rules: [{{id: r, match: {{parameters: {{s: {{pattern: '{pattern}'}}}}}}, decision: deny}}]"),
            format!("rules: [{{id: r, match: {{}}, condition: \"!args.s.matches('{pattern}')\", decision: allow}}]"),
            format!("contract: [{{id: k, tools: [t], require: [{{argument: s, op: matches, value: '{pattern}'}}]}}]"),
            format!(
                "rego: {{modules: [{{file: p.rego, source: \"package assent\\ndecision if not regex.match(`{pattern}`, \
                 input.args.s)\"}}]}}"
            ),
        ] {
            let outcome = ask(&bundle(&sections), &args);
            assert!(
                outcome.verdict == Verdict::Deny && outcome.codes.contains(&PolicyBudget),
                "{sections}: {outcome:?}"
            );
            // Short texts cost little whatever the pattern.
            let outcome = ask(&bundle(&sections), &format!(r#"{{"s":"{unit}"}}"#));
            assert!(!outcome.codes.contains(&PolicyBudget), "{sections}: {outcome:?}");
        }
        let call = |tool: &str, capability: &str| {
            let head = HEAD
                .replace("schema: {type: object, additionalProperties: true}", tool)
                .replace("actions: [a]}]", &format!("actions: [a]{capability}}}]"));
            let bundle = compile(head.as_bytes()).unwrap();
            let (work, args) = (Work::default(), value::parse_object(args.as_bytes()).unwrap());
            let tool = bundle.tool("t").unwrap();
            let fits = tool.check_arguments_within(&args, &work).is_ok();
            let sensitivity = tool.sensitivity_within(&args, &work);
            let covered = bundle.covering(&Call { subject: "agent-1", tool, args: &args }, &work).is_ok();
            (fits, sensitivity, covered, work.is_exhausted())
        };
        let open = "schema: {type: object, additionalProperties: true}";
        assert_eq!(call(open, ""), (true, Sensitivity::None, true, false));
        let schema = format!("schema: {{type: object, properties: {{s: {{type: string, pattern: '{pattern}'}}}}}}");
        assert_eq!(call(&schema, ""), (false, Sensitivity::None, true, true));
        let resource = format!("{open}, resources: [{{argument: s, matches: '{pattern}', sensitivity: secret}}]");
        assert_eq!(call(&resource, ""), (true, Sensitivity::Secret, true, true), "what is not known counts as touched");
        let capability = format!(", constraints: {{arguments: [{{argument: s, op: matches, value: '{pattern}'}}]}}");
        assert_eq!(call(open, &capability), (true, Sensitivity::None, false, true));
    }
}

#[test]
fn a_schema_that_cannot_be_checked_is_a_matter_of_the_budget_and_final() {
    let (pattern, unit) = HOSTILE[0];
    let source = HEAD.replace(
        "schema: {type: object, additionalProperties: true}",
        &format!("schema: {{type: object, properties: {{s: {{type: string, pattern: '{pattern}'}}}}}}"),
    ) + "mode: observe\nrules: [{id: r, match: {}, decision: allow}]\n";
    let inputs = format!(r#"{{"s":"{}"}}"#, repeated(unit, limits::PATTERN_INPUT_BYTES_MAX));
    let decided = decide_under(&source, &inputs);
    assert_eq!((decided.effective, &decided.codes[..]), (Verdict::Deny, &[PolicyBudget][..]), "observed or not");
}

#[test]
fn a_lease_pays_for_its_patterns_each_time_they_are_compiled() {
    let (pattern, unit) = ("[ab]*a[ab]{400}[c-z]", "ab");
    let json = |pattern: &str| format!(r#"{{"arguments":[{{"argument":"s","op":"matches","value":"{pattern}"}}]}}"#);
    let args = |text: &str| value::parse_object(format!(r#"{{"s":"{text}"}}"#).as_bytes()).unwrap();
    let work = Work::default();
    let constraints = Constraints::read_json(json(pattern).as_bytes(), &work).unwrap();
    assert!(!constraints.hold(&args(&repeated(unit, limits::PATTERN_INPUT_BYTES_MAX)), &work) && work.is_exhausted());
    let work = Work::default();
    let compiled = (0..100).take_while(|_| Constraints::read_json(json("^a+$").as_bytes(), &work).is_ok()).count();
    assert_eq!((compiled, work.is_exhausted()), (15, true), "what many leases compile ends");
    let five: Vec<String> =
        (0..5).map(|n| format!(r#"{{"argument":"s","op":"matches","value":"a{{{n}}}"}}"#)).collect();
    let five = format!(r#"{{"arguments":[{}]}}"#, five.join(","));
    assert!(Constraints::read_json(five.as_bytes(), &Work::default()).is_err(), "few patterns a lease");
    let huge = json(r"[a-z]{1000}[0-9]{1000}");
    assert!(Constraints::read_json(huge.as_bytes(), &Work::default()).is_err(), "and small ones");
}

#[test]
fn what_was_not_judged_is_denied_for_the_budget_and_is_no_strike() {
    let (pattern, unit) = HOSTILE[0];
    let inputs = format!(r#"{{"s":"{}"}}"#, repeated(unit, limits::PATTERN_INPUT_BYTES_MAX));
    let rule = "rules: [{id: r, match: {}, decision: allow}]\n";
    let capability = HEAD.replace(
        "actions: [a]}]",
        &format!("actions: [a], constraints: {{arguments: [{{argument: s, op: matches, value: '{pattern}'}}]}}}}]"),
    );
    let resource = HEAD.replace(
        "class: c, action: a,",
        &format!("class: c, action: a, resources: [{{argument: s, matches: '{pattern}', sensitivity: secret}}],"),
    );
    let deny = format!("rules: [{{id: d, match: {{parameters: {{s: {{pattern: '{pattern}'}}}}}}, decision: deny}}]\n");
    for source in [capability + rule, resource + rule, format!("{HEAD}{deny}")] {
        let decided = decide_under(&source, &inputs);
        assert_eq!(decided.verdict, Verdict::Deny, "{source}");
        assert!(decided.codes.contains(&PolicyBudget) && !decided.codes.contains(&CapabilityConstraint), "{decided:?}");
        assert!(!decided.effects.counts.contains(&"strikes"), "{decided:?}");
    }
}

#[test]
fn what_is_told_apart_is_paid_for_and_few_sums_are_about_one_tool() {
    let distinct = |count: usize, argument: &str| {
        let all: Vec<String> =
            (0..count).map(|n| format!("{{distinct: {argument}, per: day, op: '<=', value: {n}}}")).collect();
        format!("contract: [{{id: k, tools: [t], soft: true, threshold: 0, require: [{}]}}]", all.join(", "))
    };
    let args = |elements: usize| format!(r#"{{"s":[{}]}}"#, vec!["1"; elements].join(","));
    let most = limits::ACROSS_PER_TOOL_MAX;
    assert_eq!(ask(&bundle(&distinct(most, "s")), &args(10)).verdict, Verdict::Allow);
    assert_eq!(ask(&bundle(&distinct(most, "s")), &args(1_000)).codes, [PolicyBudget]);
    let errors = compile(format!("{HEAD}{}", distinct(most + 1, "s")).as_bytes()).unwrap_err();
    assert!(errors[0].message.contains("predicates across steps"), "{errors:?}");
    let unique = compile(
        HEAD.replace("additionalProperties: true", "properties: {s: {type: array, uniqueItems: true}}").as_bytes(),
    )
    .unwrap();
    let deep = format!(r#"{{"s":[[{}],["{}"]]}}"#, vec!["1"; 10_000].join(","), "x".repeat(9));
    let work = Work::default();
    let args = value::parse_object(deep.as_bytes()).unwrap();
    assert!(unique.tool("t").unwrap().check_arguments_within(&args, &work).is_err() && work.is_exhausted());
}
