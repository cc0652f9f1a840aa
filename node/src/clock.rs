//! Where a node takes the time from.

use std::time::{SystemTime, UNIX_EPOCH};

use assent_ledger::ids::Time;

/// A source of time. `assentd` has one, the system's, and no flag or configuration that could make it another; tests that run a node in
/// their own process hand one in that they move. The kernel reads no clock: what it goes by is the time that a command was stamped with.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Time;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}
