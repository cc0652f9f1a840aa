//! One voter in this process, served over TLS on loopback as `assentd --dev` is, whose clock the test moves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use assent_client::scenario::Clock as ScenarioClock;
use assent_client::{Client, ClientConfig, RetryPolicy, Trust};
use assent_fleet_demo::ports;
use assent_ledger::ids::Time;
use assent_node::api::Api;
use assent_node::api::server::{self, Servers};
use assent_node::clock::Clock;
use assent_node::dev;
use assent_node::node::Node;
use assent_node::ticker;
use futures::future::BoxFuture;
use tempfile::TempDir;

/// When the clock starts: 2030-01-01, as the clock of the kernel in the client's process does.
const START_MICROS: u64 = 1_893_456_000_000_000;
const SECOND_MICROS: u64 = 1_000_000;
const DAY_MICROS: u64 = 86_400 * SECOND_MICROS;
/// Ports that a development node listens on, one after the other.
const PORTS: u16 = 4;

/// A clock that stands still, but for a microsecond with every look at it, until it is moved.
pub struct TestClock(AtomicU64);

impl TestClock {
    fn moved(&self, micros: u64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        Time(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// The node.
pub struct TestNode {
    node: Arc<Node>,
    servers: Servers,
    clock: Arc<TestClock>,
    dir: TempDir,
    port: u16,
}

impl TestNode {
    /// A node with a new ledger.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicU64::new(START_MICROS)));
        let port = four_ports();
        let node = dev::start(dir.path(), port, clock.clone()).await.unwrap_or_else(|e| panic!("{e}"));
        let servers = server::start(Api::new(node.clone(), node.tls().clone())).await.unwrap_or_else(|e| panic!("{e}"));
        TestNode { node, servers, clock, dir, port }
    }

    /// A client with the operator's credential, which verifies every receipt.
    pub fn operator(&self) -> Client {
        let read = |name: &str| std::fs::read(self.dir.path().join(name)).unwrap();
        let line = |name: &str| line_of(self.dir.path(), name);
        let config = ClientConfig {
            endpoints: vec![format!("127.0.0.1:{}", self.port)],
            ca_pem: read("ca.pem"),
            cert_pem: read("client.pem"),
            key_pem: read("client.key").into(),
            token: Some(line("operator.token").into()),
            domain: None,
            tenant: None,
            retry: RetryPolicy::default(),
        };
        let trust = Trust::new(self.node.origin().clone(), line("root.pub").parse().unwrap());
        Client::new(config).unwrap().with_trust(Arc::new(trust))
    }

    /// The clock, for whoever plays scenarios.
    pub fn clock(&self) -> Arc<dyn ScenarioClock> {
        Arc::new(MovedClock { node: self.node.clone(), clock: self.clock.clone() })
    }

    /// Moves the clock to the next midnight: windows of an hour or a day begin anew.
    pub fn next_day(&self) {
        let now = self.clock.now().0;
        self.clock.moved(DAY_MICROS - now % DAY_MICROS);
    }

    /// Stops it as SIGTERM would.
    pub async fn stop(self) {
        self.node.begin_stop();
        self.servers.drain().await;
        self.node.finish().await;
    }
}

struct MovedClock {
    node: Arc<Node>,
    clock: Arc<TestClock>,
}

impl ScenarioClock for MovedClock {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn advance(&self, seconds: u64) -> BoxFuture<'_, Result<(), String>> {
        self.clock.moved(seconds.saturating_mul(SECOND_MICROS));
        // Not left to the moment at which the node's own ticker looks: what is compared must not depend on it.
        Box::pin(async {
            while ticker::tick(&self.node).await {}
            Ok(())
        })
    }

    fn is_movable(&self) -> bool {
        true
    }
}

fn line_of(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap().trim_end().to_owned()
}

/// The first of four ports in a row that nobody listens on just now.
fn four_ports() -> u16 {
    let free = |port: u16| std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).is_ok();
    for _ in 0..100 {
        let first = ports::free(1).unwrap()[0];
        if (first..first + PORTS).all(free) {
            return first;
        }
    }
    panic!("no four ports in a row are free");
}
