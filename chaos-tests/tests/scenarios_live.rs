//! Invariant: a live node answers as the kernel does. The whole decision table with its variants, and the attack range, are played through
//! one node over its API (TLS, Raft log, RocksDB, receipts verified) and through the kernel in this process; every answer and every run is
//! the same, case by case.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assent_chaos_tests::support::test_node::TestNode;
use assent_client::Client;
use assent_client::scenario::{
    Action, Clock, Library, Live, Outcome, Scenario, attack_range, differences, load_file, load_folder, run, variants,
};
use futures::StreamExt;

/// Scenarios at once; each in a tenant of its own.
const AT_ONCE: usize = 24;
/// Differences that a failure shows.
const SHOWN_MAX: usize = 30;

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name)
}

fn with_variants(scenarios: Vec<Scenario>) -> Vec<Scenario> {
    let varied = |scenario: &Scenario| variants(scenario).unwrap_or_else(|e| panic!("{}: {e}", scenario.name));
    scenarios.iter().flat_map(varied).collect()
}

/// Whether it has to be played alone: it moves the clock, which is that of all.
fn moves_the_clock(scenario: &Scenario) -> bool {
    scenario.steps.iter().any(|step| matches!(step.action(), Ok(Action::Advance(_) | Action::Tick(_))))
}

/// A baseline is every tenant's: it gets an environment that no other scenario is in.
fn apart(number: usize, mut scenario: Scenario) -> Scenario {
    if scenario.baseline_text.is_some() {
        scenario.environment = format!("{}-{number}", scenario.environment);
    }
    scenario
}

async fn in_process(scenario: &Scenario) -> Outcome {
    // What has ended is recorded at once, as it is when the node's clock is moved.
    let mut library = Library::ticking().unwrap();
    run(&mut library, scenario).await.unwrap_or_else(|e| panic!("{}, in this process: {e}", scenario.name))
}

async fn live(operator: &Client, clock: &Arc<dyn Clock>, scenario: &Scenario) -> Result<Outcome, String> {
    let mut live = Live::new(operator.clone(), clock.clone()).await?;
    let outcome = run(&mut live, scenario).await?;
    live.tear_down().await?;
    Ok(outcome)
}

/// What differs, in words.
fn compared(scenario: &Scenario, kernel: &Outcome, node: &Result<Outcome, String>) -> Vec<String> {
    let node = match node {
        Ok(node) => node,
        Err(error) => return vec![format!("{}, live: {error}", scenario.name)],
    };
    let mut found: Vec<String> = differences(kernel, node);
    let steps = |outcome: &Outcome| outcome.failures.iter().map(|failure| failure.step).collect::<Vec<_>>();
    if steps(kernel) != steps(node) {
        found.push(format!("failures: {:?}\n  and: {:?}", kernel.failures, node.failures));
    }
    found.iter().map(|what| format!("{} ({}): {what}", scenario.name, scenario.path.display())).collect()
}

/// Scenarios in which a token runs out and is redeemed before the sweep. A node sweeps as time passes, so that it knows the decision no
/// longer; that its answer is the kernel's all the same is compared.
const SWEPT: [&str; 2] = ["redeemed-too-late", "token-used-twice-or-late"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_node_answers_as_the_kernel_does() {
    let node = TestNode::start().await;
    let (operator, clock) = (node.operator(), node.clock());
    let mut scenarios = with_variants(load_folder(&testdata("decisions")).unwrap_or_else(|e| panic!("{e}")));
    scenarios.extend(with_variants(attack_range().unwrap()));
    let left_out = |one: &Scenario| Some(format!("{}: {}", one.name, Live::left_out(one, clock.as_ref())?));
    let left_out: Vec<String> = scenarios.iter().filter_map(left_out).collect();
    assert!(
        left_out.is_empty(),
        "everything can be played where the clock is moved, but for:\n{}",
        left_out.join("\n")
    );
    let swept = |scenario: &&Scenario| SWEPT.iter().any(|name| scenario.name.starts_with(name));
    let expected_to_hold = scenarios.len() - scenarios.iter().filter(swept).count();
    // Contradicted expectations must be contradicted by a node, too.
    scenarios.extend(load_file(&testdata("scenarios-that-fail.yaml")).unwrap());
    let scenarios: Vec<Scenario> = scenarios.into_iter().enumerate().map(|(n, one)| apart(n, one)).collect();

    let mut differences = Vec::new();
    let (mut held, mut answers) = (0, 0);
    let mut judge = |scenario: &Scenario, kernel: &Outcome, node: &Result<Outcome, String>| {
        differences.extend(compared(scenario, kernel, node));
        if let Ok(node) = node {
            held += usize::from(node.failures.is_empty());
            if !node.failures.is_empty() {
                println!("{} does not hold: {:?}", scenario.name, node.failures.first());
            }
            answers += node.answers.len();
        }
    };
    let (alone, together): (Vec<&Scenario>, Vec<&Scenario>) = scenarios.iter().partition(|one| moves_the_clock(one));
    let played = futures::stream::iter(&together).map(|scenario| {
        let (operator, clock) = (&operator, &clock);
        async move { (*scenario, in_process(scenario).await, live(operator, clock, scenario).await) }
    });
    for (scenario, kernel, node) in played.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        judge(scenario, &kernel, &node);
    }
    for scenario in &alone {
        node.next_day();
        judge(scenario, &in_process(scenario).await, &live(&operator, &clock, scenario).await);
    }
    node.stop().await;

    println!("{} scenarios ({} alone), {answers} answers, {held} held", scenarios.len(), alone.len());
    let shown = differences.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} differences:\n{shown}", differences.len());
    assert_eq!(held, expected_to_hold, "all hold but those that are made to fail");
}
