//! The fence: a node whose record a quorum contradicts stops serving and signing, for good, until an operator replaces it.

use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use crate::files;

/// Whether this node is fenced off, and why. The mark is a file apart from the database: it survives restarts, and no snapshot
/// carries it.
pub struct Fence {
    file: PathBuf,
    state: watch::Sender<Option<String>>,
}

impl Fence {
    /// Reads the mark below `data_dir`.
    pub fn load(data_dir: &Path) -> io::Result<Self> {
        let file = data_dir.join("node").join("fenced");
        let reason = match std::fs::read_to_string(&file) {
            Ok(text) => Some(text.trim_end().to_owned()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        if let Some(reason) = &reason {
            tracing::error!(reason, "this node was fenced off earlier; remove it from the cluster and add a new one");
        }
        Ok(Fence { file, state: watch::Sender::new(reason) })
    }

    /// Why this node is fenced off, if it is.
    pub fn reason(&self) -> Option<String> {
        self.state.borrow().clone()
    }

    /// Whether this node is fenced off.
    pub fn is_up(&self) -> bool {
        self.state.borrow().is_some()
    }

    /// Tells when that changes.
    pub fn watch(&self) -> watch::Receiver<Option<String>> {
        self.state.subscribe()
    }

    /// Fences this node off. It stops serving at once, before the mark is on disk: a crash in between is found again at the next seal.
    pub fn raise(&self, reason: &str) {
        let raised = self.state.send_if_modified(|state| {
            let first = state.is_none();
            state.get_or_insert_with(|| reason.to_owned());
            first
        });
        if !raised {
            return;
        }
        tracing::error!(reason, "FENCED: a quorum contradicts this node's record; it stops serving and signing");
        if let Err(error) = files::write_durably(&self.file, format!("{reason}\n").as_bytes(), 0o600) {
            tracing::error!(%error, "the fence mark could not be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_survives_a_restart_and_keeps_its_first_reason() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("node")).unwrap();
        let fence = Fence::load(folder.path()).unwrap();
        assert!(!fence.is_up());
        fence.raise("root differs at size 7");
        fence.raise("another");
        let again = Fence::load(folder.path()).unwrap();
        assert_eq!(again.reason().as_deref(), Some("root differs at size 7"));
    }
}
