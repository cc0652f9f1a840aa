//! JSON to protobuf and back by the tables of the .proto files. The node has its own; a test that used it would prove nothing.

use std::collections::BTreeMap;

use assent_proto::describe::{Enumeration, Field, Kind, Label, Message};
use serde_json::{Map, Value, json};

/// How a field of bytes stands in JSON, as the OpenAPI document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    Hex,
    Text,
    Json,
}

/// The fields of bytes by their names.
pub type Shapes = BTreeMap<String, Bytes>;

/// A message in wire format; a field that the tables do not know fails the test.
pub fn encode(message: &'static Message, value: &Value, shapes: &Shapes) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in value.as_object().unwrap() {
        let field = message.field(name).unwrap_or_else(|| panic!("{}.{name} is not in the protocol", message.name));
        match field.label {
            Label::Repeated => value.as_array().unwrap().iter().for_each(|item| put(field, item, shapes, &mut out)),
            _ => put(field, value, shapes, &mut out),
        }
    }
    out
}

fn put(field: &'static Field, value: &Value, shapes: &Shapes, out: &mut Vec<u8>) {
    let text = || value.as_str().unwrap_or_else(|| panic!("{} must be text here", field.name));
    let bytes = match field.kind {
        Kind::Bool => return number(field.number, u64::from(value.as_bool().unwrap()), out),
        Kind::Uint32 | Kind::Uint64 => return number(field.number, value.as_u64().unwrap(), out),
        Kind::Enumeration(of) => return number(field.number, value_of(of, text()), out),
        Kind::String => text().as_bytes().to_vec(),
        Kind::Bytes => match shapes[field.name] {
            Bytes::Hex => hex::decode(text()).unwrap(),
            Bytes::Text => text().as_bytes().to_vec(),
            Bytes::Json => value.to_string().into_bytes(),
        },
        Kind::Message(inner) => encode(inner, value, shapes),
    };
    varint(u64::from(field.number) << 3 | 2, out);
    varint(bytes.len() as u64, out);
    out.extend(bytes);
}

fn value_of(of: &Enumeration, name: &str) -> u64 {
    let found = of.values.iter().find(|value| value.name == name);
    // A name that nobody knows is sent as a number that nobody knows.
    found.map_or(99, |value| u64::from(value.number))
}

fn number(field: u32, value: u64, out: &mut Vec<u8>) {
    varint(u64::from(field) << 3, out);
    varint(value, out);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A message as the HTTP door would write it: numbers, truth values and lists always, the rest when it is not empty.
pub fn decode(message: &'static Message, bytes: &[u8], shapes: &Shapes) -> Value {
    let mut object = Map::new();
    for field in message.fields {
        let empty = match (field.label, field.kind) {
            (Label::Repeated, _) => json!([]),
            (Label::Single, Kind::Bool) if field.choice.is_none() => json!(false),
            (Label::Single, Kind::Uint32 | Kind::Uint64) if field.choice.is_none() => json!(0),
            _ => continue,
        };
        object.insert(field.name.to_owned(), empty);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let key = take(&mut rest);
        let field = message.fields.iter().find(|field| u64::from(field.number) == key >> 3).unwrap();
        let value = match key & 7 {
            0 => scalar(field, take(&mut rest)),
            2 => {
                let length = usize::try_from(take(&mut rest)).unwrap();
                let (part, after) = rest.split_at(length);
                rest = after;
                if matches!(field.kind, Kind::Uint32 | Kind::Uint64) {
                    packed(field, part, &mut object);
                    continue;
                }
                long(field, part, shapes)
            }
            other => panic!("wire type {other} in {}", message.name),
        };
        match field.label {
            Label::Repeated => object[field.name].as_array_mut().unwrap().push(value),
            _ => drop(object.insert(field.name.to_owned(), value)),
        }
    }
    Value::Object(object)
}

fn packed(field: &Field, mut part: &[u8], object: &mut Map<String, Value>) {
    while !part.is_empty() {
        let value = scalar(field, take(&mut part));
        object[field.name].as_array_mut().unwrap().push(value);
    }
}

fn scalar(field: &Field, number: u64) -> Value {
    match field.kind {
        Kind::Bool => json!(number != 0),
        Kind::Enumeration(of) => {
            json!(of.values.iter().find(|value| u64::from(value.number) == number).unwrap().name)
        }
        _ => json!(number),
    }
}

fn long(field: &Field, part: &[u8], shapes: &Shapes) -> Value {
    match field.kind {
        Kind::Message(inner) => decode(inner, part, shapes),
        Kind::Bytes => match shapes[field.name] {
            Bytes::Hex => json!(hex::encode(part)),
            Bytes::Text => json!(String::from_utf8(part.to_vec()).unwrap()),
            Bytes::Json => serde_json::from_slice(part).unwrap(),
        },
        _ => json!(String::from_utf8(part.to_vec()).unwrap()),
    }
}

fn take(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number that is too long");
}
