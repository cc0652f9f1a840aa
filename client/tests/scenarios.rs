//! The decision table, the attacks and the benign runs of `testdata`, through the kernel in this process. The same files go through
//! a live node in `chaos-tests`.
#![cfg(feature = "policy")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assent_client::scenario::{Kind, Library, Outcome, Scenario, attack_range, load_file, load_folder, run, variants};

fn testdata(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(folder)
}

fn play(scenario: &Scenario) -> Outcome {
    let mut driver = Library::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(run(&mut driver, scenario)).unwrap_or_else(|e| panic!("{}: {e}", scenario.name))
}

/// Plays every scenario with its variants; a difference anywhere is a failure.
fn play_all(scenarios: Vec<Scenario>) -> Vec<(Scenario, Outcome)> {
    let mut names = BTreeSet::new();
    let mut failures = Vec::new();
    let mut out = Vec::new();
    let varied = |scenario: &Scenario| variants(scenario).unwrap_or_else(|e| panic!("{}: {e}", scenario.name));
    for scenario in scenarios.iter().flat_map(varied) {
        assert!(names.insert(scenario.name.clone()), "two scenarios are called {}", scenario.name);
        let outcome = play(&scenario);
        for failure in &outcome.failures {
            let path = scenario.path.display();
            failures.push(format!("{} ({path}), step {}: {}", scenario.name, failure.step, failure.what));
        }
        out.push((scenario, outcome));
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
    out
}

#[test]
fn the_decision_table_holds() {
    let cases = load_folder(&testdata("decisions")).unwrap_or_else(|e| panic!("{e}"));
    let played = play_all(cases);
    assert!(!played.is_empty());
    println!("{} cases", played.len());
}

#[test]
fn the_attack_range_holds() {
    let played = play_all(attack_range().unwrap());
    let of = |kind: Kind| played.iter().filter(move |(scenario, _)| scenario.kind == kind);
    assert!(of(Kind::Attack).count() >= 16 && of(Kind::Benign).count() >= 40);
    // Every benign call is allowed, but for those that a person has to agree to and the typos that are denied.
    assert!(of(Kind::Attack).all(|(_, outcome)| outcome.failures.is_empty()));
}

/// A runner that cannot fail would prove nothing: each kind of expectation is contradicted once.
#[test]
fn wrong_expectations_are_found() {
    let played = load_file(&testdata("scenarios-that-fail.yaml")).unwrap();
    for scenario in &played {
        let outcome = play(scenario);
        assert_eq!(outcome.failures.len(), scenario.steps.len(), "{}: {:?}", scenario.name, outcome.failures);
    }
    assert!(played.iter().all(|scenario| scenario.kind == Kind::Case));
}
