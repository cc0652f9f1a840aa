//! From an allow to its outcome: redeemed once, completed once, given back when nobody came.

use crate::support::spending::*;
use crate::support::*;
use assent_kernel::command::{
    CommandBody, Complete, Completion, ControlCommand, GrantCommand, GrantTerms, KillTarget, Redeem,
};
use assent_kernel::event::{EventBody, ToolResponse};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::refusal::Refusal;
use assent_kernel::replay::Recorded;
use assent_kernel::state::{Record, StateKey};
use assent_kernel::verdict::Verdict;
use assent_ledger::hash::sha256;
use assent_ledger::ids::Seq;

#[test]
fn an_allow_is_redeemed_once_and_completed_once() {
    let mut world = spending(1);
    let token = ask(&mut world, &payment()).unwrap();
    assert_eq!((used(&world, "few"), used(&world, "tokens")), ((1, 0), (10, 0)));
    assert!(!outstanding(&world, &token).unwrap().is_open_intent());
    // Two nodes at once: two commands in one batch, and a third in the next.
    let commands = vec![world.command(me(), redeem(token.redeem())), world.command(me(), redeem(token.redeem()))];
    let answers = world.apply(commands).answers;
    let answers: Vec<_> = answers.into_iter().map(ruled).collect();
    assert_eq!(answers, [(Verdict::Allow, vec![Redeemed]), (Verdict::Deny, vec![AlreadyRedeemed])]);
    assert_eq!(ruled(world.send(me(), redeem(token.redeem()))), (Verdict::Deny, vec![AlreadyRedeemed]));
    // The output's labels are taken on before anybody has seen the output.
    assert_eq!((run(&world).open_intents, run(&world).counters.redeemed), (1, 1));
    assert!(run(&world).taint.sources().any(|source| source.name() == "web"));
    assert!(outstanding(&world, &token).unwrap().is_open_intent());
    world.through_snapshot();
    let command = world.command(me(), complete(token.complete()));
    let applied = world.apply(vec![command.clone()]);
    let roles: Vec<_> = applied.entries[0].payloads.iter().map(|payload| payload.role.as_str()).collect();
    assert_eq!(roles, ["output", "output_redacted"]);
    assert_eq!(ruled(applied.answers[0].clone()), (Verdict::Allow, vec![Redeemed]));
    assert_eq!((used(&world, "few"), used(&world, "tokens")), ((0, 1), (0, 4)), "settled with what was used");
    let run = run(&world);
    assert_eq!((run.open_intents, run.counters.completed, run.counters.failed), (0, 1, 0));
    assert!(outstanding(&world, &token).is_none());
    // A retry is answered from the record; another completion finds nothing.
    assert!(matches!(world.send_command(command), Answer::Ruled { verdict: Verdict::Allow, replayed: true, .. }));
    assert_eq!(ruled(world.send(me(), complete(token.complete()))), (Verdict::Deny, vec![DecisionUnknown]));
}

#[test]
fn what_cannot_be_redeemed_says_why() {
    let gateway = || agent("acme", None);
    let other_hash = |token: &Token| Redeem { request_hash: sha256(&[b"another"]), ..token.redeem() };
    type Change = fn(&mut World);
    let kill = |target: KillTarget, engaged: bool| {
        let justification = Vec::new();
        let (tenant, target) = (tenant("acme"), target);
        control(ControlCommand::KillSwitch { tenant, target, engaged, justification })
    };
    let killed: Change = |world| {
        let (tenant, target) = (tenant("acme"), KillTarget::Tool("pay".into()));
        let on = ControlCommand::KillSwitch { tenant, target, engaged: true, justification: Vec::new() };
        world.must(admin("acme"), control(on));
    };
    let cases: [(ReasonCode, Change); 5] = [
        (TokenExpired, |world| world.clock += 61 * SECOND),
        (PrincipalDisabled, |world| {
            world.must(
                admin("acme"),
                CommandBody::DisablePrincipal { tenant: tenant("acme"), subject: "agent-1".into() },
            );
        }),
        (TenantDisabled, |world| {
            let disabled = ControlCommand::SetTenantDisabled { tenant: tenant("acme"), disabled: true };
            world.must(operator(), control(disabled));
        }),
        (KillSwitchTool, killed),
        (RunClosed, |world| {
            let run_id = "run-1".into();
            let close = assent_kernel::command::RunRequest { run_id, subject: None, parent_run_id: None };
            world.must(me(), CommandBody::CloseRun(close));
        }),
    ];
    for (code, change) in cases {
        let mut world = spending(2);
        let token = ask(&mut world, &payment()).unwrap();
        change(&mut world);
        assert_eq!(ruled(world.send(gateway(), redeem(token.redeem()))), (Verdict::Deny, vec![code]));
        assert_eq!(run(&world).counters.redeemed, 0);
    }
    let mut world = spending(3);
    let token = ask(&mut world, &payment()).unwrap();
    let denied = |world: &mut World, asked: Redeem, code: ReasonCode| {
        assert_eq!(ruled(world.send(gateway(), redeem(asked))), (Verdict::Deny, vec![code]));
    };
    denied(&mut world, other_hash(&token), RequestMismatch);
    denied(&mut world, Redeem { request_salt: [0; 32], ..token.redeem() }, RequestMismatch);
    denied(&mut world, Redeem { decision_id: "another".into(), ..token.redeem() }, DecisionUnknown);
    denied(&mut world, Redeem { seq: Seq(0), ..token.redeem() }, DecisionUnknown);
    let zeta = agent("zeta", None);
    assert_eq!(ruled(world.send(zeta, redeem(token.redeem()))), (Verdict::Deny, vec![DecisionUnknown]));
    assert!(matches!(world.refused(admin("acme"), redeem(token.redeem())), Refusal::RoleNotPermitted { .. }));
    // A switch that was engaged and released again has ended what was allowed before it.
    world.must(admin("acme"), kill(KillTarget::Agent("agent-1".into()), true));
    world.must(admin("acme"), kill(KillTarget::Agent("agent-1".into()), false));
    denied(&mut world, token.redeem(), TokenVoid);
}

#[test]
fn outcomes_are_taken_in_from_the_redeemer_only() {
    let mut world = spending(4);
    let token = ask(&mut world, &payment()).unwrap();
    assert_eq!(ruled(world.send(me(), complete(token.complete()))), (Verdict::Deny, vec![DecisionUnknown]));
    ruled(world.send(agent("acme", None), redeem(token.redeem())));
    let command = world.command(me(), complete(token.complete()));
    let applied = world.apply(vec![command]);
    assert!(applied.entries[0].payloads.is_empty(), "what somebody else claims is not kept as the output");
    assert_eq!(ruled(applied.answers[0].clone()), (Verdict::Deny, vec![SubjectMismatch]));
    // Whatever has happened since, an outcome is recorded; a required obligation without proof is named.
    let disabled = ControlCommand::SetTenantDisabled { tenant: tenant("acme"), disabled: true };
    world.must(operator(), control(disabled));
    let asked = Complete { status: Completion::Unknown, fulfilled: vec![], usage: None, ..token.complete() };
    let (verdict, codes) = ruled(world.send(agent("acme", None), complete(asked)));
    assert_eq!((verdict, codes), (Verdict::Allow, vec![ObligationUnsupported, Redeemed]));
    let EventBody::ToolResponse(body) = last_body(&world) else { panic!() };
    let ToolResponse { missing, status, .. } = *body;
    assert_eq!((missing, status), (vec!["redact".to_owned()], Completion::Unknown));
    assert_eq!(used(&world, "tokens"), (0, 10), "where nobody knows, what was set aside counts as used");
}

#[test]
fn an_unredeemed_token_gives_back_what_was_set_aside() {
    let mut world = spending(5);
    let mut once = payment();
    once.context.idempotency_key = Some("invoice-17".into());
    let token = ask(&mut world, &once).unwrap();
    let kept = ask(&mut world, &payment()).unwrap();
    ruled(world.send(me(), redeem(kept.redeem())));
    assert_eq!(ask(&mut world, &once).map(|_| ()), Err(vec![EffectRepeated]));
    assert_eq!(world.refused(node(), CommandBody::Tick), Refusal::NothingDue);
    world.clock += 61 * SECOND;
    assert_eq!(used(&world, "few"), (2, 0), "a late tick: nothing is given back yet");
    let (first, count) = world.must(node(), CommandBody::Tick);
    assert_eq!(count, 2);
    let leaf = &world.leaves[usize::try_from(first.0).unwrap()];
    let EventBody::TokenExpired(body) = Recorded::read(leaf).unwrap().body.unwrap() else { panic!() };
    assert_eq!(body.tokens.iter().map(|token| token.decision).collect::<Vec<_>>(), [token.seq]);
    assert_eq!((used(&world, "few"), used(&world, "tokens")), ((1, 0), (10, 0)), "the open intent keeps its own");
    assert!(outstanding(&world, &token).is_none() && outstanding(&world, &kept).unwrap().is_open_intent());
    assert_eq!(ruled(world.send(me(), redeem(token.redeem()))), (Verdict::Deny, vec![DecisionUnknown]));
    // The effect did not happen: it may be asked for again.
    let again = ask(&mut world, &once).unwrap();
    ruled(world.send(me(), redeem(again.redeem())));
    assert_eq!(world.refused(node(), CommandBody::Tick), Refusal::NothingDue);
    // A day later the key is forgotten, the open intents are not.
    world.clock += 25 * 3_600 * SECOND;
    world.must(node(), CommandBody::Tick);
    assert!(!world.state.records().any(|(key, _)| matches!(key, StateKey::EffectKey(..) | StateKey::Expiry(..))));
    assert!(outstanding(&world, &kept).is_some());
    assert_eq!(world.refused(node(), CommandBody::Tick), Refusal::NothingDue);
    assert!(matches!(world.refused(operator(), CommandBody::Tick), Refusal::RoleNotPermitted { .. }));
}

#[test]
fn leases_get_their_call_back_and_end_the_token_when_they_are_revoked() {
    let source = SPEND.replace("actions: [pay]}", "actions: [pay], lease: {required: true, calls_max: 5}}");
    let mut world = spending_under(8, &source);
    let terms = GrantTerms {
        environment: "prod".into(),
        run_id: None,
        class: "pay".into(),
        actions: vec!["pay".into()],
        constraints: Vec::new(),
        calls: 2,
        seconds: 600,
        justification: b"invoices".to_vec(),
    };
    let request = GrantCommand::Request { subject: None, terms };
    assert_eq!(ruled(world.send(me(), CommandBody::Grant(Box::new(request)))).0, Verdict::Allow);
    let lease = |world: &World| {
        let mut rows = world.state.records().filter_map(|(key, record)| match (key, record.as_ref()) {
            (StateKey::Lease(_, id), Record::Lease(lease)) => Some((id.clone(), lease.calls_left)),
            _ => None,
        });
        rows.next().unwrap()
    };
    ask(&mut world, &payment()).unwrap();
    assert_eq!(lease(&world).1, 1);
    world.clock += 61 * SECOND;
    world.must(node(), CommandBody::Tick);
    assert_eq!(lease(&world).1, 2, "nobody carried it out");
    let token = ask(&mut world, &payment()).unwrap();
    let revoke = GrantCommand::Revoke {
        tenant: tenant("acme"),
        subject: None,
        lease: lease(&world).0,
        justification: Vec::new(),
    };
    world.send(admin("acme"), CommandBody::Grant(Box::new(revoke)));
    assert_eq!(ruled(world.send(me(), redeem(token.redeem()))), (Verdict::Deny, vec![TokenVoid]));
}
