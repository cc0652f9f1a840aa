//! Signed notes against an independent implementation (`signed_note`): ours verify there, theirs verify here, mutations nowhere.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use assent_ledger::checkpoint::{Checkpoint, VerifiedCheckpoint};
use assent_ledger::cosignature::{cosign, verify_payload};
use assent_ledger::hash::leaf_hash;
use assent_ledger::ids::{Origin, TreeSize};
use assent_ledger::keys::{Algorithm, PublicKey, SecretKey, key_id};
use assent_ledger::note::{Note, NoteKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use signed_note::{Note as TheirNote, Signer as _, StandardSigner, StandardVerifier, Verifier, VerifierList};

const NAME: &str = "example.org/log";
const SEED: [u8; 32] = [1; 32];

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { origin: Origin::new(NAME).unwrap(), size: TreeSize(size), root: leaf_hash(&size.to_be_bytes()) }
}

fn our_key() -> NoteKey {
    NoteKey::new(NAME, Algorithm::Ed25519, SecretKey::from_seed(&SEED).public()).unwrap()
}

/// Their text form of the same secret key.
fn their_signer() -> StandardSigner {
    let id = our_key().id();
    let key = BASE64_STANDARD.encode([&[1u8], SEED.as_slice()].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{NAME}+{id}+{key}")).unwrap()
}

fn theirs_accepts(bytes: &[u8], verifier: impl Verifier + 'static) -> bool {
    let known = VerifierList::new(vec![Box::new(verifier)]);
    TheirNote::from_bytes(bytes).is_ok_and(|n| n.verify(&known).is_ok_and(|(verified, _)| verified.len() == 1))
}

fn their_verifier() -> StandardVerifier {
    StandardVerifier::new(&our_key().to_string()).unwrap()
}

#[test]
fn our_checkpoints_verify_there() {
    for size in [1, 2, 1000, u64::MAX] {
        let bytes = checkpoint(size).sign(&SecretKey::from_seed(&SEED)).unwrap().to_bytes();
        assert!(theirs_accepts(&bytes, their_verifier()), "size {size}");
    }
}

#[test]
fn their_checkpoints_verify_here() {
    let mut note = TheirNote::new(checkpoint(77).text().as_bytes(), &[]).unwrap();
    note.add_sigs(&[&their_signer()]).unwrap();
    let ours = checkpoint(77).sign(&SecretKey::from_seed(&SEED)).unwrap();
    assert_eq!(note.to_bytes(), ours.to_bytes(), "the same bytes from both");
    let key = SecretKey::from_seed(&SEED).public();
    let verified = VerifiedCheckpoint::verify(&note.to_bytes(), &Origin::new(NAME).unwrap(), &key).unwrap();
    assert_eq!(verified.checkpoint(), &checkpoint(77));
}

#[test]
fn key_ids_agree() {
    for algorithm in [Algorithm::Ed25519, Algorithm::CosignatureV1] {
        let public = SecretKey::from_seed(&SEED).public();
        let encoded = [&[algorithm.byte()], public.as_bytes().as_slice()].concat();
        let theirs = signed_note::key_id(NAME, &encoded);
        assert_eq!(key_id(NAME, algorithm, &public).0, theirs.to_be_bytes());
    }
    assert_eq!(their_signer().key_id().to_be_bytes(), our_key().id().0);
}

/// `cosignature/v1` on top of their trait: they know the note's framing, this knows the signed message.
struct CosignatureVerifier(PublicKey);

impl Verifier for CosignatureVerifier {
    fn name(&self) -> &'static str {
        "example.org/witness"
    }

    fn key_id(&self) -> u32 {
        u32::from_be_bytes(key_id(self.name(), Algorithm::CosignatureV1, &self.0).0)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        verify_payload(core::str::from_utf8(message).unwrap(), signature, &self.0).is_ok()
    }
}

#[test]
fn cosigned_checkpoints_verify_there() {
    let witness = SecretKey::from_seed(&[2; 32]);
    let mut note = checkpoint(5).sign(&SecretKey::from_seed(&SEED)).unwrap();
    note.append(cosign(note.text(), "example.org/witness", &witness, 1_795_197_600).unwrap()).unwrap();
    let bytes = note.to_bytes();
    assert!(theirs_accepts(&bytes, CosignatureVerifier(witness.public())));
    assert!(theirs_accepts(&bytes, their_verifier()), "unknown lines are ignored");
    let known = [NoteKey::new("example.org/witness", Algorithm::CosignatureV1, witness.public()).unwrap()];
    let parsed = Note::parse(&bytes).unwrap();
    let verified = parsed.verify(&known).unwrap();
    assert_eq!(verified[0].time, Some(1_795_197_600));
}

proptest! {
    /// Whatever one byte becomes, nobody accepts another note; and what they accept, we accept.
    #[test]
    fn mutations_are_rejected_by_both(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = checkpoint(77).sign(&SecretKey::from_seed(&SEED)).unwrap().to_bytes();
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let keys = [our_key()];
        let ours = Note::parse(&bytes).is_ok_and(|n| n.verify(&keys).is_ok());
        prop_assert_eq!(ours, bytes == good);
        prop_assert_eq!(theirs_accepts(&bytes, their_verifier()), bytes == good);
    }
}
