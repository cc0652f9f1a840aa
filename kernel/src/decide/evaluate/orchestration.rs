//! What reported signals make stricter for a call: an entry when it changes, and its name in every decision that it holds for.

use assent_ledger::hash::Hash;

use super::{Asked, Judged, Who};
use crate::bundle::{Adjustment, CompiledBundle};
use crate::command::Signals;
use crate::decide::{Context, signals_of};
use crate::event::{Event, OrchestrationAdjusted};
use crate::stamp::Purpose;
use crate::state::{Record, StateKey, StateRead};

/// What was reported about a call's run, its subjects and the tenant.
pub(super) fn signals<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>, who: &Who<'_>) -> Signals {
    let chain = asked.evaluate.context.on_behalf_of.iter().map(String::as_str);
    let subjects = core::iter::once(who.subject).chain(chain);
    signals_of(ctx.state, &asked.caller.tenant, Some(who.run_id), subjects, ctx.now)
}

/// What the bundle makes stricter, and what is to be recorded about it.
pub(super) fn adjust(
    who: &Who<'_>,
    (hash, bundle): (&Hash, &CompiledBundle),
    signals: Signals,
    judged: &mut Judged,
) -> Adjustment {
    let adjustment = bundle.adjustment(&signals);
    judged.shares = adjustment.shares();
    judged.adjusted = Some(OrchestrationAdjusted {
        approval: adjustment.asks(),
        bundle: *hash,
        rules: adjustment.rules().iter().map(|rule| rule.to_string()).collect(),
        signals,
        subject: who.subject.to_owned(),
        values: adjustment.values().collect(),
    });
    adjustment
}

/// Records what has changed in the run since its last call; the decision names the entry that holds.
pub(super) fn record<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    run_id: &str,
    judged: &mut Judged,
    events: &mut Vec<Event>,
) {
    let Some(body) = judged.adjusted.take() else { return };
    let tenant = &asked.caller.tenant;
    let known = ctx.state.get(&StateKey::Adjustment(tenant.clone(), run_id.to_owned()));
    match known.as_deref() {
        Some(Record::Adjustment(known)) if known.digest == body.digest() => {
            judged.effects.adjusted = Some(known.entry.clone());
            return;
        }
        None if body.rules.is_empty() => return,
        _ => {}
    }
    if !body.rules.is_empty() {
        let number = u32::try_from(events.len()).unwrap_or(u32::MAX);
        judged.effects.adjusted = Some(ctx.command.stamp.derive_uuid(Purpose::Event, number));
    }
    let event = Event::new(tenant.clone(), Some(body.subject.clone()), body);
    let trace_id = asked.evaluate.trace_id.clone();
    events.push(Event { run_id: Some(run_id.to_owned()), trace_id, ..event });
}
