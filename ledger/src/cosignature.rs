//! C2SP `cosignature/v1`: a node's or a witness's timed signature on a checkpoint, and counting those that an interval endorses.

use std::collections::BTreeSet;

use crate::checkpoint::VerifiedCheckpoint;
use crate::endorse::{Keyring, KeyringError};
use crate::ids::{NodeId, TreeSize};
use crate::keys::{Algorithm, PublicKey, Role, SIGNATURE_BYTES, SecretKey, SignatureInvalid, is_key_name, key_id};
use crate::note::{NoteError, NoteSignature};

/// Largest time, in seconds: C2SP keeps within signed 64-bit numbers.
const TIME_SECONDS_MAX: u64 = i64::MAX as u64;

/// A cosignature cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// The key name is not allowed by C2SP.
    #[error("cosigner key names must not be empty or contain white space, control characters or +")]
    KeyName,
    /// The time is zero or beyond 2^63 - 1 seconds.
    #[error("the cosignature's time must be from 1 to 2^63-1 seconds")]
    Time,
}

/// The signed message: `cosignature/v1\ntime <seconds>\n<note text>`.
pub fn message(time_seconds: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_seconds}\n{text}").into_bytes()
}

/// Cosigns a note's text at a time in seconds since 1970. The caller has checked what the text states.
pub fn cosign(text: &str, name: &str, key: &SecretKey, time_seconds: u64) -> Result<NoteSignature, CosignError> {
    if !(1..=TIME_SECONDS_MAX).contains(&time_seconds) {
        return Err(CosignError::Time);
    }
    if !is_key_name(name) {
        return Err(CosignError::KeyName);
    }
    let mut payload = time_seconds.to_be_bytes().to_vec();
    payload.extend_from_slice(&key.sign(&message(time_seconds, text)));
    let id = key_id(name, Algorithm::CosignatureV1, &key.public());
    NoteSignature::new(name, id, payload).ok_or(CosignError::KeyName)
}

/// Verifies a cosignature's payload (8-byte big-endian time, 64-byte signature) over a note's text; returns the time in seconds.
pub fn verify_payload(text: &str, payload: &[u8], key: &PublicKey) -> Result<u64, SignatureInvalid> {
    let (time, signature) = payload.split_first_chunk::<8>().ok_or(SignatureInvalid)?;
    let signature: &[u8; SIGNATURE_BYTES] = signature.try_into().map_err(|_| SignatureInvalid)?;
    let time = u64::from_be_bytes(*time);
    if !(1..=TIME_SECONDS_MAX).contains(&time) {
        return Err(SignatureInvalid);
    }
    key.verify(&message(time, text), signature)?;
    Ok(time)
}

/// One endorsed cosigner's verified cosignature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigner {
    /// The key's name.
    pub key_name: String,
    /// The node whose key it is.
    pub node: NodeId,
    /// When it cosigned, in seconds since 1970.
    pub time_seconds: u64,
}

/// What the cosignature lines of a checkpoint amount to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cosigned {
    /// Distinct nodes with a verified cosignature by a key that is valid at this size, sorted by key name.
    pub valid: Vec<Cosigner>,
    /// Names of endorsed keys whose cosignature verifies but whose interval does not cover this size: to be reported, not counted.
    pub outside_interval: Vec<String>,
    /// How many lines are by keys that this ledger never endorsed as cosigners (the log key, external witnesses).
    pub unknown: usize,
}

impl Cosigned {
    /// Whether at least `required` distinct nodes cosigned.
    pub fn reaches(&self, required: u32) -> bool {
        u64::try_from(self.valid.len()).is_ok_and(|n| n >= u64::from(required))
    }
}

/// Counts the *distinct endorsed* cosigners of a checkpoint, valid at its size, among `lines`.
///
/// A line by an endorsed key that does not verify, and two lines by one key, are errors. Lines by other keys are only counted.
pub fn quorum(
    keyring: &Keyring,
    checkpoint: &VerifiedCheckpoint,
    lines: &[NoteSignature],
) -> Result<Cosigned, NoteError> {
    let text = checkpoint.note().text();
    let mut found = Cosigned::default();
    let mut keys_seen = BTreeSet::new();
    let mut nodes_seen = BTreeSet::new();
    for line in lines {
        let (name, id) = (line.name().to_owned(), line.key_id());
        let Some((node, public)) = endorsed(keyring, line) else {
            found.unknown += 1;
            continue;
        };
        if !keys_seen.insert((name.clone(), id)) {
            return Err(NoteError::DuplicateSignature { name, id });
        }
        let Ok(time_seconds) = verify_payload(text, line.payload(), &public) else {
            return Err(NoteError::BadSignature { name, id });
        };
        if !valid_at(keyring, &name, &public, checkpoint.size()) {
            found.outside_interval.push(name);
        } else if nodes_seen.insert(node) {
            found.valid.push(Cosigner { key_name: name, node, time_seconds });
        }
    }
    found.valid.sort_by(|a, b| a.key_name.cmp(&b.key_name));
    Ok(found)
}

/// The cosigner key that a line claims, at whatever size it is valid.
fn endorsed(keyring: &Keyring, line: &NoteSignature) -> Option<(NodeId, PublicKey)> {
    keyring
        .keys()
        .filter(|k| k.role == Role::Cosigner && k.key_name == line.name())
        .find(|k| key_id(&k.key_name, Algorithm::CosignatureV1, &k.public_key) == line.key_id())
        .and_then(|k| Some((k.node?, k.public_key)))
}

fn valid_at(keyring: &Keyring, name: &str, public: &PublicKey, size: TreeSize) -> bool {
    let valid: Result<&PublicKey, KeyringError> = keyring.key_at(Role::Cosigner, name, size);
    valid.is_ok_and(|key| key == public)
}
