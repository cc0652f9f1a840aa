//! Seeded decisions, and what to type to meet the same ones again.

use std::time::Duration;

/// A small seeded generator (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Dice(seed ^ 0x5DEE_CE66_D1CE_5EED)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is at least one.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of `from..to`.
    pub const fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from)
    }

    /// A time of `from..to` milliseconds.
    pub const fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }

    /// Bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| self.next() as u8)
    }
}

/// The seeds to run: `ASSENT_SEED` for one, `ASSENT_SEEDS` for that many, else the first `default`.
pub fn seeds(default: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse().expect("a seed is a number"));
    match (number("ASSENT_SEED"), number("ASSENT_SEEDS")) {
        (Some(one), _) => vec![one],
        (None, count) => (0..count.unwrap_or(default)).collect(),
    }
}

/// The command that repeats one seed of a test.
pub fn repeat(test: &str, seed: u64) -> String {
    format!("repeat with: ASSENT_SEED={seed} cargo test -p assent-chaos-tests --test {test} -- --nocapture")
}
