//! Ed25519 keys: deterministic signing, strict verification, C2SP key ids, and the names and roles that keys have on a ledger.

use core::fmt;
use core::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::hash::{hex32, sha256};
use crate::ids::{NodeId, Origin};

/// Length of an Ed25519 signature, in bytes.
pub const SIGNATURE_BYTES: usize = 64;

/// Why a public key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 64 lower-case hexadecimal characters.
    #[error("expected a public key as 64 lower-case hexadecimal characters")]
    Text,
    /// The bytes are not the one canonical encoding of a curve point.
    #[error("the public key is not a canonically encoded Ed25519 point; make a new key")]
    Encoding,
    /// A point of small order, or with a small-order part: signatures under it prove nothing.
    #[error("the public key is weak (small order); make a new key")]
    Weak,
}

/// The signature does not verify under the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify under this key")]
pub struct SignatureInvalid;

/// An Ed25519 secret key. Its bytes are wiped when it is dropped and are never printed.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes the key of a 32-byte seed. The caller wipes its own copy of the seed (`zeroize::Zeroizing`).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        SecretKey(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs deterministically (RFC 8032): one key and one message give one signature.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(public {})", self.public())
    }
}

/// An Ed25519 public key that is canonically encoded and of prime order. Shown as 64 lower-case hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Loads a key. Refuses encodings that are not canonical and points that are not of prime order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Encoding)?;
        let point = key.to_edwards();
        if key.is_weak() || !point.is_torsion_free() {
            return Err(KeyError::Weak);
        }
        if point.compress().as_bytes() != bytes {
            return Err(KeyError::Encoding);
        }
        Ok(PublicKey(key))
    }

    /// The 32 bytes of the encoded point.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Verifies strictly: canonical scalar, no small-order points.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Result<(), SignatureInvalid> {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| SignatureInvalid)
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        PublicKey::from_bytes(&hex32(text).ok_or(KeyError::Text)?)
    }
}

/// The C2SP signature types that this crate signs and verifies; the number is the algorithm byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Algorithm {
    /// Plain Ed25519 over the note text.
    Ed25519 = 0x01,
    /// Ed25519 over `cosignature/v1`, a time and the note text.
    CosignatureV1 = 0x04,
}

impl Algorithm {
    /// The algorithm byte.
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// The algorithm of a byte, if this crate knows it.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Algorithm::Ed25519),
            0x04 => Some(Algorithm::CosignatureV1),
            _ => None,
        }
    }
}

/// The four-byte hint that names a key in a signature line; shown as 8 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// C2SP key id: the first four bytes of `SHA-256(name ‖ 0x0A ‖ algorithm byte ‖ public key)`.
pub fn key_id(name: &str, algorithm: Algorithm, key: &PublicKey) -> KeyId {
    let digest = sha256(&[name.as_bytes(), b"\n", &[algorithm.byte()], key.as_bytes()]);
    let [a, b, c, d, ..] = digest.0;
    KeyId([a, b, c, d])
}

/// Whether C2SP allows the key name: not empty, no white space, no control character, no `+`.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// What an endorsed key may sign. One key has one role for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Checkpoints and manifests; provisioned by the operator, the same on all nodes.
    Log,
    /// Cosignatures of one node.
    Cosigner,
    /// Receipts of one node.
    Receipt,
}

impl Role {
    /// The role's name in entries and signed texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Log => "log",
            Role::Cosigner => "cosigner",
            Role::Receipt => "receipt",
        }
    }

    /// The one key name that the role has on a ledger; `None` when node-bound roles lack a node or the log role has one.
    pub fn key_name(self, origin: &Origin, node: Option<NodeId>) -> Option<String> {
        match (self, node) {
            (Role::Log, None) => Some(log_key_name(origin)),
            (Role::Cosigner, Some(node)) => Some(cosigner_key_name(origin, node)),
            (Role::Receipt, Some(node)) => Some(receipt_key_name(origin, node)),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no role's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected log, cosigner or receipt")]
pub struct RoleParseError;

impl FromStr for Role {
    type Err = RoleParseError;

    fn from_str(text: &str) -> Result<Self, RoleParseError> {
        [Role::Log, Role::Cosigner, Role::Receipt].into_iter().find(|r| r.as_str() == text).ok_or(RoleParseError)
    }
}

/// Key name of checkpoints: the origin itself.
pub fn log_key_name(origin: &Origin) -> String {
    origin.as_str().to_owned()
}

/// Key name of manifests: `<origin>/span`, signed by the log key.
pub fn span_key_name(origin: &Origin) -> String {
    format!("{origin}/span")
}

/// Key name of a node's cosignatures: `<origin>/node/<node id>`.
pub fn cosigner_key_name(origin: &Origin, node: NodeId) -> String {
    format!("{origin}/node/{node}")
}

/// Key name of a node's receipts: `<origin>/receipt/<node id>`.
pub fn receipt_key_name(origin: &Origin, node: NodeId) -> String {
    format!("{origin}/receipt/{node}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn signs_deterministically_and_verifies() {
        let key = SecretKey::from_seed(&[7; 32]);
        let signature = key.sign(b"message");
        assert_eq!(signature, SecretKey::from_seed(&[7; 32]).sign(b"message"));
        assert!(key.public().verify(b"message", &signature).is_ok());
        assert!(key.public().verify(b"massage", &signature).is_err());
        assert!(SecretKey::from_seed(&[8; 32]).public().verify(b"message", &signature).is_err());
        let text = key.public().to_string();
        assert_eq!(text.parse::<PublicKey>().unwrap(), key.public());
        assert!(text.to_uppercase().parse::<PublicKey>().is_err());
    }

    #[test]
    fn scalar_plus_group_order_is_refused() {
        // The group order, little-endian: adding it to S gives a second signature that lax verifiers accept.
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let key = SecretKey::from_seed(&[7; 32]);
        let mut signature = key.sign(b"message");
        let mut carry = 0u16;
        for (byte, add) in signature.iter_mut().skip(32).zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
        assert!(key.public().verify(b"message", &signature).is_err());
    }

    #[test]
    fn weak_and_non_canonical_keys_are_refused() {
        let mut identity = [0u8; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(KeyError::Weak));
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(KeyError::Weak), "order four");
        // y = p + 1, a second encoding of the identity, and y = p + 3, a second encoding of another point or none.
        let mut beyond = [0xff; 32];
        (beyond[0], beyond[31]) = (0xee, 0x7f);
        assert!(PublicKey::from_bytes(&beyond).is_err());
        for low in 0xed..=0xffu8 {
            beyond[0] = low;
            assert!(PublicKey::from_bytes(&beyond).is_err(), "y >= p, low byte {low:#x}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SecretKey::from_seed(&[7; 32]);
        assert!(!format!("{key:?}").contains(&hex::encode([7u8; 32])));
    }

    #[test]
    fn roles_have_their_own_names() {
        let origin = Origin::new("example.org/log").unwrap();
        assert_eq!(Role::Cosigner.key_name(&origin, Some(NodeId(1))).unwrap(), "example.org/log/node/0000000000000001");
        assert_eq!(Role::Log.key_name(&origin, Some(NodeId(1))), None);
        assert_eq!(Role::Receipt.key_name(&origin, None), None);
        assert!("Log".parse::<Role>().is_err());
    }
}
