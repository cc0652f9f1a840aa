//! Driving the workload: lanes of workers ask for decisions, believe only verified receipts, keep them, and go on through failures.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assent_client::{Client, ClientError, Deadline, Decision, v1};
use assent_ledger::hash::Hash;
use assent_ledger::ids::NodeId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::error::{DemoError, Result};
use crate::histogram::Histogram;
use crate::workload::{Lane, Workload};

/// Longest time for one call of the client library; after it the same requests are sent again.
const CALL_MAX: Duration = Duration::from_secs(15);
/// Pause before the same requests are sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// Answers on their way to the one who keeps them.
const ANSWERS_WAITING_MAX: usize = 256;
/// How many differing decisions are kept for the report.
const DIFFERENCES_KEPT: usize = 5;

/// How to drive.
#[derive(Debug, Clone)]
pub struct Options {
    /// Workers for each credential.
    pub lanes_per_credential: usize,
    /// Calls in one request.
    pub batch: usize,
    /// Longest time without any new decision.
    pub patience: Duration,
    /// The file that gets every verified receipt, one a line.
    pub receipts: PathBuf,
}

/// How far a drive is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Decisions that were acknowledged and verified.
    pub done: u64,
    /// The node that signed the newest receipt.
    pub signer: Option<NodeId>,
}

/// One acknowledged decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which planned call.
    pub position: usize,
    /// Its place in the ledger, according to the verified receipt.
    pub seq: u64,
    /// Its leaf's hash, according to the verified receipt.
    pub leaf: Hash,
}

/// What a drive came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Every acknowledged decision, in the order in which they came.
    pub acknowledged: Vec<Acknowledged>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Time of each request, from its first attempt to its answer.
    pub latency: Histogram,
    /// Decisions by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// How many decisions are not what the scenario's author expects.
    pub different: u64,
    /// The first of those, in words.
    pub differences: Vec<String>,
    /// Decisions that had been made by an earlier attempt whose answer was lost.
    pub replayed: u64,
    /// Requests that were sent again by the driver, after the client library had given up.
    pub sent_again: u64,
}

/// Decisions of one request, on their way to be kept.
struct Answer {
    decisions: Vec<(usize, Decision)>,
    took: Duration,
    sent_again: u64,
}

/// Drives a workload to its end. Every planned call is acknowledged with a verified receipt, or this is an error.
pub async fn drive(
    workload: Arc<Workload>,
    clients: &BTreeMap<String, Client>,
    options: &Options,
    progress: &watch::Sender<Progress>,
) -> Result<Outcome> {
    let begun = Instant::now();
    let (answers, mut incoming) = mpsc::channel(ANSWERS_WAITING_MAX);
    // Dropped with this function's future: no worker outlives it.
    let mut workers = JoinSet::new();
    for lane in workload.lanes(options.lanes_per_credential) {
        let client = clients.get(&lane.credential);
        let client = client.ok_or_else(|| DemoError::new(format!("no credential {}", lane.credential)))?.clone();
        workers.spawn(work(lane, workload.clone(), client, options.clone(), answers.clone()));
    }
    drop(answers);
    let mut keeper = Keeper::new(workload, &options.receipts)?;
    loop {
        tokio::select! {
            answer = incoming.recv() => match answer {
                Some(answer) => {
                    keeper.keep(answer)?;
                    progress.send_replace(keeper.progress);
                }
                None => break,
            },
            // A worker that failed ends the drive at once.
            Some(worker) = workers.join_next() => ended(worker)?,
        }
    }
    while let Some(worker) = workers.join_next().await {
        ended(worker)?;
    }
    keeper.finish(begun.elapsed())
}

fn ended(worker: core::result::Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    worker.map_err(|e| DemoError::new(format!("a worker failed: {e}")))?
}

/// One worker: sends what its lane gives, a round at a time.
async fn work(
    mut lane: Lane,
    workload: Arc<Workload>,
    client: Client,
    options: Options,
    answers: mpsc::Sender<Answer>,
) -> Result<()> {
    loop {
        let round = lane.next(options.batch);
        if round.is_empty() {
            return Ok(());
        }
        let answer = decide(&workload, &client, round, options.patience).await?;
        if answers.send(answer).await.is_err() {
            return Ok(());
        }
    }
}

/// Asks until every call of a round is decided, always with the same request ids.
async fn decide(workload: &Workload, client: &Client, round: Vec<usize>, patience: Duration) -> Result<Answer> {
    let begun = Instant::now();
    let mut answer = Answer { decisions: Vec::with_capacity(round.len()), took: Duration::ZERO, sent_again: 0 };
    let mut open = round;
    loop {
        let requests: Vec<v1::EvaluateRequest> = open.iter().filter_map(|p| workload.request(*p)).collect();
        let mut failed = Vec::new();
        let mut last: Option<ClientError> = None;
        match client.evaluate_many(requests, Deadline::after(CALL_MAX)).await {
            Ok(items) => {
                for (position, item) in open.into_iter().zip(items) {
                    match item {
                        Ok(decision) => answer.decisions.push((position, decision)),
                        Err(error) => {
                            failed.push(position);
                            last = Some(keep_worst(last, error));
                        }
                    }
                }
            }
            Err(error) => {
                failed = open;
                last = Some(error);
            }
        }
        let Some(error) = last else {
            answer.took = begun.elapsed();
            return Ok(answer);
        };
        if !may_be_sent_again(&error) || begun.elapsed() > patience {
            return Err(DemoError::from(error).during(format!("{} calls were not decided", failed.len())));
        }
        answer.sent_again += failed.len() as u64;
        open = failed;
        sleep(AGAIN_AFTER).await;
    }
}

/// An error that ends everything is not hidden by one that does not.
fn keep_worst(known: Option<ClientError>, new: ClientError) -> ClientError {
    match known {
        Some(known) if !may_be_sent_again(&known) => known,
        _ => new,
    }
}

/// Whether the same request may have another outcome a little later.
const fn may_be_sent_again(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::NotAccepted { .. } | ClientError::OutcomeUnknown { .. } | ClientError::Unavailable { .. }
    )
}

/// Keeps every receipt and counts.
struct Keeper {
    workload: Arc<Workload>,
    receipts: BufWriter<File>,
    path: PathBuf,
    outcome: Outcome,
    progress: Progress,
}

impl Keeper {
    fn new(workload: Arc<Workload>, path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|e| DemoError::at(path, e))?;
        let receipts = BufWriter::new(file);
        Ok(Keeper {
            workload,
            receipts,
            path: path.to_owned(),
            outcome: Outcome::default(),
            progress: Progress::default(),
        })
    }

    fn keep(&mut self, answer: Answer) -> Result<()> {
        self.outcome.sent_again += answer.sent_again;
        for (position, decision) in answer.decisions {
            self.outcome.latency.record(answer.took);
            self.keep_one(position, &decision)?;
        }
        Ok(())
    }

    fn keep_one(&mut self, position: usize, decision: &Decision) -> Result<()> {
        let Some(receipt) = &decision.receipt else {
            return Err(DemoError::new("a decision came without a verified receipt"));
        };
        let written = self.receipts.write_all(&decision.response.receipt).and_then(|()| self.receipts.write_all(b"\n"));
        written.map_err(|e| DemoError::at(&self.path, e))?;
        let leaf = *receipt.leaf_hash();
        self.outcome.acknowledged.push(Acknowledged { position, seq: receipt.seq().0, leaf });
        self.outcome.replayed += u64::from(decision.response.replayed);
        self.progress.done += 1;
        self.progress.signer = Some(receipt.node());
        let verdict = verdict_name(decision.response.verdict());
        *self.outcome.verdicts.entry(verdict.to_owned()).or_default() += 1;
        self.compare(position, verdict, &decision.response);
        Ok(())
    }

    /// Holds a decision against what the scenario's author expects.
    fn compare(&mut self, position: usize, verdict: &str, response: &v1::EvaluateResponse) {
        let Some((planned, call)) = self.workload.get(position) else { return };
        let code = response.codes.first().map_or("none", |code| code.name.as_str());
        if verdict == call.expect && code == call.expect_code {
            return;
        }
        self.outcome.different += 1;
        if self.outcome.differences.len() < DIFFERENCES_KEPT {
            self.outcome.differences.push(format!(
                "line {} ({}, {}): {verdict} {code}, expected {} {}",
                planned.line + 1,
                call.scenario,
                call.tool,
                call.expect,
                call.expect_code
            ));
        }
    }

    fn finish(mut self, elapsed: Duration) -> Result<Outcome> {
        self.receipts.flush().map_err(|e| DemoError::at(&self.path, e))?;
        self.outcome.elapsed = elapsed;
        Ok(self.outcome)
    }
}

/// The verdict's name in expectations.
pub(crate) const fn verdict_name(verdict: v1::Verdict) -> &'static str {
    match verdict {
        v1::Verdict::Allow => "allow",
        v1::Verdict::Deny => "deny",
        v1::Verdict::Escalate => "escalate",
        v1::Verdict::Compute => "compute",
        v1::Verdict::Unspecified => "none",
    }
}
