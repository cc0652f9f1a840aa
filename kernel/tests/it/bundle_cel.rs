//! Conditions of rules: what they say about calls, what is refused when a bundle is read, and that they are bounded.

use assent_kernel::bundle::{Call, CompiledBundle, Outcome, RunFacts, Situation, compile};
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::taint::TaintSource;
use assent_kernel::value;
use assent_ledger::ids::Time;
use proptest::prelude::*;

const HEAD: &str = "name: n\nversion: '1'\n\
    tools:\n\
    - {name: t, class: c, action: a, category: read, risk_tier: low}\n\
    principals: [{subject: s, capabilities: [{class: c, actions: ['*']}]}]\n";

fn source(condition: &str) -> String {
    let quoted = serde_json::to_string(condition).unwrap();
    format!("{HEAD}rules:\n- {{id: r, decision: allow, match: {{}}, condition: {quoted}}}\n")
}

fn bundle(condition: &str) -> CompiledBundle {
    compile(source(condition).as_bytes()).unwrap_or_else(|errors| panic!("{condition}\n{errors:#?}"))
}

fn ask(bundle: &CompiledBundle, args: &str) -> Outcome {
    let args = value::parse_object(args.as_bytes()).unwrap();
    let labels = ["user_input".to_owned()];
    let situation = Situation {
        call_taint: TaintSource::Web.into(),
        run_taint: TaintSource::Email.into(),
        run: RunFacts { calls: 7, denied: 2, egress: 1, sensitive_reads: 3 },
        now: Time(1_000),
        environment: "prod",
        mode: "normal",
        risk_milli: 400,
        labels: &labels,
        ..Situation::default()
    };
    bundle.evaluate_with(&Call { subject: "s", tool: bundle.tool("t").unwrap(), args: &args }, &situation)
}

/// What a condition says: holds, does not, or the code of its failure.
fn says(condition: &str, args: &str) -> Result<bool, ReasonCode> {
    let outcome = ask(&bundle(condition), args);
    match outcome.codes[0] {
        AllowedRulesPassed => Ok(true),
        NoMatchingRule => Ok(false),
        code => Err(code),
    }
}

pub const ARGS: &str = r#"{"n":5,"d":0.10,"big":9007199254740993,"s":"Hello","l":[1,2,3],"texts":["ab","cd"],"o":{"a":{"b":null}},"t":true,"z":null}"#;

/// Conditions that hold of [`ARGS`].
pub const HOLD: [&str; 27] = [
    "true",
    "!false && (false || true)",
    "args.n == 5 && args.n == 5.0 && args.n != 6",
    "args.d + 0.2 == 0.3",
    "args.big == 9007199254740993 && args.big != 9007199254740992",
    "args.n * 2 - 1 > 8 && -args.n < 0 && 2 + 3 * 4 == 14",
    "args.n >= 5 && args.n <= 5 && !(args.n < 5)",
    "args.s.startsWith('He') && args.s.endsWith(\"lo\") && args.s.contains('ell')",
    "args.s.lowerAscii() == 'hello' && args.s.size() == 5 && size(args.l) == 3",
    "args.s.matches('^H[a-z]+$') && args.s + '!' == 'Hello!'",
    r"args.s.matches(r'^\w+$')",
    "args.n in [1, 5] && !(args.n in args.l) && 2 in args.l",
    "'s' in args && !('q' in args) && has(args.n) && !has(args.q) && has(args.o.a)",
    "!has(args.q) || args.q > 5",
    "args.o.a.b == null && args.n != null && args['n'] == 5 && args.l[0] == 1",
    "args.l.all(x, x > 0) && args.l.exists(x, x == 2) && args.l.exists_one(x, x > 2)",
    "args.texts.all(x, args.texts.exists(y, y == x))",
    "[1, 2].all(x, x in [1, 2, 3]) && [].all(x, x)",
    "args.t ? true : args.q == 1",
    "tool == 't' && class == 'c' && action == 'a' && actions == ['a'] && category == 'read' && risk_tier == 'low'",
    "subject == 's' && environment == 'prod' && time == 1000",
    "run.calls == 7 && run.denied == 2 && run.egress == 1 && run.sensitive_reads == 3 && run.mode == 'normal'",
    "'web' in taint && 'email' in taint && !('rag' in taint) && taint.size() == 2",
    "context.risk_milli >= 400 && 'user_input' in context.labels",
    "args.l == [1, 2, 3] && args.l != [1, 2] && args.o == args.o",
    "'\\u0048ello' == args.s && \"a\\\"b\" != 'x'",
    "'abc' < 'abd'",
];

#[test]
fn conditions_say_what_cel_says() {
    for condition in HOLD {
        assert_eq!(says(condition, ARGS), Ok(true), "{condition}");
        assert_eq!(says(&format!("!({condition})"), ARGS), Ok(false), "{condition}");
    }
}

/// Conditions that compile and cannot be evaluated on [`ARGS`].
pub const FAIL: [&str; 16] = [
    "args.q == 1",
    "args.s == 5",
    "args.n == '5'",
    "args.s > 5",
    "args.n in ['a']",
    "args.t + 1 == 2",
    "args.l[3] == 1",
    "args.l[0.5] == 1",
    "args.o.a.b.c == 1",
    "args.z > 1",
    "args.n.all(x, x)",
    "args.l.all(x, x)",
    "args.n ? true : false",
    "args.q == 1 || true",
    "args.big * args.big * args.big == 1",
    "args.s.matches('H') && size(args.n) == 1",
];

#[test]
fn what_cannot_be_evaluated_denies() {
    for condition in FAIL {
        assert_eq!(says(condition, ARGS), Err(PolicyError), "{condition}");
    }
    let outcome = ask(&bundle("args.q == 1"), ARGS);
    assert_eq!(outcome.rules.iter().map(|id| &**id).collect::<Vec<_>>(), ["r"]);
    let two_actions = source("action == 'a'").replace("action: a,", "actions: [a, b],");
    assert_eq!(ask(&compile(two_actions.as_bytes()).unwrap(), ARGS).codes, [PolicyError]);
}

#[test]
fn steps_are_bounded_and_counted_alike_every_time() {
    let list = format!(r#"{{"l":[{}]}}"#, vec!["1"; 300].join(","));
    let square = "args.l.all(x, args.l.all(y, x == y))";
    for _ in 0..3 {
        assert_eq!(says(square, &list), Err(PolicyBudget));
    }
    let short = format!(r#"{{"l":[{}]}}"#, vec!["1"; 30].join(","));
    assert_eq!(says(square, &short), Ok(true));
    let long = format!(r#"{{"s":"{}"}}"#, "x".repeat(900_000));
    assert_eq!(says("args.s.contains('y')", &long), Ok(false));
    assert_eq!(says(&["args.s.contains('y')"; 20].join(" || "), &long), Err(PolicyBudget));
    assert_eq!(says("(args.s + args.s).size() > 0", &long), Err(PolicyError), "texts are not built without end");
}

#[test]
fn what_a_condition_cannot_be_is_refused_at_its_place() {
    for (condition, column, words) in [
        ("args.n = 5", 8, "`=` means nothing in a condition"),
        ("5", 1, "this must be a boolean, it is a number"),
        ("args.n ==", 10, "expected a value in the condition, found the end"),
        ("args.n == 5 5", 13, "expected an operator or the end in the condition, found `5`"),
        ("agrs.n == 5", 1, "`agrs` has no meaning in a condition"),
        ("run.calles > 1", 5, "`run` has no `calles`"),
        ("tool == 5", 6, "a text and a number are not compared like this"),
        ("true > false", 6, "a boolean and a boolean are not compared"),
        ("args.s.trim() == 'a'", 8, "conditions have no function `trim`"),
        ("args.s.matches('(?=a)')", 16, "the pattern does not compile"),
        ("args.s.matches(args.p)", 16, "expected a quoted pattern"),
        ("args.a / 2 == 1", 8, "conditions do not divide"),
        ("'abc == 'd'", 11, "this text has no end"),
        ("args.l.all(tool, true)", 12, "`tool` has a meaning already"),
        ("args.l.all(x, args.m.all(x, true))", 26, "`x` has a meaning already"),
        ("has(args)", 1, "has asks about a member"),
        ("0x10 == 1", 1, "this is no decimal number"),
        ("'\\q' == tool", 2, "no such escape"),
        ("taint[0].all(x, true)", 6, "this must be a list, it is a text"),
        ("size(5) == 1", 6, "a number has no size"),
        ("", 1, "expected a value"),
    ] {
        let errors = compile(source(condition).as_bytes()).err().unwrap_or_default();
        assert_eq!(errors.len(), 1, "{condition}: {errors:?}");
        assert!(errors[0].message.contains(words), "{condition}: {}", errors[0].message);
        let prefix = "- {id: r, decision: allow, match: {}, condition: \"".len() as u32;
        if !condition.contains('\\') {
            assert_eq!((errors[0].line, errors[0].column), (7, prefix + column), "{condition}: {}", errors[0].message);
        }
    }
    assert!(compile(source("args.n").as_bytes()).is_ok(), "an argument may be a boolean");
    assert!(compile(source(&"(".repeat(5_000)).as_bytes()).is_err());
    assert!(compile(source(&"!".repeat(4_000)).as_bytes()).is_err());
    assert!(compile(source(&["1"; 400].join("+")).as_bytes()).is_err());
}

#[test]
fn long_conditions_within_the_bounds_are_read_and_evaluated() {
    let sum = format!("{} == 120", ["args.n"; 24].join(" + "));
    assert_eq!(says(&sum, ARGS), Ok(true));
    let chain = ["true"; 120].join(" && ");
    assert_eq!(says(&chain, "{}"), Ok(true));
    assert_eq!(says(&format!("{}true{}", "(".repeat(30), ")".repeat(30)), "{}"), Ok(true));
    let index = format!("has(args.q) || args.l{} == 1", "[0]".repeat(100));
    assert_eq!(says(&index, "{}"), Err(PolicyError));
}

#[test]
fn a_fault_in_a_block_of_several_lines_has_its_line() {
    let source = format!(
        "{HEAD}rules:\n- id: r\n  decision: allow\n  match: {{}}\n  condition: |\n    args.n == 5 &&\n      nonsense == 2\n"
    );
    let errors = compile(source.as_bytes()).unwrap_err();
    let line = source.lines().position(|line| line.contains("nonsense")).unwrap() as u32 + 1;
    assert_eq!((errors.len(), errors[0].line), (1, line), "{errors:?}");
    let plain = format!("{HEAD}rules:\n- id: r\n  decision: allow\n  match: {{}}\n  condition: args.n == nonsense\n");
    let errors = compile(plain.as_bytes()).unwrap_err();
    assert_eq!((errors[0].line, errors[0].column), (10, 24), "{errors:?}");
}

#[test]
fn a_tried_rule_whose_condition_fails_is_reported_as_a_deny() {
    let source =
        source("args.q == 1").replace("id: r,", "id: r, shadow: true,") + "- {id: y, decision: allow, match: {}}\n";
    let outcome = ask(&compile(source.as_bytes()).unwrap(), "{}");
    assert_eq!(outcome.codes, [AllowedRulesPassed, AllowlistMatch]);
    assert_eq!((&*outcome.shadow[0].rule, outcome.shadow[0].verdict.name()), ("r", "deny"));
}

proptest! {
    #[test]
    fn arbitrary_conditions_never_panic(text in r#"(args|\.|n|l|==|&&|\|\||!|\(|\)|\[|\]|5|0\.5|'a'|"b"|in|all|x|,|\+|\*|-|\?|:|size|has|taint|run\.calls| |\\|é){0,40}"#) {
        if let Ok(bundle) = compile(source(&text).as_bytes()) {
            let (one, two) = (ask(&bundle, ARGS), ask(&bundle, ARGS));
            prop_assert_eq!(one, two);
        }
    }
}
