//! The outgoing half of the nodes' network: one connection each for replication, heartbeats and snapshots, so that a large
//! transfer never delays a heartbeat.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assent_kernel::codec::CodecError;
use assent_proto::v1::peer_client::PeerClient;
use assent_proto::v1::{RaftCall, RaftMessage, SnapshotChunk, raft_call::Kind};
use futures::{Stream, StreamExt};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetworkFactory, RaftNetworkV2};
use tonic::transport::{Channel, Endpoint};

use super::types::{Member, TypeConfig, Vote};
use super::wire;
use crate::store::snapshot::SnapshotFolder;
use crate::tls::TlsMaterial;

/// Metadata key that names the ledger on a stream.
pub const LEDGER_KEY: &str = "assent-ledger";
/// Metadata key that names the node that a stream is meant for.
pub const TARGET_KEY: &str = "assent-target";
/// Largest message between nodes, in bytes: one Raft entry and its frame, with room.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
const SNAPSHOT_CHUNK_BYTES: usize = 1 << 20;
/// A stream that owes an answer for longer than this is given up.
const STREAM_STALLED: Duration = Duration::from_secs(3);

type Rpc<T> = Result<T, RPCError<TypeConfig>>;

/// Makes connections to the other nodes.
#[derive(Clone)]
pub struct PeerNetwork {
    tls: TlsMaterial,
    ledger: Arc<str>,
}

impl PeerNetwork {
    /// For the nodes of one ledger.
    pub fn new(tls: TlsMaterial, ledger: &str) -> Self {
        PeerNetwork { tls, ledger: ledger.into() }
    }

    /// A connection that is made when it is first used.
    pub fn connect(&self, target: u64, member: &Member) -> PeerConnection {
        let client = self.channel(&member.peer_address).map(|channel| {
            PeerClient::new(channel)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX)
        });
        PeerConnection { target, ledger: self.ledger.clone(), client }
    }

    fn channel(&self, address: &str) -> Result<Channel, String> {
        let endpoint = Endpoint::from_shared(format!("https://{address}")).map_err(|e| e.to_string())?;
        let endpoint = endpoint
            .tls_config(self.tls.client())
            .map_err(|e| e.to_string())?
            .connect_timeout(Duration::from_millis(500))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(2))
            .keep_alive_timeout(Duration::from_secs(2))
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(16 << 20);
        Ok(endpoint.connect_lazy())
    }
}

impl RaftNetworkFactory<TypeConfig> for PeerNetwork {
    type Network = PeerConnection;

    async fn new_client(&mut self, target: u64, node: &Member) -> PeerConnection {
        self.connect(target, node)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &Member) -> PeerConnection {
        self.connect(target, node)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &Member) -> PeerConnection {
        self.connect(target, node)
    }
}

/// A connection to one node.
pub struct PeerConnection {
    target: u64,
    ledger: Arc<str>,
    client: Result<PeerClient<Channel>, String>,
}

fn unreachable(what: impl ToString) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::from_string(what))
}

fn malformed(error: CodecError) -> RPCError<TypeConfig> {
    RPCError::Network(NetworkError::from_string(format!("malformed answer: {error}")))
}

impl PeerConnection {
    /// The gRPC client, for what is not Raft's.
    pub fn client(&self) -> Rpc<PeerClient<Channel>> {
        self.client.clone().map_err(unreachable)
    }

    async fn call(&self, kind: Kind, body: Vec<u8>, limit: Duration) -> Rpc<Vec<u8>> {
        let mut client = self.client()?;
        let call =
            RaftCall { kind: kind.into(), ledger: self.ledger.to_string(), target: self.target, body: body.into() };
        match tokio::time::timeout(limit, client.call(call)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner().body.to_vec()),
            Ok(Err(status)) => Err(unreachable(status.message())),
            Err(_) => Err(unreachable(format!("node {:016x} did not answer within {limit:?}", self.target))),
        }
    }

    fn addressed<T>(&self, body: T) -> Rpc<tonic::Request<T>> {
        let mut request = tonic::Request::new(body);
        let ledger = self.ledger.parse().map_err(|_| unreachable("the ledger's origin is no metadata value"))?;
        request.metadata_mut().insert(LEDGER_KEY, ledger);
        request.metadata_mut().insert(TARGET_KEY, self.target.into());
        Ok(request)
    }

    async fn send_snapshot(&self, vote: Vote, folder: &SnapshotFolder) -> Rpc<SnapshotResponse<TypeConfig>> {
        let header = wire::encode_snapshot_header(&vote, &folder.header);
        let offer = self.call(Kind::SnapshotOffer, header.clone(), Duration::from_secs(10)).await?;
        let offsets = wire::decode_offsets(&offer).map_err(malformed)?;
        if offsets.len() != folder.header.files.len() {
            return Err(RPCError::Network(NetworkError::from_string("the receiver counts other files")));
        }
        let chunks = folder.clone().chunks(header, offsets, SNAPSHOT_CHUNK_BYTES);
        let answer = self
            .client()?
            .snapshot(self.addressed(tokio_stream::wrappers::ReceiverStream::new(chunks))?)
            .await
            .map_err(|status| RPCError::Network(NetworkError::from_string(status.message())))?;
        wire::decode_snapshot_response(&answer.into_inner().body).map_err(malformed)
    }
}

impl RaftNetworkV2<TypeConfig> for PeerConnection {
    type SnapshotData = SnapshotFolder;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<TypeConfig>> {
        let body = self.call(Kind::Append, wire::encode_append(&rpc), option.soft_ttl()).await?;
        wire::decode_append_response(&body).map_err(malformed)
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> openraft::base::BoxFuture<
        's,
        Rpc<openraft::base::BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        Box::pin(async move {
            let sent = Arc::new(AtomicU64::new(0));
            let counter = sent.clone();
            let requests = input.map(move |request| {
                counter.fetch_add(1, Ordering::AcqRel);
                RaftMessage { body: wire::encode_append(&request).into() }
            });
            let mut client = self.client()?;
            let request = self.addressed(requests)?;
            let answers = match tokio::time::timeout(option.soft_ttl(), client.append(request)).await {
                Ok(Ok(response)) => response.into_inner(),
                Ok(Err(status)) => return Err(unreachable(status.message())),
                Err(_) => return Err(unreachable("the append stream was not accepted in time")),
            };
            let stream = futures::stream::unfold(Some((answers, 0u64)), move |state| {
                let sent = sent.clone();
                async move {
                    let (mut answers, answered) = state?;
                    let item = next_answer(&mut answers, &sent, answered).await?;
                    let go_on = matches!(item, Ok(Ok(_)));
                    Some((item, go_on.then_some((answers, answered + 1))))
                }
            });
            Ok(Box::pin(stream) as openraft::base::BoxStream<'s, _>)
        })
    }

    async fn vote(&mut self, rpc: VoteRequest<TypeConfig>, option: RPCOption) -> Rpc<VoteResponse<TypeConfig>> {
        let body = self.call(Kind::Vote, wire::encode_vote_request(&rpc), option.soft_ttl()).await?;
        wire::decode_vote_response(&body).map_err(malformed)
    }

    // Implemented because the default grants: a node that cannot reach anybody would then believe in its own majority.
    async fn pre_vote(&mut self, rpc: VoteRequest<TypeConfig>, option: RPCOption) -> Rpc<VoteResponse<TypeConfig>> {
        let body = self.call(Kind::PreVote, wire::encode_vote_request(&rpc), option.soft_ttl()).await?;
        wire::decode_vote_response(&body).map_err(malformed)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::type_config::alias::SnapshotOf<TypeConfig, SnapshotFolder>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = self.send_snapshot(vote, &snapshot.snapshot) => Ok(sent?),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<TransferLeaderResponse<TypeConfig>> {
        let body = self.call(Kind::TransferLeader, wire::encode_transfer(&request), option.soft_ttl()).await?;
        wire::decode_transfer_response(&body).map_err(malformed)
    }
}

type Answer = Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>;

/// The next answer of an append stream; `None` when the other side ended it.
///
/// A quiet stream is healthy while nothing is owed; one that owes an answer for too long is given up, so that openraft reconnects.
async fn next_answer(answers: &mut tonic::Streaming<RaftMessage>, sent: &AtomicU64, answered: u64) -> Option<Answer> {
    loop {
        return match tokio::time::timeout(STREAM_STALLED, answers.next()).await {
            Ok(Some(Ok(message))) => Some(wire::decode_stream_result(&message.body).map_err(malformed)),
            Ok(Some(Err(status))) => Some(Err(unreachable(status.message()))),
            Ok(None) => None,
            Err(_) if sent.load(Ordering::Acquire) <= answered => continue,
            Err(_) => Some(Err(unreachable("the append stream stalled"))),
        };
    }
}

/// One piece of a snapshot on its way.
pub fn chunk(file: u32, offset: u64, data: Vec<u8>) -> SnapshotChunk {
    SnapshotChunk { header: Default::default(), file, offset, data: data.into() }
}
