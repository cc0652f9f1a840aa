//! The claims desk: a small recorded fleet with people who answer, executors that redeem and report, and memory. Its steps are sent as
//! they stand in `claims.jsonl`, and each answer is held against what the step's author expects.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use assent_client::{Client, Deadline, v1};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::drive::verdict_name;
use crate::error::{DemoError, Result};

/// Longest time for one step.
const STEP_MAX: Duration = Duration::from_secs(20);
/// Stories that are under way at once.
const STORIES_AT_ONCE: usize = 8;
/// How many differing answers are kept for the report.
const DIFFERENCES_KEPT: usize = 5;
/// The environment of all steps.
const ENVIRONMENT: &str = "prod";

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// An agent asks to call a tool.
    Call,
    /// A person answers for a call that waits.
    Answer,
    /// The agent sends the same request again.
    Again,
    /// The executor asks whether it may run.
    Redeem,
    /// The executor says what came of it.
    Complete,
    /// An agent keeps a value.
    Remember,
    /// An agent asks for a value.
    Recall,
}

/// One recorded step. Fields that its act does not have are absent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its story; the steps of one keep their order.
    pub story: String,
    /// Its name in the story.
    pub step: String,
    /// What is done.
    pub act: Act,
    /// The credential to act with.
    pub token_name: String,
    /// The agent or person.
    pub subject: String,
    /// The run.
    pub run_id: String,
    /// The trace.
    pub trace_id: String,
    /// The verdict that the author expects.
    pub expect: String,
    /// The first reason that the author expects.
    pub expect_code: String,
    /// The tool.
    pub tool: Option<String>,
    /// The arguments, byte for byte; of a modifying answer the new ones.
    pub inputs: Option<Box<RawValue>>,
    /// The call that the step is about.
    pub of: Option<String>,
    /// A person's answer.
    pub action: Option<String>,
    /// How an execution ended.
    pub status: Option<String>,
    /// What it returned.
    pub output: Option<Box<RawValue>>,
    /// The memory's namespace.
    pub namespace: Option<String>,
    /// The entry's name in it.
    pub key: Option<String>,
    /// The value to keep.
    pub value: Option<Box<RawValue>>,
    /// How sensitive it is.
    pub classification: Option<String>,
}

/// What the steps came to.
#[derive(Debug, Default)]
pub struct Played {
    /// Steps by act.
    pub acts: BTreeMap<Act, u64>,
    /// Calls by the verdict that they got first.
    pub verdicts: BTreeMap<String, u64>,
    /// How many answers are not what the author expects.
    pub different: u64,
    /// The first of those, in words.
    pub differences: Vec<String>,
    /// Entry of a payout that was allowed at once.
    pub payout: Option<u64>,
}

impl Played {
    /// All steps.
    pub fn steps(&self) -> u64 {
        self.acts.values().sum()
    }

    fn add(&mut self, other: Played) {
        other.acts.into_iter().for_each(|(act, n)| *self.acts.entry(act).or_default() += n);
        other.verdicts.into_iter().for_each(|(verdict, n)| *self.verdicts.entry(verdict).or_default() += n);
        self.different += other.different;
        self.differences.extend(other.differences);
        self.differences.truncate(DIFFERENCES_KEPT);
        // Stories end in any order: the first payout of the ledger, whoever tells it first.
        self.payout = self.payout.into_iter().chain(other.payout).min();
    }
}

/// Reads the recorded steps.
pub fn read(path: &Path) -> Result<Vec<Step>> {
    let text = fs::read_to_string(path).map_err(|e| DemoError::at(path, e))?;
    let line = |(number, line)| {
        serde_json::from_str(line).map_err(|e| DemoError::at(path, format!("line {}: {e}", number + 1)))
    };
    text.lines().enumerate().map(line).collect()
}

/// Plays every story, some at once. `clients`: one for each credential.
pub async fn play(steps: Vec<Step>, clients: &BTreeMap<String, Client>) -> Result<Played> {
    let mut stories: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for step in steps {
        stories.entry(step.story.clone()).or_default().push(step);
    }
    let (clients, slots) = (Arc::new(clients.clone()), Arc::new(Semaphore::new(STORIES_AT_ONCE)));
    let mut tellers = JoinSet::new();
    for (name, steps) in stories {
        let (clients, slots) = (clients.clone(), slots.clone());
        tellers.spawn(async move {
            let _slot = slots.acquire_owned().await.map_err(|e| DemoError::new(e.to_string()))?;
            let mut story =
                Story { clients: &clients, calls: BTreeMap::new(), kept: BTreeMap::new(), played: Played::default() };
            for step in &steps {
                story.step(step).await.map_err(|e| e.during(format!("{name} {}", step.step)))?;
            }
            Ok::<Played, DemoError>(story.played)
        });
    }
    let mut played = Played::default();
    while let Some(story) = tellers.join_next().await {
        played.add(story.map_err(|e| DemoError::new(format!("a story failed: {e}")))??);
    }
    Ok(played)
}

/// A call, and the newest answer to it.
struct Made {
    request: v1::EvaluateRequest,
    response: v1::EvaluateResponse,
    approval: String,
    credential: String,
}

/// A story under way.
struct Story<'a> {
    clients: &'a BTreeMap<String, Client>,
    calls: BTreeMap<String, Made>,
    kept: BTreeMap<(String, String), Vec<u8>>,
    played: Played,
}

fn deadline() -> Deadline {
    Deadline::after(STEP_MAX)
}

fn bytes(json: Option<&RawValue>) -> Vec<u8> {
    json.map(|json| json.get().as_bytes().to_vec()).unwrap_or_default()
}

impl Story<'_> {
    fn client(&self, name: &str) -> Result<&Client> {
        self.clients.get(name).ok_or_else(|| DemoError::new(format!("no credential {name}")))
    }

    fn made(&self, step: &Step) -> Result<&Made> {
        let made = step.of.as_ref().and_then(|of| self.calls.get(of));
        made.ok_or_else(|| DemoError::new("the step is about a call that was not made"))
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        let (verdict, codes) = match step.act {
            Act::Call => self.call(step).await?,
            Act::Again => self.again(step).await?,
            Act::Answer => ruled(self.answer(step).await?),
            Act::Redeem => ruled(self.redeem(step).await?),
            Act::Complete => ruled(self.complete(step).await?),
            Act::Remember => ruled(self.remember(step).await?),
            Act::Recall => ruled(self.recall(step).await?),
        };
        *self.played.acts.entry(step.act).or_default() += 1;
        let (verdict, code) = (verdict_name(verdict), codes.first().map_or("none", |code| code.name.as_str()));
        if step.act == Act::Call {
            *self.played.verdicts.entry(verdict.to_owned()).or_default() += 1;
        }
        if verdict != step.expect || code != step.expect_code {
            let (story, name, act) = (&step.story, &step.step, step.act);
            let (expect, expect_code) = (&step.expect, &step.expect_code);
            self.differs(format!("{story} {name} ({act:?}): {verdict} {code}, expected {expect} {expect_code}"));
        }
        Ok(())
    }

    fn differs(&mut self, text: String) {
        self.played.different += 1;
        self.played.differences.push(text);
    }

    async fn call(&mut self, step: &Step) -> Result<(v1::Verdict, Vec<v1::ReasonCode>)> {
        let request = v1::EvaluateRequest {
            request_id: Client::request_id()?,
            environment: ENVIRONMENT.to_owned(),
            run_id: step.run_id.clone(),
            trace_id: step.trace_id.clone(),
            subject: step.subject.clone(),
            tool: step.tool.clone().unwrap_or_default(),
            inputs: bytes(step.inputs.as_deref()).into(),
            ..v1::EvaluateRequest::default()
        };
        let response = self.client(&step.token_name)?.evaluate(request.clone(), deadline()).await?.response;
        let approval = response.terms.as_ref().map(|terms| terms.approval_id.clone()).unwrap_or_default();
        if step.expect == "allow" && request.tool == "payouts.send" {
            self.played.payout = self.played.payout.or(Some(response.seq));
        }
        let answer = (response.verdict(), response.codes.clone());
        let credential = step.token_name.clone();
        self.calls.insert(step.step.clone(), Made { request, response, approval, credential });
        Ok(answer)
    }

    async fn again(&mut self, step: &Step) -> Result<(v1::Verdict, Vec<v1::ReasonCode>)> {
        let made = self.made(step)?;
        let response = self.client(&made.credential)?.evaluate(made.request.clone(), deadline()).await?.response;
        let answer = (response.verdict(), response.codes.clone());
        if let Some(made) = step.of.as_ref().and_then(|of| self.calls.get_mut(of)) {
            made.response = response;
        }
        Ok(answer)
    }

    async fn answer(&self, step: &Step) -> Result<v1::RulingResponse> {
        let action = match step.action.as_deref() {
            Some("approve") => v1::ApprovalAction::Approve,
            Some("deny") => v1::ApprovalAction::Deny,
            Some("modify") => v1::ApprovalAction::Modify,
            _ => return Err(DemoError::new("the answer is none of approve, deny and modify")),
        };
        let request = v1::ResolveApprovalRequest {
            approval_id: self.made(step)?.approval.clone(),
            action: action.into(),
            inputs: bytes(step.inputs.as_deref()).into(),
            justification: b"looked at the claim".to_vec().into(),
            ..v1::ResolveApprovalRequest::default()
        };
        Ok(self.client(&step.token_name)?.resolve_approval(request, deadline()).await?)
    }

    /// Shows what is about to run: the call, or what the policy or a person put in its place.
    async fn redeem(&self, step: &Step) -> Result<v1::RulingResponse> {
        let made = self.made(step)?;
        let mut call = made.request.clone();
        if let Some(terms) = made.response.terms.as_ref().filter(|terms| !terms.replacement_inputs.is_empty()) {
            call.inputs = terms.replacement_inputs.clone();
        }
        let request = v1::RedeemRequest {
            decision_id: made.response.decision_id.clone(),
            seq: made.response.seq,
            call: Some(call),
            request_salt: made.response.request_salt.clone(),
            ..v1::RedeemRequest::default()
        };
        Ok(self.client(&made.credential)?.redeem(request, deadline()).await?)
    }

    async fn complete(&self, step: &Step) -> Result<v1::RulingResponse> {
        let made = self.made(step)?;
        let status = match step.status.as_deref() {
            Some("success") => v1::Completion::Success,
            Some("failure") => v1::Completion::Failure,
            _ => v1::Completion::Unknown,
        };
        let request = v1::CompleteRequest {
            decision_id: made.response.decision_id.clone(),
            seq: made.response.seq,
            status: status.into(),
            duration_ms: 40,
            output: bytes(step.output.as_deref()).into(),
            ..v1::CompleteRequest::default()
        };
        Ok(self.client(&made.credential)?.complete(request, deadline()).await?)
    }

    async fn remember(&mut self, step: &Step) -> Result<v1::RulingResponse> {
        let value = bytes(step.value.as_deref());
        let request = v1::MemoryWriteRequest {
            act: Some(act(step)),
            key: step.key.clone().unwrap_or_default(),
            value: value.clone().into(),
            classification: step.classification.clone().unwrap_or_default(),
            ..v1::MemoryWriteRequest::default()
        };
        let answer = self.client(&step.token_name)?.memory_write(request, deadline()).await?;
        if answer.verdict() == v1::Verdict::Allow {
            self.kept.insert(place(step), value);
        }
        Ok(answer)
    }

    async fn recall(&mut self, step: &Step) -> Result<v1::RulingResponse> {
        let key = step.key.clone().unwrap_or_default();
        let request = v1::MemoryReadRequest { act: Some(act(step)), key, ..v1::MemoryReadRequest::default() };
        let answer = self.client(&step.token_name)?.memory_read(request, deadline()).await?;
        let allowed = answer.verdict() == v1::Verdict::Allow;
        if allowed && self.kept.get(&place(step)).is_none_or(|kept| answer.value != kept.as_slice()) {
            self.differs(format!("{} {}: another value than was kept", step.story, step.step));
        }
        Ok(answer)
    }
}

fn ruled(answer: v1::RulingResponse) -> (v1::Verdict, Vec<v1::ReasonCode>) {
    (answer.verdict(), answer.codes)
}

fn place(step: &Step) -> (String, String) {
    (step.namespace.clone().unwrap_or_default(), step.key.clone().unwrap_or_default())
}

fn act(step: &Step) -> v1::MemoryAct {
    v1::MemoryAct {
        environment: ENVIRONMENT.to_owned(),
        namespace: step.namespace.clone().unwrap_or_default(),
        subject: step.subject.clone(),
        run_id: step.run_id.clone(),
        trace_id: step.trace_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_recorded_steps_are_readable_and_of_every_kind() {
        let steps = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../claims/claims.jsonl")).unwrap();
        let acts: std::collections::BTreeSet<Act> = steps.iter().map(|step| step.act).collect();
        assert_eq!(acts.len(), 7);
        let verdicts: std::collections::BTreeSet<&str> =
            steps.iter().filter(|step| step.act == Act::Call).map(|step| step.expect.as_str()).collect();
        assert_eq!(verdicts, ["allow", "compute", "deny", "escalate"].into());
    }
}
