//! The clock of the cluster that scenarios are played against.

use futures::future::BoxFuture;

use assent_ledger::ids::Time;

/// The clock of a cluster, as far as a driver knows it and may move it.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Time;

    /// Lets time pass, and has what has ended recorded. Only test nodes have a clock that can do this.
    fn advance(&self, seconds: u64) -> BoxFuture<'_, Result<(), String>>;

    /// Whether time can be made to pass.
    fn is_movable(&self) -> bool;
}

/// The clock of a deployment: that of this machine, more or less, and nobody moves it.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    fn advance(&self, _: u64) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Err("the clock of a deployment cannot be moved".to_owned()) })
    }

    fn is_movable(&self) -> bool {
        false
    }
}
