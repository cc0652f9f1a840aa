//! Redemptions and outcomes as commands again.

use std::sync::Arc;

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::Seq;

use crate::bundle::CompiledBundle;
use crate::command::{CommandBody, Complete, ExecutionCommand, Redeem};
use crate::event::{OUTPUT_REDACTED_ROLE, OUTPUT_ROLE, ToolRequest, ToolResponse};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::reason::ReasonCode;
use crate::replay::recorded::{Held, Payloads, Recorded};
use crate::state::{Record, StateKey, StateRead};

/// What a rebuilt redemption shows in the place of the request's hash and salt, which are not on the record.
const SHOWN: (Hash, [u8; 32]) = (Hash([0x5a; 32]), [0xa5; 32]);

/// The redemption that an entry records.
pub(super) fn redeem(body: &ToolRequest) -> CommandBody {
    let (request_hash, request_salt) = SHOWN;
    CommandBody::Execution(Box::new(ExecutionCommand::Redeem(Redeem {
        decision_id: body.decision_id.clone(),
        seq: body.decision,
        request_hash,
        request_salt,
        audience: body.audience.clone(),
    })))
}

/// The outcome that an entry records. No decision reads the output: one that is gone is as good as any other of its length.
pub(super) fn complete(recorded: &Recorded, body: &ToolResponse, payloads: &impl Payloads) -> CommandBody {
    let content_type = recorded.entry.payloads.first().map(|payload| payload.content_type.clone());
    CommandBody::Execution(Box::new(ExecutionCommand::Complete(Complete {
        decision_id: body.decision_id.clone(),
        seq: body.decision,
        status: body.status,
        duration_ms: body.duration_ms,
        content_type: content_type.unwrap_or_else(|| "application/json".to_owned()),
        output: stand_in(recorded, OUTPUT_ROLE, payloads).unwrap_or_default(),
        redacted: stand_in(recorded, OUTPUT_REDACTED_ROLE, payloads),
        taint: body.taint.clone(),
        fulfilled: body.fulfilled.clone(),
        usage: body.usage,
    })))
}

/// A payload's bytes, or as many zeros when they are gone.
pub(super) fn stand_in(recorded: &Recorded, role: &str, payloads: &impl Payloads) -> Option<Vec<u8>> {
    let committed = recorded.entry.payloads.iter().find(|payload| payload.role == role)?;
    Some(match recorded.payload(role, payloads) {
        Some(Held::Bytes(bytes)) => bytes,
        _ => vec![0; usize::try_from(committed.length).unwrap_or(0).min(PAYLOAD_BYTES_MAX)],
    })
}

/// The state as a redemption found it. Whether it showed the request that had been decided is on the record as the reason
/// `REQUEST_MISMATCH` or its absence, and nothing else of what it showed is: the outstanding decision's commitment is made to fit
/// what the rebuilt redemption shows, unless the record says that it did not.
pub(in crate::replay) struct Shown<'a, S> {
    state: &'a S,
    fits: Option<Seq>,
}

impl<'a, S: StateRead> Shown<'a, S> {
    pub(in crate::replay) fn new(state: &'a S, recorded: Option<&Recorded>) -> Self {
        let fits = match recorded.and_then(|recorded| recorded.body.as_ref()) {
            Some(crate::event::EventBody::ToolRequest(body)) if !body.codes.contains(&ReasonCode::RequestMismatch) => {
                Some(body.decision)
            }
            _ => None,
        };
        Shown { state, fits }
    }
}

impl<S: StateRead> StateRead for Shown<'_, S> {
    fn get(&self, key: &StateKey) -> Option<Arc<Record>> {
        let found = self.state.get(key)?;
        match (&*found, self.fits) {
            (Record::Outstanding(outstanding), Some(seq)) if *key == StateKey::Outstanding(seq.0) => {
                let (hash, salt) = SHOWN;
                let mut outstanding = outstanding.clone();
                outstanding.commitment = sha256(&[&salt, &hash.0]);
                Some(Arc::new(Record::Outstanding(outstanding)))
            }
            _ => Some(found),
        }
    }

    fn bundle(&self, hash: &Hash) -> Option<Arc<CompiledBundle>> {
        self.state.bundle(hash)
    }
}
