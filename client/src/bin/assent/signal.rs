//! `assent signal`: what those who watch agents report about them.

use assent_client::v1;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::lists::{self, ListArgs};
use crate::output::CliError;
use crate::tenant::recorded;

/// Signal commands.
#[derive(Debug, Subcommand)]
pub enum Signal {
    /// Reports signals about a run, a subject or the whole tenant; what is not named stays as it was reported before
    Report(ReportArgs),
    /// Lists what was reported and still holds
    List(ListArgs),
}

/// A report.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// About this run
    #[arg(long, value_name = "RUN", conflicts_with = "subject")]
    run: Option<String>,
    /// About this subject, in all of its runs [default, without --run: the whole tenant]
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// How risky it is, 0 to 1000 thousandths
    #[arg(long, value_name = "THOUSANDTHS", required_unless_present_any = ["queue_depth", "budget_use"])]
    risk: Option<u32>,
    /// How much waits to be done
    #[arg(long, value_name = "COUNT")]
    queue_depth: Option<u32>,
    /// How much of a budget is used, in thousandths; more than 1000 when it was exceeded
    #[arg(long, value_name = "THOUSANDTHS")]
    budget_use: Option<u32>,
    /// For how long this holds; at most a day
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    seconds: u32,
}

pub async fn run(context: &Context, command: Signal) -> Result<(), CliError> {
    let args = match command {
        Signal::Report(args) => args,
        Signal::List(args) => return lists::signals(context, args).await,
    };
    let (scope, name) = match (args.run, args.subject) {
        (Some(run), _) => ("run", run),
        (None, Some(subject)) => ("subject", subject),
        (None, None) => ("tenant", String::new()),
    };
    let about = if name.is_empty() { "the tenant".to_owned() } else { format!("{scope} {name}") };
    let text = format!("signals about {about} reported for {} seconds", args.seconds);
    let request = v1::ReportSignalRequest {
        request_id: context.request_id(),
        scope: scope.to_owned(),
        name,
        risk_milli: args.risk,
        queue_depth: args.queue_depth,
        budget_use_milli: args.budget_use,
        valid_seconds: args.seconds,
    };
    recorded(context, &context.client()?.report_signal(request, context.deadline()).await?, &text)
}
