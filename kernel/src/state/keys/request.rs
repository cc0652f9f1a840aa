//! A remembered request: `Request(minute, tenant, principal, id)`, kept out of the trie and covered by its bucket's digest.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;

use super::decided::{DecidedRecord, RuledRecord, read_decided, read_ruled, write_decided, write_ruled};
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::ENTRIES_PER_COMMAND_MAX;
use crate::state::record::RecordCodec;

/// What became of a request: enough to answer its repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Digest of who asked for what, as of `Command::content_hash`.
    pub content: Hash,
    /// Its first entry.
    pub first_seq: Seq,
    /// How many entries it made.
    pub count: u32,
    /// Its place among the requests of its bucket, from 0.
    pub order: u64,
    /// The decision, if it was an Evaluate; its entry is the last of the command's.
    pub decided: Option<DecidedRecord>,
    /// The ruling, if it was something else that an agent asks for.
    pub ruled: Option<RuledRecord>,
}

impl RequestRecord {
    /// Position of the command's last entry.
    pub const fn last_seq(&self) -> Seq {
        Seq(self.first_seq.0.saturating_add((self.count as u64).saturating_sub(1)))
    }
}

impl RecordCodec for RequestRecord {
    const VERSION: u8 = 2;

    fn write(&self, w: &mut Writer) {
        w.fixed(&self.content.0);
        w.u64(self.first_seq.0);
        w.u32(self.count);
        w.u64(self.order);
        w.option(self.decided.as_ref(), |w, decided| write_decided(decided, w));
        w.option(self.ruled.as_ref(), |w, ruled| write_ruled(ruled, w));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let content = r.hash("the content")?;
        let first_seq = r.seq("the first entry")?;
        let count = r.u32("the entries")?;
        if count as usize > ENTRIES_PER_COMMAND_MAX {
            return Err(CodecError::Invalid { what: "the entries" });
        }
        let order = r.u64("the order")?;
        let decided = r.option("the decision", read_decided)?;
        let ruled = r.option("the ruling", read_ruled)?;
        Ok(RequestRecord { content, first_seq, count, order, decided, ruled })
    }
}
