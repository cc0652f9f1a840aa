//! Walks the spans in order, stops at the first that does not hold, and holds the result against what was kept outside.

use std::collections::BTreeMap;

use assent_ledger::chain::Head;
use assent_ledger::endorse::Keyring;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Origin, TenantId, Time};
use assent_ledger::map::opaque_tenant_id;
use assent_ledger::tree::Frontier;

use crate::anchors::Anchors;
use crate::content::State;
use crate::finding::{Finding, Kind};
use crate::layout;
use crate::receipts::Receipts;
use crate::report::{Coverage, Report};
use crate::{Options, VerifyError};

/// The last verified checkpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Previous {
    pub digest: Hash,
    pub root: Hash,
}

/// What was verified of an earlier span, for the entries that speak of it later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanRecord {
    pub start: u64,
    pub checkpoint: Hash,
    pub manifest: Hash,
    pub lines: Hash,
}

/// So many earlier spans are kept for comparison; what speaks of older ones is not compared.
pub(crate) const RECENT_SPANS_MAX: usize = 4096;

/// One verification under way.
pub(crate) struct Walker<'a> {
    pub options: &'a Options,
    pub keyring: Keyring,
    pub state: State,
    pub system: Hash,
    pub previous: Option<Previous>,
    pub recent: BTreeMap<u64, SpanRecord>,
    pub anchors: Anchors,
    pub receipts: Receipts,
    pub coverage: Coverage,
    pub notices: Vec<Finding>,
    pub buffer: Vec<u8>,
}

/// Verifies an anchored directory.
pub fn verify(options: &Options) -> Result<Report, VerifyError> {
    let anchors = Anchors::load(&options.known_checkpoints)?;
    let receipts = Receipts::load(&options.receipts)?;
    let outside = !receipts.is_empty() || anchors.largest() > 0;
    let nothing = |detail: &str| {
        let kind = if outside { Kind::TailCut } else { Kind::NothingAnchored };
        let coverage = Coverage { origin: options.origin.clone(), ..Coverage::default() };
        Ok(Report::new(coverage, vec![Finding::new(kind, 0, detail)]))
    };
    let Some(ledger) = layout::find_ledger(&options.dir, options.origin.as_ref())? else {
        return nothing("the directory holds no such ledger: <ledger>/spans is missing");
    };
    let (names, unknown) = layout::list_spans(&ledger)?;
    let Some(first) = names.first() else { return nothing("the ledger's directory holds no span") };
    if first.start.0 != 0 {
        let coverage = Coverage { origin: options.origin.clone(), ..Coverage::default() };
        let finding = Finding::new(Kind::SpanMissing, 0, format!("the archive begins at entry {}", first.start));
        return Ok(Report::new(coverage, vec![finding.at(format!("{}/spans", ledger.prefix)).until(first.start.0)]));
    }
    let first = layout::open_span(&ledger, *first)?;
    let (manifest, checkpoint) = crate::span::notes(&first)?;
    let origin = options.origin.clone();
    let origin =
        origin.or_else(|| crate::keys::origin(&first, &manifest.unwrap_or_default(), &checkpoint.unwrap_or_default()));
    let Some(origin) = origin else {
        let finding = Finding::new(Kind::ManifestAltered, 0, "neither manifest, checkpoint nor entry 0 names a ledger");
        return Ok(Report::new(Coverage::default(), vec![finding.at(first.shown)]));
    };
    let mut walker = Walker::new(options, origin, anchors, receipts);
    walker.coverage.not_checked.extend(unknown.iter().map(|u| format!("{u} lies beside the spans and is none")));
    let names_len = names.len();
    for (number, name) in names.into_iter().enumerate() {
        let due = walker.state.head.size.0;
        if name.start.0 != due {
            let (kind, detail) = if name.start.0 > due {
                (Kind::SpanMissing, format!("no span begins at entry {due}; the next one begins at {}", name.start))
            } else {
                (Kind::SpanOverlap, format!("a second span begins at {}, before {due}", name.start))
            };
            let finding = Finding::new(kind, due.min(name.start.0), detail).until(name.start.0);
            return Ok(walker.report(vec![finding.at(format!("{}/spans/{name}", ledger.prefix))]));
        }
        let span = layout::open_span(&ledger, name)?;
        let findings = walker.span(&span, number + 1 == names_len)?;
        if !findings.is_empty() {
            return Ok(walker.report(findings));
        }
    }
    walker.finish()
}

impl<'a> Walker<'a> {
    fn new(options: &'a Options, origin: Origin, anchors: Anchors, receipts: Receipts) -> Self {
        let head = Head::genesis(&origin);
        let (tenants, names) = (BTreeMap::new(), BTreeMap::new());
        Walker {
            options,
            keyring: Keyring::new(origin.clone(), options.root_key),
            system: opaque_tenant_id(&origin, &[0; 32], &TenantId::system()),
            previous: None,
            recent: BTreeMap::new(),
            anchors,
            receipts,
            coverage: Coverage { origin: Some(origin.clone()), tenant: options.tenant, ..Coverage::default() },
            notices: Vec::new(),
            buffer: Vec::new(),
            state: State { origin, head, frontier: Frontier::new(), tenants, names },
        }
    }

    fn report(mut self, findings: Vec<Finding>) -> Report {
        if !self.anchors.is_empty() || !self.receipts.is_empty() || self.options.as_of.is_some() {
            self.coverage.not_checked.push("what was kept outside: the archive itself does not hold".to_owned());
        }
        self.coverage.not_checked.push("everything after the first finding".to_owned());
        let mut all = findings;
        all.append(&mut self.notices);
        Report::new(self.coverage, all)
    }

    /// The archive holds in itself: compare it with checkpoints, receipts and the time.
    fn finish(mut self) -> Result<Report, VerifyError> {
        let size = self.state.head.size.0;
        let mut findings = Vec::new();
        if let Some(id) = self.options.tenant
            && !self.coverage.tenants.contains_key(&id)
            && self.coverage.tenant_proven == 0
        {
            findings.push(Finding::new(Kind::TenantUnknown, 0, "no span holds anything of this tenant").of(id));
        }
        let (confirmed, mut contradictions) = self.anchors.finish(&self.keyring, size);
        self.coverage.anchors = confirmed;
        findings.append(&mut contradictions);
        let (checked, mut contradictions) = self.receipts.finish(&self.keyring, size)?;
        self.coverage.receipts = checked;
        findings.append(&mut contradictions);
        findings.extend(self.overdue(size));
        // Two histories weigh more than a cut, and a cut more than a receipt that proves nothing.
        findings.sort_by_key(|f| (weight(f.kind), f.seq));
        if self.anchors.is_empty() && self.receipts.is_empty() && self.options.as_of.is_none() {
            let note = "whether the tail was cut: that cannot be seen without an outside anchor \
                        (--known-checkpoint, --receipt or --as-of)";
            self.coverage.not_checked.push(note.to_owned());
        }
        findings.append(&mut self.notices);
        Ok(Report::new(self.coverage, findings))
    }

    /// Silence is attested at least once an interval: by `as_of` another seal was due.
    fn overdue(&mut self, size: u64) -> Option<Finding> {
        let as_of = self.options.as_of?;
        let last = self.coverage.seal_time;
        let interval = self.keyring.created()?.interval_max_seconds;
        let due = Time(last.0.saturating_add(u64::from(interval).saturating_mul(1_000_000)));
        if as_of <= due {
            self.coverage.as_of = Some(as_of);
            return None;
        }
        let detail =
            format!("the last seal is of {last}; the next was due by {due} (interval {interval} s), and it is {as_of}");
        Some(Finding::new(Kind::TailCut, size, detail))
    }
}

fn weight(kind: Kind) -> u8 {
    match kind.verdict() {
        crate::Verdict::Diverged => 0,
        crate::Verdict::Invalid => 1,
        crate::Verdict::Incomplete => 2,
        crate::Verdict::Unanchored => 3,
        crate::Verdict::Untrusted => 4,
        crate::Verdict::Valid => 5,
    }
}

/// Whether a span is this tenant's business.
pub(crate) fn concerns(walker: &Walker<'_>, id: &Hash) -> bool {
    walker.options.tenant.is_none_or(|tenant| tenant == *id || *id == walker.system)
}

/// The ids whose bundles are read.
pub(crate) fn only(walker: &Walker<'_>) -> Option<Vec<Hash>> {
    walker.options.tenant.map(|tenant| vec![tenant, walker.system])
}
