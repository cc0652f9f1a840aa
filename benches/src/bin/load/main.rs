//! `assent-load`: three real nodes on this machine, driven by clients that ask for decisions, and what that costs.
//!
//! Every client has a connection of its own and sends its next request when the last is answered (closed loop). The nodes run with
//! their production defaults: TLS, fsync, receipts, seals, anchoring. Nodes and load generator share the machine.

mod activation;
mod drive;
mod machine;
mod options;
mod probe;
mod procfs;
mod report;

use clap::Parser;

use assent_fleet_demo::binaries::Binaries;
use assent_fleet_demo::cluster::{Cluster, ClusterSpec};
use assent_fleet_demo::error::{DemoError, Result};
use assent_fleet_demo::fleet::Fleet;

use drive::Phase;
use options::Options;
use report::Report;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("assent-load: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let wrap = |e: std::io::Error| DemoError::new(format!("a folder for the cluster: {e}"));
    let folder = match &options.dir {
        Some(dir) => tempfile::tempdir_in(dir).map_err(wrap)?,
        None => tempfile::tempdir().map_err(wrap)?,
    };
    let binaries = match &options.binaries {
        Some(dir) => Binaries::in_folder(dir)?,
        None => Binaries::find()?,
    };
    if options.activation {
        let text = activation::run(folder.path(), binaries, options).await?;
        return write(options, &text);
    }
    let mut report = Report::new(machine::describe(folder.path()));
    let fsync_before = probe::run(folder.path(), options)?;
    let spec = ClusterSpec {
        origin: "assent.example/load".to_owned(),
        environment: options.node_env.iter().cloned().collect(),
        ..ClusterSpec::new(folder.path().join("cluster"))
    };
    let mut cluster = Cluster::create(spec, binaries).await?;
    let fleet = Fleet::read(&options.fleet)?;
    fleet.settle(&cluster).await?;
    for batch in &options.batch {
        for clients in &options.clients {
            let phase = Phase { clients: *clients, batch: *batch, verify: options.verify };
            let result = drive::run(&mut cluster, phase, options).await?;
            println!("{}", report.add(result));
        }
    }
    cluster.wait_converged(1).await?;
    cluster.stop_all().await?;
    report.fsync(fsync_before, probe::run(folder.path(), options)?);
    write(options, &report.text(options))
}

/// Writes a report where it is asked for.
fn write(options: &Options, text: &str) -> Result<()> {
    match &options.out {
        Some(file) => std::fs::write(file, text).map_err(|e| DemoError::at(file, e)),
        None => {
            println!("{text}");
            Ok(())
        }
    }
}
