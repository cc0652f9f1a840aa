//! A call is charged to as many budgets and rates as its decision's entry holds, and to none when there are more.

use assent_kernel::bundle::compile;
use assent_kernel::charge::Shares;
use assent_kernel::command::{CallerBudgets, Usage};
use assent_kernel::decide::{ChargedCall, Charges, charges};
use assent_kernel::limits::BUDGETS_PER_CALL_MAX;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::state::MemoryState;
use assent_ledger::ids::Time;

use crate::support::{START_MICROS, tenant};

const HEAD: &str = "name: n\nversion: '1'\ntools: [{name: t, class: c, action: a}]\n\
    principals: [{subject: s, capabilities: [{class: c, actions: [a]}]}]\n";

/// What a call comes to under a bundle with so many budgets and rates.
fn charged(budgets: usize, rates: usize) -> Charges {
    let budget = |n| format!("  - {{id: b{n}, scope: tenant, unit: calls, limit: 5}}\n");
    let rate = |n| format!("  - {{id: r{n}, scope: tenant, calls: 5, per_seconds: 60}}\n");
    let budgets: String = (0..budgets).map(budget).collect();
    let rates: String = (0..rates).map(rate).collect();
    let bundle = compile(format!("{HEAD}budgets:\n{budgets}rates:\n{rates}").as_bytes()).unwrap();
    let (of, caller) = (tenant("acme"), CallerBudgets::default());
    let call = ChargedCall {
        tenant: &of,
        environment: "prod",
        run_id: "run-1",
        subject: "s",
        chain: &[],
        tool: bundle.tool("t").unwrap(),
        usage: Usage::default(),
        caller: &caller,
        shares: Shares::default(),
        before: &[],
    };
    charges(&MemoryState::new(), Time(START_MICROS), &bundle, &call)
}

#[test]
fn an_entry_holds_so_many_and_one_more_is_an_error_of_policy() {
    let most = BUDGETS_PER_CALL_MAX;
    let all = charged(most, most);
    assert_eq!((all.exceeded, all.reserved.len(), all.rates.len()), (None, most, most));
    for (budgets, rates) in [(most + 1, most), (most, most + 1)] {
        let none = charged(budgets, rates);
        assert_eq!((none.exceeded, none.reserved.len(), none.rates.len()), (Some(PolicyError), 0, 0));
    }
}
