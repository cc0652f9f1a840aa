//! What tenants' events change.

use assent_ledger::ids::TenantId;

use super::{EntryFacts, scoped};
use crate::event::{
    BUNDLE_ROLE, BundleActivated, BundleOffered, CredentialRegistered, CredentialRevoked, Event, PrincipalDisabled,
    PrincipalRegistered, RunClosed, RunOpened, TenantCreated,
};
use crate::state::keys::{
    ActiveBundleRecord, BundleRecord, CredentialNameRecord, CredentialRecord, ImplicitRunRecord, OfferedBundleRecord,
    PrincipalRecord, RunMode, RunRecord, TenantRecord,
};
use crate::state::{Record, StateKey, StateWrite};

pub(super) fn created(state: &mut impl StateWrite, at: &EntryFacts, body: &TenantCreated) {
    // The system's own entry announces an opaque id; the tenant's entry, which follows it, makes the tenant.
    if let Some(named) = &body.named {
        let record = TenantRecord { blind: named.blind, opaque: body.opaque, disabled: false, created: at.time };
        state.put(StateKey::Tenant(named.tenant.clone()), Record::Tenant(record));
    }
}

pub(super) fn principal_registered(state: &mut impl StateWrite, tenant: &TenantId, body: &PrincipalRegistered) {
    let record = PrincipalRecord { owner: body.owner.clone(), disabled: false };
    state.put(StateKey::Principal(tenant.clone(), body.subject.clone()), Record::Principal(record));
}

pub(super) fn principal_disabled(state: &mut impl StateWrite, tenant: &TenantId, body: &PrincipalDisabled) {
    let key = StateKey::Principal(tenant.clone(), body.subject.clone());
    if let Some(Record::Principal(known)) = state.get(&key).as_deref() {
        let record = PrincipalRecord { owner: known.owner.clone(), disabled: true };
        state.put(key, Record::Principal(record));
    }
}

pub(super) fn credential_registered(state: &mut impl StateWrite, tenant: &TenantId, body: &CredentialRegistered) {
    let token_hash = body.token_hash;
    let record = CredentialRecord {
        tenant: tenant.clone(),
        name: body.name.clone(),
        role: body.role,
        subject: body.subject.clone(),
        revoked: false,
    };
    state.put(StateKey::Credential(token_hash), Record::Credential(record));
    let name = StateKey::CredentialName(tenant.clone(), body.name.clone());
    state.put(name, Record::CredentialName(CredentialNameRecord { token_hash }));
}

pub(super) fn credential_revoked(state: &mut impl StateWrite, body: &CredentialRevoked) {
    let key = StateKey::Credential(body.token_hash);
    if let Some(Record::Credential(known)) = state.get(&key).as_deref() {
        let record = CredentialRecord { revoked: true, ..known.clone() };
        state.put(key, Record::Credential(record));
    }
}

pub(super) fn bundle_offered(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &BundleOffered) {
    let record = OfferedBundleRecord { offered: at.time };
    state.put(StateKey::OfferedBundle(event.tenant.clone(), body.bundle), Record::OfferedBundle(record));
    let key = StateKey::Bundle(body.bundle);
    let source = event.payloads.iter().find(|payload| payload.role == BUNDLE_ROLE);
    if let (None, Some(source)) = (state.get(&key), source) {
        state.put(key, Record::Bundle(BundleRecord { source: source.bytes.clone() }));
    }
}

pub(super) fn bundle_activated(state: &mut impl StateWrite, tenant: &TenantId, body: &BundleActivated) {
    let key = StateKey::ActiveBundle(tenant.clone(), body.environment.clone());
    state.put(key, Record::ActiveBundle(ActiveBundleRecord { bundle: body.bundle }));
    let mut environments = crate::decide::environments(state, tenant);
    if body.previous.is_none() && !environments.names.contains(&body.environment) {
        environments.names.push(body.environment.clone());
        state.put(StateKey::Environments(tenant.clone()), Record::Environments(environments));
    }
}

pub(super) fn run_opened(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &RunOpened) {
    let Some(run_id) = &event.run_id else { return };
    let RunOpened { subject, implicit, parent } = body.clone();
    if implicit {
        let key = StateKey::ImplicitRun(event.tenant.clone(), subject.clone());
        let record = ImplicitRunRecord { run_id: run_id.clone(), last: at.time };
        state.put(key, Record::ImplicitRun(record));
    }
    let generation = parent.map_or(0, |parent| parent.generation);
    let record = RunRecord { generation, ..RunRecord::new(subject, implicit, at.time) };
    state.put(StateKey::Run(event.tenant.clone(), run_id.clone()), Record::Run(record));
}

pub(super) fn run_closed(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &RunClosed) {
    let Some(run_id) = &event.run_id else { return };
    let key = StateKey::Run(event.tenant.clone(), run_id.clone());
    if let Some(Record::Run(known)) = state.get(&key).as_deref() {
        let record = RunRecord { mode: RunMode::Closed, ..known.clone() };
        state.put(key, Record::Run(record));
        scoped::closed(state, at.time, &event.tenant, run_id);
    }
    let implicit = StateKey::ImplicitRun(event.tenant.clone(), body.subject.clone());
    if is_implicit_run(state, &implicit, run_id) {
        state.delete(implicit);
    }
}

pub(super) fn is_implicit_run(state: &impl StateWrite, key: &StateKey, run_id: &str) -> bool {
    matches!(state.get(key).as_deref(), Some(Record::ImplicitRun(known)) if known.run_id == run_id)
}
