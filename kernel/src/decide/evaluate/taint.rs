//! Step 6: what touches the run before this call is judged, and joins it even when the call is denied.

use std::borrow::Cow;

use super::Asked;
use crate::decide::Context;
use crate::event::{Event, TaintAttached};
use crate::limits::TAINT_LABELS_MAX;
use crate::state::StateRead;
use crate::state::keys::{RunRecord, SubjectStateRecord};
use crate::taint::TaintLabel;

/// Messages that the subject may have read taint every run in which it acts. What is new to the run becomes an entry of its own.
pub(in crate::decide) fn receive<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    of_subject: &SubjectStateRecord,
    run_id: &str,
    run: &mut Cow<'_, RunRecord>,
    events: &mut Vec<Event>,
) {
    let knows = |label: &TaintLabel| {
        run.taint.iter().any(|(source, origin, _)| source == label.source && origin == label.origin)
    };
    // A run at its cap tells origins apart no more: there it is enough that the source is known.
    let full = run.taint.len() >= crate::limits::TAINT_ORIGINS_MAX;
    let is_new = |label: &&TaintLabel| !(knows(label) || (full && run.taint.has(label.source)));
    let new: Vec<TaintLabel> = of_subject.labels(ctx.now).filter(is_new).cloned().collect();
    let generation = of_subject.generation(ctx.now);
    if generation > run.generation {
        run.to_mut().generation = generation;
    }
    new.iter().for_each(|label| run.to_mut().taint.join(label, ctx.now));
    for labels in new.chunks(TAINT_LABELS_MAX) {
        let body = TaintAttached { labels: labels.to_vec(), subject: run.subject.clone() };
        let event = Event::new(asked.caller.tenant.clone(), Some(run.subject.clone()), body);
        let (run_id, trace_id) = (Some(run_id.to_owned()), asked.evaluate.trace_id.clone());
        events.push(Event { run_id, trace_id, ..event });
    }
}
