//! What calls added up to under a contract across steps: `Accumulator(tenant, scope and predicate)`.

use std::collections::BTreeSet;

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;

use crate::bundle::limits::DISTINCT_MAX;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
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
    /// When it ends; `None` for one of a run.
    pub expires: Option<Time>,
    /// The run with which it ends; `None` for one that ends by itself.
    pub run: Option<String>,
}

impl Default for AccumulatorRecord {
    fn default() -> Self {
        AccumulatorRecord { count: 0, sum: "0".to_owned(), distinct: BTreeSet::new(), expires: None, run: None }
    }
}

impl RecordCodec for AccumulatorRecord {
    const VERSION: u8 = 2;

    fn write(&self, w: &mut Writer) {
        w.u64(self.count);
        w.text(&self.sum);
        w.count(self.distinct.len());
        self.distinct.iter().for_each(|hash| w.fixed(&hash.0));
        w.option(self.expires, |w, time| w.u64(time.0));
        w.text_opt(self.run.as_deref());
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
        let expires = r.option("the end", |r| r.time("the end"))?;
        Ok(AccumulatorRecord { count, sum, distinct, expires, run: r.text_opt("the run", NAME_BYTES_MAX)? })
    }
}
