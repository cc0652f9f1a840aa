//! What was done to a run besides calling tools in it, as commands again.

use super::execution::stand_in;
use crate::command::{CommandBody, RunCommand, RunRequest};
use crate::event::{EventBody, JUSTIFICATION_ROLE, ModeTrigger, RunCloseReason, STEP_ROLE};
use crate::replay::recorded::{Payloads, Recorded};

/// The command about a run that an entry records; `None` for what a call does to its run. No decision reads a justification or the
/// content of a step: one that is gone is as good as any other of its length.
pub(super) fn command(recorded: &Recorded, body: &EventBody, payloads: &impl Payloads) -> Option<CommandBody> {
    let (tenant, run_id) = (recorded.entry.tenant.clone(), recorded.entry.run_id.clone()?);
    let justification = || stand_in(recorded, JUSTIFICATION_ROLE, payloads).unwrap_or_default();
    let command = match body {
        EventBody::RunOpened(body) if !body.implicit => {
            let (subject, parent) = (Some(body.subject.clone()), body.parent.as_ref());
            let parent_run_id = parent.map(|parent| parent.run_id.clone());
            return Some(CommandBody::OpenRun(RunRequest { run_id, subject, parent_run_id }));
        }
        EventBody::RunClosed(body) if body.reason == RunCloseReason::Requested => {
            let subject = Some(body.subject.clone());
            return Some(CommandBody::CloseRun(RunRequest { run_id, subject, parent_run_id: None }));
        }
        EventBody::RunModeChanged(body) if body.trigger == ModeTrigger::Release => {
            RunCommand::ReleaseQuarantine { tenant, run_id, justification: justification() }
        }
        EventBody::RunModeChanged(body) if body.trigger == ModeTrigger::Person => {
            RunCommand::SetRunMode { tenant, run_id, mode: body.to, justification: justification() }
        }
        EventBody::TaintAttached(body) => {
            RunCommand::AttachTaint { run_id, subject: Some(body.subject.clone()), labels: body.labels.clone() }
        }
        EventBody::RunStep(body) => {
            let committed = recorded.entry.payloads.iter().find(|payload| payload.role == STEP_ROLE);
            RunCommand::RecordStep {
                run_id,
                subject: Some(body.subject.clone()),
                kind: body.kind,
                source: body.source.clone(),
                labels: body.labels.clone(),
                content_type: committed.map(|payload| payload.content_type.clone()).unwrap_or_default(),
                content: stand_in(recorded, STEP_ROLE, payloads).unwrap_or_default(),
            }
        }
        _ => return None,
    };
    Some(CommandBody::Run(Box::new(command)))
}
