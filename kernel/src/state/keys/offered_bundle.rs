//! That a bundle was offered to a tenant: `OfferedBundle(tenant, hash)`.

use assent_ledger::ids::Time;

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// An offer; a tenant can only activate what was offered to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedBundleRecord {
    /// When.
    pub offered: Time,
}

impl RecordCodec for OfferedBundleRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u64(self.offered.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(OfferedBundleRecord { offered: r.time("offered")? })
    }
}
