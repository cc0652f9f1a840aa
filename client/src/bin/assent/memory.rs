//! `assent memory`: what agents keep for later; each access is decided and recorded.

use std::process::ExitCode;

use assent_client::v1;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::execution::{bytes_of, ruling};
use crate::output::CliError;

/// Memory commands.
#[derive(Debug, Subcommand)]
pub enum Memory {
    /// Keeps a value
    Write(WriteArgs),
    /// Reads a value
    Read(KeyArgs),
    /// Drops a value
    Forget(KeyArgs),
}

/// An entry of a namespace.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The namespace
    #[arg(value_name = "NAMESPACE")]
    namespace: String,
    /// The entry's name
    #[arg(value_name = "KEY")]
    key: String,
    /// The environment
    #[arg(long, default_value = "prod")]
    environment: String,
    /// The run [default: the principal's implicit run]
    #[arg(long, value_name = "ID", default_value = "")]
    run: String,
    /// The subject, asserted; only with tenant-wide credentials
    #[arg(long, default_value = "")]
    subject: String,
}

/// A value to keep.
#[derive(Debug, Args)]
pub struct WriteArgs {
    #[command(flatten)]
    entry: KeyArgs,
    /// The value as JSON, or @FILE; byte for byte
    #[arg(long, value_name = "JSON|@FILE")]
    value: String,
    /// How long it is to last [default: as long as the namespace lets it]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
    /// How sensitive it is: none, internal, confidential or secret
    #[arg(long, default_value = "")]
    classification: String,
}

fn parts(entry: KeyArgs) -> (Option<v1::MemoryAct>, String) {
    let act = v1::MemoryAct {
        environment: entry.environment,
        namespace: entry.namespace,
        subject: entry.subject,
        run_id: entry.run,
        trace_id: String::new(),
    };
    (Some(act), entry.key)
}

pub async fn run(context: &Context, command: Memory) -> Result<ExitCode, CliError> {
    let client = context.client()?;
    match command {
        Memory::Write(args) => {
            let (act, key) = parts(args.entry);
            let request = v1::MemoryWriteRequest {
                act,
                key,
                value: bytes_of(args.value)?.into(),
                ttl_seconds: args.ttl,
                classification: args.classification,
                ..v1::MemoryWriteRequest::default()
            };
            ruling(context, &client.memory_write(request, context.deadline()).await?)
        }
        Memory::Read(args) => {
            let (act, key) = parts(args);
            let request = v1::MemoryReadRequest { act, key, ..v1::MemoryReadRequest::default() };
            ruling(context, &client.memory_read(request, context.deadline()).await?)
        }
        Memory::Forget(args) => {
            let (act, key) = parts(args);
            let request = v1::MemoryForgetRequest { request_id: String::new(), act, key };
            ruling(context, &client.memory_forget(request, context.deadline()).await?)
        }
    }
}
