//! The one record of all that is counted in a run: there while something is counted, gone some time after the run is over.

use assent_ledger::ids::TenantId;

use crate::state::keys::RunCountsRecord;
use crate::state::{Record, StateKey, StateWrite};

/// Changes what is counted in a run. A run that is over begins to count nothing: what it had is looked at from the time on at which it was closed.
pub(super) fn change(
    state: &mut impl StateWrite,
    tenant: &TenantId,
    run_id: Option<&str>,
    change: impl FnOnce(&mut RunCountsRecord),
) {
    let Some(run_id) = run_id else { return };
    let key = StateKey::RunCounts(tenant.clone(), run_id.to_owned());
    let mut counts = match state.get(&key).as_deref() {
        Some(Record::RunCounts(known)) => known.clone(),
        _ if super::scoped::is_open(state, tenant, run_id) => RunCountsRecord::default(),
        _ => return,
    };
    change(&mut counts);
    if !counts.is_empty() {
        state.put(key, Record::RunCounts(counts));
    }
}
