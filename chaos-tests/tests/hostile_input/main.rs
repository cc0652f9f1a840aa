//! Invariant: hostile input is answered with a clear error that says whether anything was recorded; nothing of it is ever allowed; the
//! nodes stay up.
//!
//! What is refused at the door leaves the ledger as it was. What an authenticated agent asks wrongly is one committed deny. Every case
//! goes to the leader and to a follower, and after every group each node is ready and decides a good request.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assent_chaos_tests::support::raw_client::RawClient;
use assent_client::{Client, Deadline, RequestId, v1};
use assent_fleet_demo::binaries::Binaries;
use assent_fleet_demo::cluster::{Cluster, ClusterSpec};
use assent_fleet_demo::commands::Program;
use assent_ledger::hash::sha256;
use assent_ledger::ids::TreeSize;
use assent_ledger::keys::{Role, SecretKey};
use assent_ledger::receipt::Receipt;
use assent_ledger::seal::{KeyEndorsed, KeyRetired};
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use v1::admin_client::AdminClient;
use v1::cluster_client::ClusterClient;
use v1::ledger_client::LedgerClient;
use v1::peer_client::PeerClient;

const BUNDLE: &str = r#"name: acme
version: 1
tools:
  - name: mail.send
    class: mail
    action: send
    inputs:
      to: {type: string, required: true, max_length: 100}
      count: {type: integer, min: 1, max: 10}
principals:
  - subject: agent-1
    capabilities:
      - {class: mail, actions: [send]}
rules:
  - id: allow-mail
    priority: 1
    match:
      tool_class: mail
      parameters:
        to: {pattern: "@example[.]com$"}
    decision: allow
"#;

/// A live cluster with two tenants, and a plain connection to the leader and to a follower.
struct World {
    cluster: Cluster,
    channels: Vec<Channel>,
    pids: Vec<Option<u32>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_input_is_refused_or_denied_and_the_nodes_stay_up() {
    let folder = tempfile::tempdir().unwrap();
    let test = async {
        let mut world = World::start(folder.path().join("cluster")).await;
        world.alive("the start").await;
        requests::requests_at_the_door(&mut world).await;
        requests::many_and_streams(&mut world).await;
        requests::broken_messages(&mut world).await;
        requests::committed_denies(&mut world).await;
        callers::callers(&mut world).await;
        callers::permissions(&mut world).await;
        callers::foreign_reads(&mut world).await;
        documents::bundles(&mut world).await;
        documents::key_documents(&mut world).await;
        documents::documents_offline(&mut world).await;
        transport::certificates(&mut world, &folder.path().join("other")).await;
        transport::garbage(&mut world).await;
        world.cluster.stop_all().await.unwrap();
    };
    timeout(Duration::from_secs(110), test).await.expect("the test is bounded in time");
}

impl World {
    async fn start(dir: std::path::PathBuf) -> World {
        // No seal is to grow the ledger while its size is watched.
        let spec = ClusterSpec {
            seal_entries: 100_000,
            seal_seconds: 3600,
            interval_max_seconds: 3600,
            ..ClusterSpec::new(dir)
        };
        let mut cluster = Cluster::create(spec, Binaries::find().unwrap()).await.unwrap();
        let operator = cluster.client().unwrap();
        for tenant in ["acme", "borealis"] {
            found(&operator, tenant).await;
        }
        let gone =
            v1::RevokeCredentialRequest { tenant: "acme".into(), name: "acme/gone".into(), ..Default::default() };
        operator.revoke_credential(gone, soon()).await.unwrap();
        let size = cluster.leader_info().await.unwrap().size;
        cluster.wait_converged(size).await.unwrap();
        let leader = cluster.leader().await.unwrap();
        let follower = (leader + 1) % cluster.nodes().len();
        let mut channels = Vec::new();
        for index in [leader, follower] {
            let port = cluster.nodes()[index].ports.client;
            channels.push(RawClient::connect(&cluster.keys_dir(), port).await.unwrap().channel());
        }
        let pids = (0..3).map(|index| cluster.pid(index).unwrap()).collect();
        World { cluster, channels, pids }
    }

    fn operator(&self) -> String {
        let token = std::fs::read_to_string(self.cluster.keys_dir().join("operator.token")).unwrap();
        format!("Bearer {}", token.trim_end())
    }

    async fn size(&mut self) -> u64 {
        self.cluster.leader_info().await.unwrap().size
    }

    /// Every node's process is the one that was started, is ready, and decides a good request.
    async fn alive(&mut self, after: &str) {
        for index in 0..3 {
            assert_eq!(self.cluster.pid(index).unwrap(), self.pids[index], "node {index} died after {after}");
            let port = self.cluster.nodes()[index].ports.http;
            for attempt in 0.. {
                let answer =
                    transport::exchange(port, b"GET /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                        .await;
                if answer.starts_with("HTTP/1.1 200 ") {
                    break;
                }
                assert!(attempt < 50, "node {index} is not ready after {after}: {answer}");
                sleep(Duration::from_millis(100)).await;
            }
        }
        for channel in &self.channels {
            let decision = evaluate(channel, &[&token("acme/agent")], &good()).await.unwrap();
            assert_eq!(decision.verdict(), v1::Verdict::Allow, "after {after}: {decision:?}");
        }
    }
}

/// A tenant with a principal, credentials and an active bundle.
async fn found(operator: &Client, tenant: &str) {
    let name = || tenant.to_owned();
    let request = v1::CreateTenantRequest { tenant: name(), ..Default::default() };
    operator.create_tenant(request, soon()).await.unwrap();
    for subject in ["agent-1", &format!("only-{tenant}")] {
        let request = v1::RegisterPrincipalRequest { tenant: name(), subject: subject.into(), ..Default::default() };
        operator.register_principal(request, soon()).await.unwrap();
    }
    for (credential, role) in [("agent", "agent"), ("gone", "agent"), ("admin", "tenant-admin")] {
        let credential = format!("{tenant}/{credential}");
        let bare = token(&credential).replace("Bearer ", "");
        let token_hash = sha256(&[bare.as_bytes()]).as_bytes().to_vec().into();
        let (role, subject) = (role.to_owned(), String::new());
        let request_id = String::new();
        let request =
            v1::RegisterCredentialRequest { request_id, tenant: name(), name: credential, token_hash, role, subject };
        operator.register_credential(request, soon()).await.unwrap();
    }
    let source = BUNDLE.as_bytes().to_vec().into();
    let request = v1::OfferBundleRequest { tenant: name(), source, ..Default::default() };
    let bundle_hash = operator.offer_bundle(request, soon()).await.unwrap().bundle_hash;
    let (request_id, environment) = (String::new(), "prod".to_owned());
    let request = v1::ActivateBundleRequest { request_id, tenant: name(), environment, bundle_hash };
    operator.activate_bundle(request, soon()).await.unwrap();
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

/// The `authorization` of a credential; each has its own token.
fn token(credential: &str) -> String {
    format!("Bearer {}", sha256(&[b"test token ", credential.as_bytes()]))
}

fn with<Q>(auth: &[impl AsRef<str>], message: Q) -> Request<Q> {
    let mut request = Request::new(message);
    for value in auth {
        request.metadata_mut().append("authorization", value.as_ref().parse().unwrap());
    }
    request
}

/// Repeats a call for as long as the cluster says that it was not accepted; gives up after 10 s.
async fn settled<A, F>(mut call: impl FnMut() -> F) -> Result<A, Status>
where
    F: Future<Output = Result<Response<A>, Status>>,
{
    for _ in 0..100 {
        match timeout(Duration::from_secs(10), call()).await.expect("every call is answered") {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if matches!(meta(&status, "assent-write").as_str(), "not-accepted" | "outcome-unknown") => {
                sleep(Duration::from_millis(100)).await;
            }
            Err(status) => return Err(status),
        }
    }
    panic!("the cluster accepted nothing for 10 s");
}

/// Makes a call of one of the services with an authorization.
macro_rules! ask {
    ($client:ident.$method:ident, $channel:expr, $auth:expr, $message:expr) => {{
        let message = $message;
        settled(|| {
            let (mut client, request) = ($client::new($channel.clone()), with($auth, message.clone()));
            async move { client.$method(request).await }
        })
        .await
    }};
}

mod callers;
mod documents;
mod requests;
mod transport;

async fn evaluate(
    channel: &Channel,
    auth: &[impl AsRef<str>],
    request: &v1::EvaluateRequest,
) -> Result<v1::EvaluateResponse, Status> {
    ask!(LedgerClient.evaluate, channel, auth, request.clone())
}

fn good() -> v1::EvaluateRequest {
    v1::EvaluateRequest {
        request_id: Client::request_id().unwrap(),
        environment: "prod".into(),
        run_id: "run-1".into(),
        subject: "agent-1".into(),
        tool: "mail.send".into(),
        inputs: br#"{"to":"a@example.com","count":1}"#.to_vec().into(),
        ..Default::default()
    }
}

fn meta(status: &Status, key: &str) -> String {
    status.metadata().get(key).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// The failure is a refusal with this code, and its message says so and holds these words.
fn refused<A: std::fmt::Debug>(case: &str, answer: Result<A, Status>, grpc: Code, code: &str, words: &[&str]) {
    let status = answer.expect_err(case);
    let got = (status.code(), meta(&status, "assent-code"), meta(&status, "assent-write"));
    assert_eq!(got, (grpc, code.to_owned(), "refused".to_owned()), "{case}: {status:?}");
    for word in words.iter().chain(&["nothing was recorded"]) {
        assert!(status.message().contains(word), "{case}: {word:?} is not in {:?}", status.message());
    }
}

/// An id of a moment that lies this far from now, in seconds.
fn id_at(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let millis = i64::try_from(now).unwrap() + seconds * 1000;
    RequestId::from_parts(millis.try_into().unwrap(), [7; 10]).to_string()
}
