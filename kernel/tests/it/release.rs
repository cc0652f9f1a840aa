//! Who opens the door out of quarantine, and for how many runs it has to be opened.

use crate::support::runs::run;
use crate::support::*;
use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{Caller, CommandBody, OfferedSource, Role, RunCommand, RunRequest};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::refusal::Refusal;
use assent_kernel::state::keys::RunMode;

fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

/// A person with a credential of this role.
fn person(world: &mut World, of: &str, name: &str, role: Role) -> Caller {
    let caller = Caller { role, credential: format!("key-{name}"), ..agent(of, Some(name)) };
    world.must(admin(of), credential_of(&caller));
    caller
}

fn quarantine(run_id: &str) -> CommandBody {
    let (tenant, run_id, justification) = (tenant("acme"), run_id.to_owned(), b"odd".to_vec());
    run(RunCommand::SetRunMode { tenant, run_id, mode: RunMode::Quarantined, justification })
}

fn release(run_id: &str) -> CommandBody {
    let (tenant, run_id, justification) = (tenant("acme"), run_id.to_owned(), b"looked at".to_vec());
    run(RunCommand::ReleaseQuarantine { tenant, run_id, justification })
}

fn open(world: &mut World, run_id: &str) {
    let run = RunRequest { run_id: run_id.into(), subject: None, parent_run_id: None };
    world.must(me(), CommandBody::OpenRun(run));
}

fn code(world: &mut World) -> ReasonCode {
    match world.send(me(), mail()) {
        Answer::Decided { codes, .. } => codes[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_release_is_a_matter_of_the_tenant() {
    let mut world = World::ready(41);
    open(&mut world, "r1");
    world.must(admin("acme"), quarantine("r1"));
    let stranger = person(&mut world, "zeta", "boss@zeta.example", Role::Approver);
    assert_eq!(world.refused(stranger, release("r1")), Refusal::OtherTenant);
    assert_eq!(world.refused(admin("zeta"), release("r1")), Refusal::OtherTenant);
    assert_eq!(code(&mut world), RunQuarantined);
    let own = person(&mut world, "acme", "boss@example.com", Role::Approver);
    world.must(own, release("r1"));
    assert!(code(&mut world).is_allow());
}

#[test]
fn every_quarantined_run_has_to_be_released() {
    let mut world = World::ready(42);
    let boss = person(&mut world, "acme", "boss@example.com", Role::Approver);
    let runs: Vec<String> = (0..19).map(|n| format!("r{n}")).collect();
    for run_id in &runs {
        open(&mut world, run_id);
        world.must(admin("acme"), quarantine(run_id));
        assert_eq!(world.refused(admin("acme"), quarantine(run_id)), Refusal::Unchanged);
    }
    // Closing one is no release, whether it is listed or not.
    for run_id in ["r3", "r18"] {
        let run = RunRequest { run_id: run_id.into(), subject: None, parent_run_id: None };
        world.must(me(), CommandBody::CloseRun(run));
    }
    for run_id in &runs {
        assert_eq!(code(&mut world), RunQuarantined, "before {run_id} is released");
        world.must(boss.clone(), release(run_id));
        assert_eq!(world.refused(boss.clone(), release(run_id)), Refusal::Unchanged);
    }
    assert!(code(&mut world).is_allow());
}

#[test]
fn no_owner_releases_its_own_agent() {
    let mut world = World::ready(43);
    // In one environment of several the bundle says who owns the agent.
    let source = BUNDLE.replacen("subject: agent-1\n", "subject: agent-1\n    owner: owner@example.com\n", 1);
    assert_ne!(source, BUNDLE);
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let (of, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant: of, environment: "test".into(), bundle_hash });
    open(&mut world, "r1");
    world.must(admin("acme"), quarantine("r1"));
    for name in ["ops@example.com", "owner@example.com"] {
        let owner = person(&mut world, "acme", name, Role::Approver);
        assert_eq!(world.refused(owner, release("r1")), Refusal::SeparationOfDuties, "{name}");
    }
    // Who cannot say who it is may be the owner.
    assert_eq!(world.refused(admin("acme"), release("r1")), Refusal::SubjectMissing);
    let boss = person(&mut world, "acme", "boss@example.com", Role::TenantAdmin);
    world.must(boss, release("r1"));
    assert!(code(&mut world).is_allow());
}
