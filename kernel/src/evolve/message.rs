//! What messages and agents' keys change.

use assent_ledger::ids::{TenantId, Time};

use super::EntryFacts;
use super::decided::keep_alive;
use crate::event::{AgentKeyRegistered, AgentKeyRotated, AgentMessageChecked, Event};
use crate::expiry::schedule;
use crate::limits::MESSAGE_TAINT_MICROS;
use crate::state::keys::{AgentKeyRecord, MessageNonceRecord, RunRecord, SubjectStateRecord, pair_text};
use crate::state::{Record, StateKey, StateWrite};
use crate::taint::TaintLabel;
use crate::verdict::Verdict;

pub(super) fn checked(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &AgentMessageChecked) {
    let tenant = &event.tenant;
    let accepted = body.verdict == Verdict::Allow;
    if let Some(run_id) = &event.run_id {
        keep_alive(state, at, event, run_id, &body.sender);
        change_run(state, tenant, run_id, |run| {
            join(run, &body.given, at.time);
            if accepted {
                run.counters.add_one("messages");
            }
        });
    }
    if !accepted {
        return;
    }
    let nonce = StateKey::MessageNonce(tenant.clone(), pair_text(&body.sender, &body.nonce));
    let record = MessageNonceRecord { seq: at.seq, expires: body.expires_at };
    state.put(nonce.clone(), Record::MessageNonce(record));
    schedule(state, body.expires_at, nonce);
    deliver(state, at, tenant, body);
}

/// The taint arrives in every run in which the recipient acts until the message expires, and for an hour at least. The sender may name one of
/// them, which takes it on at once; where the message is read, and when what was read is acted upon, is not for the sender to say.
fn deliver(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, body: &AgentMessageChecked) {
    if let Some(run_id) = &body.recipient_run {
        change_run(state, tenant, run_id, |run| {
            join(run, &body.taint, at.time);
            run.generation = run.generation.max(body.generation);
        });
    }
    let key = StateKey::SubjectState(tenant.clone(), body.recipient.clone());
    let mut subject = match state.get(&key).as_deref() {
        Some(Record::SubjectState(known)) => known.clone(),
        _ => SubjectStateRecord::default(),
    };
    subject.hear(body.generation, body.expires_at, at.time);
    let acted_upon = Time(at.time.0.saturating_add(MESSAGE_TAINT_MICROS));
    for label in &body.taint {
        subject.receive(label, body.expires_at.max(acted_upon), at.time);
    }
    if !subject.is_empty() {
        state.put(key, Record::SubjectState(subject));
    }
}

/// Changes a run that exists.
pub(super) fn change_run(
    state: &mut impl StateWrite,
    tenant: &TenantId,
    run_id: &str,
    change: impl FnOnce(&mut RunRecord),
) {
    let key = StateKey::Run(tenant.clone(), run_id.to_owned());
    if let Some(Record::Run(known)) = state.get(&key).as_deref() {
        let mut run = known.clone();
        change(&mut run);
        state.put(key, Record::Run(run));
    }
}

/// Joins labels to a run.
pub(super) fn join(run: &mut RunRecord, labels: &[TaintLabel], at: Time) {
    labels.iter().for_each(|label| run.taint.join(label, at));
}

pub(super) fn key_registered(
    state: &mut impl StateWrite,
    at: &EntryFacts,
    tenant: &TenantId,
    body: &AgentKeyRegistered,
) {
    let record = AgentKeyRecord { public_key: *body.public_key.as_bytes(), registered: at.time, retired: None };
    state.put(StateKey::AgentKey(tenant.clone(), pair_text(&body.subject, &body.key_id)), Record::AgentKey(record));
}

pub(super) fn key_rotated(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, body: &AgentKeyRotated) {
    let old = StateKey::AgentKey(tenant.clone(), pair_text(&body.subject, &body.previous));
    if let Some(Record::AgentKey(known)) = state.get(&old).as_deref() {
        let record = AgentKeyRecord { retired: Some(at.time), ..known.clone() };
        state.put(old, Record::AgentKey(record));
    }
    let record = AgentKeyRecord { public_key: *body.public_key.as_bytes(), registered: at.time, retired: None };
    state.put(StateKey::AgentKey(tenant.clone(), pair_text(&body.subject, &body.key_id)), Record::AgentKey(record));
}
