//! How long a call may take in all, how long one attempt may, and how long to pause in between.

use std::time::{Duration, Instant};

use crate::config::RetryPolicy;

/// Deadlines further away than this are cut: an `Instant` cannot hold any duration.
const DEADLINE_SECONDS_MAX: u64 = 366 * 86_400;

/// The moment after which a call gives up. The caller gives it once; every attempt and every pause stays within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline that far from now; at most a year.
    pub fn after(duration: Duration) -> Self {
        Self::after_instant(Instant::now(), duration)
    }

    fn after_instant(now: Instant, duration: Duration) -> Self {
        let capped = duration.min(Duration::from_secs(DEADLINE_SECONDS_MAX));
        Deadline(now.checked_add(capped).unwrap_or(now))
    }

    /// What is left; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.remaining_at(Instant::now())
    }

    fn remaining_at(&self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether it has passed.
    pub fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The time for one attempt: what is left, but no more than `attempt_max`.
    pub(crate) fn attempt(&self, attempt_max: Duration) -> Duration {
        self.remaining().min(attempt_max)
    }
}

/// Pauses between attempts: doubling from the policy's first pause to its longest, each cut by up to a half at random
/// so that clients that failed together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(policy: &RetryPolicy) -> Self {
        Backoff { next: policy.pause_first.min(policy.pause_longest), longest: policy.pause_longest }
    }

    /// The next pause, at least what the server asked for (itself bounded by the policy's longest pause).
    pub(crate) fn pause(&mut self, asked: Duration, jitter: u8) -> Duration {
        let base = self.next;
        self.next = base.saturating_mul(2).min(self.longest);
        let jittered = base / 2 + (base / 2) * u32::from(jitter) / 255;
        jittered.max(asked.min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(first_ms: u64, longest_ms: u64) -> RetryPolicy {
        RetryPolicy {
            pause_first: Duration::from_millis(first_ms),
            pause_longest: Duration::from_millis(longest_ms),
            ..RetryPolicy::default()
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(&policy(20, 100));
        let pauses: Vec<u128> = (0..5).map(|_| backoff.pause(Duration::ZERO, 255).as_millis()).collect();
        assert_eq!(pauses, [20, 40, 80, 100, 100]);
    }

    #[test]
    fn jitter_takes_at_most_half_and_the_server_may_ask_for_more() {
        let mut backoff = Backoff::new(&policy(100, 400));
        assert_eq!(backoff.pause(Duration::ZERO, 0), Duration::from_millis(50));
        assert_eq!(backoff.pause(Duration::from_millis(300), 0), Duration::from_millis(300));
        assert_eq!(backoff.pause(Duration::from_secs(3600), 0), Duration::from_millis(400), "bounded by the policy");
    }

    #[test]
    fn attempts_stay_within_the_deadline() {
        let now = Instant::now();
        let deadline = Deadline::after_instant(now, Duration::from_secs(5));
        assert_eq!(deadline.remaining_at(now), Duration::from_secs(5));
        assert_eq!(deadline.remaining_at(now + Duration::from_secs(9)), Duration::ZERO);
        let passed = Deadline::after(Duration::ZERO);
        assert!(passed.has_passed());
        assert_eq!(passed.attempt(Duration::from_secs(2)), Duration::ZERO);
        assert_eq!(Deadline::after(Duration::from_secs(60)).attempt(Duration::from_secs(2)), Duration::from_secs(2));
    }

    #[test]
    fn any_duration_makes_a_deadline() {
        assert!(!Deadline::after(Duration::MAX).has_passed());
    }
}
