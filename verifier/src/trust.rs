//! Who signed: manifests and checkpoints against the keyring, and the quorum of cosigners.

use assent_ledger::checkpoint::{Checkpoint, CheckpointError, VerifiedCheckpoint};
use assent_ledger::cosignature::{Cosigner, quorum, verify_payload};
use assent_ledger::endorse::Keyring;
use assent_ledger::ids::TreeSize;
use assent_ledger::keys::{Algorithm, PublicKey, Role, key_id, log_key_name, span_key_name};
use assent_ledger::manifest::{Manifest, VerifiedManifest};
use assent_ledger::note::{Note, NoteError, NoteSignature};

use crate::finding::{Finding, Kind};

/// Verifies a manifest's signature; on failure says whether it was altered or signed by another key.
pub fn manifest(bytes: &[u8], keyring: &Keyring, seq: u64, path: &str) -> Result<VerifiedManifest, Finding> {
    let error = match VerifiedManifest::verify_with(bytes, keyring) {
        Ok(verified) => return Ok(verified),
        Err(error) => error,
    };
    let altered = Finding::new(Kind::ManifestAltered, seq, error.to_string()).at(path);
    let Ok(note) = Note::parse(bytes) else { return Err(altered) };
    let Ok(stated) = Manifest::parse(note.text()) else { return Err(altered) };
    let other = span_key_name(&stated.origin);
    if stated.origin != *keyring.origin() && note.signatures().iter().any(|s| s.name() == other) {
        let detail = format!("the manifest is signed as one of ledger {}", stated.origin);
        return Err(Finding::new(Kind::SpanSwapped, seq, detail).at(path));
    }
    let name = span_key_name(keyring.origin());
    Err(blame(&note, keyring, &name, stated.end, altered))
}

/// Verifies a checkpoint's log signature; on failure says whether it was altered or signed by another key.
pub fn checkpoint(bytes: &[u8], keyring: &Keyring, seq: u64, path: &str) -> Result<VerifiedCheckpoint, Finding> {
    let error = match VerifiedCheckpoint::verify_with(bytes, keyring) {
        Ok(verified) => return Ok(verified),
        Err(error) => error,
    };
    let altered = Finding::new(Kind::CheckpointAltered, seq, error.to_string()).at(path);
    let Ok(note) = Note::parse(bytes) else { return Err(altered) };
    let Ok(stated) = Checkpoint::parse(note.text()) else { return Err(altered) };
    if let CheckpointError::OtherLedger { got, .. } = &error
        && note.signatures().iter().any(|s| s.name() == got.as_str())
    {
        let detail = format!("the checkpoint is signed as one of ledger {got}");
        return Err(Finding::new(Kind::SpanSwapped, seq, detail).at(path));
    }
    let name = log_key_name(keyring.origin());
    Err(blame(&note, keyring, &name, stated.size, altered))
}

/// No valid signature by the log key of that size: whose is it then?
fn blame(note: &Note, keyring: &Keyring, name: &str, size: TreeSize, altered: Finding) -> Finding {
    let verifies = |key: &PublicKey, line: &NoteSignature| {
        let signature = line.payload().try_into().ok();
        signature.is_some_and(|s| key.verify(note.text().as_bytes(), s).is_ok())
    };
    for key in keyring.keys().filter(|k| k.role == Role::Log) {
        let id = key_id(name, Algorithm::Ed25519, &key.public_key);
        for line in note.signatures() {
            let claimed = line.name() == name && line.key_id() == id;
            if verifies(&key.public_key, line) {
                if claimed && !key.valid_at(size) {
                    let detail =
                        format!("signed by log key {} outside the sizes for which it is endorsed", key.public_key);
                    return Finding { kind: Kind::KeyOutsideInterval, detail, ..altered };
                }
                // The signature is genuine; its name or key hint was changed.
                return altered;
            }
            if claimed && key.valid_at(size) {
                return altered;
            }
        }
    }
    let by = note.signatures().iter().filter(|l| l.name() == name).map(|l| l.key_id().to_string());
    let by: Vec<String> = by.collect();
    if by.is_empty() {
        return altered;
    }
    let detail = format!("signed as {name} by key id {}, which the root key never endorsed", by.join(", "));
    Finding { kind: Kind::KeyNotEndorsed, detail, ..altered }
}

/// Counts the cosigners. The archived checkpoint carries the log's line and the committed cosignatures, nothing else.
pub fn cosigners(
    keyring: &Keyring,
    checkpoint: &VerifiedCheckpoint,
    seq: u64,
    path: &str,
) -> Result<Vec<Cosigner>, Finding> {
    let finding = |kind, detail: String| Finding::new(kind, seq, detail).at(path);
    let required = keyring.created().map_or(u32::MAX, |c| c.quorum);
    let lines = committed_lines(keyring, checkpoint);
    let size = checkpoint.size();
    let found = match quorum(keyring, checkpoint, &lines) {
        Ok(found) => found,
        Err(error) => {
            // One bad line beside a good one was altered; when none verifies, nobody approved this text.
            let good = lines.iter().filter(|l| genuine(keyring, checkpoint, l)).count();
            let detail = format!("{good} of {required} required cosignatures approve size {size}; {error}");
            let altered = good > 0 || matches!(error, NoteError::DuplicateSignature { .. });
            let kind = if altered { Kind::CheckpointAltered } else { Kind::QuorumMissing };
            return Err(finding(kind, detail));
        }
    };
    if let Some(name) = found.outside_interval.first() {
        let detail = format!("cosigned by {name} outside the sizes for which it is endorsed");
        return Err(finding(Kind::KeyOutsideInterval, detail));
    }
    if found.unknown > 0 {
        let hinted = lines.iter().any(|l| !known(keyring, l) && genuine(keyring, checkpoint, l));
        if hinted {
            return Err(finding(Kind::CheckpointAltered, "a cosignature's name or key hint was changed".to_owned()));
        }
        // A changed line beside enough good ones cannot be told from a stranger's.
        let detail = "a line by a key that the root key never endorsed as a cosigner".to_owned();
        return Err(finding(Kind::KeyNotEndorsed, detail));
    }
    if !found.reaches(required) {
        let detail = format!("{} of {required} required cosignatures approve size {size}", found.valid.len());
        return Err(finding(Kind::QuorumMissing, detail));
    }
    Ok(found.valid)
}

/// The lines of a checkpoint without the log's own.
pub fn committed_lines(keyring: &Keyring, checkpoint: &VerifiedCheckpoint) -> Vec<NoteSignature> {
    let name = log_key_name(keyring.origin());
    let key = keyring.key_at(Role::Log, &name, checkpoint.size()).ok();
    let id = key.map(|key| key_id(&name, Algorithm::Ed25519, key));
    let own = |l: &&NoteSignature| l.name() != name || Some(l.key_id()) != id;
    checkpoint.note().signatures().iter().filter(own).cloned().collect()
}

fn known(keyring: &Keyring, line: &NoteSignature) -> bool {
    keyring.keys().any(|k| {
        k.role == Role::Cosigner
            && k.key_name == line.name()
            && key_id(&k.key_name, Algorithm::CosignatureV1, &k.public_key) == line.key_id()
    })
}

/// Whether any endorsed cosigner's key verifies the line, whatever its name and hint say.
fn genuine(keyring: &Keyring, checkpoint: &VerifiedCheckpoint, line: &NoteSignature) -> bool {
    let text = checkpoint.note().text();
    let cosigners = keyring.keys().filter(|k| k.role == Role::Cosigner);
    cosigners.into_iter().any(|k| verify_payload(text, line.payload(), &k.public_key).is_ok())
}
