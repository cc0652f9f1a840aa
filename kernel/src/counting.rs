//! How what is counted in a run changes: charges to budgets and rates that are its own, and what calls add up to. Decisions try with it whether
//! there is room for everything, `evolve` does it. The texts are those of entries and payloads; what is no run's own is left alone.

use assent_ledger::ids::Time;

use crate::accumulator::OfRun as SumOfRun;
use crate::bundle::Addend;
use crate::charge::{BudgetCharge, OfRun, Period, RateTerms, parse_budget};
use crate::event::Reservation;
use crate::state::keys::{BudgetRecord, Counted, CountedKind, RunCountsRecord, RunRate, ValueDigest, value_digest};
use crate::value::Number;

/// Takes one call from each of the rates, in the order of a decision: the share of a rate comes right after the rate. Answers whether there was
/// room for all of them.
pub fn take(counts: &mut RunCountsRecord, rates: &[String], now: Time) -> bool {
    let mut before = None;
    let mut room = true;
    for text in rates {
        let (of, terms) = (OfRun::of_key(text), RateTerms::of_key(text));
        if let (Some(of), Some(terms)) = (of, terms) {
            let share = before.is_some_and(|before: OfRun<'_>| before.is_same(&of));
            room &= take_one(counts, &of, share, terms, now);
        }
        before = of;
    }
    room
}

fn take_one(counts: &mut RunCountsRecord, of: &OfRun<'_>, share: bool, terms: RateTerms, now: Time) -> bool {
    let room = !share || counts.has_room(RunRate::BUCKET_BYTES);
    let new = Counted::Rate(RunRate::full(terms, now));
    let Some(Counted::Rate(rate)) = counts.entry(of.environment, of.id, new) else { return false };
    if !room && rate.share.is_none() {
        return false;
    }
    rate.take(share, terms, now);
    true
}

/// Sets amounts aside. Answers whether there was room for all of them.
pub fn reserve(counts: &mut RunCountsRecord, reserved: &[Reservation]) -> bool {
    let mut room = true;
    for reservation in reserved {
        let Some((of, period, charge)) = budget_of(reservation) else { continue };
        let new = Counted::Budget(charge.unit, period, BudgetRecord::default());
        match counts.entry(of.environment, of.id, new) {
            Some(Counted::Budget(_, _, budget)) => budget.reserve(charge.window, reservation.amount),
            _ => room = false,
        }
    }
    room
}

/// Replaces what was set aside by what was used of each reservation.
pub fn settle(
    counts: &mut RunCountsRecord,
    reserved: &[Reservation],
    used: impl Fn(&Reservation, &BudgetCharge<'_>) -> u64,
) {
    for reservation in reserved {
        let Some((of, period, charge)) = budget_of(reservation) else { continue };
        let kind = CountedKind::Budget(charge.unit, period);
        if let Some(Counted::Budget(_, _, budget)) = counts.get_mut(of.environment, kind, of.id) {
            budget.settle(charge.window, reservation.amount, used(reservation, &charge));
        }
    }
}

fn budget_of(reservation: &Reservation) -> Option<(OfRun<'_>, Period, BudgetCharge<'_>)> {
    let charge = parse_budget(&reservation.budget)?;
    let of = OfRun::of_key(charge.key)?;
    Some((of, of.period()?, charge))
}

/// Adds to what calls add up to. Answers whether there was room for all of it.
pub fn add<'a>(counts: &mut RunCountsRecord, additions: impl IntoIterator<Item = (&'a str, &'a Addend)>) -> bool {
    let mut room = true;
    for (text, addend) in additions {
        if let Some(of) = SumOfRun::of_text(text) {
            room &= add_one(counts, &of, addend);
        }
    }
    room
}

fn add_one(counts: &mut RunCountsRecord, of: &SumOfRun<'_>, addend: &Addend) -> bool {
    let new = match addend {
        Addend::Count => Counted::Calls(0),
        Addend::Sum(_) => Counted::Sum("0".into()),
        Addend::Distinct(_) => Counted::Distinct(Vec::new()),
    };
    if counts.entry(of.environment, of.key, new).is_none() {
        return false;
    }
    let room = counts.has_room(size_of::<ValueDigest>());
    match (counts.get_mut(of.environment, kind_of(addend), of.key), addend) {
        (Some(Counted::Calls(calls)), Addend::Count) => *calls = calls.saturating_add(1),
        (Some(Counted::Sum(sum)), Addend::Sum(number)) => add_number(sum, number),
        (Some(Counted::Distinct(values)), Addend::Distinct(value)) => {
            let digest = value_digest(value);
            if let Err(at) = values.binary_search(&digest) {
                if !room {
                    return false;
                }
                values.insert(at, digest);
            }
        }
        _ => return false,
    }
    true
}

const fn kind_of(addend: &Addend) -> CountedKind {
    match addend {
        Addend::Count => CountedKind::Calls,
        Addend::Sum(_) => CountedKind::Sum,
        Addend::Distinct(_) => CountedKind::Distinct,
    }
}

/// A sum that cannot be held exactly was denied when it was decided.
fn add_number(sum: &mut Box<str>, number: &Number) {
    if let Some(added) = Number::parse(sum).unwrap_or_default().checked_add(number) {
        *sum = added.normal_text().into();
    }
}
