//! What a report changes: the one record of its scope.

use assent_ledger::ids::TenantId;

use crate::command::SignalScope;
use crate::event::SignalReported;
use crate::expiry;
use crate::state::keys::SignalRecord;
use crate::state::{Record, StateKey, StateWrite};

pub(super) fn reported(state: &mut impl StateWrite, tenant: &TenantId, body: &SignalReported) {
    let key = StateKey::Signal(tenant.clone(), body.scope.key());
    let mut record = match state.get(&key).as_deref() {
        Some(Record::Signal(known)) => *known,
        _ => SignalRecord::default(),
    };
    record.report(&body.signals, body.expires);
    // What is reported about a run is one more small record of it while it is open; no rows remind of it, however often it is reported.
    if !matches!(body.scope, SignalScope::Run(_)) {
        expiry::schedule(state, body.expires, key.clone());
    }
    state.put(key, Record::Signal(record));
}
