//! The call that an approval is about: `PendingCall(tenant, approval id)`. It goes when the approval is answered, lapses or dies.

use assent_ledger::hash::Hash;

use crate::codec::{CodecError, Reader, Writer};
use crate::command::{Evaluate, RequestId};
use crate::limits::{BUDGETS_PER_CALL_MAX, INPUTS_BYTES_MAX, LATCHES_MAX, TEXT_BYTES_MAX};
use crate::state::record::RecordCodec;

/// Most payloads that a waiting call is made up of: arguments and context as they were asked for, other arguments that were asked about, and those that
/// an approver has put in their place.
const PAYLOADS_MAX: usize = 4;

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
    /// Keys of the rates that the call was taken from when it was asked for: it is not taken from them again.
    pub rates: Vec<String>,
    /// Commitments of the payloads that the call is made up of. With any of them erased there is nothing to agree to.
    pub payloads: Vec<Hash>,
}

impl PendingCall {
    /// An approver puts other arguments in the place of what was asked for.
    pub(crate) fn modify(&mut self, inputs: Vec<u8>, payload: Option<Hash>) {
        self.modified = Some(inputs);
        // What the caller asked for comes first, and stays. Of arguments that others took the place of, a commitment may stay with it: that
        // they are erased voids a call that is not about them any more, which is safe.
        self.payloads.truncate(PAYLOADS_MAX - 1);
        self.payloads.extend(payload);
    }
}

impl RecordCodec for PendingCall {
    const VERSION: u8 = 3;

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
        w.count(self.rates.len());
        self.rates.iter().for_each(|key| w.text(key));
        w.count(self.payloads.len());
        self.payloads.iter().for_each(|commitment| w.fixed(&commitment.0));
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
            rates: {
                let count = r.count("the rates", BUDGETS_PER_CALL_MAX)?;
                (0..count).map(|_| r.text("a rate", TEXT_BYTES_MAX)).collect::<Result<_, CodecError>>()?
            },
            payloads: {
                let count = r.count("the payloads", PAYLOADS_MAX)?;
                (0..count).map(|_| Ok(Hash(r.fixed("a commitment")?))).collect::<Result<_, CodecError>>()?
            },
        })
    }
}
