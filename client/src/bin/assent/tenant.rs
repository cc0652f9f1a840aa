//! `assent tenant`, `principal` and `credential`: the administrative commands, each one an entry on the ledger.

use std::path::PathBuf;

use assent_client::v1;
use assent_ledger::hash::sha256;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::files;
use crate::lists::{self, ListArgs};
use crate::output::CliError;

/// Tenant commands.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Creates a tenant
    Create {
        /// Its name: lower-case letters, digits and . _ -
        #[arg(value_name = "TENANT")]
        tenant: String,
    },
    /// Sets how it is decided for; what is not given is off
    Configure {
        /// Its name
        #[arg(value_name = "TENANT")]
        tenant: String,
        /// Policy is recorded and not enforced
        #[arg(long)]
        observe: bool,
        /// Only proven subjects may act, not those that a tenant-wide credential states
        #[arg(long)]
        require_attested: bool,
    },
    /// Switches it off: everything is denied
    Disable {
        /// Its name
        #[arg(value_name = "TENANT")]
        tenant: String,
    },
    /// Switches it on again
    Enable {
        /// Its name
        #[arg(value_name = "TENANT")]
        tenant: String,
    },
}

/// Principal commands.
#[derive(Debug, Subcommand)]
pub enum Principal {
    /// Registers an agent or a person
    Register(RegisterArgs),
    /// Disables a principal: its requests are denied from then on
    Disable(SubjectArgs),
    /// Lets a disabled principal act again
    Enable(SubjectArgs),
    /// Lists principals
    List(ListArgs),
}

/// A new principal.
#[derive(Debug, Args)]
pub struct RegisterArgs {
    #[command(flatten)]
    who: SubjectArgs,
    /// Who answers for it
    #[arg(long, default_value = "", hide_default_value = true)]
    owner: String,
}

/// A principal of a tenant.
#[derive(Debug, Args)]
pub struct SubjectArgs {
    /// The principal, as a rule a SPIFFE id
    #[arg(value_name = "SUBJECT")]
    subject: String,
    /// Its tenant
    #[arg(long)]
    tenant: String,
}

/// Credential commands.
#[derive(Debug, Subcommand)]
pub enum Credential {
    /// Makes a token here and registers its hash; the token itself never leaves this machine
    Issue(IssueArgs),
    /// Revokes a credential
    Revoke {
        /// Its tenant; - for the system's
        #[arg(long)]
        tenant: String,
        /// Its name
        #[arg(long)]
        name: String,
    },
}

/// Roles of credentials.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Role {
    /// Asks for decisions
    Agent,
    /// Administers one tenant
    TenantAdmin,
    /// Answers escalations
    Approver,
    /// Reads everything
    Auditor,
    /// Reports signals about agents: risk, queues, budgets
    Reporter,
    /// Administers the ledger
    Operator,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Role::Agent => "agent",
            Role::TenantAdmin => "tenant-admin",
            Role::Approver => "approver",
            Role::Auditor => "auditor",
            Role::Reporter => "reporter",
            Role::Operator => "operator",
        }
    }
}

/// A new credential.
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// Its tenant; - for operators and auditors of the ledger
    #[arg(long)]
    tenant: String,
    /// Its name
    #[arg(long)]
    name: String,
    /// What it may do
    #[arg(long, value_enum)]
    role: Role,
    /// The principal that it stands for [default: tenant-wide, the subject is asserted with each request]
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
    /// File for the token, mode 0600
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub async fn run_tenant(context: &Context, command: Tenant) -> Result<(), CliError> {
    let (client, request_id) = (context.client()?, context.request_id());
    let (answer, text) = match command {
        Tenant::Create { tenant } => {
            let text = format!("tenant {tenant} created");
            let request = v1::CreateTenantRequest { request_id, tenant };
            (client.create_tenant(request, context.deadline()).await?, text)
        }
        Tenant::Configure { tenant, observe, require_attested } => {
            let mode = if observe { "only observed" } else { "enforced" };
            let text = format!("tenant {tenant} configured: policy is {mode}");
            let request = v1::ConfigureTenantRequest { request_id, tenant, observe, require_attested };
            (client.configure_tenant(request, context.deadline()).await?, text)
        }
        Tenant::Disable { tenant } => {
            let text = format!("tenant {tenant} disabled");
            let request = v1::SetTenantDisabledRequest { request_id, tenant, disabled: true };
            (client.set_tenant_disabled(request, context.deadline()).await?, text)
        }
        Tenant::Enable { tenant } => {
            let text = format!("tenant {tenant} enabled");
            let request = v1::SetTenantDisabledRequest { request_id, tenant, disabled: false };
            (client.set_tenant_disabled(request, context.deadline()).await?, text)
        }
    };
    recorded(context, &answer, &text)
}

pub async fn run_principal(context: &Context, command: Principal) -> Result<(), CliError> {
    let client = context.client()?;
    match command {
        Principal::Register(RegisterArgs { who: SubjectArgs { subject, tenant }, owner }) => {
            let text = format!("principal {subject} of {tenant} registered");
            let request = v1::RegisterPrincipalRequest { request_id: context.request_id(), tenant, subject, owner };
            let answer = client.register_principal(request, context.deadline()).await?;
            recorded(context, &answer, &text)
        }
        Principal::List(args) => lists::principals(context, args).await,
        Principal::Enable(SubjectArgs { subject, tenant }) => {
            let text = format!("principal {subject} of {tenant} enabled");
            let request = v1::EnablePrincipalRequest { request_id: context.request_id(), tenant, subject };
            recorded(context, &client.enable_principal(request, context.deadline()).await?, &text)
        }
        Principal::Disable(SubjectArgs { subject, tenant }) => {
            let text = format!("principal {subject} of {tenant} disabled");
            let request = v1::DisablePrincipalRequest { request_id: context.request_id(), tenant, subject };
            let answer = client.disable_principal(request, context.deadline()).await?;
            recorded(context, &answer, &text)
        }
    }
}

pub async fn run_credential(context: &Context, command: Credential) -> Result<(), CliError> {
    match command {
        Credential::Issue(args) => issue(context, args).await,
        Credential::Revoke { tenant, name } => {
            let text = format!("credential {name} of {tenant} revoked");
            let request = v1::RevokeCredentialRequest { request_id: context.request_id(), tenant, name };
            let answer = context.client()?.revoke_credential(request, context.deadline()).await?;
            recorded(context, &answer, &text)
        }
    }
}

/// The file is written before the hash is registered: a crash in between leaves a token that nobody accepts, never a
/// credential whose token is lost.
async fn issue(context: &Context, args: IssueArgs) -> Result<(), CliError> {
    context.must_be_fresh("a credential is issued with a new token each time")?;
    let client = context.client()?;
    let line = files::hex_line(&*files::random()?);
    files::write_secret(&args.out, &line)?;
    let token_hash = sha256(&[line.trim_ascii_end()]);
    let IssueArgs { tenant, name, role, subject, out } = args;
    let text = format!("credential {name} of {tenant} issued for {}, token in {}", role.as_str(), out.display());
    let request = v1::RegisterCredentialRequest {
        request_id: context.request_id(),
        tenant,
        name,
        token_hash: token_hash.as_bytes().to_vec().into(),
        role: role.as_str().to_owned(),
        subject,
    };
    match client.register_credential(request, context.deadline()).await {
        Ok(answer) => recorded(context, &answer, &text),
        Err(error) => {
            if !error.may_be_recorded() {
                // Nobody will ever accept this token.
                let _ = std::fs::remove_file(&out);
            }
            Err(error.into())
        }
    }
}

/// Reports a command that is on the ledger.
pub fn recorded(context: &Context, answer: &v1::CommandResponse, text: &str) -> Result<(), CliError> {
    let value = json!({
        "first_seq": answer.first_seq.to_string(), "entries": answer.entries, "replayed": answer.replayed,
    });
    context.out().emit(&value, || {
        let again = if answer.replayed { ", known already" } else { "" };
        format!("{text} (entry {}, {} in all{again})", answer.first_seq, answer.entries)
    })
}
