//! The payloads of what a kernel in this process has recorded, so that a scenario sees what a node would give out.

use std::collections::BTreeMap;

use assent_kernel::machine::AppliedEntry;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;
use assent_ledger::payload::decrypt;

/// Payloads, as they were sealed, by commitment.
#[derive(Clone, Default)]
pub(super) struct Payloads {
    sealed: BTreeMap<Hash, ([u8; 32], Vec<u8>)>,
    of_entries: BTreeMap<(Seq, String), Hash>,
}

impl Payloads {
    /// Keeps an entry's payloads.
    pub(super) fn keep(&mut self, entry: &AppliedEntry) {
        for payload in &entry.payloads {
            self.sealed.insert(payload.commitment, (payload.data_key, payload.ciphertext.clone()));
            self.of_entries.insert((entry.seq, payload.role.clone()), payload.commitment);
        }
    }

    /// The bytes that a commitment stands for.
    pub(super) fn open(&self, commitment: &Hash) -> Result<Vec<u8>, String> {
        let (key, ciphertext) =
            self.sealed.get(commitment).ok_or_else(|| format!("there is no payload {commitment}"))?;
        let opened = decrypt(key, commitment, ciphertext).map_err(|e| e.to_string())?;
        Ok(opened.bytes.to_vec())
    }

    /// The bytes of an entry's payload of this role.
    pub(super) fn of_role(&self, seq: Seq, role: &str) -> Result<Vec<u8>, String> {
        let found = self.of_entries.get(&(seq, role.to_owned()));
        self.open(found.ok_or_else(|| format!("entry {seq} has no payload {role}"))?)
    }
}
