//! Names what happened to a span's entries, given the signed list of leaf hashes or, without it, the sources' contradictions.

use std::collections::BTreeMap;

use assent_ledger::archive::SpanObject;
use assent_ledger::hash::Hash;

use crate::diagnose::{Evidence, Record, Source};
use crate::finding::{Finding, Kind};

/// All that is wrong, the first position first and the most specific kind first.
pub(crate) fn classify(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = match &evidence.truth {
        Some(truth) => against_truth(evidence, truth),
        None => contradictions(evidence),
    };
    findings.sort_by(|a, b| (a.seq, a.kind, &a.path).cmp(&(b.seq, b.kind, &b.path)));
    findings.dedup_by(|b, a| a.kind == b.kind && a.path == b.path && b.seq == a.seq);
    // One cut shows up in many places; the first ones say it all.
    findings.truncate(16);
    findings
}

struct Known<'a> {
    evidence: &'a Evidence<'a>,
    truth: &'a [Hash],
    index: BTreeMap<Hash, usize>,
    /// Positions whose signed entry is somewhere in the bundles.
    covered: Vec<bool>,
    start: u64,
}

/// Strange records of one bundle that are placed one by one; more say nothing more.
const FOREIGN_MAX: usize = 64;

impl Known<'_> {
    fn seq(&self, index: usize) -> u64 {
        self.start.saturating_add(index as u64)
    }

    fn index_of(&self, record: &Record) -> Option<usize> {
        self.index.get(&record.hash).copied()
    }
}

fn against_truth(evidence: &Evidence<'_>, truth: &[Hash]) -> Vec<Finding> {
    let index: BTreeMap<Hash, usize> = truth.iter().enumerate().map(|(i, h)| (*h, i)).collect();
    let covered = vec![false; truth.len()];
    let mut known = Known { evidence, truth, index, covered, start: evidence.span.start() };
    for record in evidence.sources.iter().flat_map(|s| &s.records) {
        let index = known.index_of(record);
        if let Some(slot) = index.and_then(|i| known.covered.get_mut(i)) {
            *slot = true;
        }
    }
    let mut findings = Vec::new();
    let mut seen = vec![false; truth.len()];
    let mut claims: BTreeMap<usize, Finding> = BTreeMap::new();
    for source in &evidence.sources {
        bundle(&known, source, &mut seen, &mut claims, &mut findings);
    }
    for (index, claim) in claims {
        let there = seen.get(index).copied().unwrap_or(false);
        let kind = if there { Kind::EntryInserted } else { Kind::LeafEdited };
        if let Some(slot) = seen.get_mut(index) {
            *slot = true;
        }
        findings.push(Finding { kind, ..claim });
    }
    if evidence.partial {
        for source in &evidence.sources {
            findings.extend(tenant_gaps(&known, source));
        }
    } else if let Some(missing) = seen.iter().position(|s| !s) {
        let edited_before = findings.iter().any(|f| f.seq == known.seq(missing));
        if !edited_before {
            findings.push(missing_entry(&known, missing));
        }
    }
    findings.extend(listed(&known));
    findings
}

/// One bundle's records: in order, once each, its own tenant's, and nothing that was not signed.
fn bundle(
    known: &Known<'_>,
    source: &Source,
    seen: &mut [bool],
    claims: &mut BTreeMap<usize, Finding>,
    findings: &mut Vec<Finding>,
) {
    let finding = |kind, seq, detail: &str| Finding::new(kind, seq, detail).at(source.path.clone()).of(source.id);
    let mut highest: Option<usize> = None;
    let mut strange = 0;
    for (position, record) in source.records.iter().enumerate() {
        let Some(index) = known.index_of(record) else {
            strange += 1;
            if strange > FOREIGN_MAX {
                return;
            }
            foreign(known, source, position, highest, claims, findings);
            continue;
        };
        let seq = known.seq(index);
        if record.stated.is_some_and(|s| !s.same_tenant) {
            findings.push(finding(Kind::SpanSwapped, seq, "this entry belongs to another tenant than its bundle"));
        }
        if record.stated.is_none() {
            findings.push(finding(Kind::EntryMalformed, seq, "the signed leaf is no entry"));
        }
        if seen.get(index).copied().unwrap_or(false) {
            findings.push(finding(Kind::EntryDuplicated, seq, "the entry is in the archive more than once"));
        } else if highest.is_some_and(|h| index < h) {
            findings.push(finding(Kind::EntriesReordered, seq, "the entry stands after later ones"));
        }
        if let Some(slot) = seen.get_mut(index) {
            *slot = true;
        }
        highest = highest.max(Some(index));
    }
    if let Some(error) = &source.unreadable {
        let from = highest.map_or(0, |h| h + 1);
        // A strange record before the end explains it already: its length was changed.
        let explained = claims.range(from..).any(|(_, f)| f.path.as_ref() == Some(&source.path));
        let free = |i: &usize| !known.covered.get(*i).copied().unwrap_or(true) && !claims.contains_key(i);
        if !explained {
            let index = (from..seen.len()).find(free).or(highest).unwrap_or(0);
            let detail = format!("the bundle cannot be read from here on: {error}");
            claims.entry(index).or_insert_with(|| finding(Kind::LeafEdited, known.seq(index), &detail));
        }
    }
}

/// A record that is not in the signed tree: which position does it claim or stand at?
fn foreign(
    known: &Known<'_>,
    source: &Source,
    position: usize,
    highest: Option<usize>,
    claims: &mut BTreeMap<usize, Finding>,
    findings: &mut Vec<Finding>,
) {
    let record = source.records.get(position);
    let stated = record.and_then(|r| r.stated);
    let claimed = stated.and_then(|s| usize::try_from(s.seq.checked_sub(known.start)?).ok());
    let claimed = claimed.filter(|i| *i < known.truth.len());
    let finding =
        |kind, index, detail: &str| Finding::new(kind, known.seq(index), detail).at(source.path.clone()).of(source.id);
    let next = source.records.iter().skip(position + 1).find_map(|r| known.index_of(r));
    let after = highest.map_or(0, |h| h + 1);
    if stated.is_some_and(|s| !s.same_origin || !s.same_tenant) && source.records.len() > 1 {
        let index = claimed.or(next).unwrap_or(after);
        findings.push(finding(Kind::SpanSwapped, index, "this entry belongs to another ledger or tenant"));
    }
    // A changed byte may have hit the position that the entry claims; what its successor names is stronger evidence.
    let free = |i: &usize| !known.covered.get(*i).copied().unwrap_or(true);
    let between = |i: &usize| *i >= after && next.is_none_or(|n| *i < n);
    let place = by_tenant_link(known, source, position).filter(free);
    let place = place.or(claimed.filter(between).filter(free));
    let place = place.or_else(|| unclaimed(known, after, next.unwrap_or(known.truth.len())));
    match place.or(claimed) {
        Some(index) => {
            let detail = match stated {
                Some(_) => "the entry at this position is not the one that was signed",
                None => "the bytes at this position are no entry any more",
            };
            claims.entry(index).or_insert_with(|| finding(Kind::LeafEdited, index, detail));
        }
        None => findings.push(finding(Kind::EntryInserted, after, "an entry that the signed tree does not hold")),
    }
}

/// The position of a record from what its successor in the bundle names as its tenant's previous entry.
fn by_tenant_link(known: &Known<'_>, source: &Source, position: usize) -> Option<usize> {
    let next = source.records.get(position + 1)?.stated?;
    known.index.get(&next.tprev).copied()
}

/// The first position between two of a bundle's entries that no bundle covers.
fn unclaimed(known: &Known<'_>, from: usize, to: usize) -> Option<usize> {
    if known.evidence.partial {
        return None;
    }
    (from..to).find(|i| !known.covered.get(*i).copied().unwrap_or(true))
}

/// No bundle holds the entry: was it taken out, cut off a bundle's end, or is the bundle gone?
fn missing_entry(known: &Known<'_>, missing: usize) -> Finding {
    let seq = known.seq(missing);
    let sources = &known.evidence.sources;
    for source in sources.iter().filter(|s| s.present) {
        let mut expected = source.first_tseq;
        let mut before = None;
        for record in &source.records {
            let (Some(index), Some(stated)) = (known.index_of(record), record.stated) else { continue };
            if index > missing && before.is_none_or(|b| b < missing) && stated.tseq > expected {
                let detail = format!("the tenant's entry {expected} is gone, entry {} follows", stated.tseq);
                return Finding::new(Kind::EntryRemoved, seq, detail).at(source.path.clone()).of(source.id);
            }
            (before, expected) = (Some(index), stated.tseq.saturating_add(1));
        }
    }
    if let Some(gone) = sources.iter().find(|s| !s.present) {
        let detail = "the manifest lists this bundle, and no entry at this position is there";
        return Finding::new(Kind::TenantBundleWithheld, seq, detail).at(gone.path.clone()).of(gone.id);
    }
    let intact = known.evidence.listed == known.truth;
    let kind = if intact { Kind::TenantEntryWithheld } else { Kind::EntryRemoved };
    let detail = "the leaf hash is listed and signed, and no bundle holds the entry";
    let finding = Finding::new(kind, seq, detail);
    match sources.iter().find(|s| s.altered) {
        Some(source) => finding.at(source.path.clone()).of(source.id),
        None => finding.at(known.evidence.span.shown.clone()),
    }
}

/// One tenant's view alone: gaps in its own count, and a tail that the tenant map knows of.
fn tenant_gaps(known: &Known<'_>, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut expected = source.first_tseq;
    let mut after = known.start;
    let end = known.start.saturating_add(known.truth.len() as u64);
    for record in &source.records {
        let (Some(index), Some(stated)) = (known.index_of(record), record.stated) else { continue };
        if stated.tseq > expected {
            let one = stated.tseq == expected + 1;
            let exact = known.index.get(&stated.tprev).filter(|_| one).map(|i| known.seq(*i));
            let detail = format!("the tenant's entry {expected} is gone, entry {} follows", stated.tseq);
            let finding = Finding::new(Kind::EntryRemoved, exact.unwrap_or(after), detail);
            let finding = if exact.is_some() { finding } else { finding.until(known.seq(index)) };
            findings.push(finding.at(source.path.clone()).of(source.id));
        }
        expected = stated.tseq.saturating_add(1);
        after = known.seq(index).saturating_add(1);
    }
    let foreign = source.records.iter().any(|r| known.index_of(r).is_none()) || source.unreadable.is_some();
    if let Some((count, last)) = known.evidence.tails.get(&source.id)
        && *count > expected
        && !foreign
    {
        let exact = known.index.get(last).filter(|_| *count == expected + 1).map(|i| known.seq(*i));
        let kind = if source.present { Kind::TenantEntryWithheld } else { Kind::TenantBundleWithheld };
        let detail = format!("the tenant map counts {count} entries of the tenant, {expected} are there");
        let finding = Finding::new(kind, exact.unwrap_or(after), detail);
        let finding = if exact.is_some() { finding } else { finding.until(end) };
        findings.push(finding.at(source.path.clone()).of(source.id));
    } else if !source.present {
        let detail = "the manifest lists this bundle";
        let finding = Finding::new(Kind::TenantBundleWithheld, after, detail).until(end);
        findings.push(finding.at(source.path.clone()).of(source.id));
    }
    findings
}

/// The list of leaf hashes against the signed one.
fn listed(known: &Known<'_>) -> Option<Finding> {
    let (listed, truth) = (known.evidence.listed, known.truth);
    let same = listed.iter().zip(truth).take_while(|(a, b)| a == b).count();
    if same == truth.len() && listed.len() == truth.len() {
        return None;
    }
    let moved = listed.get(same).and_then(|h| known.index.get(h));
    let (kind, detail) = match moved {
        Some(_) if listed.len() < truth.len() => (Kind::EntryRemoved, "the leaf hash at this position was taken out"),
        Some(_) if listed.len() > truth.len() => (Kind::EntryDuplicated, "a leaf hash stands in the list twice"),
        Some(_) => (Kind::EntriesReordered, "the leaf hashes stand in another order"),
        None if same == listed.len() => (Kind::ObjectAltered, "the list of leaf hashes ends here"),
        None => (Kind::ObjectAltered, "the listed leaf hash is not the one that was signed; the list was altered"),
    };
    let path = known.evidence.span.shown(&SpanObject::Leaves);
    Some(Finding::new(kind, known.seq(same), detail).at(path))
}

/// Without a list that leads to a signed root: where the sources contradict each other first.
fn contradictions(evidence: &Evidence<'_>) -> Vec<Finding> {
    let start = evidence.span.start();
    let mut claims: BTreeMap<u64, (Hash, Hash, &Source)> = BTreeMap::new();
    let mut findings = Vec::new();
    for source in &evidence.sources {
        let finding = |kind, seq, detail: &str| Finding::new(kind, seq, detail).at(source.path.clone()).of(source.id);
        let mut next = start;
        for record in &source.records {
            let Some(stated) = record.stated else {
                findings.push(finding(Kind::LeafEdited, next, "the bytes near this position are no entry any more"));
                continue;
            };
            if !stated.same_origin || !stated.same_tenant {
                let detail = "this entry belongs to another ledger or tenant";
                findings.push(finding(Kind::SpanSwapped, stated.seq, detail));
            } else if claims.insert(stated.seq, (record.hash, stated.prev, source)).is_some() {
                findings.push(finding(Kind::EntryDuplicated, stated.seq, "two entries claim this position"));
            } else if stated.seq < next {
                findings.push(finding(Kind::EntriesReordered, stated.seq, "the entry stands after later ones"));
            }
            next = next.max(stated.seq.saturating_add(1));
        }
        if let Some(error) = &source.unreadable {
            findings.push(finding(Kind::LeafEdited, next, &format!("the bundle cannot be read: {error}")));
        }
    }
    findings.extend(links(evidence, &claims));
    if findings.is_empty() {
        let detail = "no list of entries leads to the signed root: they were rewritten together";
        let end = start.saturating_add(evidence.count as u64);
        findings.push(Finding::new(Kind::RootMismatch, start, detail).at(evidence.span.shown.clone()).until(end));
    }
    findings
}

fn links(evidence: &Evidence<'_>, claims: &BTreeMap<u64, (Hash, Hash, &Source)>) -> Vec<Finding> {
    let start = evidence.span.start();
    let mut findings = Vec::new();
    let mut before = Some(evidence.first_prev);
    for (offset, seq) in (start..start.saturating_add(evidence.count as u64)).enumerate() {
        let listed = evidence.listed.get(offset);
        let Some((hash, prev, source)) = claims.get(&seq) else {
            if !evidence.partial {
                let detail = "no bundle holds an entry at this position";
                findings.push(Finding::new(Kind::EntryRemoved, seq, detail).at(evidence.span.shown.clone()));
            }
            before = listed.copied();
            continue;
        };
        if before.is_some_and(|b| b != *prev) {
            let detail = "prev is not the hash of the entry before it";
            findings.push(Finding::new(Kind::ChainBroken, seq, detail).at(source.path.clone()).of(source.id));
        }
        if listed.is_some_and(|l| l != hash) {
            let detail = "the entry is not the one whose hash is listed";
            findings.push(Finding::new(Kind::LeafEdited, seq, detail).at(source.path.clone()).of(source.id));
        }
        before = Some(*hash);
        if findings.len() > 64 {
            break;
        }
    }
    findings
}
