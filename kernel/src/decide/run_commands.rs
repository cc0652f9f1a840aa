//! What is done to a run by hand: its mode, its release, its taint, and steps besides calls.

use assent_ledger::ids::TenantId;

use super::{Context, acting, environments};
use crate::command::RunCommand;
use crate::event::{
    Event, EventBody, JUSTIFICATION_ROLE, ModeTrigger, PayloadIntent, RunModeChanged, RunStep, STEP_ROLE, TaintAttached,
};
use crate::refusal::Refusal;
use crate::state::keys::{RunCounters, RunMode, RunRecord, SubjectStateRecord};
use crate::state::{Record, StateKey, StateRead};

/// Decides a command about a run.
pub(super) fn run<S: StateRead>(ctx: &Context<'_, S>, asked: &RunCommand) -> Result<Vec<Event>, Refusal> {
    match asked {
        RunCommand::SetRunMode { tenant, run_id, mode, justification } => {
            ctx.enabled_tenant(tenant)?;
            let known = open_run(ctx, tenant, run_id)?;
            if *mode == known.mode {
                return Err(Refusal::Unchanged);
            }
            // Only what is restricted comes back this way; out of quarantine there is one door, which asks who opens it.
            if *mode < known.mode && known.mode != RunMode::Restricted {
                return Err(Refusal::RunQuarantined);
            }
            let body = changed(&known, *mode, ModeTrigger::Person);
            Ok(vec![justified(in_run(ctx.event(tenant, body), run_id), justification)])
        }
        RunCommand::ReleaseQuarantine { tenant, run_id, justification } => {
            ctx.enabled_tenant(tenant)?;
            let known = known_run(ctx, tenant, run_id)?;
            if !known.quarantined {
                return Err(Refusal::Unchanged);
            }
            release_permitted(ctx, tenant, &known.subject)?;
            let to = if known.mode == RunMode::Quarantined { RunMode::Normal } else { known.mode };
            let body = changed(&known, to, ModeTrigger::Release);
            Ok(vec![justified(in_run(ctx.event(tenant, body), run_id), justification)])
        }
        RunCommand::AttachTaint { run_id, labels, .. } => {
            let (tenant, known) = own_run(ctx, asked)?;
            let body = TaintAttached { labels: labels.clone(), subject: known.subject };
            Ok(vec![in_run(ctx.event(tenant, body), run_id)])
        }
        RunCommand::RecordStep { run_id, kind, source, labels, content_type, content, .. } => {
            let (tenant, known) = own_run(ctx, asked)?;
            let body = RunStep { kind: *kind, labels: labels.clone(), source: source.clone(), subject: known.subject };
            let mut event = in_run(ctx.event(tenant, body), run_id);
            let (content_type, bytes) = (content_type.clone(), content.clone());
            event.payloads.push(PayloadIntent { role: STEP_ROLE, content_type, bytes });
            Ok(vec![event])
        }
    }
}

/// A run's mode changes; the caller adds what it knows besides.
pub(super) fn changed(run: &RunRecord, to: RunMode, trigger: ModeTrigger) -> RunModeChanged {
    RunModeChanged {
        counters: nonzero(&run.counters),
        decision: None,
        from: run.mode,
        rule: None,
        shadow: false,
        steps: Vec::new(),
        subject: run.subject.clone(),
        to,
        trigger,
    }
}

/// The counters that are not zero.
fn nonzero(counters: &RunCounters) -> Vec<(&'static str, u32)> {
    counters.iter().filter(|(_, count)| *count > 0).collect()
}

/// What holds for all runs of a subject.
pub(super) fn of_subject(state: &impl StateRead, tenant: &TenantId, subject: &str) -> SubjectStateRecord {
    match state.get(&StateKey::SubjectState(tenant.clone(), subject.to_owned())).as_deref() {
        Some(Record::SubjectState(known)) => known.clone(),
        _ => SubjectStateRecord::default(),
    }
}

/// Whether somebody owns an agent: whether registered as its owner, or since a bundle says so in any environment, for a run may act in all
/// of them.
pub(super) fn owns<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, subject: &str, who: &str) -> bool {
    let principal = ctx.state.get(&StateKey::Principal(tenant.clone(), subject.to_owned()));
    let registered =
        matches!(principal.as_deref(), Some(Record::Principal(known)) if known.owner.as_deref() == Some(who));
    registered
        || environments(ctx.state, tenant).names.into_iter().any(|environment| {
            match ctx.state.get(&StateKey::ActiveBundle(tenant.clone(), environment)).as_deref() {
                // A bundle that is active and not there tells of no owner: then nobody is known to be none.
                Some(Record::ActiveBundle(active)) => {
                    ctx.state.bundle(&active.bundle).is_none_or(|bundle| bundle.owner(subject) == Some(who))
                }
                _ => false,
            }
        })
}

/// Nobody releases itself, and no owner its own agent. A credential that several people share cannot show that none of them is the owner.
fn release_permitted<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, subject: &str) -> Result<(), Refusal> {
    let caller = &ctx.command.caller;
    let who = caller.subject.as_deref().ok_or(Refusal::SubjectMissing)?;
    if who == subject || owns(ctx, tenant, subject, who) { Err(Refusal::SeparationOfDuties) } else { Ok(()) }
}

/// The caller's tenant and a run in it that the caller may write to: its own, or as an admin any.
fn own_run<'a, S: StateRead>(ctx: &Context<'a, S>, asked: &RunCommand) -> Result<(&'a TenantId, RunRecord), Refusal> {
    let caller = &ctx.command.caller;
    ctx.enabled_tenant(&caller.tenant)?;
    let known = open_run(ctx, &caller.tenant, asked.run_id())?;
    if caller.role == crate::command::Role::TenantAdmin {
        return Ok((&caller.tenant, known));
    }
    acting::proven(ctx)?;
    match (caller.subject.as_deref(), asked.asserted_subject()) {
        (Some(own), Some(asserted)) if own != asserted => Err(Refusal::SubjectMismatch),
        (Some(subject), _) | (None, Some(subject)) if subject == known.subject => Ok((&caller.tenant, known)),
        (None, None) => Err(Refusal::SubjectMissing),
        _ => Err(Refusal::RunNotOwned),
    }
}

fn known_run<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, run_id: &str) -> Result<RunRecord, Refusal> {
    match ctx.state.get(&StateKey::Run(tenant.clone(), run_id.to_owned())).as_deref() {
        Some(Record::Run(known)) => Ok(known.clone()),
        _ => Err(Refusal::RunUnknown),
    }
}

fn open_run<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, run_id: &str) -> Result<RunRecord, Refusal> {
    let known = known_run(ctx, tenant, run_id)?;
    if known.is_closed() { Err(Refusal::RunClosed) } else { Ok(known) }
}

fn in_run(event: Event, run_id: &str) -> Event {
    Event { run_id: Some(run_id.to_owned()), ..event }
}

/// The reason in words is a payload, if one was given.
fn justified(mut event: Event, justification: &[u8]) -> Event {
    debug_assert!(matches!(event.body, EventBody::RunModeChanged(_)), "only modes are justified here");
    if !justification.is_empty() {
        let content_type = "text/plain; charset=utf-8".to_owned();
        event.payloads.push(PayloadIntent { role: JUSTIFICATION_ROLE, content_type, bytes: justification.to_vec() });
    }
    event
}
