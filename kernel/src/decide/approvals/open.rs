//! Opening an approval for a call that was escalated, and what a call may say about an approval that it knows of.

use std::sync::Arc;

use assent_ledger::ids::{TenantId, Time};

use super::{approval, policy_hash};
use crate::bundle::ApprovalNeed;
use crate::decide::Context;
use crate::decide::evaluate::Asked;
use crate::event::{ApprovalRequested, Event, EventBody, PolicyDecision};
use crate::limits::{APPROVAL_ROLES_MAX, APPROVALS_PER_SUBJECT_MAX, APPROVERS_MAX};
use crate::reason::ReasonCode;
use crate::stamp::Purpose;
use crate::state::keys::{ApprovalRecord, ApprovalStatus};
use crate::state::{Record, StateKey, StateRead};
use crate::verdict::Verdict;

/// Has an escalated decision ask for its approval: the request is put before it, and the decision names it. Does nothing to other
/// decisions. A subject whose calls wait for as many approvals as may wait is denied instead.
pub(in crate::decide) fn attach<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    need: Option<ApprovalNeed>,
    decision: &mut Event,
    events: &mut Vec<Event>,
) {
    let EventBody::Decision(body) = &mut decision.body else { return };
    if body.effective != Verdict::Escalate {
        return;
    }
    let Some(subject) = body.subject.clone() else { return };
    let tenant = &asked.caller.tenant;
    if waiting(ctx, asked, &subject, events) >= APPROVALS_PER_SUBJECT_MAX {
        (body.verdict, body.effective) = (Verdict::Deny, Verdict::Deny);
        body.codes = vec![ReasonCode::RateExceeded];
        body.effects.obligations.clear();
        recount(body, "escalated", "denied");
        return;
    }
    let need = need.unwrap_or_default();
    let id = ctx.command.stamp.derive_uuid(Purpose::Approval, 0);
    let bundle = body.bundle.and_then(|hash| ctx.state.bundle(&hash));
    let seconds = bundle.map_or(need.expires_seconds, |bundle| bundle.approvals().waits_seconds(need.expires_seconds));
    let texts = |names: &[Arc<str>]| -> Vec<String> {
        names.iter().take(APPROVAL_ROLES_MAX).map(|name| name.to_string()).collect()
    };
    let request = ApprovalRequested {
        approval: id.clone(),
        chain: body.effects.chain.clone(),
        decision: None,
        environment: body.environment.clone(),
        expires: Time(ctx.now.0.saturating_add(u64::from(seconds) * 1_000_000)),
        fields: texts(&need.fields),
        policy: policy_hash(ctx.state, tenant, &body.environment),
        request_commitment: body.request_commitment,
        required: need.required.clamp(1, APPROVERS_MAX as u32),
        roles: texts(&need.roles),
        subject,
        tool: body.tool.clone(),
    };
    body.effects.approval = Some(id);
    body.effects.token_expires = None;
    let (actor, run_id, trace_id) = (decision.actor.clone(), decision.run_id.clone(), decision.trace_id.clone());
    let tenant = tenant.clone();
    events.push(Event { actor, run_id, trace_id, ..Event::new(tenant, None, request) });
}

/// The decision moves another counter than it would have.
pub(super) fn recount(body: &mut PolicyDecision, from: &str, to: &'static str) {
    body.effects.counts.iter_mut().filter(|name| **name == from).for_each(|name| *name = to);
}

/// How many of the subject's approvals wait. One that ends with the same command leaves its place to what takes it.
fn waiting<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>, subject: &str, events: &[Event]) -> usize {
    let key = StateKey::LeaseIndex(asked.caller.tenant.clone(), subject.to_owned());
    let ends = |id: &str| {
        events.iter().any(|event| match &event.body {
            EventBody::ApprovalVoid(body) => body.approval == id,
            EventBody::HitlDecision(body) => body.approval == id && body.status == ApprovalStatus::Used,
            _ => false,
        })
    };
    match ctx.state.get(&key).as_deref() {
        Some(Record::LeaseIndex(index)) => index.approvals.iter().filter(|id| !ends(id)).count(),
        _ => 0,
    }
}

/// Whether people are asked about a call of this run, and still have time to answer.
pub(in crate::decide) fn wait_in<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    subject: &str,
    run_id: &str,
) -> bool {
    let index = ctx.state.get(&StateKey::LeaseIndex(tenant.clone(), subject.to_owned()));
    let Some(Record::LeaseIndex(index)) = index.as_deref() else { return false };
    let waits = |known: ApprovalRecord| {
        known.status == ApprovalStatus::Pending && known.expires > ctx.now && known.run_id.as_deref() == Some(run_id)
    };
    index.approvals.iter().any(|id| approval(ctx, tenant, id).is_some_and(waits))
}

/// A call that names an approval: the approval was answered for the request that asked for it and for nothing else, so that naming it
/// again never lets a call pass. One that still waits is no reason against the call, if it is for exactly this call.
pub(in crate::decide) fn held<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    subject: &str,
) -> Result<(), ReasonCode> {
    let Some(id) = asked.evaluate.context.approval_id.as_deref() else { return Ok(()) };
    let tenant = &asked.caller.tenant;
    let known = approval(ctx, tenant, id).filter(|known| known.subject == subject);
    let known = known.ok_or(ReasonCode::ApprovalUnknown)?;
    match known.status {
        ApprovalStatus::Used => return Err(ReasonCode::ApprovalConsumed),
        ApprovalStatus::Denied => return Err(ReasonCode::ApprovalDenied),
        ApprovalStatus::Expired => return Err(ReasonCode::ApprovalExpired),
        ApprovalStatus::Void => return Err(ReasonCode::ApprovalVoid),
        ApprovalStatus::Pending if known.expires <= ctx.now => return Err(ReasonCode::ApprovalExpired),
        ApprovalStatus::Pending => {}
    }
    let call = ctx.state.get(&StateKey::PendingCall(tenant.clone(), id.to_owned()));
    let Some(Record::PendingCall(call)) = call.as_deref() else { return Err(ReasonCode::ApprovalVoid) };
    let (waits, now) = (&call.evaluate, asked.evaluate);
    let same = waits.environment == now.environment
        && waits.tool == now.tool
        && waits.content_type == now.content_type
        && waits.inputs == now.inputs
        && waits.context.on_behalf_of == now.context.on_behalf_of;
    if same { Ok(()) } else { Err(ReasonCode::RequestMismatch) }
}
