//! What is done to the runs of a scenario.

use assent_kernel::command::{CommandBody, ReportSignal, RunCommand, SignalScope, Signals};
use assent_kernel::event::StepKind;
use assent_kernel::state::keys::RunMode;
use assent_ledger::ids::TenantId;

use super::labels;
use crate::scenario::model::{ModeStep, RecordStepStep, ReleaseStep, SignalStep, TaintStep};

/// The command of an `attach_taint` step.
pub(super) fn attach_taint(step: &TaintStep) -> Result<CommandBody, String> {
    let (run_id, labels) = (step.run.clone(), labels(&step.taint)?);
    Ok(body(RunCommand::AttachTaint { run_id, subject: None, labels }))
}

/// The command of a `set_run_mode` step.
pub(super) fn set_mode(tenant: &TenantId, step: &ModeStep) -> Result<CommandBody, String> {
    let mode = RunMode::from_name(&step.mode).ok_or_else(|| format!("`{}` is no mode of a run", step.mode))?;
    let (tenant, run_id, justification) = (tenant.clone(), step.run.clone(), b"scenario".to_vec());
    Ok(body(RunCommand::SetRunMode { tenant, run_id, mode, justification }))
}

/// The command of a `release` step.
pub(super) fn release(tenant: &TenantId, step: &ReleaseStep) -> CommandBody {
    let justification = step.justification.clone().unwrap_or_else(|| "scenario".to_owned()).into_bytes();
    body(RunCommand::ReleaseQuarantine { tenant: tenant.clone(), run_id: step.run.clone(), justification })
}

/// The command of a `record_step` step.
pub(super) fn record_step(step: &RecordStepStep) -> Result<CommandBody, String> {
    Ok(body(RunCommand::RecordStep {
        run_id: step.run.clone(),
        subject: None,
        kind: StepKind::from_name(&step.kind).ok_or_else(|| format!("`{}` is no kind of step", step.kind))?,
        source: None,
        labels: labels(&step.taint)?,
        content_type: "text/plain".to_owned(),
        content: step.content.clone().into_bytes(),
    }))
}

/// The command of a `signal` step.
pub(super) fn signal(step: &SignalStep) -> CommandBody {
    let scope = match (&step.run, &step.subject) {
        (Some(run), _) => SignalScope::Run(run.clone()),
        (None, Some(subject)) => SignalScope::Subject(subject.clone()),
        (None, None) => SignalScope::Tenant,
    };
    let signals =
        Signals { risk_milli: step.risk_milli, queue_depth: step.queue_depth, budget_use_milli: step.budget_use_milli };
    CommandBody::Signal(Box::new(ReportSignal { scope, signals, valid_seconds: step.valid_seconds.unwrap_or(600) }))
}

fn body(command: RunCommand) -> CommandBody {
    CommandBody::Run(Box::new(command))
}
