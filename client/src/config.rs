//! What a client needs to know before its first call.

use core::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

/// Where the cluster is, who the client is, and whose certificates it accepts.
#[derive(Clone)]
pub struct ClientConfig {
    /// Nodes to start from, `host:port` or `https://host:port`; one that answers is enough, the others are learnt.
    pub endpoints: Vec<String>,
    /// The authority that signed the nodes' certificates, PEM.
    pub ca_pem: Vec<u8>,
    /// The client's certificate, PEM.
    pub cert_pem: Vec<u8>,
    /// The key of the client's certificate, PEM.
    pub key_pem: Zeroizing<Vec<u8>>,
    /// The bearer token that names tenant and role; `None` calls without one, which only a few calls allow.
    pub token: Option<Zeroizing<String>>,
    /// The name to expect in the nodes' certificates instead of the host of the endpoint.
    pub domain: Option<String>,
    /// The tenant whose decisions this client asks for; when given, entries of any other tenant are not believed.
    pub tenant: Option<String>,
    /// When to try again.
    pub retry: RetryPolicy,
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor the token is shown.
        f.debug_struct("ClientConfig")
            .field("endpoints", &self.endpoints)
            .field("domain", &self.domain)
            .field("tenant", &self.tenant)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// Bounds of one attempt and of the pauses between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Longest time for a connection to come up. Default 2 s.
    pub connect_max: Duration,
    /// Longest time to wait for one attempt's answer; the next attempt carries the same request id. Default 3 s.
    pub attempt_max: Duration,
    /// First pause. Default 20 ms.
    pub pause_first: Duration,
    /// Longest pause. Default 500 ms.
    pub pause_longest: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            connect_max: Duration::from_secs(2),
            attempt_max: Duration::from_secs(3),
            pause_first: Duration::from_millis(20),
            pause_longest: Duration::from_millis(500),
        }
    }
}
