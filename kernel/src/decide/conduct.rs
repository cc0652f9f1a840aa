//! What something that is no call makes of its run's behaviour rules and strikes: requests for capabilities, accesses to memory. Calls
//! have the same step in their own pipeline.

use super::signals::adjustment_of;
use super::{Context, settings};
use crate::bundle::{Behaviour, BehaviourAction, CompiledBundle, Happening};
use crate::event::{Event, ModeTrigger, RunModeChanged};
use crate::limits::{LATCHES_MAX, PRINCIPAL_LATCH_PREFIX};
use crate::stamp::Purpose;
use crate::state::StateRead;
use crate::state::keys::{RunMode, RunRecord, SubjectStateRecord};

/// Where it happens.
pub(super) struct Place<'a> {
    /// The bundle that decides.
    pub(super) bundle: &'a CompiledBundle,
    /// The run as it is before.
    pub(super) run: &'a RunRecord,
    /// What holds for all runs of its subject.
    pub(super) of_subject: &'a SubjectStateRecord,
    /// Whether tenant or bundle only observe.
    pub(super) observe: bool,
}

/// What behaviour rules make of it.
#[derive(Default)]
pub(super) struct Conduct {
    /// Rules that come to a step.
    pub(super) latches: Vec<(String, u8)>,
    /// The rule that would be completed; of several, the one with the gravest consequence.
    completed: Option<Behaviour>,
}

impl Conduct {
    /// Whether it completes a forbidden sequence and must not happen.
    pub(super) const fn is_forbidden(&self) -> bool {
        self.completed.is_some()
    }
}

impl<'a> Place<'a> {
    /// The place of an act of this subject's run under this bundle.
    pub(super) fn of<S: StateRead>(
        ctx: &Context<'_, S>,
        bundle: &'a CompiledBundle,
        (run, of_subject): (&'a RunRecord, &'a SubjectStateRecord),
    ) -> Place<'a> {
        let observe = bundle.observes() || settings(ctx.state, &ctx.command.caller.tenant).observe;
        Place { bundle, run, of_subject, observe }
    }

    /// Takes what happens into those rules that it can be a step of. A quarantined run takes no steps.
    pub(super) fn take(&self, happening: &Happening<'_>, concerns: impl Fn(&Behaviour) -> bool) -> Conduct {
        let mut conduct = Conduct::default();
        if self.mode() >= RunMode::Quarantined {
            return conduct;
        }
        for rule in self.bundle.behaviour().iter().filter(|rule| concerns(rule)) {
            let latches = if rule.is_across_runs() { &self.of_subject.latches } else { &self.run.latches };
            let before = latches.get(rule.id()).copied().unwrap_or_default();
            let after = rule.advance(before, happening);
            if after.position != before {
                conduct.latches.push((rule.latch(), after.position));
            }
            let graver = conduct.completed.as_ref().is_none_or(|worst| worst.action() < rule.action());
            if after.completes && !rule.is_shadow() && graver {
                conduct.completed = Some(rule.clone());
            }
        }
        forget_others(self.bundle, self.run, self.of_subject, &mut conduct.latches);
        conduct
    }

    /// The change of the run's mode that follows: by the completed rule, or by one strike too many.
    pub(super) fn change<S: StateRead>(
        &self,
        ctx: &Context<'_, S>,
        conduct: &Conduct,
        strike: bool,
        (run_id, before): (&str, usize),
    ) -> Option<Event> {
        let (from, strikes) = if self.observe {
            (self.run.shadow.mode, self.run.shadow.strikes)
        } else {
            (self.mode(), self.run.counters.strikes)
        };
        let rule = conduct.completed.as_ref();
        let by_rule = rule.and_then(|rule| Some((mode_of(rule)?, ModeTrigger::Behaviour, Some(rule))));
        let most = || {
            let subjects = [self.run.subject.as_str()];
            let adjustment = adjustment_of(ctx, self.bundle, &ctx.command.caller.tenant, Some(run_id), subjects);
            adjustment.limits(self.bundle.limits()).strikes
        };
        let too_many = strike && strikes.saturating_add(1) >= most();
        let by_strikes = || too_many.then_some((RunMode::Restricted, ModeTrigger::Strikes, None));
        let (to, trigger, rule) = by_rule.or_else(by_strikes).filter(|(to, ..)| *to > from)?;
        // Its entry comes first, so that what was decided stays the last; its id is known already.
        let number = u32::try_from(before.saturating_add(1)).unwrap_or(u32::MAX);
        let body = RunModeChanged {
            decision: Some(ctx.command.stamp.derive_uuid(Purpose::Event, number)),
            from,
            rule: rule.map(|rule| rule.id().to_owned()),
            shadow: self.observe,
            steps: rule.map(Behaviour::steps).unwrap_or_default(),
            ..super::run_commands::changed(self.run, to, trigger)
        };
        let event = Event::new(ctx.command.caller.tenant.clone(), Some(self.run.subject.clone()), body);
        Some(Event { run_id: Some(run_id.to_owned()), ..event })
    }

    /// Quarantine is its subject's: a new run does not escape it.
    fn mode(&self) -> RunMode {
        if self.of_subject.is_quarantined() { self.run.mode.max(RunMode::Quarantined) } else { self.run.mode }
    }
}

/// What completing a rule makes of the run.
pub(super) const fn mode_of(rule: &Behaviour) -> Option<RunMode> {
    match rule.action() {
        BehaviourAction::Deny => None,
        BehaviourAction::Restrict => Some(RunMode::Restricted),
        BehaviourAction::Quarantine => Some(RunMode::Quarantined),
    }
}

/// A run that outlived its bundle may hold latches of rules that are gone; they go when the room is needed.
pub(super) fn forget_others(
    bundle: &CompiledBundle,
    run: &RunRecord,
    of_subject: &SubjectStateRecord,
    moved: &mut Vec<(String, u8)>,
) {
    let rules = bundle.behaviour();
    for (prefix, latches, across) in [("", &run.latches, false), (PRINCIPAL_LATCH_PREFIX, &of_subject.latches, true)] {
        let of_scope = |latch: &str| latch.starts_with(PRINCIPAL_LATCH_PREFIX) == across;
        let new = moved.iter().filter(|(latch, step)| {
            of_scope(latch) && *step > 0 && !latches.contains_key(latch.strip_prefix(prefix).unwrap_or(latch))
        });
        let excess = (latches.len() + new.count()).saturating_sub(LATCHES_MAX);
        let known = |id: &str| rules.iter().any(|rule| rule.is_across_runs() == across && rule.id() == id);
        let gone: Vec<_> = latches.keys().filter(|id| !known(id)).take(excess).collect();
        // First what goes, then what takes its place.
        moved.splice(0..0, gone.into_iter().map(|id| (format!("{prefix}{id}"), 0)));
    }
}
