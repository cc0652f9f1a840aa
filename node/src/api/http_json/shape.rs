//! How fields of bytes look in JSON. Protobuf knows bytes only; people and browsers want to see what the bytes are.

use assent_proto::describe::{Field, Kind, Label, Message};

/// What stands in JSON for a field of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any JSON value, whose exact text is the bytes; or base64 under the field's name with `_base64`.
    Raw,
    /// A string, whose UTF-8 is the bytes; or base64 under the field's name with `_base64`.
    Text,
    /// A string of lower-case hexadecimal.
    Hex,
}

/// Ends the name under which the bytes of a field are given in base64.
pub const BASE64_SUFFIX: &str = "_base64";

/// Every field of bytes in the protocol, by its name: one name looks the same everywhere.
const SHAPES: &[(&str, Shape)] = &[
    ("bundle_hash", Shape::Hex),
    ("checkpoint", Shape::Text),
    ("commitment", Shape::Hex),
    ("constraints", Shape::Raw),
    ("content", Shape::Raw),
    ("digest", Shape::Hex),
    ("endorsement", Shape::Text),
    ("endorsements", Shape::Text),
    ("genesis", Shape::Text),
    ("inputs", Shape::Raw),
    ("justification", Shape::Text),
    ("leaf", Shape::Text),
    ("leaf_hash", Shape::Hex),
    ("manifest", Shape::Text),
    ("note", Shape::Text),
    ("operator_token_hash", Shape::Hex),
    ("output", Shape::Raw),
    ("path", Shape::Hex),
    ("payload", Shape::Raw),
    ("payload_hash", Shape::Hex),
    ("policy_bundle_hash", Shape::Hex),
    ("prompt_bundle_hash", Shape::Hex),
    ("proof", Shape::Hex),
    ("public_key", Shape::Hex),
    ("query", Shape::Raw),
    ("receipt", Shape::Text),
    ("redacted", Shape::Raw),
    ("replacement_inputs", Shape::Raw),
    ("request_hash", Shape::Hex),
    ("request_salt", Shape::Hex),
    ("retirement", Shape::Text),
    ("root", Shape::Hex),
    ("salt", Shape::Hex),
    ("signature", Shape::Hex),
    ("source", Shape::Text),
    ("state_digest", Shape::Hex),
    ("token_hash", Shape::Hex),
    ("tool_schema_hash", Shape::Hex),
    ("value", Shape::Raw),
];

/// How a field of bytes looks; one without an entry looks like text, and a test refuses that.
pub fn of(field: &Field) -> Shape {
    listed(field.name).unwrap_or(Shape::Text)
}

fn listed(name: &str) -> Option<Shape> {
    SHAPES.iter().find(|(listed, _)| *listed == name).map(|(_, shape)| *shape)
}

/// The field that a name in base64 stands for.
pub fn in_base64(message: &'static Message, name: &str) -> Option<&'static Field> {
    let field = message.field(name.strip_suffix(BASE64_SUFFIX)?)?;
    let bytes = matches!(field.kind, Kind::Bytes) && field.label != Label::Repeated;
    (bytes && of(field) != Shape::Hex).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::http_json::routes::ROUTES;

    fn check(message: &'static Message, missing: &mut Vec<String>) {
        for field in message.fields {
            match field.kind {
                Kind::Bytes if listed(field.name).is_none() => missing.push(format!("{}.{}", message.name, field.name)),
                Kind::Message(inner) => check(inner, missing),
                _ => {}
            }
        }
    }

    #[test]
    fn every_field_of_bytes_has_a_shape_and_the_list_is_in_order() {
        let mut missing = Vec::new();
        for route in ROUTES {
            check(route.method.input, &mut missing);
            check(route.method.output, &mut missing);
        }
        assert!(missing.is_empty(), "without a shape: {missing:?}");
        assert!(SHAPES.is_sorted_by_key(|(name, _)| name));
    }
}
