//! Latencies in a fixed histogram: 32 steps per doubling, so that a percentile is at most about 3 % off.

use std::time::Duration;

/// Steps per doubling, as a power of two.
const STEP_BITS: u32 = 5;
const STEPS: u64 = 1 << STEP_BITS;
/// Enough for every `u64` of microseconds.
const BUCKETS: usize = (64 - STEP_BITS as usize + 1) * STEPS as usize;

/// Counts of durations by microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    largest_micros: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BUCKETS], total: 0, largest_micros: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
        }
        self.total += 1;
        self.largest_micros = self.largest_micros.max(micros);
    }

    /// Adds all of another histogram's.
    pub fn merge(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.largest_micros = self.largest_micros.max(other.largest_micros);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The longest, exactly.
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.largest_micros)
    }

    /// The duration that `per_mille` thousandths of all do not exceed, rounded up to its step; zero when nothing was counted.
    pub fn percentile(&self, per_mille: u64) -> Duration {
        let wanted = (self.total * per_mille).div_ceil(1000).max(1);
        let mut seen = 0u64;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(upper(index).min(self.largest_micros));
            }
        }
        Duration::ZERO
    }
}

/// The bucket of a value: exact below 32, then 32 to a doubling.
fn bucket(micros: u64) -> usize {
    let shift = (64 - STEP_BITS).saturating_sub(micros.leading_zeros() + 1);
    let step = micros >> shift;
    usize::try_from(u64::from(shift) * STEPS + step).unwrap_or(usize::MAX)
}

/// The largest value of a bucket.
fn upper(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    let step = STEPS + index % STEPS;
    ((step + 1) << shift).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        let mut values: Vec<u64> = (0..5000).collect();
        values.extend((0..64).flat_map(|bit| [1u64 << bit, (1u64 << bit) - 1, (1u64 << bit) | 1]));
        values.push(u64::MAX);
        for value in values {
            let index = bucket(value);
            assert!(index < BUCKETS, "{value}");
            assert!(value <= upper(index), "{value} {index}");
            assert!(index == 0 || value > upper(index - 1), "{value} {index}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        for micros in 1..=10_000u64 {
            histogram.record(Duration::from_micros(micros));
        }
        for (per_mille, exact) in [(500, 5000.0), (990, 9900.0), (1000, 10_000.0)] {
            let got = histogram.percentile(per_mille).as_secs_f64() * 1e6;
            assert!((exact..=exact * 1.035).contains(&got), "{per_mille}: {got}");
        }
        assert_eq!(histogram.percentile(1000), histogram.longest());
        assert_eq!(histogram.count(), 10_000);
    }

    #[test]
    fn merging_is_counting_together() {
        let (mut a, mut b, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for micros in [3, 700, 90_000] {
            a.record(Duration::from_micros(micros));
            both.record(Duration::from_micros(micros));
        }
        b.record(Duration::from_secs(2));
        both.record(Duration::from_secs(2));
        a.merge(&b);
        assert_eq!(a, both);
        assert_eq!(Histogram::default().percentile(990), Duration::ZERO);
    }
}
