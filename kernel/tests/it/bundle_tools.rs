//! Tools and principals: schemas, labels, sensitivity, pins, leases, owners and roles.

use assent_kernel::bundle::{
    ArgumentError, Call, CompiledBundle, Constraints, LeaseTerms, NoFacts, Sensitivity, Situation, Tool, Work, compile,
};
use assent_kernel::command::Usage;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::taint::TaintSource;
use assent_kernel::value::{self, Object};

fn bundle(sections: &str) -> CompiledBundle {
    let source = format!("name: n\nversion: '1'\n{sections}\n");
    compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"))
}

fn refused(sections: &str) -> String {
    let errors = compile(format!("name: n\nversion: '1'\n{sections}\n").as_bytes()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn tool(body: &str) -> Tool {
    bundle(&format!("tools: [{{name: t, class: c, action: a, {body}}}]")).tool("t").unwrap().clone()
}

fn args(text: &str) -> Object {
    value::parse_object(text.as_bytes()).unwrap()
}

#[test]
fn a_schema_is_checked_keyword_by_keyword() {
    for (schema, fits, misfits) in [
        ("x: {type: string}", vec!["\"\""], vec!["1", "null", "[]"]),
        ("x: {type: [string, 'null']}", vec!["\"a\"", "null"], vec!["1"]),
        ("x: {type: integer}", vec!["5", "5.0", "5e1", "-0"], vec!["5.5", "\"5\""]),
        ("x: {type: number}", vec!["5.5", "1e-9"], vec!["true"]),
        ("x: {type: boolean}", vec!["true"], vec!["0"]),
        ("x: {}", vec!["1", "null", "{\"a\":[1]}"], vec![]),
        (
            "x: {type: number, minimum: 0.1, maximum: 0.3}",
            vec!["0.1", "0.3"],
            vec!["0.09999999999999999999", "0.30000000000000000001"],
        ),
        ("x: {exclusiveMinimum: 1, exclusiveMaximum: 2}", vec!["1.5", "\"not a number\""], vec!["1", "2"]),
        ("x: {type: string, minLength: 2, maxLength: 3}", vec!["\"äö\"", "\"äöü\""], vec!["\"ä\"", "\"äöüß\""]),
        ("x: {type: string, pattern: '^[a-z]+$'}", vec!["\"abc\""], vec!["\"aBc\"", "\"\""]),
        (
            "x: {enum: [1, a, [1], {b: null}]}",
            vec!["1.0", "\"a\"", "[1]", "{\"b\":null}"],
            vec!["2", "\"b\"", "[2]", "{}"],
        ),
        ("x: {const: 1}", vec!["1"], vec!["2"]),
        ("x: {const: 1, enum: [1, 2]}", vec!["1"], vec!["2"]),
        (
            "x: {type: array, items: {type: integer}, minItems: 1, maxItems: 2}",
            vec!["[1]", "[1,2]"],
            vec!["[]", "[1,2,3]", "[\"a\"]"],
        ),
        ("x: {type: array, uniqueItems: true}", vec!["[1,\"1\",[1]]"], vec!["[1,1.0]", "[{\"a\":1},{\"a\":1}]"]),
        (
            "x: {type: object, properties: {y: {type: integer}}, required: [y]}",
            vec!["{\"y\":1}"],
            vec!["{}", "{\"y\":1,\"z\":1}", "{\"y\":\"a\"}"],
        ),
        ("x: {type: object, additionalProperties: true}", vec!["{\"anything\":1}"], vec!["[]"]),
        ("x: {type: object}", vec!["{}"], vec!["{\"a\":1}"]),
    ] {
        let tool = tool(&format!("schema: {{type: object, properties: {{{schema}}}}}"));
        for value in fits {
            assert_eq!(tool.check_arguments(&args(&format!("{{\"x\":{value}}}"))), Ok(()), "{schema}: {value}");
        }
        for value in misfits {
            assert!(tool.check_arguments(&args(&format!("{{\"x\":{value}}}"))).is_err(), "{schema}: {value}");
        }
        assert_eq!(tool.check_arguments(&args("{}")), Ok(()), "nothing is required");
        assert!(matches!(tool.check_arguments(&args("{\"z\":1}")), Err(ArgumentError::Unknown { .. })));
    }
    let unique = tool("schema: {type: object, properties: {x: {type: array, uniqueItems: true}}}");
    let numbers = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(unique.check_arguments(&args(&format!("{{\"x\":[{}]}}", numbers(1_024)))), Ok(()));
    let error = unique.check_arguments(&args(&format!("{{\"x\":[{}]}}", numbers(1_025)))).unwrap_err();
    assert_eq!(error, ArgumentError::Length { argument: "x".to_owned(), max: 1_024 });
    let nested = tool(
        "schema: {type: object, required: [to], properties: {to: {type: array, items: {type: object, properties: {n: {type: integer}}}}}}",
    );
    let error = nested.check_arguments(&args(r#"{"to":[{"n":1},{"n":"x"}]}"#)).unwrap_err();
    assert_eq!(error, ArgumentError::Type { argument: "to/1/n".to_owned(), expected: "integer" });
    assert_eq!(nested.check_arguments(&args("{}")), Err(ArgumentError::Missing { argument: "to".to_owned() }));
}

#[test]
fn what_a_schema_cannot_check_is_refused_with_a_hint() {
    let with = |schema: &str| refused(&format!("tools:\n- name: t\n  class: c\n  action: a\n  schema: {schema}"));
    for (schema, words) in [
        (
            "{type: object, $ref: '#/x'}",
            "7:26: `$ref` is no keyword of a tool's schema here (only keywords that can be checked in linear time",
        ),
        ("{type: object, additionalProprties: true}", "did you mean `additionalProperties`?"),
        ("{type: object, allOf: []}", "`allOf` is no keyword"),
        ("{type: object, properties: {x: {type: text}}}", "`text` is no type (use one of null, boolean, integer"),
        ("{type: object, properties: {x: {pattern: '(?=a)'}}}", "the pattern does not compile"),
        ("{type: object, required: [x]}", "`x` is required and not among the properties"),
        ("{type: array}", "must describe an object"),
        ("{type: object, properties: {x: {minLength: -1}}}", "a whole number from 0"),
    ] {
        let message = with(schema);
        assert!(message.contains(words) && message.starts_with("bundle.yaml:7:"), "{schema}\n{message}");
    }
    assert!(
        refused("tools: [{name: t, class: c, action: a, inputs: {}, schema: {type: object}}]")
            .contains("either inputs or a schema")
    );
}

#[test]
fn the_schema_hash_follows_the_schema() {
    let hash = |body: &str| tool(body).schema_hash();
    let base = hash("schema: {type: object, properties: {x: {type: string, maxLength: 3}, y: {}}}");
    assert_eq!(
        base,
        hash("schema: {properties: {y: {description: d}, x: {maxLength: 3, type: [string]}}, type: object}")
    );
    for other in [
        "schema: {type: object, properties: {x: {type: string, maxLength: 4}, y: {}}}",
        "schema: {type: object, properties: {x: {type: string, minLength: 3}, y: {}}}",
        "schema: {type: object, properties: {x: {type: string, maxLength: 3}, y: {}}, required: [x]}",
        "schema: {type: object, properties: {x: {type: string, maxLength: 3}}}",
        "inputs: {x: {type: string, max_length: 3}}",
    ] {
        assert_ne!(base, hash(other), "{other}");
    }
}

#[test]
fn sensitivity_comes_from_labels_and_from_patterns_only_when_asked() {
    let labelled = tool(
        "inputs: {path: {type: string}}, sensitivity: internal, resources: [\
         {argument: path, within: [/srv/payroll], sensitivity: confidential}, \
         {argument: path, matches: '[.]key$', sensitivity: secret}]",
    );
    for (path, level) in [
        ("/srv/docs/tokenizer.md", Sensitivity::Internal),
        ("/srv/payroll/x.xlsx", Sensitivity::Confidential),
        ("/srv/docs/../payroll/x.xlsx", Sensitivity::Confidential),
        ("/srv/a.key", Sensitivity::Secret),
        ("/home/a/.ssh/config", Sensitivity::Internal),
        ("payroll.xlsx", Sensitivity::Confidential),
    ] {
        assert_eq!(labelled.sensitivity(&args(&format!("{{\"path\":\"{path}\"}}"))), level, "{path}");
    }
    assert_eq!(labelled.sensitivity(&args("{}")), Sensitivity::Secret, "a missing argument counts as if it lay there");
    let defaults =
        |on: bool| bundle(&format!("sensitivity_defaults: {on}\ntools: [{{name: t, class: file, action: read}}]"));
    let of = |bundle: &CompiledBundle, path: &str| {
        bundle.tool("t").unwrap().sensitivity(&args(&format!("{{\"path\":\"{path}\"}}")))
    };
    assert_eq!(of(&defaults(true), "~/.ssh/id_rsa"), Sensitivity::Secret);
    assert_eq!(of(&defaults(true), "docs/tokenizer.md"), Sensitivity::None);
    assert_eq!(of(&defaults(false), "~/.ssh/id_rsa"), Sensitivity::None);
    for level in Sensitivity::ALL {
        assert_eq!(Sensitivity::from_name(level.name()), Some(level));
        assert_eq!(Sensitivity::from_number(level.number()), Some(level));
    }
}

#[test]
fn what_else_a_tool_declares() {
    let digest = "ab".repeat(32);
    let tool = tool(&format!(
        "pin: {digest}, output_labels: [web, {{source: email, origin: inbox, confidence: 0.5}}], quarantine_safe: true, \
         cost: {{tokens: 5, cost_micro_usd: 7}}"
    ));
    assert_eq!(tool.pin().unwrap().to_string(), digest);
    let labels: Vec<_> =
        tool.output_labels().iter().map(|l| (l.source, l.origin.as_str(), l.confidence_milli)).collect();
    assert_eq!(labels, [(TaintSource::Web, "web", 1_000), (TaintSource::Email, "inbox", 500)]);
    assert!(tool.is_quarantine_safe());
    assert_eq!(tool.cost(), Usage { tokens: 5, cost_micro_usd: 7 });
    for (declared, egress) in [
        ("class: http, action: get", false),
        ("class: http, actions: [get, post]", true),
        ("class: http, action: post, egress: false", false),
        ("class: mail, action: send, category: external_effect", true),
        ("class: mail, action: send", false),
        ("class: mail, action: send, egress: true", true),
    ] {
        let bundle = bundle(&format!("tools: [{{name: t, {declared}}}]"));
        assert_eq!(bundle.tool("t").unwrap().is_egress(), egress, "{declared}");
        assert!(!bundle.tool("t").unwrap().is_quarantine_safe());
    }
    for (body, words) in [
        ("pin: abc", "this pin is no digest"),
        ("output_labels: [wbe]", "`wbe` is no taint source"),
        ("output_labels: [{source: web, confidence: 1.5}]", "a share from 0 to 1"),
        ("sensitivity: high", "`high` is no sensitivity (use one of none, internal"),
        ("resources: [{argument: x, sensitivity: secret}]", "exactly one of within"),
        ("cost: {tokens: 1.5}", "a whole number"),
    ] {
        let message = refused(&format!("tools: [{{name: t, class: c, action: a, {body}}}]"));
        assert!(message.contains(words), "{body}\n{message}");
    }
}

#[test]
fn a_bundle_may_ask_to_be_observed_only() {
    let plain = bundle("rules: []");
    assert!(!plain.observes() && !plain.observes_unknown_tools());
    let soft = bundle("mode: observe\nunknown_tools: observe");
    assert!(soft.observes() && soft.observes_unknown_tools());
    let strict = bundle("mode: enforce\nunknown_tools: deny");
    assert!(!strict.observes() && !strict.observes_unknown_tools());
    assert!(refused("mode: watch").contains("`watch` is no mode (use one of enforce, observe)"));
}

const LEASED: &str = "tools: [{name: t, class: c, action: a}]\n\
    rules: [{id: r, decision: allow, match: {}}]\n\
    principals:\n\
    - {subject: lead, owner: alice, roles: [b, a], capabilities: [{class: c, actions: [a], standing: true}]}\n\
    - {subject: agent-*, owner: bob, roles: [worker], capabilities: [\
        {class: c, actions: [a], lease: {required: true, calls_max: 5, seconds_max: 60}, constraints: {hosts: [a.example]}}, \
        {class: c, actions: ['*'], constraints: {arguments: [{argument: n, op: '<=', value: 3}]}}]}\n\
    - {subject: agent-1, roles: [extra], capabilities: [{class: c, actions: [a], lease_required: true, constraints: {paths: [/srv]}}]}";

#[test]
fn a_capability_stands_or_needs_a_lease() {
    let bundle = bundle(LEASED);
    let tool = bundle.tool("t").unwrap();
    let leased = Situation { leased: true, ..Situation::default() };
    for (subject, text, codes, id) in [
        ("lead", "{}", AllowedRulesPassed, Some("lead#0")),
        ("agent-9", r#"{"n":3}"#, AllowedRulesPassed, Some("agent-*#1")),
        ("agent-9", r#"{"url":"https://a.example/"}"#, LeaseRequired, Some("agent-*#0")),
        ("agent-9", r#"{"url":"https://a.example/","n":3}"#, AllowedRulesPassed, Some("agent-*#1")),
        ("agent-9", r#"{"n":4}"#, CapabilityConstraint, None),
        ("agent-1", r#"{"path":"/srv/x"}"#, LeaseRequired, Some("agent-1#0")),
        ("nobody", "{}", CapabilityMissing, None),
    ] {
        let args = args(text);
        let call = Call { subject, tool, args: &args };
        assert_eq!(bundle.evaluate_with(&call, &NoFacts).codes[0], codes, "{subject} {text}");
        assert_eq!(
            bundle.covering(&call, &Work::default()).ok().map(|view| view.id()).as_deref(),
            id,
            "{subject} {text}"
        );
        if codes == LeaseRequired {
            assert_eq!(bundle.evaluate_with(&call, &leased).codes[0], AllowedRulesPassed);
        }
    }
    let terms: Vec<_> = bundle.capabilities("agent-1").map(|view| (view.id(), view.lease())).collect();
    let defaults = LeaseTerms { calls_max: LeaseTerms::CALLS_DEFAULT, seconds_max: LeaseTerms::SECONDS_DEFAULT };
    assert_eq!(
        terms,
        [
            ("agent-1#0".to_owned(), Some(defaults)),
            ("agent-*#0".to_owned(), Some(LeaseTerms { calls_max: 5, seconds_max: 60 })),
            ("agent-*#1".to_owned(), None)
        ]
    );
    assert_eq!((bundle.owner("lead"), bundle.owner("agent-1"), bundle.owner("x")), (Some("alice"), Some("bob"), None));
    assert_eq!(bundle.roles("agent-1").collect::<Vec<_>>(), ["extra", "worker"]);
    assert_eq!(bundle.roles("lead").collect::<Vec<_>>(), ["a", "b"]);
    for body in
        ["standing: true, lease: {required: true}", "standing: false", "lease: {required: true}, lease_required: false"]
    {
        let message =
            refused(&format!("principals: [{{subject: s, capabilities: [{{class: c, actions: [a], {body}}}]}}]"));
        assert!(message.contains("either stands or needs a lease"), "{body}\n{message}");
    }
}

#[test]
fn a_leases_own_constraints_are_read_from_json() {
    let work = Work::default();
    let constraints = Constraints::read_json(
        br#"{"hosts":["a.example"],"paths":"/srv","arguments":[{"argument":"n","op":"<","value":5},{"argument":"s","op":"in","value":["true","5"]}]}"#,
        &work,
    )
    .unwrap();
    let good = r#"{"url":"https://a.example/x","path":"/srv/x","n":4.9,"s":"5"}"#;
    assert!(constraints.hold(&args(good), &work));
    for (from, to) in
        [("a.example", "b.example"), ("/srv/x", "/srv/../x"), ("4.9", "5"), ("\"5\"", "5"), ("\"n\"", "\"m\"")]
    {
        assert!(!constraints.hold(&args(&good.replace(from, to)), &work), "{from} {to}");
    }
    assert!(Constraints::read_json(b"{}", &work).unwrap().hold(&args("{}"), &work), "no constraint restricts nothing");
    for odd in [
        "",
        "[]",
        "{\"hosts\":[\"https://a/\"]}",
        "{\"hots\":[]}",
        "{\"arguments\":[{\"argument\":\"n\",\"op\":\"<\"}]}",
        "{\"hosts\":[\"a\"],\"hosts\":[\"b\"]}",
    ] {
        assert!(Constraints::read_json(odd.as_bytes(), &work).is_err(), "{odd}");
    }
}
