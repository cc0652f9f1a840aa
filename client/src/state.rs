//! What holds now, as the node that answers has applied it; and what a call would come to. Nothing here is recorded or verified.

use crate::call::call;
use crate::client::{Client, ledger};
use crate::deadline::Deadline;
use crate::error::{ClientError, Kind};
use crate::v1;
use crate::v1::state_client::StateClient;

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident: $method:ident -> $response:ident;)*) => {
        impl Client {
            $(
                $(#[$doc])*
                ///
                /// One page; `next_after` of the answer begins the next.
                pub async fn $name(
                    &self,
                    request: v1::ListRequest,
                    deadline: Deadline,
                ) -> Result<v1::$response, ClientError> {
                    call(&self.endpoints, Kind::Read, deadline, request, |channel, message| async move {
                        let client = StateClient::new(channel);
                        client.max_decoding_message_size(crate::call::ANSWER_BYTES_MAX).$method(message).await
                    })
                    .await
                }
            )*
        }
    };
}

lists! {
    /// Runs with their modes, counters and taint.
    runs: runs -> RunsResponse;
    /// Which bundle decides in which environment.
    active_bundles: active_bundles -> ActiveBundlesResponse;
    /// Approvals that were asked for.
    approvals: approvals -> ApprovalsResponse;
    /// Capabilities that were granted or passed on for a time.
    leases: leases -> LeasesResponse;
    /// Decisions that wait to be redeemed, and executions without an outcome.
    intents: intents -> IntentsResponse;
    /// Principals.
    principals: principals -> PrincipalsResponse;
    /// Kill switches that were ever set.
    kill_switches: kill_switches -> KillSwitchesResponse;
    /// Signals that were reported and still hold.
    signals: signals -> SignalsResponse;
}

impl Client {
    /// What a call would come to now. Nothing is recorded, and no token comes of it: acting on it is acting without a record.
    pub async fn check(
        &self,
        request: v1::EvaluateRequest,
        deadline: Deadline,
    ) -> Result<v1::CheckResponse, ClientError> {
        call(&self.endpoints, Kind::Read, deadline, request, |channel, message| async move {
            ledger(channel).check(message).await
        })
        .await
    }
}
