//! What a view draws on besides its own entry, and how it says what is gone.

use std::sync::Arc;

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{Seq, TenantId};
use assent_ledger::receipt::Receipt;
use assent_ledger::seal::SpanAnchored;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Json;
use crate::bundle::CompiledBundle;
use crate::replay::{Held, Payloads, Recorded};
use crate::value;

/// Where a view finds what is not in its entry. What is not known is left out of the view.
pub trait Evidence: Payloads {
    /// A bundle by its hash.
    fn bundle(&self, _hash: &Hash) -> Option<Arc<CompiledBundle>> {
        None
    }

    /// The receipt of an entry.
    fn receipt(&self, _seq: Seq) -> Option<Receipt> {
        None
    }

    /// The record of the anchoring that covers an entry.
    fn anchored(&self, _seq: Seq) -> Option<SpanAnchored> {
        None
    }

    /// A tenant's entry by its event id, such as the decision that a response belongs to.
    fn entry(&self, _tenant: &TenantId, _event_id: &str) -> Option<Recorded> {
        None
    }
}

/// The fields of a view that lack their payload.
#[derive(Default)]
pub(super) struct Gone {
    erased: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl Gone {
    /// The bytes of an entry's payload; when there are none, `field` is noted.
    pub(super) fn bytes(
        &mut self,
        recorded: &Recorded,
        role: &'static str,
        field: &'static str,
        evidence: &impl Evidence,
    ) -> Option<Vec<u8>> {
        match recorded.payload(role, evidence) {
            Some(Held::Bytes(bytes)) => return Some(bytes),
            Some(Held::Erased) => self.erased.push(field),
            Some(Held::Missing) => self.missing.push(field),
            None => {}
        }
        None
    }

    /// Digest of an entry's payload.
    pub(super) fn digest(
        &mut self,
        recorded: &Recorded,
        role: &'static str,
        field: &'static str,
        evidence: &impl Evidence,
    ) -> Option<Hash> {
        self.bytes(recorded, role, field, evidence).map(|bytes| sha256(&[&bytes]))
    }

    /// The fields whose payloads were erased, and those whose payloads were not handed over.
    pub(super) fn into_parts(self) -> (Vec<&'static str>, Vec<&'static str>) {
        (self.erased, self.missing)
    }

    /// What the project adds to each record, under one name: where it stands, and what is gone.
    pub(super) fn extension<const N: usize>(self, recorded: &Recorded, more: [(&str, Json); N]) -> Json {
        let entry = &recorded.entry;
        let Json::Object(mut members) = Json::object([
            ("origin", Json::text(Some(entry.origin.as_str()))),
            ("seq", Json::Text(entry.seq.to_string())),
            ("entry_hash", Json::digest(Some(recorded.hash))),
        ]) else {
            return Json::Null;
        };
        members.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        members.push(("erased".to_owned(), Json::texts(self.erased)));
        members.push(("missing".to_owned(), Json::texts(self.missing)));
        Json::Object(members)
    }
}

/// A payload's content and how it is written: JSON verbatim, anything else in base64.
pub(super) fn content(content_type: &str, bytes: &[u8]) -> (Json, Json) {
    let is_json = content_type == "application/json" || content_type.ends_with("+json");
    match core::str::from_utf8(bytes) {
        Ok(text) if is_json && value::parse(bytes).is_ok() => {
            (Json::Raw(text.trim().to_owned()), Json::text(Some("json")))
        }
        _ => (Json::Text(base64_text(bytes)), Json::text(Some("base64"))),
    }
}

pub(super) fn base64_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
