//! Golden vectors of the core formats, in `testdata/vectors/`: compared here, read by verifiers in any language.
//!
//! `ASSENT_BLESS=1 cargo test -p assent-ledger --test vectors_core` rewrites the files. A changed vector is a changed format.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "the generator writes files when it is asked to")]

use std::path::Path;

use assent_ledger::chain::{genesis_prev, genesis_tprev};
use assent_ledger::entry::{Entry, EntryError, EntryView, PayloadCommitment};
use assent_ledger::hash::{Hash, leaf_hash, sha256};
use assent_ledger::ids::{Origin, Seq, TenantId, TenantSeq, Time, TreeSize};
use assent_ledger::json::{Value, parse};
use assent_ledger::limits::LEAF_BYTES_MAX;
use assent_ledger::map::{TenantMap, TenantMapLeaf, opaque_tenant_id, verify_membership};
use assent_ledger::proof::{ProofError, verify_consistency, verify_inclusion};
use assent_ledger::tree::{MemoryNodes, consistency_path, inclusion_path, root_at};
use assent_ledger::trie::StateTrie;
use serde_json::json;

/// Compares `vectors` with the file, or writes it when blessing.
fn golden(path: &str, vectors: &serde_json::Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/vectors").join(path);
    let text = serde_json::to_string_pretty(vectors).unwrap() + "\n";
    if std::env::var_os("ASSENT_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}; bless the vectors"));
    assert_eq!(stored, text, "{path}: the format has changed");
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}

#[test]
fn json_vectors() {
    let valid = [
        ("empty object", Value::empty_map()),
        ("integers", Value::list([0u32, 1, 4_294_967_295])),
        ("largest integer", Value::Int((1 << 53) - 1)),
        ("64-bit number as text", Value::decimal(u64::MAX)),
        ("booleans", Value::list([true, false])),
        (
            "keys sort by bytes",
            Value::map(["a", "z", "_", "@v", "0", "-", ".", "aa"].map(|key| (key, Value::from(true)))),
        ),
        ("short escapes", Value::from("\u{8}\t\n\u{c}\r\"\\")),
        ("long escapes", Value::from("\0\u{1}\u{b}\u{1f}")),
        ("no needless escapes", Value::from("/\u{7f}é€😀\u{2028}")),
        ("nesting of eight", (0..8).fold(Value::Int(1), |inner, _| Value::List(vec![inner]))),
    ];
    let valid = valid.map(|(name, value)| {
        let bytes = value.to_bytes().unwrap();
        assert_eq!(parse(&bytes).unwrap(), value);
        json!({"name": name, "hex": hex::encode(&bytes), "text": String::from_utf8(bytes).unwrap()})
    });
    let invalid: [(&str, &[u8], &str); 20] = [
        ("nothing", b"", "truncated"),
        ("leading space", b" {}", "not_canonical"),
        ("trailing newline", b"{}\n", "trailing"),
        ("space in object", b"{\"a\": 1}", "not_canonical"),
        ("leading zero", b"01", "bad_number"),
        ("negative", b"-1", "bad_number"),
        ("fraction", b"1.0", "bad_number"),
        ("exponent", b"1e3", "bad_number"),
        ("beyond 2^53-1", b"9007199254740992", "bad_number"),
        ("null", b"{\"a\":null}", "null"),
        ("duplicate key", b"{\"a\":1,\"a\":1}", "duplicate_key"),
        ("keys out of order", b"{\"b\":1,\"a\":1}", "not_canonical"),
        ("upper-case key", b"{\"A\":1}", "bad_key"),
        ("escaped key", b"{\"\\u0061\":1}", "bad_key"),
        ("needless escape", b"\"\\u0041\"", "not_canonical"),
        ("escaped slash", b"\"\\/\"", "not_canonical"),
        ("upper-case escape", b"\"\\u001F\"", "not_canonical"),
        ("lone surrogate escape", b"\"\\ud800\"", "not_canonical"),
        ("encoded lone surrogate", b"\"\xed\xa0\x80\"", "utf8"),
        ("nesting of nine", b"[[[[[[[[[1]]]]]]]]]", "too_deep"),
    ];
    let invalid = invalid.map(|(name, bytes, kind)| {
        assert_eq!(parse(bytes).unwrap_err().kind(), kind, "{name}");
        json!({"name": name, "hex": hex::encode(bytes), "error": kind})
    });
    golden("json/canonical.json", &json!({"@v": "assent/vectors/json/1", "valid": valid, "invalid": invalid}));
}

fn smallest(origin: &Origin) -> Entry {
    let tenant = TenantId::system();
    Entry {
        origin: origin.clone(),
        seq: Seq(0),
        time: Time(0),
        nonce: [0; 16],
        tprev: genesis_tprev(origin, &tenant),
        tenant,
        tseq: TenantSeq(0),
        prev: genesis_prev(origin),
        kind: "assent.ledger.created".into(),
        event_id: "e".into(),
        run_id: None,
        trace_id: None,
        actor: None,
        body: Value::empty_map(),
        payloads: vec![],
    }
}

fn fullest(origin: &Origin) -> Entry {
    Entry {
        origin: origin.clone(),
        seq: Seq(u64::MAX),
        time: Time::parse(b"2026-11-20T18:00:00.123456Z").unwrap(),
        nonce: *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff",
        tenant: TenantId::new("acme").unwrap(),
        tseq: TenantSeq(41),
        prev: sha256(&[b"prev"]),
        tprev: sha256(&[b"tprev"]),
        kind: "dare.policy.decision".into(),
        event_id: "evt-1 \"quoted\\\"".into(),
        run_id: Some("run-1".into()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        actor: Some("spiffe://example.org/agent/payments".into()),
        body: Value::map([
            ("amount_cents", Value::Int(1850)),
            ("reasons", Value::list([101u32, 204])),
            ("tool", Value::from("zahlung.überweisen\n")),
        ]),
        payloads: ["input", "output"]
            .map(|role| PayloadCommitment {
                commitment: sha256(&[b"payload ", role.as_bytes()]),
                content_type: "application/json".into(),
                length: role.len() as u64,
                role: role.into(),
            })
            .into(),
    }
}

/// Malformed leaves: what is replaced in the fullest leaf, by what, and the error.
const DAMAGE: [(&str, &str, &str, &str); 26] = [
    ("other version", "assent/entry/1", "assent/entry/2", "wrong_version"),
    ("version missing", "\"@v\":\"assent/entry/1\",", "", "wrong_version"),
    ("unknown field", "\"body\":", "\"beta\":true,\"body\":", "unknown_field"),
    ("missing field", "\"nonce\":\"00112233445566778899aabbccddeeff\",", "", "missing_field"),
    ("missing type", ",\"type\":\"dare.policy.decision\"", "", "missing_field"),
    ("duplicate field", "\"tseq\":\"41\"", "\"tseq\":\"41\",\"tseq\":\"41\"", "duplicate_key"),
    (
        "fields out of order",
        "\"tseq\":\"41\",\"type\":\"dare.policy.decision\"",
        "\"type\":\"x\",\"tseq\":\"41\"",
        "not_canonical",
    ),
    ("white space", "\"seq\":", "\"seq\": ", "not_canonical"),
    ("trailing newline", "\"dare.policy.decision\"}", "\"dare.policy.decision\"}\n", "trailing"),
    ("cut short", "\"dare.policy.decision\"}", "\"dare.policy.decision\"", "truncated"),
    ("seq as integer", "\"seq\":\"18446744073709551615\"", "\"seq\":1", "wrong_type"),
    ("seq beyond 64 bits", "18446744073709551615", "18446744073709551616", "bad_number"),
    ("tseq with leading zero", "\"41\"", "\"041\"", "bad_number"),
    ("float in body", "1850", "18.50", "bad_number"),
    ("null actor", "\"spiffe://example.org/agent/payments\"", "null", "null"),
    ("empty run id", "\"run-1\"", "\"\"", "bad_text"),
    ("event id beyond ASCII", "evt-1", "evt-é", "bad_text"),
    ("upper-case type", "dare.policy", "DARE.policy", "bad_text"),
    ("upper-case nonce", "ccddeeff", "CCDDEEFF", "bad_hex"),
    ("short nonce", "ccddeeff", "ccddee", "bad_hex"),
    ("time without microseconds", "18:00:00.123456Z", "18:00:00Z", "bad_time"),
    ("time with offset", "18:00:00.123456Z", "18:00:00.123456+00:00", "bad_time"),
    ("tenant with upper case", "\"acme\"", "\"Acme\"", "bad_name"),
    ("payload too long", "\"length\":\"5\"", "\"length\":\"1048577\"", "payload_too_long"),
    ("payload with unknown field", "\"length\":\"5\"", "\"length\":\"5\",\"name\":\"x\"", "unknown_field"),
    ("needless escape", "spiffe://", "spiffe:\\/\\/", "not_canonical"),
];

#[test]
fn entry_vectors() {
    let origin = Origin::new("assent.example/vectors").unwrap();
    let valid = [("smallest", smallest(&origin)), ("fullest", fullest(&origin))].map(|(name, entry)| {
        let leaf = entry.encode().unwrap();
        assert_eq!(Entry::parse(&leaf).unwrap(), entry);
        let (hash, text) = (leaf_hash(&leaf).to_string(), String::from_utf8(leaf.clone()).unwrap());
        json!({"name": name, "leaf": text, "leaf_hex": hex::encode(leaf), "leaf_hash": hash})
    });
    let leaf = String::from_utf8(fullest(&origin).encode().unwrap()).unwrap();
    let mut damaged: Vec<(&str, String, &str)> = DAMAGE
        .iter()
        .map(|(name, from, to, kind)| {
            assert!(leaf.contains(from), "{name}");
            (*name, leaf.replacen(from, to, 1), *kind)
        })
        .collect();
    let (head, rest) = leaf.split_once("\"payloads\":[").unwrap();
    let (list, tail) = rest.split_once(']').unwrap();
    damaged.push(("empty payload list", format!("{head}\"payloads\":[]{tail}"), "empty_payloads"));
    let many = vec![list.split_once("},").unwrap().0.to_owned() + "}"; 17].join(",");
    damaged.push(("seventeen payloads", format!("{head}\"payloads\":[{many}]{tail}"), "too_many_payloads"));
    let (head, rest) = leaf.split_once("\"body\":{").unwrap();
    let tail = rest.split_once('}').unwrap().1;
    damaged.push(("body is a list", format!("{head}\"body\":[]{tail}"), "bad_body"));
    damaged.push(("body nested too deeply", format!("{head}\"body\":{{\"a\":[[[[[[[]]]]]]]}}{tail}"), "too_deep"));
    let invalid: Vec<_> = damaged
        .into_iter()
        .map(|(name, text, kind)| {
            assert_eq!(EntryView::parse(text.as_bytes()).unwrap_err().kind(), kind, "{name}");
            json!({"name": name, "leaf_hex": hex::encode(text), "error": kind})
        })
        .collect();
    let acme = TenantId::new("acme").unwrap();
    let genesis = json!({
        "origin": origin.as_str(), "prev": genesis_prev(&origin).to_string(),
        "tenants": {"-": genesis_tprev(&origin, &TenantId::system()).to_string(), "acme": genesis_tprev(&origin, &acme).to_string()},
    });
    let vectors = json!({"@v": "assent/vectors/entry/1", "genesis": genesis, "valid": valid, "invalid": invalid});
    golden("entry/entries.json", &vectors);
}

/// The longest leaf is too large for a vector file; its neighbour by one byte is refused by writer and reader.
#[test]
fn longest_leaf() {
    let mut entry = smallest(&Origin::new("assent.example/vectors").unwrap());
    let filled = |length: usize| Value::map([("text", Value::from("x".repeat(length)))]);
    entry.body = filled(0);
    let room = LEAF_BYTES_MAX - entry.encode().unwrap().len();
    entry.body = filled(room);
    let leaf = entry.encode().unwrap();
    assert_eq!(leaf.len(), LEAF_BYTES_MAX);
    assert_eq!(Entry::parse(&leaf).unwrap(), entry);
    entry.body = filled(room + 1);
    assert_eq!(entry.encode().unwrap_err(), EntryError::TooLong { got: LEAF_BYTES_MAX + 1 });
    let longer = String::from_utf8(leaf).unwrap().replace("xx\"", "xxx\"");
    assert_eq!(Entry::parse(longer.as_bytes()).unwrap_err(), EntryError::TooLong { got: LEAF_BYTES_MAX + 1 });
}

#[test]
fn tree_vectors() {
    let leaves: Vec<Vec<u8>> = (0..13u8).map(|i| (0..i).collect()).collect();
    let nodes = MemoryNodes::from_leaves(leaves.iter().map(|leaf| leaf_hash(leaf)));
    let root = |size: u64| root_at(&nodes, TreeSize(size)).unwrap();
    let size_max = leaves.len() as u64;
    let roots: Vec<_> = (0..=size_max).map(|size| json!({"size": size, "root": root(size).to_string()})).collect();
    let (mut inclusion, mut consistency, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
    for size in 1..=size_max {
        for index in 0..size {
            let path = inclusion_path(&nodes, index, TreeSize(size)).unwrap();
            inclusion.push(json!({"index": index, "size": size, "path": texts(&path)}));
        }
        for old in 0..=size {
            let path = consistency_path(&nodes, TreeSize(old), TreeSize(size)).unwrap();
            consistency.push(json!({"old": old, "new": size, "path": texts(&path)}));
        }
    }
    let leaf = leaf_hash(&leaves[5]);
    let good = inclusion_path(&nodes, 5, TreeSize(13)).unwrap();
    let mut damaged = |name: &str, index: u64, size: u64, path: &[Hash], kind: &str| {
        let error: ProofError = verify_inclusion(&leaf, index, TreeSize(size), path, &root(13)).unwrap_err();
        assert_eq!(error.kind(), kind, "{name}");
        invalid.push(json!({"name": name, "proof": "inclusion", "leaf_hash": leaf.to_string(), "index": index,
            "size": size, "path": texts(path), "root": root(13).to_string(), "error": kind}));
    };
    damaged("another index", 4, 13, &good, "root_mismatch");
    damaged("index equals size", 13, 13, &good, "index_beyond_size");
    damaged("hash dropped", 5, 13, &good[1..], "proof_length");
    damaged("hash appended", 5, 13, &[good.clone(), vec![leaf]].concat(), "proof_length");
    damaged("hashes swapped", 5, 13, &[vec![good[1], good[0]], good[2..].to_vec()].concat(), "root_mismatch");
    let good = consistency_path(&nodes, TreeSize(6), TreeSize(13)).unwrap();
    let mut damaged = |name: &str, old: u64, old_root: Hash, new: u64, path: &[Hash], kind: &str| {
        let error = verify_consistency(TreeSize(old), &old_root, TreeSize(new), &root(13), path).unwrap_err();
        assert_eq!(error.kind(), kind, "{name}");
        invalid.push(
            json!({"name": name, "proof": "consistency", "old": old, "old_root": old_root.to_string(), "new": new,
            "path": texts(path), "new_root": root(13).to_string(), "error": kind}),
        );
    };
    damaged("another old root", 6, root(7), 13, &good, "old_root_mismatch");
    damaged("sizes reversed", 14, root(6), 13, &good, "sizes_reversed");
    damaged("hash dropped", 6, root(6), 13, &good[1..], "proof_length");
    damaged("empty tree with a proof", 0, root(0), 13, &good, "proof_length");
    damaged("empty tree with another root", 0, root(1), 13, &[], "old_root_mismatch");
    damaged("equal sizes, other roots", 13, root(12), 13, &[], "root_mismatch");
    let leaves: Vec<_> = leaves.iter().map(hex::encode).collect();
    let vectors = json!({"@v": "assent/vectors/tree/1", "leaves_hex": leaves, "roots": roots, "inclusion": inclusion,
        "consistency": consistency, "invalid": invalid});
    golden("tree/tree.json", &vectors);
}

#[test]
fn map_vectors() {
    let origin = Origin::new("assent.example/vectors").unwrap();
    let tenants = ["-", "acme", "beta", "gamma", "zeta"].map(|name| {
        let blind = if name == "-" { [0; 32] } else { sha256(&[b"blind ", name.as_bytes()]).0 };
        let id = opaque_tenant_id(&origin, &blind, &TenantId::new(name).unwrap());
        (name, blind, TenantMapLeaf { id, count: name.len() as u64 * 1000, last: sha256(&[name.as_bytes()]) })
    });
    let maps: Vec<_> = (0..=tenants.len())
        .map(|n| {
            let map = TenantMap::from_leaves(tenants[..n].iter().map(|(_, _, leaf)| *leaf)).unwrap();
            let paths: Vec<_> = tenants[..n]
                .iter()
                .map(|(name, _, leaf)| {
                    let path = map.path(&leaf.id).unwrap();
                    verify_membership(&map.root(), leaf, &path).unwrap();
                    json!({"tenant": name, "index": path.index, "path": texts(&path.path)})
                })
                .collect();
            json!({"tenants": n, "root": map.root().to_string(), "paths": paths})
        })
        .collect();
    let tenants = tenants.map(|(name, blind, leaf)| {
        json!({"tenant": name, "blind": hex::encode(blind), "id": leaf.id.to_string(), "count": leaf.count.to_string(),
            "last": leaf.last.to_string(), "leaf_hash": leaf.hash().to_string()})
    });
    let vectors = json!({"@v": "assent/vectors/map/1", "origin": origin.as_str(), "tenants": tenants, "maps": maps});
    golden("map/map.json", &vectors);
}

#[test]
fn trie_vectors() {
    let mut trie = StateTrie::new();
    let mut steps = vec![json!({"step": "start", "root": trie.root().to_string()})];
    for i in 0..10u8 {
        let (key, value) = (format!("key {i}"), format!("value {}", i / 2));
        trie.insert(key.as_bytes(), value.as_bytes());
        steps.push(json!({"step": "insert", "key": key, "value": value, "root": trie.root().to_string()}));
    }
    trie.insert(b"key 3", b"another");
    steps.push(json!({"step": "insert", "key": "key 3", "value": "another", "root": trie.root().to_string()}));
    for i in [9, 0, 3, 11, 5, 1, 2, 4, 8, 7, 6u8] {
        let key = format!("key {i}");
        assert_eq!(trie.remove(key.as_bytes()), i < 10);
        steps.push(json!({"step": "remove", "key": key, "root": trie.root().to_string()}));
    }
    assert_eq!(steps.last().unwrap()["root"], steps[0]["root"]);
    golden("trie/trie.json", &json!({"@v": "assent/vectors/trie/1", "steps": steps}));
}
