//! What a walk over expiries removes: its rows, and what ends without an entry of its own.

use super::scoped::{self, Look};
use super::{EntryFacts, approvals};
use crate::event::ExpirySwept;
use crate::expiry::Walk;
use crate::state::keys::ApprovalStatus;
use crate::state::{Record, StateKey, StateWrite};

pub(super) fn swept(state: &mut impl StateWrite, at: &EntryFacts, body: &ExpirySwept) {
    let mut walk = Walk::to(state, body.minute, body.row);
    let mut later = Vec::new();
    while (walk.cursor.minute, walk.cursor.row) < (body.minute, body.row) {
        let Some(step) = walk.step(state) else { break };
        state.delete(step.row);
        step.ended.into_iter().for_each(|bucket| state.delete(bucket));
        if let Some(item) = step.item {
            match scoped::look(state, &item) {
                Look::Gone => state.delete(item),
                Look::Later => later.push(item),
                Look::Other => forget(state, at, item),
            }
        }
    }
    let mut cursor = walk.cursor;
    (cursor.minute, cursor.row, cursor.tokens) = (body.minute, body.row, body.tokens);
    state.put(StateKey::ExpiryCursor, Record::ExpiryCursor(cursor));
    // New rows count from where the walk has come to.
    later.into_iter().for_each(|item| scoped::watch(state, at.time, item));
}

/// Removes what ends silently, unless it was renewed; what has an event of its own was removed by that.
fn forget(state: &mut impl StateWrite, at: &EntryFacts, item: StateKey) {
    let ended = match state.get(&item).as_deref() {
        Some(Record::EffectKey(key)) => key.expires <= at.time,
        Some(Record::MessageNonce(nonce)) => nonce.expires <= at.time,
        Some(Record::Approval(known)) if known.status != ApprovalStatus::Pending && known.expires <= at.time => {
            if let StateKey::Approval(tenant, id) = &item {
                approvals::forget(state, tenant, id, known);
            }
            true
        }
        Some(Record::Memory(record)) => record.expires().is_some_and(|expires| expires <= at.time),
        Some(Record::Signal(known)) => known.signals(at.time).is_empty(),
        Some(Record::Accumulator(known)) => known.expires <= at.time,
        _ => false,
    };
    if ended {
        state.delete(item);
    }
}
