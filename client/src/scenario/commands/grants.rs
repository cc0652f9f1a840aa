//! Leases, delegations and approvals of a scenario.

use std::collections::BTreeMap;

use assent_kernel::command::{ApprovalAction, ApprovalCommand, GrantCommand, GrantTerms};
use assent_ledger::ids::TenantId;

use super::decided;
use crate::scenario::answer::Answer;
use crate::scenario::model::{CapabilityStep, DelegateStep, ResolveStep, RevokeStep, Scenario};

/// The command of a `request_capability` step.
pub(super) fn request(scenario: &Scenario, step: &CapabilityStep) -> Result<GrantCommand, String> {
    Ok(GrantCommand::Request {
        subject: None,
        terms: GrantTerms {
            environment: scenario.environment.clone(),
            run_id: step.run.clone(),
            class: step.class.clone(),
            actions: step.actions.clone(),
            constraints: step.constraints.clone().unwrap_or_default().into_bytes(),
            calls: step.calls,
            seconds: seconds(step.seconds)?,
            justification: b"scenario".to_vec(),
        },
    })
}

/// The command of a `delegate` step.
pub(super) fn delegate(
    scenario: &Scenario,
    step: &DelegateStep,
    saved: &BTreeMap<String, Answer>,
) -> Result<GrantCommand, String> {
    let lease = match &step.lease {
        Some(name) => Some(lease_of(saved, name)?),
        None => None,
    };
    Ok(GrantCommand::Delegate {
        subject: None,
        lease,
        to: step.to.clone(),
        terms: GrantTerms {
            environment: scenario.environment.clone(),
            run_id: None,
            class: step.class.clone(),
            actions: step.actions.clone(),
            constraints: step.constraints.clone().unwrap_or_default().into_bytes(),
            calls: step.calls,
            seconds: seconds(step.seconds)?,
            justification: b"scenario".to_vec(),
        },
    })
}

/// The command of a `revoke` step.
pub(super) fn revoke(
    tenant: &TenantId,
    step: &RevokeStep,
    saved: &BTreeMap<String, Answer>,
) -> Result<GrantCommand, String> {
    let lease = lease_of(saved, &step.lease)?;
    Ok(GrantCommand::Revoke { tenant: tenant.clone(), subject: None, lease, justification: b"scenario".to_vec() })
}

/// The command of a `resolve` step.
pub(super) fn resolve(step: &ResolveStep, saved: &BTreeMap<String, Answer>) -> Result<ApprovalCommand, String> {
    let approval = decided(saved, &step.approval)?.approval.clone();
    let action = match (step.action.as_str(), &step.inputs) {
        ("approve", None) => ApprovalAction::Approve,
        ("deny", None) => ApprovalAction::Deny,
        ("request_more_info", None) => ApprovalAction::RequestMoreInfo,
        ("modify", Some(inputs)) => ApprovalAction::Modify(inputs.clone().into_bytes()),
        (other, _) => return Err(format!("`{other}` is no action, or `inputs` is missing or too much")),
    };
    Ok(ApprovalCommand {
        approval: approval.ok_or_else(|| format!("`{}` opened no approval", step.approval))?,
        action,
        conditions: step.conditions.clone(),
        justification: step.justification.clone().unwrap_or_default().into_bytes(),
    })
}

fn seconds(seconds: u64) -> Result<u32, String> {
    u32::try_from(seconds).map_err(|_| "so many seconds are more than a lease can have".to_owned())
}

fn lease_of(saved: &BTreeMap<String, Answer>, name: &str) -> Result<String, String> {
    let lease = saved.get(name).and_then(|answer| answer.details.get("lease").or(answer.id.as_ref()));
    lease.cloned().ok_or_else(|| format!("no step with a lease was saved as `{name}`"))
}
