//! The keyring from the archive itself: entry 0 and the endorsements, under the pinned root key.

use assent_ledger::archive::SpanObject;
use assent_ledger::checkpoint::Checkpoint;
use assent_ledger::endorse::{Keyring, KeyringError};
use assent_ledger::entry::EntryView;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Origin;
use assent_ledger::keys::{log_key_name, span_key_name};
use assent_ledger::manifest::Manifest;
use assent_ledger::note::Note;
use assent_ledger::seal::{BodyError, KeyEndorsed, KeyRetired, LedgerCreated};

use crate::finding::{Finding, Kind};
use crate::layout::SpanDir;
use crate::stream::Bundle;

/// Folds a span's system entries into the keyring, before anything of the span is verified: genesis and endorsements
/// carry the root key's own signatures. Stops at the first entry that does not parse; the check of the entries will name it.
pub fn fold(keyring: &mut Keyring, span: &SpanDir, system: &Hash) -> Option<Finding> {
    let object = SpanObject::TenantBundle(*system);
    let mut bundle = Bundle::open(&span.path(&object), Vec::new()).ok()?;
    while let Ok(Some(leaf)) = bundle.next_leaf() {
        let Ok(view) = EntryView::parse(leaf) else { break };
        let relevant = matches!(view.kind, LedgerCreated::KIND | KeyEndorsed::KIND | KeyRetired::KIND);
        if !relevant && view.seq.0 != 0 {
            continue;
        }
        let Ok(body) = view.body_value() else { break };
        if let Err(error) = keyring.apply(view.seq, view.kind, &body) {
            let kind = match &error {
                KeyringError::RootKey { .. } | KeyringError::Origin { .. } | KeyringError::Creation => {
                    Kind::RootKeyMismatch
                }
                KeyringError::GenesisNotSigned => Kind::GenesisNotSigned,
                KeyringError::Body(BodyError::Missing { field } | BodyError::Invalid { field, .. })
                    if view.kind == LedgerCreated::KIND && *field == "signature" =>
                {
                    Kind::GenesisNotSigned
                }
                _ => Kind::EndorsementInvalid,
            };
            return Some(Finding::new(kind, view.seq.0, error.to_string()).at(span.shown(&object)));
        }
    }
    None
}

/// The ledger's origin as the first span states it: manifest or checkpoint if name and text agree, else entry 0.
pub fn origin(span: &SpanDir, manifest: &[u8], checkpoint: &[u8]) -> Option<Origin> {
    let from_manifest = || {
        let note = Note::parse(manifest).ok()?;
        let origin = Manifest::parse(note.text()).ok()?.origin;
        note.signatures().iter().any(|s| s.name() == span_key_name(&origin)).then_some(origin)
    };
    let from_checkpoint = || {
        let note = Note::parse(checkpoint).ok()?;
        let origin = Checkpoint::parse(note.text()).ok()?.origin;
        note.signatures().iter().any(|s| s.name() == log_key_name(&origin)).then_some(origin)
    };
    from_manifest().or_else(from_checkpoint).or_else(|| from_entry(span))
}

fn from_entry(span: &SpanDir) -> Option<Origin> {
    crate::layout::tenant_bundles(span).into_values().find_map(|object| {
        let mut bundle = Bundle::open(&span.path(&object), Vec::new()).ok()?;
        let view = EntryView::parse(bundle.next_leaf().ok()??).ok()?;
        Origin::new(view.origin).ok()
    })
}
