//! The store: one RocksDB per node, written once per Raft entry, read by everybody.

pub mod columns;
pub mod commit;
pub mod compiled;
pub mod db;
pub mod generation;
pub mod load;
mod read;
pub mod seals;
pub mod secrets;
pub mod snapshot;
pub mod state_machine;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use assent_kernel::state::StateRead;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Origin, TreeSize};
use tokio::sync::watch;

use crate::fence::Fence;
use crate::files;
use columns::{Column, meta};
use compiled::CompiledBundles;
use db::{Db, DbError};
use generation::Generation;
use load::{LoadError, Loaded};
use secrets::StorageKey;
use snapshot::{SnapshotError, SnapshotFolder, SnapshotStore};

pub use read::StoreError;

/// Committed state, as of one moment or later.
pub type View = Arc<Generation>;

/// How far this node has come; watchers are told after each Raft entry.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// Number of entries.
    pub size: TreeSize,
    /// Root of the tree.
    pub root: Hash,
    /// Index of the last applied Raft entry.
    pub applied_index: u64,
    /// Size of the last sealed checkpoint.
    pub sealed: TreeSize,
    /// Size of the last co-signed checkpoint.
    pub cosigned: TreeSize,
    /// Size of the last anchored checkpoint.
    pub anchored: TreeSize,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk.
    #[error("store in {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Its content.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The snapshots.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// A node's store.
pub struct Store {
    root: PathBuf,
    origin: Origin,
    storage_key: StorageKey,
    snapshots: SnapshotStore,
    bundles: CompiledBundles,
    current: RwLock<View>,
    applier: Mutex<Loaded>,
    progress: watch::Sender<Progress>,
    fence: Arc<Fence>,
}

const ACTIVE_FILE: &str = "active";

impl Store {
    /// Opens the store below `data_dir`, or begins an empty one.
    pub fn open(
        data_dir: &Path,
        origin: Origin,
        storage_key: StorageKey,
        fence: Arc<Fence>,
    ) -> Result<Arc<Self>, OpenError> {
        let root = data_dir.join("db");
        fs::create_dir_all(&root).map_err(|source| OpenError::Io { path: root.clone(), source })?;
        let snapshots = SnapshotStore::open(data_dir)?;
        let name = match fs::read_to_string(root.join(ACTIVE_FILE)) {
            Ok(name) => name.trim_end().to_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => begin(&root, &origin)?,
            Err(source) => return Err(OpenError::Io { path: root.join(ACTIVE_FILE), source }),
        };
        remove_others(&root, &name)?;
        let bundles = CompiledBundles::default();
        let generation = Generation::new(name.clone(), Db::open(&root.join(&name), false)?, bundles.clone());
        let loaded = load::load(&generation.db)?;
        if *loaded.machine.origin() != origin {
            let (found, expected) = (loaded.machine.origin().to_string(), origin.to_string());
            return Err(LoadError::OtherLedger { found, expected }.into());
        }
        let store = Store {
            root,
            origin,
            storage_key,
            snapshots,
            bundles,
            current: RwLock::new(Arc::new(generation)),
            applier: Mutex::new(loaded),
            progress: watch::Sender::new(Progress::default()),
            fence,
        };
        store.announce(&store.applier());
        Ok(Arc::new(store))
    }

    /// Committed state.
    pub fn view(&self) -> View {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bundles as they were compiled.
    pub fn bundles(&self) -> &CompiledBundles {
        &self.bundles
    }

    /// The snapshots on this node's disk.
    pub fn snapshots(&self) -> &SnapshotStore {
        &self.snapshots
    }

    /// Tells after each Raft entry how far this node has come.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The ledger that this store is for.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Digest of the kernel's state as of now; waits for the entry that is being applied.
    pub fn state_digest(&self) -> Hash {
        self.applier().machine.state_digest()
    }

    /// Makes everything applied so far survive power loss.
    pub fn sync(&self) -> Result<(), DbError> {
        self.view().db.sync()
    }

    fn applier(&self) -> MutexGuard<'_, Loaded> {
        // A panic while applying ends the process (see `state_machine`), so a poisoned lock is never seen by anyone who goes on.
        self.applier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, loaded: &Loaded) {
        let ledger = self.view().progress().unwrap_or_default();
        self.progress.send_replace(Progress {
            size: loaded.machine.size(),
            root: loaded.machine.root(),
            applied_index: loaded.last_applied.map_or(0, |id| id.index),
            sealed: ledger.sealed,
            cosigned: ledger.cosigned.map(|c| c.size).unwrap_or_default(),
            anchored: ledger.anchored,
        });
    }

    /// Makes a snapshot of what is applied now.
    pub fn build_snapshot(&self) -> Result<SnapshotFolder, SnapshotError> {
        self.snapshots.build(&self.view().db)
    }

    /// Replaces everything by a snapshot's content.
    ///
    /// A crash before the name of the new generation is written leaves the old one in force and a folder that the next start removes; after
    /// it, the new one is in force.
    pub fn install_snapshot(&self, folder: &SnapshotFolder) -> Result<(), SnapshotError> {
        let index = folder.header.meta.last_log_id.map_or(0, |id| id.index);
        let name = format!("{index:020}-{:08x}", u32::from_be_bytes(crate::random::bytes()));
        let path = self.root.join(&name);
        folder.install_into(&path)?;
        let generation = Generation::new(name.clone(), Db::open(&path, false)?, self.bundles.clone());
        let mut loaded = load::load(&generation.db)?;
        if let Err(refused) = snapshot::check(&folder.header, &mut loaded) {
            // It must not stay here as this node's newest snapshot: the next start would take it for good.
            fs::remove_dir_all(&folder.path)
                .map_err(|source| SnapshotError::Io { path: folder.path.clone(), source })?;
            return Err(refused);
        }
        generation.compile_active()?;
        let mut applier = self.applier();
        write_active(&self.root, &name)
            .map_err(|source| SnapshotError::Io { path: self.root.join(ACTIVE_FILE), source })?;
        *applier = loaded;
        let old = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, Arc::new(generation))
        };
        self.announce(&applier);
        drop(applier);
        tracing::info!(index, size = folder.header.size, "snapshot installed");
        // Readers may still hold the old generation; its folder goes at the next start if it cannot go now.
        if let Some(old) = Arc::into_inner(old) {
            let path = self.root.join(&old.name);
            drop(old);
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(%error, "the old generation could not be removed");
            }
        }
        self.snapshots.remove_all_but(&folder.path)
    }
}

/// Begins an empty database. A crash before its name is written leaves a folder that the next start removes.
fn begin(root: &Path, origin: &Origin) -> Result<String, OpenError> {
    let name = format!("{:020}-{:08x}", 0, u32::from_be_bytes(crate::random::bytes()));
    let db = Db::open(&root.join(&name), true)?;
    let mut batch = db.batch();
    batch.put(Column::Meta, meta::ORIGIN, origin.as_str().as_bytes())?;
    batch.write()?;
    db.sync()?;
    drop(db);
    write_active(root, &name).map_err(|source| OpenError::Io { path: root.join(ACTIVE_FILE), source })?;
    Ok(name)
}

fn write_active(root: &Path, name: &str) -> std::io::Result<()> {
    files::write_durably(&root.join(ACTIVE_FILE), format!("{name}\n").as_bytes(), 0o600)
}

fn remove_others(root: &Path, active: &str) -> Result<(), OpenError> {
    let wrap = |source| OpenError::Io { path: root.to_owned(), source };
    for entry in fs::read_dir(root).map_err(wrap)? {
        let path = entry.map_err(wrap)?.path();
        if path.is_dir() && path.file_name().is_none_or(|n| n != active) {
            tracing::info!(path = %path.display(), "removing a superseded database");
            fs::remove_dir_all(&path).map_err(wrap)?;
        }
    }
    Ok(())
}

/// Whether the state behind a view holds a ledger yet.
pub fn is_created(view: &View) -> bool {
    view.get(&assent_kernel::state::StateKey::Ledger).is_some()
}
