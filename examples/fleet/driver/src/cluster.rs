//! A cluster of real `assentd` processes on loopback: made, started, killed, restarted and looked at.
//!
//! Used by the demonstration and by the project's fault tests. It prints nothing. Processes die with the [`Cluster`] unless it is
//! detached. Every wait is bounded by [`ClusterSpec::patience`], and its error names the log of the node in question.
//!
//! ```text
//! <dir>/cluster.json        what Cluster::open reads
//! <dir>/client.toml         operator's configuration of `assent`
//! <dir>/keys/               the development set of `assent keys dev`; endorsements
//! <dir>/<node>/             assentd.toml, identity.json, assentd.log, assentd.pid (detached), data/
//! <dir>/worm/               the write-once target that all nodes share
//! ```

mod ceremony;
mod config;
mod join;
mod wait;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assent_client::{Client, ClientConfig, RetryPolicy, Trust};
use assent_ledger::ids::{NodeId, Origin};
use assent_ledger::keys::PublicKey;
use serde::{Deserialize, Serialize};

use crate::binaries::Binaries;
use crate::commands::{Commands, Echo, Program};
use crate::error::{DemoError, Result};
use crate::process::{self, Process};

/// What a cluster is to be like.
#[derive(Clone)]
pub struct ClusterSpec {
    /// Its folder; made when it is not there.
    pub dir: PathBuf,
    /// The ledger's origin.
    pub origin: String,
    /// How many founding voters; they are called n1, n2, ….
    pub nodes: usize,
    /// For how many more nodes certificates are made, for [`Cluster::add_node`].
    pub spare_nodes: usize,
    /// Entries of tenants after which a span is sealed.
    pub seal_entries: u64,
    /// Seconds after which a span is sealed.
    pub seal_seconds: u64,
    /// Longest time between two seals, in seconds.
    pub interval_max_seconds: u64,
    /// Raft entries between snapshots; `None` leaves the node's default.
    pub snapshot_entries: Option<u64>,
    /// Raft entries kept behind a snapshot; `None` leaves the node's default.
    pub keep_entries: Option<u64>,
    /// More environment for the nodes' processes, such as `ASSENT_LOG`.
    pub environment: BTreeMap<String, String>,
    /// Longest time that anything is waited for.
    pub patience: Duration,
    /// Whether the nodes get a process group of their own and pid files, so that they can outlive this process.
    pub detached: bool,
    /// Called with each command line of the ceremony.
    pub echo: Option<Echo>,
}

impl ClusterSpec {
    /// Three voters, a seal every 1000 entries or 2 seconds, nothing printed.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        ClusterSpec {
            dir: dir.into(),
            origin: "assent.example/fleet".to_owned(),
            nodes: 3,
            spare_nodes: 0,
            seal_entries: 1000,
            seal_seconds: 2,
            interval_max_seconds: 60,
            snapshot_entries: None,
            keep_entries: None,
            environment: BTreeMap::new(),
            patience: Duration::from_secs(30),
            detached: false,
            echo: None,
        }
    }
}

/// Where a node listens on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// gRPC for clients.
    pub client: u16,
    /// gRPC for the other nodes.
    pub peer: u16,
    /// Health and metrics.
    pub http: u16,
    /// HTTP/JSON for clients.
    #[serde(default)]
    pub http_api: u16,
}

/// One node.
#[derive(Debug)]
pub struct NodeHandle {
    /// Its name: n1, n2, ….
    pub name: String,
    /// Its id; a wiped node gets another one.
    pub id: NodeId,
    /// Its folder.
    pub folder: PathBuf,
    /// Where it keeps everything that is lost when it is wiped.
    pub data_dir: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// Where it listens.
    pub ports: Ports,
    process: Option<Process>,
}

impl NodeHandle {
    /// `host:port` for clients.
    pub fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.ports.client)
    }

    /// Where its process writes.
    pub fn log(&self) -> PathBuf {
        self.folder.join("assentd.log")
    }

    /// Its process id while it runs.
    pub fn pid(&mut self) -> Option<u32> {
        match &mut self.process {
            Some(process) => process.ended().is_none().then(|| process.pid()),
            None => self.detached_pid(),
        }
    }

    /// The id of a detached process of an earlier `start`, if that still runs.
    pub fn detached_pid(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?;
        process::runs(pid, &["assentd", &self.config.to_string_lossy()]).then_some(pid)
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("assentd.pid")
    }
}

/// What is kept about a cluster between two runs of this program.
#[derive(Serialize, Deserialize)]
struct Saved {
    origin: String,
    nodes: Vec<SavedNode>,
    spares: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct SavedNode {
    name: String,
    id: String,
    ports: Ports,
}

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    origin: Origin,
    nodes: Vec<NodeHandle>,
    /// Names that have certificates and no node yet.
    spares: Vec<String>,
    environment: BTreeMap<String, String>,
    snapshot_entries: Option<u64>,
    keep_entries: Option<u64>,
    patience: Duration,
    detached: bool,
    commands: Commands,
}

impl Cluster {
    /// Does the key ceremony, starts the nodes, creates the ledger, and waits until every node has it.
    pub async fn create(spec: ClusterSpec, binaries: Binaries) -> Result<Self> {
        let mut cluster = Self::prepare(&spec, binaries).await?;
        cluster.start_all()?;
        cluster.found(&spec).await?;
        Ok(cluster)
    }

    /// An existing cluster, as [`Cluster::create`] left it; starts nothing.
    pub fn open(spec: ClusterSpec, binaries: Binaries) -> Result<Self> {
        let dir = absolute(&spec.dir)?;
        let file = dir.join("cluster.json");
        let bytes = fs::read(&file).map_err(|e| DemoError::at(&file, e))?;
        let saved: Saved = serde_json::from_slice(&bytes).map_err(|e| DemoError::at(&file, e))?;
        let mut nodes = Vec::new();
        for SavedNode { name, id, ports } in saved.nodes {
            let id = id.parse().map_err(|e| DemoError::at(&file, e))?;
            nodes.push(handle(&dir, &name, id, ports));
        }
        let origin = Origin::new(saved.origin).map_err(|e| DemoError::at(&file, e))?;
        Ok(Self::assemble(&spec, dir, origin, nodes, saved.spares, binaries))
    }

    fn assemble(
        spec: &ClusterSpec,
        dir: PathBuf,
        origin: Origin,
        nodes: Vec<NodeHandle>,
        spares: Vec<String>,
        binaries: Binaries,
    ) -> Self {
        let commands = Commands::new(binaries, &dir, spec.echo.clone());
        Cluster {
            dir,
            origin,
            nodes,
            spares,
            environment: spec.environment.clone(),
            snapshot_entries: spec.snapshot_entries,
            keep_entries: spec.keep_entries,
            patience: spec.patience,
            detached: spec.detached,
            commands,
        }
    }

    /// The nodes, in the order of their names; positions in it are what the other methods take.
    pub fn nodes(&self) -> &[NodeHandle] {
        &self.nodes
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The ledger.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Keys, certificates, the operator's token and the endorsements.
    pub fn keys_dir(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// The write-once target that all nodes share.
    pub fn worm_dir(&self) -> PathBuf {
        self.dir.join("worm")
    }

    /// The operator's configuration of `assent`.
    pub fn client_config(&self) -> PathBuf {
        self.dir.join("client.toml")
    }

    /// Runs the real programs in the cluster's folder.
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// One node.
    pub fn node(&self, index: usize) -> Result<&NodeHandle> {
        self.nodes.get(index).ok_or_else(|| no_node(index))
    }

    fn node_mut(&mut self, index: usize) -> Result<&mut NodeHandle> {
        self.nodes.get_mut(index).ok_or_else(|| no_node(index))
    }

    /// A node's process id while it runs.
    pub fn pid(&mut self, index: usize) -> Result<Option<u32>> {
        Ok(self.node_mut(index)?.pid())
    }

    /// The position of the node with this id.
    pub fn position(&self, id: NodeId) -> Result<usize> {
        let found = self.nodes.iter().position(|node| node.id == id);
        found.ok_or_else(|| DemoError::new(format!("no node of this cluster has the id {id}")))
    }

    /// Starts a node that does not run; nothing happens when it does. Returns without waiting for it to be ready.
    pub fn start(&mut self, index: usize) -> Result<()> {
        if self.node_mut(index)?.pid().is_some() {
            return Ok(());
        }
        let (environment, detached) = (self.environment.clone(), self.detached);
        let mut command = self.commands.program(Program::Assentd);
        let node = self.node_mut(index)?;
        command.arg("run").arg("--config").arg(&node.config).envs(environment);
        let process = Process::start(command, &node.name, &node.log(), detached)?;
        if detached {
            let file = node.pid_file();
            fs::write(&file, format!("{}\n", process.pid())).map_err(|e| DemoError::at(&file, e))?;
        }
        node.process = Some(process);
        Ok(())
    }

    /// Starts every node that does not run.
    pub fn start_all(&mut self) -> Result<()> {
        (0..self.nodes.len()).try_for_each(|index| self.start(index))
    }

    /// Kills a node with SIGKILL and waits until its process is gone.
    pub fn kill(&mut self, index: usize) -> Result<()> {
        match self.node_mut(index)?.process.take() {
            Some(mut process) => process.kill(),
            None => return Err(DemoError::new(format!("node {index} is not a running process of this program"))),
        }
        Ok(())
    }

    /// Stops a node with SIGTERM and waits for its end; one that takes longer than the patience is killed, and that is an error.
    pub async fn stop(&mut self, index: usize) -> Result<()> {
        let patience = self.patience;
        match self.node_mut(index)?.process.take() {
            Some(mut process) => process.terminate(patience).await.map(drop),
            None => Ok(()),
        }
    }

    /// Stops every node: asks all first, then waits for each.
    pub async fn stop_all(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if let Some(pid) = node.pid() {
                process::signal(pid, "TERM")?;
            }
        }
        for index in 0..self.nodes.len() {
            self.stop(index).await?;
        }
        Ok(())
    }

    /// Stops a node's process in its tracks (SIGSTOP); [`Cluster::resume`] lets it go on.
    pub fn pause(&mut self, index: usize) -> Result<()> {
        self.signal(index, "STOP")
    }

    /// Lets a paused node go on (SIGCONT).
    pub fn resume(&mut self, index: usize) -> Result<()> {
        self.signal(index, "CONT")
    }

    fn signal(&mut self, index: usize, name: &str) -> Result<()> {
        let node = self.node_mut(index)?;
        let pid = node.pid().ok_or_else(|| DemoError::new(format!("node {} does not run", node.name)))?;
        process::signal(pid, name)
    }

    /// Changes a node's configuration file; it holds from the node's next start.
    pub fn edit_config(&self, index: usize, edit: impl FnOnce(String) -> String) -> Result<()> {
        let file = &self.node(index)?.config;
        let text = fs::read_to_string(file).map_err(|e| DemoError::at(file, e))?;
        fs::write(file, edit(text)).map_err(|e| DemoError::at(file, e))
    }

    /// Lets the nodes live on after this program; they were started with [`ClusterSpec::detached`].
    pub fn detach(mut self) {
        for node in &mut self.nodes {
            if let Some(process) = node.process.take() {
                process.release();
            }
        }
    }

    /// A client with the operator's credential that verifies what it is told. Connects with its first call.
    pub fn client(&self) -> Result<Client> {
        let token = self.keys_dir().join("operator.token");
        Ok(self.client_as(&token, None)?.with_trust(self.trust()?))
    }

    /// A client with another token, for a tenant's credential; give it a [`Cluster::trust`] to make it verify.
    pub fn client_as(&self, token_file: &Path, tenant: Option<&str>) -> Result<Client> {
        let keys = self.keys_dir();
        let token = read_text(token_file)?;
        let config = ClientConfig {
            endpoints: self.nodes.iter().map(NodeHandle::endpoint).collect(),
            ca_pem: read(&keys.join("ca.pem"))?,
            cert_pem: read(&keys.join("client.pem"))?,
            key_pem: read(&keys.join("client.key"))?.into(),
            token: Some(token.trim_end().to_owned().into()),
            domain: None,
            tenant: tenant.map(str::to_owned),
            retry: RetryPolicy::default(),
        };
        Ok(Client::new(config)?)
    }

    /// The pinned ledger and root key.
    pub fn trust(&self) -> Result<Arc<Trust>> {
        let file = self.root_public();
        let root: PublicKey = read_text(&file)?.trim_end().parse().map_err(|e| DemoError::at(&file, e))?;
        Ok(Arc::new(Trust::new(self.origin.clone(), root)))
    }

    /// The file with the public root key: what a verifier pins.
    pub fn root_public(&self) -> PathBuf {
        self.keys_dir().join("root.pub")
    }
}

fn handle(dir: &Path, name: &str, id: NodeId, ports: Ports) -> NodeHandle {
    let folder = dir.join(name);
    let (data_dir, config) = (folder.join("data"), folder.join("assentd.toml"));
    NodeHandle { name: name.to_owned(), id, folder, data_dir, config, ports, process: None }
}

fn no_node(index: usize) -> DemoError {
    DemoError::new(format!("there is no node number {index}"))
}

/// The folder's path from the root: the nodes' command lines carry it, and it must hold in any working folder.
fn absolute(dir: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir).and_then(|()| dir.canonicalize()).map_err(|e| DemoError::at(dir, e))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| DemoError::at(path, e))
}

fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| DemoError::at(path, e))
}
