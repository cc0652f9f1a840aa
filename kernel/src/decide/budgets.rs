//! What a call would be charged to, and whether that is still there. Nothing is taken here: the decision's leaf says what is.

use core::cell::OnceCell;
use std::sync::Arc;

use assent_ledger::ids::{TenantId, Time};

use crate::bundle::{Budget, CompiledBundle, Rate, Tool};
use crate::charge::{RUN_HOLDER, RateTerms, Scope, Shares, Unit, budget_key, budget_text, rate_key};
use crate::command::{CallerBudgets, Usage};
use crate::event::Reservation;
use crate::limits::BUDGETS_PER_CALL_MAX;
use crate::reason::ReasonCode;
use crate::state::keys::{Counted, CountedKind, RunRate};
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
    /// Keys of the rates that were taken when it was asked for before: it is not taken from these again.
    pub before: &'a [String],
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
    /// Whether it is charged to something that was not counted in its run before, for which there may be no room.
    pub new_in_run: bool,
}

/// What a call would be charged to at this time under this bundle.
pub fn charges(state: &impl StateRead, now: Time, bundle: &CompiledBundle, call: &ChargedCall<'_>) -> Charges {
    let cost = call.tool.cost();
    let usage = Usage {
        tokens: call.usage.tokens.max(cost.tokens),
        cost_micro_usd: call.usage.cost_micro_usd.max(cost.cost_micro_usd),
    };
    let mut charges = Charges::default();
    let run = RunCounts { state, call, read: OnceCell::new() };
    for rate in bundle.rates_of(call.tool) {
        if is_full(&charges) {
            break;
        }
        let charged = |subject: &str| rate.charges(subject);
        for_each_holder(call, rate.scope, charged, |holder| charge_rates(&run, now, rate, holder, &mut charges));
    }
    for budget in bundle.budgets_of(call.tool) {
        if is_full(&charges) {
            break;
        }
        let charged = |subject: &str| budget.charges(subject);
        for_each_holder(call, budget.scope, charged, |holder| {
            charge_budget(&run, now, budget, holder, usage, &mut charges);
        });
    }
    charge_caller(call.caller, usage, &mut charges);
    if is_full(&charges) {
        // More than a leaf holds: nothing is charged, and nothing runs, observed or not.
        return Charges { exceeded: Some(ReasonCode::PolicyError), ..Charges::default() };
    }
    charges
}

/// More than a leaf holds.
fn is_full(charges: &Charges) -> bool {
    charges.reserved.len() > BUDGETS_PER_CALL_MAX || charges.rates.len() > BUDGETS_PER_CALL_MAX
}

/// What is counted in the call's run, read when something first asks for it.
struct RunCounts<'s, S: StateRead> {
    state: &'s S,
    call: &'s ChargedCall<'s>,
    read: OnceCell<Option<Arc<Record>>>,
}

impl<S: StateRead> RunCounts<'_, S> {
    fn get(&self, kind: CountedKind, id: &str) -> Option<&Counted> {
        let read = || self.state.get(&StateKey::RunCounts(self.call.tenant.clone(), self.call.run_id.to_owned()));
        match self.read.get_or_init(read).as_deref() {
            Some(Record::RunCounts(counts)) => counts.get(self.call.environment, kind, id),
            _ => None,
        }
    }
}

/// Charges a rate and, where signals leave a share of it, that: a share is a bucket of its own, and the whole one goes on counting for the
/// time after.
fn charge_rates<S: StateRead>(run: &RunCounts<'_, S>, now: Time, rate: &Rate, holder: &str, charges: &mut Charges) {
    charge_rate(run, now, rate, (false, rate.terms, &rate.terms_text), holder, charges);
    if let Some(terms) = run.call.shares.of_rate(rate.terms) {
        charge_rate(run, now, rate, (true, terms, &terms.text()), holder, charges);
    }
}

fn charge_rate<S: StateRead>(
    run: &RunCounts<'_, S>,
    now: Time,
    rate: &Rate,
    (share, terms, terms_text): (bool, RateTerms, &str),
    holder: &str,
    charges: &mut Charges,
) {
    let text = rate_key(run.call.environment, &rate.id, holder, terms_text);
    if run.call.before.iter().any(|known| is_same_rate(known, &text)) {
        return;
    }
    let (credit, text) = if rate.scope == Scope::Run {
        let known = match run.get(CountedKind::Rate, &rate.id) {
            Some(Counted::Rate(known)) => Some(known),
            _ => None,
        };
        charges.new_in_run |= known.is_none_or(|known| share && known.share.is_none());
        (RunRate::credit(known, share, terms, now), Some(text))
    } else {
        let key = StateKey::Rate(run.call.tenant.clone(), text);
        let known = run.state.get(&key);
        let known = known.as_deref().and_then(|record| if let Record::Rate(rate) = record { Some(rate) } else { None });
        (terms.credit(known, now), text_of(key))
    };
    if credit < terms.call() {
        exceed(charges, ReasonCode::RateExceeded);
    }
    charges.rates.extend(text);
}

/// Whether two keys are of the same rate and holder, under whatever terms.
fn is_same_rate(one: &str, other: &str) -> bool {
    let of = |key: &str| key.rsplit_once('|').map_or(0, |(rate, _)| rate.len());
    one.get(..of(one)) == other.get(..of(other))
}

fn charge_budget<S: StateRead>(
    run: &RunCounts<'_, S>,
    now: Time,
    budget: &Budget,
    holder: &str,
    usage: Usage,
    charges: &mut Charges,
) {
    let call = run.call;
    let text = budget_key(call.environment, &budget.id, holder, budget.unit, budget.period);
    let window = budget.period.window(now);
    let (known, text) = if budget.scope == Scope::Run {
        let known = match run.get(CountedKind::Budget(budget.unit, budget.period), &budget.id) {
            Some(Counted::Budget(_, _, known)) => Some(*known),
            _ => None,
        };
        charges.new_in_run |= known.is_none();
        (known, Some(text))
    } else {
        let key = StateKey::Budget(call.tenant.clone(), text);
        let known = match run.state.get(&key).as_deref() {
            Some(Record::Budget(known)) => Some(*known),
            _ => None,
        };
        (known, text_of(key))
    };
    let used = known.filter(|known| known.window == window).map_or(0, |known| known.used());
    let amount = budget.unit.of(usage);
    charges.asked = true;
    // What is used up is used up: a call that says that it costs nothing does not pass either.
    let left = call.shares.of_budget(budget.limit).saturating_sub(used);
    if amount > left || left == 0 {
        exceed(charges, ReasonCode::BudgetExceeded);
    }
    charges.reserved.extend(text.map(|text| Reservation { budget: budget_text(text, window), amount }));
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
