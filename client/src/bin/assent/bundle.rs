//! `assent bundle`: offering and activating policy bundles.

use std::path::{Path, PathBuf};

use assent_client::{Client, v1};
use assent_ledger::entry::EntryView;
use assent_ledger::hash::Hash;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::files;
use crate::lists::{self, ListArgs};
use crate::output::CliError;
use crate::tenant::recorded;

/// Bundle commands.
#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Puts a bundle on the ledger without using it; prints its hash
    Offer(OfferArgs),
    /// Makes a bundle the active one of an environment
    Activate(ActivateArgs),
    /// Sets the rules that are asked before those of the active bundle; a file without rules takes them away
    Runtime(RuntimeArgs),
    /// Lists which bundle decides in which environment
    Active(ListArgs),
}

/// A bundle to offer.
#[derive(Debug, Args)]
pub struct OfferArgs {
    /// The bundle's file, or a folder with a bundle.yaml
    #[arg(value_name = "FILE|DIR")]
    source: PathBuf,
    /// Its tenant
    #[arg(long)]
    tenant: String,
}

/// A bundle to activate.
#[derive(Debug, Args)]
pub struct ActivateArgs {
    /// The hash of an offered bundle; or a file or folder, which is offered first
    #[arg(value_name = "HASH|FILE|DIR")]
    pub source: String,
    /// Its tenant
    #[arg(long)]
    pub tenant: String,
    /// The environment, such as prod
    #[arg(long)]
    pub environment: String,
}

/// Rules that are asked first.
#[derive(Debug, Args)]
pub struct RuntimeArgs {
    /// A YAML file with `rules`
    #[arg(value_name = "FILE")]
    source: PathBuf,
    /// Its tenant
    #[arg(long)]
    tenant: String,
    /// The environment, such as prod
    #[arg(long)]
    environment: String,
}

pub async fn run(context: &Context, command: Bundle) -> Result<(), CliError> {
    match command {
        Bundle::Offer(OfferArgs { source, tenant }) => {
            let source = read(&source)?;
            let (hash, seq) = offer(context, &context.client()?, &tenant, source).await?;
            let value = json!({"bundle": hash.to_string(), "first_seq": seq.to_string()});
            context.out().emit(&value, || format!("bundle {hash} offered to {tenant} (entry {seq})"))
        }
        Bundle::Runtime(RuntimeArgs { source, tenant, environment }) => {
            let text = format!("runtime rules of {environment} of {tenant} set");
            let source = files::read(&source)?.into();
            let request = v1::SetRuntimeRulesRequest { request_id: context.request_id(), tenant, environment, source };
            recorded(context, &context.client()?.set_runtime_rules(request, context.deadline()).await?, &text)
        }
        Bundle::Active(args) => lists::active_bundles(context, args).await,
        Bundle::Activate(args) => activate_source(context, args).await,
    }
}

/// Makes a bundle active, by its hash; a file or a folder is offered first.
pub async fn activate_source(context: &Context, args: ActivateArgs) -> Result<(), CliError> {
    let ActivateArgs { source, tenant, environment } = args;
    if let Ok(hash) = source.parse::<Hash>() {
        return activate(context, &context.client()?, tenant, environment, hash).await;
    }
    context.must_be_fresh("a file is offered and activated by two commands")?;
    // The file is read before anything is sent.
    let bytes = read(Path::new(&source))?;
    let client = context.client()?;
    let hash = offer(context, &client, &tenant, bytes).await?.0;
    activate(context, &client, tenant, environment, hash).await
}

/// The bundle that was active in an environment before the one that is active now, by the ledger's entries.
pub async fn previously_active(context: &Context, tenant: &str, environment: &str) -> Result<Hash, CliError> {
    let request = v1::EntriesRequest {
        tenant: tenant.to_owned(),
        r#type: "assent.bundle.activated".to_owned(),
        ..v1::EntriesRequest::default()
    };
    let mut entries = context.client()?.entries(request, context.deadline()).await?;
    let mut active: Vec<Hash> = Vec::new();
    while let Some(record) = entries.next().await? {
        let entry = EntryView::parse(&record.leaf).map_err(|e| CliError::Failed(e.to_string()))?;
        let body = entry.body_value().map_err(|e| CliError::Failed(e.to_string()))?;
        let hash = body.get("bundle").and_then(|value| value.as_hash());
        if body.get("environment").and_then(|value| value.as_str()) == Some(environment)
            && let Some(hash) = hash
            && active.last() != Some(&hash)
        {
            active.push(hash);
        }
    }
    let before = active.len().checked_sub(2).and_then(|at| active.get(at));
    before
        .copied()
        .ok_or_else(|| CliError::Failed(format!("no other bundle was active in {environment} of {tenant} before")))
}

async fn offer(context: &Context, client: &Client, tenant: &str, source: Vec<u8>) -> Result<(Hash, u64), CliError> {
    let request =
        v1::OfferBundleRequest { request_id: context.request_id(), tenant: tenant.to_owned(), source: source.into() };
    let answer = client.offer_bundle(request, context.deadline()).await?;
    let hash = answer.bundle_hash.as_ref().try_into().map(Hash);
    let hash = hash.map_err(|_| assent_client::ClientError::Protocol("the bundle's hash is malformed".to_owned()))?;
    Ok((hash, answer.command.map_or(0, |command| command.first_seq)))
}

async fn activate(
    context: &Context,
    client: &Client,
    tenant: String,
    environment: String,
    hash: Hash,
) -> Result<(), CliError> {
    let text = format!("bundle {hash} active in {environment} of {tenant}");
    let request = v1::ActivateBundleRequest {
        request_id: context.request_id(),
        tenant,
        environment,
        bundle_hash: hash.as_bytes().to_vec().into(),
    };
    let answer = client.activate_bundle(request, context.deadline()).await?;
    let value = json!({
        "bundle": hash.to_string(), "first_seq": answer.first_seq.to_string(), "replayed": answer.replayed,
    });
    context.out().emit(&value, || format!("{text} (entry {})", answer.first_seq))
}

/// The exact bytes of the file, or of the folder's bundle.yaml.
pub fn read(source: &Path) -> Result<Vec<u8>, CliError> {
    if source.is_dir() { files::read(&source.join("bundle.yaml")) } else { files::read(source) }
}
