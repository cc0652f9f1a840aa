//! Strict reading of JSON objects: every field is taken once by name, and what is left over is refused.

use core::str::FromStr;
use std::collections::BTreeMap;

use crate::hash::{Hash, hex_fixed};
use crate::ids::parse_decimal;
use crate::json::Value;

/// Why a body does not have the shape of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not a JSON object.
    #[error("{what} must be an object")]
    NotAnObject {
        /// Which body or element.
        what: &'static str,
    },
    /// A field that must be there is not.
    #[error("field {field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field that the type does not have.
    #[error("field {field} is unknown")]
    Unknown {
        /// The field.
        field: String,
    },
    /// A field of the wrong type or with a value outside its range.
    #[error("field {field} must be {expected}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

/// The fields of an object that have not been read yet.
pub(crate) struct Fields<'a> {
    left: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(value: &'a Value, what: &'static str) -> Result<Self, BodyError> {
        match value {
            Value::Map(map) => Ok(Fields { left: map.iter().map(|(k, v)| (k.as_str(), v)).collect() }),
            _ => Err(BodyError::NotAnObject { what }),
        }
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.left.contains_key(field)
    }

    fn take(&mut self, field: &'static str) -> Result<&'a Value, BodyError> {
        self.left.remove(field).ok_or(BodyError::Missing { field })
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a str, BodyError> {
        match self.take(field)? {
            Value::Str(text) => Ok(text),
            _ => Err(BodyError::Invalid { field, expected: "a string" }),
        }
    }

    /// A string that parses as `T`.
    pub(crate) fn parse<T: FromStr>(&mut self, field: &'static str, expected: &'static str) -> Result<T, BodyError> {
        self.text(field)?.parse().map_err(|_| BodyError::Invalid { field, expected })
    }

    /// A string that parses as `T`, or nothing.
    pub(crate) fn parse_opt<T: FromStr>(
        &mut self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, BodyError> {
        if self.has(field) { self.parse(field, expected).map(Some) } else { Ok(None) }
    }

    pub(crate) fn hash(&mut self, field: &'static str) -> Result<Hash, BodyError> {
        self.parse(field, "64 lower-case hexadecimal characters")
    }

    pub(crate) fn signature(&mut self, field: &'static str) -> Result<[u8; 64], BodyError> {
        let expected = "128 lower-case hexadecimal characters";
        hex_fixed(self.text(field)?).ok_or(BodyError::Invalid { field, expected })
    }

    /// A 64-bit number as a decimal string.
    pub(crate) fn decimal(&mut self, field: &'static str) -> Result<u64, BodyError> {
        let expected = "a decimal string without leading zeros, below 2^64";
        parse_decimal(self.text(field)?.as_bytes()).ok_or(BodyError::Invalid { field, expected })
    }

    /// A JSON integer from `least` to 2^32 - 1.
    pub(crate) fn int(&mut self, field: &'static str, least: u32) -> Result<u32, BodyError> {
        let expected = if least == 0 { "an integer below 2^32" } else { "a positive integer below 2^32" };
        match self.take(field)? {
            Value::Int(n) => u32::try_from(*n).ok().filter(|n| *n >= least),
            _ => None,
        }
        .ok_or(BodyError::Invalid { field, expected })
    }

    pub(crate) fn list(&mut self, field: &'static str) -> Result<&'a [Value], BodyError> {
        match self.take(field)? {
            Value::List(items) => Ok(items),
            _ => Err(BodyError::Invalid { field, expected: "a list" }),
        }
    }

    /// The object has no further field.
    pub(crate) fn finish(self) -> Result<(), BodyError> {
        match self.left.into_keys().next() {
            Some(field) => Err(BodyError::Unknown { field: field.to_owned() }),
            None => Ok(()),
        }
    }
}

/// An object of the given fields.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> BTreeMap<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A value as a JSON string.
pub(crate) fn string(value: impl ToString) -> Value {
    Value::Str(value.to_string())
}

/// A 32-bit number as a JSON integer.
pub(crate) fn int(value: u32) -> Value {
    Value::Int(u64::from(value))
}
