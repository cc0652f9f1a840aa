//! What accesses to memory change.

use assent_ledger::ids::{TenantId, Time};

use super::EntryFacts;
use super::decided::{across_runs, in_run, keep_alive};
use super::message::{change_run, join};
use super::run::strike;
use crate::bundle::Sensitivity;
use crate::event::{Event, MemoryAccess, MemoryOp, VALUE_ROLE};
use crate::expiry::schedule;
use crate::state::keys::{MemoryEntry, MemoryKey, MemoryQuery, MemoryRecord};
use crate::state::{Record, StateKey, StateRead, StateWrite};
use crate::verdict::Verdict;

pub(super) fn accessed(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &MemoryAccess) {
    let allowed = body.effective == Verdict::Allow;
    if let (Some(run_id), Some(subject)) = (&event.run_id, &body.subject) {
        keep_alive(state, at, event, run_id, subject);
        change_run(state, &event.tenant, run_id, |run| {
            join(run, &body.taint, at.time);
            if body.verdict == Verdict::Deny {
                // What is let pass all the same is only observed.
                strike(run, &body.codes, allowed);
            }
            let reads = matches!(body.op, MemoryOp::Read | MemoryOp::Release);
            if allowed && reads && body.classification.is_some_and(Sensitivity::is_sensitive) {
                run.counters.add_one("sensitive_reads");
            }
            in_run(run, &body.latches);
        });
        across_runs(state, event, subject, &body.latches);
    }
    if allowed {
        change(state, at, event, body);
    }
}

fn change(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &MemoryAccess) {
    let tenant = &event.tenant;
    let named = |key: fn(&str, &str, &str) -> String| {
        body.key.as_deref().map(|name| StateKey::Memory(tenant.clone(), key(&body.environment, &body.namespace, name)))
    };
    let entry = named(|environment, namespace, name| MemoryKey::Entry(environment, namespace, name).text());
    let aside = named(|environment, namespace, name| MemoryKey::Aside(environment, namespace, name).text());
    let mark = named(|environment, namespace, name| MemoryKey::Quarantine(environment, namespace, name).text());
    match body.op {
        MemoryOp::Write => {
            // A tainted value does not take the place of the one that is there: it waits for somebody to look at it.
            let place = if body.quarantined { aside } else { entry };
            if let (Some(key), Some(record)) = (place, written(at, event, body)) {
                keep(state, key, record);
            }
        }
        MemoryOp::Query => {
            if let Some(record) = asked(body) {
                keep(state, query_key(tenant, &at.event_id), record);
            }
        }
        MemoryOp::Release => {
            if let Some(id) = &body.query {
                state.delete(query_key(tenant, id));
            }
        }
        MemoryOp::Forget => entry.into_iter().for_each(|key| state.delete(key)),
        MemoryOp::Quarantine => {
            if let Some(mark) = mark {
                state.put(mark, Record::Memory(MemoryRecord::Quarantine(at.time)));
            }
        }
        MemoryOp::Restore => {
            mark.into_iter().for_each(|mark| state.delete(mark));
            if let (Some(aside), Some(entry)) = (aside, entry) {
                restore(state, at.time, aside, entry);
            }
        }
        MemoryOp::Read => {}
    }
}

/// Lets a value that was kept aside take its name's place, as its next version. One that has expired meanwhile takes nothing's place.
fn restore(state: &mut impl StateWrite, now: Time, aside: StateKey, entry: StateKey) {
    let Some(value) = kept_at(state, &aside) else { return };
    let version = kept_at(state, &entry).map_or(1, |known| known.version.saturating_add(1));
    state.delete(aside);
    let record = MemoryRecord::Entry(MemoryEntry { version, ..value });
    if record.lives_at(now) {
        keep(state, entry, record);
    }
}

fn kept_at(state: &impl StateRead, key: &StateKey) -> Option<MemoryEntry> {
    match state.get(key).as_deref() {
        Some(Record::Memory(MemoryRecord::Entry(known))) => Some(known.clone()),
        _ => None,
    }
}

fn query_key(tenant: &TenantId, id: &str) -> StateKey {
    StateKey::Memory(tenant.clone(), MemoryKey::Query(id).text())
}

fn keep(state: &mut impl StateWrite, key: StateKey, record: MemoryRecord) {
    let expires = record.expires();
    state.put(key.clone(), Record::Memory(record));
    if let Some(expires) = expires {
        schedule(state, expires, key);
    }
}

fn written(at: &EntryFacts, event: &Event, body: &MemoryAccess) -> Option<MemoryRecord> {
    let value = body.value.as_ref()?;
    let payload = event.payloads.iter().find(|payload| payload.role == VALUE_ROLE);
    Some(MemoryRecord::Entry(MemoryEntry {
        subject: body.subject.clone()?,
        run_id: event.run_id.clone()?,
        seq: at.seq,
        event_id: at.event_id.clone(),
        value: value.commitment,
        content_type: payload.map(|payload| payload.content_type.clone()).unwrap_or_default(),
        external: body.external,
        expires: body.expires?,
        classification: body.classification?,
        version: value.version,
        taint: body.labels.clone(),
    }))
}

fn asked(body: &MemoryAccess) -> Option<MemoryRecord> {
    Some(MemoryRecord::Query(MemoryQuery {
        subject: body.subject.clone()?,
        environment: body.environment.clone(),
        namespace: body.namespace.clone(),
        clearance: body.classification?,
        expires: body.expires?,
    }))
}
