//! `evolve`: what an event changes. It reads what the leaf says, and the state; nothing else, so that the state follows from the
//! leaves. Some events change the state by what a payload holds (a bundle's source, the arguments of a call): what derives from a payload must
//! not be in a leaf. Each payload is bound by the commitment in the leaf; where one was erased, the state says that it does not know.

mod approvals;
mod budgets;
mod control;
mod counts;
mod decided;
mod execution;
mod expiry;
mod grants;
mod ledger;
mod memory;
mod message;
mod orchestration;
mod run;
mod scoped;
mod signal;
mod tenant;

pub use decided::digest_of_call;

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, Time};

use crate::command::KillTarget;
use crate::event::{Event, EventBody};
use crate::state::{Record, StateKey, StateWrite};

/// Where an event's entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFacts {
    /// Its position.
    pub seq: Seq,
    /// Its time.
    pub time: Time,
    /// Its event id; a decision's is what callers know it by.
    pub event_id: String,
    /// What the leaf says of its payloads, those that were erased since among them: role and commitment.
    pub payloads: Vec<(&'static str, Hash)>,
}

impl EntryFacts {
    /// The commitment of the payload with this role, whether or not it still exists.
    pub(crate) fn commitment(&self, role: &str) -> Option<Hash> {
        self.payloads.iter().find(|(known, _)| *known == role).map(|(_, commitment)| *commitment)
    }
}

/// Makes an event so.
pub fn evolve(state: &mut impl StateWrite, at: &EntryFacts, event: &Event) {
    advance(state, at, event);
    let tenant = &event.tenant;
    match &event.body {
        EventBody::LedgerCreated(body) => ledger::created(state, at, body),
        EventBody::KeyEndorsed(body) => ledger::endorsed(state, body),
        EventBody::KeyRetired(body) => ledger::retired(state, body),
        EventBody::TenantCreated(body) => tenant::created(state, at, body),
        EventBody::PrincipalRegistered(body) => tenant::principal_registered(state, tenant, body),
        EventBody::PrincipalDisabled(body) => {
            tenant::principal_disabled(state, tenant, body);
            grants::stopped(state, at, tenant, &body.subject);
        }
        EventBody::CredentialRegistered(body) => tenant::credential_registered(state, tenant, body),
        EventBody::CredentialRevoked(body) => tenant::credential_revoked(state, body),
        EventBody::BundleOffered(body) => tenant::bundle_offered(state, at, event, body),
        EventBody::BundleActivated(body) => tenant::bundle_activated(state, tenant, body),
        EventBody::RunOpened(body) => tenant::run_opened(state, at, event, body),
        EventBody::RunClosed(body) => {
            tenant::run_closed(state, at, event, body);
            orchestration::closed(state, event);
        }
        EventBody::KillSwitchSet(body) => {
            control::kill_switch_set(state, at, tenant, body);
            if let (KillTarget::Agent(subject), true) = (&body.target, body.engaged) {
                grants::stopped(state, at, tenant, subject);
            }
        }
        EventBody::TenantConfigured(body) => control::configured(state, tenant, body),
        EventBody::TenantDisabled(body) => control::disabled(state, tenant, body),
        EventBody::PrincipalEnabled(body) => control::principal_enabled(state, tenant, body),
        EventBody::RuntimeRulesSet(body) => control::runtime_set(state, event, body),
        EventBody::PayloadErased(body) => control::payload_erased(state, at, tenant, body),
        EventBody::KernelActivated(body) => control::kernel_activated(state, body),
        EventBody::MemoryAccess(body) => memory::accessed(state, at, event, body),
        EventBody::AgentMessage(body) => message::checked(state, at, event, body),
        EventBody::AgentKeyRegistered(body) => message::key_registered(state, at, tenant, body),
        EventBody::AgentKeyRotated(body) => message::key_rotated(state, at, tenant, body),
        EventBody::Decision(body) => {
            decided::decided(state, at, event, body);
            orchestration::decided(state, event, body);
            execution::decided(state, at, event, body);
            grants::decided(state, tenant, body);
            approvals::decided(state, at, event, body);
        }
        EventBody::ToolRequest(_) | EventBody::ToolResponse(_) | EventBody::TokenExpired(_) => {
            executed(state, at, event)
        }
        EventBody::CapabilityGranted(body) => grants::granted(state, at, event, body),
        EventBody::CapabilityDelegated(body) => grants::delegated(state, at, event, body),
        EventBody::CapabilityRevoked(body) => grants::revoked(state, tenant, body),
        EventBody::CapabilityExpired(body) => grants::expired(state, tenant, body),
        EventBody::ApprovalRequested(body) => approvals::requested(state, event, body),
        EventBody::HitlDecision(body) => approvals::answered(state, at, event, body),
        EventBody::ApprovalExpired(body) => approvals::expired(state, at, tenant, body),
        EventBody::ApprovalVoid(body) => approvals::voided(state, at, tenant, body),
        EventBody::RunModeChanged(body) => run::mode_changed(state, at, event, body),
        EventBody::TaintAttached(body) => run::taint_attached(state, at, event, body),
        EventBody::RunStep(body) => run::step(state, at, event, body),
        EventBody::OrchestrationAdjusted(body) => orchestration::adjusted(state, at, event, body),
        EventBody::SignalReported(body) => signal::reported(state, tenant, body),
        EventBody::ExpirySwept(body) => expiry::swept(state, at, body),
        // What these change is all in the progress.
        EventBody::SpanSealed(_) | EventBody::SpanCosigned(_) | EventBody::SpanAnchored(_) => {}
    }
}

/// An execution begins, ends, or can no longer begin.
fn executed(state: &mut impl StateWrite, at: &EntryFacts, event: &Event) {
    let tenant = &event.tenant;
    match &event.body {
        EventBody::ToolRequest(body) => {
            orchestration::started(state, at, tenant, body);
            execution::requested(state, at, tenant, body);
        }
        EventBody::ToolResponse(body) => {
            orchestration::ended(state, tenant, body);
            execution::responded(state, at, tenant, body);
        }
        EventBody::TokenExpired(body) => execution::expired(state, tenant, body),
        _ => {}
    }
}

/// Every entry moves the time; tenants' entries count towards the next seal.
fn advance(state: &mut impl StateWrite, at: &EntryFacts, event: &Event) {
    let mut progress = crate::decide::progress(state);
    progress.time = at.time;
    progress.size = at.seq.size_after();
    if !event.tenant.is_system() {
        if progress.span_entries == 0 {
            progress.span_since = at.time;
        }
        progress.span_entries += 1;
    }
    ledger::advance_span(&mut progress, at, &event.body);
    state.put(StateKey::Progress, Record::Progress(progress));
}
