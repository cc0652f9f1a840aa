//! Endorsements and retirements: checked against the recorded root key by the very rules that a verifier applies.

use assent_ledger::endorse::{Keyring, KeyringError};
use assent_ledger::ids::TenantId;
use assent_ledger::seal::{KeyEndorsed, KeyRetired, LedgerCreated};

use super::{Context, ledger};
use crate::event::Event;
use crate::limits::KEY_EVENTS_MAX;
use crate::refusal::Refusal;
use crate::state::keys::{KeyEvent, LedgerRecord};
use crate::state::{Record, StateKey, StateRead};

/// Records an endorsement.
pub(super) fn endorse<S: StateRead>(ctx: &Context<'_, S>, body: &KeyEndorsed) -> Result<Vec<Event>, Refusal> {
    keyring(ctx)?.endorse(body).map_err(refused)?;
    Ok(vec![ctx.event(&TenantId::system(), body.clone())])
}

/// Records a retirement.
pub(super) fn retire<S: StateRead>(ctx: &Context<'_, S>, body: &KeyRetired) -> Result<Vec<Event>, Refusal> {
    keyring(ctx)?.retire(body).map_err(refused)?;
    Ok(vec![ctx.event(&TenantId::system(), body.clone())])
}

/// The keyring as it stands. Folding verifies every signature anew, some 50 µs each, for the few times that keys change.
fn keyring<S: StateRead>(ctx: &Context<'_, S>) -> Result<Keyring, Refusal> {
    let record = ctx.state.get(&StateKey::Keyring);
    if matches!(record.as_deref(), Some(Record::Keyring(record)) if record.events.len() >= KEY_EVENTS_MAX) {
        return Err(Refusal::TooManyKeys { max: KEY_EVENTS_MAX });
    }
    recorded_keyring(ctx.state).ok_or(Refusal::NotCreated)?.map_err(refused)
}

/// The keyring that the recorded endorsements and retirements come to, folded as a verifier does; `None` before the genesis.
pub fn recorded_keyring(state: &impl StateRead) -> Option<Result<Keyring, KeyringError>> {
    let ledger = ledger(state)?;
    let record = state.get(&StateKey::Keyring);
    let events = match record.as_deref() {
        Some(Record::Keyring(record)) => record.events.as_slice(),
        _ => &[],
    };
    Some(fold(ledger, events))
}

fn fold(ledger: LedgerRecord, events: &[KeyEvent]) -> Result<Keyring, KeyringError> {
    let mut keyring = Keyring::new(ledger.origin.clone(), ledger.root_key);
    keyring.create(LedgerCreated {
        interval_max_seconds: ledger.interval_max_seconds,
        kernel_version: ledger.kernel_version,
        origin: ledger.origin,
        quorum: ledger.quorum,
        root_key: ledger.root_key,
        seal_entries: ledger.seal_entries,
        seal_seconds: ledger.seal_seconds,
        signature: ledger.signature,
    })?;
    for event in events {
        match event {
            KeyEvent::Endorsed(body) => keyring.endorse(body)?,
            KeyEvent::Retired(body) => keyring.retire(body)?,
        }
    }
    Ok(keyring)
}

fn refused(error: KeyringError) -> Refusal {
    Refusal::KeyRefused { reason: error.to_string() }
}
