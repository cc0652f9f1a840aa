//! A machine from what was stored: heads, tenants' heads and the state's records.

use std::collections::BTreeMap;

use assent_ledger::chain::TenantHead;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Origin, TenantId, TreeSize};
use assent_ledger::map::opaque_tenant_id;
use assent_ledger::trie::StateTrie;

use super::{HeadRecord, Machine, Tenant};
use crate::codec::CodecError;
use crate::state::{Record, StateKey};

/// Why stored parts do not make a machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A key or a tenant's record does not decode.
    #[error("a stored record is damaged: {0}; restore this node from a snapshot")]
    Damaged(#[from] CodecError),
    /// Head and frontier are of different sizes.
    #[error("the head has {head} entries, the frontier {frontier}; restore this node from a snapshot")]
    Frontier {
        /// Size of the head.
        head: TreeSize,
        /// Size of the frontier.
        frontier: TreeSize,
    },
    /// A tenant has entries but no record.
    #[error("tenant {tenant} has entries but no record; restore this node from a snapshot")]
    Tenant {
        /// The tenant.
        tenant: TenantId,
    },
}

impl Machine {
    /// Puts a machine together again from the stored head, the stored heads of all tenants, and all stored records as bytes, in
    /// any order. Request rows may be left out: the state's digest does not cover them one by one.
    pub fn restore(
        origin: Origin,
        head: HeadRecord,
        tenant_heads: impl IntoIterator<Item = (TenantId, TenantHead)>,
        records: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<Machine, RestoreError> {
        let HeadRecord { head, frontier } = head;
        if frontier.size() != head.size {
            return Err(RestoreError::Frontier { head: head.size, frontier: frontier.size() });
        }
        let mut trie = StateTrie::new();
        let mut opaque = BTreeMap::from([(TenantId::system(), opaque_of_system(&origin))]);
        for (key_bytes, value) in records {
            let key = StateKey::decode(&key_bytes)?;
            if !key.in_trie() {
                continue;
            }
            trie.insert(&key_bytes, &value);
            if let StateKey::Tenant(name) = &key
                && let Record::Tenant(record) = Record::decode(&key, &value)?
            {
                opaque.insert(name.clone(), record.opaque);
            }
        }
        let mut tenants = BTreeMap::new();
        for (name, head) in tenant_heads {
            let Some(opaque) = opaque.get(&name).copied() else { return Err(RestoreError::Tenant { tenant: name }) };
            tenants.insert(name, Tenant { head, opaque });
        }
        Ok(Machine { origin, head, frontier, tenants, trie })
    }
}

fn opaque_of_system(origin: &Origin) -> Hash {
    opaque_tenant_id(origin, &[0; 32], &TenantId::system())
}
