//! What the system's own events change: parameters, keys, and how far spans have come.

use assent_ledger::ids::Seq;
use assent_ledger::seal::{KeyEndorsed, KeyRetired, LedgerCreated};

use super::EntryFacts;
use crate::event::EventBody;
use crate::state::keys::{CosignedRecord, KeyEvent, KeyringRecord, LedgerRecord, ProgressRecord};
use crate::state::{Record, StateKey, StateWrite};

pub(super) fn created(state: &mut impl StateWrite, at: &EntryFacts, body: &LedgerCreated) {
    let record = LedgerRecord {
        origin: body.origin.clone(),
        root_key: body.root_key,
        quorum: body.quorum,
        seal_entries: body.seal_entries,
        seal_seconds: body.seal_seconds,
        interval_max_seconds: body.interval_max_seconds,
        kernel_version: body.kernel_version,
        created: at.time,
        signature: body.signature,
    };
    state.put(StateKey::Ledger, Record::Ledger(record));
}

pub(super) fn endorsed(state: &mut impl StateWrite, body: &KeyEndorsed) {
    add(state, KeyEvent::Endorsed(body.clone()));
}

pub(super) fn retired(state: &mut impl StateWrite, body: &KeyRetired) {
    add(state, KeyEvent::Retired(body.clone()));
}

fn add(state: &mut impl StateWrite, event: KeyEvent) {
    let mut record = match state.get(&StateKey::Keyring).as_deref() {
        Some(Record::Keyring(record)) => record.clone(),
        _ => KeyringRecord::default(),
    };
    record.events.push(event);
    state.put(StateKey::Keyring, Record::Keyring(record));
}

pub(super) fn advance_span(progress: &mut ProgressRecord, at: &EntryFacts, body: &EventBody) {
    match body {
        EventBody::SpanSealed(_) => {
            progress.sealed = at.seq.size_after();
            progress.span_start = Seq(progress.sealed.0);
            progress.span_entries = 0;
            progress.span_since = at.time;
        }
        EventBody::SpanCosigned(body) => {
            let (size, checkpoint, manifest) = (body.size, body.checkpoint, body.manifest);
            progress.cosigned = Some(CosignedRecord { size, checkpoint, manifest });
        }
        EventBody::SpanAnchored(body) => progress.anchored = body.size,
        _ => {}
    }
}
