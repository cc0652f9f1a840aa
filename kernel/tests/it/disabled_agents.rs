//! Nothing is opened, registered or reported in the name of an agent that is disabled.

use super::messages;
use crate::support::*;
use assent_kernel::command::{
    CommandBody, ControlCommand, MessageCommand, ReportSignal, RunRequest, SignalScope, Signals,
};
use assent_kernel::refusal::Refusal;

#[test]
fn a_disabled_agent_gets_nothing_until_it_is_enabled_again() {
    let mut world = World::ready(1);
    world.must(admin("acme"), credential_of(&reporter("acme", None)));
    let disable = || CommandBody::DisablePrincipal { tenant: tenant("acme"), subject: "agent-1".into() };
    let second = assent_kernel::command::Caller { credential: "second".into(), ..agent("acme", Some("agent-1")) };
    let signals = Signals { risk_milli: Some(10), ..Signals::default() };
    let scope = SignalScope::Subject("agent-1".into());
    let asked = [
        (
            agent("acme", Some("agent-1")),
            CommandBody::OpenRun(RunRequest { run_id: "r1".into(), subject: None, parent_run_id: None }),
        ),
        (admin("acme"), credential_of(&second)),
        (
            admin("acme"),
            messages::message(MessageCommand::RegisterKey(messages::new_key(
                "agent-1",
                "k1",
                &messages::seed_of("agent-1"),
            ))),
        ),
        (reporter("acme", None), CommandBody::Signal(Box::new(ReportSignal { scope, signals, valid_seconds: 60 }))),
    ];
    world.must(admin("acme"), disable());
    assert_eq!(world.refused(admin("acme"), disable()), Refusal::PrincipalDisabled);
    for (caller, body) in asked.clone() {
        assert_eq!(world.refused(caller, body.clone()), Refusal::PrincipalDisabled, "{body:?}");
    }
    let enable = ControlCommand::EnablePrincipal { tenant: tenant("acme"), subject: "agent-1".into() };
    world.must(admin("acme"), control(enable));
    for (caller, body) in asked {
        world.must(caller, body);
    }
}
