//! Golden vectors of the signed and archived formats, shared by all languages.
//!
//! Each file under `testdata/vectors` is compared with what this build makes; `ASSENT_BLESS=1` rewrites it, which is a change of
//! format. Keys and salts are fixed seeds. Negative vectors say what every reader must refuse.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;

use assent_ledger::archive::{
    BundleReader, MapPathFile, ObjectName, PayloadReader, SpanName, SpanObject, append_leaf, append_payload,
    ledger_prefix,
};
use assent_ledger::checkpoint::{Checkpoint, VerifiedCheckpoint};
use assent_ledger::cosignature::{cosign, message, verify_payload};
use assent_ledger::endorse::{
    GenesisParameters, Grant, Keyring, endorse, endorsement_text, genesis_text, retire, retirement_text, sign_genesis,
    verify_endorsement, verify_genesis,
};
use assent_ledger::entry::Entry;
use assent_ledger::hash::{Hash, hex_fixed, leaf_hash};
use assent_ledger::ids::{NodeId, Origin, Seq, TenantId, TenantSeq, Time, TreeSize};
use assent_ledger::json::{self, Value as Body};
use assent_ledger::keys::{Algorithm, Role, SecretKey, cosigner_key_name, log_key_name};
use assent_ledger::manifest::{Manifest, ManifestObject, VerifiedManifest};
use assent_ledger::note::{Note, NoteKey, NoteSignature};
use assent_ledger::payload::{decrypt, encrypt, unwrap_key, wrap_key};
use assent_ledger::receipt::{BatchSigner, Receipt};
use assent_ledger::seal::{KeyEndorsed, LedgerCreated, SealReason};
use serde_json::{Value, json};

const LOG_SEED: [u8; 32] = [0x11; 32];
const ROOT_SEED: [u8; 32] = [0x22; 32];
const NODE_SEED: [u8; 32] = [0x33; 32];
const RECEIPT_SEED: [u8; 32] = [0x44; 32];
const NODE: NodeId = NodeId(0x0123_4567_89ab_cdef);
const TIME_SECONDS: u64 = 1_795_197_600;

fn key(seed: &[u8; 32]) -> SecretKey {
    SecretKey::from_seed(seed)
}

fn origin() -> Origin {
    Origin::new("assent.example/vectors").unwrap()
}

/// Compares with the stored file, or rewrites it when told to; returns what the file holds.
fn golden(path: &str, made: Value) -> Value {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/vectors").join(path);
    let text = format!("{}\n", serde_json::to_string_pretty(&made).unwrap());
    let bless = std::env::var_os("ASSENT_BLESS").is_some_and(|v| v == "1");
    if bless {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(stored, text, "{path} differs; a change of format needs ASSENT_BLESS=1 and a new version");
    serde_json::from_str(&stored).unwrap()
}

fn texts(value: &Value) -> Vec<(String, String)> {
    let pair = |v: &Value| (v["why"].as_str().unwrap().to_owned(), v["text"].as_str().unwrap().to_owned());
    value.as_array().unwrap().iter().map(pair).collect()
}

fn bad(why: &str, text: impl ToString) -> Value {
    json!({ "why": why, "text": text.to_string() })
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: origin(), size: TreeSize(12), root: leaf_hash(b"root") }
}

#[test]
fn note() {
    let mut note = Note::new("a text\n\nof three lines\n").unwrap();
    note.sign("assent.example/vectors", &key(&LOG_SEED)).unwrap();
    let vkey = NoteKey::new("assent.example/vectors", Algorithm::Ed25519, key(&LOG_SEED).public()).unwrap();
    let good = note.to_string();
    let line = note.signatures()[0].to_string();
    let forged = NoteSignature::new("assent.example/vectors", vkey.id(), vec![0; 64]).unwrap();
    let stored = golden(
        "note/note.json",
        json!({
            "seed": hex::encode(LOG_SEED), "vkey": vkey.to_string(), "note": good,
            "text_digest": note.text_digest().to_string(), "digest": note.digest().to_string(),
            "refused": [
                bad("changed text", good.replace("a text", "a test")),
                bad("known key, bad signature", good.replace(&line, &forged.to_string())),
                bad("the line twice", format!("{good}{line}\n")),
                bad("no final newline", good.trim_end()),
                bad("no blank line", good.replace("lines\n\n", "lines\n")),
                bad("no signature", "a text\n\n"),
                bad("tabulator", good.replace("a text", "a\ttext")),
                bad("base64 without padding", good.replace("=\n", "\n")),
                bad("hyphen for dash", good.replace('—', "-")),
            ],
        }),
    );
    let known = [stored["vkey"].as_str().unwrap().parse::<NoteKey>().unwrap()];
    let accepted = |text: &str| Note::parse(text.as_bytes()).is_ok_and(|n| n.verify(&known).is_ok());
    assert!(accepted(stored["note"].as_str().unwrap()));
    for (why, text) in texts(&stored["refused"]) {
        assert!(!accepted(&text), "{why}");
    }
}

#[test]
fn checkpoints() {
    let note = checkpoint().sign(&key(&LOG_SEED)).unwrap().to_string();
    let resigned = |text: String| {
        let mut note = Note::new(text).unwrap();
        note.sign(&log_key_name(&origin()), &key(&LOG_SEED)).unwrap();
        note
    };
    let text = checkpoint().text();
    let stored = golden(
        "checkpoint/checkpoint.json",
        json!({
            "origin": origin().as_str(), "size": "12", "root": leaf_hash(b"root").to_string(),
            "log_seed": hex::encode(LOG_SEED), "log_key": key(&LOG_SEED).public().to_string(),
            "text": text, "digest": checkpoint().digest().to_string(), "note": note,
            "refused": [
                bad("extension line", resigned(format!("{text}extension\n"))),
                bad("leading zero", resigned(text.replace("\n12\n", "\n012\n"))),
                bad("size 0 with a root", resigned(text.replace("\n12\n", "\n0\n"))),
                bad("another ledger", resigned(text.replace("vectors", "other"))),
                bad("another size than signed", note.replace("\n12\n", "\n13\n")),
            ],
        }),
    );
    let public = key(&LOG_SEED).public();
    assert!(VerifiedCheckpoint::verify(stored["note"].as_str().unwrap().as_bytes(), &origin(), &public).is_ok());
    for (why, text) in texts(&stored["refused"]) {
        assert!(VerifiedCheckpoint::verify(text.as_bytes(), &origin(), &public).is_err(), "{why}");
    }
}

#[test]
fn cosignatures() {
    let (text, name) = (checkpoint().text(), cosigner_key_name(&origin(), NODE));
    let line = cosign(&text, &name, &key(&NODE_SEED), TIME_SECONDS).unwrap();
    let mut other_time = line.payload().to_vec();
    other_time[7] ^= 1;
    let stored = golden(
        "cosignature/cosignature.json",
        json!({
            "seed": hex::encode(NODE_SEED), "key_name": name, "time": TIME_SECONDS.to_string(), "text": text,
            "message": String::from_utf8(message(TIME_SECONDS, &text)).unwrap(), "line": line.to_string(),
            "vkey": NoteKey::new(&name, Algorithm::CosignatureV1, key(&NODE_SEED).public()).unwrap().to_string(),
            "refused": [
                bad("another time than signed", NoteSignature::new(&name, line.key_id(), other_time).unwrap()),
                bad("signature without time", NoteSignature::new(&name, line.key_id(), line.payload()[8..].to_vec()).unwrap()),
                bad("over another text", cosign("x\n", &name, &key(&NODE_SEED), TIME_SECONDS).unwrap()),
            ],
        }),
    );
    let check =
        |line: &str| verify_payload(&text, NoteSignature::parse(line).unwrap().payload(), &key(&NODE_SEED).public());
    assert_eq!(check(stored["line"].as_str().unwrap()), Ok(TIME_SECONDS));
    for (why, line) in texts(&stored["refused"]) {
        assert!(check(&line).is_err(), "{why}");
    }
}

fn manifest_sample() -> Manifest {
    let id = leaf_hash(b"tenant");
    let object = |object, length| ManifestObject { object, digest: leaf_hash(b"bytes"), length };
    Manifest {
        origin: origin(),
        start: Seq(7),
        end: TreeSize(12),
        span_root: leaf_hash(b"span"),
        checkpoint: checkpoint().digest(),
        prev_checkpoint: Some(leaf_hash(b"prev")),
        consistency: vec![leaf_hash(b"1"), leaf_hash(b"2")],
        reason: SealReason::Time,
        objects: vec![
            object(SpanObject::Leaves, 160),
            object(SpanObject::TenantBundle(id), 1000),
            object(SpanObject::TenantMap(id), 300),
        ],
    }
}

#[test]
fn manifests() {
    let note = manifest_sample().sign(&key(&LOG_SEED)).unwrap();
    let first = Manifest { start: Seq(0), prev_checkpoint: None, consistency: Vec::new(), ..manifest_sample() };
    let text = manifest_sample().text().unwrap();
    let resigned = |text: String| {
        let mut note = Note::new(text).unwrap();
        note.sign("assent.example/vectors/span", &key(&LOG_SEED)).unwrap();
        note
    };
    let mut by_log_name = Note::new(text.clone()).unwrap();
    by_log_name.sign(&log_key_name(&origin()), &key(&LOG_SEED)).unwrap();
    let stored = golden(
        "manifest/manifest.json",
        json!({
            "log_seed": hex::encode(LOG_SEED), "note": note.to_string(), "digest": note.digest().to_string(),
            "first": first.sign(&key(&LOG_SEED)).unwrap().to_string(),
            "refused": [
                bad("under the log's name", by_log_name),
                bad("path out of the span", resigned(text.replace("leaves ", "../leaves "))),
                bad("objects out of order", resigned(text.replace("/bundle ", "/x ").replace("/map ", "/bundle ").replace("/x ", "/map "))),
                bad("fewer objects than stated", resigned(text.replace("objects 3", "objects 4"))),
                bad("more objects than stated", resigned(text.replace("objects 3", "objects 2"))),
                bad("empty span", resigned(text.replace("start 7", "start 12"))),
                bad("from 0 with a previous checkpoint", resigned(text.replace("start 7", "start 0"))),
                bad("other version", resigned(text.replace("manifest/1", "manifest/2"))),
            ],
        }),
    );
    let public = key(&LOG_SEED).public();
    let check = |text: &str| VerifiedManifest::verify(text.as_bytes(), &origin(), &public);
    assert_eq!(check(stored["note"].as_str().unwrap()).unwrap().manifest(), &manifest_sample());
    assert_eq!(check(stored["first"].as_str().unwrap()).unwrap().manifest(), &first);
    for (why, text) in texts(&stored["refused"]) {
        assert!(check(&text).is_err(), "{why}");
    }
}

fn leaf(seq: u64) -> String {
    let entry = Entry {
        origin: origin(),
        seq: Seq(seq),
        time: Time(TIME_SECONDS * 1_000_000),
        nonce: [0x55; 16],
        tenant: TenantId::new("acme").unwrap(),
        tseq: TenantSeq(seq - 40),
        prev: leaf_hash(b"prev"),
        tprev: leaf_hash(b"tprev"),
        kind: "assent.run.started".to_owned(),
        event_id: format!("event-{seq}"),
        run_id: None,
        trace_id: None,
        actor: None,
        body: Body::empty_map(),
        payloads: Vec::new(),
    };
    String::from_utf8(entry.encode().unwrap()).unwrap()
}

#[test]
fn receipts() {
    let leaves: Vec<String> = (40..45).map(leaf).collect();
    let signer = BatchSigner::new(origin(), NODE, key(&RECEIPT_SEED));
    let batch = signer.sign(Seq(40), leaves.iter().map(|l| leaf_hash(l.as_bytes())).collect()).unwrap();
    let receipts: Vec<Receipt> = (0..5).zip(&leaves).map(|(i, l)| batch.receipt(i, l).unwrap()).collect();
    let text = |r: &Receipt| String::from_utf8(r.to_json().unwrap()).unwrap();
    let displaced =
        signer.sign(Seq(41), vec![leaf_hash(leaves[0].as_bytes())]).unwrap().receipt(0, &leaves[0]).unwrap();
    let one = receipts[2].clone();
    let stored = golden(
        "receipt/receipt.json",
        json!({
            "seed": hex::encode(RECEIPT_SEED), "public_key": key(&RECEIPT_SEED).public().to_string(),
            "receipts": receipts.iter().map(text).collect::<Vec<_>>(),
            "refused": [
                bad("other index", text(&Receipt { index: 3, ..one.clone() })),
                bad("index beyond the batch", text(&Receipt { index: 5, ..one.clone() })),
                bad("other leaf", text(&Receipt { leaf: leaves[3].clone(), ..one.clone() })),
                bad("path too long", text(&Receipt { path: [one.path.clone(), vec![leaf_hash(b"x")]].concat(), ..one.clone() })),
                bad("cosigner's name", text(&Receipt { key_name: cosigner_key_name(&origin(), NODE), ..one.clone() })),
                bad("leaf states another seq", text(&displaced)),
                bad("number instead of string", text(&one).replace("\"index\":\"2\"", "\"index\":2")),
                bad("not canonical", text(&one).replace(",\"count\"", ", \"count\"")),
                bad("unknown field", text(&one).replace("\"root\"", "\"reason\":\"x\",\"root\"")),
            ],
        }),
    );
    let public = key(&RECEIPT_SEED).public();
    let check = |text: &str| Receipt::parse(text.as_bytes()).and_then(|r| r.verify(&origin(), NODE, &public));
    for (number, text) in stored["receipts"].as_array().unwrap().iter().enumerate() {
        assert_eq!(check(text.as_str().unwrap()).unwrap().leaf(), leaves[number].as_bytes());
    }
    for (why, text) in texts(&stored["refused"]) {
        assert!(check(&text).is_err(), "{why}");
    }
}

fn genesis_sample() -> LedgerCreated {
    let parameters = GenesisParameters {
        origin: origin(),
        kernel_version: 1,
        quorum: 2,
        seal_entries: 1000,
        seal_seconds: 10,
        interval_max_seconds: 60,
    };
    sign_genesis(&key(&ROOT_SEED), parameters)
}

#[test]
fn genesis() {
    let (root, created) = (key(&ROOT_SEED), genesis_sample());
    let body = |created: &LedgerCreated| String::from_utf8(created.to_value().to_bytes().unwrap()).unwrap();
    let good = body(&created);
    let signed = format!(",\"signature\":\"{}\"", hex::encode(created.signature));
    let by_log = key(&LOG_SEED).sign(genesis_text(&created).as_bytes());
    let stored = golden(
        "endorsement/genesis.json",
        json!({
            "root_seed": hex::encode(ROOT_SEED), "origin": origin().as_str(),
            "text": genesis_text(&created), "body": good,
            "refused": [
                bad("smaller quorum than signed", good.replace("\"quorum\":2", "\"quorum\":1")),
                bad("longer interval than signed", good.replace("\"interval_max_seconds\":60", "\"interval_max_seconds\":61")),
                bad("later seals than signed", good.replace("\"seal_entries\":1000", "\"seal_entries\":1001")),
                bad("slower seals than signed", good.replace("\"seal_seconds\":10", "\"seal_seconds\":11")),
                bad("another kernel than signed", good.replace("\"kernel_version\":1", "\"kernel_version\":2")),
                bad("another ledger than signed", good.replace("vectors", "other")),
                bad("signed by the log key", body(&LedgerCreated { signature: by_log, ..created.clone() })),
                bad("no signature", good.replace(&signed, "")),
            ],
        }),
    );
    let accepted = |text: &str| {
        let created = json::parse(text.as_bytes()).ok().and_then(|v| LedgerCreated::from_value(&v).ok());
        created.is_some_and(|c| verify_genesis(&root.public(), &c).is_ok())
    };
    assert!(accepted(stored["body"].as_str().unwrap()));
    for (why, text) in texts(&stored["refused"]) {
        assert_ne!(text, stored["body"].as_str().unwrap(), "{why}");
        assert!(!accepted(&text), "{why}");
    }
}

#[test]
fn endorsements() {
    let root = key(&ROOT_SEED);
    let created = genesis_sample();
    let grants = [
        (LOG_SEED, Grant { role: Role::Log, node: None, from_size: TreeSize(1), to_size: None }),
        (
            NODE_SEED,
            Grant { role: Role::Cosigner, node: Some(NODE), from_size: TreeSize(1), to_size: Some(TreeSize(100)) },
        ),
        (RECEIPT_SEED, Grant { role: Role::Receipt, node: Some(NODE), from_size: TreeSize(2), to_size: None }),
    ];
    let made = grants.map(|(seed, grant)| endorse(&origin(), &root, key(&seed).public(), grant).unwrap());
    let retired = retire(&origin(), &root, Role::Log, &log_key_name(&origin()), key(&LOG_SEED).public(), TreeSize(50));
    let body = |v: Body| String::from_utf8(v.to_bytes().unwrap()).unwrap();
    let longer = KeyEndorsed { to_size: Some(TreeSize(101)), ..made[1].clone() };
    let other_role = endorse(&origin(), &root, key(&NODE_SEED).public(), Grant { role: Role::Receipt, ..grants[1].1 });
    let stored = golden(
        "endorsement/endorsement.json",
        json!({
            "root_seed": hex::encode(ROOT_SEED), "origin": origin().as_str(), "created": body(created.to_value()),
            "endorsed": made.iter().map(|e| json!({
                "text": endorsement_text(&origin(), e), "body": body(e.to_value()),
            })).collect::<Vec<_>>(),
            "retired": { "text": retirement_text(&origin(), &retired), "body": body(retired.to_value()) },
            "refused": [
                bad("longer than signed", body(longer.to_value())),
                bad("one key in two roles", body(other_role.unwrap().to_value())),
                bad("name of another role", body(made[1].to_value()).replace("/node/", "/receipt/")),
                bad("unknown field", body(made[1].to_value()).replace("\"role\"", "\"reason\":\"x\",\"role\"")),
                bad("missing field", body(made[0].to_value()).replace("\"algorithm\":\"ed25519\",", "")),
            ],
        }),
    );
    let mut ring = Keyring::new(origin(), root.public());
    let parsed = |v: &Value| json::parse(v.as_str().unwrap().as_bytes()).unwrap();
    ring.apply(Seq(0), LedgerCreated::KIND, &parsed(&stored["created"])).unwrap();
    for (seq, e) in (1..).zip(stored["endorsed"].as_array().unwrap()) {
        ring.apply(Seq(seq), KeyEndorsed::KIND, &parsed(&e["body"])).unwrap();
    }
    ring.apply(Seq(49), "assent.key.retired", &parsed(&stored["retired"]["body"])).unwrap();
    assert!(ring.key_at(Role::Log, &log_key_name(&origin()), TreeSize(50)).is_ok());
    assert!(ring.key_at(Role::Log, &log_key_name(&origin()), TreeSize(51)).is_err());
    for (why, text) in texts(&stored["refused"]) {
        let body = json::parse(text.as_bytes()).unwrap();
        let alone =
            KeyEndorsed::from_value(&body).is_ok_and(|e| verify_endorsement(&origin(), &root.public(), &e).is_ok());
        assert_eq!(alone, why == "one key in two roles", "{why}");
        assert!(ring.apply(Seq(60), KeyEndorsed::KIND, &body).is_err(), "{why}");
    }
}

#[test]
fn payloads() {
    let (data_key, salt, tenant_key) = ([0x66u8; 32], [0x77u8; 32], [0x88u8; 32]);
    let bytes = b"{\"amount\": 18.50}";
    let sealed = encrypt(&data_key, &salt, bytes).unwrap();
    let wrapped = wrap_key(&tenant_key, &data_key, &sealed.commitment).unwrap();
    let mut flipped = sealed.ciphertext.clone();
    flipped[0] ^= 1;
    let stored = golden(
        "payload/payload.json",
        json!({
            "data_key": hex::encode(data_key), "salt": hex::encode(salt), "bytes": hex::encode(bytes),
            "commitment": sealed.commitment.to_string(), "ciphertext": hex::encode(&sealed.ciphertext),
            "tenant_key": hex::encode(tenant_key), "wrapped_key": hex::encode(wrapped),
            "refused_ciphertexts": [
                bad("one bit", hex::encode(flipped)),
                bad("truncated", hex::encode(&sealed.ciphertext[..60])),
                bad("shorter than salt and tag", hex::encode(&sealed.ciphertext[..47])),
                bad("of another salt", hex::encode(encrypt(&data_key, &[0; 32], bytes).unwrap().ciphertext)),
            ],
        }),
    );
    let hex = |field: &str| hex::decode(stored[field].as_str().unwrap()).unwrap();
    let commitment: Hash = stored["commitment"].as_str().unwrap().parse().unwrap();
    let tenant_key = hex_fixed(stored["tenant_key"].as_str().unwrap()).unwrap();
    let unwrapped = unwrap_key(&tenant_key, &commitment, &hex("wrapped_key")).unwrap();
    let opened = decrypt(&unwrapped, &commitment, &hex("ciphertext")).unwrap();
    assert_eq!((opened.salt.to_vec(), opened.bytes.to_vec()), (hex("salt"), hex("bytes")));
    for (why, text) in texts(&stored["refused_ciphertexts"]) {
        assert!(decrypt(&unwrapped, &commitment, &hex::decode(text).unwrap()).is_err(), "{why}");
    }
}

#[test]
fn archives() {
    let id = leaf_hash(b"tenant");
    let span = SpanName { start: Seq(7), end: TreeSize(12) };
    let prefix = ledger_prefix(&origin());
    let objects = [
        SpanObject::Checkpoint,
        SpanObject::Leaves,
        SpanObject::Manifest,
        SpanObject::TenantBundle(id),
        SpanObject::TenantMap(id),
        SpanObject::TenantPayloads(id),
    ];
    let path = |object| ObjectName { prefix: prefix.clone(), span, object }.to_string();
    let mut bundle = Vec::new();
    append_leaf(&mut bundle, b"first").unwrap();
    append_leaf(&mut bundle, b"second").unwrap();
    let mut payloads = Vec::new();
    append_payload(&mut payloads, &leaf_hash(b"c"), &[9; 48]).unwrap();
    let map = MapPathFile { count: 3, last: leaf_hash(b"l"), index: 1, map_size: 2, path: vec![leaf_hash(b"sibling")] };
    let good = path(objects[3]);
    let stored = golden(
        "archive/archive.json",
        json!({
            "paths": objects.map(path), "bundle": hex::encode(&bundle), "bundle_leaves": ["first", "second"],
            "payloads": hex::encode(&payloads), "map": map.to_string(),
            "refused_paths": [
                bad("climbing", good.replace("tenants/", "tenants/../")),
                bad("short number", good.replace("00000000000000000007", "7")),
                bad("backwards", good.replace("00000000000000000007", "00000000000000000013")),
                bad("upper case", good.replace("/bundle", "/BUNDLE")),
                bad("prefix of dots", good.replace(&prefix, "..")),
            ],
            "refused_maps": [
                bad("index beyond size", map.to_string().replace("index 1", "index 2")),
                bad("no entries", map.to_string().replace("count 3", "count 0")),
                bad("hash missing", map.to_string().replace("path 1", "path 2")),
            ],
            "refused_bundles": [
                bad("cut", hex::encode(&bundle[..9])), bad("empty leaf", "0000"), bad("half a length", "00"),
            ],
            "refused_payloads": [
                bad("cut", hex::encode(&payloads[..80])),
                bad("length beyond the cap", format!("{}{}", leaf_hash(b"c"), "ffffffff")),
            ],
        }),
    );
    for (number, path) in stored["paths"].as_array().unwrap().iter().enumerate() {
        assert_eq!(path.as_str().unwrap().parse::<ObjectName>().unwrap().object, objects[number]);
    }
    assert_eq!(MapPathFile::parse(stored["map"].as_str().unwrap().as_bytes()).unwrap(), map);
    for (why, text) in texts(&stored["refused_paths"]) {
        assert!(text.parse::<ObjectName>().is_err(), "{why}");
    }
    for (why, text) in texts(&stored["refused_maps"]) {
        assert!(MapPathFile::parse(text.as_bytes()).is_err(), "{why}");
    }
    for (why, text) in texts(&stored["refused_bundles"]) {
        let bytes = hex::decode(text).unwrap();
        assert!(read_all(&bytes).is_err(), "{why}");
    }
    for (why, text) in texts(&stored["refused_payloads"]) {
        let bytes = hex::decode(text).unwrap();
        assert!(PayloadReader::new(bytes.as_slice()).next_payload().is_err(), "{why}");
    }
    let leaves = read_all(&hex::decode(stored["bundle"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(leaves, [b"first".to_vec(), b"second".to_vec()]);
}

fn read_all(bytes: &[u8]) -> Result<Vec<Vec<u8>>, assent_ledger::archive::ArchiveError> {
    let mut reader = BundleReader::new(bytes);
    let mut leaves = Vec::new();
    while let Some(leaf) = reader.next_leaf()? {
        leaves.push(leaf.to_vec());
    }
    Ok(leaves)
}
