//! `assent memory`: what agents keep for later; each access is decided and recorded.

use std::process::ExitCode;

use assent_client::v1;
use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::context::Context;
use crate::execution::{bytes_of, ruling};
use crate::label::{LabelArgs, label};
use crate::output::CliError;

/// Memory commands.
#[derive(Debug, Subcommand)]
pub enum Memory {
    /// Keeps a value, or a reference to one that lies elsewhere
    Write(WriteArgs),
    /// Reads a value
    Read(ReadArgs),
    /// Asks to query a store that lies elsewhere; what it finds needs `assent memory release` before it is used
    Query(QueryArgs),
    /// Asks which of the items that a query has found may be used
    Release(ReleaseArgs),
    /// Drops a value
    Forget(KeyArgs),
    /// Keeps an entry or an external item from being read, or lets it be read again; a tenant's admin does so
    Quarantine(QuarantineArgs),
}

/// Who acts on which namespace.
#[derive(Debug, Args)]
pub struct ActArgs {
    /// The namespace
    #[arg(value_name = "NAMESPACE")]
    namespace: String,
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
}

/// An entry of a namespace.
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(flatten)]
    act: ActArgs,
    /// The entry's name
    #[arg(value_name = "KEY")]
    name: String,
}

/// A value to keep.
#[derive(Debug, Args)]
pub struct WriteArgs {
    #[command(flatten)]
    entry: KeyArgs,
    /// The value as JSON, or @FILE; byte for byte
    #[arg(long, value_name = "JSON|@FILE")]
    value: String,
    /// Media type of the value [default: application/json]
    #[arg(long, value_name = "TYPE", default_value = "", hide_default_value = true)]
    content_type: String,
    /// The value lies elsewhere, and what is given is a reference to it
    #[arg(long)]
    external: bool,
    /// How long it is to last [default: as long as the namespace lets it]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
    #[command(flatten)]
    labels: LabelArgs,
    /// How sensitive it is: none, internal, confidential or secret
    #[arg(long, default_value = "", hide_default_value = true)]
    classification: String,
}

/// A value to read.
#[derive(Debug, Args)]
pub struct ReadArgs {
    #[command(flatten)]
    entry: KeyArgs,
    /// The highest classification that this use admits [default: the namespace's]
    #[arg(long, value_name = "LEVEL", default_value = "", hide_default_value = true)]
    clearance: String,
}

/// A query to an external store.
#[derive(Debug, Args)]
pub struct QueryArgs {
    #[command(flatten)]
    act: ActArgs,
    /// The query as JSON, or @FILE; byte for byte
    #[arg(value_name = "JSON|@FILE")]
    query: String,
    /// Media type of the query [default: application/json]
    #[arg(long, value_name = "TYPE", default_value = "", hide_default_value = true)]
    content_type: String,
    /// The highest classification that this use admits [default: the namespace's]
    #[arg(long, value_name = "LEVEL", default_value = "", hide_default_value = true)]
    clearance: String,
}

/// What a query has found.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    act: ActArgs,
    /// The query's decision: the event id that `assent memory query` prints
    #[arg(long, value_name = "ID")]
    query: String,
    /// The items as a JSON list, or @FILE: each with id, and if it has any labels ("web:example.com") and classification
    #[arg(long, value_name = "JSON|@FILE")]
    items: String,
}

/// An item of a query's result, as the command line takes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    id: String,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    classification: String,
}

/// What is suspected, or cleared.
#[derive(Debug, Args)]
pub struct QuarantineArgs {
    /// The namespace
    #[arg(value_name = "NAMESPACE")]
    namespace: String,
    /// The entry's name, or the external item's id
    #[arg(value_name = "KEY")]
    name: String,
    /// The tenant
    #[arg(long)]
    tenant: String,
    /// The environment
    #[arg(long, default_value = "prod")]
    environment: String,
    /// Let it be read again
    #[arg(long)]
    lift: bool,
    /// Why, in words; kept as a payload of the entry
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    because: String,
}

fn act(args: ActArgs) -> Option<v1::MemoryAct> {
    Some(v1::MemoryAct {
        environment: args.environment,
        namespace: args.namespace,
        subject: args.subject,
        run_id: args.run,
        trace_id: args.trace,
    })
}

pub async fn run(context: &Context, command: Memory) -> Result<ExitCode, CliError> {
    let (client, deadline, request_id) = (context.client()?, context.deadline(), context.request_id());
    let answer = match command {
        Memory::Write(args) => client.memory_write(written(request_id, args)?, deadline).await?,
        Memory::Read(ReadArgs { entry, clearance }) => {
            let request = v1::MemoryReadRequest {
                request_id,
                act: act(entry.act),
                key: entry.name,
                clearance,
                ..v1::MemoryReadRequest::default()
            };
            client.memory_read(request, deadline).await?
        }
        Memory::Query(args) => {
            let request = v1::MemoryReadRequest {
                request_id,
                act: act(args.act),
                key: String::new(),
                query: bytes_of(args.query)?.into(),
                content_type: args.content_type,
                clearance: args.clearance,
            };
            client.memory_read(request, deadline).await?
        }
        Memory::Release(args) => {
            let items = items(&bytes_of(args.items)?)?;
            let (act, query_decision) = (act(args.act), args.query);
            let request = v1::MemoryReleaseRequest { request_id, act, query_decision, items };
            client.memory_release(request, deadline).await?
        }
        Memory::Forget(KeyArgs { act: who, name: key }) => {
            client.memory_forget(v1::MemoryForgetRequest { request_id, act: act(who), key }, deadline).await?
        }
        Memory::Quarantine(args) => {
            let request = v1::MemoryQuarantineRequest {
                request_id,
                tenant: args.tenant,
                environment: args.environment,
                namespace: args.namespace,
                key: args.name,
                quarantined: !args.lift,
                justification: args.because.into_bytes().into(),
            };
            client.memory_quarantine(request, deadline).await?
        }
    };
    ruling(context, &answer)
}

fn written(request_id: String, args: WriteArgs) -> Result<v1::MemoryWriteRequest, CliError> {
    Ok(v1::MemoryWriteRequest {
        request_id,
        act: act(args.entry.act),
        key: args.entry.name,
        content_type: args.content_type,
        value: bytes_of(args.value)?.into(),
        external: args.external,
        ttl_seconds: args.ttl,
        labels: args.labels.read()?,
        classification: args.classification,
    })
}

fn items(json: &[u8]) -> Result<Vec<v1::RetrievedItem>, CliError> {
    let items: Vec<Item> = serde_json::from_slice(json)
        .map_err(|e| CliError::Usage(format!("--items: {e}; give a list such as [{{\"id\": \"doc-1\"}}]")))?;
    let item = |item: Item| {
        let labels = item.labels.iter().map(|text| label(text)).collect::<Result<_, _>>()?;
        Ok(v1::RetrievedItem { id: item.id, labels, classification: item.classification })
    };
    items.into_iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_a_list_of_ids_with_labels() {
        let text = br#"[{"id":"doc-1"},{"id":"doc-2","labels":["rag:handbook"],"classification":"internal"}]"#;
        let read = items(text).unwrap();
        assert_eq!((read[0].id.as_str(), read[0].labels.len()), ("doc-1", 0));
        assert_eq!((read[1].labels[0].source.as_str(), read[1].classification.as_str()), ("rag", "internal"));
        for wrong in [&b"{}"[..], b"[{}]", br#"[{"id":"x","score":1}]"#, br#"[{"id":"x","labels":["x"]}]"#] {
            assert!(matches!(items(wrong), Err(CliError::Usage(_))));
        }
    }
}
