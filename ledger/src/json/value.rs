//! A JSON value in memory, with builders and accessors for the forms that entry bodies use.

use std::collections::BTreeMap;

use crate::hash::Hash;
use crate::ids::parse_decimal;

/// A narrow JSON value. There is no null, no negative number and no float.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// An integer from 0 to 2^53-1; anything larger is written as a decimal string.
    Int(u64),
    /// A string.
    Str(String),
    /// A list.
    List(Vec<Value>),
    /// An object; its keys consist of `[a-z0-9_@.-]`.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// An object from its fields; of two fields with the same key the later one wins.
    pub fn map<K: Into<String>>(fields: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::Map(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// An object without fields.
    pub const fn empty_map() -> Value {
        Value::Map(BTreeMap::new())
    }

    /// A list of its items.
    pub fn list<V: Into<Value>>(items: impl IntoIterator<Item = V>) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }

    /// A string.
    pub fn str(text: impl Into<String>) -> Value {
        Value::Str(text.into())
    }

    /// A 64-bit number as the decimal string that JSON carries.
    pub fn decimal(number: u64) -> Value {
        Value::Str(number.to_string())
    }

    /// Bytes as lower-case hexadecimal.
    pub fn hex(bytes: &[u8]) -> Value {
        Value::Str(hex::encode(bytes))
    }

    /// The boolean, if it is one.
    pub const fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(b) = self { Some(*b) } else { None }
    }

    /// The integer, if it is one.
    pub const fn as_int(&self) -> Option<u64> {
        if let Value::Int(n) = self { Some(*n) } else { None }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Str(text) = self { Some(text) } else { None }
    }

    /// The list's items, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Value::List(items) = self { Some(items) } else { None }
    }

    /// The object's fields, if it is one.
    pub const fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        if let Value::Map(fields) = self { Some(fields) } else { None }
    }

    /// The 64-bit number that a canonical decimal string holds, if it is one.
    pub fn as_decimal(&self) -> Option<u64> {
        parse_decimal(self.as_str()?.as_bytes())
    }

    /// The digest that 64 lower-case hexadecimal characters hold, if it is one.
    pub fn as_hash(&self) -> Option<Hash> {
        self.as_str()?.parse().ok()
    }

    /// A field of the object, if this is one and has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// Adds or replaces a field; does nothing to a value that is not an object.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Value {
        if let Value::Map(fields) = &mut self {
            fields.insert(key.into(), value.into());
        }
        self
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Value {
        Value::Int(u64::from(n))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Str(text)
    }
}

impl From<Hash> for Value {
    fn from(hash: Hash) -> Value {
        Value::Str(hash.to_string())
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Value {
        Value::List(items)
    }
}

impl From<BTreeMap<String, Value>> for Value {
    fn from(fields: BTreeMap<String, Value>) -> Value {
        Value::Map(fields)
    }
}
