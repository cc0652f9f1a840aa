//! The implicit run of a subject: `ImplicitRun(tenant, subject)`.

use assent_ledger::ids::Time;

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::TEXT_BYTES_MAX;
use crate::state::record::RecordCodec;

/// The run that calls without a run id belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImplicitRunRecord {
    /// The run.
    pub run_id: String,
    /// Time of its last decision.
    pub last: Time,
}

impl RecordCodec for ImplicitRunRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.text(&self.run_id);
        w.u64(self.last.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(ImplicitRunRecord { run_id: r.text("the run", TEXT_BYTES_MAX)?, last: r.time("last")? })
    }
}
