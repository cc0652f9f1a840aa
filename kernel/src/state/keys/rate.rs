//! A rate's bucket: `Rate(tenant, key)`. The key holds the rate's terms, so that a changed rate starts anew. Those of a run are among its
//! counts, and go on.

use assent_ledger::ids::Time;

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// How full a bucket was, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateRecord {
    /// Its content. A call takes as much as the rate's period has microseconds; a microsecond adds as many as the rate has calls.
    pub credit: u64,
    /// When it was that full.
    pub at: Time,
}

impl RecordCodec for RateRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u64(self.credit);
        w.u64(self.at.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(RateRecord { credit: r.u64("the credit")?, at: r.time("the time")? })
    }
}
