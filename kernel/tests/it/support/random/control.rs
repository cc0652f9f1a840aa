//! Switches, settings, erasure and versions; and what takes back whatever stands in the way, so that a long sequence goes on deciding.

use assent_kernel::command::{Caller, CommandBody, ControlCommand, KillTarget, RunCommand, TenantSettings};
use assent_kernel::state::keys::RunMode;
use assent_kernel::state::{Record, StateKey};
use assent_ledger::hash::Hash;
use assent_ledger::ids::{NodeId, Seq};

use super::super::runs::run;
use super::super::{Dice, World, admin, control as body, node, operator, tenant};
use super::seen::recent;
use super::{SUBJECTS, boss, of, once_in};

/// A runtime layer that denies one tool.
pub const RUNTIME: &str = "rules: [{id: stop-mail, match: {tool: mail.send}, decision: deny}]";

/// A control command; what would stop everything is rare.
pub fn control(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let of = of(dice);
    let tenant = tenant(of);
    let by = dice.pick(&[operator(), admin(of)]);
    let command = match dice.below(14) {
        0 => {
            let (of, disabled) = (dice.pick(&["acme", "zeta", "zeta", "newco"]), once_in(dice, 2));
            return (
                operator(),
                body(ControlCommand::SetTenantDisabled { tenant: super::super::tenant(of), disabled }),
            );
        }
        1 => {
            let (version, supports) = (dice.below(4) as u32, vec![NodeId(1), NodeId(2), NodeId(3)]);
            return (operator(), body(ControlCommand::ActivateKernelVersion { version, supports }));
        }
        2 => {
            let settings = TenantSettings { observe: once_in(dice, 3), require_attested: once_in(dice, 3) };
            ControlCommand::ConfigureTenant { tenant, settings }
        }
        3..=5 => {
            let (seq, commitment) = (Seq(dice.below(200)), Hash([dice.below(9) as u8; 32]));
            let known = recent(dice, &world.seen.payloads, 200).filter(|_| dice.below(3) > 0);
            let (tenant, seq, commitment) = known.unwrap_or((tenant, seq, commitment));
            let justification = b"asked for by the person".to_vec();
            return (operator(), body(ControlCommand::ErasePayload { tenant, seq, commitment, justification }));
        }
        6..=8 => {
            let source = dice.pick(&[RUNTIME, "rules: []", "rules: ["]).as_bytes().to_vec();
            ControlCommand::SetRuntimeRules { tenant, environment: "prod".into(), source }
        }
        _ => {
            let agent = KillTarget::Agent(dice.pick(&SUBJECTS[1..]).into());
            let target = dice.pick(&[KillTarget::Tenant, agent, KillTarget::Tool("http.fetch".into())]);
            let engaged = once_in(dice, if target == KillTarget::Tenant { 3 } else { 2 });
            ControlCommand::KillSwitch { tenant, target, engaged, justification: b"just in case".to_vec() }
        }
    };
    (by, body(command))
}

/// Takes something back that stops or restricts somebody; where there is nothing, time goes on.
pub fn mend(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let mut stops: Vec<(Caller, CommandBody)> = Vec::new();
    for (key, record) in world.state.records() {
        let justification = b"it is over".to_vec();
        match (key.clone(), record.as_ref()) {
            (StateKey::Tenant(tenant), Record::Tenant(known)) if known.disabled => {
                stops.push((operator(), body(ControlCommand::SetTenantDisabled { tenant, disabled: false })));
            }
            (StateKey::Principal(tenant, subject), Record::Principal(known)) if known.disabled => {
                stops.push((operator(), body(ControlCommand::EnablePrincipal { tenant, subject })));
            }
            (StateKey::TenantSettings(tenant), Record::TenantSettings(known))
                if known.settings != TenantSettings::default() =>
            {
                let settings = TenantSettings::default();
                stops.push((operator(), body(ControlCommand::ConfigureTenant { tenant, settings })));
            }
            (StateKey::KillSwitch(tenant, text), Record::KillSwitch(known)) if known.engaged => {
                let (kind, name) = text.split_once(':').unwrap();
                let target = KillTarget::from_parts(kind, name).unwrap();
                let released = ControlCommand::KillSwitch { tenant, target, engaged: false, justification };
                stops.push((operator(), body(released)));
            }
            (StateKey::RuntimeRules(tenant, environment), _) => {
                let source = b"rules: []".to_vec();
                stops.push((operator(), body(ControlCommand::SetRuntimeRules { tenant, environment, source })));
            }
            (StateKey::Run(tenant, run_id), Record::Run(known)) if known.quarantined => {
                let by = boss(tenant.as_str());
                stops.push((by, run(RunCommand::ReleaseQuarantine { tenant, run_id, justification })));
            }
            (StateKey::Run(tenant, run_id), Record::Run(known)) if known.mode == RunMode::Restricted => {
                let (by, mode) = (admin(tenant.as_str()), RunMode::Normal);
                stops.push((by, run(RunCommand::SetRunMode { tenant, run_id, mode, justification })));
            }
            _ => {}
        }
    }
    if stops.is_empty() { (node(), CommandBody::Tick) } else { dice.pick(&stops) }
}
