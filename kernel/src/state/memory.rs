//! The state in memory: for tests, for replays, and for kernels that are embedded without a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use assent_ledger::hash::Hash;

use super::{Record, StateKey, StateRead, compile_stored};
use crate::bundle::CompiledBundle;
use crate::codec::CodecError;

/// All records, by key, and the compiled bundles.
#[derive(Clone, Default)]
pub struct MemoryState {
    /// By the number of the key's kind, then by key: what is asked for in every decision stands among few of its kind, however many
    /// requests are remembered.
    records: Vec<BTreeMap<StateKey, Arc<Record>>>,
    compiled: BTreeMap<Hash, Arc<CompiledBundle>>,
}

impl MemoryState {
    /// The state before the first command.
    pub fn new() -> Self {
        MemoryState::default()
    }

    /// Takes in what a batch changed: dropped buckets first, then the records.
    pub fn commit(&mut self, changes: &[(StateKey, Option<Arc<Record>>)], dropped_buckets: &[u64]) {
        for bucket in dropped_buckets {
            for kind in &mut self.records {
                kind.retain(|key, _| !matches!(key, StateKey::Request { bucket: b, .. } if *b == *bucket));
            }
        }
        for (key, record) in changes {
            self.set(key, record.clone());
        }
    }

    fn set(&mut self, key: &StateKey, record: Option<Arc<Record>>) {
        if let StateKey::Bundle(hash) = key {
            match compile_stored(record.clone()) {
                Some(bundle) => self.compiled.insert(*hash, bundle),
                None => self.compiled.remove(hash),
            };
        }
        let number = usize::from(key.number());
        if self.records.len() <= number {
            self.records.resize_with(number + 1, BTreeMap::new);
        }
        let Some(kind) = self.records.get_mut(number) else { return };
        match record {
            Some(record) => kind.insert(key.clone(), record),
            None => kind.remove(key),
        };
    }

    /// Every record, by the number of the key's kind, then by key.
    pub fn records(&self) -> impl Iterator<Item = (&StateKey, &Arc<Record>)> {
        self.records.iter().flatten()
    }

    /// Every record as bytes, in the same order.
    pub fn export(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.records().map(|(key, record)| (key.encode(), record.encode())).collect()
    }

    /// Reads what `export` wrote.
    pub fn import(rows: &[(Vec<u8>, Vec<u8>)]) -> Result<MemoryState, CodecError> {
        let mut state = MemoryState::new();
        for (key, record) in rows {
            let key = StateKey::decode(key)?;
            let record = Record::decode(&key, record)?;
            state.set(&key, Some(Arc::new(record)));
        }
        Ok(state)
    }
}

impl StateRead for MemoryState {
    fn get(&self, key: &StateKey) -> Option<Arc<Record>> {
        self.records.get(usize::from(key.number()))?.get(key).cloned()
    }

    fn bundle(&self, hash: &Hash) -> Option<Arc<CompiledBundle>> {
        self.compiled.get(hash).cloned()
    }
}
