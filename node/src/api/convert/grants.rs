//! Capabilities and approvals on the wire.

use assent_kernel::command::{ApprovalAction, ApprovalCommand, CommandBody, GrantCommand, GrantTerms};
use assent_proto::v1;

use super::admin::{Ask, Asked};
use super::{request_id, subject_opt, tenant, text_opt, wrong};

fn terms(terms: Option<v1::GrantTerms>) -> GrantTerms {
    let terms = terms.unwrap_or_default();
    GrantTerms {
        environment: terms.environment,
        run_id: text_opt(terms.run_id),
        class: terms.class,
        actions: terms.actions,
        constraints: terms.constraints.to_vec(),
        calls: terms.calls,
        seconds: terms.seconds,
        justification: terms.justification.to_vec(),
    }
}

fn asked(id: &str, command: GrantCommand) -> Asked {
    Ok((request_id(id)?, CommandBody::Grant(Box::new(command))))
}

impl Ask for v1::RequestCapabilityRequest {
    fn ask(self) -> Asked {
        let subject = subject_opt("subject", self.subject)?;
        asked(&self.request_id, GrantCommand::Request { subject, terms: terms(self.terms) })
    }
}

impl Ask for v1::DelegateRequest {
    fn ask(self) -> Asked {
        let command = GrantCommand::Delegate {
            subject: subject_opt("subject", self.subject)?,
            lease: text_opt(self.lease_id),
            to: self.to,
            terms: terms(self.terms),
        };
        asked(&self.request_id, command)
    }
}

impl Ask for v1::RevokeCapabilityRequest {
    fn ask(self) -> Asked {
        let command = GrantCommand::Revoke {
            tenant: tenant("tenant", &self.tenant)?,
            subject: subject_opt("subject", self.subject)?,
            lease: self.lease_id,
            justification: self.justification.to_vec(),
        };
        asked(&self.request_id, command)
    }
}

impl Ask for v1::ResolveApprovalRequest {
    fn ask(self) -> Asked {
        let action = match self.action() {
            v1::ApprovalAction::Approve => ApprovalAction::Approve,
            v1::ApprovalAction::Deny => ApprovalAction::Deny,
            v1::ApprovalAction::Modify => ApprovalAction::Modify(self.inputs.to_vec()),
            v1::ApprovalAction::RequestMoreInfo => ApprovalAction::RequestMoreInfo,
            v1::ApprovalAction::Unspecified => {
                return Err(wrong("action", "is missing", "approve, deny, modify or request-more-info"));
            }
        };
        if !self.inputs.is_empty() && self.action() != v1::ApprovalAction::Modify {
            return Err(wrong("inputs", "come with another action", "sent with modify only"));
        }
        let command = ApprovalCommand {
            approval: self.approval_id,
            action,
            conditions: self.conditions,
            justification: self.justification.to_vec(),
        };
        Ok((request_id(&self.request_id)?, CommandBody::Approval(Box::new(command))))
    }
}
