//! The sealer: on the leader, turns what is committed into seals, cosignatures and anchors, one stage at a time.
//!
//! Each stage is found from the record, so that a new leader goes on wherever the old one stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use assent_kernel::command::{Caller, Command, CommandBody, RequestId, Role};
use assent_kernel::machine::Answer;
use assent_kernel::state::keys::{LedgerRecord, ProgressRecord};
use assent_ledger::archive::{SpanName, SpanObject};
use assent_ledger::checkpoint::VerifiedCheckpoint;
use assent_ledger::cosignature::quorum;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{TenantId, TreeSize};
use assent_ledger::note::NoteSignature;
use assent_ledger::seal::{SealReason, SpanAnchored, SpanCosigned};
use assent_proto::v1::{CosignRequest, CosignResponse};
use bytes::Bytes;
use tokio::time::timeout;

use super::cosigner::CosignRefusal;
use super::span::{self, SpanObjects};
use crate::node::Node;
use crate::raft::types::Member;
use crate::store::seals::SealRow;

/// How often a quiet leader looks whether a seal is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a peer may take to co-sign.
const COSIGN_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait after a failed stage.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Why a stage could not be finished now.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Too few cosignatures.
    #[error("size {size}: {got} of {needed} cosignatures ({reasons})")]
    Quorum {
        /// The checkpoint's size.
        size: TreeSize,
        /// How many nodes signed.
        got: usize,
        /// How many must.
        needed: u32,
        /// What the others said.
        reasons: String,
    },
    /// The objects cannot be made.
    #[error(transparent)]
    Span(#[from] span::SpanError),
    /// The storage.
    #[error(transparent)]
    Anchor(#[from] super::anchor::AnchorError),
    /// The command was not committed.
    #[error("{0}")]
    Submit(crate::outcome::ApiError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

fn other(error: impl core::fmt::Display) -> SealError {
    SealError::Other(error.to_string())
}

/// Runs until the node stops.
pub async fn run(node: Arc<Node>) {
    loop {
        let pause = if node.is_leader() && !node.fence().is_up() && !node.stopping() {
            match step(&node).await {
                Ok(true) => continue,
                Ok(false) => LOOK_EVERY,
                Err(error) => {
                    tracing::warn!(%error, "sealing is held up; it is tried again");
                    RETRY_AFTER
                }
            }
        } else {
            LOOK_EVERY
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = node.stopped() => return,
        }
    }
}

/// Does the next thing that is due; false when nothing is.
async fn step(node: &Node) -> Result<bool, SealError> {
    let view = node.store().view();
    let (Some(ledger), Some(progress)) = (view.ledger(), view.progress()) else { return Ok(false) };
    let cosigned = progress.cosigned.as_ref().map(|c| c.size).unwrap_or_default();
    if cosigned < progress.sealed {
        cosign(node, progress.sealed).await?;
        return Ok(true);
    }
    if progress.anchored < cosigned {
        anchor(node, progress.anchored, cosigned).await?;
        return Ok(true);
    }
    match due(&ledger, &progress, node.now()) {
        Some(reason) => seal(node, reason, &progress).await.map(|()| true),
        None => Ok(false),
    }
}

/// Whether the open span is to be sealed now, and why.
fn due(ledger: &LedgerRecord, progress: &ProgressRecord, now: assent_ledger::ids::Time) -> Option<SealReason> {
    let waited_seconds = now.0.saturating_sub(progress.span_since.0) / 1_000_000;
    if progress.span_entries >= u64::from(ledger.seal_entries) {
        Some(SealReason::Count)
    } else if waited_seconds < u64::from(ledger.seal_seconds) {
        None
    } else if progress.span_entries > 0 {
        Some(SealReason::Time)
    } else {
        Some(SealReason::Idle)
    }
}

async fn seal(node: &Node, reason: SealReason, progress: &ProgressRecord) -> Result<(), SealError> {
    let expected_start = TreeSize(progress.span_start.0);
    submit(node, CommandBody::Seal { reason, expected_start }).await
}

/// Commits a command of the node itself. A refusal means that the stage was done meanwhile: nothing is lost.
async fn submit(node: &Node, body: CommandBody) -> Result<(), SealError> {
    let name = body.name();
    let stamp = node.stamp();
    let caller = Caller {
        tenant: TenantId::system(),
        subject: None,
        attested: true,
        role: Role::Node,
        credential: format!("node/{}", node.id()),
    };
    let request_id = RequestId::new(stamp.time.0 / 1000, crate::random::bytes());
    let settled =
        node.batcher().submit(Command { request_id, stamp, caller, body }).await.map_err(SealError::Submit)?;
    if let Answer::Refused(refusal) = &settled.answer {
        tracing::info!(name, %refusal, "not needed any more");
    }
    Ok(())
}

/// Gathers a quorum's cosignatures and commits the choice together with the manifest's digest, before anything is uploaded.
async fn cosign(node: &Node, size: TreeSize) -> Result<(), SealError> {
    let row = seal_row(node, size)?;
    let objects = build(node, &row).await?;
    let lines = gather(node, &row, &objects).await?;
    let body = SpanCosigned {
        checkpoint: objects.checkpoint.text_digest(),
        cosignatures: lines,
        manifest: objects.manifest.digest(),
        size,
    };
    submit(node, CommandBody::Cosigned(Box::new(body))).await
}

fn seal_row(node: &Node, size: TreeSize) -> Result<SealRow, SealError> {
    node.store().seal(size).map_err(other)?.ok_or_else(|| SealError::Other(format!("no seal of size {size}")))
}

async fn build(node: &Node, row: &SealRow) -> Result<SpanObjects, SealError> {
    let (store, origin, key, row) = (node.store().clone(), node.origin().clone(), node.log_key(), row.clone());
    let built = tokio::task::spawn_blocking(move || span::build(&store, &origin, &key, &row)).await;
    Ok(built.map_err(other)??)
}

/// Asks every voter and returns the cosignatures of the first quorum, in order of key name.
async fn gather(node: &Node, row: &SealRow, objects: &SpanObjects) -> Result<Vec<NoteSignature>, SealError> {
    let needed = node.store().view().ledger().map_or(1, |l| l.quorum);
    let members = node.voters();
    let mut answers = tokio::task::JoinSet::new();
    for (id, member) in members.iter().filter(|(id, _)| **id != node.id().0) {
        answers.spawn(ask(node.network().clone(), *id, member.clone(), node.origin().to_string(), row.size, row.root));
    }
    let mut round = Round { lines: Vec::new(), others: BTreeMap::new(), reasons: Vec::new() };
    match node.cosigner().sign(row.size, row.root).await {
        Ok(line) => round.lines.push(line),
        // Its own store gives another root now than when it sealed: nothing that it holds can be trusted.
        Err(CosignRefusal::OtherRoot(own)) => {
            node.fence().raise(&format!("own store gives root {own} at size {}, it sealed {}", row.size, row.root));
            return Err(SealError::Other("this node contradicts itself".to_owned()));
        }
        Err(refusal) => round.reasons.push(format!("this node {refusal}")),
    }
    while let Some(answer) = answers.join_next().await {
        let (id, answer) = answer.map_err(other)?;
        round.take(id, answer, row.root);
        if let Some(lines) = round.quorum(node, objects, needed)? {
            return Ok(lines);
        }
    }
    if let Some(lines) = round.quorum(node, objects, needed)? {
        return Ok(lines);
    }
    round.fence_if_contradicted(node, row, members.len());
    let (got, reasons) = (round.lines.len(), round.reasons.join("; "));
    Err(SealError::Quorum { size: row.size, got, needed, reasons })
}

/// What the voters have said so far.
struct Round {
    lines: Vec<NoteSignature>,
    /// Roots that others recomputed instead, and how many did.
    others: BTreeMap<Hash, usize>,
    reasons: Vec<String>,
}

impl Round {
    fn take(&mut self, id: u64, answer: Result<CosignResponse, String>, root: Hash) {
        match answer {
            Ok(answer) if answer.refusal.is_empty() => match NoteSignature::parse(&answer.signature_line) {
                Some(line) => self.lines.push(line),
                None => self.reasons.push(format!("node {id:016x} answered no signature line")),
            },
            Ok(answer) => {
                if let Ok(theirs) = <[u8; 32]>::try_from(answer.root.as_ref())
                    && theirs != root.0
                {
                    *self.others.entry(Hash(theirs)).or_default() += 1;
                }
                self.reasons.push(format!("node {id:016x} {}", answer.refusal));
            }
            Err(error) => self.reasons.push(format!("node {id:016x} {error}")),
        }
    }

    /// The verified lines, once they reach the ledger's quorum.
    fn quorum(&self, node: &Node, objects: &SpanObjects, needed: u32) -> Result<Option<Vec<NoteSignature>>, SealError> {
        let keyring = node.keyring().ok_or_else(|| other("there is no ledger yet"))?.map_err(other)?;
        let checkpoint = VerifiedCheckpoint::verify_with(&objects.checkpoint.to_bytes(), &keyring).map_err(other)?;
        let mut lines = self.lines.clone();
        lines.sort_by(|a, b| a.name().cmp(b.name()));
        let found = quorum(&keyring, &checkpoint, &lines).map_err(other)?;
        if !found.reaches(needed) {
            return Ok(None);
        }
        lines.retain(|line| found.valid.iter().any(|c| c.key_name == line.name()));
        Ok(Some(lines))
    }

    /// When a majority of the voters recomputed one and the same other root, this leader is the one that is wrong.
    fn fence_if_contradicted(&self, node: &Node, row: &SealRow, voters: usize) {
        for (root, count) in &self.others {
            if *count > voters / 2 {
                node.fence().raise(&format!(
                    "{count} of {voters} nodes recomputed root {root} at size {}, this node has {}",
                    row.size, row.root
                ));
            }
        }
    }
}

async fn ask(
    network: crate::raft::network::PeerNetwork,
    id: u64,
    member: Member,
    ledger: String,
    size: TreeSize,
    root: Hash,
) -> (u64, Result<CosignResponse, String>) {
    let request = CosignRequest { ledger, size: size.0, root: root.0.to_vec().into() };
    let answer = match network.connect(id, &member).client() {
        Ok(mut client) => match timeout(COSIGN_LIMIT, client.cosign(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(status.message().to_owned()),
            Err(_) => Err("did not answer in time".to_owned()),
        },
        Err(error) => Err(error.to_string()),
    };
    (id, answer)
}

/// Uploads every co-signed span behind the last recorded anchor, in order, and records the newest.
///
/// A crash anywhere leaves some objects; the next leader writes the same bytes again and finds them there. The manifest goes last: where
/// it stands, the span is complete.
async fn anchor(node: &Node, anchored: TreeSize, cosigned: TreeSize) -> Result<(), SealError> {
    let mut last = None;
    for row in node.store().seals(TreeSize(anchored.0 + 1), usize::MAX).map_err(other)? {
        if row.size > cosigned {
            break;
        }
        last = Some(upload(node, &row).await?);
    }
    let body = last.ok_or_else(|| SealError::Other(format!("no seal of size {cosigned}")))?;
    submit(node, CommandBody::Anchored(Box::new(body))).await
}

async fn upload(node: &Node, row: &SealRow) -> Result<SpanAnchored, SealError> {
    let chosen =
        row.cosigned.as_ref().ok_or_else(|| SealError::Other(format!("size {} is not co-signed", row.size)))?;
    let objects = build(node, row).await?;
    if objects.manifest.digest() != chosen.manifest {
        return Err(SealError::Other(format!("the manifest of size {} is not the committed one", row.size)));
    }
    let count = u32::try_from(objects.objects.len()).unwrap_or(u32::MAX);
    let checkpoint = span::with_cosignatures(objects.checkpoint, &chosen.cosignatures).map_err(other)?;
    let span = SpanName { start: row.start, end: row.size };
    let target = node.anchor();
    for (object, bytes) in objects.objects {
        target.put(span, object, Bytes::from(bytes)).await?;
    }
    target.put(span, SpanObject::Checkpoint, checkpoint.to_bytes().into()).await?;
    target.put(span, SpanObject::Manifest, objects.manifest.to_bytes().into()).await?;
    target.sweep(span).await?;
    Ok(SpanAnchored {
        checkpoint: chosen.checkpoint,
        manifest: chosen.manifest,
        objects: count,
        retain_until: None,
        size: row.size,
        sink_uri: target.uri().to_owned(),
        version_ids: Vec::new(),
    })
}
