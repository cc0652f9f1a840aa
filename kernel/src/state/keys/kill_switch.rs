//! A kill switch: `KillSwitch(tenant, target)`, with the target as of `KillTarget::key`.

use assent_ledger::ids::{Seq, Time};

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// A kill switch that was used at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillSwitchRecord {
    /// Whether the target is stopped.
    pub engaged: bool,
    /// The entry that engaged it last: what was allowed before it is void, even after a release.
    pub engaged_at: Seq,
    /// When it was set last.
    pub changed: Time,
}

impl RecordCodec for KillSwitchRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.bool(self.engaged);
        w.u64(self.engaged_at.0);
        w.u64(self.changed.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(KillSwitchRecord {
            engaged: r.bool("engaged")?,
            engaged_at: r.seq("the entry")?,
            changed: r.time("changed")?,
        })
    }
}
