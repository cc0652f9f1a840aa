//! Passing calls on to the leader, with the caller's own token: the leader authenticates and decides as if it had been asked itself.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use assent_proto::v1::admin_client::AdminClient;
use assent_proto::v1::approvals_client::ApprovalsClient;
use assent_proto::v1::capabilities_client::CapabilitiesClient;
use assent_proto::v1::cluster_client::ClusterClient;
use assent_proto::v1::control_client::ControlClient;
use assent_proto::v1::execution_client::ExecutionClient;
use assent_proto::v1::ledger_client::LedgerClient;
use assent_proto::v1::memory_client::MemoryClient;
use assent_proto::v1::messages_client::MessagesClient;
use assent_proto::v1::runs_client::RunsClient;
use assent_proto::v1::signals_client::SignalsClient;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use super::auth::AUTHORIZATION_KEY;
use super::errors::{self, CallError};
use super::server::{LEDGER_MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::outcome::ApiError;
use crate::tls::TlsMaterial;

/// Metadata key that counts how often a call was passed on.
pub const HOPS_KEY: &str = "assent-hops";
/// A call is passed on at most this often: nodes that disagree about the leader must not play ball.
pub const HOPS_MAX: u8 = 2;
/// Connections kept; a cluster has far fewer nodes.
const CHANNELS_MAX: usize = 32;

/// Makes calls to the leader.
pub struct Forwarder {
    tls: TlsMaterial,
    timeout: Duration,
    channels: Mutex<BTreeMap<String, Channel>>,
}

impl Forwarder {
    /// With this node's certificate and the longest time that a call may take.
    pub fn new(tls: TlsMaterial, timeout: Duration) -> Self {
        Forwarder { tls, timeout, channels: Mutex::default() }
    }

    /// A client of the leader's `Ledger`.
    pub fn ledger(&self, address: &str) -> Result<LedgerClient<Channel>, ApiError> {
        Ok(LedgerClient::new(self.channel(address)?)
            .max_decoding_message_size(LEDGER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(LEDGER_MESSAGE_BYTES_MAX))
    }

    /// A client of the leader's `Cluster`.
    pub fn cluster(&self, address: &str) -> Result<ClusterClient<Channel>, ApiError> {
        Ok(ClusterClient::new(self.channel(address)?)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// A connection to the leader.
    pub fn channel(&self, address: &str) -> Result<Channel, ApiError> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        let channel = connect(address, &self.tls).map_err(|error| {
            errors::with_message(
                ApiError::no_leader(),
                format!("the leader's address {address} is not usable: {error}"),
            )
        })?;
        if channels.len() >= CHANNELS_MAX {
            channels.clear();
        }
        channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }

    /// Waits for the leader's answer and says of a failure whether anything can have happened.
    pub async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<Response<T>, CallError> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(response)) => Ok(Response::new(response.into_inner())),
            Ok(Err(status)) => Err(failed(&status)),
            Err(_) => Err(ApiError::unknown("the leader did not answer in time").into()),
        }
    }
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident,)*) => {$(
        $(#[$doc])*
        pub fn $name(channel: Channel) -> $client<Channel> {
            $client::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX)
        }
    )*};
}

clients! {
    /// A client of `Admin`.
    admin: AdminClient,
    /// A client of `Execution`.
    execution: ExecutionClient,
    /// A client of `Capabilities`.
    capabilities: CapabilitiesClient,
    /// A client of `Approvals`.
    approvals: ApprovalsClient,
    /// A client of `Memory`.
    memory: MemoryClient,
    /// A client of `Messages`.
    messages: MessagesClient,
    /// A client of `Control`.
    control: ControlClient,
    /// A client of `Runs`.
    runs: RunsClient,
    /// A client of `Signals`.
    signals: SignalsClient,
}

/// A connection that is made with the first call and made anew when it breaks.
fn connect(address: &str, tls: &TlsMaterial) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("https://{address}"))?
        .tls_config(tls.client())?
        .connect_timeout(Duration::from_millis(500))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(5))
        .keep_alive_timeout(Duration::from_secs(5));
    Ok(endpoint.connect_lazy())
}

fn failed(status: &Status) -> CallError {
    if let Some(status) = errors::passed_on(status) {
        return status.into();
    }
    if errors::never_sent(status) {
        return errors::leader_unreachable().into();
    }
    ApiError::unknown(format!("the connection to the leader failed: {}", status.message())).into()
}

/// The call as it goes on: the same message, the caller's token, one hop more.
pub fn onward<T>(message: T, metadata: &MetadataMap) -> Result<Request<T>, ApiError> {
    let hops = hops_of(metadata)?;
    if hops >= HOPS_MAX {
        return Err(errors::with_message(ApiError::no_leader(), "the nodes do not agree on a leader at the moment"));
    }
    let mut request = Request::new(message);
    if let Some(token) = metadata.get(AUTHORIZATION_KEY) {
        request.metadata_mut().insert(AUTHORIZATION_KEY, token.clone());
    }
    request.metadata_mut().insert(HOPS_KEY, u64::from(hops + 1).into());
    Ok(request)
}

fn hops_of(metadata: &MetadataMap) -> Result<u8, ApiError> {
    match metadata.get(HOPS_KEY) {
        None => Ok(0),
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| ApiError::malformed(format!("metadata {HOPS_KEY} must be a small number; leave it out"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::WriteOutcome;

    fn metadata(hops: Option<&str>) -> MetadataMap {
        let mut map = MetadataMap::new();
        map.insert(AUTHORIZATION_KEY, "Bearer x".parse().unwrap());
        map.insert("other", "y".parse().unwrap());
        if let Some(hops) = hops {
            map.insert(HOPS_KEY, hops.parse().unwrap());
        }
        map
    }

    #[test]
    fn the_token_goes_on_and_nothing_else() {
        let request = onward(7, &metadata(None)).unwrap();
        assert_eq!(request.metadata().get(AUTHORIZATION_KEY).unwrap(), "Bearer x");
        assert_eq!(request.metadata().get(HOPS_KEY).unwrap(), "1");
        assert!(request.metadata().get("other").is_none());
    }

    #[test]
    fn a_call_is_passed_on_at_most_twice() {
        assert_eq!(onward(7, &metadata(Some("1"))).unwrap().metadata().get(HOPS_KEY).unwrap(), "2");
        let error = onward(7, &metadata(Some("2"))).unwrap_err();
        assert_eq!((error.code, error.write), ("NO_LEADER", WriteOutcome::NotAccepted));
        assert_eq!(onward(7, &metadata(Some("-1"))).unwrap_err().code, "MALFORMED");
    }

    #[test]
    fn a_broken_connection_leaves_the_outcome_unknown_and_one_that_never_came_up_does_not() {
        let broken = Status::from(failed(&Status::unavailable("broken pipe")));
        assert_eq!(broken.metadata().get(errors::WRITE_KEY).unwrap(), "outcome-unknown");
        let refused = Status::from_error(Box::new(tonic::ConnectError("refused".into())));
        let refused = Status::from(failed(&refused));
        assert_eq!(refused.metadata().get(errors::WRITE_KEY).unwrap(), "not-accepted");
        assert_eq!(refused.metadata().get(errors::CODE_KEY).unwrap(), "NO_LEADER");
    }

    async fn write_word(address: std::net::SocketAddr) -> String {
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        let mut client = LedgerClient::new(channel);
        let status = client.evaluate(assent_proto::v1::EvaluateRequest::default()).await.unwrap_err();
        let status = Status::from(failed(&status));
        status.metadata().get(errors::WRITE_KEY).unwrap().to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn the_transport_tells_a_refused_connection_from_one_that_broke() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let broken = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            // Long enough for the request to arrive; then the connection goes without an answer.
            let mut bytes = [0; 64];
            tokio::io::AsyncReadExt::read_exact(&mut connection, &mut bytes).await.unwrap();
        });
        assert_eq!(write_word(address).await, "outcome-unknown");
        broken.await.unwrap();
        assert_eq!(write_word(address).await, "not-accepted");
    }
}
