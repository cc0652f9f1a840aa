//! One combination of clients and request size: warmed up, measured, and what it cost each process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use assent_benches::policy::{BenchCall, acme_call};
use assent_client::{Client, Deadline, v1};
use assent_fleet_demo::cluster::Cluster;
use assent_fleet_demo::error::{DemoError, Result};
use assent_fleet_demo::fleet::token_file;
use assent_fleet_demo::histogram::Histogram;
use tokio::task::JoinSet;

use crate::options::Options;
use crate::procfs;

/// Longest time for one request, the client library's own attempts included.
pub const REQUEST_MAX: Duration = Duration::from_secs(20);
/// Of the example fleet: who asks.
pub const TENANT: &str = "acme";
/// With which credential.
pub const CREDENTIAL: &str = "acme/support";
/// In which environment.
pub const ENVIRONMENT: &str = "prod";

/// Where a phase stands; clients look at it after each answer.
const WARMING_UP: u8 = 0;
const MEASURED: u8 = 1;
const OVER: u8 = 2;

/// A combination.
#[derive(Debug, Clone, Copy)]
pub struct Phase {
    /// Clients that ask at the same time.
    pub clients: usize,
    /// Decisions in one request.
    pub batch: usize,
    /// Whether receipts are verified by the clients.
    pub verify: bool,
}

/// What one node used while a phase was measured.
#[derive(Debug, Clone)]
pub struct NodeCost {
    /// Its name.
    pub name: String,
    /// Whether it led, at the end.
    pub leads: bool,
    /// CPU time.
    pub cpu: Duration,
    /// Resident memory at the end, in KiB.
    pub resident_kib: u64,
    /// Most resident memory so far, in KiB.
    pub peak_kib: u64,
}

/// What a phase came to.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Which one.
    pub phase: Phase,
    /// How long was measured.
    pub elapsed: Duration,
    /// Decisions that were answered in that time.
    pub decisions: u64,
    /// Those of them that were not an allow, which none should be.
    pub not_allowed: u64,
    /// Requests, or decisions of one, that failed.
    pub failed: u64,
    /// From a request to its answer.
    pub latency: Histogram,
    /// What the nodes used.
    pub nodes: Vec<NodeCost>,
    /// CPU time of the load generator itself.
    pub own_cpu: Duration,
    /// Entries on the ledger at the end.
    pub size: u64,
}

/// What one client counted.
#[derive(Debug, Default)]
struct Count {
    decisions: u64,
    not_allowed: u64,
    failed: u64,
    latency: Histogram,
}

/// Runs a phase.
pub async fn run(cluster: &mut Cluster, phase: Phase, options: &Options) -> Result<Measured> {
    let stage = Arc::new(AtomicU8::new(WARMING_UP));
    let mut clients = JoinSet::new();
    for number in 0..phase.clients {
        let mut client = cluster.client_as(&token_file(cluster, CREDENTIAL), Some(TENANT))?;
        if phase.verify {
            client = client.with_trust(cluster.trust()?);
        }
        let run_id = format!("load-{}-{}-{number}", phase.clients, phase.batch);
        clients.spawn(one(client, Varied::new(acme_call(), run_id), phase.batch, stage.clone()));
    }
    tokio::time::sleep(options.warm_up()).await;
    let pids = pids(cluster)?;
    let used = |pids: &[u32]| pids.iter().map(|pid| procfs::cpu(*pid)).collect::<Vec<_>>();
    let (before, own_before, begun) = (used(&pids), procfs::cpu(std::process::id()), Instant::now());
    stage.store(MEASURED, Ordering::Relaxed);
    tokio::time::sleep(options.measured()).await;
    stage.store(OVER, Ordering::Relaxed);
    let (elapsed, after, own_after) = (begun.elapsed(), used(&pids), procfs::cpu(std::process::id()));
    let mut sum = Count::default();
    while let Some(count) = clients.join_next().await {
        let count = count.map_err(|e| DemoError::new(format!("a client failed: {e}")))?;
        sum.decisions += count.decisions;
        sum.not_allowed += count.not_allowed;
        sum.failed += count.failed;
        sum.latency.merge(&count.latency);
    }
    let leader = cluster.leader().await?;
    let mut nodes = Vec::new();
    for (index, ((node, pid), (from, to))) in
        cluster.nodes().iter().zip(&pids).zip(before.iter().zip(&after)).enumerate()
    {
        let (resident_kib, peak_kib) = procfs::resident(*pid);
        let cpu = to.saturating_sub(*from);
        nodes.push(NodeCost { name: node.name.clone(), leads: index == leader, cpu, resident_kib, peak_kib });
    }
    let size = cluster.leader_info().await?.size;
    let Count { decisions, not_allowed, failed, latency } = sum;
    let own_cpu = own_after.saturating_sub(own_before);
    Ok(Measured { phase, elapsed, decisions, not_allowed, failed, latency, nodes, own_cpu, size })
}

fn pids(cluster: &mut Cluster) -> Result<Vec<u32>> {
    let count = cluster.nodes().len();
    (0..count)
        .map(|index| cluster.pid(index)?.ok_or_else(|| DemoError::new(format!("node number {index} does not run"))))
        .collect()
}

/// Requests of one client, no two with the same inputs: the same call again and again is a loop, which the kernel denies.
pub struct Varied {
    call: BenchCall,
    run_id: String,
    number: u64,
}

impl Varied {
    /// Requests for a call in a run.
    pub fn new(call: BenchCall, run_id: String) -> Varied {
        Varied { call, run_id, number: 0 }
    }

    /// The next request.
    pub fn next(&mut self) -> v1::EvaluateRequest {
        self.number += 1;
        v1::EvaluateRequest {
            environment: ENVIRONMENT.to_owned(),
            run_id: self.run_id.clone(),
            trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            agent: Some(v1::Agent { name: "support-triage-eu".to_owned(), ..v1::Agent::default() }),
            subject: self.call.subject.clone(),
            tool: self.call.tool.to_owned(),
            inputs: self.call.inputs(self.number).into(),
            ..v1::EvaluateRequest::default()
        }
    }
}

/// One client: asks, waits, asks again. Request ids are the client library's, a new one for each decision.
async fn one(client: Client, mut calls: Varied, batch: usize, stage: Arc<AtomicU8>) -> Count {
    let mut count = Count::default();
    loop {
        let requests: Vec<_> = (0..batch).map(|_| calls.next()).collect();
        let begun = Instant::now();
        let answers = match <[_; 1]>::try_from(requests) {
            Ok([request]) => vec![client.evaluate(request, Deadline::after(REQUEST_MAX)).await],
            Err(requests) => match client.evaluate_many(requests, Deadline::after(REQUEST_MAX)).await {
                Ok(answers) => answers,
                Err(error) => vec![Err(error)],
            },
        };
        match stage.load(Ordering::Relaxed) {
            WARMING_UP => continue,
            MEASURED => {}
            _ => return count,
        }
        count.latency.record(begun.elapsed());
        for answer in answers {
            match answer {
                Ok(decision) => {
                    count.decisions += 1;
                    count.not_allowed += u64::from(!decision.is_allowed());
                }
                Err(error) => {
                    if count.failed == 0 {
                        eprintln!("assent-load: {error}");
                    }
                    count.failed += 1;
                }
            }
        }
    }
}
