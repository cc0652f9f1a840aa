//! From a message in protobuf's wire format to JSON.
//!
//! Numbers, truth values and lists always stand; texts, bytes and messages stand when they are not empty. What a newer service might
//! add and this table does not know cannot occur: both are generated from the same files.

use assent_proto::describe::{Enumeration, Field, Kind, Label, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::shape::{self, BASE64_SUFFIX, Shape};
use super::wire::{self, Wire};

/// The message as JSON text in one line; `None` when it is not in wire format.
pub fn message(kind: &'static Message, bytes: &[u8]) -> Option<String> {
    let mut out = String::new();
    object(kind, bytes, &mut out)?;
    Some(out)
}

fn object(kind: &'static Message, bytes: &[u8], out: &mut String) -> Option<()> {
    let read = wire::fields(bytes)?;
    out.push('{');
    let mut first = true;
    for field in kind.fields {
        let mut values = read.iter().filter(|(number, _)| *number == field.number).map(|(_, value)| *value);
        if field.label == Label::Repeated {
            name(field.name, &mut first, out);
            list(field, values, out)?;
            continue;
        }
        // The last one stands, as protobuf has it.
        match values.next_back().or_else(|| default(field)) {
            None => {}
            Some(Wire::Bytes(bytes)) if matches!(field.kind, Kind::Bytes) && needs_base64(field, bytes) => {
                name(&format!("{}{BASE64_SUFFIX}", field.name), &mut first, out);
                string(&STANDARD.encode(bytes), out);
            }
            Some(value) => {
                name(field.name, &mut first, out);
                single(field, value, out)?;
            }
        }
    }
    out.push('}');
    Some(())
}

/// What stands for a field that is not on the wire.
fn default(field: &'static Field) -> Option<Wire<'static>> {
    let always = matches!(field.kind, Kind::Bool | Kind::Uint32 | Kind::Uint64);
    (always && field.label == Label::Single && field.choice.is_none()).then_some(Wire::Number(0))
}

fn list<'a>(field: &'static Field, values: impl Iterator<Item = Wire<'a>>, out: &mut String) -> Option<()> {
    out.push('[');
    let numbers = matches!(field.kind, Kind::Bool | Kind::Uint32 | Kind::Uint64 | Kind::Enumeration(_));
    let mut items = Vec::new();
    for value in values {
        match value {
            Wire::Bytes(bytes) if numbers => items.extend(wire::packed(bytes)?.into_iter().map(Wire::Number)),
            value => items.push(value),
        }
    }
    for (i, value) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        single(field, value, out)?;
    }
    out.push(']');
    Some(())
}

fn name(name: &str, first: &mut bool, out: &mut String) {
    if !std::mem::take(first) {
        out.push(',');
    }
    string(name, out);
    out.push(':');
}

fn single(field: &'static Field, value: Wire<'_>, out: &mut String) -> Option<()> {
    match (field.kind, value) {
        (Kind::Bool, Wire::Number(number)) => out.push_str(if number == 0 { "false" } else { "true" }),
        (Kind::Uint32 | Kind::Uint64, Wire::Number(number)) => out.push_str(&number.to_string()),
        (Kind::Enumeration(of), Wire::Number(number)) => string(name_of(of, number), out),
        (Kind::String, Wire::Bytes(bytes)) => string(std::str::from_utf8(bytes).ok()?, out),
        (Kind::Bytes, Wire::Bytes(bytes)) => match shape::of(field) {
            Shape::Raw => out.push_str(std::str::from_utf8(bytes).ok()?),
            Shape::Text => string(std::str::from_utf8(bytes).ok()?, out),
            Shape::Hex => string(&hex::encode(bytes), out),
        },
        (Kind::Message(kind), Wire::Bytes(bytes)) => object(kind, bytes, out)?,
        _ => return None,
    }
    Some(())
}

fn name_of(of: &'static Enumeration, number: u64) -> &'static str {
    let found = of.values.iter().find(|value| u64::from(value.number) == number);
    found.map_or("unspecified", |value| value.name)
}

/// Whether bytes cannot stand as they are: no text, or no JSON in one line that begins and ends with them.
fn needs_base64(field: &'static Field, bytes: &[u8]) -> bool {
    match shape::of(field) {
        Shape::Hex => false,
        Shape::Text => std::str::from_utf8(bytes).is_err(),
        Shape::Raw => {
            let json = serde_json::from_slice::<&RawValue>(bytes);
            !json.is_ok_and(|json| json.get().len() == bytes.len() && !bytes.iter().any(|b| matches!(b, b'\n' | b'\r')))
        }
    }
}

/// A JSON string.
pub fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_proto::describe::{
        CLUSTER_INFO_RESPONSE, EVALUATE_MANY_RESPONSE, EVALUATE_RESPONSE, PAYLOAD_RESPONSE, STATUS_RESPONSE,
    };
    use assent_proto::v1;
    use prost::Message as _;

    fn decision() -> v1::EvaluateResponse {
        v1::EvaluateResponse {
            request_id: "r".to_owned(),
            verdict: v1::Verdict::Allow.into(),
            codes: vec![v1::ReasonCode { number: 900, name: "A\"\n\u{1}".to_owned() }],
            seq: u64::MAX,
            request_salt: vec![0xab; 2].into(),
            receipt: b"{\"a\":1}".to_vec().into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_decision_is_written_field_by_field() {
        let text = message(&EVALUATE_RESPONSE, &decision().encode_to_vec()).unwrap();
        for part in [
            r#""request_id":"r""#,
            r#""verdict":"allow""#,
            r#""codes":[{"number":900,"name":"A\"\n\u0001"}]"#,
            r#""seq":18446744073709551615"#,
            r#""request_salt":"abab""#,
            r#""replayed":false"#,
            r#""receipt":"{\"a\":1}""#,
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("run_id"), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
    }

    #[test]
    fn choices_name_what_they_hold() {
        let failure =
            v1::Failure { code: "X".to_owned(), write: v1::Write::OutcomeUnknown.into(), ..Default::default() };
        let results = vec![
            v1::EvaluateResult { result: Some(v1::evaluate_result::Result::Decision(decision())) },
            v1::EvaluateResult { result: Some(v1::evaluate_result::Result::Failure(failure)) },
        ];
        let text = message(&EVALUATE_MANY_RESPONSE, &v1::EvaluateManyResponse { results }.encode_to_vec()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["results"][0]["decision"]["verdict"], "allow");
        assert_eq!(value["results"][1]["failure"]["write"], "outcome-unknown");
        assert_eq!(value["results"][1]["failure"]["retry_after_ms"], 0);
        let status = v1::StatusResponse { state: 1, ..Default::default() };
        assert_eq!(message(&STATUS_RESPONSE, &status.encode_to_vec()).unwrap(), r#"{"state":"unknown","seq":0}"#);
    }

    #[test]
    fn lists_of_numbers_are_written_one_by_one() {
        let info = v1::ClusterInfoResponse { kernel_versions: vec![1, 300], ..Default::default() };
        let text = message(&CLUSTER_INFO_RESPONSE, &info.encode_to_vec()).unwrap();
        assert!(text.contains(r#""kernel_versions":[1,300]"#), "{text}");
    }

    #[test]
    fn payloads_stand_as_they_are_or_in_base64() {
        for (content, expected) in [
            (&b"{\"b\": 1.50}"[..], r#""content":{"b": 1.50}"#),
            (b"\"text\"", r#""content":"text""#),
            (b" {}", r#""content_base64":"IHt9""#),
            (b"{\n}", r#""content_base64":"ewp9""#),
            (b"plain", r#""content_base64":"cGxhaW4=""#),
            (&[0xff], r#""content_base64":"/w==""#),
        ] {
            let payload = v1::PayloadResponse { content: content.to_vec().into(), ..Default::default() };
            let text = message(&PAYLOAD_RESPONSE, &payload.encode_to_vec()).unwrap();
            assert!(text.contains(expected), "{text}");
        }
    }
}
