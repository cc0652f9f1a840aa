//! Administrative commands and cluster membership.

use core::future::Future;

use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::call::{authorized, call};
use crate::client::{Client, fill_id};
use crate::deadline::Deadline;
use crate::error::{ClientError, Failure, History, Kind};
use crate::v1;
use crate::v1::admin_client::AdminClient;
use crate::v1::cluster_client::ClusterClient;

macro_rules! commands {
    ($($(#[$doc:meta])* $method:ident($request:ident) -> $response:ident via $service:ident;)*) => {
        impl Client {
            $(
                $(#[$doc])*
                ///
                /// An empty `request_id` is filled in; retries carry the same one.
                pub async fn $method(
                    &self,
                    mut request: v1::$request,
                    deadline: Deadline,
                ) -> Result<v1::$response, ClientError> {
                    fill_id(&mut request.request_id)?;
                    let id = request.request_id.clone();
                    self.command(id, request, deadline, |channel, message| async move {
                        $service::new(channel).$method(message).await
                    })
                    .await
                }
            )*
        }
    };
}

commands! {
    /// Creates a tenant.
    create_tenant(CreateTenantRequest) -> CommandResponse via AdminClient;
    /// Registers an agent or a person as a principal of a tenant.
    register_principal(RegisterPrincipalRequest) -> CommandResponse via AdminClient;
    /// Disables a principal.
    disable_principal(DisablePrincipalRequest) -> CommandResponse via AdminClient;
    /// Registers a credential by the hash of its token.
    register_credential(RegisterCredentialRequest) -> CommandResponse via AdminClient;
    /// Revokes a credential.
    revoke_credential(RevokeCredentialRequest) -> CommandResponse via AdminClient;
    /// Offers a policy bundle; the answer names its hash.
    offer_bundle(OfferBundleRequest) -> OfferBundleResponse via AdminClient;
    /// Makes a bundle the active one of an environment.
    activate_bundle(ActivateBundleRequest) -> CommandResponse via AdminClient;
    /// Opens a run.
    open_run(OpenRunRequest) -> CommandResponse via AdminClient;
    /// Closes a run.
    close_run(CloseRunRequest) -> CommandResponse via AdminClient;
    /// Records an endorsement by the root key.
    endorse_key(EndorseKeyRequest) -> CommandResponse via AdminClient;
    /// Records a retirement by the root key.
    retire_key(RetireKeyRequest) -> CommandResponse via AdminClient;
    /// Seals what is there now.
    seal_now(SealNowRequest) -> CommandResponse via AdminClient;
    /// Creates the ledger: initialises Raft and commits the genesis.
    bootstrap(BootstrapRequest) -> CommandResponse via ClusterClient;
}

impl Client {
    /// What the node that the client is connected to says about itself and the cluster; it does not wait for a leader.
    pub async fn cluster_info(&self, deadline: Deadline) -> Result<v1::ClusterInfoResponse, ClientError> {
        let request = v1::ClusterInfoRequest {};
        call(&self.endpoints, Kind::Read, deadline, request, |channel, message| async move {
            ClusterClient::new(channel).info(message).await
        })
        .await
    }

    /// The same from one particular node, `host:port`; asked once.
    pub async fn cluster_info_of(
        &self,
        endpoint: &str,
        deadline: Deadline,
    ) -> Result<v1::ClusterInfoResponse, ClientError> {
        let unavailable = |failure: Failure| {
            let mut history = History::default();
            history.note(&failure);
            history.give_up(&Kind::Read, failure)
        };
        let connection = self.endpoints.connect_to(endpoint, deadline).await.map_err(unavailable)?;
        let time = deadline.attempt(self.endpoints.policy().attempt_max);
        let request = authorized(v1::ClusterInfoRequest {}, self.endpoints.token(), time);
        match tokio::time::timeout(time, ClusterClient::new(connection.channel).info(request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(unavailable(Failure::from_status(&status))),
            Err(_) => Err(unavailable(Failure::timeout())),
        }
    }

    /// Adds a node as a learner. Not repeated once it may have happened: look at `cluster_info` then.
    pub async fn add_learner(
        &self,
        member: v1::MemberInfo,
        deadline: Deadline,
    ) -> Result<v1::MembershipResponse, ClientError> {
        let request = v1::AddLearnerRequest { member: Some(member) };
        call(&self.endpoints, Kind::Once, deadline, request, |channel, message| async move {
            ClusterClient::new(channel).add_learner(message).await
        })
        .await
    }

    /// Sets the voters, all of them, by node id. Not repeated once it may have happened.
    pub async fn change_members(
        &self,
        voters: Vec<String>,
        deadline: Deadline,
    ) -> Result<v1::MembershipResponse, ClientError> {
        let request = v1::ChangeMembersRequest { voters };
        call(&self.endpoints, Kind::Once, deadline, request, |channel, message| async move {
            ClusterClient::new(channel).change_members(message).await
        })
        .await
    }

    /// Hands leadership to a node, or to the follower that is furthest when `node_id` is empty. Not repeated once it
    /// may have happened.
    pub async fn transfer_leader(
        &self,
        node_id: String,
        deadline: Deadline,
    ) -> Result<v1::MembershipResponse, ClientError> {
        let request = v1::TransferLeaderRequest { node_id };
        call(&self.endpoints, Kind::Once, deadline, request, |channel, message| async move {
            ClusterClient::new(channel).transfer_leader(message).await
        })
        .await
    }

    async fn command<Q, A, F, Fut>(&self, id: String, request: Q, deadline: Deadline, send: F) -> Result<A, ClientError>
    where
        Q: Clone,
        F: Fn(Channel, Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<A>, Status>>,
    {
        call(&self.endpoints, Kind::Write(id), deadline, request, send).await
    }
}
