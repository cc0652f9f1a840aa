//! Policy bundles: compiled when they are offered, so that activating one is a single small entry. What an operator activates for the
//! system's tenant is a baseline, for one environment of every tenant or, under `*`, for all of them.

use core::fmt::Write as _;

use assent_ledger::hash::Hash;
use assent_ledger::ids::TenantId;

use super::{Context, credentials};
use crate::bundle::{self, BundleError};
use crate::command::OfferedSource;
use crate::event::{BUNDLE_ROLE, BundleActivated, BundleOffered, Event, PayloadIntent, RuntimeRulesSet};
use crate::limits::{BUNDLE_ERRORS_SHOWN_MAX, ENVIRONMENTS_MAX};
use crate::refusal::Refusal;
use crate::state::keys::EnvironmentsRecord;
use crate::state::{Record, StateKey, StateRead};

/// Takes a bundle in if it compiles.
pub(super) fn offer<S: StateRead>(ctx: &Context<'_, S>, offer: &OfferedSource) -> Result<Vec<Event>, Refusal> {
    credentials::require_tenant(ctx, &offer.tenant)?;
    let hash = bundle::bundle_hash(&offer.source);
    if ctx.state.get(&StateKey::OfferedBundle(offer.tenant.clone(), hash)).is_some() {
        return Err(Refusal::BundleExists);
    }
    // A source that another tenant offered has compiled already; whether it did is not visible from outside.
    let baseline = offer.tenant.is_system();
    if baseline || ctx.state.get(&StateKey::Bundle(hash)).is_none() {
        let compiled = ctx.state.compiled(&hash, &offer.source).map_err(|errors| invalid(&errors))?;
        if baseline {
            compiled.check_baseline().map_err(|errors| invalid(&errors))?;
        }
    }
    let mut event = ctx.event(&offer.tenant, BundleOffered { bundle: hash });
    let content_type = "application/yaml".to_owned();
    event.payloads.push(PayloadIntent { role: BUNDLE_ROLE, content_type, bytes: offer.source.clone() });
    Ok(vec![event])
}

/// Makes an offered bundle decide.
pub(super) fn activate<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    environment: &str,
    bundle: Hash,
) -> Result<Vec<Event>, Refusal> {
    credentials::require_tenant(ctx, tenant)?;
    if ctx.state.get(&StateKey::OfferedBundle(tenant.clone(), bundle)).is_none() {
        return Err(Refusal::BundleNotOffered);
    }
    let active = ctx.state.get(&StateKey::ActiveBundle(tenant.clone(), environment.to_owned()));
    let previous = match active.as_deref() {
        Some(Record::ActiveBundle(active)) => Some(active.bundle),
        _ => None,
    };
    if previous == Some(bundle) {
        return Err(Refusal::BundleActive);
    }
    if previous.is_none() && environments(ctx.state, tenant).names.len() >= ENVIRONMENTS_MAX {
        return Err(Refusal::TooManyEnvironments { max: ENVIRONMENTS_MAX });
    }
    Ok(vec![ctx.event(tenant, BundleActivated { environment: environment.to_owned(), bundle, previous })])
}

/// Sets the rules that are asked before those of the active bundle; a source without rules takes the layer away.
pub(super) fn set_runtime<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    environment: &str,
    source: &[u8],
) -> Result<Vec<Event>, Refusal> {
    ctx.enabled_tenant(tenant)?;
    let active = ctx.state.get(&StateKey::ActiveBundle(tenant.clone(), environment.to_owned()));
    let Some(Record::ActiveBundle(active)) = active.as_deref() else { return Err(Refusal::BundleNotOffered) };
    let compiled = ctx.state.bundle(&active.bundle).ok_or(Refusal::BundleNotOffered)?;
    let rules = bundle::compile_runtime(source, &compiled).map_err(|errors| invalid(&errors))?;
    let known = ctx.state.get(&StateKey::RuntimeRules(tenant.clone(), environment.to_owned()));
    let same = matches!(known.as_deref(), Some(Record::RuntimeRules(known)) if known.hash == rules.hash());
    if same || (known.is_none() && rules.is_empty()) {
        return Err(Refusal::Unchanged);
    }
    let body = RuntimeRulesSet {
        bundle: active.bundle,
        environment: environment.to_owned(),
        rules: u32::try_from(rules.len()).unwrap_or(u32::MAX),
        runtime: rules.hash(),
    };
    let mut event = ctx.event(tenant, body);
    let content_type = "application/yaml".to_owned();
    event.payloads.push(PayloadIntent { role: BUNDLE_ROLE, content_type, bytes: source.to_vec() });
    Ok(vec![event])
}

fn invalid(errors: &[BundleError]) -> Refusal {
    let mut shown = String::new();
    for error in errors.iter().take(BUNDLE_ERRORS_SHOWN_MAX) {
        let newline = if shown.is_empty() { "" } else { "\n" };
        // Writing to a string cannot fail.
        let _ = write!(shown, "{newline}{}", error.in_file("bundle"));
    }
    Refusal::BundleInvalid { total: errors.len(), shown }
}

/// In which environments a tenant has bundles.
pub fn environments(state: &impl StateRead, tenant: &TenantId) -> EnvironmentsRecord {
    match state.get(&StateKey::Environments(tenant.clone())).as_deref() {
        Some(Record::Environments(known)) => known.clone(),
        _ => EnvironmentsRecord::default(),
    }
}
