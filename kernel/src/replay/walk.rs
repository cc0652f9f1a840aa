//! The walk over the record: entries come in, commands are found in them, and the state goes on from what was recorded.

use std::collections::{BTreeSet, VecDeque};

use assent_ledger::entry::Entry;
use assent_ledger::ids::TenantId;

use super::finding::Why;
use super::rebuild::{Rebuilt, rebuild};
use super::recorded::{Held, Payloads, Recorded};
use crate::command::Command;
use crate::event::{ACCUMULATE_ROLE, CONSTRAINTS_ROLE, CONTEXT_ROLE, EventBody, INPUT_ROLE, MODIFIED_ROLE, SALT_ROLE};
use crate::evolve::{EntryFacts, evolve};
use crate::limits::{ENTRIES_PER_COMMAND_MAX, KERNEL_VERSIONS};
use crate::state::{MemoryState, Overlay, Record, StateKey, StateRead};

/// The entries at hand, and what stood before them.
pub(super) struct Step<'a, P> {
    /// The state before the first of the entries.
    pub state: &'a MemoryState,
    /// At least one entry; as many as one command can make, if there are that many.
    pub window: &'a [Recorded],
    /// Where payloads come from.
    pub payloads: &'a P,
    /// What the state lacks.
    pub lost: &'a Lost,
    /// Whether the command before could not be decided again.
    pub after_lost: bool,
    /// Whether no entry was left out so far.
    pub whole: bool,
}

/// What is done with each command.
pub(super) trait Visitor<P: Payloads> {
    /// A command was rebuilt from the entry at `root`; says how many entries are its, at least one.
    fn command(&mut self, step: &Step<'_, P>, root: usize, command: &Command) -> usize;

    /// The command of the entry at `root` can no longer be known.
    fn lost(&mut self, step: &Step<'_, P>, root: usize, why: Why);

    /// The first entry's command is in a chain that is not walked.
    fn elsewhere(&mut self);

    /// The first entry only ever follows another one.
    fn follows(&mut self, step: &Step<'_, P>);
}

/// Walks over entries in the order of their sequence numbers; says how many there were.
pub(super) fn walk<E, P: Payloads>(
    entries: impl IntoIterator<Item = Result<Recorded, E>>,
    payloads: &P,
    visitor: &mut impl Visitor<P>,
) -> Result<u64, E> {
    let mut entries = entries.into_iter();
    let mut window: VecDeque<Recorded> = VecDeque::new();
    let mut state = MemoryState::new();
    let mut lost = Lost::default();
    let (mut count, mut after_lost, mut ended, mut whole) = (0u64, false, false, true);
    loop {
        while !ended && window.len() < ENTRIES_PER_COMMAND_MAX {
            match entries.next() {
                Some(recorded) => window.push_back(recorded?),
                None => ended = true,
            }
        }
        if window.is_empty() {
            return Ok(count);
        }
        let step = Step { state: &state, window: window.make_contiguous(), payloads, lost: &lost, after_lost, whole };
        let taken = take(&step, visitor, &mut after_lost);
        for recorded in window.drain(..taken.clamp(1, window.len())) {
            whole &= recorded.entry.seq.0 == count;
            lost.note(&recorded, payloads);
            advance(&mut state, &recorded, payloads);
            count += 1;
        }
    }
}

/// Shows the visitor what the entries at the front are; says how many of them it was about.
fn take<P: Payloads>(step: &Step<'_, P>, visitor: &mut impl Visitor<P>, after_lost: &mut bool) -> usize {
    match rebuild(step.window, step.whole, step.state, step.payloads) {
        Rebuilt::Command { root, command } => match undecidable(step, root) {
            Some(why) => {
                visitor.lost(step, root, why);
                *after_lost = true;
                root + 1
            }
            None => {
                *after_lost = false;
                visitor.command(step, root, &command)
            }
        },
        Rebuilt::Lost { root, why } => {
            visitor.lost(step, root, why);
            *after_lost = true;
            root + 1
        }
        Rebuilt::Elsewhere => {
            visitor.elsewhere();
            1
        }
        Rebuilt::Follows => {
            visitor.follows(step);
            1
        }
    }
}

/// Why a command that is known cannot be decided again all the same.
fn undecidable<P: Payloads>(step: &Step<'_, P>, root: usize) -> Option<Why> {
    if let Some(Record::Ledger(ledger)) = step.state.get(&StateKey::Ledger).as_deref()
        && !KERNEL_VERSIONS.contains(&ledger.kernel_version)
    {
        return Some(Why::OtherKernel { version: ledger.kernel_version });
    }
    let body = step.window.get(root).and_then(|recorded| recorded.body.as_ref())?;
    let bundle = match body {
        EventBody::Decision(decision) => decision.bundle.as_ref(),
        EventBody::MemoryAccess(access) => access.bundle.as_ref(),
        EventBody::CapabilityGranted(body) => body.ruled.bundle.as_ref(),
        EventBody::CapabilityDelegated(body) => body.ruled.bundle.as_ref(),
        EventBody::RuntimeRulesSet(body) => Some(&body.bundle),
        _ => None,
    }?;
    (step.lost.bundles.contains(bundle) && step.state.bundle(bundle).is_none()).then_some(Why::BundleMissing)
}

/// Takes an entry into the state.
fn advance<P: Payloads>(state: &mut MemoryState, recorded: &Recorded, payloads: &P) {
    let Some(event) = recorded.event(payloads) else { return };
    let mut overlay = Overlay::new(state);
    let Entry { seq, time, event_id, .. } = &recorded.entry;
    let payloads = recorded.commitments().collect();
    let facts = EntryFacts { seq: *seq, time: *time, event_id: event_id.clone(), payloads };
    evolve(&mut overlay, &facts, &event);
    let (changes, dropped) = overlay.into_changes();
    state.commit(&changes, &dropped);
}

/// Whose state rests on payloads that are gone: later decisions there may come out differently without anybody's fault.
#[derive(Default)]
pub(super) struct Lost {
    runs: BTreeSet<(TenantId, String)>,
    tenants: BTreeSet<TenantId>,
    bundles: BTreeSet<assent_ledger::hash::Hash>,
    /// A bundle of the system's, which has a say in every tenant.
    baseline: bool,
}

impl Lost {
    /// Whether an entry's decision may rest on what is gone.
    pub(super) fn concerns(&self, entry: &Entry) -> bool {
        let run = entry.run_id.as_ref().map(|run| (entry.tenant.clone(), run.clone()));
        self.baseline || self.tenants.contains(&entry.tenant) || run.is_some_and(|run| self.runs.contains(&run))
    }

    fn note(&mut self, recorded: &Recorded, payloads: &impl Payloads) {
        let entry = &recorded.entry;
        for payload in &entry.payloads {
            if matches!(payloads.payload(&entry.tenant, &payload.commitment), Held::Bytes(_)) {
                continue;
            }
            match (payload.role.as_str(), &recorded.body, &entry.run_id) {
                (_, Some(EventBody::BundleOffered(body)), _) => {
                    self.bundles.insert(body.bundle);
                    self.baseline |= entry.tenant.is_system();
                }
                // The layer that it would have set is not asked.
                (_, Some(EventBody::RuntimeRulesSet(_)), _) => {
                    self.tenants.insert(entry.tenant.clone());
                }
                // Contracts across steps add up what their calls said; leases hold in all runs.
                (ACCUMULATE_ROLE | CONSTRAINTS_ROLE, ..) => {
                    self.tenants.insert(entry.tenant.clone());
                }
                // A run remembers its last call, to find loops; a call that waits for people is kept whole.
                (INPUT_ROLE | CONTEXT_ROLE | MODIFIED_ROLE | SALT_ROLE, _, Some(run)) => {
                    self.runs.insert((entry.tenant.clone(), run.clone()));
                }
                _ => {}
            }
        }
    }
}
