//! `assent message`: signed messages between agents, and the keys that sign them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use assent_client::v1;
use assent_ledger::hash::sha256;
use assent_ledger::ids::{TenantId, Time};
use assent_ledger::message::{MessageText, RotationText};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::execution::{bytes_of, ruling};
use crate::files;
use crate::output::CliError;

const SCHEMA_VERSION: &str = "v1";
const PROTOCOL: &str = "1.0";
const CONTENT_TYPE: &str = "application/json";

/// Message commands.
#[derive(Debug, Subcommand)]
pub enum Message {
    /// Signs a message and records it before it is delivered
    Send(SendArgs),
    /// Makes a key known with which an agent signs
    RegisterKey(KeyArgs),
    /// Puts a key in the place of another one, which signs for it
    RotateKey(RotateArgs),
}

/// A message.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// The tenant of both
    #[arg(long)]
    tenant: String,
    /// Who sends
    #[arg(long)]
    sender: String,
    /// Who is to receive
    #[arg(long)]
    recipient: String,
    /// The content, or @FILE; byte for byte
    #[arg(long, value_name = "JSON|@FILE")]
    payload: String,
    /// The sender's run [default: its implicit run]
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// The run in which the recipient is to act on it
    #[arg(long, value_name = "ID")]
    recipient_run: Option<String>,
    /// What the sender lets the recipient do; may be repeated
    #[arg(long = "capability", value_name = "NAME")]
    capabilities: Vec<String>,
    /// Seconds after which it is not accepted any more
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    expires: u64,
    /// The registered key's name
    #[arg(long)]
    key_id: String,
    /// The key that signs: a file with 32 bytes in hexadecimal, mode 0600
    #[arg(long, value_name = "FILE")]
    signing_key: PathBuf,
}

/// An agent's key.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The agent's tenant
    #[arg(long)]
    tenant: String,
    /// The agent
    #[arg(long)]
    subject: String,
    /// The key's name, unique for the agent
    #[arg(long)]
    key_id: String,
    /// The public key: hexadecimal or a .pub file
    #[arg(long, value_name = "PUB")]
    public_key: String,
}

/// A key that takes over.
#[derive(Debug, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    new: KeyArgs,
    /// The name of the key that ends
    #[arg(long)]
    old_key_id: String,
    /// The key that ends: a file with 32 bytes in hexadecimal, mode 0600
    #[arg(long, value_name = "FILE")]
    old_key: PathBuf,
}

pub async fn run(context: &Context, command: Message) -> Result<ExitCode, CliError> {
    let client = context.client()?;
    match command {
        Message::Send(args) => {
            let request = signed(context, args)?;
            ruling(context, &client.record_message(request, context.deadline()).await?)
        }
        Message::RegisterKey(args) => {
            let public_key = files::public_key(&args.public_key, Path::new("."))?;
            let request = v1::RegisterAgentKeyRequest {
                request_id: context.request_id(),
                tenant: args.tenant,
                subject: args.subject,
                key_id: args.key_id,
                public_key: public_key.as_bytes().to_vec().into(),
            };
            ruling(context, &client.register_agent_key(request, context.deadline()).await?)
        }
        Message::RotateKey(args) => {
            let request = rotation(context, args)?;
            ruling(context, &client.rotate_agent_key(request, context.deadline()).await?)
        }
    }
}

fn tenant(text: &str) -> Result<TenantId, CliError> {
    TenantId::new(text).map_err(|e| CliError::Usage(format!("--tenant: {e}")))
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

fn signed(context: &Context, args: SendArgs) -> Result<v1::RecordMessageRequest, CliError> {
    context.must_be_fresh("a message is signed anew, with a nonce of its own, each time")?;
    let (origin, _) = context.pinned()?;
    let (tenant, key) = (tenant(&args.tenant)?, files::read_signing_key(&args.signing_key)?);
    let payload = bytes_of(args.payload)?;
    let (time, payload_hash) = (now(), sha256(&[&payload]));
    let expires_at = Time(time.0.saturating_add(args.expires.saturating_mul(1_000_000)));
    let nonce = hex::encode(*files::random()?);
    let text = MessageText {
        origin: &origin,
        tenant: &tenant,
        schema_version: SCHEMA_VERSION,
        time,
        run_id: args.run.as_deref(),
        trace_id: None,
        protocol: PROTOCOL,
        capabilities: &args.capabilities,
        nonce: &nonce,
        expires_at,
        sender_instance: None,
        sender: &args.sender,
        recipient: &args.recipient,
        recipient_run: args.recipient_run.as_deref(),
        content_type: CONTENT_TYPE,
        payload_hash,
    };
    let signature = key.sign(&text.to_bytes());
    Ok(v1::RecordMessageRequest {
        request_id: context.request_id(),
        schema_version: SCHEMA_VERSION.to_owned(),
        time: time.to_string(),
        run_id: args.run.unwrap_or_default(),
        trace_id: String::new(),
        protocol: PROTOCOL.to_owned(),
        capabilities: args.capabilities,
        nonce,
        expires_at: expires_at.to_string(),
        sender_instance: String::new(),
        sender: args.sender,
        recipient: args.recipient,
        recipient_run_id: args.recipient_run.unwrap_or_default(),
        content_type: CONTENT_TYPE.to_owned(),
        payload: payload.into(),
        payload_hash: payload_hash.as_bytes().to_vec().into(),
        key_id: args.key_id,
        signature: signature.to_vec().into(),
        taint: Vec::new(),
    })
}

fn rotation(context: &Context, args: RotateArgs) -> Result<v1::RotateAgentKeyRequest, CliError> {
    let (origin, _) = context.pinned()?;
    let (tenant, old) = (tenant(&args.new.tenant)?, files::read_signing_key(&args.old_key)?);
    let new_key = files::public_key(&args.new.public_key, Path::new("."))?;
    let text = RotationText {
        origin: &origin,
        tenant: &tenant,
        subject: &args.new.subject,
        old_key_id: &args.old_key_id,
        new_key_id: &args.new.key_id,
        new_key,
    };
    let signature = old.sign(&text.to_bytes());
    Ok(v1::RotateAgentKeyRequest {
        request_id: context.request_id(),
        tenant: args.new.tenant,
        subject: args.new.subject,
        key_id: args.new.key_id,
        public_key: new_key.as_bytes().to_vec().into(),
        old_key_id: args.old_key_id,
        signature: signature.to_vec().into(),
    })
}
