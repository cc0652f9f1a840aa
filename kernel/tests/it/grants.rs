//! Leases and delegations: granted within the bundle, narrowed at each use, dead with any link, never spent twice.

use crate::support::*;
use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{
    CallContext, Caller, CommandBody, Evaluate, GrantCommand, GrantTerms, OfferedSource, Role,
};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::refusal::Refusal;
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_kernel::verdict::Verdict;
use assent_ledger::ids::Time;

pub(super) const GRANTS: &str = include_str!("support/grants.yaml");

pub(super) fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

pub(super) fn other(subject: &str) -> Caller {
    agent("acme", Some(subject))
}

pub(super) fn activate_source(world: &mut World, source: &str) {
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (tenant, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment: "prod".into(), bundle_hash });
}

/// Agents 1 to 3, and the bundle of this file.
pub(super) fn world(seed: u64) -> World {
    let mut world = World::ready(seed);
    for subject in ["agent-2", "agent-3"] {
        world.must(admin("acme"), register("acme", subject));
        world.must(admin("acme"), credential_of(&other(subject)));
    }
    activate_source(&mut world, GRANTS);
    world
}

pub(super) fn terms(class: &str, actions: &[&str]) -> GrantTerms {
    GrantTerms {
        environment: "prod".into(),
        run_id: None,
        class: class.into(),
        actions: actions.iter().map(|&action| action.into()).collect(),
        constraints: Vec::new(),
        calls: 2,
        seconds: 60,
        justification: b"the report needs it".to_vec(),
    }
}

pub(super) fn request(terms: GrantTerms) -> CommandBody {
    CommandBody::Grant(Box::new(GrantCommand::Request { subject: None, terms }))
}

pub(super) fn delegate(lease: Option<&str>, to: &str, terms: GrantTerms) -> CommandBody {
    let lease = lease.map(str::to_owned);
    CommandBody::Grant(Box::new(GrantCommand::Delegate { subject: None, lease, to: to.into(), terms }))
}

pub(super) fn revoke(lease: &str) -> CommandBody {
    let (lease, justification) = (lease.to_owned(), Vec::new());
    CommandBody::Grant(Box::new(GrantCommand::Revoke { tenant: tenant("acme"), subject: None, lease, justification }))
}

/// The lease, or the code that says why there is none.
pub(super) fn ask(world: &mut World, caller: Caller, body: CommandBody) -> Result<String, ReasonCode> {
    match world.send(caller, body) {
        Answer::Ruled { verdict: Verdict::Allow, codes, details, .. } => {
            assert_eq!(codes, [CapabilityGranted]);
            Ok(details.into_iter().find(|(name, _)| name == "lease").unwrap().1)
        }
        Answer::Ruled { verdict: Verdict::Deny, codes, details, .. } => {
            assert!(details.is_empty());
            Err(codes[0])
        }
        other => panic!("{other:?}"),
    }
}

fn get(url: &str) -> Evaluate {
    call("http.get", &format!(r#"{{"url":"{url}"}}"#))
}

pub(super) fn good() -> Evaluate {
    get("https://api.example.com/v1")
}

pub(super) fn behalf(evaluate: Evaluate, chain: &[&str]) -> Evaluate {
    let on_behalf_of = chain.iter().map(|&subject| subject.to_owned()).collect();
    Evaluate { context: Box::new(CallContext { on_behalf_of, ..CallContext::default() }), ..evaluate }
}

pub(super) fn code(world: &mut World, caller: Caller, call: Evaluate) -> ReasonCode {
    match world.send(caller, evaluate(call)) {
        Answer::Decided { verdict, codes, .. } => {
            assert_eq!(verdict == Verdict::Allow, codes[0].is_allow());
            codes[0]
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lease_is_granted_within_the_bundle_and_nowhere_else() {
    let mut world = world(1);
    assert_eq!(code(&mut world, me(), good()), LeaseRequired);
    for (terms, expected) in [
        (GrantTerms { calls: 6, ..terms("http", &["get"]) }, CapabilityNotGrantable),
        (GrantTerms { seconds: 601, ..terms("http", &["get"]) }, CapabilityNotGrantable),
        (terms("http", &["get", "post"]), CapabilityNotGrantable),
        (terms("file", &["read"]), CapabilityNotGrantable),
        (terms("nothing", &["get"]), CapabilityNotGrantable),
        (GrantTerms { constraints: b"not json".to_vec(), ..terms("http", &["get"]) }, ArgumentsInvalid),
        (GrantTerms { environment: "test".into(), ..terms("http", &["get"]) }, NoActiveBundle),
    ] {
        assert_eq!(ask(&mut world, me(), request(terms)), Err(expected));
    }
    assert_eq!(ask(&mut world, other("agent-2"), request(terms("http", &["get"]))), Err(CapabilityNotGrantable));
    ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    assert_eq!(code(&mut world, me(), get("https://evil.example/")), CapabilityConstraint);
    assert_eq!(code(&mut world, me(), call("http.head", r#"{"url":"https://api.example.com/"}"#)), LeaseRequired);
    assert!(code(&mut world, me(), good()).is_allow());
    assert!(code(&mut world, me(), good()).is_allow());
    assert_eq!(code(&mut world, me(), good()), LeaseExhausted);
    for bad in [
        GrantTerms { calls: 0, ..terms("http", &["get"]) },
        GrantTerms { actions: vec!["*".into(), "get".into()], ..terms("http", &[]) },
    ] {
        assert!(matches!(world.refused(me(), request(bad)), Refusal::Malformed { .. }));
    }
}

#[test]
fn a_lease_ends_with_its_time_its_calls_its_bundle_or_a_revocation() {
    let mut world = world(2);
    let lease = ask(&mut world, me(), request(terms("http", &["*"]))).unwrap();
    assert!(code(&mut world, me(), good()).is_allow());
    assert_eq!(world.refused(other("agent-2"), revoke(&lease)), Refusal::LeaseNotOwned);
    assert_eq!(world.refused(me(), revoke("nothing")), Refusal::LeaseUnknown);
    world.must(admin("acme"), revoke(&lease));
    assert_eq!(world.refused(admin("acme"), revoke(&lease)), Refusal::LeaseRevoked);
    assert_eq!(code(&mut world, me(), good()), LeaseRevoked);
    // Late by a tick or not: what is over is over.
    ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    world.clock += 61 * SECOND;
    assert_eq!(code(&mut world, me(), good()), LeaseExpired);
    world.clock += 61 * SECOND;
    let tick = world.command(node(), CommandBody::Tick);
    let applied = world.apply(vec![tick]);
    let ends = applied.entries.iter().filter(|entry| entry.kind == "assent.capability.expired");
    assert_eq!(ends.count(), 2);
    assert_eq!(code(&mut world, me(), good()), LeaseRequired);
    // Another bundle narrows a lease at once.
    ask(&mut world, me(), request(terms("http", &["get"]))).unwrap();
    assert!(code(&mut world, me(), good()).is_allow());
    activate_source(&mut world, &GRANTS.replace("api.example.com", "api.example.org"));
    assert_eq!(code(&mut world, me(), good()), CapabilityConstraint);
}

#[test]
fn a_lease_may_be_narrower_and_never_wider_than_the_bundle() {
    let mut world = world(3);
    let narrow = |json: &str| GrantTerms { constraints: json.as_bytes().to_vec(), ..terms("http", &["get"]) };
    ask(&mut world, me(), request(narrow(r#"{"hosts":["evil.example"]}"#))).unwrap();
    assert_eq!(code(&mut world, me(), get("https://evil.example/")), CapabilityConstraint);
    assert_eq!(code(&mut world, me(), good()), CapabilityConstraint);
    ask(&mut world, me(), request(narrow(r#"{"hosts":["api.example.com"]}"#))).unwrap();
    assert!(code(&mut world, me(), good()).is_allow());
    // What arguments a lease admits is a payload and not in the leaf.
    let leaves = String::from_utf8_lossy(&world.leaves.concat()).into_owned();
    assert!(!leaves.contains("evil.example") && !leaves.contains("the report needs it"));
}

#[test]
fn strangers_instructions_get_no_risky_lease() {
    let mut world = world(4);
    let label = TaintLabel {
        source: TaintSource::Web,
        origin: "example.com".into(),
        confidence_milli: 1_000,
        propagated_from: None,
    };
    let context = CallContext { taint: vec![label], ..CallContext::default() };
    let read = call("file.read", r#"{"path":"/srv/data/a"}"#);
    let tainted = Evaluate { run_id: Some("r1".into()), context: Box::new(context), ..read };
    assert!(code(&mut world, me(), tainted).is_allow());
    let in_run = |run: &str, class: &str, action: &str| {
        request(GrantTerms { run_id: Some(run.into()), ..terms(class, &[action]) })
    };
    assert_eq!(ask(&mut world, me(), in_run("r1", "shell", "run")), Err(LeaseTainted));
    ask(&mut world, me(), in_run("r1", "http", "get")).unwrap();
    ask(&mut world, me(), in_run("r2", "shell", "run")).unwrap();
    // A lease that names its run holds there only.
    assert_eq!(code(&mut world, me(), Evaluate { run_id: Some("r2".into()), ..good() }), LeaseRequired);
    assert!(code(&mut world, me(), Evaluate { run_id: Some("r1".into()), ..good() }).is_allow());
}

#[test]
fn two_calls_in_one_batch_do_not_spend_the_last_call_twice() {
    let mut world = world(5);
    ask(&mut world, me(), request(GrantTerms { calls: 1, ..terms("http", &["get"]) })).unwrap();
    let batch = vec![world.command(me(), evaluate(good())), world.command(me(), evaluate(good()))];
    let verdicts: Vec<Verdict> = world
        .apply(batch)
        .answers
        .into_iter()
        .map(|answer| match answer {
            Answer::Decided { verdict, .. } => verdict,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(verdicts, [Verdict::Allow, Verdict::Deny]);
}

#[test]
fn delegation_narrows_and_dies_with_any_link() {
    let mut world = world(6);
    let root = ask(&mut world, me(), request(GrantTerms { calls: 4, ..terms("http", &["get", "head"]) })).unwrap();
    let two = other("agent-2");
    assert_eq!(code(&mut world, two.clone(), behalf(good(), &["agent-1"])), DelegationInvalid);
    let first = ask(&mut world, me(), delegate(Some(&root), "agent-2", terms("http", &["get"]))).unwrap();
    assert_eq!(
        ask(&mut world, two.clone(), delegate(Some(&first), "agent-3", terms("http", &["head"]))),
        Err(CapabilityNotGrantable)
    );
    assert_eq!(
        ask(&mut world, two.clone(), delegate(Some(&first), "agent-3", terms("http", &["*"]))),
        Err(CapabilityNotGrantable)
    );
    assert_eq!(
        ask(&mut world, two.clone(), delegate(Some(&first), "agent-1", terms("http", &["get"]))),
        Err(DelegationInvalid)
    );
    assert_eq!(
        ask(&mut world, two.clone(), delegate(Some(&root), "agent-3", terms("http", &["get"]))),
        Err(DelegationInvalid)
    );
    let second = ask(&mut world, two.clone(), delegate(Some(&first), "agent-3", terms("http", &["get"]))).unwrap();
    let three = || other("agent-3");
    let chain = ["agent-2", "agent-1"];
    // Nobody acts for somebody whom the chain does not name, nor without naming the whole of it.
    assert_eq!(code(&mut world, three(), good()), CapabilityMissing);
    assert_eq!(code(&mut world, three(), behalf(good(), &["agent-1"])), DelegationInvalid);
    assert_eq!(code(&mut world, three(), behalf(good(), &["agent-1", "agent-2"])), DelegationInvalid);
    assert!(code(&mut world, three(), behalf(good(), &chain)).is_allow());
    assert_eq!(code(&mut world, three(), behalf(get("https://evil.example/"), &chain)), CapabilityConstraint);
    // A call that was passed on twice is taken from all three leases: two calls are left to agent-2, then one, then none.
    assert!(code(&mut world, two.clone(), behalf(good(), &["agent-1"])).is_allow());
    assert_eq!(code(&mut world, three(), behalf(good(), &chain)), LeaseExhausted);
    assert!(code(&mut world, me(), good()).is_allow());
    let again = ask(&mut world, me(), delegate(Some(&root), "agent-2", terms("http", &["get"]))).unwrap();
    world.must(me(), revoke(&root));
    assert_eq!(code(&mut world, two, behalf(good(), &["agent-1"])), LeaseRevoked);
    assert_ne!(again, second);
}

#[test]
fn a_standing_capability_is_passed_on_and_follows_its_origin() {
    let mut world = world(7);
    let read = || behalf(call("file.read", r#"{"path":"/srv/data/a"}"#), &["agent-1"]);
    // What needs a lease cannot be passed on without one.
    assert_eq!(ask(&mut world, me(), delegate(None, "agent-2", terms("http", &["get"]))), Err(CapabilityNotGrantable));
    assert_eq!(ask(&mut world, me(), delegate(None, "nobody", terms("file", &["read"]))), Err(PrincipalUnknown));
    ask(&mut world, me(), delegate(None, "agent-2", terms("file", &["read"]))).unwrap();
    assert!(code(&mut world, other("agent-2"), read()).is_allow());
    let outside = behalf(call("file.read", r#"{"path":"/etc/passwd"}"#), &["agent-1"]);
    assert_eq!(code(&mut world, other("agent-2"), outside), CapabilityConstraint);
    world.must(operator(), CommandBody::DisablePrincipal { tenant: tenant("acme"), subject: "agent-1".into() });
    assert_eq!(code(&mut world, other("agent-2"), read()), DelegationInvalid);
}

#[test]
fn delegation_has_a_depth() {
    let mut world = world(8);
    let name = |n: usize| format!("deep-{n}");
    for n in 1..=9 {
        world.must(admin("acme"), register("acme", &name(n)));
        world.must(admin("acme"), credential_of(&other(&name(n))));
    }
    let deep = || GrantTerms { calls: 1, ..terms("file", &["read"]) };
    let mut lease = ask(&mut world, me(), delegate(None, &name(1), deep())).unwrap();
    for n in 1..8 {
        lease = ask(&mut world, other(&name(n)), delegate(Some(&lease), &name(n + 1), deep())).unwrap();
    }
    assert_eq!(ask(&mut world, other(&name(8)), delegate(Some(&lease), &name(9), deep())), Err(DelegationTooDeep));
}

#[test]
fn who_asks_twice_gets_the_same_lease_and_snapshots_keep_it() {
    let mut world = world(9);
    let command = world.command(me(), request(terms("http", &["get"])));
    let first = world.send_command(command.clone());
    world.through_snapshot();
    let mut again = command;
    again.stamp.time = Time(world.clock + SECOND);
    again.stamp.seed = [9; 32];
    match (first, world.send_command(again)) {
        (Answer::Ruled { seq, details, .. }, Answer::Ruled { seq: same, details: kept, replayed: true, .. }) => {
            assert_eq!((seq, details), (same, kept));
        }
        other => panic!("{other:?}"),
    }
    assert!(code(&mut world, me(), good()).is_allow());
    assert_eq!(world.refused(Caller { role: Role::Auditor, ..me() }, request(terms("http", &["get"]))).number(), 30);
}
