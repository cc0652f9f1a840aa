//! Who acts in which run, for what is not a call: messages and memory. The structural steps are those of a call.

use std::collections::BTreeMap;

use assent_ledger::ids::TenantId;

use super::{Context, killed, run_commands, runs, settings};
use crate::command::Role;
use crate::event::Event;
use crate::limits::TAINT_LABELS_MAX;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::state::keys::{RunMode, RunRecord, SubjectStateRecord};
use crate::state::{Record, StateKey, StateRead};
use crate::taint::{OTHER_ORIGINS, TaintLabel, TaintSource};

/// What an agent says about who it is and where it acts.
#[derive(Clone, Copy)]
pub(super) struct Act<'a> {
    /// The stated subject; must be the credential's, if that has one.
    pub(super) subject: Option<&'a str>,
    /// The run; `None` for the subject's implicit run.
    pub(super) run_id: Option<&'a str>,
    /// The caller's trace.
    pub(super) trace_id: Option<&'a str>,
}

/// A subject that may act, in a run of its own.
#[derive(Clone)]
pub(super) struct Actor<'a> {
    pub(super) subject: &'a str,
    pub(super) run_id: String,
    pub(super) run: RunRecord,
    /// What holds for all runs of the subject.
    pub(super) of_subject: SubjectStateRecord,
    /// Labels of messages that the subject may have read; they join the run with whatever it does.
    pub(super) inbox: Vec<TaintLabel>,
    /// How many runs, messages or delegations lie between a person and what the subject does.
    pub(super) generation: u32,
}

/// Why an act comes to nothing.
pub(super) enum Stop {
    /// Nothing is recorded.
    Refused(Refusal),
    /// A deny is recorded, in the run if that is known.
    Denied(ReasonCode, Option<String>),
}

impl From<ReasonCode> for Stop {
    fn from(code: ReasonCode) -> Stop {
        Stop::Denied(code, None)
    }
}

/// The actor of an act, and the events of opening its run. Whether the run's mode admits the act is for the act to say.
pub(super) fn actor<'a, S: StateRead>(
    ctx: &Context<'a, S>,
    act: &Act<'a>,
    events: &mut Vec<Event>,
) -> Result<Actor<'a>, Stop> {
    let caller = &ctx.command.caller;
    let tenant = &caller.tenant;
    match ctx.state.get(&StateKey::Tenant(tenant.clone())).as_deref() {
        Some(Record::Tenant(record)) if record.disabled => return Err(ReasonCode::TenantDisabled.into()),
        Some(Record::Tenant(_)) => {}
        _ => return Err(Stop::Refused(Refusal::TenantUnknown)),
    }
    let subject = subject(ctx, act)?;
    if let Some(code) = killed(ctx.state, tenant, [subject], None) {
        return Err(code.into());
    }
    let asked = runs::RunAsk { tenant, run_id: act.run_id, trace_id: act.trace_id };
    let run_id = runs::of_call(ctx, asked, subject, events).map_err(|(code, run_id)| Stop::Denied(code, run_id))?;
    let mut run = runs::record(ctx, asked, subject, &run_id);
    let across = run_commands::of_subject(ctx.state, tenant, subject);
    if across.is_quarantined() {
        // A new run does not escape the quarantine of an old one.
        run.mode = run.mode.max(RunMode::Quarantined);
    }
    let generation = run.generation.max(across.generation(ctx.now));
    let inbox = across.labels(ctx.now).cloned().collect();
    Ok(Actor { subject, run_id, run, of_subject: across, inbox, generation })
}

fn subject<'a, S: StateRead>(ctx: &Context<'a, S>, act: &Act<'a>) -> Result<&'a str, ReasonCode> {
    let caller = &ctx.command.caller;
    let subject = match (caller.subject.as_deref(), act.subject) {
        (Some(own), Some(asserted)) if own != asserted => return Err(ReasonCode::SubjectMismatch),
        (Some(subject), _) | (None, Some(subject)) => subject,
        (None, None) => return Err(ReasonCode::PrincipalUnknown),
    };
    let proven = caller.attested && caller.subject.is_some();
    if settings(ctx.state, &caller.tenant).require_attested && !proven {
        return Err(ReasonCode::SubjectMismatch);
    }
    known(ctx.state, &caller.tenant, subject).map(|()| subject)
}

/// A tenant may let only those act whose subject is proven: an agent's credential then states nobody.
pub(super) fn proven<S: StateRead>(ctx: &Context<'_, S>) -> Result<(), Refusal> {
    let caller = &ctx.command.caller;
    let is_proven = caller.role != Role::Agent || (caller.attested && caller.subject.is_some());
    if settings(ctx.state, &caller.tenant).require_attested && !is_proven {
        return Err(Refusal::SubjectMismatch);
    }
    Ok(())
}

/// The subject is registered and enabled.
pub(super) fn known(state: &impl StateRead, tenant: &TenantId, subject: &str) -> Result<(), ReasonCode> {
    match state.get(&StateKey::Principal(tenant.clone(), subject.to_owned())).as_deref() {
        Some(Record::Principal(principal)) if principal.disabled => Err(ReasonCode::PrincipalDisabled),
        Some(Record::Principal(_)) => Ok(()),
        _ => Err(ReasonCode::PrincipalUnknown),
    }
}

impl Actor<'_> {
    /// Whether the run's mode admits an act that reads, or one that does more.
    pub(super) const fn admits(&self, reads_only: bool) -> Result<(), ReasonCode> {
        match self.run.mode {
            RunMode::Normal => Ok(()),
            RunMode::Restricted if reads_only => Ok(()),
            RunMode::Restricted => Err(ReasonCode::RunRestricted),
            RunMode::Quarantined => Err(ReasonCode::RunQuarantined),
            RunMode::Closed => Err(ReasonCode::RunClosed),
        }
    }

    /// What the run takes on by acting: the labels given, and those of the inbox.
    pub(super) fn takes_on(&self, given: &[TaintLabel]) -> Vec<TaintLabel> {
        few(given.iter().chain(&self.inbox).cloned())
    }

    /// Everything that the run has been touched by, with the labels given, as it is carried by an entry of this id.
    pub(super) fn carried(&self, given: &[TaintLabel], propagated_from: &str) -> Vec<TaintLabel> {
        let mut labels = few(given.iter().chain(&self.inbox).cloned().chain(self.run.taint.labels_from("-")));
        for label in &mut labels {
            label.propagated_from = Some(propagated_from.to_owned());
        }
        labels
    }
}

/// The labels, each origin once; beyond what one entry may carry, origins are not told apart any more.
pub(super) fn few(labels: impl IntoIterator<Item = TaintLabel>) -> Vec<TaintLabel> {
    let mut by_origin: BTreeMap<(TaintSource, String), TaintLabel> = BTreeMap::new();
    let join = |known: &mut BTreeMap<(TaintSource, String), TaintLabel>, label: TaintLabel| {
        let slot = known.entry((label.source, label.origin.clone())).or_insert_with(|| label.clone());
        slot.confidence_milli = slot.confidence_milli.max(label.confidence_milli);
    };
    labels.into_iter().for_each(|label| join(&mut by_origin, label));
    if by_origin.len() > TAINT_LABELS_MAX {
        let all = core::mem::take(&mut by_origin);
        for label in all.into_values() {
            let any = TaintLabel { origin: OTHER_ORIGINS.to_owned(), propagated_from: None, ..label };
            join(&mut by_origin, any);
        }
    }
    by_origin.into_values().collect()
}

const _: () = assert!(TaintSource::ALL.len() <= TAINT_LABELS_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_origins_become_few_labels_and_no_source_is_lost() {
        let label = |source, origin: String| TaintLabel {
            source,
            origin,
            confidence_milli: 300,
            propagated_from: Some("x".into()),
        };
        let web = (0..40).map(|n| label(TaintSource::Web, format!("host-{n}")));
        let labels = few(web.chain([label(TaintSource::Email, "box".into())]));
        let sources: Vec<_> = labels.iter().map(|label| (label.source, label.origin.as_str())).collect();
        assert_eq!(sources, [(TaintSource::Web, "*"), (TaintSource::Email, "*")]);
        let same = TaintLabel { confidence_milli: 900, ..label(TaintSource::Rag, "r".into()) };
        let labels = few([label(TaintSource::Rag, "r".into()), same]);
        assert_eq!(labels.iter().map(|label| label.confidence_milli).collect::<Vec<_>>(), [900]);
    }
}
