//! Keys at rest: tenants' keys wrapped under the storage key, data keys wrapped under their tenant's.

use std::sync::Arc;

use assent_ledger::hash::sha256;
use assent_ledger::ids::TenantId;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// The cluster's storage key, the same on every node. It is never written anywhere by the node.
#[derive(Clone)]
pub struct StorageKey(Arc<Zeroizing<[u8; 32]>>);

/// A wrapped key does not open: the storage key is another, or the database is damaged.
#[derive(Debug, thiserror::Error)]
#[error("the key of tenant {0} does not open: check keys.storage, it must be the same file on every node")]
pub struct UnwrapError(pub TenantId);

impl StorageKey {
    /// From the operator's file.
    pub fn new(key: Zeroizing<[u8; 32]>) -> Self {
        StorageKey(Arc::new(key))
    }

    /// The bytes, for deriving the Raft log's keys.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = sha256(&[b"assent tenant key wrap/1\n", self.as_bytes()]);
        XChaCha20Poly1305::new(&key.0.into())
    }

    /// Wraps a tenant's key. A tenant has one key for ever, so that a nonce from its name is used once.
    pub fn wrap(&self, tenant: &TenantId, key: &[u8; 32]) -> Vec<u8> {
        let payload = Payload { msg: key, aad: tenant.as_str().as_bytes() };
        // Encrypting 32 bytes cannot fail; an empty value would be refused when it is opened.
        self.cipher().encrypt(&nonce(tenant), payload).unwrap_or_default()
    }

    /// Opens a tenant's key.
    pub fn unwrap(&self, tenant: &TenantId, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, UnwrapError> {
        let payload = Payload { msg: wrapped, aad: tenant.as_str().as_bytes() };
        let opened = self.cipher().decrypt(&nonce(tenant), payload).map_err(|_| UnwrapError(tenant.clone()))?;
        let opened = Zeroizing::new(opened);
        let key: [u8; 32] = opened.as_slice().try_into().map_err(|_| UnwrapError(tenant.clone()))?;
        Ok(Zeroizing::new(key))
    }
}

fn nonce(tenant: &TenantId) -> XNonce {
    let digest = sha256(&[b"assent tenant key nonce/1\n", tenant.as_str().as_bytes()]);
    let mut nonce = XNonce::default();
    for (to, from) in nonce.iter_mut().zip(digest.0) {
        *to = from;
    }
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_only_for_its_tenant_and_under_its_storage_key() {
        let one = StorageKey::new(Zeroizing::new([1; 32]));
        let two = StorageKey::new(Zeroizing::new([2; 32]));
        let (a, b) = (TenantId::new("a").unwrap(), TenantId::new("b").unwrap());
        let wrapped = one.wrap(&a, &[9; 32]);
        assert_eq!(*one.unwrap(&a, &wrapped).unwrap(), [9; 32]);
        assert!(one.unwrap(&b, &wrapped).is_err());
        assert!(two.unwrap(&a, &wrapped).is_err());
        assert!(one.unwrap(&a, &[]).is_err());
    }
}
