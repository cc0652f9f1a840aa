//! DARE's `payload_ref`: a pointer to data that is held elsewhere. It is a payload of this content type, and carries the digest of
//! what it points to.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;

use super::Json;
use crate::value::{self, Value};

/// Content type of a payload that is a pointer.
pub const PAYLOAD_REF_TYPE: &str = "application/vnd.assent.payload-ref+json";

/// A pointer to a payload that is held elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadRef {
    /// Digest of the data.
    pub payload_hash: Hash,
    /// Where it is.
    pub uri: String,
    /// How it is encrypted there, such as `kms:key-1`.
    pub encryption: String,
    /// `public`, `internal`, `confidential` or `regulated`.
    pub classification: String,
    /// When it will be gone.
    pub expires_at: Option<Time>,
}

/// Why a payload is no pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} of the payload reference must be {expected}")]
pub struct PayloadRefError {
    /// The field.
    pub field: &'static str,
    /// What it must be.
    pub expected: &'static str,
}

const CLASSIFICATIONS: [&str; 4] = ["public", "internal", "confidential", "regulated"];
const MEMBERS: [&str; 4] = ["uri", "encryption", "classification", "expires_at"];

impl PayloadRef {
    /// The pointer as DARE writes it: `payload_hash` and `payload_ref`.
    pub fn to_json(&self) -> Json {
        let expires = self.expires_at.map(|time| time.to_string());
        Json::object([
            ("payload_hash", Json::digest(Some(self.payload_hash))),
            (
                "payload_ref",
                Json::object([
                    ("uri", Json::text(Some(&self.uri))),
                    ("encryption", Json::text(Some(&self.encryption))),
                    ("classification", Json::text(Some(&self.classification))),
                    ("expires_at", Json::text(expires.as_deref())),
                ]),
            ),
        ])
    }

    /// Reads a pointer strictly.
    pub fn parse(bytes: &[u8]) -> Result<PayloadRef, PayloadRefError> {
        let invalid = |field, expected| PayloadRefError { field, expected };
        let object = value::parse_object(bytes).map_err(|_| invalid("the object", "JSON without duplicate keys"))?;
        if object.iter().any(|(name, _)| name != "payload_hash" && name != "payload_ref") {
            return Err(invalid("the object", "one with payload_hash and payload_ref only"));
        }
        let hash = object.get("payload_hash").and_then(Value::as_str).and_then(|text| text.strip_prefix("sha256:"));
        let Some(Value::Object(inner)) = object.get("payload_ref") else {
            return Err(invalid("payload_ref", "an object"));
        };
        if inner.iter().any(|(name, _)| !MEMBERS.contains(&name)) {
            return Err(invalid("payload_ref", "an object of uri, encryption, classification and expires_at"));
        }
        let text = |field: &'static str| inner.get(field).and_then(Value::as_str).map(str::to_owned);
        let expires_at = match inner.get("expires_at") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let time = value.as_str().and_then(|text| text.parse().ok());
                Some(time.ok_or(invalid("expires_at", "a time such as 2026-11-20T18:00:00.000000Z"))?)
            }
        };
        Ok(PayloadRef {
            payload_hash: hash
                .and_then(|hex| hex.parse().ok())
                .ok_or(invalid("payload_hash", "sha256: and 64 lower-case hexadecimal digits"))?,
            uri: text("uri").filter(|uri| !uri.is_empty()).ok_or(invalid("uri", "a URI"))?,
            encryption: text("encryption").ok_or(invalid("encryption", "a string"))?,
            classification: text("classification")
                .filter(|text| CLASSIFICATIONS.contains(&text.as_str()))
                .ok_or(invalid("classification", "public, internal, confidential or regulated"))?,
            expires_at,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn pointers_round_trip_and_are_read_strictly() {
        let pointer = PayloadRef {
            payload_hash: Hash([7; 32]),
            uri: "protected://payloads/1".into(),
            encryption: "kms:key-1".into(),
            classification: "regulated".into(),
            expires_at: Some("2026-12-24T00:00:00.000000Z".parse().unwrap()),
        };
        let text = pointer.to_json().to_text();
        assert_eq!(PayloadRef::parse(text.as_bytes()), Ok(pointer.clone()));
        for (from, to, field) in [
            ("regulated", "secret", "classification"),
            ("sha256:", "md5:", "payload_hash"),
            ("\"uri\"", "\"url\"", "payload_ref"),
            ("2026-12-24T", "tomorrow ", "expires_at"),
        ] {
            let changed = text.replace(from, to);
            assert_eq!(PayloadRef::parse(changed.as_bytes()).map_err(|error| error.field), Err(field));
        }
        assert!(PayloadRef::parse(b"null").is_err());
    }
}
