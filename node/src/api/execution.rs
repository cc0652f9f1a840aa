//! The service `Execution`: redeeming decisions, and completing what was redeemed.

use assent_kernel::command::{Caller, CommandBody, RequestId};
use assent_kernel::decide::request_hash;
use assent_kernel::event::{EventBody, PolicyDecision};
use assent_kernel::state::StateRead;
use assent_ledger::entry::EntryView;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;
use assent_proto::v1;
use assent_proto::v1::execution_server::Execution;
use tonic::{Request, Response};

use super::commands::{Answer, command_service};
use super::convert::admin::Asked;
use super::{Api, convert, errors};
use crate::outcome::ApiError;

command_service! {
    /// Serves `Execution`.
    ExecutionService: Execution by execution, ruled -> RulingResponse {
        complete: CompleteRequest,
    } {
        async fn redeem(&self, request: Request<v1::RedeemRequest>) -> Answer<v1::RulingResponse> {
            let id = request.get_ref().request_id.clone();
            let make = |api: &Api, asked: v1::RedeemRequest, caller: &Caller| api.redeem(asked, caller);
            let at_leader = |channel, asked| async move { super::forward::execution(channel).redeem(asked).await };
            let done = self.api.command_as(request, make, |api, settled| api.ruling(&id, settled), at_leader).await;
            done.map(Response::new).map_err(|e| self.api.failed(e))
        }
    }
}

impl Api {
    /// The command that redeems a decision: of a digest that the executor computed, or of the call that it is about to make.
    fn redeem(&self, mut asked: v1::RedeemRequest, caller: &Caller) -> Asked {
        let hash = match (asked.request_hash.is_empty(), asked.call.take()) {
            (false, None) => convert::hash("request_hash", &asked.request_hash)?,
            (true, Some(call)) => self.hash_of_call(Seq(asked.seq), call, caller)?,
            _ => {
                return Err(convert::wrong(
                    "request_hash",
                    "and call are both there or both missing",
                    "one of the two",
                ));
            }
        };
        convert::execution::redeem(asked, hash)
    }

    /// The digest of a call as the decision at `seq` would have it. Whether it is what was decided, the kernel says.
    fn hash_of_call(&self, seq: Seq, mut call: v1::EvaluateRequest, caller: &Caller) -> Result<Hash, ApiError> {
        let stamp = self.node.stamp();
        call.request_id = RequestId::new(stamp.time.0 / 1000, [0; 10]).to_string();
        let command = convert::evaluate::command(call, caller.clone(), stamp)?;
        let subject = command.subject().map(str::to_owned);
        let CommandBody::Evaluate(evaluate) = &command.body else {
            return Err(ApiError::internal("a call was no evaluation"));
        };
        // Where no decision of the tenant stands there is nothing to redeem, which the kernel says, on the record.
        let decision = self.decision_at(seq, caller)?;
        let bundle = decision.and_then(|of| of.bundle).and_then(|hash| self.node.store().view().bundle(&hash));
        let schema = bundle.and_then(|bundle| bundle.tool(&evaluate.tool).map(|tool| tool.schema_hash()));
        Ok(request_hash(&caller.tenant, subject.as_deref(), evaluate, schema.as_ref()))
    }

    fn decision_at(&self, seq: Seq, caller: &Caller) -> Result<Option<PolicyDecision>, ApiError> {
        let Some(leaf) = self.node.store().entry(seq).map_err(errors::storage)? else { return Ok(None) };
        let entry = EntryView::parse(&leaf).map_err(|e| ApiError::internal(e.to_string()))?;
        if entry.tenant != caller.tenant.as_str() || entry.kind != PolicyDecision::KIND {
            return Ok(None);
        }
        let body = entry.body_value().map_err(|e| ApiError::internal(e.to_string()))?;
        match EventBody::from_value(entry.kind, &body) {
            Some(Ok(EventBody::Decision(decision))) => Ok(Some(*decision)),
            _ => Ok(None),
        }
    }
}
