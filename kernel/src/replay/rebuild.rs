//! From entries back to the command that made them: who asked for what, at which time. What the leader drew at random is not on
//! the record and is not needed: `compare` takes it as it stands.

mod administration;
mod execution;
mod grants;
mod memory;
mod messages;
mod runs;

pub(super) use execution::Shown;
pub(crate) use messages::message_of;

use assent_ledger::ids::TenantId;

use super::finding::Why;
use super::recorded::{Held, Payloads, Recorded};
use crate::command::{CallContext, Caller, Command, CommandBody, Evaluate, RequestId, Role};
use crate::event::{
    ApprovalRequested, ApprovalVoid, CONTEXT_ROLE, EventBody, ExpirySwept, INPUT_ROLE, PolicyDecision, RunClosed,
    RunOpened, TaintAttached,
};
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
    match body_of(window, root, recorded, body, payloads) {
        Read::Command(body) => Rebuilt::Command { root, command: Box::new(command(recorded, body, state)) },
        Read::Lost(why) => Rebuilt::Lost { root, why },
        Read::Elsewhere => Rebuilt::Elsewhere,
        Read::Follows => Rebuilt::Follows,
    }
}

/// What an entry says about the command that made it.
enum Read {
    /// This is it.
    Command(CommandBody),
    /// It can no longer be known.
    Lost(Why),
    /// It is in a chain that is not being replayed.
    Elsewhere,
    /// The entry comes with another one.
    Follows,
}

impl From<Result<CommandBody, Why>> for Read {
    fn from(read: Result<CommandBody, Why>) -> Read {
        read.map_or_else(Read::Lost, Read::Command)
    }
}

/// The rule of each type of entry. There is no other arm than those that are named: a new type needs its own.
fn body_of(window: &[Recorded], root: usize, recorded: &Recorded, body: &EventBody, payloads: &impl Payloads) -> Read {
    let implicit = opens_implicit(window, root);
    match body {
        EventBody::Decision(decision) => {
            call(window, root, decision, payloads).map(|call| CommandBody::Evaluate(Box::new(call))).into()
        }
        EventBody::BundleOffered(_) => administration::offer(recorded, payloads).into(),
        EventBody::RuntimeRulesSet(body) => administration::runtime(recorded, body, payloads).into(),
        EventBody::ToolRequest(body) => Read::Command(execution::redeem(body)),
        EventBody::ToolResponse(body) => Read::Command(execution::complete(recorded, body, payloads)),
        EventBody::CapabilityGranted(body) => grants::request(recorded, &body.ruled, payloads).into(),
        EventBody::CapabilityDelegated(body) => grants::delegation(recorded, body, implicit, payloads).into(),
        EventBody::CapabilityRevoked(body) => Read::Command(grants::revocation(recorded, body, payloads)),
        EventBody::HitlDecision(body) => grants::answer(recorded, body, payloads).into(),
        EventBody::AgentMessage(_) => messages::message(recorded, payloads).into(),
        EventBody::AgentKeyRegistered(body) => Read::Command(messages::registered(recorded, body)),
        EventBody::AgentKeyRotated(body) => Read::Command(messages::rotated(recorded, body)),
        EventBody::MemoryAccess(body) => memory::access(recorded, body, implicit, payloads).into(),
        EventBody::RunOpened(_)
        | EventBody::RunClosed(_)
        | EventBody::RunModeChanged(_)
        | EventBody::TaintAttached(_)
        | EventBody::RunStep(_) => runs::command(recorded, body, payloads).map_or(Read::Follows, Read::Command),
        EventBody::TenantCreated(created) if created.named.is_none() => Read::Elsewhere,
        EventBody::LedgerCreated(_)
        | EventBody::KeyEndorsed(_)
        | EventBody::KeyRetired(_)
        | EventBody::TenantCreated(_)
        | EventBody::PrincipalRegistered(_)
        | EventBody::PrincipalDisabled(_)
        | EventBody::CredentialRegistered(_)
        | EventBody::CredentialRevoked(_)
        | EventBody::BundleActivated(_)
        | EventBody::SignalReported(_)
        | EventBody::SpanSealed(_)
        | EventBody::SpanCosigned(_)
        | EventBody::SpanAnchored(_) => {
            administration::plain(window, recorded, body).map_or(Read::Follows, Read::Command)
        }
        EventBody::KillSwitchSet(_)
        | EventBody::TenantConfigured(_)
        | EventBody::TenantDisabled(_)
        | EventBody::PrincipalEnabled(_)
        | EventBody::PayloadErased(_)
        | EventBody::KernelActivated(_) => {
            administration::control(recorded, body, payloads).map_or(Read::Follows, Read::Command)
        }
        // What a call does beforehand comes with the call, and what has ended with the tick that noticed.
        EventBody::ApprovalRequested(_)
        | EventBody::ApprovalVoid(_)
        | EventBody::OrchestrationAdjusted(_)
        | EventBody::ApprovalExpired(_)
        | EventBody::CapabilityExpired(_)
        | EventBody::TokenExpired(_)
        | EventBody::ExpirySwept(_) => Read::Follows,
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

/// The bytes of a payload that the command cannot do without.
fn bytes(recorded: &Recorded, role: &'static str, payloads: &impl Payloads) -> Result<Vec<u8>, Why> {
    match recorded.payload(role, payloads) {
        Some(Held::Bytes(bytes)) => Ok(bytes),
        Some(Held::Erased) => Err(Why::PayloadErased { role }),
        Some(Held::Missing) | None => Err(Why::PayloadMissing { role }),
    }
}

/// The command around a body. The request id of anything but a call is not on the record; no decision reads it.
fn command(recorded: &Recorded, body: CommandBody, state: &impl StateRead) -> Command {
    let time = recorded.entry.time;
    let request_id = match &recorded.body {
        Some(EventBody::Decision(decision)) => decision.request_id,
        Some(EventBody::AgentMessage(checked)) => checked.request_id,
        Some(EventBody::MemoryAccess(access)) => access.request_id,
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
        Some(EventBody::MemoryAccess(access)) => access.attested || !of_credential(recorded),
        _ => true,
    };
    let mut caller = caller(recorded, attested, state);
    match &recorded.body {
        Some(EventBody::HitlDecision(answer)) => {
            caller.role = grants::role_of_approver(answer);
            caller.credential.clone_from(&answer.credential);
        }
        // In a run that is not one's own only an admin may do it.
        Some(EventBody::TaintAttached(attached)) if caller.subject.as_ref().is_some_and(|s| *s != attached.subject) => {
            caller.role = Role::TenantAdmin;
        }
        _ => {}
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

/// Whether a credential without a subject acted.
fn of_credential(recorded: &Recorded) -> bool {
    recorded.entry.actor.as_deref().is_some_and(|actor| actor.starts_with("credential:"))
}

fn role_of(state: &impl StateRead, tenant: &TenantId, credential: &str) -> Option<Role> {
    let name = state.get(&StateKey::CredentialName(tenant.clone(), credential.to_owned()))?;
    let Record::CredentialName(name) = &*name else { return None };
    match &*state.get(&StateKey::Credential(name.token_hash))? {
        Record::Credential(credential) => Some(credential.role),
        _ => None,
    }
}
