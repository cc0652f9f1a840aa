//! One signature line of a note: `— <name> <base64(key id ‖ payload)>`.

use core::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::keys::{KeyId, is_key_name};
use crate::limits;

/// A signature line, verified or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoteSignature {
    name: String,
    key_id: KeyId,
    payload: Vec<u8>,
}

impl NoteSignature {
    /// Makes a line of its parts; `None` when the name is not allowed or the payload is empty.
    pub fn new(name: &str, key_id: KeyId, payload: Vec<u8>) -> Option<Self> {
        (is_key_name(name) && !payload.is_empty()).then(|| NoteSignature { name: name.to_owned(), key_id, payload })
    }

    /// Parses one line without its newline. Only canonical, padded base64 is accepted: one line has one text.
    pub fn parse(line: &str) -> Option<Self> {
        if line.len() > limits::NOTE_BYTES_MAX {
            return None;
        }
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = BASE64_STANDARD.decode(encoded).ok()?;
        let (id, payload) = bytes.split_first_chunk::<4>()?;
        NoteSignature::new(name, KeyId(*id), payload.to_vec())
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id as the line states it.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// What follows the key id: 64 bytes for Ed25519, 72 (time and signature) for cosignatures.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Whether both lines claim the same key.
    pub(crate) fn same_key(&self, other: &NoteSignature) -> bool {
        self.key_id == other.key_id && self.name == other.name
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.0.to_vec();
        bytes.extend_from_slice(&self.payload);
        write!(f, "— {} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}
