//! From the wire's fields to the kernel's types. The only validation of what clients send: shapes and sizes, each failure naming the
//! field, what is wrong with it and what would be right.

pub mod admin;
pub mod cluster;
pub mod context;
pub mod control;
pub mod evaluate;
pub mod execution;
pub mod grants;
pub mod memory;
pub mod messages;
pub mod runs;
pub mod signals;
pub mod state;
pub mod terms;

use assent_kernel::admit;
use assent_kernel::command::{Command, RequestId};
use assent_kernel::limits::{NAME_BYTES_MAX, SUBJECT_BYTES_MAX};
use assent_ledger::hash::Hash;
use assent_ledger::ids::TenantId;

use super::errors;
use crate::outcome::ApiError;

/// Media type of what does not say.
pub const CONTENT_TYPE_DEFAULT: &str = "application/json";

/// A field that is not what it must be.
pub fn wrong(field: &str, what: impl std::fmt::Display, right: impl std::fmt::Display) -> ApiError {
    ApiError::malformed(format!("{field} {what}; it must be {right}"))
}

/// A request's id.
pub fn request_id(text: &str) -> Result<RequestId, ApiError> {
    let right = "a version 7 UUID in 36 lower-case characters";
    if text.is_empty() {
        return Err(wrong("request_id", "is missing", right));
    }
    text.parse().map_err(|_| wrong("request_id", format_args!("is {}", shown(text)), right))
}

/// A tenant's name.
pub fn tenant(field: &str, text: &str) -> Result<TenantId, ApiError> {
    let right = "1 to 64 lower-case letters, digits and . _ -";
    if text.is_empty() {
        return Err(wrong(field, "is missing", right));
    }
    TenantId::new(text).map_err(|_| wrong(field, format_args!("is {}", shown(text)), right))
}

/// The kernel's own check of a command's shape, which every field has passed above: one that it refuses still is refused at the door.
pub fn admitted(command: Command) -> Result<Command, ApiError> {
    match admit::check(&command) {
        Ok(()) => Ok(command),
        Err(refusal) => Err(errors::refused(&refusal)),
    }
}

/// A tool, environment, run, trace, credential or part of an agent's description.
pub fn name(field: &str, text: String) -> Result<String, ApiError> {
    let right = format_args!("1 to {NAME_BYTES_MAX} letters, digits and . _ : / @ # -");
    if text.is_empty() {
        return Err(wrong(field, "is missing", right));
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(wrong(field, format_args!("has {} bytes", text.len()), right));
    }
    if !text.bytes().all(is_name_byte) {
        return Err(wrong(field, format_args!("is {}", shown(&text)), right));
    }
    Ok(text)
}

const fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'/' | b'@' | b'#' | b'-')
}

/// A name, or nothing when the field is empty.
pub fn name_opt(field: &str, text: String) -> Result<Option<String>, ApiError> {
    if text.is_empty() { Ok(None) } else { name(field, text).map(Some) }
}

/// A subject, such as a SPIFFE id.
pub fn subject(field: &str, text: String) -> Result<String, ApiError> {
    let right = format_args!("1 to {SUBJECT_BYTES_MAX} letters, digits and . _ : / @ # -, such as a SPIFFE id");
    if text.is_empty() {
        return Err(wrong(field, "is missing", right));
    }
    if text.len() > SUBJECT_BYTES_MAX {
        return Err(wrong(field, format_args!("has {} bytes", text.len()), right));
    }
    if !text.bytes().all(is_name_byte) {
        return Err(wrong(field, format_args!("is {}", shown(&text)), right));
    }
    Ok(text)
}

/// A subject, or nothing when the field is empty.
pub fn subject_opt(field: &str, text: String) -> Result<Option<String>, ApiError> {
    if text.is_empty() { Ok(None) } else { subject(field, text).map(Some) }
}

/// A hash of 32 bytes.
pub fn hash(field: &str, bytes: &[u8]) -> Result<Hash, ApiError> {
    bytes32(field, bytes).map(Hash)
}

/// 32 bytes.
pub fn bytes32(field: &str, bytes: &[u8]) -> Result<[u8; 32], ApiError> {
    bytes.try_into().map_err(|_| wrong(field, format_args!("has {} bytes", bytes.len()), "exactly 32 bytes"))
}

/// A hash, or nothing when the field is empty.
pub fn hash_opt(field: &str, bytes: &[u8]) -> Result<Option<Hash>, ApiError> {
    if bytes.is_empty() { Ok(None) } else { hash(field, bytes).map(Some) }
}

/// A text, or nothing when the field is empty. What it may consist of is asked when the command is admitted.
pub fn text_opt(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Bytes of a limited length, not empty.
pub fn bytes(field: &str, bytes: &[u8], max: usize) -> Result<Vec<u8>, ApiError> {
    if bytes.is_empty() || bytes.len() > max {
        return Err(wrong(field, format_args!("has {} bytes", bytes.len()), format_args!("1 to {max} bytes")));
    }
    Ok(bytes.to_vec())
}

/// A wrong value as it is repeated to its sender: quoted, escaped and short.
fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 40;
    let cut: String = text.chars().take(SHOWN_MAX).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_version_7_uuids() {
        let id = RequestId::new(1_700_000_000_000, [9; 10]);
        assert_eq!(request_id(&id.to_string()).unwrap(), id);
        for text in ["", "x", "018f3c2e-0000-4000-8000-000000000000", &id.to_string().to_uppercase()] {
            let error = request_id(text).unwrap_err();
            assert_eq!(error.code, "MALFORMED");
            assert!(error.message.starts_with("request_id ") && error.message.contains("version 7"), "{error}");
        }
    }

    #[test]
    fn names_subjects_and_hashes_say_what_would_be_right() {
        assert!(name("tool", "mail.send@v1#x:y/z-_".to_owned()).is_ok());
        let table: Vec<(Result<(), ApiError>, &str, &str)> = vec![
            (name("tool", String::new()).map(drop), "tool is missing", "128 letters"),
            (name("tool", "a b".to_owned()).map(drop), "tool is \"a b\"", "128 letters"),
            (name("tool", "ä".to_owned()).map(drop), "tool is", "128 letters"),
            (name("tool", "x".repeat(129)).map(drop), "tool has 129 bytes", "128 letters"),
            (subject("subject", "two words".to_owned()).map(drop), "subject is", "256 letters"),
            (subject("subject", "s".repeat(257)).map(drop), "subject has 257 bytes", "256 letters"),
            (tenant("tenant", "Acme").map(drop), "tenant is \"Acme\"", "lower-case"),
            (tenant("tenant", "").map(drop), "tenant is missing", "lower-case"),
            (hash("token_hash", &[0; 31]).map(drop), "token_hash has 31 bytes", "exactly 32"),
            (bytes("source", &[], 9).map(drop), "source has 0 bytes", "1 to 9 bytes"),
            (bytes("source", &[0; 10], 9).map(drop), "source has 10 bytes", "1 to 9 bytes"),
        ];
        for (result, what, right) in table {
            let message = result.unwrap_err().message;
            assert!(message.starts_with(what) && message.contains(right), "{message}");
        }
    }

    #[test]
    fn what_is_repeated_is_short_and_escaped() {
        let text = shown(&format!("line\n{}", "x".repeat(200)));
        assert!(text.starts_with("\"line\\nxx") && text.len() < 60, "{text}");
    }
}
