//! What became of a decision that waited for people: `DecisionStatus(tenant, decision id)`. A retry of the call is answered from it.

use assent_ledger::ids::Seq;

use super::decided::{DecidedRecord, read_decided, write_decided};
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::NAME_BYTES_MAX;
use crate::state::record::RecordCodec;

/// The current status of an escalated decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionStatusRecord {
    /// The approval that it waits for, or waited for last.
    pub approval: String,
    /// The decision that replaced it, once there is one.
    pub replaced: Option<ReplacedDecision>,
}

/// A later decision on the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedDecision {
    /// Its entry.
    pub seq: Seq,
    /// What it came to.
    pub decided: DecidedRecord,
}

impl RecordCodec for DecisionStatusRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.text(&self.approval);
        w.option(self.replaced.as_ref(), |w, replaced| {
            w.u64(replaced.seq.0);
            write_decided(&replaced.decided, w);
        });
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(DecisionStatusRecord {
            approval: r.text("the approval", NAME_BYTES_MAX)?,
            replaced: r.option("the replacing decision", |r| {
                Ok(ReplacedDecision { seq: r.seq("the entry")?, decided: read_decided(r)? })
            })?,
        })
    }
}
