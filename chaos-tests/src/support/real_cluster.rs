//! Real `assentd` processes under load: what was acknowledged, and whether every node has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use assent_client::{Client, Deadline, v1};
use assent_fleet_demo::binaries::Binaries;
use assent_fleet_demo::cluster::{Cluster, ClusterSpec};
use assent_kernel::bundle::bundle_hash;
use assent_ledger::hash::sha256;
use assent_ledger::ids::Seq;
use assent_node::store::columns::{Column, entry_key};
use assent_node::store::db::Db;
use tokio::task::JoinHandle;

use super::commands::{ENVIRONMENT, POLICY, SUBJECT};

/// Longest time that one call may take.
pub const CALL_MAX: Duration = Duration::from_secs(20);
/// Longest time in which a node that is asked to lead does.
const LEADS_WITHIN: Duration = Duration::from_secs(30);
/// The tests' tenant.
pub const TENANT: &str = "acme";

/// A cluster of processes. Its folder goes with it, unless the test failed: then it stays and its path is printed.
pub struct RealCluster {
    /// The processes.
    pub cluster: Cluster,
    dir: PathBuf,
}

impl RealCluster {
    /// Three voters with a ledger, a tenant, a credential and a policy.
    pub async fn create(name: &str, adjust: impl FnOnce(&mut ClusterSpec)) -> Self {
        let dir = std::env::temp_dir().join(format!("assent-chaos-{name}-{}", std::process::id()));
        let mut spec = ClusterSpec::new(&dir);
        spec.origin = "assent.test/chaos".to_owned();
        spec.environment = [("ASSENT_LOG".to_owned(), "info".to_owned())].into();
        adjust(&mut spec);
        let cluster = Cluster::create(spec, Binaries::find().unwrap()).await;
        let cluster = cluster.unwrap_or_else(|error| panic!("{error}; the nodes' logs are in {}", dir.display()));
        let made = RealCluster { cluster, dir };
        made.settle_tenant(TENANT).await;
        made
    }

    /// Creates a tenant with a tenant-wide agent's credential of the same name, a principal and the policy.
    pub async fn settle_tenant(&self, tenant: &str) {
        let client = self.cluster.client().unwrap();
        let deadline = || Deadline::after(CALL_MAX);
        let name = || tenant.to_owned();
        let request = v1::CreateTenantRequest { tenant: name(), ..Default::default() };
        client.create_tenant(request, deadline()).await.unwrap();
        let subject = SUBJECT.to_owned();
        let request = v1::RegisterPrincipalRequest { tenant: name(), subject, ..Default::default() };
        client.register_principal(request, deadline()).await.unwrap();
        let token = token_of(tenant);
        std::fs::write(self.token_file(tenant), &token).unwrap();
        let request = v1::RegisterCredentialRequest {
            tenant: name(),
            name: "agents".to_owned(),
            token_hash: sha256(&[token.as_bytes()]).as_bytes().to_vec().into(),
            role: "agent".to_owned(),
            ..Default::default()
        };
        client.register_credential(request, deadline()).await.unwrap();
        let source = POLICY.as_bytes().to_vec();
        let bundle_hash = bundle_hash(&source).as_bytes().to_vec().into();
        let request = v1::OfferBundleRequest { tenant: name(), source: source.into(), ..Default::default() };
        client.offer_bundle(request, deadline()).await.unwrap();
        let environment = ENVIRONMENT.to_owned();
        let request = v1::ActivateBundleRequest { tenant: name(), environment, bundle_hash, ..Default::default() };
        client.activate_bundle(request, deadline()).await.unwrap();
    }

    fn token_file(&self, tenant: &str) -> PathBuf {
        self.dir.join(format!("{tenant}.token"))
    }

    /// A verifying client with a tenant's credential.
    pub fn agent(&self, tenant: &str) -> Client {
        let client = self.cluster.client_as(&self.token_file(tenant), Some(tenant)).unwrap();
        client.with_trust(self.cluster.trust().unwrap())
    }

    /// Starts agents that ask one call after the other.
    pub fn load(&self, agents: usize) -> Load {
        let load = Load::default();
        let workers: Vec<_> =
            (0..agents).map(|lane| tokio::spawn(load.clone().work(self.agent(TENANT), lane))).collect();
        *load.workers.lock().unwrap() = workers;
        load
    }

    /// SIGKILLs these nodes with one command.
    pub fn kill_at_once(&mut self, nodes: &[usize]) {
        let pids: Vec<String> =
            nodes.iter().map(|node| self.cluster.pid(*node).unwrap().expect("the node runs").to_string()).collect();
        let killed = Command::new("sh").args(["-c", "kill -s KILL \"$@\"", "sh"]).args(&pids).status().unwrap();
        assert!(killed.success());
        nodes.iter().for_each(|node| self.cluster.kill(*node).unwrap());
    }

    /// Makes a node the leader, from wherever leadership is.
    pub async fn make_leader(&self, node: usize) {
        let id = self.cluster.node(node).unwrap().id.to_string();
        let client = self.cluster.client().unwrap();
        let until = Instant::now() + LEADS_WITHIN;
        loop {
            if self.cluster.info(node).await.is_ok_and(|info| info.leader_id == id) {
                return;
            }
            assert!(Instant::now() < until, "node {id} does not become the leader");
            // It may not answer or not be up to date yet: asked again until it is.
            let _ = client.transfer_leader(id.clone(), Deadline::after(CALL_MAX)).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Where a stopped node's database is.
    pub fn database(&self, node: usize) -> PathBuf {
        let root = self.cluster.node(node).unwrap().data_dir.join("db");
        root.join(std::fs::read_to_string(root.join("active")).unwrap().trim_end())
    }

    /// Stops all nodes and looks every acknowledged leaf up in the database of each.
    pub async fn assert_on_every_node(&mut self, load: &Load) {
        self.cluster.stop_all().await.unwrap();
        for node in 0..self.cluster.nodes().len() {
            let db = Db::open_read_only(&self.database(node)).unwrap();
            for (request, (seq, leaf)) in load.acknowledged() {
                let found = db.get(Column::Entries, &entry_key(seq)).unwrap();
                assert!(found.as_ref() == Some(&leaf), "node {node} lost {request}, acknowledged at {seq}");
            }
        }
        self.cluster.start_all().unwrap();
        self.cluster.wait_ready().await.unwrap();
    }

    /// What a node's log says so far.
    pub fn log_of(&self, node: usize) -> String {
        let path = self.cluster.node(node).unwrap().log();
        String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
    }

    /// The folder with the nodes' certificates and keys.
    pub fn keys_dir(&self) -> PathBuf {
        self.cluster.keys_dir()
    }

    /// The cluster's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for RealCluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the nodes' logs are kept in {}", self.dir.display());
            return;
        }
        for node in self.cluster.running() {
            // A node that is gone already is what is wanted.
            let _ = self.cluster.kill(node);
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The token of a tenant's credential.
pub fn token_of(tenant: &str) -> String {
    sha256(&[b"token of ", tenant.as_bytes()]).to_string()
}

/// A call that the policy allows.
pub fn allowed_call(number: u64) -> v1::EvaluateRequest {
    v1::EvaluateRequest {
        environment: ENVIRONMENT.to_owned(),
        subject: SUBJECT.to_owned(),
        tool: "crm.read".to_owned(),
        inputs: format!(r#"{{"n":{number}}}"#).into_bytes().into(),
        ..Default::default()
    }
}

type Acknowledged = BTreeMap<String, (Seq, Vec<u8>)>;

/// Agents at work and what they were told.
#[derive(Clone, Default)]
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Acknowledged>>,
    faults: Arc<Mutex<Vec<String>>>,
    workers: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Load {
    async fn work(self, client: Client, lane: usize) {
        let mut number = (lane as u64) << 32;
        while !self.stop.load(Ordering::Acquire) {
            number += 1;
            match client.evaluate(allowed_call(number), Deadline::after(CALL_MAX)).await {
                Ok(decision) => {
                    if !decision.is_allowed() {
                        self.faults.lock().unwrap().push(format!("not allowed: {:?}", decision.response));
                    }
                    let receipt = decision.receipt.expect("a client with trust verifies receipts");
                    let told = (receipt.seq(), receipt.leaf().to_vec());
                    self.acknowledged.lock().unwrap().insert(decision.response.request_id, told);
                }
                // A cluster that is being killed may refuse, lose or leave calls open; lies are another matter.
                Err(error @ (assent_client::ClientError::Untrusted(_) | assent_client::ClientError::Protocol(_))) => {
                    self.faults.lock().unwrap().push(error.to_string());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// What was acknowledged so far.
    pub fn acknowledged(&self) -> Acknowledged {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Waits until that many more decisions were acknowledged.
    pub async fn more(&self, count: usize) {
        let goal = self.acknowledged().len() + count;
        let until = Instant::now() + Duration::from_secs(60);
        while self.acknowledged().len() < goal {
            let have = self.acknowledged().len();
            assert!(Instant::now() < until, "{have} of {goal} decisions after 60 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops the agents; nobody was told anything that does not verify. Returns the size that the ledger has at least.
    pub async fn stop(&self) -> u64 {
        self.stop.store(true, Ordering::Release);
        let workers = std::mem::take(&mut *self.workers.lock().unwrap());
        for worker in workers {
            worker.await.unwrap();
        }
        assert_eq!(*self.faults.lock().unwrap(), Vec::<String>::new());
        self.acknowledged().values().map(|(seq, _)| seq.0 + 1).max().unwrap_or_default()
    }
}
