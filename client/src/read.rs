//! Reading the ledger: entries, payloads, checkpoints, proofs and seals, as the node gives them. Nothing here is
//! verified; `Trust` is.

use tonic::Streaming;

use crate::call::{authorized, call};
use crate::client::{Client, ledger};
use crate::deadline::Deadline;
use crate::error::{ClientError, Failure, History, Kind};
use crate::v1;

/// Longest life of a stream that follows the ledger; the caller opens a new one from where it stopped.
const FOLLOW_MAX: core::time::Duration = core::time::Duration::from_secs(86_400);

/// Entries as they come.
pub struct Entries {
    stream: Streaming<v1::EntryRecord>,
}

impl Entries {
    /// The next entry; `None` at the end. An error ends the stream: open a new one after the last `seq` that was read.
    pub async fn next(&mut self) -> Result<Option<v1::EntryRecord>, ClientError> {
        self.stream.message().await.map_err(|status| {
            let failure = Failure::from_status(&status);
            let mut history = History::default();
            history.note(&failure);
            history.give_up(&Kind::Read, failure)
        })
    }
}

impl Client {
    /// Entries in order. The deadline bounds the time until the stream is open, and the stream itself unless it
    /// follows.
    pub async fn entries(&self, request: v1::EntriesRequest, deadline: Deadline) -> Result<Entries, ClientError> {
        let follow = request.follow;
        let (message, endpoints) = (request, &self.endpoints);
        let stream = call(endpoints, Kind::Read, deadline, message, |channel, mut message| async move {
            // A stream lives longer than one attempt: the node must not cut it at the attempt's time.
            let life = if follow { FOLLOW_MAX } else { deadline.remaining() };
            let token = message.metadata().get("authorization").cloned();
            message = authorized(message.into_inner(), token.as_ref(), life);
            ledger(channel).entries(message).await
        })
        .await?;
        Ok(Entries { stream })
    }

    /// One payload's salt and bytes, decrypted by the node for its tenant.
    pub async fn payload(
        &self,
        request: v1::PayloadRequest,
        deadline: Deadline,
    ) -> Result<v1::PayloadResponse, ClientError> {
        call(&self.endpoints, Kind::Read, deadline, request, |channel, message| async move {
            ledger(channel).payload(message).await
        })
        .await
    }

    /// The newest co-signed checkpoint, unverified; see [`crate::Trust::checkpoint`].
    pub async fn checkpoint(&self, deadline: Deadline) -> Result<v1::CheckpointResponse, ClientError> {
        let request = v1::CheckpointRequest {};
        call(&self.endpoints, Kind::Read, deadline, request, |channel, message| async move {
            ledger(channel).checkpoint(message).await
        })
        .await
    }

    /// The path of entry `seq` in the tree of `size` leaves (0: the newest co-signed size), unverified.
    pub async fn inclusion_proof(
        &self,
        seq: u64,
        size: u64,
        deadline: Deadline,
    ) -> Result<v1::ProofResponse, ClientError> {
        let request = v1::InclusionProofRequest { seq, size };
        call(&self.endpoints, Kind::Read, deadline, request, |channel, message| async move {
            ledger(channel).inclusion_proof(message).await
        })
        .await
    }

    /// The consistency path between two sizes, unverified; see [`crate::Trust::consistency`].
    pub async fn consistency_proof(
        &self,
        from_size: u64,
        to_size: u64,
        deadline: Deadline,
    ) -> Result<v1::ProofResponse, ClientError> {
        let request = v1::ConsistencyProofRequest { from_size, to_size };
        call(&self.endpoints, Kind::Read, deadline, request, |channel, message| async move {
            ledger(channel).consistency_proof(message).await
        })
        .await
    }

    /// Seals from a size on, newest last, unverified. A `limit` of 0 is the node's own.
    pub async fn seals(
        &self,
        from_size: u64,
        limit: u32,
        deadline: Deadline,
    ) -> Result<Vec<v1::SealInfo>, ClientError> {
        let request = v1::SealsRequest { from_size, limit };
        let response = call(&self.endpoints, Kind::Read, deadline, request, |channel, message| async move {
            ledger(channel).seals(message).await
        })
        .await?;
        Ok(response.seals)
    }
}
