//! Manifests: a signed note that lists what a span consists of, so that anchored objects can be fetched and checked by digest.

mod text;

use crate::archive::SpanObject;
use crate::checkpoint::Checkpoint;
use crate::endorse::{Keyring, KeyringError};
use crate::hash::Hash;
use crate::ids::{Origin, Seq, TreeSize};
use crate::keys::{Algorithm, PublicKey, Role, SecretKey, log_key_name, span_key_name};
use crate::limits;
use crate::note::{Note, NoteError, NoteKey, NoteKeyError};
use crate::seal::SealReason;

/// Why a manifest is malformed or not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A line that is missing or not what stands at its place; from 1.
    #[error("line {line} of the manifest must be {expected}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// The span is empty or longer than the cap.
    #[error("the span [{start}, {end}) must hold 1 to {max} entries")]
    Span {
        /// First entry.
        start: Seq,
        /// Size of the checkpoint.
        end: TreeSize,
        /// The cap, in entries.
        max: u64,
    },
    /// The first span has neither previous checkpoint nor consistency proof, every other one has both.
    #[error("a span from 0 has no previous checkpoint and no consistency proof; every other span has both")]
    Previous,
    /// The consistency proof is longer than any tree's, in hashes.
    #[error("the consistency proof has {got} hashes, more than {max}")]
    Proof {
        /// The cap.
        max: usize,
        /// What was stated.
        got: usize,
    },
    /// Objects that are not in strictly ascending order, or the manifest and checkpoint themselves among them.
    #[error("objects must be in strictly ascending order of path, without the manifest and the checkpoint")]
    Objects,
    /// The manifest is another ledger's.
    #[error("the manifest is of another ledger than {expected}")]
    OtherLedger {
        /// The ledger that was asked for.
        expected: Origin,
    },
    /// The note around it is malformed, or its signature is missing or bad.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The origin makes no key name.
    #[error(transparent)]
    Key(#[from] NoteKeyError),
    /// The keyring has no log key for that size.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// One object of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestObject {
    /// Its place below the span's directory.
    pub object: SpanObject,
    /// SHA-256 of its bytes.
    pub digest: Hash,
    /// Its length, in bytes.
    pub length: u64,
}

/// What a manifest states; verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The ledger.
    pub origin: Origin,
    /// First entry of the span.
    pub start: Seq,
    /// Entry after the span's last; also the size of its checkpoint.
    pub end: TreeSize,
    /// RFC 6962 root over the span's leaf hashes alone.
    pub span_root: Hash,
    /// SHA-256 of the checkpoint note's text.
    pub checkpoint: Hash,
    /// The same of the previous span's checkpoint; `None` for the first span.
    pub prev_checkpoint: Option<Hash>,
    /// RFC 6962 consistency proof from size `start` to size `end`.
    pub consistency: Vec<Hash>,
    /// Why the span was sealed.
    pub reason: SealReason,
    /// Every object of the span except manifest and checkpoint, in strictly ascending order of path.
    pub objects: Vec<ManifestObject>,
}

impl Manifest {
    /// Number of entries.
    pub const fn count(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// The signed text; refused when the parts do not fit together.
    pub fn text(&self) -> Result<String, ManifestError> {
        self.check()?;
        Ok(text::encode(self))
    }

    /// Parses the text strictly.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest = text::decode(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Signs with the log key under the name `<origin>/span`.
    pub fn sign(&self, log_key: &SecretKey) -> Result<Note, ManifestError> {
        let mut note = Note::new(self.text()?)?;
        note.sign(&span_key_name(&self.origin), log_key)?;
        // What cannot be read back must not be signed: a long list of objects may exceed the cap of a note.
        Note::parse(&note.to_bytes())?;
        Ok(note)
    }

    /// Whether the manifest is about this checkpoint.
    pub fn is_about(&self, checkpoint: &Checkpoint) -> bool {
        self.origin == checkpoint.origin && self.end == checkpoint.size && self.checkpoint == checkpoint.digest()
    }

    fn check(&self) -> Result<(), ManifestError> {
        let count = self.end.0.checked_sub(self.start.0);
        if !count.is_some_and(|c| (1..=limits::SPAN_ENTRIES_MAX).contains(&c)) {
            let max = limits::SPAN_ENTRIES_MAX;
            return Err(ManifestError::Span { start: self.start, end: self.end, max });
        }
        let first = self.start == Seq(0);
        if self.prev_checkpoint.is_none() != first || self.consistency.is_empty() != first {
            return Err(ManifestError::Previous);
        }
        if self.consistency.len() > limits::PROOF_HASHES_MAX {
            return Err(ManifestError::Proof { max: limits::PROOF_HASHES_MAX, got: self.consistency.len() });
        }
        // The order of `SpanObject` is that of its path.
        let ascending = self.objects.is_sorted_by(|a, b| a.object < b.object);
        let own = |o: &ManifestObject| matches!(o.object, SpanObject::Manifest | SpanObject::Checkpoint);
        if !ascending || self.objects.iter().any(own) {
            return Err(ManifestError::Objects);
        }
        Ok(())
    }
}

/// A manifest whose log signature has been verified, with the note that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedManifest {
    manifest: Manifest,
    note: Note,
}

impl VerifiedManifest {
    /// Verifies against one log key of one ledger, whatever the interval in which the key is endorsed.
    pub fn verify(bytes: &[u8], origin: &Origin, log_key: &PublicKey) -> Result<Self, ManifestError> {
        let note = Note::parse(bytes)?;
        let manifest = of_ledger(&note, origin)?;
        Self::check(note, manifest, log_key)
    }

    /// Verifies against the log key that the keyring holds valid at the span's checkpoint size.
    pub fn verify_with(bytes: &[u8], keyring: &Keyring) -> Result<Self, ManifestError> {
        let note = Note::parse(bytes)?;
        let manifest = of_ledger(&note, keyring.origin())?;
        // The log key's one endorsement covers both of its names.
        let key = *keyring.key_at(Role::Log, &log_key_name(keyring.origin()), manifest.end)?;
        Self::check(note, manifest, &key)
    }

    fn check(note: Note, manifest: Manifest, log_key: &PublicKey) -> Result<Self, ManifestError> {
        let key = NoteKey::new(&span_key_name(&manifest.origin), Algorithm::Ed25519, *log_key)?;
        note.verify(core::slice::from_ref(&key))?;
        Ok(VerifiedManifest { manifest, note })
    }

    /// What it states.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the note, signature lines included: how entries refer to the manifest.
    pub fn digest(&self) -> Hash {
        self.note.digest()
    }
}

fn of_ledger(note: &Note, origin: &Origin) -> Result<Manifest, ManifestError> {
    let manifest = Manifest::parse(note.text())?;
    if manifest.origin != *origin {
        return Err(ManifestError::OtherLedger { expected: origin.clone() });
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests;
