//! Runs a scenario through a driver and collects where it differs from what was expected.

use core::future::Future;
use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, RunState};
use super::model::{Action, Scenario, Step};
use super::recorded;

/// What can carry out the steps of a scenario: a kernel in this process, or a live cluster.
pub trait Driver {
    /// Makes the scenario's world: tenant, subjects, bundle.
    fn set_up(&mut self, scenario: &Scenario) -> impl Future<Output = Result<(), String>>;

    /// Carries out one step. An error means that the driver itself failed; a refusal is an answer.
    fn act(
        &mut self,
        scenario: &Scenario,
        action: Action<'_>,
        saved: &BTreeMap<String, Answer>,
    ) -> impl Future<Output = Result<Answer, String>>;

    /// Sends the request of a saved step once more.
    fn repeat(&mut self, step: &str) -> impl Future<Output = Result<Answer, String>>;

    /// Tells the driver that the last request is known by a name from now on.
    fn remember(&mut self, name: &str);

    /// The leaf of an entry: its canonical JSON.
    fn leaf(&mut self, seq: u64) -> impl Future<Output = Result<Vec<u8>, String>>;

    /// A run's state; nothing when there is no such run.
    fn run_state(&mut self, run_id: &str) -> impl Future<Output = Result<Option<RunState>, String>>;
}

/// Where a scenario differs from what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// The step, from 1.
    pub step: usize,
    /// What it was to be and what it was.
    pub what: String,
}

/// How a scenario went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Every difference.
    pub failures: Vec<StepFailure>,
    /// Every answer, by step.
    pub answers: Vec<Answer>,
    /// How many calls were decided, and how many of them were not to be enforced as allowed.
    pub calls: u32,
    /// Calls that may not run.
    pub blocked: u32,
    /// The runs that answers or expectations name, as they are in the end.
    pub runs: BTreeMap<String, RunState>,
}

/// Runs a scenario. The error is the driver's own.
pub async fn run<D: Driver>(driver: &mut D, scenario: &Scenario) -> Result<Outcome, String> {
    driver.set_up(scenario).await?;
    let mut saved: BTreeMap<String, Answer> = BTreeMap::new();
    let mut outcome = Outcome::default();
    for (number, step) in scenario.steps.iter().enumerate() {
        for _ in 0..step.times.unwrap_or(1) {
            let answer = one(driver, scenario, step, &saved).await?;
            let mut differences = step.expect.differences(&answer, |name| saved.get(name).cloned());
            differences.extend(of_run(driver, step, &answer).await?);
            differences.extend(of_entry(driver, step, &answer).await?);
            let failure = |what| StepFailure { step: number + 1, what };
            outcome.failures.extend(differences.into_iter().map(failure));
            if matches!(step.action(), Ok(Action::Evaluate(call)) if !call.check_only) {
                outcome.calls += 1;
                outcome.blocked += u32::from(answer.effective.as_deref() != Some("allow"));
            }
            if let Some(name) = &step.save {
                driver.remember(name);
                saved.insert(name.clone(), answer.clone());
            }
            outcome.answers.push(answer);
        }
    }
    let expected = scenario.steps.iter().filter_map(|step| step.expect.run.as_ref()?.id.clone());
    let answered = outcome.answers.iter().filter_map(|answer| answer.run_id.clone());
    for run_id in expected.chain(answered).collect::<BTreeSet<_>>() {
        if let Some(run) = driver.run_state(&run_id).await? {
            outcome.runs.insert(run_id, run);
        }
    }
    Ok(outcome)
}

async fn one<D: Driver>(
    driver: &mut D,
    scenario: &Scenario,
    step: &Step,
    saved: &BTreeMap<String, Answer>,
) -> Result<Answer, String> {
    match step.action()? {
        Action::Repeat(named) => driver.repeat(&named.step).await,
        action => driver.act(scenario, action, saved).await,
    }
}

async fn of_run<D: Driver>(driver: &mut D, step: &Step, answer: &Answer) -> Result<Vec<String>, String> {
    let Some(expected) = &step.expect.run else { return Ok(Vec::new()) };
    match expected.id.as_ref().or(answer.run_id.as_ref()) {
        Some(run_id) => Ok(match driver.run_state(run_id).await? {
            Some(run) => expected.differences(&run),
            None => vec![format!("run: there is no run `{run_id}`")],
        }),
        None => Ok(vec!["run: the answer names none, and neither does the expectation".to_owned()]),
    }
}

async fn of_entry<D: Driver>(driver: &mut D, step: &Step, answer: &Answer) -> Result<Vec<String>, String> {
    let Some(expected) = &step.expect.recorded else { return Ok(Vec::new()) };
    let Some(seq) = answer.seq else { return Ok(vec!["recorded: the answer names no entry".to_owned()]) };
    let leaf = driver.leaf(seq).await?;
    let recorded = serde_json::from_slice(&leaf).map_err(|error| format!("entry {seq}: {error}"))?;
    Ok(recorded::differences(expected, &recorded))
}
