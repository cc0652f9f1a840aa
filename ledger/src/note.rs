//! C2SP signed notes: a text, a blank line and signature lines; strict parsing, signing and verification.

mod key;
mod signature;

pub use key::{NoteKey, NoteKeyError};
pub use signature::NoteSignature;

use core::fmt;
use std::collections::BTreeSet;

use crate::hash::{Hash, sha256};
use crate::keys::{Algorithm, KeyId, SecretKey, SignatureInvalid, is_key_name, key_id};
use crate::limits;

/// Why a note is malformed or not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than the cap, in bytes.
    #[error("the note has {got} bytes, more than {max}")]
    TooLong {
        /// The cap.
        max: usize,
        /// The note's length.
        got: usize,
    },
    /// Not UTF-8, or a control character other than the newline.
    #[error("the note must be UTF-8 without control characters other than newline")]
    Characters,
    /// The text is empty or does not end with a newline.
    #[error("the note's text must end with a newline")]
    TextEnd,
    /// No blank line followed by at least one signature line.
    #[error("the note has no signature block")]
    NoSignatures,
    /// More signature lines than the cap.
    #[error("the note has more than {max} signatures")]
    TooManySignatures {
        /// The cap.
        max: usize,
    },
    /// A line that is not `— name base64`, from 0.
    #[error("signature line {line} is malformed")]
    SignatureLine {
        /// Which signature line, from 0.
        line: usize,
    },
    /// Two lines by one key.
    #[error("two signatures by key {name}, id {id}")]
    DuplicateSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: KeyId,
    },
    /// A known key's signature does not verify.
    #[error("the signature by known key {name}, id {id}, does not verify")]
    BadSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: KeyId,
    },
    /// Two of the caller's keys share name and id.
    #[error("two known keys share name {name} and id {id}; verify with one of them")]
    AmbiguousKey {
        /// The shared name.
        name: String,
        /// The shared id.
        id: KeyId,
    },
    /// No signature by any known key.
    #[error("the note carries no signature by a known key")]
    NoKnownSignature,
    /// The name is not allowed by C2SP.
    #[error("key names must not be empty or contain white space, control characters or +")]
    KeyName,
}

/// A text with its signature lines, in the order in which they were appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One known key's verified signature on a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<'k> {
    /// The key.
    pub key: &'k NoteKey,
    /// When it was cosigned, in seconds since 1970; `None` for plain signatures.
    pub time: Option<u64>,
}

impl Note {
    /// A note without signatures; only a signed one can be parsed again.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        check_characters(text.as_bytes())?;
        if !text.ends_with('\n') {
            return Err(NoteError::TextEnd);
        }
        Ok(Note { text, signatures: Vec::new() })
    }

    /// Parses a signed note strictly. Printing the result gives the same bytes again.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let whole = check_characters(bytes)?;
        let (body, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = lines.strip_suffix('\n').filter(|l| !l.is_empty()).ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number >= limits::NOTE_SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures { max: limits::NOTE_SIGNATURES_MAX });
            }
            signatures.push(NoteSignature::parse(line).ok_or(NoteError::SignatureLine { line: number })?);
        }
        refuse_repeated_lines(&signatures)?;
        Ok(Note { text: format!("{body}\n"), signatures })
    }

    /// The text that is signed, its last newline included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The note as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// SHA-256 of the text alone: how checkpoints are referred to, whoever signs them later.
    pub fn text_digest(&self) -> Hash {
        sha256(&[self.text.as_bytes()])
    }

    /// SHA-256 of the whole note, signature lines included.
    pub fn digest(&self) -> Hash {
        sha256(&[&self.to_bytes()])
    }

    /// Signs the text with a plain Ed25519 key and appends the line.
    pub fn sign(&mut self, name: &str, key: &SecretKey) -> Result<(), NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::KeyName);
        }
        let id = key_id(name, Algorithm::Ed25519, &key.public());
        let signature = key.sign(self.text.as_bytes()).to_vec();
        self.append(NoteSignature::new(name, id, signature).ok_or(NoteError::KeyName)?)
    }

    /// Appends a signature line that was made elsewhere, such as a cosignature.
    pub fn append(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.iter().any(|s| s.same_key(&signature)) {
            let (name, id) = (signature.name().to_owned(), signature.key_id());
            return Err(NoteError::DuplicateSignature { name, id });
        }
        if self.signatures.len() >= limits::NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures { max: limits::NOTE_SIGNATURES_MAX });
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Verifies the note against known keys: a line by a known key must verify, lines by unknown keys are ignored, and at least
    /// one known key must have signed. Returns one item per known signature, in the order of the lines.
    pub fn verify<'k>(&self, known: &'k [NoteKey]) -> Result<Vec<Signed<'k>>, NoteError> {
        let mut seen = BTreeSet::new();
        let mut verified = Vec::new();
        for signature in &self.signatures {
            let mut matches = known.iter().filter(|k| k.name() == signature.name() && k.id() == signature.key_id());
            let Some(key) = matches.next() else { continue };
            let (name, id) = (signature.name(), signature.key_id());
            if matches.next().is_some() {
                return Err(NoteError::AmbiguousKey { name: name.to_owned(), id });
            }
            if !seen.insert((name, id)) {
                return Err(NoteError::DuplicateSignature { name: name.to_owned(), id });
            }
            let time = key
                .verify(&self.text, signature)
                .map_err(|SignatureInvalid| NoteError::BadSignature { name: name.to_owned(), id })?;
            verified.push(Signed { key, time });
        }
        if verified.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(verified) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|s| writeln!(f, "{s}"))
    }
}

/// Length, UTF-8 and control characters.
fn check_characters(bytes: &[u8]) -> Result<&str, NoteError> {
    if bytes.len() > limits::NOTE_BYTES_MAX {
        return Err(NoteError::TooLong { max: limits::NOTE_BYTES_MAX, got: bytes.len() });
    }
    if bytes.iter().any(|b| *b < 0x20 && *b != b'\n') {
        return Err(NoteError::Characters);
    }
    core::str::from_utf8(bytes).map_err(|_| NoteError::Characters)
}

/// The same line twice is noise that no honest writer makes.
fn refuse_repeated_lines(signatures: &[NoteSignature]) -> Result<(), NoteError> {
    let mut seen = BTreeSet::new();
    match signatures.iter().find(|s| !seen.insert((s.name(), s.key_id(), s.payload()))) {
        Some(s) => Err(NoteError::DuplicateSignature { name: s.name().to_owned(), id: s.key_id() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
