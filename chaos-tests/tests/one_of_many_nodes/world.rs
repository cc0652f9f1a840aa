//! A cluster of three processes, a connection to each of its nodes, and tenants in which the attack range's agents act.

use std::time::{SystemTime, UNIX_EPOCH};

use assent_chaos_tests::support::raw_client::RawClient;
use assent_chaos_tests::support::real_cluster::{CALL_MAX, RealCluster};
use assent_client::{Client, Deadline, v1};
use assent_fleet_demo::cluster::ClusterSpec;
use assent_kernel::command::AgentMessage;
use assent_ledger::hash::sha256;
use assent_ledger::ids::{TenantId, Time};
use assent_ledger::keys::SecretKey;
use tonic::transport::Channel;

const BUNDLE: &str = include_str!("../../../client/scenarios/agents.bundle.yaml");
const SUBJECTS: [(&str, &str); 3] =
    [("researcher", "team-research"), ("worker", "team-ops"), ("payer", "team-finance")];
const SECOND_MICROS: u64 = 1_000_000;

/// Asks one node; again under the same id while it says that nothing was accepted, or that nobody knows.
macro_rules! ask {
    ($service:ident.$method:ident, $channel:expr, $token:expr, $message:expr) => {{
        let (channel, token, message) = ($channel, $token, $message);
        let until = std::time::Instant::now() + assent_chaos_tests::support::real_cluster::CALL_MAX;
        loop {
            let request = assent_chaos_tests::support::raw_client::with_token(&token, message.clone());
            match $service::new(channel.clone()).$method(request).await {
                Ok(answer) => break Ok(answer.into_inner()),
                Err(status) if status.code() == tonic::Code::Unavailable && std::time::Instant::now() < until => {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                Err(status) => break Err(status),
            }
        }
    }};
}
pub(crate) use ask;

/// The cluster and the tenant of this round.
pub struct World {
    /// The processes.
    pub real: RealCluster,
    channels: Vec<Channel>,
    tenant: String,
}

impl World {
    /// Three voters.
    pub async fn create(name: &str, adjust: impl FnOnce(&mut ClusterSpec)) -> World {
        let real = RealCluster::create(name, adjust).await;
        let mut channels = Vec::new();
        for node in real.cluster.nodes() {
            channels.push(RawClient::connect(&real.keys_dir(), node.ports.client).await.unwrap().channel());
        }
        World { real, channels, tenant: String::new() }
    }

    /// A connection to every node, `times` times, node after node.
    pub fn nodes(&self, times: usize) -> impl Iterator<Item = Channel> + '_ {
        self.channels.iter().cycle().take(self.channels.len() * times).cloned()
    }

    /// The token of an agent.
    pub fn token(&self, subject: &str) -> String {
        sha256(&[self.tenant.as_bytes(), subject.as_bytes()]).to_string()
    }

    /// A connection of its own to one node, which may have been started again since the others were made.
    pub async fn connect(&self, node: usize) -> Channel {
        let port = self.real.cluster.node(node).unwrap().ports.client;
        RawClient::connect(&self.real.keys_dir(), port).await.unwrap().channel()
    }

    /// A client of the library, which verifies what it is told.
    pub fn client(&self, subject: &str) -> Client {
        self.real.cluster.client().unwrap().with_token(&self.token(subject), Some(self.tenant.clone())).unwrap()
    }

    /// The tenant of this round.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Hands leadership to another node, and waits until it leads.
    pub async fn move_leadership(&mut self) {
        let from = self.real.cluster.leader().await.unwrap();
        self.real.make_leader((from + 1) % 3).await;
    }

    /// A tenant with the agents, their credentials and keys, and the policy.
    pub async fn settle(&mut self, tenant: &str) {
        self.tenant = tenant.to_owned();
        let operator = self.real.cluster.client().unwrap();
        let (name, soon) = (|| tenant.to_owned(), || Deadline::after(CALL_MAX));
        let request = v1::CreateTenantRequest { tenant: name(), ..Default::default() };
        operator.create_tenant(request, soon()).await.unwrap();
        for (subject, owner) in SUBJECTS {
            let request = v1::RegisterPrincipalRequest {
                tenant: name(),
                subject: subject.to_owned(),
                owner: owner.to_owned(),
                ..Default::default()
            };
            operator.register_principal(request, soon()).await.unwrap();
            self.register(subject, "agent").await;
            let request = v1::RegisterAgentKeyRequest {
                tenant: name(),
                subject: subject.to_owned(),
                key_id: "key".to_owned(),
                public_key: key_of(subject).public().as_bytes().to_vec().into(),
                ..Default::default()
            };
            operator.register_agent_key(request, soon()).await.unwrap();
        }
        let request =
            v1::OfferBundleRequest { tenant: name(), source: BUNDLE.as_bytes().to_vec().into(), ..Default::default() };
        let bundle_hash = operator.offer_bundle(request, soon()).await.unwrap().bundle_hash;
        let environment = "prod".to_owned();
        let request = v1::ActivateBundleRequest { tenant: name(), environment, bundle_hash, ..Default::default() };
        operator.activate_bundle(request, soon()).await.unwrap();
    }

    /// A credential of one subject.
    pub async fn register(&self, subject: &str, role: &str) {
        let request = v1::RegisterCredentialRequest {
            tenant: self.tenant.clone(),
            name: format!("key-{subject}"),
            token_hash: sha256(&[self.token(subject).as_bytes()]).0.to_vec().into(),
            role: role.to_owned(),
            subject: subject.to_owned(),
            ..Default::default()
        };
        let operator = self.real.cluster.client().unwrap();
        operator.register_credential(request, Deadline::after(CALL_MAX)).await.unwrap();
    }

    /// A call with an id of its own.
    pub fn call(&self, tool: &str, run: &str, inputs: &str) -> v1::EvaluateRequest {
        v1::EvaluateRequest {
            request_id: Client::request_id().unwrap(),
            environment: "prod".to_owned(),
            run_id: run.to_owned(),
            tool: tool.to_owned(),
            inputs: inputs.as_bytes().to_vec().into(),
            ..v1::EvaluateRequest::default()
        }
    }

    /// Gets a lease of so many commands.
    pub async fn lease(&self, subject: &str, run: &str, calls: u32) {
        use v1::capabilities_client::CapabilitiesClient;
        let terms = v1::GrantTerms {
            environment: "prod".to_owned(),
            run_id: run.to_owned(),
            class: "shell".to_owned(),
            actions: vec!["exec".to_owned()],
            calls,
            seconds: 60,
            justification: b"test".to_vec().into(),
            ..v1::GrantTerms::default()
        };
        let request_id = Client::request_id().unwrap();
        let request = v1::RequestCapabilityRequest { request_id, terms: Some(terms), ..Default::default() };
        let ruling = ask!(CapabilitiesClient.request, self.channels[0].clone(), self.token(subject), request).unwrap();
        assert_eq!(ruling.verdict(), v1::Verdict::Allow, "{ruling:?}");
    }

    /// A signed message with this nonce, without a request id.
    pub fn message(&self, from: &str, to: &str, nonce: &str) -> v1::RecordMessageRequest {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = Time(u64::try_from(now.as_micros()).unwrap());
        let payload = b"please look at invoice 7".to_vec();
        let mut message = AgentMessage {
            schema_version: "v1".to_owned(),
            time: now,
            run_id: Some("messages".to_owned()),
            trace_id: None,
            protocol: "1.0".to_owned(),
            capabilities: vec!["delegate_task".to_owned()],
            nonce: nonce.to_owned(),
            expires_at: Time(now.0 + 60 * SECOND_MICROS),
            sender_instance: None,
            sender: from.to_owned(),
            recipient: to.to_owned(),
            recipient_run: None,
            content_type: "text/plain".to_owned(),
            payload_hash: sha256(&[&payload]),
            payload,
            key_id: "key".to_owned(),
            signature: [0; 64],
            taint: Vec::new(),
        };
        let tenant = TenantId::new(self.tenant.as_str()).unwrap();
        message.signature = key_of(from).sign(&message.text(self.real.cluster.origin(), &tenant).to_bytes());
        v1::RecordMessageRequest {
            schema_version: message.schema_version,
            time: message.time.to_string(),
            run_id: message.run_id.unwrap_or_default(),
            protocol: message.protocol,
            capabilities: message.capabilities,
            nonce: message.nonce,
            expires_at: message.expires_at.to_string(),
            sender: message.sender,
            recipient: message.recipient,
            content_type: message.content_type,
            payload: message.payload.into(),
            payload_hash: message.payload_hash.0.to_vec().into(),
            key_id: message.key_id,
            signature: message.signature.to_vec().into(),
            ..v1::RecordMessageRequest::default()
        }
    }
}

fn key_of(subject: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[b"key of ", subject.as_bytes()]).0)
}
