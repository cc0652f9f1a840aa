//! The nodes that a client knows, their connections, and which of them to ask next.
//!
//! The client prefers the leader, since any other node would only pass the request on. Who leads is asked of whatever
//! node is reachable and is a hint: a wrong hint costs a hop or a retry, never an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::call::authorized;
use crate::config::{ClientConfig, RetryPolicy};
use crate::deadline::Deadline;
use crate::error::{ClientError, Failure};
use crate::v1::ClusterInfoRequest;
use crate::v1::cluster_client::ClusterClient;

/// Most addresses that the client keeps, so that no answer can make the list grow for ever.
const TARGETS_MAX: usize = 64;
/// Longest wait for the answer to "who leads?".
const INFO_MAX: Duration = Duration::from_secs(1);
/// While on a node that does not lead, or after a failure: how long until the leader is looked up again.
const RECHECK_AFTER: Duration = Duration::from_secs(2);

/// The endpoints with their connections, and the credential with which they are used.
pub(crate) struct Endpoints {
    nodes: Arc<Nodes>,
    policy: RetryPolicy,
    token: Option<tonic::metadata::AsciiMetadataValue>,
}

/// What clients with different credentials can share.
struct Nodes {
    tls: ClientTlsConfig,
    state: Mutex<State>,
}

struct State {
    targets: Vec<Target>,
    current: usize,
    /// When to ask who leads; `None` while on the leader.
    find_leader_at: Option<Instant>,
    /// The address whose connection failed last: a leader hint that names it is not followed before the next look-up.
    avoid: Option<String>,
}

struct Target {
    address: String,
    channel: Option<Channel>,
}

/// A connection and where it leads.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) address: String,
    pub(crate) channel: Channel,
}

impl Endpoints {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ClientError> {
        if config.endpoints.is_empty() {
            return Err(ClientError::Config("no endpoint is given; name at least one node as host:port".to_owned()));
        }
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&config.ca_pem))
            .identity(Identity::from_pem(&config.cert_pem, config.key_pem.as_slice()));
        if let Some(domain) = &config.domain {
            tls = tls.domain_name(domain.clone());
        }
        let token = config.token.as_ref().map(|token| bearer(token)).transpose()?;
        let mut targets: Vec<Target> = Vec::new();
        for endpoint in &config.endpoints {
            let address = address_of(endpoint)?;
            if targets.len() < TARGETS_MAX && targets.iter().all(|t| t.address != address) {
                targets.push(Target { address, channel: None });
            }
        }
        let state = State { targets, current: 0, find_leader_at: Some(Instant::now()), avoid: None };
        let nodes = Arc::new(Nodes { tls, state: Mutex::new(state) });
        Ok(Endpoints { nodes, policy: config.retry, token })
    }

    /// The same nodes over the same connections with another credential.
    pub(crate) fn with_token(&self, token: &str) -> Result<Self, ClientError> {
        Ok(Endpoints { nodes: self.nodes.clone(), policy: self.policy, token: Some(bearer(token)?) })
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    pub(crate) fn token(&self) -> Option<&tonic::metadata::AsciiMetadataValue> {
        self.token.as_ref()
    }

    /// A connection to the node to ask now: the leader if it is known, else any node that can be reached.
    pub(crate) async fn connection(&self, deadline: Deadline) -> Result<Connection, Failure> {
        let mut state = self.nodes.state.lock().await;
        let mut found = self.any(&mut state, deadline).await?;
        if state.find_leader_at.is_some_and(|at| at <= Instant::now()) {
            state.find_leader_at = Some(Instant::now() + RECHECK_AFTER);
            if let Some(leader) = self.leader(&found, deadline).await {
                if leader == found.address {
                    state.find_leader_at = None;
                } else if state.avoid.as_ref() != Some(&leader) {
                    found = self.move_to(&mut state, leader, found, deadline).await;
                }
            }
            state.avoid = None;
        }
        Ok(found)
    }

    /// Connections to every node that the client knows, by address; unreachable ones are left out.
    pub(crate) async fn connect_to(&self, endpoint: &str, deadline: Deadline) -> Result<Connection, Failure> {
        let address = address_of(endpoint).map_err(|e| Failure::unreachable(e.to_string()))?;
        let channel = self.connect(&address, deadline).await?;
        Ok(Connection { address, channel })
    }

    /// The connection broke or went silent: drop it, ask another node next, and look for the leader again.
    pub(crate) async fn lost(&self, address: &str) {
        let mut state = self.nodes.state.lock().await;
        let Some(position) = state.targets.iter().position(|t| t.address == address) else { return };
        if let Some(target) = state.targets.get_mut(position) {
            target.channel = None;
        }
        if state.current == position {
            state.current = (position + 1) % state.targets.len().max(1);
        }
        state.find_leader_at = Some(Instant::now());
        state.avoid = Some(address.to_owned());
    }

    /// The node answered that it cannot take the request now: it may have stopped leading.
    pub(crate) async fn not_accepted(&self) {
        let mut state = self.nodes.state.lock().await;
        state.find_leader_at = Some(Instant::now());
    }

    /// The current target, or the next that can be reached.
    async fn any(&self, state: &mut State, deadline: Deadline) -> Result<Connection, Failure> {
        let mut last = Failure::unreachable("no endpoint is known".to_owned());
        for _ in 0..state.targets.len() {
            let current = state.current;
            let Some(target) = state.targets.get_mut(current) else { break };
            let address = target.address.clone();
            if let Some(channel) = &target.channel {
                return Ok(Connection { address, channel: channel.clone() });
            }
            match self.connect(&address, deadline).await {
                Ok(channel) => {
                    target.channel = Some(channel.clone());
                    return Ok(Connection { address, channel });
                }
                Err(failure) => last = failure,
            }
            state.current = (current + 1) % state.targets.len();
            state.find_leader_at = Some(Instant::now());
            if deadline.has_passed() {
                break;
            }
        }
        Err(last)
    }

    /// Asks one node who leads; gives the leader's client address when it is known.
    async fn leader(&self, connection: &Connection, deadline: Deadline) -> Option<String> {
        let time = deadline.attempt(INFO_MAX);
        let request = authorized(ClusterInfoRequest {}, self.token(), time);
        let mut client = ClusterClient::new(connection.channel.clone());
        let info = tokio::time::timeout(time, client.info(request)).await.ok()?.ok()?.into_inner();
        let leader = info.members.iter().find(|m| !info.leader_id.is_empty() && m.node_id == info.leader_id)?;
        address_of(&leader.client_address).ok()
    }

    /// Connects to the leader; stays where it is when that fails.
    async fn move_to(&self, state: &mut State, leader: String, from: Connection, deadline: Deadline) -> Connection {
        let position = match state.targets.iter().position(|t| t.address == leader) {
            Some(position) => position,
            None if state.targets.len() < TARGETS_MAX => {
                state.targets.push(Target { address: leader.clone(), channel: None });
                state.targets.len() - 1
            }
            None => return from,
        };
        let existing = state.targets.get(position).and_then(|t| t.channel.clone());
        let channel = match existing {
            Some(channel) => channel,
            None => match self.connect(&leader, deadline).await {
                Ok(channel) => channel,
                Err(_) => return from,
            },
        };
        if let Some(target) = state.targets.get_mut(position) {
            target.channel = Some(channel.clone());
        }
        state.current = position;
        state.find_leader_at = None;
        Connection { address: leader, channel }
    }

    async fn connect(&self, address: &str, deadline: Deadline) -> Result<Channel, Failure> {
        let time = deadline.attempt(self.policy.connect_max);
        let wrap = |error: &dyn std::error::Error| Failure::unreachable(format!("{address}: {}", with_causes(error)));
        let endpoint = Endpoint::from_shared(address.to_owned())
            .and_then(|e| e.tls_config(self.nodes.tls.clone()))
            .map_err(|e| wrap(&e))?
            .connect_timeout(time)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5));
        match tokio::time::timeout(time, endpoint.connect()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(wrap(&error)),
            Err(_) => Err(Failure::unreachable(format!("{address}: no connection in time"))),
        }
    }
}

fn bearer(token: &str) -> Result<tonic::metadata::AsciiMetadataValue, ClientError> {
    let text = zeroize::Zeroizing::new(format!("Bearer {token}"));
    let mut value: tonic::metadata::AsciiMetadataValue =
        text.parse().map_err(|_| ClientError::Config("the token is not one line of printable ASCII".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Brings an endpoint into the form `https://host:port`.
pub(crate) fn address_of(endpoint: &str) -> Result<String, ClientError> {
    let host = endpoint.strip_prefix("https://").unwrap_or(endpoint).trim_end_matches('/');
    let port = host.rsplit_once(':').and_then(|(name, port)| (!name.is_empty()).then(|| port.parse::<u16>().ok())?);
    if port.is_none() || host.contains("://") || host.contains('/') || host.contains('@') {
        return Err(ClientError::Config(format!("{endpoint:?} is no endpoint; write host:port")));
    }
    Ok(format!("https://{host}"))
}

/// An error and its causes in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn endpoints_have_one_form() {
        assert_eq!(address_of("127.0.0.1:7401").unwrap(), "https://127.0.0.1:7401");
        assert_eq!(address_of("https://n1.example:7401/").unwrap(), "https://n1.example:7401");
        assert_eq!(address_of("[::1]:7401").unwrap(), "https://[::1]:7401");
        for bad in ["", "n1.example", ":7401", "http://n1:7401", "n1:port", "n1:70000", "a@n1:1", "n1:1/x"] {
            assert!(address_of(bad).is_err(), "{bad}");
        }
    }
}
