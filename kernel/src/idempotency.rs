//! Request ids: the same id with the same content is answered with what was recorded, never decided anew.
//!
//! Rows are kept by the minute of the id's own time. What leaves the window takes whole minutes with it and moves the window's
//! start up, so that an id is either remembered or refused. Rows follow from the committed commands and not from the leaves,
//! which must not give away a digest of what was asked: this is the one part of the state that replaying leaves cannot rebuild.

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{Seq, TenantId, Time};

use crate::command::{Command, RequestId};
use crate::limits::{REQUEST_BUCKET_SECONDS, REQUEST_FUTURE_SECONDS, REQUEST_WINDOW_SECONDS, REQUESTS_MAX};
use crate::refusal::Refusal;
use crate::state::keys::{DecidedRecord, RequestBucketRecord, RequestRecord, RequestWindowRecord, RuledRecord};
use crate::state::{Record, StateKey, StateRead, StateWrite};

const MICROS: u64 = 1_000_000;

/// The bucket of a time: minutes since 1970.
pub const fn bucket_of(time: Time) -> u64 {
    time.0 / (REQUEST_BUCKET_SECONDS * MICROS)
}

/// Where a request is remembered.
pub fn request_key(tenant: &TenantId, principal: String, id: RequestId) -> StateKey {
    StateKey::Request { bucket: bucket_of(id.time()), tenant: tenant.clone(), principal, id }
}

/// What an earlier command with this request id came to. Errors: the id is outside the window, or its content was another.
pub fn lookup(state: &impl StateRead, command: &Command, now: Time) -> Result<Option<RequestRecord>, Refusal> {
    let time = command.request_id.time();
    if time.0 > now.0.saturating_add(REQUEST_FUTURE_SECONDS * MICROS) {
        return Err(Refusal::RequestIdInFuture);
    }
    if time < window_start(now) || bucket_of(time) < window(state).oldest {
        return Err(Refusal::RequestIdTooOld);
    }
    let key = request_key(&command.caller.tenant, command.principal(), command.request_id);
    let found = state.get(&key);
    let Some(Record::Request(row)) = found.as_deref() else { return Ok(None) };
    if row.content == command.content_hash() { Ok(Some(row.clone())) } else { Err(Refusal::RequestIdReused) }
}

/// What a command came to, for its repetition.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its first entry.
    pub first_seq: Seq,
    /// How many entries it made.
    pub count: u32,
    /// The decision, if it was an Evaluate.
    pub decided: Option<DecidedRecord>,
    /// The ruling, if it was something else that an agent asks for.
    pub ruled: Option<RuledRecord>,
}

/// Remembers a command that was recorded, and forgets what has left the window.
pub fn remember(state: &mut impl StateWrite, command: &Command, now: Time, outcome: Outcome) {
    remember_capped(state, command, now, outcome, REQUESTS_MAX);
}

fn remember_capped(state: &mut impl StateWrite, command: &Command, now: Time, outcome: Outcome, max: u64) {
    let mut window = window(state);
    forget_before(state, &mut window, bucket_of(window_start(now)));
    let bucket = bucket_of(command.request_id.time());
    let bucket_key = StateKey::RequestBucket(bucket);
    let mut summary = match state.get(&bucket_key).as_deref() {
        Some(Record::RequestBucket(summary)) => summary.clone(),
        _ => RequestBucketRecord { count: 0, digest: Hash::default() },
    };
    let key = request_key(&command.caller.tenant, command.principal(), command.request_id);
    let Outcome { first_seq, count, decided, ruled } = outcome;
    let content = command.content_hash();
    let row = Record::Request(RequestRecord { content, first_seq, count, order: summary.count, decided, ruled });
    summary.digest = chain_digest(&summary.digest, &key.encode(), &row.encode());
    summary.count += 1;
    state.put(key, row);
    state.put(bucket_key, Record::RequestBucket(summary));
    window.newest = window.newest.max(bucket);
    window.count += 1;
    while window.count > max && window.oldest <= window.newest {
        let next = window.oldest + 1;
        forget_before(state, &mut window, next);
    }
    state.put(StateKey::RequestWindow, Record::RequestWindow(window));
}

/// The digest of a bucket after one more row.
pub fn chain_digest(before: &Hash, key: &[u8], row: &[u8]) -> Hash {
    sha256(&[b"assent request/1\n", &before.0, key, row])
}

fn window(state: &impl StateRead) -> RequestWindowRecord {
    match state.get(&StateKey::RequestWindow).as_deref() {
        Some(Record::RequestWindow(window)) => window.clone(),
        _ => RequestWindowRecord { oldest: 0, newest: 0, count: 0 },
    }
}

const fn window_start(now: Time) -> Time {
    Time(now.0.saturating_sub(REQUEST_WINDOW_SECONDS * MICROS))
}

/// Drops every bucket before `bucket`. There are none beyond `newest`, which bounds the loop by the window's width.
fn forget_before(state: &mut impl StateWrite, window: &mut RequestWindowRecord, bucket: u64) {
    for old in window.oldest..bucket.min(window.newest.saturating_add(1)) {
        let key = StateKey::RequestBucket(old);
        if let Some(Record::RequestBucket(summary)) = state.get(&key).as_deref() {
            window.count = window.count.saturating_sub(summary.count);
            state.delete(key);
            state.drop_requests(old);
        }
    }
    window.oldest = window.oldest.max(bucket);
}

#[cfg(test)]
mod tests;
