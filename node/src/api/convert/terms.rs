//! Terms of decisions and rulings on the wire.

use assent_kernel::event::Obligation;
use assent_kernel::state::keys::DecisionTerms;
use assent_ledger::hash::Hash;
use assent_proto::v1;

use super::evaluate::verdict;

/// Names and values.
pub fn details(pairs: &[(String, String)]) -> Vec<v1::Detail> {
    pairs.iter().map(|(name, value)| v1::Detail { name: name.clone(), value: value.clone() }).collect()
}

/// Under which terms a call may run; `replacement` are the arguments that are to run in its place.
pub fn terms(terms: &DecisionTerms, replacement: Vec<u8>) -> v1::DecisionTerms {
    v1::DecisionTerms {
        effective: verdict(terms.effective).into(),
        observe: terms.observe,
        token_expires: terms.token_expires.map(|time| time.to_string()).unwrap_or_default(),
        audience: terms.audience.clone().unwrap_or_default(),
        constraints: details(&terms.constraints),
        obligations: terms.obligations.iter().map(obligation).collect(),
        approval_id: terms.approval.clone().unwrap_or_default(),
        replacement_tool: terms.replacement_tool.clone().unwrap_or_default(),
        replacement_inputs: replacement.into(),
        tool_schema_hash: hash_bytes(terms.tool_schema.as_ref()),
    }
}

fn hash_bytes(hash: Option<&Hash>) -> bytes::Bytes {
    hash.map(|hash| hash.0.to_vec()).unwrap_or_default().into()
}

fn obligation(obligation: &Obligation) -> v1::Obligation {
    v1::Obligation { kind: obligation.kind.clone(), required: obligation.required, params: details(&obligation.params) }
}
