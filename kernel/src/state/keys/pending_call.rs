//! The call that an approval is about: `PendingCall(tenant, approval id)`. It goes when the approval is answered, lapses or dies.

use crate::codec::{CodecError, Reader, Writer};
use crate::command::{Evaluate, RequestId};
use crate::limits::{INPUTS_BYTES_MAX, LATCHES_MAX, TEXT_BYTES_MAX};
use crate::state::record::RecordCodec;

/// A call that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCall {
    /// The call as it was asked for. Its subject is the one that was found, whether proven or stated.
    pub evaluate: Evaluate,
    /// Whether the subject was proven.
    pub attested: bool,
    /// The caller's id of the request.
    pub request_id: RequestId,
    /// The arguments that an approver put in place of the caller's.
    pub modified: Option<Vec<u8>>,
    /// The latches that the call moved when it was asked for, and to which step: it does not move them again.
    pub latches: Vec<(String, u8)>,
}

impl RecordCodec for PendingCall {
    const VERSION: u8 = 2;

    fn write(&self, w: &mut Writer) {
        self.evaluate.write(w);
        w.bool(self.attested);
        w.fixed(self.request_id.as_bytes());
        w.option(self.modified.as_deref(), Writer::bytes);
        w.count(self.latches.len());
        for (latch, step) in &self.latches {
            w.text(latch);
            w.u8(*step);
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(PendingCall {
            evaluate: Evaluate::read(r)?,
            attested: r.bool("the attestation")?,
            request_id: RequestId::from_bytes(r.fixed("the request id")?)
                .map_err(|_| CodecError::Invalid { what: "the request id" })?,
            modified: r.option("the modified arguments", |r| {
                r.bytes("the modified arguments", INPUTS_BYTES_MAX).map(<[u8]>::to_vec)
            })?,
            latches: {
                let count = r.count("the latches", 2 * LATCHES_MAX)?;
                let latch = |r: &mut Reader<'_>| Ok((r.text("a latch", TEXT_BYTES_MAX)?, r.u8("a step")?));
                (0..count).map(|_| latch(r)).collect::<Result<_, CodecError>>()?
            },
        })
    }
}
