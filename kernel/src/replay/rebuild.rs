//! From entries back to the command that made them: who asked for what, at which time. What the leader drew at random is not on
//! the record and is not needed: `compare` takes it as it stands.

mod execution;
mod grants;
mod messages;

pub(super) use execution::Shown;
pub(crate) use messages::message_of;

use assent_ledger::ids::TenantId;

use super::finding::Why;
use super::recorded::{Held, Payloads, Recorded};
use crate::command::{
    CallContext, Caller, Command, CommandBody, ControlCommand, Evaluate, Genesis, NewCredential, NewTenant,
    OfferedSource, ReportSignal, RequestId, Role, RunCommand, RunRequest,
};
use crate::event::{
    ApprovalRequested, ApprovalVoid, BUNDLE_ROLE, CONTEXT_ROLE, CredentialRegistered, EventBody, ExpirySwept,
    INPUT_ROLE, JUSTIFICATION_ROLE, ModeTrigger, PolicyDecision, RunCloseReason, RunClosed, RunOpened, STEP_ROLE,
    TaintAttached,
};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::stamp::Stamp;
use crate::state::{Record, StateKey, StateRead};

/// What the entries at the front of the window are.
pub(super) enum Rebuilt {
    /// A command made them; the entry at `root` says which.
    Command {
        /// Place of the entry that the command was read from.
        root: usize,
        /// The command, with a seed of its own.
        command: Box<Command>,
    },
    /// A command made them that can no longer be known.
    Lost {
        /// Place of the entry that the command would have been read from.
        root: usize,
        /// What is missing.
        why: Why,
    },
    /// The first entry stands for itself: the rest of its command is in a chain that is not being replayed.
    Elsewhere,
    /// The first entry only ever follows another one of its command.
    Follows,
}

/// Entries that ticks make, by type. A tick goes over all tenants at once.
const EXPIRED: [&str; 5] = [
    "assent.approval.expired",
    "assent.capability.expired",
    "assent.memory.expired",
    "assent.token.expired",
    ExpirySwept::KIND,
];

/// Entries that a call makes before its own: what it does to its run, and the approval that it asks for.
const BEFORE: [&str; 6] = [
    RunOpened::KIND,
    RunClosed::KIND,
    ApprovalRequested::KIND,
    ApprovalVoid::KIND,
    TaintAttached::KIND,
    "assent.orchestration.adjusted",
];

/// Reads the command of the entries at the front of `window`, which is never empty. `whole` says that no tenant's entries were left
/// out so far.
pub(super) fn rebuild(window: &[Recorded], whole: bool, state: &impl StateRead, payloads: &impl Payloads) -> Rebuilt {
    let is_expired = |recorded: &Recorded| EXPIRED.contains(&recorded.entry.kind.as_str());
    if window.first().is_some_and(is_expired) {
        let swept = window.iter().take_while(|recorded| is_expired(recorded));
        let swept = swept.take_while(|recorded| recorded.entry.kind != ExpirySwept::KIND).count();
        return match window.get(swept) {
            Some(recorded) if whole && recorded.entry.kind == ExpirySwept::KIND && contiguous(window, swept) => {
                let command = Box::new(command(recorded, CommandBody::Tick, state));
                Rebuilt::Command { root: swept, command }
            }
            _ if whole && contiguous(window, swept) => Rebuilt::Follows,
            _ => Rebuilt::Elsewhere,
        };
    }
    let root = root_of(window);
    let Some(recorded) = window.get(root) else { return Rebuilt::Follows };
    let Some(body) = &recorded.body else { return Rebuilt::Lost { root, why: Why::UnknownType } };
    let read = match body {
        EventBody::Decision(decision) => {
            call(window, root, decision, payloads).map(|call| CommandBody::Evaluate(Box::new(call)))
        }
        EventBody::BundleOffered(_) => offer(recorded, payloads),
        EventBody::ToolRequest(body) => Ok(execution::redeem(body)),
        EventBody::ToolResponse(body) => Ok(execution::complete(recorded, body, payloads)),
        EventBody::CapabilityGranted(body) => grants::request(recorded, &body.ruled, payloads),
        EventBody::CapabilityDelegated(body) => {
            grants::delegation(recorded, body, opens_implicit(window, root), payloads)
        }
        EventBody::CapabilityRevoked(body) => Ok(grants::revocation(recorded, body, payloads)),
        EventBody::HitlDecision(body) => grants::answer(recorded, body, payloads),
        EventBody::ApprovalRequested(_) | EventBody::ApprovalVoid(_) => return Rebuilt::Follows,
        EventBody::AgentMessage(_) => messages::message(recorded, payloads),
        EventBody::AgentKeyRegistered(body) => Ok(messages::registered(recorded, body)),
        EventBody::AgentKeyRotated(body) => Ok(messages::rotated(recorded, body)),
        EventBody::TenantCreated(created) if created.named.is_none() => return Rebuilt::Elsewhere,
        // What a call does to its run beforehand comes with the call.
        EventBody::RunClosed(closed) if closed.reason == RunCloseReason::Idle => return Rebuilt::Follows,
        EventBody::RunOpened(opened) if opened.implicit => return Rebuilt::Follows,
        _ => administration(window, recorded, body).or_else(|| control(recorded, body, payloads)).ok_or(Why::NoRule),
    };
    match read {
        Ok(body) => Rebuilt::Command { root, command: Box::new(command(recorded, body, state)) },
        Err(why) => Rebuilt::Lost { root, why },
    }
}

/// Whether nothing is missing between the first entry and the one at `last`, as far as the window goes.
fn contiguous(window: &[Recorded], last: usize) -> bool {
    let mut pairs = window.iter().zip(window.iter().skip(1)).take(last);
    pairs.all(|(one, next)| one.entry.seq.0 + 1 == next.entry.seq.0)
}

/// The entry that says what was asked for. Runs that a call opens or closes come before its decision, and the announcement of a
/// tenant before the tenant's own entry.
fn root_of(window: &[Recorded]) -> usize {
    let Some(first) = window.first() else { return 0 };
    for (at, recorded) in window.iter().enumerate() {
        let same = recorded.entry.time == first.entry.time && recorded.entry.seq.0 == first.entry.seq.0 + at as u64;
        let of_call = recorded.entry.tenant == first.entry.tenant && recorded.entry.trace_id == first.entry.trace_id;
        match &recorded.body {
            Some(EventBody::RunModeChanged(body)) if same && of_call && body.decision.is_some() => {}
            Some(_) if same && of_call && BEFORE.contains(&recorded.entry.kind.as_str()) => {}
            Some(
                EventBody::Decision(_)
                | EventBody::AgentMessage(_)
                | EventBody::MemoryAccess(_)
                | EventBody::CapabilityGranted(_)
                | EventBody::CapabilityDelegated(_),
            ) if same && of_call && at > 0 => return at,
            Some(EventBody::TenantCreated(created)) if at == 0 && created.named.is_none() => {}
            Some(EventBody::TenantCreated(created)) if same && at == 1 && created.named.is_some() => return at,
            _ => return 0,
        }
    }
    0
}

/// The call that a decision answers, without the entries before it: whether it named its run is not said.
pub(crate) fn call_of(
    recorded: &Recorded,
    decision: &PolicyDecision,
    payloads: &impl Payloads,
) -> Result<Evaluate, Why> {
    call(core::slice::from_ref(recorded), 0, decision, payloads)
}

/// The call that a decision answers. A run that no entry before it opened was there, or the call named it.
fn call(
    window: &[Recorded],
    root: usize,
    decision: &PolicyDecision,
    payloads: &impl Payloads,
) -> Result<Evaluate, Why> {
    let recorded = window.get(root).ok_or(Why::UnknownType)?;
    let inputs = bytes(recorded, INPUT_ROLE, payloads)?;
    let content_type = recorded.entry.payloads.iter().find(|payload| payload.role == INPUT_ROLE);
    let implicit = opens_implicit(window, root);
    let run_id = recorded.entry.run_id.clone().filter(|_| !implicit);
    let asserted = decision.subject.clone().filter(|_| !decision.attested);
    let context = match recorded.commitment(CONTEXT_ROLE) {
        Some(_) => CallContext::decode(&bytes(recorded, CONTEXT_ROLE, payloads)?)
            .map_err(|_| Why::PayloadMissing { role: CONTEXT_ROLE })?,
        None => CallContext::default(),
    };
    Ok(Evaluate {
        environment: decision.environment.clone(),
        run_id: decision.asked_run_id.clone().or(run_id),
        trace_id: recorded.entry.trace_id.clone(),
        agent: decision.agent.clone(),
        subject: decision.asked_subject.clone().or(asserted),
        tool: decision.tool.clone(),
        content_type: content_type.map(|payload| payload.content_type.clone()).unwrap_or_default(),
        inputs,
        context: Box::new(context),
    })
}

/// Whether an implicit run was opened for the entry at `root`.
fn opens_implicit(window: &[Recorded], root: usize) -> bool {
    let before = window.get(..root).unwrap_or_default();
    before.iter().any(|recorded| matches!(&recorded.body, Some(EventBody::RunOpened(body)) if body.implicit))
}

fn offer(recorded: &Recorded, payloads: &impl Payloads) -> Result<CommandBody, Why> {
    let source = bytes(recorded, BUNDLE_ROLE, payloads)?;
    Ok(CommandBody::OfferBundle(OfferedSource { tenant: recorded.entry.tenant.clone(), source }))
}

/// The bytes of a payload that the command cannot do without.
fn bytes(recorded: &Recorded, role: &'static str, payloads: &impl Payloads) -> Result<Vec<u8>, Why> {
    match recorded.payload(role, payloads) {
        Some(Held::Bytes(bytes)) => Ok(bytes),
        Some(Held::Erased) => Err(Why::PayloadErased { role }),
        Some(Held::Missing) | None => Err(Why::PayloadMissing { role }),
    }
}

/// Commands whose leaf says everything.
fn administration(window: &[Recorded], recorded: &Recorded, body: &EventBody) -> Option<CommandBody> {
    let tenant = || recorded.entry.tenant.clone();
    let run_id = || recorded.entry.run_id.clone();
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
        EventBody::RunOpened(body) if !body.implicit => {
            let (subject, parent) = (Some(body.subject.clone()), body.parent.as_ref());
            let parent_run_id = parent.map(|parent| parent.run_id.clone());
            CommandBody::OpenRun(RunRequest { run_id: run_id()?, subject, parent_run_id })
        }
        EventBody::RunClosed(body) if body.reason == RunCloseReason::Requested => {
            let subject = Some(body.subject.clone());
            CommandBody::CloseRun(RunRequest { run_id: run_id()?, subject, parent_run_id: None })
        }
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
fn control(recorded: &Recorded, body: &EventBody, payloads: &impl Payloads) -> Option<CommandBody> {
    let tenant = recorded.entry.tenant.clone();
    let justification = || {
        let committed = recorded.entry.payloads.iter().find(|payload| payload.role == JUSTIFICATION_ROLE);
        match (recorded.payload(JUSTIFICATION_ROLE, payloads), committed) {
            (Some(Held::Bytes(bytes)), _) => bytes,
            (_, Some(committed)) => vec![0; usize::try_from(committed.length).unwrap_or(0).min(PAYLOAD_BYTES_MAX)],
            (_, None) => Vec::new(),
        }
    };
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
        EventBody::RunModeChanged(_) | EventBody::TaintAttached(_) | EventBody::RunStep(_) => {
            return run_command(recorded, body, justification(), payloads);
        }
        EventBody::KernelActivated(body) => {
            ControlCommand::ActivateKernelVersion { version: body.version, supports: body.supports.clone() }
        }
        _ => return None,
    };
    Some(CommandBody::Control(Box::new(control)))
}

/// What was done to a run besides calling tools in it. A mode that a decision brought belongs to the decision.
fn run_command(
    recorded: &Recorded,
    body: &EventBody,
    justification: Vec<u8>,
    payloads: &impl Payloads,
) -> Option<CommandBody> {
    let (tenant, run_id) = (recorded.entry.tenant.clone(), recorded.entry.run_id.clone()?);
    let command = match body {
        EventBody::RunModeChanged(body) if body.trigger == ModeTrigger::Release => {
            RunCommand::ReleaseQuarantine { tenant, run_id, justification }
        }
        EventBody::RunModeChanged(body) if body.trigger == ModeTrigger::Person => {
            RunCommand::SetRunMode { tenant, run_id, mode: body.to, justification }
        }
        EventBody::TaintAttached(body) => {
            RunCommand::AttachTaint { run_id, subject: Some(body.subject.clone()), labels: body.labels.clone() }
        }
        EventBody::RunStep(body) => {
            let committed = recorded.entry.payloads.iter().find(|payload| payload.role == STEP_ROLE)?;
            let content = bytes(recorded, STEP_ROLE, payloads).ok()?;
            RunCommand::RecordStep {
                run_id,
                subject: Some(body.subject.clone()),
                kind: body.kind,
                source: body.source.clone(),
                labels: body.labels.clone(),
                content_type: committed.content_type.clone(),
                content,
            }
        }
        _ => return None,
    };
    Some(CommandBody::Run(Box::new(command)))
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

/// The command around a body. The request id of anything but a call is not on the record; no decision reads it.
fn command(recorded: &Recorded, body: CommandBody, state: &impl StateRead) -> Command {
    let time = recorded.entry.time;
    let request_id = match &recorded.body {
        Some(EventBody::Decision(decision)) => decision.request_id,
        Some(EventBody::AgentMessage(checked)) => checked.request_id,
        _ => RequestId::new(time.0 / 1_000, [0; 10]),
    };
    let redeemer = match &recorded.body {
        Some(EventBody::ToolRequest(body)) => Some(&body.redeemer),
        Some(EventBody::ToolResponse(body)) => Some(&body.redeemer),
        _ => None,
    };
    let attested = match &recorded.body {
        Some(EventBody::Decision(decision)) => decision.attested,
        Some(EventBody::AgentMessage(checked)) => checked.attested,
        _ => true,
    };
    let mut caller = caller(recorded, attested, state);
    if let Some(EventBody::HitlDecision(answer)) = &recorded.body {
        caller.role = grants::role_of_approver(answer);
    }
    if let Some(redeemer) = redeemer {
        caller.credential.clone_from(redeemer);
    }
    Command { request_id, stamp: Stamp { time, seed: [0; 32] }, caller, body }
}

/// Who asked, as far as the entry says.
fn caller(recorded: &Recorded, attested: bool, state: &impl StateRead) -> Caller {
    let entry = &recorded.entry;
    let actor = entry.actor.as_deref().unwrap_or_default();
    let (credential, subject) = match actor.strip_prefix("credential:") {
        Some(name) => (name.to_owned(), None),
        // A subject that a tenant-wide credential asserted is in the command's body.
        None if !attested => (String::new(), None),
        None => (String::new(), Some(actor.to_owned())),
    };
    let found = [entry.tenant.clone(), TenantId::system()]
        .into_iter()
        .find_map(|tenant| Some((role_of(state, &tenant, &credential)?, tenant)));
    let (role, tenant) = match found {
        // A call is its tenant's, whoever shares a credential's name.
        Some((role, tenant)) if !matches!(recorded.body, Some(EventBody::Decision(_))) => (role, tenant),
        _ => (Role::Agent, entry.tenant.clone()),
    };
    Caller { tenant, subject, attested, role, credential }
}

fn role_of(state: &impl StateRead, tenant: &TenantId, credential: &str) -> Option<Role> {
    let name = state.get(&StateKey::CredentialName(tenant.clone(), credential.to_owned()))?;
    let Record::CredentialName(name) = &*name else { return None };
    match &*state.get(&StateKey::Credential(name.token_hash))? {
        Record::Credential(credential) => Some(credential.role),
        _ => None,
    }
}
