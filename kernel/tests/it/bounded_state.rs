//! What is kept for a run goes when the run is long over, and not before.

use crate::support::spending::*;
use crate::support::*;
use assent_kernel::command::{CommandBody, Evaluate, RunRequest};
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::taint::TaintSource;

const DAY: u64 = 24 * 3_600 * SECOND;

/// A budget, a rate and a sum that each run has for itself.
fn source() -> String {
    let more = "budgets:\n  - {id: of-run, scope: run, unit: calls, limit: 5, per: run}\n";
    let rate = "rates:\n  - {id: calm, scope: run, calls: 6, per_seconds: 60, burst: 6}\n";
    let contract = "contract:\n  - {id: sum, tools: [pay], require: [{sum: amount, per: run, op: '<=', value: 100}]}\n";
    format!("{}{contract}", SPEND.replace("budgets:\n", more).replace("rates:\n", rate))
}

fn of_run(world: &World, run_id: &str) -> usize {
    match world.state.get(&StateKey::RunCounts(tenant("acme"), run_id.into())).as_deref() {
        Some(Record::RunCounts(counts)) => counts.iter().count(),
        _ => 0,
    }
}

fn knows(world: &World, run_id: &str) -> bool {
    world.state.get(&StateKey::Run(tenant("acme"), run_id.into())).is_some()
}

/// Days pass, each with a tick.
fn pass(world: &mut World, days: u64) {
    for _ in 0..days {
        world.clock += DAY;
        world.send(node(), CommandBody::Tick);
    }
}

fn close(world: &mut World, run_id: &str) {
    let run = RunRequest { run_id: run_id.into(), subject: None, parent_run_id: None };
    world.must(me(), CommandBody::CloseRun(run));
}

#[test]
fn what_is_counted_in_a_run_goes_with_it() {
    let mut world = spending_under(51, &source());
    for run_id in ["run-1", "run-2"] {
        ask(&mut world, &Evaluate { run_id: Some(run_id.into()), ..payment() }).unwrap();
        assert_eq!(of_run(&world, run_id), 3);
    }
    pass(&mut world, 3);
    assert_eq!((of_run(&world, "run-1"), of_run(&world, "run-2")), (3, 3), "open runs keep what they have");
    close(&mut world, "run-1");
    pass(&mut world, 4);
    assert_eq!((of_run(&world, "run-1"), of_run(&world, "run-2")), (0, 3));
    assert!(knows(&world, "run-1"), "a run is known for longer: its name has one meaning");
    pass(&mut world, 31);
    assert_eq!((knows(&world, "run-1"), knows(&world, "run-2")), (false, true));
    assert_eq!(of_run(&world, "run-2"), 3);
}

#[test]
fn an_open_intent_keeps_its_run() {
    let mut world = spending_under(52, &source());
    let token = ask(&mut world, &payment()).unwrap();
    ruled(world.send(me(), redeem(token.redeem())));
    close(&mut world, "run-1");
    pass(&mut world, 40);
    assert!(knows(&world, "run-1") && of_run(&world, "run-1") == 3);
    assert!(outstanding(&world, &token).unwrap().is_open_intent());
    ruled(world.send(me(), complete(token.complete())));
    pass(&mut world, 4);
    assert!(!knows(&world, "run-1") && of_run(&world, "run-1") == 0);
}

#[test]
fn whatever_a_tool_returns_is_a_tools_output() {
    let mut world = spending(53);
    let token = ask(&mut world, &payment()).unwrap();
    assert!(!run(&world).taint.has(TaintSource::ToolOutput));
    ruled(world.send(me(), redeem(token.redeem())));
    let taint = run(&world).taint;
    let origins: Vec<_> = taint.iter().map(|(source, origin, _)| (source, origin)).collect();
    assert_eq!(origins, [(TaintSource::Web, "bank.example"), (TaintSource::ToolOutput, "pay")]);
}
