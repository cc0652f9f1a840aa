//! Step 10: what the run would have done with this call. Whatever completes a forbidden sequence is denied in the same decision.

use super::{Asked, Called, Judged, against};
use crate::bundle::{Behaviour, BehaviourAction, Happening};
use crate::event::{Effects, ModeTrigger, RunModeChanged, ShadowVote};
use crate::evolve::digest_of_call;
use crate::limits::{LATCHES_MAX, PRINCIPAL_LATCH_PREFIX, RULES_SHOWN_MAX};
use crate::reason::ReasonCode;
use crate::state::keys::RunMode;
use crate::value::Value;
use crate::verdict::Verdict;

/// Takes the call into the run's latches and limits; a verdict against it is added, and so is a change of the run's mode.
pub(super) fn take(asked: &Asked<'_>, called: &Called<'_>, judged: &mut Judged) {
    let happening = happening(asked, called, judged);
    if called.tool.is_egress() {
        judged.seen.push("egress");
    }
    if happening.is_sensitive_read() {
        judged.seen.push("sensitive_reads");
    }
    judged.seen.extend((called.tool.category().is_some_and(|of| of != "read")).then_some("writes"));
    limits(asked, called, judged);
    let mut worst: Option<&Behaviour> = None;
    for rule in called.bundle.behaviour() {
        let latches = if rule.is_across_runs() { &called.of_subject.latches } else { &called.run.latches };
        let before = latches.get(rule.id()).copied().unwrap_or_default();
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
    forget_others(called, &mut judged.effects);
    if let Some(rule) = worst {
        against(&mut judged.outcome, ReasonCode::BehaviourSequence);
        judged.mode_change = mode_of(rule).map(|to| (to, ModeTrigger::Behaviour, Some(rule.clone())));
    }
}

fn happening<'a>(asked: &Asked<'_>, called: &Called<'a>, judged: &Judged) -> Happening<'a> {
    let of_call = asked.evaluate.context.taint.iter().map(|label| label.source);
    let lacks = |code: &ReasonCode| (200..210).contains(&code.number());
    Happening {
        tool: called.tool,
        taint: called.run.taint.sources().chain(of_call).collect(),
        sensitivity: called.tool.sensitivity(called.args),
        capability_denied: judged.outcome.codes.iter().any(lacks),
        longest_argument: called.args.iter().map(|(_, value)| longest(value)).max().unwrap_or_default(),
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
    let (limits, run) = (called.bundle.limits(), called.run);
    let same = digest_of_call(&asked.evaluate.tool, &asked.evaluate.inputs) == run.last_call;
    if same && run.repeats >= limits.repeats {
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

/// A run that outlived its bundle may hold latches of rules that are gone; they go when the room is needed.
fn forget_others(called: &Called<'_>, effects: &mut Effects) {
    let rules = called.bundle.behaviour();
    for (prefix, latches, across) in
        [("", &called.run.latches, false), (PRINCIPAL_LATCH_PREFIX, &called.of_subject.latches, true)]
    {
        let of_scope = |latch: &str| latch.starts_with(PRINCIPAL_LATCH_PREFIX) == across;
        let new = effects.latches.iter().filter(|(latch, step)| {
            of_scope(latch) && *step > 0 && !latches.contains_key(latch.strip_prefix(prefix).unwrap_or(latch))
        });
        let excess = (latches.len() + new.count()).saturating_sub(LATCHES_MAX);
        let known = |id: &str| rules.iter().any(|rule| rule.is_across_runs() == across && rule.id() == id);
        let gone: Vec<_> = latches.keys().filter(|id| !known(id)).take(excess).collect();
        // First what goes, then what takes its place.
        effects.latches.splice(0..0, gone.into_iter().map(|id| (format!("{prefix}{id}"), 0)));
    }
}

const fn mode_of(rule: &Behaviour) -> Option<RunMode> {
    match rule.action() {
        BehaviourAction::Deny => None,
        BehaviourAction::Restrict => Some(RunMode::Restricted),
        BehaviourAction::Quarantine => Some(RunMode::Quarantined),
    }
}

/// The change of the run's mode that the decision brings, if any: by behaviour, or by one denial too many.
pub(super) fn mode_change(called: &Called<'_>, judged: &mut Judged) -> Option<RunModeChanged> {
    let (run, observe) = (called.run, judged.observe);
    let (from, strikes) =
        if observe { (run.shadow.mode, run.shadow.strikes) } else { (called.mode, run.counters.strikes) };
    let too_many = judged.is_strike() && strikes.saturating_add(1) >= called.bundle.limits().strikes;
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
