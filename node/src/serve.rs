//! A node's life as a process: start, serve, stop in order.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::api::Api;
use crate::api::server;
use crate::config::Config;
use crate::node::{Node, StartError};

/// Starts a node, serves until SIGTERM or SIGINT, and stops: unready, leadership handed over, requests drained, everything flushed.
///
/// A SIGKILL at any point of this is as good as one at any other time: nothing that was acknowledged depends on a clean stop.
pub async fn run(config: Config) -> Result<(), StartError> {
    let node = Node::start(config).await?;
    serve(node).await
}

/// Serves a started node.
pub async fn serve(node: Arc<Node>) -> Result<(), StartError> {
    let api = Api::new(node.clone(), node.tls().clone());
    let servers = server::start(api).await.map_err(|e| StartError(e.to_string()))?;
    wait_for_signal().await?;
    tracing::info!("stopping: handing over, draining, flushing");
    node.hand_over().await;
    node.begin_stop();
    servers.drain().await;
    node.finish().await;
    Ok(())
}

async fn wait_for_signal() -> Result<(), StartError> {
    let failed = |e: std::io::Error| StartError(format!("cannot listen for signals: {e}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
