//! What orchestration rules have made stricter in a run: `Adjustment(tenant, run id)`; absent while nothing is.

use assent_ledger::hash::Hash;

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::NAME_BYTES_MAX;
use crate::state::record::RecordCodec;

/// The adjustment that holds in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdjustmentRecord {
    /// Digest of what is adjusted.
    pub digest: Hash,
    /// Event id of the entry that says so.
    pub entry: String,
}

impl RecordCodec for AdjustmentRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.fixed(&self.digest.0);
        w.text(&self.entry);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(AdjustmentRecord { digest: r.hash("the adjustment")?, entry: r.text("the entry", NAME_BYTES_MAX)? })
    }
}
