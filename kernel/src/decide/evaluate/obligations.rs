//! Step 11: what the enforcement point has to do besides, and whether it can.

use std::sync::Arc;

use super::{Asked, Judged, against};
use crate::bundle::Outcome;
use crate::event::{Obligation, PayloadIntent, PolicyDetail};
use crate::reason::ReasonCode;
use crate::verdict::Verdict;

/// What the ledger itself does for every call: the entry is the log, its receipt the signature.
const BY_THE_LEDGER: [&str; 2] = ["audit_log", "sign_action"];

/// Denies what needs more than the enforcement point registered; who registered nothing can do nothing.
pub(super) fn check(asked: &Asked<'_>, judged: &mut Judged) {
    if judged.outcome.verdict == Verdict::Deny {
        return;
    }
    let registered = asked.evaluate.context.fulfils.as_deref().unwrap_or_default();
    let can = |kind: &str| BY_THE_LEDGER.contains(&kind) || registered.iter().any(|known| known == kind);
    if judged.outcome.obligations.iter().any(|known| known.required && !can(&known.kind)) {
        against(&mut judged.outcome, ReasonCode::ObligationUnsupported);
    }
}

/// The obligations as the decision's entry has them.
pub(super) fn recorded(known: &[crate::bundle::Obligation]) -> Vec<Obligation> {
    let param = |(name, text): &(Arc<str>, Arc<str>)| (name.to_string(), text.to_string());
    let obligation = |known: &crate::bundle::Obligation| Obligation {
        kind: known.kind.to_string(),
        required: known.required,
        // What was made for the call is in a payload.
        params: if known.made { Vec::new() } else { known.params.iter().map(param).collect() },
    };
    known.iter().map(obligation).collect()
}

/// What a policy made of the call for those of the `recorded` obligations that come from it, and what it said; `None` when it did
/// neither.
pub(super) fn detail(recorded: &[Obligation], outcome: &Outcome) -> Option<PayloadIntent> {
    let texts = |known: &crate::bundle::Obligation| {
        known.params.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
    };
    // Where nothing runs nothing is obliged.
    let made = outcome.obligations.iter().enumerate().take(recorded.len()).filter(|(_, known)| known.made);
    let params = made.filter(|(_, known)| !known.params.is_empty()).map(|(at, known)| (at, texts(known))).collect();
    PolicyDetail { params, reasons: outcome.reasons.clone() }.into_payload()
}
