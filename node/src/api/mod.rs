//! The client-facing services: gRPC for deciding, administering, reading and proving, plain HTTP for health and metrics.
//!
//! Commands are decided on the leader only; every other node passes them on. Reads that do not ask "is it committed" are served by
//! any node from what it has applied.

pub mod admin;
pub mod auth;
pub mod bootstrap;
pub mod check;
pub mod cluster;
pub mod commands;
pub mod control;
pub mod convert;
pub mod decide;
pub mod entries;
pub mod errors;
pub mod execution;
pub mod forward;
pub mod grants;
pub mod http;
pub mod http_json;
pub mod ledger;
pub mod membership;
pub mod memory;
pub mod messages;
pub mod metrics;
pub mod place;
pub mod proofs;
pub mod runs;
pub mod server;
pub mod settle;
pub mod signals;
pub mod state;
pub mod status;
pub mod under_way;

use std::sync::Arc;
use std::time::Duration;

use assent_kernel::command::{Caller, Role};
use assent_ledger::hash::Hash;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::node::Node;
use crate::outcome::ApiError;
use crate::tls::TlsMaterial;
use errors::CallError;
use forward::Forwarder;
use metrics::Metrics;
use under_way::UnderWay;

/// How long a node that may be behind waits for a credential that it does not know yet: a few heartbeats.
const CREDENTIAL_CATCH_UP: Duration = Duration::from_millis(300);

/// What all services share.
pub struct Api {
    node: Arc<Node>,
    forwarder: Forwarder,
    metrics: Arc<Metrics>,
    under_way: UnderWay,
}

impl Api {
    /// For one node; `tls` is for calls that are passed on to the leader.
    pub fn new(node: Arc<Node>, tls: TlsMaterial) -> Arc<Self> {
        let forwarder = Forwarder::new(tls, node.config().limits.request_timeout());
        Arc::new(Api { node, forwarder, metrics: Arc::new(Metrics::new()), under_way: UnderWay::default() })
    }

    /// The node behind the services.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    fn request_timeout(&self) -> Duration {
        self.node.config().limits.request_timeout()
    }

    /// Whether this node serves at all: it is neither stopping nor fenced off.
    fn open(&self) -> Result<(), ApiError> {
        if self.node.stopping() {
            return Err(ApiError::stopping());
        }
        match self.node.fence().reason() {
            Some(reason) => Err(ApiError::fenced(&reason)),
            None => Ok(()),
        }
    }

    /// Who calls, for a call that is served here.
    async fn caller(&self, metadata: &MetadataMap) -> Result<Caller, ApiError> {
        let token = auth::token_hash_of(metadata)?;
        if !self.is_created() {
            return Err(ApiError::not_bootstrapped());
        }
        let found = self.node.store().view().credential(&token);
        let found = match found {
            Some(found) => Some(found),
            None => self.credential_after_catching_up(&token).await,
        };
        auth::caller(found.as_ref())
    }

    /// Who calls, for a call that any node serves.
    async fn reader(&self, metadata: &MetadataMap) -> Result<Caller, ApiError> {
        self.open()?;
        self.caller(metadata).await
    }

    /// A credential that was registered a moment ago, through another node, becomes known here with the next Raft entry.
    async fn credential_after_catching_up(&self, token: &Hash) -> Option<assent_kernel::state::keys::CredentialRecord> {
        let mut progress = self.node.store().progress();
        let look = async {
            loop {
                if let Some(found) = self.node.store().view().credential(token) {
                    return Some(found);
                }
                if progress.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(CREDENTIAL_CATCH_UP, look).await.unwrap_or(None)
    }

    /// Whether the genesis was applied here.
    fn is_created(&self) -> bool {
        self.node.store().view().ledger().is_some()
    }

    /// Counts a failed call and makes it ready for the wire.
    fn failed(&self, error: impl Into<CallError>) -> Status {
        let error = error.into();
        self.metrics.refused(error.code());
        error.into()
    }
}

/// Whether a caller may see every tenant's entries: auditors and operators of the ledger itself.
fn sees_everything(caller: &Caller) -> bool {
    caller.tenant.is_system() && matches!(caller.role, Role::Auditor | Role::Operator)
}

/// Whether a caller may change who belongs to the cluster.
fn must_be_operator(caller: &Caller) -> Result<(), ApiError> {
    if caller.tenant.is_system() && caller.role == Role::Operator {
        return Ok(());
    }
    Err(ApiError::forbidden(format!("role {} may not change the cluster; use an operator's credential", caller.role)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_ledger::ids::TenantId;

    fn caller(tenant: &str, role: Role) -> Caller {
        let tenant = TenantId::new(tenant).unwrap();
        Caller { tenant, subject: None, attested: false, role, credential: "c".to_owned() }
    }

    #[test]
    fn only_the_ledgers_own_auditors_and_operators_see_everything() {
        for role in Role::ALL {
            assert!(!sees_everything(&caller("acme", role)), "{role}");
            assert_eq!(sees_everything(&caller("-", role)), matches!(role, Role::Auditor | Role::Operator), "{role}");
        }
    }

    #[test]
    fn only_operators_of_the_ledger_change_the_cluster() {
        for role in Role::ALL {
            assert!(must_be_operator(&caller("acme", role)).is_err(), "{role}");
            assert_eq!(must_be_operator(&caller("-", role)).is_ok(), role == Role::Operator, "{role}");
        }
    }
}
