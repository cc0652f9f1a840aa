//! The reader: a single pass over the bytes that accepts the canonical form only and borrows what it can.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{JsonError, Value, is_key_byte};
use crate::limits::{JSON_DEPTH_MAX, JSON_INT_MAX};

/// Parses exactly one value in canonical form.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut scanner = Scanner::new(bytes)?;
    let value = scanner.value()?;
    scanner.end()?;
    Ok(value)
}

/// A cursor over canonical JSON. Each method consumes what it names and refuses every other spelling of it.
#[derive(Debug, Clone)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// Where a scanner stands inside one object: the key before, against which the next one is ordered.
#[derive(Debug, Clone, Default)]
pub struct ObjectCursor<'a> {
    last: Option<&'a str>,
}

/// Where a scanner stands inside one list: whether an item has been read.
#[derive(Debug, Clone, Default)]
pub struct ListCursor {
    started: bool,
}

impl<'a> Scanner<'a> {
    /// Starts at the first byte, after checking that the whole text is UTF-8.
    pub fn new(bytes: &'a [u8]) -> Result<Self, JsonError> {
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(Scanner::over(text)),
            Err(error) => Err(JsonError::Utf8 { at: error.valid_up_to() }),
        }
    }

    /// Starts at the first byte of text that is known to be UTF-8.
    pub const fn over(text: &'a str) -> Self {
        Scanner { text, at: 0, depth: 0 }
    }

    /// Starts at the first byte of a value that stood below `depth` containers.
    pub(crate) const fn nested(text: &'a str, depth: usize) -> Self {
        Scanner { text, at: 0, depth }
    }

    /// The offset of the next byte.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Checks that nothing follows.
    pub fn end(&self) -> Result<(), JsonError> {
        if self.at == self.text.len() { Ok(()) } else { Err(JsonError::Trailing { at: self.at }) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, start: usize, end: usize) -> Result<&'a str, JsonError> {
        self.text.get(start..end).ok_or(JsonError::Truncated { at: self.text.len() })
    }

    /// The error for the byte that stands where another was needed.
    #[cold]
    fn unexpected(&self) -> JsonError {
        let at = self.at;
        match self.peek() {
            None => JsonError::Truncated { at },
            Some(b' ' | b'\t' | b'\n' | b'\r') => JsonError::NotCanonical { at, what: "white space" },
            Some(_) => JsonError::Unexpected { at },
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn open(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.wrong_type(what));
        }
        if self.depth >= JSON_DEPTH_MAX {
            return Err(JsonError::Depth { at: self.at });
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        self.depth = self.depth.saturating_sub(1);
    }

    /// The error for a value of the wrong type; what is no value at all keeps its own error.
    #[cold]
    fn wrong_type(&self, what: &'static str) -> JsonError {
        match self.peek() {
            Some(b'{' | b'[' | b'"' | b't' | b'f' | b'0'..=b'9') => JsonError::Type { at: self.at, what },
            Some(b'n') => JsonError::Null { at: self.at },
            Some(b'-') => JsonError::Number { at: self.at },
            _ => self.unexpected(),
        }
    }

    /// Enters an object; then call [`Scanner::next_key`] until it returns `None`.
    pub fn begin_object(&mut self) -> Result<ObjectCursor<'a>, JsonError> {
        self.open(b'{', "an object")?;
        Ok(ObjectCursor::default())
    }

    /// The next key with its colon, or `None` after consuming the closing brace. Keys must rise strictly.
    #[inline]
    pub fn next_key(&mut self, object: &mut ObjectCursor<'a>) -> Result<Option<&'a str>, JsonError> {
        if self.peek() == Some(b'}') {
            self.close();
            return Ok(None);
        }
        if object.last.is_some() {
            self.expect(b',')?;
        }
        let start = self.at;
        let key = self.key()?;
        if let Some(last) = object.last
            && last >= key
        {
            return Err(if last == key {
                JsonError::DuplicateKey { at: start }
            } else {
                JsonError::NotCanonical { at: start, what: "keys out of order" }
            });
        }
        object.last = Some(key);
        self.expect(b':')?;
        Ok(Some(key))
    }

    /// A quoted key; its alphabet needs no escapes, so that the slice is the key.
    #[inline]
    fn key(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        self.expect(b'"')?;
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|b| !is_key_byte(*b)).unwrap_or(rest.len());
        match rest.get(length) {
            Some(b'"') if length > 0 => {}
            Some(_) => return Err(JsonError::Key { at: start }),
            None => return Err(JsonError::Truncated { at: self.text.len() }),
        }
        let key = self.slice(self.at, self.at + length)?;
        self.at += length + 1;
        Ok(key)
    }

    /// Enters a list; then call [`Scanner::next_item`] until it returns `false`.
    pub fn begin_list(&mut self) -> Result<ListCursor, JsonError> {
        self.open(b'[', "a list")?;
        Ok(ListCursor::default())
    }

    /// Whether an item follows; its comma or the closing bracket is consumed.
    pub fn next_item(&mut self, list: &mut ListCursor) -> Result<bool, JsonError> {
        if self.peek() == Some(b']') {
            self.close();
            return Ok(false);
        }
        if list.started {
            self.expect(b',')?;
        }
        list.started = true;
        Ok(true)
    }

    /// A string: borrowed when it has no escapes.
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let (raw, escaped) = self.raw_string()?;
        Ok(if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }

    /// A string as it stands between its quotes, escapes unresolved: for fields whose alphabet has no backslash.
    #[inline]
    pub fn plain_string(&mut self) -> Result<&'a str, JsonError> {
        Ok(self.raw_string()?.0)
    }

    /// The characters between the quotes, validated, and whether there are escapes among them.
    #[inline]
    fn raw_string(&mut self) -> Result<(&'a str, bool), JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong_type("a string"));
        }
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += plain_prefix(rest);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(JsonError::Unexpected { at: self.at }),
                None => return Err(JsonError::Truncated { at: self.at }),
            }
        }
        let raw = self.slice(start, self.at)?;
        self.at += 1;
        Ok((raw, escaped))
    }

    /// One escape, if RFC 8785 writes it in just this way.
    fn escape(&mut self) -> Result<(), JsonError> {
        let at = self.at;
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        match rest {
            [_, b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r', ..] => self.at += 2,
            [_, b'u', b'0', b'0', high @ (b'0' | b'1'), low, ..] => {
                let short = *high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd');
                if short || !matches!(low, b'0'..=b'9' | b'a'..=b'f') {
                    return Err(JsonError::NotCanonical { at, what: "an escape with another spelling" });
                }
                self.at += 6;
            }
            [_, b'u' | b'/', ..] => return Err(JsonError::NotCanonical { at, what: "a needless escape" }),
            [_] => return Err(JsonError::Truncated { at: at + 1 }),
            _ => return Err(JsonError::Unexpected { at }),
        }
        Ok(())
    }

    /// An integer from 0 to 2^53-1.
    pub fn integer(&mut self) -> Result<u64, JsonError> {
        let start = self.at;
        if !matches!(self.peek(), Some(b'0'..=b'9' | b'-')) {
            return Err(self.wrong_type("an integer"));
        }
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let length = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        let follows = rest.get(length);
        let digits = rest.get(..length).unwrap_or_default();
        let number = crate::ids::parse_decimal(digits).filter(|n| *n <= JSON_INT_MAX);
        let fraction = matches!(follows, Some(b'.' | b'e' | b'E' | b'+' | b'-'));
        let number = number.filter(|_| !fraction).ok_or(JsonError::Number { at: start })?;
        self.at += length;
        Ok(number)
    }

    /// A boolean.
    pub fn boolean(&mut self) -> Result<bool, JsonError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(b"true") {
            self.at += 4;
            Ok(true)
        } else if rest.starts_with(b"false") {
            self.at += 5;
            Ok(false)
        } else if matches!(self.peek(), Some(b't' | b'f')) {
            Err(JsonError::Unexpected { at: self.at })
        } else {
            Err(self.wrong_type("a boolean"))
        }
    }

    /// Any value, validated and returned as the slice that it occupies.
    pub fn raw_value(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        self.skip_value()?;
        self.since(start)
    }

    /// What was consumed from `start` on.
    pub fn since(&self, start: usize) -> Result<&'a str, JsonError> {
        self.slice(start, self.at)
    }

    fn skip_value(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => {
                let mut object = self.begin_object()?;
                while self.next_key(&mut object)?.is_some() {
                    self.skip_value()?;
                }
            }
            Some(b'[') => {
                let mut list = self.begin_list()?;
                while self.next_item(&mut list)? {
                    self.skip_value()?;
                }
            }
            Some(b'"') => {
                self.raw_string()?;
            }
            Some(b't' | b'f') => {
                self.boolean()?;
            }
            _ => {
                self.integer()?;
            }
        }
        Ok(())
    }

    /// Any value, copied out. Recursion is bounded by `limits::JSON_DEPTH_MAX`.
    pub fn value(&mut self) -> Result<Value, JsonError> {
        Ok(match self.peek() {
            Some(b'{') => {
                let mut object = self.begin_object()?;
                let mut fields = BTreeMap::new();
                while let Some(key) = self.next_key(&mut object)? {
                    fields.insert(key.to_owned(), self.value()?);
                }
                Value::Map(fields)
            }
            Some(b'[') => {
                let mut list = self.begin_list()?;
                let mut items = Vec::new();
                while self.next_item(&mut list)? {
                    items.push(self.value()?);
                }
                Value::List(items)
            }
            Some(b'"') => Value::Str(self.string()?.into_owned()),
            Some(b't' | b'f') => Value::Bool(self.boolean()?),
            _ => Value::Int(self.integer()?),
        })
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks the high bit of bytes that are zero; the lowest mark is exact, those above a borrow may not be.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(EACH) & !word & HIGH
}

/// Length of the prefix without quotes, backslashes and control characters, looked for eight bytes at a time.
#[inline]
fn plain_prefix(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(EACH * 0x20) & !word & HIGH;
        let quote = zero_bytes(word ^ (EACH * b'"' as u64));
        let backslash = zero_bytes(word ^ (EACH * b'\\' as u64));
        let found = control | quote | backslash;
        if found != 0 {
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + tail.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)).unwrap_or(tail.len())
}

/// Resolves the escapes of a string that [`Scanner::raw_string`] has validated.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('f') => out.push('\u{c}'),
            Some('r') => out.push('\r'),
            Some('u') => {
                let code = chars.by_ref().take(4).filter_map(|digit| digit.to_digit(16)).fold(0, |n, d| n * 16 + d);
                out.extend(char::from_u32(code));
            }
            other => out.extend(other),
        }
    }
    out
}
