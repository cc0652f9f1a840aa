//! The edges of what a bundle may say: the last that is read, and the first that is refused, with its words.

use assent_kernel::bundle::limits as kept;
use assent_kernel::bundle::{Call, Happening, Sensitivity, TaintSources, What, compile};
use assent_kernel::limits::{BEHAVIOUR_ID_BYTES_MAX, LATCHES_MAX, NAME_BYTES_MAX, PRINCIPAL_LATCH_PREFIX};
use assent_kernel::taint::TaintSource;
use assent_kernel::value;
use assent_kernel::verdict::Verdict;

const HEAD: &str = "name: n\nversion: '1'\ntools: [{name: t, class: c, action: a}]\n";

/// What is wrong with a bundle of these sections, in one line each.
fn wrong(sections: &str) -> Vec<String> {
    let read = compile(format!("{HEAD}{sections}\n").as_bytes());
    read.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn accepted(sections: &str) {
    assert_eq!(wrong(sections), Vec::<String>::new(), "{sections}");
}

fn refused(sections: &str, words: &str) {
    let errors = wrong(sections);
    assert!(errors.len() == 1 && errors[0].contains(words), "{sections}: {errors:?}");
}

#[test]
fn behaviour_rules() {
    let rules = |count: usize| {
        let rule = |n: usize| format!("{{id: r{n}, steps: [{{tool: t}}]}}");
        format!("behaviour: [{}]", (0..count).map(rule).collect::<Vec<_>>().join(", "))
    };
    accepted(&rules(LATCHES_MAX));
    refused(&rules(LATCHES_MAX + 1), &format!("keep to {LATCHES_MAX} behaviour rules"));
    let named = |id: &str| format!("behaviour: [{{id: '{id}', steps: [{{tool: t}}]}}]");
    accepted(&named(&"x".repeat(BEHAVIOUR_ID_BYTES_MAX)));
    refused(&named(&"x".repeat(BEHAVIOUR_ID_BYTES_MAX + 1)), "a behaviour rule's id has at most");
    refused(&named(&format!("{PRINCIPAL_LATCH_PREFIX}x")), "a behaviour rule's id has at most");
    refused("behaviour: [{id: r, steps: [{taint: web}]}]", "conditions on taint alone");
    refused("behaviour: [{id: r, steps: []}]", "a behaviour rule needs at least one step");
    accepted("behaviour: [{id: r, steps: [{taint: web}, {tool: t}]}]");
    accepted("behaviour: [{id: r, steps: [{taint: web, tool: t}]}]");
    refused("behaviour: [{id: r, steps: [{taint: nowhere, tool: t}]}]", "taint source");
}

#[test]
fn limits_of_behaviour() {
    for key in ["strikes", "repeats", "generation", "depth", "fan_out"] {
        accepted(&format!("limits: {{{key}: 1}}"));
        refused(&format!("limits: {{{key}: 0}}"), &format!("`{key}` must be at least 1"));
    }
}

#[test]
fn budgets_and_rates() {
    let rate = |calls: u32, seconds: u32, burst: u32| {
        format!("rates: [{{id: r, calls: {calls}, per_seconds: {seconds}, burst: {burst}}}]")
    };
    accepted(&rate(1, 1, 1));
    refused(&rate(0, 1, 1), "calls must be at least 1");
    refused(&rate(1, 0, 1), "per_seconds must be at least 1");
    refused(&rate(1, 1, 0), "burst must be at least 1");
    accepted("rates: [{id: r, calls: 1, description: few}]");
    refused("rates: [{id: r, calls: 1, description: []}]", "description");
}

#[test]
fn subjects_of_principals() {
    let principal =
        |subject: &str| format!("principals: [{{subject: '{subject}', capabilities: [{{class: c, actions: [a]}}]}}]");
    accepted(&principal(&"s".repeat(2 * NAME_BYTES_MAX)));
    refused(&principal(&"s".repeat(2 * NAME_BYTES_MAX + 1)), "a subject is a text of 1 to 256 bytes");
    refused(&principal(""), "a subject is a text");
    refused(&principal("a*b"), "a subject is a text");
    accepted(&principal("a*"));
    let actions =
        |actions: &str| format!("principals: [{{subject: s, capabilities: [{{class: c, actions: {actions}}}]}}]");
    accepted(&actions("['*']"));
    accepted(&actions("[a]"));
    refused(&actions("['*', a]"), "`*` covers every action");
}

/// Whether something that happens is this step of a behaviour rule.
fn is_step(step: &str, happening: &Happening<'_>) -> bool {
    let source = format!("{HEAD}behaviour: [{{id: r, steps: [{step}, {{tool: t}}]}}]\n");
    let bundle = compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    bundle.behaviour()[0].advance(0, happening).position == 1
}

fn happening(what: What<'_>) -> Happening<'_> {
    let (taint, sensitivity) = (TaintSources::default(), Sensitivity::None);
    Happening { what, taint, sensitivity, capability_denied: false, longest_argument: 0 }
}

#[test]
fn a_request_is_a_step_when_it_asks_for_the_action() {
    let ask = |actions: &[&str]| {
        let actions: Vec<String> = actions.iter().map(|action| (*action).to_owned()).collect();
        is_step("{class: http, action: [get, head]}", &happening(What::Request { class: "http", actions: &actions }))
    };
    assert!(ask(&["get"]) && ask(&["post", "head"]) && ask(&["*"]), "what is asked for covers it");
    assert!(!ask(&["post"]) && !ask(&[]));
    let named = |step| is_step(step, &happening(What::Request { class: "http", actions: &["get".to_owned()] }));
    assert!(named("{class: http}") && !named("{class: file}") && !named("{tool: t}"), "it is no call of a tool");
}

#[test]
fn an_access_to_memory_is_a_step_by_its_operation() {
    let memory = |step| is_step(step, &happening(What::Memory { action: "read", reads: true }));
    assert!(memory("{class: memory}") && memory("{class: memory, action: read}") && memory("{category: read}"));
    assert!(!memory("{class: memory, action: write}") && !memory("{category: reversible_write}"));
}

#[test]
fn a_long_argument_is_longer_than_the_step_says() {
    let bundle = compile(HEAD.as_bytes()).unwrap();
    let call = |longest_argument| Happening { longest_argument, ..happening(What::Call(bundle.tool("t").unwrap())) };
    let long = |characters| is_step("{tool: t, argument_longer_than: 5}", &call(characters));
    assert_eq!((long(5), long(6)), (false, true));
}

#[test]
fn a_step_about_taint_and_something_else_needs_both() {
    let bundle = compile(HEAD.as_bytes()).unwrap();
    let call = happening(What::Call(bundle.tool("t").unwrap()));
    let touched = Happening { taint: [TaintSource::Web].into_iter().collect(), ..call };
    assert!(is_step("{taint: [web, rag], tool: t}", &touched));
    assert!(!is_step("{taint: web, tool: t}", &call) && !is_step("{taint: rag, tool: t}", &touched));
}

#[test]
fn selectors() {
    let rule = |selector: &str| {
        format!("rules: [{{id: r, match: {{parameters: {{'{selector}': {{min: 1}}}}}}, decision: allow}}]")
    };
    let words = "name an argument, or point into one";
    accepted(&rule("amount"));
    accepted(&rule("/to/0/~0~1"));
    refused(&rule(""), words);
    refused(&rule("/a~2"), words);
    refused(&rule("/a~"), words);
    let longest = kept::TEXT_BYTES_MAX;
    let contract = |argument: String| {
        format!("contract: [{{id: k, tools: [t], require: [{{argument: {argument}, op: '==', value: 1}}]}}]")
    };
    accepted(&contract("a".repeat(longest)));
    refused(&contract("a".repeat(longest + 1)), "keep it to 4096");
    // What the steps say is what is looked for.
    let source = format!(
        "{HEAD}principals: [{{subject: s, capabilities: [{{class: c, actions: [a]}}]}}]\n{}\n",
        rule("/a/~0x~1")
    );
    let bundle = compile(source.as_bytes()).unwrap();
    let says = |args: &str| {
        let args = value::parse_object(args.as_bytes()).unwrap();
        bundle.evaluate(&Call { subject: "s", tool: bundle.tool("t").unwrap(), args: &args }).verdict
    };
    assert_eq!(says(r#"{"a":{"~x/":1}}"#), Verdict::Allow);
    assert_eq!(says(r#"{"a":{"0x/":1,"~0x~1":1}}"#), Verdict::Deny);
}

#[test]
fn paths_of_secrets_are_known_alone_and_in_lists() {
    let bundle = compile(format!("{HEAD}sensitivity_defaults: true\n").as_bytes()).unwrap();
    let of = |args: &str| bundle.tool("t").unwrap().sensitivity(&value::parse_object(args.as_bytes()).unwrap());
    for secret in [r#"{"path":"/home/a/.ssh/id_rsa"}"#, r#"{"paths":["/tmp/x","/home/a/.ssh/id_rsa"]}"#] {
        assert_eq!(of(secret), Sensitivity::Secret, "{secret}");
    }
    for plain in [r#"{"path":"docs/tokenizer.md"}"#, r#"{"paths":["/tmp/x",7]}"#, r#"{"path":7}"#] {
        assert_eq!(of(plain), Sensitivity::None, "{plain}");
    }
}
