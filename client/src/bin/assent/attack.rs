//! `assent attack`: scripted attacks, and ordinary work under the same policy; both rates count. Against the kernel in this process, or
//! against a live cluster, where each scenario gets a tenant of its own that is disabled afterwards.

use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use assent_client::Client;
use assent_client::scenario::{
    Clock, Kind, Library, Live, Outcome, Scenario, WallClock, attack_range, load_folder, run as play,
};
use clap::Args;
use futures::StreamExt;
use serde_json::json;

use crate::context::Context;
use crate::output::{CliError, warn};

/// An attack got through, or work was blocked.
const EXIT_NOT_HELD: u8 = 3;
/// Scenarios that are played against a cluster at once.
const AT_ONCE: usize = 8;

/// What to play.
#[derive(Debug, Args)]
pub struct AttackArgs {
    /// Plays against a live cluster: the configured one, or that of a node. Needs an operator's token: every scenario gets a tenant of
    /// its own, which is disabled afterwards. Absent: against the kernel in this process
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "")]
    target: Option<String>,
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

/// What scenarios are played against.
enum Target {
    InProcess,
    Cluster { operator: Client, ledger: String },
}

/// How the scenarios went.
#[derive(Default)]
struct Report {
    attacks: Tally,
    benign: Tally,
    left_out: Vec<(String, &'static str)>,
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
    let wanted = |scenario: &Scenario| args.only.as_ref().is_none_or(|text| scenario.name.contains(text));
    let scenarios: Vec<Scenario> = scenarios.into_iter().filter(wanted).collect();
    if scenarios.is_empty() {
        return Err(CliError::Usage("no scenario has such a name".to_owned()));
    }
    let target = target(context, args.target.as_deref()).await?;
    let mut report = Report::default();
    let mut to_play = Vec::new();
    for scenario in &scenarios {
        match target.leaves_out(scenario) {
            Some(why) => report.left_out.push((scenario.name.clone(), why)),
            None => to_play.push(scenario),
        }
    }
    let target = &target;
    let played = futures::stream::iter(to_play).map(|one| async move { (one, target.play(one).await) });
    let mut played = pin!(played.buffered(AT_ONCE));
    let mut failed = None;
    while let Some((scenario, outcome)) = played.next().await {
        match outcome {
            Ok(outcome) => report.count(context, scenario, &outcome, args.all)?,
            // The others are played to their end, so that no tenant is left behind.
            Err(error) => {
                failed.get_or_insert_with(|| format!("{}: {error}", scenario.name));
            }
        }
    }
    match failed {
        Some(error) => Err(CliError::Failed(error)),
        None => report.close(context, target),
    }
}

async fn target(context: &Context, named: Option<&str>) -> Result<Target, CliError> {
    let operator = match named {
        None => return Ok(Target::InProcess),
        Some("") => context.client()?,
        Some(endpoint) => context.client_at(endpoint)?,
    };
    let ledger = operator.cluster_info(context.deadline()).await?.origin;
    Ok(Target::Cluster { operator, ledger })
}

impl Target {
    fn leaves_out(&self, scenario: &Scenario) -> Option<&'static str> {
        match self {
            Target::InProcess => None,
            Target::Cluster { .. } => Live::left_out(scenario, &WallClock),
        }
    }

    async fn play(&self, scenario: &Scenario) -> Result<Outcome, String> {
        match self {
            Target::InProcess => play(&mut Library::new()?, scenario).await,
            Target::Cluster { operator, .. } => {
                let clock: Arc<dyn Clock> = Arc::new(WallClock);
                let mut live = Live::new(operator.clone(), clock).await?;
                let outcome = play(&mut live, scenario).await;
                if let Err(error) = live.tear_down().await {
                    warn(&format!("{}: {error}", scenario.name));
                }
                outcome
            }
        }
    }
}

impl Report {
    fn count(&mut self, context: &Context, scenario: &Scenario, outcome: &Outcome, all: bool) -> Result<(), CliError> {
        let tally = if scenario.kind == Kind::Benign { &mut self.benign } else { &mut self.attacks };
        tally.count(outcome);
        if all || !outcome.failures.is_empty() { one(context, scenario, outcome) } else { Ok(()) }
    }

    fn close(&self, context: &Context, target: &Target) -> Result<ExitCode, CliError> {
        let Report { attacks, benign, left_out } = self;
        let ledger = match target {
            Target::InProcess => None,
            Target::Cluster { ledger, .. } => Some(ledger.as_str()),
        };
        let of = |tally: &Tally| json!({"scenarios": tally.scenarios, "held": tally.held, "calls": tally.calls, "blocked": tally.blocked});
        let left: Vec<_> = left_out.iter().map(|(name, why)| json!({"scenario": name, "why": why})).collect();
        let value = json!({"ledger": ledger, "attacks": of(attacks), "benign": of(benign), "left_out": left});
        context.out().emit(&value, || {
            let mut text = match ledger {
                None => "against the kernel in this process\n".to_owned(),
                Some(ledger) => format!("against the ledger {ledger}\n"),
            };
            text.push_str(&format!(
                "attacks: {} of {} stopped as they should be ({}); {} of {} calls blocked\n",
                attacks.held,
                attacks.scenarios,
                attacks.percent(),
                attacks.blocked,
                attacks.calls,
            ));
            text.push_str(&format!(
                "benign:  {} of {} runs went through ({}); {} of {} calls blocked\n",
                benign.held,
                benign.scenarios,
                benign.percent(),
                benign.blocked,
                benign.calls,
            ));
            for (name, why) in left_out {
                text.push_str(&format!("left out: {name}: {why}\n"));
            }
            text
        })?;
        let all_held = attacks.held == attacks.scenarios && benign.held == benign.scenarios;
        Ok(if all_held { ExitCode::SUCCESS } else { ExitCode::from(EXIT_NOT_HELD) })
    }
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

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Case => "case",
        Kind::Attack => "attack",
        Kind::Benign => "benign",
    }
}
