//! The double: a node that answers `evaluate` by a script and keeps a small real ledger.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assent_client::{Client, ClientConfig, RetryPolicy, Trust, v1};
use assent_ledger::hash::leaf_hash;
use futures::Stream;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::ledger::{Ledger, origin, root_key};

/// What the double does with the next evaluation.
#[derive(Debug, Clone)]
pub enum Step {
    /// Records nothing and answers with this status, `assent-write` and `assent-code`.
    Fail(Code, Option<&'static str>, &'static str),
    /// Records, and answers that the outcome is unknown.
    RecordAndFail,
    /// Records, and never answers.
    RecordAndHang,
    /// Records, and changes the answer.
    RecordAndForge(fn(&Ledger, &mut v1::EvaluateResponse)),
}

#[derive(Default)]
pub struct State {
    pub script: VecDeque<Step>,
    /// Request ids of all attempts, in order.
    pub seen: Vec<String>,
    pub tokens: Vec<String>,
    pub recorded: BTreeMap<String, u64>,
    pub leader: Option<String>,
    pub entries_calls: u32,
    pub withhold: Option<usize>,
    pub cosigned: bool,
    pub ledger: Option<Ledger>,
}

impl State {
    pub fn ledger(&mut self) -> &mut Ledger {
        self.ledger.get_or_insert_with(Ledger::new)
    }
}

/// A running double. Doubles may share a state: then they are nodes of one cluster.
#[derive(Clone)]
pub struct Double {
    pub state: Arc<Mutex<State>>,
    pub address: String,
    /// What this node says about itself, whatever the shared script is.
    pub broken: bool,
}

/// Certificates that doubles and clients of one test share.
pub struct Pki {
    ca: String,
    server: (String, String),
    client: (String, String),
}

impl Pki {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let leaf = |hosts: Vec<String>| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(hosts).unwrap();
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
        };
        Pki { ca: issuer.pem(), server: leaf(vec!["127.0.0.1".to_owned()]), client: leaf(vec!["c".to_owned()]) }
    }

    pub fn config(&self, endpoints: &[&str]) -> ClientConfig {
        ClientConfig {
            endpoints: endpoints.iter().map(|e| (*e).to_owned()).collect(),
            ca_pem: self.ca.clone().into_bytes(),
            cert_pem: self.client.0.clone().into_bytes(),
            key_pem: self.client.1.clone().into_bytes().into(),
            token: Some("secret-token".to_owned().into()),
            domain: None,
            tenant: Some("acme".to_owned()),
            retry: RetryPolicy {
                connect_max: Duration::from_secs(2),
                attempt_max: Duration::from_millis(400),
                pause_first: Duration::from_millis(1),
                pause_longest: Duration::from_millis(10),
            },
        }
    }

    pub fn client(&self, endpoints: &[&str]) -> Client {
        Client::new(self.config(endpoints)).unwrap()
    }

    pub fn trusting(&self, endpoints: &[&str]) -> Client {
        self.client(endpoints).with_trust(Arc::new(Trust::new(origin(), root_key().public())))
    }
}

impl Double {
    pub async fn start(pki: &Pki, state: Arc<Mutex<State>>, broken: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let double = Double { state, address, broken };
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(&pki.server.0, &pki.server.1))
            .client_ca_root(Certificate::from_pem(&pki.ca));
        let server = Server::builder()
            .tls_config(tls)
            .unwrap()
            .add_service(v1::ledger_server::LedgerServer::new(double.clone()))
            .add_service(v1::cluster_server::ClusterServer::new(double.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        double
    }

    /// One evaluation by the script; idempotent by request id, as the node is.
    async fn decide(&self, request: v1::EvaluateRequest) -> Result<v1::EvaluateResponse, Status> {
        let step = {
            let mut state = self.state.lock().unwrap();
            state.seen.push(request.request_id.clone());
            if self.broken { Some(Step::Fail(Code::Unavailable, None, "")) } else { state.script.pop_front() }
        };
        if let Some(Step::Fail(code, write, name)) = step {
            return Err(failure(code, write, name));
        }
        let mut answer = {
            let mut state = self.state.lock().unwrap();
            let known = state.recorded.get(&request.request_id).copied();
            let seq = known.unwrap_or_else(|| state.ledger().decide(&request));
            state.recorded.insert(request.request_id.clone(), seq);
            state.ledger().answer(&request, seq, known.is_some())
        };
        match step {
            Some(Step::RecordAndFail) => {
                return Err(failure(Code::Unavailable, Some("outcome-unknown"), "LEADER_LOST"));
            }
            Some(Step::RecordAndHang) => tokio::time::sleep(Duration::from_secs(60)).await,
            Some(Step::RecordAndForge(forge)) => forge(self.state.lock().unwrap().ledger(), &mut answer),
            _ => {}
        }
        Ok(answer)
    }
}

fn failure(code: Code, write: Option<&str>, name: &str) -> Status {
    let mut status = Status::new(code, "scripted");
    if let Some(write) = write {
        status.metadata_mut().insert("assent-write", write.parse().unwrap());
        status.metadata_mut().insert("assent-code", name.parse().unwrap());
    }
    status
}

fn item(request_id: &str, result: Result<v1::EvaluateResponse, Status>) -> v1::EvaluateResult {
    use v1::evaluate_result::Result as Item;
    let result = match result {
        Ok(decision) => Item::Decision(decision),
        Err(status) => {
            let write = match status.metadata().get("assent-write").map(|v| v.to_str().unwrap()) {
                Some("refused") => v1::Write::Refused,
                Some("not-accepted") => v1::Write::NotAccepted,
                _ => v1::Write::OutcomeUnknown,
            };
            let (code, message) = ("ITEM".to_owned(), status.message().to_owned());
            Item::Failure(v1::Failure {
                request_id: request_id.to_owned(),
                code,
                message,
                write: write.into(),
                retry_after_ms: 1,
            })
        }
    };
    v1::EvaluateResult { result: Some(result) }
}

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl v1::ledger_server::Ledger for Double {
    type EvaluateStreamStream = Boxed<v1::EvaluateResult>;
    type EntriesStream = Boxed<v1::EntryRecord>;

    async fn evaluate(&self, request: Request<v1::EvaluateRequest>) -> Result<Response<v1::EvaluateResponse>, Status> {
        let token = request.metadata().get("authorization").map(|v| v.to_str().unwrap().to_owned());
        self.state.lock().unwrap().tokens.extend(token);
        self.decide(request.into_inner()).await.map(Response::new)
    }

    async fn check(&self, _: Request<v1::EvaluateRequest>) -> Result<Response<v1::CheckResponse>, Status> {
        Err(Status::unimplemented("check"))
    }

    async fn evaluate_many(
        &self,
        request: Request<v1::EvaluateManyRequest>,
    ) -> Result<Response<v1::EvaluateManyResponse>, Status> {
        let mut results = Vec::new();
        for request in request.into_inner().requests {
            let id = request.request_id.clone();
            results.push(item(&id, self.decide(request).await));
        }
        Ok(Response::new(v1::EvaluateManyResponse { results }))
    }

    async fn evaluate_stream(
        &self,
        request: Request<Streaming<v1::EvaluateRequest>>,
    ) -> Result<Response<Self::EvaluateStreamStream>, Status> {
        let double = self.clone();
        let answers = futures::stream::unfold((request.into_inner(), double), |(mut requests, double)| async move {
            let request = requests.message().await.ok()??;
            let id = request.request_id.clone();
            match double.decide(request).await {
                Err(status) if status.code() == Code::Aborted => None,
                result => Some((Ok(item(&id, result)), (requests, double))),
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        Err(Status::unimplemented("not in the double"))
    }

    async fn entries(&self, request: Request<v1::EntriesRequest>) -> Result<Response<Self::EntriesStream>, Status> {
        let request = request.into_inner();
        let mut state = self.state.lock().unwrap();
        state.entries_calls += 1;
        let withhold = state.withhold;
        let system = br#""tenant":"-""#;
        let limit = if request.limit == 0 { usize::MAX } else { usize::try_from(request.limit).unwrap() };
        let records: Vec<Result<v1::EntryRecord, Status>> = state
            .ledger()
            .leaves
            .iter()
            .enumerate()
            .filter(|(seq, _)| u64::try_from(*seq).unwrap() >= request.from_seq && Some(*seq) != withhold)
            .filter(|(_, leaf)| request.tenant.is_empty() || leaf.windows(system.len()).any(|w| w == system))
            .take(limit)
            .map(|(seq, leaf)| {
                let (seq, leaf_hash) = (u64::try_from(seq).unwrap(), leaf_hash(leaf).0.to_vec());
                Ok(v1::EntryRecord { seq, leaf: leaf.clone().into(), leaf_hash: leaf_hash.into() })
            })
            .collect();
        Ok(Response::new(Box::pin(futures::stream::iter(records))))
    }

    async fn payload(&self, _: Request<v1::PayloadRequest>) -> Result<Response<v1::PayloadResponse>, Status> {
        Err(Status::unimplemented("not in the double"))
    }

    async fn checkpoint(&self, _: Request<v1::CheckpointRequest>) -> Result<Response<v1::CheckpointResponse>, Status> {
        let mut state = self.state.lock().unwrap();
        let cosigned = state.cosigned;
        let size = u64::try_from(state.ledger().leaves.len()).unwrap();
        Ok(Response::new(v1::CheckpointResponse { note: state.ledger().checkpoint(cosigned).into(), size }))
    }

    async fn inclusion_proof(
        &self,
        request: Request<v1::InclusionProofRequest>,
    ) -> Result<Response<v1::ProofResponse>, Status> {
        let v1::InclusionProofRequest { seq, size } = request.into_inner();
        let path = self.state.lock().unwrap().ledger().path(seq, size);
        let path = path.iter().map(|h| h.0.to_vec().into()).collect();
        Ok(Response::new(v1::ProofResponse { size, path, ..Default::default() }))
    }

    async fn consistency_proof(
        &self,
        _: Request<v1::ConsistencyProofRequest>,
    ) -> Result<Response<v1::ProofResponse>, Status> {
        Err(Status::unimplemented("not in the double"))
    }

    async fn seals(&self, _: Request<v1::SealsRequest>) -> Result<Response<v1::SealsResponse>, Status> {
        Err(Status::unimplemented("not in the double"))
    }
}

#[tonic::async_trait]
impl v1::cluster_server::Cluster for Double {
    async fn info(&self, _: Request<v1::ClusterInfoRequest>) -> Result<Response<v1::ClusterInfoResponse>, Status> {
        let leader = self.state.lock().unwrap().leader.clone();
        let members = leader.iter().map(|address| v1::MemberInfo {
            node_id: "l".to_owned(),
            client_address: address.clone(),
            ..Default::default()
        });
        let members: Vec<v1::MemberInfo> = members.collect();
        let leader_id = if members.is_empty() { String::new() } else { "l".to_owned() };
        Ok(Response::new(v1::ClusterInfoResponse { leader_id, members, ..Default::default() }))
    }

    async fn bootstrap(&self, _: Request<v1::BootstrapRequest>) -> Result<Response<v1::CommandResponse>, Status> {
        Err(Status::unimplemented("not in the double"))
    }

    async fn add_learner(&self, _: Request<v1::AddLearnerRequest>) -> Result<Response<v1::MembershipResponse>, Status> {
        self.state.lock().unwrap().seen.push("add_learner".to_owned());
        Err(Status::internal("broke half-way"))
    }

    async fn change_members(
        &self,
        _: Request<v1::ChangeMembersRequest>,
    ) -> Result<Response<v1::MembershipResponse>, Status> {
        Err(Status::unimplemented("not in the double"))
    }

    async fn transfer_leader(
        &self,
        _: Request<v1::TransferLeaderRequest>,
    ) -> Result<Response<v1::MembershipResponse>, Status> {
        Err(Status::unimplemented("not in the double"))
    }
}
