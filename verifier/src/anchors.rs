//! Checkpoints that were kept outside the archive: the only things that can show a cut tail or a second history.

use std::path::PathBuf;

use assent_ledger::checkpoint::{Checkpoint, VerifiedCheckpoint};
use assent_ledger::endorse::Keyring;
use assent_ledger::hash::{Hash, empty_root};
use assent_ledger::limits;
use assent_ledger::note::Note;

use crate::VerifyError;
use crate::finding::{Finding, Kind};
use crate::layout::read_capped;

/// One known checkpoint, and the archive's root at its size once that was reached.
#[derive(Debug)]
struct Anchor {
    path: PathBuf,
    bytes: Vec<u8>,
    size: u64,
    root: Hash,
    ours: Option<Hash>,
}

/// Known checkpoints in the order of their sizes.
#[derive(Debug, Default)]
pub struct Anchors {
    list: Vec<Anchor>,
}

impl Anchors {
    /// Reads the files; a file that is no checkpoint is an error of the caller.
    pub fn load(paths: &[PathBuf]) -> Result<Self, VerifyError> {
        let mut list = Vec::new();
        for path in paths {
            let failed = |source| VerifyError::Io { path: path.clone(), source };
            let malformed = |reason: String| VerifyError::Checkpoint { path: path.clone(), reason };
            let bytes = read_capped(path, limits::NOTE_BYTES_MAX).map_err(failed)?;
            let bytes = bytes.ok_or_else(|| malformed("longer than any checkpoint".to_owned()))?;
            let note = Note::parse(&bytes).map_err(|e| malformed(e.to_string()))?;
            let stated = Checkpoint::parse(note.text()).map_err(|e| malformed(e.to_string()))?;
            let ours = (stated.size.0 == 0).then(empty_root);
            list.push(Anchor { path: path.clone(), bytes, size: stated.size.0, root: stated.root, ours });
        }
        list.sort_by(|a, b| (a.size, &a.path).cmp(&(b.size, &b.path)));
        Ok(Anchors { list })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The largest known size.
    pub fn largest(&self) -> u64 {
        self.list.last().map_or(0, |a| a.size)
    }

    /// The sizes above `size` at which the archive's root is wanted, in ascending order.
    pub fn wanted(&self, size: u64) -> Vec<u64> {
        let mut sizes: Vec<u64> = self.list.iter().map(|a| a.size).filter(|s| *s > size).collect();
        sizes.dedup();
        sizes
    }

    /// Notes the archive's root at a wanted size.
    pub fn reached(&mut self, size: u64, root: Hash) {
        for anchor in self.list.iter_mut().filter(|a| a.size == size) {
            anchor.ours = Some(root);
        }
    }

    /// Compares all of them with the archive, which has been verified up to `size`; returns the confirmed sizes.
    pub fn finish(&self, keyring: &Keyring, size: u64) -> (Vec<u64>, Vec<Finding>) {
        let (mut confirmed, mut findings) = (Vec::new(), Vec::new());
        for anchor in &self.list {
            let path = anchor.path.display().to_string();
            if let Err(error) = VerifiedCheckpoint::verify_with(&anchor.bytes, keyring) {
                // A key that the archive endorses only later than its end cannot be known.
                let detail = format!("the known checkpoint of size {} proves nothing: {error}", anchor.size);
                findings.push(Finding::new(Kind::AnchorUntrusted, anchor.size.min(size), detail).at(path));
                continue;
            }
            let agreed = confirmed.last().copied().unwrap_or(0);
            match anchor.ours {
                Some(root) if root == anchor.root => confirmed.push(anchor.size),
                Some(_) => {
                    let kind = if agreed > 0 { Kind::RolledBack } else { Kind::CheckpointContradicts };
                    let detail = format!(
                        "the known checkpoint and the archive give size {} two roots; they agree up to size {agreed}",
                        anchor.size
                    );
                    findings.push(Finding::new(kind, agreed, detail).at(path).until(anchor.size));
                }
                None => {
                    let detail = format!(
                        "a known checkpoint proves {} entries; the archive ends at {size}, entries {size} to {} are missing",
                        anchor.size,
                        anchor.size.saturating_sub(1)
                    );
                    findings.push(Finding::new(Kind::TailCut, size, detail).at(path));
                }
            }
        }
        findings.sort_by_key(|f| (f.kind.verdict() != crate::Verdict::Diverged, f.seq, f.kind));
        (confirmed, findings)
    }
}
