//! A recorded ledger with everything that an export has beside it, and the schemas that are shipped.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assent_kernel::bundle::{CompiledBundle, compile};
use assent_kernel::command::{CallContext, CallerBudgets, Evaluate};
use assent_kernel::dare::Evidence;
use assent_kernel::event::EventBody;
use assent_kernel::replay::{Held, Payloads, Recorded};
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{NodeId, Seq, TenantId};
use assent_ledger::keys::SecretKey;
use assent_ledger::payload::decrypt;
use assent_ledger::receipt::{BatchSigner, Receipt};
use assent_ledger::seal::SpanAnchored;
use serde_json::Value;

use crate::support::{self, GOOD_MAIL, World, call, node};

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The validator of a shipped schema.
pub fn schema(name: &str) -> jsonschema::Validator {
    let path = repository().join(format!("docs/schemas/dare/{name}.json"));
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::draft202012::new(&schema).unwrap()
}

/// Parses a produced record and checks it against its schema.
pub fn valid(name: &str, text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap();
    let errors: Vec<String> =
        schema(name).iter_errors(&value).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{text}");
    value
}

/// A recorded ledger with everything that an export has beside it.
pub struct Archive {
    pub entries: Vec<Recorded>,
    pub payloads: BTreeMap<Hash, Vec<u8>>,
    pub erased: BTreeSet<Hash>,
    pub receipts: BTreeMap<Seq, Receipt>,
    pub anchored: Option<SpanAnchored>,
    pub bundles: BTreeMap<Hash, Arc<CompiledBundle>>,
    pub leaves: Vec<Vec<u8>>,
}

impl Payloads for Archive {
    fn payload(&self, _: &TenantId, commitment: &Hash) -> Held {
        match self.payloads.get(commitment) {
            _ if self.erased.contains(commitment) => Held::Erased,
            Some(bytes) => Held::Bytes(bytes.clone()),
            None => Held::Missing,
        }
    }
}

impl Evidence for Archive {
    fn bundle(&self, hash: &Hash) -> Option<Arc<CompiledBundle>> {
        self.bundles.get(hash).cloned()
    }

    fn receipt(&self, seq: Seq) -> Option<Receipt> {
        self.receipts.get(&seq).cloned()
    }

    fn anchored(&self, seq: Seq) -> Option<SpanAnchored> {
        self.anchored.clone().filter(|anchored| seq.0 < anchored.size.0)
    }

    fn entry(&self, tenant: &TenantId, event_id: &str) -> Option<Recorded> {
        let found = |r: &&Recorded| r.entry.tenant == *tenant && r.entry.event_id == event_id;
        self.entries.iter().find(found).cloned()
    }
}

impl Archive {
    /// What entries, payloads and receipts come to: the bundles are those that were offered in them.
    pub fn of(leaves: Vec<Vec<u8>>, payloads: BTreeMap<Hash, Vec<u8>>, receipts: BTreeMap<Seq, Receipt>) -> Archive {
        let entries: Vec<Recorded> = leaves.iter().map(|leaf| Recorded::read(leaf).unwrap()).collect();
        let (mut anchored, mut bundles) = (None, BTreeMap::new());
        for recorded in &entries {
            match &recorded.body {
                Some(EventBody::SpanAnchored(body)) => anchored = Some((**body).clone()),
                Some(EventBody::BundleOffered(body)) => {
                    if let Some(source) = payloads.get(&recorded.entry.payloads[0].commitment) {
                        bundles.insert(body.bundle, Arc::new(compile(source).unwrap()));
                    }
                }
                _ => {}
            }
        }
        Archive { entries, payloads, erased: BTreeSet::new(), receipts, anchored, bundles, leaves }
    }
}

/// Sends commands to a ledger that is ready and keeps payloads and receipts as an export would.
pub fn archive(send: impl FnOnce(&mut Keeper)) -> Archive {
    let mut keeper = Keeper { world: World::new(11), payloads: BTreeMap::new(), receipts: BTreeMap::new() };
    let ready = World::ready(11);
    for command in ready.sent {
        keeper.apply(command);
    }
    (keeper.world.clock, keeper.world.dice) = (ready.clock, ready.dice);
    send(&mut keeper);
    Archive::of(keeper.world.leaves, keeper.payloads, keeper.receipts)
}

pub struct Keeper {
    pub world: World,
    pub payloads: BTreeMap<Hash, Vec<u8>>,
    pub receipts: BTreeMap<Seq, Receipt>,
}

impl Keeper {
    pub fn send(&mut self, caller: assent_kernel::command::Caller, body: assent_kernel::command::CommandBody) {
        let command = self.world.command(caller, body);
        self.apply(command);
    }

    /// What was sent so far cannot be repeated by the effect's key: the next call with it is another effect.
    pub fn another_key(&mut self) {
        self.world.clock += 25 * 3_600 * support::SECOND;
    }

    fn apply(&mut self, command: assent_kernel::command::Command) {
        let applied = self.world.apply(vec![command]);
        for payload in applied.entries.iter().flat_map(|entry| &entry.payloads) {
            let opened = decrypt(&payload.data_key, &payload.commitment, &payload.ciphertext).unwrap();
            self.payloads.insert(payload.commitment, opened.bytes.to_vec());
        }
        let Some(first) = applied.entries.first() else { panic!("refused: {:?}", applied.answers) };
        let key = SecretKey::from_seed(&[3; 32]);
        let signer = BatchSigner::new(support::origin(), NodeId(1), key);
        let hashes: Vec<Hash> = applied.entries.iter().map(|entry| entry.hash).collect();
        let batch = signer.sign(first.seq, hashes).unwrap();
        for (index, entry) in applied.entries.iter().enumerate() {
            let leaf = std::str::from_utf8(&entry.leaf).unwrap();
            self.receipts.insert(entry.seq, batch.receipt(index as u64, leaf).unwrap());
        }
    }
}

pub fn full_call() -> Evaluate {
    let mut evaluate = call("mail.send", GOOD_MAIL);
    evaluate.run_id = Some("run-1".into());
    evaluate.agent.instance_id = Some("spiffe://org/agent/planner#run-123".into());
    evaluate.agent.version = Some("2.1.0".into());
    evaluate.context = Box::new(CallContext {
        span_id: Some("span-1".into()),
        source_labels: vec!["user_input".into(), "retrieved_doc".into()],
        risk_score_milli: Some(420),
        budgets: CallerBudgets {
            tokens_remaining: Some(20_000),
            tool_calls_remaining: Some(120),
            cost_micro_usd_remaining: Some(18_500_000),
        },
        claims: vec![("image_digest".into(), sha256(&[b"image"]))],
        idempotency_key: Some("key-1".into()),
        ..CallContext::default()
    });
    evaluate
}

pub fn sealed(keeper: &mut Keeper) {
    let body = keeper.world.seal();
    keeper.send(node(), body);
    let body = keeper.world.cosigned();
    keeper.send(node(), body);
    let body = keeper.world.anchored();
    keeper.send(node(), body);
}
