//! Founding a cluster with the real commands: keys, identities, endorsements by the root key, and the genesis.

use std::fs;
use std::path::Path;

use assent_ledger::ids::{NodeId, Origin};
use serde::Deserialize;

use super::config::{NodeConfig, client_text};
use super::{Cluster, ClusterSpec, NodeHandle, Ports, Saved, SavedNode, absolute, handle};
use crate::binaries::Binaries;
use crate::commands::Program;
use crate::error::{DemoError, Result};
use crate::ports;

/// Ports of one node.
const PORTS_PER_NODE: usize = 4;

/// What of `assentd init`'s output is needed here.
#[derive(Deserialize)]
struct Identity {
    node: String,
}

impl Cluster {
    /// Keys, configurations and identities; nothing is started yet.
    pub(super) async fn prepare(spec: &ClusterSpec, binaries: Binaries) -> Result<Self> {
        let dir = absolute(&spec.dir)?;
        let origin = Origin::new(spec.origin.as_str()).map_err(|e| DemoError::new(e.to_string()))?;
        let names: Vec<String> = (1..=spec.nodes + spec.spare_nodes).map(|n| format!("n{n}")).collect();
        let spares = names.get(spec.nodes..).unwrap_or_default().to_vec();
        let mut cluster = Self::assemble(spec, dir, origin, Vec::new(), spares, binaries);
        let list = names.join(",");
        let args = ["keys", "dev", "--out", "keys", "--origin", &spec.origin, "--nodes", &list];
        cluster.commands.run(Program::Assent, &args).await?;
        for name in names.iter().take(spec.nodes) {
            cluster.new_node(name).await?;
        }
        let mut args = vec!["keys", "endorse", "--root", "keys/root.key", "--origin", &spec.origin];
        args.extend(["--log", "keys/log.pub", "--from", "0", "--out", "keys/endorsements.json"]);
        let files = cluster.identity_files();
        for file in &files {
            args.extend(["--node", file]);
        }
        cluster.commands.run(Program::Assent, &args).await?;
        cluster.save()?;
        Ok(cluster)
    }

    /// Creates the ledger on the started nodes and waits until every one has it.
    pub async fn found(&mut self, spec: &ClusterSpec) -> Result<()> {
        self.wait_answering().await?;
        let numbers = [spec.seal_entries, spec.seal_seconds, spec.interval_max_seconds].map(|n| n.to_string());
        let [entries, seconds, longest] = &numbers;
        let majority = (spec.nodes / 2 + 1).to_string();
        let mut args = vec!["keys", "genesis", "--root", "keys/root.key", "--origin", &spec.origin];
        args.extend(["--seal-entries", entries, "--seal-seconds", seconds, "--interval-max", longest]);
        args.extend(["--quorum", &majority, "--out", "keys/genesis.json"]);
        self.commands.run(Program::Assent, &args).await?;
        let mut args = vec!["--config", "client.toml", "cluster", "bootstrap", "--identities"];
        let files = self.identity_files();
        args.extend(files.iter().map(String::as_str));
        args.extend(["--endorsements", "keys/endorsements.json", "--genesis", "keys/genesis.json"]);
        self.commands.run(Program::Assent, &args).await?;
        self.wait_ready().await
    }

    /// Gives a node ports, a configuration and an identity; its certificate is there already.
    pub(super) async fn new_node(&mut self, name: &str) -> Result<usize> {
        let found = ports::free(PORTS_PER_NODE)?;
        let [client, peer, http, http_api] = found.as_slice() else {
            return Err(DemoError::new("no ports were found"));
        };
        let ports = Ports { client: *client, peer: *peer, http: *http, http_api: *http_api };
        let node = handle(&self.dir, name, NodeId(0), ports);
        fs::create_dir_all(&node.folder).map_err(|e| DemoError::at(&node.folder, e))?;
        let text = NodeConfig {
            name,
            origin: &self.origin,
            ports,
            snapshot_entries: self.snapshot_entries,
            keep_entries: self.keep_entries,
        }
        .text();
        write(&node.config, &text)?;
        self.nodes.push(node);
        let index = self.nodes.len() - 1;
        self.new_identity(index).await?;
        let endpoints: Vec<String> = self.nodes.iter().map(NodeHandle::endpoint).collect();
        write(&self.client_config(), &client_text(&self.origin, &endpoints))?;
        Ok(index)
    }

    /// Makes a node's identity; it must not have one.
    pub(super) async fn new_identity(&mut self, index: usize) -> Result<()> {
        let name = self.node(index)?.name.clone();
        let (config, out) = (format!("{name}/assentd.toml"), format!("{name}/identity.json"));
        let printed = self.commands.run(Program::Assentd, &["init", "--config", &config, "--out", &out]).await?;
        let wrong = |e: &dyn core::fmt::Display| DemoError::new(format!("assentd init of {name}: {e}"));
        let identity: Identity = serde_json::from_str(&printed).map_err(|e| wrong(&e))?;
        let id = identity.node.parse().map_err(|e| wrong(&e))?;
        self.node_mut(index)?.id = id;
        Ok(())
    }

    fn identity_files(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("{}/identity.json", node.name)).collect()
    }

    /// Keeps what [`Cluster::open`] needs.
    pub(super) fn save(&self) -> Result<()> {
        let node = |n: &NodeHandle| SavedNode { name: n.name.clone(), id: n.id.to_string(), ports: n.ports };
        let saved = Saved {
            origin: self.origin.to_string(),
            nodes: self.nodes.iter().map(node).collect(),
            spares: self.spares.clone(),
        };
        let text = serde_json::to_string_pretty(&saved).map_err(|e| DemoError::new(e.to_string()))?;
        write(&self.dir.join("cluster.json"), &text)
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| DemoError::at(path, e))
}
