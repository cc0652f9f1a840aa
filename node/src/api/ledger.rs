//! The service `Ledger`: deciding, reading and proving.

use std::pin::Pin;
use std::sync::Arc;

use assent_proto::v1::ledger_server::Ledger;
use assent_proto::v1::{
    CheckResponse, CheckpointRequest, CheckpointResponse, ConsistencyProofRequest, EntriesRequest, EntryRecord,
    EvaluateManyRequest, EvaluateManyResponse, EvaluateRequest, EvaluateResponse, EvaluateResult,
    InclusionProofRequest, PayloadRequest, PayloadResponse, ProofResponse, SealsRequest, SealsResponse, StatusRequest,
    StatusResponse,
};
use futures::{Stream, StreamExt};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::Api;
use crate::outcome::ApiError;

/// Serves `Ledger`.
pub struct LedgerService {
    api: Arc<Api>,
}

impl LedgerService {
    /// Over what all services share.
    pub fn new(api: Arc<Api>) -> Self {
        LedgerService { api }
    }

    /// A call that only reads what is applied here.
    async fn read<Q, A>(
        &self,
        request: Request<Q>,
        answer: impl FnOnce(&Api, &Q) -> Result<A, ApiError>,
    ) -> Result<Response<A>, Status> {
        let answered = match self.api.reader(request.metadata()).await {
            Ok(_) => answer(&self.api, request.get_ref()),
            Err(error) => Err(error),
        };
        answered.map(Response::new).map_err(|e| self.api.failed(e))
    }
}

type Results = Pin<Box<dyn Stream<Item = Result<EvaluateResult, Status>> + Send>>;

#[tonic::async_trait]
impl Ledger for LedgerService {
    type EvaluateStreamStream = Results;
    type EntriesStream = ReceiverStream<Result<EntryRecord, Status>>;

    async fn evaluate(&self, request: Request<EvaluateRequest>) -> Result<Response<EvaluateResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let decided = self.api.evaluate(&metadata, request).await;
        decided.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn evaluate_many(
        &self,
        request: Request<EvaluateManyRequest>,
    ) -> Result<Response<EvaluateManyResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let decided = self.api.evaluate_many(&metadata, request).await;
        decided.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn evaluate_stream(&self, request: Request<Streaming<EvaluateRequest>>) -> Result<Response<Results>, Status> {
        let (metadata, _, requests) = request.into_parts();
        Ok(Response::new(self.api.evaluate_stream(metadata, requests).boxed()))
    }

    async fn check(&self, request: Request<EvaluateRequest>) -> Result<Response<CheckResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let checked = match self.api.reader(&metadata).await {
            Ok(caller) => self.api.check(request, caller),
            Err(error) => Err(error),
        };
        checked.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.api.status(&metadata, request).await.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn entries(&self, request: Request<EntriesRequest>) -> Result<Response<Self::EntriesStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let records = match self.api.reader(&metadata).await {
            Ok(caller) => self.api.entries(request, &caller),
            Err(error) => Err(error),
        };
        records.map(|records| Response::new(ReceiverStream::new(records))).map_err(|e| self.api.failed(e))
    }

    async fn payload(&self, request: Request<PayloadRequest>) -> Result<Response<PayloadResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let payload = match self.api.reader(&metadata).await {
            Ok(caller) => self.api.payload(&request, &caller),
            Err(error) => Err(error),
        };
        payload.map(Response::new).map_err(|e| self.api.failed(e))
    }

    async fn checkpoint(&self, request: Request<CheckpointRequest>) -> Result<Response<CheckpointResponse>, Status> {
        self.read(request, |api, _| api.checkpoint()).await
    }

    async fn inclusion_proof(
        &self,
        request: Request<InclusionProofRequest>,
    ) -> Result<Response<ProofResponse>, Status> {
        self.read(request, |api, asked| api.inclusion_proof(asked)).await
    }

    async fn consistency_proof(
        &self,
        request: Request<ConsistencyProofRequest>,
    ) -> Result<Response<ProofResponse>, Status> {
        self.read(request, |api, asked| api.consistency_proof(asked)).await
    }

    async fn seals(&self, request: Request<SealsRequest>) -> Result<Response<SealsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let seals = match self.api.reader(&metadata).await {
            Ok(_) => self.api.seals(&request).await,
            Err(error) => Err(error),
        };
        seals.map(Response::new).map_err(|e| self.api.failed(e))
    }
}
