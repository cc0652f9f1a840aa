//! `assent evaluate` and `assent status`: decisions, one or many, with their receipts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assent_client::{Client, ClientError, v1};
use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::context::Context;
use crate::decision::{human, one_line, to_json, verdict_name};
use crate::envelope::EnvelopeArgs;
use crate::files;
use crate::output::{CliError, fields, warn};

/// Requests in one call.
const CHUNK: usize = 256;

/// The exit code for "not allowed".
pub const NOT_ALLOWED: u8 = 3;

/// One action, or a file of them.
#[derive(Debug, Args)]
pub struct Evaluate {
    /// The tool
    #[arg(long, required_unless_present = "many")]
    tool: Option<String>,
    /// The tool's arguments as JSON, or @FILE; sent byte for byte
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    inputs: String,
    /// The environment
    #[arg(long, default_value = "prod")]
    environment: String,
    /// The run [default: the principal's implicit run]
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    run: String,
    /// The trace
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    trace: String,
    /// The subject, asserted; only with tenant-wide credentials
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
    /// The agent's name
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    agent_name: String,
    /// The agent's version
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    agent_version: String,
    /// The agent's instance
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    agent_instance: String,
    /// Media type of the inputs [default: application/json]
    #[arg(long, value_name = "TYPE", default_value = "", hide_default_value = true)]
    content_type: String,
    /// A file with one request per line: tool, inputs, environment, run_id, trace_id, subject, agent, request_id
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tool", "receipt_out"])]
    many: Option<PathBuf>,
    /// Keep the receipt in a new file
    #[arg(long, value_name = "FILE")]
    receipt_out: Option<PathBuf>,
    #[command(flatten)]
    envelope: EnvelopeArgs,
}

/// A request id.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The request id
    #[arg(value_name = "ID")]
    id: String,
    /// The subject that the request asserted, if it did
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
}

/// One line of a file of requests; fields that are not known here are left alone.
#[derive(Debug, Deserialize)]
struct Line<'a> {
    tool: String,
    #[serde(borrow)]
    inputs: &'a RawValue,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    run_id: String,
    #[serde(default)]
    trace_id: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    agent: LineAgent,
}

#[derive(Debug, Default, Deserialize)]
struct LineAgent {
    #[serde(default, alias = "agent_instance_id")]
    instance_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

pub async fn run(context: &Context, args: Evaluate) -> Result<ExitCode, CliError> {
    if let Some(file) = &args.many {
        context.must_be_fresh("each line of the file is a request of its own, and may name its request_id")?;
        return many(context, file, &args.environment).await;
    }
    if let Some(path) = &args.receipt_out {
        files::refuse_existing([path.as_path()])?;
    }
    let receipt_out = args.receipt_out.clone();
    let request = request(context, args)?;
    let client = context.client()?;
    let decision = client.evaluate(request, context.deadline()).await?;
    if let Some(path) = receipt_out {
        files::write_public(&path, &decision.response.receipt)?;
    }
    context.out().emit(&to_json(&decision), || human(&decision))?;
    Ok(if decision.is_allowed() { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALLOWED) })
}

/// What it would come to; exit codes as of `evaluate`.
pub async fn check(context: &Context, args: Evaluate) -> Result<ExitCode, CliError> {
    if args.many.is_some() || args.receipt_out.is_some() {
        return Err(CliError::Usage(
            "a check is of one action and has no receipt: leave --many and --receipt-out out".to_owned(),
        ));
    }
    let answer = context.client()?.check(request(context, args)?, context.deadline()).await?;
    let (verdict, effective) = (verdict_name(answer.verdict()), verdict_name(answer.effective()));
    let codes: Vec<Value> = answer.codes.iter().map(|c| json!({"number": c.number, "name": c.name})).collect();
    let value = json!({
        "verdict": verdict, "effective": effective, "codes": codes, "bundle": hex::encode(&answer.bundle_hash),
        "rules": answer.rules, "rules_total": answer.rules_total, "size": answer.size.to_string(),
    });
    let codes: Vec<String> = answer.codes.iter().map(|c| format!("{} {}", c.number, c.name)).collect();
    context.out().emit(&value, || {
        let observed = if effective == verdict { String::new() } else { format!(", {effective} is enforced") };
        fields(&[
            ("verdict", format!("{} (not recorded{observed})", verdict.to_ascii_uppercase())),
            ("codes", codes.join(", ")),
            ("rules", answer.rules.join(", ")),
            ("bundle", hex::encode(&answer.bundle_hash)),
            ("as of", format!("size {}", answer.size)),
        ])
    })?;
    Ok(if answer.effective() == v1::Verdict::Allow { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALLOWED) })
}

fn request(context: &Context, args: Evaluate) -> Result<v1::EvaluateRequest, CliError> {
    let inputs = match args.inputs.strip_prefix('@') {
        Some(path) => files::read(Path::new(path))?,
        None => args.inputs.into_bytes(),
    };
    let Some(tool) = args.tool else { return Err(CliError::Usage("give --tool".to_owned())) };
    Ok(v1::EvaluateRequest {
        request_id: context.request_id(),
        environment: args.environment,
        run_id: args.run,
        trace_id: args.trace,
        agent: agent(args.agent_instance, args.agent_name, args.agent_version),
        subject: args.subject,
        tool,
        content_type: args.content_type,
        inputs: inputs.into(),
        context: args.envelope.read()?,
    })
}

fn agent(instance_id: String, name: String, version: String) -> Option<v1::Agent> {
    let empty = instance_id.is_empty() && name.is_empty() && version.is_empty();
    (!empty).then_some(v1::Agent { instance_id, name, version })
}

async fn many(context: &Context, file: &Path, environment: &str) -> Result<ExitCode, CliError> {
    let text = String::from_utf8(files::read(file)?)
        .map_err(|_| CliError::Usage(format!("{} is not UTF-8", file.display())))?;
    let requests = parse_lines(&text, environment)?;
    let client = context.client()?;
    let (mut allowed, mut other, mut failed) = (0usize, 0usize, 0usize);
    for chunk in requests.chunks(CHUNK) {
        let results = client.evaluate_many(chunk.to_vec(), context.deadline()).await?;
        for (request, result) in chunk.iter().zip(results) {
            match result {
                Ok(decision) => {
                    if decision.is_allowed() {
                        allowed += 1
                    } else {
                        other += 1
                    }
                    let value = to_json(&decision);
                    context.out().emit(&value, || one_line(request, &decision))?;
                }
                Err(error) => {
                    failed += 1;
                    let recorded = if error.may_be_recorded() { "maybe" } else { "no" };
                    let id = request.request_id.as_str();
                    let value = json!({"request_id": id, "error": error.to_string(), "recorded": recorded});
                    context.out().emit(&value, || format!("error     {id}  {}  {error}", request.tool))?;
                }
            }
        }
    }
    warn(&format!("{allowed} allowed, {other} not allowed, {failed} failed"));
    Ok(match (failed, other) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(NOT_ALLOWED),
        _ => ExitCode::from(1),
    })
}

/// Reads the lines of a file of requests; inputs keep their exact bytes.
fn parse_lines(text: &str, environment: &str) -> Result<Vec<v1::EvaluateRequest>, CliError> {
    let mut requests = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line<'_> =
            serde_json::from_str(line).map_err(|e| CliError::Usage(format!("line {}: {e}", number + 1)))?;
        requests.push(v1::EvaluateRequest {
            request_id: if line.request_id.is_empty() { Client::request_id()? } else { line.request_id },
            environment: if line.environment.is_empty() { environment.to_owned() } else { line.environment },
            run_id: line.run_id,
            trace_id: line.trace_id,
            agent: agent(line.agent.instance_id, line.agent.name, line.agent.version),
            subject: line.subject,
            tool: line.tool,
            content_type: line.content_type,
            inputs: line.inputs.get().as_bytes().to_vec().into(),
            ..v1::EvaluateRequest::default()
        });
    }
    Ok(requests)
}

pub async fn status(context: &Context, args: StatusArgs) -> Result<(), CliError> {
    let client = context.client()?;
    let (answer, decision) = client.status(&args.id, &args.subject, context.deadline()).await?;
    let state = match answer.state() {
        v1::status_response::State::Unknown => "unknown",
        v1::status_response::State::Pending => "pending",
        v1::status_response::State::Committed => "committed",
        v1::status_response::State::Refused => "refused",
        v1::status_response::State::Unspecified => {
            return Err(ClientError::Protocol("the status has no state".to_owned()).into());
        }
    };
    let value = json!({
        "state": state, "seq": answer.seq.to_string(), "decision": decision.as_ref().map(to_json),
    });
    context.out().emit(&value, || match &decision {
        Some(decision) => format!("state     {state}\n{}", human(decision)),
        None if state == "committed" => format!("state  {state}\nseq    {}", answer.seq),
        None => format!("state  {state}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_keep_their_bytes() {
        let line = r#"{"tool":"t","inputs":{"b": 1.50, "a":"é"},"agent":{"agent_instance_id":"x"},"expect":"allow"}"#;
        let requests = parse_lines(&format!("{line}\n\n"), "prod").unwrap();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].inputs.as_ref(), r#"{"b": 1.50, "a":"é"}"#.as_bytes());
        assert_eq!(requests[0].environment, "prod");
        assert_eq!(requests[0].agent.as_ref().unwrap().instance_id, "x");
        assert!(parse_lines("{\"tool\":1}", "prod").is_err());
    }
}
