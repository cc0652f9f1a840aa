//! A nonce that was used: `MessageNonce(tenant, sender and nonce)`, as of `pair_text`; kept until its message expires.

use assent_ledger::ids::{Seq, Time};

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// A used nonce. Once the message has expired, a copy of it is refused for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageNonceRecord {
    /// The message's entry.
    pub seq: Seq,
    /// When the message expires.
    pub expires: Time,
}

impl RecordCodec for MessageNonceRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u64(self.seq.0);
        w.u64(self.expires.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(MessageNonceRecord { seq: r.seq("the entry")?, expires: r.time("expires")? })
    }
}
