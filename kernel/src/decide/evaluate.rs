//! The pipeline of Evaluate, one small function a step. Whatever stops a call is a recorded deny.
//!
//! Steps up to the run's mode are structural: what they find is final, whatever the policy says. The steps behind them vote.

mod behaviour;
mod called;
mod charges;
pub(super) mod identity;
mod layers;
mod nesting;
mod obligations;
mod orchestration;
mod policy;
mod record;
mod rego;
mod room;
mod run_mode;
mod steps;
pub(super) mod taint;
mod undeclared;

use assent_ledger::hash::Hash;

use super::{Context, approvals, grants, run_commands, runs};
use crate::accumulator::{self, Scope};
use crate::bundle::rego::limits::BUDGET_DEFAULT as REGO_UNITS_PER_CALL_MAX;
use crate::bundle::{Adjustment, Behaviour, CompiledBundle, Granted, Limits, Outcome, Tool, Work};
use crate::charge::Shares;
use crate::command::{Caller, Command, CommandBody, Evaluate, RequestId, Signals};
use crate::event::{Effects, Event, ModeTrigger, OrchestrationAdjusted, RunModeChanged, ShadowVote};
use crate::limits::{RULES_SHOWN_MAX, TOKEN_MICROS};
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::stamp::Purpose;
use crate::state::StateRead;
use crate::state::keys::{RunMode, RunRecord, SubjectStateRecord};
use crate::value::Object;
use crate::verdict::Verdict;
use assent_ledger::ids::Time;

use layers::Layers;
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
    /// When the call was asked for before and waited for people: what it was taken into then, once, and is not taken into again.
    pub(super) again: Option<Again<'a>>,
    /// The approval that was given for exactly this call.
    pub(super) approved_by: Option<Given<'a>>,
}

/// What a call that waited for people was taken into when it was asked for.
#[derive(Clone, Copy)]
pub(super) struct Again<'a> {
    /// The latches that it moved, and to which step.
    pub(super) latches: &'a [(String, u8)],
    /// Keys of the rates that it was taken from.
    pub(super) rates: &'a [String],
    /// Whether people have put other arguments in the place of the caller's.
    pub(super) modified: bool,
}

/// An approval that enough people have given.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// The approval.
    pub(super) approval: &'a str,
    /// Who has agreed: it satisfies what asks for no more than that.
    pub(super) granted: Granted<'a>,
    /// What they tie their word to.
    pub(super) conditions: &'a [String],
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
    run_id: &'a str,
    run: &'a RunRecord,
    of_subject: &'a SubjectStateRecord,
    mode: RunMode,
    bundle: &'a CompiledBundle,
    layers: &'a Layers,
    tool: &'a Tool,
    args: &'a Object,
    /// The bundle's limits, as reported signals have left them.
    limits: Limits,
    adjustment: &'a Adjustment,
    reported: Signals,
    /// What the decision may still spend on what the policy's author can make long.
    work: &'a Work,
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
    /// Counters that move by what the call is, whatever becomes of it.
    seen: Vec<&'static str>,
    /// The mode that behaviour leads to.
    mode_change: Option<(RunMode, ModeTrigger, Option<Behaviour>)>,
    /// What the call adds to contracts across steps, as a payload.
    accumulate: Option<Vec<u8>>,
    replacement: Option<Replaced>,
    /// Whether a budget was asked.
    budget_asked: bool,
    /// Whether the call is charged to something that was not counted in its run before.
    new_in_run: bool,
    /// What reported signals make stricter, to be recorded.
    adjusted: Option<OrchestrationAdjusted>,
    /// What they leave of rates and budgets.
    shares: Shares,
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
            seen: Vec::new(),
            mode_change: None,
            accumulate: None,
            replacement: None,
            budget_asked: false,
            new_in_run: false,
            adjusted: None,
            shares: Shares::default(),
            observe: false,
            soft: false,
        }
    }

    /// What is enforced. A tenant that only observes softens its own policy, not that of the operator's baseline.
    fn effective(&self) -> Verdict {
        let bound = self.outcome.baseline <= Verdict::Escalate;
        if self.observe && self.soft && !bound { Verdict::Allow } else { self.outcome.verdict }
    }

    /// Who is denied for what it tried gets a strike: for want of a capability, by policy or for its behaviour. What it is, what
    /// its budgets are and what the enforcement point lacks does not count.
    fn is_strike(&self) -> bool {
        let codes = &self.outcome.codes;
        // What could not be paid for counts as if it matched, and was not judged.
        self.outcome.verdict == Verdict::Deny
            && codes.iter().any(|code| code.is_strike())
            && !codes.contains(&ReasonCode::PolicyBudget)
    }
}

/// Decides the command's own call.
pub(super) fn evaluate<S: StateRead>(ctx: &Context<'_, S>, evaluate: &Evaluate) -> Result<Vec<Event>, Refusal> {
    let Command { caller, request_id, .. } = ctx.command;
    let mut events = Vec::with_capacity(1);
    decide_call(
        ctx,
        &Asked { caller, request_id: *request_id, evaluate, again: None, approved_by: None },
        &mut events,
    )?;
    Ok(events)
}

/// Decides a call. Its events are appended in the order in which they happen; the decision is always the last.
pub(super) fn decide_call<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    events: &mut Vec<Event>,
) -> Result<(), Refusal> {
    let (mut judged, change) = judge(ctx, asked, events)?;
    let need = judged.outcome.approval.take();
    let mut decision = record::decision(&ctx.command.stamp, asked, judged);
    approvals::attach(ctx, asked, need, &mut decision, events);
    if let Some(change) = change {
        // The mode's entry comes first, so that the decision stays the last; its id is known already.
        let number = u32::try_from(events.len().saturating_add(1)).unwrap_or(u32::MAX);
        let id = Some(ctx.command.stamp.derive_uuid(Purpose::Event, number));
        let body = RunModeChanged { decision: id, ..change };
        let event = Event::new(asked.caller.tenant.clone(), Some(body.subject.clone()), body);
        events.push(Event { run_id: decision.run_id.clone(), trace_id: decision.trace_id.clone(), ..event });
    }
    events.push(decision);
    Ok(())
}

/// The recorded deny of a call on which the kernel failed, or whose decision cannot be recorded; `None` for commands of other kinds.
pub fn fault(command: &Command, code: ReasonCode) -> Option<Event> {
    let CommandBody::Evaluate(evaluate) = &command.body else { return None };
    let Command { caller, request_id, .. } = command;
    let asked = Asked { caller, request_id: *request_id, evaluate, again: None, approved_by: None };
    let mut judged = Judged::deny(code);
    // Nobody knows what Rego had taken by then: a policy must not get away with what it took.
    judged.effects.rego_units = REGO_UNITS_PER_CALL_MAX;
    Some(record::decision(&command.stamp, &asked, judged))
}

type Found = (Judged, Option<RunModeChanged>);

fn judge<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>, events: &mut Vec<Event>) -> Result<Found, Refusal> {
    if let Some(code) = identity::tenant(ctx, asked)? {
        return Ok((Judged::deny(code), None));
    }
    let subject = match identity::subject(ctx, asked) {
        Ok(subject) => subject,
        Err(code) => return Ok((Judged::deny(code), None)),
    };
    let run_id = match runs::of_call(ctx, asked, subject, events) {
        Ok(run_id) => run_id,
        Err((code, run_id)) => return Ok((Judged { run_id, ..Judged::deny(code) }, None)),
    };
    let of_subject = run_commands::of_subject(ctx.state, &asked.caller.tenant, subject);
    let stored = runs::stored(ctx, &asked.caller.tenant, &run_id);
    let mut run = runs::before(ctx, stored.as_deref(), asked, subject);
    taint::receive(ctx, asked, &of_subject, &run_id, &mut run, events);
    let mut judged = Judged::deny(ReasonCode::KernelFault);
    judged.run_id = Some(run_id.clone());
    judged.effects.mode = run_mode::of_call(&run, &of_subject);
    judged.effects.taint.clone_from(&asked.evaluate.context.taint);
    let who = Who { subject, run_id: &run_id, run: &run, of_subject: &of_subject };
    let change = match steps::steps(ctx, asked, &who, &mut judged) {
        Ok(change) => change,
        Err(code) => {
            judged.outcome = Outcome::deny(code);
            None
        }
    };
    orchestration::record(ctx, asked, &run_id, &mut judged, events);
    settle(ctx, asked, &who, &mut judged);
    judged.counts = record::counts(asked, &judged);
    Ok((judged, change))
}

/// Whose call it is, and in which run.
struct Who<'a> {
    subject: &'a str,
    run_id: &'a str,
    run: &'a RunRecord,
    of_subject: &'a SubjectStateRecord,
}

/// A reason against the call: it joins those of its kind, or takes the place of what was more lenient. What the call adds up stays
/// known: where the reason is not enforced, the call runs.
fn against(outcome: &mut Outcome, code: ReasonCode) {
    if outcome.verdict != Verdict::Deny {
        outcome.verdict = Verdict::Deny;
        outcome.codes.clear();
        outcome.approval = None;
    }
    outcome.codes.push(code);
    outcome.codes.sort_unstable();
    outcome.codes.dedup();
}

/// What follows from the verdict: obligations, tried rules, what is added up, and until when it can be redeemed.
fn settle<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>, who: &Who<'_>, judged: &mut Judged) {
    let shadow = |vote: &crate::bundle::ShadowVote| ShadowVote { rule: vote.rule.to_string(), verdict: vote.verdict };
    let room = RULES_SHOWN_MAX.saturating_sub(judged.effects.shadow.len());
    judged.effects.shadow.extend(judged.outcome.shadow.iter().take(room).map(shadow));
    charges::settle(judged);
    let effective = judged.effective();
    if effective == Verdict::Deny || judged.observe {
        // What was not enforced is not replaced either: the original runs.
        judged.replacement = None;
    }
    if effective == Verdict::Deny {
        judged.effects.lease = None;
        return;
    }
    if judged.outcome.verdict == Verdict::Allow && judged.effects.lease.is_some() {
        judged.outcome.codes.push(ReasonCode::LeaseValid);
        judged.outcome.codes.sort_unstable();
    }
    judged.effects.obligations = obligations::recorded(&judged.outcome.obligations);
    if effective > Verdict::Escalate {
        let longest = Time(ctx.now.0.saturating_add(TOKEN_MICROS));
        let leased = judged.effects.lease.as_ref().map(|lease| grants::until(ctx, &asked.caller.tenant, lease));
        judged.effects.token_expires = Some(leased.map_or(longest, |end| longest.min(end)));
        if !judged.outcome.accumulate.is_empty() {
            let Who { subject, run_id, .. } = *who;
            let scope = Scope {
                tenant: &asked.caller.tenant,
                environment: &asked.evaluate.environment,
                run_id,
                subject,
                now: ctx.now,
            };
            judged.accumulate = Some(accumulator::encode(&scope, &judged.outcome.accumulate));
        }
    }
}
