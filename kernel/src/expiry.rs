//! What ends at a time: rows by the minute, walked from a cursor by `Tick`, a bounded number at once.
//!
//! A row names the record that ends. Whoever uses such a record compares its own time too: a late Tick never makes anything last
//! longer, it only tidies up late. A record that was renewed in the meantime is left alone when an older row of it comes up.

use assent_ledger::ids::Time;

use crate::limits::EXPIRY_EMPTY_MINUTES_MAX;
use crate::state::keys::{ExpiryBucketRecord, ExpiryCursorRecord, ExpiryRecord};
use crate::state::{Record, StateKey, StateRead, StateWrite};

const MINUTE_MICROS: u64 = 60 * 1_000_000;

/// The minute of a time, counted from 1970.
pub const fn minute_of(time: Time) -> u64 {
    time.0 / MINUTE_MICROS
}

/// Has `Tick` look at the record under `item` once the minute of `at` is over. Call it in `evolve`, beside the `put` of the record.
/// What happens then is decided in `decide/tick.rs` (an event) or `evolve/expiry.rs` (silently), by the kind of the key.
pub fn schedule(state: &mut impl StateWrite, at: Time, item: StateKey) {
    let mut cursor = cursor(state);
    let mut minute = minute_of(at);
    if cursor.pending == 0 {
        (cursor.minute, cursor.row) = (minute, 0);
    } else if minute < cursor.minute {
        // Within a bucket that is half walked, one cannot go back: the row joins that bucket, which is due already.
        if cursor.row == 0 {
            cursor.minute = minute;
        } else {
            minute = cursor.minute;
        }
    }
    let row = rows_of(state, minute).unwrap_or(0);
    state.put(StateKey::Expiry(minute, row), Record::Expiry(ExpiryRecord { item }));
    let bucket = ExpiryBucketRecord { rows: row.saturating_add(1) };
    state.put(StateKey::ExpiryBucket(minute), Record::ExpiryBucket(bucket));
    cursor.newest = if cursor.pending == 0 { minute } else { cursor.newest.max(minute) };
    cursor.pending = cursor.pending.saturating_add(1);
    state.put(StateKey::ExpiryCursor, Record::ExpiryCursor(cursor));
}

/// Where the walk stands.
pub fn cursor(state: &impl StateRead) -> ExpiryCursorRecord {
    match state.get(&StateKey::ExpiryCursor).as_deref() {
        Some(Record::ExpiryCursor(cursor)) => cursor.clone(),
        _ => ExpiryCursorRecord::default(),
    }
}

fn rows_of(state: &impl StateRead, minute: u64) -> Option<u32> {
    match state.get(&StateKey::ExpiryBucket(minute)).as_deref() {
        Some(Record::ExpiryBucket(bucket)) => Some(bucket.rows),
        _ => None,
    }
}

/// A walk over the rows whose minute is over.
pub struct Walk {
    /// Where it stands.
    pub cursor: ExpiryCursorRecord,
    before_minute: u64,
    empty_minutes: u64,
}

/// A row that a walk came by.
pub struct Step {
    /// Where it lies.
    pub row: StateKey,
    /// What it names.
    pub item: Option<StateKey>,
    /// The bucket, if this was its last row.
    pub ended: Option<StateKey>,
}

impl Walk {
    /// A walk from the state's cursor over all minutes that are over.
    pub fn until(state: &impl StateRead, now: Time) -> Walk {
        Walk { cursor: cursor(state), before_minute: minute_of(now), empty_minutes: 0 }
    }

    /// A walk that stops at a position which another walk of the same state has come to.
    pub fn to(state: &impl StateRead, minute: u64, row: u32) -> Walk {
        let before_minute = if row == 0 { minute } else { minute.saturating_add(1) };
        Walk { cursor: cursor(state), before_minute, empty_minutes: 0 }
    }

    /// The next row; nothing when all rows are walked, or after as many empty minutes as one walk may pass.
    pub fn step(&mut self, state: &impl StateRead) -> Option<Step> {
        let cursor = &mut self.cursor;
        while cursor.pending > 0 && cursor.minute < self.before_minute && cursor.minute <= cursor.newest {
            if let Some(rows) = rows_of(state, cursor.minute) {
                let bucket = StateKey::ExpiryBucket(cursor.minute);
                let row = StateKey::Expiry(cursor.minute, cursor.row);
                let item = match state.get(&row).as_deref() {
                    Some(Record::Expiry(found)) => Some(found.item.clone()),
                    _ => None,
                };
                cursor.pending = cursor.pending.saturating_sub(1);
                cursor.row = cursor.row.saturating_add(1);
                let ended = (cursor.row >= rows).then_some(bucket);
                if ended.is_some() {
                    (cursor.minute, cursor.row) = (cursor.minute.saturating_add(1), 0);
                }
                return Some(Step { row, item, ended });
            }
            if self.empty_minutes >= EXPIRY_EMPTY_MINUTES_MAX {
                return None;
            }
            self.empty_minutes += 1;
            cursor.minute = cursor.minute.saturating_add(1);
        }
        None
    }

    /// Whether it passed so many empty minutes that its position is worth an entry: otherwise every later walk would pass them
    /// again, and more and more of them.
    pub const fn is_long(&self) -> bool {
        self.empty_minutes >= EXPIRY_EMPTY_MINUTES_MAX
    }
}

#[cfg(test)]
mod tests;
