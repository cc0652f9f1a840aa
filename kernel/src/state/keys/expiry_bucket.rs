//! How many rows end in one minute: `ExpiryBucket(minute)`. Gone when all of them were walked.

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// The rows of one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryBucketRecord {
    /// How many there are; they are numbered from 0.
    pub rows: u32,
}

impl RecordCodec for ExpiryBucketRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u32(self.rows);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(ExpiryBucketRecord { rows: r.u32("the rows")? })
    }
}
