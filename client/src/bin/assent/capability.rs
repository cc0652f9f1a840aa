//! `assent capability`: capabilities that are given for a time.

use std::process::ExitCode;

use assent_client::v1;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::execution::{bytes_of, ruling};
use crate::lists::{self, ListArgs};
use crate::output::CliError;

/// Capability commands.
#[derive(Debug, Subcommand)]
pub enum Capability {
    /// Lists leases
    List(ListArgs),
    /// Asks for a lease within a capability of the bundle that needs one
    Request(TermsArgs),
    /// Passes a lease, or a standing capability, on to another subject, narrowed
    Delegate(DelegateArgs),
    /// Takes a lease back, and everything that was passed on from it
    Revoke(RevokeArgs),
}

/// What a lease is to allow.
#[derive(Debug, Args)]
pub struct TermsArgs {
    /// The class of tools
    #[arg(value_name = "CLASS")]
    class: String,
    /// An action; may be repeated; * alone is every action that the capability covers
    #[arg(long = "action", value_name = "ACTION", required = true)]
    actions: Vec<String>,
    /// For how many calls
    #[arg(long, default_value_t = 1)]
    calls: u32,
    /// For how long
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    seconds: u32,
    /// The environment in whose bundle the capability lies
    #[arg(long, default_value = "prod")]
    environment: String,
    /// The run to which the lease is bound [default: every run of its holder]
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    run: String,
    /// What arguments must satisfy besides, as JSON or @FILE
    #[arg(long, value_name = "JSON|@FILE", default_value = "", hide_default_value = true)]
    constraints: String,
    /// The subject, asserted; only with tenant-wide credentials
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
    /// Why, in words; kept as a payload of the entry
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    because: String,
}

/// What is passed on, and to whom.
#[derive(Debug, Args)]
pub struct DelegateArgs {
    #[command(flatten)]
    terms: TermsArgs,
    /// Who gets it
    #[arg(long, value_name = "SUBJECT")]
    to: String,
    /// The lease that is passed on [default: a standing capability of the bundle]
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    lease: String,
}

/// A lease that ends.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The lease
    #[arg(value_name = "LEASE")]
    lease: String,
    /// Its tenant
    #[arg(long)]
    tenant: String,
    /// The subject, asserted; only with tenant-wide credentials of agents
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
    /// Why, in words; kept as a payload of the entry
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    because: String,
}

fn terms(args: TermsArgs) -> Result<(String, v1::GrantTerms), CliError> {
    let terms = v1::GrantTerms {
        environment: args.environment,
        run_id: args.run,
        class: args.class,
        actions: args.actions,
        constraints: bytes_of(args.constraints)?.into(),
        calls: args.calls,
        seconds: args.seconds,
        justification: args.because.into_bytes().into(),
    };
    Ok((args.subject, terms))
}

pub async fn run(context: &Context, command: Capability) -> Result<ExitCode, CliError> {
    let request_id = context.request_id();
    match command {
        Capability::List(args) => lists::leases(context, args).await.map(|()| ExitCode::SUCCESS),
        Capability::Request(args) => {
            let (subject, terms) = terms(args)?;
            let request = v1::RequestCapabilityRequest { request_id, subject, terms: Some(terms) };
            ruling(context, &context.client()?.request_capability(request, context.deadline()).await?)
        }
        Capability::Delegate(args) => {
            let (subject, terms) = terms(args.terms)?;
            let (lease_id, to) = (args.lease, args.to);
            let request = v1::DelegateRequest { request_id, subject, lease_id, to, terms: Some(terms) };
            ruling(context, &context.client()?.delegate(request, context.deadline()).await?)
        }
        Capability::Revoke(args) => {
            let request = v1::RevokeCapabilityRequest {
                request_id,
                tenant: args.tenant,
                subject: args.subject,
                lease_id: args.lease,
                justification: args.because.into_bytes().into(),
            };
            ruling(context, &context.client()?.revoke_capability(request, context.deadline()).await?)
        }
    }
}
