//! `decide`: what a command comes to, given the state. It reads and returns; it changes nothing.
//!
//! A decision reads its own tenant's state and the system's only. Every command is checked again here, whatever the leader
//! found when it accepted it: that was advice, this is what happens.

mod acting;
mod approvals;
mod budgets;
mod caller;
mod check;
mod conduct;
mod control;
mod credentials;
mod effects;
mod evaluate;
mod execution;
mod genesis;
mod grants;
mod keys;
mod memory;
mod messages;
mod policy;
mod principals;
mod run_commands;
mod runs;
mod signals;
mod spans;
mod tenants;
mod tick;

use assent_ledger::ids::{Seq, TenantId, Time};
use assent_ledger::seal::SealReason;

use crate::admit;
use crate::command::{Command, CommandBody};
use crate::event::Event;
use crate::idempotency;
use crate::refusal::Refusal;
use crate::state::keys::{LedgerRecord, ProgressRecord, RequestRecord, TenantRecord};
use crate::state::{Record, StateKey, StateRead};

pub(crate) use approvals::policy_hash;
pub use approvals::{DecisionState, decision_state};
pub use budgets::{ChargedCall, Charges, charges};
pub use check::{CheckAnswer, check};
pub use control::{is_erased, killed, killed_since, settings};
pub(crate) use effects::digest_of_effect;
pub use effects::effect_seen;
pub use evaluate::{fault, request_hash};
pub use keys::recorded_keyring;
pub(crate) use policy::environments;
pub use signals::signals_of;

/// What a command comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It was decided before: nothing new, the same answer.
    Repeat(Box<RequestRecord>),
    /// These happen, in this order; never empty.
    Events(Vec<Event>),
    /// The open span is sealed. The machine completes the seal: only it sees the tree.
    Seal(SealIntent),
}

/// A seal that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealIntent {
    /// Why.
    pub reason: SealReason,
    /// First entry of the span.
    pub span_start: Seq,
}

/// Decides a command. A refusal means that nothing is recorded.
pub fn decide(state: &impl StateRead, command: &Command) -> Result<Decision, Refusal> {
    match prepare(state, command)? {
        Some(row) => Ok(Decision::Repeat(Box::new(row))),
        None => decide_new(state, command),
    }
}

/// What comes before every decision: shape, time, caller, and whether the request was decided before.
pub fn prepare(state: &impl StateRead, command: &Command) -> Result<Option<RequestRecord>, Refusal> {
    admit::check(command)?;
    let now = now(state, command);
    if now > Time::MAX {
        return Err(Refusal::TimeOutOfRange);
    }
    let is_genesis = matches!(command.body, CommandBody::Genesis(_));
    let is_created = matches!(state.get(&StateKey::Ledger).as_deref(), Some(Record::Ledger(_)));
    if !is_created && !is_genesis {
        return Err(Refusal::NotCreated);
    }
    caller::check(state, command)?;
    let row = idempotency::lookup(state, command, now)?;
    Ok(row.map(|row| approvals::current(state, &command.caller.tenant, row, now)))
}

/// Decides a command that `prepare` let pass as new.
pub fn decide_new(state: &impl StateRead, command: &Command) -> Result<Decision, Refusal> {
    let ctx = Context { state, command, now: now(state, command) };
    let events = match &command.body {
        CommandBody::Genesis(genesis) => genesis::create(&ctx, genesis),
        CommandBody::CreateTenant(new) => tenants::create(&ctx, new),
        CommandBody::RegisterPrincipal { tenant, subject, owner } => {
            principals::register(&ctx, tenant, subject, owner.as_deref())
        }
        CommandBody::DisablePrincipal { tenant, subject } => principals::disable(&ctx, tenant, subject),
        CommandBody::RegisterCredential(new) => credentials::register(&ctx, new),
        CommandBody::RevokeCredential { tenant, name } => credentials::revoke(&ctx, tenant, name),
        CommandBody::OfferBundle(offer) => policy::offer(&ctx, offer),
        CommandBody::ActivateBundle { tenant, environment, bundle_hash } => {
            policy::activate(&ctx, tenant, environment, *bundle_hash)
        }
        CommandBody::OpenRun(run) => runs::open(&ctx, run),
        CommandBody::CloseRun(run) => runs::close(&ctx, run),
        CommandBody::Evaluate(evaluate) => evaluate::evaluate(&ctx, evaluate),
        CommandBody::EndorseKey(body) => keys::endorse(&ctx, body),
        CommandBody::RetireKey(body) => keys::retire(&ctx, body),
        CommandBody::Seal { reason, expected_start } => {
            return spans::seal(&ctx, *reason, *expected_start).map(Decision::Seal);
        }
        CommandBody::Cosigned(body) => spans::cosigned(&ctx, body),
        CommandBody::Anchored(body) => spans::anchored(&ctx, body),
        CommandBody::Control(asked) => control::control(&ctx, asked),
        CommandBody::Grant(asked) => grants::grant(&ctx, asked),
        CommandBody::Approval(asked) => approvals::resolve(&ctx, asked),
        CommandBody::Execution(asked) => execution::execution(&ctx, asked),
        CommandBody::Message(asked) => messages::message(&ctx, asked),
        CommandBody::Memory(asked) => memory::memory(&ctx, asked),
        CommandBody::Run(asked) => run_commands::run(&ctx, asked),
        CommandBody::Signal(asked) => signals::report(&ctx, asked),
        CommandBody::Tick => tick::tick(&ctx),
    }?;
    Ok(Decision::Events(events))
}

/// The time at which a command is applied: its stamp, but never before the last entry.
pub fn now(state: &impl StateRead, command: &Command) -> Time {
    let last = match state.get(&StateKey::Progress).as_deref() {
        Some(Record::Progress(record)) => record.time,
        _ => ProgressRecord::default().time,
    };
    command.stamp.time.max(last)
}

/// What every part of a decision needs.
struct Context<'a, S: StateRead> {
    state: &'a S,
    command: &'a Command,
    now: Time,
}

impl<S: StateRead> Context<'_, S> {
    /// Who acted, for the record.
    fn actor(&self) -> Option<String> {
        let caller = &self.command.caller;
        Some(caller.subject.clone().unwrap_or_else(|| format!("credential:{}", caller.credential)))
    }

    fn event(&self, tenant: &TenantId, body: impl Into<crate::event::EventBody>) -> Event {
        Event::new(tenant.clone(), self.actor(), body)
    }

    /// The tenant, which must exist and be enabled.
    fn enabled_tenant(&self, tenant: &TenantId) -> Result<TenantRecord, Refusal> {
        match self.state.get(&StateKey::Tenant(tenant.clone())).as_deref() {
            Some(Record::Tenant(record)) if record.disabled => Err(Refusal::TenantDisabled),
            Some(Record::Tenant(record)) => Ok(record.clone()),
            _ => Err(Refusal::TenantUnknown),
        }
    }
}

fn ledger(state: &impl StateRead) -> Option<LedgerRecord> {
    match state.get(&StateKey::Ledger).as_deref() {
        Some(Record::Ledger(record)) => Some(record.clone()),
        _ => None,
    }
}

pub(crate) fn progress(state: &impl StateRead) -> ProgressRecord {
    match state.get(&StateKey::Progress).as_deref() {
        Some(Record::Progress(record)) => record.clone(),
        _ => ProgressRecord::default(),
    }
}
