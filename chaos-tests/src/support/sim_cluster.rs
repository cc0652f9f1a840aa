//! Three real nodes in one process: the real Raft log over a simulated disk, the real store on a real one, openraft
//! between them. The power of all of them can be cut at once.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use assent_kernel::command::Command;
use assent_ledger::ids::NodeId;
use assent_ledger::receipt::BatchSigner;
use assent_node::batcher::{Batcher, Settled};
use assent_node::config::{Limits, RaftTiming};
use assent_node::outcome::ApiError;
use assent_node::raft::log_store::RaftLogStore;
use assent_node::raft::reconcile::reconcile;
use assent_node::raft::types::Member;
use assent_node::raft::{self, RaftHandle};
use assent_node::receipts::ReceiptSigner;
use assent_node::rlog::sim_disk::SimDisk;
use assent_node::rlog::{LogOptions, RaftLogConfig, RaftLogEngine};
use assent_node::store::Store;
use assent_node::store::state_machine::StateMachine;
use openraft::async_runtime::watch::WatchReceiver;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::commands::{origin, receipt_key};
use super::dice::Dice;
use super::lone_store::{STORAGE_KEY, open_store};
use super::sim_network::{Socket, Switchboard};

/// The nodes' ids.
pub const NODES: [u64; 3] = [1, 2, 3];

/// When the Raft log answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledge {
    /// After the fsync, as the product does.
    AfterFsync,
    /// Before it: the negative control.
    BeforeFsync,
}

/// A running node.
#[derive(Clone)]
pub struct SimNode {
    /// Its id.
    pub id: u64,
    /// Its store.
    pub store: Arc<Store>,
    /// Its Raft.
    pub raft: RaftHandle,
    batcher: Batcher,
}

impl SimNode {
    /// Proposes a command here; fails when another node leads.
    pub async fn submit(&self, command: Command) -> Result<Settled, ApiError> {
        self.batcher.submit(command).await
    }
}

struct Running {
    runtime: Runtime,
    nodes: Vec<SimNode>,
}

/// The cluster.
pub struct SimCluster {
    folder: TempDir,
    disks: BTreeMap<u64, Arc<SimDisk>>,
    acknowledge: Acknowledge,
    board: Switchboard,
    running: Option<Running>,
    opened: u64,
}

/// Short intervals: the tests' cluster elects in a fraction of a second and makes snapshots all the time.
const TIMING: RaftTiming =
    RaftTiming { heartbeat_ms: 40, election_ms_min: 200, election_ms_max: 400, snapshot_entries: 60, keep_entries: 20 };

impl SimCluster {
    /// Three nodes without power.
    pub fn new(acknowledge: Acknowledge) -> Self {
        SimCluster {
            folder: tempfile::tempdir().unwrap(),
            disks: NODES.map(|node| (node, SimDisk::new())).into(),
            acknowledge,
            board: Switchboard::default(),
            running: None,
            opened: 0,
        }
    }

    /// Where a node keeps what is not its Raft log.
    pub fn data_dir(&self, node: u64) -> PathBuf {
        self.folder.path().join(format!("node-{node}"))
    }

    /// The network.
    pub fn board(&self) -> &Switchboard {
        &self.board
    }

    /// A node's disk under its Raft log.
    pub fn disk(&self, node: u64) -> &SimDisk {
        &self.disks[&node]
    }

    /// The running nodes.
    pub fn nodes(&self) -> &[SimNode] {
        &self.running.as_ref().expect("the power is on").nodes
    }

    /// The running nodes' runtime.
    pub fn runtime(&self) -> &Runtime {
        &self.running.as_ref().expect("the power is on").runtime
    }

    /// Starts all nodes from what their disks hold; the reason when one cannot start.
    pub fn start(&mut self) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let mut nodes = Vec::new();
        for node in NODES {
            self.opened += 1;
            let opening = self.open_node(node);
            nodes.push(runtime.block_on(opening)?);
        }
        self.running = Some(Running { runtime, nodes });
        Ok(())
    }

    async fn open_node(&self, id: u64) -> Result<SimNode, String> {
        let engine = self.open_log(id)?;
        let store = open_store(&self.data_dir(id));
        let config = Arc::new(raft::raft_config(&TIMING, origin().as_str()).unwrap());
        let mut log = RaftLogStore::new(Arc::new(engine));
        reconcile(&mut log, &store).await.map_err(|error| format!("node {id}: {error}"))?;
        let network = self.board.outgoing(id);
        let raft = RaftHandle::new(id, config, network, log, StateMachine::new(store.clone()));
        let raft = raft.await.map_err(|error| format!("raft of node {id} does not start: {error}"))?;
        let signer = ReceiptSigner::new(BatchSigner::new(origin(), NodeId(id), receipt_key(id)));
        let batcher = Batcher::start(raft.clone(), signer, &Limits::default());
        self.board.plug(id, Socket { raft: raft.clone(), store: store.clone() });
        Ok(SimNode { id, store, raft, batcher })
    }

    fn open_log(&self, id: u64) -> Result<RaftLogEngine, String> {
        let mut randomness = Dice::new(id << 32 | self.opened);
        let options = LogOptions {
            // Small segments and reserves, so that rotation, deletion and growth happen under the test's eyes.
            config: RaftLogConfig {
                segment_bytes_max: 64 << 10,
                cache_bytes_max: 32 << 10,
                reserve_bytes: 8 << 10,
                ..RaftLogConfig::default()
            },
            ledger: [7; 32],
            random: Box::new(move || Ok(randomness.bytes())),
            // The product ends the process here; in a test the log's own refusal must be enough.
            fatal: Arc::new(|_| ()),
        };
        let disk = self.disks[&id].clone();
        let opened = match self.acknowledge {
            Acknowledge::AfterFsync => RaftLogEngine::open(disk, options, &STORAGE_KEY),
            Acknowledge::BeforeFsync => RaftLogEngine::open_answering_before_fsync(disk, options, &STORAGE_KEY),
        };
        opened.map(|(engine, _)| engine).map_err(|error| format!("node {id}: {error}"))
    }

    /// Makes the three nodes the voters.
    pub fn initialize(&self) {
        let member = |node: u64| Member { name: format!("n{node}"), ..Member::default() };
        let members: BTreeMap<_, _> = NODES.map(|node| (node, member(node))).into();
        self.runtime().block_on(self.nodes()[0].raft.initialize(members)).unwrap();
    }

    /// From now on no fsync of a Raft log comes back: a disk that hangs just before the power goes.
    pub fn hang_disks(&self) {
        self.disks.values().for_each(|disk| disk.hold_syncs());
    }

    /// Cuts the power of all nodes and loses what was not fsynced: all of it, or what the dice say.
    pub fn lose_power(&mut self, dice: &mut Dice) {
        for disk in self.disks.values() {
            disk.cut_power_after(0);
        }
        let Running { runtime, nodes } = self.running.take().expect("the power is on");
        let stores: Vec<Weak<Store>> = nodes.iter().map(|node| Arc::downgrade(&node.store)).collect();
        // A hanging sync comes back with an error: the power is off.
        self.disks.values().for_each(|disk| disk.release_syncs());
        self.board.unplug_all();
        drop(nodes);
        runtime.shutdown_timeout(Duration::from_secs(20));
        wait_until("all of a node is gone with its power", || stores.iter().all(|store| store.strong_count() == 0));
        let hard = dice.below(2) == 0;
        for (node, disk) in &self.disks {
            if hard {
                disk.crash_to_synced();
            } else {
                disk.crash(dice.next());
            }
            tear_database(&self.data_dir(*node), dice, hard);
        }
    }

    /// The leader that all nodes agree on.
    pub fn leader(&self) -> Option<&SimNode> {
        leader_of(self.nodes())
    }

    /// Waits until all nodes have applied everything that was committed. Why not, when they do not.
    pub fn settle(&self) -> Result<(), String> {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if self.leader().is_some_and(|leader| self.nodes().iter().all(|node| caught_up(node, leader))) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let states: Vec<String> = self.nodes().iter().map(|n| n.raft.metrics().borrow_watched().to_string()).collect();
        Err(format!("no common state within 30 s:\n{}", states.join("\n")))
    }
}

/// The leader that all of these nodes agree on.
pub fn leader_of(nodes: &[SimNode]) -> Option<&SimNode> {
    let leader = |node: &SimNode| node.raft.metrics().borrow_watched().current_leader;
    let id = leader(nodes.first()?)?;
    nodes.iter().all(|node| leader(node) == Some(id)).then(|| nodes.iter().find(|node| node.id == id))?
}

fn caught_up(node: &SimNode, leader: &SimNode) -> bool {
    let last = leader.raft.metrics().borrow_watched().last_log_index;
    let term = |node: &SimNode| node.raft.metrics().borrow_watched().current_term;
    last == Some(node.store.progress().borrow().applied_index) && term(node) == term(leader)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What power loss does to RocksDB: its table files and all closed logs are synced, the log it was writing is not. Any
/// beginning of that log may be left, or all of it with a damaged byte; nothing of it after a hard loss of power.
fn tear_database(data_dir: &Path, dice: &mut Dice, hard: bool) {
    let active = std::fs::read_to_string(data_dir.join("db/active")).unwrap();
    let folder = data_dir.join("db").join(active.trim_end());
    let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let newest = names.filter(|path| path.extension().is_some_and(|e| e == "log")).max();
    let Some(log) = newest else { return };
    let file = OpenOptions::new().read(true).write(true).open(&log).unwrap();
    let length = file.metadata().unwrap().len();
    if length == 0 || hard {
        return file.set_len(0).unwrap();
    }
    let at = dice.below(length);
    match dice.below(4) {
        0 => {}
        1 => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            byte[0] ^= 1 << dice.below(8);
            file.write_all_at(&byte, at).unwrap();
        }
        _ => file.set_len(at).unwrap(),
    }
}
