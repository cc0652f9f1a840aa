//! The network of a cluster in one process: messages are encoded, carried by a function call, decoded, and lost where a
//! link is cut.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};

use assent_node::raft::RaftHandle;
use assent_node::raft::types::{Member, TypeConfig, Vote};
use assent_node::raft::wire;
use assent_node::store::Store;
use assent_node::store::snapshot::SnapshotFolder;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::type_config::alias::SnapshotOf;
use openraft::{RaftNetworkFactory, RaftNetworkV2};

use super::transfer;

type Rpc<T> = Result<T, RPCError<TypeConfig>>;

/// Where a node is reached.
#[derive(Clone)]
pub struct Socket {
    /// Its Raft.
    pub raft: RaftHandle,
    /// Its store, for snapshots.
    pub store: Arc<Store>,
}

#[derive(Default)]
struct Board {
    sockets: BTreeMap<u64, Socket>,
    cut: BTreeSet<(u64, u64)>,
}

/// All the cluster's links.
#[derive(Clone, Default)]
pub struct Switchboard(Arc<Mutex<Board>>);

impl Switchboard {
    /// Plugs a node in.
    pub fn plug(&self, node: u64, socket: Socket) {
        self.0.lock().unwrap().sockets.insert(node, socket);
    }

    /// Unplugs every node.
    pub fn unplug_all(&self) {
        let sockets = std::mem::take(&mut self.0.lock().unwrap().sockets);
        drop(sockets);
    }

    /// Cuts or mends both directions between two nodes.
    pub fn set_link(&self, a: u64, b: u64, up: bool) {
        let cut = &mut self.0.lock().unwrap().cut;
        for link in [(a, b), (b, a)] {
            if up {
                cut.remove(&link)
            } else {
                cut.insert(link)
            };
        }
    }

    fn reach(&self, from: u64, to: u64) -> Rpc<Socket> {
        let board = self.0.lock().unwrap();
        let socket = board.sockets.get(&to).filter(|_| !board.cut.contains(&(from, to)));
        socket.cloned().ok_or_else(|| unreachable(format!("no link from {from} to {to}")))
    }

    /// One node's way out.
    pub fn outgoing(&self, node: u64) -> Outgoing {
        Outgoing { board: self.clone(), node }
    }
}

fn unreachable(what: impl ToString) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::from_string(what))
}

/// Makes a node's links.
pub struct Outgoing {
    board: Switchboard,
    node: u64,
}

impl RaftNetworkFactory<TypeConfig> for Outgoing {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _node: &Member) -> Link {
        Link { board: self.board.clone(), from: self.node, to: target }
    }
}

/// One direction between two nodes.
pub struct Link {
    board: Switchboard,
    from: u64,
    to: u64,
}

impl Link {
    /// Both ways must be up for an answer to come back.
    async fn call<T, E: ToString>(&self, option: &RPCOption, ask: impl AsyncFnOnce(Socket) -> Result<T, E>) -> Rpc<T> {
        let socket = self.board.reach(self.from, self.to)?;
        let answer = tokio::time::timeout(option.soft_ttl(), ask(socket)).await;
        self.board.reach(self.to, self.from)?;
        match answer {
            Ok(answer) => answer.map_err(|error| unreachable(error.to_string())),
            Err(_) => Err(unreachable("no answer in time")),
        }
    }

    async fn send_snapshot(&self, vote: Vote, folder: &SnapshotFolder) -> Rpc<SnapshotResponse<TypeConfig>> {
        let failed = |error: String| RPCError::Network(NetworkError::from_string(error));
        let socket = self.board.reach(self.from, self.to)?;
        let folder = transfer::transfer(&socket.store, folder).await.map_err(|e| failed(e.to_string()))?;
        let snapshot = openraft::Snapshot { meta: folder.header.meta.clone(), snapshot: folder };
        socket.raft.install_full_snapshot(vote, snapshot).await.map_err(|e| failed(e.to_string()))
    }
}

impl RaftNetworkV2<TypeConfig> for Link {
    type SnapshotData = SnapshotFolder;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<TypeConfig>> {
        let rpc = wire::decode_append(&wire::encode_append(&rpc)).map_err(unreachable)?;
        let answer = self.call(&option, async |socket| socket.raft.append_entries(rpc).await).await?;
        wire::decode_append_response(&wire::encode_append_response(&answer)).map_err(unreachable)
    }

    async fn vote(&mut self, rpc: VoteRequest<TypeConfig>, option: RPCOption) -> Rpc<VoteResponse<TypeConfig>> {
        let rpc = wire::decode_vote_request(&wire::encode_vote_request(&rpc)).map_err(unreachable)?;
        let answer = self.call(&option, async |socket| socket.raft.vote(rpc).await).await?;
        wire::decode_vote_response(&wire::encode_vote_response(&answer)).map_err(unreachable)
    }

    async fn pre_vote(&mut self, rpc: VoteRequest<TypeConfig>, option: RPCOption) -> Rpc<VoteResponse<TypeConfig>> {
        let rpc = wire::decode_vote_request(&wire::encode_vote_request(&rpc)).map_err(unreachable)?;
        let answer = self.call(&option, async |socket| socket.raft.pre_vote(rpc).await).await?;
        wire::decode_vote_response(&wire::encode_vote_response(&answer)).map_err(unreachable)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, SnapshotFolder>,
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
        self.call(&option, async |socket| socket.raft.handle_transfer_leader(request).await).await
    }
}
