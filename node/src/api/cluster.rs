//! The service `Cluster`: what this node knows of the cluster, and changes of its membership.

use std::sync::Arc;

use assent_kernel::limits::{KERNEL_VERSION, KERNEL_VERSIONS};
use assent_ledger::hash::Hash;
use assent_ledger::ids::NodeId;
use assent_proto::v1::cluster_server::Cluster;
use assent_proto::v1::{
    AddLearnerRequest, BootstrapRequest, ChangeMembersRequest, ClusterInfoRequest, ClusterInfoResponse,
    CommandResponse, MemberInfo, MembershipResponse, TransferLeaderRequest,
};
use openraft::RaftMetrics;
use openraft::async_runtime::watch::WatchReceiver;
use tonic::{Request, Response, Status};

use super::Api;
use crate::outcome::ApiError;
use crate::raft::types::TypeConfig;
use crate::store::Progress;

/// How often the digest of the state is taken again when entries were applied meanwhile.
const DIGEST_ATTEMPTS: usize = 8;

/// Serves `Cluster`.
pub struct ClusterService {
    api: Arc<Api>,
}

impl ClusterService {
    /// Over what all services share.
    pub fn new(api: Arc<Api>) -> Self {
        ClusterService { api }
    }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn info(&self, _request: Request<ClusterInfoRequest>) -> Result<Response<ClusterInfoResponse>, Status> {
        self.api.info().await.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn bootstrap(&self, request: Request<BootstrapRequest>) -> Result<Response<CommandResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.api.bootstrap(&metadata, request).await.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn add_learner(&self, request: Request<AddLearnerRequest>) -> Result<Response<MembershipResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.api.add_learner(&metadata, request).await.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn change_members(
        &self,
        request: Request<ChangeMembersRequest>,
    ) -> Result<Response<MembershipResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.api.change_members(&metadata, request).await.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<MembershipResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.api.transfer_leader(&metadata, request).await.map(Response::new).map_err(|e| self.api.failed(e))
    }
}

impl Api {
    /// What this node knows. Answered also by a node that is fenced off or stopping: that is when it is asked for.
    async fn info(&self) -> Result<ClusterInfoResponse, ApiError> {
        let (progress, state_digest) = self.progress_and_digest().await?;
        let metrics = self.node.raft().metrics();
        let metrics = metrics.borrow_watched().clone();
        let fence_reason = self.node.fence().reason();
        let ledger = self.node.store().view().ledger();
        Ok(ClusterInfoResponse {
            origin: self.node.origin().to_string(),
            leader_id: metrics.current_leader.map(|id| NodeId(id).to_string()).unwrap_or_default(),
            node_id: self.node.id().to_string(),
            members: members(&metrics),
            term: metrics.current_term,
            applied_index: metrics.last_applied.as_ref().map_or(0, |id| id.index),
            committed_index: metrics.local_committed.as_ref().map_or(0, |id| id.index),
            size: progress.size.0,
            root: progress.root.0.to_vec().into(),
            state_digest: state_digest.0.to_vec().into(),
            last_sealed_size: progress.sealed.0,
            last_cosigned_size: progress.cosigned.0,
            last_anchored_size: progress.anchored.0,
            fenced: fence_reason.is_some(),
            fence_reason: fence_reason.unwrap_or_default(),
            kernel_version: ledger.map_or(KERNEL_VERSION, |ledger| ledger.kernel_version),
            server_state: format!("{:?}", metrics.state).to_lowercase(),
            last_log_index: metrics.last_log_index.unwrap_or(0),
            kernel_versions: KERNEL_VERSIONS.to_vec(),
        })
    }

    /// The tree and the digest of the state at the same size; under load, the digest of a moment later after a few attempts.
    async fn progress_and_digest(&self) -> Result<(Progress, Hash), ApiError> {
        let store = self.node.store().clone();
        let read = move || {
            let mut last = None;
            for _ in 0..DIGEST_ATTEMPTS {
                let before = store.progress().borrow().clone();
                let digest = store.state_digest();
                let settled = before == *store.progress().borrow();
                last = Some((before, digest));
                if settled {
                    break;
                }
            }
            last
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|e| ApiError::internal(e.to_string()))?;
        read.ok_or_else(|| ApiError::internal("no digest was taken"))
    }
}

/// The members in the order of their ids.
fn members(metrics: &RaftMetrics<TypeConfig>) -> Vec<MemberInfo> {
    let membership = &metrics.membership_config;
    let voters: Vec<u64> = membership.voter_ids().collect();
    let matched = |id: &u64| {
        let replicated = metrics.replication.as_ref().and_then(|r| r.get(id))?;
        replicated.as_ref().map(|log_id| log_id.index)
    };
    let info = |(id, member): (&u64, &crate::raft::types::Member)| MemberInfo {
        node_id: NodeId(*id).to_string(),
        name: member.name.clone(),
        client_address: member.client_address.clone(),
        peer_address: member.peer_address.clone(),
        voter: voters.contains(id),
        matched_index: matched(id).unwrap_or(0),
    };
    membership.nodes().map(info).collect()
}
