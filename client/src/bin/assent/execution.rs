//! `assent redeem` and `assent complete`: from a decision to what came of it.

use std::path::Path;
use std::process::ExitCode;

use assent_client::v1;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::context::Context;
use crate::evaluate::NOT_ALLOWED;
use crate::files;
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
    #[arg(long, default_value = "")]
    subject: String,
    /// Media type of the inputs [default: application/json]
    #[arg(long, value_name = "TYPE", default_value = "")]
    content_type: String,
    /// Which executor this is, when the decision names one
    #[arg(long, default_value = "")]
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
    #[arg(long, value_name = "TEXT|@FILE", default_value = "")]
    output: String,
    /// Media type of the output [default: application/json]
    #[arg(long, value_name = "TYPE", default_value = "")]
    content_type: String,
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
        ..v1::EvaluateRequest::default()
    };
    let request = v1::RedeemRequest {
        request_id: String::new(),
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
    let request = v1::CompleteRequest {
        decision_id: args.of.decision,
        seq: args.of.seq,
        status: status.into(),
        duration_ms: args.duration_ms,
        content_type: args.content_type,
        output: bytes_of(args.output)?.into(),
        ..v1::CompleteRequest::default()
    };
    ruling(context, &context.client()?.complete(request, context.deadline()).await?)
}

/// Shows a ruling; what is not allowed exits as of `evaluate`.
pub fn ruling(context: &Context, ruling: &v1::RulingResponse) -> Result<ExitCode, CliError> {
    let verdict = ruling.verdict().as_str_name().trim_start_matches("VERDICT_").to_ascii_lowercase();
    let verdict = if verdict == "unspecified" { "recorded".to_owned() } else { verdict };
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
