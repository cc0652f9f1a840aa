//! Redeem and Complete. Redeem decides again, on what may have changed since: of all that ask to run what was allowed, at most one
//! may. What an executor asks and does not get is a recorded deny.

use assent_ledger::hash::sha256;
use assent_ledger::ids::{Seq, TenantId};

use super::run_commands::of_subject;
use super::{Context, killed, killed_since};
use crate::command::{Complete, Completion, ExecutionCommand, Redeem};
use crate::event::{Event, OUTPUT_REDACTED_ROLE, OUTPUT_ROLE, PayloadIntent, ToolRequest, ToolResponse};
use crate::limits::CHAIN_MAX;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::state::keys::{OutstandingRecord, RunMode};
use crate::state::{Record, StateKey, StateRead};
use crate::verdict::Verdict;

/// Decides what an executor asks for or reports.
pub(super) fn execution<S: StateRead>(ctx: &Context<'_, S>, asked: &ExecutionCommand) -> Result<Vec<Event>, Refusal> {
    let tenant = &ctx.command.caller.tenant;
    if ctx.state.get(&StateKey::Tenant(tenant.clone())).is_none() {
        return Err(Refusal::TenantUnknown);
    }
    Ok(vec![match asked {
        ExecutionCommand::Redeem(redeem) => redeemed(ctx, tenant, redeem),
        ExecutionCommand::Complete(complete) => completed(ctx, tenant, complete),
    }])
}

fn redeemed<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, redeem: &Redeem) -> Event {
    let found = outstanding(ctx, tenant, redeem.seq, &redeem.decision_id);
    let refused = match &found {
        Some(found) => not_redeemable(ctx, redeem, found),
        None => Some(ReasonCode::DecisionUnknown),
    };
    let body = ToolRequest {
        audience: redeem.audience.clone(),
        codes: vec![refused.unwrap_or(ReasonCode::Redeemed)],
        decision: redeem.seq,
        decision_id: redeem.decision_id.clone(),
        redeemer: ctx.command.caller.credential.clone(),
        tool: found.as_ref().map(|found| found.tool.clone()),
        verdict: if refused.is_some() { Verdict::Deny } else { Verdict::Allow },
    };
    Event { run_id: found.map(|found| found.run_id), ..ctx.event(tenant, body) }
}

/// Why a decision cannot be redeemed; the first reason found.
fn not_redeemable<S: StateRead>(
    ctx: &Context<'_, S>,
    redeem: &Redeem,
    found: &OutstandingRecord,
) -> Option<ReasonCode> {
    let caller = &ctx.command.caller;
    if caller.subject.as_ref().is_some_and(|own| *own != found.subject) {
        return Some(ReasonCode::SubjectMismatch);
    }
    if found.redeemed.is_some() {
        return Some(ReasonCode::AlreadyRedeemed);
    }
    if found.expires <= ctx.now {
        return Some(ReasonCode::TokenExpired);
    }
    if sha256(&[&redeem.request_salt, &redeem.request_hash.0]) != found.commitment {
        return Some(ReasonCode::RequestMismatch);
    }
    if found.audience.is_some() && found.audience != redeem.audience {
        return Some(ReasonCode::AudienceMismatch);
    }
    not_permitted(ctx, found).or_else(|| not_open(ctx, redeem, found))
}

/// The subject and everybody on whose behalf it acts.
fn subjects(found: &OutstandingRecord) -> impl Iterator<Item = &str> {
    core::iter::once(&found.subject).chain(&found.chain).map(String::as_str)
}

/// What stops everything of the tenant, of one of the subjects, or of the tool.
fn not_permitted<S: StateRead>(ctx: &Context<'_, S>, found: &OutstandingRecord) -> Option<ReasonCode> {
    match ctx.state.get(&StateKey::Tenant(found.tenant.clone())).as_deref() {
        Some(Record::Tenant(tenant)) if !tenant.disabled => {}
        _ => return Some(ReasonCode::TenantDisabled),
    }
    if let Some(code) = killed(ctx.state, &found.tenant, subjects(found), Some(&found.tool)) {
        return Some(code);
    }
    subjects(found).find_map(|subject| {
        match ctx.state.get(&StateKey::Principal(found.tenant.clone(), subject.to_owned())).as_deref() {
            Some(Record::Principal(known)) if known.disabled => Some(ReasonCode::PrincipalDisabled),
            Some(Record::Principal(_)) => None,
            _ => Some(ReasonCode::PrincipalUnknown),
        }
    })
}

/// What has happened to the run, to other runs of the subject and of those on whose behalf it acts, and to the lease since the
/// decision.
fn not_open<S: StateRead>(ctx: &Context<'_, S>, redeem: &Redeem, found: &OutstandingRecord) -> Option<ReasonCode> {
    let tenant = &found.tenant;
    let run = ctx.state.get(&StateKey::Run(tenant.clone(), found.run_id.clone()));
    let Some(Record::Run(run)) = run.as_deref() else { return Some(ReasonCode::RunClosed) };
    let (mut mode, mut void_before) = (run.mode, Seq(0));
    for subject in subjects(found) {
        let known = of_subject(ctx.state, tenant, subject);
        void_before = void_before.max(known.void_before);
        if known.is_quarantined() {
            mode = mode.max(RunMode::Quarantined);
        }
    }
    match mode {
        RunMode::Closed => return Some(ReasonCode::RunClosed),
        // What was decided for a run in this mode may run in it.
        mode if mode <= found.mode => {}
        RunMode::Quarantined => return Some(ReasonCode::RunQuarantined),
        _ => return Some(ReasonCode::TokenVoid),
    }
    let subjects = subjects(found);
    let void = redeem.seq < void_before
        || killed_since(ctx.state, tenant, subjects, &found.tool, redeem.seq)
        || found.leases.first().is_some_and(|lease| is_revoked(ctx, tenant, lease));
    void.then_some(ReasonCode::TokenVoid)
}

/// Whether a lease, or one that it was passed on from, was revoked.
fn is_revoked<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, lease: &str) -> bool {
    let mut next = Some(lease.to_owned());
    for _ in 0..=CHAIN_MAX {
        let Some(id) = next.take() else { return false };
        match ctx.state.get(&StateKey::Lease(tenant.clone(), id)).as_deref() {
            Some(Record::Lease(known)) if !known.revoked => next.clone_from(&known.parent),
            // A token ends with its lease at the latest: one that is gone was revoked before it ended.
            _ => return true,
        }
    }
    next.is_some()
}

/// An outcome is taken in whatever has happened since: the effect cannot be undone by not recording it.
fn completed<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, complete: &Complete) -> Event {
    let found = outstanding(ctx, tenant, complete.seq, &complete.decision_id);
    let refused = match found.as_ref().map(|found| found.redeemed.as_ref()) {
        None | Some(None) => Some(ReasonCode::DecisionUnknown),
        Some(Some(redeemed)) if redeemed.redeemer != ctx.command.caller.credential => Some(ReasonCode::SubjectMismatch),
        Some(Some(_)) => None,
    };
    let missing = match &found {
        Some(found) if refused.is_none() => missing_obligations(found, complete),
        _ => Vec::new(),
    };
    let mut codes = vec![refused.unwrap_or(ReasonCode::Redeemed)];
    if !missing.is_empty() {
        codes.insert(0, ReasonCode::ObligationUnsupported);
    }
    let body = ToolResponse {
        codes,
        decision: complete.seq,
        decision_id: complete.decision_id.clone(),
        duration_ms: complete.duration_ms,
        fulfilled: complete.fulfilled.clone(),
        missing,
        redeemer: ctx.command.caller.credential.clone(),
        status: complete.status,
        taint: complete.taint.clone(),
        tool: found.as_ref().map(|found| found.tool.clone()),
        usage: complete.usage,
        verdict: if refused.is_some() { Verdict::Deny } else { Verdict::Allow },
    };
    let payloads = if refused.is_some() { Vec::new() } else { outputs(complete) };
    Event { run_id: found.map(|found| found.run_id), payloads, ..ctx.event(tenant, body) }
}

/// Required obligations without a proof. A failed execution has nothing that they could have been done to.
fn missing_obligations(found: &OutstandingRecord, complete: &Complete) -> Vec<String> {
    if complete.status == Completion::Failure {
        return Vec::new();
    }
    let done = |kind: &str| complete.fulfilled.iter().any(|item| item.kind == kind);
    let required = found.obligations.iter().filter(|obligation| obligation.required && !done(&obligation.kind));
    let mut missing: Vec<String> = required.map(|obligation| obligation.kind.clone()).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

fn outputs(complete: &Complete) -> Vec<PayloadIntent> {
    let payload = |role, bytes: &Vec<u8>| {
        let content_type = complete.content_type.clone();
        PayloadIntent { role, content_type, bytes: bytes.clone() }
    };
    let mut payloads = Vec::new();
    if !complete.output.is_empty() {
        payloads.push(payload(OUTPUT_ROLE, &complete.output));
    }
    payloads.extend(complete.redacted.as_ref().map(|bytes| payload(OUTPUT_REDACTED_ROLE, bytes)));
    payloads
}

/// The decision of this position and id, if it is of this tenant and waits for something.
fn outstanding<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    seq: Seq,
    decision_id: &str,
) -> Option<OutstandingRecord> {
    match ctx.state.get(&StateKey::Outstanding(seq.0)).as_deref() {
        Some(Record::Outstanding(found)) if found.tenant == *tenant && found.decision_id == decision_id => {
            Some(found.clone())
        }
        _ => None,
    }
}
