//! Effects that must not happen twice: the caller's key of an effect, remembered for a day of stamped time.

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{TenantId, Time};

use crate::state::{Record, StateKey, StateRead};

/// Whether the same effect was allowed within the last day: same tenant, environment, tool and caller's key.
pub fn effect_seen(
    state: &impl StateRead,
    tenant: &TenantId,
    environment: &str,
    tool: &str,
    key: &str,
    now: Time,
) -> bool {
    let item = StateKey::EffectKey(tenant.clone(), digest_of_effect(environment, tool, key));
    matches!(state.get(&item).as_deref(), Some(Record::EffectKey(known)) if known.expires > now)
}

/// Names an effect within its tenant. None of the parts contains a zero byte.
pub(crate) fn digest_of_effect(environment: &str, tool: &str, key: &str) -> Hash {
    sha256(&[b"assent effect/1\n", environment.as_bytes(), &[0], tool.as_bytes(), &[0], key.as_bytes()])
}
