//! What a command was answered with, besides where its entries lie: kept with the request, so that a retry gets the same.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, Time};

use crate::codec::{CodecError, Reader, Writer};
use crate::event::{Obligation, PayloadIntent, PolicyDecision, with_params};
use crate::limits::{NAME_BYTES_MAX, OBLIGATIONS_MAX, TEXT_BYTES_MAX};
use crate::reason::ReasonCode;
use crate::verdict::Verdict;

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
    /// Under which terms the call may run.
    pub terms: Box<DecisionTerms>,
}

/// Under which terms a call may run, as the decision's leaf says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionTerms {
    /// What is enforced; differs from the verdict in observe mode only.
    pub effective: Verdict,
    /// Whether the decision is recorded without being enforced.
    pub observe: bool,
    /// Until when the decision can be redeemed; absent when it cannot.
    pub token_expires: Option<Time>,
    /// The only executor that can redeem it.
    pub audience: Option<String>,
    /// What an approver tied it to: names and values.
    pub constraints: Vec<(String, String)>,
    /// What the enforcement point has to do besides.
    pub obligations: Vec<Obligation>,
    /// The approval that it waits for.
    pub approval: Option<String>,
    /// Commitment to what is to run in the call's place; its bytes are the payload `replacement` of the decision's entry.
    pub replacement: Option<Hash>,
    /// The tool that is to run in the call's place, when it is another one.
    pub replacement_tool: Option<String>,
    /// Hash of the declaration of the tool that may run: with it an executor makes the request's hash from the bytes that it holds.
    pub tool_schema: Option<Hash>,
}

impl DecisionTerms {
    /// The terms that a decision states, with what its payloads hold of them.
    pub fn of(body: &PolicyDecision, payloads: &[PayloadIntent]) -> DecisionTerms {
        let effects = &body.effects;
        DecisionTerms {
            effective: body.effective,
            observe: body.observe,
            token_expires: effects.token_expires,
            audience: effects.audience.clone(),
            constraints: effects.constraints.clone(),
            obligations: with_params(&effects.obligations, payloads),
            approval: effects.approval.clone(),
            replacement: effects.replacement,
            replacement_tool: effects.replacement_tool.clone(),
            tool_schema: effects.replacement_schema.or(body.tool_schema),
        }
    }

    /// The terms of a decision under which nothing may run.
    pub const fn nothing(effective: Verdict) -> DecisionTerms {
        DecisionTerms {
            effective,
            observe: false,
            token_expires: None,
            audience: None,
            constraints: Vec::new(),
            obligations: Vec::new(),
            approval: None,
            replacement: None,
            replacement_tool: None,
            tool_schema: None,
        }
    }

    fn write(&self, w: &mut Writer) {
        w.u8(self.effective.number());
        w.bool(self.observe);
        w.option(self.token_expires, |w, time| w.u64(time.0));
        w.text_opt(self.audience.as_deref());
        write_pairs(&self.constraints, w);
        write_obligations(&self.obligations, w);
        w.text_opt(self.approval.as_deref());
        w.option(self.replacement, |w, hash| w.fixed(&hash.0));
        w.text_opt(self.replacement_tool.as_deref());
        w.option(self.tool_schema, |w, hash| w.fixed(&hash.0));
    }

    fn read(r: &mut Reader<'_>) -> Result<DecisionTerms, CodecError> {
        Ok(DecisionTerms {
            effective: read_verdict(r)?,
            observe: r.bool("observe")?,
            token_expires: r.option("the token's end", |r| r.time("the token's end"))?,
            audience: r.text_opt("the audience", NAME_BYTES_MAX)?,
            constraints: read_pairs(r, "the constraints")?,
            obligations: read_obligations(r)?,
            approval: r.text_opt("the approval", NAME_BYTES_MAX)?,
            replacement: r.option("the replacement", |r| r.hash("the replacement"))?,
            replacement_tool: r.text_opt("the replacing tool", NAME_BYTES_MAX)?,
            tool_schema: r.option("the tool's schema", |r| r.hash("the tool's schema"))?,
        })
    }
}

/// What a command was ruled to, when it is not a call but something else that an agent asks for: a redemption, a capability, a
/// message, an access to memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuledRecord {
    /// The ruling's entry.
    pub seq: Seq,
    /// The entry's event id.
    pub event_id: String,
    /// Allow or deny.
    pub verdict: Verdict,
    /// The reasons, by ascending number.
    pub codes: Vec<ReasonCode>,
    /// What else the caller needs to know: names and values.
    pub details: Vec<(String, String)>,
}

/// Most details of one ruling, and most constraints of one decision.
pub(crate) const PAIRS_MAX: usize = 32;

pub(super) fn write_decided(decided: &DecidedRecord, w: &mut Writer) {
    w.text(&decided.decision_id);
    w.text_opt(decided.run_id.as_deref());
    w.u8(decided.verdict.number());
    write_codes(&decided.codes, w);
    w.fixed(&decided.request_salt);
    decided.terms.write(w);
}

pub(super) fn read_decided(r: &mut Reader<'_>) -> Result<DecidedRecord, CodecError> {
    Ok(DecidedRecord {
        decision_id: r.text("the decision's id", TEXT_BYTES_MAX)?,
        run_id: r.text_opt("the run", TEXT_BYTES_MAX)?,
        verdict: read_verdict(r)?,
        codes: read_codes(r)?,
        request_salt: r.fixed("the salt")?,
        terms: Box::new(DecisionTerms::read(r)?),
    })
}

pub(super) fn write_ruled(ruled: &RuledRecord, w: &mut Writer) {
    w.u64(ruled.seq.0);
    w.text(&ruled.event_id);
    w.u8(ruled.verdict.number());
    write_codes(&ruled.codes, w);
    write_pairs(&ruled.details, w);
}

pub(super) fn read_ruled(r: &mut Reader<'_>) -> Result<RuledRecord, CodecError> {
    Ok(RuledRecord {
        seq: r.seq("the ruling")?,
        event_id: r.text("the ruling's id", TEXT_BYTES_MAX)?,
        verdict: read_verdict(r)?,
        codes: read_codes(r)?,
        details: read_pairs(r, "the details")?,
    })
}

fn read_verdict(r: &mut Reader<'_>) -> Result<Verdict, CodecError> {
    let number = r.u8("a verdict")?;
    Verdict::from_number(number).ok_or(CodecError::Choice { what: "a verdict", got: u64::from(number) })
}

fn write_codes(codes: &[ReasonCode], w: &mut Writer) {
    w.count(codes.len());
    codes.iter().for_each(|code| w.u16(code.number()));
}

fn read_codes(r: &mut Reader<'_>) -> Result<Vec<ReasonCode>, CodecError> {
    let count = r.count("the codes", ReasonCode::ALL.len())?;
    let read = |_| {
        let number = r.u16("a code")?;
        ReasonCode::from_number(number).ok_or(CodecError::Choice { what: "a code", got: u64::from(number) })
    };
    (0..count).map(read).collect()
}

fn write_pairs(pairs: &[(String, String)], w: &mut Writer) {
    w.count(pairs.len());
    for (name, value) in pairs {
        w.text(name);
        w.text(value);
    }
}

fn read_pairs(r: &mut Reader<'_>, what: &'static str) -> Result<Vec<(String, String)>, CodecError> {
    let count = r.count(what, PAIRS_MAX)?;
    (0..count).map(|_| Ok((r.text(what, TEXT_BYTES_MAX)?, r.text(what, TEXT_BYTES_MAX)?))).collect()
}

pub(super) fn write_obligations(obligations: &[Obligation], w: &mut Writer) {
    w.count(obligations.len());
    for obligation in obligations {
        w.text(&obligation.kind);
        w.bool(obligation.required);
        write_pairs(&obligation.params, w);
    }
}

pub(super) fn read_obligations(r: &mut Reader<'_>) -> Result<Vec<Obligation>, CodecError> {
    let count = r.count("the obligations", OBLIGATIONS_MAX)?;
    let read = |_| {
        Ok(Obligation {
            kind: r.text("an obligation", NAME_BYTES_MAX)?,
            required: r.bool("required")?,
            params: read_pairs(r, "an obligation's parameters")?,
        })
    };
    (0..count).map(read).collect()
}
