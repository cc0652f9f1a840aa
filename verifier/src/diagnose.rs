//! The slow path: what happened to a span whose bytes do not fit. Reads everything again, finds the list of leaf hashes that
//! the signed roots stand for, and compares bundles and the listed hashes with it.
//!
//! Three sources say which hash belongs to a position: the list itself, the entry that claims the position, and the `prev` of
//! the entry that claims the next one. A combination of them whose root is the signed one is the truth.

use std::collections::{BTreeMap, BTreeSet};

use assent_ledger::archive::SpanObject;
use assent_ledger::entry::EntryView;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::manifest::Manifest;
use assent_ledger::tree::merkle_root;

use crate::VerifyError;
use crate::classify;
use crate::content::{Only, State};
use crate::finding::Finding;
use crate::layout::SpanDir;
use crate::stream::{Bundle, StreamError};

/// A signed root that the right list of leaf hashes must lead to.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Of the ledger's whole tree at the span's end.
    Tree(Hash),
    /// Of the span's leaves alone.
    Span(Hash),
}

/// What one record of a bundle states.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stated {
    pub seq: u64,
    pub prev: Hash,
    pub tseq: u64,
    pub tprev: Hash,
    pub same_origin: bool,
    pub same_tenant: bool,
}

/// One record of a bundle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub hash: Hash,
    pub stated: Option<Stated>,
}

/// One bundle with its records, or one that should be there.
#[derive(Debug)]
pub(crate) struct Source {
    pub id: Hash,
    pub path: String,
    pub present: bool,
    pub altered: bool,
    pub first_tseq: u64,
    pub records: Vec<Record>,
    pub unreadable: Option<String>,
}

/// Everything that is known about the span.
pub(crate) struct Evidence<'a> {
    pub span: &'a SpanDir,
    pub count: usize,
    pub listed: &'a [Hash],
    pub truth: Option<Vec<Hash>>,
    pub sources: Vec<Source>,
    pub partial: bool,
    pub first_prev: Hash,
    /// Digest of the tenants' last entries before the seal, from the map path files: id → (count, last).
    pub tails: BTreeMap<Hash, (u64, Hash)>,
}

/// Says what happened; empty when entries and list are the signed ones after all.
pub fn diagnose(
    span: &SpanDir,
    state: &State,
    listed: &[Hash],
    only: Only<'_>,
    manifest: Option<&Manifest>,
    targets: &[Target],
) -> Result<Vec<Finding>, VerifyError> {
    let count = usize::try_from(span.end() - span.start()).unwrap_or(usize::MAX);
    let sources = read_sources(span, state, only, manifest, count)?;
    let truth = find_truth(span, state, listed, &sources, count, targets);
    let tails = read_tails(span, only);
    let first_prev = state.head.last;
    let evidence = Evidence { span, count, listed, truth, sources, partial: only.is_some(), first_prev, tails };
    Ok(classify::classify(&evidence))
}

fn read_sources(
    span: &SpanDir,
    state: &State,
    only: Only<'_>,
    manifest: Option<&Manifest>,
    count: usize,
) -> Result<Vec<Source>, VerifyError> {
    let mut ids: BTreeSet<Hash> = crate::layout::tenant_bundles(span).into_keys().collect();
    let listed = manifest.map(|m| m.objects.as_slice()).unwrap_or_default();
    ids.extend(listed.iter().filter_map(|o| match o.object {
        SpanObject::TenantBundle(id) => Some(id),
        _ => None,
    }));
    let mut sources = Vec::new();
    for id in ids.into_iter().filter(|id| only.is_none_or(|ids| ids.contains(id))) {
        let object = SpanObject::TenantBundle(id);
        let expected = listed.iter().find(|o| o.object == object).map(|o| o.digest);
        sources.push(read_source(span, state, id, expected, count)?);
    }
    Ok(sources)
}

fn read_source(
    span: &SpanDir,
    state: &State,
    id: Hash,
    expected: Option<Hash>,
    count: usize,
) -> Result<Source, VerifyError> {
    let object = SpanObject::TenantBundle(id);
    let tenant = state.tenants.get(&id);
    let mut source = Source {
        id,
        path: span.shown(&object),
        present: span.has(&object),
        altered: true,
        first_tseq: tenant.map_or(0, |t| t.head.count),
        records: Vec::new(),
        unreadable: None,
    };
    if !source.present {
        return Ok(source);
    }
    let path = span.path(&object);
    let failed = |error| VerifyError::Io { path: path.clone(), source: error };
    let mut bundle = Bundle::open(&path, Vec::new()).map_err(failed)?;
    let mut name = tenant.map(|t| t.name.clone());
    // Twice as many records as the span has entries are enough to see what was added.
    while source.records.len() < count.saturating_mul(2).saturating_add(16) {
        match bundle.next_leaf() {
            Ok(Some(leaf)) => source.records.push(record(leaf, state, &mut name)),
            Ok(None) => break,
            Err(StreamError::Io(error)) => return Err(failed(error)),
            Err(error) => {
                source.unreadable = Some(error.to_string());
                break;
            }
        }
    }
    let (measured, _) = bundle.finish().map_err(failed)?;
    source.altered = expected != Some(measured.digest);
    Ok(source)
}

fn record(leaf: &[u8], state: &State, name: &mut Option<String>) -> Record {
    let stated = EntryView::parse(leaf).ok().map(|view| {
        let name = name.get_or_insert_with(|| view.tenant.to_owned());
        Stated {
            seq: view.seq.0,
            prev: view.prev,
            tseq: view.tseq.0,
            tprev: view.tprev,
            same_origin: view.origin == state.origin.as_str(),
            same_tenant: view.tenant == name,
        }
    });
    Record { hash: leaf_hash(leaf), stated }
}

/// The first combination of sources that leads to a target, the strongest target first.
fn find_truth(
    span: &SpanDir,
    state: &State,
    listed: &[Hash],
    sources: &[Source],
    count: usize,
    targets: &[Target],
) -> Option<Vec<Hash>> {
    let mut claimed: Vec<Option<Hash>> = vec![None; count];
    let mut linked: Vec<Option<Hash>> = vec![None; count];
    let at = |seq: u64| usize::try_from(seq.checked_sub(span.start())?).ok();
    for record in sources.iter().flat_map(|s| &s.records) {
        let Some(stated) = record.stated.filter(|s| s.same_origin) else { continue };
        if let Some(slot) = at(stated.seq).and_then(|i| claimed.get_mut(i)) {
            slot.get_or_insert(record.hash);
        }
        if let Some(slot) = stated.seq.checked_sub(1).and_then(at).and_then(|i| linked.get_mut(i)) {
            slot.get_or_insert(stated.prev);
        }
    }
    let whole = |i: usize| if listed.len() == count { listed.get(i).copied() } else { None };
    let get = |v: &[Option<Hash>], i: usize| v.get(i).copied().flatten();
    let orders: [&dyn Fn(usize) -> Option<Hash>; 5] = [
        &whole,
        &|i| get(&claimed, i).or_else(|| get(&linked, i)),
        &|i| get(&linked, i).or_else(|| get(&claimed, i)).or_else(|| whole(i)),
        &|i| get(&linked, i).or_else(|| whole(i)).or_else(|| get(&claimed, i)),
        &|i| get(&claimed, i).or_else(|| whole(i)).or_else(|| get(&linked, i)),
    ];
    let candidates: Vec<Vec<Hash>> = orders.iter().filter_map(|o| (0..count).map(o).collect()).collect();
    targets.iter().find_map(|target| candidates.iter().find(|c| leads_to(state, c, target)).cloned())
}

fn leads_to(state: &State, leaves: &[Hash], target: &Target) -> bool {
    match target {
        Target::Span(root) => merkle_root(leaves.iter().copied()) == *root,
        Target::Tree(root) => {
            let mut tree = state.frontier.clone();
            leaves.iter().for_each(|leaf| tree.append(*leaf));
            tree.root() == *root
        }
    }
}

/// What the map path files state, unverified: it only serves to name a position.
fn read_tails(span: &SpanDir, only: Only<'_>) -> BTreeMap<Hash, (u64, Hash)> {
    let mut tails = BTreeMap::new();
    for object in &span.present {
        let SpanObject::TenantMap(id) = object else { continue };
        if only.is_some_and(|ids| !ids.contains(id)) {
            continue;
        }
        if let Some(file) = crate::seals::read_map(span, id) {
            tails.insert(*id, (file.count, file.last));
        }
    }
    tails
}
