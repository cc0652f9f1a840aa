//! What accesses to memory have in common: the namespace, its access lists, and the records behind a name.

use std::sync::Arc;

use super::{Actor, Context, Event, Hash, MemoryAccess, MemoryAct, MemoryEntry, MemoryKey, MemoryOp, MemoryRecord};
use super::{MemorySpace, ReasonCode, Record, Sensitivity, StateKey, StateRead, TaintLabel, TaintSource};
use super::{from, is_erased};
use crate::bundle::{CompiledBundle, Happening, What};
use crate::decide::conduct::{Conduct, Place};
use crate::decide::settings;

/// An access under way.
pub(super) struct Checks<'c, 'a, S: StateRead> {
    pub(super) ctx: &'c Context<'a, S>,
    pub(super) act: &'a MemoryAct,
    pub(super) actor: Actor<'a>,
    /// The event id of the access.
    pub(super) id: String,
    /// What the bundle says of the namespace; one that it does not declare admits nobody.
    pub(super) space: MemorySpace,
    /// The first objection that is recorded without being enforced.
    pub(super) objection: Option<ReasonCode>,
    observe: bool,
    /// The bundle that decides, once it is found.
    bundle: Option<Arc<CompiledBundle>>,
}

impl<'c, 'a, S: StateRead> Checks<'c, 'a, S> {
    pub(super) fn new(ctx: &'c Context<'a, S>, act: &'a MemoryAct, actor: Actor<'a>, id: String) -> Self {
        Checks { ctx, act, actor, id, space: MemorySpace::default(), objection: None, observe: false, bundle: None }
    }

    /// Finds the namespace in the active bundle.
    pub(super) fn open(&mut self, body: &mut MemoryAccess) -> Result<(), ReasonCode> {
        let tenant = &self.ctx.command.caller.tenant;
        let key = StateKey::ActiveBundle(tenant.clone(), self.act.environment.clone());
        let active: Hash = match self.ctx.state.get(&key).as_deref() {
            Some(Record::ActiveBundle(active)) => active.bundle,
            _ => return Err(ReasonCode::NoActiveBundle),
        };
        body.bundle = Some(active);
        let bundle = self.ctx.state.bundle(&active).ok_or(ReasonCode::PolicyError)?;
        self.observe = settings(self.ctx.state, tenant).observe || bundle.observes();
        if let Some(space) = bundle.memory(&self.act.namespace) {
            self.space = space.clone();
        }
        self.bundle = Some(bundle);
        Ok(())
    }

    /// What behaviour rules make of the access. Of one that is not made nothing is known but that it was tried.
    pub(super) fn conduct(&self, body: &MemoryAccess, made: bool) -> Conduct {
        let Some(bundle) = &self.bundle else { return Conduct::default() };
        // A query brings nothing yet: its classification is the most that may come of it.
        let touched = body.classification.filter(|_| made && body.op != MemoryOp::Query);
        let reads = matches!(body.op, MemoryOp::Read | MemoryOp::Query | MemoryOp::Release);
        let inbox = self.actor.inbox.iter().map(|label| label.source);
        let happening = Happening {
            what: What::Memory { action: body.op.name(), reads },
            taint: self.actor.run.taint.sources().chain(inbox).collect(),
            sensitivity: touched.unwrap_or(Sensitivity::None),
            capability_denied: false,
            longest_argument: 0,
        };
        self.place(bundle).take(&happening, |_| true)
    }

    /// The change of the run's mode that the access brings; its entry comes after `before` others.
    pub(super) fn change(&self, conduct: &Conduct, strike: bool, before: usize) -> Option<Event> {
        let bundle = self.bundle.as_deref()?;
        self.place(bundle).change(self.ctx, conduct, strike, (&self.actor.run_id, before))
    }

    fn place<'p>(&'p self, bundle: &'p CompiledBundle) -> Place<'p> {
        Place::of(self.ctx, bundle, (&self.actor.run, &self.actor.of_subject))
    }

    /// Denies by policy, or takes note of it where policy is only observed.
    pub(super) fn object(&mut self, code: ReasonCode) -> Result<(), ReasonCode> {
        if !self.observe {
            return Err(code);
        }
        self.objection.get_or_insert(code);
        Ok(())
    }

    pub(super) fn reader(&mut self) -> Result<(), ReasonCode> {
        if self.space.admits_reader(self.actor.subject) { Ok(()) } else { self.object(ReasonCode::MemoryAcl) }
    }

    pub(super) fn writer(&mut self) -> Result<(), ReasonCode> {
        if self.space.admits_writer(self.actor.subject) { Ok(()) } else { self.object(ReasonCode::MemoryAcl) }
    }

    fn record(&self, key: MemoryKey<'_>) -> Option<MemoryRecord> {
        let tenant = &self.ctx.command.caller.tenant;
        match self.ctx.state.get(&StateKey::Memory(tenant.clone(), key.text())).as_deref() {
            Some(Record::Memory(record)) => Some(record.clone()),
            _ => None,
        }
    }

    /// A quarantined name is neither read nor written over: only an admin clears it. Observing does not soften that.
    pub(super) fn not_quarantined(&self, key: &str) -> Result<(), ReasonCode> {
        let mark = MemoryKey::Quarantine(&self.act.environment, &self.act.namespace, key);
        if self.record(mark).is_some() { Err(ReasonCode::MemoryQuarantined) } else { Ok(()) }
    }

    /// Whether a tainted value of this name waits aside; one that has expired waits no more, swept or not.
    pub(super) fn aside(&self, key: &str) -> bool {
        let aside = self.record(MemoryKey::Aside(&self.act.environment, &self.act.namespace, key));
        aside.is_some_and(|record| record.lives_at(self.ctx.now))
    }

    /// Why a name has no value: it may have one that waits aside.
    pub(super) fn unless_aside(&self, key: &str, code: ReasonCode) -> ReasonCode {
        if self.aside(key) { ReasonCode::MemoryQuarantined } else { code }
    }

    /// The entry of a name, expired or not.
    pub(super) fn entry(&self, key: &str) -> Option<MemoryEntry> {
        match self.record(MemoryKey::Entry(&self.act.environment, &self.act.namespace, key)) {
            Some(MemoryRecord::Entry(entry)) => Some(entry),
            _ => None,
        }
    }

    /// The entry of a name whose value can still be read.
    pub(super) fn live_entry(&self, key: &str) -> Result<MemoryEntry, ReasonCode> {
        let entry = self.entry(key).ok_or(ReasonCode::MemoryUnknown)?;
        if entry.expires <= self.ctx.now {
            return Err(ReasonCode::MemoryExpired);
        }
        let erased = is_erased(self.ctx.state, &self.ctx.command.caller.tenant, &entry.value);
        if erased { Err(ReasonCode::MemoryUnknown) } else { Ok(entry) }
    }

    /// The query of the subject in this namespace that still waits for its release.
    pub(super) fn query(&self, id: &str) -> Result<Sensitivity, ReasonCode> {
        let Some(MemoryRecord::Query(query)) = self.record(MemoryKey::Query(id)) else {
            return Err(ReasonCode::MemoryUnknown);
        };
        let same = query.subject == self.actor.subject
            && query.environment == self.act.environment
            && query.namespace == self.act.namespace;
        if !same {
            return Err(ReasonCode::MemoryUnknown);
        }
        if query.expires <= self.ctx.now { Err(ReasonCode::MemoryExpired) } else { Ok(query.clearance) }
    }

    /// Labels that every reader of the namespace takes on; where the bundle does not say, it counts as retrieved.
    pub(super) fn labels_of_space(&self, id: &str) -> Vec<TaintLabel> {
        let retrieved = || {
            vec![TaintLabel {
                source: TaintSource::Rag,
                origin: self.act.namespace.clone(),
                confidence_milli: 1_000,
                propagated_from: None,
            }]
        };
        let labels = self.space.labels.clone().unwrap_or_else(retrieved);
        labels.into_iter().map(|label| from(label, id)).collect()
    }
}
