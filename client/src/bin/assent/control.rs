//! `assent kill-switch`, `payload` and `kernel`: switches, erasure and versions.

use assent_client::v1;
use assent_ledger::hash::Hash;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::lists::{self, ListArgs};
use crate::output::CliError;
use crate::tenant::recorded;

/// Kill switch commands.
#[derive(Debug, Subcommand)]
pub enum KillSwitch {
    /// Stops an agent, a tool or the whole tenant at once
    Engage(SwitchArgs),
    /// Lets it go on
    Release(SwitchArgs),
    /// Lists those that were ever set
    List(ListArgs),
}

/// What is stopped, and why.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    /// The tenant
    #[arg(long)]
    tenant: String,
    /// Only this agent, by its subject
    #[arg(long, conflicts_with = "tool", value_name = "SUBJECT")]
    agent: Option<String>,
    /// Only this tool
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// Why, in words; kept as a payload of the entry
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    because: String,
}

/// Payload commands.
#[derive(Debug, Subcommand)]
pub enum Payload {
    /// Makes a payload unreadable for good; every proof stays valid
    Erase(EraseArgs),
}

/// What is erased, and why.
#[derive(Debug, Args)]
pub struct EraseArgs {
    /// Its tenant
    #[arg(long)]
    tenant: String,
    /// The entry that commits to it
    #[arg(long)]
    seq: u64,
    /// Its commitment, as `assent show` prints it
    #[arg(long, value_name = "HASH")]
    commitment: Hash,
    /// Why, in words; kept as a payload of the entry
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    because: String,
}

/// Kernel commands.
#[derive(Debug, Subcommand)]
pub enum Kernel {
    /// Makes another version of the kernel decide; every node must know it
    Activate {
        /// The version
        #[arg(value_name = "VERSION")]
        version: u32,
    },
}

pub async fn run_kill_switch(context: &Context, command: KillSwitch) -> Result<(), CliError> {
    let (engaged, args) = match command {
        KillSwitch::Engage(args) => (true, args),
        KillSwitch::Release(args) => (false, args),
        KillSwitch::List(args) => return lists::kill_switches(context, args).await,
    };
    let (target, name) = match (args.agent, args.tool) {
        (Some(agent), _) => ("agent", agent),
        (None, Some(tool)) => ("tool", tool),
        (None, None) => ("tenant", String::new()),
    };
    let what = if name.is_empty() { format!("tenant {}", args.tenant) } else { format!("{target} {name}") };
    let text = format!("kill switch of {what} {}", if engaged { "engaged" } else { "released" });
    let request = v1::SetKillSwitchRequest {
        request_id: context.request_id(),
        tenant: args.tenant,
        target: target.to_owned(),
        name,
        engaged,
        justification: args.because.into_bytes().into(),
    };
    recorded(context, &context.client()?.set_kill_switch(request, context.deadline()).await?, &text)
}

pub async fn run_payload(context: &Context, command: Payload) -> Result<(), CliError> {
    let Payload::Erase(args) = command;
    let text = format!("payload {} of entry {} erased", args.commitment, args.seq);
    let request = v1::ErasePayloadRequest {
        request_id: context.request_id(),
        tenant: args.tenant,
        seq: args.seq,
        commitment: args.commitment.as_bytes().to_vec().into(),
        justification: args.because.into_bytes().into(),
    };
    recorded(context, &context.client()?.erase_payload(request, context.deadline()).await?, &text)
}

pub async fn run_kernel(context: &Context, command: Kernel) -> Result<(), CliError> {
    let Kernel::Activate { version } = command;
    let request = v1::ActivateKernelVersionRequest { request_id: context.request_id(), version };
    let answer = context.client()?.activate_kernel_version(request, context.deadline()).await?;
    recorded(context, &answer, &format!("kernel version {version} activated"))
}
