//! `assent approval`: what waits for a person, and the answers.

use std::process::ExitCode;

use assent_client::v1;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::execution::{bytes_of, ruling};
use crate::lists::{self, ListArgs};
use crate::output::CliError;

/// Approval commands.
#[derive(Debug, Subcommand)]
pub enum Approval {
    /// Lists approvals; `--status pending` those that wait
    List(ListArgs),
    /// Answers one; what is approved is decided anew
    Resolve(ResolveArgs),
}

/// What a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Action {
    /// Yes
    Approve,
    /// No; one is enough
    Deny,
    /// Yes to the same tool with the arguments of --inputs
    Modify,
    /// Neither; --because says what is missing
    RequestMoreInfo,
}

/// An answer.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The approval
    #[arg(value_name = "APPROVAL")]
    approval: String,
    /// The answer
    #[arg(value_enum)]
    action: Action,
    /// With modify: all arguments as JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE", default_value = "", hide_default_value = true)]
    inputs: String,
    /// A condition, such as max_amount_usd:5000; may be repeated
    #[arg(long = "condition", value_name = "NAME:VALUE")]
    conditions: Vec<String>,
    /// Why, in words; kept as a payload of the entry
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    because: String,
}

pub async fn run(context: &Context, command: Approval) -> Result<ExitCode, CliError> {
    match command {
        Approval::List(args) => lists::approvals(context, args).await.map(|()| ExitCode::SUCCESS),
        Approval::Resolve(args) => {
            let action = match args.action {
                Action::Approve => v1::ApprovalAction::Approve,
                Action::Deny => v1::ApprovalAction::Deny,
                Action::Modify => v1::ApprovalAction::Modify,
                Action::RequestMoreInfo => v1::ApprovalAction::RequestMoreInfo,
            };
            let request = v1::ResolveApprovalRequest {
                request_id: context.request_id(),
                approval_id: args.approval,
                action: action.into(),
                inputs: bytes_of(args.inputs)?.into(),
                conditions: args.conditions,
                justification: args.because.into_bytes().into(),
            };
            ruling(context, &context.client()?.resolve_approval(request, context.deadline()).await?)
        }
    }
}
