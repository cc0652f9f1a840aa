//! Which request ids are remembered: `RequestWindow`.

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// The span of minutes whose requests are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestWindowRecord {
    /// The first minute whose ids are accepted.
    pub oldest: u64,
    /// The last minute that has a bucket.
    pub newest: u64,
    /// How many requests there are over all buckets.
    pub count: u64,
}

impl RecordCodec for RequestWindowRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u64(self.oldest);
        w.u64(self.newest);
        w.u64(self.count);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(RequestWindowRecord {
            oldest: r.u64("the oldest bucket")?,
            newest: r.u64("the newest bucket")?,
            count: r.u64("the count")?,
        })
    }
}
