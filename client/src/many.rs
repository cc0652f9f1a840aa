//! Several decisions in one call. Each stands on its own; only those that left doubt are sent again, under their own
//! ids.

use std::collections::BTreeMap;

use crate::call::{call, jitter};
use crate::client::{Client, Decision, fill_id, ledger};
use crate::deadline::{Backoff, Deadline};
use crate::error::{ClientError, Effect, Failure, History, Kind};
use crate::v1;
use crate::v1::evaluate_result::Result as Item;

impl Client {
    /// Asks for several decisions; the result has one item per request, in the order of the requests. Empty request ids
    /// are filled in. Items that were not accepted, or whose outcome is unknown, are sent again with the same ids until
    /// the deadline.
    ///
    /// Errors concern the whole call: nothing was answered at all.
    pub async fn evaluate_many(
        &self,
        mut requests: Vec<v1::EvaluateRequest>,
        deadline: Deadline,
    ) -> Result<Vec<Result<Decision, ClientError>>, ClientError> {
        for request in &mut requests {
            fill_id(&mut request.request_id)?;
        }
        let mut done: BTreeMap<usize, Result<Decision, ClientError>> = BTreeMap::new();
        let mut open: Vec<(usize, History)> = (0..requests.len()).map(|i| (i, History::default())).collect();
        let mut backoff = Backoff::new(self.endpoints.policy());
        while !open.is_empty() {
            let batch: Vec<v1::EvaluateRequest> =
                open.iter().filter_map(|(position, _)| requests.get(*position).cloned()).collect();
            let items = match self.send_many(batch, deadline).await {
                Ok(items) => items,
                Err(error) if done.is_empty() && open.iter().all(|(_, history)| history.attempts == 0) => {
                    return Err(error);
                }
                Err(error) => {
                    for (position, history) in open {
                        done.insert(position, Err(item_error(&requests, position, &history, &error)));
                    }
                    break;
                }
            };
            let mut again = Vec::new();
            let mut asked = core::time::Duration::ZERO;
            for ((position, mut history), item) in open.into_iter().zip(items) {
                let Some(request) = requests.get(position) else { continue };
                match item.result {
                    Some(Item::Decision(response)) => {
                        done.insert(position, self.believe(request, response).await);
                    }
                    Some(Item::Failure(failure)) => {
                        let failure = Failure::from_item(&failure);
                        history.note(&failure);
                        asked = asked.max(failure.retry_after);
                        if failure.effect == Effect::Refused || deadline.has_passed() {
                            let kind = Kind::Write(request.request_id.clone());
                            done.insert(position, Err(history.give_up(&kind, failure)));
                        } else {
                            again.push((position, history, failure));
                        }
                    }
                    None => {
                        let text = "an item has neither a decision nor a failure";
                        done.insert(position, Err(ClientError::Protocol(text.to_owned())));
                    }
                }
            }
            open = self.pause_or_give_up(again, &requests, &mut done, backoff.pause(asked, jitter()), deadline).await;
        }
        Ok(done.into_values().collect())
    }

    /// Waits before the next round; when the deadline leaves no time for one, everything that is open is given up.
    async fn pause_or_give_up(
        &self,
        again: Vec<(usize, History, Failure)>,
        requests: &[v1::EvaluateRequest],
        done: &mut BTreeMap<usize, Result<Decision, ClientError>>,
        pause: core::time::Duration,
        deadline: Deadline,
    ) -> Vec<(usize, History)> {
        if again.is_empty() {
            return Vec::new();
        }
        if deadline.remaining() > pause {
            tokio::time::sleep(pause).await;
            return again.into_iter().map(|(position, history, _)| (position, history)).collect();
        }
        for (position, history, failure) in again {
            let id = requests.get(position).map(|r| r.request_id.clone()).unwrap_or_default();
            done.insert(position, Err(history.give_up(&Kind::Write(id), failure)));
        }
        Vec::new()
    }

    async fn send_many(
        &self,
        requests: Vec<v1::EvaluateRequest>,
        deadline: Deadline,
    ) -> Result<Vec<v1::EvaluateResult>, ClientError> {
        let count = requests.len();
        let kind = Kind::Write(requests.first().map(|r| r.request_id.clone()).unwrap_or_default());
        let message = v1::EvaluateManyRequest { requests };
        let response = call(&self.endpoints, kind, deadline, message, |channel, message| async move {
            ledger(channel).evaluate_many(message).await
        })
        .await?;
        if response.results.len() != count {
            let got = response.results.len();
            return Err(ClientError::Protocol(format!("{got} answers to {count} requests")));
        }
        Ok(response.results)
    }
}

/// The whole call failed in a later round: what that means for one item that is still open.
fn item_error(
    requests: &[v1::EvaluateRequest],
    position: usize,
    history: &History,
    error: &ClientError,
) -> ClientError {
    let request_id = requests.get(position).map(|r| r.request_id.clone()).unwrap_or_default();
    let attempts = history.attempts.saturating_add(1);
    let (code, message) = ("GAVE_UP".to_owned(), error.to_string());
    if history.maybe_recorded || error.may_be_recorded() {
        ClientError::OutcomeUnknown { request_id, code, message, attempts }
    } else {
        ClientError::NotAccepted { code, message, attempts }
    }
}
