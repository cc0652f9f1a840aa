//! `make demo`: the whole story in one run, with a summary whose every line was checked.

mod audit;
mod break_leader;
mod desk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assent_client::Client;
use assent_ledger::ids::NodeId;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::binaries::Binaries;
use crate::check;
use crate::cluster::{Cluster, ClusterSpec};
use crate::commands::Program;
use crate::drive::{self, Outcome, Progress};
use crate::error::{DemoError, Result};
use crate::fleet::Fleet;
use crate::screen::Screen;
use crate::summary::Summary;
use crate::workload::Workload;

/// Attempts at sealing by hand: the sealer may be quicker, and then there is nothing to seal.
const SEAL_ATTEMPTS: usize = 5;

/// What to demonstrate.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder for everything; empty or not there yet.
    pub dir: PathBuf,
    /// The fleet's folder.
    pub fleet: PathBuf,
    /// How many calls to drive; 0: as many as are recorded.
    pub calls: usize,
    /// Workers for each credential.
    pub lanes_per_credential: usize,
    /// Calls in one request.
    pub batch: usize,
    /// Longest time that anything is waited for.
    pub patience: Duration,
}

/// Runs everything. `Ok` only when every check passed; the cluster's processes are gone either way.
pub async fn run(options: &Options, binaries: Binaries, screen: Arc<Screen>) -> Result<()> {
    let begun = Instant::now();
    let fleet = Fleet::read(&options.fleet)?;
    let workload = Arc::new(Workload::read(&fleet.workload_file(), options.calls, 0)?);
    screen.line("Assent: a decision ledger for fleets of AI agents. This demonstration runs three nodes, sends the");
    screen.line(&format!(
        "{} recorded tool calls of three agent fleets through them, kills the leader on the way,",
        workload.len()
    ));
    screen.line(
        "and then looks for anything lost, doubled or forged. A small desk with people and memory follows: its record",
    );
    screen.line("is decided again, asked under a stricter bundle, and decided once more after something was erased.");
    let mut demo = start(options, binaries, screen, fleet, workload).await?;
    demo.settle().await?;
    let outcome = demo.drive().await?;
    demo.converge(&outcome).await?;
    demo.seal().await?;
    demo.check_receipts(&outcome).await?;
    demo.claims().await?;
    demo.audit(&outcome).await?;
    demo.finish(begun)
}

/// The state of the demonstration between two steps.
struct Demo {
    options: Options,
    screen: Arc<Screen>,
    cluster: Cluster,
    fleet: Fleet,
    workload: Arc<Workload>,
    summary: Summary,
}

/// Steps 1 to 3: the ceremony, the processes, the ledger.
async fn start(
    options: &Options,
    binaries: Binaries,
    screen: Arc<Screen>,
    fleet: Fleet,
    workload: Arc<Workload>,
) -> Result<Demo> {
    screen.step(&format!("Key ceremony, three nodes, and the ledger's first entries (in {})", options.dir.display()));
    let shown = screen.clone();
    let spec = ClusterSpec {
        patience: options.patience,
        echo: Some(Arc::new(move |line| shown.command(line))),
        ..ClusterSpec::new(&options.dir)
    };
    let mut cluster = Cluster::create(spec, binaries).await?;
    for index in 0..cluster.nodes().len() {
        let pid = cluster.pid(index)?.unwrap_or(0);
        let node = cluster.node(index)?;
        screen.note(&format!("{} is node {}, process {pid}, clients at {}", node.name, node.id, node.endpoint()));
    }
    Ok(Demo { options: options.clone(), screen, cluster, fleet, workload, summary: Summary::default() })
}

impl Demo {
    fn names(&self) -> BTreeMap<NodeId, String> {
        self.cluster.nodes().iter().map(|node| (node.id, node.name.clone())).collect()
    }

    async fn settle(&mut self) -> Result<()> {
        self.screen.step("The fleet: tenants, agents, credentials and policy bundles, each an entry on the ledger");
        self.fleet.settle(&self.cluster).await?;
        self.screen.note(&self.fleet.describe());
        Ok(())
    }

    fn receipts(&self) -> PathBuf {
        self.options.dir.join("receipts.jsonl")
    }

    /// Drives the workload while the leader is killed and brought back.
    async fn drive(&mut self) -> Result<Outcome> {
        self.screen.step(&format!(
            "Driving {} calls; the leader is killed at 40 % and comes back at 70 %",
            self.workload.len()
        ));
        let clients: BTreeMap<String, Client> = self.fleet.clients(&self.cluster)?;
        let (sender, progress) = watch::channel(Progress::default());
        let options = drive::Options {
            lanes_per_credential: self.options.lanes_per_credential,
            batch: self.options.batch,
            patience: self.options.patience,
            receipts: self.receipts(),
        };
        let (names, total) = (self.names(), self.workload.len());
        let driving = drive::drive(self.workload.clone(), &clients, &options, &sender);
        let breaking =
            break_leader::run(&mut self.cluster, &self.screen, progress.clone(), total as u64, self.options.patience);
        let both = async { tokio::try_join!(driving, breaking) };
        let (outcome, failover) = tokio::select! {
            done = both => done?,
            () = self.screen.show(progress, total, &names) => return Err(DemoError::new("the progress line ended")),
        };
        self.report(&outcome, &failover);
        Ok(outcome)
    }

    fn report(&mut self, outcome: &Outcome, failover: &break_leader::Failover) {
        let seconds = outcome.elapsed.as_secs_f64();
        let rate = outcome.acknowledged.len() as f64 / seconds;
        let millis = |per_mille| outcome.latency.percentile(per_mille).as_secs_f64() * 1e3;
        let (p50, p99) = (millis(500), millis(990));
        let verdicts: Vec<String> = outcome.verdicts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
        self.screen.note(&format!("all answered in {seconds:.1} s: {}", verdicts.join(", ")));
        let summary = &mut self.summary;
        summary
            .figure("decisions", format!("{} in {seconds:.1} s ({})", outcome.acknowledged.len(), verdicts.join(", ")));
        summary.figure(
            "throughput",
            format!("{rate:.0} decisions/s, failover included, {} to a request", self.options.batch),
        );
        summary.figure("latency", format!("p50 {p50:.1} ms, p99 {p99:.1} ms, longest {:.0} ms", millis(1000)));
        summary.figure(
            "retries",
            format!(
                "{} decided before and answered again, {} sent again by the driver",
                outcome.replayed, outcome.sent_again
            ),
        );
        let value = format!(
            "{:.2} s after the SIGKILL of {}, by {}",
            failover.took.as_secs_f64(),
            failover.killed,
            failover.next
        );
        summary.check("next decision", value, true);
        for difference in &outcome.differences {
            self.screen.note(&format!("not as expected: {difference}"));
        }
        let value = format!(
            "{} of {} as the scenarios' authors expect",
            self.workload.len() as u64 - outcome.different,
            self.workload.len()
        );
        summary.check("verdicts", value, outcome.different == 0);
    }

    /// Waits until the three nodes are bit for bit the same.
    async fn converge(&mut self, outcome: &Outcome) -> Result<()> {
        self.screen.step("Do the three nodes have the same ledger and the same state, bit for bit?");
        let least = outcome.acknowledged.iter().map(|a| a.seq + 1).max().unwrap_or(0);
        let begun = Instant::now();
        let infos = self.cluster.wait_converged(least).await?;
        for (index, info) in &infos {
            let name = &self.cluster.node(*index)?.name;
            self.screen.note(&format!(
                "{name}  size {}  root {}  state {}",
                info.size,
                short(&info.root),
                short(&info.state_digest)
            ));
        }
        let value = format!(
            "{} nodes: size, root and state digest equal ({:.1} s)",
            infos.len(),
            begun.elapsed().as_secs_f64()
        );
        self.summary.check("convergence", value, infos.len() == self.cluster.nodes().len());
        Ok(())
    }

    /// Seals what is there, and waits until a quorum has cosigned it and it lies in write-once storage.
    async fn seal(&mut self) -> Result<()> {
        self.screen.step("Sealing what is there; a majority cosigns it, then it is anchored in write-once storage");
        let anchored = self.seal_now().await?;
        let spans = crate::forge::spans(&self.cluster.worm_dir())?.len();
        self.screen.note(&format!("{spans} spans, {anchored} entries cosigned and anchored"));
        self.summary.check("seals", format!("{spans} spans cosigned and anchored, {anchored} entries"), spans > 0);
        Ok(())
    }

    /// Seals, and waits until that is anchored; gives how far.
    async fn seal_now(&mut self) -> Result<u64> {
        let args = ["--config", "client.toml", "seal"];
        let mut last = self.cluster.commands().run(Program::Assent, &args).await;
        for _ in 1..SEAL_ATTEMPTS {
            if last.is_ok() {
                break;
            }
            last = self.cluster.commands().run(Program::Assent, &args).await;
        }
        last?;
        let size = self.cluster.leader_info().await?.last_sealed_size;
        self.cluster.wait_anchored(size).await
    }

    /// Every receipt that a client got, against the final, verified ledger.
    async fn check_receipts(&mut self, outcome: &Outcome) -> Result<()> {
        self.screen.step("Every receipt that a client got, against the ledger under its cosigned checkpoint");
        let (ledger, size) = check::read_ledger(&self.cluster.client()?).await?;
        let checked = ledger.check(&self.workload, &outcome.acknowledged, 0);
        self.screen.note(&format!("{} entries read, root recomputed and verified at size {size}", checked.entries));
        self.screen.note(&format!(
            "{} receipts, {} decisions on the ledger: {} lost, {} doubled, {} foreign",
            checked.receipts, checked.decisions, checked.lost, checked.doubled, checked.foreign
        ));
        if let Some(first) = &checked.first {
            self.screen.note(&format!("wrong: {first}"));
        }
        let complete = checked.receipts == self.workload.len() as u64 && checked.decisions == checked.receipts;
        let value =
            format!("{} held against the ledger: {} lost, {} doubled", checked.receipts, checked.lost, checked.doubled);
        self.summary.check("receipts", value, checked.is_ok() && complete);
        Ok(())
    }

    fn finish(self, begun: Instant) -> Result<()> {
        let Demo { screen, mut summary, .. } = self;
        summary.figure("whole run", format!("{:.0} s", begun.elapsed().as_secs_f64()));
        screen.line("\nSummary");
        for line in summary.text().lines() {
            screen.line(line);
        }
        match summary.is_ok() {
            true => Ok(()),
            false => Err(DemoError::new(format!("failed: {}", summary.failed().join(", ")))),
        }
    }
}

/// The first sixteen digits: enough to compare by eye; all of them are compared.
fn short(bytes: &[u8]) -> String {
    hex::encode(bytes.get(..8).unwrap_or(bytes))
}

/// A path as it is passed to a command that runs in the cluster's folder.
fn within<'a>(path: &'a Path, folder: &Path) -> std::borrow::Cow<'a, str> {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy()
}
