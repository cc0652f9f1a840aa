//! Rows come up once, never early, whatever the order in which they were scheduled; a long silence costs one entry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId};
use proptest::prelude::*;

use super::*;
use crate::event::{Event, EventBody, ExpirySwept};
use crate::evolve::{EntryFacts, evolve};
use crate::state::keys::EffectKeyRecord;
use crate::state::{MemoryState, Overlay};

fn key(n: u8) -> StateKey {
    StateKey::EffectKey(TenantId::new("acme").unwrap(), Hash([n; 32]))
}

/// Walks as Tick does, and has the walk's end evolved as its entry does.
fn sweep(state: &mut Overlay<'_, MemoryState>, now: Time, items_max: usize) -> (Vec<StateKey>, bool) {
    let mut walk = Walk::until(state, now);
    let mut items = Vec::new();
    while items.len() < items_max {
        let Some(step) = walk.step(state) else { break };
        items.push(step.item.expect("a row names something"));
    }
    let long = walk.is_long();
    if !items.is_empty() || long {
        let ExpiryCursorRecord { minute, row, tokens, .. } = walk.cursor.clone();
        let body = EventBody::from(ExpirySwept { minute, row, tokens });
        evolve(
            state,
            &EntryFacts { seq: Seq(0), time: now, event_id: String::new(), payloads: Vec::new() },
            &Event::new(TenantId::system(), None, body),
        );
        assert_eq!(cursor(state), walk.cursor, "the entry's position is where the walk stood");
    }
    (items, long)
}

proptest! {
    #[test]
    fn rows_come_up_once_and_never_early(
        steps in proptest::collection::vec((0u64..20_000, proptest::collection::vec((0u64..9_000, any::<u8>()), 0..6), 1usize..5), 1..40),
    ) {
        let base = MemoryState::new();
        let mut state = Overlay::new(&base);
        let mut now = Time(1_000 * MINUTE_MICROS);
        let mut waiting: BTreeMap<StateKey, Vec<u64>> = BTreeMap::new();
        for (seconds, scheduled, items_max) in steps {
            for (after, item) in scheduled {
                let at = Time(now.0 + after * 1_000_000);
                schedule(&mut state, at, key(item));
                waiting.entry(key(item)).or_default().push(at.0);
            }
            now.0 += seconds * 1_000_000;
            loop {
                let (items, long) = sweep(&mut state, now, items_max);
                for item in &items {
                    let times = waiting.get_mut(item).expect("only what was scheduled comes up");
                    let first = (0..times.len()).min_by_key(|i| times[*i]).expect("as often as it was scheduled");
                    prop_assert!(times.remove(first) < now.0, "early");
                }
                if items.is_empty() && !long {
                    break;
                }
            }
            let late = |at: &u64| minute_of(Time(*at)) < minute_of(now);
            prop_assert!(!waiting.values().flatten().any(late), "left behind");
            let left: usize = waiting.values().map(Vec::len).sum();
            prop_assert_eq!(cursor(&state).pending, left as u64);
        }
        // With the last row the last bucket is gone: nothing accumulates.
        now.0 += 20_000 * 1_000_000;
        while !matches!(sweep(&mut state, now, 100), (items, false) if items.is_empty()) {}
        let (changes, _) = state.into_changes();
        let left = changes.iter().filter(|(key, record)| record.is_some() && matches!(key, StateKey::Expiry(..) | StateKey::ExpiryBucket(_)));
        prop_assert_eq!(left.count(), 0);
    }
}

#[test]
fn a_record_that_was_renewed_outlives_its_older_row() {
    let base = MemoryState::new();
    let mut state = Overlay::new(&base);
    let minutes = |n: u64| Time(n * MINUTE_MICROS);
    schedule(&mut state, minutes(1), key(1));
    schedule(&mut state, minutes(5), key(1));
    state.put(key(1), Record::EffectKey(EffectKeyRecord { seq: Seq(1), expires: minutes(5) }));
    assert_eq!(sweep(&mut state, minutes(3), 10).0.len(), 1);
    assert!(state.get(&key(1)).is_some());
    assert_eq!(sweep(&mut state, minutes(7), 10).0.len(), 1);
    assert!(state.get(&key(1)).is_none());
}

#[test]
fn a_row_far_away_is_reached_in_bounded_walks() {
    let base = MemoryState::new();
    let mut state = Overlay::new(&base);
    let far = 3 * EXPIRY_EMPTY_MINUTES_MAX + 7;
    schedule(&mut state, Time(0), key(1));
    schedule(&mut state, Time(far * MINUTE_MICROS), key(2));
    let now = Time((far + 1) * MINUTE_MICROS);
    let mut walks = 0;
    loop {
        walks += 1;
        let (items, long) = sweep(&mut state, now, 10);
        if items.contains(&key(2)) {
            break;
        }
        assert!(long, "a walk without a find is recorded, or the next one would repeat it");
    }
    assert_eq!(walks, 4);
}
