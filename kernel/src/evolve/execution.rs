//! What an allowed call sets aside until its outcome is known.

use assent_ledger::ids::Time;

use super::EntryFacts;
use crate::decide::digest_of_effect;
use crate::event::{Event, PolicyDecision};
use crate::expiry;
use crate::limits::EFFECT_KEY_MICROS;
use crate::state::keys::EffectKeyRecord;
use crate::state::{Record, StateKey, StateWrite};
use crate::verdict::Verdict;

/// Takes what a decision sets aside into the state.
pub(super) fn decided(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &PolicyDecision) {
    if let (Some(key), Verdict::Allow | Verdict::Compute) = (&body.effects.effect_key, body.effective) {
        let tool = body.effects.replacement_tool.as_ref().unwrap_or(&body.tool);
        let digest = digest_of_effect(&body.environment, tool, key);
        let expires = Time(at.time.0.saturating_add(EFFECT_KEY_MICROS));
        let item = StateKey::EffectKey(event.tenant.clone(), digest);
        state.put(item.clone(), Record::EffectKey(EffectKeyRecord { seq: at.seq, expires }));
        expiry::schedule(state, expires, item);
    }
}
