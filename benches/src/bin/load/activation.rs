//! One node under load while the largest bundle is offered and activated: how long decisions take before, meanwhile and afterwards.
//!
//! Clients are closed loops with one decision a request. They go on through all stages; a request belongs to the stage in which it was
//! sent. The bundle is that of the calls' own tenant with 9,900 more rules (about other tools), so that from its activation on it decides.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use assent_benches::policy::acme_call;
use assent_client::{Client, Deadline, v1};
use assent_fleet_demo::binaries::Binaries;
use assent_fleet_demo::cluster::{Cluster, ClusterSpec};
use assent_fleet_demo::error::{DemoError, Result};
use assent_fleet_demo::fleet::{Fleet, token_file};
use assent_fleet_demo::histogram::Histogram;
use tokio::task::JoinSet;

use crate::drive::{CREDENTIAL, ENVIRONMENT, REQUEST_MAX, TENANT, Varied};
use crate::options::Options;

/// Rules that are added to the bundle of the calls.
const MORE_RULES: usize = 9_900;
/// The stages, in their order.
const STAGES: [&str; 5] = ["before", "while it is offered", "between", "while it is activated", "afterwards"];

/// The latencies of one stage, how long it lasted, and what was not allowed or failed in it.
#[derive(Debug, Clone, Default)]
struct Stage {
    latency: Histogram,
    lasted: Duration,
    not_allowed: u64,
    failed: u64,
}

/// Starts one node, measures, and gives the report's text.
pub async fn run(folder: &Path, binaries: Binaries, options: &Options) -> Result<String> {
    let spec = ClusterSpec {
        origin: "assent.example/activation".to_owned(),
        nodes: 1,
        environment: options.node_env.iter().cloned().collect(),
        ..ClusterSpec::new(folder.join("cluster"))
    };
    let mut cluster = Cluster::create(spec, binaries).await?;
    let fleet = Fleet::read(&options.fleet)?;
    fleet.settle(&cluster).await?;
    let source = larger(&options.fleet)?;
    let bytes = source.len();
    let mut text = String::new();
    for clients in &options.clients {
        let stages = measure(&cluster, *clients, &source, options).await?;
        report(&mut text, *clients, bytes, &stages);
    }
    cluster.stop_all().await?;
    Ok(text)
}

/// The bundle of the calls with more rules.
fn larger(fleet: &Path) -> Result<String> {
    let file = fleet.join("bundles/acme/bundle.yaml");
    let source = std::fs::read_to_string(&file).map_err(|e| DemoError::at(&file, e))?;
    let (head, rules) = source.split_once("\nrules:\n").ok_or_else(|| DemoError::new("the bundle has no rules"))?;
    let mut more = String::new();
    for n in 0..MORE_RULES {
        // Writing to a string cannot fail.
        let _ = writeln!(
            more,
            "  - {{id: more-{n}, match: {{action: never, parameters: {{subject: {{in: [s{n}]}}}}}}, decision: deny}}"
        );
    }
    Ok(format!("{head}\nrules:\n{more}{rules}"))
}

async fn measure(cluster: &Cluster, clients: usize, source: &str, options: &Options) -> Result<Vec<Stage>> {
    let stage = Arc::new(AtomicUsize::new(usize::MAX));
    let mut running = JoinSet::new();
    for number in 0..clients {
        let client = cluster.client_as(&token_file(cluster, CREDENTIAL), Some(TENANT))?;
        let calls = Varied::new(acme_call(), format!("activation-{clients}-{number}"));
        running.spawn(one(client, calls, stage.clone()));
    }
    tokio::time::sleep(options.warm_up()).await;
    let admin = cluster.client()?;
    // Another source each time: what was compiled once stays compiled.
    let source = format!("# with {clients} clients\n{source}");
    let mut lasted = Vec::new();
    let begin = |number: usize| {
        stage.store(number, Ordering::Relaxed);
        Instant::now()
    };
    let begun = begin(0);
    tokio::time::sleep(options.measured()).await;
    lasted.push(begun.elapsed());
    let begun = begin(1);
    let request = v1::OfferBundleRequest { tenant: TENANT.into(), source: source.into(), ..Default::default() };
    let offered = admin.offer_bundle(request, Deadline::after(REQUEST_MAX)).await?;
    lasted.push(begun.elapsed());
    let begun = begin(2);
    tokio::time::sleep(options.measured()).await;
    lasted.push(begun.elapsed());
    let begun = begin(3);
    let request = v1::ActivateBundleRequest {
        tenant: TENANT.into(),
        environment: ENVIRONMENT.into(),
        bundle_hash: offered.bundle_hash,
        ..Default::default()
    };
    admin.activate_bundle(request, Deadline::after(REQUEST_MAX)).await?;
    lasted.push(begun.elapsed());
    let begun = begin(4);
    tokio::time::sleep(options.measured()).await;
    lasted.push(begun.elapsed());
    stage.store(STAGES.len(), Ordering::Relaxed);
    let mut stages = vec![Stage::default(); STAGES.len()];
    while let Some(counted) = running.join_next().await {
        let counted = counted.map_err(|e| DemoError::new(format!("a client failed: {e}")))?;
        for (sum, part) in stages.iter_mut().zip(&counted) {
            sum.latency.merge(&part.latency);
            sum.not_allowed += part.not_allowed;
            sum.failed += part.failed;
        }
    }
    stages.iter_mut().zip(lasted).for_each(|(stage, lasted)| stage.lasted = lasted);
    Ok(stages)
}

/// One client; gives what it counted in each stage.
async fn one(client: Client, mut calls: Varied, stage: Arc<AtomicUsize>) -> Vec<Stage> {
    let mut stages = vec![Stage::default(); STAGES.len()];
    loop {
        let (number, begun) = (stage.load(Ordering::Relaxed), Instant::now());
        let answer = client.evaluate(calls.next(), Deadline::after(REQUEST_MAX)).await;
        if number == STAGES.len() {
            return stages;
        }
        let Some(counted) = stages.get_mut(number) else { continue };
        counted.latency.record(begun.elapsed());
        match answer {
            Ok(decision) => counted.not_allowed += u64::from(!decision.is_allowed()),
            Err(_) => counted.failed += 1,
        }
    }
}

fn report(text: &mut String, clients: usize, bytes: usize, stages: &[Stage]) {
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    let _ =
        writeln!(text, "\nOne node, {clients} clients, a bundle of {bytes} bytes offered and activated under load:\n");
    let _ = writeln!(text, "| stage | lasted ms | decisions | p50 ms | p99 ms | longest ms | not allowed | failed |");
    let _ = writeln!(text, "|---|--:|--:|--:|--:|--:|--:|--:|");
    for (name, stage) in STAGES.iter().zip(stages) {
        let Stage { latency, lasted, not_allowed, failed } = stage;
        let [p50, p99] = [500, 990].map(|per_mille| millis(latency.percentile(per_mille)));
        let _ = writeln!(
            text,
            "| {name} | {:.1} | {} | {p50:.2} | {p99:.2} | {:.2} | {not_allowed} | {failed} |",
            millis(*lasted),
            latency.count(),
            millis(latency.longest()),
        );
    }
}
