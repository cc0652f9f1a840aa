//! Unit and property tests of signed notes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::keys::PublicKey;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn known(name: &str, public: PublicKey) -> NoteKey {
    NoteKey::new(name, Algorithm::Ed25519, public).unwrap()
}

fn signed() -> Note {
    let mut note = Note::new("first\n\nthird\n").unwrap();
    note.sign("example.org/a", &key(1)).unwrap();
    note.sign("example.org/b", &key(2)).unwrap();
    note
}

#[test]
fn round_trip_and_verification() {
    let note = signed();
    let again = Note::parse(&note.to_bytes()).unwrap();
    assert_eq!(again, note);
    assert_eq!(again.text(), "first\n\nthird\n");
    let keys = [known("example.org/b", key(2).public())];
    let verified = again.verify(&keys).unwrap();
    assert_eq!(verified.len(), 1);
    assert_eq!(verified[0].key.name(), "example.org/b");
}

#[test]
fn known_key_with_bad_signature_rejects() {
    let good = signed();
    let other_text = Note::parse(good.to_string().replace("first", "other").as_bytes()).unwrap();
    let keys = [known("example.org/a", key(1).public())];
    assert!(matches!(other_text.verify(&keys), Err(NoteError::BadSignature { .. })));
    let strangers = [known("example.org/a", key(3).public()), known("example.org/c", key(1).public())];
    assert_eq!(good.verify(&strangers), Err(NoteError::NoKnownSignature), "same name, other id; same key, other name");
    let twice = [keys[0].clone(), keys[0].clone()];
    assert!(matches!(good.verify(&twice), Err(NoteError::AmbiguousKey { .. })));
}

#[test]
fn one_good_line_does_not_save_a_bad_one() {
    let mut note = signed();
    let id = key_id("example.org/a", Algorithm::Ed25519, &key(1).public());
    note.signatures[0] = NoteSignature::new("example.org/a", id, vec![0; 64]).unwrap();
    let keys = [known("example.org/a", key(1).public()), known("example.org/b", key(2).public())];
    assert!(matches!(note.verify(&keys), Err(NoteError::BadSignature { .. })));
    note.signatures[0] = NoteSignature::new("example.org/a", id, vec![0; 63]).unwrap();
    assert!(matches!(note.verify(&keys), Err(NoteError::BadSignature { .. })));
}

#[test]
fn duplicates_are_refused() {
    let mut note = signed();
    let first = note.signatures()[0].clone();
    assert!(matches!(note.append(first.clone()), Err(NoteError::DuplicateSignature { .. })));
    let repeated = format!("{note}{first}\n");
    assert!(matches!(Note::parse(repeated.as_bytes()), Err(NoteError::DuplicateSignature { .. })));
    let second = NoteSignature::new(first.name(), first.key_id(), vec![1; 64]).unwrap();
    let parsed = Note::parse(format!("{note}{second}\n").as_bytes()).unwrap();
    let keys = [known("example.org/a", key(1).public())];
    assert!(matches!(parsed.verify(&keys), Err(NoteError::DuplicateSignature { .. })));
}

#[test]
fn malformed_notes_are_refused() {
    let good = signed().to_string();
    let bad = [
        String::new(),
        "\n".to_owned(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}trailing\n"),
        good.replace("— example.org/a ", "- example.org/a "),
        good.replace("— example.org/a ", "—  example.org/a "),
        good.replace("— example.org/a ", "— "),
        good.replace("example.org/a", "example.org+a"),
        good.replace("first", "fir\tst"),
        good.replace("first", "fir\rst"),
        good.replace("==\n", "\n").replace("=\n", "\n"),
        "text\n\n— a AAAAAA==\n".to_owned(),
    ];
    for text in bad {
        assert!(Note::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(Note::parse(b"\xff\n\n").is_err());
    assert_eq!(Note::new("no newline").unwrap_err(), NoteError::TextEnd);
}

#[test]
fn caps_hold() {
    let mut note = Note::new("text\n").unwrap();
    for n in 0..limits::NOTE_SIGNATURES_MAX {
        note.sign(&format!("k{n}"), &key(1)).unwrap();
    }
    assert!(matches!(note.sign("one-more", &key(1)), Err(NoteError::TooManySignatures { .. })));
    let over = format!("{note}— z AAAAAAA=\n");
    assert!(matches!(Note::parse(over.as_bytes()), Err(NoteError::TooManySignatures { .. })));
    let long = vec![b'a'; limits::NOTE_BYTES_MAX + 1];
    assert!(matches!(Note::parse(&long), Err(NoteError::TooLong { .. })));
}

#[test]
fn vkeys_round_trip() {
    let key = known("example.org/a", key(1).public());
    let text = key.to_string();
    assert_eq!(text.parse::<NoteKey>().unwrap(), key);
    assert_eq!(text.replace("/a+", "/b+").parse::<NoteKey>(), Err(NoteKeyError::Id));
    assert!("a+b".parse::<NoteKey>().is_err());
}

proptest! {
    #[test]
    fn any_bytes_parse_or_fail_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Note::parse(&bytes);
    }

    #[test]
    fn what_parses_prints_the_same(text in "[a-z\n]{0,40}\n\n(— [a-z ]{1,5} [A-Za-z0-9+/=]{4,16}\n){0,3}") {
        if let Ok(note) = Note::parse(text.as_bytes()) {
            prop_assert_eq!(note.to_string(), text);
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed(position in any::<prop::sample::Index>(), bit in 0u8..8) {
        let note = signed();
        let mut bytes = note.to_bytes();
        let at = position.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let keys = [known("example.org/a", key(1).public()), known("example.org/b", key(2).public())];
        if let Ok(parsed) = Note::parse(&bytes) {
            prop_assert!(parsed.verify(&keys).map(|v| v.len()) != Ok(2));
        }
    }

    #[test]
    fn any_vkey_text_is_safe(text in "\\PC{0,80}") {
        let _ = text.parse::<NoteKey>();
    }
}
