//! Anchoring: a span's objects into write-once storage, each put only if absent, compared where it is there, and read back.
//!
//! The storage is reached through `object_store`; a local directory with fsync is the default. Every step can be repeated: the bytes are
//! the same each time, because the cosignatures and the manifest's digest were committed before the first upload.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assent_ledger::archive::{ObjectName, SpanName, SpanObject, ledger_prefix};
use assent_ledger::ids::Origin;
use bytes::Bytes;
use futures::StreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

/// Why a span could not be anchored.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The storage cannot be reached or refused.
    #[error("write-once storage: {0}")]
    Store(#[from] object_store::Error),
    /// Something else lies where the object belongs.
    #[error("{path} exists with other content; it was left alone: find out who wrote it")]
    Conflict {
        /// The object.
        path: String,
    },
    /// What was read back is not what was written.
    #[error("{path} reads back with other content than was written")]
    ReadBack {
        /// The object.
        path: String,
    },
    /// A path that storage does not take.
    #[error("malformed object path {0}")]
    Path(String),
}

/// The write-once target of one ledger.
#[derive(Clone)]
pub struct AnchorTarget {
    store: Arc<dyn ObjectStore>,
    directory: PathBuf,
    uri: String,
    prefix: String,
}

impl AnchorTarget {
    /// A local directory, created if it is missing.
    pub fn local(directory: &Path, origin: &Origin) -> Result<Self, AnchorError> {
        std::fs::create_dir_all(directory)
            .map_err(|e| object_store::Error::Generic { store: "directory", source: Box::new(e) })?;
        let directory = directory
            .canonicalize()
            .map_err(|e| object_store::Error::Generic { store: "directory", source: Box::new(e) })?;
        let store = LocalFileSystem::new_with_prefix(&directory)?.with_fsync(true);
        let prefix = ledger_prefix(origin);
        // Only the last folder's name: a leaf lives for ever and should not tell a machine's layout.
        let name = directory.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name: String = name.chars().filter(char::is_ascii_graphic).collect();
        Ok(AnchorTarget { store: Arc::new(store), directory, uri: format!("file:{name}/{prefix}"), prefix })
    }

    /// Where spans go, without credentials.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether nothing of this ledger is there yet: a ledger is never begun over a prefix that it does not know.
    pub async fn is_empty(&self) -> Result<bool, AnchorError> {
        let prefix = ObjectPath::from(self.prefix.as_str());
        Ok(self.store.list(Some(&prefix)).next().await.transpose()?.is_none())
    }

    /// Writes one object, or makes sure that the same bytes are there.
    ///
    /// A crash before the put leaves nothing, one within it no object (the local store links a finished file and may leave the unlinked
    /// one, see [`AnchorTarget::sweep`]; object storage shows whole objects only), one after it the object, which the retry compares.
    pub async fn put(&self, span: SpanName, object: SpanObject, bytes: Bytes) -> Result<(), AnchorError> {
        let name = ObjectName { prefix: self.prefix.clone(), span, object }.to_string();
        let path = ObjectPath::parse(&name).map_err(|_| AnchorError::Path(name.clone()))?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path, PutPayload::from_bytes(bytes.clone()), options).await {
            Ok(_) if self.read(&path).await? == bytes => Ok(()),
            Ok(_) => Err(AnchorError::ReadBack { path: name }),
            Err(object_store::Error::AlreadyExists { .. }) if self.read(&path).await? == bytes => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => Err(AnchorError::Conflict { path: name }),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes what interrupted puts left beside a span's objects, once these are all there.
    ///
    /// The local store writes `<object>#<number>` and links it to its name; a process that is killed in between leaves it, and an auditor
    /// would find a file that the manifest does not list. Another node that is just putting the same object loses its unlinked file
    /// and tries again. A crash before or within this leaves the span to be uploaded, compared and swept again.
    pub async fn sweep(&self, span: SpanName) -> Result<(), AnchorError> {
        let folder = self.directory.join(&self.prefix).join("spans").join(span.to_string());
        let swept = tokio::task::spawn_blocking(move || remove_leftovers(&folder)).await.map_err(io::Error::other);
        swept.flatten().map_err(|e| object_store::Error::Generic { store: "directory", source: Box::new(e) }.into())
    }

    async fn read(&self, path: &ObjectPath) -> Result<Bytes, AnchorError> {
        Ok(self.store.get(path).await?.bytes().await?)
    }
}

/// Removes the local store's unlinked files below a folder; objects' own names have no `#`.
fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_leftovers(&entry.path())?;
        } else if entry.file_name().to_string_lossy().contains('#') {
            match std::fs::remove_file(entry.path()) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_ledger::ids::{Seq, TreeSize};

    #[tokio::test]
    async fn puts_are_write_once_and_repeatable() {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::new("assent.test/one").unwrap();
        let target = AnchorTarget::local(folder.path(), &origin).unwrap();
        assert!(target.is_empty().await.unwrap());
        let span = SpanName { start: Seq(0), end: TreeSize(3) };
        let (one, two) = (Bytes::from_static(b"one"), Bytes::from_static(b"two"));
        target.put(span, SpanObject::Leaves, one.clone()).await.unwrap();
        target.put(span, SpanObject::Leaves, one).await.unwrap();
        let error = target.put(span, SpanObject::Leaves, two).await.unwrap_err();
        assert!(matches!(error, AnchorError::Conflict { .. }), "{error}");
        assert!(!target.is_empty().await.unwrap());
    }

    #[tokio::test]
    async fn what_a_killed_upload_left_is_swept_and_objects_stay() {
        let folder = tempfile::tempdir().unwrap();
        let target = AnchorTarget::local(folder.path(), &Origin::new("assent.test/one").unwrap()).unwrap();
        let span = SpanName { start: Seq(0), end: TreeSize(3) };
        target.put(span, SpanObject::Leaves, Bytes::from_static(b"one")).await.unwrap();
        let place = folder.path().join("assent.test_one/spans").join(span.to_string());
        std::fs::create_dir(place.join("tenants")).unwrap();
        std::fs::write(place.join("tenants/map#1"), "ha").unwrap();
        std::fs::write(place.join("manifest#2"), "").unwrap();
        target.sweep(span).await.unwrap();
        assert!(!place.join("tenants/map#1").exists() && !place.join("manifest#2").exists());
        assert_eq!(std::fs::read(place.join("leaves")).unwrap(), b"one");
    }
}
