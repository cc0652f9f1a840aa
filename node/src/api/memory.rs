//! The service `Memory`: what agents keep for later.

use assent_ledger::entry::EntryView;
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId};
use assent_proto::v1;
use assent_proto::v1::memory_server::Memory;
use tonic::{Request, Response};

use super::commands::{Answer, command_service};
use super::convert::admin::Ask;
use super::{Api, errors};
use crate::outcome::ApiError;

/// Where a ruling about a read says what it gives out.
const VALUE_COMMITMENT: &str = "value_commitment";

command_service! {
    /// Serves `Memory`.
    MemoryService: Memory by memory, ruled -> RulingResponse {
        write: MemoryWriteRequest,
        forget: MemoryForgetRequest,
        release: MemoryReleaseRequest,
        quarantine: MemoryQuarantineRequest,
    } {
        async fn read(&self, request: Request<v1::MemoryReadRequest>) -> Answer<v1::RulingResponse> {
            let id = request.get_ref().request_id.clone();
            let at_leader = |channel, asked| async move { super::forward::memory(channel).read(asked).await };
            let answer = |api: &Api, settled: &crate::batcher::Settled| api.with_value(api.ruling(&id, settled)?);
            let done = self.api.command_as(request, |_, asked: v1::MemoryReadRequest, _| asked.ask(), answer, at_leader);
            done.await.map(Response::new).map_err(|e| self.api.failed(e))
        }
    }
}

impl Api {
    /// A ruling that allows a read, with the value that it gives out; without one when it was erased.
    fn with_value(&self, mut ruling: v1::RulingResponse) -> Result<v1::RulingResponse, ApiError> {
        let said = ruling.details.iter().find(|detail| detail.name == VALUE_COMMITMENT);
        let Some(commitment) = said.and_then(|detail| detail.value.parse::<Hash>().ok()) else { return Ok(ruling) };
        if ruling.verdict() != v1::Verdict::Allow {
            return Ok(ruling);
        }
        let failed = |e: &dyn std::fmt::Display| errors::after_commit(ApiError::internal(format!("the value: {e}")));
        let leaf = self.node.store().entry(Seq(ruling.seq)).map_err(|e| failed(&e))?.unwrap_or_default();
        let entry = EntryView::parse(&leaf).map_err(|e| failed(&e))?;
        let tenant = TenantId::new(entry.tenant).map_err(|e| failed(&e))?;
        let opened = self.node.store().payload(&tenant, &commitment).map_err(|e| failed(&e))?;
        ruling.value = opened.map(|opened| opened.bytes.to_vec()).unwrap_or_default().into();
        Ok(ruling)
    }
}
