//! Narrow canonical JSON: objects, lists, strings, booleans and integers below 2^53, in the one form of RFC 8785.
//!
//! Everything that the ledger writes or accepts as JSON has exactly one byte string. The reader refuses any other spelling
//! instead of normalising it: what was hashed is what was meant. Keys keep to `[a-z0-9_@.-]`, so that sorting by bytes is
//! the same as sorting by UTF-16 code units, which RFC 8785 asks for.

mod scan;
mod value;
mod write;

pub use scan::{ListCursor, ObjectCursor, Scanner, parse};
pub use value::Value;

pub(crate) use write::{write_decimal, write_hex, write_key, write_string};

/// Why bytes are not narrow canonical JSON, or why a value cannot be written as such. Offsets count bytes from the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is not valid UTF-8 (an encoded lone surrogate is not either).
    #[error("not valid UTF-8 at byte {at}; send well-formed text")]
    Utf8 {
        /// Length of the valid part.
        at: usize,
    },
    /// The text ended inside a value.
    #[error("text ends in the middle of a value at byte {at}; send the whole text")]
    Truncated {
        /// Where the text ended.
        at: usize,
    },
    /// A byte that cannot stand here in any JSON of ours.
    #[error("unexpected byte at {at}; use objects, lists, strings, booleans and integers only")]
    Unexpected {
        /// Where.
        at: usize,
    },
    /// Valid JSON, but not in the one form that RFC 8785 gives it.
    #[error("not canonical at byte {at}: {what}; encode with RFC 8785")]
    NotCanonical {
        /// Where.
        at: usize,
        /// What differs from the canonical form.
        what: &'static str,
    },
    /// Bytes follow the value.
    #[error("bytes follow the value at {at}; send exactly one value")]
    Trailing {
        /// Where the first of them stands.
        at: usize,
    },
    /// A number that is negative, has a fraction or an exponent, or exceeds 2^53 - 1.
    #[error("bad number at byte {at}; use an integer from 0 to 2^53-1, or a decimal string")]
    Number {
        /// Where the number starts.
        at: usize,
    },
    /// A `null`.
    #[error("null at byte {at}; leave the field out")]
    Null {
        /// Where.
        at: usize,
    },
    /// The same key twice in one object.
    #[error("duplicate key at byte {at}; give each field once")]
    DuplicateKey {
        /// Where the second key starts.
        at: usize,
    },
    /// A key that is empty or uses characters outside `[a-z0-9_@.-]`.
    #[error("bad key at byte {at}; keys consist of a-z 0-9 _ @ . -")]
    Key {
        /// Where the key starts.
        at: usize,
    },
    /// Nested deeper than `limits::JSON_DEPTH_MAX`.
    #[error("nested too deeply at byte {at}; the limit is {max} levels", max = crate::limits::JSON_DEPTH_MAX)]
    Depth {
        /// Where the container starts.
        at: usize,
    },
    /// A value of another type than the field has.
    #[error("expected {what} at byte {at}")]
    Type {
        /// Where the value starts.
        at: usize,
        /// What the field holds.
        what: &'static str,
    },
}

impl JsonError {
    /// A stable short name of the kind, as used in the shared test vectors.
    pub const fn kind(&self) -> &'static str {
        match self {
            JsonError::Utf8 { .. } => "utf8",
            JsonError::Truncated { .. } => "truncated",
            JsonError::Unexpected { .. } => "unexpected",
            JsonError::NotCanonical { .. } => "not_canonical",
            JsonError::Trailing { .. } => "trailing",
            JsonError::Number { .. } => "bad_number",
            JsonError::Null { .. } => "null",
            JsonError::DuplicateKey { .. } => "duplicate_key",
            JsonError::Key { .. } => "bad_key",
            JsonError::Depth { .. } => "too_deep",
            JsonError::Type { .. } => "wrong_type",
        }
    }
}

/// Whether `key` may name a field: not empty, `[a-z0-9_@.-]` only.
pub fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(is_key_byte)
}

const fn is_key_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'@' | b'.' | b'-')
}
