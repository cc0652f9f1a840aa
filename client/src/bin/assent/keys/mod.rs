//! `assent keys`: single keys, a development set, and what the root key signs: the genesis, endorsements and retirements.

mod certificates;
mod dev;
mod endorse;
mod genesis;

pub use endorse::read_endorsements;
pub use genesis::{canonical as canonical_genesis, read_genesis};

use std::path::{Path, PathBuf};

use assent_ledger::ids::Origin;
use assent_ledger::keys::{PublicKey, Role, SecretKey};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::files;
use crate::identity::NodeIdentity;
use crate::output::{CliError, warn};

/// Key commands.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Makes a complete set for development and demos: keys, certificates and the operator's token
    Dev(dev::DevArgs),
    /// Makes a root key; do this on a machine that is never online
    Root(SingleArgs),
    /// Makes a log key, the same for all nodes
    Log(SingleArgs),
    /// Signs the parameters of a new ledger with the root key
    Genesis(genesis::GenesisArgs),
    /// Signs endorsements with the root key
    Endorse(endorse::EndorseArgs),
    /// Signs the retirement of a key with the root key
    Retire(endorse::RetireArgs),
    /// Shows a key file, identity file, genesis or list of endorsements; never a secret
    Show(endorse::ShowArgs),
    /// Puts endorsements and retirements on the ledger
    Submit(endorse::SubmitArgs),
}

/// One key.
#[derive(Debug, Args)]
pub struct SingleArgs {
    /// The secret key's file; the public key goes beside it with the ending .pub
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub async fn run(context: &Context, command: Keys) -> Result<(), CliError> {
    match command {
        Keys::Dev(args) => dev::run(context, &args),
        Keys::Root(args) => {
            single(context, &args.out)?;
            warn_root(&args.out);
            Ok(())
        }
        Keys::Log(args) => single(context, &args.out),
        Keys::Genesis(args) => genesis::genesis(context, &args),
        Keys::Endorse(args) => endorse::endorse(context, &args),
        Keys::Retire(args) => endorse::retire(context, &args),
        Keys::Show(args) => endorse::show(context, &args),
        Keys::Submit(args) => endorse::submit(context, &args).await,
    }
}

/// Makes one key pair; nothing is written when either file exists.
fn single(context: &Context, out: &Path) -> Result<(), CliError> {
    let public_path = out.with_extension("pub");
    if public_path == out {
        return Err(CliError::Usage("give the secret key's file another ending than .pub".to_owned()));
    }
    files::refuse_existing([out, &public_path])?;
    let public = write_pair(out, &public_path)?;
    let value = json!({"key": out, "public": public.to_string(), "public_file": public_path});
    context.out().emit(&value, || format!("{public}  {}", public_path.display()))
}

/// Makes a key pair in two new files and gives the public half.
fn write_pair(secret: &Path, public: &Path) -> Result<PublicKey, CliError> {
    let seed = files::random()?;
    let key = SecretKey::from_seed(&seed).public();
    files::write_secret(secret, &files::hex_line(&seed))?;
    files::write_public(public, format!("{key}\n").as_bytes())?;
    Ok(key)
}

/// The root key decides which keys are believed: say so wherever one is made or used.
fn warn_root(path: &Path) {
    let path = path.display();
    warn(&format!(
        "WARNING: {path} is the ROOT KEY of a ledger. Whoever has it can endorse keys that every verifier believes.\n\
         WARNING: keep it OFFLINE, in two places, and never on a node; only its .pub file is handed out."
    ));
}

/// The endorsements for founding a ledger: each signed by the root key, the log key and every node's two keys among
/// them, all from size 0. Canonical bodies, in the order of the file.
pub fn endorsements_for(
    path: &Path,
    origin: &Origin,
    root: &PublicKey,
    nodes: &[NodeIdentity],
) -> Result<Vec<Vec<u8>>, CliError> {
    let endorsed = endorse::read_endorsements(path, origin, root)?;
    let has = |role, key: Option<PublicKey>| {
        endorsed.iter().any(|e| e.role == role && e.from_size.0 == 0 && key.is_none_or(|key| e.public_key == key))
    };
    let missing = |what: String| CliError::Usage(format!("{}: no endorsement from size 0 for {what}", path.display()));
    if !has(Role::Log, None) {
        return Err(missing("a log key".to_owned()));
    }
    for node in nodes {
        if !has(Role::Cosigner, Some(node.cosigner)) || !has(Role::Receipt, Some(node.receipt)) {
            return Err(missing(format!("the keys of node {} ({})", node.node, node.name)));
        }
    }
    endorsed.into_iter().map(|body| endorse::Statement::Endorsed(body).canonical()).collect()
}
