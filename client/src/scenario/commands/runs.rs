//! What is done to the runs of a scenario.

use assent_kernel::command::{CommandBody, RunCommand};
use assent_kernel::state::keys::RunMode;
use assent_ledger::ids::TenantId;

use super::labels;
use crate::scenario::model::{ModeStep, ReleaseStep, TaintStep};

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

fn body(command: RunCommand) -> CommandBody {
    CommandBody::Run(Box::new(command))
}
