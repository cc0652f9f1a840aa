//! `assent attack`: scripted attacks, and ordinary work under the same policy; both rates count.

use std::path::PathBuf;
use std::process::ExitCode;

use assent_client::scenario::{Kind, Library, Outcome, Scenario, attack_range, load_folder, run as play};
use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::output::CliError;

/// An attack got through, or work was blocked.
const EXIT_NOT_HELD: u8 = 3;

/// What to play.
#[derive(Debug, Args)]
pub struct AttackArgs {
    /// Scenarios of your own: a folder of .yaml files; the attack range that ships with this program when absent
    #[arg(long, value_name = "DIR")]
    scenarios: Option<PathBuf>,
    /// Plays only scenarios whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Prints every scenario, not only those that failed
    #[arg(long)]
    all: bool,
}

/// How the scenarios of one kind went.
#[derive(Default)]
struct Tally {
    scenarios: usize,
    held: usize,
    calls: u64,
    blocked: u64,
}

pub async fn run(context: &Context, args: AttackArgs) -> Result<ExitCode, CliError> {
    let scenarios = match &args.scenarios {
        Some(folder) => load_folder(folder),
        None => attack_range(),
    };
    let scenarios = scenarios.map_err(|error| CliError::Usage(error.to_string()))?;
    let (mut attacks, mut benign) = (Tally::default(), Tally::default());
    let wanted = |scenario: &&Scenario| args.only.as_ref().is_none_or(|text| scenario.name.contains(text));
    for scenario in scenarios.iter().filter(wanted) {
        let mut driver = Library::new().map_err(CliError::Failed)?;
        let outcome = play(&mut driver, scenario).await;
        let outcome = outcome.map_err(|error| CliError::Failed(format!("{}: {error}", scenario.name)))?;
        let tally = if scenario.kind == Kind::Benign { &mut benign } else { &mut attacks };
        tally.count(&outcome);
        if args.all || !outcome.failures.is_empty() {
            one(context, scenario, &outcome)?;
        }
    }
    if attacks.scenarios + benign.scenarios == 0 {
        return Err(CliError::Usage("no scenario has such a name".to_owned()));
    }
    summary(context, &attacks, &benign)?;
    let all_held = attacks.held == attacks.scenarios && benign.held == benign.scenarios;
    Ok(if all_held { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOT_HELD) })
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        self.scenarios += 1;
        self.held += usize::from(outcome.failures.is_empty());
        self.calls += u64::from(outcome.calls);
        self.blocked += u64::from(outcome.blocked);
    }

    fn percent(&self) -> String {
        let milli = (self.held * 1_000).checked_div(self.scenarios).unwrap_or(1_000);
        format!("{}.{} %", milli / 10, milli % 10)
    }
}

fn one(context: &Context, scenario: &Scenario, outcome: &Outcome) -> Result<(), CliError> {
    let differences: Vec<_> =
        outcome.failures.iter().map(|failure| json!({"step": failure.step, "what": failure.what})).collect();
    let value = json!({
        "scenario": scenario.name, "kind": kind(scenario.kind), "held": differences.is_empty(),
        "calls": outcome.calls, "blocked": outcome.blocked, "differences": differences,
    });
    context.out().emit(&value, || {
        let mut text = format!("{} {}: ", kind(scenario.kind), scenario.name);
        text.push_str(if outcome.failures.is_empty() { "held" } else { "NOT HELD" });
        for failure in &outcome.failures {
            text.push_str(&format!("\n  step {}: {}", failure.step, failure.what));
        }
        text
    })
}

fn summary(context: &Context, attacks: &Tally, benign: &Tally) -> Result<(), CliError> {
    let value = json!({
        "attacks": {"scenarios": attacks.scenarios, "held": attacks.held, "calls": attacks.calls, "blocked": attacks.blocked},
        "benign": {"scenarios": benign.scenarios, "held": benign.held, "calls": benign.calls, "blocked": benign.blocked},
    });
    context.out().emit(&value, || {
        format!(
            "attacks: {} of {} stopped as they should be ({}); {} of {} calls blocked\nbenign:  {} of {} runs went through ({}); {} of {} calls blocked",
            attacks.held, attacks.scenarios, attacks.percent(), attacks.blocked, attacks.calls,
            benign.held, benign.scenarios, benign.percent(), benign.blocked, benign.calls,
        )
    })
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Case => "case",
        Kind::Attack => "attack",
        Kind::Benign => "benign",
    }
}
