//! Something that ends in a minute: `Expiry(minute, row)`.

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::TEXT_BYTES_MAX;
use crate::state::StateKey;
use crate::state::record::RecordCodec;

/// A row of a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryRecord {
    /// Which record ends. It says itself when: it may have been renewed since.
    pub item: StateKey,
}

impl RecordCodec for ExpiryRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.bytes(&self.item.encode());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(ExpiryRecord { item: StateKey::decode(r.bytes("the key", 3 * TEXT_BYTES_MAX)?)? })
    }
}
