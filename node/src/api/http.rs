//! Health and metrics over plain HTTP. Live means that the process works; ready means that it should be sent requests.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use openraft::async_runtime::watch::WatchReceiver;

use super::Api;

/// A node is ready while it lacks at most this many Raft entries that it knows to be committed.
const LAG_MAX: u64 = 5000;
const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
const OPEN_METRICS: [(header::HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];

/// The routes.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(api)
}

/// What readiness depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    stopping: bool,
    fenced: Option<String>,
    member: bool,
    leader_known: bool,
    /// Raft entries that are known to be committed and not applied yet.
    lag: u64,
}

impl Condition {
    /// Why the node is not ready; empty when it is.
    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.stopping {
            reasons.push("the node is stopping".to_owned());
        }
        if let Some(reason) = &self.fenced {
            reasons.push(format!("the node is fenced off: {reason}"));
        }
        if !self.member {
            reasons.push("the node is not a member of a cluster; bootstrap one or add the node".to_owned());
        }
        if !self.leader_known {
            reasons.push("no leader is known".to_owned());
        }
        if self.lag > LAG_MAX {
            reasons.push(format!("{} committed Raft entries are not applied yet, more than {LAG_MAX}", self.lag));
        }
        reasons
    }
}

impl Api {
    fn condition(&self) -> Condition {
        let metrics = self.node.raft().metrics();
        let metrics = metrics.borrow_watched();
        let known = metrics.cluster_committed.as_ref().or(metrics.local_committed.as_ref());
        let committed = known.map_or(0, |id| id.index);
        let applied = metrics.last_applied.as_ref().map_or(0, |id| id.index);
        Condition {
            stopping: self.node.stopping(),
            fenced: self.node.fence().reason(),
            member: metrics.membership_config.get_node(&self.node.id().0).is_some(),
            leader_known: metrics.current_leader.is_some(),
            lag: committed.saturating_sub(applied),
        }
    }
}

async fn live() -> Response {
    (StatusCode::OK, JSON, "{\"live\":true}\n").into_response()
}

async fn ready(State(api): State<Arc<Api>>) -> Response {
    let reasons = api.condition().reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons });
    (status, JSON, format!("{body}\n")).into_response()
}

async fn metrics(State(api): State<Arc<Api>>) -> Response {
    match api.metrics_text() {
        Ok(text) => (StatusCode::OK, OPEN_METRICS, text).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_named_and_a_good_node_has_none() {
        let good = Condition { stopping: false, fenced: None, member: true, leader_known: true, lag: LAG_MAX };
        assert!(good.reasons().is_empty());
        for (bad, word) in [
            (Condition { stopping: true, ..good.clone() }, "stopping"),
            (Condition { fenced: Some("root differs".to_owned()), ..good.clone() }, "root differs"),
            (Condition { member: false, ..good.clone() }, "member"),
            (Condition { leader_known: false, ..good.clone() }, "leader"),
            (Condition { lag: LAG_MAX + 1, ..good.clone() }, "not applied"),
        ] {
            let reasons = bad.reasons();
            assert!(reasons.len() == 1 && reasons[0].contains(word), "{reasons:?}");
        }
    }
}
