//! Unit and property tests of manifests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::hash::leaf_hash;

fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn origin() -> Origin {
    Origin::new("example.org/log").unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: origin(), size: TreeSize(12), root: leaf_hash(b"root") }
}

fn object(object: SpanObject) -> ManifestObject {
    ManifestObject { object, digest: leaf_hash(b"bytes"), length: 160 }
}

fn sample() -> Manifest {
    let tenant = leaf_hash(b"tenant");
    Manifest {
        origin: origin(),
        start: Seq(7),
        end: TreeSize(12),
        span_root: leaf_hash(b"span"),
        checkpoint: checkpoint().digest(),
        prev_checkpoint: Some(leaf_hash(b"prev")),
        consistency: vec![leaf_hash(b"1"), leaf_hash(b"2")],
        reason: SealReason::Count,
        objects: vec![
            object(SpanObject::Leaves),
            object(SpanObject::TenantBundle(tenant)),
            object(SpanObject::TenantMap(tenant)),
            object(SpanObject::TenantPayloads(tenant)),
        ],
    }
}

#[test]
fn signs_and_verifies() {
    let note = sample().sign(&key()).unwrap();
    let verified = VerifiedManifest::verify(&note.to_bytes(), &origin(), &key().public()).unwrap();
    assert_eq!(verified.manifest(), &sample());
    assert_eq!(verified.digest(), note.digest());
    assert!(verified.manifest().is_about(&checkpoint()));
    assert!(!verified.manifest().is_about(&Checkpoint { root: leaf_hash(b"x"), ..checkpoint() }));
    let stranger = SecretKey::from_seed(&[2; 32]).public();
    assert!(VerifiedManifest::verify(&note.to_bytes(), &origin(), &stranger).is_err());
    let other = Origin::new("example.org/x").unwrap();
    let refused = VerifiedManifest::verify(&note.to_bytes(), &other, &key().public());
    assert!(matches!(refused, Err(ManifestError::OtherLedger { .. })));
}

#[test]
fn a_checkpoint_signature_is_not_a_manifest_signature() {
    let mut note = Note::new(sample().text().unwrap()).unwrap();
    note.sign(&log_key_name(&origin()), &key()).unwrap();
    assert!(VerifiedManifest::verify(&note.to_bytes(), &origin(), &key().public()).is_err());
}

#[test]
fn parts_must_fit_together() {
    let first = Manifest { start: Seq(0), prev_checkpoint: None, consistency: Vec::new(), ..sample() };
    assert_eq!(Manifest::parse(&first.text().unwrap()).unwrap(), first);
    let mut swapped = sample();
    swapped.objects.swap(1, 2);
    let mut twice = sample();
    twice.objects.push(twice.objects[3].clone());
    let mut own = sample();
    own.objects.insert(0, object(SpanObject::Checkpoint));
    let bad = [
        Manifest { start: Seq(12), ..sample() },
        Manifest { start: Seq(13), ..sample() },
        Manifest { end: TreeSize(limits::SPAN_ENTRIES_MAX + 8), ..sample() },
        Manifest { prev_checkpoint: None, ..sample() },
        Manifest { consistency: Vec::new(), ..sample() },
        Manifest { prev_checkpoint: sample().prev_checkpoint, ..first.clone() },
        Manifest { consistency: sample().consistency, ..first },
        Manifest { consistency: vec![leaf_hash(b"1"); limits::PROOF_HASHES_MAX + 1], ..sample() },
        swapped,
        twice,
        own,
    ];
    for manifest in bad {
        assert!(manifest.text().is_err(), "{manifest:?}");
        assert!(Manifest::parse(&text::encode(&manifest)).is_err(), "{manifest:?}");
    }
}

#[test]
fn lines_have_one_spelling() {
    let good = sample().text().unwrap();
    let bad = [
        good.replace("start 7", "start 07"),
        good.replace("start 7", "start  7"),
        good.replace("assent/manifest/1", "assent/manifest/2"),
        good.replace("reason count", "reason Count"),
        good.replace("reason count\n", ""),
        good.replace("consistency 2", "consistency 3"),
        good.replace("consistency 2", "consistency 1"),
        good.replace("objects 4", "objects 3"),
        good.replace("objects 4", "objects 18446744073709551615"),
        good.replace("leaves ", "../leaves "),
        good.replace(" 160\n", " 160 \n"),
        good.replace("/span\n", "\n"),
        format!("{good}\n"),
        good.trim_end().to_owned(),
    ];
    for text in bad {
        assert!(Manifest::parse(&text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_edit_parses_to_other_text_or_not_at_all(at in any::<prop::sample::Index>(), byte in 0x0au8..0x7f) {
        let mut bytes = sample().text().unwrap().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let text = String::from_utf8(bytes).unwrap();
        if let Ok(parsed) = Manifest::parse(&text) {
            prop_assert_eq!(parsed.text().unwrap(), text);
        }
    }

    #[test]
    fn any_text_is_safe(text in "\\PC{0,200}") {
        let _ = Manifest::parse(&text);
    }
}
