//! Fields of a request that stand in the path or the query, as strictly read as those of a body.

use assent_proto::describe::{Field, Kind, Message};

use super::{read, shape, wire};
use crate::api::convert::wrong;
use crate::outcome::ApiError;

/// The fields of a path, and of a query unless the request has a body, in protobuf's wire format.
pub fn message(
    kind: &'static Message,
    in_path: &[(&'static str, &str)],
    query: Option<&str>,
) -> Result<Vec<u8>, ApiError> {
    let mut out = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in in_path {
        seen.push((*name).to_owned());
        put(kind, name, &decoded(name, value, false)?, &mut out)?;
    }
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded("the query", name, true)?;
        if seen.contains(&name) {
            return Err(wrong(&name, "stands twice", "given once"));
        }
        put(kind, &name, &decoded(&name, value, true)?, &mut out)?;
        seen.push(name);
    }
    Ok(out)
}

fn put(kind: &'static Message, name: &str, value: &str, out: &mut Vec<u8>) -> Result<(), ApiError> {
    let Some(field) = kind.field(name) else {
        let names: Vec<&str> = kind.fields.iter().map(|field| field.name).collect();
        let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
        return Err(ApiError::malformed(format!("the query has {shown:?}; it may have: {}", names.join(", "))));
    };
    match field.kind {
        Kind::String => wire::put_bytes(out, field.number, value.as_bytes()),
        Kind::Bool => match value {
            "true" => wire::put_number(out, field.number, 1),
            "false" => {}
            _ => return Err(wrong(name, "is neither", "true or false")),
        },
        Kind::Uint32 => wire::put_number(out, field.number, number(name, value, u64::from(u32::MAX))?),
        Kind::Uint64 => wire::put_number(out, field.number, number(name, value, u64::MAX)?),
        Kind::Enumeration(of) => {
            wire::put_number(out, field.number, u64::from(read::value_of(of, name, value)?));
        }
        Kind::Bytes => wire::put_bytes(out, field.number, &bytes(field, name, value)?),
        Kind::Message(_) => return Err(wrong(name, "is an object", "left out of the query")),
    }
    Ok(())
}

fn bytes(field: &'static Field, name: &str, value: &str) -> Result<Vec<u8>, ApiError> {
    match shape::of(field) {
        shape::Shape::Hex => read::hex_of(name, value),
        _ => Ok(value.as_bytes().to_vec()),
    }
}

fn number(name: &str, value: &str, max: u64) -> Result<u64, ApiError> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let number = value.parse().ok().filter(|number| digits && *number <= max);
    number.ok_or_else(|| wrong(name, "is no number in range", format_args!("a whole number from 0 to {max}")))
}

/// Text without its percent signs; in a query, plus signs stand for spaces.
fn decoded(at: &str, text: &str, query: bool) -> Result<String, ApiError> {
    let right = "UTF-8 in which a percent sign comes before two hexadecimal digits";
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
                    return Err(wrong(at, "does not decode", right));
                };
                out.extend(u8::try_from(high * 16 + low));
            }
            b'+' if query => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).map_err(|_| wrong(at, "does not decode", right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_proto::describe::{ENTRIES_REQUEST, PAYLOAD_REQUEST};
    use assent_proto::v1;
    use prost::Message as _;

    #[test]
    fn every_kind_of_field_is_read() {
        let text = "from_seq=7&limit=20&tenant=acme&run_id=a%2Fb+c&follow=true&";
        let read = message(&ENTRIES_REQUEST, &[], Some(text)).unwrap();
        let request = v1::EntriesRequest::decode(&*read).unwrap();
        assert_eq!((request.from_seq, request.limit, request.follow), (7, 20, true));
        assert_eq!((request.tenant.as_str(), request.run_id.as_str()), ("acme", "a/b c"));
        let read = message(&PAYLOAD_REQUEST, &[("commitment", "00ff")], Some("tenant=acme")).unwrap();
        let request = v1::PayloadRequest::decode(&*read).unwrap();
        assert_eq!((request.commitment.as_ref(), request.tenant.as_str()), (&[0, 255][..], "acme"));
        assert_eq!(message(&ENTRIES_REQUEST, &[], None).unwrap(), b"");
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (query, what) in [
            ("nope=1", "the query has \"nope\""),
            ("limit=1&limit=1", "limit stands twice"),
            ("limit=", "limit is no number"),
            ("limit=-1", "limit is no number"),
            ("limit=+1", "limit is no number"),
            ("follow=yes", "follow is neither"),
            ("tenant=%", "tenant does not decode"),
            ("tenant=%f", "tenant does not decode"),
            ("tenant=%ff", "tenant does not decode"),
            ("%zz=1", "the query does not decode"),
        ] {
            let error = message(&ENTRIES_REQUEST, &[], Some(query)).unwrap_err();
            assert_eq!(error.code, "MALFORMED", "{query}");
            assert!(error.message.starts_with(what), "{query}: {}", error.message);
        }
        let error = message(&PAYLOAD_REQUEST, &[("commitment", "00")], Some("commitment=00")).unwrap_err();
        assert!(error.message.starts_with("commitment stands twice"), "{}", error.message);
    }
}
