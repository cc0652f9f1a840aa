//! Verdicts beyond allow and deny: escalation, compute, tried rules, layers, taint, obligations, and how votes combine.

use assent_kernel::bundle::{
    ApprovalNeed, Call, CompiledBundle, Facts, Granted, Outcome, Situation, TaintSources, compile,
};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::taint::TaintSource;
use assent_kernel::value;
use assent_kernel::verdict::Verdict;

const HEAD: &str = "name: n\nversion: '1'\n\
    tools:\n\
    - {name: t, class: c, action: a}\n\
    - {name: other, class: c, action: a}\n\
    principals: [{subject: s, capabilities: [{class: c, actions: [a]}]}]\n";

fn bundle(sections: &str) -> CompiledBundle {
    let source = format!("{HEAD}{sections}\n");
    compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"))
}

fn refused(sections: &str) -> String {
    let errors = compile(format!("{HEAD}{sections}\n").as_bytes()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn ask_with(bundle: &CompiledBundle, args: &str, facts: &impl Facts) -> Outcome {
    let args = value::parse_object(args.as_bytes()).unwrap();
    bundle.evaluate_with(&Call { subject: "s", tool: bundle.tool("t").unwrap(), args: &args }, facts)
}

fn ask(sections: &str, args: &str) -> Outcome {
    ask_with(&bundle(sections), args, &Situation::default())
}

fn ids(outcome: &Outcome) -> Vec<&str> {
    outcome.rules.iter().map(|id| &**id).collect()
}

#[test]
fn the_example_of_seed_003_loads_unchanged_and_decides_as_it_says() {
    let source = std::fs::read_to_string(format!("{}/testdata/bundles/ari.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let full = format!(
        "{source}{}",
        "\
tools:
  - {name: http.get, class: http, action: get}
  - {name: shell.exec, class: shell, action: exec}
  - {name: file.write, class: file, action: write}
principals:
  - subject: s
    capabilities: [{class: http, actions: [get]}, {class: shell, actions: [exec]}, {class: file, actions: [write]}]
"
    );
    assert!(compile(source.as_bytes()).is_ok(), "the policy alone");
    let bundle = compile(full.as_bytes()).unwrap();
    let web = Situation { run_taint: TaintSource::Web.into(), ..Situation::default() };
    let clean = Situation::default();
    for (tool, args, situation, verdict, rule) in [
        ("http.get", r#"{"url":"https://api.github.com/x"}"#, clean, Verdict::Allow, Some("allow-safe-http-reads")),
        ("http.get", r#"{"url":"https://evil.example/"}"#, clean, Verdict::Deny, None),
        ("shell.exec", r#"{"command":"ls"}"#, web, Verdict::Deny, Some("deny-tainted-shell")),
        ("shell.exec", r#"{"command":"ls"}"#, clean, Verdict::Deny, None),
        ("file.write", r#"{"path":"/x"}"#, web, Verdict::Escalate, Some("approve-file-writes")),
    ] {
        let args = value::parse_object(args.as_bytes()).unwrap();
        let call = Call { subject: "s", tool: bundle.tool(tool).unwrap(), args: &args };
        let outcome = bundle.evaluate_with(&call, &situation);
        assert_eq!((outcome.verdict, ids(&outcome).first().copied()), (verdict, rule), "{tool}");
    }
}

#[test]
fn an_escalating_rule_asks_and_an_approval_lets_it_agree() {
    let rules = "rules: [{id: r, decision: require-approval, match: {}, \
                 approval: {role: [security, finance], expires_seconds: 60, fields: [amount]}}]";
    let outcome = ask(rules, "{}");
    assert_eq!((outcome.verdict, &outcome.codes[..]), (Verdict::Escalate, &[ApprovalRequired][..]));
    let need = outcome.approval.unwrap();
    assert_eq!(need.roles.iter().map(|role| &**role).collect::<Vec<_>>(), ["finance", "security"]);
    assert_eq!((need.required, need.expires_seconds, need.fields.len()), (2, 60, 1));
    let held = ["security".to_owned(), "finance".to_owned()];
    let approved = Situation { granted: Some(Granted { votes: 2, roles: &held }), ..Situation::default() };
    let outcome = ask_with(&bundle(rules), "{}", &approved);
    assert_eq!((outcome.verdict, &outcome.codes[..]), (Verdict::Allow, &[AllowedRulesPassed, Approved][..]));
    assert_eq!(outcome.approval, None);
    let denied = "rules: [{id: d, decision: deny, match: {}}]";
    assert_eq!(ask_with(&bundle(denied), "{}", &approved).verdict, Verdict::Deny, "an approval satisfies nothing else");
    let contract = "contract: [{id: c1, tools: [t], require: [{argument: n, op: '<', value: 5}]}]\n";
    let outcome = ask_with(&bundle(&format!("{contract}{rules}")), r#"{"n":9}"#, &approved);
    assert_eq!((outcome.verdict, &outcome.codes[..]), (Verdict::Deny, &[ContractViolated][..]));
}

#[test]
fn two_approvals_that_are_needed_become_one_that_satisfies_both() {
    let need = |roles: &[&str], required, expires_seconds, fields: &[&str]| ApprovalNeed {
        roles: roles.iter().map(|role| (*role).into()).collect(),
        required,
        expires_seconds,
        fields: fields.iter().map(|field| (*field).into()).collect(),
    };
    let both = need(&["a"], 1, 60, &["x", "y"]).and(need(&["b"], 1, 30, &["y", "z"]));
    assert_eq!(both, need(&["a", "b"], 2, 30, &["y"]));
    assert_eq!(need(&[], 3, 60, &[]).and(need(&["b"], 1, 90, &["y"])), need(&["b"], 3, 60, &["y"]));
}

#[test]
fn a_compute_rule_replaces_arguments_and_tool() {
    let rule = |compute: &str| format!("rules: [{{id: r, decision: compute, match: {{}}, compute: {compute}}}]");
    for (compute, args, wanted, tool, codes) in [
        ("{set: {dry_run: true}}", r#"{"n":1.50}"#, r#"{"dry_run":true,"n":1.50}"#, None, &[ArgumentsReplaced][..]),
        (
            "{set: {/to/0: [a, {b: 1}]}}",
            r#"{"to":["x","y"]}"#,
            r#"{"to":[["a",{"b":1}],"y"]}"#,
            None,
            &[ArgumentsReplaced],
        ),
        ("{remove: [n, /to/0, /zzz/1]}", r#"{"n":1,"to":["x","y"]}"#, r#"{"to":["y"]}"#, None, &[ArgumentsReplaced]),
        ("{tool: other}", r#"{"n":1}"#, r#"{"n":1}"#, Some("other"), &[ToolReplaced]),
        (
            "{tool: other, set: {n: null}}",
            r#"{"n":1}"#,
            r#"{"n":null}"#,
            Some("other"),
            &[ArgumentsReplaced, ToolReplaced],
        ),
    ] {
        let outcome = ask(&rule(compute), args);
        assert_eq!((outcome.verdict, &outcome.codes[..]), (Verdict::Compute, codes), "{compute}");
        let replacement = outcome.replacement.unwrap();
        assert_eq!(String::from_utf8(replacement.inputs()).unwrap(), wanted);
        assert_eq!(replacement.tool.as_deref(), tool);
        assert_eq!(value::parse_object(&replacement.inputs()).unwrap(), replacement.args);
    }
    let lost = ask(&rule("{set: {/to/7: x}}"), r#"{"to":["x"]}"#);
    assert_eq!((lost.verdict, &lost.codes[..]), (Verdict::Deny, &[PolicyError][..]));
    assert!(lost.replacement.is_none());
    let odd = "rules: [{id: r, decision: compute, compute: {remove: [x]}, match: {parameters: {n: {min: 1}}}}]";
    assert_eq!(ask(odd, "{}").codes, [NoMatchingRule], "a missing argument counts against the caller");
}

#[test]
fn a_tried_rule_is_reported_and_changes_nothing() {
    let tried = "{id: x, priority: 1, shadow: true, decision: deny, match: {}}";
    let allow = "{id: y, priority: 2, decision: allow, match: {}}";
    let outcome = ask(&format!("rules: [{tried}, {allow}]"), "{}");
    assert_eq!((outcome.verdict, ids(&outcome)), (Verdict::Allow, vec!["y"]));
    assert_eq!(outcome.shadow.len(), 1);
    assert_eq!((&*outcome.shadow[0].rule, outcome.shadow[0].verdict), ("x", Verdict::Deny));
    let contract = "contract: [{id: c1, tools: [t], require: [{argument: n, op: '<', value: 5}]}]\n";
    let with = ask(&format!("{contract}rules: [{tried}]"), r#"{"n":1}"#);
    let without = ask(contract, r#"{"n":1}"#);
    assert_eq!(Outcome { shadow: Vec::new(), ..with }, without, "a bundle of tried rules only has no implicit deny");
}

#[test]
fn layers_are_asked_before_priorities() {
    let rules = "rules: [\
        {id: b, layer: built-in, priority: 1, decision: deny, match: {}}, \
        {id: p, priority: 500, decision: allow, match: {}}, \
        {id: r, layer: runtime, priority: 999, decision: escalate, match: {parameters: {n: {min: 5}}}}]";
    assert_eq!(ids(&ask(rules, r#"{"n":1}"#)), ["p"]);
    assert_eq!(ids(&ask(rules, r#"{"n":5}"#)), ["r"]);
}

#[test]
fn taint_is_matched_in_the_run_or_in_the_call_alone() {
    let rule = |scope: &str| {
        bundle(&format!(
            "rules: [{{id: d, decision: deny, match: {{taintSources: [web, email]{scope}}}}}, {{id: a, decision: allow, match: {{}}}}]"
        ))
    };
    let web = TaintSources::from(TaintSource::Web);
    let in_run = Situation { run_taint: web, ..Situation::default() };
    let in_call = Situation { call_taint: web, ..Situation::default() };
    let rag = Situation { call_taint: TaintSource::Rag.into(), ..Situation::default() };
    for (scope, situation, verdict) in [
        ("", in_run, Verdict::Deny),
        ("", in_call, Verdict::Deny),
        ("", rag, Verdict::Allow),
        (", taintScope: call", in_run, Verdict::Allow),
        (", taint_scope: call", in_call, Verdict::Deny),
        (", taint_scope: run", in_run, Verdict::Deny),
    ] {
        assert_eq!(ask_with(&rule(scope), "{}", &situation).verdict, verdict, "{scope} {situation:?}");
    }
}

#[test]
fn obligations_come_with_the_rule_that_matched() {
    let outcome = ask(
        "rules: [{id: r, decision: allow, match: {}, obligations: [\
         audit_log, {type: redact, required: false, params: {fields: [ssn, iban], with: 'x'}}, {type: x-own}]}]",
        "{}",
    );
    let seen: Vec<String> =
        outcome.obligations.iter().map(|o| format!("{} {} {:?}", o.kind, o.required, o.params)).collect();
    assert_eq!(
        seen,
        [
            "audit_log true []",
            r#"redact false [("fields", "ssn"), ("fields", "iban"), ("with", "x")]"#,
            "x-own true []"
        ]
    );
    assert!(
        ask(
            "rules: [{id: r, decision: deny, match: {parameters: {n: {min: 1}}}, obligations: [notify]}]",
            r#"{"n":0}"#
        )
        .obligations
        .is_empty()
    );
}

#[test]
fn what_does_not_fit_is_refused_with_a_hint() {
    for (sections, words) in [
        ("rules: [{id: r, decision: compute, match: {}}]", "a rule needs the key `compute`"),
        (
            "rules: [{id: r, decision: allow, match: {}, compute: {remove: [x]}}]",
            "`compute` says nothing about a rule that decides allow",
        ),
        (
            "rules: [{id: r, decision: deny, match: {}, approval: {role: x}}]",
            "`approval` says nothing about a rule that decides deny",
        ),
        ("rules: [{id: r, decision: compute, match: {}, compute: {}}]", "a compute rule that changes nothing"),
        (
            "rules: [{id: r, decision: compute, match: {}, compute: {tool: othr}}]",
            "no tool `othr` is declared (did you mean `other`?)",
        ),
        ("rules: [{id: r, decision: allow, match: {taintSources: [wbe]}}]", "`wbe` is no taint source"),
        ("rules: [{id: r, decision: allow, match: {taintScope: call}}]", "a scope of taint without taint sources"),
        (
            "rules: [{id: r, decision: allow, match: {}, layer: system}]",
            "`system` is no layer (use runtime, project or built-in)",
        ),
        ("rules: [{id: r, decision: allow, match: {}, obligations: [audit_lgo]}]", "did you mean `audit_log`?"),
        (
            "rules: [{id: r, decision: escalate, match: {}, approval: {role: [a, b], required: 1}}]",
            "1 people cannot hold 2 roles",
        ),
        (
            "rules: [{id: r, decision: escalate, match: {}, approval: {required: 0}}]",
            "required must be a whole number from 1",
        ),
        ("rules: [{id: r, decision: block, match: {}}]", "use allow, deny, escalate"),
    ] {
        let message = refused(sections);
        assert!(message.contains(words), "{sections}\n{message}");
        assert!(message.starts_with("bundle.yaml:7:"), "{message}");
    }
}
