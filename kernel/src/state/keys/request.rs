//! A remembered request: `Request(minute, tenant, principal, id)`, kept out of the trie and covered by its bucket's digest.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{ENTRIES_PER_COMMAND_MAX, TEXT_BYTES_MAX};
use crate::reason::ReasonCode;
use crate::state::record::RecordCodec;
use crate::verdict::Verdict;

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
}

/// A decision as it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedRecord {
    /// The decision's event id.
    pub decision_id: String,
    /// The run, if the call got that far.
    pub run_id: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// The reasons, by ascending number.
    pub codes: Vec<ReasonCode>,
    /// The salt under which the leaf commits to the request's hash.
    pub request_salt: [u8; 32],
}

impl RequestRecord {
    /// Position of the command's last entry.
    pub const fn last_seq(&self) -> Seq {
        Seq(self.first_seq.0.saturating_add((self.count as u64).saturating_sub(1)))
    }
}

impl RecordCodec for RequestRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.fixed(&self.content.0);
        w.u64(self.first_seq.0);
        w.u32(self.count);
        w.u64(self.order);
        w.option(self.decided.as_ref(), |w, decided| write_decided(decided, w));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let content = r.hash("the content")?;
        let first_seq = r.seq("the first entry")?;
        let count = r.u32("the entries")?;
        if count as usize > ENTRIES_PER_COMMAND_MAX {
            return Err(CodecError::Invalid { what: "the entries" });
        }
        let order = r.u64("the order")?;
        Ok(RequestRecord { content, first_seq, count, order, decided: r.option("the decision", read_decided)? })
    }
}

pub(super) fn write_decided(decided: &DecidedRecord, w: &mut Writer) {
    w.text(&decided.decision_id);
    w.text_opt(decided.run_id.as_deref());
    w.u8(decided.verdict.number());
    w.count(decided.codes.len());
    for code in &decided.codes {
        w.u16(code.number());
    }
    w.fixed(&decided.request_salt);
}

pub(super) fn read_decided(r: &mut Reader<'_>) -> Result<DecidedRecord, CodecError> {
    let decision_id = r.text("the decision's id", TEXT_BYTES_MAX)?;
    let run_id = r.text_opt("the run", TEXT_BYTES_MAX)?;
    let verdict = r.u8("the verdict")?;
    let verdict =
        Verdict::from_number(verdict).ok_or(CodecError::Choice { what: "the verdict", got: u64::from(verdict) })?;
    let mut codes = Vec::new();
    for _ in 0..r.count("the codes", ReasonCode::ALL.len())? {
        let number = r.u16("a code")?;
        let unknown = CodecError::Choice { what: "a code", got: u64::from(number) };
        codes.push(ReasonCode::from_number(number).ok_or(unknown)?);
    }
    Ok(DecidedRecord { decision_id, run_id, verdict, codes, request_salt: r.fixed("the salt")? })
}
