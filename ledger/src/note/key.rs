//! Known keys of notes: a name, a signature type and a public key, also as C2SP `vkey` text.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::NoteSignature;
use crate::cosignature;
use crate::keys::{Algorithm, KeyId, PublicKey, SignatureInvalid, is_key_name, key_id};

/// Why a verifier key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteKeyError {
    /// Not `<name>+<8 hex digits>+<base64>`, or the name is not allowed.
    #[error("expected a verifier key of the form <name>+<key id>+<base64 key>")]
    Format,
    /// A signature type that this crate does not verify.
    #[error("the verifier key is of an unknown signature type")]
    Algorithm,
    /// The key id is not that of the name and key.
    #[error("the verifier key's id does not belong to its name and key")]
    Id,
    /// The public key itself is not accepted.
    #[error(transparent)]
    Key(#[from] crate::keys::KeyError),
}

/// A key that a verifier knows, with the name under which it signs notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    algorithm: Algorithm,
    public: PublicKey,
    id: KeyId,
}

impl NoteKey {
    /// Names a key.
    pub fn new(name: &str, algorithm: Algorithm, public: PublicKey) -> Result<Self, NoteKeyError> {
        if !is_key_name(name) {
            return Err(NoteKeyError::Format);
        }
        Ok(NoteKey { name: name.to_owned(), algorithm, public, id: key_id(name, algorithm, &public) })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The signature type.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The id that this key's lines must carry.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Verifies one line over a note's text: name, id and signature. Returns the time of a cosignature, in seconds since 1970.
    pub fn verify(&self, text: &str, signature: &NoteSignature) -> Result<Option<u64>, SignatureInvalid> {
        if signature.name() != self.name || signature.key_id() != self.id {
            return Err(SignatureInvalid);
        }
        match self.algorithm {
            Algorithm::Ed25519 => {
                let bytes = signature.payload().try_into().map_err(|_| SignatureInvalid)?;
                self.public.verify(text.as_bytes(), bytes).map(|()| None)
            }
            Algorithm::CosignatureV1 => cosignature::verify_payload(text, signature.payload(), &self.public).map(Some),
        }
    }
}

impl fmt::Display for NoteKey {
    /// The C2SP `vkey`: `<name>+<key id>+<base64(algorithm byte ‖ public key)>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.algorithm.byte()];
        bytes.extend_from_slice(self.public.as_bytes());
        write!(f, "{}+{}+{}", self.name, self.id, BASE64_STANDARD.encode(bytes))
    }
}

impl FromStr for NoteKey {
    type Err = NoteKeyError;

    fn from_str(text: &str) -> Result<Self, NoteKeyError> {
        let (name, rest) = text.split_once('+').ok_or(NoteKeyError::Format)?;
        let (id, encoded) = rest.split_once('+').ok_or(NoteKeyError::Format)?;
        let id = crate::hash::hex_fixed::<4>(id).map(KeyId).ok_or(NoteKeyError::Format)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| NoteKeyError::Format)?;
        let (algorithm, key) = bytes.split_first().ok_or(NoteKeyError::Format)?;
        let algorithm = Algorithm::from_byte(*algorithm).ok_or(NoteKeyError::Algorithm)?;
        let key: &[u8; 32] = key.try_into().map_err(|_| NoteKeyError::Format)?;
        let parsed = NoteKey::new(name, algorithm, PublicKey::from_bytes(key)?)?;
        if parsed.id == id { Ok(parsed) } else { Err(NoteKeyError::Id) }
    }
}
