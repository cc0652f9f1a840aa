//! Whose word counts for a waiting call, and that waiting takes no more room than it needs.

use super::approvals::*;
use crate::support::*;
use assent_kernel::command::{Caller, CommandBody, ControlCommand, GrantCommand, GrantTerms, KillTarget};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;

const WIRE: &str = r#"{"amount_usd":100}"#;
const ALICE: &str = "alice@example.com";

fn registered(world: &mut World, subject: &str) {
    world.must(admin("acme"), register("acme", subject));
}

fn disable(subject: &str) -> CommandBody {
    CommandBody::DisablePrincipal { tenant: tenant("acme"), subject: subject.into() }
}

fn switch(subject: &str, engaged: bool) -> CommandBody {
    let (tenant, target, justification) = (tenant("acme"), KillTarget::Agent(subject.into()), Vec::new());
    control(ControlCommand::KillSwitch { tenant, target, engaged, justification })
}

#[test]
fn a_stopped_person_answers_nothing() {
    let mut world = world(31);
    registered(&mut world, ALICE);
    let (_, approval) = wait_for(&mut world, call("pay.send", PAY));
    world.must(admin("acme"), switch(ALICE, true));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApproverNotPermitted, false));
    world.must(admin("acme"), switch(ALICE, false));
    world.must(admin("acme"), disable(ALICE));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Deny, ApproverNotPermitted, false));
    let back = ControlCommand::EnablePrincipal { tenant: tenant("acme"), subject: ALICE.into() };
    world.must(admin("acme"), control(back));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Allow, Approved, true));
}

#[test]
fn a_word_does_not_outlive_the_access_of_who_gave_it() {
    let mut world = world(32);
    registered(&mut world, ALICE);
    let gone: [fn(&mut World); 3] = [
        |world| {
            world.must(admin("acme"), disable(ALICE));
            let back = ControlCommand::EnablePrincipal { tenant: tenant("acme"), subject: ALICE.into() };
            world.must(admin("acme"), control(back));
        },
        |world| {
            world.must(admin("acme"), switch(ALICE, true));
            world.must(admin("acme"), switch(ALICE, false));
        },
        |world| {
            let name = person("alice").credential;
            world.must(admin("acme"), CommandBody::RevokeCredential { tenant: tenant("acme"), name });
        },
    ];
    for change in gone {
        let (_, approval) = wait_for(&mut world, call("wire.send", WIRE));
        assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Escalate, ApprovalRequired, true));
        change(&mut world);
        // Two have to agree, and only one word is left.
        assert_eq!(heard(&mut world, person("bob"), yes(&approval)), (Verdict::Escalate, ApprovalRequired, true));
    }
    // With a new credential she is heard again, in the place of her first word.
    let alice = Caller { credential: "key-alice-2".into(), ..person("alice") };
    world.must(admin("acme"), credential_of(&alice));
    let (_, approval) = wait_for(&mut world, call("wire.send", WIRE));
    assert_eq!(heard(&mut world, alice, yes(&approval)), (Verdict::Escalate, ApprovalRequired, true));
    assert_eq!(heard(&mut world, person("bob"), yes(&approval)), (Verdict::Allow, Approved, true));
}

#[test]
fn an_approval_that_is_asked_for_again_takes_the_place_of_the_void_one() {
    let mut world = world(33);
    let waiting: Vec<_> = (0..64)
        .map(|n| wait_for(&mut world, call("pay.send", &format!(r#"{{"amount_usd":{n},"account":"primary"}}"#))))
        .collect();
    activate_source(&mut world, &format!("{GRANTS}# another one\n"));
    let (command, approval) = &waiting[40];
    assert_eq!(heard(&mut world, person("alice"), yes(approval)), (Verdict::Deny, ApprovalVoid, false));
    let now = again(&mut world, command);
    assert_eq!((now.verdict, now.codes[0]), (Verdict::Escalate, ApprovalRequired));
    let second = now.terms.approval.unwrap();
    assert_ne!(second, *approval);
    // The room is full all the same.
    let Answer::Decided { codes, .. } = world.send(me(), evaluate(call("pay.send", PAY))) else { panic!() };
    assert_eq!(codes, [RateExceeded]);
    assert_eq!(heard(&mut world, person("alice"), yes(&second)), (Verdict::Allow, Approved, true));
}

#[test]
fn an_approved_call_is_redeemable_no_longer_than_its_lease_holds() {
    let mut world = world(34);
    let leased = "- {class: pay, actions: [send], lease: {required: true, calls_max: 5}}";
    activate_source(&mut world, &GRANTS.replace("- {class: pay, actions: [send]}", leased));
    let terms = GrantTerms {
        environment: "prod".into(),
        run_id: None,
        class: "pay".into(),
        actions: vec!["send".into()],
        constraints: Vec::new(),
        calls: 2,
        seconds: 40,
        justification: Vec::new(),
    };
    let request = CommandBody::Grant(Box::new(GrantCommand::Request { subject: None, terms }));
    assert!(matches!(world.send(me(), request), Answer::Ruled { verdict: Verdict::Allow, .. }));
    let end = world.clock + 40 * SECOND;
    let (command, approval) = wait_for(&mut world, call("pay.send", PAY));
    assert_eq!(heard(&mut world, person("alice"), yes(&approval)), (Verdict::Allow, Approved, true));
    assert_eq!(again(&mut world, &command).terms.token_expires.unwrap().0, end);
}
