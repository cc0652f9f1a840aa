//! The decision table, the attacks and the benign runs of `testdata`, through the kernel in this process. The same files go through
//! a live node in `chaos-tests`.
#![cfg(feature = "policy")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "scenarios/coverage.rs"]
mod coverage;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coverage::Asserted;

use assent_client::scenario::{
    Action, Kind, Library, Outcome, Scenario, attack_range, load_file, load_folder, run, variants,
};

fn testdata(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(folder)
}

/// Plays a scenario in a copy of a ledger that has just begun. The error is the driver's own: it could not make the scenario's world,
/// or could not carry out a step.
fn play(begun: &Library, scenario: &Scenario) -> Result<Outcome, String> {
    let mut driver = begun.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(run(&mut driver, scenario))
}

/// Plays every scenario with its variants; a difference anywhere is a failure.
fn play_all(scenarios: &[Scenario]) -> Vec<(Scenario, Outcome)> {
    let (played, failures) = play_each(scenarios);
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
    played
}

/// Plays every scenario with its variants, and lists all differences together; that a scenario cannot be played is one, too.
fn play_each(scenarios: &[Scenario]) -> (Vec<(Scenario, Outcome)>, Vec<String>) {
    let mut names = BTreeSet::new();
    let mut failures = Vec::new();
    let mut out = Vec::new();
    let begun = Library::new().unwrap();
    let varied = |scenario: &Scenario| variants(scenario).unwrap_or_else(|e| panic!("{}: {e}", scenario.name));
    for scenario in scenarios.iter().flat_map(varied) {
        assert!(names.insert(scenario.name.clone()), "two scenarios are called {}", scenario.name);
        let path = scenario.path.display();
        let outcome = match play(&begun, &scenario) {
            Ok(outcome) => outcome,
            Err(error) => {
                failures.push(format!("{} ({path}), cannot be played: {error}", scenario.name));
                continue;
            }
        };
        for failure in &outcome.failures {
            failures.push(format!("{} ({path}), step {}: {}", scenario.name, failure.step, failure.what));
        }
        out.push((scenario, outcome));
    }
    (out, failures)
}

/// Plays the cases, attacks and benign runs that `ASSENT_SCENARIOS` names, separated by commas, in that order, up to the first that
/// differs; without it, lists all names. For work on one of them, and for mutation testing (docs/mutation-testing.md).
#[test]
#[ignore = "plays what the environment names"]
fn those_that_are_named() {
    let mut all = load_folder(&testdata("decisions")).unwrap();
    all.extend(attack_range().unwrap());
    let all: Vec<Scenario> = all.iter().flat_map(|scenario| variants(scenario).unwrap()).collect();
    let Ok(named) = std::env::var("ASSENT_SCENARIOS") else {
        return all.iter().for_each(|scenario| println!("{}", scenario.name));
    };
    let begun = Library::new().unwrap();
    for name in named.split(',') {
        let scenario = all.iter().find(|scenario| scenario.name == name).expect(name);
        let outcome = play(&begun, scenario).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(outcome.failures.is_empty(), "{name}: {:?}", outcome.failures);
    }
}

#[test]
fn the_decision_table_holds() {
    let cases = load_folder(&testdata("decisions")).unwrap_or_else(|e| panic!("{e}"));
    let written = cases.len();
    let played = play_all(&cases);
    println!("{written} cases are written, {} played with their variants", played.len());
    assert!(played.len() >= 300);
    let silent: Vec<_> = played.iter().filter(|(scenario, _)| !says_something(scenario)).collect();
    assert!(
        silent.is_empty(),
        "cases that expect nothing: {:?}",
        silent.iter().map(|(s, _)| &s.name).collect::<Vec<_>>()
    );
    let mut asserted = Asserted::default();
    played.iter().for_each(|(scenario, _)| asserted.add(scenario));
    let gaps = asserted.gaps();
    assert!(gaps.is_empty(), "{} gaps:\n{}", gaps.len(), gaps.join("\n"));
}

/// A case counts only if some step of its own has to come to something.
fn says_something(scenario: &Scenario) -> bool {
    scenario.steps.iter().any(|step| {
        let expect = &step.expect;
        expect.verdict.is_some() || expect.codes.is_some() || expect.refusal.is_some() || expect.run.is_some()
    })
}

/// A table with a hole is noticed: one case alone leaves nearly everything open.
#[test]
fn a_code_that_no_case_has_is_noticed() {
    let mut asserted = Asserted::default();
    let cases = load_file(&testdata("decisions/structure.yaml")).unwrap();
    cases.iter().for_each(|scenario| asserted.add(scenario));
    let gaps = asserted.gaps();
    assert!(gaps.contains(&"NONCE_REPLAYED is in no case of the table in mode Enforce".to_owned()), "{gaps:?}");
    assert!(!gaps.iter().any(|gap| gap.contains("NONCE_REPLAYED") && gap.contains("Shadow")));
    assert!(!gaps.contains(&"UNKNOWN_TOOL is in no case of the table in mode Enforce".to_owned()));
}

/// Every kind of attack of the threat models, by the name of its first scenario.
const ATTACKS: [&str; 16] = [
    "injection-to-exfiltration",
    "tool-escalation",
    "slow-drip-over-get",
    "path-tricks",
    "hosts-that-are-not-what-they-seem",
    "confused-deputy",
    "cross-run-relay",
    "cross-principal-relay",
    "replayed-approval",
    "arguments-changed-after-approval",
    "double-spend-of-a-lease",
    "message-nonce-replay",
    "memory-poisoning",
    "latch-padding",
    // Duplicate keys and missing arguments are among its steps.
    "parser-differential",
    "the-same-effect-twice",
];

#[test]
fn the_attack_range_holds() {
    let played = play_all(&attack_range().unwrap());
    let of = |kind: Kind| played.iter().filter(move |(scenario, _)| scenario.kind == kind);
    assert!(of(Kind::Attack).count() >= 16 && of(Kind::Benign).count() >= 40);
    // An attack is judged at each step: what an agent, an executor or a person asks for has to come to something that is said.
    for (scenario, _) in of(Kind::Attack) {
        for (number, step) in scenario.steps.iter().enumerate() {
            let set_up = matches!(
                step.action().unwrap(),
                Action::Advance(_) | Action::KillSwitch(_) | Action::MemoryQuarantine(_) | Action::Release(_)
            );
            let said = step.expect.verdict.is_some() || step.expect.refusal.is_some();
            assert!(set_up || said, "{}, step {} expects nothing", scenario.name, number + 1);
        }
    }
    let named = |name: &str| of(Kind::Attack).any(|(scenario, _)| scenario.name == name);
    let missing: Vec<_> = ATTACKS.iter().filter(|name| !named(name)).collect();
    assert!(missing.is_empty(), "no attack is called {missing:?}");
    // Every benign call is allowed, but for those that a person has to agree to and the typos that are denied.
    assert!(of(Kind::Attack).all(|(_, outcome)| outcome.failures.is_empty()));
}

/// A runner that cannot fail would prove nothing: each kind of expectation is contradicted once.
#[test]
fn wrong_expectations_are_found() {
    let played = load_file(&testdata("scenarios-that-fail.yaml")).unwrap();
    let begun = Library::new().unwrap();
    for scenario in &played {
        let outcome = play(&begun, scenario).unwrap_or_else(|e| panic!("{}: {e}", scenario.name));
        assert_eq!(outcome.failures.len(), scenario.steps.len(), "{}: {:?}", scenario.name, outcome.failures);
    }
    assert!(played.iter().all(|scenario| scenario.kind == Kind::Case));
}

/// One scenario that cannot be played hides nothing of the others.
#[test]
fn what_cannot_be_played_is_listed_with_the_rest() {
    let wrong = load_file(&testdata("scenarios-that-fail.yaml")).unwrap().remove(0);
    let mut broken = Scenario { name: "broken".to_owned(), ..wrong.clone() };
    broken.bundle_text =
        broken.bundle_text.map(|text| text.replace("match: {toolClass: note", "match: {tool: nowhere"));
    let steps = wrong.steps.len();
    let (played, failures) = play_each(&[broken, wrong]);
    assert_eq!((played.len(), failures.len()), (1, 1 + steps), "{failures:?}");
    assert!(failures[0].contains("broken") && failures[0].contains("no tool `nowhere` is declared"), "{}", failures[0]);
}
