//! `assent redeem` and `assent complete`: from a decision to what came of it.

use std::path::Path;
use std::process::ExitCode;

use assent_client::v1;
use assent_ledger::hash::Hash;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::context::Context;
use crate::decision::verdict_name;
use crate::evaluate::NOT_ALLOWED;
use crate::files;
use crate::label::LabelArgs;
use crate::lists::{self, ListArgs};
use crate::output::{CliError, fields};

/// A decision, as `assent evaluate` prints it.
#[derive(Debug, Args)]
pub struct DecisionArgs {
    /// The decision's id
    #[arg(value_name = "DECISION")]
    decision: String,
    /// Its entry
    #[arg(long)]
    seq: u64,
}

/// What is about to run.
#[derive(Debug, Args)]
pub struct RedeemArgs {
    #[command(flatten)]
    of: DecisionArgs,
    /// The salt that came with the decision, hexadecimal
    #[arg(long, value_name = "HEX")]
    salt: String,
    /// The tool that is about to run
    #[arg(long)]
    tool: String,
    /// Its arguments as JSON, or @FILE; byte for byte as they were evaluated
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    inputs: String,
    /// The environment
    #[arg(long, default_value = "prod")]
    environment: String,
    /// The subject, asserted; only with tenant-wide credentials
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
    /// Media type of the inputs [default: application/json]
    #[arg(long, value_name = "TYPE", default_value = "", hide_default_value = true)]
    content_type: String,
    /// On whose behalf it was asked, from the nearest to the origin; may be repeated
    #[arg(long = "on-behalf-of", value_name = "SUBJECT")]
    on_behalf_of: Vec<String>,
    /// Which executor this is, when the decision names one
    #[arg(long, default_value = "", hide_default_value = true)]
    audience: String,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Ended {
    /// As it should
    Success,
    /// It failed
    Failure,
    /// Nobody knows: it may have happened
    Unknown,
}

/// What came of it.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    #[command(flatten)]
    of: DecisionArgs,
    /// How it ended
    #[arg(long, value_enum)]
    status: Ended,
    /// What the tool returned, or @FILE; byte for byte
    #[arg(long, value_name = "TEXT|@FILE", default_value = "", hide_default_value = true)]
    output: String,
    /// Media type of the output [default: application/json]
    #[arg(long, value_name = "TYPE", default_value = "", hide_default_value = true)]
    content_type: String,
    /// The output as it may be shown, or @FILE [default: nothing was redacted]
    #[arg(long, value_name = "TEXT|@FILE")]
    redacted: Option<String>,
    #[command(flatten)]
    labels: LabelArgs,
    /// An obligation that was fulfilled, with the SHA-256 of the proof; may be repeated
    #[arg(long, value_name = "KIND=HASH")]
    fulfilled: Vec<String>,
    /// Tokens that it used [default: what was set aside]
    #[arg(long, value_name = "COUNT")]
    tokens: Option<u64>,
    /// What it cost, in millionths of a US dollar [default: what was set aside]
    #[arg(long, value_name = "MICRO_USD")]
    cost: Option<u64>,
    /// How long it took, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    duration_ms: u64,
}

/// Commands about outstanding decisions.
#[derive(Debug, Subcommand)]
pub enum Intents {
    /// Lists them; `--status redeemed` those that were started and of which nobody said what came
    List(ListArgs),
}

pub async fn intents(context: &Context, command: Intents) -> Result<(), CliError> {
    let Intents::List(args) = command;
    lists::intents(context, args).await
}

/// Text as it stands, or the bytes of @FILE.
pub fn bytes_of(text: String) -> Result<Vec<u8>, CliError> {
    match text.strip_prefix('@') {
        Some(path) => files::read(Path::new(path)),
        None => Ok(text.into_bytes()),
    }
}

pub async fn redeem(context: &Context, args: RedeemArgs) -> Result<ExitCode, CliError> {
    let salt = hex::decode(&args.salt).map_err(|_| CliError::Usage("--salt must be hexadecimal".to_owned()))?;
    let call = v1::EvaluateRequest {
        environment: args.environment,
        subject: args.subject,
        tool: args.tool,
        content_type: args.content_type,
        inputs: bytes_of(args.inputs)?.into(),
        context: (!args.on_behalf_of.is_empty())
            .then(|| v1::CallContext { on_behalf_of: args.on_behalf_of, ..v1::CallContext::default() }),
        ..v1::EvaluateRequest::default()
    };
    let request = v1::RedeemRequest {
        request_id: context.request_id(),
        decision_id: args.of.decision,
        seq: args.of.seq,
        request_hash: Vec::new().into(),
        call: Some(call),
        request_salt: salt.into(),
        audience: args.audience,
    };
    ruling(context, &context.client()?.redeem(request, context.deadline()).await?)
}

pub async fn complete(context: &Context, args: CompleteArgs) -> Result<ExitCode, CliError> {
    let status = match args.status {
        Ended::Success => v1::Completion::Success,
        Ended::Failure => v1::Completion::Failure,
        Ended::Unknown => v1::Completion::Unknown,
    };
    // Who reports one figure reports both: what is not given was not used.
    let used = (args.tokens.is_some() || args.cost.is_some())
        .then(|| v1::Usage { tokens: args.tokens.unwrap_or(0), cost_micro_usd: args.cost.unwrap_or(0) });
    let request = v1::CompleteRequest {
        request_id: context.request_id(),
        decision_id: args.of.decision,
        seq: args.of.seq,
        status: status.into(),
        duration_ms: args.duration_ms,
        content_type: args.content_type,
        output: bytes_of(args.output)?.into(),
        redacted: args.redacted.map(bytes_of).transpose()?.map(Into::into),
        taint: args.labels.read()?,
        fulfilled: args.fulfilled.iter().map(|text| fulfilled(text)).collect::<Result<_, _>>()?,
        usage: used,
    };
    ruling(context, &context.client()?.complete(request, context.deadline()).await?)
}

fn fulfilled(text: &str) -> Result<v1::FulfilledObligation, CliError> {
    let wrong =
        || CliError::Usage(format!("--fulfilled {text}: give KIND=HASH, the hash as 64 hexadecimal characters"));
    let (kind, proof) = text.split_once('=').ok_or_else(wrong)?;
    let proof: Hash = proof.parse().map_err(|_| wrong())?;
    Ok(v1::FulfilledObligation { kind: kind.to_owned(), proof: proof.as_bytes().to_vec().into() })
}

/// Shows a ruling; what is not allowed exits as of `evaluate`.
pub fn ruling(context: &Context, ruling: &v1::RulingResponse) -> Result<ExitCode, CliError> {
    let verdict = match ruling.verdict() {
        v1::Verdict::Unspecified => "recorded".to_owned(),
        verdict => verdict_name(verdict),
    };
    let codes: Vec<Value> = ruling.codes.iter().map(|c| json!({"number": c.number, "name": c.name})).collect();
    let details: serde_json::Map<String, Value> =
        ruling.details.iter().map(|d| (d.name.clone(), json!(d.value))).collect();
    let value = json!({
        "verdict": verdict, "codes": codes, "seq": ruling.seq.to_string(), "event_id": ruling.event_id,
        "details": details, "value": String::from_utf8_lossy(&ruling.value), "replayed": ruling.replayed, "request_id": ruling.request_id,
    });
    context.out().emit(&value, || {
        let codes: Vec<String> = ruling.codes.iter().map(|c| format!("{} {}", c.number, c.name)).collect();
        let mut pairs = vec![("verdict", verdict.to_ascii_uppercase()), ("codes", codes.join(", "))];
        pairs.push(("entry", ruling.seq.to_string()));
        let value = String::from_utf8_lossy(&ruling.value).into_owned();
        pairs.extend((!value.is_empty()).then_some(("value", value)));
        pairs.extend(ruling.details.iter().map(|d| (d.name.as_str(), d.value.clone())));
        fields(&pairs)
    })?;
    let stopped = matches!(ruling.verdict(), v1::Verdict::Deny | v1::Verdict::Escalate | v1::Verdict::Compute);
    Ok(if stopped { ExitCode::from(NOT_ALLOWED) } else { ExitCode::SUCCESS })
}
