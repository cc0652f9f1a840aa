//! The seal leaf against what the archive shows, the tenant map, and the tenants' paths in it.

use assent_ledger::archive::{MapPathFile, SpanObject};
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TreeSize};
use assent_ledger::manifest::Manifest;
use assent_ledger::map::{TenantMap, TenantMapLeaf};

use crate::content::{Content, State};
use crate::finding::{Finding, Kind};
use crate::layout::{SpanDir, read_capped};

/// Longest map path file, in bytes: six lines and at most 64 hashes.
const MAP_BYTES_MAX: usize = 8192;

/// Reads a tenant's map path file; `None` when it is missing or malformed.
pub(crate) fn read_map(span: &SpanDir, id: &Hash) -> Option<MapPathFile> {
    let bytes = read_capped(&span.path(&SpanObject::TenantMap(*id)), MAP_BYTES_MAX).ok()??;
    MapPathFile::parse(&bytes).ok()
}

/// Checks the fields of the seal. `root` is that of the tree before the seal leaf.
pub fn check(
    span: &SpanDir,
    content: &Content,
    state: &State,
    system: &Hash,
    root: &Hash,
    manifest: &Manifest,
    partial: bool,
) -> Option<Finding> {
    let seq = span.end() - 1;
    let path = span.shown(&SpanObject::TenantBundle(*system));
    let wrong = |kind, detail: String| Some(Finding::new(kind, seq, detail).at(path.clone()));
    let Some(seal) = &content.seal else {
        return wrong(Kind::SealMismatch, "the span does not end in a seal".to_owned());
    };
    if seal.size != TreeSize(seq) || seal.span_start != Seq(span.start()) {
        let detail = format!("the seal speaks of the span from {} to {}", seal.span_start, seal.size);
        return wrong(Kind::SealMismatch, detail);
    }
    if seal.root != *root {
        return wrong(Kind::SealMismatch, "the seal states another root than the entries before it make".to_owned());
    }
    if seal.reason != manifest.reason {
        let detail = format!("the seal's reason is {}, the manifest's {}", seal.reason, manifest.reason);
        return wrong(Kind::SealMismatch, detail);
    }
    if !partial && tenant_map(content, state, system) != Some(seal.tenant_map_root) {
        return wrong(
            Kind::TenantMapMismatch,
            "the tenants' entries make another tenant map than the sealed one".to_owned(),
        );
    }
    None
}

/// The tenant map as of just before the seal leaf.
fn tenant_map(content: &Content, state: &State, system: &Hash) -> Option<Hash> {
    let mut map = TenantMap::new();
    let before = |id: &Hash| if id == system { content.system_before_seal } else { None };
    for (id, tenant) in &state.tenants {
        if !content.heads.contains_key(id) {
            map.insert(TenantMapLeaf { id: *id, count: tenant.head.count, last: tenant.head.last }).ok()?;
        }
    }
    for (id, tenant) in &content.heads {
        let head = before(id).unwrap_or(tenant.head);
        if head.count > 0 {
            map.insert(TenantMapLeaf { id: *id, count: head.count, last: head.last }).ok()?;
        }
    }
    Some(map.root())
}

/// Checks one tenant's path file against the sealed map root and against the entries that are there.
pub fn check_map(span: &SpanDir, content: &Content, state: &State, system: &Hash, id: &Hash) -> Option<Finding> {
    let seq = span.end() - 1;
    let path = span.shown(&SpanObject::TenantMap(*id));
    let finding = |kind, seq, detail: String| Some(Finding::new(kind, seq, detail).at(path.clone()).of(*id));
    let seal = content.seal.as_ref()?;
    let Some(file) = read_map(span, id) else {
        return finding(Kind::ObjectAltered, span.start(), "the tenant map path is malformed".to_owned());
    };
    if let Err(error) = file.verify(id, &seal.tenant_map_root) {
        return finding(Kind::TenantMapMismatch, seq, error.to_string());
    }
    let head = content.heads.get(id).or_else(|| state.tenants.get(id)).map(|t| t.head);
    let head = if id == system { content.system_before_seal } else { head };
    let (count, last) = head.map_or((0, None), |h| (h.count, Some(h.last)));
    if file.count == count && Some(file.last) == last {
        return None;
    }
    if file.count > count {
        let exact = content.leaves.iter().position(|l| *l == file.last).filter(|_| file.count == count + 1);
        let first = exact.map_or(span.start(), |i| span.start().saturating_add(i as u64));
        let detail = format!("the sealed tenant map counts {} entries of the tenant, {count} are there", file.count);
        let there = span.has(&SpanObject::TenantBundle(*id));
        let kind = if there { Kind::TenantEntryWithheld } else { Kind::TenantBundleWithheld };
        let found = Finding::new(kind, first, detail).at(span.shown(&SpanObject::TenantBundle(*id))).of(*id);
        return Some(if exact.is_some() { found } else { found.until(span.end()) });
    }
    finding(
        Kind::TenantMapMismatch,
        seq,
        format!("the sealed tenant map counts {} entries, {count} are there", file.count),
    )
}
