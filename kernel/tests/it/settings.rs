//! Sections `leases` and `approvals`: what a bundle says in place of what is built in.

use crate::support::*;
use assent_kernel::bundle::{bundle_hash, check, compile};
use assent_kernel::command::{
    ApprovalAction, ApprovalCommand, CallContext, Caller, CommandBody, Evaluate, GrantCommand, GrantTerms,
    OfferedSource, Role,
};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::state::keys::ApprovalRecord;
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::taint::TaintSource;

const GRANTS: &str = include_str!("support/grants.yaml");

fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

fn alice() -> Caller {
    let subject = Some("alice@example.com".to_owned());
    Caller { subject, role: Role::Approver, credential: "key-alice".into(), ..me() }
}

fn world(sections: &str) -> World {
    let mut world = World::ready(1);
    for n in 2..=4 {
        let of = format!("agent-{n}");
        world.must(admin("acme"), register("acme", &of));
        world.must(admin("acme"), credential_of(&agent("acme", Some(&of))));
    }
    world.must(admin("acme"), credential_of(&alice()));
    // Sections of one's own take the place of the fixture's.
    let fixture =
        if sections.contains("limits:") { GRANTS.replace("limits: {strikes: 1000}\n", "") } else { GRANTS.into() };
    activate_source(&mut world, &format!("{fixture}{sections}"));
    world
}

fn activate_source(world: &mut World, source: &str) {
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (tenant, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment: "prod".into(), bundle_hash });
}

fn terms(class: &str, action: &str, calls: u32, seconds: u32) -> GrantTerms {
    GrantTerms {
        environment: "prod".into(),
        run_id: Some("r1".into()),
        class: class.into(),
        actions: vec![action.into()],
        constraints: Vec::new(),
        calls,
        seconds,
        justification: Vec::new(),
    }
}

fn ruled(world: &mut World, caller: Caller, body: CommandBody) -> (ReasonCode, Option<String>) {
    match world.send(caller, body) {
        Answer::Ruled { codes, details, .. } => {
            (codes[0], details.into_iter().find(|(name, _)| name == "lease").map(|(_, id)| id))
        }
        other => panic!("{other:?}"),
    }
}

fn lend(world: &mut World, class: &str, action: &str, calls: u32, seconds: u32) -> ReasonCode {
    let terms = terms(class, action, calls, seconds);
    ruled(world, me(), CommandBody::Grant(Box::new(GrantCommand::Request { subject: None, terms }))).0
}

fn pass(world: &mut World, from: &str, lease: Option<String>, to: &str) -> (ReasonCode, Option<String>) {
    let terms = GrantTerms { run_id: None, ..terms("file", "read", 3, 60) };
    let body = GrantCommand::Delegate { subject: None, lease, to: to.into(), terms };
    ruled(world, agent("acme", Some(from)), CommandBody::Grant(Box::new(body)))
}

/// An approval for a payment, by id.
fn waits(world: &mut World) -> (String, ApprovalRecord) {
    let pay = call("pay.send", r#"{"amount_usd":4000,"account":"primary"}"#);
    let Answer::Decided { terms, .. } = world.send(me(), evaluate(pay)) else { panic!() };
    let id = terms.approval.unwrap();
    match world.state.get(&StateKey::Approval(tenant("acme"), id.clone())).as_deref() {
        Some(Record::Approval(known)) => (id, known.clone()),
        other => panic!("{other:?}"),
    }
}

fn agree(world: &mut World, approval: &str, condition: Option<&str>) -> ReasonCode {
    let conditions = condition.map(str::to_owned).into_iter().collect();
    let (approval, action) = (approval.to_owned(), ApprovalAction::Approve);
    let answer = ApprovalCommand { approval, action, conditions, justification: Vec::new() };
    ruled(world, alice(), CommandBody::Approval(Box::new(answer))).0
}

#[test]
fn a_bundle_says_which_classes_are_risky() {
    let labels = vec![runs::label(TaintSource::Web, "example.com")];
    let tainted = |world: &mut World| {
        let context = Box::new(CallContext { taint: labels.clone(), ..CallContext::default() });
        let read = call("file.read", r#"{"path":"/srv/data/a"}"#);
        world.send(me(), evaluate(Evaluate { run_id: Some("r1".into()), context, ..read }));
    };
    for (sections, expected) in [
        ("", LeaseTainted),
        ("leases: {risky_classes: [shell]}\n", LeaseTainted),
        ("leases: {risky_classes: [database]}\n", CapabilityGranted),
        ("leases: {risky_classes: []}\n", CapabilityGranted),
    ] {
        let mut world = world(sections);
        tainted(&mut world);
        assert_eq!(lend(&mut world, "shell", "run", 1, 60), expected, "{sections}");
    }
}

#[test]
fn a_bundle_caps_what_leases_give() {
    let mut world = world("leases: {calls_max: 2, seconds_max: 100}\n");
    assert_eq!(lend(&mut world, "http", "get", 3, 100), CapabilityNotGrantable, "the capability alone gives 5");
    assert_eq!(lend(&mut world, "http", "get", 2, 101), CapabilityNotGrantable);
    assert_eq!(lend(&mut world, "http", "get", 2, 100), CapabilityGranted);
    let mut wide = self::world("leases: {calls_max: 100}\n");
    assert_eq!(lend(&mut wide, "http", "get", 6, 100), CapabilityNotGrantable, "a cap gives nothing");
}

#[test]
fn a_bundle_caps_delegation_when_passed_on_and_when_used() {
    let mut world = world("leases: {delegation_depth: 2}\n");
    let (code, lease) = pass(&mut world, "agent-1", None, "agent-2");
    assert_eq!(code, CapabilityGranted);
    let (code, lease) = pass(&mut world, "agent-2", lease, "agent-3");
    assert_eq!(code, CapabilityGranted);
    assert_eq!(pass(&mut world, "agent-3", lease, "agent-4").0, DelegationTooDeep);
    let on_behalf_of = vec!["agent-2".to_owned(), "agent-1".to_owned()];
    let read = || Evaluate {
        context: Box::new(CallContext { on_behalf_of: on_behalf_of.clone(), ..CallContext::default() }),
        ..call("file.read", r#"{"path":"/srv/data/a"}"#)
    };
    let ask = |world: &mut World| match world.send(agent("acme", Some("agent-3")), evaluate(read())) {
        Answer::Decided { codes, .. } => codes[0],
        other => panic!("{other:?}"),
    };
    activate_source(&mut world, &format!("{GRANTS}leases: {{delegation_depth: 1}}\n"));
    assert_eq!(ask(&mut world), DelegationTooDeep, "what was passed on under another bundle is asked again");
    activate_source(&mut world, GRANTS);
    assert!(ask(&mut world).is_allow());
    let mut none = self::world("leases: {delegation_depth: 0}\n");
    assert_eq!(pass(&mut none, "agent-1", None, "agent-2").0, DelegationTooDeep);
}

#[test]
fn delegations_count_towards_a_cascade() {
    let mut world = world("limits: {generation: 1}\n");
    let (_, lease) = pass(&mut world, "agent-1", None, "agent-2");
    let (_, lease) = pass(&mut world, "agent-2", lease, "agent-3");
    assert!(lease.is_some());
    let mut ask = |subject: &str, chain: &[&str]| {
        let on_behalf_of = chain.iter().map(|&of| of.to_owned()).collect();
        let context = Box::new(CallContext { on_behalf_of, ..CallContext::default() });
        let read = Evaluate { context, ..call("file.read", r#"{"path":"/srv/data/a"}"#) };
        match world.send(agent("acme", Some(subject)), evaluate(read)) {
            Answer::Decided { codes, .. } => codes[0],
            other => panic!("{other:?}"),
        }
    };
    assert!(ask("agent-2", &["agent-1"]).is_allow());
    assert_eq!(ask("agent-3", &["agent-2", "agent-1"]), BehaviourCascade);
}

#[test]
fn a_bundle_says_which_conditions_people_may_set() {
    let mut world = world("approvals: {conditions: [max, audience]}\n");
    let (id, _) = waits(&mut world);
    assert_eq!(agree(&mut world, &id, Some("expires_in_seconds:5")), ConditionUnknown);
    assert_eq!(agree(&mut world, &id, Some("must_use_account:primary")), ConditionUnknown);
    assert_eq!(agree(&mut world, &id, Some("max_amount_usd:5000")), Approved);
    let mut none = self::world("approvals: {conditions: []}\n");
    let (id, _) = waits(&mut none);
    assert_eq!(agree(&mut none, &id, Some("max_amount_usd:5000")), ConditionUnknown);
    assert_eq!(agree(&mut none, &id, None), Approved);
}

#[test]
fn a_bundle_says_how_long_people_are_waited_for_and_tokens_last() {
    let seconds = |world: &mut World| {
        let (_, known) = waits(world);
        (known.expires.0 - world.clock) / SECOND
    };
    assert_eq!(seconds(&mut world("")), 600, "the rule's own");
    assert_eq!(seconds(&mut world("approvals: {expires_seconds_max: 60}\n")), 60);
    let silent = GRANTS.replace("approval: {required: 1, expires_seconds: 600}", "approval: {required: 1}");
    for (sections, expected) in [("", 3_600), ("approvals: {expires_seconds: 120}\n", 120)] {
        let mut world = world("");
        activate_source(&mut world, &format!("{silent}{sections}"));
        assert_eq!(seconds(&mut world), expected);
    }
    for (sections, expected) in [("", 300), ("approvals: {token_seconds: 20}\n", 20)] {
        let mut world = world(sections);
        let (id, _) = waits(&mut world);
        assert_eq!(agree(&mut world, &id, None), Approved);
        let recorded = world.state.get(&StateKey::Outstanding(world.machine.size().0 - 1));
        let Some(Record::Outstanding(found)) = recorded.as_deref() else { panic!("{recorded:?}") };
        assert_eq!((found.expires.0 - world.clock) / SECOND, expected);
    }
}

#[test]
fn what_is_wrong_with_a_setting_is_said_where_it_stands() {
    for (section, column, text) in [
        ("leases: {delegation_depth: 9}\n", 28, "a whole number from 0 to 8"),
        ("leases: {risky_class: [shell]}\n", 10, "did you mean `risky_classes`?"),
        ("leases: {calls_max: 0}\n", 21, "must be at least 1"),
        ("approvals: {conditions: [maximum]}\n", 26, "use one of max, must_use, expires_in_seconds, audience"),
        ("approvals: {token_seconds: 301}\n", 28, "a whole number from 0 to 300"),
        ("approvals: {expires: 3}\n", 13, "known keys"),
    ] {
        let source = format!("{GRANTS}{section}");
        let line = u32::try_from(source.lines().count()).unwrap();
        let (errors, _) = check(source.as_bytes());
        let hit = errors.iter().any(|e| (e.line, e.column) == (line, column) && e.to_string().contains(text));
        assert!(hit, "{section}: {errors:#?}");
    }
    assert!(compile(format!("{GRANTS}leases: {{}}\napprovals: {{}}\n").as_bytes()).is_ok());
}
