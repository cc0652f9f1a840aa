//! What the calls of a subject in a day added up to under a contract across steps: `Accumulator(tenant, scope and predicate)`. What those of a
//! run added up to is in the run's counts.

use std::collections::BTreeSet;

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;

use crate::bundle::limits::DISTINCT_MAX;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::TEXT_BYTES_MAX;
use crate::state::record::RecordCodec;

/// A count, an exact sum, or distinct values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccumulatorRecord {
    /// How many calls were counted.
    pub count: u64,
    /// The exact sum, as text.
    pub sum: String,
    /// Digests of the distinct values, at most `DISTINCT_MAX`.
    pub distinct: BTreeSet<Hash>,
    /// When it ends.
    pub expires: Time,
}

impl AccumulatorRecord {
    /// One that nothing was added to, until it ends.
    pub fn until(expires: Time) -> AccumulatorRecord {
        AccumulatorRecord { count: 0, sum: "0".to_owned(), distinct: BTreeSet::new(), expires }
    }
}

impl RecordCodec for AccumulatorRecord {
    const VERSION: u8 = 3;

    fn write(&self, w: &mut Writer) {
        w.u64(self.count);
        w.text(&self.sum);
        w.count(self.distinct.len());
        self.distinct.iter().for_each(|hash| w.fixed(&hash.0));
        w.u64(self.expires.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (count, sum) = (r.u64("the count")?, r.text("the sum", TEXT_BYTES_MAX)?);
        let max = usize::try_from(DISTINCT_MAX).unwrap_or(usize::MAX);
        let values = r.count("the values", max)?;
        let distinct: Result<BTreeSet<Hash>, _> = (0..values).map(|_| r.hash("a value")).collect();
        let distinct = distinct?;
        if distinct.len() != values {
            return Err(CodecError::Invalid { what: "the values" });
        }
        Ok(AccumulatorRecord { count, sum, distinct, expires: r.time("the end")? })
    }
}
