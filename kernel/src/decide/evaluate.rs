//! The pipeline of Evaluate, one small function a step. Whatever stops a call is a recorded deny.
//!
//! Steps up to the run's mode are structural: what they find is final, whatever the policy says. The steps behind them vote.

mod called;
mod charges;
pub(super) mod identity;
mod policy;
mod record;
mod run_mode;

use assent_ledger::hash::Hash;

use super::{Context, approvals, runs};
use crate::bundle::{CompiledBundle, Outcome, Tool};
use crate::command::{Caller, Command, CommandBody, Evaluate, RequestId};
use crate::event::{Effects, Event, Obligation, ShadowVote};
use crate::limits::TOKEN_MICROS;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::state::StateRead;
use crate::state::keys::{RunMode, RunRecord};
use crate::value::Object;
use crate::verdict::Verdict;
use assent_ledger::ids::Time;

pub use record::request_hash;

/// A call that is to be decided. It need not be the command's own: an approval decides the call that it was asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Who asked.
    pub(super) caller: &'a Caller,
    /// The caller's id of the request.
    pub(super) request_id: RequestId,
    /// The call.
    pub(super) evaluate: &'a Evaluate,
    /// The approval that was given for exactly this call.
    pub(super) approved_by: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// The credential's subject, or the one that a tenant-wide credential states.
    fn subject(&self) -> Option<&'a str> {
        self.caller.subject.as_deref().or(self.evaluate.subject.as_deref())
    }
}

/// A call whose subject, run, tool and arguments are known to be in order.
struct Called<'a> {
    subject: &'a str,
    run: &'a RunRecord,
    mode: RunMode,
    bundle: &'a CompiledBundle,
    tool: &'a Tool,
    args: &'a Object,
}

/// What is to run in a call's place.
struct Replaced {
    evaluate: Evaluate,
    schema: Option<Hash>,
}

/// How far a call got, and what was found.
struct Judged {
    run_id: Option<String>,
    bundle: Option<Hash>,
    schema: Option<Hash>,
    outcome: Outcome,
    effects: Effects,
    counts: Vec<&'static str>,
    replacement: Option<Replaced>,
    /// Whether a budget was asked.
    budget_asked: bool,
    /// Whether tenant or bundle only observe.
    observe: bool,
    /// Whether observe mode lets the call pass all the same: what is structural it does not.
    soft: bool,
}

impl Judged {
    fn deny(code: ReasonCode) -> Judged {
        Judged {
            run_id: None,
            bundle: None,
            schema: None,
            outcome: Outcome::deny(code),
            effects: Effects::default(),
            counts: Vec::new(),
            replacement: None,
            budget_asked: false,
            observe: false,
            soft: false,
        }
    }

    /// What is enforced.
    fn effective(&self) -> Verdict {
        if self.observe && self.soft { Verdict::Allow } else { self.outcome.verdict }
    }

    /// Who is denied for what it tried, and not for what it is, gets a strike.
    fn is_strike(&self) -> bool {
        let strike = |code: &ReasonCode| (200..800).contains(&code.number());
        self.outcome.verdict == Verdict::Deny && self.outcome.codes.iter().any(strike)
    }
}

/// Decides the command's own call.
pub(super) fn evaluate<S: StateRead>(ctx: &Context<'_, S>, evaluate: &Evaluate) -> Result<Vec<Event>, Refusal> {
    let Command { caller, request_id, .. } = ctx.command;
    let mut events = Vec::with_capacity(1);
    decide_call(ctx, &Asked { caller, request_id: *request_id, evaluate, approved_by: None }, &mut events)?;
    Ok(events)
}

/// Decides a call. Its events are appended in the order in which they happen; the decision is always the last.
pub(super) fn decide_call<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    events: &mut Vec<Event>,
) -> Result<(), Refusal> {
    let mut judged = judge(ctx, asked, events)?;
    let need = judged.outcome.approval.take();
    let mut decision = record::decision(&ctx.command.stamp, asked, judged);
    approvals::attach(ctx, asked, need, &mut decision, events);
    events.push(decision);
    Ok(())
}

/// The recorded deny of a call on which the kernel failed; `None` for commands of other kinds.
pub fn fault(command: &Command) -> Option<Event> {
    let CommandBody::Evaluate(evaluate) = &command.body else { return None };
    let asked = Asked { caller: &command.caller, request_id: command.request_id, evaluate, approved_by: None };
    Some(record::decision(&command.stamp, &asked, Judged::deny(ReasonCode::KernelFault)))
}

fn judge<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>, events: &mut Vec<Event>) -> Result<Judged, Refusal> {
    if let Some(code) = identity::tenant(ctx, asked)? {
        return Ok(Judged::deny(code));
    }
    let subject = match identity::subject(ctx, asked) {
        Ok(subject) => subject,
        Err(code) => return Ok(Judged::deny(code)),
    };
    let run_id = match runs::of_call(ctx, asked, subject, events) {
        Ok(run_id) => run_id,
        Err((code, run_id)) => return Ok(Judged { run_id, ..Judged::deny(code) }),
    };
    let run = runs::record(ctx, asked, subject, &run_id);
    let mut judged = Judged { run_id: Some(run_id), ..Judged::deny(ReasonCode::KernelFault) };
    judged.effects.mode = run.mode;
    judged.effects.taint.clone_from(&asked.evaluate.context.taint);
    if let Err(code) = steps(ctx, asked, subject, &run, &mut judged) {
        judged.outcome = Outcome::deny(code);
    }
    settle(ctx, &mut judged);
    judged.counts = record::counts(&judged);
    Ok(judged)
}

/// The steps of a call whose subject and run are known. An error is structural and final.
fn steps<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    subject: &str,
    run: &RunRecord,
    judged: &mut Judged,
) -> Result<(), ReasonCode> {
    let active = called::active(ctx, asked)?;
    judged.bundle = Some(active);
    let bundle = called::bundle(ctx, &active)?;
    let tool = called::tool(&bundle, &asked.evaluate.tool)?;
    judged.schema = Some(tool.schema_hash());
    let args = called::arguments(tool, asked.evaluate)?;
    approvals::held(ctx, asked, subject)?;
    called::envelope(asked.evaluate, &active, tool)?;
    run_mode::admits(run.mode, tool)?;
    let called = Called { subject, run, mode: run.mode, bundle: &bundle, tool, args: &args };
    charges::effect(ctx, asked, tool, judged)?;
    judged.soft = true;
    charges::charge(ctx, asked, subject, &bundle, tool, judged)?;
    let run_id = judged.run_id.as_deref().unwrap_or_default();
    (judged.outcome, judged.replacement, judged.effects.lease) = policy::vote(ctx, asked, &called, run_id);
    // Only the replacement is charged, if it is another tool.
    match judged.replacement.as_ref().and_then(|replaced| bundle.tool(&replaced.evaluate.tool)) {
        Some(other) if other.name() != tool.name() => {
            charges::effect(ctx, asked, other, judged)?;
            charges::charge(ctx, asked, subject, &bundle, other, judged)
        }
        _ => Ok(()),
    }
}

/// What follows from the verdict: obligations, tried rules, and until when it can be redeemed.
fn settle<S: StateRead>(ctx: &Context<'_, S>, judged: &mut Judged) {
    let shadow = |vote: &crate::bundle::ShadowVote| ShadowVote { rule: vote.rule.to_string(), verdict: vote.verdict };
    judged.effects.shadow = judged.outcome.shadow.iter().take(crate::limits::RULES_SHOWN_MAX).map(shadow).collect();
    charges::settle(judged);
    if judged.effective() == Verdict::Deny {
        return;
    }
    judged.effects.obligations = judged.outcome.obligations.iter().map(obligation).collect();
    if judged.effective() > Verdict::Escalate {
        judged.effects.token_expires = Some(Time(ctx.now.0.saturating_add(TOKEN_MICROS)));
    }
}

fn obligation(known: &crate::bundle::Obligation) -> Obligation {
    let param = |(name, text): &(std::sync::Arc<str>, std::sync::Arc<str>)| (name.to_string(), text.to_string());
    Obligation {
        kind: known.kind.to_string(),
        required: known.required,
        params: known.params.iter().map(param).collect(),
    }
}
