//! What charges change: budgets are set aside, settled or given back; a rate's bucket gets emptier. What is a run's own is in the run's counts,
//! each other budget and rate in a record of its own.

use assent_ledger::ids::{TenantId, Time};

use super::{EntryFacts, counts};
use crate::charge::{BudgetCharge, RateTerms, parse_budget, run_of_key};
use crate::counting;
use crate::event::Reservation;
use crate::state::keys::{BudgetRecord, RateRecord};
use crate::state::{Record, StateKey, StateWrite};

/// Whose charges these are.
#[derive(Clone, Copy)]
pub(super) struct Charged<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) run_id: Option<&'a str>,
}

/// Takes one call from the bucket of each rate, and sets amounts aside.
pub(super) fn charge(
    state: &mut impl StateWrite,
    at: &EntryFacts,
    of: Charged<'_>,
    rates: &[String],
    reserved: &[Reservation],
) {
    let (mut any_rate, mut any_budget) = (false, false);
    for rate in rates {
        match run_of_key(rate) {
            Some(_) => any_rate = true,
            None => take(state, of.tenant, rate, at.time, 1),
        }
    }
    for reservation in reserved {
        any_budget |= is_of_run(reservation);
        change(state, of.tenant, reservation, Some(BudgetRecord::default()), |budget, charge| {
            budget.reserve(charge.window, reservation.amount);
        });
    }
    if any_rate || any_budget {
        counts::change(state, of.tenant, of.run_id, |counts| {
            counting::take(counts, rates, at.time);
            counting::reserve(counts, reserved);
        });
    }
}

/// Replaces what was set aside by what was used; 0 gives it back.
pub(super) fn settle(
    state: &mut impl StateWrite,
    of: Charged<'_>,
    reserved: &[Reservation],
    used: impl Fn(&Reservation, &BudgetCharge<'_>) -> u64,
) {
    for reservation in reserved {
        change(state, of.tenant, reservation, None, |budget, charge| {
            budget.settle(charge.window, reservation.amount, used(reservation, charge));
        });
    }
    if reserved.iter().any(is_of_run) {
        counts::change(state, of.tenant, of.run_id, |counts| counting::settle(counts, reserved, used));
    }
}

fn is_of_run(reservation: &Reservation) -> bool {
    run_of_key(&reservation.budget).is_some()
}

/// Changes a budget that is no run's own; one that is not there begins as `new`.
fn change(
    state: &mut impl StateWrite,
    tenant: &TenantId,
    reservation: &Reservation,
    new: Option<BudgetRecord>,
    change: impl FnOnce(&mut BudgetRecord, &BudgetCharge<'_>),
) {
    let Some(charge) = parse_budget(&reservation.budget).filter(|_| !is_of_run(reservation)) else { return };
    let key = StateKey::Budget(tenant.clone(), charge.key.to_owned());
    let known = match state.get(&key).as_deref() {
        Some(Record::Budget(known)) => Some(*known),
        _ => new,
    };
    if let Some(mut budget) = known {
        change(&mut budget, &charge);
        state.put(key, Record::Budget(budget));
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
    let credit = terms.credit(known.as_ref(), now);
    state.put(key, Record::Rate(RateRecord { credit: credit.saturating_sub(terms.of_calls(calls)), at: now }));
}
