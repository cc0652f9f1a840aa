//! The writer: one value, one byte string (RFC 8785).

use super::{JsonError, Value, is_key};
use crate::limits::{JSON_DEPTH_MAX, JSON_INT_MAX};

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Value {
    /// Appends the canonical form to `out`. On an error `out` holds a part of it and must be thrown away.
    ///
    /// Errors: an integer above 2^53-1, a key outside `[a-z0-9_@.-]`, or nesting beyond `limits::JSON_DEPTH_MAX`.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        self.write_nested(out, 0)
    }

    /// The canonical form; errors as of [`Value::write`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, JsonError> {
        let mut out = Vec::new();
        self.write(&mut out)?;
        Ok(out)
    }

    /// Writes below `depth` containers that are open already.
    pub(crate) fn write_nested(&self, out: &mut Vec<u8>, depth: usize) -> Result<(), JsonError> {
        match self {
            Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Value::Int(n) if *n > JSON_INT_MAX => return Err(JsonError::Number { at: out.len() }),
            Value::Int(n) => write_decimal(*n, out),
            Value::Str(text) => write_string(text, out),
            Value::List(items) => {
                check_depth(out, depth)?;
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write_nested(out, depth + 1)?;
                }
                out.push(b']');
            }
            Value::Map(fields) => {
                check_depth(out, depth)?;
                out.push(b'{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    if !is_key(key) {
                        return Err(JsonError::Key { at: out.len() });
                    }
                    if i > 0 {
                        out.push(b',');
                    }
                    write_key(key, out);
                    value.write_nested(out, depth + 1)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

fn check_depth(out: &[u8], depth: usize) -> Result<(), JsonError> {
    if depth >= JSON_DEPTH_MAX { Err(JsonError::Depth { at: out.len() }) } else { Ok(()) }
}

/// Writes a key that needs no escapes, with its colon.
pub(crate) fn write_key(key: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Writes a string with the escapes of RFC 8785 and no others.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for b in text.bytes() {
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            0x00..=0x1f => {
                out.extend_from_slice(b"\\u00");
                write_hex_byte(b, out);
            }
            _ => out.push(b),
        }
    }
    out.push(b'"');
}

/// Writes digits without sign, leading zeros or quotes.
pub(crate) fn write_decimal(mut n: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b'0' + (n % 10) as u8);
        n /= 10;
        if n == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// Writes lower-case hexadecimal without quotes.
pub(crate) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for b in bytes {
        write_hex_byte(*b, out);
    }
}

fn write_hex_byte(b: u8, out: &mut Vec<u8>) {
    for nibble in [b >> 4, b & 0x0f] {
        out.extend(HEX_DIGITS.get(usize::from(nibble)));
    }
}
