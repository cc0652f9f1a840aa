//! What events about capabilities change: leases, who holds which, and how many calls are left.

use assent_ledger::ids::TenantId;

use super::EntryFacts;
use super::decided::{across_runs, in_run};
use crate::event::{
    CONSTRAINTS_ROLE, CapabilityDelegated, CapabilityExpired, CapabilityGranted, CapabilityRevoked, Event, GrantRuled,
    PolicyDecision,
};
use crate::expiry;
use crate::limits::{CHAIN_MAX, LEASES_PER_SUBJECT_MAX};
use crate::state::keys::{LeaseConstraints, LeaseIndexRecord, LeaseRecord};
use crate::state::{Record, StateKey, StateRead, StateWrite};
use crate::verdict::Verdict;

pub(super) fn granted(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &CapabilityGranted) {
    let ruled = &body.ruled;
    count(state, event, &["capability_requests"], ruled);
    if let Some(holder) = &ruled.subject {
        hold(state, at, event, ruled, holder, (None, Vec::new()));
    }
}

pub(super) fn delegated(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &CapabilityDelegated) {
    let ruled = &body.ruled;
    let allowed: &[&str] = if ruled.verdict == Verdict::Allow { &["delegations"] } else { &[] };
    count(state, event, allowed, ruled);
    hold(state, at, event, ruled, &body.to, (body.from.clone(), body.chain.clone()));
}

/// What a request does to its run, whatever came of it: a denied one is a strike like a denied call.
fn count(state: &mut impl StateWrite, event: &Event, names: &[&str], ruled: &GrantRuled) {
    let Some(run_id) = &event.run_id else { return };
    super::message::change_run(state, &event.tenant, run_id, |run| {
        names.iter().for_each(|name| run.counters.add_one(name));
        if ruled.verdict == Verdict::Deny {
            run.counters.add_one("capability_denied");
            super::run::strike(run, &ruled.codes, ruled.observe);
        }
        in_run(run, &ruled.latches);
    });
    if let Some(subject) = &ruled.subject {
        across_runs(state, event, subject, &ruled.latches);
    }
}

/// A new lease, if the event made one.
fn hold(
    state: &mut impl StateWrite,
    at: &EntryFacts,
    event: &Event,
    ruled: &GrantRuled,
    holder: &str,
    (parent, chain): (Option<String>, Vec<String>),
) {
    let (Some(id), Some(expires)) = (&ruled.lease, ruled.expires) else { return };
    let constraints = match event.payloads.iter().find(|payload| payload.role == CONSTRAINTS_ROLE) {
        _ if !ruled.constrained => LeaseConstraints::None,
        Some(payload) => LeaseConstraints::Json(payload.bytes.clone()),
        None => LeaseConstraints::Unknown,
    };
    let lease = LeaseRecord {
        holder: holder.to_owned(),
        run_id: event.run_id.clone().filter(|_| ruled.bound),
        environment: ruled.environment.clone(),
        class: ruled.class.clone(),
        actions: ruled.actions.clone(),
        constraints,
        calls_left: ruled.calls,
        expires,
        granted: at.seq,
        revoked: false,
        parent,
        chain,
    };
    let place = LeaseIndexRecord::text(holder, &lease.chain);
    let mut index = index_of(state, &event.tenant, &place);
    if index.leases.len() >= LEASES_PER_SUBJECT_MAX {
        index.leases.retain(|id| is_live(state, at, &event.tenant, id));
    }
    index.leases.push(id.clone());
    // What decided left room; should it not have, the oldest gives way and is worth nothing any more.
    while index.leases.len() > LEASES_PER_SUBJECT_MAX {
        index.leases.remove(0);
    }
    put_index(state, &event.tenant, &place, index);
    let key = StateKey::Lease(event.tenant.clone(), id.clone());
    state.put(key.clone(), Record::Lease(lease));
    expiry::schedule(state, expires, key);
}

fn is_live(state: &impl StateRead, at: &EntryFacts, tenant: &TenantId, id: &str) -> bool {
    let lease = state.get(&StateKey::Lease(tenant.clone(), id.to_owned()));
    matches!(lease.as_deref(), Some(Record::Lease(lease)) if !lease.revoked && lease.expires > at.time && lease.calls_left > 0)
}

pub(super) fn revoked(state: &mut impl StateWrite, tenant: &TenantId, body: &CapabilityRevoked) {
    revoke(state, tenant, &body.lease);
}

fn revoke(state: &mut impl StateWrite, tenant: &TenantId, id: &str) {
    let key = StateKey::Lease(tenant.clone(), id.to_owned());
    if let Some(Record::Lease(known)) = state.get(&key).as_deref() {
        let lease = LeaseRecord { revoked: true, ..known.clone() };
        state.put(key, Record::Lease(lease));
    }
}

pub(super) fn expired(state: &mut impl StateWrite, tenant: &TenantId, body: &CapabilityExpired) {
    let key = StateKey::Lease(tenant.clone(), body.lease.clone());
    let Some(Record::Lease(known)) = state.get(&key).as_deref().cloned() else { return };
    state.delete(key);
    let place = LeaseIndexRecord::text(&known.holder, &known.chain);
    let mut index = index_of(state, tenant, &place);
    index.leases.retain(|id| *id != body.lease);
    put_index(state, tenant, &place, index);
}

/// A call that may run takes one call from its lease, and from every lease that this one was passed on from.
pub(super) fn decided(state: &mut impl StateWrite, tenant: &TenantId, body: &PolicyDecision) {
    let lease = body.effects.lease.as_deref().filter(|_| body.effective >= Verdict::Compute);
    change_calls(state, tenant, &chain_of(state, tenant, lease), |calls| calls.saturating_sub(1));
}

/// A call that nobody carried out gives them back to those that are left.
pub(super) fn give_back(state: &mut impl StateWrite, tenant: &TenantId, leases: &[String]) {
    change_calls(state, tenant, leases, |calls| calls.saturating_add(1));
}

fn change_calls(state: &mut impl StateWrite, tenant: &TenantId, leases: &[String], change: fn(u32) -> u32) {
    for id in leases {
        let key = StateKey::Lease(tenant.clone(), id.clone());
        if let Some(Record::Lease(known)) = state.get(&key).as_deref().cloned() {
            state.put(key, Record::Lease(LeaseRecord { calls_left: change(known.calls_left), ..known }));
        }
    }
}

/// A lease and those that it was passed on from.
pub(super) fn chain_of(state: &impl StateRead, tenant: &TenantId, lease: Option<&str>) -> Vec<String> {
    let mut chain: Vec<String> = Vec::new();
    let mut next = lease.map(str::to_owned);
    while let Some(id) = next.take().filter(|_| chain.len() <= CHAIN_MAX) {
        let record = state.get(&StateKey::Lease(tenant.clone(), id.clone()));
        let Some(Record::Lease(known)) = record.as_deref() else { break };
        next.clone_from(&known.parent);
        chain.push(id);
    }
    chain
}

/// When a subject is stopped, disabled or quarantined, everything dies that it holds, has passed on or waits for, and what it was
/// allowed must not run any more; coming back does not bring it back.
pub(super) fn stopped(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, subject: &str) {
    super::run::change_subject(state, tenant, subject, |known| known.void_before = at.seq);
    let index = index_of(state, tenant, subject);
    index.leases.iter().for_each(|id| revoke(state, tenant, id));
    index.approvals.iter().for_each(|id| super::approvals::stopped(state, at, tenant, id));
}

/// What a subject holds and waits for, by its name or by `LeaseIndexRecord::text`.
pub(super) fn index_of(state: &impl StateRead, tenant: &TenantId, place: &str) -> LeaseIndexRecord {
    match state.get(&StateKey::LeaseIndex(tenant.clone(), place.to_owned())).as_deref() {
        Some(Record::LeaseIndex(index)) => index.clone(),
        _ => LeaseIndexRecord::default(),
    }
}

pub(super) fn put_index(state: &mut impl StateWrite, tenant: &TenantId, place: &str, index: LeaseIndexRecord) {
    let key = StateKey::LeaseIndex(tenant.clone(), place.to_owned());
    if index.is_empty() {
        state.delete(key);
    } else {
        state.put(key, Record::LeaseIndex(index));
    }
}
