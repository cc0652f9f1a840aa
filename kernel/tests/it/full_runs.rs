//! Runs in which there is hardly a byte left for what is counted, or none: what has room is counted, and what has none does not run.

use super::run_counts::{HEAD, activate_in, counts, pay};
use crate::support::calls::{activate_source, decide, world_under};
use crate::support::*;
use assent_kernel::command::{CommandBody, ReportSignal, SignalScope, Signals};
use assent_kernel::limits::RUN_COUNTS_BYTES_MAX;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;

/// A rate of forty calls of each run, whose share depends on what is reported, and a budget.
fn rated(budget: &str) -> String {
    format!(
        "{HEAD}rates: [{{id: calm, scope: run, calls: 40, per_seconds: 3600, burst: 40}}]
orchestration: [{{id: a, when: {{risk: 0.5}}, adjust: {{rates: 0.5}}}}]
budgets: [{{id: {budget}, unit: calls, limit: 1000, per: run}}]\n"
    )
}

/// A run in which so many bytes are left for what is counted, and how many calls it took.
fn run_with(left: usize) -> (World, u64) {
    let mut world = world_under(&rated("first"));
    let mut calls = 0;
    let call = |world: &mut World| assert_eq!(decide(world, pay("run-1", "prod", 1, 1)).verdict, Verdict::Allow);
    call(&mut world);
    while counts(&world, "run-1").bytes() + left < RUN_COUNTS_BYTES_MAX {
        let room = RUN_COUNTS_BYTES_MAX - left - counts(&world, "run-1").bytes();
        // Besides its id a budget takes 26 bytes. The last one takes all that is left.
        let bytes = if room > 86 { 30 } else { room - 26 };
        activate_source(&mut world, &rated(&format!("b{calls:0>0$}", bytes - 1)));
        calls += 1;
        call(&mut world);
    }
    assert_eq!(counts(&world, "run-1").bytes() + left, RUN_COUNTS_BYTES_MAX);
    activate_in(&mut world, "prod", &rated("first"));
    (world, calls + 1)
}

fn full_run() -> (World, u64) {
    run_with(0)
}

#[test]
fn what_is_added_up_fits_to_the_last_byte_or_is_not_allowed() {
    for quantity in ["{sum: n, per: run, op: '<', value: 1e9}", "{distinct: to, per: run, op: '<=', value: 9}"] {
        let contract = format!("contract: [{{id: in-all, tools: [pay], require: [{quantity}]}}]\n");
        let source = rated("first") + &contract;
        let bytes = |source: &str| {
            let mut world = world_under(source);
            assert_eq!(decide(&mut world, pay("run-1", "prod", 1, 1)).verdict, Verdict::Allow);
            counts(&world, "run-1").bytes()
        };
        let needed = bytes(&source) - bytes(&rated("first"));
        for (left, wanted) in [(needed - 1, Verdict::Deny), (needed, Verdict::Allow)] {
            let (mut world, _) = run_with(left);
            // Nothing else is counted.
            activate_source(&mut world, &format!("{HEAD}{contract}"));
            let decision = decide(&mut world, pay("run-1", "prod", 1, 1));
            assert_eq!(decision.verdict, wanted, "{quantity}: {left} bytes of {needed}: {:?}", decision.codes);
            let full = if wanted == Verdict::Allow { 0 } else { left };
            assert_eq!(counts(&world, "run-1").bytes() + full, RUN_COUNTS_BYTES_MAX);
        }
    }
}

#[test]
fn what_is_counted_already_counts_on_in_a_full_run() {
    let (mut world, mut calls) = full_run();
    while decide(&mut world, pay("run-1", "prod", 1, 1)).verdict == Verdict::Allow {
        calls += 1;
    }
    assert_eq!(calls, 40);
    assert_eq!(decide(&mut world, pay("run-1", "prod", 1, 1)).codes, [RateExceeded]);
}

#[test]
fn a_share_that_a_full_run_cannot_count_is_not_given() {
    let (mut world, _) = full_run();
    world.must(admin("acme"), credential_of(&reporter("acme", None)));
    let signals = Signals { risk_milli: Some(600), ..Signals::default() };
    let report = ReportSignal { scope: SignalScope::Tenant, signals, valid_seconds: 600 };
    world.must(reporter("acme", None), CommandBody::Signal(Box::new(report)));
    assert_eq!(decide(&mut world, pay("run-1", "prod", 1, 1)).codes, [PolicyBudget]);
    assert_eq!(counts(&world, "run-1").bytes(), RUN_COUNTS_BYTES_MAX);
    assert_eq!(decide(&mut world, pay("run-2", "prod", 1, 1)).verdict, Verdict::Allow);
    // A rate that is new has no room either.
    let other = rated("first").replace("calm", "other");
    let (mut world, _) = full_run();
    activate_source(&mut world, &other);
    assert_eq!(decide(&mut world, pay("run-1", "prod", 1, 1)).codes, [PolicyBudget]);
}
