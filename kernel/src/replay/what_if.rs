//! What-if: the recorded calls under another bundle. Each call is decided on the state that the record had come to before it, with the
//! other bundle in the place of the one that was active; the state then goes on as recorded, so that each difference is the
//! bundle's own and not the consequence of an earlier one. Calls that people agreed to are asked with their agreement given.

use std::sync::Arc;

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId, Time};

use super::finding::Why;
use super::recorded::{Payloads, Recorded};
use super::walk::{self, Step, Visitor};
use crate::bundle::CompiledBundle;
use crate::command::Command;
use crate::decide::{self, Decision};
use crate::event::{EventBody, PolicyDecision};
use crate::machine;
use crate::reason::ReasonCode;
use crate::state::keys::{ActiveBundleRecord, ApprovalRecord};
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
        let recorded = step.window.get(decision_of(step.window, root)?)?;
        let Some(EventBody::Decision(decision)) = &recorded.body else { return None };
        self.what_if.selection.takes(recorded, decision).then_some((recorded, decision))
    }
}

/// Place of the decision that the command of the entry at `root` came to: that entry, or the one behind a person's answer that
/// decided the waiting call anew.
fn decision_of(window: &[Recorded], root: usize) -> Option<usize> {
    let first = window.get(root)?;
    let answered = match &first.body {
        Some(EventBody::Decision(_)) => return Some(root),
        Some(EventBody::HitlDecision(answer)) => &answer.decision,
        _ => return None,
    };
    let own = window.iter().enumerate().skip(root).take_while(|(at, recorded)| {
        recorded.entry.time == first.entry.time && recorded.entry.seq.0 == first.entry.seq.0 + (at - root) as u64
    });
    // The next answer is another command, even at the same time.
    let mut own = own.skip(1).take_while(|(_, recorded)| !matches!(recorded.body, Some(EventBody::HitlDecision(_))));
    let anew = own.find(|(_, recorded)| match &recorded.body {
        Some(EventBody::Decision(decision)) => decision.effects.replaces.as_ref() == Some(answered),
        _ => false,
    });
    anew.map(|(at, _)| at)
}

impl<F: FnMut(Flip), P: Payloads> Visitor<P> for Asking<'_, F> {
    fn command(&mut self, step: &Step<'_, P>, root: usize, command: &Command) -> usize {
        if let Some((recorded, decision)) = self.selected(step, root) {
            let computed = under(step.state, self.what_if, command, &decision.environment);
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
        // What an answer decided anew is no call of its own.
        decision_of(step.window, root).unwrap_or(root) + 1
    }

    fn lost(&mut self, step: &Step<'_, P>, root: usize, _: Why) {
        self.flips.not_replayable += u64::from(self.selected(step, root).is_some());
    }

    fn elsewhere(&mut self) {}

    fn follows(&mut self, _: &Step<'_, P>) {}
}

/// What a call comes to under the other bundle, or an answer to a call that waited; `None` when the kernel refuses to decide it at all.
fn under(state: &MemoryState, what_if: &WhatIf, command: &Command, environment: &str) -> Option<Judgement> {
    let tenant = command.caller.tenant.clone();
    let policy = decide::policy_hash(state, &tenant, environment);
    let key = StateKey::ActiveBundle(tenant.clone(), environment.to_owned());
    let mut view = OtherBundle { state, key, what_if, asked_under: None };
    view.asked_under = Some((policy, decide::policy_hash(&view, &tenant, environment)));
    let decided = machine::guard(command, || decide::decide_new(&view, command));
    let Ok(Decision::Events(events)) = decided else { return None };
    let decision = events.iter().find_map(|event| match &event.body {
        EventBody::Decision(decision) => Some(Judgement::of(decision)),
        _ => None,
    });
    decision.or_else(|| {
        events.iter().find_map(|event| match &event.body {
            // Under the other bundle the answer does not count, or is not enough.
            EventBody::HitlDecision(answer) => {
                Some(Judgement { verdict: answer.verdict, codes: answer.codes.clone(), rules: Vec::new() })
            }
            _ => None,
        })
    })
}

/// The state, but for the bundle that is active. What people were asked under the bundle that was active then, they count as asked
/// under this one: the question is what it makes of the call that they agreed to.
struct OtherBundle<'a> {
    state: &'a MemoryState,
    key: StateKey,
    what_if: &'a WhatIf,
    /// The policy that was in force, and this one.
    asked_under: Option<(Hash, Hash)>,
}

impl StateRead for OtherBundle<'_> {
    fn get(&self, key: &StateKey) -> Option<Arc<Record>> {
        if *key == self.key {
            return Some(Arc::new(Record::ActiveBundle(ActiveBundleRecord { bundle: self.what_if.hash })));
        }
        let found = self.state.get(key)?;
        match (&*found, &self.asked_under) {
            (Record::Approval(approval), Some((then, now))) if approval.policy == *then => {
                Some(Arc::new(Record::Approval(ApprovalRecord { policy: *now, ..approval.clone() })))
            }
            _ => Some(found),
        }
    }

    fn bundle(&self, hash: &Hash) -> Option<Arc<CompiledBundle>> {
        if *hash == self.what_if.hash { Some(Arc::clone(&self.what_if.bundle)) } else { self.state.bundle(hash) }
    }
}
