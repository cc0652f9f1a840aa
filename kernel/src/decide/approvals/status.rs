//! What has become of a decision that waited for people.

use assent_ledger::ids::{TenantId, Time};

use crate::reason::ReasonCode;
use crate::state::keys::{ApprovalStatus, DecisionStatusRecord, DecisionTerms, ReplacedDecision, RequestRecord};
use crate::state::{Record, StateKey, StateRead};
use crate::verdict::Verdict;

/// The current status of an escalated decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionState {
    /// It waits for this approval.
    Pending {
        /// The approval.
        approval: String,
    },
    /// Nobody answered in time; the entry that says so may still be to come.
    Expired,
    /// It was decided.
    Replaced(ReplacedDecision),
}

/// The current status of a decision; `None` when it never waited for people, or so long ago that nobody can ask any more.
pub fn decision_state(state: &impl StateRead, tenant: &TenantId, decision: &str, now: Time) -> Option<DecisionState> {
    let key = StateKey::DecisionStatus(tenant.clone(), decision.to_owned());
    let Some(Record::DecisionStatus(status)) = state.get(&key).as_deref().cloned() else { return None };
    let DecisionStatusRecord { approval, replaced } = status;
    if let Some(replaced) = replaced {
        return Some(DecisionState::Replaced(replaced));
    }
    let waits = match state.get(&StateKey::Approval(tenant.clone(), approval.clone())).as_deref() {
        Some(Record::Approval(known)) => known.status == ApprovalStatus::Pending && known.expires > now,
        _ => false,
    };
    Some(if waits { DecisionState::Pending { approval } } else { DecisionState::Expired })
}

/// The answer to a repeated request: where its decision waited for people, what has become of it.
pub(in crate::decide) fn current(
    state: &impl StateRead,
    tenant: &TenantId,
    row: RequestRecord,
    now: Time,
) -> RequestRecord {
    let Some(decided) = row.decided.as_ref().filter(|decided| decided.terms.approval.is_some()) else { return row };
    match decision_state(state, tenant, &decided.decision_id, now) {
        Some(DecisionState::Replaced(ReplacedDecision { seq, decided })) => {
            RequestRecord { first_seq: seq, count: 1, decided: Some(decided), ..row }
        }
        Some(DecisionState::Expired) => {
            let mut decided = decided.clone();
            decided.verdict = Verdict::Deny;
            decided.codes = vec![ReasonCode::ApprovalExpired];
            decided.terms = Box::new(DecisionTerms::nothing(Verdict::Deny));
            RequestRecord { decided: Some(decided), ..row }
        }
        Some(DecisionState::Pending { approval }) => {
            let mut decided = decided.clone();
            decided.terms.approval = Some(approval);
            RequestRecord { decided: Some(decided), ..row }
        }
        None => row,
    }
}
