//! Approvals: bound to call, policy and time, given by others than those concerned, used once, answered for on a retry.

use crate::support::*;
use assent_kernel::bundle::{bundle_hash, compile};
use assent_kernel::command::{
    ApprovalAction, ApprovalCommand, CallContext, Caller, Command, CommandBody, ControlCommand, Evaluate,
    ExecutionCommand, GrantCommand, GrantTerms, KillTarget, OfferedSource, Redeem, Role, RunCommand,
};
use assent_kernel::decide::request_hash;
use assent_kernel::machine::{Answer, AppliedBatch};
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::refusal::Refusal;
use assent_kernel::state::keys::{DecisionTerms, RunMode};
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;
use assent_ledger::ids::{Seq, Time};

pub(super) const GRANTS: &str = include_str!("support/grants.yaml");
pub(super) const PAY: &str = r#"{"amount_usd":4000,"account":"primary"}"#;

pub(super) fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

pub(super) fn person(name: &str) -> Caller {
    let subject = Some(format!("{name}@example.com"));
    Caller { subject, attested: true, role: Role::Approver, credential: format!("key-{name}"), ..me() }
}

pub(super) fn activate_source(world: &mut World, source: &str) {
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (tenant, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment: "prod".into(), bundle_hash });
}

pub(super) fn world(seed: u64) -> World {
    let mut world = World::ready(seed);
    for name in ["alice", "bob", "carol", "owner"] {
        world.must(admin("acme"), credential_of(&person(name)));
    }
    activate_source(&mut world, GRANTS);
    world
}

/// A decision as its caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) seq: Seq,
    pub(super) id: String,
    pub(super) verdict: Verdict,
    pub(super) codes: Vec<ReasonCode>,
    pub(super) salt: [u8; 32],
    pub(super) terms: DecisionTerms,
}

pub(super) fn seen(answer: Answer) -> Seen {
    match answer {
        Answer::Decided { seq, decision_id, verdict, codes, request_salt, terms, .. } => {
            Seen { seq, id: decision_id, verdict, codes, salt: request_salt, terms: *terms }
        }
        other => panic!("{other:?}"),
    }
}

/// Asks for a call; the command, for asking again, and the approval that it waits for.
pub(super) fn wait_for(world: &mut World, call: Evaluate) -> (Command, String) {
    let command = world.command(me(), evaluate(call));
    let first = seen(world.send_command(command.clone()));
    assert_eq!((first.verdict, first.codes[0]), (Verdict::Escalate, ApprovalRequired));
    assert_eq!(first.terms.token_expires, None);
    (command, first.terms.approval.unwrap())
}

pub(super) fn again(world: &mut World, command: &Command) -> Seen {
    let mut command = command.clone();
    world.clock += 1_000;
    command.stamp.time = Time(world.clock);
    command.stamp.seed = world.dice.bytes();
    seen(world.send_command(command))
}

pub(super) fn answer(approval: &str, action: ApprovalAction, conditions: &[&str]) -> CommandBody {
    CommandBody::Approval(Box::new(ApprovalCommand {
        approval: approval.into(),
        action,
        conditions: conditions.iter().map(|&condition| condition.into()).collect(),
        justification: b"the invoice matches".to_vec(),
    }))
}

pub(super) fn yes(approval: &str) -> CommandBody {
    answer(approval, ApprovalAction::Approve, &[])
}

/// Verdict, first code and whether the answer counted.
pub(super) fn heard(world: &mut World, caller: Caller, body: CommandBody) -> (Verdict, ReasonCode, bool) {
    match world.send(caller, body) {
        Answer::Ruled { verdict, codes, details, .. } => {
            (verdict, codes[0], details.contains(&("counted".into(), "true".into())))
        }
        other => panic!("{other:?}"),
    }
}

fn redeem(world: &mut World, decision: &Seen, inputs: &str, audience: Option<&str>) -> ReasonCode {
    let bundle = compile(GRANTS.as_bytes()).unwrap();
    let call = call("pay.send", inputs);
    let schema = bundle.tool("pay.send").unwrap().schema_hash();
    let redeem = Redeem {
        decision_id: decision.id.clone(),
        seq: decision.seq,
        request_hash: request_hash(&tenant("acme"), Some("agent-1"), &call, Some(&schema)),
        request_salt: decision.salt,
        audience: audience.map(str::to_owned),
    };
    match world.send(me(), CommandBody::Execution(Box::new(ExecutionCommand::Redeem(redeem)))) {
        Answer::Ruled { codes, .. } => codes[0],
        other => panic!("{other:?}"),
    }
}

fn kinds(applied: &AppliedBatch) -> Vec<&'static str> {
    applied.entries.iter().map(|entry| entry.kind).collect()
}

#[test]
fn an_approved_call_is_decided_anew_and_its_caller_gets_it_on_a_retry() {
    let mut world = world(1);
    let command = world.command(me(), evaluate(Evaluate { run_id: Some("r1".into()), ..call("pay.send", PAY) }));
    let applied = world.apply(vec![command.clone()]);
    assert_eq!(kinds(&applied), ["assent.run.opened", "assent.approval.requested", "dare.policy.decision"]);
    let first = seen(applied.answers[0].clone());
    let approval = first.terms.approval.clone().unwrap();
    assert_eq!(again(&mut world, &command).verdict, Verdict::Escalate);
    let approve = world.command(person("alice"), answer(&approval, ApprovalAction::Approve, &["max_amount_usd:5000"]));
    // Alice holds no role that was asked for by name, but an approver's credential.
    let applied = world.apply(vec![approve]);
    assert_eq!(kinds(&applied), ["dare.hitl.decision", "dare.policy.decision"]);
    let shown = format!("{:?}", applied.answers[0]);
    world.through_snapshot();
    let now = again(&mut world, &command);
    assert_eq!((now.verdict, now.codes.contains(&Approved)), (Verdict::Allow, true));
    assert_eq!(now.terms.constraints, [("max_amount_usd".to_owned(), "5000".to_owned())]);
    assert_ne!(now.seq, first.seq);
    assert!(!shown.contains(&format!("{:?}", now.salt)), "the approver is not told how to redeem");
    assert_eq!(again(&mut world, &command), now, "the same token, however often it is asked for");
    assert_eq!(redeem(&mut world, &now, &PAY.replace("4000", "4001"), None), RequestMismatch);
    assert_eq!(redeem(&mut world, &now, PAY, None), Redeemed);
    assert_eq!(redeem(&mut world, &now, PAY, None), AlreadyRedeemed);
    let body = Entry::parse(&applied.entries[1].leaf).unwrap().body;
    let effects = body.get("effects").unwrap();
    assert_eq!(effects.get("approved_by").unwrap().as_str(), Some(approval.as_str()));
    assert_eq!(effects.get("replaces").unwrap().as_str(), Some(first.id.as_str()));
    let leaves = String::from_utf8_lossy(&world.leaves.concat()).into_owned();
    assert!(!leaves.contains("invoice") && !leaves.contains("primary"));
}

#[test]
fn an_answer_is_used_once() {
    let mut world = world(2);
    let (_, approval) = wait_for(&mut world, call("pay.send", PAY));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Allow, Approved, true));
    assert_eq!(heard(&mut world, person("bob"), yes(&approval)), (Verdict::Deny, ApprovalConsumed, false));
    let deny = answer(&approval, ApprovalAction::Deny, &[]);
    assert_eq!(heard(&mut world, person("bob"), deny), (Verdict::Deny, ApprovalConsumed, false));
    // Naming the approval does not let another call pass, nor the same one again.
    let context = || Box::new(CallContext { approval_id: Some(approval.clone()), ..CallContext::default() });
    for inputs in [PAY.to_owned(), PAY.replace("4000", "9000")] {
        let replayed = Evaluate { context: context(), ..call("pay.send", &inputs) };
        assert_eq!(seen(world.send(me(), evaluate(replayed))).codes, [ApprovalConsumed]);
    }
    let (_, waiting) = wait_for(&mut world, call("pay.send", PAY));
    let named = |id: &str, inputs: &str| {
        let context = Box::new(CallContext { approval_id: Some(id.into()), ..CallContext::default() });
        evaluate(Evaluate { context, ..call("pay.send", inputs) })
    };
    let changed = named(&waiting, &PAY.replace("4000", "9000"));
    assert_eq!(seen(world.send(me(), changed)).codes, [RequestMismatch]);
    assert_eq!(seen(world.send(me(), named("nothing", PAY))).codes, [ApprovalUnknown]);
    assert_eq!(world.refused(person("alice"), yes("nothing")), Refusal::ApprovalUnknown);
}

#[test]
fn nobody_approves_for_themselves() {
    let mut world = world(3);
    let (_, approval) = wait_for(&mut world, call("pay.send", PAY));
    assert_eq!(heard(&mut world, me(), yes(&approval)), (Verdict::Deny, SeparationOfDuties, false));
    assert_eq!(heard(&mut world, person("owner"), yes(&approval)), (Verdict::Deny, SeparationOfDuties, false));
    let ops = Caller { subject: Some("ops@example.com".into()), credential: "key-ops".into(), ..person("ops") };
    world.must(admin("acme"), credential_of(&ops));
    assert_eq!(
        heard(&mut world, ops, yes(&approval)),
        (Verdict::Deny, SeparationOfDuties, false),
        "the recorded owner"
    );
    let shared = Caller { subject: None, credential: "key-shared".into(), ..person("x") };
    world.must(admin("acme"), credential_of(&shared));
    assert_eq!(heard(&mut world, shared, yes(&approval)), (Verdict::Deny, ApproverNotPermitted, false));
    assert_eq!(heard(&mut world, admin("acme"), yes(&approval)), (Verdict::Deny, ApproverNotPermitted, false));
    assert!(matches!(world.refused(operator(), yes(&approval)), Refusal::RoleNotPermitted { .. }));
    let other_tenant = Caller { tenant: tenant("zeta"), ..person("alice") };
    world.must(admin("zeta"), credential_of(&other_tenant));
    assert_eq!(world.refused(other_tenant, yes(&approval)), Refusal::ApprovalUnknown);
    assert_eq!(heard(&mut world, person("carol"), yes(&approval)), (Verdict::Allow, Approved, true));
}

#[test]
fn two_of_two_with_their_roles_and_nobody_twice() {
    let mut world = world(4);
    let (command, approval) = wait_for(&mut world, call("wire.send", r#"{"amount_usd":10}"#));
    assert_eq!(heard(&mut world, person("carol"), yes(&approval)), (Verdict::Deny, ApproverNotPermitted, false));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Escalate, ApprovalRequired, true));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApproverNotPermitted, false));
    assert_eq!(again(&mut world, &command).verdict, Verdict::Escalate);
    assert_eq!(heard(&mut world, person("bob"), yes(&approval)), (Verdict::Allow, Approved, true));
    assert_eq!(again(&mut world, &command).verdict, Verdict::Allow);
    // One no is enough, also after a yes.
    let (command, approval) = wait_for(&mut world, call("wire.send", r#"{"amount_usd":11}"#));
    assert!(heard(&mut world, person("bob"), yes(&approval)).2);
    let more = answer(&approval, ApprovalAction::RequestMoreInfo, &[]);
    assert_eq!(heard(&mut world, person("alice"), more), (Verdict::Escalate, ApprovalRequired, true));
    let deny = answer(&approval, ApprovalAction::Deny, &[]);
    assert_eq!(heard(&mut world, person("alice"), deny), (Verdict::Deny, ApprovalDenied, true));
    assert_eq!(again(&mut world, &command).codes, [ApprovalDenied]);
}

#[test]
fn modified_arguments_are_checked_and_need_everybodys_word_again() {
    let mut world = world(5);
    let (command, approval) = wait_for(&mut world, call("wire.send", r#"{"amount_usd":10}"#));
    assert!(heard(&mut world, person("alice"), yes(&approval)).2);
    let modify = |inputs: &str| answer(&approval, ApprovalAction::Modify(inputs.as_bytes().to_vec()), &[]);
    let deny = |code| (Verdict::Deny, code, false);
    assert_eq!(heard(&mut world, person("bob"), modify("{")), deny(InputsNotJson));
    assert_eq!(heard(&mut world, person("bob"), modify(r#"{"amount_usd":"x"}"#)), deny(ArgumentsInvalid));
    let five = r#"{"amount_usd":5}"#;
    // Alice agreed to other arguments: her word counts no more.
    assert_eq!(heard(&mut world, person("bob"), modify(five)), (Verdict::Escalate, ApprovalRequired, true));
    assert_eq!(heard(&mut world, person("bob"), yes(&approval)), deny(ApproverNotPermitted));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Allow, Approved, true));
    let now = again(&mut world, &command);
    assert_eq!((now.verdict, now.terms.replacement.is_some()), (Verdict::Compute, true));
    assert!(now.codes.contains(&ArgumentsReplaced) && now.codes.contains(&Approved));
    let (command, approval) = wait_for(&mut world, call("pay.send", PAY));
    let modify = answer(&approval, ApprovalAction::Modify(PAY.replace("4000", "30").into_bytes()), &[]);
    assert_eq!(heard(&mut world, person("alice"), modify), (Verdict::Allow, Approved, true));
    let now = again(&mut world, &command);
    assert_eq!(now.verdict, Verdict::Compute);
    assert_eq!(redeem(&mut world, &now, PAY, None), RequestMismatch, "what was asked for is not what was agreed to");
    assert_eq!(redeem(&mut world, &now, &PAY.replace("4000", "30"), None), Redeemed);
}

#[test]
fn conditions_bind_the_decision_and_unknown_ones_do_not_count() {
    let mut world = world(6);
    let (command, approval) = wait_for(&mut world, call("pay.send", PAY));
    let under = |conditions: &[&str]| answer(&approval, ApprovalAction::Approve, conditions);
    for unknown in [&["be_nice:yes"][..], &["max_weight:5"], &["max_amount_usd:much"], &["expires_in_seconds:0"]] {
        assert_eq!(heard(&mut world, person("alice"), under(unknown)), (Verdict::Deny, ConditionUnknown, false));
    }
    for shapeless in ["no colon", "a:b c", ":x"] {
        assert!(matches!(world.refused(person("alice"), under(&[shapeless])), Refusal::Malformed { .. }));
    }
    let bound = under(&["expires_in_seconds:5", "audience:gw-1", "must_use_account:primary"]);
    assert_eq!(heard(&mut world, person("alice"), bound), (Verdict::Allow, Approved, true));
    let now = again(&mut world, &command);
    assert_eq!(now.terms.audience.as_deref(), Some("gw-1"));
    assert_eq!(redeem(&mut world, &now, PAY, Some("gw-2")), AudienceMismatch);
    world.clock += 6 * SECOND;
    assert_eq!(redeem(&mut world, &now, PAY, Some("gw-1")), TokenExpired);
    // A condition that the call does not meet is a no to this call.
    let (command, approval) = wait_for(&mut world, call("pay.send", PAY));
    let too_little = answer(&approval, ApprovalAction::Approve, &["max_amount_usd:3999.99"]);
    assert_eq!(heard(&mut world, person("alice"), too_little), (Verdict::Deny, ApprovalDenied, true));
    assert_eq!(again(&mut world, &command).verdict, Verdict::Deny);
}

#[test]
fn nobody_answers_in_time() {
    let mut world = world(7);
    let (command, late) = wait_for(&mut world, call("pay.send", PAY));
    let (ticked, _) = wait_for(&mut world, call("pay.send", PAY));
    world.clock += 601 * SECOND;
    // Without any tick: what is over is over.
    assert_eq!(again(&mut world, &command).codes, [ApprovalExpired]);
    assert_eq!(heard(&mut world, person("alice"), yes(&late)), (Verdict::Deny, ApprovalExpired, false));
    world.clock += 61 * SECOND;
    let tick = world.command(node(), CommandBody::Tick);
    let applied = world.apply(vec![tick]);
    assert_eq!(kinds(&applied).iter().filter(|kind| **kind == "assent.approval.expired").count(), 1);
    let now = again(&mut world, &ticked);
    assert_eq!((now.verdict, now.codes), (Verdict::Deny, vec![ApprovalExpired]));
}

#[test]
fn under_another_bundle_people_are_asked_again() {
    let mut world = world(8);
    let (command, approval) = wait_for(&mut world, call("pay.send", PAY));
    activate_source(&mut world, &GRANTS.replace("version: 1", "version: 2"));
    let approve = world.command(person("alice"), yes(&approval));
    let applied = world.apply(vec![approve]);
    let expected = ["dare.hitl.decision", "assent.approval.void", "assent.approval.requested", "dare.policy.decision"];
    assert_eq!(kinds(&applied), expected);
    let now = again(&mut world, &command);
    let fresh = now.terms.approval.clone().unwrap();
    assert_eq!((now.verdict, fresh != approval), (Verdict::Escalate, true));
    assert_eq!(heard(&mut world, person("bob"), yes(&approval)), (Verdict::Deny, ApprovalVoid, false));
    assert!(heard(&mut world, person("alice"), yes(&fresh)).2);
    assert_eq!(again(&mut world, &command).verdict, Verdict::Allow);
    // A bundle that denies the call by now denies it whatever people say.
    let (command, approval) = wait_for(&mut world, call("pay.send", PAY));
    let stricter = GRANTS.replace("version: 1", "version: 3").replace(
        "match: {tool_class: pay}\n    decision: escalate\n    approval: {required: 1, expires_seconds: 600}",
        "match: {tool_class: pay}\n    decision: deny",
    );
    activate_source(&mut world, &stricter);
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApprovalVoid, false));
    assert_eq!(again(&mut world, &command).codes, [RuleDenied]);
}

#[test]
fn a_quarantine_kills_leases_and_approvals_and_a_release_does_not_bring_them_back() {
    let mut world = world(10);
    let in_run = |run: &str| Evaluate { run_id: Some(run.into()), ..call("pay.send", PAY) };
    let (command, approval) = wait_for(&mut world, in_run("r1"));
    let terms = GrantTerms {
        environment: "prod".into(),
        run_id: None,
        class: "http".into(),
        actions: vec!["get".into()],
        constraints: Vec::new(),
        calls: 2,
        seconds: 60,
        justification: Vec::new(),
    };
    let request = || CommandBody::Grant(Box::new(GrantCommand::Request { subject: None, terms: terms.clone() }));
    assert!(matches!(world.send(me(), request()), Answer::Ruled { verdict: Verdict::Allow, .. }));
    let run = |command| CommandBody::Run(Box::new(command));
    let (tenant, run_id, justification) = (tenant("acme"), "r1".to_owned(), b"odd".to_vec());
    let mode = RunMode::Quarantined;
    let stop = RunCommand::SetRunMode {
        tenant: tenant.clone(),
        run_id: run_id.clone(),
        mode,
        justification: justification.clone(),
    };
    world.must(admin("acme"), run(stop));
    // Another run of the same subject does not escape it.
    match world.send(me(), request()) {
        Answer::Ruled { codes, .. } => assert_eq!(codes, [RunQuarantined]),
        other => panic!("{other:?}"),
    }
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApprovalVoid, false));
    world.must(person("bob"), run(RunCommand::ReleaseQuarantine { tenant, run_id, justification }));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApprovalVoid, false));
    assert_eq!(again(&mut world, &command).codes, [ApprovalVoid]);
    let get = call("http.get", r#"{"url":"https://api.example.com/v1"}"#);
    assert_eq!(seen(world.send(me(), evaluate(get))).codes, [LeaseRevoked]);
}

#[test]
fn a_stopped_agents_approvals_are_void_for_good() {
    let mut world = world(9);
    let (command, approval) = wait_for(&mut world, call("pay.send", PAY));
    let switch = |engaged| {
        CommandBody::Control(Box::new(ControlCommand::KillSwitch {
            tenant: tenant("acme"),
            target: KillTarget::Agent("agent-1".into()),
            engaged,
            justification: Vec::new(),
        }))
    };
    world.must(admin("acme"), switch(true));
    world.must(admin("acme"), switch(false));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApprovalVoid, false));
    assert_eq!(again(&mut world, &command).codes, [ApprovalVoid]);
    let in_run = Evaluate { run_id: Some("r1".into()), ..call("pay.send", PAY) };
    let (command, approval) = wait_for(&mut world, in_run);
    let run = assent_kernel::command::RunRequest { run_id: "r1".into(), subject: None, parent_run_id: None };
    world.must(me(), CommandBody::CloseRun(run));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApprovalVoid, false));
    assert_eq!(again(&mut world, &command).codes, [ApprovalVoid]);
}
