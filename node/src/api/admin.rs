//! The service `Admin`: administrative commands, each an entry on the ledger. Who may do what is the kernel's to say.

use std::sync::Arc;

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{Caller, CommandBody, principal_of_credential, principal_of_subject};
use assent_ledger::ids::TreeSize;
use assent_ledger::seal::SealReason;
use assent_proto::v1;
use assent_proto::v1::admin_server::Admin;
use assent_proto::v1::{CommandResponse, OfferBundleResponse};
use tonic::{Request, Response};

use super::commands::Answer;
use super::convert::admin::{Ask, Asked};
use super::forward::admin;
use super::under_way::RequestKey;
use super::{Api, convert, errors};
use crate::batcher::Settled;

/// Serves `Admin`.
pub struct AdminService {
    api: Arc<Api>,
}

impl AdminService {
    /// Over what all services share.
    pub fn new(api: Arc<Api>) -> Self {
        AdminService { api }
    }
}

impl Api {
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

#[tonic::async_trait]
impl Admin for AdminService {
    async fn create_tenant(&self, request: Request<v1::CreateTenantRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).create_tenant(asked).await }).await
    }

    async fn register_principal(&self, request: Request<v1::RegisterPrincipalRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).register_principal(asked).await }).await
    }

    async fn disable_principal(&self, request: Request<v1::DisablePrincipalRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).disable_principal(asked).await }).await
    }

    async fn register_credential(&self, request: Request<v1::RegisterCredentialRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).register_credential(asked).await }).await
    }

    async fn revoke_credential(&self, request: Request<v1::RevokeCredentialRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).revoke_credential(asked).await }).await
    }

    async fn offer_bundle(&self, request: Request<v1::OfferBundleRequest>) -> Answer<OfferBundleResponse> {
        let hash = bundle_hash(&request.get_ref().source);
        let answer = |api: &Api, settled: &Settled| {
            let command = Some(api.recorded(settled)?);
            Ok(OfferBundleResponse { command, bundle_hash: hash.0.to_vec().into() })
        };
        let at_leader = |channel, asked| async move { admin(channel).offer_bundle(asked).await };
        let done = self.api.command_as(request, |_, asked, _| asked.ask(), answer, at_leader).await;
        done.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn activate_bundle(&self, request: Request<v1::ActivateBundleRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).activate_bundle(asked).await }).await
    }

    async fn open_run(&self, request: Request<v1::OpenRunRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).open_run(asked).await }).await
    }

    async fn close_run(&self, request: Request<v1::CloseRunRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).close_run(asked).await }).await
    }

    async fn endorse_key(&self, request: Request<v1::EndorseKeyRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).endorse_key(asked).await }).await
    }

    async fn retire_key(&self, request: Request<v1::RetireKeyRequest>) -> Answer<CommandResponse> {
        self.api.command(request, |channel, asked| async move { admin(channel).retire_key(asked).await }).await
    }

    async fn seal_now(&self, request: Request<v1::SealNowRequest>) -> Answer<CommandResponse> {
        let make = |api: &Api, asked: v1::SealNowRequest, caller: &Caller| api.seal_now(&asked, caller);
        let at_leader = |channel, asked| async move { admin(channel).seal_now(asked).await };
        let done = self.api.command_as(request, make, Api::recorded, at_leader).await;
        done.map(Response::new).map_err(|e| self.api.failed(e))
    }
}
