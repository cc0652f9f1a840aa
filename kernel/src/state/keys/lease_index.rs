//! What a subject holds and waits for: `LeaseIndex(tenant, subject)`, and what it holds from another one: `LeaseIndex(tenant, subject and
//! giver)`, so that nobody's gifts take the room of anybody else's. State is read by key, so that somebody has to know the keys.

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{APPROVALS_PER_SUBJECT_MAX, LEASES_PER_SUBJECT_MAX, NAME_BYTES_MAX};
use crate::state::record::RecordCodec;

use super::agent_key::pair_text;
use super::lease::{read_texts, write_texts};

/// The leases and the pending approvals of one subject, each in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseIndexRecord {
    /// Ids of its leases. Dead ones leave when room is needed or their time comes.
    pub leases: Vec<String>,
    /// Ids of the approvals that its calls wait for.
    pub approvals: Vec<String>,
}

impl LeaseIndexRecord {
    /// The text of the key under which a holder's leases stand: its own, or those that the nearest in a chain passed on to it.
    pub fn text(holder: &str, chain: &[String]) -> String {
        chain.first().map_or_else(|| holder.to_owned(), |giver| pair_text(holder, giver))
    }

    /// Whether there is nothing to know.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.approvals.is_empty()
    }
}

impl RecordCodec for LeaseIndexRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        write_texts(&self.leases, w);
        write_texts(&self.approvals, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(LeaseIndexRecord {
            leases: read_texts(r, "the leases", LEASES_PER_SUBJECT_MAX, NAME_BYTES_MAX)?,
            approvals: read_texts(r, "the approvals", APPROVALS_PER_SUBJECT_MAX, NAME_BYTES_MAX)?,
        })
    }
}
