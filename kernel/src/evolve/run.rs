//! What the events of a run besides decisions change.

use assent_ledger::ids::TenantId;

use super::{EntryFacts, grants};
use crate::event::{Event, ModeTrigger, RunModeChanged, RunStep, TaintAttached};
use crate::reason::ReasonCode;
use crate::state::keys::{RunMode, RunRecord, SubjectStateRecord};
use crate::state::{Record, StateKey, StateWrite};
use crate::taint::TaintLabel;

pub(super) fn mode_changed(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &RunModeChanged) {
    let Some(run_id) = &event.run_id else { return };
    let mut was = false;
    change(state, &event.tenant, run_id, |run| {
        if body.shadow {
            run.shadow.mode = body.to;
            return;
        }
        run.mode = body.to;
        was = run.quarantined;
        run.quarantined = body.to == RunMode::Quarantined || (was && body.trigger != ModeTrigger::Release);
        if body.trigger == ModeTrigger::Release {
            // What was released was looked at: the sequences that led there begin anew, and so do the strikes.
            run.latches.clear();
            run.counters.strikes = 0;
        } else if body.to == RunMode::Normal {
            run.counters.strikes = 0;
        }
    });
    if body.shadow {
        return;
    }
    if body.to == RunMode::Quarantined {
        grants::stopped(state, at, &event.tenant, &body.subject);
    }
    change_subject(state, &event.tenant, &body.subject, |subject| match (body.to, body.trigger) {
        (_, ModeTrigger::Release) if was => {
            subject.release(run_id);
            if !subject.is_quarantined() {
                subject.latches.clear();
            }
        }
        (RunMode::Quarantined, _) if !was => subject.quarantine(run_id),
        _ => {}
    });
}

/// A denial for one of these reasons counts against the run; where policy is only observed, in the shadow state.
pub(super) fn strike(run: &mut RunRecord, codes: &[ReasonCode], observe: bool) {
    if !codes.iter().any(|code| code.is_strike()) {
        return;
    }
    if observe {
        run.shadow.strikes = run.shadow.strikes.saturating_add(1);
    } else {
        run.counters.add_one("strikes");
    }
}

pub(super) fn taint_attached(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &TaintAttached) {
    join(state, at, event, &body.labels);
}

pub(super) fn step(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &RunStep) {
    join(state, at, event, &body.labels);
}

fn join(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, labels: &[TaintLabel]) {
    let Some(run_id) = &event.run_id else { return };
    change(state, &event.tenant, run_id, |run| labels.iter().for_each(|label| run.taint.join(label, at.time)));
}

fn change(state: &mut impl StateWrite, tenant: &TenantId, run_id: &str, change: impl FnOnce(&mut RunRecord)) {
    let key = StateKey::Run(tenant.clone(), run_id.to_owned());
    if let Some(Record::Run(known)) = state.get(&key).as_deref() {
        let mut run = known.clone();
        change(&mut run);
        state.put(key, Record::Run(run));
    }
}

/// Changes what holds for all runs of a subject; a record that says nothing is removed.
pub(super) fn change_subject(
    state: &mut impl StateWrite,
    tenant: &TenantId,
    subject: &str,
    change: impl FnOnce(&mut SubjectStateRecord),
) {
    let key = StateKey::SubjectState(tenant.clone(), subject.to_owned());
    let known = match state.get(&key).as_deref() {
        Some(Record::SubjectState(known)) => known.clone(),
        _ => SubjectStateRecord::default(),
    };
    let mut record = known.clone();
    change(&mut record);
    if record == known {
        return;
    }
    if record.is_empty() {
        state.delete(key);
    } else {
        state.put(key, Record::SubjectState(record));
    }
}
