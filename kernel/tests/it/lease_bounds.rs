//! Leases of all actions, of many hands, and who may take one back.

use super::grants::*;
use super::lease_life::{self, token};
use crate::support::runs::{label, run};
use crate::support::*;
use assent_kernel::command::{CommandBody, Complete, Completion, GrantCommand, GrantTerms, RunCommand, RunRequest};
use assent_kernel::limits::CHAIN_MAX;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::refusal::Refusal;
use assent_kernel::taint::TaintSource;

#[test]
fn all_actions_are_as_risky_as_the_riskiest_of_their_class() {
    let mut world = world(1);
    world.must(me(), CommandBody::OpenRun(RunRequest { run_id: "r1".into(), subject: None, parent_run_id: None }));
    let labels = vec![label(TaintSource::Web, "evil.example")];
    world.must(me(), run(RunCommand::AttachTaint { run_id: "r1".into(), subject: None, labels }));
    let all = |class: &str| request(GrantTerms { run_id: Some("r1".into()), ..terms(class, &["*"]) });
    assert_eq!(ask(&mut world, me(), all("shell")), Err(LeaseTainted));
    ask(&mut world, me(), all("http")).unwrap();
}

#[test]
fn all_actions_are_passed_on_by_who_has_them_all() {
    let mut world = world(2);
    let all = ask(&mut world, me(), request(terms("http", &["*"]))).unwrap();
    let some = ask(&mut world, me(), request(terms("http", &["get", "head"]))).unwrap();
    ask(&mut world, me(), delegate(Some(&all), "agent-2", terms("http", &["*"]))).unwrap();
    let wider = ask(&mut world, me(), delegate(Some(&some), "agent-2", terms("http", &["*"])));
    assert_eq!(wider, Err(CapabilityNotGrantable));
    ask(&mut world, me(), delegate(Some(&some), "agent-3", terms("http", &["get", "head"]))).unwrap();
}

#[test]
fn a_lease_is_taken_back_by_who_it_is_and_not_by_who_it_says() {
    let mut world = world(3);
    let stated = |lease: &str, subject: &str| {
        let (lease, subject) = (lease.to_owned(), Some(subject.to_owned()));
        let revoke = GrantCommand::Revoke { tenant: tenant("acme"), subject, lease, justification: Vec::new() };
        CommandBody::Grant(Box::new(revoke))
    };
    let lease = ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    assert_eq!(world.refused(other("agent-2"), stated(&lease, "agent-1")), Refusal::SubjectMismatch);
    assert_eq!(world.refused(agent("acme", None), stated(&lease, "agent-2")), Refusal::LeaseNotOwned);
    assert_eq!(world.refused(agent("acme", None), revoke(&lease)), Refusal::SubjectMissing);
    world.must(me(), stated(&lease, "agent-1"));
    let lease = ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    world.must(agent("acme", None), stated(&lease, "agent-1"));
}

#[test]
fn a_lease_goes_through_as_many_hands_as_delegation_is_deep() {
    let mut world = world(4);
    let name = |n: usize| if n == 0 { "agent-1".to_owned() } else { format!("deep-{n}") };
    for n in 1..=CHAIN_MAX {
        world.must(admin("acme"), register("acme", &name(n)));
        world.must(admin("acme"), credential_of(&other(&name(n))));
    }
    let first = ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    let mut lease = first.clone();
    for n in 0..CHAIN_MAX {
        lease =
            ask(&mut world, other(&name(n)), delegate(Some(&lease), &name(n + 1), terms("http", &["get"]))).unwrap();
    }
    let chain: Vec<String> = (0..CHAIN_MAX).rev().map(name).collect();
    let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    let last = other(&name(CHAIN_MAX));
    let (redeem, _) = token(&mut world, last.clone(), behalf(good(), &chain));
    // Every link is looked at once more when the token is redeemed: the deepest chain there can be is not too deep for that.
    assert_eq!(lease_life::redeem(&mut world, last.clone(), redeem), Redeemed);
    let (redeem, _) = token(&mut world, last.clone(), behalf(good(), &chain));
    world.must(me(), revoke(&first));
    assert_eq!(lease_life::redeem(&mut world, last, redeem), TokenVoid);
    let shorter = &chain[..CHAIN_MAX - 1];
    assert_eq!(code(&mut world, other(&name(CHAIN_MAX)), behalf(good(), shorter)), DelegationInvalid);
}

#[test]
fn a_chain_is_as_long_as_the_bundle_says_and_no_longer() {
    let mut world = world(6);
    activate_source(&mut world, &format!("{GRANTS}leases: {{delegation_depth: 1}}\n"));
    ask(&mut world, me(), delegate(None, "agent-2", terms("file", &["read"]))).unwrap();
    let read = |chain: &[&str]| behalf(call("file.read", r#"{"path":"/srv/data/a"}"#), chain);
    assert!(code(&mut world, other("agent-2"), read(&["agent-1"])).is_allow());
    assert_eq!(code(&mut world, other("agent-3"), read(&["agent-2", "agent-1"])), DelegationTooDeep);
}

#[test]
fn what_somebody_else_reports_is_no_matter_of_obligations() {
    use crate::support::spending::{self, complete, payment, redeem, ruled, spending};
    let mut world = spending(5);
    let token = spending::ask(&mut world, &payment()).unwrap();
    let without = || Complete { status: Completion::Success, fulfilled: Vec::new(), ..token.complete() };
    assert_eq!(ruled(world.send(spending::me(), complete(without()))).1, [DecisionUnknown]);
    assert_eq!(ruled(world.send(spending::me(), redeem(token.redeem()))).1, [Redeemed]);
    assert_eq!(ruled(world.send(agent("acme", None), complete(without()))).1, [SubjectMismatch]);
    assert_eq!(ruled(world.send(spending::me(), complete(without()))).1, [ObligationUnsupported, Redeemed]);
}
