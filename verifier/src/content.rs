//! The fast path over a span's entries: one pass over each bundle against the list of leaf hashes, no allocation per entry.
//!
//! Every entry is at the position that it claims with the hash that is listed there, each position exactly once; every link
//! is checked against the list. When anything does not fit, this only says so: `diagnose` then finds out what happened.

use std::collections::BTreeMap;

use assent_ledger::archive::SpanObject;
use assent_ledger::chain::{Head, TenantHead};
use assent_ledger::entry::EntryView;
use assent_ledger::hash::{Hash, leaf_hash, sha256};
use assent_ledger::ids::{Origin, TenantId, Time};
use assent_ledger::seal::{SpanAnchored, SpanCosigned, SpanSealed};
use assent_ledger::tree::Frontier;

use crate::VerifyError;
use crate::finding::{Finding, Kind};
use crate::layout::SpanDir;
use crate::stream::{Bundle, Measured, StreamError, read_leaves};

/// A tenant's name and the end of its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantState {
    /// The name that its entries carry.
    pub name: String,
    /// How many entries, and the last one's hash.
    pub head: TenantHead,
}

/// What has been verified so far: all that is kept from span to span.
#[derive(Debug, Clone)]
pub struct State {
    /// The ledger.
    pub origin: Origin,
    /// Its end.
    pub head: Head,
    /// Its tree.
    pub frontier: Frontier,
    /// The tenants that were seen, by opaque id.
    pub tenants: BTreeMap<Hash, TenantState>,
    /// The opaque id of each tenant name: a name has one id for ever.
    pub names: BTreeMap<String, Hash>,
}

/// What a later entry says about an earlier span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The entry that says it.
    pub seq: u64,
    /// Size of the span's checkpoint.
    pub size: u64,
    /// Digest of the checkpoint's text.
    pub checkpoint: Hash,
    /// Digest of the manifest note.
    pub manifest: Hash,
    /// Digest of the committed cosignature lines, if the entry is about them.
    pub lines: Option<Hash>,
}

/// A span's entries after a clean pass.
#[derive(Debug, Default)]
pub struct Content {
    /// The listed leaf hashes.
    pub leaves: Vec<Hash>,
    /// Every entry fits its listed hash, and every position is covered.
    pub clean: bool,
    /// The first entry whose links or times are wrong although its bytes are the listed ones.
    pub broken: Option<Finding>,
    /// Digests of the objects that were read to their end.
    pub measured: BTreeMap<SpanObject, Measured>,
    /// New ends of the tenants' chains, the seal leaf included.
    pub heads: BTreeMap<Hash, TenantState>,
    /// The system tenant's end before the seal leaf.
    pub system_before_seal: Option<TenantHead>,
    /// The seal leaf, if it is the last entry.
    pub seal: Option<SpanSealed>,
    /// Time of the first entry that was seen.
    pub first_time: Time,
    /// Time of the last entry.
    pub last_time: Time,
    /// What the entries say about earlier spans.
    pub references: Vec<Reference>,
    /// How many entries each tenant has in the span.
    pub counts: BTreeMap<Hash, u64>,
    times: Vec<u64>,
}

const UNSEEN: u64 = u64::MAX;

/// Whose bundles are to be read: `None` for all.
pub type Only<'a> = Option<&'a [Hash]>;

/// Reads a span. `buffer` is reused.
pub fn read(
    span: &SpanDir,
    state: &State,
    system: &Hash,
    only: Only<'_>,
    buffer: &mut Vec<u8>,
) -> Result<Content, VerifyError> {
    let mut content = Content::default();
    let Ok(count) = usize::try_from(span.end() - span.start()) else { return Ok(content) };
    if !span.has(&SpanObject::Leaves) {
        return Ok(content);
    }
    let path = span.path(&SpanObject::Leaves);
    let failed = |source| VerifyError::Io { path: path.clone(), source };
    let (leaves, rest, measured, used) = read_leaves(&path, count, core::mem::take(buffer)).map_err(failed)?;
    *buffer = used;
    content.leaves = leaves;
    content.measured.insert(SpanObject::Leaves, measured);
    if content.leaves.len() != count || rest != 0 {
        return Ok(content);
    }
    content.times = vec![UNSEEN; count];
    for (id, object) in crate::layout::tenant_bundles(span) {
        if only.is_some_and(|ids| !ids.contains(&id)) {
            continue;
        }
        if !content.bundle(span, state, id, object, id == *system, buffer)? {
            return Ok(content);
        }
    }
    content.clean = only.is_some() || content.times.iter().all(|t| *t != UNSEEN);
    content.check_times(span.start(), state.head.time);
    Ok(content)
}

impl Content {
    /// Reads one bundle to its end; false when something does not fit.
    fn bundle(
        &mut self,
        span: &SpanDir,
        state: &State,
        id: Hash,
        object: SpanObject,
        is_system: bool,
        buffer: &mut Vec<u8>,
    ) -> Result<bool, VerifyError> {
        let path = span.path(&object);
        let failed = |source| VerifyError::Io { path: path.clone(), source };
        let mut bundle = Bundle::open(&path, core::mem::take(buffer)).map_err(failed)?;
        let mut tenant = state.tenants.get(&id).cloned();
        let (mut next, mut count) = (0usize, 0u64);
        loop {
            let leaf = match bundle.next_leaf() {
                Ok(Some(leaf)) => leaf,
                Ok(None) => break,
                Err(StreamError::Io(source)) => return Err(failed(source)),
                Err(_) => return Ok(false),
            };
            let Ok(view) = EntryView::parse(leaf) else { return Ok(false) };
            let hash = leaf_hash(leaf);
            let Some(index) = self.place(&view, &hash, span.start(), next) else { return Ok(false) };
            if tenant.is_none() {
                tenant = first_of(&view, state, id);
            }
            let Some(tenant) = tenant.as_mut() else { return Ok(false) };
            if view.origin != state.origin.as_str() || view.tenant != tenant.name || (view.tenant == "-") != is_system {
                return Ok(false);
            }
            self.links(&view, index, state, tenant, span.shown(&object));
            if is_system {
                self.system(&view, index, span, tenant);
            }
            tenant.head = tenant.head.after(hash);
            next = index + 1;
            count += 1;
        }
        let (measured, used) = bundle.finish().map_err(failed)?;
        *buffer = used;
        self.measured.insert(object, measured);
        self.counts.insert(id, count);
        if let Some(tenant) = tenant {
            self.heads.insert(id, tenant);
        }
        Ok(true)
    }

    /// The index of an entry whose hash is listed where it claims to be, after its bundle's earlier ones.
    fn place(&mut self, view: &EntryView<'_>, hash: &Hash, start: u64, next: usize) -> Option<usize> {
        let index = usize::try_from(view.seq.0.checked_sub(start)?).ok()?;
        let time = self.times.get_mut(index)?;
        if index < next || *time != UNSEEN || self.leaves.get(index) != Some(hash) {
            return None;
        }
        *time = view.time.0;
        Some(index)
    }

    fn links(&mut self, view: &EntryView<'_>, index: usize, state: &State, tenant: &TenantState, path: String) {
        let before = match index.checked_sub(1) {
            None => Some(&state.head.last),
            Some(before) => self.leaves.get(before),
        };
        let (head, seq) = (&tenant.head, view.seq.0);
        if before != Some(&view.prev) {
            self.broke(Finding::new(Kind::ChainBroken, seq, "prev is not the hash of the entry before it").at(path));
        } else if view.tseq.0 != head.count || view.tprev != head.last {
            let due = head.count;
            let detail = format!("claims position {} of its tenant, {due} is due after the entries seen", view.tseq);
            self.broke(Finding::new(Kind::TenantChainBroken, seq, detail).at(path));
        }
    }

    fn broke(&mut self, finding: Finding) {
        if self.broken.as_ref().is_none_or(|f| (finding.seq, finding.kind) < (f.seq, f.kind)) {
            self.broken = Some(finding);
        }
    }

    /// Entries of the system that speak about spans. The keyring is folded elsewhere.
    fn system(&mut self, view: &EntryView<'_>, index: usize, span: &SpanDir, tenant: &TenantState) {
        let seq = view.seq.0;
        let bad = |detail: String| Finding::new(Kind::SealMismatch, seq, detail).at(span.shown.clone());
        let Ok(body) = view.body_value() else { return };
        match view.kind {
            SpanSealed::KIND if index + 1 == self.leaves.len() => match SpanSealed::from_value(&body) {
                Ok(seal) => {
                    self.system_before_seal = Some(tenant.head);
                    self.seal = Some(seal);
                }
                Err(error) => self.broke(bad(format!("the seal is malformed: {error}"))),
            },
            SpanSealed::KIND => self.broke(bad("a seal that is not the last entry of its span".to_owned())),
            SpanCosigned::KIND => match SpanCosigned::from_value(&body) {
                Ok(SpanCosigned { checkpoint, cosignatures, manifest, size }) => {
                    let lines = Some(lines_digest(cosignatures.iter().map(ToString::to_string)));
                    self.references.push(Reference { seq, size: size.0, checkpoint, manifest, lines });
                }
                Err(error) => self.broke(bad(format!("the entry that commits cosignatures is malformed: {error}"))),
            },
            SpanAnchored::KIND => match SpanAnchored::from_value(&body) {
                Ok(SpanAnchored { checkpoint, manifest, size, .. }) => {
                    self.references.push(Reference { seq, size: size.0, checkpoint, manifest, lines: None });
                }
                Err(error) => self.broke(bad(format!("the entry that records the anchoring is malformed: {error}"))),
            },
            _ => {}
        }
    }

    fn check_times(&mut self, start: u64, before: Time) {
        let mut last = before.0;
        let mut first = None;
        let mut reversed = None;
        for (seq, time) in (start..).zip(&self.times) {
            if *time == UNSEEN {
                continue;
            }
            first = first.or(Some(*time));
            if *time < last && reversed.is_none() {
                reversed = Some(Finding::new(Kind::TimeReversed, seq, "its time lies before that of an earlier entry"));
            }
            last = last.max(*time);
        }
        if let Some(finding) = reversed {
            self.broke(finding);
        }
        (self.first_time, self.last_time) = (Time(first.unwrap_or(last)), Time(last));
        self.times = Vec::new();
    }
}

/// The state of a tenant before its first entry; `None` when the name is known under another opaque id.
fn first_of(view: &EntryView<'_>, state: &State, id: Hash) -> Option<TenantState> {
    let name = TenantId::new(view.tenant).ok()?;
    if state.names.get(name.as_str()).is_some_and(|known| *known != id) {
        return None;
    }
    Some(TenantState { name: name.as_str().to_owned(), head: TenantHead::genesis(&state.origin, &name) })
}

/// One digest for a set of signature lines, whatever their order.
pub fn lines_digest(lines: impl Iterator<Item = String>) -> Hash {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    sha256(&[lines.join("\n").as_bytes()])
}
