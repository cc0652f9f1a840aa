//! Changing who belongs to a running cluster: wiping a node's data, and letting a new node in.

use std::fs;

use super::Cluster;
use crate::commands::Program;
use crate::error::{DemoError, Result};

impl Cluster {
    /// Deletes the data of a node that does not run: Raft log, database, snapshots, identity and keys. Its certificate and
    /// configuration stay. [`Cluster::rejoin`] brings it back as a new node.
    pub fn wipe(&mut self, index: usize) -> Result<()> {
        let node = self.node_mut(index)?;
        if node.pid().is_some() {
            return Err(DemoError::new(format!("node {} runs; kill or stop it before its data is wiped", node.name)));
        }
        match fs::remove_dir_all(&node.data_dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(DemoError::at(&node.data_dir, e)),
            _ => Ok(()),
        }
    }

    /// Adds a node, for which the specification reserved a certificate, as a voter. Returns its position.
    pub async fn add_node(&mut self) -> Result<usize> {
        if self.spares.is_empty() {
            return Err(DemoError::new("no certificate is left for another node; ask for more spare_nodes"));
        }
        let name = self.spares.remove(0);
        let index = self.new_node(&name).await?;
        self.save()?;
        self.join(index).await?;
        Ok(index)
    }

    /// Brings a wiped node back with a new identity, as a learner first and then as a voter in the place of its old self.
    pub async fn rejoin(&mut self, index: usize) -> Result<()> {
        self.new_identity(index).await?;
        self.save()?;
        self.join(index).await
    }

    /// Endorses the keys of a node, starts it, adds it as a learner, and makes the present nodes the voters.
    async fn join(&mut self, index: usize) -> Result<()> {
        let name = self.node(index)?.name.clone();
        let size = self.leader_info().await?.size.to_string();
        let (identity, list) = (format!("{name}/identity.json"), format!("keys/endorsements-{name}-{size}.json"));
        let origin = self.origin.to_string();
        let endorse = ["keys", "endorse", "--root", "keys/root.key", "--origin", &origin, "--node", &identity];
        let args = [&endorse[..], &["--from", &size, "--out", &list]].concat();
        self.commands.run(Program::Assent, &args).await?;
        let admin = |args: &[&str]| [&["--config", "client.toml"][..], args].concat().join("\n");
        self.admin(&admin(&["keys", "submit", &list])).await?;
        self.start(index)?;
        self.wait_node_answering(index).await?;
        self.admin(&admin(&["cluster", "add-learner", &identity])).await?;
        let ids: Vec<String> = self.nodes.iter().map(|node| node.id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        self.admin(&admin(&[&["cluster", "voters"][..], &ids].concat())).await
    }

    async fn admin(&self, args: &str) -> Result<()> {
        let args: Vec<&str> = args.split('\n').collect();
        self.commands.run(Program::Assent, &args).await.map(drop)
    }
}
