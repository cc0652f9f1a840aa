//! Reported signals: who may report, what stays, and when it ends.

use crate::support::calls::activate_source;
use crate::support::*;
use assent_kernel::command::{Caller, CommandBody, ReportSignal, Role, RunRequest, SignalScope, Signals};
use assent_kernel::decide::signals_of;
use assent_kernel::machine::Answer;
use assent_kernel::refusal::Refusal;
use assent_kernel::state::{StateKey, StateRead};
use assent_ledger::entry::Entry;
use assent_ledger::ids::Time;

fn report(scope: SignalScope, signals: Signals, valid_seconds: u32) -> CommandBody {
    CommandBody::Signal(Box::new(ReportSignal { scope, signals, valid_seconds }))
}

fn risk(risk: u32) -> Signals {
    Signals { risk_milli: Some(risk), ..Signals::default() }
}

fn of_agent() -> SignalScope {
    SignalScope::Subject("agent-1".into())
}

fn of_run(run: &str) -> SignalScope {
    SignalScope::Run(run.into())
}

fn held(world: &World, run: Option<&str>, subjects: &[&str]) -> Signals {
    signals_of(&world.state, &tenant("acme"), run, subjects.iter().copied(), Time(world.clock))
}

fn world() -> World {
    let mut world = World::ready(1);
    world.must(admin("acme"), credential_of(&reporter("acme", None)));
    let open = RunRequest { run_id: "run-1".into(), subject: None, parent_run_id: None };
    world.must(agent("acme", Some("agent-1")), CommandBody::OpenRun(open));
    world
}

#[test]
fn only_a_registered_reporter_reports_and_only_in_its_tenant() {
    let mut world = world();
    for caller in [agent("acme", Some("agent-1")), agent("acme", None), admin("acme"), operator(), node()] {
        let role = caller.role;
        let refusal = world.refused(caller, report(of_agent(), risk(0), 60));
        assert_eq!(refusal, Refusal::RoleNotPermitted { role, command: "report-signal" });
    }
    // An agent that calls itself a reporter has another credential on record.
    let posing = Caller { role: Role::Reporter, ..agent("acme", Some("agent-1")) };
    assert_eq!(world.refused(posing, report(of_agent(), risk(0), 60)), Refusal::CredentialNotValid);
    assert_eq!(world.refused(reporter("zeta", None), report(of_agent(), risk(0), 60)), Refusal::CredentialNotValid);
    let unknown = SignalScope::Subject("agent-9".into());
    assert_eq!(world.refused(reporter("acme", None), report(unknown, risk(1), 60)), Refusal::PrincipalUnknown);
    assert_eq!(world.refused(reporter("acme", None), report(of_run("run-9"), risk(1), 60)), Refusal::RunUnknown);
    world.must(reporter("acme", None), report(SignalScope::Tenant, risk(400), 60));
    assert_eq!(held(&world, None, &[]).risk_milli, Some(400));
    let of_zeta = signals_of(&world.state, &tenant("zeta"), None, ["agent-1"], Time(world.clock));
    assert!(of_zeta.is_empty(), "{of_zeta:?}");
    let system = credential_of(&Caller { tenant: operator().tenant, ..reporter("acme", None) });
    assert_eq!(world.refused(operator(), system), Refusal::RoleNotOfTenant { role: Role::Reporter });
}

#[test]
fn nobody_reports_about_itself_nor_an_owner_about_its_agent() {
    let mut world = world();
    for subject in ["agent-1", "ada"] {
        world.must(admin("acme"), credential_of(&reporter("acme", Some(subject))));
    }
    let owned =
        CommandBody::RegisterPrincipal { tenant: tenant("acme"), subject: "agent-2".into(), owner: Some("ada".into()) };
    world.must(admin("acme"), owned);
    let (own, owner) = (reporter("acme", Some("agent-1")), reporter("acme", Some("ada")));
    for (caller, scope) in [
        (own.clone(), of_agent()),
        (own.clone(), of_run("run-1")),
        (owner.clone(), SignalScope::Subject("agent-2".into())),
    ] {
        assert_eq!(world.refused(caller, report(scope, risk(0), 60)), Refusal::SeparationOfDuties);
    }
    world.must(own, report(SignalScope::Subject("agent-2".into()), risk(10), 60));
    world.must(owner.clone(), report(of_agent(), risk(20), 60));
    // Whose owner is named in a bundle of any environment.
    let source = "name: n\nversion: 1\ntools: [{name: t, class: c, action: a}]\n\
        principals: [{subject: agent-1, owner: ada, capabilities: [{class: c, actions: [a]}]}]\n";
    activate_source(&mut world, source);
    for scope in [of_agent(), of_run("run-1")] {
        assert_eq!(world.refused(owner.clone(), report(scope, risk(0), 60)), Refusal::SeparationOfDuties);
    }
    world.must(owner, report(SignalScope::Tenant, risk(20), 60));
}

#[test]
fn the_shape_of_a_report_is_checked() {
    let mut world = world();
    let tenant = || SignalScope::Tenant;
    for (body, field) in [
        (report(tenant(), Signals::default(), 60), "signals"),
        (report(tenant(), risk(1_001), 60), "risk_milli"),
        (report(tenant(), risk(1), 0), "valid_seconds"),
        (report(tenant(), risk(1), 24 * 3_600 + 1), "valid_seconds"),
        (report(SignalScope::Subject("free text".into()), risk(1), 60), "scope"),
        (report(of_run(""), risk(1), 60), "scope"),
    ] {
        let refusal = world.refused(reporter("acme", None), body);
        assert!(matches!(&refusal, Refusal::Malformed { field: of, .. } if *of == field), "{field}: {refusal:?}");
    }
}

#[test]
fn the_highest_of_run_subject_and_tenant_holds_until_each_ends() {
    let mut world = world();
    let busy = Signals { queue_depth: Some(40), budget_use_milli: Some(1_200), ..risk(100) };
    world.must(reporter("acme", None), report(SignalScope::Tenant, busy, 3_600));
    world.must(reporter("acme", None), report(of_agent(), risk(900), 60));
    world.must(reporter("acme", None), report(of_run("run-1"), risk(500), 600));
    assert_eq!(held(&world, Some("run-1"), &["agent-1"]), Signals { risk_milli: Some(900), ..busy });
    assert_eq!(held(&world, Some("run-1"), &["agent-2", "agent-1"]).risk_milli, Some(900), "on its behalf");
    assert_eq!(held(&world, Some("run-1"), &["agent-2"]).risk_milli, Some(500));
    world.clock += 60 * SECOND;
    assert_eq!(held(&world, Some("run-1"), &["agent-1"]).risk_milli, Some(500), "the subject's has ended");
    // A later report takes the place of an earlier one, and may be lower: it is the reporter's word.
    world.must(reporter("acme", None), report(of_run("run-1"), risk(50), 600));
    assert_eq!(held(&world, Some("run-1"), &["agent-1"]), busy);
}

#[test]
fn there_is_one_record_a_scope_and_a_tick_removes_it() {
    let mut world = world();
    for n in 0..50 {
        world.must(reporter("acme", None), report(of_agent(), risk(n), 60));
    }
    let key = StateKey::Signal(tenant("acme"), of_agent().key());
    let before = world.state.get(&key).unwrap().encode();
    assert!(before.len() < 64, "{} bytes", before.len());
    world.clock += 3_600 * SECOND;
    assert!(matches!(world.send(node(), CommandBody::Tick), Answer::Recorded { .. }));
    assert!(world.state.get(&key).is_none());
}

#[test]
fn a_report_is_an_entry_of_what_it_is_about() {
    let mut world = world();
    let command = world.command(reporter("acme", None), report(of_run("run-1"), risk(700), 60));
    let time = command.stamp.time;
    let applied = world.apply(vec![command.clone()]);
    let entry = Entry::parse(&applied.entries[0].leaf).unwrap();
    assert_eq!((entry.kind.as_str(), entry.run_id.as_deref()), ("assent.signal.reported", Some("run-1")));
    assert_eq!(entry.actor.as_deref(), Some("credential:key-watch"));
    let body = String::from_utf8(entry.body.to_bytes().unwrap()).unwrap();
    let expires = time.0 + 60 * SECOND;
    assert_eq!(body, format!(r#"{{"expires":"{expires}","name":"run-1","risk_milli":700,"scope":"run"}}"#));
    // The same request again makes no entry.
    let size = world.machine.size();
    assert!(matches!(world.send_command(command), Answer::Recorded { replayed: true, .. }));
    assert_eq!(world.machine.size(), size);
}
