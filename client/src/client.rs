//! The client: connecting, asking for one decision, and asking what became of a request.

use std::sync::Arc;
use std::time::Duration;

use assent_ledger::receipt::VerifiedReceipt;

use crate::call::{ANSWER_BYTES_MAX, call};
use crate::config::ClientConfig;
use crate::deadline::Deadline;
use crate::endpoints::Endpoints;
use crate::error::{ClientError, Kind};
use crate::request_id::RequestId;
use crate::trust::Trust;
use crate::v1;
use crate::v1::ledger_client::LedgerClient;

/// A client of one ledger. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) trust: Option<Arc<Trust>>,
    pub(crate) tenant: Option<String>,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client").field("tenant", &self.tenant).field("verifies", &self.trust.is_some()).finish()
    }
}

/// A decision that was answered and, with a [`Trust`], proven to be on the record.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What the node answered.
    pub response: v1::EvaluateResponse,
    /// The verified receipt; `None` only when the client has no [`Trust`].
    pub receipt: Option<VerifiedReceipt>,
}

impl Decision {
    /// Whether the action may be done as it was asked for. Everything that is enforced but `allow` means no.
    pub fn is_allowed(&self) -> bool {
        self.enforced() == v1::Verdict::Allow
    }

    /// What is enforced: the verdict, or, where policy is only observed, what the terms say in its place. With a [`Trust`] both are what
    /// the leaf says.
    pub fn enforced(&self) -> v1::Verdict {
        let terms = self.response.terms.as_ref().map(|terms| terms.effective());
        terms.unwrap_or_else(|| self.response.verdict())
    }
}

impl Client {
    /// Connects to a cluster: to any of the endpoints, and from there to the leader. Waits until one node answers or
    /// the configuration's `connect_max` has passed for each.
    pub async fn connect(config: ClientConfig) -> Result<Self, ClientError> {
        let count = u32::try_from(config.endpoints.len()).unwrap_or(u32::MAX);
        let longest = config.retry.connect_max.saturating_mul(count.saturating_add(2));
        let client = Self::new(config)?;
        client.endpoints.connection(Deadline::after(longest)).await.map_err(|failure| ClientError::Unavailable {
            code: failure.code,
            message: failure.message,
            attempts: 1,
        })?;
        Ok(client)
    }

    /// A client that connects with its first call.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let endpoints = Arc::new(Endpoints::new(&config)?);
        Ok(Client { endpoints, trust: None, tenant: config.tenant })
    }

    /// The same client with another credential, over the same connections. `tenant` is whose decisions it asks for.
    pub fn with_token(&self, token: &str, tenant: Option<String>) -> Result<Self, ClientError> {
        let endpoints = Arc::new(self.endpoints.with_token(token)?);
        Ok(Client { endpoints, trust: self.trust.clone(), tenant })
    }

    /// Makes the client verify every receipt. Without this, decisions are believed because the connection is
    /// authenticated.
    #[must_use]
    pub fn with_trust(mut self, trust: Arc<Trust>) -> Self {
        self.trust = Some(trust);
        self
    }

    /// What the client verifies with, if anything.
    pub fn trust(&self) -> Option<&Arc<Trust>> {
        self.trust.as_ref()
    }

    /// A fresh request id. Keep it with the request: a retry, even of another process, must carry it.
    pub fn request_id() -> Result<String, ClientError> {
        Ok(RequestId::now()?.to_string())
    }

    /// Asks for a decision. An empty `request_id` is filled in; retries carry the same one. Returns within the
    /// deadline.
    ///
    /// With a [`Trust`] the receipt is verified and the leaf must say what the answer says; otherwise the answer is an
    /// error.
    pub async fn evaluate(
        &self,
        mut request: v1::EvaluateRequest,
        deadline: Deadline,
    ) -> Result<Decision, ClientError> {
        fill_id(&mut request.request_id)?;
        let kind = Kind::Write(request.request_id.clone());
        let response = call(&self.endpoints, kind, deadline, request.clone(), |channel, message| async move {
            ledger(channel).evaluate(message).await
        })
        .await?;
        self.believe(&request, response).await
    }

    /// What became of a request id: unknown, pending, committed (with the decision) or refused. `subject` as in the
    /// request.
    ///
    /// A committed decision's receipt is verified with the client's [`Trust`].
    pub async fn status(
        &self,
        request_id: &str,
        subject: &str,
        deadline: Deadline,
    ) -> Result<(v1::StatusResponse, Option<Decision>), ClientError> {
        let request = v1::StatusRequest { request_id: request_id.to_owned(), subject: subject.to_owned() };
        let mut response = call(&self.endpoints, Kind::Read, deadline, request, |channel, message| async move {
            ledger(channel).status(message).await
        })
        .await?;
        let decision = match response.decision.take() {
            Some(decision) => {
                if decision.request_id != request_id {
                    return Err(ClientError::Protocol("the decision is that of another request id".to_owned()));
                }
                let receipt = self.prove_decision(&decision).await?;
                Some(Decision { response: decision, receipt })
            }
            None => None,
        };
        Ok((response, decision))
    }

    /// Checks an answer against its request and its receipt.
    pub(crate) async fn believe(
        &self,
        request: &v1::EvaluateRequest,
        response: v1::EvaluateResponse,
    ) -> Result<Decision, ClientError> {
        if response.request_id != request.request_id {
            return Err(ClientError::Protocol("the decision is that of another request id".to_owned()));
        }
        if response.verdict() == v1::Verdict::Unspecified {
            return Err(ClientError::Protocol("the decision has no verdict".to_owned()));
        }
        let receipt = self.prove_decision(&response).await?;
        if let Some(receipt) = &receipt {
            crate::trust::check_request(receipt, request)?;
        }
        Ok(Decision { response, receipt })
    }

    async fn prove_decision(&self, response: &v1::EvaluateResponse) -> Result<Option<VerifiedReceipt>, ClientError> {
        let Some(trust) = &self.trust else { return Ok(None) };
        let receipt = trust.receipt(self, &response.receipt).await?;
        crate::trust::check_response(&receipt, response, self.tenant.as_deref())?;
        Ok(Some(receipt))
    }

    /// A deadline for look-ups that the client makes on its own account, such as the ledger's keys.
    pub(crate) fn own_deadline(&self) -> Deadline {
        Deadline::after(self.endpoints.policy().attempt_max.max(Duration::from_secs(1)).saturating_mul(2))
    }
}

/// Fills in a request id that the caller left empty.
pub(crate) fn fill_id(request_id: &mut String) -> Result<(), ClientError> {
    if request_id.is_empty() {
        *request_id = Client::request_id()?;
    }
    Ok(())
}

pub(crate) fn ledger(channel: tonic::transport::Channel) -> LedgerClient<tonic::transport::Channel> {
    LedgerClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).max_encoding_message_size(ANSWER_BYTES_MAX)
}
