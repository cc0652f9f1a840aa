//! Approvals: calls that wait for people, and what their answers come to.
//!
//! An approval is bound to the call's bytes, to the policy that asked for it and to a time, and it is used once. Enough agreement does not
//! let the call pass by itself: the call is decided anew, under what holds then, with only this one requirement satisfied.

mod conditions;
mod open;
mod resolve;
mod status;
mod stricter;

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::TenantId;

use super::Context;
use crate::event::{ApprovalExpired, Event};
use crate::state::keys::{ApprovalRecord, ApprovalStatus};
use crate::state::{Record, StateKey, StateRead};

pub(super) use conditions::are_met;
pub(super) use open::{attach, held, wait_in};
pub(super) use resolve::resolve;
pub(super) use status::current;
pub use status::{DecisionState, decision_state};

/// Digest of everything that decides in an environment: the active bundle, the runtime layer, and the operator's baselines (that of
/// the environment, and that of `*`), each as its hash or zeros.
pub(crate) fn policy_hash(state: &impl StateRead, tenant: &TenantId, environment: &str) -> Hash {
    let active = |tenant: &TenantId, environment: &str| match state
        .get(&StateKey::ActiveBundle(tenant.clone(), environment.to_owned()))
        .as_deref()
    {
        Some(Record::ActiveBundle(active)) => active.bundle,
        _ => Hash::default(),
    };
    let system = TenantId::system();
    let runtime = match state.get(&StateKey::RuntimeRules(tenant.clone(), environment.to_owned())).as_deref() {
        Some(Record::RuntimeRules(rules)) => rules.hash,
        _ => Hash::default(),
    };
    let hashes = [active(tenant, environment), runtime, active(&system, environment), active(&system, "*")];
    let [bundle, runtime, baseline, everywhere] = &hashes;
    sha256(&[b"assent policy/1\n", &bundle.0, &runtime.0, &baseline.0, &everywhere.0])
}

fn approval<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, id: &str) -> Option<ApprovalRecord> {
    match ctx.state.get(&StateKey::Approval(tenant.clone(), id.to_owned())).as_deref() {
        Some(Record::Approval(known)) => Some(known.clone()),
        _ => None,
    }
}

/// The entry that the end of a waiting approval makes.
pub(super) fn expired<S: StateRead>(ctx: &Context<'_, S>, key: &StateKey) -> Option<Event> {
    let StateKey::Approval(tenant, id) = key else { return None };
    let known = approval(ctx, tenant, id)?;
    if known.status != ApprovalStatus::Pending || known.expires > ctx.now {
        return None;
    }
    let body = ApprovalExpired { approval: id.clone(), decision: known.decision, subject: known.subject };
    Some(Event { run_id: known.run_id, ..ctx.event(tenant, body) })
}
