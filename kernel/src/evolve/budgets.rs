//! What charges change: budgets are set aside, settled or given back; a rate's bucket gets emptier.

use assent_ledger::ids::{TenantId, Time};

use super::EntryFacts;
use crate::charge::{RateTerms, Unit, parse_budget, run_of_key};
use crate::event::Reservation;
use crate::state::keys::{BudgetRecord, RateRecord};
use crate::state::{Record, StateKey, StateWrite};

/// Sets an amount aside. A charge of a later period than the record's starts that period.
pub(super) fn reserve(state: &mut impl StateWrite, at: &EntryFacts, tenant: &TenantId, reservation: &Reservation) {
    let Some(charge) = parse_budget(&reservation.budget) else { return };
    let key = StateKey::Budget(tenant.clone(), charge.key.to_owned());
    let found = known(state, &key);
    if found.is_none() && run_of_key(charge.key).is_some() {
        super::scoped::watch(state, at.time, key.clone());
    }
    let mut budget = found.unwrap_or_default();
    if charge.window > budget.window {
        budget = BudgetRecord { window: charge.window, ..BudgetRecord::default() };
    }
    if charge.window == budget.window {
        budget.reserved = budget.reserved.saturating_add(reservation.amount);
        state.put(key, Record::Budget(budget));
    }
}

/// Replaces what was set aside by what was used; 0 gives it back. What belongs to a period that is over is forgotten with it.
pub(super) fn settle(
    state: &mut impl StateWrite,
    tenant: &TenantId,
    reservation: &Reservation,
    used: impl FnOnce(Unit) -> u64,
) {
    let Some(charge) = parse_budget(&reservation.budget) else { return };
    let key = StateKey::Budget(tenant.clone(), charge.key.to_owned());
    let Some(mut budget) = known(state, &key).filter(|budget| budget.window == charge.window) else { return };
    budget.reserved = budget.reserved.saturating_sub(reservation.amount);
    budget.spent = budget.spent.saturating_add(used(charge.unit));
    state.put(key, Record::Budget(budget));
}

fn known(state: &impl StateWrite, key: &StateKey) -> Option<BudgetRecord> {
    match state.get(key).as_deref() {
        Some(Record::Budget(budget)) => Some(*budget),
        _ => None,
    }
}

/// Takes calls from a rate's bucket; in observe mode there may be less in it than that.
pub(super) fn take(state: &mut impl StateWrite, tenant: &TenantId, rate: &str, now: Time, calls: u64) {
    let Some(terms) = RateTerms::of_key(rate) else { return };
    let key = StateKey::Rate(tenant.clone(), rate.to_owned());
    let known = match state.get(&key).as_deref() {
        Some(Record::Rate(known)) => Some(*known),
        _ => None,
    };
    if known.is_none() && run_of_key(rate).is_some() {
        super::scoped::watch(state, now, key.clone());
    }
    let credit = terms.credit(known.as_ref(), now);
    state.put(key, Record::Rate(RateRecord { credit: credit.saturating_sub(terms.of_calls(calls)), at: now }));
}
