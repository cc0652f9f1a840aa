//! Digest over the requests of one minute: `RequestBucket(minute)`.

use assent_ledger::hash::Hash;

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// How many requests of a minute are remembered, and a digest over them in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestBucketRecord {
    /// Their number.
    pub count: u64,
    /// `SHA-256("assent request/1\n" ‖ digest before ‖ key ‖ value)`, from zeros.
    pub digest: Hash,
}

impl RecordCodec for RequestBucketRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u64(self.count);
        w.fixed(&self.digest.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(RequestBucketRecord { count: r.u64("the count")?, digest: r.hash("the digest")? })
    }
}
