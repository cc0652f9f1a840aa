//! `assent seals`, `seal` and `checkpoint`.

use std::path::PathBuf;

use assent_client::v1;
use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::files;
use crate::output::{CliError, fields, table};
use crate::tenant::recorded;

/// Which seals.
#[derive(Debug, Args)]
pub struct SealsArgs {
    /// Only seals of at least this size
    #[arg(long, value_name = "SIZE", default_value_t = 0)]
    from: u64,
    /// At most this many [default: the node's limit]
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: u32,
}

/// A seal now.
#[derive(Debug, Args)]
pub struct SealArgs {}

/// The newest checkpoint.
#[derive(Debug, Args)]
pub struct CheckpointArgs {
    /// Keep the note in a new file: an outside anchor for the offline verifier
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub async fn list(context: &Context, args: SealsArgs) -> Result<(), CliError> {
    let seals = context.client()?.seals(args.from, args.limit, context.deadline()).await?;
    let yes = |b: bool| if b { "yes" } else { "no" }.to_owned();
    let rows: Vec<Vec<String>> = seals
        .iter()
        .map(|s| {
            let root = hex::encode(&s.root);
            let span = format!("{}-{}", s.start, s.size);
            vec![span, s.size.to_string(), s.reason.clone(), yes(s.cosigned), yes(s.anchored), root, s.sink_uri.clone()]
        })
        .collect();
    let value: Vec<serde_json::Value> = seals
        .iter()
        .map(|s| {
            json!({
                "start": s.start.to_string(), "size": s.size.to_string(), "root": hex::encode(&s.root),
                "reason": s.reason, "cosigned": s.cosigned, "anchored": s.anchored, "sink_uri": s.sink_uri,
                "checkpoint": String::from_utf8_lossy(&s.checkpoint), "manifest": String::from_utf8_lossy(&s.manifest),
            })
        })
        .collect();
    context
        .out()
        .emit(&value.into(), || table(&["SPAN", "SIZE", "REASON", "COSIGNED", "ANCHORED", "ROOT", "WHERE"], &rows))
}

pub async fn seal(context: &Context, _: SealArgs) -> Result<(), CliError> {
    let request = v1::SealNowRequest { request_id: context.request_id() };
    let answer = context.client()?.seal_now(request, context.deadline()).await?;
    recorded(context, &answer, "sealed")
}

pub async fn checkpoint(context: &Context, args: CheckpointArgs) -> Result<(), CliError> {
    if let Some(path) = &args.out {
        files::refuse_existing([path.as_path()])?;
    }
    let (client, trust) = context.verifying_client()?;
    let answer = client.checkpoint(context.deadline()).await?;
    let checked = trust.checkpoint(&client, &answer.note).await?;
    if let Some(path) = &args.out {
        files::write_public(path, &answer.note)?;
    }
    let checkpoint = checked.verified.checkpoint();
    let cosigners: Vec<String> = checked.cosigned.valid.iter().map(|c| c.node.to_string()).collect();
    let value = json!({
        "origin": checkpoint.origin.as_str(), "size": checkpoint.size.to_string(), "root": checkpoint.root.to_string(),
        "cosigners": cosigners, "note": String::from_utf8_lossy(&answer.note),
    });
    context.out().emit(&value, || {
        fields(&[
            ("checkpoint", "verified".to_owned()),
            ("ledger", checkpoint.origin.to_string()),
            ("size", checkpoint.size.to_string()),
            ("root", checkpoint.root.to_string()),
            ("cosigned by", cosigners.join(", ")),
        ])
    })
}
