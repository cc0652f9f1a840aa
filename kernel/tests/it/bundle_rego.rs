//! Rego policies: what is refused when offered, what is voted, and what hostile policies cost.

use assent_kernel::bundle::rego::limits::BUDGET_DEFAULT;
use assent_kernel::bundle::rego::{RegoError, RegoInput, RegoPolicy, RegoRun, RegoTool, RegoVote};
use assent_kernel::value::{self, Object, Value};
use assent_kernel::verdict::Verdict;

fn object(json: &str) -> Object {
    value::parse_object(json.as_bytes()).unwrap()
}

fn input<'a>(args: &'a Object, taint: &'a [&'a str]) -> RegoInput<'a> {
    RegoInput {
        tool: RegoTool {
            name: "send_email",
            class: "email",
            actions: &["send"],
            category: Some("external_effect"),
            risk_tier: Some("high"),
        },
        subject: "agent:mailer",
        chain: &["agent:planner"],
        environment: "prod",
        args,
        run: RegoRun { calls: 3, denied: 1, egress: 0, sensitive_reads: 0, mode: "normal" },
        taint,
        risk_milli: 250,
        labels: &["crm"],
        time_ns: 1_795_132_800_000_000_000,
    }
}

fn vote_on(source: &str, args: &str) -> RegoVote {
    let policy = RegoPolicy::compile(&[("p.rego", source)], None).unwrap_or_else(|errors| panic!("{errors:?}"));
    policy.eval(&input(&object(args), &[]), BUDGET_DEFAULT)
}

fn decides(body: &str) -> RegoVote {
    vote_on(&format!("package assent\n{body}"), "{}")
}

fn refused(source: &str) -> Vec<RegoError> {
    RegoPolicy::compile(&[("p.rego", source)], None).expect_err("must be refused")
}

fn verdict(vote: &RegoVote) -> Verdict {
    match vote {
        RegoVote::Vote(decision) => decision.verdict,
        other => panic!("no vote: {other:?}"),
    }
}

#[test]
fn what_reaches_outside_is_refused_with_file_and_line() {
    for (call, hint) in [
        ("http.send({\"url\": \"http://a\", \"method\": \"get\"}).status_code == 200", "network"),
        ("time.now_ns() > 0", "input.time_ns"),
        ("rand.intn(\"x\", 2) == 1", "randomness"),
        ("opa.runtime().env.HOME == \"\"", "machine"),
        ("uuid.rfc4122(\"x\") == \"\"", "randomness"),
        ("net.cidr_contains(\"10.0.0.0/8\", \"10.0.0.1\")", "network"),
        ("glob.match(\"*\", [], \"x\")", "docs/policy/rego.md"),
    ] {
        let errors = refused(&format!("package assent\n\ndecision if {{\n\t{call}\n}}\n"));
        let error = &errors[0];
        assert_eq!((error.file.as_str(), error.line, error.column), ("p.rego", 4, 2), "{error}");
        assert!(error.hint.as_ref().unwrap().contains(hint), "{error}");
    }
    // Even where the entry point never gets, and in comments and texts not at all.
    let errors = refused("package assent\ndecision := true\nunused if time.now_ns() > 0");
    assert_eq!(errors[0].line, 3);
    assert_eq!(decides("# http.send()\ndecision if \"http.send()\" != `rand.intn(`"), decides("decision := true"));
}

#[test]
fn errors_have_places_and_all_modules_are_looked_at() {
    let errors = refused("package assent\n\ndecision := \n");
    assert_eq!(errors[0].file, "p.rego");
    assert!(errors[0].line >= 3, "{errors:?}");
    let dynamic = "package assent\ndecision if data.lib[input.args.name]";
    let errors = RegoPolicy::compile(&[("p.rego", dynamic), ("l.rego", "package lib\na if true")], None).unwrap_err();
    assert!(errors[0].message.contains("not fixed") && errors[0].line == 2, "{errors:?}");
    let recursive = refused("package assent\ndecision if f(1)\nf(x) if g(x)\ng(x) if f(x)");
    assert!(
        recursive[0].message.contains("calls itself") || recursive[0].message.contains("recursion"),
        "{recursive:?}"
    );
    let modules = [("a.rego", "package a\nx := time.now_ns()"), ("b.rego", "package b\ny := rand.intn(\"\", 1)")];
    let errors = RegoPolicy::compile(&modules, None).unwrap_err();
    let places: Vec<_> = errors.iter().map(|e| (e.file.as_str(), e.line, e.column)).collect();
    assert_eq!(places, [("a.rego", 2, 6), ("b.rego", 2, 6)]);
    for (source, wanted) in [
        ("package assent\ndecision := x if x := 1 with input as {}", "`with`"),
        ("package assent\nother := 1", ""),
        ("package assent\ndecision if input.args.x > 100.00000000000000001", "exactly"),
        ("package assent\ndecision if input.args.x > 1e999999999", "exactly"),
        ("package assent\ndecision if __builtin_host_await(1, 2)", "not available"),
        ("package assent\ndecision if nothing_like_this(1)", ""),
    ] {
        let errors = refused(source);
        assert!(errors[0].message.contains(wanted), "{source}: {errors:?}");
    }
    assert!(RegoPolicy::compile(&[], None).is_err());
    assert!(RegoPolicy::compile_at("input.x", &[("p.rego", "package x")], None).is_err());
}

#[test]
fn booleans_votes_and_undefined() {
    assert_eq!(verdict(&decides("decision := true")), Verdict::Allow);
    assert_eq!(verdict(&decides("decision := false")), Verdict::Deny);
    assert_eq!(decides("decision if input.args.missing == 1"), RegoVote::Undefined);
    for (name, wanted) in [("allow", Verdict::Allow), ("deny", Verdict::Deny), ("escalate", Verdict::Escalate)] {
        assert_eq!(verdict(&decides(&format!("decision := {{\"decision\": \"{name}\"}}"))), wanted);
    }
    for bad in [
        "1",
        "\"allow\"",
        "null",
        "[true]",
        "{}",
        "{\"decision\": \"maybe\"}",
        "{\"decision\": true}",
        "{\"decision\": \"allow\", \"other\": 1}",
        "{\"decision\": \"compute\"}",
        "{\"decision\": \"compute\", \"compute\": {}}",
        "{\"decision\": \"allow\", \"compute\": {\"tool\": \"x\"}}",
        "{\"decision\": \"allow\", \"reasons\": \"x\"}",
        "{\"decision\": \"allow\", \"obligations\": [{\"params\": {}}]}",
        "{\"decision\": \"allow\", \"obligations\": [{\"type\": \"x\", \"required\": 1}]}",
        "{\"decision\": \"allow\", 1: 2}",
    ] {
        assert_eq!(decides(&format!("decision := {bad}")), RegoVote::Error, "{bad}");
    }
}

/// One line per call: the vote as it is handed on.
fn golden(policy: &RegoPolicy, args: &str, taint: &[&str]) -> String {
    match policy.eval(&input(&object(args), taint), BUDGET_DEFAULT) {
        RegoVote::Vote(vote) => {
            let obligations: Vec<&str> = vote.obligations.iter().map(|o| o.kind.as_str()).collect();
            let compute = vote.compute.map(|c| format!("{:?} {:?}", c.set, c.remove)).unwrap_or_default();
            format!("{} {:?} {obligations:?} {compute}", vote.verdict, vote.reasons)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn golden_votes_of_a_policy_of_two_modules_with_data() {
    let modules = [
        ("mail.rego", include_str!("../../testdata/rego/mail.rego")),
        ("helpers.rego", include_str!("../../testdata/rego/helpers.rego")),
    ];
    let data = object(r#"{"limits": {"recipients": 100, "domains": ["corp.example", "branch.example"]}}"#);
    let policy = RegoPolicy::compile(&modules, Some(&data)).unwrap_or_else(|errors| panic!("{errors:?}"));
    let denied = "deny [\"no rule of the mail policy allows this\"] [] ";
    for (args, taint, wanted) in [
        (r#"{"to": ["a@corp.example", "b@branch.example"]}"#, &[][..], "allow [] [\"audit_log\"] "),
        (r#"{"to": ["a@corp.example"]}"#, &["web"][..], denied),
        (r#"{"to": ["a@corp.example", "x@evil.example"]}"#, &[][..], "escalate [\"1 addresses outside\"] [] "),
        (r#"{"to": ["a@corp.example", "x@e", "y@e", "z@e"], "bcc": []}"#, &[][..], "compute"),
        (r#"{"to": "a@corp.example"}"#, &[][..], denied),
        ("{}", &[][..], denied),
    ] {
        let got = golden(&policy, args, taint);
        assert!(got.starts_with(wanted), "{args}: {got}");
    }
    let replaced = policy.eval(&input(&object(r#"{"to": ["a@corp.example", "x", "y", "z"]}"#), &[]), BUDGET_DEFAULT);
    let RegoVote::Vote(vote) = replaced else { panic!("{replaced:?}") };
    let compute = vote.compute.unwrap();
    assert_eq!(compute.remove, ["bcc"]);
    assert_eq!(compute.set.get("to"), Some(&Value::Array(vec![Value::String("a@corp.example".to_owned())])));
}

#[test]
fn the_input_document_has_every_documented_member() {
    let schema = value::parse_object(include_bytes!("../../../docs/schemas/rego-input.json")).unwrap();
    let mut paths = Vec::new();
    collect_paths(&schema, "input", &mut paths);
    assert!(paths.len() > 15, "{paths:?}");
    for path in paths {
        let policy = format!("package assent\ndecision if {path} != \"no such value\"");
        assert_eq!(verdict(&vote_on(&policy, "{}")), Verdict::Allow, "{path}");
    }
    assert_eq!(verdict(&decides("decision if input.time_ns == 1795132800000000000")), Verdict::Allow);
}

fn collect_paths(schema: &Object, path: &str, out: &mut Vec<String>) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    for (name, inner) in properties.iter() {
        let path = format!("{path}.{name}");
        if let Value::Object(inner) = inner {
            collect_paths(inner, &path, out);
        }
        out.push(path);
    }
}

#[test]
fn a_number_that_would_lose_digits_is_an_error_not_another_number() {
    let policy = "package assent\ndecision if input.args.amount <= 100";
    assert_eq!(verdict(&vote_on(policy, r#"{"amount": 100}"#)), Verdict::Allow);
    assert_eq!(verdict(&vote_on(policy, r#"{"amount": 99.5}"#)), Verdict::Allow);
    assert_eq!(vote_on(policy, r#"{"amount": 18446744073709551615}"#), RegoVote::Undefined);
    assert_eq!(vote_on(policy, r#"{"amount": 100.00000000000000001}"#), RegoVote::Error);
    let exact = "package assent\ndecision if input.args.n == 9007199254740993";
    assert_eq!(verdict(&vote_on(exact, r#"{"n": 9007199254740993}"#)), Verdict::Allow);
    assert_eq!(vote_on(exact, r#"{"n": 9007199254740992}"#), RegoVote::Undefined);
}

/// Small programs that would run, grow or recurse without end if only instructions were counted, or not even those.
fn hostile() -> Vec<(&'static str, String)> {
    let mut doubling = String::from("x0 := [1, 1]\n");
    let mut other = String::from("y0 := [1, 1]\n");
    let mut texts = String::from("t0 := \"xxxxxxxx\"\n");
    let mut large = String::from("n0 := 9000000000000000000\n");
    for i in 1..64 {
        doubling += &format!("x{i} := [x{0}, x{0}]\n", i - 1);
        other += &format!("y{i} := [y{0}, y{0}]\n", i - 1);
        texts += &format!("t{i} := concat(\"\", [t{0}, t{0}])\n", i - 1);
        large += &format!("n{i} := n{0} * n{0}\n", i - 1);
    }
    let many = "numbers.range(1, 900)";
    vec![
        ("doubling values", format!("{doubling}{other}decision if x63 == y63")),
        ("doubling texts", format!("{texts}decision if count(t63) > 0")),
        ("squared numbers", format!("{large}decision if n63 > 0")),
        (
            "nested loops",
            format!("decision if {{\n some a in {many}\n some b in {many}\n some c in {many}\n a+b+c == 0\n}}"),
        ),
        (
            "huge comprehension",
            format!("all := [[a, b] | some a in {many}; some b in {many}]\ndecision if count(all) == 0"),
        ),
        ("huge set", format!("all := {{[a, b] | some a in {many}; some b in {many}}}\ndecision if count(all) == 0")),
        ("range", "decision if count(numbers.range(1, 1000000000000)) > 0".to_owned()),
        ("large pattern", "decision if regex.match(`(\\w{500}){500}`, \"aaa\")".to_owned()),
        (
            "many patterns",
            format!("decision if {{\n some a in {many}\n regex.match(`(a|b)*c{{50}}`, sprintf(\"%d\", [a]))\n}}"),
        ),
        (
            "copied arrays",
            format!("decision if {{\n some a in {many}\n some b in {many}\n array.concat([a], [b]) == []\n}}"),
        ),
        ("mutual functions", "f(x) := g(x)\ng(x) := f(x)\ndecision if f(1) == 1".to_owned()),
        ("recursive rule", "p if q\nq if r\nr if p\ndecision if p".to_owned()),
    ]
}

#[test]
fn hostile_policies_stop_every_time() {
    for (name, body) in hostile() {
        let source = format!("package assent\n{body}");
        let compiled = RegoPolicy::compile(&[("p.rego", &source)], None);
        if name.contains("recursive") || name.contains("mutual") {
            assert!(compiled.is_err(), "{name}");
            continue;
        }
        let policy = compiled.unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        let args = object("{}");
        for budget in [0, 1, 100, 5_000, BUDGET_DEFAULT] {
            for policy in [&policy, &policy.clone(), &RegoPolicy::compile(&[("p.rego", &source)], None).unwrap()] {
                assert_eq!(policy.eval(&input(&args, &[]), budget), RegoVote::BudgetExhausted, "{name} at {budget}");
            }
        }
    }
}

/// The stops between instructions, and the mode of the machine that they need, change no answer: the same expressions
/// through regorus' tree interpreter, which shares nothing with the machine but values and built-ins.
#[test]
fn the_metered_machine_agrees_with_the_interpreter() {
    let args = r#"{"xs": [1, 2, 3, 4], "o": {"a": 1, "b": [2, {"c": "d"}]}, "s": "hello world", "names": ["x", "y"]}"#;
    let helpers = "even(x) if x % 2 == 0\nsquare(x) := x * x\nnamed[n] := i if some i, n in input.args.names\n\
        big contains x if { some x in input.args.xs; x > 2 }\npick := 1 if input.args.s == \"\"\nelse := 2 if count(big) == 2\n\
        else := 3\nfirst := [x | some x in input.args.xs; even(x)][0]\n";
    let cases = [
        "decision if every x in input.args.xs { x < 5 }",
        "decision if every x in input.args.xs { even(x) }",
        "decision if { some x in input.args.xs; even(x); square(x) == 16 }",
        "decision if { some x in input.args.xs; some y in input.args.xs; x * y == 12; x > y }",
        "decision if count({x | some x in input.args.xs; not even(x)}) == 2",
        "decision if {k: v | some k, v in input.args.o; k != \"b\"} == {\"a\": 1}",
        "decision if [y | some x in input.args.xs; y := [z | some z in input.args.xs; z < x]][3] == [1, 2, 3]",
        "decision if big == {3, 4}",
        "decision if pick == 2",
        "decision if first == 2",
        "decision if named[\"y\"] == 1",
        "decision if input.args.o.b[1].c == \"d\"",
        "decision if { x := input.args.o.b[_]; x.c == \"d\" }",
        "decision if not input.args.o.zzz",
        "decision if { not big[3] }",
        "decision if sum([square(x) | some x in input.args.xs]) == 30",
        "decision if { [a, b, _, _] := input.args.xs; a + b == 3 }",
        "decision if object.get(input.args.o, [\"b\", 0], 9) == 2",
        "decision if split(input.args.s, \" \")[1] == \"world\"",
        "decision if concat(\",\", [sprintf(\"%v\", [x]) | some x in input.args.xs]) == \"1,2,3,4\"",
        "decision if 1 / 0 == 1",
        "decision if { x := {1, 2} | {3}; x - {1} == {2, 3}; x & {3, 4} == {3} }",
        "decision := true if input.args.s == \"hello\"\ndecision := false if startswith(input.args.s, \"hello\")",
        "default decision := false\ndecision if even(3)",
        "decision if { a := input.args.xs; some i; a[i] == 4; i == 3 }",
        "decision if regex.match(`^h.*d$`, input.args.s)",
    ];
    for case in cases {
        let source = format!("package assent\n{helpers}{case}");
        let ours = vote_on(&source, args);
        let mut engine = regorus::Engine::new();
        engine.set_strict_builtin_errors(false);
        engine.add_policy("p.rego".to_owned(), source).unwrap();
        engine.set_input_json(&format!("{{\"args\": {args}}}")).unwrap();
        let wanted = match engine.eval_rule("data.assent.decision".to_owned()).unwrap_or(regorus::Value::Undefined) {
            regorus::Value::Bool(allow) => Some(if allow { Verdict::Allow } else { Verdict::Deny }),
            regorus::Value::Undefined => None,
            other => panic!("{case}: {other:?}"),
        };
        let got = match &ours {
            RegoVote::Undefined => None,
            vote => Some(verdict(vote)),
        };
        assert_eq!(got, wanted, "{case}");
    }
}

/// The least budget at which the policy votes.
fn cost(policy: &RegoPolicy, args: &Object) -> u64 {
    let votes = |budget| policy.eval(&input(args, &[]), budget) != RegoVote::BudgetExhausted;
    assert!(votes(BUDGET_DEFAULT));
    let (mut too_little, mut enough) = (0, BUDGET_DEFAULT);
    while enough - too_little > 1 {
        let middle = too_little.midpoint(enough);
        if votes(middle) { enough = middle } else { too_little = middle }
    }
    enough
}

/// What the machine counts, and what the stops count for the tenant: of nested loops these count all rounds, though one may end early.
/// The same numbers in the optimised and the plain profile and on every machine: a change of one is a change of what is
/// decided, and needs a new kernel version.
#[test]
fn what_a_vote_costs_is_written_down() {
    let loops = "decision if {\n\tsome a in numbers.range(1, 30)\n\tsome b in numbers.range(1, 30)\n\ta * b == 899\n}";
    for (body, args, wanted) in [
        ("decision := true", "{}".to_owned(), (29, 29)),
        ("decision if input.args.a == 1", "{\"a\": 1}".to_owned(), (38, 38)),
        (
            "decision if not regex.match(`^(a+)+$`, input.args.text)",
            format!("{{\"text\": \"{}b\"}}", "a".repeat(30_000)),
            (2_149, 2_149),
        ),
        ("decision if regex.match(concat(\"\", [`^`, `a`]), `a`)", "{}".to_owned(), (1_038, 1_038)),
        (loops, "{}".to_owned(), (8_837, 13_400)),
    ] {
        let policy = RegoPolicy::compile(&[("p.rego", &format!("package assent\n{body}"))], None).unwrap();
        let args = object(&args);
        let counted = policy.eval_counted(&input(&args, &[]), BUDGET_DEFAULT).1;
        assert_eq!((cost(&policy, &args), counted), wanted, "{body}");
    }
}

#[test]
fn deep_sources_are_refused_and_do_not_end_the_process() {
    for (open, close) in [("[", "]"), ("(", ")"), ("{\"a\":", "}"), ("[x | x := ", "]")] {
        let source = format!("package assent\ndecision := {}1{}", open.repeat(90), close.repeat(90));
        assert!(!refused(&source).is_empty());
        let source =
            format!("package assent\ndecision :=\n{}1{}", (open.to_owned() + "\n").repeat(9_000), close.repeat(900));
        assert!(!refused(&source).is_empty());
    }
}
