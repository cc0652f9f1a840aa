//! Checkpoints: a signed note of exactly three lines that states a ledger's origin, size and root.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::endorse::{Keyring, KeyringError};
use crate::hash::{Hash, empty_root, sha256};
use crate::ids::{IdError, Origin, TreeSize};
use crate::keys::{Algorithm, PublicKey, Role, SecretKey, log_key_name};
use crate::note::{Note, NoteError, NoteKey, NoteKeyError};

/// Why a checkpoint is malformed or not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not exactly three lines: an extension line, or too few.
    #[error("a checkpoint has exactly three lines: origin, size and root")]
    Lines,
    /// The first line is no origin.
    #[error("the checkpoint's origin is malformed: {0}")]
    Origin(IdError),
    /// The second line is no canonical decimal.
    #[error("the checkpoint's size is malformed: {0}")]
    Size(IdError),
    /// The third line is not 32 bytes of canonical base64, or not the empty root at size 0.
    #[error("the checkpoint's root is malformed")]
    Root,
    /// The origin is another ledger's.
    #[error("the checkpoint is of ledger {got}, expected {expected}")]
    OtherLedger {
        /// The ledger that was asked for.
        expected: Origin,
        /// The checkpoint's origin.
        got: Origin,
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

/// What a checkpoint states; verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger.
    pub origin: Origin,
    /// Number of leaves.
    pub size: TreeSize,
    /// RFC 6962 root of the tree of that size.
    pub root: Hash,
}

impl Checkpoint {
    /// The signed text: origin, decimal size and base64 root, a newline after each.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64_STANDARD.encode(self.root.as_bytes()))
    }

    /// SHA-256 of the text: how manifests and entries refer to the checkpoint, whoever signs it later.
    pub fn digest(&self) -> Hash {
        sha256(&[self.text().as_bytes()])
    }

    /// Parses the text strictly; extension lines are refused.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        let origin = origin.parse().map_err(CheckpointError::Origin)?;
        let size = size.parse().map_err(CheckpointError::Size)?;
        let bytes = BASE64_STANDARD.decode(root).map_err(|_| CheckpointError::Root)?;
        let root = Hash(bytes.try_into().map_err(|_| CheckpointError::Root)?);
        if size == TreeSize(0) && root != empty_root() {
            return Err(CheckpointError::Root);
        }
        Ok(Checkpoint { origin, size, root })
    }

    /// Signs with the log key under the origin's name.
    pub fn sign(&self, log_key: &SecretKey) -> Result<Note, NoteError> {
        let mut note = Note::new(self.text())?;
        note.sign(&log_key_name(&self.origin), log_key)?;
        Ok(note)
    }
}

/// A checkpoint whose log signature has been verified, with the note that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl VerifiedCheckpoint {
    /// Verifies against one log key of one ledger, whatever the interval in which the key is endorsed.
    pub fn verify(bytes: &[u8], origin: &Origin, log_key: &PublicKey) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        let checkpoint = of_ledger(&note, origin)?;
        Self::check(note, checkpoint, log_key)
    }

    /// Verifies against the log key that the keyring holds valid at the checkpoint's size.
    pub fn verify_with(bytes: &[u8], keyring: &Keyring) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        let checkpoint = of_ledger(&note, keyring.origin())?;
        let name = log_key_name(keyring.origin());
        let key = *keyring.key_at(Role::Log, &name, checkpoint.size)?;
        Self::check(note, checkpoint, &key)
    }

    fn check(note: Note, checkpoint: Checkpoint, log_key: &PublicKey) -> Result<Self, CheckpointError> {
        let key = NoteKey::new(&log_key_name(&checkpoint.origin), Algorithm::Ed25519, *log_key)?;
        note.verify(core::slice::from_ref(&key))?;
        Ok(VerifiedCheckpoint { checkpoint, note })
    }

    /// What it states.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note with every signature line, the unknown ones too.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The ledger.
    pub fn origin(&self) -> &Origin {
        &self.checkpoint.origin
    }

    /// Number of leaves.
    pub fn size(&self) -> TreeSize {
        self.checkpoint.size
    }

    /// The root.
    pub fn root(&self) -> &Hash {
        &self.checkpoint.root
    }
}

fn of_ledger(note: &Note, origin: &Origin) -> Result<Checkpoint, CheckpointError> {
    let checkpoint = Checkpoint::parse(note.text())?;
    if checkpoint.origin != *origin {
        return Err(CheckpointError::OtherLedger { expected: origin.clone(), got: checkpoint.origin });
    }
    Ok(checkpoint)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::hash::leaf_hash;

    fn sample() -> Checkpoint {
        Checkpoint { origin: Origin::new("example.org/log").unwrap(), size: TreeSize(3), root: leaf_hash(b"r") }
    }

    #[test]
    fn signs_and_verifies() {
        let key = SecretKey::from_seed(&[1; 32]);
        let note = sample().sign(&key).unwrap();
        let verified = VerifiedCheckpoint::verify(&note.to_bytes(), &sample().origin, &key.public()).unwrap();
        assert_eq!(verified.checkpoint(), &sample());
        let other = Origin::new("example.org/other").unwrap();
        assert!(matches!(
            VerifiedCheckpoint::verify(&note.to_bytes(), &other, &key.public()),
            Err(CheckpointError::OtherLedger { .. })
        ));
        let stranger = SecretKey::from_seed(&[2; 32]).public();
        assert_eq!(
            VerifiedCheckpoint::verify(&note.to_bytes(), &sample().origin, &stranger),
            Err(CheckpointError::Note(NoteError::NoKnownSignature))
        );
    }

    #[test]
    fn only_three_canonical_lines() {
        let good = sample().text();
        assert_eq!(Checkpoint::parse(&good).unwrap(), sample());
        let bad = [
            format!("{good}extension\n"),
            format!("{good}\n"),
            good.trim_end().to_owned(),
            good.replace("\n3\n", "\n03\n"),
            good.replace("\n3\n", "\n0\n"),
            good.replace("\n3\n", "\n+3\n"),
            good.replace("=\n", "\n"),
            good.replace("example.org/log", "example org"),
            "example.org/log\n3\n".to_owned(),
        ];
        for text in bad {
            assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_safe(text in "\\PC{0,20}\n[0-9]{0,21}\n[A-Za-z0-9+/=]{0,50}\n") {
            if let Ok(checkpoint) = Checkpoint::parse(&text) {
                prop_assert_eq!(checkpoint.text(), text);
            }
        }
    }
}
