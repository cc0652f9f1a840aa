//! What control events change.

use assent_ledger::ids::TenantId;

use super::EntryFacts;
use crate::event::{
    BUNDLE_ROLE, Event, KernelActivated, KillSwitchSet, PayloadErased, PrincipalEnabled, RuntimeRulesSet,
    TenantConfigured, TenantDisabled,
};
use crate::state::keys::{
    ErasedPayloadRecord, KillSwitchRecord, LedgerRecord, PrincipalRecord, RuntimeRulesRecord, TenantRecord,
    TenantSettingsRecord,
};
use crate::state::{Record, StateKey, StateWrite};

pub(super) fn kill_switch_set(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, body: &KillSwitchSet) {
    let key = StateKey::KillSwitch(tenant.clone(), body.target.key());
    let engaged_at = match state.get(&key).as_deref() {
        Some(Record::KillSwitch(known)) if !body.engaged => known.engaged_at,
        _ => at.seq,
    };
    let record = KillSwitchRecord { engaged: body.engaged, engaged_at, changed: at.time };
    state.put(key, Record::KillSwitch(record));
}

pub(super) fn configured(state: &mut impl StateWrite, tenant: &TenantId, body: &TenantConfigured) {
    let record = TenantSettingsRecord { settings: body.settings };
    state.put(StateKey::TenantSettings(tenant.clone()), Record::TenantSettings(record));
}

pub(super) fn disabled(state: &mut impl StateWrite, tenant: &TenantId, body: &TenantDisabled) {
    let key = StateKey::Tenant(tenant.clone());
    if let Some(Record::Tenant(known)) = state.get(&key).as_deref() {
        let record = TenantRecord { disabled: body.disabled, ..known.clone() };
        state.put(key, Record::Tenant(record));
    }
}

pub(super) fn principal_enabled(state: &mut impl StateWrite, tenant: &TenantId, body: &PrincipalEnabled) {
    let key = StateKey::Principal(tenant.clone(), body.subject.clone());
    if let Some(Record::Principal(known)) = state.get(&key).as_deref() {
        let record = PrincipalRecord { disabled: false, ..known.clone() };
        state.put(key, Record::Principal(record));
    }
}

pub(super) fn payload_erased(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, body: &PayloadErased) {
    let record = ErasedPayloadRecord { entry: body.entry, erased: at.time };
    state.put(StateKey::ErasedPayload(tenant.clone(), body.commitment), Record::ErasedPayload(record));
}

pub(super) fn kernel_activated(state: &mut impl StateWrite, body: &KernelActivated) {
    if let Some(Record::Ledger(known)) = state.get(&StateKey::Ledger).as_deref() {
        let record = LedgerRecord { kernel_version: body.version, ..known.clone() };
        state.put(StateKey::Ledger, Record::Ledger(record));
    }
}

pub(super) fn runtime_set(state: &mut impl StateWrite, event: &Event, body: &RuntimeRulesSet) {
    let key = StateKey::RuntimeRules(event.tenant.clone(), body.environment.clone());
    match event.payloads.iter().find(|payload| payload.role == BUNDLE_ROLE) {
        Some(source) if body.rules > 0 => {
            let record = RuntimeRulesRecord { bundle: body.bundle, hash: body.runtime, source: source.bytes.clone() };
            state.put(key, Record::RuntimeRules(record));
        }
        _ => state.delete(key),
    }
}
