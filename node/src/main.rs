//! `assentd`: runs a node.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assent_node::config::Config;
use assent_node::identity::NodeIdentity;
use assent_node::{dev, serve};
use clap::{Args, Parser, Subcommand};

/// The node of Assent, a replicated, tamper-evident decision ledger.
#[derive(Parser)]
#[command(name = "assentd", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: DevArgs,
}

#[derive(Args)]
struct DevArgs {
    /// One voter with keys of its own, for a laptop; no configuration needed.
    #[arg(long)]
    dev: bool,
    /// Where the development node keeps its data.
    #[arg(long, default_value = ".assent/dev", requires = "dev")]
    data: PathBuf,
    /// First of the four ports on 127.0.0.1 that the development node listens on.
    #[arg(long, default_value_t = 7400, requires = "dev")]
    port: u16,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a node until it is told to stop.
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Makes the node's identity and prints its public part, for the root key to endorse.
    Init {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Also writes the public part to this file.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Looks at a configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Says whether a configuration can be used.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("ASSENT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,openraft=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("assentd: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), String> {
    match cli.command {
        Some(Command::Run { config }) => {
            let config = Config::load(&config).map_err(|e| e.to_string())?;
            block_on(serve::run(config))
        }
        Some(Command::Init { config, out }) => init(&config, out.as_deref()),
        Some(Command::Config { command: ConfigCommand::Check { config } }) => {
            Config::load(&config).map_err(|e| e.to_string())?;
            println!("{}: ok", config.display());
            Ok(())
        }
        None if cli.dev.dev => block_on(dev::run(cli.dev.data, cli.dev.port)),
        None => Err("say what to do: `assentd run --config FILE`, or `assentd --dev`; see `assentd --help`".to_owned()),
    }
}

fn block_on(work: impl Future<Output = Result<(), assent_node::node::StartError>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(work).map_err(|e| e.to_string())
}

fn init(config: &Path, out: Option<&Path>) -> Result<(), String> {
    let config = Config::load(config).map_err(|e| e.to_string())?;
    let identity = NodeIdentity::create(&config.data_dir).map_err(|e| e.to_string())?;
    let document = identity.public_json(&config.name, config.client_address(), config.peer_address());
    if let Some(out) = out {
        assent_node::files::write_durably(out, document.as_bytes(), 0o644)
            .map_err(|e| format!("cannot write {}: {e}", out.display()))?;
    }
    print!("{document}");
    Ok(())
}
