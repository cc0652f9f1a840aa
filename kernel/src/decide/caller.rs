//! Who may do what: the role that each command needs, and whether the credential still is what the node took it for.

use assent_ledger::ids::TenantId;

use crate::command::{ApprovalCommand, Caller, Command, CommandBody, ReportSignal, Role};
use crate::refusal::Refusal;
use crate::state::{Record, StateKey, StateRead};

/// Checks role, tenant and credential of a command's caller.
pub(super) fn check(state: &impl StateRead, command: &Command) -> Result<(), Refusal> {
    let caller = &command.caller;
    let role = caller.role;
    if !permitted(&command.body).contains(&role) {
        return Err(Refusal::RoleNotPermitted { role, command: command.body.name() });
    }
    match role {
        Role::Operator | Role::Node if caller.tenant.is_system() => {}
        Role::Operator | Role::Node => return Err(Refusal::OtherTenant),
        // Whatever else a credential may do, it does in its own tenant.
        _ if target(&command.body).is_some_and(|tenant| *tenant != caller.tenant) => return Err(Refusal::OtherTenant),
        _ => {}
    }
    // Nodes authenticate each other by certificate, and before the genesis there is no credential: neither has a record.
    if role == Role::Node || matches!(command.body, CommandBody::Genesis(_)) {
        return Ok(());
    }
    check_credential(state, caller)
}

fn permitted(body: &CommandBody) -> &'static [Role] {
    match body {
        CommandBody::Genesis(_)
        | CommandBody::CreateTenant(_)
        | CommandBody::EndorseKey(_)
        | CommandBody::RetireKey(_) => &[Role::Operator],
        CommandBody::RegisterPrincipal { .. }
        | CommandBody::DisablePrincipal { .. }
        | CommandBody::RegisterCredential(_)
        | CommandBody::RevokeCredential { .. }
        | CommandBody::OfferBundle(_)
        | CommandBody::ActivateBundle { .. } => &[Role::Operator, Role::TenantAdmin],
        CommandBody::OpenRun(_) | CommandBody::CloseRun(_) | CommandBody::Evaluate(_) => &[Role::Agent],
        CommandBody::Seal { .. } => &[Role::Node, Role::Operator],
        CommandBody::Control(control) => control.permitted(),
        CommandBody::Grant(grant) => grant.permitted(),
        CommandBody::Approval(_) => ApprovalCommand::PERMITTED,
        CommandBody::Execution(asked) => asked.permitted(),
        CommandBody::Message(message) => message.permitted(),
        CommandBody::Memory(memory) => memory.permitted(),
        CommandBody::Run(run) => run.permitted(),
        CommandBody::Signal(_) => ReportSignal::PERMITTED,
        CommandBody::Cosigned(_) | CommandBody::Anchored(_) | CommandBody::Tick => &[Role::Node],
    }
}

/// The tenant that a command names.
fn target(body: &CommandBody) -> Option<&TenantId> {
    match body {
        CommandBody::RegisterPrincipal { tenant, .. }
        | CommandBody::DisablePrincipal { tenant, .. }
        | CommandBody::RevokeCredential { tenant, .. }
        | CommandBody::ActivateBundle { tenant, .. } => Some(tenant),
        CommandBody::RegisterCredential(new) => Some(&new.tenant),
        CommandBody::OfferBundle(offer) => Some(&offer.tenant),
        CommandBody::Control(control) => control.target(),
        CommandBody::Message(message) => message.target(),
        CommandBody::Grant(grant) => grant.target(),
        CommandBody::Memory(memory) => memory.target(),
        CommandBody::Run(run) => run.target(),
        _ => None,
    }
}

/// A revocation holds from its entry on, also for commands that were accepted before it and are committed behind it.
fn check_credential(state: &impl StateRead, caller: &Caller) -> Result<(), Refusal> {
    let name = state.get(&StateKey::CredentialName(caller.tenant.clone(), caller.credential.clone()));
    let Some(Record::CredentialName(name)) = name.as_deref() else { return Err(Refusal::CredentialNotValid) };
    match state.get(&StateKey::Credential(name.token_hash)).as_deref() {
        Some(Record::Credential(known))
            if !known.revoked && known.role == caller.role && known.subject == caller.subject =>
        {
            Ok(())
        }
        _ => Err(Refusal::CredentialNotValid),
    }
}
