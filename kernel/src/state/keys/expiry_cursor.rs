//! How far expiries were walked: `ExpiryCursor`.

use assent_ledger::ids::Seq;

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// Where the walks over minutes and over outstanding decisions stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpiryCursorRecord {
    /// No row lies in an earlier minute.
    pub minute: u64,
    /// The first row of that minute that was not walked.
    pub row: u32,
    /// The last minute that has rows.
    pub newest: u64,
    /// How many rows there are that were not walked.
    pub pending: u64,
    /// No decision before this position waits to be redeemed.
    pub tokens: Seq,
}

impl RecordCodec for ExpiryCursorRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u64(self.minute);
        w.u32(self.row);
        w.u64(self.newest);
        w.u64(self.pending);
        w.u64(self.tokens.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(ExpiryCursorRecord {
            minute: r.u64("the minute")?,
            row: r.u32("the row")?,
            newest: r.u64("the newest minute")?,
            pending: r.u64("the pending rows")?,
            tokens: r.seq("the tokens")?,
        })
    }
}
