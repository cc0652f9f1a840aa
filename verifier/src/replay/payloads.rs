//! Payloads for a replay: opened ones from files, sealed ones from the archive with their data keys.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use assent_kernel::replay::{Held, Payloads as Source};
use assent_ledger::archive::PayloadReader;
use assent_ledger::hash::{Hash, hex32};
use assent_ledger::ids::TenantId;
use assent_ledger::payload::{commit, decrypt};

use super::{ReplayError, Task};
use crate::PayloadKeys;

/// Entries whose spans' payloads are kept: more than one command can have, so that a command's payloads are there with its entries.
const KEPT_ENTRIES: u64 = 512;

/// The payloads of a span, with the entry from which on it was read.
type SpanPayloads = (u64, BTreeMap<Hash, Vec<u8>>);

/// What is known of payloads.
pub struct Payloads {
    keys: PayloadKeys,
    opened: BTreeMap<Hash, Vec<u8>>,
    erased: RefCell<BTreeSet<Hash>>,
    spans: RefCell<VecDeque<SpanPayloads>>,
}

impl Payloads {
    /// Reads the files that the task names. A line is `<commitment> <salt> <bytes>`, all in hexadecimal; what does not fit its
    /// commitment is refused.
    pub fn load(task: &Task) -> Result<Payloads, ReplayError> {
        let mut opened = BTreeMap::new();
        for path in &task.payloads {
            let text = fs::read_to_string(path).map_err(|source| ReplayError::Io { path: path.clone(), source })?;
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
                let (commitment, bytes) = opened_line(line).ok_or_else(|| ReplayError::Malformed {
                    path: path.clone(),
                    reason: format!("line {} is not <commitment> <salt> <bytes> of one payload", number + 1),
                })?;
                opened.insert(commitment, bytes);
            }
        }
        let (erased, spans) = (RefCell::default(), RefCell::default());
        Ok(Payloads { keys: task.keys.clone(), opened, erased, spans })
    }

    /// An entry of the record erased this payload.
    pub fn erased(&self, commitment: Hash) {
        self.erased.borrow_mut().insert(commitment);
    }

    /// Opens the payloads of a span's object for which there are keys.
    pub fn open_object(&self, path: &Path, into: &mut BTreeMap<Hash, Vec<u8>>) -> Result<(), ReplayError> {
        let failed = |source| ReplayError::Io { path: path.to_path_buf(), source };
        let malformed = |reason: String| ReplayError::Malformed { path: path.to_path_buf(), reason };
        let file = std::io::BufReader::with_capacity(1 << 18, fs::File::open(path).map_err(failed)?);
        let mut reader = PayloadReader::new(file);
        while let Some(payload) = reader.next_payload().map_err(|error| malformed(error.to_string()))? {
            if let Some(key) = self.keys.get(&payload.commitment) {
                let opened = decrypt(key, &payload.commitment, payload.ciphertext);
                let opened = opened.map_err(|error| malformed(format!("payload {}: {error}", payload.commitment)))?;
                into.insert(payload.commitment, opened.bytes.to_vec());
            }
        }
        Ok(())
    }

    /// Whether there are keys with which sealed payloads can be opened.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Keeps a span's payloads until enough later entries have come.
    pub fn keep(&self, entries: u64, payloads: BTreeMap<Hash, Vec<u8>>) {
        let mut spans = self.spans.borrow_mut();
        spans.push_back((entries, payloads));
        while spans.iter().skip(1).map(|(entries, _)| entries).sum::<u64>() > KEPT_ENTRIES {
            spans.pop_front();
        }
    }
}

fn opened_line(line: &str) -> Option<(Hash, Vec<u8>)> {
    let mut parts = line.split(' ');
    let commitment: Hash = parts.next()?.parse().ok()?;
    let salt = hex32(parts.next()?)?;
    let bytes = hex_bytes(parts.next()?)?;
    (parts.next().is_none() && commit(&salt, &bytes) == commitment).then_some((commitment, bytes))
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

impl Source for Payloads {
    fn payload(&self, _: &TenantId, commitment: &Hash) -> Held {
        if self.erased.borrow().contains(commitment) {
            return Held::Erased;
        }
        let spans = self.spans.borrow();
        let mut found = spans.iter().filter_map(|(_, payloads)| payloads.get(commitment));
        match self.opened.get(commitment).or_else(|| found.next()) {
            Some(bytes) => Held::Bytes(bytes.clone()),
            None => Held::Missing,
        }
    }
}
