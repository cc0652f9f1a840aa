//! What is remembered of adjustments and of nested calls: one bounded record a run each, gone with the run.

use assent_ledger::ids::{TenantId, Time};

use super::EntryFacts;
use crate::command::SignalScope;
use crate::event::{Event, OrchestrationAdjusted, PolicyDecision, ToolRequest, ToolResponse};
use crate::limits::UNDER_WAY_MICROS;
use crate::state::keys::{AdjustmentRecord, NestingRecord, OutstandingRecord};
use crate::state::{Record, StateKey, StateWrite};
use crate::verdict::Verdict;

pub(super) fn adjusted(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &OrchestrationAdjusted) {
    let Some(run_id) = &event.run_id else { return };
    let key = StateKey::Adjustment(event.tenant.clone(), run_id.clone());
    if body.rules.is_empty() {
        state.delete(key);
    } else {
        let record = AdjustmentRecord { digest: body.digest(), entry: at.event_id.clone() };
        state.put(key, Record::Adjustment(record));
    }
}

/// A call that came from an execution is counted there, once: one that waited for people is the same call.
pub(super) fn decided(state: &mut impl StateWrite, event: &Event, body: &PolicyDecision) {
    let effects = &body.effects;
    if let (Some(run_id), Some(parent)) = (&event.run_id, &effects.parent)
        && effects.depth > 0
        && effects.replaces.is_none()
    {
        change(state, &event.tenant, run_id, |nesting| nesting.count_child(parent));
    }
}

/// An execution starts. Call it before the redemption is taken in.
pub(super) fn started(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, body: &ToolRequest) {
    let Some(found) = outstanding(state, body.decision.0).filter(|_| body.verdict == Verdict::Allow) else { return };
    let until = Time(at.time.0.saturating_add(UNDER_WAY_MICROS));
    change(state, tenant, &found.run_id, |nesting| nesting.start(&found.decision_id, found.depth, until, at.time));
}

/// The outcome of an execution is known. Call it before the response is taken in.
pub(super) fn ended(state: &mut impl StateWrite, tenant: &TenantId, body: &ToolResponse) {
    let Some(found) = outstanding(state, body.decision.0).filter(|_| body.verdict == Verdict::Allow) else { return };
    change(state, tenant, &found.run_id, |nesting| nesting.end(&found.decision_id));
}

/// A run is over.
pub(super) fn closed(state: &mut impl StateWrite, event: &Event) {
    let Some(run_id) = &event.run_id else { return };
    let signal = SignalScope::Run(run_id.clone()).key();
    for key in [
        StateKey::Adjustment(event.tenant.clone(), run_id.clone()),
        StateKey::Nesting(event.tenant.clone(), run_id.clone()),
        StateKey::Signal(event.tenant.clone(), signal),
    ] {
        if state.get(&key).is_some() {
            state.delete(key);
        }
    }
}

fn outstanding(state: &impl StateWrite, seq: u64) -> Option<OutstandingRecord> {
    match state.get(&StateKey::Outstanding(seq)).as_deref() {
        Some(Record::Outstanding(record)) => Some(record.clone()),
        _ => None,
    }
}

/// Changes what is under way in a run that is open.
fn change(state: &mut impl StateWrite, tenant: &TenantId, run_id: &str, change: impl FnOnce(&mut NestingRecord)) {
    let open = StateKey::Run(tenant.clone(), run_id.to_owned());
    if !matches!(state.get(&open).as_deref(), Some(Record::Run(run)) if !run.is_closed()) {
        return;
    }
    let key = StateKey::Nesting(tenant.clone(), run_id.to_owned());
    let known = match state.get(&key).as_deref() {
        Some(Record::Nesting(known)) => known.clone(),
        _ => NestingRecord::default(),
    };
    let mut nesting = known.clone();
    change(&mut nesting);
    if nesting == known {
        return;
    }
    if nesting.is_empty() {
        state.delete(key);
    } else {
        state.put(key, Record::Nesting(nesting));
    }
}
