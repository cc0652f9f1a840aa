//! `assent keys dev`: everything that a cluster on one machine needs before its first start.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use assent_ledger::ids::Origin;
use clap::Args;
use serde_json::json;

use super::certificates::{Authority, Pair};
use super::{warn_root, write_pair};
use crate::context::Context;
use crate::files;
use crate::output::{CliError, table};

/// A development set.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// Folder for the files; made when it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The ledger's origin
    #[arg(long, value_name = "ORIGIN")]
    origin: String,
    /// Names of the nodes, with commas in between
    #[arg(long, value_name = "N1,N2,…", value_delimiter = ',', required = true)]
    nodes: Vec<String>,
    /// Hosts in the nodes' certificates: names or addresses; may be repeated
    #[arg(long = "host", value_name = "HOST", default_values_t = ["127.0.0.1".to_owned(), "localhost".to_owned()])]
    hosts: Vec<String>,
}

pub fn run(context: &Context, args: &DevArgs) -> Result<(), CliError> {
    let origin = Origin::new(args.origin.as_str()).map_err(|e| CliError::Usage(e.to_string()))?;
    check_names(&args.nodes)?;
    let plan = plan(&args.nodes);
    let paths: Vec<PathBuf> = plan.iter().map(|(name, _)| args.out.join(name)).collect();
    files::refuse_existing(paths.iter().map(PathBuf::as_path))?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&args.out)
        .map_err(|e| CliError::Failed(format!("cannot create {}: {e}", args.out.display())))?;
    let root = write_pair(&args.out.join("root.key"), &args.out.join("root.pub"))?;
    let log = write_pair(&args.out.join("log.key"), &args.out.join("log.pub"))?;
    files::write_secret(&args.out.join("storage.key"), &files::hex_line(&*files::random()?))?;
    files::write_secret(&args.out.join("operator.token"), &files::hex_line(&*files::random()?))?;
    certificates(&args.out, &origin, &args.nodes, &args.hosts)?;
    warn_root(&args.out.join("root.key"));
    let rows: Vec<Vec<String>> =
        plan.iter().map(|(name, what)| vec![args.out.join(name).display().to_string(), (*what).to_owned()]).collect();
    let value = json!({
        "origin": origin.as_str(),
        "root": root.to_string(),
        "log": log.to_string(),
        "files": paths,
    });
    context.out().emit(&value, || table(&["FILE", "WHAT"], &rows))
}

/// Every file that is written, and what it is.
fn plan(nodes: &[String]) -> Vec<(String, &'static str)> {
    let mut plan: Vec<(String, &'static str)> = [
        ("root.key", "root key: endorses all others; belongs offline"),
        ("root.pub", "public root key: what verifiers pin"),
        ("log.key", "log key, the same on all nodes"),
        ("log.pub", "public log key"),
        ("storage.key", "storage key, the same on all nodes"),
        ("ca.pem", "certificate authority"),
        ("ca.key", "key of the certificate authority; belongs offline"),
        ("client.pem", "operator's client certificate"),
        ("client.key", "its key"),
        ("operator.token", "operator's bearer token"),
    ]
    .map(|(name, what)| (name.to_owned(), what))
    .to_vec();
    for node in nodes {
        plan.push((format!("node-{node}.pem"), "node certificate"));
        plan.push((format!("node-{node}.key"), "its key"));
    }
    plan
}

fn certificates(out: &Path, origin: &Origin, nodes: &[String], hosts: &[String]) -> Result<(), CliError> {
    let authority = Authority::new(&format!("Assent development authority for {origin}"))?;
    write_certificate(out, "ca", &authority.pair())?;
    write_certificate(out, "client", &authority.leaf("operator", &[], "spiffe://assent/client/operator")?)?;
    for node in nodes {
        let pair = authority.leaf(node, hosts, &format!("spiffe://assent/node/{node}"))?;
        write_certificate(out, &format!("node-{node}"), &pair)?;
    }
    Ok(())
}

fn write_certificate(out: &Path, name: &str, pair: &Pair) -> Result<(), CliError> {
    files::write_secret(&out.join(format!("{name}.key")), pair.key.as_bytes())?;
    files::write_public(&out.join(format!("{name}.pem")), pair.cert.as_bytes())
}

fn check_names(nodes: &[String]) -> Result<(), CliError> {
    let ok = |name: &String| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (1..=32).contains(&name.len()) && name.bytes().all(plain)
    };
    if let Some(bad) = nodes.iter().find(|name| !ok(name)) {
        let text = format!("node name {bad:?} must have 1 to 32 lower-case letters, digits or -");
        return Err(CliError::Usage(text));
    }
    let mut sorted = nodes.to_vec();
    sorted.sort();
    sorted.dedup();
    if sorted.len() == nodes.len() { Ok(()) } else { Err(CliError::Usage("two nodes have the same name".to_owned())) }
}
