//! The kernel's state: typed keys, typed records, and the views through which decisions read and events write.

pub mod keys;
mod memory;
mod overlay;
mod record;

use std::sync::Arc;

use assent_ledger::hash::Hash;
use assent_ledger::ids::TenantId;

pub use keys::StateKey;
pub use memory::MemoryState;
pub use overlay::Overlay;
pub use record::Record;

use crate::bundle::{BundleError, CompiledBundle, RuntimeRules, compile};

/// Changed records, by key; `None` removes.
pub type Changes = Vec<(StateKey, Option<Arc<Record>>)>;

/// A compiled bundle, or all that is wrong with its source.
pub type Compiled = Result<Arc<CompiledBundle>, Arc<Vec<BundleError>>>;

/// What a decision may read. Reading cannot fail here: a storage error ends the process in the shell, for a replica that
/// answered it in any other way would decide differently from the rest.
pub trait StateRead {
    /// The record under a key.
    fn get(&self, key: &StateKey) -> Option<Arc<Record>>;
    /// What compiling a source gives, which the state need not hold. `hash` is its [`crate::bundle::bundle_hash`]. Compiles; a store keeps
    /// what it compiled before the source came here, so that a decision does not wait for it.
    fn compiled(&self, hash: &Hash, source: &[u8]) -> Compiled {
        let _ = hash;
        compile(source).map(Arc::new).map_err(Arc::new)
    }
    /// The compiled form of the bundle whose source the state holds under this hash.
    fn bundle(&self, hash: &Hash) -> Option<Arc<CompiledBundle>>;
    /// The compiled runtime layer of an environment, if it has one. Compiles; a store that is asked often keeps what it compiled,
    /// by the record's bundle and hash.
    fn runtime(&self, tenant: &TenantId, environment: &str) -> Option<Arc<RuntimeRules>> {
        match self.get(&StateKey::RuntimeRules(tenant.clone(), environment.to_owned())).as_deref() {
            Some(Record::RuntimeRules(record)) => compile_runtime(self, record),
            _ => None,
        }
    }
}

/// What an event may change.
pub trait StateWrite: StateRead {
    /// Sets the record under a key.
    fn put(&mut self, key: StateKey, record: Record);
    /// Removes the record under a key.
    fn delete(&mut self, key: StateKey);
    /// Forgets every request of a bucket, whose rows are too many to be named one by one.
    fn drop_requests(&mut self, bucket: u64);
}

/// Compiles a stored runtime layer with the bundle that it was accepted for: the same on every replica, whatever is active now.
fn compile_runtime(state: &(impl StateRead + ?Sized), record: &keys::RuntimeRulesRecord) -> Option<Arc<RuntimeRules>> {
    let bundle = state.bundle(&record.bundle)?;
    crate::bundle::compile_runtime(&record.source, &bundle).ok().map(Arc::new)
}

/// Compiles a stored source. It compiled when it was offered, so that `None` means that it is not there.
fn compile_stored(record: Option<Arc<Record>>) -> Option<Arc<CompiledBundle>> {
    let Some(Record::Bundle(bundle)) = record.as_deref() else { return None };
    compile(&bundle.source).ok().map(Arc::new)
}

#[cfg(test)]
mod tests;
