//! What a policy in Rego makes of a call is told to the caller and kept in a payload: nothing of it gets into the leaf.

use crate::support::{World, admin, agent, call, evaluate, tenant};
use assent_kernel::bundle::{bundle_hash, compile};
use assent_kernel::command::{CommandBody, OfferedSource};
use assent_kernel::event::{DETAIL_ROLE, EventBody, PolicyDetail};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::state::keys::DecisionTerms;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;
use assent_ledger::payload::decrypt;

const SECRET: &str = "4556-7375-8689-9855";

fn source(result: &str, own: &str) -> String {
    format!(
        "name: n\nversion: '1'\n\
         tools: [{{name: t, class: c, action: a, inputs: {{s: {{type: string, required: true}}}}}}]\n\
         principals: [{{subject: agent-1, capabilities: [{{class: c, actions: [a]}}]}}]\n\
         rego:\n  obligations: [{own}]\n  modules:\n  - file: p.rego\n    source: |\n      package assent\n      decision := {result}\n"
    )
}

/// Codes, terms, the leaf's text, what is left out of it, and the names of the obligations in the leaf.
struct Seen {
    verdict: Verdict,
    codes: Vec<ReasonCode>,
    terms: DecisionTerms,
    leaf: String,
    detail: Option<PolicyDetail>,
}

fn decide(result: &str, own: &str) -> Seen {
    let mut world = World::ready(3);
    let source = source(result, own);
    compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"));
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (of, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    let activate = CommandBody::ActivateBundle { tenant: of, environment: "prod".into(), bundle_hash };
    world.must(admin("acme"), activate);
    let mut asked = call("t", &format!(r#"{{"s":"{SECRET}"}}"#));
    asked.context.fulfils = Some(vec!["notify".into(), "x-mask".into()]);
    let command = world.command(agent("acme", Some("agent-1")), evaluate(asked));
    let mut applied = world.apply(vec![command]);
    let Answer::Decided { verdict, codes, terms, .. } = applied.answers.remove(0) else { panic!("no decision") };
    let last = applied.entries.last().unwrap();
    let entry = Entry::parse(&last.leaf).unwrap();
    assert!(matches!(EventBody::from_value(&entry.kind, &entry.body), Some(Ok(EventBody::Decision(_)))));
    let sealed = last.payloads.iter().find(|payload| payload.role == DETAIL_ROLE);
    let detail = sealed.map(|sealed| {
        let opened = decrypt(&sealed.data_key, &sealed.commitment, &sealed.ciphertext).unwrap();
        PolicyDetail::read(&opened.bytes).unwrap()
    });
    Seen { verdict, codes, terms: *terms, leaf: String::from_utf8(last.leaf.clone()).unwrap(), detail }
}

#[test]
fn parameters_and_reasons_are_a_payload() {
    let seen = decide(
        r#"{"decision": "allow", "reasons": [sprintf("card %s", [input.args.s])], "obligations": [{"type": "notify", "params": {"about": input.args.s}}, {"type": "x-mask", "required": false, "params": {"fields": ["a", "b"]}}]}"#,
        "x-mask",
    );
    assert_eq!(seen.verdict, Verdict::Allow, "{:?}", seen.codes);
    assert!(!seen.leaf.contains(SECRET) && !seen.leaf.contains("fields"), "{}", seen.leaf);
    assert!(seen.leaf.contains("notify") && seen.leaf.contains("x-mask"));
    let told: Vec<String> = seen.terms.obligations.iter().map(|o| format!("{} {:?}", o.kind, o.params)).collect();
    assert_eq!(
        told,
        [format!(r#"notify [("about", "{SECRET}")]"#), r#"x-mask [("fields", "a"), ("fields", "b")]"#.into()]
    );
    let detail = seen.detail.unwrap();
    assert_eq!(detail.reasons, [format!("card {SECRET}")]);
    assert_eq!(detail.params.len(), 2);
}

#[test]
fn a_deny_keeps_its_reasons_and_obliges_to_nothing() {
    let seen = decide(
        r#"{"decision": "deny", "reasons": ["too late"], "obligations": [{"type": "notify", "params": {"a": "b"}}]}"#,
        "",
    );
    assert_eq!((seen.verdict, &seen.codes[..]), (Verdict::Deny, &[RegoDenied][..]));
    assert_eq!(seen.detail, Some(PolicyDetail { params: Vec::new(), reasons: vec!["too late".into()] }));
    assert!(seen.terms.obligations.is_empty() && !seen.leaf.contains("late"));
    assert_eq!(decide("true", "").detail, None);
}

#[test]
fn a_kind_that_the_bundle_does_not_name_is_an_error() {
    let made =
        r#"{"decision": "allow", "obligations": [{"type": concat("", ["x-", input.args.s]), "required": false}]}"#;
    let seen = decide(made, "x-mask");
    assert_eq!((seen.verdict, &seen.codes[..]), (Verdict::Deny, &[PolicyError][..]));
    assert!(!seen.leaf.contains(SECRET));
    let long = format!(
        "{{\"decision\": \"allow\", \"obligations\": [{{\"type\": \"notify\", \"params\": {{\"a\": concat(\"\", [\"{0}\",\n        \"{0}\"])}}}}]}}",
        "b".repeat(550)
    );
    assert_eq!(decide(&long, "").codes, [PolicyError]);
}
