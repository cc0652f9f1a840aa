//! What a call may cost and how large its decision may be: beyond it, a recorded deny.

use crate::support::{World, admin, agent, call, evaluate, tenant};
use assent_kernel::bundle::{Call, CompiledBundle, Outcome, bundle_hash, compile, limits};
use assent_kernel::command::{CommandBody, OfferedSource};
use assent_kernel::event::{EventBody, PolicyDecision};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::value;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;

pub const HEAD: &str = "\
name: n
version: '1'
tools: [{name: t, class: c, action: a, schema: {type: object, additionalProperties: true}}]
principals: [{subject: agent-1, capabilities: [{class: c, actions: [a]}]}]
";

pub fn bundle(sections: &str) -> CompiledBundle {
    compile(format!("{HEAD}{sections}\n").as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

pub fn ask(bundle: &CompiledBundle, args: &str) -> Outcome {
    let args = value::parse_object(args.as_bytes()).unwrap();
    bundle.evaluate(&Call { subject: "agent-1", tool: bundle.tool("t").unwrap(), args: &args })
}

#[test]
fn patterns_look_through_so_many_bytes_and_no_more() {
    let rules = |count: usize| {
        let rule =
            |n: usize| format!("{{id: r{n}, match: {{parameters: {{s: {{pattern: 'z{n}$'}}}}}}, decision: allow}}");
        let many: Vec<String> = (0..count).map(rule).collect();
        bundle(&format!("rules: [{}, {{id: rest, priority: 900, match: {{}}, decision: allow}}]", many.join(", ")))
    };
    let text = |bytes: usize| format!(r#"{{"s":"{}"}}"#, "a".repeat(bytes));
    let most = limits::PATTERN_INPUT_BYTES_MAX;
    assert_eq!(ask(&rules(3), &text(most)).verdict, Verdict::Allow);
    assert_eq!(ask(&rules(2_000), &text(100)).verdict, Verdict::Allow);
    let spent = ask(&rules(4), &text(most));
    assert_eq!((spent.verdict, &spent.codes[..]), (Verdict::Deny, &[PolicyBudget][..]));
    let contract = format!(
        "contract: [{{id: k, tools: [t], soft: true, threshold: 0, require: [{}]}}]",
        ["{argument: s, op: matches, value: 'b$'}"; 4].join(", ")
    );
    assert_eq!(ask(&bundle(&contract), &text(most)).codes, [PolicyBudget]);
    assert_eq!(ask(&bundle(&contract), &text(9)).verdict, Verdict::Allow);
}

#[test]
fn conditions_pay_for_what_they_copy_and_walk() {
    let condition =
        |text: &str| bundle(&format!("rules: [{{id: r, match: {{}}, decision: allow, condition: \"{text}\"}}]"));
    let long = "a".repeat(60_000);
    let numbers = (0..1_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let args = format!(r#"{{"s":"{long}","a":[{numbers}],"b":[{numbers}]}}"#);
    // Each round copies the text, counts its characters, or looks for a pattern in it.
    for dear in [
        "[args.s.lowerAscii()].all(x, args.a.all(y, x == x || true))",
        "args.a.all(y, size(args.s) > y)",
        "args.a.all(y, !args.s.matches('b$'))",
        "args.a.all(y, !(args.s in args))",
    ] {
        let outcome = ask(&condition(dear), &args);
        assert_eq!(outcome.verdict, Verdict::Deny, "{dear}");
        assert!([PolicyBudget, PolicyError].contains(&outcome.codes[0]), "{dear}: {:?}", outcome.codes);
    }
    assert_eq!(ask(&condition("args.a.all(y, size(args.s) > y)"), &args).codes, [PolicyBudget]);
    assert_eq!(ask(&condition("args.a.all(y, !args.s.matches('b$'))"), &args).codes, [PolicyBudget]);
    // What is found early is paid for as far as it was looked for.
    assert_eq!(ask(&condition("args.a.all(y, 0 in args.b)"), &args).verdict, Verdict::Allow);
    assert_eq!(ask(&condition("args.a.all(y, y in args.b)"), &args).codes, [PolicyBudget]);
    assert_eq!(ask(&condition("args.a == args.b && args.a != [1, 2]"), &args).verdict, Verdict::Allow);
}

/// What the only call of a world comes to.
fn decide(sections: &str, inputs: &str) -> PolicyDecision {
    decide_under(&format!("{HEAD}{sections}\n"), inputs)
}

/// What the only call of a world with this bundle comes to.
pub fn decide_under(source: &str, inputs: &str) -> PolicyDecision {
    let mut world = World::ready(3);
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (of, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    let activate = CommandBody::ActivateBundle { tenant: of, environment: "prod".into(), bundle_hash };
    world.must(admin("acme"), activate);
    let command = world.command(agent("acme", Some("agent-1")), evaluate(call("t", inputs)));
    let applied = world.apply(vec![command]);
    assert!(matches!(applied.answers[..], [Answer::Decided { .. }]), "{:?}", applied.answers);
    let entry = Entry::parse(&applied.entries.last().unwrap().leaf).unwrap();
    match EventBody::from_value(&entry.kind, &entry.body).unwrap().unwrap() {
        EventBody::Decision(body) => *body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_decision_that_does_not_fit_an_entry_is_a_recorded_deny() {
    // Each of these characters takes six bytes in the leaf.
    let rules = |characters: usize| {
        let text = "\\x01".repeat(characters);
        let one = |n: usize| format!("{{type: x-{n}, required: false, params: {{a: \"{text}\"}}}}");
        let all: Vec<String> = (0..16).map(one).collect();
        format!("rules: [{{id: r, match: {{}}, decision: allow, obligations: [{}]}}]", all.join(", "))
    };
    let large = decide(&rules(1_000), "{}");
    assert_eq!((large.verdict, &large.codes[..]), (Verdict::Deny, &[PolicyError][..]));
    assert_eq!(decide(&rules(100), "{}").verdict, Verdict::Allow);
}

#[test]
fn obligations_are_bounded_when_the_bundle_is_read() {
    let with = |bytes: usize| {
        let text = "p".repeat(bytes);
        let rules = format!(
            "rules: [{{id: r, match: {{}}, decision: allow, obligations: [{{type: notify, params: {{to: '{text}'}}}}]}}]\n"
        );
        compile(format!("{HEAD}{rules}").as_bytes())
    };
    assert!(with(1_000).is_ok());
    assert!(with(1_100).is_err());
}
