//! Runs: opened by their subject or by its first call, closed once, bound to their subject for ever.

use assent_ledger::ids::TenantId;

use super::{Context, principals};
use crate::command::RunRequest;
use crate::event::{Event, ParentRun, RunCloseReason, RunClosed, RunOpened};
use crate::limits::IMPLICIT_RUN_IDLE_MICROS;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::stamp::Purpose;
use crate::state::{Record, StateKey, StateRead};

/// Opens a run.
pub(super) fn open<S: StateRead>(ctx: &Context<'_, S>, run: &RunRequest) -> Result<Vec<Event>, Refusal> {
    let (tenant, subject) = owner(ctx, run)?;
    principals::require_enabled(ctx, tenant, subject)?;
    if ctx.state.get(&StateKey::Run(tenant.clone(), run.run_id.clone())).is_some() {
        return Err(Refusal::RunExists);
    }
    let parent = match run.parent_run_id.as_deref() {
        Some(parent) => Some(parent_of(ctx, tenant, parent)?),
        None => None,
    };
    let body = RunOpened { subject: subject.to_owned(), implicit: false, parent };
    let event = Event::new(tenant.clone(), Some(subject.to_owned()), body);
    Ok(vec![in_run(event, ctx, &run.run_id)])
}

/// The run that causes another: any of the tenant that is open.
fn parent_of<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, run_id: &str) -> Result<ParentRun, Refusal> {
    match ctx.state.get(&StateKey::Run(tenant.clone(), run_id.to_owned())).as_deref() {
        Some(Record::Run(known)) if known.is_closed() => Err(Refusal::RunClosed),
        Some(Record::Run(known)) => {
            Ok(ParentRun { run_id: run_id.to_owned(), generation: known.generation.saturating_add(1) })
        }
        _ => Err(Refusal::RunUnknown),
    }
}

/// Closes a run.
pub(super) fn close<S: StateRead>(ctx: &Context<'_, S>, run: &RunRequest) -> Result<Vec<Event>, Refusal> {
    let (tenant, subject) = owner(ctx, run)?;
    match ctx.state.get(&StateKey::Run(tenant.clone(), run.run_id.clone())).as_deref() {
        Some(Record::Run(known)) if known.subject != subject => Err(Refusal::RunNotOwned),
        Some(Record::Run(known)) if known.is_closed() => Err(Refusal::RunClosed),
        Some(Record::Run(_)) => Ok(vec![closed(ctx, tenant, subject, &run.run_id, RunCloseReason::Requested)]),
        _ => Err(Refusal::RunUnknown),
    }
}

fn owner<'a, S: StateRead>(ctx: &Context<'a, S>, run: &'a RunRequest) -> Result<(&'a TenantId, &'a str), Refusal> {
    let caller = &ctx.command.caller;
    ctx.enabled_tenant(&caller.tenant)?;
    match (caller.subject.as_deref(), run.subject.as_deref()) {
        (Some(own), Some(asserted)) if own != asserted => Err(Refusal::SubjectMismatch),
        (Some(subject), _) | (None, Some(subject)) => Ok((&caller.tenant, subject)),
        (None, None) => Err(Refusal::SubjectMissing),
    }
}

/// The run that a call belongs to, opened if need be; events are appended in the order in which they happen.
pub(super) fn of_call<S: StateRead>(
    ctx: &Context<'_, S>,
    subject: &str,
    asked: Option<&str>,
    events: &mut Vec<Event>,
) -> Result<String, (ReasonCode, Option<String>)> {
    let tenant = &ctx.command.caller.tenant;
    let Some(run_id) = asked else { return Ok(implicit(ctx, tenant, subject, events)) };
    match ctx.state.get(&StateKey::Run(tenant.clone(), run_id.to_owned())).as_deref() {
        // Another subject's run does not get an entry that it did not cause.
        Some(Record::Run(known)) if known.subject != subject => Err((ReasonCode::RunNotOwned, None)),
        Some(Record::Run(known)) if known.is_closed() => Err((ReasonCode::RunClosed, Some(run_id.to_owned()))),
        Some(_) => Ok(run_id.to_owned()),
        None => {
            events.push(opened(ctx, tenant, subject, run_id, false));
            Ok(run_id.to_owned())
        }
    }
}

fn implicit<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, subject: &str, events: &mut Vec<Event>) -> String {
    let known = ctx.state.get(&StateKey::ImplicitRun(tenant.clone(), subject.to_owned()));
    if let Some(Record::ImplicitRun(known)) = known.as_deref() {
        if ctx.now.0.saturating_sub(known.last.0) <= IMPLICIT_RUN_IDLE_MICROS {
            return known.run_id.clone();
        }
        events.push(closed(ctx, tenant, subject, &known.run_id, RunCloseReason::Idle));
    }
    let run_id = ctx.command.stamp.derive_uuid(Purpose::Run, 0);
    events.push(opened(ctx, tenant, subject, &run_id, true));
    run_id
}

fn opened<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, subject: &str, run_id: &str, implicit: bool) -> Event {
    let body = RunOpened { subject: subject.to_owned(), implicit, parent: None };
    in_run(Event::new(tenant.clone(), Some(subject.to_owned()), body), ctx, run_id)
}

fn closed<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    subject: &str,
    run_id: &str,
    reason: RunCloseReason,
) -> Event {
    let body = RunClosed { subject: subject.to_owned(), reason };
    in_run(Event::new(tenant.clone(), Some(subject.to_owned()), body), ctx, run_id)
}

fn in_run<S: StateRead>(event: Event, ctx: &Context<'_, S>, run_id: &str) -> Event {
    let trace_id = match &ctx.command.body {
        crate::command::CommandBody::Evaluate(evaluate) => evaluate.trace_id.clone(),
        _ => None,
    };
    Event { run_id: Some(run_id.to_owned()), trace_id, ..event }
}
