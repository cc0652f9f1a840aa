//! One call: attempts until an answer, a refusal or the deadline, all under the same request id.

use core::future::Future;
use std::time::Duration;

use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::deadline::{Backoff, Deadline};
use crate::endpoints::Endpoints;
use crate::error::{ClientError, Effect, Failure, History, Kind};

/// Largest answer that the client takes, in bytes: a thousand decisions with long receipts.
pub(crate) const ANSWER_BYTES_MAX: usize = 128 << 20;

/// The code of a node that has too much to do: another node would only pass the request on to it.
const OVERLOADED: &str = "OVERLOADED";

/// A request with the bearer token and the time that the node may take.
pub(crate) fn authorized<Q>(message: Q, token: Option<&AsciiMetadataValue>, time: Duration) -> Request<Q> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", token.clone());
    }
    request.set_timeout(time);
    request
}

/// Sends `message` until it is answered, refused, or the deadline has passed.
///
/// An attempt whose connection never came up, or that the node says it did not accept, left nothing. Any other failed
/// attempt may have been recorded: the next one carries the same bytes and therefore the same request id.
pub(crate) async fn call<Q, A, F, Fut>(
    endpoints: &Endpoints,
    kind: Kind,
    deadline: Deadline,
    message: Q,
    send: F,
) -> Result<A, ClientError>
where
    Q: Clone,
    F: Fn(Channel, Request<Q>) -> Fut,
    Fut: Future<Output = Result<Response<A>, Status>>,
{
    let mut history = History::default();
    let mut backoff = Backoff::new(endpoints.policy());
    loop {
        let failure = match attempt(endpoints, deadline, message.clone(), &send).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        history.note(&failure);
        let again = !matches!((&kind, failure.effect), (_, Effect::Refused) | (Kind::Once, Effect::Unknown));
        let pause = backoff.pause(failure.retry_after, jitter());
        if !again || deadline.remaining() <= pause {
            return Err(history.give_up(&kind, failure));
        }
        tokio::time::sleep(pause).await;
    }
}

async fn attempt<Q, A, F, Fut>(endpoints: &Endpoints, deadline: Deadline, message: Q, send: &F) -> Result<A, Failure>
where
    F: Fn(Channel, Request<Q>) -> Fut,
    Fut: Future<Output = Result<Response<A>, Status>>,
{
    let connection = endpoints.connection(deadline).await?;
    let time = deadline.attempt(endpoints.policy().attempt_max);
    let request = authorized(message, endpoints.token(), time);
    let failure = match tokio::time::timeout(time, send(connection.channel, request)).await {
        Ok(Ok(response)) => return Ok(response.into_inner()),
        Ok(Err(status)) => Failure::from_status(&status),
        Err(_) => Failure::timeout(),
    };
    if failure.effect != Effect::Refused {
        if failure.answered && failure.code == OVERLOADED {
            endpoints.not_accepted().await;
        } else {
            // Broken, silent, fenced, stopping, or cut off from its leader: another node may do better.
            endpoints.lost(&connection.address).await;
        }
    }
    Err(failure)
}

/// A byte that differs between clients; without randomness the pauses are only less spread.
pub(crate) fn jitter() -> u8 {
    let mut byte = [0u8; 1];
    let _ = getrandom::fill(&mut byte);
    let [byte] = byte;
    byte
}
