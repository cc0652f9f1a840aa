//! A bundle's source: `Bundle(hash)`. It compiled when it was offered.

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::BUNDLE_BYTES_MAX;
use crate::state::record::RecordCodec;

/// A bundle's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleRecord {
    /// The exact bytes that were offered.
    pub source: Vec<u8>,
}

impl RecordCodec for BundleRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.bytes(&self.source);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(BundleRecord { source: r.bytes("the source", BUNDLE_BYTES_MAX)?.to_vec() })
    }
}
