//! Orchestration rules: what reported signals make stricter, that it is recorded once a change, and that nothing gets looser.

use crate::replay::{record, run as replayed};
use crate::support::*;
use assent_kernel::bundle::{
    ApprovalNeed, Call, Change, ChangeKind, Granted, Situation, bundle_hash, check, compile, diff,
};
use assent_kernel::command::{
    ApprovalAction, ApprovalCommand, CallContext, Caller, CommandBody, Evaluate, GrantCommand, OfferedSource,
    ReportSignal, Role, SignalScope, Signals,
};
use assent_kernel::event::{EventBody, OrchestrationAdjusted, PolicyDecision};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::state::keys::RunMode;
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::value::parse_object;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;
use proptest::prelude::*;

const SOURCE: &str = include_str!("support/orchestration.yaml");
const PAGE: &str = r#"{"url":"https://a.example/"}"#;

fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

fn person(name: &str) -> Caller {
    let subject = Some(format!("{name}@example.com"));
    Caller { subject, attested: true, role: Role::Approver, credential: format!("key-{name}"), ..me() }
}

fn world() -> World {
    let mut world = World::ready(1);
    world.must(admin("acme"), credential_of(&reporter("acme", None)));
    for name in ["alice", "bob"] {
        world.must(admin("acme"), credential_of(&person(name)));
    }
    let offered = OfferedSource { tenant: tenant("acme"), source: SOURCE.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (tenant, bundle_hash) = (tenant("acme"), bundle_hash(SOURCE.as_bytes()));
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment: "prod".into(), bundle_hash });
    world
}

fn risk(risk: u32) -> Signals {
    Signals { risk_milli: Some(risk), ..Signals::default() }
}

fn report(world: &mut World, signals: Signals) {
    let scope = SignalScope::Subject("agent-1".into());
    let body = CommandBody::Signal(Box::new(ReportSignal { scope, signals, valid_seconds: 600 }));
    world.must(reporter("acme", None), body);
}

/// The bodies of what a call records, each with its event id.
fn entries(world: &mut World, call: Evaluate) -> Vec<(String, EventBody)> {
    let command = world.command(me(), evaluate(call));
    let applied = world.apply(vec![command]);
    let read = |leaf: &[u8]| {
        let entry = Entry::parse(leaf).unwrap();
        (entry.event_id.clone(), EventBody::from_value(&entry.kind, &entry.body).unwrap().unwrap())
    };
    applied.entries.iter().map(|entry| read(&entry.leaf)).collect()
}

fn in_run(tool: &str, inputs: &str) -> Evaluate {
    Evaluate { run_id: Some("run-1".into()), ..call(tool, inputs) }
}

fn decide(world: &mut World, tool: &str, inputs: &str) -> PolicyDecision {
    match entries(world, in_run(tool, inputs)).pop() {
        Some((_, EventBody::Decision(body))) => *body,
        other => panic!("{other:?}"),
    }
}

/// What a call records about adjustments, and what its decision names.
fn adjusted(world: &mut World) -> (Vec<(String, OrchestrationAdjusted)>, Option<String>) {
    let mut all = entries(world, in_run("page.get", PAGE));
    let Some((_, EventBody::Decision(decision))) = all.pop() else { panic!("no decision") };
    let of = |(id, body)| match body {
        EventBody::OrchestrationAdjusted(body) => Some((id, *body)),
        _ => None,
    };
    (all.into_iter().filter_map(of).collect(), decision.effects.adjusted)
}

fn code(world: &mut World, tool: &str, inputs: &str) -> ReasonCode {
    decide(world, tool, inputs).codes[0]
}

#[test]
fn what_is_adjusted_is_an_entry_once_a_change_and_decisions_name_it() {
    let mut world = world();
    assert_eq!(adjusted(&mut world), (vec![], None), "nothing is reported");
    report(&mut world, risk(650));
    let (new, named) = adjusted(&mut world);
    let [(id, body)] = new.as_slice() else { panic!("{new:?}") };
    assert_eq!((named.as_ref(), body.rules.as_slice()), (Some(id), ["more-people".to_owned()].as_slice()));
    assert_eq!((body.subject.as_str(), body.signals), ("agent-1", risk(650)));
    let first = id.clone();
    // The same level again, reported or not, is no change.
    assert_eq!(adjusted(&mut world), (vec![], Some(first.clone())));
    report(&mut world, risk(690));
    assert_eq!(adjusted(&mut world), (vec![], Some(first.clone())));
    report(&mut world, risk(700));
    let (new, named) = adjusted(&mut world);
    assert_eq!(new[0].1.rules, ["risky", "more-people"]);
    let values: Vec<_> = new[0].1.values.iter().map(|(knob, value)| (knob.name(), *value)).collect();
    assert_eq!(values, [("strikes", 2), ("contract_threshold_milli", 900), ("approvers", 2)]);
    assert!(named.is_some() && named != Some(first));
    // What was reported ends, and so does what it adjusts.
    world.clock += 600 * SECOND;
    let (new, named) = adjusted(&mut world);
    assert_eq!((new.len(), new[0].1.rules.len(), named), (1, 0, None));
    assert_eq!(adjusted(&mut world), (vec![], None));
}

#[test]
fn denials_lead_to_restricted_mode_sooner() {
    for (reported, restricted) in [(0, false), (699, false), (700, true)] {
        let mut world = world();
        report(&mut world, risk(reported));
        for _ in 0..2 {
            assert_eq!(code(&mut world, "shell.run", "{}"), CapabilityMissing);
        }
        let expected = if restricted { RunRestricted } else { ContractSatisfied };
        let codes = decide(&mut world, "note.write", r#"{"n":5}"#).codes;
        assert!(codes.contains(&expected), "{reported}: {codes:?}");
    }
}

#[test]
fn soft_contract_rules_ask_for_more() {
    let mut world = world();
    assert_eq!(decide(&mut world, "note.write", r#"{"n":20}"#).verdict, Verdict::Allow, "half of the predicates hold");
    report(&mut world, risk(700));
    assert_eq!(code(&mut world, "note.write", r#"{"n":20}"#), ContractRatioLow);
    assert_eq!(decide(&mut world, "note.write", r#"{"n":10}"#).verdict, Verdict::Allow);
}

#[test]
fn rates_and_budgets_shrink_to_their_share() {
    let busy = Signals { queue_depth: Some(100), ..Signals::default() };
    let passed = |tool: &str, inputs: &str, signals: Option<Signals>| {
        let mut world = world();
        signals.into_iter().for_each(|signals| report(&mut world, signals));
        (0..20).filter(|_| decide(&mut world, tool, inputs).verdict == Verdict::Allow).count()
    };
    assert_eq!((passed("page.get", PAGE, None), passed("page.get", PAGE, Some(busy))), (10, 3), "budget");
    let note = r#"{"n":5}"#;
    assert_eq!((passed("note.write", note, None), passed("note.write", note, Some(busy))), (8, 4), "rate");
    // What was used before counts: what is left is a share of the whole, not of the rest.
    let mut world = world();
    for _ in 0..3 {
        assert_eq!(decide(&mut world, "page.get", PAGE).verdict, Verdict::Allow);
    }
    report(&mut world, busy);
    assert_eq!(code(&mut world, "page.get", PAGE), BudgetExceeded);
    // The reporter takes it back: the bundle's own limits hold again, and no more than those.
    report(&mut world, Signals { queue_depth: Some(0), ..Signals::default() });
    assert_eq!((0..20).filter(|_| decide(&mut world, "page.get", PAGE).verdict == Verdict::Allow).count(), 7);
}

#[test]
fn fewer_strikes_are_as_many_for_requests_as_for_calls() {
    let request = || {
        let terms = crate::grants::terms("other", &["do"]);
        CommandBody::Grant(Box::new(GrantCommand::Request { subject: None, terms }))
    };
    let restricted_after = |signals: Signals| {
        let mut world = world();
        report(&mut world, signals);
        let mode = |world: &World| match world
            .state
            .get(&StateKey::ImplicitRun(tenant("acme"), "agent-1".into()))
            .as_deref()
        {
            Some(Record::ImplicitRun(known)) => crate::support::calls::run_record(world, &known.run_id).mode,
            _ => RunMode::Normal,
        };
        (1..9).find(|_| {
            world.send(me(), request());
            mode(&world) == RunMode::Restricted
        })
    };
    assert_eq!((restricted_after(risk(0)), restricted_after(risk(700))), (Some(5), Some(2)));
}

#[test]
fn people_are_asked_who_were_not_and_more_of_them() {
    let mut world = world();
    let pay = |amount: u32| format!(r#"{{"amount":{amount}}}"#);
    assert_eq!(decide(&mut world, "pay", &pay(5)).verdict, Verdict::Allow);
    report(&mut world, Signals { budget_use_milli: Some(900), ..risk(799) });
    assert_eq!(decide(&mut world, "pay", &pay(5)).verdict, Verdict::Allow, "both signals have to be reached");
    report(&mut world, risk(800));
    let asked = decide(&mut world, "pay", &pay(5));
    assert_eq!((asked.verdict, asked.codes.as_slice()), (Verdict::Escalate, [ApprovalRequiredBySignal].as_slice()));
    assert_eq!(decide(&mut world, "page.get", PAGE).verdict, Verdict::Allow, "a class that is not named");
    let approval = asked.effects.approval.unwrap();
    assert_eq!(answer(&mut world, "alice", &approval), ApprovalRequired, "two have to agree");
    assert_eq!(answer(&mut world, "bob", &approval), Approved);
}

#[test]
fn a_signal_after_the_question_raises_the_number_of_people_too() {
    let mut world = world();
    let asked = decide(&mut world, "pay", r#"{"amount":100}"#);
    let approval = asked.effects.approval.unwrap();
    report(&mut world, risk(600));
    assert_eq!(answer(&mut world, "alice", &approval), ApprovalRequired);
    assert_eq!(answer(&mut world, "bob", &approval), Approved);
    report(&mut world, risk(0));
    let approval = decide(&mut world, "pay", r#"{"amount":101}"#).effects.approval.unwrap();
    assert_eq!(answer(&mut world, "alice", &approval), Approved, "without a signal one is enough");
}

fn answer(world: &mut World, name: &str, approval: &str) -> ReasonCode {
    let (approval, action) = (approval.to_owned(), ApprovalAction::Approve);
    let answer = ApprovalCommand { approval, action, conditions: Vec::new(), justification: b"fine".to_vec() };
    match world.send(person(name), CommandBody::Approval(Box::new(answer))) {
        Answer::Ruled { codes, .. } => codes[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_see_the_reported_risk_and_a_callers_own_word_lowers_nothing() {
    let claiming = |risk| CallContext { risk_score_milli: Some(risk), ..CallContext::default() };
    let with = |world: &mut World, risk| {
        let mut all = entries(world, Evaluate { context: Box::new(claiming(risk)), ..in_run("page.get", PAGE) });
        let Some((_, EventBody::Decision(body))) = all.pop() else { panic!() };
        *body
    };
    let mut world = world();
    assert_eq!(with(&mut world, 0).verdict, Verdict::Allow);
    assert_eq!(with(&mut world, 950).codes, [RuleDenied], "it may raise");
    assert_eq!(with(&mut world, 940).effects.adjusted, None, "what adjusts is reported, not claimed");
    report(&mut world, risk(950));
    assert_eq!(with(&mut world, 0).codes, [RuleDenied], "it may not lower");
    assert_eq!(code(&mut world, "page.get", PAGE), RuleDenied);
}

#[test]
fn calls_on_somebodys_behalf_are_adjusted_for_both() {
    let bundle = compile(SOURCE.as_bytes()).unwrap();
    let adjustment = bundle.adjustment(&risk(700));
    let limits = adjustment.limits(bundle.limits());
    assert_eq!((limits.strikes, limits.repeats), (2, bundle.limits().repeats));
    assert!(bundle.adjustment(&Signals::default()).is_empty(), "what nobody reports reaches no level");
    // Two rules that hold: the stricter value of each.
    let both =
        format!("{SOURCE}  - {{id: riskier, when: {{risk: 0.9}}, adjust: {{strikes: 1, contract_threshold: 0.6}}}}\n");
    let adjustment = compile(both.as_bytes()).unwrap().adjustment(&risk(900));
    let values: Vec<_> = adjustment.values().map(|(knob, value)| (knob.name(), value)).collect();
    assert_eq!(values, [("strikes", 1), ("contract_threshold_milli", 900), ("approvers", 2)]);
}

proptest! {
    #[test]
    fn nothing_is_ever_looser(
        (amount, n) in (0u32..200, 0u32..30),
        (risk, queue, used) in (0u32..=1_000, 0u32..200, 0u32..2_000),
    ) {
        let bundle = compile(SOURCE.as_bytes()).unwrap();
        let signals =
            Signals { risk_milli: Some(risk), queue_depth: Some(queue), budget_use_milli: Some(used) };
        let adjustment = bundle.adjustment(&signals);
        for granted in [None, Some(Granted { votes: 1, roles: &[] })] {
            let plain = Situation { granted, ..Situation::default() };
            let tight = Situation { adjusted: Some(&adjustment), ..plain };
            for (tool, args) in [("pay", format!(r#"{{"amount":{amount}}}"#)), ("note.write", format!(r#"{{"n":{n}}}"#))] {
                let args = parse_object(args.as_bytes()).unwrap();
                let call = Call { subject: "agent-1", tool: bundle.tool(tool).unwrap(), args: &args };
                let (before, after) = (bundle.evaluate_with(&call, &plain), bundle.evaluate_with(&call, &tight));
                prop_assert!(after.verdict <= before.verdict, "{after:?}");
                let people = |need: Option<ApprovalNeed>| need.map_or(0, |need| need.required);
                prop_assert!(before.verdict != after.verdict || people(after.approval) >= people(before.approval));
            }
        }
        let (own, now) = (bundle.limits(), adjustment.limits(bundle.limits()));
        prop_assert!(now.strikes <= own.strikes && now.repeats <= own.repeats && now.generation <= own.generation);
        let shares = adjustment.shares();
        prop_assert!(shares.rates_milli <= 1_000 && shares.budgets_milli <= 1_000);
    }
}

fn errors(section: &str) -> Vec<(u32, u32, String)> {
    let source = format!("{}orchestration:\n{section}", SOURCE.split("orchestration:\n").next().unwrap());
    let first = u32::try_from(source.lines().count() - section.lines().count()).unwrap();
    let (errors, _) = check(source.as_bytes());
    errors.into_iter().map(|error| (error.line - first, error.column, format!("{error}"))).collect()
}

#[test]
fn what_is_wrong_with_a_rule_is_said_where_it_stands() {
    for (section, line, column, text) in [
        ("  - {id: a, when: {risk: 0.7}, adjust: {strikes: 9}}\n", 1, 50, "write 5 or less"),
        ("  - {id: a, when: {risk: 1.7}, adjust: {strikes: 1}}\n", 1, 26, "a share from 0 to 1"),
        ("  - {id: a, when: {}, adjust: {strikes: 1}}\n", 1, 19, "name risk, queue_depth or budget_use"),
        ("  - {id: a, when: {risk: 0.7}}\n", 1, 5, "give adjust, approval, or both"),
        ("  - {id: a, when: {risk: 0.7}, adjust: {rates: 0}}\n", 1, 48, "kill switch"),
        ("  - {id: a, when: {risk: 0.7}, adjust: {rate: 0.5}}\n", 1, 41, "did you mean `rates`"),
        ("  - {id: a, when: {risk: 0.7}, match: {class: money}, adjust: {rates: 0.5}}\n", 1, 39, "give approval"),
        ("  - {id: a, when: {risk: 0.7}, match: {tool: pai}, approval: {required: 2}}\n", 1, 46, "pay"),
        (
            "  - {id: a, when: {risk: 0.7}, adjust: {rates: 0.5}}\n  - {id: a, when: {risk: 0.8}, adjust: {rates: 0.4}}\n",
            2,
            5,
            "is taken by",
        ),
    ] {
        let found = errors(section);
        let hit = found.iter().any(|(at, col, shown)| (*at, *col) == (line, column) && shown.contains(text));
        assert!(hit, "{section}: {found:#?}");
    }
}

#[test]
fn diff_lint_and_explain_know_the_rules() {
    let other = SOURCE.replace("adjust: {strikes: 2, contract_threshold: 0.9}", "adjust: {strikes: 1}");
    let changes = diff(SOURCE.as_bytes(), other.as_bytes()).unwrap();
    let kind = ChangeKind::Changed { keys: vec!["adjust".into()] };
    assert_eq!(changes, [Change { section: "orchestration", item: "risky".into(), kind }]);
    let nobody = SOURCE.replace("match: {class: money}", "match: {class: monye}");
    let lints = compile(nobody.as_bytes()).unwrap().lint();
    assert!(lints.iter().any(|lint| lint.message.contains("risky-money")), "{lints:?}");
    let bundle = compile(SOURCE.as_bytes()).unwrap();
    let (tool, args) = (bundle.tool("pay").unwrap(), parse_object(br#"{"amount":5}"#).unwrap());
    let adjustment = bundle.adjustment(&Signals { budget_use_milli: Some(950), ..risk(800) });
    let situation = Situation { adjusted: Some(&adjustment), ..Situation::default() };
    let lines = bundle.explain(&Call { subject: "agent-1", tool, args: &args }, &situation, None, None);
    assert!(lines.iter().any(|line| line.starts_with("orchestration: risky, risky-money, more-people")), "{lines:#?}");
    assert!(lines.last().unwrap().contains("APPROVAL_REQUIRED_BY_SIGNAL"), "{lines:#?}");
}

#[test]
fn reports_and_what_they_adjust_replay_exactly() {
    let mut world = world();
    decide(&mut world, "page.get", PAGE);
    report(&mut world, Signals { queue_depth: Some(300), budget_use_milli: Some(990), ..risk(800) });
    let approval = decide(&mut world, "pay", r#"{"amount":5}"#).effects.approval.unwrap();
    for name in ["alice", "bob"] {
        answer(&mut world, name, &approval);
    }
    for _ in 0..4 {
        decide(&mut world, "page.get", PAGE);
        decide(&mut world, "shell.run", "{}");
    }
    world.clock += 600 * SECOND;
    decide(&mut world, "page.get", PAGE);
    let (entries, book) = record(&world);
    let (summary, found) = replayed(&entries, &book);
    assert_eq!(found, []);
    assert!(summary.decisions > 8, "{summary:?}");
    // The test can fail: another level in the record is a finding.
    let mut changed = entries;
    let at = changed.iter().position(|entry| matches!(entry.body, Some(EventBody::OrchestrationAdjusted(_)))).unwrap();
    let Some(EventBody::OrchestrationAdjusted(body)) = &mut changed[at].body else { panic!() };
    body.values.pop();
    changed[at].entry.body = body.to_value();
    assert_ne!(replayed(&changed, &book).1, []);
}
