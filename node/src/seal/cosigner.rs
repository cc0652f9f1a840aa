//! Co-signing: this node's signature under a checkpoint that it recomputed from its own store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assent_ledger::checkpoint::Checkpoint;
use assent_ledger::cosignature::cosign;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{NodeId, Origin, TreeSize};
use assent_ledger::keys::{SecretKey, cosigner_key_name};
use assent_ledger::note::NoteSignature;
use assent_proto::v1::CosignResponse;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::fence::Fence;
use crate::files;
use crate::store::Store;

/// How long a node that is behind may take to catch up before it declines.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Why a node did not sign.
#[derive(Debug, thiserror::Error)]
pub enum CosignRefusal {
    /// It is fenced off.
    #[error("fenced off: {0}")]
    Fenced(String),
    /// It has not applied that much yet.
    #[error("has applied {have} entries, not yet {want}")]
    Behind {
        /// What it has.
        have: TreeSize,
        /// What was asked for.
        want: TreeSize,
    },
    /// It recomputed another root.
    #[error("recomputed root {0}")]
    OtherRoot(Hash),
    /// It signed at that size or beyond already, and not this.
    #[error("has co-signed size {0} already and never goes back")]
    SignedBefore(TreeSize),
    /// Its own disk or store.
    #[error("{0}")]
    Storage(String),
}

/// The last size that this node co-signed, and the root there; a file apart from the database, which a snapshot never carries.
struct LastCosigned {
    file: PathBuf,
    last: Option<(TreeSize, Hash)>,
}

impl LastCosigned {
    fn load(data_dir: &Path) -> io::Result<Self> {
        let file = data_dir.join("node").join("cosigned");
        let last = match std::fs::read_to_string(&file) {
            Ok(text) => Some(parse(&text).ok_or_else(|| io::Error::other(format!("{} is malformed", file.display())))?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        Ok(LastCosigned { file, last })
    }

    /// Records that this root is about to be signed at this size.
    ///
    /// A crash after this and before the signature leaves a promise without a signature; the same root may be signed again later, another
    /// one never.
    fn promise(&mut self, size: TreeSize, root: Hash) -> Result<(), CosignRefusal> {
        match self.last {
            Some((last, known)) if last == size && known == root => return Ok(()),
            Some((last, _)) if last >= size => return Err(CosignRefusal::SignedBefore(last)),
            _ => {}
        }
        files::write_durably(&self.file, format!("{size} {root}\n").as_bytes(), 0o600)
            .map_err(|e| CosignRefusal::Storage(e.to_string()))?;
        self.last = Some((size, root));
        Ok(())
    }
}

fn parse(text: &str) -> Option<(TreeSize, Hash)> {
    let (size, root) = text.strip_suffix('\n')?.split_once(' ')?;
    Some((size.parse().ok()?, root.parse().ok()?))
}

/// This node's cosigner.
pub struct Cosigner {
    origin: Origin,
    key_name: String,
    key: SecretKey,
    store: Arc<Store>,
    fence: Arc<Fence>,
    clock: Arc<dyn Clock>,
    last: Mutex<LastCosigned>,
}

impl Cosigner {
    /// With this node's own key; reads what it co-signed last.
    pub fn load(
        origin: Origin,
        node: NodeId,
        key: SecretKey,
        data_dir: &Path,
        store: Arc<Store>,
        fence: Arc<Fence>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let last = Mutex::new(LastCosigned::load(data_dir)?);
        let key_name = cosigner_key_name(&origin, node);
        Ok(Cosigner { origin, key_name, key, store, fence, clock, last })
    }

    /// Signs the checkpoint of `size` if this node's own store gives `root` there.
    pub async fn sign(&self, size: TreeSize, root: Hash) -> Result<NoteSignature, CosignRefusal> {
        if let Some(reason) = self.fence.reason() {
            return Err(CosignRefusal::Fenced(reason));
        }
        self.wait_for(size).await?;
        let mut last = self.last.lock().await;
        let own = self.store.root_at(size).map_err(|e| CosignRefusal::Storage(e.to_string()))?;
        if own != root {
            return Err(CosignRefusal::OtherRoot(own));
        }
        last.promise(size, root)?;
        let seconds = self.clock.now().unix_seconds().max(1);
        let text = Checkpoint { origin: self.origin.clone(), size, root }.text();
        cosign(&text, &self.key_name, &self.key, seconds).map_err(|e| CosignRefusal::Storage(e.to_string()))
    }

    /// The answer to another node's request.
    pub async fn answer(&self, size: TreeSize, root: Hash) -> CosignResponse {
        match self.sign(size, root).await {
            Ok(line) => CosignResponse {
                key_name: self.key_name.clone(),
                signature_line: line.to_string(),
                root: root.0.to_vec().into(),
                refusal: String::new(),
            },
            Err(refusal) => {
                tracing::warn!(%size, %refusal, "not co-signed");
                let contradiction = match &refusal {
                    CosignRefusal::OtherRoot(own) => own.0.to_vec(),
                    _ => Vec::new(),
                };
                CosignResponse { root: contradiction.into(), refusal: refusal.to_string(), ..Default::default() }
            }
        }
    }

    async fn wait_for(&self, size: TreeSize) -> Result<(), CosignRefusal> {
        let mut progress = self.store.progress();
        let reached = tokio::time::timeout(CATCH_UP, progress.wait_for(|p| p.size >= size)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(CosignRefusal::Behind { have: self.store.progress().borrow().size, want: size }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_ledger::hash::leaf_hash;

    #[test]
    fn never_a_second_root_at_a_size_and_never_backwards_even_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("node")).unwrap();
        let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let mut last = LastCosigned::load(folder.path()).unwrap();
        last.promise(TreeSize(10), a).unwrap();
        last.promise(TreeSize(10), a).unwrap();
        let mut last = LastCosigned::load(folder.path()).unwrap();
        assert!(matches!(last.promise(TreeSize(10), b), Err(CosignRefusal::SignedBefore(TreeSize(10)))));
        assert!(matches!(last.promise(TreeSize(9), a), Err(CosignRefusal::SignedBefore(TreeSize(10)))));
        last.promise(TreeSize(11), b).unwrap();
    }
}
