//! `make up` and `make down`: a cluster to play with that outlives the command, and driving the workload through it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assent_client::{Client, Deadline, v1};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::binaries::Binaries;
use crate::check::DECISION_KIND;
use crate::cluster::{Cluster, ClusterSpec};
use crate::drive::{self, Progress};
use crate::error::{DemoError, Result};
use crate::fleet::{Fleet, token_file};
use crate::process;
use crate::screen::Screen;
use crate::workload::Workload;

/// How long a node may take to stop after SIGTERM.
const GRACE: Duration = Duration::from_secs(15);
/// How often a stopping process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Longest time to read what is on the ledger.
const READ_MAX: Duration = Duration::from_secs(120);

/// A cluster for playing: seals are less frequent than in the demonstration.
pub fn spec(dir: &Path) -> ClusterSpec {
    ClusterSpec { seal_seconds: 10, interval_max_seconds: 600, detached: true, ..ClusterSpec::new(dir) }
}

/// Starts the cluster in `dir`, or what of it does not run; founds it and settles the fleet if that is still to be done.
pub async fn up(dir: &Path, fleet: &Path, binaries: Binaries, screen: &Arc<Screen>) -> Result<()> {
    let fleet = Fleet::read(fleet)?;
    let mut cluster = if dir.join("cluster.json").exists() {
        resume(dir, binaries).await?
    } else if dir.join("keys").exists() {
        let text = "holds a cluster that was never finished; remove it: assent-fleet-demo down --wipe";
        return Err(DemoError::at(dir, text));
    } else {
        let shown = screen.clone();
        let echo: crate::commands::Echo = Arc::new(move |line| shown.command(line));
        Cluster::create(ClusterSpec { echo: Some(echo), ..spec(dir) }, binaries).await?
    };
    fleet.settle(&cluster).await?;
    describe(&mut cluster, &fleet, screen)?;
    cluster.detach();
    Ok(())
}

/// Starts what does not run. A cluster whose founding was interrupted is founded now.
async fn resume(dir: &Path, binaries: Binaries) -> Result<Cluster> {
    let spec = spec(dir);
    let mut cluster = Cluster::open(spec.clone(), binaries)?;
    cluster.start_all()?;
    cluster.wait_answering().await?;
    let infos = cluster.infos().await?;
    if infos.iter().all(|(_, info)| info.size == 0 && info.leader_id.is_empty()) {
        cluster.found(&spec).await?;
    }
    cluster.wait_ready().await?;
    Ok(cluster)
}

fn describe(cluster: &mut Cluster, fleet: &Fleet, screen: &Screen) -> Result<()> {
    screen.line("");
    for index in 0..cluster.nodes().len() {
        let pid = cluster.pid(index)?.unwrap_or(0);
        let node = cluster.node(index)?;
        let (name, endpoint, ports) = (&node.name, node.endpoint(), node.ports);
        let (http, http_api) = (ports.http, ports.http_api);
        screen.line(&format!("{name}  clients {endpoint}  metrics http://127.0.0.1:{http}/metrics  process {pid}"));
        screen.line(&format!("{name}  HTTP/JSON https://127.0.0.1:{http_api}/v1/openapi.json"));
    }
    screen.line("\nTalk to it:");
    screen.line(&format!("  export ASSENT_CONFIG={}", cluster.client_config().display()));
    screen.line("  assent cluster info --all");
    screen.line("  assent seals");
    let workload = Workload::read(&fleet.workload_file(), 1, 0)?;
    if let Some((_, call)) = workload.get(0) {
        let token = token_file(cluster, &call.token_name);
        screen.line(&format!("\nAsk for a decision as an agent of {}:", call.tenant));
        screen.line(&format!("  assent --token-file {} evaluate \\", token.display()));
        screen.line(&format!(
            "    --subject {} --environment {} --tool {} \\",
            call.subject, call.environment, call.tool
        ));
        screen.line(&format!("    --inputs '{}'", call.inputs.get().replace('\'', "'\\''")));
    }
    screen.line("\nDrive the recorded fleet through it: assent-fleet-demo drive");
    screen.line("Stop it, data is kept: make down");
    Ok(())
}

/// Stops exactly the processes that the pid files name and that are this cluster's nodes; with `wipe` deletes the folder, too.
pub async fn down(dir: &Path, wipe: bool, screen: &Screen) -> Result<()> {
    for (name, pid) in running(dir)? {
        process::signal(pid, "TERM")?;
        let config = config_of(dir, &name)?;
        let gone = ended_within(pid, &config, GRACE).await;
        if !gone {
            process::signal(pid, "KILL")?;
            if !ended_within(pid, &config, GRACE).await {
                return Err(DemoError::new(format!("{name} (process {pid}) does not end")));
            }
        }
        let how = if gone { "stopped" } else { "killed: it did not stop in time" };
        screen.line(&format!("{name} (process {pid}) {how}"));
    }
    // Nothing is deleted that is not certainly a cluster's folder, finished or not.
    let ours = dir.join("cluster.json").exists() || dir.join("keys/root.pub").exists();
    if wipe && ours {
        fs::remove_dir_all(dir).map_err(|e| DemoError::at(dir, e))?;
        screen.line(&format!("{} deleted", dir.display()));
    }
    Ok(())
}

/// The nodes of the cluster in a folder whose processes run.
fn running(dir: &Path) -> Result<Vec<(String, u32)>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return Ok(found) };
    for entry in entries {
        let name = entry.map_err(|e| DemoError::at(dir, e))?.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(dir.join(&name).join("assentd.pid")).unwrap_or_default();
        let Ok(pid) = text.trim().parse() else { continue };
        if process::runs(pid, &["assentd", &config_of(dir, &name)?]) {
            found.push((name, pid));
        }
    }
    found.sort();
    Ok(found)
}

/// The configuration as it stands in the command line of a node's process.
fn config_of(dir: &Path, name: &str) -> Result<String> {
    let file: PathBuf = dir.join(name).join("assentd.toml");
    let file = file.canonicalize().map_err(|e| DemoError::at(&file, e))?;
    Ok(file.to_string_lossy().into_owned())
}

async fn ended_within(pid: u32, config: &str, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while process::runs(pid, &["assentd", config]) {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK_EVERY).await;
    }
    true
}

/// Drives the workload through the cluster of [`up`] and reports.
pub async fn drive(dir: &Path, fleet: &Path, calls: usize, binaries: Binaries, screen: &Screen) -> Result<()> {
    let fleet = Fleet::read(fleet)?;
    let mut cluster = Cluster::open(spec(dir), binaries)?;
    if cluster.running().is_empty() {
        return Err(DemoError::at(dir, "no node runs; start the cluster first: make up"));
    }
    fleet.settle(&cluster).await?;
    let clients = fleet.clients(&cluster)?;
    let client = cluster.client()?;
    let before = decisions(&client).await?;
    // There are more decisions after a drive than it had passes: no two drives have a run in common.
    let workload = Arc::new(Workload::read(&fleet.workload_file(), calls, before)?);
    let (sender, progress) = watch::channel(Progress::default());
    let receipts = dir.join(format!("receipts-{before}.jsonl"));
    let options = drive::Options { lanes_per_credential: 4, batch: 8, patience: Duration::from_secs(60), receipts };
    let names: BTreeMap<_, _> = cluster.nodes().iter().map(|node| (node.id, node.name.clone())).collect();
    let outcome = tokio::select! {
        outcome = drive::drive(workload.clone(), &clients, &options, &sender) => outcome?,
        () = screen.show(progress, workload.len(), &names) => return Err(DemoError::new("the progress line ended")),
    };
    let rate = outcome.acknowledged.len() as f64 / outcome.elapsed.as_secs_f64();
    let millis = |per_mille| outcome.latency.percentile(per_mille).as_secs_f64() * 1e3;
    screen.line(&format!(
        "{} decisions in {:.1} s: {rate:.0}/s, p50 {:.1} ms, p99 {:.1} ms; receipts in {}",
        outcome.acknowledged.len(),
        outcome.elapsed.as_secs_f64(),
        millis(500),
        millis(990),
        options.receipts.display()
    ));
    let after = decisions(&client).await?;
    let planned = workload.len() as u64;
    if outcome.different > 0 {
        return Err(DemoError::new(format!(
            "{} decisions are not as expected: {}",
            outcome.different,
            outcome.differences.join("; ")
        )));
    }
    match after.checked_sub(before) {
        Some(new) if new == planned => Ok(()),
        _ => Err(DemoError::new(format!("{before} decisions before and {after} after, with {planned} calls"))),
    }
}

/// Decisions on the ledger.
async fn decisions(client: &Client) -> Result<u64> {
    let request = v1::EntriesRequest { r#type: DECISION_KIND.to_owned(), ..v1::EntriesRequest::default() };
    let mut entries = client.entries(request, Deadline::after(READ_MAX)).await?;
    let mut count = 0;
    while entries.next().await?.is_some() {
        count += 1;
    }
    Ok(count)
}
