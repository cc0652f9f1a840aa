//! A small real ledger for the double: genesis, endorsed keys, decisions, receipts, checkpoints and paths.

use assent_client::v1;
use assent_ledger::chain::{Head, TenantHead, link};
use assent_ledger::checkpoint::Checkpoint;
use assent_ledger::cosignature::cosign;
use assent_ledger::endorse::{GenesisParameters, Grant, endorse, sign_genesis};
use assent_ledger::entry::Entry;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::ids::{NodeId, Origin, Seq, TenantId, Time, TreeSize};
use assent_ledger::json::Value;
use assent_ledger::keys::{Role, SecretKey, cosigner_key_name};
use assent_ledger::receipt::BatchSigner;
use assent_ledger::seal::{KeyEndorsed, LedgerCreated};
use assent_ledger::tree::{MemoryNodes, inclusion_path};

pub const NODE: NodeId = NodeId(1);

pub fn origin() -> Origin {
    Origin::new("example.org/test").unwrap()
}

pub fn root_key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn receipt_key() -> SecretKey {
    SecretKey::from_seed(&[4; 32])
}

/// Entries as leaves, with the heads of both chains.
pub struct Ledger {
    pub leaves: Vec<Vec<u8>>,
    head: Head,
    tenants: std::collections::BTreeMap<TenantId, TenantHead>,
}

impl Ledger {
    /// A ledger with a log key, and one node whose cosigner and receipt keys are endorsed.
    pub fn new() -> Self {
        let head = Head::genesis(&origin());
        let mut ledger = Ledger { leaves: Vec::new(), head, tenants: Default::default() };
        let parameters = GenesisParameters {
            origin: origin(),
            kernel_version: 1,
            quorum: 1,
            seal_entries: 10,
            seal_seconds: 10,
            interval_max_seconds: 60,
        };
        let created = sign_genesis(&root_key(), parameters);
        ledger.append("-", LedgerCreated::KIND, None, created.to_value());
        for (seed, role, node) in
            [(2u8, Role::Log, None), (3, Role::Cosigner, Some(NODE)), (4, Role::Receipt, Some(NODE))]
        {
            let grant = Grant { role, node, from_size: TreeSize(0), to_size: None };
            let body = endorse(&origin(), &root_key(), SecretKey::from_seed(&[seed; 32]).public(), grant).unwrap();
            ledger.append("-", KeyEndorsed::KIND, None, body.to_value());
        }
        ledger
    }

    pub fn append(&mut self, tenant: &str, kind: &str, run: Option<&str>, body: Value) -> u64 {
        let tenant = TenantId::new(tenant).unwrap();
        let tenant_head =
            *self.tenants.entry(tenant.clone()).or_insert_with(|| TenantHead::genesis(&origin(), &tenant));
        let link = link(&self.head, &tenant_head);
        let seq = link.seq;
        let entry = Entry {
            origin: origin(),
            seq,
            time: Time(1_700_000_000_000_000 + seq.0),
            nonce: [u8::try_from(seq.0 % 251).unwrap(); 16],
            tenant: tenant.clone(),
            tseq: link.tseq,
            prev: link.prev,
            tprev: link.tprev,
            kind: kind.to_owned(),
            event_id: format!("event-{seq}"),
            run_id: run.map(str::to_owned),
            trace_id: None,
            actor: None,
            body,
            payloads: Vec::new(),
        };
        let leaf = entry.encode().unwrap();
        let hash = leaf_hash(&leaf);
        self.head = self.head.after(hash, entry.time);
        self.tenants.insert(tenant, tenant_head.after(hash));
        self.leaves.push(leaf);
        seq.0
    }

    /// Records a decision; the verdict is `deny` for the tool `forbidden`.
    pub fn decide(&mut self, request: &v1::EvaluateRequest) -> u64 {
        let (verdict, code) = if request.tool == "forbidden" { ("deny", 310) } else { ("allow", 900) };
        let body = Value::empty_map()
            .with("request_id", request.request_id.as_str())
            .with("tool", request.tool.as_str())
            .with("environment", request.environment.as_str())
            .with("verdict", verdict)
            .with("codes", vec![Value::Int(code)]);
        self.append("acme", "dare.policy.decision", Some("run-1"), body)
    }

    /// The answer to a request that was recorded at `seq`, with its receipt as a batch of one.
    pub fn answer(&self, request: &v1::EvaluateRequest, seq: u64, replayed: bool) -> v1::EvaluateResponse {
        let denied = request.tool == "forbidden";
        let verdict = if denied { v1::Verdict::Deny } else { v1::Verdict::Allow };
        v1::EvaluateResponse {
            request_id: request.request_id.clone(),
            decision_id: format!("event-{seq}"),
            verdict: verdict.into(),
            codes: vec![v1::ReasonCode { number: if denied { 310 } else { 900 }, name: "X".to_owned() }],
            seq,
            run_id: "run-1".to_owned(),
            request_salt: vec![0; 32].into(),
            terms: None,
            replayed,
            receipt: self.receipt(seq, receipt_key()).into(),
        }
    }

    pub fn receipt(&self, seq: u64, key: SecretKey) -> Vec<u8> {
        let leaf = String::from_utf8(self.leaves[usize::try_from(seq).unwrap()].clone()).unwrap();
        let signer = BatchSigner::new(origin(), NODE, key);
        let batch = signer.sign(Seq(seq), vec![leaf_hash(leaf.as_bytes())]).unwrap();
        batch.receipt(0, &leaf).unwrap().to_json().unwrap()
    }

    fn nodes(&self) -> MemoryNodes {
        MemoryNodes::from_leaves(self.leaves.iter().map(|leaf| leaf_hash(leaf)))
    }

    /// A signed checkpoint over everything, with or without the node's cosignature.
    pub fn checkpoint(&self, cosigned: bool) -> Vec<u8> {
        let nodes = self.nodes();
        let checkpoint = Checkpoint { origin: origin(), size: nodes.size(), root: nodes.root() };
        let mut note = checkpoint.sign(&SecretKey::from_seed(&[2; 32])).unwrap();
        if cosigned {
            let name = cosigner_key_name(&origin(), NODE);
            let line = cosign(note.text(), &name, &SecretKey::from_seed(&[3; 32]), 1_700_000_000).unwrap();
            note.append(line).unwrap();
        }
        note.to_bytes()
    }

    pub fn path(&self, seq: u64, size: u64) -> Vec<Hash> {
        inclusion_path(&self.nodes(), seq, TreeSize(size)).unwrap()
    }
}
