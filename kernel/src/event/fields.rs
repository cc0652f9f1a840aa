//! Strict reading of event bodies: every field is taken once by name, and what is left over is refused.

use std::collections::BTreeMap;

use assent_ledger::hash::{Hash, hex32};
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

/// The fields of an object that have not been read yet.
pub(super) struct Fields<'a> {
    left: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, what: &'static str) -> Result<Self, BodyError> {
        let map = value.as_map().ok_or(BodyError::NotAnObject { what })?;
        Ok(Fields { left: map.iter().map(|(key, value)| (key.as_str(), value)).collect() })
    }

    fn take(&mut self, field: &'static str) -> Result<&'a Value, BodyError> {
        self.left.remove(field).ok_or(BodyError::Missing { field })
    }

    /// What `read` makes of the field; `expected` says what it must be.
    pub(super) fn read<T>(
        &mut self,
        field: &'static str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, BodyError> {
        read(self.take(field)?).ok_or(BodyError::Invalid { field, expected })
    }

    /// The same for a field that may be absent.
    pub(super) fn read_opt<T>(
        &mut self,
        field: &'static str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, BodyError> {
        if self.left.contains_key(field) { self.read(field, expected, read).map(Some) } else { Ok(None) }
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<String, BodyError> {
        self.read(field, "a string", Value::as_str).map(str::to_owned)
    }

    pub(super) fn text_opt(&mut self, field: &'static str) -> Result<Option<String>, BodyError> {
        Ok(self.read_opt(field, "a string", Value::as_str)?.map(str::to_owned))
    }

    pub(super) fn bool(&mut self, field: &'static str) -> Result<bool, BodyError> {
        self.read(field, "true or false", Value::as_bool)
    }

    pub(super) fn hash(&mut self, field: &'static str) -> Result<Hash, BodyError> {
        self.read(field, HASH, Value::as_hash)
    }

    pub(super) fn hash_opt(&mut self, field: &'static str) -> Result<Option<Hash>, BodyError> {
        self.read_opt(field, HASH, Value::as_hash)
    }

    pub(super) fn bytes32_opt(&mut self, field: &'static str) -> Result<Option<[u8; 32]>, BodyError> {
        self.read_opt(field, HASH, |value| hex32(value.as_str()?))
    }

    /// The object has no further field.
    pub(super) fn finish(self) -> Result<(), BodyError> {
        match self.left.into_keys().next() {
            Some(field) => Err(BodyError::Unknown { field: field.to_owned() }),
            None => Ok(()),
        }
    }
}

const HASH: &str = "64 lower-case hexadecimal characters";

/// Adds a field if there is a value.
pub(super) fn with_opt<V: Into<Value>>(value: Value, field: &str, optional: Option<V>) -> Value {
    match optional {
        Some(inner) => value.with(field, inner),
        None => value,
    }
}
