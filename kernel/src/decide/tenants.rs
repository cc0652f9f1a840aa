//! The creation of tenants: an entry without the name in the system's chain, and one with it in the tenant's own.

use assent_ledger::ids::TenantId;
use assent_ledger::map::opaque_tenant_id;

use super::{Context, ledger};
use crate::command::NewTenant;
use crate::event::{Event, NamedTenant, TenantCreated};
use crate::refusal::Refusal;
use crate::state::{StateKey, StateRead};

/// Creates a tenant.
pub(super) fn create<S: StateRead>(ctx: &Context<'_, S>, new: &NewTenant) -> Result<Vec<Event>, Refusal> {
    let ledger = ledger(ctx.state).ok_or(Refusal::NotCreated)?;
    if ctx.state.get(&StateKey::Tenant(new.tenant.clone())).is_some() {
        return Err(Refusal::TenantExists);
    }
    let opaque = opaque_tenant_id(&ledger.origin, &new.blind, &new.tenant);
    let named = NamedTenant { tenant: new.tenant.clone(), blind: new.blind };
    Ok(vec![
        ctx.event(&TenantId::system(), TenantCreated { opaque, named: None }),
        ctx.event(&new.tenant, TenantCreated { opaque, named: Some(named) }),
    ])
}
