//! Payload objects: every ciphertext belongs to a commitment of the tenant in the span; with keys, salt and bytes are checked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use assent_ledger::archive::{PayloadReader, SpanObject};
use assent_ledger::entry::EntryView;
use assent_ledger::hash::{Hash, hex32};
use assent_ledger::payload::{OVERHEAD_BYTES, PayloadError, decrypt};
use sha2::{Digest, Sha256};

use crate::VerifyError;
use crate::finding::{Finding, Kind};
use crate::layout::SpanDir;
use crate::stream::{Bundle, Measured};

/// Data keys by commitment, as the auditor was given them.
pub type Keys = BTreeMap<Hash, [u8; 32]>;

/// What was done with payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Ciphertexts that an entry commits to.
    pub ciphertexts: u64,
    /// Of these, opened and found to be what was committed to.
    pub opened: u64,
    /// Payload objects that the manifest lists and that are not there.
    pub absent_objects: u64,
}

/// Reads keys: one `<commitment> <data key>` a line, both in lower-case hexadecimal.
pub fn parse_keys(text: &str) -> Result<Keys, usize> {
    let mut keys = Keys::new();
    for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let (commitment, key) = line.split_once(' ').ok_or(number + 1)?;
        let commitment = commitment.parse().map_err(|_| number + 1)?;
        keys.insert(commitment, hex32(key).ok_or(number + 1)?);
    }
    Ok(keys)
}

struct Hashing<R> {
    source: R,
    hasher: Sha256,
    length: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.source.read(buffer)?;
        self.hasher.update(buffer.get(..got).unwrap_or_default());
        self.length += got as u64;
        Ok(got)
    }
}

/// One ciphertext of the object, still without an entry.
struct Held {
    commitment: Hash,
    length: u64,
    error: Option<PayloadError>,
    claimed: bool,
}

/// Checks one tenant's payload object. Its bundle has been verified.
pub fn check(
    span: &SpanDir,
    id: Hash,
    keys: &Keys,
    stats: &mut Stats,
) -> Result<(Option<Finding>, Measured), VerifyError> {
    let object = SpanObject::TenantPayloads(id);
    let path = span.path(&object);
    let failed = |source| VerifyError::Io { path: path.clone(), source };
    let finding = |kind, seq, detail: String| Finding::new(kind, seq, detail).at(span.shown(&object)).of(id);
    let (mut held, measured, error) = read_object(&path, keys, stats).map_err(failed)?;
    held.sort_by_key(|a| a.commitment);
    if let Some(error) = error {
        return Ok((Some(finding(Kind::ObjectAltered, span.start(), error)), measured));
    }
    let mut found: Option<Finding> = None;
    let bundle = span.path(&SpanObject::TenantBundle(id));
    if span.has(&SpanObject::TenantBundle(id)) {
        found = claim(&bundle, &mut held, &finding)?;
    }
    stats.ciphertexts += held.iter().filter(|h| h.claimed).count() as u64;
    if found.is_none()
        && let Some(stray) = held.iter().find(|h| !h.claimed)
    {
        let detail = format!("no entry of the tenant in this span commits to {}", stray.commitment);
        found = Some(finding(Kind::PayloadUnclaimed, span.start(), detail));
    }
    Ok((found, measured))
}

fn read_object(path: &Path, keys: &Keys, stats: &mut Stats) -> io::Result<(Vec<Held>, Measured, Option<String>)> {
    let file = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut source = Hashing { source: file, hasher: Sha256::new(), length: 0 };
    let mut held = Vec::new();
    let mut reader = PayloadReader::new(&mut source);
    let error = loop {
        match reader.next_payload() {
            Ok(Some(payload)) => {
                let opened = keys.get(&payload.commitment).map(|k| decrypt(k, &payload.commitment, payload.ciphertext));
                stats.opened += u64::from(matches!(opened, Some(Ok(_))));
                let error = opened.and_then(Result::err);
                let length = payload.ciphertext.len() as u64;
                held.push(Held { commitment: payload.commitment, length, error, claimed: false });
            }
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    io::copy(&mut source, &mut io::sink())?;
    let measured = Measured { digest: Hash(source.hasher.finalize().into()), length: source.length };
    Ok((held, measured, error))
}

/// Goes through the tenant's entries and marks the ciphertexts that they commit to; returns the first that does not fit.
fn claim(
    bundle: &Path,
    held: &mut [Held],
    finding: &impl Fn(Kind, u64, String) -> Finding,
) -> Result<Option<Finding>, VerifyError> {
    let failed = |source| VerifyError::Io { path: bundle.to_path_buf(), source };
    let mut reader = Bundle::open(bundle, Vec::new()).map_err(failed)?;
    while let Ok(Some(leaf)) = reader.next_leaf() {
        let Ok(view) = EntryView::parse(leaf) else { break };
        for payload in view.payloads() {
            let Ok(at) = held.binary_search_by_key(&payload.commitment, |h| h.commitment) else { continue };
            let Some(held) = held.get_mut(at) else { continue };
            held.claimed = true;
            let role = payload.role;
            if held.length != payload.length + OVERHEAD_BYTES as u64 {
                let detail = format!("the {role} payload has another length than the entry commits to");
                return Ok(Some(finding(Kind::PayloadMismatch, view.seq.0, detail)));
            }
            if let Some(error) = &held.error {
                let detail = format!("the {role} payload: {error}");
                return Ok(Some(finding(Kind::PayloadMismatch, view.seq.0, detail)));
            }
        }
    }
    Ok(None)
}
