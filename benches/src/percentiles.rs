//! Durations of single calls: their percentiles and their histogram. Criterion measures many calls at once and reports their mean;
//! bars are stated as p50, p99 and the longest.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Calls that are made before the first that counts, unless a bench says otherwise.
pub const WARM_UP: usize = 2_000;
/// Bars of the histogram for each doubling of the duration.
const BUCKETS_PER_OCTAVE: f64 = 2.0;
/// Characters of the histogram's longest bar.
const BAR_MAX: u64 = 50;

/// Durations of single calls, in nanoseconds, ascending.
#[derive(Debug, Clone, Default)]
pub struct Durations(Vec<u64>);

impl Durations {
    /// Takes durations in any order.
    pub fn new(durations: impl IntoIterator<Item = Duration>) -> Durations {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut all: Vec<u64> = durations.into_iter().map(nanos).collect();
        all.sort_unstable();
        Durations(all)
    }

    /// Times `count` single calls after `warm_up` that do not count, the clock's own cost included.
    ///
    /// `prepare` makes what a call takes, outside of the measured time; `call` is measured; what it gives is dropped outside of it.
    pub fn measure<I, O>(
        warm_up: usize,
        count: usize,
        mut prepare: impl FnMut() -> I,
        mut call: impl FnMut(&I) -> O,
    ) -> Durations {
        let mut all = Vec::with_capacity(count);
        for round in 0..count + warm_up {
            let input = prepare();
            let start = Instant::now();
            let output = std::hint::black_box(call(&input));
            let taken = start.elapsed();
            drop(output);
            if round >= warm_up {
                all.push(taken);
            }
        }
        Durations::new(all)
    }

    /// All of several measurements.
    pub fn together(parts: &[Durations]) -> Durations {
        let mut all: Vec<u64> = parts.iter().flat_map(|part| &part.0).copied().collect();
        all.sort_unstable();
        Durations(all)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.0.iter().sum())
    }

    /// The duration that this share of all does not exceed: 0.5 gives the median, 1.0 the longest; zero when there are none.
    pub fn at(&self, share: f64) -> Duration {
        let index = (self.0.len() as f64 * share) as usize;
        let nanos = self.0.get(index.min(self.0.len().saturating_sub(1)));
        Duration::from_nanos(nanos.copied().unwrap_or_default())
    }

    /// How many are longer than this.
    pub fn longer_than(&self, bound: Duration) -> usize {
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        self.0.len() - self.0.partition_point(|nanos| *nanos <= bound)
    }

    /// p50, p90, p99, p99.9 and the longest, in one line.
    pub fn line(&self) -> String {
        let [p50, p90, p99, p999, longest] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| micros(self.at(share)));
        format!("{} single calls: p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, longest {longest} (µs)", self.0.len())
    }

    /// A line for each bucket from the shortest to the longest: its bounds in microseconds, how many calls lie in it, and a bar. Buckets
    /// grow by the same factor; the longest bar is the fullest bucket.
    pub fn histogram(&self) -> String {
        let counts = self.buckets();
        let most = counts.iter().map(|(_, count)| *count).max().unwrap_or_default();
        let mut text = String::new();
        for (bucket, count) in counts {
            let bound = |bucket: i32| micros(Duration::from_secs_f64(lower_bound(bucket) / 1e9));
            let bar = "#".repeat(usize::try_from((count * BAR_MAX).div_ceil(most.max(1))).unwrap_or_default());
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {:>10} to {:>10} {count:>9} {bar}", bound(bucket), bound(bucket + 1));
        }
        text
    }

    /// Number and count of each bucket, from the first that is not empty to the last.
    fn buckets(&self) -> Vec<(i32, u64)> {
        let mut counts: Vec<(i32, u64)> = Vec::new();
        for nanos in &self.0 {
            let bucket = (((*nanos).max(1) as f64).log2() * BUCKETS_PER_OCTAVE).floor() as i32;
            while counts.last().is_some_and(|(last, _)| *last < bucket) {
                let next = counts.last().map_or(bucket, |(last, _)| last + 1);
                counts.push((next, 0));
            }
            match counts.last_mut() {
                Some((_, count)) => *count += 1,
                None => counts.push((bucket, 1)),
            }
        }
        counts
    }
}

/// The shortest duration of a bucket, in nanoseconds.
fn lower_bound(bucket: i32) -> f64 {
    (f64::from(bucket) / BUCKETS_PER_OCTAVE).exp2()
}

/// A duration in microseconds, with as many digits as say something.
pub fn micros(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    if micros < 100.0 { format!("{micros:.2}") } else { format!("{micros:.0}") }
}

/// Times `count` single calls and prints their percentiles and their histogram, see [`Durations::measure`].
pub fn print<I, O>(what: &str, count: usize, prepare: impl FnMut() -> I, call: impl FnMut(&I) -> O) -> Durations {
    let durations = Durations::measure(WARM_UP, count, prepare, call);
    println!("{what}: {}", durations.line());
    print!("{}", durations.histogram());
    durations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(nanos: impl IntoIterator<Item = u64>) -> Durations {
        Durations::new(nanos.into_iter().map(Duration::from_nanos))
    }

    #[test]
    fn ranks_are_taken_from_the_sorted_values() {
        let durations = of((0..1000).rev().map(|n| n * 1000));
        assert_eq!(durations.line(), "1000 single calls: p50 500, p90 900, p99 990, p99.9 999, longest 999 (µs)");
        assert!(of([]).line().starts_with("0 single calls: p50 0.00"));
        assert_eq!((durations.longer_than(Duration::from_micros(989)), of([]).longer_than(Duration::ZERO)), (10, 0));
    }

    #[test]
    fn every_call_is_in_one_bucket_and_empty_ones_between_are_shown() {
        let durations = of([1_100, 1_200, 1_100, 9_000]);
        let buckets = durations.buckets();
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 4);
        assert_eq!((buckets.first().map(|b| b.1), buckets.last().map(|b| b.1)), (Some(3), Some(1)));
        assert_eq!(buckets.len(), 7, "{buckets:?}");
        assert_eq!(durations.histogram().lines().count(), 7);
    }
}
