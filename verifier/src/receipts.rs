//! Receipts that were kept outside: each must be in the archive at its position with the same leaf, signed by an endorsed key.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use assent_ledger::endorse::Keyring;
use assent_ledger::entry::EntryView;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::receipt::{RECEIPT_BYTES_MAX, Receipt};

use crate::VerifyError;
use crate::finding::{Finding, Kind};

/// One receipt, as far as it matters for the comparison.
#[derive(Debug, Clone, Copy)]
struct Claim {
    seq: u64,
    leaf: Hash,
    file: usize,
    line: usize,
    found: Option<bool>,
}

/// Receipts in the order of their positions.
#[derive(Debug, Default)]
pub struct Receipts {
    files: Vec<PathBuf>,
    claims: Vec<Claim>,
    next: usize,
}

/// What became of the receipts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many were given.
    pub given: u64,
    /// How many are in the archive, with a verified signature.
    pub confirmed: u64,
}

impl Receipts {
    /// Reads files of one receipt a line; 100,000 receipts take some megabytes.
    pub fn load(files: &[PathBuf]) -> Result<Self, VerifyError> {
        let mut claims = Vec::new();
        for (file, path) in files.iter().enumerate() {
            each_line(path, |line, bytes| {
                let malformed = |e: String| VerifyError::Receipt { path: path.clone(), line, reason: e };
                let receipt = Receipt::parse(bytes).map_err(|e| malformed(e.to_string()))?;
                let seq = receipt.first_seq.0.checked_add(receipt.index);
                let seq = seq.ok_or_else(|| malformed("its position is beyond 2^64".to_owned()))?;
                claims.push(Claim { seq, leaf: leaf_hash(receipt.leaf.as_bytes()), file, line, found: None });
                Ok(())
            })?;
        }
        claims.sort_by_key(|c| (c.seq, c.file, c.line));
        Ok(Receipts { files: files.to_vec(), claims, next: 0 })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Compares those within a verified span, given its leaf hashes.
    pub fn compare(&mut self, start: u64, leaves: &[Hash]) {
        while let Some(claim) = self.claims.get_mut(self.next) {
            let Some(at) = claim.seq.checked_sub(start).and_then(|i| usize::try_from(i).ok()) else { return };
            let Some(leaf) = leaves.get(at) else { return };
            claim.found = Some(*leaf == claim.leaf);
            self.next += 1;
        }
    }

    /// Verifies every signature and says what contradicts the archive, which has been verified up to `size`.
    pub fn finish(&self, keyring: &Keyring, size: u64) -> Result<(Checked, Vec<Finding>), VerifyError> {
        let mut checked = Checked { given: self.claims.len() as u64, confirmed: 0 };
        let mut findings: Vec<Finding> = Vec::new();
        for (file, path) in self.files.iter().enumerate() {
            let mut claims: Vec<&Claim> = self.claims.iter().filter(|c| c.file == file).collect();
            claims.sort_by_key(|c| c.line);
            let mut claims = claims.into_iter();
            each_line(path, |line, bytes| {
                let Some(claim) = claims.next() else { return Ok(()) };
                let verified = Receipt::parse(bytes).and_then(|r| r.verify_with(keyring)).map_err(|e| e.to_string());
                let found = judge(claim, verified.err(), bytes, size);
                match found {
                    None => checked.confirmed += 1,
                    Some(finding) => keep_first(&mut findings, finding.at(format!("{}:{line}", path.display()))),
                }
                Ok(())
            })?;
        }
        findings.sort_by_key(|f| (f.kind.verdict() != crate::Verdict::Diverged, f.seq));
        Ok((checked, findings))
    }
}

/// One finding of each kind is kept: that of the lowest position.
fn keep_first(findings: &mut Vec<Finding>, finding: Finding) {
    match findings.iter_mut().find(|f| f.kind == finding.kind) {
        Some(kept) if kept.seq <= finding.seq => {}
        Some(kept) => *kept = finding,
        None => findings.push(finding),
    }
}

fn judge(claim: &Claim, error: Option<String>, bytes: &[u8], size: u64) -> Option<Finding> {
    if let Some(error) = error {
        let detail = format!("the receipt proves nothing: {error}");
        return Some(Finding::new(Kind::ReceiptUntrusted, claim.seq, detail));
    }
    match claim.found {
        Some(true) => None,
        Some(false) => {
            let detail = format!("a signed receipt holds leaf {}, the archive another one", claim.leaf);
            Some(Finding::new(Kind::ReceiptContradicts, claim.seq, detail))
        }
        None => {
            let time = Receipt::parse(bytes).ok().map(|r| r.leaf);
            let time = time.as_deref().and_then(|l| EntryView::parse(l.as_bytes()).ok().map(|v| v.time.to_string()));
            let time = time.unwrap_or_default();
            let detail = format!("a signed receipt of {time} proves entry {}; the archive ends at {size}", claim.seq);
            Some(Finding::new(Kind::TailCut, size, detail))
        }
    }
}

/// Hands out each line that is not empty, with its number from 1; no line longer than a receipt can be is kept.
fn each_line(
    path: &Path,
    mut use_line: impl FnMut(usize, &[u8]) -> Result<(), VerifyError>,
) -> Result<(), VerifyError> {
    let failed = |source: io::Error| VerifyError::Io { path: path.to_path_buf(), source };
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path).map_err(failed)?);
    let mut line = Vec::new();
    let limit = RECEIPT_BYTES_MAX as u64 + 2;
    for number in 1.. {
        line.clear();
        if (&mut reader).take(limit).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            use_line(number, text)?;
        }
    }
    Ok(())
}
