//! Parts of commands as messages of the wire.

use assent_kernel::command::{
    ApprovalAction, ApprovalCommand, CallContext, Completion, ControlCommand, Evaluate, ExecutionCommand, GrantCommand,
    GrantTerms, MemoryAct, MemoryCommand, MemoryTarget, MessageCommand, ReportSignal, RetrievedItem, RunCommand, Usage,
};
use assent_kernel::event::StepKind;
use assent_kernel::state::keys::RunMode;
use assent_kernel::taint::TaintLabel;

use super::request::Request;
use crate::v1;

pub(super) fn text(text: &Option<String>) -> String {
    text.clone().unwrap_or_default()
}

pub(super) fn evaluate(asked: &Evaluate) -> v1::EvaluateRequest {
    v1::EvaluateRequest {
        environment: asked.environment.clone(),
        run_id: text(&asked.run_id),
        trace_id: text(&asked.trace_id),
        subject: text(&asked.subject),
        tool: asked.tool.clone(),
        content_type: asked.content_type.clone(),
        inputs: asked.inputs.clone().into(),
        context: Some(context(&asked.context)),
        ..Default::default()
    }
}

fn context(context: &CallContext) -> v1::CallContext {
    let hash = |hash: &Option<assent_ledger::hash::Hash>| hash.map(|h| h.0.to_vec()).unwrap_or_default().into();
    let claimed = &context.claimed;
    v1::CallContext {
        parent_decision: text(&context.parent_decision),
        on_behalf_of: context.on_behalf_of.clone(),
        taint: labels(&context.taint),
        source_labels: context.source_labels.clone(),
        orm_risk_score_milli: context.risk_score_milli,
        budgets: Some(v1::CallerBudgets {
            tokens_remaining: context.budgets.tokens_remaining,
            tool_calls_remaining: context.budgets.tool_calls_remaining,
            cost_micro_usd_remaining: context.budgets.cost_micro_usd_remaining,
        }),
        usage: Some(usage(&context.usage)),
        approval_id: text(&context.approval_id),
        claimed: Some(v1::ClaimedTool {
            category: text(&claimed.category),
            risk_tier: text(&claimed.risk_tier),
            policy_bundle_hash: hash(&claimed.policy_bundle),
            prompt_bundle_hash: hash(&claimed.prompt_bundle),
            tool_schema_hash: hash(&claimed.tool_schema),
        }),
        tool_idempotency_key: text(&context.idempotency_key),
        fulfils: context.fulfils.clone().map(|types| v1::Obligations { types }),
        cooperative: context.cooperative,
        ..Default::default()
    }
}

fn labels(labels: &[TaintLabel]) -> Vec<v1::TaintLabel> {
    let label = |label: &TaintLabel| v1::TaintLabel {
        source: label.source.name().to_owned(),
        origin: label.origin.clone(),
        confidence_milli: Some(label.confidence_milli.into()),
        propagated_from: text(&label.propagated_from),
    };
    labels.iter().map(label).collect()
}

const fn usage(usage: &Usage) -> v1::Usage {
    v1::Usage { tokens: usage.tokens, cost_micro_usd: usage.cost_micro_usd }
}

pub(super) fn execution(asked: &ExecutionCommand) -> Request {
    match asked {
        ExecutionCommand::Redeem(redeem) => Request::Redeem(v1::RedeemRequest {
            decision_id: redeem.decision_id.clone(),
            seq: redeem.seq.0,
            request_hash: redeem.request_hash.0.to_vec().into(),
            request_salt: redeem.request_salt.to_vec().into(),
            audience: text(&redeem.audience),
            ..Default::default()
        }),
        ExecutionCommand::Complete(complete) => Request::Complete(v1::CompleteRequest {
            decision_id: complete.decision_id.clone(),
            seq: complete.seq.0,
            status: match complete.status {
                Completion::Success => v1::Completion::Success,
                Completion::Failure => v1::Completion::Failure,
                Completion::Unknown => v1::Completion::Unknown,
            }
            .into(),
            duration_ms: complete.duration_ms,
            content_type: complete.content_type.clone(),
            output: complete.output.clone().into(),
            redacted: complete.redacted.clone().map(Into::into),
            taint: labels(&complete.taint),
            fulfilled: complete
                .fulfilled
                .iter()
                .map(|one| v1::FulfilledObligation { kind: one.kind.clone(), proof: one.proof.0.to_vec().into() })
                .collect(),
            usage: complete.usage.as_ref().map(usage),
            ..Default::default()
        }),
    }
}

pub(super) fn grant(asked: &GrantCommand) -> Request {
    let wire = |terms: &GrantTerms| {
        Some(v1::GrantTerms {
            environment: terms.environment.clone(),
            run_id: text(&terms.run_id),
            class: terms.class.clone(),
            actions: terms.actions.clone(),
            constraints: terms.constraints.clone().into(),
            calls: terms.calls,
            seconds: terms.seconds,
            justification: terms.justification.clone().into(),
        })
    };
    match asked {
        GrantCommand::Request { subject, terms } => Request::RequestCapability(v1::RequestCapabilityRequest {
            subject: text(subject),
            terms: wire(terms),
            ..Default::default()
        }),
        GrantCommand::Delegate { subject, lease, to, terms } => Request::Delegate(v1::DelegateRequest {
            subject: text(subject),
            lease_id: text(lease),
            to: to.clone(),
            terms: wire(terms),
            ..Default::default()
        }),
        GrantCommand::Revoke { tenant, subject, lease, justification } => {
            Request::RevokeCapability(v1::RevokeCapabilityRequest {
                tenant: tenant.to_string(),
                subject: text(subject),
                lease_id: lease.clone(),
                justification: justification.clone().into(),
                ..Default::default()
            })
        }
    }
}

pub(super) fn approval(asked: &ApprovalCommand) -> Request {
    let (action, inputs) = match &asked.action {
        ApprovalAction::Approve => (v1::ApprovalAction::Approve, Vec::new()),
        ApprovalAction::Deny => (v1::ApprovalAction::Deny, Vec::new()),
        ApprovalAction::Modify(inputs) => (v1::ApprovalAction::Modify, inputs.clone()),
        ApprovalAction::RequestMoreInfo => (v1::ApprovalAction::RequestMoreInfo, Vec::new()),
    };
    Request::Resolve(v1::ResolveApprovalRequest {
        approval_id: asked.approval.clone(),
        action: action.into(),
        inputs: inputs.into(),
        conditions: asked.conditions.clone(),
        justification: asked.justification.clone().into(),
        ..Default::default()
    })
}

pub(super) fn message(asked: &MessageCommand) -> Result<Request, String> {
    Ok(match asked {
        MessageCommand::Record(message) => Request::RecordMessage(v1::RecordMessageRequest {
            schema_version: message.schema_version.clone(),
            time: message.time.to_string(),
            run_id: text(&message.run_id),
            trace_id: text(&message.trace_id),
            protocol: message.protocol.clone(),
            capabilities: message.capabilities.clone(),
            nonce: message.nonce.clone(),
            expires_at: message.expires_at.to_string(),
            sender_instance: text(&message.sender_instance),
            sender: message.sender.clone(),
            recipient: message.recipient.clone(),
            recipient_run_id: text(&message.recipient_run),
            content_type: message.content_type.clone(),
            payload: message.payload.clone().into(),
            payload_hash: message.payload_hash.0.to_vec().into(),
            key_id: message.key_id.clone(),
            signature: message.signature.to_vec().into(),
            taint: labels(&message.taint),
            ..Default::default()
        }),
        MessageCommand::RegisterKey(key) => Request::RegisterAgentKey(v1::RegisterAgentKeyRequest {
            tenant: key.tenant.to_string(),
            subject: key.subject.clone(),
            key_id: key.key_id.clone(),
            public_key: key.public_key.to_vec().into(),
            ..Default::default()
        }),
        other => return Err(format!("no step of a scenario asks for {}", other.name())),
    })
}

pub(super) fn memory(asked: &MemoryCommand) -> Request {
    let act = |act: &MemoryAct| {
        Some(v1::MemoryAct {
            environment: act.environment.clone(),
            namespace: act.namespace.clone(),
            subject: text(&act.subject),
            run_id: text(&act.run_id),
            trace_id: text(&act.trace_id),
        })
    };
    match asked {
        MemoryCommand::Write(write) => Request::MemoryWrite(v1::MemoryWriteRequest {
            act: act(&write.act),
            key: write.key.clone(),
            content_type: write.content_type.clone(),
            value: write.value.clone().into(),
            external: write.external,
            ttl_seconds: write.ttl_seconds,
            labels: labels(&write.labels),
            classification: write.classification.name().to_owned(),
            ..Default::default()
        }),
        MemoryCommand::Read(read) => {
            // The wire tells the two apart by which of them is there.
            let (key, content_type, query) = match &read.target {
                MemoryTarget::Key(key) => (key.clone(), String::new(), Vec::new()),
                MemoryTarget::Query { content_type, query } => (String::new(), content_type.clone(), query.clone()),
            };
            Request::MemoryRead(v1::MemoryReadRequest {
                act: act(&read.act),
                key,
                query: query.into(),
                content_type,
                clearance: read.clearance.map(|level| level.name().to_owned()).unwrap_or_default(),
                ..Default::default()
            })
        }
        MemoryCommand::Forget { act: by, key } => {
            Request::MemoryForget(v1::MemoryForgetRequest { act: act(by), key: key.clone(), ..Default::default() })
        }
        MemoryCommand::Release(release) => Request::MemoryRelease(v1::MemoryReleaseRequest {
            act: act(&release.act),
            query_decision: release.query.clone(),
            items: release.items.iter().map(item).collect(),
            ..Default::default()
        }),
        MemoryCommand::Quarantine(mark) => Request::MemoryQuarantine(v1::MemoryQuarantineRequest {
            tenant: mark.tenant.to_string(),
            environment: mark.environment.clone(),
            namespace: mark.namespace.clone(),
            key: mark.key.clone(),
            quarantined: mark.quarantined,
            justification: mark.justification.clone().into(),
            ..Default::default()
        }),
    }
}

fn item(item: &RetrievedItem) -> v1::RetrievedItem {
    v1::RetrievedItem {
        id: item.id.clone(),
        labels: labels(&item.labels),
        classification: item.classification.name().to_owned(),
    }
}

pub(super) fn run(asked: &RunCommand) -> Request {
    match asked {
        RunCommand::SetRunMode { tenant, run_id, mode, justification } => {
            let mode = match mode {
                RunMode::Normal => v1::RunMode::Normal,
                RunMode::Restricted => v1::RunMode::Restricted,
                RunMode::Quarantined => v1::RunMode::Quarantined,
                // Not a mode that is set: whoever asks for it is refused.
                RunMode::Closed => v1::RunMode::Unspecified,
            };
            Request::SetRunMode(v1::SetRunModeRequest {
                tenant: tenant.to_string(),
                run_id: run_id.clone(),
                mode: mode.into(),
                justification: justification.clone().into(),
                ..Default::default()
            })
        }
        RunCommand::ReleaseQuarantine { tenant, run_id, justification } => {
            Request::ReleaseQuarantine(v1::ReleaseQuarantineRequest {
                tenant: tenant.to_string(),
                run_id: run_id.clone(),
                justification: justification.clone().into(),
                ..Default::default()
            })
        }
        RunCommand::AttachTaint { run_id, subject, labels: attached } => Request::AttachTaint(v1::AttachTaintRequest {
            run_id: run_id.clone(),
            subject: text(subject),
            labels: labels(attached),
            ..Default::default()
        }),
        RunCommand::RecordStep { run_id, subject, kind, source, labels: brought, content_type, content } => {
            let kind = match kind {
                StepKind::Retrieval => v1::StepKind::Retrieval,
                StepKind::ModelOutput => v1::StepKind::ModelOutput,
                StepKind::FinalOutput => v1::StepKind::FinalOutput,
            };
            Request::RecordStep(v1::RecordStepRequest {
                run_id: run_id.clone(),
                subject: text(subject),
                kind: kind.into(),
                source: text(source),
                labels: labels(brought),
                content_type: content_type.clone(),
                content: content.clone().into(),
                ..Default::default()
            })
        }
    }
}

pub(super) fn signal(asked: &ReportSignal) -> Request {
    Request::ReportSignal(v1::ReportSignalRequest {
        scope: asked.scope.kind().to_owned(),
        name: asked.scope.name().to_owned(),
        risk_milli: asked.signals.risk_milli,
        queue_depth: asked.signals.queue_depth,
        budget_use_milli: asked.signals.budget_use_milli,
        valid_seconds: asked.valid_seconds,
        ..Default::default()
    })
}

pub(super) fn control(asked: &ControlCommand) -> Result<Request, String> {
    Ok(match asked {
        ControlCommand::ConfigureTenant { tenant, settings } => Request::ConfigureTenant(v1::ConfigureTenantRequest {
            tenant: tenant.to_string(),
            observe: settings.observe,
            require_attested: settings.require_attested,
            ..Default::default()
        }),
        ControlCommand::SetTenantDisabled { tenant, disabled } => {
            Request::SetTenantDisabled(v1::SetTenantDisabledRequest {
                tenant: tenant.to_string(),
                disabled: *disabled,
                ..Default::default()
            })
        }
        ControlCommand::KillSwitch { tenant, target, engaged, justification } => {
            Request::SetKillSwitch(v1::SetKillSwitchRequest {
                tenant: tenant.to_string(),
                target: target.kind().to_owned(),
                name: target.name().to_owned(),
                engaged: *engaged,
                justification: justification.clone().into(),
                ..Default::default()
            })
        }
        // Who knows the version is asked by the node.
        ControlCommand::ActivateKernelVersion { version, .. } => {
            Request::ActivateKernelVersion(v1::ActivateKernelVersionRequest { version: *version, ..Default::default() })
        }
        ControlCommand::SetRuntimeRules { tenant, environment, source } => {
            Request::SetRuntimeRules(v1::SetRuntimeRulesRequest {
                tenant: tenant.to_string(),
                environment: environment.clone(),
                source: source.clone().into(),
                ..Default::default()
            })
        }
        ControlCommand::EnablePrincipal { tenant, subject } => Request::EnablePrincipal(v1::EnablePrincipalRequest {
            tenant: tenant.to_string(),
            subject: subject.clone(),
            ..Default::default()
        }),
        other => return Err(format!("no step of a scenario asks for {}", other.name())),
    })
}
