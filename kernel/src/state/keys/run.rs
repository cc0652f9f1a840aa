//! A run: `Run(tenant, run id)`.

use assent_ledger::ids::Time;

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::TEXT_BYTES_MAX;
use crate::state::record::RecordCodec;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Whose it is; nobody else may act in it.
    pub subject: String,
    /// Whether it was opened because a call named none.
    pub implicit: bool,
    /// When it was opened.
    pub opened: Time,
    /// Whether it is over.
    pub closed: bool,
}

impl RecordCodec for RunRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.text(&self.subject);
        w.bool(self.implicit);
        w.u64(self.opened.0);
        w.bool(self.closed);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(RunRecord {
            subject: r.text("the subject", TEXT_BYTES_MAX)?,
            implicit: r.bool("implicit")?,
            opened: r.time("opened")?,
            closed: r.bool("closed")?,
        })
    }
}
