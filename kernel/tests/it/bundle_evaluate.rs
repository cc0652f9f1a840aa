//! Evaluating calls: who may, what the contract and the rules vote, and that nothing but the call decides.

use assent_kernel::bundle::{ArgumentError, Call, CompiledBundle, NoFacts, Outcome, compile};
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::value::{self, Number, Object, Value};
use assent_kernel::verdict::Verdict;
use proptest::prelude::*;

fn bundle(source: &str) -> CompiledBundle {
    compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"))
}

fn full() -> CompiledBundle {
    bundle(&std::fs::read_to_string(format!("{}/testdata/bundles/full.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap())
}

fn ask(bundle: &CompiledBundle, subject: &str, tool: &str, args: &str) -> Outcome {
    let args = value::parse_object(args.as_bytes()).unwrap();
    bundle.evaluate(&Call { subject, tool: bundle.tool(tool).unwrap(), args: &args })
}

fn codes(bundle: &CompiledBundle, subject: &str, tool: &str, args: &str) -> Vec<ReasonCode> {
    let outcome = ask(bundle, subject, tool, args);
    assert_eq!(outcome.verdict == Verdict::Allow, outcome.codes.iter().all(|code| code.is_allow()));
    outcome.codes
}

/// A bundle with one tool `t` (class `c`, action `a`), one principal `s` who may, and the sections given.
fn small(sections: &str) -> CompiledBundle {
    bundle(&format!(
        "name: n\nversion: '1'\ntools: [{{name: t, class: c, action: a}}]\n\
         principals: [{{subject: s, capabilities: [{{class: c, actions: [a]}}]}}]\n{sections}\n"
    ))
}

#[test]
fn arguments_are_checked_against_the_declared_inputs() {
    let bundle = full();
    let check =
        |args: &str| bundle.tool("mail.send").unwrap().check_arguments(&value::parse_object(args.as_bytes()).unwrap());
    let ok = r#""to":["a@example.com"],"subject":"äöüäöüäöüä""#;
    assert_eq!(check(&format!("{{{ok}}}")), Ok(()));
    assert_eq!(
        check(&format!(r#"{{{ok},"score":0.3,"recipient_count":1000,"urgent":false,"meta":{{"a":[null]}}}}"#)),
        Ok(())
    );
    let name = |argument: &str| argument.to_owned();
    for (more, error) in [
        (r#""zzz":1"#, ArgumentError::Unknown { argument: name("zzz") }),
        (r#""a":1"#, ArgumentError::Unknown { argument: name("a") }),
        (r#""score":0.30000000000000001"#, ArgumentError::Range { argument: name("score") }),
        (r#""recipient_count":0"#, ArgumentError::Range { argument: name("recipient_count") }),
        (r#""recipient_count":5.0"#, ArgumentError::Type { argument: name("recipient_count"), expected: "integer" }),
        (r#""recipient_count":"5""#, ArgumentError::Type { argument: name("recipient_count"), expected: "integer" }),
        (r#""urgent":null"#, ArgumentError::Type { argument: name("urgent"), expected: "boolean" }),
        (r#""priority":"medium""#, ArgumentError::Enum { argument: name("priority") }),
    ] {
        assert_eq!(check(&format!("{{{ok},{more}}}")), Err(error), "{more}");
    }
    assert_eq!(check(r#"{"subject":"x"}"#), Err(ArgumentError::Missing { argument: name("to") }));
    assert_eq!(
        check(r#"{"to":["a"],"subject":"12345678901"}"#),
        Err(ArgumentError::Length { argument: name("subject"), max: 10 })
    );
    assert_eq!(
        check(r#"{"to":["a","b","c","d"],"subject":""}"#),
        Err(ArgumentError::Length { argument: name("to"), max: 3 })
    );
    assert_eq!(
        check(r#"{"to":[1],"subject":""}"#),
        Err(ArgumentError::Type { argument: name("to"), expected: "string" })
    );
}

#[test]
fn capabilities_are_structural_and_final() {
    let bundle = full();
    for (subject, tool, args, code) in [
        ("nobody", "http.fetch", r#"{"url":"https://api.example.com/"}"#, CapabilityMissing),
        ("agent-10", "http.fetch", r#"{"url":"https://api.example.com/"}"#, CapabilityMissing),
        ("reader-1", "http.fetch", r#"{"url":"https://api.example.com/"}"#, CapabilityMissing),
        ("agent-1", "http.fetch", r#"{"url":"https://API.example.com./x"}"#, AllowedRulesPassed),
        ("agent-1", "http.fetch", r#"{"url":"https://a.docs.example.com:8443/x"}"#, AllowedRulesPassed),
        ("agent-1", "http.fetch", r#"{"url":"https://docs.example.com/x"}"#, CapabilityConstraint),
        ("agent-1", "http.fetch", r#"{"url":"https://api.example.com.evil.com/"}"#, CapabilityConstraint),
        ("agent-1", "http.fetch", r#"{"url":"https://api.example.com@evil.com/"}"#, CapabilityConstraint),
        ("agent-1", "http.fetch", r#"{"url":["https://api.example.com/"]}"#, CapabilityConstraint),
        ("agent-1", "http.fetch", "{}", CapabilityConstraint),
        ("agent-1", "file.read", r#"{"path":"/srv/data/a"}"#, AllowedRulesPassed),
        ("agent-1", "file.read", r#"{"path":"/srv/data/../x"}"#, CapabilityConstraint),
        ("agent-1", "file.read", r#"{"path":"srv/data/a"}"#, CapabilityConstraint),
        ("agent-1", "shell.run", r#"{"command":["git","log"]}"#, AllowedRulesPassed),
        ("agent-1", "shell.run", r#"{"command":"git log"}"#, AllowedRulesPassed),
        ("agent-1", "shell.run", r#"{"command":"git log; sh"}"#, CapabilityConstraint),
        ("agent-1", "shell.run", r#"{"command":["/bin/git"]}"#, CapabilityConstraint),
        ("agent-1", "shell.run", r#"{"line":"git"}"#, CapabilityConstraint),
        ("agent-1", "db.query", r#"{"database":"reports"}"#, AllowedRulesPassed),
        ("agent-1", "db.query", r#"{"database":"Reports"}"#, CapabilityConstraint),
    ] {
        let outcome = ask(&bundle, subject, tool, args);
        assert_eq!(outcome.codes[0], code, "{subject} {tool} {args}");
        if code != AllowedRulesPassed {
            assert_eq!((outcome.codes.len(), outcome.rules.len(), outcome.contract_total), (1, 0, 0));
        }
    }
}

#[test]
fn contract_and_rules_both_vote() {
    let contract = "contract: [{id: c1, tools: [t], hard: true, require: [{argument: n, op: '<=', value: 10}, {argument: k, op: in, value: [a, b]}]}]\n";
    let allow = "rules: [{id: r1, decision: allow, match: {tool: t}}]";
    let deny = "rules: [{id: r1, decision: deny, match: {tool: t}}]";
    let other = "rules: [{id: r1, decision: allow, match: {principalId: x}}]";
    let (good, bad) = (r#"{"n":10,"k":"a"}"#, r#"{"n":11,"k":"a"}"#);
    for (sections, args, wanted) in [
        (format!("{contract}{allow}"), good, vec![AllowedRulesPassed, AllowlistMatch, ContractSatisfied]),
        (format!("{contract}{allow}"), bad, vec![ContractViolated]),
        (format!("{contract}{deny}"), good, vec![RuleDenied]),
        (format!("{contract}{deny}"), bad, vec![ContractViolated, RuleDenied]),
        (format!("{contract}{other}"), good, vec![NoMatchingRule]),
        (format!("{contract}{other}"), bad, vec![ContractViolated, NoMatchingRule]),
        (contract.to_owned(), good, vec![AllowedRulesPassed, ContractSatisfied]),
        (contract.to_owned(), bad, vec![ContractViolated]),
        (contract.to_owned(), "{}", vec![ContractViolated]),
        (allow.to_owned(), "{}", vec![AllowedRulesPassed, AllowlistMatch]),
        (String::new(), "{}", vec![NoMatchingRule]),
    ] {
        assert_eq!(codes(&small(&sections), "s", "t", args), wanted, "{sections} {args}");
    }
    let outcome = ask(&small(&format!("{contract}{deny}")), "s", "t", bad);
    assert_eq!((outcome.contract_passed, outcome.contract_total), (1, 2));
    assert_eq!(outcome.rules.iter().map(|id| &**id).collect::<Vec<_>>(), ["c1", "r1"]);
}

#[test]
fn the_first_rule_by_priority_then_position_wins() {
    let rules = |a: u32, b: u32| {
        format!(
            "rules: [{{id: x, priority: {a}, decision: allow, match: {{}}}}, {{id: y, priority: {b}, decision: deny, match: {{}}}}]"
        )
    };
    assert_eq!(ask(&small(&rules(5, 5)), "s", "t", "{}").verdict, Verdict::Allow);
    assert_eq!(ask(&small(&rules(5, 4)), "s", "t", "{}").verdict, Verdict::Deny);
    assert_eq!(ask(&small(&rules(4, 5)), "s", "t", "{}").verdict, Verdict::Allow);
}

#[test]
fn odd_arguments_count_against_the_caller() {
    for (condition, holds, fails) in [
        ("pattern: '^ab'", r#""abc""#, r#""xab""#),
        ("in: [a, 5, true]", "5.0", "6"),
        ("notIn: [a]", r#""b""#, r#""a""#),
        ("min: 0.1", "0.1", "0.09999999999999999"),
        ("max: 18446744073709551614", "18446744073709551614", "18446744073709551615"),
        ("host: [a.example]", r#""https://A.example./""#, r#""https://a.example.evil.example/""#),
        ("within: [/srv/a]", r#""/srv/b/../a/x""#, r#""/srv/ab""#),
    ] {
        let rule = |decision: &str| {
            small(&format!("rules: [{{id: r, decision: {decision}, match: {{parameters: {{x: {{{condition}}}}}}}}}]"))
        };
        let (allow, deny) = (rule("allow"), rule("deny"));
        let with = |value: &str| format!(r#"{{"x":{value}}}"#);
        assert_eq!(codes(&allow, "s", "t", &with(holds))[0], AllowedRulesPassed, "{condition}");
        assert_eq!(codes(&allow, "s", "t", &with(fails)), [NoMatchingRule], "{condition}");
        assert_eq!(codes(&deny, "s", "t", &with(holds)), [RuleDenied], "{condition}");
        assert_eq!(codes(&deny, "s", "t", &with(fails)), [NoMatchingRule], "{condition}");
        for odd in ["{}".to_owned(), with("null"), with("[]"), with("{}"), with(r#"[["a"]]"#)] {
            assert_eq!(codes(&allow, "s", "t", &odd), [NoMatchingRule], "{condition} {odd}");
            assert_eq!(codes(&deny, "s", "t", &odd), [RuleDenied], "{condition} {odd}");
        }
    }
    let deny = small(
        "rules: [{id: r, decision: deny, match: {parameters: {x: {within: [/etc]}}}}, {id: a, decision: allow, match: {}}]",
    );
    for odd in ["/etc/../../etc", "etc/passwd", "/srv\\u0000/x", "/a\\\\b", "/srv/%2e%2e/etc"] {
        assert_eq!(codes(&deny, "s", "t", &format!(r#"{{"x":"{odd}"}}"#)), [RuleDenied], "{odd}");
    }
    assert_eq!(codes(&deny, "s", "t", r#"{"x":"/srv/x"}"#)[0], AllowedRulesPassed);
}

#[test]
fn tools_with_several_actions_are_held_to_all_of_them() {
    let source = |decision: &str| {
        bundle(&format!(
            "name: n\nversion: '1'\ntools: [{{name: t, class: c, actions: [read, write]}}]\n\
             principals: [{{subject: s, capabilities: [{{class: c, actions: ['*']}}]}}, {{subject: r, capabilities: [{{class: c, actions: [read]}}]}}]\n\
             rules: [{{id: x, decision: {decision}, match: {{action: read}}}}]\n"
        ))
    };
    assert_eq!(codes(&source("allow"), "s", "t", "{}"), [NoMatchingRule]);
    assert_eq!(codes(&source("deny"), "s", "t", "{}"), [RuleDenied]);
    assert_eq!(codes(&source("allow"), "r", "t", "{}"), [CapabilityMissing]);
}

#[test]
fn pointers_select_within_arguments_and_explain_tells_the_steps() {
    let bundle = small("rules: [{id: r, decision: allow, match: {parameters: {/to/0/a~1b: {in: [x]}}}}]");
    assert_eq!(codes(&bundle, "s", "t", r#"{"to":[{"a/b":"x"}]}"#)[0], AllowedRulesPassed);
    assert_eq!(codes(&bundle, "s", "t", r#"{"to":[]}"#), [NoMatchingRule]);
    let args = Object::default();
    let lines =
        bundle.explain(&Call { subject: "s", tool: bundle.tool("t").unwrap(), args: &args }, &NoFacts, None, None);
    assert_eq!(lines.last().unwrap(), "verdict: deny (NO_MATCHING_RULE)");
    assert!(lines.iter().any(|line| line.starts_with("rule r (line 5): does not match")), "{lines:?}");
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![Just("0"), Just("-1.5"), Just("1e3"), Just("18446744073709551615"), Just("100")];
    let text =
        prop_oneof![Just("/srv/data/a"), Just("https://api.example.com/"), Just("low"), Just("git log"), Just("")];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(|n| Value::Number(Number::parse(n).unwrap())),
        text.prop_map(|t| Value::String(t.to_owned())),
        ".{0,12}".prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Value::Array))
}

fn any_members() -> impl Strategy<Value = Vec<(String, Value)>> {
    let name = prop_oneof![
        Just("to"),
        Just("subject"),
        Just("priority"),
        Just("url"),
        Just("path"),
        Just("command"),
        Just("database"),
        Just("recipient_count"),
        Just("score"),
        Just("zzz"),
    ];
    proptest::collection::btree_map(name.prop_map(str::to_owned), any_value(), 0..8)
        .prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn evaluation_is_total_deterministic_and_blind_to_order(members in any_members(), seed in any::<u64>(), who in 0usize..3) {
        let (first, second) = (full(), full());
        let mut shuffled = members.clone();
        let turn = usize::try_from(seed % 8).unwrap() % members.len().max(1);
        shuffled.rotate_left(turn);
        shuffled.reverse();
        let (a, b) = (Object::new(members).unwrap(), Object::new(shuffled).unwrap());
        let subject = ["agent-1", "reader-9", "x"][who];
        for (one, two) in first.tools().zip(second.tools()) {
            prop_assert_eq!(one.check_arguments(&a), two.check_arguments(&b));
            let outcome = first.evaluate(&Call { subject, tool: one, args: &a });
            prop_assert_eq!(&outcome, &second.evaluate(&Call { subject, tool: two, args: &b }));
            prop_assert!(!outcome.codes.is_empty() && outcome.codes.is_sorted_by(|x, y| x < y));
            prop_assert!(outcome.contract_passed <= outcome.contract_total);
            prop_assert_eq!(outcome.verdict == Verdict::Allow, outcome.codes.iter().all(|code| code.is_allow()));
        }
    }

    #[test]
    fn arbitrary_json_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in r#"[-{}\[\]:,"\\u0-9dDcCeE.+ truefalsn]{0,60}"#) {
        let _ = value::parse(&bytes);
        let _ = value::parse(text.as_bytes());
        let _ = Number::parse(&text);
    }

    #[test]
    fn what_parses_strictly_also_parses_elsewhere(text in r#"[-{}\[\]:,"a0-9eE. ]{0,24}"#) {
        if value::parse(text.as_bytes()).is_ok() {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn numbers_compare_as_integers_do(a in any::<i64>(), b in any::<i64>(), zeros in 0usize..5) {
        let parse = |n: i64, fraction: &str| Number::parse(&format!("{n}{fraction}")).unwrap();
        let fraction = if zeros == 0 { String::new() } else { format!(".{}", "0".repeat(zeros)) };
        prop_assert_eq!(parse(a, "").cmp(&parse(b, &fraction)), a.cmp(&b));
        prop_assert_eq!(parse(a, "").normal_text(), parse(a, &fraction).normal_text());
    }
}

/// Prints what one evaluation costs: `cargo test -p assent-kernel --test it bundle_evaluate -- --ignored --nocapture measure`.
#[test]
#[ignore = "a measurement, not a check"]
fn measure_evaluation_with_a_hundred_rules() {
    use std::fmt::Write as _;
    let mut source = String::from(
        "name: n\nversion: '1'\ntools: [{name: t, class: c, action: a, inputs: {url: {type: string, required: true}, n: {type: integer}, body: {type: string}}}]\n\
         principals: [{subject: 'agent-*', capabilities: [{class: c, actions: [a], constraints: {hosts: [last.example]}}]}]\nrules:\n",
    );
    for i in 0..99 {
        let condition = match i % 4 {
            0 => format!("url: {{host: [h{i}.example]}}"),
            1 => format!("n: {{min: {}}}", 1000 + i),
            2 => format!("body: {{pattern: 'secret-{i}-[0-9]+'}}"),
            _ => format!("url: {{in: ['https://x{i}.example/']}}"),
        };
        writeln!(
            source,
            "  - {{id: r{i}, priority: {i}, decision: deny, match: {{toolClass: c, parameters: {{{condition}}}}}}}"
        )
        .unwrap();
    }
    source.push_str("  - {id: last, priority: 500, decision: allow, match: {toolClass: c, parameters: {url: {host: [last.example]}}}}\n");
    let bundle = bundle(&source);
    let inputs = format!(r#"{{"url":"https://last.example/path","n":5,"body":"{}"}}"#, "x".repeat(450));
    let tool = bundle.tool("t").unwrap();
    let rounds = 20_000u32;
    let time = |work: &mut dyn FnMut()| {
        (0..rounds).for_each(|_| work());
        let start = std::time::Instant::now();
        (0..rounds).for_each(|_| work());
        start.elapsed().as_nanos() / u128::from(rounds)
    };
    let args = value::parse_object(inputs.as_bytes()).unwrap();
    let evaluate = time(&mut || {
        let outcome = bundle.evaluate(&Call { subject: "agent-7", tool, args: &args });
        assert_eq!(std::hint::black_box(outcome).verdict, Verdict::Allow);
    });
    let parse = time(&mut || {
        let args = value::parse_object(std::hint::black_box(inputs.as_bytes())).unwrap();
        tool.check_arguments(&args).unwrap();
    });
    println!("evaluate, 100 rules all asked: {evaluate} ns; parse and check {} bytes: {parse} ns", inputs.len());
}
