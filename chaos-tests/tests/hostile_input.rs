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
        to: {matches: "@example[.]com$"}
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
        requests_at_the_door(&mut world).await;
        many_and_streams(&mut world).await;
        broken_messages(&mut world).await;
        committed_denies(&mut world).await;
        callers(&mut world).await;
        permissions(&mut world).await;
        foreign_reads(&mut world).await;
        bundles(&mut world).await;
        key_documents(&mut world).await;
        documents_offline(&mut world).await;
        certificates(&mut world, &folder.path().join("other")).await;
        garbage(&mut world).await;
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
                    exchange(port, b"GET /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
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

async fn requests_at_the_door(world: &mut World) {
    let auth = [token("acme/agent")];
    let used = good();
    evaluate(&world.channels[0], &auth, &used).await.unwrap();
    let mut cases: Vec<(String, v1::EvaluateRequest, Code, &str, &str)> = Vec::new();
    let fresh = Client::request_id().unwrap();
    let id = |request_id: &str| v1::EvaluateRequest { request_id: request_id.to_owned(), ..good() };
    let v4 = format!("{}4{}", &fresh[..14], &fresh[15..]);
    for wrong in ["", "no-uuid", &fresh.to_uppercase(), &v4, &fresh.replace('-', ""), &format!("{fresh} ")] {
        cases.push((format!("id {wrong:?}"), id(wrong), Code::InvalidArgument, "MALFORMED", "request_id "));
    }
    let failed = Code::FailedPrecondition;
    cases.push(("an old id".into(), id(&id_at(-25 * 3600)), failed, "REQUEST_ID_TOO_OLD", "draw a new id"));
    cases.push(("a future id".into(), id(&id_at(600)), failed, "REQUEST_ID_IN_FUTURE", "clock"));
    let reused = v1::EvaluateRequest { inputs: b"{}".to_vec().into(), ..used };
    cases.push(("a reused id".into(), reused, Code::AlreadyExists, "REQUEST_ID_REUSED", "another request"));
    let long = "x".repeat(129);
    for wrong in ["two words", "line\nbreak", "bell\u{7}", "nul\0", "läuft", "quo\"te", &long] {
        let text = || wrong.to_owned();
        let mut push = |field: &'static str, request| {
            cases.push((format!("{field} {wrong:?}"), request, Code::InvalidArgument, "MALFORMED", field));
        };
        push("tool ", v1::EvaluateRequest { tool: text(), ..good() });
        push("environment ", v1::EvaluateRequest { environment: text(), ..good() });
        push("run_id ", v1::EvaluateRequest { run_id: text(), ..good() });
        push("content_type ", v1::EvaluateRequest { content_type: text(), ..good() });
    }
    let malformed = |case: &str, request, field| (case.to_owned(), request, Code::InvalidArgument, "MALFORMED", field);
    cases.push(malformed("no tool", v1::EvaluateRequest { tool: String::new(), ..good() }, "tool "));
    cases.push(malformed(
        "no environment",
        v1::EvaluateRequest { environment: String::new(), ..good() },
        "environment ",
    ));
    let large = v1::EvaluateRequest { inputs: vec![b' '; (1 << 20) + 1].into(), ..good() };
    cases.push(malformed("large inputs", large, "inputs has 1048577 bytes"));
    let before = world.size().await;
    for channel in &world.channels {
        for (case, request, grpc, code, word) in &cases {
            refused(case, evaluate(channel, &auth, request).await, *grpc, code, &[word]);
        }
    }
    assert_eq!(world.size().await, before, "a refusal at the door grew the ledger");
    world.alive("malformed requests").await;
}

async fn many_and_streams(world: &mut World) {
    let auth = [token("acme/agent")];
    let malformed = || v1::EvaluateRequest { tool: "two words".into(), ..good() };
    for channel in world.channels.clone() {
        let before = world.size().await;
        for (count, case) in [(0, "an empty list"), (1025, "a long list")] {
            let message = v1::EvaluateManyRequest { requests: vec![good(); count] };
            let answer = ask!(LedgerClient.evaluate_many, channel, &auth, message);
            refused(case, answer, Code::InvalidArgument, "MALFORMED", &["requests has", "1 to 1024"]);
        }
        assert_eq!(world.size().await, before);
        let requests = vec![good(), malformed(), good()];
        let answer = ask!(LedgerClient.evaluate_many, channel, &auth, v1::EvaluateManyRequest { requests });
        one_of_three_failed("a list", answer.unwrap().results);
        let requests = futures::stream::iter([good(), malformed(), good()]);
        let answers = LedgerClient::new(channel.clone()).evaluate_stream(with(&auth, requests)).await.unwrap();
        let answers: Vec<_> = answers.into_inner().map(Result::unwrap).collect().await;
        one_of_three_failed("a stream", answers);
        assert_eq!(world.size().await, before + 4, "four were decided");
    }
    world.alive("lists and streams").await;
}

fn one_of_three_failed(case: &str, results: Vec<v1::EvaluateResult>) {
    use v1::evaluate_result::Result::{Decision, Failure};
    let results: Vec<_> = results.into_iter().map(|r| r.result.unwrap()).collect();
    let [Decision(first), Failure(second), Decision(third)] = results.as_slice() else {
        panic!("{case}: {results:?}");
    };
    assert_eq!((first.verdict(), third.verdict()), (v1::Verdict::Allow, v1::Verdict::Allow), "{case}");
    assert_eq!((second.code.as_str(), second.write()), ("MALFORMED", v1::Write::Refused), "{case}");
    assert!(second.message.contains("tool is") && second.message.contains("nothing was recorded"), "{second:?}");
}

/// Messages that no service ever sees: the transport's own refusals say, too, that nothing was recorded.
async fn broken_messages(world: &mut World) {
    const EVALUATE: &str = "/assent.v1.Ledger/Evaluate";
    let before = world.size().await;
    let bare = token("acme/agent").replace("Bearer ", "");
    let cases: [(&str, &str, Vec<u8>, Code, &str); 6] = [
        ("text that is not UTF-8", EVALUATE, vec![0x0a, 1, 0xff], Code::Internal, "MALFORMED"),
        ("a number for a text", EVALUATE, vec![0x08, 5], Code::Internal, "MALFORMED"),
        ("a field cut short", EVALUATE, vec![0x0a, 0x7f, b'a'], Code::Internal, "MALFORMED"),
        ("random bytes", EVALUATE, vec![0xff; 64], Code::Internal, "MALFORMED"),
        ("a message beyond the limit", EVALUATE, vec![0; (16 << 20) + 1], Code::OutOfRange, "TOO_LARGE"),
        ("no such method", "/assent.v1.Ledger/Allow", vec![], Code::Unimplemented, "UNIMPLEMENTED"),
    ];
    for index in 0..2 {
        let port = world.cluster.nodes()[index].ports.client;
        let client = RawClient::connect(&world.cluster.keys_dir(), port).await.unwrap();
        for (case, method, bytes, grpc, code) in &cases {
            let status = client.send(method, &bare, bytes.clone()).await.expect_err(case);
            let got = (status.code(), meta(&status, "assent-code"), meta(&status, "assent-write"));
            assert_eq!(got, (*grpc, (*code).to_owned(), "refused".to_owned()), "{case}: {status:?}");
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("broken messages").await;
}

/// An authenticated agent that asks wrongly gets one committed deny, and its run and tenant go on.
async fn committed_denies(world: &mut World) {
    let inputs = |bytes: &[u8]| v1::EvaluateRequest { inputs: bytes.to_vec().into(), ..good() };
    let deep = [b"{\"to\":".to_vec(), vec![b'['; 40], vec![b']'; 40], b"}".to_vec()].concat();
    let subject = |text: &str| v1::EvaluateRequest { subject: text.into(), ..good() };
    let cases: Vec<(&str, v1::EvaluateRequest, &str)> = vec![
        ("an unknown tool", v1::EvaluateRequest { tool: "mail.erase".into(), ..good() }, "UNKNOWN_TOOL"),
        ("a wrong type", inputs(br#"{"to":5}"#), "ARGUMENTS_INVALID"),
        ("a fraction for an integer", inputs(br#"{"to":"a@example.com","count":1.5}"#), "ARGUMENTS_INVALID"),
        ("out of range", inputs(br#"{"to":"a@example.com","count":11}"#), "ARGUMENTS_INVALID"),
        ("an unknown argument", inputs(br#"{"to":"a@example.com","bcc":"x"}"#), "ARGUMENTS_INVALID"),
        ("a missing argument", inputs(br#"{"count":1}"#), "ARGUMENTS_INVALID"),
        ("a null", inputs(br#"{"to":null}"#), "ARGUMENTS_INVALID"),
        ("duplicate keys", inputs(br#"{"to":"a@example.com","to":"a@example.com"}"#), "INPUTS_NOT_JSON"),
        ("an escaped duplicate", inputs(br#"{"to":"a@example.com","\u0074o":"x"}"#), "INPUTS_NOT_JSON"),
        ("no JSON", inputs(b"to: a@example.com"), "INPUTS_NOT_JSON"),
        ("nothing", inputs(b""), "INPUTS_NOT_JSON"),
        ("a list", inputs(br#"["a@example.com"]"#), "INPUTS_NOT_JSON"),
        ("two objects", inputs(br#"{"to":"a@example.com"}{}"#), "INPUTS_NOT_JSON"),
        ("a trailing comma", inputs(br#"{"to":"a@example.com",}"#), "INPUTS_NOT_JSON"),
        ("a byte order mark", inputs(b"\xef\xbb\xbf{\"to\":\"a@example.com\"}"), "INPUTS_NOT_JSON"),
        ("invalid UTF-8", inputs(b"{\"to\":\"\xff@example.com\"}"), "INPUTS_NOT_JSON"),
        ("a lone surrogate", inputs(br#"{"to":"\ud800@example.com"}"#), "INPUTS_NOT_JSON"),
        ("too deep", inputs(&deep), "INPUTS_NOT_JSON"),
        ("an unknown principal", subject("agent-2"), "PRINCIPAL_UNKNOWN"),
        ("another tenant's principal", subject("only-borealis"), "PRINCIPAL_UNKNOWN"),
        ("no principal", subject(""), "PRINCIPAL_UNKNOWN"),
        (
            "an environment without policy",
            v1::EvaluateRequest { environment: "test".into(), ..good() },
            "NO_ACTIVE_BUNDLE",
        ),
        ("another agent's run", subject("only-acme"), "RUN_NOT_OWNED"),
        ("what the policy does not allow", inputs(br#"{"to":"a@example.com.evil"}"#), "NO_MATCHING_RULE"),
    ];
    let auth = [token("acme/agent")];
    let mut last = world.size().await;
    for channel in world.channels.clone() {
        for (case, request, code) in &cases {
            let request = v1::EvaluateRequest { request_id: Client::request_id().unwrap(), ..request.clone() };
            let decision = evaluate(&channel, &auth, &request).await.expect(case);
            let codes: Vec<&str> = decision.codes.iter().map(|c| c.name.as_str()).collect();
            assert_eq!((decision.verdict(), codes), (v1::Verdict::Deny, vec![*code]), "{case}");
            assert_eq!(decision.seq, last, "{case}: exactly one entry");
            let leaf = Receipt::parse(&decision.receipt).unwrap().leaf;
            assert!(leaf.contains(r#""verdict":"deny""#) && leaf.contains(code), "{case}: {leaf}");
            last += 1;
        }
    }
    assert_eq!(world.size().await, last);
    world.alive("wrong arguments").await;
}

/// Callers who are nobody: on every service, for reads and writes.
async fn callers(world: &mut World) {
    let good_token = token("acme/agent");
    let cases: Vec<(&str, Vec<String>, &str)> = vec![
        ("no token", vec![], "no token"),
        ("a short token", vec!["Bearer 0011".into()], "64 lower-case hexadecimal"),
        (
            "an upper-case token",
            vec![format!("Bearer {}", good_token[7..].to_uppercase())],
            "64 lower-case hexadecimal",
        ),
        ("another scheme", vec!["Basic Zm9vOmJhcg==".into()], "64 lower-case hexadecimal"),
        ("two tokens", vec![good_token.clone(), good_token.clone()], "more than one"),
        ("an unknown token", vec![token("nobody")], "not registered"),
        ("a revoked credential", vec![token("acme/gone")], "revoked"),
    ];
    let before = world.size().await;
    for channel in &world.channels {
        for (case, auth, word) in &cases {
            let say = |answer: Status| {
                refused::<()>(case, Err(answer.clone()), Code::Unauthenticated, "UNAUTHENTICATED", &[word]);
                for secret in auth.iter().map(|value| value.rsplit(' ').next().unwrap()) {
                    assert!(!answer.message().contains(secret), "{case}: the message repeats the token");
                }
            };
            say(evaluate(channel, auth, &good()).await.unwrap_err());
            let many = v1::EvaluateManyRequest { requests: vec![good()] };
            say(ask!(LedgerClient.evaluate_many, channel, auth, many).unwrap_err());
            let status = v1::StatusRequest { request_id: good().request_id, ..Default::default() };
            say(ask!(LedgerClient.status, channel, auth, status).unwrap_err());
            say(ask!(LedgerClient.entries, channel, auth, v1::EntriesRequest::default()).unwrap_err());
            say(ask!(LedgerClient.payload, channel, auth, v1::PayloadRequest::default()).unwrap_err());
            say(ask!(AdminClient.create_tenant, channel, auth, new_tenant()).unwrap_err());
            say(ask!(ClusterClient.transfer_leader, channel, auth, v1::TransferLeaderRequest::default()).unwrap_err());
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("nobody's calls").await;
}

fn new_tenant() -> v1::CreateTenantRequest {
    v1::CreateTenantRequest { request_id: Client::request_id().unwrap(), tenant: "mallory".into() }
}

/// Callers who may not: agents as administrators, administrators as agents, and of another tenant.
async fn permissions(world: &mut World) {
    const DENIED: Code = Code::PermissionDenied;
    let (agent, admin) = ([token("acme/agent")], [token("acme/admin")]);
    let id = || Client::request_id().unwrap();
    let before = world.size().await;
    for channel in &world.channels {
        for auth in [&agent, &admin] {
            let answer = ask!(AdminClient.create_tenant, channel, auth, new_tenant());
            refused("creating a tenant", answer, DENIED, "ROLE_NOT_PERMITTED", &["may not"]);
            let answer = ask!(AdminClient.seal_now, channel, auth, v1::SealNowRequest { request_id: id() });
            refused("sealing", answer, DENIED, "ROLE_NOT_PERMITTED", &["may not"]);
            let answer = ask!(ClusterClient.transfer_leader, channel, auth, v1::TransferLeaderRequest::default());
            refused("moving the leader", answer, DENIED, "FORBIDDEN", &["operator"]);
            let voters = v1::ChangeMembersRequest { voters: vec!["0000000000000001".into()] };
            let answer = ask!(ClusterClient.change_members, channel, auth, voters);
            refused("changing members", answer, DENIED, "FORBIDDEN", &["operator"]);
        }
        for (auth, tenant, code) in [(&agent, "acme", "ROLE_NOT_PERMITTED"), (&admin, "borealis", "OTHER_TENANT")] {
            let (tenant, name) = (|| tenant.to_owned(), || format!("{tenant}/agent"));
            let offer = v1::OfferBundleRequest { request_id: id(), tenant: tenant(), source: BUNDLE.into() };
            refused("offering", ask!(AdminClient.offer_bundle, channel, auth, offer), DENIED, code, &[]);
            let subject = "mallory".to_owned();
            let who = v1::DisablePrincipalRequest { request_id: id(), tenant: tenant(), subject };
            refused("disabling", ask!(AdminClient.disable_principal, channel, auth, who), DENIED, code, &[]);
            let which = v1::RevokeCredentialRequest { request_id: id(), tenant: tenant(), name: name() };
            refused("revoking", ask!(AdminClient.revoke_credential, channel, auth, which), DENIED, code, &[]);
        }
        let answer = evaluate(channel, &admin, &good()).await;
        refused("an administrator's evaluation", answer, DENIED, "ROLE_NOT_PERMITTED", &["tenant-admin may not"]);
    }
    assert_eq!(world.size().await, before);
    world.alive("forbidden commands").await;
}

/// One tenant sees nothing of another: neither entries, nor payloads, nor what became of a request.
async fn foreign_reads(world: &mut World) {
    let (acme, borealis) = ([token("acme/agent")], [token("borealis/agent")]);
    let theirs = good();
    let decision = evaluate(&world.channels[0], &borealis, &theirs).await.unwrap();
    let view = Receipt::parse(&decision.receipt).unwrap().leaf;
    let commitment = view.split(r#""commitment":""#).nth(1).unwrap()[..64].to_owned();
    let commitment = || hex::decode(&commitment).unwrap().into();
    world.cluster.wait_converged(decision.seq + 1).await.unwrap();
    for channel in &world.channels {
        let own = v1::PayloadRequest { commitment: commitment(), tenant: String::new() };
        let answer = ask!(LedgerClient.payload, channel, &borealis, own.clone()).unwrap();
        assert_eq!(answer.content, theirs.inputs);
        refused("its commitment", ask!(LedgerClient.payload, channel, &acme, own), Code::NotFound, "NOT_FOUND", &[]);
        let foreign = v1::PayloadRequest { commitment: commitment(), tenant: "borealis".into() };
        let answer = ask!(LedgerClient.payload, channel, &acme, foreign);
        refused("a payload", answer, Code::PermissionDenied, "FORBIDDEN", &["borealis"]);
        let foreign = v1::EntriesRequest { tenant: "borealis".into(), ..Default::default() };
        let answer = ask!(LedgerClient.entries, channel, &acme, foreign);
        refused("entries", answer, Code::PermissionDenied, "FORBIDDEN", &["borealis"]);
        let mut entries = ask!(LedgerClient.entries, channel, &acme, v1::EntriesRequest::default()).unwrap();
        while let Some(record) = entries.message().await.unwrap() {
            assert!(!String::from_utf8_lossy(&record.leaf).contains(r#""tenant":"borealis""#), "entry {}", record.seq);
        }
        let status = v1::StatusRequest { request_id: theirs.request_id.clone(), subject: theirs.subject.clone() };
        let answer = ask!(LedgerClient.status, channel, &acme, status).unwrap();
        assert_eq!((answer.state(), answer.decision), (v1::status_response::State::Unknown, None));
    }
    world.alive("foreign reads").await;
}

/// A bundle with errors: each with line and column, nothing recorded.
async fn bundles(world: &mut World) {
    let auth = [world.operator()];
    let changed = |from: &str, to: &str| {
        assert!(BUNDLE.contains(from), "{from}");
        BUNDLE.replacen(from, to, 1)
    };
    let cases = [
        ("an unknown key", changed("    class: mail\n", "    class: mail\n    klass: mail\n"), "bundle:6:5: ", "klass"),
        ("a key twice", changed("version: 1\n", "version: 1\nversion: 1\n"), "bundle:3:1: ", "twice"),
        ("a bad pattern", changed("@example[.]com$", "(@example"), "bundle:19:23: ", "does not compile"),
        ("look-around", changed("@example[.]com$", "(?=a)b"), "bundle:19:23: ", "look-around"),
        ("no YAML", "tools: [".to_owned(), "bundle:", ""),
        ("a wrong type", changed("rules:\n", "rules: 5\nx:\n"), "bundle:14:8: ", "list"),
    ];
    let before = world.size().await;
    for channel in &world.channels {
        for (case, source, place, word) in &cases {
            let (request_id, source) = (Client::request_id().unwrap(), source.clone().into());
            let offer = v1::OfferBundleRequest { request_id, tenant: "acme".into(), source };
            let answer = ask!(AdminClient.offer_bundle, channel, &auth, offer);
            refused(case, answer, Code::FailedPrecondition, "BUNDLE_INVALID", &[place, word]);
        }
        for length in [0, (1 << 20) + 1] {
            let (request_id, source) = (Client::request_id().unwrap(), vec![b'#'; length].into());
            let offer = v1::OfferBundleRequest { request_id, tenant: "acme".into(), source };
            let answer = ask!(AdminClient.offer_bundle, channel, &auth, offer);
            refused("a bundle's size", answer, Code::InvalidArgument, "MALFORMED", &["source has"]);
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("bundles with errors").await;
}

/// Endorsements and retirements that the root key did not sign, and documents that are not exactly right.
async fn key_documents(world: &mut World) {
    let (auth, origin) = ([world.operator()], world.cluster.origin().clone());
    let public_key = SecretKey::from_seed(&[9; 32]).public();
    let (key_name, role, signature) = (origin.to_string(), Role::Log, [7; 64]);
    let (from_size, to_size) = (TreeSize(0), TreeSize(5));
    let endorsed =
        KeyEndorsed { from_size, key_name: key_name.clone(), node: None, public_key, role, signature, to_size: None };
    let retired = KeyRetired { key_name, public_key, role, signature, to_size };
    let endorsement = endorsed.to_value().to_bytes().unwrap();
    let text = String::from_utf8(endorsement.clone()).unwrap();
    let twice = text.replacen('{', r#"{"algorithm":"ed25519","#, 1);
    let unknown = text.replacen('}', r#","zzz":"1"}"#, 1);
    let number = text.replacen(r#""from_size":"0""#, r#""from_size":0"#, 1);
    let before = world.size().await;
    for channel in &world.channels {
        let id = || Client::request_id().unwrap();
        let request = v1::EndorseKeyRequest { request_id: id(), endorsement: endorsement.clone().into() };
        let answer = ask!(AdminClient.endorse_key, channel, &auth, request);
        refused("an endorsement", answer, Code::FailedPrecondition, "KEY_REFUSED", &["signature"]);
        let request =
            v1::RetireKeyRequest { request_id: id(), retirement: retired.to_value().to_bytes().unwrap().into() };
        let answer = ask!(AdminClient.retire_key, channel, &auth, request);
        refused("a retirement", answer, Code::FailedPrecondition, "KEY_REFUSED", &[]);
        for (case, document, word) in [
            ("a key twice", twice.as_str(), "duplicate key"),
            ("an unknown field", &unknown, "zzz"),
            ("a number for a text", &number, "from_size"),
            ("white space", &format!("{text} "), "does not parse"),
            ("nothing", "", "has 0 bytes"),
        ] {
            assert_ne!(document, text, "{case}");
            let request = v1::EndorseKeyRequest { request_id: id(), endorsement: document.to_owned().into() };
            let answer = ask!(AdminClient.endorse_key, channel, &auth, request);
            refused(case, answer, Code::InvalidArgument, "MALFORMED", &["endorsement", word]);
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("key documents").await;
}

/// Receipts and configuration files with a field too many.
async fn documents_offline(world: &mut World) {
    let decision = evaluate(&world.channels[0], &[token("acme/agent")], &good()).await.unwrap();
    let receipt = String::from_utf8(decision.receipt.to_vec()).unwrap();
    Receipt::parse(receipt.as_bytes()).unwrap();
    let unknown = format!(r#"{},"zzz":"1"}}"#, receipt.strip_suffix('}').unwrap());
    let twice = receipt.replacen('{', r#"{"@v":"assent/receipt/1","#, 1);
    for (case, document) in
        [("an unknown field", unknown), ("a key twice", twice), ("a tail", format!("{receipt}{{}}"))]
    {
        assert!(Receipt::parse(document.as_bytes()).is_err(), "{case}: {document}");
    }
    let node = &world.cluster.nodes()[0];
    let config = std::fs::read_to_string(&node.config).unwrap();
    for (case, text, words) in [
        ("as it is", config.clone(), None),
        ("an unknown key", format!("verbose = true\n{config}"), Some(["verbose", "line 1"])),
        ("an unknown key of a section", format!("{config}\n[limits]\nmax = 3\n"), Some(["`max`", "line"])),
        ("a key twice", format!("name = \"n1\"\n{config}"), Some(["duplicate", "line 2"])),
        ("a wrong type", format!("{config}\n[limits]\nrequest_ms_max = \"x\"\n"), Some(["request_ms_max", "line"])),
    ] {
        let file = node.folder.join("checked.toml");
        std::fs::write(&file, text).unwrap();
        let args = ["config", "check", "--config", &file.to_string_lossy()];
        let output = world.cluster.commands().output(Program::Assentd, &args).await.unwrap();
        assert_eq!(output.code, Some(i32::from(words.is_some())), "{case}: {output:?}");
        for word in words.into_iter().flatten() {
            assert!(output.err.contains(word), "{case}: {output:?}");
        }
    }
}

/// Who has no certificate of the cluster's authority is not served, and only nodes are served at the peer port.
async fn certificates(world: &mut World, other: &std::path::Path) {
    let out = other.to_string_lossy();
    let args = ["keys", "dev", "--out", &out, "--origin", "assent.example/fleet", "--nodes", "n1"];
    world.cluster.commands().run(Program::Assent, &args).await.unwrap();
    let (keys, before) = (world.cluster.keys_dir(), world.size().await);
    for index in 0..3 {
        let ports = world.cluster.nodes()[index].ports;
        for port in [ports.client, ports.peer] {
            for (case, own, name) in [
                ("no certificate", None, "client"),
                ("another authority's", Some(other), "client"),
                ("another authority's node", Some(other), "node-n1"),
            ] {
                // The node's refusal may come with the connection or with the first call on it.
                if let Ok(client) = RawClient::connect_as(&keys, own, name, port).await {
                    let answer = ClusterClient::new(client.channel()).info(v1::ClusterInfoRequest {}).await;
                    let status = answer.expect_err(case);
                    assert!(matches!(status.code(), Code::Unavailable | Code::Unknown), "{case}: {status:?}");
                }
            }
            let plain = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap().connect_lazy();
            let mut client = ClusterClient::new(plain);
            let answer = timeout(Duration::from_secs(20), client.info(v1::ClusterInfoRequest {})).await;
            assert!(answer.expect("plain text is answered or cut off").is_err());
        }
        let client = RawClient::connect(&keys, ports.peer).await.unwrap();
        let target = world.cluster.nodes()[index].id.0;
        let (kind, ledger) = (v1::raft_call::Kind::Vote.into(), world.cluster.origin().to_string());
        let call = v1::RaftCall { kind, ledger: ledger.clone(), target, body: vec![0; 8].into() };
        let status = PeerClient::new(client.channel()).call(call).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
        assert!(status.message().contains("this port is for nodes"), "{status:?}");
        let ask = v1::CosignRequest { ledger, size: 1, root: vec![0; 32].into() };
        let status = PeerClient::new(client.channel()).cosign(ask).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    }
    assert_eq!(world.size().await, before);
    world.alive("wrong certificates").await;
}

/// Bytes that are no protocol at all, on every port, and connections that say nothing.
async fn garbage(world: &mut World) {
    let before = world.size().await;
    let noise: Vec<u8> = (0..8192u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let hello = [&[0x16, 3, 1, 0xff, 0xff, 1][..], &noise[..512]].concat();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let mut half_open = Vec::new();
    for index in 0..3 {
        let ports = world.cluster.nodes()[index].ports;
        for port in [ports.client, ports.peer, ports.http] {
            for bytes in [&noise, &hello, &preface, &vec![0; 64], &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()] {
                exchange(port, bytes).await;
            }
            for started in [&b""[..], &hello[..3], b"GET /hea"] {
                let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                connection.write_all(started).await.unwrap();
                half_open.push(connection);
            }
        }
        let long = format!("GET /health/live HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
        for (request, answer) in [
            ("GET /health/nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 404 "),
            (
                "POST /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                "HTTP/1.1 405 ",
            ),
            ("GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 404 "),
            ("NONSENSE\r\n\r\n", "HTTP/1.1 400 "),
            (&long, ""),
        ] {
            let got = exchange(ports.http, request.as_bytes()).await;
            assert!(got.starts_with(answer) && !got.starts_with("HTTP/1.1 200 "), "{request:.60}: {got:.200}");
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("garbage, with connections half open").await;
    drop(half_open);
}

/// Sends bytes and reads what comes until the other side closes, falls silent for a while, or breaks the connection.
async fn exchange(port: u16, bytes: &[u8]) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // A node may hang up before everything was sent; that is an answer, too.
    let _ = connection.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(Ok(length)) = timeout(Duration::from_millis(300), connection.read(&mut piece)).await {
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}
