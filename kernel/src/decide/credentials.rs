//! Credentials: the roles that a tenant can give, names unique within it, tokens unique on the ledger.

use assent_ledger::ids::TenantId;

use super::{Context, principals};
use crate::command::{NewCredential, Role};
use crate::event::{CredentialRegistered, CredentialRevoked, Event};
use crate::refusal::Refusal;
use crate::state::{Record, StateKey, StateRead};

/// Makes a credential known.
pub(super) fn register<S: StateRead>(ctx: &Context<'_, S>, new: &NewCredential) -> Result<Vec<Event>, Refusal> {
    let tenant = &new.tenant;
    // Roles of the whole ledger live in the system tenant, all others in a tenant of their own; auditors are of both kinds.
    let fits = match new.role {
        Role::Operator => tenant.is_system(),
        Role::TenantAdmin | Role::Agent | Role::Approver | Role::Reporter => !tenant.is_system(),
        Role::Auditor => true,
        // Nodes prove themselves by certificate; a token never makes one.
        Role::Node => false,
    };
    if !fits {
        return Err(Refusal::RoleNotOfTenant { role: new.role });
    }
    require_tenant(ctx, tenant)?;
    if let Some(subject) = new.subject.as_deref().filter(|_| new.role == Role::Agent) {
        principals::require_enabled(ctx, tenant, subject)?;
    }
    let name = StateKey::CredentialName(tenant.clone(), new.name.clone());
    if ctx.state.get(&name).is_some() || ctx.state.get(&StateKey::Credential(new.token_hash)).is_some() {
        return Err(Refusal::CredentialExists);
    }
    let body = CredentialRegistered {
        name: new.name.clone(),
        role: new.role,
        subject: new.subject.clone(),
        token_hash: new.token_hash,
    };
    Ok(vec![ctx.event(tenant, body)])
}

/// Ends a credential.
pub(super) fn revoke<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, name: &str) -> Result<Vec<Event>, Refusal> {
    require_tenant(ctx, tenant)?;
    let found = ctx.state.get(&StateKey::CredentialName(tenant.clone(), name.to_owned()));
    let Some(Record::CredentialName(found)) = found.as_deref() else { return Err(Refusal::CredentialUnknown) };
    match ctx.state.get(&StateKey::Credential(found.token_hash)).as_deref() {
        Some(Record::Credential(credential)) if credential.revoked => Err(Refusal::CredentialRevoked),
        Some(Record::Credential(_)) => {
            let body = CredentialRevoked { name: name.to_owned(), token_hash: found.token_hash };
            Ok(vec![ctx.event(tenant, body)])
        }
        _ => Err(Refusal::CredentialUnknown),
    }
}

/// The system tenant needs no record; whoever may act in it was found to be its operator.
pub(super) fn require_tenant<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId) -> Result<(), Refusal> {
    if tenant.is_system() { Ok(()) } else { ctx.enabled_tenant(tenant).map(|_| ()) }
}
