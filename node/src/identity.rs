//! Who this node is: a random id and two keys, made once, kept apart from RocksDB so that no snapshot ever carries them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assent_ledger::ids::NodeId;
use assent_ledger::keys::SecretKey;

use crate::files::{self, KeyFileError};
use crate::random;

/// A node's identity. A node that lost its data gets a new one; an id is never used again.
pub struct NodeIdentity {
    /// The random id.
    pub id: NodeId,
    /// Signs cosignatures.
    pub cosigner: SecretKey,
    /// Signs receipts.
    pub receipt: SecretKey,
}

/// Why an identity cannot be loaded or made.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is none yet.
    #[error("no node identity in {0}; run `assentd init` first, and have the root key endorse it")]
    Missing(PathBuf),
    /// There is one already.
    #[error("{0} holds a node identity already; an id is never replaced, use another data_dir for a new node")]
    Exists(PathBuf),
    /// A file is broken.
    #[error("node identity file {0} is not 16 lower-case hexadecimal digits")]
    Format(PathBuf),
    /// A key file is not accepted.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The disk.
    #[error("node identity in {path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl NodeIdentity {
    /// Makes a new identity below `data_dir`.
    pub fn create(data_dir: &Path) -> Result<Self, IdentityError> {
        let folder = data_dir.join("node");
        let wrap = |source| IdentityError::Io { path: folder.clone(), source };
        if folder.join("id").exists() {
            return Err(IdentityError::Exists(folder));
        }
        fs::create_dir_all(&folder).map_err(wrap)?;
        files::write_key(&folder.join("cosigner.key"), &random::bytes()).map_err(wrap)?;
        files::write_key(&folder.join("receipt.key"), &random::bytes()).map_err(wrap)?;
        // The id is written last: a crash before it leaves no identity, and the keys are made anew.
        let id = NodeId(u64::from_be_bytes(random::bytes()));
        files::write_durably(&folder.join("id"), format!("{id}\n").as_bytes(), 0o600).map_err(wrap)?;
        files::sync_folder_of(&folder).map_err(wrap)?;
        Self::load(data_dir)
    }

    /// Loads the identity below `data_dir`.
    pub fn load(data_dir: &Path) -> Result<Self, IdentityError> {
        let folder = data_dir.join("node");
        let file = folder.join("id");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(IdentityError::Missing(folder)),
            Err(source) => return Err(IdentityError::Io { path: folder, source }),
        };
        let id = text.trim_end_matches('\n').parse().map_err(|_| IdentityError::Format(file))?;
        let cosigner = SecretKey::from_seed(&*files::read_key(&folder.join("cosigner.key"))?);
        let receipt = SecretKey::from_seed(&*files::read_key(&folder.join("receipt.key"))?);
        Ok(NodeIdentity { id, cosigner, receipt })
    }

    /// The public part as JSON, for the root key's ceremony (`assent keys endorse --node FILE`).
    pub fn public_json(&self, name: &str, client_address: &str, peer_address: &str) -> String {
        let document = serde_json::json!({
            "node": self.id.to_string(),
            "name": name,
            "cosigner": hex::encode(self.cosigner.public().as_bytes()),
            "receipt": hex::encode(self.receipt.public().as_bytes()),
            "client_address": client_address,
            "peer_address": peer_address,
        });
        format!("{document:#}\n")
    }
}
