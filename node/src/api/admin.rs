//! The service `Admin`: administrative commands, each an entry on the ledger. Who may do what is the kernel's to say.

use std::future::Future;
use std::sync::Arc;

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{Caller, Command, CommandBody, principal_of_credential, principal_of_subject};
use assent_ledger::hash::Hash;
use assent_ledger::ids::TreeSize;
use assent_ledger::seal::SealReason;
use assent_proto::v1;
use assent_proto::v1::admin_client::AdminClient;
use assent_proto::v1::admin_server::Admin;
use assent_proto::v1::{CommandResponse, OfferBundleResponse};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::convert::admin::{Ask, Asked};
use super::errors::{self, CallError};
use super::place::Place;
use super::under_way::RequestKey;
use super::{Api, auth, convert, forward};
use crate::outcome::ApiError;

type Answer<T> = Result<Response<T>, Status>;

/// Serves `Admin`.
pub struct AdminService {
    api: Arc<Api>,
}

impl AdminService {
    /// Over what all services share.
    pub fn new(api: Arc<Api>) -> Self {
        AdminService { api }
    }

    /// A command that is made from its request alone.
    async fn command<Q, F>(
        &self,
        request: Request<Q>,
        at_leader: impl FnOnce(AdminClient<Channel>, Request<Q>) -> F,
    ) -> Answer<CommandResponse>
    where
        Q: Ask,
        F: Future<Output = Answer<CommandResponse>>,
    {
        let done = self.api.administer(request, |_, asked, _| asked.ask(), |answer| answer, at_leader).await;
        done.map(Response::new).map_err(|e| self.api.failed(e))
    }
}

impl Api {
    /// Makes a command and submits it, or passes the request on to the leader.
    async fn administer<Q, A, F>(
        &self,
        request: Request<Q>,
        make: impl FnOnce(&Api, Q, &Caller) -> Asked,
        answer: impl FnOnce(CommandResponse) -> A,
        at_leader: impl FnOnce(AdminClient<Channel>, Request<Q>) -> F,
    ) -> Result<A, CallError>
    where
        F: Future<Output = Answer<A>>,
    {
        let (metadata, _, request) = request.into_parts();
        match self.place().await? {
            Place::Here => Ok(answer(self.administer_here(&metadata, request, make).await?)),
            Place::Leader(address) => {
                auth::token_hash_of(&metadata)?;
                let client = self.forwarder.admin(&address)?;
                let call = at_leader(client, forward::onward(request, &metadata)?);
                Ok(self.forwarder.answer(call).await?.into_inner())
            }
        }
    }

    async fn administer_here<Q>(
        &self,
        metadata: &MetadataMap,
        request: Q,
        make: impl FnOnce(&Api, Q, &Caller) -> Asked,
    ) -> Result<CommandResponse, ApiError> {
        let caller = self.caller(metadata).await?;
        let (request_id, body) = make(self, request, &caller)?;
        let command = convert::admitted(Command { request_id, stamp: self.node.stamp(), caller, body })?;
        let (_, settled) = self.submit(command).await?;
        self.recorded(&settled)
    }

    /// The command that seals what is there now.
    ///
    /// The open span's start is part of the command, and a retry must be the same command: it takes the start from the seal that the
    /// first attempt made.
    fn seal_now(&self, request: &v1::SealNowRequest, caller: &Caller) -> Asked {
        let id = convert::request_id(&request.request_id)?;
        let principal = match &caller.subject {
            Some(subject) => principal_of_subject(subject),
            None => principal_of_credential(&caller.credential),
        };
        let earlier = self.remembered(RequestKey { tenant: caller.tenant.clone(), principal, id });
        let sealed = match earlier {
            Some(row) => self.node.store().seal(row.last_seq().size_after()).map_err(errors::storage)?,
            None => None,
        };
        let start = match sealed {
            Some(seal) => seal.start,
            None => self.node.store().view().progress().unwrap_or_default().span_start,
        };
        Ok((id, CommandBody::Seal { reason: SealReason::Manual, expected_start: TreeSize(start.0) }))
    }
}

fn offered(command: CommandResponse, hash: Hash) -> OfferBundleResponse {
    OfferBundleResponse { command: Some(command), bundle_hash: hash.0.to_vec().into() }
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn create_tenant(&self, request: Request<v1::CreateTenantRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.create_tenant(asked).await }).await
    }

    async fn register_principal(&self, request: Request<v1::RegisterPrincipalRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.register_principal(asked).await }).await
    }

    async fn disable_principal(&self, request: Request<v1::DisablePrincipalRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.disable_principal(asked).await }).await
    }

    async fn register_credential(&self, request: Request<v1::RegisterCredentialRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.register_credential(asked).await }).await
    }

    async fn revoke_credential(&self, request: Request<v1::RevokeCredentialRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.revoke_credential(asked).await }).await
    }

    async fn offer_bundle(&self, request: Request<v1::OfferBundleRequest>) -> Answer<OfferBundleResponse> {
        let hash = bundle_hash(&request.get_ref().source);
        let done = self.api.administer(
            request,
            |_, asked, _| asked.ask(),
            |command| offered(command, hash),
            |mut client, asked| async move { client.offer_bundle(asked).await },
        );
        done.await.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn activate_bundle(&self, request: Request<v1::ActivateBundleRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.activate_bundle(asked).await }).await
    }

    async fn open_run(&self, request: Request<v1::OpenRunRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.open_run(asked).await }).await
    }

    async fn close_run(&self, request: Request<v1::CloseRunRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.close_run(asked).await }).await
    }

    async fn endorse_key(&self, request: Request<v1::EndorseKeyRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.endorse_key(asked).await }).await
    }

    async fn retire_key(&self, request: Request<v1::RetireKeyRequest>) -> Answer<CommandResponse> {
        self.command(request, |mut client, asked| async move { client.retire_key(asked).await }).await
    }

    async fn seal_now(&self, request: Request<v1::SealNowRequest>) -> Answer<CommandResponse> {
        let done = self.api.administer(
            request,
            |api, asked, caller| api.seal_now(&asked, caller),
            |answer| answer,
            |mut client, asked| async move { client.seal_now(asked).await },
        );
        done.await.map(Response::new).map_err(|e| self.api.failed(e))
    }
}
