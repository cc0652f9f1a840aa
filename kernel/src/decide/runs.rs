//! Runs: opened by their subject or by its first call, closed once, bound to their subject for ever.

use std::borrow::Cow;
use std::sync::Arc;

use assent_ledger::ids::TenantId;

use super::evaluate::Asked;
use super::{Context, acting, approvals, principals, run_commands};
use crate::command::RunRequest;
use crate::event::{Event, ParentRun, RunCloseReason, RunClosed, RunOpened};
use crate::limits::IMPLICIT_RUN_IDLE_MICROS;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::stamp::Purpose;
use crate::state::keys::RunRecord;
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
    Ok(vec![Event { run_id: Some(run.run_id.clone()), ..event }])
}

/// The run that causes another: any of the tenant that is open.
fn parent_of<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, run_id: &str) -> Result<ParentRun, Refusal> {
    match ctx.state.get(&StateKey::Run(tenant.clone(), run_id.to_owned())).as_deref() {
        Some(Record::Run(known)) if known.is_closed() => Err(Refusal::RunClosed),
        Some(Record::Run(known)) => {
            // Whoever acts in the parent may act upon a message that it has read.
            let heard = run_commands::of_subject(ctx.state, tenant, &known.subject).generation(ctx.now);
            let generation = known.generation.max(heard).saturating_add(1);
            Ok(ParentRun { run_id: run_id.to_owned(), generation })
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
        Some(Record::Run(_)) => Ok(vec![closed(tenant, subject, &run.run_id, RunCloseReason::Requested)]),
        _ => Err(Refusal::RunUnknown),
    }
}

fn owner<'a, S: StateRead>(ctx: &Context<'a, S>, run: &'a RunRequest) -> Result<(&'a TenantId, &'a str), Refusal> {
    let caller = &ctx.command.caller;
    ctx.enabled_tenant(&caller.tenant)?;
    acting::proven(ctx)?;
    match (caller.subject.as_deref(), run.subject.as_deref()) {
        (Some(own), Some(asserted)) if own != asserted => Err(Refusal::SubjectMismatch),
        (Some(subject), _) | (None, Some(subject)) => Ok((&caller.tenant, subject)),
        (None, None) => Err(Refusal::SubjectMissing),
    }
}

/// In which run something is to happen.
#[derive(Clone, Copy)]
pub(super) struct RunAsk<'a> {
    /// The tenant.
    pub(super) tenant: &'a TenantId,
    /// The run; `None` for the subject's implicit run.
    pub(super) run_id: Option<&'a str>,
    /// The caller's trace.
    pub(super) trace_id: Option<&'a str>,
}

impl<'a> From<&Asked<'a>> for RunAsk<'a> {
    fn from(asked: &Asked<'a>) -> RunAsk<'a> {
        let Asked { caller, evaluate, .. } = asked;
        RunAsk { tenant: &caller.tenant, run_id: evaluate.run_id.as_deref(), trace_id: evaluate.trace_id.as_deref() }
    }
}

/// The run that a call belongs to, opened if need be; events are appended in the order in which they happen.
pub(super) fn of_call<'a, S: StateRead>(
    ctx: &Context<'_, S>,
    asked: impl Into<RunAsk<'a>>,
    subject: &str,
    events: &mut Vec<Event>,
) -> Result<String, (ReasonCode, Option<String>)> {
    let asked = asked.into();
    let tenant = asked.tenant;
    let Some(run_id) = asked.run_id else { return Ok(implicit(ctx, asked, subject, events)) };
    match ctx.state.get(&StateKey::Run(tenant.clone(), run_id.to_owned())).as_deref() {
        // Another subject's run does not get an entry that it did not cause.
        Some(Record::Run(known)) if known.subject != subject => Err((ReasonCode::RunNotOwned, None)),
        Some(Record::Run(known)) if known.is_closed() => Err((ReasonCode::RunClosed, Some(run_id.to_owned()))),
        Some(_) => Ok(run_id.to_owned()),
        None => {
            events.push(opened(asked, subject, run_id, false));
            Ok(run_id.to_owned())
        }
    }
}

/// What the state holds of a run.
pub(super) fn stored<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, run_id: &str) -> Option<Arc<Record>> {
    ctx.state.get(&StateKey::Run(tenant.clone(), run_id.to_owned()))
}

/// The run as it is before the call, by what the state holds of it; one that the call opens is empty.
pub(super) fn before<'r, 'a, S: StateRead>(
    ctx: &Context<'_, S>,
    stored: Option<&'r Record>,
    asked: impl Into<RunAsk<'a>>,
    subject: &str,
) -> Cow<'r, RunRecord> {
    match stored {
        Some(Record::Run(known)) => Cow::Borrowed(known),
        _ => Cow::Owned(RunRecord::new(subject.to_owned(), asked.into().run_id.is_none(), ctx.now)),
    }
}

/// A run of one's own as it is before the call; one that the call opens is empty.
pub(super) fn record<'a, S: StateRead>(
    ctx: &Context<'_, S>,
    asked: impl Into<RunAsk<'a>>,
    subject: &str,
    run_id: &str,
) -> RunRecord {
    let asked = asked.into();
    before(ctx, stored(ctx, asked.tenant, run_id).as_deref(), asked, subject).into_owned()
}

fn implicit<S: StateRead>(ctx: &Context<'_, S>, asked: RunAsk<'_>, subject: &str, events: &mut Vec<Event>) -> String {
    let tenant = asked.tenant;
    let known = ctx.state.get(&StateKey::ImplicitRun(tenant.clone(), subject.to_owned()));
    if let Some(Record::ImplicitRun(known)) = known.as_deref() {
        let idle = ctx.now.0.saturating_sub(known.last.0) > IMPLICIT_RUN_IDLE_MICROS;
        if !idle || approvals::wait_in(ctx, tenant, subject, &known.run_id) {
            return known.run_id.clone();
        }
        let event = closed(tenant, subject, &known.run_id, RunCloseReason::Idle);
        events.push(Event { trace_id: asked.trace_id.map(str::to_owned), ..event });
    }
    let run_id = ctx.command.stamp.derive_uuid(Purpose::Run, 0);
    events.push(opened(asked, subject, &run_id, true));
    run_id
}

fn opened(asked: RunAsk<'_>, subject: &str, run_id: &str, implicit: bool) -> Event {
    let body = RunOpened { subject: subject.to_owned(), implicit, parent: None };
    let event = Event::new(asked.tenant.clone(), Some(subject.to_owned()), body);
    Event { run_id: Some(run_id.to_owned()), trace_id: asked.trace_id.map(str::to_owned), ..event }
}

fn closed(tenant: &TenantId, subject: &str, run_id: &str, reason: RunCloseReason) -> Event {
    let body = RunClosed { subject: subject.to_owned(), reason };
    let event = Event::new(tenant.clone(), Some(subject.to_owned()), body);
    Event { run_id: Some(run_id.to_owned()), ..event }
}
