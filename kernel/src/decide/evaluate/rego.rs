//! How much of everybody's time a tenant's Rego may take. Apply is serial: what one tenant's policy takes, all wait for. One evaluation is
//! bounded, and all of a tenant's over time are by a bucket of units on stamped time, which each decision's effects empty.

use super::layers::Layers;
use crate::bundle::rego::limits::BUDGET_DEFAULT as UNITS_PER_CALL_MAX;
use crate::bundle::{CompiledBundle, Work};
use crate::charge::{REGO_RATE, rego_rate_key};
use crate::decide::Context;
use crate::state::{Record, StateKey, StateRead};
use assent_ledger::ids::TenantId;

/// Lets no Rego run for a call of the tenant when its bucket does not hold what one decision may take. Less than that does not begin: a
/// tenant that is over its rate would otherwise spend every unit that comes in on evaluations that end for want of units.
pub(super) fn admit<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    bundle: Option<&CompiledBundle>,
    layers: &Layers,
    work: &Work,
) {
    if ![bundle, layers.baseline()].into_iter().flatten().any(CompiledBundle::has_rego) {
        return;
    }
    let known = ctx.state.get(&StateKey::Rate(tenant.clone(), rego_rate_key()));
    let known = known.as_deref().and_then(|record| if let Record::Rate(rate) = record { Some(rate) } else { None });
    if REGO_RATE.credit(known, ctx.now) < REGO_RATE.of_calls(UNITS_PER_CALL_MAX) {
        work.refuse_rego();
    }
}
