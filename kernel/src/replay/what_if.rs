//! What-if: the recorded calls under another bundle. Each call is decided on the state that the record had come to before it, with the
//! other bundle in the place of the one that was active; the state then goes on as recorded, so that each difference is the
//! bundle's own and not the consequence of an earlier one.

use std::sync::Arc;

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId, Time};

use super::finding::Why;
use super::recorded::{Payloads, Recorded};
use super::walk::{self, Step, Visitor};
use crate::bundle::CompiledBundle;
use crate::command::{Command, CommandBody};
use crate::decide::{self, Decision};
use crate::event::{EventBody, PolicyDecision};
use crate::machine;
use crate::reason::ReasonCode;
use crate::state::keys::ActiveBundleRecord;
use crate::state::{MemoryState, Record, StateKey, StateRead};
use crate::verdict::Verdict;

/// Which calls are asked again; everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only this tenant's.
    pub tenant: Option<TenantId>,
    /// Only this environment's.
    pub environment: Option<String>,
    /// Only this run's.
    pub run: Option<String>,
    /// Only from this time on.
    pub from: Option<Time>,
    /// Only before this time.
    pub until: Option<Time>,
}

impl Selection {
    fn takes(&self, recorded: &Recorded, decision: &PolicyDecision) -> bool {
        let entry = &recorded.entry;
        self.tenant.as_ref().is_none_or(|tenant| *tenant == entry.tenant)
            && self.environment.as_ref().is_none_or(|environment| *environment == decision.environment)
            && self.run.as_ref().is_none_or(|run| Some(run) == entry.run_id.as_ref())
            && self.from.is_none_or(|from| entry.time >= from)
            && self.until.is_none_or(|until| entry.time < until)
    }
}

/// The other bundle, and whom it is tried on.
pub struct WhatIf {
    /// Its hash.
    pub hash: Hash,
    /// Its compiled form.
    pub bundle: Arc<CompiledBundle>,
    /// Which calls.
    pub selection: Selection,
}

/// A call that comes out differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flip {
    /// The decision's entry.
    pub seq: Seq,
    /// When.
    pub time: Time,
    /// Whose call.
    pub tenant: TenantId,
    /// In which run.
    pub run_id: Option<String>,
    /// The tool.
    pub tool: String,
    /// What the record says.
    pub recorded: Judgement,
    /// What the other bundle says.
    pub computed: Judgement,
}

/// A verdict and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The reasons.
    pub codes: Vec<ReasonCode>,
    /// Ids of the rules that mattered, the first eight.
    pub rules: Vec<String>,
}

impl Judgement {
    fn of(decision: &PolicyDecision) -> Judgement {
        let rules = decision.rules.as_ref().map(|rules| rules.shown.clone()).unwrap_or_default();
        Judgement { verdict: decision.verdict, codes: decision.codes.clone(), rules }
    }
}

/// What asking again came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flips {
    /// Calls that were asked again.
    pub asked: u64,
    /// Calls with another verdict.
    pub flipped: u64,
    /// Selected calls that could not be asked again.
    pub not_replayable: u64,
}

impl WhatIf {
    /// Asks the selected calls again and tells each that comes out with another verdict. Errors are those of the iterator.
    pub fn run<E>(
        &self,
        entries: impl IntoIterator<Item = Result<Recorded, E>>,
        payloads: &impl Payloads,
        tell: impl FnMut(Flip),
    ) -> Result<Flips, E> {
        let mut asking = Asking { what_if: self, tell, flips: Flips::default() };
        walk::walk(entries, payloads, &mut asking)?;
        Ok(asking.flips)
    }
}

struct Asking<'a, F: FnMut(Flip)> {
    what_if: &'a WhatIf,
    tell: F,
    flips: Flips,
}

impl<F: FnMut(Flip)> Asking<'_, F> {
    fn selected<'s, P>(&self, step: &'s Step<'_, P>, root: usize) -> Option<(&'s Recorded, &'s PolicyDecision)> {
        let recorded = step.window.get(root)?;
        let Some(EventBody::Decision(decision)) = &recorded.body else { return None };
        self.what_if.selection.takes(recorded, decision).then_some((recorded, decision))
    }
}

impl<F: FnMut(Flip), P: Payloads> Visitor<P> for Asking<'_, F> {
    fn command(&mut self, step: &Step<'_, P>, root: usize, command: &Command) -> usize {
        if let Some((recorded, decision)) = self.selected(step, root) {
            let computed = under(step.state, self.what_if, command);
            match computed {
                Some(computed) => {
                    self.flips.asked += 1;
                    if computed.verdict != decision.verdict {
                        self.flips.flipped += 1;
                        let entry = &recorded.entry;
                        (self.tell)(Flip {
                            seq: entry.seq,
                            time: entry.time,
                            tenant: entry.tenant.clone(),
                            run_id: entry.run_id.clone(),
                            tool: decision.tool.clone(),
                            recorded: Judgement::of(decision),
                            computed,
                        });
                    }
                }
                None => self.flips.not_replayable += 1,
            }
        }
        root + 1
    }

    fn lost(&mut self, step: &Step<'_, P>, root: usize, _: Why) {
        self.flips.not_replayable += u64::from(self.selected(step, root).is_some());
    }

    fn elsewhere(&mut self) {}

    fn follows(&mut self, _: &Step<'_, P>) {}
}

/// What a call comes to under the other bundle; `None` when the kernel refuses to decide it at all.
fn under(state: &MemoryState, what_if: &WhatIf, command: &Command) -> Option<Judgement> {
    let CommandBody::Evaluate(call) = &command.body else { return None };
    let key = StateKey::ActiveBundle(command.caller.tenant.clone(), call.environment.clone());
    let view = OtherBundle { state, key, what_if };
    let decided = machine::guard(command, || decide::decide_new(&view, command));
    let Ok(Decision::Events(events)) = decided else { return None };
    events.iter().find_map(|event| match &event.body {
        EventBody::Decision(decision) => Some(Judgement::of(decision)),
        _ => None,
    })
}

/// The state, but for the bundle that is active.
struct OtherBundle<'a> {
    state: &'a MemoryState,
    key: StateKey,
    what_if: &'a WhatIf,
}

impl StateRead for OtherBundle<'_> {
    fn get(&self, key: &StateKey) -> Option<Arc<Record>> {
        if *key == self.key {
            return Some(Arc::new(Record::ActiveBundle(ActiveBundleRecord { bundle: self.what_if.hash })));
        }
        self.state.get(key)
    }

    fn bundle(&self, hash: &Hash) -> Option<Arc<CompiledBundle>> {
        if *hash == self.what_if.hash { Some(Arc::clone(&self.what_if.bundle)) } else { self.state.bundle(hash) }
    }
}
