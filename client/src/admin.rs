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
use crate::v1::approvals_client::ApprovalsClient;
use crate::v1::capabilities_client::CapabilitiesClient;
use crate::v1::cluster_client::ClusterClient;
use crate::v1::control_client::ControlClient;
use crate::v1::execution_client::ExecutionClient;
use crate::v1::memory_client::MemoryClient;
use crate::v1::messages_client::MessagesClient;
use crate::v1::runs_client::RunsClient;
use crate::v1::signals_client::SignalsClient;

/// A method under its name in the service, which may differ from the client's.
macro_rules! called {
    ($service:ident, $channel:ident, $message:ident, $method:ident) => {
        $service::new($channel).$method($message)
    };
    ($service:ident, $channel:ident, $message:ident, $method:ident, $call:ident) => {
        $service::new($channel).$call($message)
    };
}

macro_rules! commands {
    ($($(#[$doc:meta])* $method:ident($request:ident) -> $response:ident via $service:ident $(as $call:ident)?;)*) => {
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
                        called!($service, channel, message, $method $(, $call)?).await
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
    /// Makes a run do less, or lets a restricted one go on.
    set_run_mode(SetRunModeRequest) -> CommandResponse via RunsClient as set_mode;
    /// Lets a quarantined run go on.
    release_quarantine(ReleaseQuarantineRequest) -> CommandResponse via RunsClient as release;
    /// Attaches taint to an open run.
    attach_taint(AttachTaintRequest) -> CommandResponse via RunsClient;
    /// Records what an open run did besides calls.
    record_step(RecordStepRequest) -> CommandResponse via RunsClient;
    /// Reports signals about a run, a subject or the whole tenant.
    report_signal(ReportSignalRequest) -> CommandResponse via SignalsClient as report;
    /// Records an endorsement by the root key.
    endorse_key(EndorseKeyRequest) -> CommandResponse via AdminClient;
    /// Records a retirement by the root key.
    retire_key(RetireKeyRequest) -> CommandResponse via AdminClient;
    /// Seals what is there now.
    seal_now(SealNowRequest) -> CommandResponse via AdminClient;
    /// Asks to run what was allowed. Act only when the ruling's verdict is allow.
    redeem(RedeemRequest) -> RulingResponse via ExecutionClient;
    /// Reports what came of an execution.
    complete(CompleteRequest) -> RulingResponse via ExecutionClient;
    /// Asks for a lease within a capability of the bundle that needs one.
    request_capability(RequestCapabilityRequest) -> RulingResponse via CapabilitiesClient as request;
    /// Passes a lease, or a standing capability, on to another subject, narrowed.
    delegate(DelegateRequest) -> RulingResponse via CapabilitiesClient;
    /// Takes a lease back, and with it everything that was passed on from it.
    revoke_capability(RevokeCapabilityRequest) -> RulingResponse via CapabilitiesClient as revoke;
    /// A person's answer to a call that waits for it.
    resolve_approval(ResolveApprovalRequest) -> RulingResponse via ApprovalsClient as resolve;
    /// Keeps a value in memory.
    memory_write(MemoryWriteRequest) -> RulingResponse via MemoryClient as write;
    /// Reads a value, or asks to query an external store.
    memory_read(MemoryReadRequest) -> RulingResponse via MemoryClient as read;
    /// Drops a value.
    memory_forget(MemoryForgetRequest) -> RulingResponse via MemoryClient as forget;
    /// Asks which of the items that an external query has found may be used.
    memory_release(MemoryReleaseRequest) -> RulingResponse via MemoryClient as release;
    /// Keeps an entry from being read, or lets it be read again.
    memory_quarantine(MemoryQuarantineRequest) -> RulingResponse via MemoryClient as quarantine;
    /// Makes a key known with which a subject signs its messages.
    register_agent_key(RegisterAgentKeyRequest) -> RulingResponse via MessagesClient as register_key;
    /// Puts a key in the place of another one, which vouches for it.
    rotate_agent_key(RotateAgentKeyRequest) -> RulingResponse via MessagesClient as rotate_key;
    /// Records a signed message before it is delivered.
    record_message(RecordMessageRequest) -> RulingResponse via MessagesClient as record;
    /// Makes a payload unreadable for good.
    erase_payload(ErasePayloadRequest) -> CommandResponse via ControlClient;
    /// Sets how a tenant is decided for.
    configure_tenant(ConfigureTenantRequest) -> CommandResponse via ControlClient;
    /// Switches a tenant off or on.
    set_tenant_disabled(SetTenantDisabledRequest) -> CommandResponse via ControlClient;
    /// Stops an agent, a tool or a tenant at once, or lets it go on.
    set_kill_switch(SetKillSwitchRequest) -> CommandResponse via ControlClient;
    /// Makes another version of the kernel decide.
    activate_kernel_version(ActivateKernelVersionRequest) -> CommandResponse via ControlClient;
    /// Sets the rules that are asked before those of the active bundle.
    set_runtime_rules(SetRuntimeRulesRequest) -> CommandResponse via ControlClient;
    /// Lets a disabled principal act again.
    enable_principal(EnablePrincipalRequest) -> CommandResponse via ControlClient;
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
