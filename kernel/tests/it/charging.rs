//! Who is charged for a call, and when in its pipeline.

use crate::support::calls::*;
use crate::support::*;
use assent_kernel::command::{CallContext, Caller, CallerBudgets, Evaluate};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;

const SOURCE: &str = "
name: charged
version: 1
tools:
  - {name: page.get, class: http, action: get, category: read}
  - {name: shell.run, class: shell, action: exec}
principals:
  - {subject: agent-1, capabilities: [{class: http, actions: [get]}]}
  - {subject: agent-2, capabilities: [{class: http, actions: [get]}]}
rules:
  - {id: rest, match: {toolClass: [http, shell]}, decision: allow}
budgets:
  - {id: none, unit: calls, limit: 0, match: {class: shell}}
rates:
  - {id: few, calls: 3, per_seconds: 3600}
";

fn other() -> Caller {
    agent("acme", Some("agent-2"))
}

fn world(source: &str) -> World {
    let mut world = world_under(source);
    world.must(admin("acme"), register("acme", "agent-2"));
    world.must(admin("acme"), credential_of(&other()));
    world
}

fn behalf(tool: &str) -> Evaluate {
    let context = CallContext { on_behalf_of: vec!["agent-2".into()], ..CallContext::default() };
    Evaluate { context: Box::new(context), ..call(tool, "{}") }
}

#[test]
fn nobody_drains_the_rate_of_somebody_who_has_passed_nothing_on() {
    for source in [SOURCE.to_owned(), format!("{SOURCE}mode: observe\n")] {
        let mut world = world(&source);
        for _ in 0..5 {
            let decision = decide(&mut world, behalf("page.get"));
            denied(&decision, &[DelegationInvalid]);
            assert_eq!(decision.effects.rates, [""; 0], "nobody is charged");
        }
        for _ in 0..3 {
            assert_eq!(decide_for(&mut world, other(), call("page.get", "{}")).verdict, Verdict::Allow);
        }
        assert_eq!(decide_for(&mut world, other(), call("page.get", "{}")).codes, [RateExceeded]);
    }
}

#[test]
fn a_budget_that_is_used_up_lets_no_delegation_pass() {
    let mut world = world(&format!("{SOURCE}mode: observe\n"));
    let mut call = behalf("page.get");
    call.context.budgets = CallerBudgets { tool_calls_remaining: Some(0), ..CallerBudgets::default() };
    denied(&decide(&mut world, call), &[DelegationInvalid]);
}

#[test]
fn capability_comes_before_rates_and_rates_before_budgets() {
    let mut world = world(SOURCE);
    for _ in 0..3 {
        denied(&ask(&mut world, "shell.run", "{}"), &[CapabilityMissing]);
    }
    // Whoever tries in vain is slowed down all the same.
    let mut broke = in_run("page.get", "{}", "run-1");
    broke.context.budgets = CallerBudgets { tool_calls_remaining: Some(0), ..CallerBudgets::default() };
    denied(&decide(&mut world, broke.clone()), &[RateExceeded]);
    world.clock += 3_600 * SECOND;
    denied(&decide(&mut world, broke), &[CallerBudgetExceeded]);
    denied(&ask(&mut world, "shell.run", "{}"), &[CapabilityMissing]);
}
