//! The window is bounded: beyond the cap the oldest minutes go, and their ids are refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use assent_ledger::seal::SealReason;

use super::*;
use crate::command::{Caller, CommandBody, Role};
use crate::stamp::Stamp;
use crate::state::{MemoryState, Overlay};
use assent_ledger::ids::TreeSize;

const MINUTE: u64 = 60 * MICROS;
const START: u64 = 30_000_000 * MINUTE;

fn command(minute: u64, n: u8) -> Command {
    let time = Time(START + minute * MINUTE);
    let caller = Caller {
        tenant: TenantId::system(),
        subject: None,
        attested: true,
        role: Role::Node,
        credential: "node".into(),
    };
    let body = CommandBody::Seal { reason: SealReason::Idle, expected_start: TreeSize(u64::from(n)) };
    Command { request_id: RequestId::new(time.0 / 1_000, [n; 10]), stamp: Stamp { time, seed: [0; 32] }, caller, body }
}

const fn outcome(n: u8) -> Outcome {
    Outcome { first_seq: Seq(n as u64), count: 1, decided: None, ruled: None }
}

#[test]
fn beyond_the_cap_the_oldest_minutes_go() {
    let base = MemoryState::new();
    let mut state = Overlay::new(&base);
    for n in 0..6u8 {
        let command = command(u64::from(n) / 2, n);
        remember_capped(&mut state, &command, command.stamp.time, outcome(n), 4);
    }
    let now = command(2, 0).stamp.time;
    assert_eq!(window(&state).count, 4);
    assert_eq!(lookup(&state, &command(0, 0), now), Err(Refusal::RequestIdTooOld));
    for n in 2..6u8 {
        let row = lookup(&state, &command(u64::from(n) / 2, n), now).unwrap().unwrap();
        assert_eq!((row.first_seq, row.order), (Seq(u64::from(n)), u64::from(n % 2)));
    }
    let (changes, dropped) = state.into_changes();
    assert_eq!(dropped, [START / MINUTE]);
    let rows = changes.iter().filter(|(key, record)| matches!(key, StateKey::Request { .. }) && record.is_some());
    assert_eq!(rows.count(), 4);
}

#[test]
fn one_minute_beyond_the_cap_is_dropped_rather_than_half_kept() {
    let base = MemoryState::new();
    let mut state = Overlay::new(&base);
    for n in 0..3u8 {
        let command = command(0, n);
        remember_capped(&mut state, &command, command.stamp.time, outcome(n), 2);
    }
    assert_eq!(window(&state).count, 0);
    assert_eq!(lookup(&state, &command(0, 0), command(0, 0).stamp.time), Err(Refusal::RequestIdTooOld));
    assert_eq!(lookup(&state, &command(1, 0), command(1, 0).stamp.time), Ok(None));
}

#[test]
fn an_undone_command_is_not_remembered() {
    let base = MemoryState::new();
    let mut state = Overlay::new(&base);
    state.savepoint();
    remember(&mut state, &command(0, 0), command(0, 0).stamp.time, outcome(0));
    state.rollback();
    assert_eq!(lookup(&state, &command(0, 0), command(0, 0).stamp.time), Ok(None));
    assert_eq!(state.into_changes(), (vec![], vec![]));
}

#[test]
fn the_buckets_digest_covers_its_rows_in_their_order() {
    let base = MemoryState::new();
    let mut state = Overlay::new(&base);
    let mut digest = Hash::default();
    for n in 0..3u8 {
        let command = command(0, n);
        remember(&mut state, &command, command.stamp.time, outcome(n));
        let key = request_key(&command.caller.tenant, command.principal(), command.request_id);
        digest = chain_digest(&digest, &key.encode(), &state.get(&key).unwrap().encode());
    }
    let summary = state.get(&StateKey::RequestBucket(START / MINUTE)).unwrap();
    assert_eq!(*summary, Record::RequestBucket(RequestBucketRecord { count: 3, digest }));
    assert_ne!(digest, chain_digest(&Hash::default(), b"", b""), "it says what it covers");
}
