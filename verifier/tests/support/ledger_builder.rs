//! Builds a small but real ledger with the ledger crate and writes it exactly as a node lays out write-once storage.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assent_ledger::archive::{MapPathFile, SpanName, SpanObject, append_leaf, append_payload, ledger_prefix};
use assent_ledger::chain::{Head, TenantHead, link};
use assent_ledger::checkpoint::Checkpoint;
use assent_ledger::cosignature::cosign;
use assent_ledger::endorse::{GenesisParameters, Grant, endorse, retire, sign_genesis};
use assent_ledger::entry::{Entry, PayloadCommitment};
use assent_ledger::hash::{Hash, leaf_hash, sha256};
use assent_ledger::ids::{NodeId, Origin, Seq, TenantId, Time, TreeSize};
use assent_ledger::json::Value;
use assent_ledger::keys::{Role, SecretKey, cosigner_key_name};
use assent_ledger::manifest::{Manifest, ManifestObject};
use assent_ledger::map::{TenantMap, TenantMapLeaf, opaque_tenant_id};
use assent_ledger::note::NoteSignature;
use assent_ledger::payload::encrypt;
use assent_ledger::receipt::BatchSigner;
use assent_ledger::seal::{KeyEndorsed, KeyRetired, LedgerCreated, SealReason, SpanCosigned, SpanSealed};
use assent_ledger::tree::{MemoryNodes, consistency_path, merkle_root, root_at};

pub const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
pub const START: u64 = 1_795_000_000_000_000;

pub fn origin() -> Origin {
    Origin::new("assent.example/test").unwrap()
}

pub fn root_key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}
pub fn log_key() -> SecretKey {
    SecretKey::from_seed(&[2; 32])
}
pub fn cosigner_key(node: usize) -> SecretKey {
    SecretKey::from_seed(&[10 + node as u8; 32])
}
pub fn receipt_key(node: usize) -> SecretKey {
    SecretKey::from_seed(&[20 + node as u8; 32])
}

/// The genesis that the root key signed: two of three nodes cosign.
pub fn created(origin: Origin) -> LedgerCreated {
    let parameters = GenesisParameters {
        origin,
        kernel_version: 1,
        quorum: 2,
        seal_entries: 1000,
        seal_seconds: 10,
        interval_max_seconds: 60,
    };
    sign_genesis(&root_key(), parameters)
}

/// A committed leaf with what belongs to it.
#[derive(Clone)]
pub struct Leaf {
    pub tenant: TenantId,
    pub bytes: Vec<u8>,
    pub hash: Hash,
    pub payloads: Vec<(Hash, Vec<u8>)>,
}

/// A ledger under construction. Clone it to fork history.
#[derive(Clone)]
pub struct Ledger {
    pub origin: Origin,
    pub head: Head,
    pub tenants: BTreeMap<TenantId, TenantHead>,
    pub leaves: Vec<Leaf>,
    pub nodes: MemoryNodes,
    pub span_start: u64,
    pub prev_checkpoint: Option<Hash>,
    pub time: u64,
    pub checkpoints: Vec<(u64, Vec<u8>)>,
    pub keys: BTreeMap<Hash, [u8; 32]>,
    pub cosigned_by: Vec<usize>,
    pub commit_cosignatures: bool,
    pub heads_before_seal: BTreeMap<TenantId, TenantHead>,
}

impl Ledger {
    pub fn new(origin: Origin) -> Self {
        let body = created(origin.clone()).to_value();
        Ledger::begun_with(origin, body)
    }

    /// Begins with any body of entry 0, as a hostile writer may, and the usual endorsements.
    pub fn begun_with(origin: Origin, genesis: Value) -> Self {
        let mut ledger = Ledger {
            head: Head::genesis(&origin),
            origin,
            tenants: BTreeMap::new(),
            leaves: Vec::new(),
            nodes: MemoryNodes::new(),
            span_start: 0,
            prev_checkpoint: None,
            time: START,
            checkpoints: Vec::new(),
            keys: BTreeMap::new(),
            cosigned_by: vec![0, 1],
            commit_cosignatures: true,
            heads_before_seal: BTreeMap::new(),
        };
        ledger.system(LedgerCreated::KIND, genesis);
        ledger.endorse(Role::Log, None, &log_key(), 0, None);
        for (number, node) in NODES.into_iter().enumerate() {
            ledger.endorse(Role::Cosigner, Some(node), &cosigner_key(number), 0, None);
            ledger.endorse(Role::Receipt, Some(node), &receipt_key(number), 0, None);
        }
        ledger
    }

    pub fn endorse(&mut self, role: Role, node: Option<NodeId>, key: &SecretKey, from: u64, to: Option<u64>) {
        let grant = Grant { role, node, from_size: TreeSize(from), to_size: to.map(TreeSize) };
        let body = endorse(&self.origin, &root_key(), key.public(), grant).unwrap();
        self.system(KeyEndorsed::KIND, body.to_value());
    }

    pub fn retire(&mut self, role: Role, name: &str, key: &SecretKey, to: u64) {
        let body = retire(&self.origin, &root_key(), role, name, key.public(), TreeSize(to));
        self.system(KeyRetired::KIND, body.to_value());
    }

    pub fn system(&mut self, kind: &str, body: Value) -> u64 {
        self.append(&TenantId::system(), kind, body, &[])
    }

    pub fn tenant_entry(&mut self, tenant: &str, payload: Option<&[u8]>) -> u64 {
        let body = Value::map([("decision", Value::str("allow")), ("code", Value::Int(7))]);
        let payloads: Vec<&[u8]> = payload.into_iter().collect();
        self.append(&TenantId::new(tenant).unwrap(), "dare.policy.decision", body, &payloads)
    }

    pub fn append(&mut self, tenant: &TenantId, kind: &str, body: Value, payloads: &[&[u8]]) -> u64 {
        let seq = self.head.size.0;
        let (mut sealed, mut commitments) = (Vec::new(), Vec::new());
        for (number, bytes) in payloads.iter().enumerate() {
            let key = sha256(&[b"key", &seq.to_be_bytes(), &[number as u8]]).0;
            let salt = sha256(&[b"salt", &seq.to_be_bytes(), &[number as u8]]).0;
            let payload = encrypt(&key, &salt, bytes).unwrap();
            self.keys.insert(payload.commitment, key);
            commitments.push(PayloadCommitment {
                commitment: payload.commitment,
                content_type: "application/json".to_owned(),
                length: bytes.len() as u64,
                role: "input".to_owned(),
            });
            sealed.push((payload.commitment, payload.ciphertext));
        }
        let head = self.tenants.get(tenant).copied().unwrap_or_else(|| TenantHead::genesis(&self.origin, tenant));
        let at = link(&self.head, &head);
        self.time += 1000;
        let nonce = sha256(&[b"nonce", &seq.to_be_bytes()]).0[..16].try_into().unwrap();
        let entry = Entry {
            origin: self.origin.clone(),
            seq: at.seq,
            time: Time(self.time),
            nonce,
            tenant: tenant.clone(),
            tseq: at.tseq,
            prev: at.prev,
            tprev: at.tprev,
            kind: kind.to_owned(),
            event_id: format!("evt-{seq}"),
            run_id: None,
            trace_id: None,
            actor: None,
            body,
            payloads: commitments,
        };
        self.push_leaf(tenant.clone(), entry.encode().unwrap(), sealed);
        seq
    }

    /// Takes any bytes as the next leaf, as a hostile writer may.
    pub fn push_leaf(&mut self, tenant: TenantId, bytes: Vec<u8>, payloads: Vec<(Hash, Vec<u8>)>) {
        let hash = leaf_hash(&bytes);
        let head = self.tenants.get(&tenant).copied().unwrap_or_else(|| TenantHead::genesis(&self.origin, &tenant));
        self.tenants.insert(tenant.clone(), head.after(hash));
        self.head = self.head.after(hash, Time(self.time));
        self.nodes.push(hash);
        self.leaves.push(Leaf { tenant, bytes, hash, payloads });
    }

    pub fn opaque(&self, tenant: &TenantId) -> Hash {
        let blind = if tenant.is_system() { [0; 32] } else { sha256(&[b"blind", tenant.as_str().as_bytes()]).0 };
        opaque_tenant_id(&self.origin, &blind, tenant)
    }

    pub fn opaque_of(&self, tenant: &str) -> Hash {
        self.opaque(&TenantId::new(tenant).unwrap())
    }

    fn map(&self) -> TenantMap {
        let leaf =
            |(t, h): (&TenantId, &TenantHead)| TenantMapLeaf { id: self.opaque(t), count: h.count, last: h.last };
        TenantMap::from_leaves(self.heads_before_seal.iter().map(leaf)).unwrap()
    }

    /// Seals the open span, signs it and writes it below `dir`; the next span begins with the committed cosignatures.
    pub fn seal(&mut self, dir: &Path) -> PathBuf {
        let size = self.head.size.0;
        self.heads_before_seal = self.tenants.clone();
        let sealed = SpanSealed {
            kernel_version: 1,
            leader_node: NODES[0],
            log_index: size,
            membership: NODES.to_vec(),
            reason: SealReason::Count,
            root: root_at(&self.nodes, TreeSize(size)).unwrap(),
            size: TreeSize(size),
            span_start: Seq(self.span_start),
            state_digest: sha256(&[b"state"]),
            tenant_map_root: self.map().root(),
            term: 1,
        };
        self.system(SpanSealed::KIND, sealed.to_value());
        self.write(dir)
    }

    /// Writes the open span, which ends in a seal.
    pub fn write(&mut self, dir: &Path) -> PathBuf {
        let (start, end) = (self.span_start, self.head.size.0);
        let name = SpanName { start: Seq(start), end: TreeSize(end) };
        let span_dir = dir.join(ledger_prefix(&self.origin)).join("spans").join(name.to_string());
        let objects = self.objects();
        for (object, bytes) in &objects {
            let path = span_dir.join(object.to_string());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let root = root_at(&self.nodes, TreeSize(end)).unwrap();
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: TreeSize(end), root };
        let manifest = Manifest {
            origin: self.origin.clone(),
            start: Seq(start),
            end: TreeSize(end),
            span_root: merkle_root(self.leaves[start as usize..].iter().map(|l| l.hash)),
            checkpoint: checkpoint.digest(),
            prev_checkpoint: self.prev_checkpoint,
            consistency: consistency_path(&self.nodes, TreeSize(start), TreeSize(end)).unwrap(),
            reason: SealReason::Count,
            objects: objects
                .iter()
                .map(|(o, b)| ManifestObject { object: *o, digest: sha256(&[b]), length: b.len() as u64 })
                .collect(),
        };
        let manifest = manifest.sign(&log_key()).unwrap();
        fs::write(span_dir.join("manifest"), manifest.to_bytes()).unwrap();
        let mut note = checkpoint.sign(&log_key()).unwrap();
        let lines: Vec<NoteSignature> = self.cosigned_by.iter().map(|n| self.cosignature(&checkpoint, *n)).collect();
        lines.iter().for_each(|l| note.append(l.clone()).unwrap());
        fs::write(span_dir.join("checkpoint"), note.to_bytes()).unwrap();
        self.checkpoints.push((end, note.to_bytes()));
        self.prev_checkpoint = Some(checkpoint.digest());
        self.span_start = end;
        if self.commit_cosignatures {
            let body = SpanCosigned {
                checkpoint: checkpoint.digest(),
                cosignatures: lines,
                manifest: manifest.digest(),
                size: TreeSize(end),
            };
            self.system(SpanCosigned::KIND, body.to_value());
        }
        span_dir
    }

    fn cosignature(&self, checkpoint: &Checkpoint, node: usize) -> NoteSignature {
        let name = cosigner_key_name(&self.origin, NODES[node]);
        cosign(&checkpoint.text(), &name, &cosigner_key(node), self.time / 1_000_000).unwrap()
    }

    fn objects(&self) -> BTreeMap<SpanObject, Vec<u8>> {
        let mut objects: BTreeMap<SpanObject, Vec<u8>> = BTreeMap::new();
        for leaf in &self.leaves[self.span_start as usize..] {
            let id = self.opaque(&leaf.tenant);
            objects.entry(SpanObject::Leaves).or_default().extend_from_slice(&leaf.hash.0);
            append_leaf(objects.entry(SpanObject::TenantBundle(id)).or_default(), &leaf.bytes).unwrap();
            for (commitment, ciphertext) in &leaf.payloads {
                let object = objects.entry(SpanObject::TenantPayloads(id)).or_default();
                append_payload(object, commitment, ciphertext).unwrap();
            }
        }
        let map = self.map();
        for leaf in map.leaves() {
            let file = MapPathFile::new(&leaf, map.path(&leaf.id).unwrap());
            objects.insert(SpanObject::TenantMap(leaf.id), file.to_string().into_bytes());
        }
        objects
    }

    /// Receipts of node 0 for all leaves from `first` on, as one batch.
    pub fn receipts(&self, first: u64) -> Vec<Vec<u8>> {
        let leaves = &self.leaves[first as usize..];
        let signer = BatchSigner::new(self.origin.clone(), NODES[0], receipt_key(0));
        let batch = signer.sign(Seq(first), leaves.iter().map(|l| l.hash).collect()).unwrap();
        let text = |l: &Leaf| String::from_utf8(l.bytes.clone()).unwrap();
        let one = |(i, l): (usize, &Leaf)| batch.receipt(i as u64, &text(l)).unwrap().to_json().unwrap();
        leaves.iter().enumerate().map(one).collect()
    }

    /// The seqs of one tenant's entries from `from` to before `to`.
    pub fn seqs(&self, tenant: &str, from: u64, to: u64) -> Vec<u64> {
        (from..to).filter(|s| self.leaves[*s as usize].tenant.as_str() == tenant).collect()
    }
}

/// Three tenants' entries with some payloads.
pub fn traffic(ledger: &mut Ledger, entries: u64) {
    for number in 0..entries {
        let tenant = ["acme", "borealis", "cumulus"][(number % 3) as usize];
        let payload = format!("{{\"n\":{number}}}");
        ledger.tenant_entry(tenant, (number % 4 == 0).then_some(payload.as_bytes()));
    }
}

/// An archive of three sealed spans, and the ledger that goes on after it.
pub fn archive(dir: &Path) -> (Ledger, Vec<PathBuf>) {
    let mut ledger = Ledger::new(origin());
    let mut spans = Vec::new();
    for entries in [9, 12, 10] {
        traffic(&mut ledger, entries);
        spans.push(ledger.seal(dir));
    }
    (ledger, spans)
}
