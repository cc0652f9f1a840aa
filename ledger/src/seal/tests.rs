//! Round trips of every typed body, and refusal of each field left out, added or given another type.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::hash::leaf_hash;
use crate::ids::Origin;
use crate::keys::{KeyId, Role, SecretKey};

fn fields_of(value: &Value) -> Vec<String> {
    match value {
        Value::Map(map) => map.keys().cloned().collect(),
        _ => panic!("not an object"),
    }
}

fn edited(value: &Value, edit: impl FnOnce(&mut std::collections::BTreeMap<String, Value>)) -> Value {
    match value.clone() {
        Value::Map(mut map) => {
            edit(&mut map);
            Value::Map(map)
        }
        _ => panic!("not an object"),
    }
}

/// Every field is needed (except the optional ones), has one type, and no other field may be there.
fn strict<T: PartialEq + core::fmt::Debug>(
    body: T,
    value: Value,
    optional: &[&str],
    read: impl Fn(&Value) -> Result<T, BodyError>,
) {
    assert_eq!(read(&value).unwrap(), body);
    for field in fields_of(&value) {
        let without = edited(&value, |m| drop(m.remove(&field)));
        assert_eq!(read(&without).is_ok(), optional.contains(&field.as_str()), "without {field}");
        let mistyped = edited(&value, |m| drop(m.insert(field.clone(), Value::Bool(true))));
        assert!(matches!(read(&mistyped), Err(BodyError::Invalid { .. })), "{field} as a boolean");
        let empty = edited(&value, |m| drop(m.insert(field.clone(), Value::Str(String::new()))));
        assert!(read(&empty).is_err() || field == "key_name", "{field} as an empty string");
    }
    let with = edited(&value, |m| drop(m.insert("extra".to_owned(), Value::Int(1))));
    assert_eq!(read(&with), Err(BodyError::Unknown { field: "extra".to_owned() }));
    assert!(matches!(read(&Value::List(Vec::new())), Err(BodyError::NotAnObject { .. })));
}

fn sealed() -> SpanSealed {
    SpanSealed {
        kernel_version: 1,
        leader_node: NodeId(7),
        log_index: u64::MAX,
        membership: vec![NodeId(3), NodeId(7)],
        reason: SealReason::Idle,
        root: leaf_hash(b"root"),
        size: TreeSize(9),
        span_start: Seq(4),
        state_digest: leaf_hash(b"state"),
        tenant_map_root: leaf_hash(b"map"),
        term: 2,
    }
}

#[test]
fn sealed_is_strict() {
    strict(sealed(), sealed().to_value(), &[], SpanSealed::from_value);
    assert_eq!(sealed().checkpoint_size(), TreeSize(10));
    for (field, value) in [
        ("membership", Value::List(vec![string(NodeId(7)), string(NodeId(3))])),
        ("membership", Value::List(vec![string(NodeId(7)), string(NodeId(7))])),
        ("membership", Value::List(Vec::new())),
        ("span_start", string(10)),
        ("size", string(u64::MAX)),
        ("log_index", string("01")),
        ("kernel_version", Value::Int(1 << 32)),
    ] {
        let bad = edited(&sealed().to_value(), |m| drop(m.insert(field.to_owned(), value)));
        assert!(SpanSealed::from_value(&bad).is_err(), "{field}");
    }
}

#[test]
fn cosigned_is_strict() {
    let line = |name: &str| NoteSignature::new(name, KeyId([1, 2, 3, 4]), vec![5; 72]).unwrap();
    let body = |lines| SpanCosigned {
        checkpoint: leaf_hash(b"c"),
        cosignatures: lines,
        manifest: leaf_hash(b"m"),
        size: TreeSize(10),
    };
    let good = body(vec![line("a"), line("b")]);
    strict(good.clone(), good.to_value(), &[], SpanCosigned::from_value);
    assert!(SpanCosigned::from_value(&body(vec![line("b"), line("a")]).to_value()).is_err(), "order");
    assert!(SpanCosigned::from_value(&body(vec![line("a"), line("a")]).to_value()).is_err(), "twice");
    let other = object([("key_name", string("b")), ("signature_line", string(line("a")))]);
    let bad = edited(&good.to_value(), |m| {
        m.insert("cosignatures".to_owned(), Value::List(vec![Value::Map(other)]));
    });
    assert!(SpanCosigned::from_value(&bad).is_err(), "a line under another key's name");
}

#[test]
fn anchored_is_strict() {
    let body = SpanAnchored {
        checkpoint: leaf_hash(b"c"),
        manifest: leaf_hash(b"m"),
        objects: 4,
        retain_until: Some(Time(1_795_197_600_123_456)),
        size: TreeSize(10),
        sink_uri: "file:///worm".to_owned(),
        version_ids: vec!["v1".to_owned()],
    };
    strict(body.clone(), body.to_value(), &["retain_until", "version_ids"], SpanAnchored::from_value);
    let plain = SpanAnchored { retain_until: None, version_ids: Vec::new(), ..body };
    assert_eq!(fields_of(&plain.to_value()), ["checkpoint", "manifest", "objects", "sink_uri", "size"]);
    assert_eq!(SpanAnchored::from_value(&plain.to_value()).unwrap(), plain);
    let empty_list = edited(&plain.to_value(), |m| drop(m.insert("version_ids".to_owned(), Value::List(Vec::new()))));
    assert!(SpanAnchored::from_value(&empty_list).is_err(), "absent when empty");
}

#[test]
fn key_bodies_are_strict() {
    let public = SecretKey::from_seed(&[1; 32]).public();
    let created = LedgerCreated {
        interval_max_seconds: 60,
        kernel_version: 1,
        origin: Origin::new("example.org/log").unwrap(),
        quorum: 2,
        root_key: public,
        seal_entries: 1000,
        seal_seconds: 10,
        signature: [9; 64],
    };
    strict(created.clone(), created.to_value(), &[], LedgerCreated::from_value);
    assert!(LedgerCreated::from_value(&LedgerCreated { seal_seconds: 61, ..created.clone() }.to_value()).is_err());
    assert!(LedgerCreated::from_value(&LedgerCreated { quorum: 0, ..created }.to_value()).is_err());
    let endorsed = KeyEndorsed {
        from_size: TreeSize(0),
        key_name: "k".to_owned(),
        node: Some(NodeId(1)),
        public_key: public,
        role: Role::Receipt,
        signature: [9; 64],
        to_size: Some(TreeSize(100)),
    };
    strict(endorsed.clone(), endorsed.to_value(), &["node", "to_size"], KeyEndorsed::from_value);
    let retired = KeyRetired {
        key_name: "k".to_owned(),
        public_key: public,
        role: Role::Log,
        signature: [9; 64],
        to_size: TreeSize(5),
    };
    strict(retired.clone(), retired.to_value(), &[], KeyRetired::from_value);
}
