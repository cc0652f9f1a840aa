//! Reports of signals, and what holds for a call: the highest of what was reported about its run, its subjects and the tenant.

use assent_ledger::ids::{TenantId, Time};

use super::{Context, principals, run_commands};
use crate::bundle::{Adjustment, CompiledBundle};
use crate::command::{ReportSignal, SignalScope, Signals};
use crate::event::{Event, SignalReported};
use crate::refusal::Refusal;
use crate::state::{Record, StateKey, StateRead};

/// Decides a report.
pub(super) fn report<S: StateRead>(ctx: &Context<'_, S>, asked: &ReportSignal) -> Result<Vec<Event>, Refusal> {
    let tenant = &ctx.command.caller.tenant;
    ctx.enabled_tenant(tenant)?;
    match &asked.scope {
        SignalScope::Tenant => {}
        SignalScope::Subject(subject) => {
            principals::require_enabled(ctx, tenant, subject)?;
            not_about_itself(ctx, tenant, subject)?;
        }
        SignalScope::Run(run_id) => match ctx.state.get(&StateKey::Run(tenant.clone(), run_id.clone())).as_deref() {
            Some(Record::Run(run)) if run.is_closed() => return Err(Refusal::RunClosed),
            Some(Record::Run(run)) => not_about_itself(ctx, tenant, &run.subject)?,
            _ => return Err(Refusal::RunUnknown),
        },
    }
    let expires = Time(ctx.now.0.saturating_add(u64::from(asked.valid_seconds) * 1_000_000));
    let body = SignalReported { expires, scope: asked.scope.clone(), signals: asked.signals };
    let run_id = match &asked.scope {
        SignalScope::Run(run_id) => Some(run_id.clone()),
        SignalScope::Tenant | SignalScope::Subject(_) => None,
    };
    Ok(vec![Event { run_id, ..ctx.event(tenant, body) }])
}

/// Nobody reports about itself, and no owner about its own agent: a low score would be worth nothing.
fn not_about_itself<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, subject: &str) -> Result<(), Refusal> {
    let Some(reporter) = ctx.command.caller.subject.as_deref() else { return Ok(()) };
    if reporter == subject || run_commands::owns(ctx, tenant, subject, reporter) {
        Err(Refusal::SeparationOfDuties)
    } else {
        Ok(())
    }
}

/// What holds for a call in a run of one of `subjects` (who acts, and those on whose behalf): the highest that was reported.
pub fn signals_of<'a>(
    state: &impl StateRead,
    tenant: &TenantId,
    run_id: Option<&'a str>,
    subjects: impl IntoIterator<Item = &'a str>,
    now: Time,
) -> Signals {
    let run = run_id.map(SignalScope::Run);
    let subjects = subjects.into_iter().map(SignalScope::Subject);
    let scopes = [SignalScope::Tenant].into_iter().chain(run).chain(subjects);
    scopes.map(|scope| held(state, tenant, &scope, now)).fold(Signals::default(), Signals::max)
}

/// What the bundle makes stricter for a call of these subjects now.
pub(super) fn adjustment_of<'a, S: StateRead>(
    ctx: &Context<'_, S>,
    bundle: &CompiledBundle,
    tenant: &TenantId,
    run_id: Option<&'a str>,
    subjects: impl IntoIterator<Item = &'a str>,
) -> Adjustment {
    bundle.adjustment(&signals_of(ctx.state, tenant, run_id, subjects, ctx.now))
}

fn held(state: &impl StateRead, tenant: &TenantId, scope: &SignalScope<&str>, now: Time) -> Signals {
    match state.get(&StateKey::Signal(tenant.clone(), scope.key())).as_deref() {
        Some(Record::Signal(record)) => record.signals(now),
        _ => Signals::default(),
    }
}
