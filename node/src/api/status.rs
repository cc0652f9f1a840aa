//! What became of a request id: asked of the leader, which first makes sure that it still leads.

use assent_kernel::command::{Caller, RequestId, principal_of_credential, principal_of_subject};
use assent_kernel::idempotency::request_key;
use assent_kernel::state::keys::RequestRecord;
use assent_kernel::state::{Record, StateRead};
use assent_proto::v1::status_response::State;
use assent_proto::v1::{StatusRequest, StatusResponse};
use openraft::ReadPolicy;
use openraft::errors::RaftError;
use tonic::metadata::MetadataMap;

use super::errors::{self, CallError};
use super::place::Place;
use super::under_way::RequestKey;
use super::{Api, auth, convert, forward};
use crate::outcome::ApiError;

impl Api {
    /// What became of one of the caller's requests.
    ///
    /// A refused request leaves no trace, so that it is UNKNOWN like one that never came; UNKNOWN from a leader that confirmed its
    /// leadership means that nothing is recorded under the id, unless the request is still on its way to the leader.
    pub(super) async fn status(
        &self,
        metadata: &MetadataMap,
        request: StatusRequest,
    ) -> Result<StatusResponse, CallError> {
        match self.place().await? {
            Place::Here => {
                let caller = self.caller(metadata).await?;
                Ok(self.status_here(caller, request).await?)
            }
            Place::Leader(address) => {
                auth::token_hash_of(metadata)?;
                let mut client = self.forwarder.ledger(&address)?;
                let request = forward::onward(request, metadata)?;
                Ok(self.forwarder.answer(client.status(request)).await?.into_inner())
            }
        }
    }

    async fn status_here(&self, caller: Caller, request: StatusRequest) -> Result<StatusResponse, ApiError> {
        let id = convert::request_id(&request.request_id)?;
        let asserted = convert::subject_opt("subject", request.subject)?;
        let key = RequestKey { principal: principal(&caller, asserted), tenant: caller.tenant, id };
        // Asked before the read, because a request that is settled in between is found by the read.
        let pending = self.under_way.contains(&key);
        self.confirm_leadership().await?;
        match self.remembered(key.clone()) {
            Some(row) => self.committed(id, &row),
            None => {
                let state = if pending { State::Pending } else { State::Unknown };
                Ok(StatusResponse { state: state.into(), ..StatusResponse::default() })
            }
        }
    }

    /// A round of heartbeats, then everything applied that was committed when it began: what is read next is current.
    async fn confirm_leadership(&self) -> Result<(), ApiError> {
        let confirmed = self.node.raft().ensure_linearizable(ReadPolicy::ReadIndex);
        match tokio::time::timeout(self.request_timeout(), confirmed).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(RaftError::Fatal(fatal))) => {
                Err(errors::with_message(ApiError::stopping(), format!("raft: {fatal}; ask another node")))
            }
            Ok(Err(RaftError::APIError(error))) => Err(errors::with_message(
                ApiError::no_leader(),
                format!("this node could not confirm that it leads: {error}"),
            )),
            Err(_) => Err(errors::read_timed_out()),
        }
    }

    /// What is remembered of a request.
    pub(super) fn remembered(&self, key: RequestKey) -> Option<RequestRecord> {
        let key = request_key(&key.tenant, key.principal, key.id);
        match self.node.store().view().get(&key)?.as_ref() {
            Record::Request(row) => Some(row.clone()),
            _ => None,
        }
    }

    fn committed(&self, id: RequestId, row: &RequestRecord) -> Result<StatusResponse, ApiError> {
        let decision = match &row.decided {
            None => None,
            Some(decided) => {
                let receipt = self.receipt_of_stored(row.last_seq())?;
                let replacement = self.replacement(row.last_seq(), &decided.terms)?;
                Some(convert::evaluate::remembered(id, row, decided, receipt, replacement))
            }
        };
        Ok(StatusResponse { state: State::Committed.into(), decision, seq: row.last_seq().0 })
    }
}

/// Whose request ids a caller asks about: as of [`assent_kernel::command::Command::principal`].
fn principal(caller: &Caller, asserted: Option<String>) -> String {
    match caller.subject.as_ref().or(asserted.as_ref()) {
        Some(subject) => principal_of_subject(subject),
        None => principal_of_credential(&caller.credential),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_kernel::command::{Agent, Command, CommandBody, Evaluate, Role};
    use assent_kernel::stamp::Stamp;
    use assent_ledger::ids::{TenantId, Time};

    #[test]
    fn status_asks_under_the_principal_that_the_command_was_remembered_under() {
        for own in [None, Some("spiffe://a/own")] {
            for asserted in [None, Some("spiffe://a/asserted")] {
                let caller = Caller {
                    tenant: TenantId::new("acme").unwrap(),
                    subject: own.map(str::to_owned),
                    attested: own.is_some(),
                    role: Role::Agent,
                    credential: "agents".to_owned(),
                };
                let evaluate = Evaluate {
                    environment: "prod".to_owned(),
                    run_id: None,
                    trace_id: None,
                    agent: Agent::default(),
                    subject: asserted.map(str::to_owned),
                    tool: "t".to_owned(),
                    content_type: "application/json".to_owned(),
                    inputs: Vec::new(),
                    context: Box::default(),
                };
                let command = Command {
                    request_id: RequestId::new(1, [0; 10]),
                    stamp: Stamp { time: Time(1), seed: [0; 32] },
                    caller: caller.clone(),
                    body: CommandBody::Evaluate(Box::new(evaluate)),
                };
                assert_eq!(principal(&caller, asserted.map(str::to_owned)), command.principal());
            }
        }
    }
}
