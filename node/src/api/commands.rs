//! Services whose methods are commands: a request becomes a command, is committed, and is answered with where it stands. Who may do what
//! is the kernel's to say.

use std::future::Future;

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{Caller, Command, CommandBody, Role};
use assent_proto::v1::{CommandResponse, RulingResponse};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::convert::admin::{Ask, Asked};
use super::errors::CallError;
use super::place::Place;
use super::{Api, auth, convert, forward};
use crate::batcher::Settled;
use crate::outcome::ApiError;

/// What a service's method answers.
pub type Answer<T> = Result<Response<T>, Status>;

impl Api {
    /// Makes a command and submits it, or passes the request on to the leader; `answer` makes the answer of what was committed.
    pub(super) async fn command_as<Q, A, F>(
        &self,
        request: Request<Q>,
        make: impl FnOnce(&Api, Q, &Caller) -> Asked,
        answer: impl FnOnce(&Api, &Settled) -> Result<A, ApiError>,
        at_leader: impl FnOnce(Channel, Request<Q>) -> F,
    ) -> Result<A, CallError>
    where
        F: Future<Output = Answer<A>>,
    {
        let (metadata, _, request) = request.into_parts();
        match self.place().await? {
            Place::Here => {
                let settled = self.command_here(&metadata, request, make).await?;
                Ok(answer(self, &settled)?)
            }
            Place::Leader(address) => {
                auth::token_hash_of(&metadata)?;
                let channel = self.forwarder.channel(&address)?;
                let call = at_leader(channel, forward::onward(request, &metadata)?);
                Ok(self.forwarder.answer(call).await?.into_inner())
            }
        }
    }

    async fn command_here<Q>(
        &self,
        metadata: &MetadataMap,
        request: Q,
        make: impl FnOnce(&Api, Q, &Caller) -> Asked,
    ) -> Result<Settled, ApiError> {
        let caller = self.caller(metadata).await?;
        let (request_id, body) = make(self, request, &caller)?;
        let command = convert::admitted(Command { request_id, stamp: self.node.stamp(), caller, body })?;
        self.compile_ahead(&command).await;
        Ok(self.submit(command).await?.1)
    }

    /// Compiles an offered bundle before it is proposed, so that no decision waits for that when it is applied. Whether it may be offered,
    /// and whether it is right, is the kernel's to say.
    async fn compile_ahead(&self, command: &Command) {
        let CommandBody::OfferBundle(offer) = &command.body else { return };
        if command.caller.role == Role::Agent {
            return;
        }
        let (bundles, source) = (self.node.store().bundles().clone(), offer.source.clone());
        let compiling = tokio::task::spawn_blocking(move || bundles.get(&bundle_hash(&source), &source).is_ok());
        if let Err(error) = compiling.await {
            tracing::error!(%error, "an offered bundle could not be compiled ahead");
        }
    }

    /// A command that is made from its request alone, and answered with what was ruled.
    pub(super) async fn ruled<Q, F>(
        &self,
        request: Request<Q>,
        at_leader: impl FnOnce(Channel, Request<Q>) -> F,
    ) -> Answer<RulingResponse>
    where
        Q: Ask,
        F: Future<Output = Answer<RulingResponse>>,
    {
        let mut id = String::new();
        let make = |_: &Api, asked: Q, _: &Caller| {
            let asked = asked.ask()?;
            id = asked.0.to_string();
            Ok(asked)
        };
        let answer = |api: &Api, settled: &Settled| api.ruling("", settled);
        let done = self.command_as(request, make, answer, at_leader).await;
        let with_id = |mut ruling: RulingResponse| {
            if ruling.request_id.is_empty() {
                ruling.request_id = id;
            }
            Response::new(ruling)
        };
        done.map(with_id).map_err(|e| self.failed(e))
    }

    /// A command that is made from its request alone, and answered with where it stands.
    pub(super) async fn command<Q, F>(
        &self,
        request: Request<Q>,
        at_leader: impl FnOnce(Channel, Request<Q>) -> F,
    ) -> Answer<CommandResponse>
    where
        Q: Ask,
        F: Future<Output = Answer<CommandResponse>>,
    {
        let done = self.command_as(request, |_, asked, _| asked.ask(), Api::recorded, at_leader).await;
        done.map(Response::new).map_err(|e| self.failed(e))
    }
}

/// A service whose methods are such commands, all answered in one way (`command` or `ruled`), and others that are written out.
macro_rules! command_service {
    ($(#[$doc:meta])* $service:ident: $of:ident by $client:ident, $answer:ident -> $response:ident {
        $($method:ident: $request:ident,)*
    } {
        $($other:item)*
    }) => {
        $(#[$doc])*
        pub struct $service {
            api: std::sync::Arc<Api>,
        }

        impl $service {
            /// Over what all services share.
            pub fn new(api: std::sync::Arc<Api>) -> Self {
                $service { api }
            }
        }

        #[tonic::async_trait]
        impl $of for $service {
            $(
                async fn $method(&self, request: tonic::Request<v1::$request>) -> Answer<v1::$response> {
                    let at_leader = |channel, asked| async move { super::forward::$client(channel).$method(asked).await };
                    self.api.$answer(request, at_leader).await
                }
            )*
            $($other)*
        }
    };
}
pub(super) use command_service;
