//! Control commands: switches, settings, erasure, versions.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{NodeId, Seq, TenantId};

use super::{Context, ledger, policy};
use crate::command::{ControlCommand, KillTarget, TenantSettings};
use crate::event::{
    Event, EventBody, JUSTIFICATION_ROLE, KernelActivated, KillSwitchSet, PayloadErased, PayloadIntent,
    PrincipalEnabled, TenantConfigured, TenantDisabled,
};
use crate::limits::{KERNEL_VERSION, KERNEL_VERSIONS};
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::state::keys::{KillSwitchRecord, TenantRecord};
use crate::state::{Record, StateKey, StateRead};

/// Decides a control command.
pub(super) fn control<S: StateRead>(ctx: &Context<'_, S>, asked: &ControlCommand) -> Result<Vec<Event>, Refusal> {
    match asked {
        ControlCommand::ErasePayload { tenant, seq, commitment, justification } => {
            erase(ctx, tenant, *seq, *commitment, justification)
        }
        ControlCommand::ConfigureTenant { tenant, settings: new } => {
            ctx.enabled_tenant(tenant)?;
            if settings(ctx.state, tenant) == *new {
                return Err(Refusal::Unchanged);
            }
            Ok(vec![ctx.event(tenant, TenantConfigured { settings: *new })])
        }
        ControlCommand::SetTenantDisabled { tenant, disabled } => {
            if known_tenant(ctx, tenant)?.disabled == *disabled {
                return Err(Refusal::Unchanged);
            }
            Ok(vec![ctx.event(tenant, TenantDisabled { disabled: *disabled })])
        }
        ControlCommand::KillSwitch { tenant, target, engaged, justification } => {
            // A switch works on a disabled tenant too: it may be engaged before the tenant is enabled again.
            known_tenant(ctx, tenant)?;
            if is_engaged(ctx.state, tenant, target) == *engaged {
                return Err(Refusal::Unchanged);
            }
            let body = KillSwitchSet { engaged: *engaged, target: target.clone() };
            Ok(vec![justified(ctx, tenant, body, justification)])
        }
        ControlCommand::ActivateKernelVersion { version, supports } => activate(ctx, *version, supports),
        ControlCommand::EnablePrincipal { tenant, subject } => enable(ctx, tenant, subject),
        ControlCommand::SetRuntimeRules { tenant, environment, source } => {
            policy::set_runtime(ctx, tenant, environment, source)
        }
    }
}

/// A tenant's settings; those that nobody set are the default.
pub fn settings(state: &impl StateRead, tenant: &TenantId) -> TenantSettings {
    match state.get(&StateKey::TenantSettings(tenant.clone())).as_deref() {
        Some(Record::TenantSettings(record)) => record.settings,
        _ => TenantSettings::default(),
    }
}

/// The kill switch that stops a call: the tenant's, one of the subjects' (the caller first, then those on whose behalf it acts), or
/// the tool's.
pub fn killed<'a>(
    state: &impl StateRead,
    tenant: &TenantId,
    subjects: impl IntoIterator<Item = &'a str>,
    tool: Option<&str>,
) -> Option<ReasonCode> {
    if is_engaged(state, tenant, &KillTarget::<&str>::Tenant) {
        return Some(ReasonCode::KillSwitchTenant);
    }
    if subjects.into_iter().any(|subject| is_engaged(state, tenant, &KillTarget::Agent(subject))) {
        return Some(ReasonCode::KillSwitchAgent);
    }
    let killed = tool.is_some_and(|tool| is_engaged(state, tenant, &KillTarget::Tool(tool)));
    killed.then_some(ReasonCode::KillSwitchTool)
}

/// Whether one of the switches that concern a call was engaged at `since` or later, even if it was released again: what was
/// allowed before must not run after it.
pub fn killed_since<'a>(
    state: &impl StateRead,
    tenant: &TenantId,
    subjects: impl IntoIterator<Item = &'a str>,
    tool: &'a str,
    since: Seq,
) -> bool {
    let agents = subjects.into_iter().map(KillTarget::Agent);
    let all = [KillTarget::Tenant, KillTarget::Tool(tool)].into_iter().chain(agents);
    all.into_iter().any(|target| switch(state, tenant, &target).is_some_and(|known| known.engaged_at >= since))
}

fn is_engaged(state: &impl StateRead, tenant: &TenantId, target: &KillTarget<impl AsRef<str>>) -> bool {
    switch(state, tenant, target).is_some_and(|known| known.engaged)
}

fn switch(state: &impl StateRead, tenant: &TenantId, target: &KillTarget<impl AsRef<str>>) -> Option<KillSwitchRecord> {
    match state.get(&StateKey::KillSwitch(tenant.clone(), target.key())).as_deref() {
        Some(Record::KillSwitch(known)) => Some(known.clone()),
        _ => None,
    }
}

fn known_tenant<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId) -> Result<TenantRecord, Refusal> {
    match ctx.state.get(&StateKey::Tenant(tenant.clone())).as_deref() {
        Some(Record::Tenant(record)) => Ok(record.clone()),
        _ => Err(Refusal::TenantUnknown),
    }
}

/// An event with the reason in words as its payload, if one was given.
pub(super) fn justified<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    body: impl Into<EventBody>,
    justification: &[u8],
) -> Event {
    let mut event = ctx.event(tenant, body);
    if !justification.is_empty() {
        let content_type = "text/plain; charset=utf-8".to_owned();
        event.payloads.push(PayloadIntent { role: JUSTIFICATION_ROLE, content_type, bytes: justification.to_vec() });
    }
    event
}

/// Whether the entry commits to such a payload only the store knows; naming another one destroys nothing.
fn erase<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    entry: Seq,
    commitment: Hash,
    justification: &[u8],
) -> Result<Vec<Event>, Refusal> {
    known_tenant(ctx, tenant)?;
    if is_erased(ctx.state, tenant, &commitment) {
        return Err(Refusal::Unchanged);
    }
    Ok(vec![justified(ctx, tenant, PayloadErased { commitment, entry }, justification)])
}

/// Whether a payload was erased.
pub fn is_erased(state: &impl StateRead, tenant: &TenantId, commitment: &Hash) -> bool {
    state.get(&StateKey::ErasedPayload(tenant.clone(), *commitment)).is_some()
}

fn enable<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, subject: &str) -> Result<Vec<Event>, Refusal> {
    ctx.enabled_tenant(tenant)?;
    match ctx.state.get(&StateKey::Principal(tenant.clone(), subject.to_owned())).as_deref() {
        Some(Record::Principal(known)) if known.disabled => {
            Ok(vec![ctx.event(tenant, PrincipalEnabled { subject: subject.to_owned() })])
        }
        Some(Record::Principal(_)) => Err(Refusal::Unchanged),
        _ => Err(Refusal::PrincipalUnknown),
    }
}

/// A version that this build does not know would stop its replicas, so that it is refused. That every member supports the version
/// is checked by the machine, which knows the members.
fn activate<S: StateRead>(ctx: &Context<'_, S>, version: u32, supports: &[NodeId]) -> Result<Vec<Event>, Refusal> {
    let previous = ledger(ctx.state).ok_or(Refusal::NotCreated)?.kernel_version;
    if version == previous {
        return Err(Refusal::Unchanged);
    }
    if version < previous || !KERNEL_VERSIONS.contains(&version) {
        return Err(Refusal::OtherKernel { version: KERNEL_VERSION });
    }
    let mut supports = supports.to_vec();
    supports.sort_unstable();
    supports.dedup();
    Ok(vec![ctx.event(&TenantId::system(), KernelActivated { previous, supports, version })])
}
