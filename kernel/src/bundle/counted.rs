//! What a bundle has counted in each run: its run-scoped budgets and rates, and what its contract adds up per run. All of it is in one record of
//! a bounded size (`RunCounts`), so that a bundle that could need more is refused.

use std::collections::BTreeMap;

use super::CompiledBundle;
use super::contract::Test;
use super::error::{BundleErrorKind, Diagnostics, Position};
use super::orchestration::Knob;
use crate::charge::Scope;
use crate::state::keys::{CountedKind, RunRate};

/// Refuses what would need more than `max` bytes in the counts of a run; `prefix` bytes are written before the name of each sum.
pub(super) fn check(bundle: &CompiledBundle, max: usize, prefix: usize, d: &mut Diagnostics) {
    let mut items = charged(bundle);
    items.extend(added_up(bundle, prefix));
    items.sort_unstable();
    let total: usize = items.iter().fold(0, |total, (_, bytes)| total.saturating_add(*bytes));
    let mut sum = 0usize;
    let beyond = items.iter().find(|(_, bytes)| {
        sum = sum.saturating_add(*bytes);
        sum > max
    });
    if let Some((at, _)) = beyond {
        let message = format!("all that is counted in each run takes {total} bytes there, and at most {max} are kept");
        let hint = "from here on count for the subject or by the day, tell fewer values apart, or give shorter ids";
        d.error_hint(*at, BundleErrorKind::TooLarge, message, hint);
    }
}

type Bytes = (Position, usize);

/// Budgets and rates. A rate has a second bucket where reported signals may leave a share of it.
fn charged(bundle: &CompiledBundle) -> Vec<Bytes> {
    let shares = bundle.orchestration.iter().any(|rule| rule.adjusts(Knob::Rates));
    let share = if shares { RunRate::BUCKET_BYTES } else { 0 };
    let budgets = bundle
        .budgets
        .iter()
        .filter(|budget| budget.scope == Scope::Run)
        .map(|budget| (budget.at(), CountedKind::Budget(budget.unit, budget.period).item_bytes(budget.id.len())));
    let rates = bundle.rates.iter().filter(|rate| rate.scope == Scope::Run);
    budgets.chain(rates.map(|rate| (rate.at(), CountedKind::Rate.item_bytes(rate.id.len()) + share))).collect()
}

/// What the contract adds up: predicates about the same sum share it.
fn added_up(bundle: &CompiledBundle, prefix: usize) -> Vec<Bytes> {
    let mut sums: BTreeMap<&str, Bytes> = BTreeMap::new();
    for predicate in bundle.contracts.iter().flat_map(|contract| &contract.predicates) {
        let Test::Across(across) = &predicate.test else { continue };
        let Some((key, bytes)) = across.in_run() else { continue };
        let bytes = bytes(prefix + key.len());
        let known = sums.entry(key).or_insert((predicate.at, bytes));
        if bytes > known.1 {
            *known = (predicate.at, bytes);
        }
    }
    sums.into_values().collect()
}
