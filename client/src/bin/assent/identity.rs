//! The public identity of a node, as `assentd init` writes it.

use std::path::Path;

use assent_client::v1::MemberInfo;
use assent_ledger::ids::NodeId;
use assent_ledger::keys::PublicKey;
use serde::Deserialize;

use crate::files;
use crate::output::CliError;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    node: String,
    name: String,
    cosigner: String,
    receipt: String,
    client_address: String,
    peer_address: String,
}

/// A node's identity.
#[derive(Debug, Clone)]
pub struct NodeIdentity {
    /// Its id.
    pub node: NodeId,
    /// The operator's name for it.
    pub name: String,
    /// Its cosigner key.
    pub cosigner: PublicKey,
    /// Its receipt key.
    pub receipt: PublicKey,
    /// Where clients reach it.
    pub client_address: String,
    /// Where other nodes reach it.
    pub peer_address: String,
}

impl NodeIdentity {
    /// Reads an identity file strictly.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let bad = |what: String| CliError::Usage(format!("{}: {what}", path.display()));
        let document: Document = serde_json::from_slice(&files::read(path)?).map_err(|e| bad(e.to_string()))?;
        Ok(NodeIdentity {
            node: document.node.parse().map_err(|e| bad(format!("node: {e}")))?,
            name: document.name,
            cosigner: document.cosigner.parse().map_err(|e| bad(format!("cosigner: {e}")))?,
            receipt: document.receipt.parse().map_err(|e| bad(format!("receipt: {e}")))?,
            client_address: document.client_address,
            peer_address: document.peer_address,
        })
    }

    /// The node as a member of the cluster.
    pub fn member(&self, voter: bool) -> MemberInfo {
        MemberInfo {
            node_id: self.node.to_string(),
            name: self.name.clone(),
            client_address: self.client_address.clone(),
            peer_address: self.peer_address.clone(),
            voter,
            matched_index: 0,
        }
    }
}
