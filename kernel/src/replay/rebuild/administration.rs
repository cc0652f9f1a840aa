//! What those who run a ledger, a tenant or a node asked for, as commands again.

use super::bytes;
use super::execution::stand_in;
use crate::command::{CommandBody, ControlCommand, Genesis, NewCredential, NewTenant, OfferedSource, ReportSignal};
use crate::event::{BUNDLE_ROLE, CredentialRegistered, EventBody, JUSTIFICATION_ROLE, RuntimeRulesSet};
use crate::replay::finding::Why;
use crate::replay::recorded::{Payloads, Recorded};

/// The bundle that an entry took in.
pub(super) fn offer(recorded: &Recorded, payloads: &impl Payloads) -> Result<CommandBody, Why> {
    let source = bytes(recorded, BUNDLE_ROLE, payloads)?;
    Ok(CommandBody::OfferBundle(OfferedSource { tenant: recorded.entry.tenant.clone(), source }))
}

/// The runtime rules that an entry set.
pub(super) fn runtime(
    recorded: &Recorded,
    body: &RuntimeRulesSet,
    payloads: &impl Payloads,
) -> Result<CommandBody, Why> {
    let source = bytes(recorded, BUNDLE_ROLE, payloads)?;
    let (tenant, environment) = (recorded.entry.tenant.clone(), body.environment.clone());
    Ok(CommandBody::Control(Box::new(ControlCommand::SetRuntimeRules { tenant, environment, source })))
}

/// Commands whose leaf says everything.
pub(super) fn plain(window: &[Recorded], recorded: &Recorded, body: &EventBody) -> Option<CommandBody> {
    let tenant = || recorded.entry.tenant.clone();
    Some(match body {
        EventBody::LedgerCreated(_) => CommandBody::Genesis(Box::new(genesis(window)?)),
        EventBody::KeyEndorsed(key) => CommandBody::EndorseKey(key.clone()),
        EventBody::KeyRetired(key) => CommandBody::RetireKey(key.clone()),
        EventBody::TenantCreated(created) => {
            let named = created.named.clone()?;
            // The tenant's key is not on the record, and no decision reads it.
            let new = NewTenant { tenant: named.tenant, tenant_key: [0; 32], blind: named.blind };
            CommandBody::CreateTenant(Box::new(new))
        }
        EventBody::PrincipalRegistered(body) => CommandBody::RegisterPrincipal {
            tenant: tenant(),
            subject: body.subject.clone(),
            owner: body.owner.clone(),
        },
        EventBody::PrincipalDisabled(body) => {
            CommandBody::DisablePrincipal { tenant: tenant(), subject: body.subject.clone() }
        }
        EventBody::CredentialRegistered(body) => {
            let CredentialRegistered { name, role, subject, token_hash } = (**body).clone();
            CommandBody::RegisterCredential(Box::new(NewCredential {
                tenant: tenant(),
                name,
                token_hash,
                role,
                subject,
            }))
        }
        EventBody::CredentialRevoked(body) => {
            CommandBody::RevokeCredential { tenant: tenant(), name: body.name.clone() }
        }
        EventBody::BundleActivated(body) => CommandBody::ActivateBundle {
            tenant: tenant(),
            environment: body.environment.clone(),
            bundle_hash: body.bundle,
        },
        EventBody::SpanSealed(body) => {
            let expected_start = assent_ledger::ids::TreeSize(body.span_start.0);
            CommandBody::Seal { reason: body.reason, expected_start }
        }
        EventBody::SignalReported(body) => {
            let micros = body.expires.0.saturating_sub(recorded.entry.time.0);
            let valid_seconds = u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX);
            let (scope, signals) = (body.scope.clone(), body.signals);
            CommandBody::Signal(Box::new(ReportSignal { scope, signals, valid_seconds }))
        }
        EventBody::SpanCosigned(body) => CommandBody::Cosigned(body.clone()),
        EventBody::SpanAnchored(body) => CommandBody::Anchored(body.clone()),
        _ => return None,
    })
}

/// Control commands. Their justification is not read by any decision: one that is gone is as good as any other of its length.
pub(super) fn control(recorded: &Recorded, body: &EventBody, payloads: &impl Payloads) -> Option<CommandBody> {
    let tenant = recorded.entry.tenant.clone();
    let justification = || stand_in(recorded, JUSTIFICATION_ROLE, payloads).unwrap_or_default();
    let control = match body {
        EventBody::PayloadErased(body) => ControlCommand::ErasePayload {
            tenant,
            seq: body.entry,
            commitment: body.commitment,
            justification: justification(),
        },
        EventBody::TenantConfigured(body) => ControlCommand::ConfigureTenant { tenant, settings: body.settings },
        EventBody::TenantDisabled(body) => ControlCommand::SetTenantDisabled { tenant, disabled: body.disabled },
        EventBody::KillSwitchSet(body) => ControlCommand::KillSwitch {
            tenant,
            target: body.target.clone(),
            engaged: body.engaged,
            justification: justification(),
        },
        EventBody::PrincipalEnabled(body) => ControlCommand::EnablePrincipal { tenant, subject: body.subject.clone() },
        EventBody::KernelActivated(body) => {
            ControlCommand::ActivateKernelVersion { version: body.version, supports: body.supports.clone() }
        }
        _ => return None,
    };
    Some(CommandBody::Control(Box::new(control)))
}

/// The creation of the ledger: parameters, the first keys, and last the first operator.
fn genesis(window: &[Recorded]) -> Option<Genesis> {
    let mut bodies = window.iter().map(|recorded| recorded.body.as_ref());
    let Some(EventBody::LedgerCreated(created)) = bodies.next()? else { return None };
    let mut endorsements = Vec::new();
    loop {
        match bodies.next()?? {
            EventBody::KeyEndorsed(key) => endorsements.push((**key).clone()),
            EventBody::CredentialRegistered(operator) => {
                let CredentialRegistered { name, token_hash, .. } = (**operator).clone();
                let created = (**created).clone();
                return Some(Genesis { created, endorsements, operator: name, operator_token_hash: token_hash });
            }
            _ => return None,
        }
    }
}
