//! What lasts as long as a run, and the run itself: nothing looks at it while the run is open; it goes some time after the run is over.

use assent_ledger::ids::{TenantId, Time};

use crate::expiry;
use crate::limits::{CLOSED_RUN_MICROS, RUN_SCOPE_MICROS};
use crate::state::keys::RunRecord;
use crate::state::{Record, StateKey, StateRead, StateWrite};

/// Has a record looked at some time later that lasts as long as a run that is over.
pub(super) fn watch(state: &mut impl StateWrite, now: Time, item: StateKey) {
    expiry::schedule(state, Time(now.0.saturating_add(RUN_SCOPE_MICROS)), item);
}

/// Has a run that was closed forgotten some time later, and before that what was counted in it.
pub(super) fn closed(state: &mut impl StateWrite, now: Time, tenant: &TenantId, run_id: &str) {
    let counts = StateKey::RunCounts(tenant.clone(), run_id.to_owned());
    if state.get(&counts).is_some() {
        watch(state, now, counts);
    }
    let item = StateKey::Run(tenant.clone(), run_id.to_owned());
    expiry::schedule(state, Time(now.0.saturating_add(CLOSED_RUN_MICROS)), item);
}

/// Whether a run is open.
pub(super) fn is_open(state: &impl StateRead, tenant: &TenantId, run_id: &str) -> bool {
    let key = StateKey::Run(tenant.clone(), run_id.to_owned());
    matches!(state.get(&key).as_deref(), Some(Record::Run(run)) if !run.is_closed())
}

/// What is to be done with something whose time to be looked at has come.
pub(super) enum Look {
    /// It goes.
    Gone,
    /// It stays, and is looked at again.
    Later,
    /// It is no matter of a run.
    Other,
}

/// Looks at a record that lasts as long as a run, or at a run.
pub(super) fn look(state: &impl StateRead, item: &StateKey) -> Look {
    match item {
        StateKey::RunCounts(tenant, run_id) => match run(state, tenant, run_id) {
            // What was set aside for an execution under way is settled with its outcome.
            Some(run) if !run.is_closed() || run.open_intents > 0 => Look::Later,
            _ => Look::Gone,
        },
        StateKey::Run(tenant, run_id) => match run(state, tenant, run_id) {
            Some(run) if is_needed(&run) => Look::Later,
            _ => Look::Gone,
        },
        _ => Look::Other,
    }
}

/// Whether a run is asked for still: it is open, an outcome is not known, or its quarantine holds for all runs of its subject.
fn is_needed(run: &RunRecord) -> bool {
    !run.is_closed() || run.open_intents > 0 || run.quarantined
}

fn run(state: &impl StateRead, tenant: &TenantId, run_id: &str) -> Option<RunRecord> {
    match state.get(&StateKey::Run(tenant.clone(), run_id.to_owned())).as_deref() {
        Some(Record::Run(run)) => Some(run.clone()),
        _ => None,
    }
}
