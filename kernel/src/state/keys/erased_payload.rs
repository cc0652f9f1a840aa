//! That a payload was erased: `ErasedPayload(tenant, commitment)`. Kept for ever: an erased value never comes back.

use assent_ledger::ids::{Seq, Time};

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// An erased payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedPayloadRecord {
    /// The entry that commits to it.
    pub entry: Seq,
    /// When it was erased.
    pub erased: Time,
}

impl RecordCodec for ErasedPayloadRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u64(self.entry.0);
        w.u64(self.erased.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(ErasedPayloadRecord { entry: r.seq("the entry")?, erased: r.time("erased")? })
    }
}
