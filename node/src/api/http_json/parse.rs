//! JSON taken apart without losing its text: objects and lists give their parts as they stand.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::api::convert::wrong;
use crate::outcome::ApiError;

/// The members of an object in their order, duplicates included.
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keep;
        impl<'de> Visitor<'de> for Keep {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Keep)
    }
}

/// One JSON text, whole: what follows it is refused, and so is what is not UTF-8.
pub fn document(bytes: &[u8]) -> Result<&RawValue, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::malformed(format!("the body is not JSON: {error}")))
}

/// The members of an object.
pub fn members<'a>(at: &str, value: &'a RawValue) -> Result<Vec<(String, &'a RawValue)>, ApiError> {
    match serde_json::from_str::<Members<'a>>(value.get()) {
        Ok(Members(members)) => Ok(members),
        Err(_) => Err(wrong(at, format_args!("is {}", sort(value)), "an object")),
    }
}

/// The items of a list.
pub fn items<'a>(at: &str, value: &'a RawValue) -> Result<Vec<&'a RawValue>, ApiError> {
    let items = serde_json::from_str(value.get());
    items.map_err(|_| wrong(at, format_args!("is {}", sort(value)), "a list"))
}

/// A string.
pub fn string(at: &str, value: &RawValue, right: &str) -> Result<String, ApiError> {
    let text = serde_json::from_str(value.get());
    text.map_err(|_| match sort(value) {
        "a string" => wrong(at, "has an escape that is no character", right),
        other => wrong(at, format_args!("is {other}"), right),
    })
}

/// A whole number from 0 to `max`, written without fraction and exponent.
pub fn number(at: &str, value: &RawValue, max: u64) -> Result<u64, ApiError> {
    let digits = value.get().bytes().all(|b| b.is_ascii_digit());
    let number = value.get().parse().ok().filter(|number| digits && *number <= max);
    number.ok_or_else(|| {
        let what = if sort(value) == "a number" { "is out of range or not whole" } else { sort_is(value) };
        wrong(at, what, format_args!("a whole number from 0 to {max}, without fraction and exponent"))
    })
}

/// True or false.
pub fn boolean(at: &str, value: &RawValue) -> Result<bool, ApiError> {
    match value.get() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(at, sort_is(value), "true or false")),
    }
}

fn sort(value: &RawValue) -> &'static str {
    sort_is(value).trim_start_matches("is ")
}

fn sort_is(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'{') => "is an object",
        Some(b'[') => "is a list",
        Some(b'"') => "is a string",
        Some(b't' | b'f') => "is true or false",
        Some(b'n') => "is null",
        _ => "is a number",
    }
}
