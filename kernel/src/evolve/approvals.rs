//! What events about approvals change: who has agreed, the call that waits, and what its caller gets to know on a retry.

use assent_ledger::ids::{TenantId, Time};

use super::EntryFacts;
use super::grants::{index_of, put_index};
use crate::command::{CallContext, Evaluate};
use crate::event::{
    ApprovalExpired, ApprovalRequested, ApprovalVoid, CONTEXT_ROLE, Event, HitlDecision, INPUT_ROLE, MODIFIED_ROLE,
    PayloadIntent, PolicyDecision, SALT_ROLE, VoidReason,
};
use crate::expiry;
use crate::limits::{APPROVALS_PER_SUBJECT_MAX, APPROVERS_MAX, CONDITIONS_MAX, REQUEST_WINDOW_SECONDS};
use crate::reason::ReasonCode;
use crate::state::keys::{
    ApprovalRecord, ApprovalStatus, DecidedRecord, DecisionStatusRecord, DecisionTerms, PendingCall, ReplacedDecision,
    Vote,
};
use crate::state::{Record, StateKey, StateRead, StateWrite};
use crate::verdict::Verdict;

pub(super) fn requested(state: &mut impl StateWrite, event: &Event, body: &ApprovalRequested) {
    let tenant = &event.tenant;
    let record = ApprovalRecord {
        status: ApprovalStatus::Pending,
        decision: body.decision.clone().unwrap_or_default(),
        subject: body.subject.clone(),
        chain: body.chain.clone(),
        run_id: event.run_id.clone(),
        environment: body.environment.clone(),
        tool: body.tool.clone(),
        policy: body.policy,
        roles: body.roles.clone(),
        required: body.required,
        fields: body.fields.clone(),
        expires: body.expires,
        votes: Vec::new(),
        conditions: Vec::new(),
    };
    let key = StateKey::Approval(tenant.clone(), body.approval.clone());
    state.put(key.clone(), Record::Approval(record));
    expiry::schedule(state, body.expires, key);
    let mut index = index_of(state, tenant, &body.subject);
    if index.approvals.len() < APPROVALS_PER_SUBJECT_MAX {
        index.approvals.push(body.approval.clone());
        put_index(state, tenant, &body.subject, index);
    }
}

/// A decision that waits for an approval, or one that takes the place of an earlier one.
pub(super) fn decided(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &PolicyDecision) {
    if let Some(id) = &body.effects.approval {
        waits(state, at, event, body, id);
    } else if let Some(first) = &body.effects.replaces {
        let salt = payload(event, SALT_ROLE).and_then(|payload| payload.bytes.as_slice().try_into().ok());
        let decided = DecidedRecord {
            decision_id: at.event_id.clone(),
            run_id: event.run_id.clone(),
            verdict: body.verdict,
            codes: body.codes.clone(),
            // Without the salt, which may have been erased, the decision cannot be redeemed.
            request_salt: salt.unwrap_or_default(),
            terms: Box::new(DecisionTerms::of(body, &event.payloads)),
        };
        replace(state, &event.tenant, first, ReplacedDecision { seq: at.seq, decided });
    }
}

/// The call as the leaf and its payloads say; one whose arguments were erased waits in vain.
fn waits(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &PolicyDecision, id: &str) {
    let tenant = &event.tenant;
    let key = StateKey::Approval(tenant.clone(), id.to_owned());
    let Some(Record::Approval(known)) = state.get(&key).as_deref().cloned() else { return };
    let decision = if known.decision.is_empty() { at.event_id.clone() } else { known.decision.clone() };
    state.put(key, Record::Approval(ApprovalRecord { decision: decision.clone(), ..known }));
    let status = DecisionStatusRecord { approval: id.to_owned(), replaced: None };
    state.put(StateKey::DecisionStatus(tenant.clone(), decision), Record::DecisionStatus(status));
    let parts =
        || [INPUT_ROLE, CONTEXT_ROLE, MODIFIED_ROLE].into_iter().filter_map(|role| Some((role, at.commitment(role)?)));
    // Without the context the call would be made on nobody's behalf, without other arguments as nobody agrees to it.
    if parts().any(|(role, _)| payload(event, role).is_none()) {
        return;
    }
    let Some(input) = payload(event, INPUT_ROLE) else { return };
    let context = match payload(event, CONTEXT_ROLE).map(|payload| CallContext::decode(&payload.bytes)) {
        Some(Err(_)) => return,
        Some(Ok(context)) => context,
        None => CallContext::default(),
    };
    let call = PendingCall {
        evaluate: Evaluate {
            environment: body.environment.clone(),
            run_id: event.run_id.clone(),
            trace_id: event.trace_id.clone(),
            agent: body.agent.clone(),
            subject: body.subject.clone(),
            tool: body.tool.clone(),
            content_type: input.content_type.clone(),
            inputs: input.bytes.clone(),
            context: Box::new(context),
        },
        attested: body.attested,
        request_id: body.request_id,
        // People have changed the call before, and more people are asked for it as it is now.
        modified: payload(event, MODIFIED_ROLE).map(|payload| payload.bytes.clone()),
        latches: body.effects.latches.iter().filter(|(_, step)| *step > 0).cloned().collect(),
        rates: body.effects.rates.clone(),
        payloads: parts().map(|(_, commitment)| commitment).collect(),
    };
    state.put(StateKey::PendingCall(tenant.clone(), id.to_owned()), Record::PendingCall(call));
}

fn payload<'a>(event: &'a Event, role: &str) -> Option<&'a PayloadIntent> {
    event.payloads.iter().find(|payload| payload.role == role)
}

pub(super) fn answered(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &HitlDecision) {
    let tenant = &event.tenant;
    let key = StateKey::Approval(tenant.clone(), body.approval.clone());
    let Some(Record::Approval(known)) = state.get(&key).as_deref().cloned() else { return };
    if known.status != ApprovalStatus::Pending {
        return;
    }
    let mut record = known;
    if body.counted && matches!(body.action, "approve" | "modify") {
        if body.action == "modify" {
            record.votes.clear();
            record.conditions.clear();
            modify(state, at, tenant, &body.approval, payload(event, MODIFIED_ROLE));
        }
        // Somebody whose first word does not count any more may have come back.
        record.votes.retain(|known| known.approver != body.approver);
        if record.votes.len() < APPROVERS_MAX {
            let HitlDecision { approver, roles, credential, .. } = body.clone();
            record.votes.push(Vote { approver, roles, credential, seq: at.seq });
        }
        for condition in &body.conditions {
            if record.conditions.len() < CONDITIONS_MAX && !record.conditions.contains(condition) {
                record.conditions.push(condition.clone());
            }
        }
    }
    match body.status {
        ApprovalStatus::Pending => state.put(key, Record::Approval(record)),
        // The decision that follows says what became of the call.
        ApprovalStatus::Used => end(state, at, tenant, &body.approval, (record, ApprovalStatus::Used), None),
        ApprovalStatus::Denied => {
            let code = Some(ReasonCode::ApprovalDenied);
            end(state, at, tenant, &body.approval, (record, ApprovalStatus::Denied), code);
        }
        ApprovalStatus::Expired => {
            let code = Some(ReasonCode::ApprovalExpired);
            end(state, at, tenant, &body.approval, (record, ApprovalStatus::Expired), code);
        }
        // Why it is void is in an entry of its own.
        ApprovalStatus::Void => {}
    }
}

/// Other arguments in place of the caller's; erased ones leave nothing to approve.
fn modify(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, id: &str, modified: Option<&PayloadIntent>) {
    let key = StateKey::PendingCall(tenant.clone(), id.to_owned());
    let Some(Record::PendingCall(known)) = state.get(&key).as_deref().cloned() else { return };
    match modified {
        Some(payload) => {
            let mut call = known;
            call.modify(payload.bytes.clone(), at.commitment(MODIFIED_ROLE));
            state.put(key, Record::PendingCall(call));
        }
        None => state.delete(key),
    }
}

pub(super) fn expired(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, body: &ApprovalExpired) {
    if let Some(record) = pending(state, tenant, &body.approval) {
        let code = Some(ReasonCode::ApprovalExpired);
        end(state, at, tenant, &body.approval, (record, ApprovalStatus::Expired), code);
    }
}

pub(super) fn voided(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, body: &ApprovalVoid) {
    if let Some(record) = pending(state, tenant, &body.approval) {
        // Under another policy the call is decided anew, and that decision follows.
        let code = (body.reason != VoidReason::Policy).then_some(ReasonCode::ApprovalVoid);
        end(state, at, tenant, &body.approval, (record, ApprovalStatus::Void), code);
    }
}

/// The subject was quarantined.
pub(super) fn stopped(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, id: &str) {
    if let Some(record) = pending(state, tenant, id) {
        end(state, at, tenant, id, (record, ApprovalStatus::Void), Some(ReasonCode::ApprovalVoid));
    }
}

fn pending(state: &impl StateRead, tenant: &TenantId, id: &str) -> Option<ApprovalRecord> {
    match state.get(&StateKey::Approval(tenant.clone(), id.to_owned())).as_deref() {
        Some(Record::Approval(known)) if known.status == ApprovalStatus::Pending => Some(known.clone()),
        _ => None,
    }
}

/// Ends an approval. The record stays as long as requests are remembered: it is not to be used twice.
fn end(
    state: &mut impl StateWrite,
    at: &EntryFacts,
    tenant: &TenantId,
    id: &str,
    (mut record, status): (ApprovalRecord, ApprovalStatus),
    denied: Option<ReasonCode>,
) {
    record.status = status;
    record.expires = Time(at.time.0.saturating_add(REQUEST_WINDOW_SECONDS * 1_000_000));
    state.delete(StateKey::PendingCall(tenant.clone(), id.to_owned()));
    let mut index = index_of(state, tenant, &record.subject);
    index.approvals.retain(|known| known != id);
    put_index(state, tenant, &record.subject, index);
    let key = StateKey::Approval(tenant.clone(), id.to_owned());
    expiry::schedule(state, record.expires, key.clone());
    if let Some(code) = denied {
        let decided = DecidedRecord {
            decision_id: record.decision.clone(),
            run_id: record.run_id.clone(),
            verdict: Verdict::Deny,
            codes: vec![code],
            request_salt: [0; 32],
            terms: Box::new(DecisionTerms::nothing(Verdict::Deny)),
        };
        replace(state, tenant, &record.decision, ReplacedDecision { seq: at.seq, decided });
    }
    state.put(key, Record::Approval(record));
}

fn replace(state: &mut impl StateWrite, tenant: &TenantId, decision: &str, replaced: ReplacedDecision) {
    let key = StateKey::DecisionStatus(tenant.clone(), decision.to_owned());
    if let Some(Record::DecisionStatus(known)) = state.get(&key).as_deref().cloned() {
        state.put(key, Record::DecisionStatus(DecisionStatusRecord { replaced: Some(replaced), ..known }));
    }
}

/// Forgets what the caller could ask about an approval that ended long ago, unless another approval has taken its place.
pub(super) fn forget(state: &mut impl StateWrite, tenant: &TenantId, id: &str, known: &ApprovalRecord) {
    let key = StateKey::DecisionStatus(tenant.clone(), known.decision.clone());
    if matches!(state.get(&key).as_deref(), Some(Record::DecisionStatus(status)) if status.approval == id) {
        state.delete(key);
    }
}
