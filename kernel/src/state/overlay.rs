//! The changes of one batch on top of the state before it, with a savepoint per command.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assent_ledger::hash::Hash;
use assent_ledger::ids::TenantId;

use super::{Changes, Compiled, Record, StateKey, StateRead, StateWrite, compile_runtime};
use crate::bundle::{CompiledBundle, RuntimeRules};

/// Compiled runtime layers, by the hashes of bundle and source.
type Runtimes = BTreeMap<(Hash, Hash), Option<Arc<RuntimeRules>>>;

/// A view of `base` with changes. Either all changes of a command stay or none: `savepoint`, then `rollback` to undo.
pub struct Overlay<'a, S: StateRead> {
    base: &'a S,
    writes: BTreeMap<StateKey, Option<Arc<Record>>>,
    dropped_buckets: Vec<u64>,
    /// What stood in `writes` before each change since the savepoint, in the order of the changes.
    undo: Vec<(StateKey, Option<Option<Arc<Record>>>)>,
    dropped_at_savepoint: usize,
    /// Keys whose records changed since they were last taken into the state trie.
    unhashed: BTreeSet<StateKey>,
    /// Bundles whose source was written in this batch. A cache: what it holds follows from `writes`.
    compiled: RefCell<BTreeMap<Hash, Option<Arc<CompiledBundle>>>>,
    /// Runtime layers that this batch has asked for, by bundle and source. A cache too.
    runtimes: RefCell<Runtimes>,
}

impl<'a, S: StateRead> Overlay<'a, S> {
    /// A view without changes.
    pub const fn new(base: &'a S) -> Self {
        Overlay {
            base,
            writes: BTreeMap::new(),
            dropped_buckets: Vec::new(),
            undo: Vec::new(),
            dropped_at_savepoint: 0,
            unhashed: BTreeSet::new(),
            compiled: RefCell::new(BTreeMap::new()),
            runtimes: RefCell::new(BTreeMap::new()),
        }
    }

    /// Accepts all changes so far.
    pub fn savepoint(&mut self) {
        self.undo.clear();
        self.dropped_at_savepoint = self.dropped_buckets.len();
    }

    /// Undoes all changes since the last savepoint.
    pub fn rollback(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(record) => self.writes.insert(key, record),
                None => self.writes.remove(&key),
            };
        }
        self.dropped_buckets.truncate(self.dropped_at_savepoint);
    }

    /// Takes the keys whose records changed since this was last asked, in their order. Those of undone changes are among them.
    pub fn take_unhashed(&mut self) -> BTreeSet<StateKey> {
        core::mem::take(&mut self.unhashed)
    }

    /// All changes, by key, and the dropped buckets in the order in which they were dropped.
    pub fn into_changes(self) -> (Changes, Vec<u64>) {
        (self.writes.into_iter().collect(), self.dropped_buckets)
    }

    fn write(&mut self, key: StateKey, record: Option<Arc<Record>>) {
        if key.in_trie() {
            self.unhashed.insert(key.clone());
        }
        let before = self.writes.insert(key.clone(), record);
        self.undo.push((key, before));
    }
}

impl<S: StateRead> StateRead for Overlay<'_, S> {
    fn get(&self, key: &StateKey) -> Option<Arc<Record>> {
        match self.writes.get(key) {
            Some(record) => record.clone(),
            None => self.base.get(key),
        }
    }

    fn compiled(&self, hash: &Hash, source: &[u8]) -> Compiled {
        self.base.compiled(hash, source)
    }

    fn bundle(&self, hash: &Hash) -> Option<Arc<CompiledBundle>> {
        match self.writes.get(&StateKey::Bundle(*hash)) {
            Some(record) => {
                let Record::Bundle(offered) = record.as_deref()? else { return None };
                let compile = || self.base.compiled(hash, &offered.source).ok();
                self.compiled.borrow_mut().entry(*hash).or_insert_with(compile).clone()
            }
            None => self.base.bundle(hash),
        }
    }

    fn runtime(&self, tenant: &TenantId, environment: &str) -> Option<Arc<RuntimeRules>> {
        let key = StateKey::RuntimeRules(tenant.clone(), environment.to_owned());
        let Some(Record::RuntimeRules(record)) = self.get(&key).as_deref().cloned() else { return None };
        let (bundle, hash) = (record.bundle, record.hash);
        let compile = || match self.writes.get(&key) {
            Some(_) => compile_runtime(self, &record),
            None => self.base.runtime(tenant, environment),
        };
        self.runtimes.borrow_mut().entry((bundle, hash)).or_insert_with(compile).clone()
    }
}

impl<S: StateRead> StateWrite for Overlay<'_, S> {
    fn put(&mut self, key: StateKey, record: Record) {
        self.write(key, Some(Arc::new(record)));
    }

    fn delete(&mut self, key: StateKey) {
        self.write(key, None);
    }

    fn drop_requests(&mut self, bucket: u64) {
        // Rows of this batch go one by one; what the base holds of the bucket goes as a whole, in the shell.
        let in_bucket = |key: &StateKey| matches!(key, StateKey::Request { bucket: b, .. } if *b == bucket);
        let rows: Vec<StateKey> = self.writes.keys().filter(|key| in_bucket(key)).cloned().collect();
        for key in rows {
            let before = self.writes.remove(&key);
            self.undo.push((key, before));
        }
        self.dropped_buckets.push(bucket);
    }
}
