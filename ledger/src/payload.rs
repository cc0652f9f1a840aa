//! Payloads: salted commitments, single-use encryption, and data keys wrapped under a tenant's key.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, XChaCha20Poly1305};
use zeroize::Zeroizing;

use crate::hash::{Hash, sha256};
use crate::limits;

/// Length of a payload's salt, in bytes.
pub const SALT_BYTES: usize = 32;
/// Length of the authentication tag, in bytes.
pub const TAG_BYTES: usize = 16;
/// How much longer a ciphertext is than its payload, in bytes.
pub const OVERHEAD_BYTES: usize = SALT_BYTES + TAG_BYTES;
/// Longest ciphertext, in bytes.
pub const CIPHERTEXT_BYTES_MAX: usize = limits::PAYLOAD_BYTES_MAX + OVERHEAD_BYTES;
/// Length of a wrapped data key, in bytes.
pub const WRAPPED_KEY_BYTES: usize = 32 + TAG_BYTES;

/// A 32-byte key that is wiped when dropped.
pub type DataKey = Zeroizing<[u8; 32]>;

/// Why a payload cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Longer than the cap, in bytes.
    #[error("the payload has {got} bytes, more than {max}")]
    TooLong {
        /// The cap.
        max: usize,
        /// What was offered.
        got: usize,
    },
    /// Too short or too long for what it shall be, in bytes.
    #[error("{what} has {got} bytes, which no {what} has")]
    Length {
        /// `ciphertext` or `wrapped key`.
        what: &'static str,
        /// What was offered.
        got: usize,
    },
    /// Another key, another commitment, or changed bytes.
    #[error("the bytes do not open under this key and commitment")]
    NotAuthentic,
    /// What was inside is not what was committed to.
    #[error("the payload does not match its commitment")]
    OtherPayload,
    /// The cipher refused the input.
    #[error("the cipher refused the input")]
    Cipher,
}

/// A sealed payload: what goes into the leaf and what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPayload {
    /// `SHA-256(salt ‖ bytes)`.
    pub commitment: Hash,
    /// Encrypted salt and bytes, with the tag.
    pub ciphertext: Vec<u8>,
}

/// An opened payload whose commitment has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPayload {
    /// The salt.
    pub salt: [u8; SALT_BYTES],
    /// The caller's exact bytes; wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// `SHA-256(salt ‖ bytes)`.
pub fn commit(salt: &[u8; SALT_BYTES], bytes: &[u8]) -> Hash {
    sha256(&[salt, bytes])
}

/// Commits to the payload and encrypts it. The key must be fresh: the nonce is constant, so a key is used exactly once.
pub fn encrypt(data_key: &[u8; 32], salt: &[u8; SALT_BYTES], bytes: &[u8]) -> Result<SealedPayload, PayloadError> {
    if bytes.len() > limits::PAYLOAD_BYTES_MAX {
        return Err(PayloadError::TooLong { max: limits::PAYLOAD_BYTES_MAX, got: bytes.len() });
    }
    let commitment = commit(salt, bytes);
    let mut plaintext = Zeroizing::new(Vec::with_capacity(SALT_BYTES + bytes.len()));
    plaintext.extend_from_slice(salt);
    plaintext.extend_from_slice(bytes);
    let aad = payload_aad(&commitment);
    let ciphertext = ChaCha20Poly1305::new(&(*data_key).into())
        .encrypt(&[0u8; 12].into(), Payload { msg: &plaintext, aad: &aad })
        .map_err(|_| PayloadError::Cipher)?;
    Ok(SealedPayload { commitment, ciphertext })
}

/// Decrypts and checks the commitment, so that what is returned is what the leaf committed to.
pub fn decrypt(data_key: &[u8; 32], commitment: &Hash, ciphertext: &[u8]) -> Result<OpenedPayload, PayloadError> {
    if !(OVERHEAD_BYTES..=CIPHERTEXT_BYTES_MAX).contains(&ciphertext.len()) {
        return Err(PayloadError::Length { what: "ciphertext", got: ciphertext.len() });
    }
    let aad = payload_aad(commitment);
    let plaintext = ChaCha20Poly1305::new(&(*data_key).into())
        .decrypt(&[0u8; 12].into(), Payload { msg: ciphertext, aad: &aad })
        .map(Zeroizing::new)
        .map_err(|_| PayloadError::NotAuthentic)?;
    let (salt, bytes) = plaintext.split_first_chunk::<SALT_BYTES>().ok_or(PayloadError::OtherPayload)?;
    if commit(salt, bytes) != *commitment {
        return Err(PayloadError::OtherPayload);
    }
    Ok(OpenedPayload { salt: *salt, bytes: Zeroizing::new(bytes.to_vec()) })
}

/// Wraps a data key under the tenant's key. The nonce follows from the commitment, which a fresh salt makes unique.
pub fn wrap_key(
    tenant_key: &[u8; 32],
    data_key: &[u8; 32],
    commitment: &Hash,
) -> Result<[u8; WRAPPED_KEY_BYTES], PayloadError> {
    let (nonce, aad) = (wrap_nonce(commitment), wrap_aad(commitment));
    XChaCha20Poly1305::new(&(*tenant_key).into())
        .encrypt(&nonce.into(), Payload { msg: data_key, aad: &aad })
        .map_err(|_| PayloadError::Cipher)?
        .try_into()
        .map_err(|_| PayloadError::Cipher)
}

/// Opens a wrapped data key.
pub fn unwrap_key(tenant_key: &[u8; 32], commitment: &Hash, wrapped: &[u8]) -> Result<DataKey, PayloadError> {
    if wrapped.len() != WRAPPED_KEY_BYTES {
        return Err(PayloadError::Length { what: "wrapped key", got: wrapped.len() });
    }
    let (nonce, aad) = (wrap_nonce(commitment), wrap_aad(commitment));
    let opened = XChaCha20Poly1305::new(&(*tenant_key).into())
        .decrypt(&nonce.into(), Payload { msg: wrapped, aad: &aad })
        .map(Zeroizing::new)
        .map_err(|_| PayloadError::NotAuthentic)?;
    let key: &[u8; 32] = opened.as_slice().try_into().map_err(|_| PayloadError::NotAuthentic)?;
    Ok(Zeroizing::new(*key))
}

fn payload_aad(commitment: &Hash) -> Vec<u8> {
    [b"assent/payload/1".as_slice(), commitment.as_bytes()].concat()
}

fn wrap_aad(commitment: &Hash) -> Vec<u8> {
    [b"assent/wrap/1".as_slice(), commitment.as_bytes()].concat()
}

fn wrap_nonce(commitment: &Hash) -> [u8; 24] {
    let digest = sha256(&[b"assent wrap nonce/1\n", commitment.as_bytes()]);
    let mut nonce = [0u8; 24];
    for (to, from) in nonce.iter_mut().zip(digest.0) {
        *to = from;
    }
    nonce
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [1; 32];
    const SALT: [u8; 32] = [2; 32];

    #[test]
    fn wrong_key_salt_payload_or_length_is_refused() {
        let sealed = encrypt(&KEY, &SALT, b"payload").unwrap();
        assert_eq!(sealed.ciphertext.len(), 7 + OVERHEAD_BYTES);
        let opened = decrypt(&KEY, &sealed.commitment, &sealed.ciphertext).unwrap();
        assert_eq!((opened.salt, opened.bytes.as_slice()), (SALT, b"payload".as_slice()));
        let refused = Err(PayloadError::NotAuthentic);
        assert_eq!(decrypt(&[9; 32], &sealed.commitment, &sealed.ciphertext), refused, "wrong key");
        assert_eq!(decrypt(&KEY, &commit(&[9; 32], b"payload"), &sealed.ciphertext), refused, "wrong salt");
        assert_eq!(decrypt(&KEY, &commit(&SALT, b"pay1oad"), &sealed.ciphertext), refused, "wrong payload");
        let short = &sealed.ciphertext[..sealed.ciphertext.len() - 1];
        assert_eq!(decrypt(&KEY, &sealed.commitment, short), refused, "truncated");
        let stub = &sealed.ciphertext[..OVERHEAD_BYTES - 1];
        assert!(matches!(decrypt(&KEY, &sealed.commitment, stub), Err(PayloadError::Length { .. })));
    }

    #[test]
    fn a_ciphertext_that_lies_about_its_commitment_is_refused() {
        // An authentic box whose content is another payload than the commitment that it is bound to.
        let claimed = commit(&SALT, b"claimed");
        let aad = payload_aad(&claimed);
        let plaintext = [SALT.as_slice(), b"another"].concat();
        let lie = ChaCha20Poly1305::new(&KEY.into())
            .encrypt(&[0u8; 12].into(), Payload { msg: &plaintext, aad: &aad })
            .unwrap();
        assert_eq!(decrypt(&KEY, &claimed, &lie), Err(PayloadError::OtherPayload));
    }

    #[test]
    fn keys_unwrap_only_under_their_tenant_and_commitment() {
        let commitment = commit(&SALT, b"payload");
        let wrapped = wrap_key(&[3; 32], &KEY, &commitment).unwrap();
        assert_eq!(*unwrap_key(&[3; 32], &commitment, &wrapped).unwrap(), KEY);
        assert_eq!(unwrap_key(&[4; 32], &commitment, &wrapped), Err(PayloadError::NotAuthentic));
        assert_eq!(unwrap_key(&[3; 32], &commit(&SALT, b"other"), &wrapped), Err(PayloadError::NotAuthentic));
        assert!(matches!(unwrap_key(&[3; 32], &commitment, &wrapped[1..]), Err(PayloadError::Length { .. })));
        let mut flipped = wrapped;
        flipped[0] ^= 1;
        assert_eq!(unwrap_key(&[3; 32], &commitment, &flipped), Err(PayloadError::NotAuthentic));
    }

    #[test]
    fn payloads_are_capped() {
        let longest = vec![0; limits::PAYLOAD_BYTES_MAX];
        let sealed = encrypt(&KEY, &SALT, &longest).unwrap();
        assert_eq!(sealed.ciphertext.len(), CIPHERTEXT_BYTES_MAX);
        assert!(decrypt(&KEY, &sealed.commitment, &sealed.ciphertext).is_ok());
        let over = vec![0; limits::PAYLOAD_BYTES_MAX + 1];
        assert!(matches!(encrypt(&KEY, &SALT, &over), Err(PayloadError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn any_payload_round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let sealed = encrypt(&KEY, &SALT, &bytes).unwrap();
            let opened = decrypt(&KEY, &sealed.commitment, &sealed.ciphertext).unwrap();
            prop_assert_eq!(opened.bytes.as_slice(), bytes.as_slice());
        }

        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decrypt(&KEY, &commit(&SALT, b""), &bytes).is_err());
            prop_assert!(unwrap_key(&KEY, &commit(&SALT, b""), &bytes).is_err());
        }
    }
}
