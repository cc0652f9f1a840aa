//! From JSON to a message in protobuf's wire format, strictly: unknown fields, duplicate keys, nulls and wrong types are refused by name.

use assent_proto::describe::{Enumeration, Field, Kind, Label, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::shape::{self, Shape};
use super::{parse, wire};
use crate::api::convert::wrong;
use crate::outcome::ApiError;

/// Reads a message. `given` are fields that stand elsewhere (in the path) and may not stand in the body.
pub fn message(kind: &'static Message, value: &RawValue, given: &[&str]) -> Result<Vec<u8>, ApiError> {
    let mut out = Vec::new();
    object(kind, "the body", "", value, given, &mut out)?;
    Ok(out)
}

fn object(
    kind: &'static Message,
    at: &str,
    prefix: &str,
    value: &RawValue,
    given: &[&str],
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let mut seen: Vec<&'static Field> = Vec::new();
    for (name, value) in parse::members(at, value)? {
        let at = format!("{prefix}{name}");
        if given.contains(&name.as_str()) {
            return Err(wrong(&at, "stands in the path", "left out of the body"));
        }
        let (field, base64) = match (kind.field(&name), shape::in_base64(kind, &name)) {
            (Some(field), _) => (field, false),
            (None, Some(field)) => (field, true),
            (None, None) => return Err(unknown(kind, &at)),
        };
        once(field, &at, &seen)?;
        seen.push(field);
        if value.get() == "null" {
            return Err(wrong(&at, "is null", "left out when it has no value"));
        }
        match (base64, field.label) {
            (true, _) => wire::put_bytes(out, field.number, &base64_of(&at, value)?),
            (false, Label::Repeated) => {
                for (i, item) in parse::items(&at, value)?.into_iter().enumerate() {
                    single(field, &format!("{at}[{i}]"), item, out)?;
                }
            }
            (false, _) => single(field, &at, value, out)?,
        }
    }
    Ok(())
}

/// Refuses a field that stands twice, in whatever form, and a second one of a choice.
fn once(field: &'static Field, at: &str, seen: &[&'static Field]) -> Result<(), ApiError> {
    for earlier in seen {
        if earlier.number == field.number {
            return Err(wrong(at, "stands twice", "given once"));
        }
        if field.choice.is_some() && earlier.choice == field.choice {
            return Err(wrong(at, format_args!("stands beside {}", earlier.name), "the only one of the two"));
        }
    }
    Ok(())
}

fn unknown(kind: &'static Message, at: &str) -> ApiError {
    let mut names: Vec<&str> = kind.fields.iter().map(|field| field.name).collect();
    names.sort_unstable();
    let right = if names.is_empty() { "left out: nothing is known here".to_owned() } else { names.join(", ") };
    wrong(&shortened(at), "is not known", format_args!("one of: {right}"))
}

/// A name as it is repeated to its sender.
fn shortened(at: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let shown: String = at.chars().take(SHOWN_MAX).map(|c| if c.is_control() { '?' } else { c }).collect();
    if shown.is_empty() { "a field without a name".to_owned() } else { shown }
}

fn single(field: &'static Field, at: &str, value: &RawValue, out: &mut Vec<u8>) -> Result<(), ApiError> {
    match field.kind {
        Kind::Bool => wire::put_number(out, field.number, u64::from(parse::boolean(at, value)?)),
        Kind::Uint32 => wire::put_number(out, field.number, parse::number(at, value, u64::from(u32::MAX))?),
        Kind::Uint64 => wire::put_number(out, field.number, parse::number(at, value, u64::MAX)?),
        Kind::String => wire::put_bytes(out, field.number, parse::string(at, value, "a string")?.as_bytes()),
        Kind::Enumeration(of) => {
            let name = parse::string(at, value, &names(of))?;
            wire::put_number(out, field.number, u64::from(value_of(of, at, &name)?));
        }
        Kind::Bytes => match shape::of(field) {
            Shape::Raw => wire::put_bytes(out, field.number, value.get().as_bytes()),
            Shape::Text => wire::put_bytes(out, field.number, parse::string(at, value, "a string")?.as_bytes()),
            Shape::Hex => {
                let text = parse::string(at, value, "lower-case hexadecimal")?;
                wire::put_bytes(out, field.number, &hex_of(at, &text)?);
            }
        },
        Kind::Message(kind) => {
            let mut inner = Vec::new();
            object(kind, at, &format!("{at}."), value, &[], &mut inner)?;
            wire::put_bytes(out, field.number, &inner);
        }
    }
    Ok(())
}

/// Bytes from lower-case hexadecimal.
pub fn hex_of(at: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    let bytes = hex::decode(text).ok().filter(|_| lower);
    bytes.ok_or_else(|| wrong(at, "does not decode", "lower-case hexadecimal, two digits a byte"))
}

fn base64_of(at: &str, value: &RawValue) -> Result<Vec<u8>, ApiError> {
    let right = "base64 of the standard alphabet, with padding";
    let text = parse::string(at, value, right)?;
    STANDARD.decode(text).map_err(|_| wrong(at, "does not decode", right))
}

/// The number of a value's name; the unspecified one has none.
pub fn value_of(of: &'static Enumeration, at: &str, name: &str) -> Result<u32, ApiError> {
    let found = of.values.iter().find(|value| value.number > 0 && value.name == name);
    found.map(|value| value.number).ok_or_else(|| wrong(at, "is not known", names(of)))
}

fn names(of: &'static Enumeration) -> String {
    let names: Vec<&str> = of.values.iter().filter(|value| value.number > 0).map(|value| value.name).collect();
    format!("one of: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_proto::describe::{EVALUATE_MANY_REQUEST, EVALUATE_REQUEST, REGISTER_CREDENTIAL_REQUEST, SEALS_REQUEST};
    use assent_proto::v1;
    use prost::Message as _;

    fn read(kind: &'static Message, text: &str) -> Result<Vec<u8>, ApiError> {
        message(kind, parse::document(text.as_bytes())?, &["in_path"])
    }

    #[test]
    fn inputs_keep_the_exact_text_of_their_value() {
        let text = "{\"tool\":\"mail.send\", \"inputs\" :  {\"b\": 1.50,\n\"a\":\"\\u00e9\",\"a\":1e2}  ,\"agent\":{\"name\":\"n\"}}";
        let request = v1::EvaluateRequest::decode(&*read(&EVALUATE_REQUEST, text).unwrap()).unwrap();
        assert_eq!(request.inputs.as_ref(), "{\"b\": 1.50,\n\"a\":\"\\u00e9\",\"a\":1e2}".as_bytes());
        assert_eq!((request.tool.as_str(), request.agent.unwrap().name.as_str()), ("mail.send", "n"));
        let text = r#"{"inputs_base64":"AP8="}"#;
        let request = v1::EvaluateRequest::decode(&*read(&EVALUATE_REQUEST, text).unwrap()).unwrap();
        assert_eq!(request.inputs.as_ref(), [0, 255]);
    }

    #[test]
    fn lists_numbers_and_hexadecimal_are_read() {
        let many = read(&EVALUATE_MANY_REQUEST, r#"{"requests":[{"tool":"a"},{"tool":"b"}]}"#).unwrap();
        let many = v1::EvaluateManyRequest::decode(&*many).unwrap();
        assert_eq!(many.requests.iter().map(|r| r.tool.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let seals = read(&SEALS_REQUEST, r#"{"from_size":18446744073709551615,"limit":4294967295}"#).unwrap();
        let seals = v1::SealsRequest::decode(&*seals).unwrap();
        assert_eq!((seals.from_size, seals.limit), (u64::MAX, u32::MAX));
        let text = format!(r#"{{"token_hash":"{}"}}"#, "0a".repeat(32));
        let credential = read(&REGISTER_CREDENTIAL_REQUEST, &text).unwrap();
        assert_eq!(v1::RegisterCredentialRequest::decode(&*credential).unwrap().token_hash.as_ref(), [10; 32]);
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (text, what) in [
            ("", "the body is not JSON"),
            ("{} {}", "the body is not JSON"),
            ("{\"tool\":\"\u{1}\"}", "the body is not JSON"),
            ("[]", "the body is a list"),
            ("null", "the body is null"),
            (r#"{"tol":"x"}"#, "tol is not known; it must be one of: agent"),
            (r#"{"tool":"x","tool":"x"}"#, "tool stands twice"),
            (r#"{"inputs":{},"inputs_base64":""}"#, "inputs_base64 stands twice"),
            (r#"{"tool":null}"#, "tool is null"),
            (r#"{"tool":7}"#, "tool is a number"),
            (r#"{"tool":"\ud800"}"#, "tool has an escape"),
            (r#"{"agent":"me"}"#, "agent is a string"),
            (r#"{"agent":{"name":["n"]}}"#, "agent.name is a list"),
            (r#"{"agent":{"nam":"n"}}"#, "agent.nam is not known"),
            (r#"{"inputs_base64":"%"}"#, "inputs_base64 does not decode"),
            (r#"{"in_path":1}"#, "in_path stands in the path"),
        ] {
            let error = read(&EVALUATE_REQUEST, text).unwrap_err();
            assert_eq!(error.code, "MALFORMED", "{text}");
            assert!(error.message.starts_with(what), "{text}: {}", error.message);
        }
        for text in ["1.0", "1e3", "-1", "4294967296", "\"1\"", "true"] {
            let error = read(&SEALS_REQUEST, &format!("{{\"limit\":{text}}}")).unwrap_err();
            assert!(error.message.starts_with("limit is"), "{text}: {}", error.message);
        }
        let many = read(&EVALUATE_MANY_REQUEST, r#"{"requests":[{},{"tool":{}}]}"#).unwrap_err();
        assert!(many.message.starts_with("requests[1].tool is an object"), "{}", many.message);
        for text in ["0", "0A", "xx"] {
            let error = read(&REGISTER_CREDENTIAL_REQUEST, &format!("{{\"token_hash\":\"{text}\"}}")).unwrap_err();
            assert!(error.message.starts_with("token_hash does not decode"), "{}", error.message);
        }
    }
}
