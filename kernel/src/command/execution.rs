//! Execution: an executor redeems a decision, and says what came of it.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;

use super::{Role, Usage};
use crate::admit;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{OBLIGATIONS_MAX, PAYLOAD_BYTES_MAX, TEXT_BYTES_MAX};
use crate::refusal::Refusal;
use crate::taint::{TaintLabel, read_labels, write_labels};

/// What an executor asks for or reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecutionCommand {
    /// Asks to run what was allowed; of all that ask, at most one may.
    Redeem(Redeem),
    /// Reports what came of it.
    Complete(Complete),
}

/// A request to run what was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeem {
    /// Event id of the decision.
    pub decision_id: String,
    /// Position of the decision.
    pub seq: Seq,
    /// Digest of what is about to run, as `request_hash` makes it from the exact bytes.
    pub request_hash: Hash,
    /// The salt that came with the decision.
    pub request_salt: [u8; 32],
    /// Which executor it is.
    pub audience: Option<String>,
}

/// The outcome of an execution.
#[derive(Clone, PartialEq, Eq)]
pub struct Complete {
    /// Event id of the decision.
    pub decision_id: String,
    /// Position of the decision.
    pub seq: Seq,
    /// How it ended.
    pub status: Completion,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Media type of the output, redacted or not.
    pub content_type: String,
    /// What the tool returned, exactly; empty when there is nothing.
    pub output: Vec<u8>,
    /// The same as it may be shown; `None` when nothing was redacted.
    pub redacted: Option<Vec<u8>>,
    /// Labels of the output, besides those that the tool always has.
    pub taint: Vec<TaintLabel>,
    /// Obligations that were fulfilled.
    pub fulfilled: Vec<Fulfilled>,
    /// What it used; `None` when that is not known: what was set aside counts as used then.
    pub usage: Option<Usage>,
}

impl core::fmt::Debug for Complete {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The output is data of the tool: its length is all that a log may show.
        f.debug_struct("Complete")
            .field("decision_id", &self.decision_id)
            .field("seq", &self.seq)
            .field("status", &self.status)
            .field("output_bytes", &self.output.len())
            .finish_non_exhaustive()
    }
}

/// An obligation that was fulfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fulfilled {
    /// Which kind.
    pub kind: String,
    /// Digest of the proof, which the executor keeps.
    pub proof: Hash,
}

/// How an execution ended. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Completion {
    /// As it should.
    Success = 1,
    /// It failed.
    Failure = 2,
    /// Nobody knows: it may have happened.
    Unknown = 3,
}

impl Completion {
    /// Every way, by ascending number.
    pub const ALL: [Completion; 3] = [Completion::Success, Completion::Failure, Completion::Unknown];

    /// The number that is stored.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The way of a number.
    pub fn from_number(number: u8) -> Option<Completion> {
        Completion::ALL.into_iter().find(|way| way.number() == number)
    }

    /// The name in entries and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Completion::Success => "success",
            Completion::Failure => "failure",
            Completion::Unknown => "unknown",
        }
    }

    /// The way of a name.
    pub fn from_name(name: &str) -> Option<Completion> {
        Completion::ALL.into_iter().find(|way| way.name() == name)
    }
}

impl ExecutionCommand {
    pub(super) const fn tag(&self) -> u8 {
        match self {
            ExecutionCommand::Redeem(_) => 17,
            ExecutionCommand::Complete(_) => 18,
        }
    }

    /// The command's name in refusals and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            ExecutionCommand::Redeem(_) => "redeem",
            ExecutionCommand::Complete(_) => "complete",
        }
    }

    /// Who may send it: the subject's own credential, or that of a gateway, which is an agent's credential for the whole tenant.
    pub(crate) const fn permitted(&self) -> &'static [Role] {
        &[Role::Agent]
    }

    /// Checks the shape of every field.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self {
            ExecutionCommand::Redeem(redeem) => {
                admit::name("decision_id", &redeem.decision_id)?;
                admit::optional(admit::name, "audience", redeem.audience.as_deref())
            }
            ExecutionCommand::Complete(complete) => complete.check(),
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            ExecutionCommand::Redeem(redeem) => {
                w.text(&redeem.decision_id);
                w.u64(redeem.seq.0);
                w.fixed(&redeem.request_hash.0);
                w.fixed(&redeem.request_salt);
                w.text_opt(redeem.audience.as_deref());
            }
            ExecutionCommand::Complete(complete) => complete.write(w),
        }
    }

    /// Reads the command of a tag; nothing when the tag is another area's.
    pub(super) fn read(tag: u8, r: &mut Reader<'_>) -> Result<Option<ExecutionCommand>, CodecError> {
        Ok(Some(match tag {
            17 => ExecutionCommand::Redeem(Redeem {
                decision_id: r.text("the decision", TEXT_BYTES_MAX)?,
                seq: r.seq("the decision's position")?,
                request_hash: r.hash("the request's hash")?,
                request_salt: r.fixed("the request's salt")?,
                audience: r.text_opt("the audience", TEXT_BYTES_MAX)?,
            }),
            18 => ExecutionCommand::Complete(Complete::read(r)?),
            _ => return Ok(None),
        }))
    }
}

impl Complete {
    fn check(&self) -> Result<(), Refusal> {
        admit::name("decision_id", &self.decision_id)?;
        admit::content_type(&self.content_type)?;
        admit::labels(&self.taint)?;
        let longest = self.output.len().max(self.redacted.as_ref().map_or(0, Vec::len));
        if longest > PAYLOAD_BYTES_MAX {
            return Err(Refusal::Malformed { field: "output", expected: "at most 1 MiB; hand more over by reference" });
        }
        if self.fulfilled.len() > OBLIGATIONS_MAX {
            return Err(Refusal::Malformed { field: "fulfilled", expected: "a list of at most 16" });
        }
        self.fulfilled.iter().try_for_each(|item| admit::name("an obligation", &item.kind))
    }

    fn write(&self, w: &mut Writer) {
        w.text(&self.decision_id);
        w.u64(self.seq.0);
        w.u8(self.status.number());
        w.u64(self.duration_ms);
        w.text(&self.content_type);
        w.bytes(&self.output);
        w.option(self.redacted.as_deref(), Writer::bytes);
        write_labels(&self.taint, w);
        w.count(self.fulfilled.len());
        for item in &self.fulfilled {
            w.text(&item.kind);
            w.fixed(&item.proof.0);
        }
        w.option(self.usage, |w, usage| {
            w.u64(usage.tokens);
            w.u64(usage.cost_micro_usd);
        });
    }

    fn read(r: &mut Reader<'_>) -> Result<Complete, CodecError> {
        Ok(Complete {
            decision_id: r.text("the decision", TEXT_BYTES_MAX)?,
            seq: r.seq("the decision's position")?,
            status: read_status(r)?,
            duration_ms: r.u64("the duration")?,
            content_type: r.text("the content type", TEXT_BYTES_MAX)?,
            output: r.bytes("the output", PAYLOAD_BYTES_MAX)?.to_vec(),
            redacted: r.option("the redacted output", |r| {
                r.bytes("the redacted output", PAYLOAD_BYTES_MAX).map(<[u8]>::to_vec)
            })?,
            taint: read_labels(r)?,
            fulfilled: read_fulfilled(r)?,
            usage: r.option("the usage", |r| {
                Ok(Usage { tokens: r.u64("the tokens")?, cost_micro_usd: r.u64("the cost")? })
            })?,
        })
    }
}

fn read_status(r: &mut Reader<'_>) -> Result<Completion, CodecError> {
    let number = r.u8("the status")?;
    Completion::from_number(number).ok_or(CodecError::Choice { what: "the status", got: u64::from(number) })
}

fn read_fulfilled(r: &mut Reader<'_>) -> Result<Vec<Fulfilled>, CodecError> {
    let count = r.count("the obligations", OBLIGATIONS_MAX)?;
    let read = |_| Ok(Fulfilled { kind: r.text("an obligation", TEXT_BYTES_MAX)?, proof: r.hash("a proof")? });
    (0..count).map(read).collect()
}
