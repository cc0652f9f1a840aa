//! The incoming half of the nodes' network. Only certificates of nodes are served here, and only calls meant for this node.

use std::pin::Pin;
use std::sync::Arc;

use assent_ledger::hash::Hash;
use assent_ledger::ids::TreeSize;
use assent_proto::v1::peer_server::Peer;
use assent_proto::v1::{CosignRequest, CosignResponse, RaftCall, RaftMessage, SnapshotChunk, raft_call::Kind};
use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::network::{LEDGER_KEY, TARGET_KEY};
use super::types::TypeConfig;
use super::wire::{self, SnapshotHeader};
use crate::node::Node;
use crate::tls;

/// Serves the other nodes.
pub struct PeerService {
    node: Arc<Node>,
}

impl PeerService {
    /// For one node.
    pub fn new(node: Arc<Node>) -> Self {
        PeerService { node }
    }

    fn admit<T>(&self, request: &Request<T>, ledger: &str, target: u64) -> Result<(), Status> {
        let ids: Vec<String> =
            request.peer_certs().iter().flat_map(|certs| certs.iter()).flat_map(|c| tls::spiffe_ids(c)).collect();
        if !ids.iter().any(|id| id.starts_with("spiffe://assent/node/")) {
            return Err(Status::permission_denied(
                "this port is for nodes: the certificate names no node (spiffe://assent/node/…); nothing was recorded",
            ));
        }
        if ledger != self.node.origin().as_str() {
            return Err(Status::failed_precondition(format!("this node keeps ledger {}", self.node.origin())));
        }
        if target != self.node.id().0 {
            return Err(Status::failed_precondition(format!("this is node {}", self.node.id())));
        }
        Ok(())
    }

    fn admit_stream<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let text = |key| request.metadata().get(key).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let target = text(TARGET_KEY).parse().map_err(|_| Status::invalid_argument("no target node named"))?;
        self.admit(request, &text(LEDGER_KEY), target)
    }

    async fn raft_call(&self, kind: Kind, body: &[u8]) -> Result<Vec<u8>, Status> {
        let raft = self.node.raft();
        match kind {
            Kind::Append => {
                let request = wire::decode_append(body).map_err(malformed)?;
                let response = raft.append_entries(request).await.map_err(stopped)?;
                Ok(wire::encode_append_response(&response))
            }
            Kind::Vote => {
                let request = wire::decode_vote_request(body).map_err(malformed)?;
                Ok(wire::encode_vote_response(&raft.vote(request).await.map_err(stopped)?))
            }
            Kind::PreVote => {
                let request = wire::decode_vote_request(body).map_err(malformed)?;
                Ok(wire::encode_vote_response(&raft.pre_vote(request).await.map_err(stopped)?))
            }
            Kind::TransferLeader => {
                let request = wire::decode_transfer(body).map_err(malformed)?;
                let response = raft.handle_transfer_leader(request).await.map_err(stopped)?;
                Ok(wire::encode_transfer_response(&response))
            }
            Kind::SnapshotOffer => {
                let (_, header) = wire::decode_snapshot_header(body).map_err(malformed)?;
                let node = self.node.clone();
                let offsets = run_blocking(move || node.store().snapshots().offsets(&header)).await?;
                Ok(wire::encode_offsets(&offsets))
            }
            Kind::Unspecified => Err(Status::invalid_argument("unknown kind of call")),
        }
    }

    async fn take_snapshot(&self, mut pieces: Streaming<SnapshotChunk>) -> Result<Vec<u8>, Status> {
        let first = pieces.next().await.ok_or_else(|| Status::invalid_argument("empty snapshot stream"))??;
        let (vote, header) = wire::decode_snapshot_header(&first.header).map_err(malformed)?;
        while let Some(piece) = pieces.next().await {
            let (piece, node, header) = (piece?, self.node.clone(), header.clone());
            run_blocking(move || node.store().snapshots().receive(&header, &piece)).await?;
        }
        let folder = self.finish(header).await?;
        let snapshot = openraft::Snapshot { meta: folder.header.meta.clone(), snapshot: folder };
        let response = self.node.raft().install_full_snapshot(vote, snapshot).await.map_err(stopped)?;
        Ok(wire::encode_snapshot_response(&response))
    }

    async fn finish(&self, header: SnapshotHeader) -> Result<crate::store::snapshot::SnapshotFolder, Status> {
        let node = self.node.clone();
        run_blocking(move || node.store().snapshots().finish(header)).await
    }
}

async fn run_blocking<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Status> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Status::internal(e.to_string()))?
        .map_err(|e| Status::data_loss(e.to_string()))
}

fn malformed(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("malformed message: {error}"))
}

fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(format!("raft: {error}"))
}

type Answers = Pin<Box<dyn Stream<Item = Result<RaftMessage, Status>> + Send>>;

#[tonic::async_trait]
impl Peer for PeerService {
    type AppendStream = Answers;

    async fn append(&self, request: Request<Streaming<RaftMessage>>) -> Result<Response<Answers>, Status> {
        self.admit_stream(&request)?;
        // A malformed message ends the stream: what follows it could not be trusted to be in order.
        let requests = request
            .into_inner()
            .map(decode_request)
            .take_while(|r| futures::future::ready(r.is_some()))
            .filter_map(futures::future::ready)
            .boxed();
        let answers = self.node.raft().stream_append(requests);
        let encoded = answers.map(|answer| match answer {
            Ok(result) => Ok(RaftMessage { body: wire::encode_stream_result(&result).into() }),
            Err(fatal) => Err(stopped(fatal)),
        });
        Ok(Response::new(Box::pin(encoded)))
    }

    async fn call(&self, request: Request<RaftCall>) -> Result<Response<RaftMessage>, Status> {
        self.admit(&request, &request.get_ref().ledger, request.get_ref().target)?;
        let call = request.into_inner();
        let body = self.raft_call(call.kind(), &call.body).await?;
        Ok(Response::new(RaftMessage { body: body.into() }))
    }

    async fn snapshot(&self, request: Request<Streaming<SnapshotChunk>>) -> Result<Response<RaftMessage>, Status> {
        self.admit_stream(&request)?;
        let body = self.take_snapshot(request.into_inner()).await?;
        Ok(Response::new(RaftMessage { body: body.into() }))
    }

    async fn cosign(&self, request: Request<CosignRequest>) -> Result<Response<CosignResponse>, Status> {
        self.admit(&request, &request.get_ref().ledger, self.node.id().0)?;
        let call = request.into_inner();
        let root: [u8; 32] =
            call.root.as_ref().try_into().map_err(|_| Status::invalid_argument("a root has 32 bytes"))?;
        let answer = self.node.cosigner().answer(TreeSize(call.size), Hash(root)).await;
        Ok(Response::new(answer))
    }
}

fn decode_request(message: Result<RaftMessage, Status>) -> Option<openraft::raft::AppendEntriesRequest<TypeConfig>> {
    match message.map_err(|s| s.to_string()).and_then(|m| wire::decode_append(&m.body).map_err(|e| e.to_string())) {
        Ok(request) => Some(request),
        Err(error) => {
            tracing::warn!(%error, "append stream ended");
            None
        }
    }
}
