//! That an effect was allowed: `EffectKey(tenant, digest of subject, tool and the caller's key)`.

use assent_ledger::ids::{Seq, Time};

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// An effect that must not happen twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectKeyRecord {
    /// The decision that allowed it.
    pub seq: Seq,
    /// Until when it is remembered.
    pub expires: Time,
}

impl RecordCodec for EffectKeyRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u64(self.seq.0);
        w.u64(self.expires.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(EffectKeyRecord { seq: r.seq("the decision")?, expires: r.time("the end")? })
    }
}
