//! The decision table, the attacks and the benign runs of `testdata`, through the kernel in this process. The same files go through
//! a live node in `chaos-tests`.
#![cfg(feature = "policy")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assent_client::scenario::{Kind, Library, Outcome, Scenario, load_file, load_folder, run};

fn testdata(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(folder)
}

fn play(scenario: &Scenario) -> Outcome {
    let mut driver = Library::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(run(&mut driver, scenario)).unwrap_or_else(|e| panic!("{}: {e}", scenario.name))
}

fn play_all(folder: &str) -> Vec<(Scenario, Outcome)> {
    let scenarios = load_folder(&testdata(folder)).unwrap_or_else(|e| panic!("{e}"));
    let mut names = BTreeSet::new();
    let mut failures = Vec::new();
    let mut out = Vec::new();
    for scenario in scenarios {
        assert!(names.insert(scenario.name.clone()), "two scenarios are called {}", scenario.name);
        let outcome = play(&scenario);
        for failure in &outcome.failures {
            failures.push(format!(
                "{} ({}), step {}: {}",
                scenario.name,
                scenario.path.display(),
                failure.step,
                failure.what
            ));
        }
        out.push((scenario, outcome));
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
    out
}

#[test]
fn the_decision_table_holds() {
    let played = play_all("decisions");
    assert!(!played.is_empty());
    println!("{} cases", played.len());
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
