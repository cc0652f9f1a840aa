//! From a command to its answer: queued with the batcher, waited for, answered with what was committed and nothing else.

use std::time::Instant;

use assent_kernel::command::{Command, RequestId};
use assent_kernel::event::REPLACEMENT_ROLE;
use assent_kernel::machine::Answer;
use assent_kernel::state::keys::DecisionTerms;
use assent_ledger::entry::EntryView;
use assent_ledger::ids::{Seq, TenantId};
use assent_proto::v1::{CommandResponse, EvaluateResponse, RulingResponse};
use tokio::task::JoinHandle;
use tokio::time;

use super::under_way::RequestKey;
use super::{Api, convert, errors};
use crate::batcher::Settled;
use crate::outcome::ApiError;

/// A command that stands in the batcher's queue.
pub struct Queued {
    id: RequestId,
    since: Instant,
    settled: JoinHandle<Result<Settled, ApiError>>,
}

impl Api {
    /// Puts a command into the batcher's queue, at once: commands queued one after the other are proposed in that order.
    ///
    /// What is queued goes on when the caller goes away; its mark as under way stays until it is settled.
    pub(super) async fn queue(&self, command: Command) -> Queued {
        let (id, since) = (command.request_id, Instant::now());
        let mark = self.under_way.enter(RequestKey::of(&command));
        let batcher = self.node.batcher().clone();
        let mut submission = Box::pin(async move { batcher.submit(command).await });
        // The first poll is what queues it; the rest is waiting.
        let at_once = match futures::poll!(submission.as_mut()) {
            std::task::Poll::Ready(result) => Some(result),
            std::task::Poll::Pending => None,
        };
        let settled = tokio::spawn(async move {
            let _mark = mark;
            match at_once {
                Some(result) => result,
                None => submission.await,
            }
        });
        Queued { id, since, settled }
    }

    /// Waits until a queued command is settled.
    pub(super) async fn settled(&self, queued: Queued) -> Result<(RequestId, Settled), ApiError> {
        let left = self.request_timeout().saturating_sub(queued.since.elapsed());
        let settled = match time::timeout(left, queued.settled).await {
            // Once a command was with the batcher, a fence says nothing against its having been committed.
            Ok(Ok(Err(error))) if error.code == "FENCED" => return Err(errors::after_commit(error)),
            Ok(Ok(settled)) => settled?,
            Ok(Err(_)) => return Err(ApiError::unknown("the node stopped while the command was under way")),
            Err(_) => return Err(errors::timed_out()),
        };
        self.metrics.committed(&settled, queued.since.elapsed());
        // A node that was fenced off in the meantime does not vouch for what it applied.
        match self.node.fence().reason() {
            Some(reason) => Err(errors::after_commit(ApiError::fenced(&reason))),
            None => Ok((queued.id, settled)),
        }
    }

    /// Queues a command and waits for it.
    pub(super) async fn submit(&self, command: Command) -> Result<(RequestId, Settled), ApiError> {
        let queued = self.queue(command).await;
        self.settled(queued).await
    }

    /// The answer to an evaluation.
    pub(super) fn decision(&self, id: RequestId, settled: &Settled) -> Result<EvaluateResponse, ApiError> {
        match &settled.answer {
            Answer::Decided { seq, verdict, terms, replayed, .. } => {
                let receipt = self.receipt(*seq, settled, *replayed).map_err(errors::after_commit)?;
                let replacement = self.replacement(*seq, terms).map_err(errors::after_commit)?;
                self.metrics.decided(*verdict, *replayed);
                convert::evaluate::response(id, &settled.answer, receipt, replacement)
            }
            Answer::Refused(refusal) => Err(errors::refused(refusal)),
            Answer::Recorded { .. } | Answer::Ruled { .. } => {
                Err(errors::after_commit(ApiError::internal("an evaluation made no decision")))
            }
        }
    }

    /// The answer to what an agent or a person asks for besides calls.
    pub(super) fn ruling(&self, request_id: &str, settled: &Settled) -> Result<RulingResponse, ApiError> {
        let request_id = request_id.to_owned();
        match &settled.answer {
            Answer::Ruled { seq, event_id, verdict, codes, details, replayed } => Ok(RulingResponse {
                request_id,
                event_id: event_id.clone(),
                verdict: convert::evaluate::verdict(*verdict).into(),
                codes: codes.iter().map(convert::evaluate::reason).collect(),
                seq: seq.0,
                details: convert::terms::details(details),
                replayed: *replayed,
                receipt: self.receipt(*seq, settled, *replayed).map_err(errors::after_commit)?.into(),
                value: Vec::new().into(),
            }),
            Answer::Decided { seq, decision_id, verdict, codes, replayed, .. } => Ok(RulingResponse {
                request_id,
                event_id: decision_id.clone(),
                verdict: convert::evaluate::verdict(*verdict).into(),
                codes: codes.iter().map(convert::evaluate::reason).collect(),
                seq: seq.0,
                details: Vec::new(),
                replayed: *replayed,
                receipt: self.receipt(*seq, settled, *replayed).map_err(errors::after_commit)?.into(),
                value: Vec::new().into(),
            }),
            Answer::Recorded { first_seq, count, replayed } => {
                let seq = first_seq.0.saturating_add(u64::from(*count).saturating_sub(1));
                Ok(RulingResponse { request_id, seq, replayed: *replayed, ..RulingResponse::default() })
            }
            Answer::Refused(refusal) => Err(errors::refused(refusal)),
        }
    }

    /// The answer to any other command.
    pub(super) fn recorded(&self, settled: &Settled) -> Result<CommandResponse, ApiError> {
        match &settled.answer {
            Answer::Recorded { first_seq, count, replayed } => {
                Ok(CommandResponse { first_seq: first_seq.0, entries: *count, replayed: *replayed })
            }
            Answer::Refused(refusal) => Err(errors::refused(refusal)),
            Answer::Decided { .. } | Answer::Ruled { .. } => {
                Err(errors::after_commit(ApiError::internal("a command was decided as a call")))
            }
        }
    }

    /// The receipt of an entry: of its batch when it was committed with it, of its own when it was committed earlier.
    fn receipt(&self, seq: Seq, settled: &Settled, replayed: bool) -> Result<Vec<u8>, ApiError> {
        if replayed {
            return self.receipt_of_stored(seq);
        }
        let entry = entry_of(settled, seq);
        let entry = entry.ok_or_else(|| ApiError::internal(format!("entry {seq} is not in its batch")))?;
        settled.receipts.receipt(seq, &entry.leaf)
    }

    /// The arguments that are to run in a call's place: the payload that the decision at `seq` commits to. Empty when the call runs as
    /// it is, and when they were erased.
    pub(super) fn replacement(&self, seq: Seq, terms: &DecisionTerms) -> Result<Vec<u8>, ApiError> {
        if terms.replacement.is_none() {
            return Ok(Vec::new());
        }
        let leaf = self.node.store().entry(seq).map_err(errors::storage)?.unwrap_or_default();
        let entry = EntryView::parse(&leaf).map_err(|e| ApiError::internal(format!("entry {seq}: {e}")))?;
        let tenant = TenantId::new(entry.tenant).map_err(|e| ApiError::internal(e.to_string()))?;
        let Some(payload) = entry.payloads().find(|payload| payload.role == REPLACEMENT_ROLE) else {
            return Ok(Vec::new());
        };
        let opened = self.node.store().payload(&tenant, &payload.commitment).map_err(errors::storage)?;
        Ok(opened.map(|opened| opened.bytes.to_vec()).unwrap_or_default())
    }

    /// The receipt of an entry that was committed earlier.
    pub(super) fn receipt_of_stored(&self, seq: Seq) -> Result<Vec<u8>, ApiError> {
        let leaf = self.node.store().entry(seq).map_err(errors::storage)?;
        let leaf = leaf.ok_or_else(|| ApiError::internal(format!("entry {seq} is missing")))?;
        self.node.receipts().single(seq, &leaf)
    }
}

/// An entry of the batch; positions in a batch are gap-free.
fn entry_of(settled: &Settled, seq: Seq) -> Option<&assent_kernel::machine::AppliedEntry> {
    let first = settled.batch.entries.first()?.seq;
    let index = usize::try_from(seq.0.checked_sub(first.0)?).ok()?;
    settled.batch.entries.get(index).filter(|entry| entry.seq == seq)
}
