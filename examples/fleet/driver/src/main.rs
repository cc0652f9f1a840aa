//! `assent-fleet-demo`: the demonstration, and a cluster to play with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use assent_fleet_demo::binaries::Binaries;
use assent_fleet_demo::demo;
use assent_fleet_demo::error::{DemoError, Result};
use assent_fleet_demo::local;
use assent_fleet_demo::screen::Screen;
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// Exit code after Ctrl-C or SIGTERM, as shells have it.
const EXIT_INTERRUPTED: u8 = 130;
/// Longest wait for anything in the demonstration.
const PATIENCE: Duration = Duration::from_secs(60);

/// Drives a recorded fleet of agents through a three-node cluster, breaks it, and checks the record.
#[derive(Debug, Parser)]
#[command(name = "assent-fleet-demo", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// The fleet's folder, with fleet.json and workload.jsonl [default: the one of this checkout]
    #[arg(long, global = true, value_name = "DIR")]
    fleet: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole demonstration, in a scratch folder (this is the default)
    Demo(DemoArgs),
    /// Starts a cluster that goes on after this command
    Up(LocalArgs),
    /// Stops the cluster of `up`
    Down {
        #[command(flatten)]
        local: LocalArgs,
        /// Delete its data, too
        #[arg(long)]
        wipe: bool,
    },
    /// Drives the recorded calls through the cluster of `up`
    Drive {
        #[command(flatten)]
        local: LocalArgs,
        /// How many calls [default: as many as are recorded]
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        calls: usize,
    },
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// The folder to use; it must be empty or not there, and is kept [default: a scratch folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many calls [default: as many as are recorded]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    calls: usize,
    /// Workers for each credential
    #[arg(long, value_name = "N", default_value_t = 4)]
    lanes: usize,
    /// Calls in one request
    #[arg(long, value_name = "N", default_value_t = 4)]
    batch: usize,
    /// Keep the scratch folder
    #[arg(long)]
    keep: bool,
}

impl Default for DemoArgs {
    fn default() -> Self {
        DemoArgs { dir: None, calls: 0, lanes: 4, batch: 4, keep: false }
    }
}

#[derive(Debug, Args)]
struct LocalArgs {
    /// The cluster's folder
    #[arg(long, value_name = "DIR", default_value = ".assent/cluster")]
    dir: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&DemoError::new(format!("cannot start: {error}"))),
    };
    runtime.block_on(async {
        // Whatever ends first, everything that the other holds is dropped, and processes with it.
        tokio::select! {
            done = run(cli) => done.map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS),
            name = interrupted() => {
                eprintln!("\nassent-fleet-demo: {name}; every process that was started is stopped");
                ExitCode::from(EXIT_INTERRUPTED)
            }
        }
    })
}

fn fail(error: &DemoError) -> ExitCode {
    eprintln!("\nassent-fleet-demo: {error}");
    ExitCode::FAILURE
}

/// Waits for a signal that asks to end.
async fn interrupted() -> &'static str {
    let listen = |kind| signal(kind).ok();
    let (mut int, mut term, mut hup) =
        (listen(SignalKind::interrupt()), listen(SignalKind::terminate()), listen(SignalKind::hangup()));
    tokio::select! {
        Some(_) = next(&mut int) => "interrupted",
        Some(_) = next(&mut term) => "terminated",
        Some(_) = next(&mut hup) => "hung up",
        else => core::future::pending().await,
    }
}

async fn next(signal: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

async fn run(cli: Cli) -> Result<()> {
    let screen = Arc::new(Screen::default());
    let fleet = cli.fleet.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    match cli.command.unwrap_or(Command::Demo(DemoArgs::default())) {
        Command::Demo(args) => run_demo(args, fleet, screen).await,
        Command::Up(args) => local::up(&args.dir, &fleet, Binaries::find()?, &screen).await,
        Command::Down { local: args, wipe } => local::down(&args.dir, wipe, &screen).await,
        Command::Drive { local: args, calls } => {
            local::drive(&args.dir, &fleet, calls, Binaries::find()?, &screen).await
        }
    }
}

/// The scratch folder goes at the end unless something failed, it was named, or it is to be kept.
async fn run_demo(args: DemoArgs, fleet: PathBuf, screen: Arc<Screen>) -> Result<()> {
    let binaries = Binaries::find()?;
    let scratch = match &args.dir {
        Some(_) => None,
        None => {
            let made = tempfile::Builder::new().prefix("assent-demo-").tempdir();
            Some(made.map_err(|e| DemoError::new(format!("cannot make a scratch folder: {e}")))?)
        }
    };
    let dir = match (&args.dir, &scratch) {
        (Some(dir), _) => named(dir)?,
        (None, Some(scratch)) => named(scratch.path())?,
        (None, None) => return Err(DemoError::new("no folder")),
    };
    let options = demo::Options {
        dir: dir.clone(),
        fleet,
        calls: args.calls,
        lanes_per_credential: args.lanes,
        batch: args.batch,
        patience: PATIENCE,
    };
    let result = demo::run(&options, binaries, screen.clone()).await;
    match scratch {
        Some(scratch) if args.keep || result.is_err() => {
            let kept = scratch.keep();
            screen.line(&format!("\nEverything is kept in {}", kept.display()));
        }
        _ => {}
    }
    result
}

/// A folder that is made if it is not there and holds nothing, by its full path.
fn named(dir: &Path) -> Result<PathBuf> {
    let wrap = |e: std::io::Error| DemoError::at(dir, e);
    std::fs::create_dir_all(dir).map_err(wrap)?;
    if std::fs::read_dir(dir).map_err(wrap)?.next().is_some() {
        return Err(DemoError::at(dir, "not empty; name another folder for the demonstration"));
    }
    dir.canonicalize().map_err(wrap)
}
