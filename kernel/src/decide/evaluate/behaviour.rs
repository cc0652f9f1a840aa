//! Step 10: what the run would have done with this call. Whatever completes a forbidden sequence is denied in the same decision.

use super::{Asked, Called, Judged, against};
use crate::bundle::{Behaviour, Happening, Tool, What};
use crate::decide::conduct;
use crate::event::{Effects, ModeTrigger, RunModeChanged, ShadowVote};
use crate::evolve::digest_of_call;
use crate::limits::RULES_SHOWN_MAX;
use crate::reason::ReasonCode;
use crate::state::keys::RunMode;
use crate::value::{Object, Value, parse_object};
use crate::verdict::Verdict;

/// Takes the call into the run's latches and limits; a verdict against it is added, and so is a change of the run's mode.
pub(super) fn take(asked: &Asked<'_>, called: &Called<'_>, judged: &mut Judged) {
    let instead = instead(called, judged);
    let (tool, args) = instead.as_ref().map_or((called.tool, called.args), |(tool, args)| (*tool, args));
    let happening = happening(asked, called, (tool, args), judged);
    // What people or policy have made of the call was not seen when it was asked for.
    let again = asked.again.is_some_and(|again| !again.modified) && instead.is_none();
    judged.seen.extend((tool.is_egress() && !again).then_some("egress"));
    judged.seen.extend((happening.is_sensitive_read() && !again).then_some("sensitive_reads"));
    judged.seen.extend((tool.category().is_some_and(|of| of != "read")).then_some("writes"));
    limits(asked, called, judged);
    let mut worst: Option<&Behaviour> = None;
    for rule in called.bundle.behaviour() {
        let latches = if rule.is_across_runs() { &called.of_subject.latches } else { &called.run.latches };
        let before = latches.get(rule.id()).copied().unwrap_or_default();
        if asked.again.is_some_and(|again| again.latches.contains(&(rule.latch(), before))) {
            // It stands where this very call has brought it.
            judged.effects.latches.push((rule.latch(), before));
            continue;
        }
        let after = rule.advance(before, &happening);
        if after.position != before {
            judged.effects.latches.push((rule.latch(), after.position));
        }
        if after.completes && rule.is_shadow() {
            shadow(&mut judged.effects, rule);
        } else if after.completes && worst.is_none_or(|worst| worst.action() < rule.action()) {
            worst = Some(rule);
        }
    }
    conduct::forget_others(called.bundle, called.run, called.of_subject, &mut judged.effects.latches);
    if let Some(rule) = worst {
        against(&mut judged.outcome, ReasonCode::BehaviourSequence);
        judged.mode_change = conduct::mode_of(rule).map(|to| (to, ModeTrigger::Behaviour, Some(rule.clone())));
    }
}

/// What is to run in the call's place. What was denied has no replacement: the call itself was tried.
fn instead<'a>(called: &Called<'a>, judged: &Judged) -> Option<(&'a Tool, Object)> {
    let replaced = judged.replacement.as_ref().filter(|_| judged.outcome.verdict > Verdict::Deny)?;
    let tool = called.bundle.tool(&replaced.evaluate.tool)?;
    parse_object(&replaced.evaluate.inputs).ok().map(|args| (tool, args))
}

/// The call as it would happen.
fn happening<'a>(
    asked: &Asked<'_>,
    called: &Called<'_>,
    (tool, args): (&'a Tool, &Object),
    judged: &Judged,
) -> Happening<'a> {
    let of_call = asked.evaluate.context.taint.iter().map(|label| label.source);
    let lacks = |code: &ReasonCode| (200..210).contains(&code.number());
    Happening {
        what: What::Call(tool),
        taint: called.run.taint.sources().chain(of_call).collect(),
        sensitivity: tool.sensitivity_within(args, called.work),
        capability_denied: judged.outcome.codes.iter().any(lacks),
        longest_argument: args.iter().map(|(_, value)| longest(value)).max().unwrap_or_default(),
    }
}

/// Characters of the longest text in a value; what is split into a list counts as one.
fn longest(value: &Value) -> u64 {
    match value {
        Value::String(text) => u64::try_from(text.chars().count()).unwrap_or(u64::MAX),
        Value::Array(items) => items.iter().map(longest).fold(0, u64::saturating_add),
        Value::Object(members) => members.iter().map(|(_, value)| longest(value)).fold(0, u64::saturating_add),
        _ => 0,
    }
}

/// How often and how far from a person.
fn limits(asked: &Asked<'_>, called: &Called<'_>, judged: &mut Judged) {
    let (limits, run) = (called.limits, called.run);
    let came = || run.recent.count(&digest_of_call(called.tool.name(), called.args));
    // Where no call came that often, this one did not either: its digest is made only then.
    if asked.again.is_none() && run.recent.most() >= limits.repeats && came() >= limits.repeats {
        against(&mut judged.outcome, ReasonCode::BehaviourLoop);
    }
    if run.generation > limits.generation {
        against(&mut judged.outcome, ReasonCode::BehaviourCascade);
    }
}

fn shadow(effects: &mut Effects, rule: &Behaviour) {
    if effects.shadow.len() < RULES_SHOWN_MAX {
        effects.shadow.push(ShadowVote { rule: rule.id().to_owned(), verdict: Verdict::Deny });
    }
}

/// The change of the run's mode that the decision brings, if any: by behaviour, or by one denial too many.
pub(super) fn mode_change(called: &Called<'_>, judged: &mut Judged) -> Option<RunModeChanged> {
    let (run, observe) = (called.run, judged.observe);
    let (from, strikes) =
        if observe { (run.shadow.mode, run.shadow.strikes) } else { (called.mode, run.counters.strikes) };
    let too_many = judged.is_strike() && strikes.saturating_add(1) >= called.limits.strikes;
    let by_strikes = || too_many.then_some((RunMode::Restricted, ModeTrigger::Strikes, None));
    let (to, trigger, rule) = judged.mode_change.take().or_else(by_strikes).filter(|(to, ..)| *to > from)?;
    Some(RunModeChanged {
        from,
        rule: rule.as_ref().map(|rule| rule.id().to_owned()),
        shadow: observe,
        steps: rule.map(|rule| rule.steps()).unwrap_or_default(),
        ..crate::decide::run_commands::changed(run, to, trigger)
    })
}
