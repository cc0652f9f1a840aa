//! The chain: what the next entry must say about the past, and the strict check that each entry says it.
//!
//! Every entry links twice: to the entry before it in the ledger and to its tenant's entry before it.

use std::collections::BTreeMap;

use crate::entry::{EntryError, EntryView};
use crate::hash::{Hash, leaf_hash, sha256};
use crate::ids::{Origin, Seq, TenantId, TenantSeq, Time, TreeSize};

/// What the first entry of a ledger names as its predecessor.
pub fn genesis_prev(origin: &Origin) -> Hash {
    sha256(&[b"assent genesis/1\n", origin.as_str().as_bytes()])
}

/// What the first entry of a tenant names as its predecessor.
pub fn genesis_tprev(origin: &Origin, tenant: &TenantId) -> Hash {
    sha256(&[b"assent tenant genesis/1\n", origin.as_str().as_bytes(), b"\n", tenant.as_str().as_bytes()])
}

/// The end of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of entries.
    pub size: TreeSize,
    /// Leaf hash of the last entry, or the ledger's genesis digest.
    pub last: Hash,
    /// Time of the last entry; 1970 before the first.
    pub time: Time,
}

/// The end of one tenant's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantHead {
    /// Number of the tenant's entries.
    pub count: u64,
    /// Leaf hash of its last entry, or the tenant's genesis digest.
    pub last: Hash,
}

/// What the next entry has to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its position in the ledger.
    pub seq: Seq,
    /// Leaf hash of the entry before it.
    pub prev: Hash,
    /// Its position in the tenant's chain.
    pub tseq: TenantSeq,
    /// Leaf hash of the tenant's entry before it.
    pub tprev: Hash,
}

impl Head {
    /// The end of a ledger without entries.
    pub fn genesis(origin: &Origin) -> Self {
        Head { size: TreeSize(0), last: genesis_prev(origin), time: Time(0) }
    }

    /// The time that an entry stamped `stamp` gets: never before the last entry.
    pub fn clamp(&self, stamp: Time) -> Time {
        stamp.max(self.time)
    }

    /// The head after an entry with this leaf hash and time.
    #[must_use]
    pub const fn after(&self, leaf: Hash, time: Time) -> Self {
        Head { size: TreeSize(self.size.0.saturating_add(1)), last: leaf, time }
    }
}

impl TenantHead {
    /// The end of the chain of a tenant without entries.
    pub fn genesis(origin: &Origin, tenant: &TenantId) -> Self {
        TenantHead { count: 0, last: genesis_tprev(origin, tenant) }
    }

    /// The head after an entry with this leaf hash.
    #[must_use]
    pub const fn after(&self, leaf: Hash) -> Self {
        TenantHead { count: self.count.saturating_add(1), last: leaf }
    }
}

/// What the next entry after these two heads has to carry.
pub const fn link(head: &Head, tenant: &TenantHead) -> Link {
    Link { seq: Seq(head.size.0), prev: head.last, tseq: TenantSeq(tenant.count), tprev: tenant.last }
}

/// The first entry that breaks the chain, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} breaks the chain: {kind}")]
pub struct ChainError {
    /// The position at which the chain broke (the one that was due, whatever the entry says).
    pub seq: Seq,
    /// What is wrong.
    pub kind: ChainErrorKind,
}

/// How an entry breaks the chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainErrorKind {
    /// The bytes are not an entry.
    #[error("{0}")]
    Entry(#[from] EntryError),
    /// It belongs to another ledger.
    #[error("it belongs to another ledger")]
    Origin,
    /// It claims another position: something is missing, doubled or out of order.
    #[error("it claims position {got}")]
    Seq {
        /// The claimed position.
        got: Seq,
    },
    /// It follows another entry than the one before it.
    #[error("prev is not the hash of the entry before it")]
    Prev,
    /// It claims another position in its tenant's chain.
    #[error("it claims position {got} of its tenant, {expected} is due")]
    TenantSeq {
        /// The position that is due.
        expected: TenantSeq,
        /// The claimed position.
        got: TenantSeq,
    },
    /// It follows another entry of its tenant than the last one.
    #[error("tprev is not the hash of its tenant's entry before it")]
    TenantPrev,
    /// Its time lies before that of the entry in front of it.
    #[error("time {got} lies before {last}")]
    Time {
        /// Time of the entry before it.
        last: Time,
        /// Its time.
        got: Time,
    },
}

impl ChainErrorKind {
    /// A stable short name of the kind, as used in verdicts and test vectors.
    pub const fn name(&self) -> &'static str {
        match self {
            ChainErrorKind::Entry(error) => error.kind(),
            ChainErrorKind::Origin => "origin",
            ChainErrorKind::Seq { .. } => "seq",
            ChainErrorKind::Prev => "prev",
            ChainErrorKind::TenantSeq { .. } => "tseq",
            ChainErrorKind::TenantPrev => "tprev",
            ChainErrorKind::Time { .. } => "time",
        }
    }
}

/// Checks a ledger's entries in order, holding one head for the ledger and one per tenant.
#[derive(Debug, Clone)]
pub struct ChainChecker {
    origin: Origin,
    head: Head,
    tenants: BTreeMap<TenantId, TenantHead>,
}

impl ChainChecker {
    /// Starts before the first entry.
    pub fn new(origin: Origin) -> Self {
        let head = Head::genesis(&origin);
        ChainChecker { origin, head, tenants: BTreeMap::new() }
    }

    /// Starts after `head`, with the heads of all tenants that have entries by then.
    pub const fn resume(origin: Origin, head: Head, tenants: BTreeMap<TenantId, TenantHead>) -> Self {
        ChainChecker { origin, head, tenants }
    }

    /// The end of what has been checked.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The ends of the tenants' chains, in the order of their names.
    pub const fn tenants(&self) -> &BTreeMap<TenantId, TenantHead> {
        &self.tenants
    }

    /// Parses, hashes and checks the next leaf; returns its view and its leaf hash.
    pub fn check_leaf<'a>(&mut self, leaf: &'a [u8]) -> Result<(EntryView<'a>, Hash), ChainError> {
        let view = EntryView::parse(leaf).map_err(|error| self.error(error.into()))?;
        let hash = leaf_hash(leaf);
        self.check(&view, hash)?;
        Ok((view, hash))
    }

    /// Checks the next entry, whose leaf hash is `hash`, and goes on to it. After an error the checker stands where it stood.
    pub fn check(&mut self, view: &EntryView<'_>, hash: Hash) -> Result<(), ChainError> {
        if view.origin != self.origin.as_str() {
            return Err(self.error(ChainErrorKind::Origin));
        }
        if view.seq.0 != self.head.size.0 {
            return Err(self.error(ChainErrorKind::Seq { got: view.seq }));
        }
        if view.prev != self.head.last {
            return Err(self.error(ChainErrorKind::Prev));
        }
        if view.time < self.head.time {
            return Err(self.error(ChainErrorKind::Time { last: self.head.time, got: view.time }));
        }
        let known = self.tenants.get_mut(view.tenant);
        if let Some(tenant) = known {
            if let Err(kind) = check_tenant(view, tenant) {
                return Err(self.error(kind));
            }
            *tenant = tenant.after(hash);
        } else {
            let name = TenantId::new(view.tenant).map_err(|error| self.error(EntryError::BadName(error).into()))?;
            let tenant = TenantHead::genesis(&self.origin, &name);
            check_tenant(view, &tenant).map_err(|kind| self.error(kind))?;
            self.tenants.insert(name, tenant.after(hash));
        }
        self.head = self.head.after(hash, view.time);
        Ok(())
    }

    const fn error(&self, kind: ChainErrorKind) -> ChainError {
        ChainError { seq: Seq(self.head.size.0), kind }
    }
}

fn check_tenant(view: &EntryView<'_>, tenant: &TenantHead) -> Result<(), ChainErrorKind> {
    if view.tseq.0 != tenant.count {
        return Err(ChainErrorKind::TenantSeq { expected: TenantSeq(tenant.count), got: view.tseq });
    }
    if view.tprev != tenant.last {
        return Err(ChainErrorKind::TenantPrev);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::entry::Entry;
    use crate::json::Value;

    /// Twelve entries of three tenants, before they are encoded.
    fn entries(origin: &Origin) -> Vec<Entry> {
        let mut head = Head::genesis(origin);
        let mut tenants = BTreeMap::new();
        let mut entries = Vec::new();
        for i in 0..12u64 {
            let tenant = TenantId::new(["-", "acme", "zeta"][i as usize % 3]).unwrap();
            let tenant_head = *tenants.entry(tenant.clone()).or_insert_with(|| TenantHead::genesis(origin, &tenant));
            let next = link(&head, &tenant_head);
            let time = head.clamp(Time(1_000_000 * (i / 2)));
            let entry = Entry {
                origin: origin.clone(),
                seq: next.seq,
                time,
                nonce: [i as u8; 16],
                tenant: tenant.clone(),
                tseq: next.tseq,
                prev: next.prev,
                tprev: next.tprev,
                kind: "assent.test".into(),
                event_id: format!("event-{i}"),
                run_id: None,
                trace_id: None,
                actor: None,
                body: Value::empty_map(),
                payloads: vec![],
            };
            let hash = leaf_hash(&entry.encode().unwrap());
            head = head.after(hash, time);
            tenants.insert(tenant, tenant_head.after(hash));
            entries.push(entry);
        }
        entries
    }

    fn first_error(entries: &[Entry], origin: &Origin) -> Option<(u64, &'static str)> {
        let mut checker = ChainChecker::new(origin.clone());
        for entry in entries {
            let before = *checker.head();
            if let Err(error) = checker.check_leaf(&entry.encode().unwrap()) {
                assert_eq!(*checker.head(), before, "a refused entry must not move the head");
                return Some((error.seq.0, error.kind.name()));
            }
        }
        assert_eq!(checker.head().size.0, entries.len() as u64);
        None
    }

    #[test]
    fn each_break_has_its_place_and_kind() {
        let origin = Origin::new("assent.example/chain").unwrap();
        let good = entries(&origin);
        assert_eq!(first_error(&good, &origin), None);
        let broken = |change: &dyn Fn(&mut Vec<Entry>)| {
            let mut entries = good.clone();
            change(&mut entries);
            first_error(&entries, &origin)
        };
        assert_eq!(broken(&|e| e[4].event_id.push('x')), Some((5, "prev")));
        assert_eq!(broken(&|e| drop(e.remove(4))), Some((4, "seq")));
        assert_eq!(broken(&|e| e.swap(4, 5)), Some((4, "seq")));
        assert_eq!(broken(&|e| e.insert(4, e[3].clone())), Some((4, "seq")));
        assert_eq!(broken(&|e| drop(e.remove(0))), Some((0, "seq")));
        assert_eq!(broken(&|e| e[4].prev = Hash::default()), Some((4, "prev")));
        assert_eq!(broken(&|e| e[4].tprev = e[4].prev), Some((4, "tprev")));
        assert_eq!(broken(&|e| e[4].tseq = TenantSeq(9)), Some((4, "tseq")));
        assert_eq!(broken(&|e| e[0].tprev = Hash::default()), Some((0, "tprev")));
        assert_eq!(broken(&|e| e[4].tenant = TenantId::new("zeta").unwrap()), Some((4, "tprev")));
        assert_eq!(broken(&|e| e[4].time = Time(0)), Some((4, "time")));
        assert_eq!(broken(&|e| e[4].origin = Origin::new("assent.example/other").unwrap()), Some((4, "origin")));
        let other = Origin::new("assent.example/other").unwrap();
        assert_eq!(first_error(&good, &other), Some((0, "origin")));
        assert_eq!(ChainChecker::new(origin.clone()).check_leaf(b"{}").unwrap_err().kind.name(), "wrong_version");
    }

    #[test]
    fn a_checker_resumes_where_another_stopped() {
        let origin = Origin::new("assent.example/chain").unwrap();
        let leaves: Vec<_> = entries(&origin).iter().map(|entry| entry.encode().unwrap()).collect();
        let mut first = ChainChecker::new(origin.clone());
        for leaf in &leaves[..7] {
            first.check_leaf(leaf).unwrap();
        }
        let mut second = ChainChecker::resume(origin, *first.head(), first.tenants().clone());
        for leaf in &leaves[7..] {
            second.check_leaf(leaf).unwrap();
            first.check_leaf(leaf).unwrap();
        }
        assert_eq!((first.head(), first.tenants()), (second.head(), second.tenants()));
    }
}
