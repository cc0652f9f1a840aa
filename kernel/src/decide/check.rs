//! What a call would be answered, without anything being recorded: the same pipeline on the same state, and no token.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;

use super::{Context, caller, evaluate, ledger, progress};
use crate::admit;
use crate::command::{Caller, Command, CommandBody, Evaluate, RequestId};
use crate::event::{EventBody, Obligation, REPLACEMENT_ROLE, ShadowVote, ShownRules, with_params};
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::stamp::Stamp;
use crate::state::StateRead;
use crate::state::keys::RunMode;
use crate::verdict::Verdict;

/// What a call would be answered. It allows nothing: only a recorded decision does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    /// What policy says.
    pub verdict: Verdict,
    /// What would be enforced; differs from the verdict in observe mode only.
    pub effective: Verdict,
    /// Whether it would be recorded without being enforced.
    pub observe: bool,
    /// Why, by ascending number, at least one.
    pub codes: Vec<ReasonCode>,
    /// The bundle that was asked, if it came to that.
    pub bundle: Option<Hash>,
    /// The rules that mattered.
    pub rules: Option<ShownRules>,
    /// What rules that are only tried would have decided.
    pub shadow: Vec<ShadowVote>,
    /// What the enforcement point would have to do besides.
    pub obligations: Vec<Obligation>,
    /// The run's mode.
    pub mode: RunMode,
    /// What would run in the call's place: the tool if it is another one, and the arguments.
    pub replacement: Option<(Option<String>, Vec<u8>)>,
}

/// Asks what a call of `caller` would be answered at `now`, which is never before the last entry.
///
/// # Errors
/// As for Evaluate: what is malformed or not authorised has no answer.
pub fn check(state: &impl StateRead, caller: &Caller, evaluate: &Evaluate, now: Time) -> Result<CheckAnswer, Refusal> {
    let now = now.max(progress(state).time);
    // Ids and salts that derive from this stamp leave with the events, which are dropped.
    let command = Command {
        request_id: RequestId::new(now.0 / 1_000, [0; 10]),
        stamp: Stamp { time: now, seed: [0; 32] },
        caller: caller.clone(),
        body: CommandBody::Evaluate(Box::new(evaluate.clone())),
    };
    admit::check(&command)?;
    if ledger(state).is_none() {
        return Err(Refusal::NotCreated);
    }
    caller::check(state, &command)?;
    let ctx = Context { state, command: &command, now };
    let decision = evaluate::evaluate(&ctx, evaluate)?.pop();
    match decision.map(|event| (event.body, event.payloads)) {
        Some((EventBody::Decision(body), mut payloads)) => {
            let obligations = with_params(&body.effects.obligations, &payloads);
            payloads.retain(|payload| payload.role == REPLACEMENT_ROLE);
            let effects = body.effects;
            let tool = effects.replacement_tool;
            Ok(CheckAnswer {
                verdict: body.verdict,
                effective: body.effective,
                observe: body.observe,
                codes: body.codes,
                bundle: body.bundle,
                rules: body.rules,
                shadow: effects.shadow,
                obligations,
                mode: effects.mode,
                replacement: payloads.pop().map(|payload| (tool, payload.bytes)),
            })
        }
        // The decision is always the last event of an Evaluate.
        _ => Err(Refusal::KernelFault),
    }
}
