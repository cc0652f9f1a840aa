//! What becomes of a lease after it was granted: taint that comes later, its end, gifts of others, and holders who are stopped.

use super::grants::*;
use super::messages;
use crate::support::runs::run;
use crate::support::*;
use assent_kernel::bundle::compile;
use assent_kernel::command::{
    CallContext, Caller, CommandBody, ControlCommand, Evaluate, ExecutionCommand, GrantTerms, MessageCommand, Redeem,
    RunCommand, RunRequest,
};
use assent_kernel::decide::request_hash;
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::state::keys::RunMode;
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::verdict::Verdict;
use assent_ledger::ids::Time;

fn shell() -> Evaluate {
    call("shell.run", r#"{"command":"ls"}"#)
}

fn file() -> Evaluate {
    call("file.read", r#"{"path":"/srv/data/a"}"#)
}

fn within(run_id: &str, call: Evaluate) -> Evaluate {
    Evaluate { run_id: Some(run_id.into()), ..call }
}

fn tainted(call: Evaluate) -> Evaluate {
    let taint = vec![messages::web("evil.example")];
    Evaluate { context: Box::new(CallContext { taint, ..CallContext::default() }), ..call }
}

/// Decides a call: what redeems it, and until when.
pub(super) fn token(world: &mut World, caller: Caller, asked: Evaluate) -> (Redeem, Time) {
    let subject = caller.subject.clone();
    let schema = compile(GRANTS.as_bytes()).unwrap().tool(&asked.tool).unwrap().schema_hash();
    let request_hash = request_hash(&tenant("acme"), subject.as_deref(), &asked, Some(&schema));
    match world.send(caller, evaluate(asked)) {
        Answer::Decided { seq, decision_id, verdict: Verdict::Allow, request_salt, terms, .. } => {
            let redeem = Redeem { decision_id, seq, request_hash, request_salt, audience: None };
            (redeem, terms.token_expires.unwrap())
        }
        other => panic!("{other:?}"),
    }
}

pub(super) fn redeem(world: &mut World, caller: Caller, asked: Redeem) -> ReasonCode {
    match world.send(caller, CommandBody::Execution(Box::new(ExecutionCommand::Redeem(asked)))) {
        Answer::Ruled { codes, .. } => codes[0],
        other => panic!("{other:?}"),
    }
}

fn disable(subject: &str) -> CommandBody {
    CommandBody::DisablePrincipal { tenant: tenant("acme"), subject: subject.into() }
}

fn enable(subject: &str) -> CommandBody {
    control(ControlCommand::EnablePrincipal { tenant: tenant("acme"), subject: subject.into() })
}

#[test]
fn a_risky_lease_is_not_used_under_strangers_instructions() {
    let mut world = world(21);
    ask(&mut world, me(), request(terms("shell", &["run"]))).unwrap();
    ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    assert!(code(&mut world, me(), within("r1", shell())).is_allow());
    assert!(code(&mut world, me(), tainted(within("r1", file()))).is_allow());
    // The taint came after the grant: what could not be granted now is not used now.
    assert_eq!(code(&mut world, me(), within("r1", shell())), LeaseTainted);
    assert!(code(&mut world, me(), within("r1", good())).is_allow(), "reading a page is no risk");
    assert_eq!(code(&mut world, me(), tainted(within("r2", shell()))), LeaseTainted, "the call's own labels count");
    assert!(code(&mut world, me(), within("r3", shell())).is_allow(), "another run is not tainted");
}

#[test]
fn what_a_message_brings_counts_where_a_lease_is_asked_for() {
    let mut world = world(22);
    for subject in ["agent-1", "agent-2"] {
        let key = messages::new_key(subject, "k1", &messages::seed_of(subject));
        world.must(admin("acme"), messages::message(MessageCommand::RegisterKey(key)));
        let run = RunRequest { run_id: messages::run_of(subject), subject: None, parent_run_id: None };
        world.must(other(subject), CommandBody::OpenRun(run));
    }
    let sent = messages::signed(&mut world, "agent-2", "agent-1", "n", |m| m.taint.push(messages::web("evil.example")));
    assert_eq!(sent, MessageAccepted);
    let asked = GrantTerms { run_id: Some("new".into()), ..terms("shell", &["run"]) };
    assert_eq!(ask(&mut world, me(), request(asked)), Err(LeaseTainted));
    let kinds: Vec<String> =
        world.leaves.iter().rev().take(2).map(|leaf| String::from_utf8(leaf.clone()).unwrap()).collect();
    assert!(kinds[1].contains("assent.run.taint"), "the run takes on what its subject may have read");
}

#[test]
fn what_a_lease_allows_ends_with_the_lease() {
    let mut world = world(23);
    let lease = ask(&mut world, me(), request(GrantTerms { seconds: 20, ..terms("http", &["get"]) })).unwrap();
    let end = Time(world.clock + 20 * SECOND);
    let (redeemable, expires) = token(&mut world, me(), good());
    assert_eq!(expires, end);
    // A delegation is cut to the lease behind it, and so is what it allows.
    ask(&mut world, me(), delegate(Some(&lease), "agent-2", terms("http", &["get"]))).unwrap();
    world.must(me(), revoke(&lease));
    assert_eq!(redeem(&mut world, me(), redeemable.clone()), TokenVoid);
    // Once the tick has removed the lease, nothing remembers that it was revoked: by then the token is over too.
    world.clock = end.0 - end.0 % (60 * SECOND) + 60 * SECOND;
    world.must(node(), CommandBody::Tick);
    let over = redeem(&mut world, me(), redeemable);
    assert!(matches!(over, TokenExpired | DecisionUnknown), "{over:?}");
}

#[test]
fn gifts_take_nobodys_room() {
    let mut world = world(24);
    let more = "principals:\n  - subject: agent-2\n    capabilities:\n      - {class: file, actions: [read]}\n";
    activate_source(&mut world, &GRANTS.replace("principals:\n", more));
    let gift = || delegate(None, "agent-1", GrantTerms { calls: 1, ..terms("file", &["read"]) });
    for _ in 0..32 {
        ask(&mut world, other("agent-2"), gift()).unwrap();
    }
    assert_eq!(ask(&mut world, other("agent-2"), gift()), Err(RateExceeded));
    ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    assert!(code(&mut world, me(), good()).is_allow());
    assert!(code(&mut world, me(), behalf(file(), &["agent-2"])).is_allow());
    // Those that have ended make room again.
    world.clock += 120 * SECOND;
    world.must(node(), CommandBody::Tick);
    ask(&mut world, other("agent-2"), gift()).unwrap();
}

/// A lease that was passed on ends before the call that was taken from it comes back: the one that it came from gets its call all the same.
#[test]
fn what_was_passed_on_and_has_ended_keeps_nobodys_call() {
    let mut world = world(26);
    let lease = ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    let brief = GrantTerms { seconds: 20, ..terms("http", &["get"]) };
    ask(&mut world, me(), delegate(Some(&lease), "agent-2", brief)).unwrap();
    let left = |world: &World| match world.state.get(&StateKey::Lease(tenant("acme"), lease.clone())).as_deref() {
        Some(Record::Lease(known)) => known.calls_left,
        other => panic!("{other:?}"),
    };
    let before = left(&world);
    token(&mut world, other("agent-2"), behalf(good(), &["agent-1"]));
    assert_eq!(left(&world), before - 1);
    world.clock += 45 * SECOND;
    while let Answer::Recorded { .. } = world.send(node(), CommandBody::Tick) {}
    world.clock += 10 * SECOND;
    while let Answer::Recorded { .. } = world.send(node(), CommandBody::Tick) {}
    assert_eq!(left(&world), before);
}

#[test]
fn what_a_disabled_agent_held_gave_or_was_allowed_stays_dead() {
    let mut world = world(25);
    ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    ask(&mut world, me(), delegate(None, "agent-2", terms("file", &["read"]))).unwrap();
    let (own, _) = token(&mut world, me(), file());
    let (given, _) = token(&mut world, other("agent-2"), behalf(file(), &["agent-1"]));
    world.must(admin("acme"), disable("agent-1"));
    assert_eq!(code(&mut world, me(), good()), PrincipalDisabled);
    world.must(admin("acme"), enable("agent-1"));
    assert_eq!(code(&mut world, me(), good()), LeaseRevoked);
    assert_eq!(code(&mut world, other("agent-2"), behalf(file(), &["agent-1"])), LeaseRevoked);
    assert_eq!(redeem(&mut world, me(), own), TokenVoid);
    assert_eq!(redeem(&mut world, other("agent-2"), given), TokenVoid);
    ask(&mut world, me(), delegate(None, "agent-2", terms("file", &["read"]))).unwrap();
    assert!(code(&mut world, other("agent-2"), behalf(file(), &["agent-1"])).is_allow(), "what is given anew holds");
}

#[test]
fn a_quarantine_of_the_one_behind_a_call_stops_it_at_the_door() {
    let mut world = world(26);
    ask(&mut world, me(), delegate(None, "agent-2", terms("file", &["read"]))).unwrap();
    let (first, _) = token(&mut world, other("agent-2"), behalf(file(), &["agent-1"]));
    assert!(code(&mut world, me(), within("r1", file())).is_allow());
    let (tenant, run_id, justification) = (tenant("acme"), "r1".to_owned(), b"odd".to_vec());
    let quarantine = RunCommand::SetRunMode {
        tenant: tenant.clone(),
        run_id: run_id.clone(),
        mode: RunMode::Quarantined,
        justification: justification.clone(),
    };
    world.must(admin("acme"), run(quarantine));
    assert_eq!(redeem(&mut world, other("agent-2"), first.clone()), RunQuarantined);
    let boss = Caller { subject: Some("boss@example.com".into()), credential: "key-boss".into(), ..admin("acme") };
    world.must(admin("acme"), credential_of(&boss));
    world.must(boss, run(RunCommand::ReleaseQuarantine { tenant, run_id, justification }));
    assert_eq!(redeem(&mut world, other("agent-2"), first), TokenVoid);
}
