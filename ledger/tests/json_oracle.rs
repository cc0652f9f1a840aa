//! The JSON writer and reader against `serde_json_canonicalizer`, and the entry codec, over generated and hostile input.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use assent_ledger::entry::{Entry, EntryView, PayloadCommitment};
use assent_ledger::hash::Hash;
use assent_ledger::ids::{Origin, Seq, TenantId, TenantSeq, Time};
use assent_ledger::json::{JsonError, Value, parse};
use assent_ledger::limits::{JSON_DEPTH_MAX, JSON_INT_MAX};
use proptest::prelude::*;

fn to_serde(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Str(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(to_serde).collect(),
        Value::Map(fields) => fields.iter().map(|(key, value)| (key.clone(), to_serde(value))).collect(),
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}",
        any::<String>(),
        prop::collection::vec(
            prop_oneof![(0u8..0x30).prop_map(char::from), Just('\\'), Just('"'), Just('\u{7f}'), Just('\u{10ffff}')],
            0..20
        )
        .prop_map(|chars| chars.into_iter().collect()),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        (0..=JSON_INT_MAX).prop_map(Value::Int),
        (0u64..1000).prop_map(Value::Int),
        any_text().prop_map(Value::Str),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::btree_map("[a-z0-9_@.-]{1,8}", inner, 0..6).prop_map(Value::Map),
        ]
    })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let printable = || "[ -~]{1,40}";
    let payload =
        (any::<[u8; 32]>(), printable(), 0u64..=1 << 20, printable()).prop_map(|(c, content_type, length, role)| {
            PayloadCommitment { commitment: Hash(c), content_type, length, role }
        });
    let numbers = (any::<u64>(), any::<u64>(), 0..=Time::MAX.0);
    let names = ("[a-zA-Z0-9._/:-]{1,40}", "[a-z0-9._-]{1,64}", "[a-z0-9._-]{1,64}", printable());
    let digests = (any::<[u8; 16]>(), any::<[u8; 32]>(), any::<[u8; 32]>());
    let options = (prop::option::of(printable()), prop::option::of(printable()), prop::option::of(printable()));
    let body = prop::collection::btree_map("[a-z0-9_@.-]{1,8}", any_value(), 0..6).prop_map(Value::Map);
    (numbers, names, digests, options, body, prop::collection::vec(payload, 0..4)).prop_map(
        |(numbers, names, digests, options, body, payloads)| Entry {
            origin: Origin::new(names.0).unwrap(),
            seq: Seq(numbers.0),
            time: Time(numbers.2),
            nonce: digests.0,
            tenant: TenantId::new(names.1).unwrap(),
            tseq: TenantSeq(numbers.1),
            prev: Hash(digests.1),
            tprev: Hash(digests.2),
            kind: names.2,
            event_id: names.3,
            run_id: options.0,
            trace_id: options.1,
            actor: options.2,
            body,
            payloads,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn values_round_trip_and_agree_with_the_oracle(value in any_value()) {
        let bytes = value.to_bytes().unwrap();
        prop_assert_eq!(&parse(&bytes).unwrap(), &value);
        prop_assert_eq!(&bytes, &serde_json_canonicalizer::to_vec(&to_serde(&value)).unwrap());
    }

    #[test]
    fn entries_round_trip_and_agree_with_the_oracle(entry in any_entry()) {
        let leaf = entry.encode().unwrap();
        prop_assert_eq!(&Entry::parse(&leaf).unwrap(), &entry);
        prop_assert_eq!(EntryView::parse(&leaf).unwrap().body_value().unwrap(), entry.body.clone());
        let parsed: serde_json::Value = serde_json::from_slice(&leaf).unwrap();
        prop_assert_eq!(serde_json_canonicalizer::to_vec(&parsed).unwrap(), leaf);
    }

    /// One changed, inserted or removed byte: refused, or an entry with just these bytes. Nothing is normalised.
    #[test]
    fn damaged_leaves_are_refused_or_exact(entry in any_entry(), at in any::<prop::sample::Index>(), byte: u8, how in 0..3) {
        let mut leaf = entry.encode().unwrap();
        let at = at.index(leaf.len());
        match how {
            0 => leaf[at] = byte,
            1 => leaf.insert(at, byte),
            _ => drop(leaf.remove(at)),
        }
        if let Ok(parsed) = Entry::parse(&leaf) {
            prop_assert_eq!(parsed.encode().unwrap(), leaf);
        }
    }

    #[test]
    fn what_is_accepted_is_canonical(text in r#"[\[\]{}":,\\untrfals0-9a-e. -]{0,24}"#) {
        if let Ok(value) = parse(text.as_bytes()) {
            prop_assert_eq!(value.to_bytes().unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn strings_that_are_accepted_are_canonical(inner in r#"(\\[\\"/bfnrtu]|\\u00[01][0-9a-fA-F]|[ -~é\t\n]){0,10}"#) {
        let text = format!("\"{inner}\"");
        if let Ok(value) = parse(text.as_bytes()) {
            prop_assert_eq!(value.to_bytes().unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = parse(&bytes) {
            prop_assert_eq!(value.to_bytes().unwrap(), bytes.clone());
        }
        prop_assert!(Entry::parse(&bytes).is_err());
    }
}

#[test]
fn every_other_spelling_is_refused() {
    for (text, kind) in [
        ("", "truncated"),
        (" 1", "not_canonical"),
        ("1 ", "trailing"),
        ("1,", "trailing"),
        ("01", "bad_number"),
        ("-1", "bad_number"),
        ("-0", "bad_number"),
        ("1.0", "bad_number"),
        ("1e3", "bad_number"),
        ("9007199254740992", "bad_number"),
        ("99999999999999999999999", "bad_number"),
        ("null", "null"),
        ("tru", "unexpected"),
        ("True", "unexpected"),
        ("[1,]", "unexpected"),
        ("[,1]", "unexpected"),
        ("[1", "truncated"),
        ("[1 ,2]", "not_canonical"),
        ("{\"a\":1,}", "unexpected"),
        ("{\"a\" :1}", "not_canonical"),
        ("{\"a\":1,\"a\":2}", "duplicate_key"),
        ("{\"b\":1,\"a\":2}", "not_canonical"),
        ("{\"A\":1}", "bad_key"),
        ("{\"\":1}", "bad_key"),
        ("{\"\\u0061\":1}", "bad_key"),
        ("{1:1}", "unexpected"),
        ("\"\\u0041\"", "not_canonical"),
        ("\"\\u001F\"", "not_canonical"),
        ("\"\\u000a\"", "not_canonical"),
        ("\"\\/\"", "not_canonical"),
        ("\"\\ud800\"", "not_canonical"),
        ("\"\\x\"", "unexpected"),
        ("\"\\", "truncated"),
        ("\"a", "truncated"),
        ("\"a\nb\"", "unexpected"),
        ("'a'", "unexpected"),
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
    }
    assert_eq!(parse(b"\"\xed\xa0\x80\"").unwrap_err(), JsonError::Utf8 { at: 1 });
    assert_eq!(parse(b"\"ok\xff\"").unwrap_err(), JsonError::Utf8 { at: 3 });
}

#[test]
fn nesting_is_capped_alike_in_reader_and_writer() {
    let nested = |depth: usize| (0..depth).fold(Value::Int(1), |inner, _| Value::List(vec![inner]));
    let deepest = nested(JSON_DEPTH_MAX).to_bytes().unwrap();
    assert_eq!(parse(&deepest).unwrap(), nested(JSON_DEPTH_MAX));
    assert!(matches!(nested(JSON_DEPTH_MAX + 1).to_bytes(), Err(JsonError::Depth { .. })));
    let deeper = [b"[".as_slice(), &deepest, b"]"].concat();
    assert!(matches!(parse(&deeper), Err(JsonError::Depth { .. })));
    let hostile = vec![b'['; 1 << 20];
    assert!(matches!(parse(&hostile), Err(JsonError::Depth { .. })));
}
