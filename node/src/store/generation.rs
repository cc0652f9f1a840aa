//! One generation of the database: the RocksDB, the cache in front of the kernel's state, and the reads on top. Installing a
//! snapshot begins a new generation.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use assent_kernel::bundle::{self, CompiledBundle, RuntimeRules};
use assent_kernel::state::keys::{CredentialRecord, LedgerRecord, ProgressRecord, TenantRecord};
use assent_kernel::state::{Compiled, Record, StateKey, StateRead};
use assent_ledger::hash::Hash;
use assent_ledger::ids::{TenantId, TreeSize};
use assent_ledger::map::opaque_tenant_id;
use assent_ledger::tree::{NodeAddress, NodeRead};

use super::columns::{Column, node_key};
use super::compiled::CompiledBundles;
use super::db::{Db, DbError};

/// Records kept in memory before the older half is dropped: about 64 MiB at a few hundred bytes each.
const CACHED_RECORDS_MAX: usize = 200_000;
/// Compiled runtime layers kept in memory.
const CACHED_RUNTIMES_MAX: usize = 4_096;

/// One generation.
pub struct Generation {
    /// Its name: the folder below `db/`.
    pub name: String,
    /// The database.
    pub db: Db,
    cache: Mutex<RecordCache>,
    bundles: CompiledBundles,
    /// Compiled runtime layers, by the bundle that they were accepted for and their own hash.
    runtimes: Mutex<HashMap<(Hash, Hash), Arc<RuntimeRules>>>,
}

/// Two halves: what was used lately is moved to the young one, and when that is full it becomes the old one. Which records are in memory
/// is invisible to the kernel.
#[derive(Default)]
struct RecordCache {
    young: HashMap<StateKey, Arc<Record>>,
    old: HashMap<StateKey, Arc<Record>>,
}

impl RecordCache {
    fn get(&mut self, key: &StateKey) -> Option<Arc<Record>> {
        if let Some(record) = self.young.get(key) {
            return Some(record.clone());
        }
        let record = self.old.remove(key)?;
        self.insert(key.clone(), record.clone());
        Some(record)
    }

    fn insert(&mut self, key: StateKey, record: Arc<Record>) {
        if self.young.len() >= CACHED_RECORDS_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, record);
    }

    fn remove(&mut self, key: &StateKey) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

impl Generation {
    /// Around an open database; what was compiled outlasts a generation.
    pub fn new(name: String, db: Db, bundles: CompiledBundles) -> Self {
        Generation { name, db, cache: Mutex::default(), bundles, runtimes: Mutex::default() }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, RecordCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a batch changed, after it was written.
    pub fn remember(&self, changes: &[(StateKey, Option<Arc<Record>>)]) {
        let mut cache = self.cache();
        for (key, record) in changes {
            match record {
                // A request is looked up once, by a retry, if ever: it is not worth the memory.
                _ if matches!(key, StateKey::Request { .. }) => {}
                Some(record) => cache.insert(key.clone(), record.clone()),
                None => cache.remove(key),
            }
        }
    }

    fn read(&self, key: &StateKey) -> Option<Arc<Record>> {
        let bytes = match self.db.get(Column::State, &key.encode()) {
            Ok(bytes) => bytes?,
            Err(error) => stop(&format!("state cannot be read: {error}")),
        };
        match Record::decode(key, &bytes) {
            Ok(record) => Some(Arc::new(record)),
            Err(error) => stop(&format!("state record {key:?} is malformed: {error}")),
        }
    }

    /// A tenant's opaque id; the system tenant has one without a record.
    pub fn opaque_id(&self, tenant: &TenantId) -> Option<Hash> {
        if tenant.is_system() {
            return Some(opaque_tenant_id(&self.ledger()?.origin, &[0; 32], tenant));
        }
        self.tenant(tenant).map(|t| t.opaque)
    }
}

impl Generation {
    /// Compiles every bundle that is active, for decisions that do not wait then.
    pub fn compile_active(&self) -> Result<usize, DbError> {
        let any = StateKey::ActiveBundle(TenantId::system(), String::new()).encode();
        let of_kind = any.get(..1).unwrap_or_default();
        let mut active = BTreeSet::new();
        for row in self.db.scan(Column::State, of_kind, of_kind)? {
            let (key, value) = row?;
            let record = StateKey::decode(&key).and_then(|key| Record::decode(&key, &value));
            match record {
                Ok(Record::ActiveBundle(record)) => active.insert(record.bundle),
                Ok(_) => continue,
                Err(error) => stop(&format!("the record of an active bundle is malformed: {error}")),
            };
        }
        Ok(active.iter().filter(|hash| self.bundle(hash).is_some()).count())
    }
}

/// Ends the process: a replica that answered in any other way would decide differently from the rest.
fn stop(reason: &str) -> ! {
    tracing::error!(reason, "stopping: storage cannot be trusted");
    std::process::abort()
}

impl StateRead for Generation {
    fn get(&self, key: &StateKey) -> Option<Arc<Record>> {
        if matches!(key, StateKey::Request { .. }) {
            return self.read(key);
        }
        // The lock is held while the database is read: otherwise a reader could put back a record that a batch has just replaced, and
        // the next decision here would differ from the other replicas'.
        let mut cache = self.cache();
        if let Some(record) = cache.get(key) {
            return Some(record);
        }
        let record = self.read(key)?;
        cache.insert(key.clone(), record.clone());
        Some(record)
    }

    fn compiled(&self, hash: &Hash, source: &[u8]) -> Compiled {
        self.bundles.get(hash, source)
    }

    fn bundle(&self, hash: &Hash) -> Option<Arc<CompiledBundle>> {
        if let Some(known) = self.bundles.in_state(hash) {
            return known.ok();
        }
        let record = self.read(&StateKey::Bundle(*hash))?;
        let Record::Bundle(offered) = record.as_ref() else { return None };
        self.bundles.get_in_state(hash, &offered.source).ok()
    }

    fn runtime(&self, tenant: &TenantId, environment: &str) -> Option<Arc<RuntimeRules>> {
        let record = self.get(&StateKey::RuntimeRules(tenant.clone(), environment.to_owned()))?;
        let Record::RuntimeRules(rules) = record.as_ref() else { return None };
        let key = (rules.bundle, rules.hash);
        let known = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if known.is_some() {
            return known;
        }
        // Not under the lock: compiling a layer asks for its bundle.
        let bundle = self.bundle(&rules.bundle)?;
        let compiled = Arc::new(bundle::compile_runtime(&rules.source, &bundle).ok()?);
        let mut runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        if runtimes.len() >= CACHED_RUNTIMES_MAX {
            runtimes.clear();
        }
        runtimes.insert(key, compiled.clone());
        Some(compiled)
    }
}

macro_rules! typed {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $record:ident via $variant:ident, $key:expr) => {
        $(#[$doc])*
        pub fn $name(&self, $($arg: $type),*) -> Option<$record> {
            match self.get(&$key)?.as_ref() {
                Record::$variant(record) => Some(record.clone()),
                _ => None,
            }
        }
    };
}

impl Generation {
    typed!(
        /// The ledger's parameters; `None` before the genesis.
        ledger() -> LedgerRecord via Ledger, StateKey::Ledger
    );
    typed!(
        /// How far the ledger has come.
        progress() -> ProgressRecord via Progress, StateKey::Progress
    );
    typed!(
        /// A tenant.
        tenant(tenant: &TenantId) -> TenantRecord via Tenant, StateKey::Tenant(tenant.clone())
    );
    typed!(
        /// A credential, by the hash of its token.
        credential(token: &Hash) -> CredentialRecord via Credential, StateKey::Credential(*token)
    );
}

impl NodeRead for Generation {
    type Error = DbError;

    fn node(&self, address: NodeAddress) -> Result<Option<Hash>, DbError> {
        let bytes = self.db.get(Column::Nodes, &node_key(address))?;
        Ok(bytes.and_then(|b| <[u8; 32]>::try_from(b.as_slice()).ok()).map(Hash))
    }
}

impl Generation {
    /// Root of the tree over the first `size` entries, recomputed from the stored nodes.
    pub fn root_at(&self, size: TreeSize) -> Result<Hash, String> {
        assent_ledger::tree::root_at(self, size).map_err(|e| e.to_string())
    }
}
