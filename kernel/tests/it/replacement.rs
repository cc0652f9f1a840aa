//! What runs in a call's place: nothing that denies it is hidden, somebody has to allow it, and what comes with either pass comes along.

use crate::support::{World, admin, agent, call, evaluate, tenant};
use assent_kernel::bundle::{Call, CompiledBundle, Situation, bundle_hash, compile};
use assent_kernel::command::{CommandBody, Evaluate, OfferedSource};
use assent_kernel::event::{EventBody, PolicyDecision};
use assent_kernel::limits::INPUTS_BYTES_MAX;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::value;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;

const HEAD: &str = "\
name: n
version: '1'
tools:
- {name: pay, class: c, action: a, schema: {type: object, additionalProperties: true}}
- {name: park, class: c, action: a, schema: {type: object, additionalProperties: true}}
principals: [{subject: agent-1, capabilities: [{class: c, actions: [a]}]}]
";

const TO_VAULT: &str = "{id: vault, priority: 10, match: {tool: pay}, decision: compute, compute: {set: {to: vault}}}";

/// What the only call of a world comes to, under a bundle and perhaps an operator's baseline.
fn decide_under(sections: &str, baseline: Option<&str>, tool: &str, inputs: &str) -> PolicyDecision {
    let mut world = World::ready(3);
    activate(&mut world, "acme", &format!("{HEAD}{sections}\n"));
    if let Some(sections) = baseline {
        let source = format!("name: b\nversion: '1'\n{sections}\n");
        let of = assent_ledger::ids::TenantId::system();
        let operator = crate::support::operator();
        let offered = OfferedSource { tenant: of.clone(), source: source.clone().into_bytes() };
        world.must(operator.clone(), CommandBody::OfferBundle(offered));
        let bundle_hash = bundle_hash(source.as_bytes());
        let activate = CommandBody::ActivateBundle { tenant: of, environment: "*".into(), bundle_hash };
        world.must(operator, activate);
    }
    let fulfils = Some(vec!["notify".to_owned(), "redact".to_owned()]);
    let mut asked: Evaluate = call(tool, inputs);
    asked.context.fulfils = fulfils;
    let command = world.command(agent("acme", Some("agent-1")), evaluate(asked));
    let applied = world.apply(vec![command]);
    let entry = Entry::parse(&applied.entries.last().unwrap().leaf).unwrap();
    match EventBody::from_value(&entry.kind, &entry.body).unwrap().unwrap() {
        EventBody::Decision(body) => *body,
        other => panic!("{other:?}"),
    }
}

fn activate(world: &mut World, of: &str, source: &str) {
    let offered = OfferedSource { tenant: tenant(of), source: source.as_bytes().to_vec() };
    world.must(admin(of), CommandBody::OfferBundle(offered));
    let bundle_hash = bundle_hash(source.as_bytes());
    let activate = CommandBody::ActivateBundle { tenant: tenant(of), environment: "prod".into(), bundle_hash };
    world.must(admin(of), activate);
}

fn decide(sections: &str, inputs: &str) -> PolicyDecision {
    decide_under(sections, None, "pay", inputs)
}

fn shown(decision: &PolicyDecision) -> Vec<&str> {
    decision.rules.iter().flat_map(|rules| &rules.shown).map(String::as_str).collect()
}

#[test]
fn a_later_rule_denies_what_a_compute_rule_makes_of_the_call() {
    let deny = "{id: no-vault, priority: 20, match: {parameters: {to: {in: [vault]}}}, decision: deny}";
    let allow = "{id: rest, priority: 30, match: {}, decision: allow}";
    let rejected = decide(&format!("rules: [{TO_VAULT}, {deny}, {allow}]"), r#"{"to":"friend"}"#);
    assert_eq!((rejected.verdict, &rejected.codes[..]), (Verdict::Deny, &[RuleDenied, ComputeRejected][..]));
    assert!(shown(&rejected).contains(&"no-vault"), "{rejected:?}");
    assert_eq!(rejected.effects.replacement, None);
    let asks = "{id: ask, priority: 20, match: {parameters: {to: {in: [vault]}}}, decision: escalate}";
    assert_eq!(
        decide(&format!("rules: [{TO_VAULT}, {asks}, {allow}]"), r#"{"to":"friend"}"#).verdict,
        Verdict::Escalate
    );
    let runs = decide(&format!("rules: [{TO_VAULT}, {allow}]"), r#"{"to":"friend"}"#);
    assert_eq!((runs.verdict, shown(&runs)), (Verdict::Compute, vec!["vault", "rest"]));
}

#[test]
fn nobody_allowing_what_runs_is_a_deny() {
    let alone = decide(&format!("rules: [{TO_VAULT}]"), r#"{"to":"friend"}"#);
    assert_eq!((alone.verdict, &alone.codes[..]), (Verdict::Deny, &[NoMatchingRule, ComputeRejected][..]));
    let rego = |second: &str| {
        format!(
            "rego:\n  modules:\n  - file: p.rego\n    source: |\n      package assent\n      default decision := false\n      \
             decision := {{\"decision\": \"compute\", \"compute\": {{\"set\": {{\"to\": {second}}}}}}} if input.tool.name == \"pay\"\n"
        )
    };
    // A policy that leaves its own replacement as it is abstains, one that would go on replacing rejects it.
    let steady = decide(&rego("\"vault\""), r#"{"to":"friend"}"#);
    assert_eq!((steady.verdict, &steady.codes[..]), (Verdict::Deny, &[NoMatchingRule, ComputeRejected][..]));
    let contract = "contract: [{id: held, class: c, require: [{argument: to, op: '!=', value: x}]}]\n";
    let held = decide(&format!("{contract}{}", rego("\"vault\"")), r#"{"to":"friend"}"#);
    assert_eq!((held.verdict, &held.codes[..]), (Verdict::Compute, &[ArgumentsReplaced][..]));
    let restless = decide(&format!("{contract}{}", rego("concat(\"\", [input.args.to, \"!\"])")), r#"{"to":"friend"}"#);
    assert_eq!((restless.verdict, &restless.codes[..]), (Verdict::Deny, &[ComputeRejected][..]));
}

#[test]
fn a_baseline_replaces_and_does_not_allow() {
    let compute = "rules: [{id: b, decision: compute, compute: {set: {to: vault}}, match: {toolClass: c}}]";
    let silent = decide_under("", Some(compute), "pay", r#"{"to":"friend"}"#);
    assert_eq!((silent.verdict, &silent.codes[..]), (Verdict::Deny, &[NoMatchingRule][..]));
    let allowed = decide_under("rules: [{id: rest, match: {}, decision: allow}]", Some(compute), "pay", "{}");
    assert_eq!(allowed.verdict, Verdict::Compute);
}

#[test]
fn what_comes_with_the_replacement_comes_along() {
    let rules = "rules: [\
        {id: park, priority: 1, match: {tool: pay}, decision: compute, compute: {tool: park}, obligations: [redact]}, \
        {id: tried, priority: 2, shadow: true, match: {tool: park}, decision: deny}, \
        {id: parked, priority: 3, match: {tool: park}, decision: allow, obligations: [notify, redact]}]\n";
    let contract = "contract: \
        [{id: pays, tools: [pay], soft: true, threshold: 0.5, require: [{argument: n, op: '<', value: 5}, {argument: n, op: '>', value: 5}]}, \
         {id: parks, tools: [park], require: [{argument: n, op: '<', value: 5}]}]\n";
    let decision = decide(&format!("{contract}{rules}"), r#"{"n":1}"#);
    assert_eq!(decision.verdict, Verdict::Compute, "{decision:?}");
    let kinds: Vec<&str> = decision.effects.obligations.iter().map(|known| &*known.kind).collect();
    assert_eq!(kinds, ["notify", "redact"], "of both passes, each once");
    assert_eq!(decision.effects.shadow.iter().map(|vote| &*vote.rule).collect::<Vec<_>>(), ["tried"]);
    assert_eq!(decision.pass_ratio_milli, Some(1_000), "of what runs");
    assert_eq!(shown(&decision), ["park", "pays", "parked", "parks"]);
    // A required obligation of the second pass that nobody can fulfil denies.
    let watermark = rules.replace("[notify, redact]", "[watermark]");
    assert_eq!(decide(&watermark, r#"{"n":1}"#).codes, [ObligationUnsupported]);
    let list = |from: u32| (from..from + 10).map(|n| format!("x-{n}")).collect::<Vec<_>>().join(", ");
    let many =
        rules.replace("[notify, redact]", &format!("[{}]", list(0))).replace("[redact]", &format!("[{}]", list(10)));
    assert_eq!(decide(&many, r#"{"n":1}"#).codes, [PolicyError], "more than can be passed on");
}

#[test]
fn only_the_first_compute_rule_is_asked_about_the_replacement() {
    let bundle: CompiledBundle = compile(
        format!(
            "{HEAD}rules: [{TO_VAULT}, \
             {{id: other, priority: 11, match: {{}}, decision: compute, compute: {{set: {{to: bank}}}}}}, \
             {{id: rest, priority: 12, match: {{}}, decision: allow}}]\n"
        )
        .as_bytes(),
    )
    .unwrap();
    let ask = |tool: &str, args: &str| {
        let args = value::parse_object(args.as_bytes()).unwrap();
        let call = Call { subject: "agent-1", tool: bundle.tool(tool).unwrap(), args: &args };
        bundle.evaluate_with(&call, &Situation { replacing: true, ..Situation::default() }).codes
    };
    assert_eq!(ask("pay", r#"{"to":"vault"}"#), [AllowedRulesPassed, AllowlistMatch]);
    assert_eq!(ask("pay", r#"{"to":"friend"}"#), [ComputeRejected]);
    assert_eq!(ask("park", r#"{"to":"friend"}"#), [ComputeRejected], "it would be replaced if it were asked for");
}

#[test]
fn a_replacement_is_no_larger_than_a_call_may_be() {
    let set = |bytes: usize| {
        let text = "x".repeat(bytes);
        let compute = format!(
            "{{id: long, priority: 10, match: {{tool: pay}}, decision: compute, compute: {{set: {{to: {text}}}}}}}"
        );
        format!("rules: [{compute}, {{id: rest, priority: 30, match: {{}}, decision: allow}}]")
    };
    // `{"to":"x"}` becomes one byte longer for each byte of the text.
    let pad = |bytes: usize| format!(r#"{{"pad":"{}","to":"x"}}"#, "p".repeat(bytes - 19));
    assert_eq!(pad(INPUTS_BYTES_MAX).len(), INPUTS_BYTES_MAX);
    let fits = decide(&set(100), &pad(INPUTS_BYTES_MAX - 99));
    assert_eq!(fits.verdict, Verdict::Compute, "{:?}", fits.codes);
    for over in [98, 0] {
        let larger = decide(&set(100), &pad(INPUTS_BYTES_MAX - over));
        assert_eq!((larger.verdict, &larger.codes[..]), (Verdict::Deny, &[ComputeRejected][..]));
    }
}

#[test]
fn a_tool_that_takes_anothers_place_is_the_one_that_was_pinned() {
    let digest = "ab".repeat(32);
    let head = HEAD.replace("name: park,", &format!("name: park, pin: '{digest}',"));
    let rules = "rules: [{id: park, priority: 1, match: {tool: pay}, decision: compute, compute: {tool: park}}, \
        {id: rest, priority: 2, match: {}, decision: allow}]\n";
    let mut world = crate::support::calls::world_under(&format!("{head}{rules}"));
    let mut listed = |tool: &str, pin: Option<&str>| {
        let mut asked = call(tool, "{}");
        asked.context.claimed.tool_schema = pin.map(|pin| pin.parse().unwrap());
        crate::support::calls::decide(&mut world, asked)
    };
    for tool in ["park", "pay"] {
        for pin in [None, Some("cd".repeat(32))] {
            let decision = listed(tool, pin.as_deref());
            assert_eq!((decision.verdict, decision.codes[0]), (Verdict::Deny, ToolPinMismatch), "{tool}");
        }
    }
    assert_eq!(listed("park", Some(&digest)).verdict, Verdict::Allow);
    assert_eq!(listed("pay", Some(&digest)).verdict, Verdict::Compute);
}
