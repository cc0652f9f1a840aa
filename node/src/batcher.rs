//! Gathers commands into Raft entries. The next batch starts when an earlier one has been committed: under load batches grow by
//! themselves, on an idle node a command goes out at once, and no timer adds latency.

use std::sync::Arc;

use assent_kernel::command::{
    ApprovalAction, Batch, Command, CommandBody, ControlCommand, ExecutionCommand, MemoryCommand, MemoryTarget,
    MessageCommand,
};
use assent_kernel::machine::{Answer, AppliedBatch};
use openraft::errors::{ClientWriteError, RaftError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::config::Limits;
use crate::outcome::ApiError;
use crate::raft::RaftHandle;
use crate::raft::types::{CommandBatch, TypeConfig};
use crate::receipts::ReceiptBatch;

/// Raft entries under way at once: one being flushed while the next is gathered.
const BATCHES_IN_FLIGHT: usize = 2;

/// What a command came to, on the leader, once it was durable on a quorum.
#[derive(Clone)]
pub struct Settled {
    /// The machine's answer.
    pub answer: Answer,
    /// Everything that was applied with it.
    pub batch: Arc<AppliedBatch>,
    /// Signs receipts of the batch, once for all.
    pub receipts: Arc<ReceiptBatch>,
}

struct Proposal {
    command: Command,
    encoded_bytes: usize,
    reply: oneshot::Sender<Result<Settled, ApiError>>,
}

/// The way in for commands.
#[derive(Clone)]
pub struct Batcher {
    queue: mpsc::Sender<Proposal>,
}

impl Batcher {
    /// Starts gathering. Ends when every handle is dropped and what was queued is settled.
    pub fn start(raft: RaftHandle, signer: crate::receipts::ReceiptSigner, limits: &Limits) -> Self {
        let (queue, proposals) = mpsc::channel(limits.queue_commands_max);
        let gatherer = Gatherer {
            raft,
            signer,
            proposals,
            commands_max: limits.batch_commands_max,
            bytes_max: limits.batch_bytes_max,
        };
        tokio::spawn(gatherer.run());
        Batcher { queue }
    }

    /// Proposes a command and waits until it is committed and applied here.
    pub async fn submit(&self, command: Command) -> Result<Settled, ApiError> {
        let (reply, settled) = oneshot::channel();
        let encoded_bytes = size_hint(&command);
        // A full queue refuses at once: memory stays bounded and the caller knows that nothing happened.
        self.queue.try_send(Proposal { command, encoded_bytes, reply }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => ApiError::overloaded(),
            mpsc::error::TrySendError::Closed(_) => ApiError::stopping(),
        })?;
        settled.await.unwrap_or_else(|_| Err(ApiError::unknown("the node stopped while the command was under way")))
    }
}

/// About how long a command is when it is encoded, in bytes.
fn size_hint(command: &Command) -> usize {
    let bulk = match &command.body {
        CommandBody::Evaluate(call) => call.inputs.len(),
        CommandBody::OfferBundle(offer) => offer.source.len(),
        CommandBody::Execution(execution) => match execution.as_ref() {
            ExecutionCommand::Complete(done) => done.output.len() + done.redacted.as_ref().map_or(0, Vec::len),
            ExecutionCommand::Redeem(_) => 0,
        },
        CommandBody::Approval(answer) => match &answer.action {
            ApprovalAction::Modify(inputs) => inputs.len() + answer.justification.len(),
            _ => answer.justification.len(),
        },
        CommandBody::Memory(memory) => match memory.as_ref() {
            MemoryCommand::Write(write) => write.value.len(),
            MemoryCommand::Read(read) => match &read.target {
                MemoryTarget::Query { query, .. } => query.len(),
                MemoryTarget::Key(_) => 0,
            },
            // Up to a few hundred items with their labels.
            MemoryCommand::Release(release) => release.items.len() * 512,
            MemoryCommand::Forget { .. } | MemoryCommand::Quarantine(_) => 0,
        },
        CommandBody::Message(message) => match message.as_ref() {
            MessageCommand::Record(message) => message.payload.len(),
            _ => 0,
        },
        CommandBody::Control(control) => match control.as_ref() {
            ControlCommand::ErasePayload { justification, .. } | ControlCommand::KillSwitch { justification, .. } => {
                justification.len()
            }
            ControlCommand::SetRuntimeRules { source, .. } => source.len(),
            _ => 0,
        },
        _ => 0,
    };
    bulk + 1024
}

struct Gatherer {
    raft: RaftHandle,
    signer: crate::receipts::ReceiptSigner,
    proposals: mpsc::Receiver<Proposal>,
    commands_max: usize,
    bytes_max: usize,
}

impl Gatherer {
    async fn run(mut self) {
        let in_flight = Arc::new(Semaphore::new(BATCHES_IN_FLIGHT));
        let mut carried = None;
        loop {
            let first = match carried.take() {
                Some(proposal) => proposal,
                None => match self.proposals.recv().await {
                    Some(proposal) => proposal,
                    None => return,
                },
            };
            let Ok(permit) = in_flight.clone().acquire_owned().await else { return };
            let (batch, next) = self.gather(first);
            carried = next;
            tokio::spawn(propose(self.raft.clone(), self.signer.clone(), batch, permit));
        }
    }

    /// Takes what is queued now, up to the limits; the one that would go over is carried into the next batch.
    fn gather(&mut self, first: Proposal) -> (Vec<Proposal>, Option<Proposal>) {
        let mut bytes = first.encoded_bytes;
        let mut batch = vec![first];
        while batch.len() < self.commands_max {
            let Ok(next) = self.proposals.try_recv() else { break };
            if bytes.saturating_add(next.encoded_bytes) > self.bytes_max {
                return (batch, Some(next));
            }
            bytes += next.encoded_bytes;
            batch.push(next);
        }
        (batch, None)
    }
}

/// One Raft entry from proposal to answers.
///
/// A crash of the leader before the entry is durable on a quorum loses it, and nobody was answered; after that every later leader has
/// it, and a retry with the same request id finds it. Answers go out only after it was applied here.
async fn propose(
    raft: RaftHandle,
    signer: crate::receipts::ReceiptSigner,
    proposals: Vec<Proposal>,
    permit: OwnedSemaphorePermit,
) {
    let (commands, replies): (Vec<_>, Vec<_>) = proposals.into_iter().map(|p| (p.command, p.reply)).unzip();
    let encoded: Arc<[u8]> = Batch { commands }.encode().into();
    let written = raft.client_write(CommandBatch(encoded)).await;
    drop(permit);
    let applied = match written {
        Ok(response) => response.data.0,
        Err(error) => {
            let error = api_error(&error);
            for reply in replies {
                // A caller that went away is not told; its request id is.
                let _ = reply.send(Err(error.clone()));
            }
            return;
        }
    };
    let Some(batch) = applied else {
        for reply in replies {
            let _ = reply.send(Err(ApiError::unknown("the command was committed but not applied here")));
        }
        return;
    };
    let receipts = Arc::new(signer.batch(&batch));
    for (answer, reply) in batch.answers.iter().zip(replies) {
        let settled = Settled { answer: answer.clone(), batch: batch.clone(), receipts: receipts.clone() };
        let _ = reply.send(Ok(settled));
    }
}

fn api_error(error: &RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> ApiError {
    match error {
        // Rejected before it was appended: nothing happened.
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => ApiError::no_leader(),
        // Discarded here while another leader's log was taken over; an earlier copy may yet be committed by that leader.
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => {
            ApiError::unknown("the leader changed while the command was under way")
        }
        other => ApiError::unknown(format!("consensus: {other}")),
    }
}
