//! The body that the power loss test and its negative control share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use assent_kernel::command::Command;
use assent_kernel::machine::Answer;
use futures::future::join_all;

use super::commands::Author;
use super::dice::Dice;
use super::oracle::{Oracle, Violation};
use super::sim_cluster::{Acknowledge, NODES, SimCluster, SimNode, leader_of};

/// Clients at once.
const CLIENTS: u64 = 4;
/// Losses of power in one run.
const ROUNDS: u64 = 2;

/// What a run came to.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Decisions that were acknowledged before a loss of power.
    pub acknowledged: usize,
    /// Requests that the losses of power left without an answer.
    pub unknown: usize,
}

/// Loads a cluster, cuts the power of all nodes at once, starts them again, asks again what was left unanswered, and judges
/// what they hold. More than once in a row.
pub fn run(seed: u64, acknowledge: Acknowledge) -> Result<Report, Violation> {
    let mut dice = Dice::new(seed);
    let mut cluster = SimCluster::new(acknowledge);
    let oracle = Oracle::default();
    cluster.start().map_err(Violation::Stuck)?;
    cluster.initialize();
    cluster.settle().map_err(Violation::Stuck)?;
    found_ledger(&cluster, seed);
    let mut report = Report { acknowledged: 0, unknown: 0 };
    for round in 0..ROUNDS {
        let load = Load::begin(&cluster, &oracle, seed << 8 | round << 4);
        std::thread::sleep(dice.millis(30, 500));
        // In half of the runs the disks hang first: what is not fsynced then piles up, and must not be acknowledged.
        if dice.below(2) == 0 {
            cluster.hang_disks();
            std::thread::sleep(dice.millis(100, 300));
        }
        cluster.lose_power(&mut dice);
        drop(load);
        report.acknowledged = oracle.acknowledged_count();
        report.unknown += oracle.unknown().len();
        cluster.start().map_err(Violation::Stuck)?;
        cluster.settle().map_err(Violation::Stuck)?;
        oracle.judge(cluster.nodes())?;
        ask_again(&cluster, &oracle, seed << 8 | round)?;
        cluster.settle().map_err(Violation::Stuck)?;
        oracle.judge(cluster.nodes())?;
    }
    Ok(report)
}

fn found_ledger(cluster: &SimCluster, seed: u64) {
    let leader = cluster.leader().expect("a settled cluster has a leader");
    for command in Author::new(seed << 8 | 0xFF).founding(&NODES) {
        let settled = cluster.runtime().block_on(leader.submit(command)).unwrap();
        assert!(matches!(settled.answer, Answer::Recorded { .. }), "{:?}", settled.answer);
    }
}

/// Sends every unanswered request once more, under its own id. Afterwards each is on the record exactly once.
fn ask_again(cluster: &SimCluster, oracle: &Oracle, seed: u64) -> Result<(), Violation> {
    let mut author = Author::new(seed ^ 0xA6A1);
    for command in oracle.unknown() {
        let retry = author.retry(&command);
        let Some(leader) = cluster.leader() else { return Err(Violation::Stuck("the leader is gone".to_owned())) };
        let settled = cluster.runtime().block_on(leader.submit(retry));
        let settled = settled.map_err(|e| Violation::Stuck(format!("{}: {e}", command.request_id)))?;
        oracle.acknowledged(leader.id, &command, &settled);
    }
    Ok(())
}

/// Clients at work; they stop with the nodes' runtime or when this is dropped.
struct Load {
    stop: Arc<AtomicBool>,
}

impl Load {
    fn begin(cluster: &SimCluster, oracle: &Oracle, seed: u64) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        for client in 0..CLIENTS {
            // Clients hold no store: the power must be able to go without them.
            let work = work(cluster.nodes().to_vec(), oracle.clone(), seed | client, stop.clone());
            cluster.runtime().spawn(work);
        }
        Load { stop }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

async fn work(nodes: Vec<SimNode>, oracle: Oracle, seed: u64, stop: Arc<AtomicBool>) {
    let mut author = Author::new(seed);
    let mut dice = Dice::new(seed);
    while !stop.load(Ordering::Acquire) {
        let Some(leader) = leader_of(&nodes) else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let calls: Vec<Command> = (0..dice.between(1, 8)).map(|_| author.evaluate()).collect();
        join_all(calls.iter().map(|call| ask(leader, &oracle, call))).await;
        if dice.below(40) == 0 {
            let start = leader.store.view().progress().map_or(0, |progress| progress.span_start.0);
            // A seal may come too late or from a deposed leader: both are no-ops.
            let _ = leader.submit(author.seal(start)).await;
        }
    }
}

async fn ask(leader: &SimNode, oracle: &Oracle, call: &Command) {
    oracle.asked(call);
    match leader.submit(call.clone()).await {
        Ok(settled) => oracle.acknowledged(leader.id, call, &settled),
        // Whatever the error says: the oracle counts it as unknown.
        Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
    }
}
