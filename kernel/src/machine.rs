//! The pure replicated state machine: committed batches in; leaves, tree nodes, state changes and answers out.
//!
//! A command is recorded wholly or not at all. Its entries are built beside the machine, its state changes behind a savepoint of
//! the overlay, and both are taken in only when everything has succeeded.

mod applied;
mod restore;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use assent_ledger::chain::{Head, TenantHead};
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{Origin, Seq, TenantId, TreeSize};
use assent_ledger::limits::SPAN_ENTRIES_MAX;
use assent_ledger::map::{TenantMap, TenantMapLeaf};
use assent_ledger::seal::SpanSealed;
use assent_ledger::tree::Frontier;
use assent_ledger::trie::StateTrie;

pub use applied::{
    Answer, AppliedBatch, AppliedEntry, CosignedFacts, HeadRecord, LogPosition, SealFacts, SealedPayload,
    decode_tenant_head, encode_tenant_head,
};
pub use restore::RestoreError;

use crate::command::{Batch, Command, CommandBody};
use crate::decide::{self, Decision, SealIntent};
use crate::event::{Event, EventBody};
use crate::limits::KERNEL_VERSION;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::state::{Overlay, StateRead};

/// Entries that stay free in a span for the seal itself and for what belongs to the seal before it.
const SPAN_RESERVE: u64 = 4 * crate::limits::ENTRIES_PER_COMMAND_MAX as u64;

/// One ledger's state machine. It holds what every command needs: heads, the tree's frontier, and the digests of the state. The
/// state's records are the caller's.
#[derive(Clone)]
pub struct Machine {
    origin: Origin,
    head: Head,
    frontier: Frontier,
    tenants: BTreeMap<TenantId, Tenant>,
    trie: StateTrie,
}

/// The end of a tenant's chain, and its name in the tenant map.
#[derive(Clone, Copy)]
struct Tenant {
    head: TenantHead,
    opaque: Hash,
}

/// What a batch has come to so far.
struct Progress {
    batch: AppliedBatch,
    touched: BTreeSet<TenantId>,
}

impl Machine {
    /// The machine of a ledger without entries.
    pub fn new(origin: Origin) -> Self {
        let head = Head::genesis(&origin);
        Machine { origin, head, frontier: Frontier::new(), tenants: BTreeMap::new(), trie: StateTrie::new() }
    }

    /// The ledger.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The end of the ledger.
    pub fn head(&self) -> HeadRecord {
        HeadRecord { head: self.head, frontier: self.frontier.clone() }
    }

    /// Number of entries.
    pub const fn size(&self) -> TreeSize {
        self.head.size
    }

    /// Root of the tree over all entries.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The ends of the tenants' chains, by tenant.
    pub fn tenant_heads(&self) -> impl Iterator<Item = (&TenantId, &TenantHead)> {
        self.tenants.iter().map(|(name, tenant)| (name, &tenant.head))
    }

    /// The tenant map as it stands: what the next seal commits to, before its own leaf.
    pub fn tenant_map(&self) -> TenantMap {
        let mut map = TenantMap::new();
        for tenant in self.tenants.values() {
            let TenantHead { count, last } = tenant.head;
            // Opaque ids are digests that differ, and a tenant is known from its first entry on: nothing is left out.
            let inserted = map.insert(TenantMapLeaf { id: tenant.opaque, count, last });
            debug_assert!(inserted.is_ok(), "every known tenant has an entry and an id of its own");
        }
        map
    }

    /// Digest of the kernel's state, as seals carry it. Takes `&mut` because the trie hashes lazily.
    pub fn state_digest(&mut self) -> Hash {
        export_digest(&mut self.trie)
    }

    /// Applies a committed batch. `base` is the state as the batch before left it; the caller stores what this returns, in one
    /// write, before it applies the next batch or answers anybody.
    pub fn apply(&mut self, base: &impl StateRead, batch: &Batch, at: &LogPosition) -> AppliedBatch {
        let mut overlay = Overlay::new(base);
        let mut progress = Progress { batch: self.nothing_yet(), touched: BTreeSet::new() };
        for command in &batch.commands {
            overlay.savepoint();
            let answer = match self.step(&mut overlay, command, at, &mut progress) {
                Ok(answer) => answer,
                Err(refusal) => {
                    overlay.rollback();
                    Answer::Refused(refusal)
                }
            };
            progress.batch.answers.push(answer);
        }
        self.hash_changes(&mut overlay);
        let Progress { batch: mut applied, touched } = progress;
        applied.head = self.head();
        let head_of = |name: TenantId| self.tenants.get(&name).map(|tenant| (name, tenant.head));
        applied.tenant_heads = touched.into_iter().filter_map(head_of).collect();
        (applied.state, applied.dropped_buckets) = overlay.into_changes();
        applied
    }

    fn nothing_yet(&self) -> AppliedBatch {
        AppliedBatch {
            entries: Vec::new(),
            nodes: Vec::new(),
            state: Vec::new(),
            dropped_buckets: Vec::new(),
            head: self.head(),
            tenant_heads: Vec::new(),
            tenant_keys: Vec::new(),
            answers: Vec::new(),
            sealed: Vec::new(),
            cosigned: Vec::new(),
            erased: Vec::new(),
        }
    }

    /// One command: decided, written, remembered. On an error the machine is untouched and the caller rolls the overlay back.
    fn step<S: StateRead>(
        &mut self,
        overlay: &mut Overlay<'_, S>,
        command: &Command,
        at: &LogPosition,
        progress: &mut Progress,
    ) -> Result<Answer, Refusal> {
        self.check_room(overlay, command)?;
        if let CommandBody::Genesis(genesis) = &command.body
            && genesis.created.origin != self.origin
        {
            return Err(Refusal::OtherOrigin);
        }
        match decide_guarded(overlay, command)? {
            Decision::Repeat(row) => {
                Ok(Answer::of(row.first_seq, row.count, row.decided.as_ref(), row.ruled.as_ref(), true))
            }
            Decision::Events(events) => {
                check_members(&events, at)?;
                self.write(overlay, command, &events, progress)
            }
            Decision::Seal(intent) => {
                let body = self.seal_body(overlay, intent, at)?;
                let actor = Some(format!("credential:{}", command.caller.credential));
                self.write(overlay, command, &[Event::new(TenantId::system(), actor, body)], progress)
            }
        }
    }

    /// A span has a largest size, which a verifier relies on; when the sealer does not keep up, new entries have to wait.
    fn check_room<S: StateRead>(&self, overlay: &Overlay<'_, S>, command: &Command) -> Result<(), Refusal> {
        let span_start = decide::progress(overlay).span_start;
        let full = self.head.size.0.saturating_sub(span_start.0) >= SPAN_ENTRIES_MAX - SPAN_RESERVE;
        if full && !matches!(command.body, CommandBody::Seal { .. }) { Err(Refusal::SpanFull) } else { Ok(()) }
    }

    fn seal_body<S: StateRead>(
        &mut self,
        overlay: &mut Overlay<'_, S>,
        intent: SealIntent,
        at: &LogPosition,
    ) -> Result<SpanSealed, Refusal> {
        self.hash_changes(overlay);
        let mut membership: BTreeSet<_> = at.membership.iter().copied().collect();
        if membership.is_empty() {
            membership.insert(at.leader);
        }
        Ok(SpanSealed {
            kernel_version: KERNEL_VERSION,
            leader_node: at.leader,
            log_index: at.index,
            membership: membership.into_iter().collect(),
            reason: intent.reason,
            root: self.frontier.root(),
            size: self.head.size,
            span_start: Seq(intent.span_start.0),
            state_digest: self.state_digest(),
            tenant_map_root: self.tenant_map().root(),
            term: at.term,
        })
    }

    /// Takes the overlay's changes into the state trie.
    fn hash_changes<S: StateRead>(&mut self, overlay: &mut Overlay<'_, S>) {
        for key in overlay.take_unhashed() {
            match overlay.get(&key) {
                Some(record) => self.trie.insert(&key.encode(), &record.encode()),
                None => {
                    self.trie.remove(&key.encode());
                }
            }
        }
    }
}

/// A version of the kernel is activated only when every member said that it knows it.
fn check_members(events: &[Event], at: &LogPosition) -> Result<(), Refusal> {
    for event in events {
        if let EventBody::KernelActivated(body) = &event.body
            && !at.membership.iter().all(|node| body.supports.contains(node))
        {
            return Err(Refusal::MembersBehind { version: body.version });
        }
    }
    Ok(())
}

/// `SHA-256("assent state digest/1\n" ‖ kernel version BE ‖ trie root)`.
pub fn export_digest(trie: &mut StateTrie) -> Hash {
    sha256(&[b"assent state digest/1\n", &KERNEL_VERSION.to_be_bytes(), &trie.root().0])
}

/// `decide`, with a panic turned into a recorded deny (Evaluate) or a refusal (anything else), the same on every replica. Whether
/// a request is new is asked outside the guard: a fault must not make a known request new.
pub fn decide_guarded(state: &impl StateRead, command: &Command) -> Result<Decision, Refusal> {
    if let Some(row) = decide::prepare(state, command)? {
        return Ok(Decision::Repeat(Box::new(row)));
    }
    guard(command, || decide::decide_new(state, command))
}

/// The state cannot be left half-changed by an unwinding decision: decisions only read it. A call whose decision does not fit an entry
/// is denied too: otherwise nothing would say that it was made.
pub(crate) fn guard(
    command: &Command,
    decide: impl FnOnce() -> Result<Decision, Refusal>,
) -> Result<Decision, Refusal> {
    let fault = |code| decide::fault(command, code).map(|event| Decision::Events(vec![event]));
    match catch_unwind(AssertUnwindSafe(decide)) {
        Err(_) => fault(ReasonCode::KernelFault).ok_or(Refusal::KernelFault),
        Ok(Ok(Decision::Events(events))) if !events.iter().all(Event::fits) => {
            fault(ReasonCode::PolicyError).ok_or(Refusal::LeafTooLarge)
        }
        Ok(decision) => decision,
    }
}

#[cfg(test)]
mod tests;
