//! Evaluations: one, many at once, or as they come; decided here or at the leader.

use assent_kernel::command::Caller;
use assent_proto::v1::evaluate_result::Result as Outcome;
use assent_proto::v1::{EvaluateManyRequest, EvaluateManyResponse, EvaluateRequest, EvaluateResponse, EvaluateResult};
use futures::{Stream, StreamExt};
use std::sync::Arc;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::errors::CallError;
use super::place::Place;
use super::settle::Queued;
use super::{Api, auth, convert, forward};
use crate::outcome::ApiError;

/// Evaluations of one stream under way at once; more wait on the caller's side.
const STREAM_UNDER_WAY_MAX: usize = 256;

impl Api {
    /// Decides one action.
    pub(super) async fn evaluate(
        &self,
        metadata: &MetadataMap,
        request: EvaluateRequest,
    ) -> Result<EvaluateResponse, CallError> {
        match self.place().await? {
            Place::Here => {
                let caller = self.caller(metadata).await?;
                let queued = self.queue_evaluation(request, caller).await?;
                Ok(self.decided(queued).await?)
            }
            Place::Leader(address) => {
                auth::token_hash_of(metadata)?;
                let mut client = self.forwarder.ledger(&address)?;
                let request = forward::onward(request, metadata)?;
                Ok(self.forwarder.answer(client.evaluate(request)).await?.into_inner())
            }
        }
    }

    /// Decides several actions; they are queued together, in their order, so that they share one Raft entry or few.
    pub(super) async fn evaluate_many(
        &self,
        metadata: &MetadataMap,
        request: EvaluateManyRequest,
    ) -> Result<EvaluateManyResponse, CallError> {
        let place = self.place().await?;
        check_count(request.requests.len(), self.node.config().limits.many_requests_max)?;
        let caller = match place {
            Place::Here => self.caller(metadata).await?,
            Place::Leader(address) => {
                auth::token_hash_of(metadata)?;
                let mut client = self.forwarder.ledger(&address)?;
                let request = forward::onward(request, metadata)?;
                return Ok(self.forwarder.answer(client.evaluate_many(request)).await?.into_inner());
            }
        };
        let mut queued = Vec::with_capacity(request.requests.len());
        for one in request.requests {
            let id = one.request_id.clone();
            queued.push((id, self.queue_evaluation(one, caller.clone()).await));
        }
        let mut results = Vec::with_capacity(queued.len());
        for (id, queued) in queued {
            let decided = match queued {
                Ok(queued) => self.decided(queued).await,
                Err(error) => Err(error),
            };
            results.push(self.result(&id, decided.map_err(CallError::from)));
        }
        Ok(EvaluateManyResponse { results })
    }

    /// Decides actions as they come, answers in their order; ends with the caller's stream, or when this node stops.
    pub(super) fn evaluate_stream(
        self: &Arc<Self>,
        metadata: MetadataMap,
        requests: impl Stream<Item = Result<EvaluateRequest, Status>> + Send + 'static,
    ) -> impl Stream<Item = Result<EvaluateResult, Status>> + Send + 'static {
        let metadata = Arc::new(metadata);
        let (api, node) = (self.clone(), self.node.clone());
        requests
            .take_until(Box::pin(async move { node.stopped().await }))
            .map(move |request| {
                let (api, metadata) = (api.clone(), metadata.clone());
                async move {
                    let request = request?;
                    let id = request.request_id.clone();
                    let decided = api.evaluate(&metadata, request).await;
                    Ok(api.result(&id, decided))
                }
            })
            .buffered(STREAM_UNDER_WAY_MAX)
    }

    async fn queue_evaluation(&self, request: EvaluateRequest, caller: Caller) -> Result<Queued, ApiError> {
        let command = convert::evaluate::command(request, caller, self.node.stamp())?;
        Ok(self.queue(command).await)
    }

    async fn decided(&self, queued: Queued) -> Result<EvaluateResponse, ApiError> {
        let (id, settled) = self.settled(queued).await?;
        self.decision(id, &settled)
    }

    /// One answer among several.
    fn result(&self, request_id: &str, decided: Result<EvaluateResponse, CallError>) -> EvaluateResult {
        let result = match decided {
            Ok(decision) => Outcome::Decision(decision),
            Err(error) => {
                self.metrics.refused(error.code());
                Outcome::Failure(error.to_failure(request_id))
            }
        };
        EvaluateResult { result: Some(result) }
    }
}

fn check_count(count: usize, max: usize) -> Result<(), ApiError> {
    if count == 0 || count > max {
        return Err(convert::wrong(
            "requests",
            format_args!("has {count} items"),
            format_args!("a list of 1 to {max}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_and_one_too_long_are_malformed() {
        for count in [0, 5] {
            let error = check_count(count, 4).unwrap_err();
            assert_eq!(error.code, "MALFORMED");
            assert!(error.message.starts_with("requests has"), "{error}");
        }
        assert!(check_count(1, 4).is_ok() && check_count(4, 4).is_ok());
    }
}
