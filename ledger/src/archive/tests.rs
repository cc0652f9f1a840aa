//! Unit and property tests of names and framing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::hash::{Hash, leaf_hash};
use crate::ids::{Origin, Seq, TreeSize};
use crate::limits;
use crate::payload::{CIPHERTEXT_BYTES_MAX, OVERHEAD_BYTES};

fn name() -> ObjectName {
    ObjectName {
        prefix: ledger_prefix(&Origin::new("example.org:8443/log").unwrap()),
        span: SpanName { start: Seq(7), end: TreeSize(12) },
        object: SpanObject::TenantBundle(leaf_hash(b"t")),
    }
}

#[test]
fn names_have_one_spelling() {
    let text = name().to_string();
    let expected = "example.org_8443_log/spans/00000000000000000007-00000000000000000012/tenants/";
    assert_eq!(text, format!("{expected}{}/bundle", leaf_hash(b"t")));
    assert_eq!(text.parse::<ObjectName>().unwrap(), name());
    let bad = [
        text.replace("/bundle", "/Bundle"),
        text.replace("/bundle", ""),
        text.replace("/bundle", "/bundle/"),
        text.replace("/bundle", "/bundle/x"),
        text.replace("/tenants/", "/tenants/../"),
        text.replace("00000000000000000007", "7"),
        text.replace("00000000000000000007", "00000000000000000012"),
        text.replace("00000000000000000007", "+0000000000000000007"),
        text.replace("00000000000000000012", "99999999999999999999"),
        text.replace("example.org_8443_log", ".."),
        text.replace("example.org_8443_log", "a:b"),
        text.replace("example.org_8443_log", ""),
        text.replace("/spans/", "/span/"),
        text.to_uppercase(),
        format!("/{text}"),
    ];
    for path in bad {
        assert!(path.parse::<ObjectName>().is_err(), "{path}");
    }
    assert_eq!(ledger_prefix(&Origin::new("..").unwrap()), "__");
    let last = SpanName { start: Seq(u64::MAX - 1), end: TreeSize(u64::MAX) };
    assert_eq!(last.to_string().parse::<SpanName>().unwrap(), last);
}

#[test]
fn order_of_objects_is_the_order_of_paths() {
    let mut objects = vec![SpanObject::Manifest, SpanObject::Checkpoint, SpanObject::Leaves];
    for id in [leaf_hash(b"1"), leaf_hash(b"2"), leaf_hash(b"3")] {
        objects.extend([SpanObject::TenantPayloads(id), SpanObject::TenantBundle(id), SpanObject::TenantMap(id)]);
    }
    objects.sort();
    let paths: Vec<String> = objects.iter().map(ToString::to_string).collect();
    assert!(paths.is_sorted());
    for (object, path) in objects.iter().zip(&paths) {
        assert_eq!(path.parse::<SpanObject>().unwrap(), *object);
    }
}

#[test]
fn bundles_stream_back() {
    let longest = vec![b'x'; limits::LEAF_BYTES_MAX];
    let mut bundle = Vec::new();
    for leaf in [b"a".as_slice(), &longest] {
        append_leaf(&mut bundle, leaf).unwrap();
    }
    assert!(append_leaf(&mut bundle, b"").is_err());
    assert!(append_leaf(&mut bundle, &vec![0; limits::LEAF_BYTES_MAX + 1]).is_err());
    let mut reader = BundleReader::new(bundle.as_slice());
    assert_eq!(reader.next_leaf().unwrap().unwrap(), b"a");
    assert_eq!(reader.next_leaf().unwrap().unwrap(), longest);
    assert!(reader.next_leaf().unwrap().is_none());
    for cut in [1, 2, 4, bundle.len() - 1] {
        let mut reader = BundleReader::new(&bundle[..cut]);
        let error = loop {
            match reader.next_leaf() {
                Ok(Some(_)) => {}
                Ok(None) => panic_at(cut),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ArchiveError::Truncated { .. }), "cut at {cut}");
    }
    let empty_leaf = [0u8, 0];
    assert!(matches!(BundleReader::new(&empty_leaf[..]).next_leaf(), Err(ArchiveError::Length { .. })));
}

fn panic_at(cut: usize) -> ! {
    panic!("a bundle cut at {cut} was read to its end")
}

#[test]
fn payloads_stream_back() {
    let (one, two) = (vec![1; OVERHEAD_BYTES], vec![2; CIPHERTEXT_BYTES_MAX]);
    let mut object = Vec::new();
    append_payload(&mut object, &leaf_hash(b"1"), &one).unwrap();
    append_payload(&mut object, &leaf_hash(b"2"), &two).unwrap();
    assert!(append_payload(&mut object, &leaf_hash(b"3"), &one[1..]).is_err());
    assert!(append_payload(&mut object, &leaf_hash(b"3"), &vec![0; CIPHERTEXT_BYTES_MAX + 1]).is_err());
    let mut reader = PayloadReader::new(object.as_slice());
    let first = reader.next_payload().unwrap().unwrap();
    assert_eq!((first.commitment, first.ciphertext), (leaf_hash(b"1"), one.as_slice()));
    assert_eq!(reader.next_payload().unwrap().unwrap().ciphertext, two);
    assert!(reader.next_payload().unwrap().is_none());
    for cut in [1, 31, 32, 35, 36, 36 + OVERHEAD_BYTES - 1] {
        let refused = PayloadReader::new(&object[..cut]).next_payload().is_err();
        assert!(refused, "cut at {cut}");
    }
    let mut lying = object[..36].to_vec();
    lying[32..].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(PayloadReader::new(lying.as_slice()).next_payload(), Err(ArchiveError::Length { .. })));
}

#[test]
fn leaf_hashes_stream_back() {
    let mut object = Vec::new();
    append_leaf_hash(&mut object, &leaf_hash(b"1"));
    append_leaf_hash(&mut object, &leaf_hash(b"2"));
    let mut reader = LeafHashReader::new(object.as_slice());
    assert_eq!(reader.next_hash().unwrap(), Some(leaf_hash(b"1")));
    assert_eq!(reader.next_hash().unwrap(), Some(leaf_hash(b"2")));
    assert_eq!(reader.next_hash().unwrap(), None);
    let mut cut = LeafHashReader::new(&object[..33]);
    assert!(cut.next_hash().is_ok());
    assert!(matches!(cut.next_hash(), Err(ArchiveError::Truncated { record: 1, .. })));
}

fn map_path() -> MapPathFile {
    MapPathFile { count: 9, last: leaf_hash(b"l"), index: 1, map_size: 3, path: vec![leaf_hash(b"1"), leaf_hash(b"2")] }
}

#[test]
fn map_paths_have_one_spelling() {
    let good = map_path().to_string();
    assert_eq!(MapPathFile::parse(good.as_bytes()).unwrap(), map_path());
    let bad = [
        good.replace("count 9", "count 0"),
        good.replace("count 9", "count 09"),
        good.replace("index 1", "index 3"),
        good.replace("path 2", "path 1"),
        good.replace("path 2", "path 3"),
        good.replace("path 2", "path 18446744073709551615"),
        good.replace("path/1", "path/2"),
        good.trim_end().to_owned(),
        format!("{good}\n"),
    ];
    for text in bad {
        assert!(MapPathFile::parse(text.as_bytes()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bundle = BundleReader::new(bytes.as_slice());
        while let Ok(Some(_)) = bundle.next_leaf() {}
        let mut payloads = PayloadReader::new(bytes.as_slice());
        while let Ok(Some(_)) = payloads.next_payload() {}
        let mut hashes = LeafHashReader::new(bytes.as_slice());
        while let Ok(Some(_)) = hashes.next_hash() {}
        let _ = MapPathFile::parse(&bytes);
    }

    #[test]
    fn any_path_text_is_safe(text in "[a-z0-9./_-]{0,120}") {
        if let Ok(name) = text.parse::<ObjectName>() {
            prop_assert_eq!(name.to_string(), text.clone());
        }
        if let Ok(object) = text.parse::<SpanObject>() {
            prop_assert_eq!(object.to_string(), text);
        }
    }

    #[test]
    fn any_edited_map_path_is_safe(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = map_path().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(parsed) = MapPathFile::parse(&bytes) {
            prop_assert_eq!(parsed.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn any_bundle_round_trips(leaves in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..9)) {
        let mut bundle = Vec::new();
        for leaf in &leaves {
            append_leaf(&mut bundle, leaf).unwrap();
        }
        let mut reader = BundleReader::new(bundle.as_slice());
        let mut read: Vec<Vec<u8>> = Vec::new();
        while let Some(leaf) = reader.next_leaf().unwrap() {
            read.push(leaf.to_vec());
        }
        prop_assert_eq!(read, leaves);
    }
}

#[test]
fn hashes_are_plain() {
    let mut object = Vec::new();
    append_leaf_hash(&mut object, &Hash([7; 32]));
    assert_eq!(object, [7; 32]);
}
