//! A decision that may be redeemed, or was and is being carried out: `Outstanding(position of the decision)`. It is gone when its
//! outcome is known or its time is over; a redeemed one stays until its outcome is known, however long that takes.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId, Time};

use super::decided::{read_obligations, write_obligations};
use super::run::{RunMode, read_mode};
use crate::codec::{CodecError, Reader, Writer};
use crate::event::{Obligation, Reservation};
use crate::limits::{BUDGETS_PER_CALL_MAX, CHAIN_MAX, NAME_BYTES_MAX, SUBJECT_BYTES_MAX, TEXT_BYTES_MAX};
use crate::state::record::RecordCodec;
use crate::taint::{TaintLabel, read_labels, write_labels};

/// A decision that may be redeemed, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutstandingRecord {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its event id.
    pub decision_id: String,
    /// The run.
    pub run_id: String,
    /// Whose call it is.
    pub subject: String,
    /// On whose behalf, from the nearest to the origin.
    pub chain: Vec<String>,
    /// The environment.
    pub environment: String,
    /// The tool that is to run.
    pub tool: String,
    /// `SHA-256(salt ‖ request hash)` of what is to run.
    pub commitment: Hash,
    /// Until when it can be redeemed.
    pub expires: Time,
    /// The only executor that can redeem it.
    pub audience: Option<String>,
    /// What is set aside for it.
    pub reserved: Vec<Reservation>,
    /// The leases that a call was taken from: the caller's, then those that it was passed on from. Each gets it back by itself, for one may
    /// have ended before the other.
    pub leases: Vec<String>,
    /// The effect's key, if the caller gave one.
    pub effect: Option<Hash>,
    /// What the executor has to do besides.
    pub obligations: Vec<Obligation>,
    /// Labels of what the tool returns.
    pub output_labels: Vec<TaintLabel>,
    /// The run's mode when it was decided.
    pub mode: RunMode,
    /// How many calls it is nested in.
    pub depth: u32,
    /// How many calls were made in its execution.
    pub children: u32,
    /// Its redemption.
    pub redeemed: Option<RedeemedRecord>,
}

/// A redemption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeemedRecord {
    /// Name of the credential that redeemed it, and may say what came of it.
    pub redeemer: String,
    /// The redemption's entry.
    pub seq: Seq,
    /// When.
    pub time: Time,
}

impl OutstandingRecord {
    /// Whether it was redeemed and its outcome is not known: an open intent.
    pub const fn is_open_intent(&self) -> bool {
        self.redeemed.is_some()
    }
}

impl RecordCodec for OutstandingRecord {
    const VERSION: u8 = 2;

    fn write(&self, w: &mut Writer) {
        w.text(self.tenant.as_str());
        w.text(&self.decision_id);
        w.text(&self.run_id);
        w.text(&self.subject);
        w.count(self.chain.len());
        self.chain.iter().for_each(|subject| w.text(subject));
        w.text(&self.environment);
        w.text(&self.tool);
        w.fixed(&self.commitment.0);
        w.u64(self.expires.0);
        w.text_opt(self.audience.as_deref());
        w.count(self.reserved.len());
        for reservation in &self.reserved {
            w.text(&reservation.budget);
            w.u64(reservation.amount);
        }
        w.count(self.leases.len());
        self.leases.iter().for_each(|lease| w.text(lease));
        w.option(self.effect, |w, effect| w.fixed(&effect.0));
        write_obligations(&self.obligations, w);
        write_labels(&self.output_labels, w);
        w.u8(self.mode.number());
        w.u32(self.depth);
        w.u32(self.children);
        w.option(self.redeemed.as_ref(), |w, redeemed| {
            w.text(&redeemed.redeemer);
            w.u64(redeemed.seq.0);
            w.u64(redeemed.time.0);
        });
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(OutstandingRecord {
            tenant: r.tenant("the tenant")?,
            decision_id: r.text("the decision", TEXT_BYTES_MAX)?,
            run_id: r.text("the run", TEXT_BYTES_MAX)?,
            subject: r.text("the subject", SUBJECT_BYTES_MAX)?,
            chain: read_chain(r)?,
            environment: r.text("the environment", TEXT_BYTES_MAX)?,
            tool: r.text("the tool", TEXT_BYTES_MAX)?,
            commitment: r.hash("the commitment")?,
            expires: r.time("the end")?,
            audience: r.text_opt("the audience", NAME_BYTES_MAX)?,
            reserved: read_reserved(r)?,
            leases: read_leases(r)?,
            effect: r.option("the effect", |r| r.hash("the effect"))?,
            obligations: read_obligations(r)?,
            output_labels: read_labels(r)?,
            mode: read_mode(r)?,
            depth: r.u32("the depth")?,
            children: r.u32("the children")?,
            redeemed: r.option("the redemption", |r| {
                Ok(RedeemedRecord {
                    redeemer: r.text("the redeemer", NAME_BYTES_MAX)?,
                    seq: r.seq("its entry")?,
                    time: r.time("its time")?,
                })
            })?,
        })
    }
}

fn read_chain(r: &mut Reader<'_>) -> Result<Vec<String>, CodecError> {
    let count = r.count("the chain", CHAIN_MAX)?;
    (0..count).map(|_| r.text("a subject", SUBJECT_BYTES_MAX)).collect()
}

fn read_leases(r: &mut Reader<'_>) -> Result<Vec<String>, CodecError> {
    let count = r.count("the leases", CHAIN_MAX + 1)?;
    (0..count).map(|_| r.text("a lease", NAME_BYTES_MAX)).collect()
}

fn read_reserved(r: &mut Reader<'_>) -> Result<Vec<Reservation>, CodecError> {
    let count = r.count("the reservations", BUDGETS_PER_CALL_MAX)?;
    let read = |_| Ok(Reservation { budget: r.text("a budget", TEXT_BYTES_MAX)?, amount: r.u64("an amount")? });
    (0..count).map(read).collect()
}
