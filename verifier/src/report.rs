//! The report: a verdict, what it covers, and what was found.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Origin, Time};

use crate::finding::{Finding, Verdict};
use crate::payloads::Stats;
use crate::receipts::Checked;

/// What was verified, by whose signatures, and what was not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The ledger.
    pub origin: Option<Origin>,
    /// Entries that were verified: those before this size.
    pub size: u64,
    /// Spans that were verified.
    pub spans: u64,
    /// Time of the first entry.
    pub first_time: Time,
    /// Time of the last verified seal.
    pub seal_time: Time,
    /// The tenant whose view this is, if only one's.
    pub tenant: Option<Hash>,
    /// Up to which size the tenant map proves that tenant's view complete.
    pub tenant_proven: u64,
    /// Verified entries by opaque tenant id.
    pub tenants: BTreeMap<Hash, u64>,
    /// Log keys and how many spans each signed.
    pub log_keys: BTreeMap<String, u64>,
    /// Cosigner keys and how many spans each cosigned.
    pub cosigners: BTreeMap<String, u64>,
    /// Later entries that commit to the checkpoints and manifests found here.
    pub references: u64,
    /// What was done with payloads.
    pub payloads: Stats,
    /// Sizes at which known checkpoints agree.
    pub anchors: Vec<u64>,
    /// What was done with receipts.
    pub receipts: Checked,
    /// The time until which silence is attested, if asked for.
    pub as_of: Option<Time>,
    /// What was not checked, in words.
    pub not_checked: Vec<String>,
}

/// A verdict with its grounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// What was verified.
    pub coverage: Coverage,
    /// What was found, the decisive finding first; notices, which decide nothing, last.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The first finding that is not a mere notice decides.
    pub fn new(mut coverage: Coverage, findings: Vec<Finding>) -> Self {
        let verdict = findings.iter().map(|f| f.kind.verdict()).find(|v| *v != Verdict::Valid);
        let Stats { ciphertexts, opened, absent_objects } = coverage.payloads;
        if opened < ciphertexts {
            let unopened = ciphertexts - opened;
            coverage
                .not_checked
                .push(format!("the contents of {unopened} payloads: no keys were given (--payload-keys)"));
        }
        if absent_objects > 0 {
            coverage
                .not_checked
                .push(format!("{absent_objects} payload objects that the manifests list and that are not here"));
        }
        if coverage.tenant.is_some() {
            coverage.not_checked.push("other tenants' entries: only their leaf hashes are here".to_owned());
            if coverage.tenant_proven < coverage.size {
                let size = coverage.tenant_proven;
                coverage
                    .not_checked
                    .push(format!("the tenant's completeness after size {size}: no later tenant map path is here"));
            }
        }
        Report { verdict: verdict.unwrap_or(Verdict::Valid), coverage, findings }
    }

    /// The finding that decides, if any does.
    pub fn decisive(&self) -> Option<&Finding> {
        self.findings.iter().find(|f| f.kind.verdict() == self.verdict && self.verdict != Verdict::Valid)
    }

    /// The verdict line. Valid is never said without the size and the time up to which it holds.
    pub fn headline(&self) -> String {
        let Coverage { size, seal_time, .. } = &self.coverage;
        match self.decisive() {
            None => format!("VALID up to size {size}, time {seal_time}"),
            Some(f) => {
                let to = f.before.map_or_else(String::new, |b| format!(" (at or after it, before {b})"));
                format!("{} {} at entry {}{to}", self.verdict, f.kind, f.seq)
            }
        }
    }

    /// The whole report in lines.
    pub fn to_text(&self) -> String {
        let c = &self.coverage;
        let mut out = self.headline();
        out.push('\n');
        // Writing to a string cannot fail.
        let mut line = |name: &str, text: &str| {
            let _ = writeln!(out, "  {name:<12} {text}");
        };
        line("ledger", &c.origin.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string));
        let from = if c.spans > 0 { format!(", {} to {}", c.first_time, c.seal_time) } else { String::new() };
        line("verified", &format!("entries 0 to {} exclusive in {} spans{from}", c.size, c.spans));
        for (id, count) in &c.tenants {
            line("tenant", &format!("{id}: {count} entries"));
        }
        for (key, spans) in &c.log_keys {
            line("log key", &format!("{key}: {spans} spans"));
        }
        for (name, spans) in &c.cosigners {
            line("cosigner", &format!("{name}: {spans} spans"));
        }
        line("recorded", &format!("{} later entries commit to these checkpoints and manifests", c.references));
        if c.payloads.ciphertexts > 0 {
            line("payloads", &format!("{} committed to, {} opened", c.payloads.ciphertexts, c.payloads.opened));
        }
        line("outside", &self.outside());
        for note in &c.not_checked {
            line("not checked", note);
        }
        for f in &self.findings {
            self.finding(f, &mut out);
        }
        out
    }

    fn outside(&self) -> String {
        let c = &self.coverage;
        let mut parts = Vec::new();
        if !c.anchors.is_empty() {
            let sizes: Vec<String> = c.anchors.iter().map(ToString::to_string).collect();
            parts.push(format!("known checkpoints agree at size {}", sizes.join(", ")));
        }
        if c.receipts.given > 0 {
            parts.push(format!("{} of {} receipts confirmed", c.receipts.confirmed, c.receipts.given));
        }
        if let Some(time) = c.as_of {
            parts.push(format!("no seal was overdue at {time}"));
        }
        if parts.is_empty() { "nothing from outside the archive confirms it".to_owned() } else { parts.join("; ") }
    }

    fn finding(&self, f: &Finding, out: &mut String) {
        let label = if f.kind.verdict() == Verdict::Valid { "notice" } else { "finding" };
        let _ = writeln!(out, "{label} {}: entry {}: {}", f.kind, f.seq, f.detail);
        if let Some(path) = &f.path {
            let _ = writeln!(out, "  where        {path}");
        }
        if let Some(tenant) = &f.tenant {
            let _ = writeln!(out, "  tenant       {tenant}");
        }
        if let Some(before) = f.before {
            let _ = writeln!(out, "  position     at or after {}, before {before}", f.seq);
        }
        let _ = writeln!(out, "  next         {}", f.kind.next_step());
    }
}
