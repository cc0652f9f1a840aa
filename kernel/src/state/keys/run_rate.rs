//! The buckets of a rate that each run has for itself: that of the rate, and that of the share which reported signals leave of it.
//!
//! Terms change with bundles and with signals. There is one bucket of either sort all the same, so that a run cannot grow by it.

use assent_ledger::ids::Time;

use super::RateRecord;
use crate::charge::{RATE_CALLS_MAX, RATE_SECONDS_MAX, RateTerms};
use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// A bucket and the terms under which it was last taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The terms.
    pub terms: RateTerms,
    /// How full it was, and when.
    pub rate: RateRecord,
}

impl Bucket {
    const fn full(terms: RateTerms, at: Time) -> Bucket {
        Bucket { terms, rate: RateRecord { credit: terms.burst * terms.call(), at } }
    }

    /// How full it is under these terms, in their own unit. Under other terms than before, the calls that were left are left still: no
    /// change of terms gives a call back. It was refilled since as the slower of both says, for nobody knows when the terms changed.
    pub fn credit(&self, terms: RateTerms, now: Time) -> u64 {
        if self.terms == terms {
            return terms.credit(Some(&self.rate), now);
        }
        let left_then = RateRecord { credit: self.in_unit_of(terms, self.rate.credit), ..self.rate };
        let left_now = self.in_unit_of(terms, self.terms.credit(Some(&self.rate), now));
        terms.credit(Some(&left_then), now).min(left_now)
    }

    /// So many calls in the unit of other terms, rounded down.
    fn in_unit_of(&self, terms: RateTerms, credit: u64) -> u64 {
        let credit = u128::from(credit) * u128::from(terms.call()) / u128::from(self.terms.call());
        u64::try_from(credit).unwrap_or(u64::MAX)
    }

    fn take(&mut self, terms: RateTerms, now: Time) {
        let credit = self.credit(terms, now).saturating_sub(terms.call());
        *self = Bucket { terms, rate: RateRecord { credit, at: now } };
    }
}

/// The buckets of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunRate {
    /// That of the rate itself.
    pub whole: Bucket,
    /// That of its share, once a share was left of it only.
    pub share: Option<Bucket>,
}

impl RunRate {
    /// Bytes of one bucket as it is stored.
    pub const BUCKET_BYTES: usize = 28;

    /// A rate that nobody has taken from.
    pub const fn full(terms: RateTerms, now: Time) -> RunRate {
        RunRate { whole: Bucket::full(terms, now), share: None }
    }

    /// How full the bucket of the whole or of a share is; one that was never used is full.
    pub fn credit(rate: Option<&RunRate>, share: bool, terms: RateTerms, now: Time) -> u64 {
        let bucket = rate.and_then(|rate| if share { rate.share } else { Some(rate.whole) });
        bucket.map_or_else(|| terms.credit(None, now), |bucket| bucket.credit(terms, now))
    }

    /// Takes one call from the bucket of the whole or of a share; in observe mode there may be less in it than that.
    pub fn take(&mut self, share: bool, terms: RateTerms, now: Time) {
        let bucket = if share { self.share.get_or_insert(Bucket::full(terms, now)) } else { &mut self.whole };
        bucket.take(terms, now);
    }

    pub(super) fn write(&self, w: &mut Writer) {
        write_bucket(&self.whole, w);
        w.option(self.share.as_ref(), |w, share| write_bucket(share, w));
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<RunRate, CodecError> {
        Ok(RunRate { whole: read_bucket(r)?, share: r.option("the share", read_bucket)? })
    }
}

fn write_bucket(bucket: &Bucket, w: &mut Writer) {
    let RateTerms { calls, per_seconds, burst } = bucket.terms;
    // Each is below 2^32, see below.
    [calls, per_seconds, burst].into_iter().for_each(|n| w.u32(u32::try_from(n).unwrap_or(u32::MAX)));
    bucket.rate.write(w);
}

fn read_bucket(r: &mut Reader<'_>) -> Result<Bucket, CodecError> {
    let mut number = |what| r.u32(what).map(u64::from);
    let terms =
        RateTerms { calls: number("the calls")?, per_seconds: number("the time")?, burst: number("the burst")? };
    if !terms.is_usable() {
        return Err(CodecError::Invalid { what: "the terms" });
    }
    Ok(Bucket { terms, rate: RateRecord::read(r)? })
}

const _: () = assert!(RATE_CALLS_MAX <= u32::MAX as u64);
const _: () = assert!(RATE_SECONDS_MAX <= u32::MAX as u64);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn terms(calls: u64, per_seconds: u64, burst: u64) -> RateTerms {
        RateTerms { calls, per_seconds, burst }
    }

    /// How many calls pass now.
    fn calls(rate: &RunRate, share: bool, terms: RateTerms, now: u64) -> u64 {
        RunRate::credit(Some(rate), share, terms, Time(now)) / terms.call()
    }

    #[test]
    fn the_same_terms_are_a_plain_bucket() {
        let of = terms(6, 60, 6);
        let mut rate = RunRate::full(of, Time(0));
        assert_eq!((calls(&rate, false, of, 0), RunRate::credit(None, true, of, Time(0)) / of.call()), (6, 6));
        (0..6).for_each(|_| rate.take(false, of, Time(0)));
        assert_eq!((calls(&rate, false, of, 0), calls(&rate, false, of, 25 * SECOND)), (0, 2));
        assert_eq!((calls(&rate, true, of, 0), rate.share), (6, None), "the share is a bucket of its own");
    }

    #[test]
    fn other_terms_give_no_call_back() {
        let (slow, fast) = (terms(6, 60, 6), terms(600, 60, 600));
        let mut rate = RunRate::full(slow, Time(0));
        (0..4).for_each(|_| rate.take(false, slow, Time(0)));
        assert_eq!((calls(&rate, false, fast, 0), calls(&rate, false, slow, 0)), (2, 2));
        assert_eq!(calls(&rate, false, fast, 20 * SECOND), 4, "refilled as the slower says");
        rate.take(false, fast, Time(0));
        assert_eq!((calls(&rate, false, fast, 0), calls(&rate, false, slow, 0)), (1, 1));
        assert_eq!((calls(&rate, false, fast, 6 * SECOND), calls(&rate, false, slow, 30 * SECOND)), (61, 4));
        // Going back and forth gives nothing either, and a smaller burst is the most that is left.
        (0..100).for_each(|n| rate.take(false, if n % 2 == 0 { slow } else { fast }, Time(0)));
        assert_eq!((calls(&rate, false, slow, 0), calls(&rate, false, fast, 0)), (0, 0));
        assert_eq!(calls(&RunRate::full(fast, Time(0)), false, terms(600, 60, 3), 0), 3);
        // Under terms whose unit is another, calls are calls, too.
        let hourly = terms(6, 3_600, 6);
        let mut rate = RunRate::full(fast, Time(0));
        (0..598).for_each(|_| rate.take(false, fast, Time(0)));
        assert_eq!((calls(&rate, false, hourly, 0), calls(&rate, false, hourly, 600 * SECOND)), (2, 3));
    }

    #[test]
    fn the_largest_terms_do_not_overflow() {
        let largest = terms(RATE_CALLS_MAX, RATE_SECONDS_MAX, RATE_CALLS_MAX);
        let rate = RunRate::full(largest, Time(0));
        assert_eq!(calls(&rate, false, terms(1, 1, 1), u64::MAX), 1);
        assert_eq!(calls(&RunRate::full(terms(1, 1, 1), Time(0)), false, largest, u64::MAX), 1);
    }
}
