//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Starts three nodes on this machine and measures how many decisions per second they commit, and at what cost.
#[derive(Debug, Parser)]
#[command(name = "assent-load")]
pub struct Options {
    /// Clients that ask at the same time, one connection each; several numbers are measured one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub clients: Vec<usize>,
    /// Decisions in one request: 1 is `Evaluate`, more is `EvaluateMany`.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32])]
    pub batch: Vec<usize>,
    /// How long each combination is measured, in seconds.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// How long each combination runs before it is measured, in seconds.
    #[arg(long, default_value_t = 2)]
    pub warm_up_seconds: u64,
    /// How long each fsync probe runs, in seconds.
    #[arg(long, default_value_t = 3)]
    pub probe_seconds: u64,
    /// Verify every receipt in the load generator; the nodes make them in any case.
    #[arg(long)]
    pub verify: bool,
    /// Measure instead what offering and activating a bundle of ten thousand rules does to the decisions of one node under load.
    #[arg(long)]
    pub activation: bool,
    /// The fleet whose tenant `acme` is asked for.
    #[arg(long, default_value = "examples/fleet")]
    pub fleet: PathBuf,
    /// Where assentd, assent and assent-verify are; by default beside this program.
    #[arg(long)]
    pub binaries: Option<PathBuf>,
    /// A folder on the disk to be measured; by default the system's folder for temporary files.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// The file that gets the report; by default it is printed.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// More environment for the nodes, `NAME=VALUE`; may be given several times.
    #[arg(long, value_parser = environment)]
    pub node_env: Vec<(String, String)>,
    /// A sentence for the report.
    #[arg(long)]
    pub note: Option<String>,
}

impl Options {
    /// How long each combination is measured.
    pub fn measured(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// How long each combination runs before it is measured.
    pub fn warm_up(&self) -> Duration {
        Duration::from_secs(self.warm_up_seconds)
    }
}

fn environment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
