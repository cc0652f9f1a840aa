//! The listeners: gRPC for clients and for the other nodes, both under mutual TLS, and plain HTTP for health and metrics.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use assent_proto::v1::admin_server::AdminServer;
use assent_proto::v1::approvals_server::ApprovalsServer;
use assent_proto::v1::capabilities_server::CapabilitiesServer;
use assent_proto::v1::cluster_server::ClusterServer;
use assent_proto::v1::control_server::ControlServer;
use assent_proto::v1::execution_server::ExecutionServer;
use assent_proto::v1::ledger_server::LedgerServer;
use assent_proto::v1::memory_server::MemoryServer;
use assent_proto::v1::messages_server::MessagesServer;
use assent_proto::v1::peer_server::PeerServer;
use assent_proto::v1::runs_server::RunsServer;
use assent_proto::v1::signals_server::SignalsServer;
use assent_proto::v1::state_server::StateServer;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::admin::AdminService;
use super::cluster::ClusterService;
use super::control::ControlService;
use super::execution::ExecutionService;
use super::grants::{ApprovalsService, CapabilitiesService};
use super::ledger::LedgerService;
use super::memory::MemoryService;
use super::messages::MessagesService;
use super::runs::RunsService;
use super::signals::SignalsService;
use super::state::StateService;
use super::{Api, errors, http, http_json};
use crate::node::Node;
use crate::raft::network;
use crate::raft::peer_service::PeerService;

/// Longest message of a client, in bytes, except to and from `Ledger`: the longest bundle, with room.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Longest message to and from `Ledger`, in bytes: it carries many requests or seals at once.
pub const LEDGER_MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Calls of one client connection that are served at once; more wait.
const CALLS_PER_CONNECTION_MAX: usize = 2048;
/// Streams of one connection, of clients and nodes.
const STREAMS_PER_CONNECTION_MAX: u32 = 4096;
/// Longest list of metadata of a call, in bytes.
const METADATA_BYTES_MAX: u32 = 16 << 10;
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How long each listener may take to answer what is under way when the node stops.
const DRAIN_MAX: Duration = Duration::from_secs(12);

/// Why the node does not listen any more, or never did.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened at.
    #[error("cannot listen at {address} ({what}): {source}; free the address or set listen.{what}")]
    Bind {
        /// The key of the configuration.
        what: &'static str,
        /// The address.
        address: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The certificates are not usable, or a connection broke the listener.
    #[error("{what}: {source}; check the certificates that [tls] names")]
    Grpc {
        /// Which listener.
        what: &'static str,
        /// The cause.
        source: tonic::transport::Error,
    },
    /// The certificates are not usable for HTTP/JSON.
    #[error("http_api listener: {0}")]
    Tls(String),
    /// The HTTP listener failed.
    #[error("http: {0}")]
    Http(std::io::Error),
}

/// The running listeners.
pub struct Servers {
    addresses: [SocketAddr; 3],
    http_api: Option<SocketAddr>,
    // In the order in which they stop: clients first, so that what they wait for can still be committed; then the nodes.
    running: Vec<Running>,
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Binds the configured addresses and serves: clients, the other nodes, HTTP.
pub async fn start(api: Arc<Api>) -> Result<Servers, ServeError> {
    let listen = api.node().config().listen.clone();
    let client = bind("client", &listen.client).await?;
    let peer = bind("peer", &listen.peer).await?;
    let http = bind("http", &listen.http).await?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(ServeError::Http);
    let addresses = [address(&client)?, address(&peer)?, address(&http)?];
    let http_api = match &listen.http_api {
        Some(address) => Some(bind("http_api", address).await?),
        None => None,
    };
    let http_api_address = http_api.as_ref().map(address).transpose()?;
    let routes = client_routes(&api);
    let mut running = Vec::new();
    if let Some(listener) = http_api {
        running.push(run("http_api listener", |stop| serve_http_json(&api, routes.clone(), listener, stop))?);
    }
    running.push(run("client listener", |stop| serve_clients(&api, routes, client, stop))?);
    running.push(run("peer listener", |stop| serve_peers(api.node(), peer, stop))?);
    running.push(run("http listener", |stop| Ok(serve_http(api.clone(), http, stop)))?);
    let [client, peer, http] = addresses;
    let shown = http_api_address.map_or_else(|| "off".to_owned(), |address| address.to_string());
    tracing::info!(%client, %peer, %http, http_api = shown, "listening");
    Ok(Servers { addresses, http_api: http_api_address, running })
}

impl Servers {
    /// Where it listens for clients, for the other nodes and for HTTP; of use when a configured port is 0.
    pub const fn addresses(&self) -> [SocketAddr; 3] {
        self.addresses
    }

    /// Where it listens for HTTP/JSON, if it does.
    pub const fn http_api(&self) -> Option<SocketAddr> {
        self.http_api
    }

    /// Stops taking new connections and waits for the calls that are under way; those that take too long are cut off.
    pub async fn drain(self) {
        for Running { stop, mut task } in self.running {
            stop.cancel();
            if tokio::time::timeout(DRAIN_MAX, &mut task).await.is_err() {
                tracing::warn!("calls were still under way; they are cut off");
                task.abort();
            }
        }
    }
}

fn run<F>(
    what: &'static str,
    serve: impl FnOnce(WaitForCancellationFutureOwned) -> Result<F, ServeError>,
) -> Result<Running, ServeError>
where
    F: Future<Output = Result<(), ServeError>> + Send + 'static,
{
    let stop = CancellationToken::new();
    let serving = serve(stop.clone().cancelled_owned())?;
    let task = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the {what} failed; this process ends so that it is restarted");
            std::process::exit(3);
        }
    });
    Ok(Running { stop, task })
}

async fn bind(what: &'static str, address: &str) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| ServeError::Bind { what, address: address.to_owned(), source })
}

type Stop = WaitForCancellationFutureOwned;

macro_rules! served {
    ($server:ident, $service:ident, $api:ident, $max:expr) => {
        $server::new($service::new($api.clone())).max_decoding_message_size($max).max_encoding_message_size($max)
    };
}

/// The services for clients, as both protocols serve them.
fn client_routes(api: &Arc<Api>) -> Router {
    let routes = Routes::new(served!(LedgerServer, LedgerService, api, LEDGER_MESSAGE_BYTES_MAX))
        .add_service(served!(AdminServer, AdminService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(ClusterServer, ClusterService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(ControlServer, ControlService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(ExecutionServer, ExecutionService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(CapabilitiesServer, CapabilitiesService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(ApprovalsServer, ApprovalsService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(MemoryServer, MemoryService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(MessagesServer, MessagesService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(RunsServer, RunsService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(SignalsServer, SignalsService, api, MESSAGE_BYTES_MAX))
        .add_service(served!(StateServer, StateService, api, MESSAGE_BYTES_MAX));
    routes.into_axum_router().layer(axum::middleware::map_response(errors::undecoded))
}

fn serve_http_json(
    api: &Arc<Api>,
    routes: Router,
    listener: TcpListener,
    stop: Stop,
) -> Result<impl Future<Output = Result<(), ServeError>> + Send + use<>, ServeError> {
    let tls = api.node().tls().https_server().map_err(|source| ServeError::Tls(source.to_string()))?;
    let router = http_json::router(api.clone(), http_json::Services::new(routes));
    Ok(async move {
        http_json::serve(listener, tls, router, stop).await;
        Ok(())
    })
}

fn serve_clients(
    api: &Arc<Api>,
    routes: Router,
    listener: TcpListener,
    stop: Stop,
) -> Result<impl Future<Output = Result<(), ServeError>> + Send + use<>, ServeError> {
    let failed = |source| ServeError::Grpc { what: "client listener", source };
    let serving = Server::builder()
        .tls_config(api.node().tls().server())
        .map_err(failed)?
        .concurrency_limit_per_connection(CALLS_PER_CONNECTION_MAX)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(METADATA_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_routes(routes.into())
        .serve_with_incoming_shutdown(incoming(listener), stop);
    Ok(async move { serving.await.map_err(failed) })
}

fn serve_peers(
    node: &Arc<Node>,
    listener: TcpListener,
    stop: Stop,
) -> Result<impl Future<Output = Result<(), ServeError>> + Send + use<>, ServeError> {
    let failed = |source| ServeError::Grpc { what: "peer listener", source };
    let peer = PeerServer::new(PeerService::new(node.clone()))
        .max_decoding_message_size(network::MESSAGE_BYTES_MAX)
        .max_encoding_message_size(network::MESSAGE_BYTES_MAX);
    let serving = Server::builder()
        .tls_config(node.tls().server())
        .map_err(failed)?
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(METADATA_BYTES_MAX)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .add_service(peer)
        .serve_with_incoming_shutdown(incoming(listener), stop);
    Ok(async move { serving.await.map_err(failed) })
}

async fn serve_http(api: Arc<Api>, listener: TcpListener, stop: Stop) -> Result<(), ServeError> {
    axum::serve(listener, http::router(api)).with_graceful_shutdown(stop).await.map_err(ServeError::Http)
}

fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(KEEPALIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bind_error_says_address_and_key() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let message = bind("peer", &address).await.unwrap_err().to_string();
        assert!(message.contains(&address) && message.contains("listen.peer"), "{message}");
    }
}
