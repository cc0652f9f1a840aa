//! What a call would be charged to, and whether that is still there. Nothing is taken here: the decision's leaf says what is.

use std::borrow::Cow;

use assent_ledger::ids::{TenantId, Time};

use crate::bundle::{Budget, CompiledBundle, Tool};
use crate::charge::{RUN_HOLDER, Scope, Shares, Unit, budget_key, budget_text, rate_key};
use crate::command::{CallerBudgets, Usage};
use crate::event::Reservation;
use crate::limits::BUDGETS_PER_CALL_MAX;
use crate::reason::ReasonCode;
use crate::state::keys::BudgetRecord;
use crate::state::{Record, StateKey, StateRead};

/// A call that is to be charged.
#[derive(Debug, Clone, Copy)]
pub struct ChargedCall<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The environment.
    pub environment: &'a str,
    /// The run.
    pub run_id: &'a str,
    /// Whose call it is.
    pub subject: &'a str,
    /// On whose behalf, from the nearest to the origin: they are charged too.
    pub chain: &'a [String],
    /// The tool.
    pub tool: &'a Tool,
    /// What it will use, as the caller says; what the bundle declares for the tool is the least.
    pub usage: Usage,
    /// What the caller says that it has left.
    pub caller: &'a CallerBudgets,
    /// What reported signals leave of rates and budgets.
    pub shares: Shares,
    /// Whether its rates were taken when it was asked for before.
    pub again: bool,
}

/// What a call is charged to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charges {
    /// What is to be set aside if it may run.
    pub reserved: Vec<Reservation>,
    /// The rates that it takes a call from, whatever is decided.
    pub rates: Vec<String>,
    /// Whether any budget was asked.
    pub asked: bool,
    /// Why it must not run.
    pub exceeded: Option<ReasonCode>,
}

/// What a call would be charged to at this time under this bundle.
pub fn charges(state: &impl StateRead, now: Time, bundle: &CompiledBundle, call: &ChargedCall<'_>) -> Charges {
    let cost = call.tool.cost();
    let usage = Usage {
        tokens: call.usage.tokens.max(cost.tokens),
        cost_micro_usd: call.usage.cost_micro_usd.max(cost.cost_micro_usd),
    };
    let mut charges = Charges::default();
    for rate in bundle.rates_of(call.tool).filter(|_| !call.again) {
        for_each_holder(
            call,
            rate.scope,
            |subject| rate.charges(subject),
            |holder| {
                // A share is a bucket of its own: the whole one goes on counting for the time after.
                let whole = (rate.terms, Cow::Borrowed(&*rate.terms_text));
                let share = call.shares.of_rate(rate.terms).map(|terms| (terms, Cow::Owned(terms.text())));
                for (terms, text) in core::iter::once(whole).chain(share) {
                    let key = StateKey::Rate(call.tenant.clone(), rate_key(call.environment, &rate.id, holder, &text));
                    let known = state.get(&key);
                    let known = known
                        .as_deref()
                        .and_then(|record| if let Record::Rate(rate) = record { Some(rate) } else { None });
                    if terms.credit(known, now) < terms.call() {
                        exceed(&mut charges, ReasonCode::RateExceeded);
                    }
                    charges.rates.extend(text_of(key));
                }
            },
        );
    }
    for budget in bundle.budgets_of(call.tool) {
        for_each_holder(
            call,
            budget.scope,
            |subject| budget.charges(subject),
            |holder| {
                charge_budget(state, now, call, budget, holder, usage, &mut charges);
            },
        );
    }
    charge_caller(call.caller, usage, &mut charges);
    if charges.reserved.len() > BUDGETS_PER_CALL_MAX || charges.rates.len() > BUDGETS_PER_CALL_MAX {
        // More than a leaf holds: nothing is charged, and nothing runs, observed or not.
        return Charges { exceeded: Some(ReasonCode::PolicyError), ..Charges::default() };
    }
    charges
}

fn charge_budget(
    state: &impl StateRead,
    now: Time,
    call: &ChargedCall<'_>,
    budget: &Budget,
    holder: &str,
    usage: Usage,
    charges: &mut Charges,
) {
    let text = budget_key(call.environment, &budget.id, holder, budget.unit, budget.period);
    let key = StateKey::Budget(call.tenant.clone(), text);
    let window = budget.period.window(now);
    let known = match state.get(&key).as_deref() {
        Some(Record::Budget(known)) if known.window == window => *known,
        _ => BudgetRecord::default(),
    };
    let amount = budget.unit.of(usage);
    charges.asked = true;
    // What is used up is used up: a call that says that it costs nothing does not pass either.
    let left = call.shares.of_budget(budget.limit).saturating_sub(known.used());
    if amount > left || left == 0 {
        exceed(charges, ReasonCode::BudgetExceeded);
    }
    charges.reserved.extend(text_of(key).map(|text| Reservation { budget: budget_text(text, window), amount }));
}

/// The text under which a budget or a rate stands in the state.
fn text_of(key: StateKey) -> Option<String> {
    match key {
        StateKey::Budget(_, text) | StateKey::Rate(_, text) => Some(text),
        _ => None,
    }
}

/// The caller's own budgets only tighten.
fn charge_caller(caller: &CallerBudgets, usage: Usage, charges: &mut Charges) {
    let all = [
        (caller.tool_calls_remaining, Unit::Calls),
        (caller.tokens_remaining, Unit::Tokens),
        (caller.cost_micro_usd_remaining, Unit::CostMicroUsd),
    ];
    for (left, unit) in all {
        let Some(left) = left else { continue };
        charges.asked = true;
        if unit.of(usage) > left || left == 0 {
            exceed(charges, ReasonCode::CallerBudgetExceeded);
        }
    }
}

fn exceed(charges: &mut Charges, code: ReasonCode) {
    charges.exceeded = Some(charges.exceeded.map_or(code, |known| known.min(code)));
}

/// Whose budgets a call is charged to, each once and in the order of their texts: the run's, the tenant's, or those of the subject and of
/// everybody on whose behalf it acts.
fn for_each_holder(call: &ChargedCall<'_>, scope: Scope, charges: impl Fn(&str) -> bool, mut charge: impl FnMut(&str)) {
    let subjects = core::iter::once(call.subject).chain(call.chain.iter().map(String::as_str));
    let mut charged = subjects.filter(|subject| charges(subject)).peekable();
    if charged.peek().is_none() {
        return;
    }
    match scope {
        Scope::Principal => {
            let mut subjects: Vec<&str> = charged.collect();
            subjects.sort_unstable();
            subjects.dedup();
            subjects.into_iter().for_each(|subject| charge(&["principal:", subject].concat()));
        }
        Scope::Run => charge(&[RUN_HOLDER, call.run_id].concat()),
        Scope::Tenant => charge("tenant"),
    }
}
