//! The binary replays an archive that a kernel wrote and a quorum signed, and says which decision was not made by this kernel.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    reason = "tests"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{
    Agent, Batch, Caller, Command, CommandBody, Evaluate, Genesis, NewCredential, NewTenant, OfferedSource, RequestId,
    Role,
};
use assent_kernel::machine::{Answer, LogPosition, Machine};
use assent_kernel::stamp::Stamp;
use assent_kernel::state::MemoryState;
use assent_ledger::endorse::{Grant, endorse};
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{TenantId, Time, TreeSize};
use assent_ledger::keys::Role as KeyRole;
use assent_ledger::note::Note;
use assent_ledger::payload::decrypt;
use assent_ledger::seal::{SealReason, SpanCosigned};
use support::ledger_builder::{Ledger, NODES, START, cosigner_key, created, log_key, origin, receipt_key, root_key};
use tempfile::TempDir;

const BUNDLE: &str = "\
name: replay
version: 1
tools:
  - {name: mail.send, class: mail, action: send, inputs: {to: {type: string, required: true}}}
principals:
  - subject: agent-1
    capabilities: [{class: mail, actions: [send]}]
rules:
  - {id: deny-evil, priority: 1, match: {tool: mail.send, parameters: {to: {in: [evil@example.com]}}}, decision: deny}
  - {id: allow-mail, priority: 2, match: {tool: mail.send}, decision: allow}
";

/// A kernel, its state, and the archive that is written from what it records.
struct Recorder {
    machine: Machine,
    state: MemoryState,
    ledger: Ledger,
    dir: TempDir,
    clock: u64,
    index: u64,
    opened: String,
    keys: String,
}

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn caller(of: TenantId, role: Role, name: &str, subject: Option<&str>) -> Caller {
    Caller { tenant: of, subject: subject.map(str::to_owned), attested: true, role, credential: name.to_owned() }
}

fn operator() -> Caller {
    caller(TenantId::system(), Role::Operator, "operator", None)
}

impl Recorder {
    fn new() -> Recorder {
        let mut ledger = Ledger::new(origin());
        // Only its bookkeeping and its keys are used: the entries are the kernel's.
        ledger = Ledger {
            head: assent_ledger::chain::Head::genesis(&origin()),
            tenants: std::collections::BTreeMap::new(),
            leaves: Vec::new(),
            nodes: assent_ledger::tree::MemoryNodes::new(),
            commit_cosignatures: false,
            ..ledger
        };
        let mut recorder = Recorder {
            machine: Machine::new(origin()),
            state: MemoryState::new(),
            ledger,
            dir: TempDir::new().unwrap(),
            clock: START,
            index: 0,
            opened: String::new(),
            keys: String::new(),
        };
        let grant = |role, node| Grant { role, node, from_size: TreeSize(0), to_size: None };
        let key =
            |key: assent_ledger::keys::SecretKey, grant| endorse(&origin(), &root_key(), key.public(), grant).unwrap();
        let mut endorsements = vec![key(log_key(), grant(KeyRole::Log, None))];
        for (number, node) in NODES.into_iter().enumerate() {
            endorsements.push(key(cosigner_key(number), grant(KeyRole::Cosigner, Some(node))));
            endorsements.push(key(receipt_key(number), grant(KeyRole::Receipt, Some(node))));
        }
        let (created, operator_token_hash) = (created(origin()), sha256(&[b"operator"]));
        let genesis = Genesis { created, endorsements, operator: "operator".into(), operator_token_hash };
        recorder.send(operator(), CommandBody::Genesis(Box::new(genesis)));
        recorder.tenant();
        recorder
    }

    fn tenant(&mut self) {
        let blind = sha256(&[b"blind", tenant().as_str().as_bytes()]).0;
        let new = NewTenant { tenant: tenant(), tenant_key: [1; 32], blind };
        self.send(operator(), CommandBody::CreateTenant(Box::new(new)));
        let subject = "agent-1".to_owned();
        self.send(operator(), CommandBody::RegisterPrincipal { tenant: tenant(), subject, owner: None });
        let credential = NewCredential {
            tenant: tenant(),
            name: "key-1".into(),
            token_hash: sha256(&[b"agent"]),
            role: Role::Agent,
            subject: Some("agent-1".into()),
        };
        self.send(operator(), CommandBody::RegisterCredential(Box::new(credential)));
        let source = BUNDLE.as_bytes().to_vec();
        self.send(operator(), CommandBody::OfferBundle(OfferedSource { tenant: tenant(), source }));
        let bundle_hash = bundle_hash(BUNDLE.as_bytes());
        self.send(
            operator(),
            CommandBody::ActivateBundle { tenant: tenant(), environment: "prod".into(), bundle_hash },
        );
    }

    fn send(&mut self, caller: Caller, body: CommandBody) -> Answer {
        self.clock += 1_000;
        self.index += 1;
        let seed = sha256(&[b"seed", &self.index.to_be_bytes()]).0;
        let request_id = RequestId::new(self.clock / 1_000, seed[..10].try_into().unwrap());
        let command = Command { request_id, stamp: Stamp { time: Time(self.clock), seed }, caller, body };
        let at = LogPosition { index: self.index, term: 1, leader: NODES[0], membership: NODES.to_vec() };
        let mut applied = self.machine.apply(&self.state, &Batch { commands: vec![command] }, &at);
        self.state.commit(&applied.state, &applied.dropped_buckets);
        for entry in applied.entries {
            for payload in &entry.payloads {
                let opened = decrypt(&payload.data_key, &payload.commitment, &payload.ciphertext).unwrap();
                let (salt, bytes) = (hex(&opened.salt), hex(&opened.bytes));
                self.opened += &format!("{} {salt} {bytes}\n", payload.commitment);
                self.keys += &format!("{} {}\n", payload.commitment, hex(&payload.data_key));
            }
            let payloads = entry.payloads.iter().map(|p| (p.commitment, p.ciphertext.clone())).collect();
            self.ledger.time = self.clock;
            self.ledger.heads_before_seal = self.ledger.tenants.clone();
            self.ledger.push_leaf(entry.tenant, entry.leaf, payloads);
        }
        applied.answers.remove(0)
    }

    fn mail(&mut self, to: &str) -> Answer {
        let evaluate = Evaluate {
            environment: "prod".into(),
            run_id: None,
            trace_id: None,
            agent: Agent::default(),
            subject: None,
            tool: "mail.send".into(),
            content_type: "application/json".into(),
            inputs: format!("{{\"to\":\"{to}\"}}").into_bytes(),
            context: Box::default(),
        };
        let agent = caller(tenant(), Role::Agent, "key-1", Some("agent-1"));
        self.send(agent, CommandBody::Evaluate(Box::new(evaluate)))
    }

    /// Seals the open span, writes it, and records the cosignatures.
    fn seal(&mut self) {
        let node = caller(TenantId::system(), Role::Node, "node/1", None);
        let expected_start = TreeSize(self.ledger.span_start);
        let sealed = self.send(node.clone(), CommandBody::Seal { reason: SealReason::Count, expected_start });
        assert!(matches!(sealed, Answer::Recorded { .. }), "{sealed:?}");
        let span = self.ledger.write(self.dir.path());
        let (size, note) = self.ledger.checkpoints.last().unwrap().clone();
        let note = Note::parse(&note).unwrap();
        let manifest = Note::parse(&fs::read(span.join("manifest")).unwrap()).unwrap();
        let mut cosignatures = note.signatures()[1..].to_vec();
        cosignatures.sort_by(|a, b| a.name().cmp(b.name()));
        let checkpoint = note.text_digest();
        let body = SpanCosigned { checkpoint, cosignatures, manifest: manifest.digest(), size: TreeSize(size) };
        let cosigned = self.send(node, CommandBody::Cosigned(Box::new(body)));
        assert!(matches!(cosigned, Answer::Recorded { .. }), "{cosigned:?}");
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn recorded() -> Recorder {
    let mut recorder = Recorder::new();
    for to in ["a@example.com", "evil@example.com", "b@example.com"] {
        assert!(matches!(recorder.mail(to), Answer::Decided { .. }));
    }
    recorder.seal();
    recorder.mail("c@example.com");
    recorder.seal();
    recorder
}

fn run(verb: &str, dir: &Path, more: &[&str]) -> (i32, String) {
    let output = Process::new(env!("CARGO_BIN_EXE_assent-verify")).arg(verb).arg(dir).args(more).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    println!("$ assent-verify {verb} DIR {}\n{text}", more.join(" "));
    (output.status.code().unwrap(), text)
}

#[test]
fn an_archive_replays_with_opened_payloads_and_with_keys() {
    let recorder = recorded();
    let key = root_key().public().to_string();
    let (opened, keys) = (recorder.file("opened", &recorder.opened), recorder.file("keys", &recorder.keys));
    for more in [["--payloads", &opened], ["--payload-keys", &keys]] {
        let (code, text) = run("replay", recorder.dir.path(), &["--root-key", &key, more[0], more[1]]);
        assert_eq!(code, 0);
        assert!(text.contains("REPLAYED") && text.contains("4 calls among them; 0 contradictions"), "{text}");
        assert!(text.contains("VALID up to size "), "{text}");
    }
    // One tenant's view, for machines.
    let (code, text) =
        run("replay", recorder.dir.path(), &["--root-key", &key, "--payloads", &opened, "--tenant", "acme", "--json"]);
    assert_eq!(code, 0);
    assert!(text.contains("\"decisions\":4,\"contradictions\":0"), "{text}");
}

#[test]
fn without_payloads_nothing_contradicts_and_the_code_says_so() {
    let recorder = recorded();
    let key = root_key().public().to_string();
    let (code, text) = run("replay", recorder.dir.path(), &["--root-key", &key]);
    assert_eq!(code, 21);
    assert!(text.contains("NOT_REPLAYABLE at entry") && text.contains("0 contradictions"), "{text}");
}

#[test]
fn a_validly_signed_archive_with_a_decision_that_nobody_made_is_contradicted() {
    // A quorum that lies: the leaf says allow where the bundle denies, and everything is signed.
    let mut recorder = Recorder::new();
    recorder.mail("evil@example.com");
    let last = recorder.ledger.leaves.pop().unwrap();
    let mut entry = assent_ledger::entry::Entry::parse(&last.bytes).unwrap();
    let body = entry.body.as_map().unwrap().clone();
    entry.body = assent_ledger::json::Value::Map(body).with("verdict", "allow").with("effective", "allow");
    let seq = entry.seq;
    let mut liar = Ledger {
        head: assent_ledger::chain::Head::genesis(&origin()),
        tenants: std::collections::BTreeMap::new(),
        leaves: Vec::new(),
        nodes: assent_ledger::tree::MemoryNodes::new(),
        ..recorder.ledger.clone()
    };
    for leaf in &recorder.ledger.leaves {
        liar.push_leaf(leaf.tenant.clone(), leaf.bytes.clone(), leaf.payloads.clone());
    }
    liar.push_leaf(last.tenant, entry.encode().unwrap(), last.payloads);
    liar.seal(recorder.dir.path());
    let (key, opened) = (root_key().public().to_string(), recorder.file("opened", &recorder.opened));
    let (code, text) = run("replay", recorder.dir.path(), &["--root-key", &key, "--payloads", &opened]);
    assert_eq!(code, 20);
    assert!(text.contains(&format!("DIFFERS at entry {seq} of tenant acme: body.")), "{text}");
}

#[test]
fn an_archive_that_is_not_valid_is_not_replayed() {
    let recorder = recorded();
    let bundle = recorder.ledger.opaque_of("acme").to_string();
    let spans = recorder.dir.path().join(assent_ledger::archive::ledger_prefix(&origin())).join("spans");
    let first = fs::read_dir(spans).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    let path = first.join("tenants").join(bundle).join("bundle");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let key = root_key().public().to_string();
    assert_eq!(run("replay", recorder.dir.path(), &["--root-key", &key]).0, 10);
}

#[test]
fn what_if_shows_the_calls_that_another_bundle_decides_otherwise() {
    let recorder = recorded();
    let key = root_key().public().to_string();
    let opened = recorder.file("opened", &recorder.opened);
    let other = recorder.file("other.yaml", &BUNDLE.replace("evil@example.com", "b@example.com"));
    let dir = recorder.dir.path();
    let (code, text) = run("what-if", dir, &["--root-key", &key, "--payloads", &opened, "--bundle", &other]);
    assert_eq!(code, 22);
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("mail.send")).collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[0].contains("deny") && rows[0].contains("allow-mail"), "{text}");
    assert!(rows[1].ends_with("deny-evil"), "{text}");
    assert!(text.contains("4 calls asked again"));
    let until = ["--until", "2000-01-01T00:00:00Z", "--json"];
    let (code, text) = run(
        "what-if",
        dir,
        &["--root-key", &key, "--payloads", &opened, "--bundle", &other, until[0], until[1], until[2]],
    );
    assert_eq!((code, text.contains("\"asked\":0")), (0, true));
    let broken = recorder.file("broken.yaml", "name: [");
    assert_eq!(run("what-if", dir, &["--root-key", &key, "--bundle", &broken]).0, 2);
}

#[test]
fn an_export_replays_too_and_must_agree_with_its_checkpoint() {
    let recorder = recorded();
    let export = TempDir::new().unwrap();
    let (size, note) = recorder.ledger.checkpoints.last().unwrap().clone();
    let leaves = &recorder.ledger.leaves[..usize::try_from(size).unwrap()];
    let lines: Vec<u8> = leaves.iter().flat_map(|leaf| [leaf.bytes.as_slice(), b"\n"].concat()).collect();
    let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.hash.0).collect();
    fs::write(export.path().join("entries.jsonl"), &lines).unwrap();
    fs::write(export.path().join("leaves"), &hashes).unwrap();
    fs::write(export.path().join("checkpoint"), note).unwrap();
    fs::write(export.path().join("payloads"), &recorder.opened).unwrap();
    let (code, text) = run("replay", export.path(), &[]);
    assert_eq!(code, 0);
    assert!(text.contains("signatures were not checked here"), "{text}");
    let changed = String::from_utf8(lines).unwrap().replace("\"allow\"", "\"deny\"");
    fs::write(export.path().join("entries.jsonl"), changed).unwrap();
    assert_eq!(run("replay", export.path(), &[]).0, 2);
}

#[test]
fn mistakes_on_the_command_line_are_refused() {
    let dir = TempDir::new().unwrap();
    let key = root_key().public().to_string();
    assert_eq!(run("replay", dir.path(), &[]).0, 2);
    assert_eq!(run("replay", dir.path(), &["--root-key", &key, "--run", "r"]).0, 2);
    assert_eq!(run("what-if", dir.path(), &["--root-key", &key]).0, 2);
    assert_eq!(run("replay", dir.path(), &["--help"]).0, 0);
    let wrong = dir.path().join("wrong");
    fs::write(&wrong, format!("{} {} {}\n", Hash([1; 32]), hex(&[2; 32]), hex(b"x"))).unwrap();
    let (code, text) = run("replay", dir.path(), &["--root-key", &key, "--payloads", wrong.to_str().unwrap()]);
    assert!(code == 2 || code == 13, "{text}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
