//! Leases, delegations and people's answers as commands again.

use super::bytes;
use super::execution::stand_in;
use crate::command::{ApprovalAction, ApprovalCommand, CommandBody, GrantCommand, GrantTerms, Role};
use crate::event::{
    CONSTRAINTS_ROLE, CapabilityDelegated, CapabilityRevoked, GrantRuled, HitlDecision, JUSTIFICATION_ROLE,
    MODIFIED_ROLE,
};
use crate::reason::ReasonCode;
use crate::replay::finding::Why;
use crate::replay::recorded::{Payloads, Recorded};

/// The request for a lease that an entry records.
pub(super) fn request(recorded: &Recorded, ruled: &GrantRuled, payloads: &impl Payloads) -> Result<CommandBody, Why> {
    let run_id = recorded.entry.run_id.clone().filter(|_| ruled.bound);
    let terms = terms(recorded, ruled, run_id, payloads)?;
    Ok(CommandBody::Grant(Box::new(GrantCommand::Request { subject: ruled.asked_subject.clone(), terms })))
}

/// The delegation that an entry records. Whether it named its run is not said; a run that was there is as good as one that was named.
pub(super) fn delegation(
    recorded: &Recorded,
    body: &CapabilityDelegated,
    implicit: bool,
    payloads: &impl Payloads,
) -> Result<CommandBody, Why> {
    let run_id = recorded.entry.run_id.clone().filter(|_| !implicit);
    let terms = terms(recorded, &body.ruled, run_id, payloads)?;
    let (lease, to) = (body.from.clone(), body.to.clone());
    let subject = body.ruled.asked_subject.clone();
    Ok(CommandBody::Grant(Box::new(GrantCommand::Delegate { subject, lease, to, terms })))
}

fn terms(
    recorded: &Recorded,
    ruled: &GrantRuled,
    run_id: Option<String>,
    payloads: &impl Payloads,
) -> Result<GrantTerms, Why> {
    let constraints = if ruled.constrained { bytes(recorded, CONSTRAINTS_ROLE, payloads)? } else { Vec::new() };
    Ok(GrantTerms {
        environment: ruled.environment.clone(),
        run_id: ruled.asked_run_id.clone().or(run_id),
        class: ruled.class.clone(),
        actions: ruled.actions.clone(),
        constraints,
        calls: ruled.calls,
        seconds: ruled.seconds,
        justification: stand_in(recorded, JUSTIFICATION_ROLE, payloads).unwrap_or_default(),
    })
}

/// The revocation that an entry records.
pub(super) fn revocation(recorded: &Recorded, body: &CapabilityRevoked, payloads: &impl Payloads) -> CommandBody {
    let actor = recorded.entry.actor.as_deref().unwrap_or_default();
    CommandBody::Grant(Box::new(GrantCommand::Revoke {
        tenant: recorded.entry.tenant.clone(),
        // Whom a tenant-wide credential acted for is not on the record: somebody who may revoke it.
        subject: actor.starts_with("credential:").then(|| body.subject.clone()),
        lease: body.lease.clone(),
        justification: stand_in(recorded, JUSTIFICATION_ROLE, payloads).unwrap_or_default(),
    }))
}

/// The answer that an entry records.
pub(super) fn answer(recorded: &Recorded, body: &HitlDecision, payloads: &impl Payloads) -> Result<CommandBody, Why> {
    let action = match body.action {
        "approve" => ApprovalAction::Approve,
        "deny" => ApprovalAction::Deny,
        "modify" => ApprovalAction::Modify(bytes(recorded, MODIFIED_ROLE, payloads)?),
        _ => ApprovalAction::RequestMoreInfo,
    };
    Ok(CommandBody::Approval(Box::new(ApprovalCommand {
        approval: body.approval.clone(),
        action,
        conditions: body.conditions.clone(),
        justification: stand_in(recorded, JUSTIFICATION_ROLE, payloads).unwrap_or_default(),
    })))
}

/// The role of the credential that answered, as far as it shows in what came of the answer: it only counts as the role `approver`.
pub(super) fn role_of_approver(body: &HitlDecision) -> Role {
    let refused = body.codes.contains(&ReasonCode::ApproverNotPermitted);
    let in_another_role = !body.roles.is_empty() && !body.roles.iter().any(|role| role == Role::Approver.name());
    if refused || in_another_role { Role::TenantAdmin } else { Role::Approver }
}
