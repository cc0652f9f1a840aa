//! `assent run`: runs, their modes, their taint, and their steps besides calls.

use assent_client::v1;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::execution::bytes_of;
use crate::label::LabelArgs;
use crate::lists::{self, ListArgs};
use crate::output::CliError;
use crate::tenant::recorded;

/// Run commands.
#[derive(Debug, Subcommand)]
pub enum Run {
    /// Opens a run
    Open(OpenArgs),
    /// Closes a run
    Close(RunArgs),
    /// Lists runs with their modes, counters and taint
    List(ListArgs),
    /// Makes a run do less, or lets a restricted one go on; a tenant's admin does so
    SetMode(SetModeArgs),
    /// Lets a quarantined run go on; an approver or admin who neither acts in it nor answers for who does
    Release(ReleaseArgs),
    /// Attaches taint to an open run, where data of known origin enters it; nothing takes taint away
    Taint(TaintArgs),
    /// Records what an open run did besides calls, so that it can be replayed
    Step(StepArgs),
}

/// A run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The run's id
    #[arg(value_name = "RUN")]
    run: String,
    /// The subject, asserted; only with tenant-wide credentials
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
}

/// A new run.
#[derive(Debug, Args)]
pub struct OpenArgs {
    #[command(flatten)]
    run: RunArgs,
    /// The run that causes this one
    #[arg(long, value_name = "RUN", default_value = "", hide_default_value = true)]
    parent: String,
}

/// What a run may still do.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Mode {
    /// Everything that its policy allows
    Normal,
    /// Reading only
    Restricted,
    /// Only tools that the bundle calls safe in quarantine; what was outstanding is void
    Quarantined,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Mode::Normal => "normal",
            Mode::Restricted => "restricted",
            Mode::Quarantined => "quarantined",
        }
    }
}

/// A run's mode.
#[derive(Debug, Args)]
pub struct SetModeArgs {
    /// The run's id
    #[arg(value_name = "RUN")]
    run: String,
    /// The mode; a quarantined run leaves it by `assent run release` only
    #[arg(value_enum)]
    mode: Mode,
    /// Its tenant
    #[arg(long)]
    tenant: String,
    /// Why, in words; kept as a payload of the entry
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    because: String,
}

/// A run that may go on.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The run's id
    #[arg(value_name = "RUN")]
    run: String,
    /// Its tenant
    #[arg(long)]
    tenant: String,
    /// Why, in words; kept as a payload of the entry
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    because: String,
}

/// Taint.
#[derive(Debug, Args)]
pub struct TaintArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    labels: LabelArgs,
    /// The decision, message or memory entry that the data came with
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    propagated_from: String,
}

/// What a step was.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum StepKind {
    /// Context was retrieved
    Retrieval,
    /// A model answered
    ModelOutput,
    /// The run came to its result
    FinalOutput,
}

/// A step.
#[derive(Debug, Args)]
pub struct StepArgs {
    #[command(flatten)]
    run: RunArgs,
    /// What it was
    #[arg(long, value_enum)]
    kind: StepKind,
    /// What made it, such as a model or a collection: a name
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    source: String,
    /// What came of it, or @FILE; byte for byte
    #[arg(long, value_name = "TEXT|@FILE", default_value = "", hide_default_value = true)]
    content: String,
    /// Media type of the content [default: application/json]
    #[arg(long, value_name = "TYPE", default_value = "", hide_default_value = true)]
    content_type: String,
    #[command(flatten)]
    labels: LabelArgs,
}

pub async fn run(context: &Context, command: Run) -> Result<(), CliError> {
    let (answer, text) = match command {
        Run::List(args) => return lists::runs(context, args).await,
        Run::Open(OpenArgs { run: RunArgs { run, subject }, parent }) => {
            let text = format!("run {run} opened");
            let request =
                v1::OpenRunRequest { request_id: context.request_id(), run_id: run, subject, parent_run_id: parent };
            (context.client()?.open_run(request, context.deadline()).await?, text)
        }
        Run::Close(RunArgs { run, subject }) => {
            let text = format!("run {run} closed");
            let request = v1::CloseRunRequest { request_id: context.request_id(), run_id: run, subject };
            (context.client()?.close_run(request, context.deadline()).await?, text)
        }
        Run::SetMode(SetModeArgs { run, mode, tenant, because }) => {
            let text = format!("run {run} is {}", mode.name());
            let mode = match mode {
                Mode::Normal => v1::RunMode::Normal,
                Mode::Restricted => v1::RunMode::Restricted,
                Mode::Quarantined => v1::RunMode::Quarantined,
            };
            let request = v1::SetRunModeRequest {
                request_id: context.request_id(),
                tenant,
                run_id: run,
                mode: mode.into(),
                justification: because.into_bytes().into(),
            };
            (context.client()?.set_run_mode(request, context.deadline()).await?, text)
        }
        Run::Release(ReleaseArgs { run, tenant, because }) => {
            let text = format!("run {run} released");
            let request = v1::ReleaseQuarantineRequest {
                request_id: context.request_id(),
                tenant,
                run_id: run,
                justification: because.into_bytes().into(),
            };
            (context.client()?.release_quarantine(request, context.deadline()).await?, text)
        }
        Run::Taint(args) => taint(context, args).await?,
        Run::Step(args) => step(context, args).await?,
    };
    recorded(context, &answer, &text)
}

async fn taint(context: &Context, args: TaintArgs) -> Result<(v1::CommandResponse, String), CliError> {
    let RunArgs { run, subject } = args.run;
    let mut labels = args.labels.read()?;
    if labels.is_empty() {
        return Err(CliError::Usage("give at least one --label SOURCE:ORIGIN, such as web:example.com".to_owned()));
    }
    for label in &mut labels {
        label.propagated_from.clone_from(&args.propagated_from);
    }
    let shown: Vec<String> = labels.iter().map(|label| format!("{}:{}", label.source, label.origin)).collect();
    let text = format!("run {run} tainted by {}", shown.join(", "));
    let request = v1::AttachTaintRequest { request_id: context.request_id(), run_id: run, subject, labels };
    Ok((context.client()?.attach_taint(request, context.deadline()).await?, text))
}

async fn step(context: &Context, args: StepArgs) -> Result<(v1::CommandResponse, String), CliError> {
    let RunArgs { run, subject } = args.run;
    let (kind, name) = match args.kind {
        StepKind::Retrieval => (v1::StepKind::Retrieval, "retrieval"),
        StepKind::ModelOutput => (v1::StepKind::ModelOutput, "model output"),
        StepKind::FinalOutput => (v1::StepKind::FinalOutput, "final output"),
    };
    let text = format!("{name} of run {run} recorded");
    let request = v1::RecordStepRequest {
        request_id: context.request_id(),
        run_id: run,
        subject,
        kind: kind.into(),
        source: args.source,
        labels: args.labels.read()?,
        content_type: args.content_type,
        content: bytes_of(args.content)?.into(),
    };
    Ok((context.client()?.record_step(request, context.deadline()).await?, text))
}
