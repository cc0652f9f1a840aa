//! Subjects of a tenant: registered before they are allowed anything. A disabled one can be enabled again; what it held, waited for
//! or was allowed before is dead for good.

use assent_ledger::ids::TenantId;

use super::Context;
use crate::event::{Event, PrincipalDisabled, PrincipalRegistered};
use crate::refusal::Refusal;
use crate::state::{Record, StateKey, StateRead};

/// Makes a subject known.
pub(super) fn register<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    subject: &str,
    owner: Option<&str>,
) -> Result<Vec<Event>, Refusal> {
    ctx.enabled_tenant(tenant)?;
    if ctx.state.get(&StateKey::Principal(tenant.clone(), subject.to_owned())).is_some() {
        return Err(Refusal::PrincipalExists);
    }
    let body = PrincipalRegistered { subject: subject.to_owned(), owner: owner.map(str::to_owned) };
    Ok(vec![ctx.event(tenant, body)])
}

/// Disables a subject.
pub(super) fn disable<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    subject: &str,
) -> Result<Vec<Event>, Refusal> {
    ctx.enabled_tenant(tenant)?;
    require_enabled(ctx, tenant, subject)?;
    Ok(vec![ctx.event(tenant, PrincipalDisabled { subject: subject.to_owned() })])
}

/// The subject must be known and enabled.
pub(super) fn require_enabled<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    subject: &str,
) -> Result<(), Refusal> {
    match ctx.state.get(&StateKey::Principal(tenant.clone(), subject.to_owned())).as_deref() {
        Some(Record::Principal(principal)) if principal.disabled => Err(Refusal::PrincipalDisabled),
        Some(Record::Principal(_)) => Ok(()),
        _ => Err(Refusal::PrincipalUnknown),
    }
}
