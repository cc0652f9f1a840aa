//! Decisions over one stream: answers come in the order of the requests, without a round trip in between.

use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tonic::Streaming;

use crate::call::authorized;
use crate::client::{Client, Decision, fill_id, ledger};
use crate::deadline::Deadline;
use crate::error::{ClientError, Effect, Failure, History, Kind};
use crate::v1;
use crate::v1::evaluate_result::Result as Item;

/// Requests that may be under way at once; sending waits when as many are unanswered.
const UNANSWERED_MAX: usize = 4096;

/// The answers to a stream of requests, in their order.
pub struct Decisions {
    client: Client,
    sent: mpsc::Receiver<v1::EvaluateRequest>,
    answers: Streaming<v1::EvaluateResult>,
    broken: bool,
}

impl Client {
    /// Sends requests as they come. Every request must carry its own request id, or gets a fresh one.
    ///
    /// A stream is one connection: nothing is retried in it. A request that failed with `NotAccepted` or
    /// `OutcomeUnknown` is sent again by the caller, with the same id. `deadline` bounds the whole stream.
    pub async fn evaluate_stream<S>(&self, requests: S, deadline: Deadline) -> Result<Decisions, ClientError>
    where
        S: Stream<Item = v1::EvaluateRequest> + Send + 'static,
    {
        let connection =
            self.endpoints.connection(deadline).await.map_err(|f| History::default().give_up(&Kind::Read, f))?;
        let (note, sent) = mpsc::channel(UNANSWERED_MAX);
        let outgoing = requests.filter_map(move |mut request| {
            let note = note.clone();
            async move {
                fill_id(&mut request.request_id).ok()?;
                // The reader is gone: nobody would see the answer, so nothing more is sent.
                note.send(request.clone()).await.ok()?;
                Some(request)
            }
        });
        let request = authorized(outgoing, self.endpoints.token(), deadline.remaining());
        match ledger(connection.channel).evaluate_stream(request).await {
            Ok(response) => Ok(Decisions { client: self.clone(), sent, answers: response.into_inner(), broken: false }),
            Err(status) => {
                self.endpoints.lost(&connection.address).await;
                let kind = Kind::Write("-".to_owned());
                let failure = Failure::from_status(&status);
                let mut history = History::default();
                history.note(&failure);
                Err(history.give_up(&kind, failure))
            }
        }
    }
}

impl Decisions {
    /// The answer to the next request, with the request. `None` when every request has been answered and there are no
    /// more.
    ///
    /// Once the stream broke, every request that was sent and not answered comes back as `OutcomeUnknown`.
    pub async fn next(&mut self) -> Option<(v1::EvaluateRequest, Result<Decision, ClientError>)> {
        let request = self.sent.recv().await?;
        let answer = if self.broken { None } else { self.answers.next().await };
        let result = match answer {
            Some(Ok(v1::EvaluateResult { result: Some(Item::Decision(response)) })) => {
                self.client.believe(&request, response).await
            }
            Some(Ok(v1::EvaluateResult { result: Some(Item::Failure(failure)) })) => {
                Err(given_up(&request, Failure::from_item(&failure)))
            }
            Some(Ok(v1::EvaluateResult { result: None })) => {
                Err(ClientError::Protocol("an item has neither a decision nor a failure".to_owned()))
            }
            Some(Err(status)) => {
                self.stop();
                // What the status says is about the stream; this request may have been recorded before it ended.
                let failure = Failure { effect: Effect::Unknown, ..Failure::from_status(&status) };
                Err(given_up(&request, failure))
            }
            None => {
                self.stop();
                let mut failure = Failure::timeout();
                failure.code = "STREAM_ENDED".to_owned();
                failure.message = "the stream ended before this request was answered".to_owned();
                Err(given_up(&request, failure))
            }
        };
        Some((request, result))
    }

    /// No more requests are taken in; those that were sent are still reported.
    fn stop(&mut self) {
        self.broken = true;
        self.sent.close();
    }
}

fn given_up(request: &v1::EvaluateRequest, failure: Failure) -> ClientError {
    let mut history = History::default();
    history.note(&failure);
    history.give_up(&Kind::Write(request.request_id.clone()), failure)
}
