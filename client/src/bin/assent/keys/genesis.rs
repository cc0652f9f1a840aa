//! Creating a ledger on paper: the root key signs the parameters that every verifier will go by.

use std::path::{Path, PathBuf};

use assent_ledger::endorse::{GenesisParameters, sign_genesis, verify_genesis};
use assent_ledger::json;
use assent_ledger::seal::LedgerCreated;
use clap::Args;

use super::{endorse, warn_root};
use crate::context::Context;
use crate::files;
use crate::output::{CliError, fields};

/// Kernel of the nodes of this release; a node refuses a genesis that names another.
const KERNEL_VERSION: u32 = 1;

/// Seal intervals in the longest time between two seals, unless that is given.
const INTERVALS_MAX: u32 = 4;

/// A new ledger's parameters.
#[derive(Debug, Args)]
pub struct GenesisArgs {
    /// The root key's file
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The ledger's origin
    #[arg(long, value_name = "ORIGIN")]
    origin: String,
    /// Seal after this many entries of tenants
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    seal_entries: u32,
    /// Seal after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    seal_seconds: u32,
    /// Longest time between two seals; a ledger silent for longer has lost its tail [default: four times
    /// --seal-seconds]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    interval_max: Option<u32>,
    /// Nodes that must cosign a checkpoint: a majority of the nodes, such as 2 of 3
    #[arg(long, value_name = "NODES", value_parser = clap::value_parser!(u32).range(1..))]
    quorum: u32,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn genesis(context: &Context, args: &GenesisArgs) -> Result<(), CliError> {
    let origin = endorse::origin(&args.origin)?;
    let interval_max = args.interval_max.unwrap_or_else(|| args.seal_seconds.saturating_mul(INTERVALS_MAX));
    if args.seal_seconds > interval_max {
        return Err(CliError::Usage("--seal-seconds must be at most --interval-max".to_owned()));
    }
    let parameters = GenesisParameters {
        origin,
        kernel_version: KERNEL_VERSION,
        quorum: args.quorum,
        seal_entries: args.seal_entries,
        seal_seconds: args.seal_seconds,
        interval_max_seconds: interval_max,
    };
    let created = sign_genesis(&files::read_signing_key(&args.root)?, parameters);
    warn_root(&args.root);
    let mut bytes = canonical(&created)?;
    bytes.push(b'\n');
    files::write_public(&args.out, &bytes)?;
    print(context, &created)
}

/// Reads a genesis strictly and checks its signature by the root key that it names; whether that is the right one is the
/// caller's question.
pub fn read_genesis(path: &Path) -> Result<LedgerCreated, CliError> {
    let bytes = files::read(path)?;
    let bad = |what: String| CliError::Usage(format!("{}: {what}", path.display()));
    let value = json::parse(bytes.trim_ascii_end()).map_err(|e| bad(e.to_string()))?;
    let created = LedgerCreated::from_value(&value).map_err(|e| bad(e.to_string()))?;
    let unsigned = |_| bad("the genesis is not signed by the root key that it names; make it anew".to_owned());
    verify_genesis(&created.root_key, &created).map_err(unsigned)?;
    Ok(created)
}

/// The canonical body that goes on the ledger.
pub fn canonical(created: &LedgerCreated) -> Result<Vec<u8>, CliError> {
    created.to_value().to_bytes().map_err(|e| CliError::Failed(e.to_string()))
}

/// Whether a JSON document looks like a genesis, right or wrong.
pub fn is_genesis(bytes: &[u8]) -> bool {
    json::parse(bytes.trim_ascii_end()).is_ok_and(|value| value.get("root_key").is_some())
}

pub fn print(context: &Context, created: &LedgerCreated) -> Result<(), CliError> {
    let value = serde_json::from_slice(&canonical(created)?).unwrap_or_default();
    context.out().emit(&value, || {
        fields(&[
            ("origin", created.origin.to_string()),
            ("root key", created.root_key.to_string()),
            ("kernel", created.kernel_version.to_string()),
            ("quorum", format!("{} nodes cosign", created.quorum)),
            ("seals", format!("after {} entries or {} s", created.seal_entries, created.seal_seconds)),
            ("longest interval", format!("{} s", created.interval_max_seconds)),
        ])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_the_nodes() {
        assert_eq!(KERNEL_VERSION, assent_kernel::limits::KERNEL_VERSION);
    }
}
