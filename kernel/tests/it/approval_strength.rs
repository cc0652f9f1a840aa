//! An approval satisfies what asks for no more than those who gave it: what asks for more asks again, for everything at once.

use crate::support::runs::{label, run};
use crate::support::*;
use assent_kernel::bundle::{ApprovalNeed, Granted, bundle_hash};
use assent_kernel::command::{
    ApprovalAction, ApprovalCommand, Caller, Command, CommandBody, Evaluate, OfferedSource, Role, RunCommand,
};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::state::keys::DecisionTerms;
use assent_kernel::taint::TaintSource;
use assent_kernel::verdict::Verdict;
use assent_ledger::ids::Time;

const SOURCE: &str = "\
name: n
version: '1'
tools: [{name: pay, class: c, action: a, inputs: {amount: {type: number, required: true}}}]
principals:
- {subject: agent-1, capabilities: [{class: c, actions: [a]}]}
- {subject: cfo@example.com, roles: [cfo]}
- {subject: ciso@example.com, roles: [ciso]}
rules:
- {id: large, priority: 1, match: {parameters: {amount: {min: 1000.01}}}, decision: escalate, approval: {role: [cfo, ciso], required: 2}}
- {id: touched, priority: 2, match: {taintSources: [web]}, decision: escalate, approval: {role: ciso}}
- {id: capped, priority: 3, match: {parameters: {amount: {min: 500}}}, decision: compute, compute: {set: {amount: 400}}}
- {id: odd, priority: 4, match: {parameters: {amount: {in: [400]}}}, decision: escalate, approval: {role: cfo}}
- {id: small, priority: 5, match: {}, decision: escalate}
";

fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

fn person(name: &str) -> Caller {
    let subject = Some(format!("{name}@example.com"));
    Caller { subject, attested: true, role: Role::Approver, credential: format!("key-{name}"), ..me() }
}

fn world_with(source: &str) -> World {
    let mut world = World::ready(11);
    for name in ["alice", "cfo", "ciso"] {
        world.must(admin("acme"), credential_of(&person(name)));
    }
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (tenant, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment: "prod".into(), bundle_hash });
    world
}

fn ask(world: &mut World, amount: &str) -> (Command, Seen) {
    let call = Evaluate { run_id: Some("run-1".into()), ..call("pay", &format!(r#"{{"amount":{amount}}}"#)) };
    let command = world.command(me(), evaluate(call));
    let first = seen(world.send_command(command.clone()));
    (command, first)
}

struct Seen {
    verdict: Verdict,
    codes: Vec<ReasonCode>,
    terms: DecisionTerms,
}

impl Seen {
    fn approval(&self) -> String {
        assert_eq!(self.verdict, Verdict::Escalate, "{:?}", self.codes);
        self.terms.approval.clone().unwrap()
    }
}

fn seen(answer: Answer) -> Seen {
    match answer {
        Answer::Decided { verdict, codes, terms, .. } => Seen { verdict, codes, terms: *terms },
        other => panic!("{other:?}"),
    }
}

fn again(world: &mut World, command: &Command) -> Seen {
    let mut command = command.clone();
    world.clock += 1_000;
    command.stamp.time = Time(world.clock);
    command.stamp.seed = world.dice.bytes();
    seen(world.send_command(command))
}

fn answer(world: &mut World, who: &str, approval: &str, action: ApprovalAction) -> ReasonCode {
    let body = CommandBody::Approval(Box::new(ApprovalCommand {
        approval: approval.into(),
        action,
        conditions: Vec::new(),
        justification: Vec::new(),
    }));
    match world.send(person(who), body) {
        Answer::Ruled { codes, .. } => codes[0],
        other => panic!("{other:?}"),
    }
}

fn approve(world: &mut World, who: &str, approval: &str) -> ReasonCode {
    answer(world, who, approval, ApprovalAction::Approve)
}

fn amount(inputs: &str) -> ApprovalAction {
    ApprovalAction::Modify(format!(r#"{{"amount":{inputs}}}"#).into_bytes())
}

#[test]
fn a_raised_amount_asks_those_who_have_to_agree_to_it() {
    let mut world = world_with(SOURCE);
    let (command, first) = ask(&mut world, "5");
    assert_eq!(answer(&mut world, "alice", &first.approval(), amount("5000")), Approved);
    let second = again(&mut world, &command);
    let approval = second.approval();
    assert_ne!(approval, first.approval(), "her word is not enough for this");
    // What they are asked about is what she has made of the call, and her role is none of those that are asked for.
    assert_eq!(approve(&mut world, "alice", &approval), ApproverNotPermitted);
    assert_eq!(approve(&mut world, "cfo", &approval), ApprovalRequired);
    assert_eq!(again(&mut world, &command).verdict, Verdict::Escalate);
    assert_eq!(approve(&mut world, "ciso", &approval), Approved);
    let now = again(&mut world, &command);
    assert_eq!(now.verdict, Verdict::Compute, "what runs is what all have agreed to, not what the caller asked for");
    assert!(now.terms.replacement.is_some() && now.codes.contains(&ArgumentsReplaced));
}

#[test]
fn taint_that_came_in_between_asks_again() {
    let mut world = world_with(SOURCE);
    let (command, first) = ask(&mut world, "5");
    let taint = RunCommand::AttachTaint {
        run_id: "run-1".into(),
        subject: None,
        labels: vec![label(TaintSource::Web, "evil.example")],
    };
    world.must(me(), run(taint));
    assert_eq!(approve(&mut world, "alice", &first.approval()), Approved);
    let approval = again(&mut world, &command).approval();
    assert_eq!(approve(&mut world, "alice", &approval), ApproverNotPermitted);
    assert_eq!(approve(&mut world, "ciso", &approval), Approved);
    assert_eq!(again(&mut world, &command).verdict, Verdict::Allow);
}

#[test]
fn what_runs_in_the_calls_place_may_need_more_and_then_both_are_asked() {
    let baseline =
        "rules: [{id: b, decision: escalate, match: {parameters: {amount: {in: [600]}}}, approval: {role: cfo}}]";
    let source = SOURCE.replace("approval: {role: cfo}", "approval: {role: ciso}");
    let mut world = world_with(&source);
    let baseline = format!("name: b\nversion: '1'\n{baseline}\n");
    let of = assent_ledger::ids::TenantId::system();
    let offered = OfferedSource { tenant: of.clone(), source: baseline.clone().into_bytes() };
    world.must(operator(), CommandBody::OfferBundle(offered));
    let bundle_hash = bundle_hash(baseline.as_bytes());
    world.must(operator(), CommandBody::ActivateBundle { tenant: of, environment: "prod".into(), bundle_hash });
    let (command, first) = ask(&mut world, "600");
    assert_eq!(first.codes, [ApprovalRequiredByBaseline]);
    assert_eq!(approve(&mut world, "cfo", &first.approval()), Approved);
    let second = again(&mut world, &command);
    let approval = second.approval();
    assert_eq!(approve(&mut world, "ciso", &approval), ApprovalRequired, "the first pass asks as well");
    assert_eq!(approve(&mut world, "cfo", &approval), Approved);
    assert_eq!(again(&mut world, &command).verdict, Verdict::Compute, "and that is the end of it");
}

#[test]
fn as_many_people_in_each_role() {
    let roles = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let need = |names: &[&str], required| ApprovalNeed {
        roles: names.iter().map(|name| (*name).into()).collect(),
        required,
        ..ApprovalNeed::default()
    };
    for (votes, held, asked, required, enough) in [
        (1, &[][..], &[][..], 1, true),
        (1, &["cfo"], &[], 1, true),
        (1, &[], &["cfo"], 1, false),
        (1, &["cfo", "ciso"], &["cfo", "ciso"], 2, false),
        (2, &["cfo", "ciso", "cfo"], &["cfo", "ciso"], 2, true),
        (5, &["cfo"], &["cfo", "ciso"], 2, false),
        (2, &["cfo"], &[], 3, false),
    ] {
        let held = roles(held);
        let granted = Granted { votes, roles: &held };
        assert_eq!(granted.meets(&need(asked, required)), enough, "{votes} {held:?} {asked:?} {required}");
    }
}
