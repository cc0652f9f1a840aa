//! Percentiles of single calls. Criterion measures many calls at once and reports their mean; bars are stated as p50 and p99.

use std::time::Instant;

/// Calls that are made before the first that counts.
const WARM_UP: usize = 2_000;

/// Times `count` single calls and prints p50, p90, p99, p99.9 and the longest in nanoseconds, the clock's own cost included.
///
/// `prepare` makes what a call takes, outside of the measured time; `call` is measured.
pub fn print<I, O>(what: &str, count: usize, mut prepare: impl FnMut() -> I, mut call: impl FnMut(&I) -> O) {
    let mut nanos = Vec::with_capacity(count);
    for round in 0..count + WARM_UP {
        let input = prepare();
        let start = Instant::now();
        let output = std::hint::black_box(call(&input));
        let taken = start.elapsed().as_nanos();
        drop(output);
        if round >= WARM_UP {
            nanos.push(taken);
        }
    }
    println!("{what}: {}", line(&mut nanos));
}

/// The line that [`print()`] shows for these durations, in nanoseconds.
fn line(nanos: &mut [u128]) -> String {
    nanos.sort_unstable();
    let at = |rank: f64| {
        let index = (nanos.len() as f64 * rank) as usize;
        nanos.get(index.min(nanos.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    format!(
        "{} single calls: p50 {} ns, p90 {} ns, p99 {} ns, p99.9 {} ns, longest {} ns",
        nanos.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_taken_from_the_sorted_values() {
        let mut nanos: Vec<u128> = (0..1000).rev().collect();
        assert_eq!(
            line(&mut nanos),
            "1000 single calls: p50 500 ns, p90 900 ns, p99 990 ns, p99.9 999 ns, longest 999 ns"
        );
        assert!(line(&mut []).starts_with("0 single calls: p50 0 ns"));
    }
}
