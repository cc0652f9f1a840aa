//! Changes of membership: operators only, decided by the leader's Raft.

use std::collections::BTreeSet;
use std::future::Future;

use assent_ledger::ids::NodeId;
use assent_proto::v1::cluster_client::ClusterClient;
use assent_proto::v1::{AddLearnerRequest, ChangeMembersRequest, MembershipResponse, TransferLeaderRequest};
use openraft::RaftMetrics;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::raft::ClientWriteResponse;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::errors::{self, CallError};
use super::place::Place;
use super::{Api, auth, convert, forward, must_be_operator};
use crate::outcome::ApiError;
use crate::raft::types::TypeConfig;

/// A node may become a voter when it lacks at most this many Raft entries: a voter without data would hold up every commit.
const VOTER_LAG_MAX: u64 = 1000;

type Written = Result<ClientWriteResponse<TypeConfig>, RaftError<TypeConfig, ClientWriteError<TypeConfig>>>;

/// Who carries a change out.
enum Change<Q> {
    /// This node, for an operator.
    Here(Q),
    /// The leader has.
    Done(MembershipResponse),
}

impl Api {
    /// Adds a node that only receives, until it has caught up and is made a voter.
    pub(super) async fn add_learner(
        &self,
        metadata: &MetadataMap,
        request: AddLearnerRequest,
    ) -> Result<MembershipResponse, CallError> {
        let call = |mut client: ClusterClient<Channel>, asked| async move { client.add_learner(asked).await };
        match self.change(metadata, request, call).await? {
            Change::Done(response) => Ok(response),
            Change::Here(request) => {
                let (id, member) = convert::cluster::member("member", &request.member.unwrap_or_default())?;
                // Not waited for: a snapshot may take longer than any call. `Info` shows how far the learner is.
                Ok(self.written(self.node.raft().add_learner(id.0, member, false)).await?)
            }
        }
    }

    /// Makes exactly these nodes the voters; voters that are left out leave the cluster.
    pub(super) async fn change_members(
        &self,
        metadata: &MetadataMap,
        request: ChangeMembersRequest,
    ) -> Result<MembershipResponse, CallError> {
        let call = |mut client: ClusterClient<Channel>, asked| async move { client.change_members(asked).await };
        match self.change(metadata, request, call).await? {
            Change::Done(response) => Ok(response),
            Change::Here(request) => {
                let voters = convert::cluster::voters(&request.voters)?;
                check_voters(&self.node.raft().metrics().borrow_watched(), &voters)?;
                Ok(self.written(self.node.raft().change_membership(voters, false)).await?)
            }
        }
    }

    /// Hands leadership to a voter and waits until it leads.
    pub(super) async fn transfer_leader(
        &self,
        metadata: &MetadataMap,
        request: TransferLeaderRequest,
    ) -> Result<MembershipResponse, CallError> {
        let call = |mut client: ClusterClient<Channel>, asked| async move { client.transfer_leader(asked).await };
        match self.change(metadata, request, call).await? {
            Change::Done(response) => Ok(response),
            Change::Here(request) => {
                let asked = match request.node_id.as_str() {
                    "" => None,
                    text => Some(convert::cluster::node_id("node_id", text)?),
                };
                Ok(self.transfer_to(asked).await?)
            }
        }
    }

    /// Passes a change on to the leader, or admits it here if the caller is an operator.
    async fn change<Q, F>(
        &self,
        metadata: &MetadataMap,
        request: Q,
        call: impl FnOnce(ClusterClient<Channel>, Request<Q>) -> F,
    ) -> Result<Change<Q>, CallError>
    where
        F: Future<Output = Result<Response<MembershipResponse>, Status>>,
    {
        match self.place().await? {
            Place::Here => {
                must_be_operator(&self.caller(metadata).await?)?;
                Ok(Change::Here(request))
            }
            Place::Leader(address) => {
                auth::token_hash_of(metadata)?;
                let client = self.forwarder.cluster(&address)?;
                let answer = self.forwarder.answer(call(client, forward::onward(request, metadata)?)).await?;
                Ok(Change::Done(answer.into_inner()))
            }
        }
    }

    async fn written(&self, change: impl Future<Output = Written>) -> Result<MembershipResponse, ApiError> {
        match tokio::time::timeout(self.request_timeout(), change).await {
            Ok(Ok(response)) => Ok(MembershipResponse { log_index: response.log_id.index }),
            Ok(Err(error)) => Err(refused(error)),
            Err(_) => Err(errors::with_message(
                ApiError::unknown(""),
                "the change was not committed in time; look at the members before trying again",
            )),
        }
    }

    async fn transfer_to(&self, asked: Option<NodeId>) -> Result<MembershipResponse, ApiError> {
        let raft = self.node.raft();
        let mut watched = raft.metrics();
        let (to, log_index) = {
            let metrics = watched.borrow_watched();
            (successor(&metrics, asked)?, metrics.last_log_index.unwrap_or(0))
        };
        raft.trigger()
            .transfer_leader(to)
            .await
            .map_err(|fatal| errors::with_message(ApiError::stopping(), format!("raft: {fatal}")))?;
        let handed = watched.wait_until(|metrics| metrics.current_leader == Some(to));
        match tokio::time::timeout(self.request_timeout(), handed).await {
            Ok(Ok(_)) => Ok(MembershipResponse { log_index }),
            _ => Err(errors::with_message(
                ApiError::no_leader(),
                format!("node {} has not taken over; look who leads before trying again", NodeId(to)),
            )),
        }
    }
}

/// Voters must be known already and hold nearly everything.
fn check_voters(metrics: &RaftMetrics<TypeConfig>, voters: &BTreeSet<u64>) -> Result<(), ApiError> {
    let present: BTreeSet<u64> = metrics.membership_config.voter_ids().collect();
    let last = metrics.last_log_index.unwrap_or(0);
    for id in voters.difference(&present) {
        let name = NodeId(*id);
        if metrics.membership_config.get_node(id).is_none() {
            return Err(ApiError::conflict(format!("node {name} is not in the cluster; add it as a learner first")));
        }
        let matched = metrics.replication.as_ref().and_then(|r| r.get(id)?.as_ref()).map_or(0, |log_id| log_id.index);
        if last.saturating_sub(matched) > VOTER_LAG_MAX {
            return Err(ApiError::conflict(format!(
                "node {name} holds {matched} of {last} Raft entries; wait until it has caught up"
            )));
        }
    }
    Ok(())
}

/// Who is to lead next: the asked voter, or else the one that is furthest.
fn successor(metrics: &RaftMetrics<TypeConfig>, asked: Option<NodeId>) -> Result<u64, ApiError> {
    let voters: BTreeSet<u64> = metrics.membership_config.voter_ids().collect();
    match asked {
        Some(node) if node.0 == metrics.id => Err(ApiError::conflict(format!("node {node} leads already"))),
        Some(node) if voters.contains(&node.0) => Ok(node.0),
        Some(node) => Err(ApiError::conflict(format!("node {node} is no voter; only voters lead"))),
        None => {
            let replication = metrics.replication.iter().flatten();
            let others = replication.filter(|(id, _)| **id != metrics.id && voters.contains(id));
            let furthest = others.max_by_key(|(_, matched)| matched.as_ref().map(|log_id| log_id.index));
            furthest.map(|(id, _)| *id).ok_or_else(|| ApiError::conflict("there is no other voter to hand over to"))
        }
    }
}

fn refused(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> ApiError {
    match error {
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => ApiError::conflict(error.to_string()),
        RaftError::APIError(ClientWriteError::PreconditionFailed(error)) => ApiError::conflict(error.to_string()),
        RaftError::APIError(error) => ApiError::unknown(format!("the leader changed: {error}")),
        RaftError::Fatal(fatal) => ApiError::unknown(format!("raft: {fatal}")),
    }
}
