//! The strict JSON parser for callers' inputs (RFC 8259, with every latitude taken away).

use super::{INPUT_BYTES_MAX, INPUT_DEPTH_MAX, INPUT_VALUES_MAX, Number, NumberError, Object, Value};

/// Why a text is not one strict JSON value. Offsets count bytes from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The text is too long.
    #[error("send at most {INPUT_BYTES_MAX} bytes of JSON")]
    TooLarge,
    /// The text holds too many values.
    #[error("send at most {INPUT_VALUES_MAX} JSON values")]
    TooManyValues,
    /// Not valid UTF-8.
    #[error("encode the JSON as UTF-8: byte {offset} is not")]
    NotUtf8 {
        /// First byte that is not UTF-8.
        offset: usize,
    },
    /// Something else was expected here.
    #[error("expected {expected} at byte {offset}")]
    Syntax {
        /// Where.
        offset: usize,
        /// What the grammar asks for.
        expected: &'static str,
    },
    /// An escape that names half a surrogate pair.
    #[error("write a complete surrogate pair at byte {offset}")]
    LoneSurrogate {
        /// Where the escape begins.
        offset: usize,
    },
    /// Arrays and objects nest too deeply.
    #[error("nest arrays and objects at most {INPUT_DEPTH_MAX} deep, byte {offset} goes deeper")]
    TooDeep {
        /// Where the limit was passed.
        offset: usize,
    },
    /// An object names a member twice.
    #[error("name every member once: the object that ends at byte {offset} repeats one")]
    DuplicateKey {
        /// Where the object ends.
        offset: usize,
    },
    /// A number that cannot be compared exactly.
    #[error("number at byte {offset}: {source}")]
    Number {
        /// Where the number begins.
        offset: usize,
        /// What is wrong with it.
        source: NumberError,
    },
    /// The value is not an object.
    #[error("send one JSON object")]
    NotAnObject,
}

/// Parses one JSON value that fills the whole text, white space aside.
pub fn parse(text: &[u8]) -> Result<Value, ValueError> {
    if text.len() > INPUT_BYTES_MAX {
        return Err(ValueError::TooLarge);
    }
    let text = core::str::from_utf8(text).map_err(|error| ValueError::NotUtf8 { offset: error.valid_up_to() })?;
    let mut parser = Parser { text, at: 0, values: 0 };
    parser.skip_space();
    let value = parser.value(0)?;
    parser.skip_space();
    if parser.at == text.len() { Ok(value) } else { Err(parser.expected("the end of the text")) }
}

/// Parses one JSON object that fills the whole text.
pub fn parse_object(text: &[u8]) -> Result<Object, ValueError> {
    match parse(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(ValueError::NotAnObject),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expected(&self, expected: &'static str) -> ValueError {
        ValueError::Syntax { offset: self.at, expected }
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), ValueError> {
        if self.peek() != Some(byte) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// The text from `start` to the current position; both lie on character boundaries.
    fn slice(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Value, ValueError> {
        self.values += 1;
        if self.values > INPUT_VALUES_MAX {
            return Err(ValueError::TooManyValues);
        }
        match self.peek() {
            Some(b'{') => self.object(depth).map(Value::Object),
            Some(b'[') => self.array(depth).map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.expected("a JSON value")),
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, ValueError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.expected("a JSON value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn enter(&mut self, depth: usize) -> Result<usize, ValueError> {
        if depth >= INPUT_DEPTH_MAX {
            return Err(ValueError::TooDeep { offset: self.at });
        }
        self.at += 1;
        self.skip_space();
        Ok(depth + 1)
    }

    fn object(&mut self, depth: usize) -> Result<Object, ValueError> {
        let depth = self.enter(depth)?;
        let mut members = Vec::new();
        if self.peek() != Some(b'}') {
            loop {
                let name = self.string()?;
                self.skip_space();
                self.take(b':', "a colon")?;
                self.skip_space();
                members.push((name, self.value(depth)?));
                self.skip_space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
                self.skip_space();
            }
        }
        self.take(b'}', "a comma or a closing brace")?;
        Object::new(members).map_err(|_| ValueError::DuplicateKey { offset: self.at })
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value>, ValueError> {
        let depth = self.enter(depth)?;
        let mut elements = Vec::new();
        if self.peek() != Some(b']') {
            loop {
                elements.push(self.value(depth)?);
                self.skip_space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
                self.skip_space();
            }
        }
        self.take(b']', "a comma or a closing bracket")?;
        Ok(elements)
    }

    #[inline]
    fn number(&mut self) -> Result<Number, ValueError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if let Some((number, length)) = Number::plain_at(rest) {
            self.at += length;
            return Ok(number);
        }
        self.any_number()
    }

    fn any_number(&mut self) -> Result<Number, ValueError> {
        let offset = self.at;
        let rest = self.text.as_bytes().get(offset..).unwrap_or_default();
        let belongs = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        self.at += rest.iter().take_while(|b| belongs(b)).count();
        Number::parse(self.slice(offset)).map_err(|source| ValueError::Number { offset, source })
    }

    fn string(&mut self) -> Result<String, ValueError> {
        self.take(b'"', "a string")?;
        let start = self.at;
        self.pass_plain();
        let mut out = self.slice(start).to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.expected("an escaped control character")),
                None => return Err(self.expected("a closing quotation mark")),
            }
            let start = self.at;
            self.pass_plain();
            out.push_str(self.slice(start));
        }
    }

    /// Passes over what stands for itself in a string.
    fn pass_plain(&mut self) {
        self.at += plain_length(self.text.as_bytes().get(self.at..).unwrap_or_default());
    }

    fn escape(&mut self) -> Result<char, ValueError> {
        let start = self.at;
        self.at += 1;
        let plain = match self.peek() {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(start);
            }
            _ => return Err(self.expected("one of JSON's escapes")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char, ValueError> {
        let lone = ValueError::LoneSurrogate { offset: start };
        let first = self.hex4()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or(lone);
        }
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if first >= 0xdc00 || !rest.starts_with(b"\\u") {
            return Err(lone);
        }
        self.at += 2;
        let second = self.hex4()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(lone);
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(lone)
    }

    fn hex4(&mut self) -> Result<u32, ValueError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.expected("four hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(code)
    }
}

/// 1 in each byte of a word, and the highest bit of each.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// How many bytes stand for themselves before the first quotation mark, backslash or control character. Eight are looked at together.
fn plain_length(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let mut passed = 0;
    for word in words {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return passed + special.trailing_zeros() as usize / 8;
        }
        passed += 8;
    }
    let rest = bytes.get(passed..).unwrap_or_default();
    passed + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).unwrap_or(rest.len())
}

/// The highest bit of bytes of a word that are special. Of those marked, the first is right; a borrow may have marked others behind it.
const fn special_bytes(word: u64) -> u64 {
    below(word, 0x20) | below(word ^ (ONES * b'"' as u64), 1) | below(word ^ (ONES * b'\\' as u64), 1)
}

/// The highest bit of bytes that are smaller than `end`.
const fn below(word: u64, end: u64) -> u64 {
    word.wrapping_sub(ONES * end) & !word & HIGHS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ordinary_inputs_parse() {
        let text = br#" {"to":["a@b.example"],"n":5000,"deep":{"x":[true,false,null]},"s":"\u00e9\ud83d\ude00\n\/"} "#;
        let object = parse_object(text).unwrap();
        assert_eq!(object.get("s").unwrap().as_str(), Some("é😀\n/"));
        assert_eq!(object.get("n").unwrap().as_number().unwrap().text(), "5000");
        assert_eq!(object.get("deep").unwrap().child("x").unwrap().child("1"), Some(&Value::Bool(false)));
        assert_eq!(object.get("to").unwrap().child("00"), None);
        assert_eq!(object.get("none"), None);
    }

    #[test]
    fn every_latitude_is_refused() {
        for text in [
            "",
            "{",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "[1,]",
            "{a:1}",
            "{'a':1}",
            "\u{feff}{}",
            "{\"a\" 1}",
            "nul",
            "tru",
            "[1 2]",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "\"\t\"",
            "\"\\x41\"",
            "\"\\u00g0\"",
            "\"abc",
            "// c\n{}",
            "{\"a\":--1}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(parse(br#"{"a":1,"b":2,"a":1}"#).unwrap_err(), ValueError::DuplicateKey { offset: 19 });
        assert_eq!(parse(br#"{"a":1,"\u0061":1}"#).unwrap_err(), ValueError::DuplicateKey { offset: 18 });
        for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800x""#] {
            assert!(matches!(parse(text.as_bytes()), Err(ValueError::LoneSurrogate { .. })), "{text}");
        }
        assert!(matches!(parse(b"\"\xff\""), Err(ValueError::NotUtf8 { offset: 1 })));
        assert_eq!(parse_object(b"[]").unwrap_err(), ValueError::NotAnObject);
    }

    #[test]
    fn numbers_end_where_their_bytes_end() {
        for (text, texts) in [
            ("[1,-2 ,30]", vec!["1", "-2", "30"]),
            ("[999999999999999999,1000000000000000000]", vec!["999999999999999999", "1000000000000000000"]),
            ("[0,-0,0.5,1e2,10E+1]", vec!["0", "-0", "0.5", "1e2", "10E+1"]),
        ] {
            let Value::Array(elements) = parse(text.as_bytes()).unwrap() else { panic!("{text}") };
            let read: Vec<_> = elements.iter().map(|element| element.as_number().unwrap().text()).collect();
            assert_eq!(read, texts);
        }
        for text in ["1-2", "1+", "1.", "1e", "-", "--1", "01", "-01", "1.5.2", "1-", "18446744073709551616"] {
            assert!(matches!(parse(text.as_bytes()), Err(ValueError::Number { offset: 0, .. })), "{text}");
        }
        assert_eq!(parse(b"[1 2]").unwrap_err(), parse(b"[1 x]").unwrap_err());
        assert!(matches!(parse(b"1x"), Err(ValueError::Syntax { offset: 1, .. })));
    }

    #[test]
    fn the_first_special_byte_is_found_wherever_it_is() {
        let plain = ["a", " ", "é", "😀", "\u{7f}", "\u{80}", "!", "#", "[", "]", "/"].concat().repeat(3);
        let by_one =
            |bytes: &[u8]| bytes.iter().position(|b| matches!(b, b'"' | b'\\' | ..0x20)).unwrap_or(bytes.len());
        assert_eq!(plain_length(plain.as_bytes()), plain.len());
        for at in 0..=plain.len() {
            for special in [0, 1, 0x1f, b'"', b'\\'] {
                let mut bytes = plain.clone().into_bytes();
                bytes.insert(at, special);
                for after in [special, b'"', b'!', 0xff] {
                    bytes.insert(at + 1, after);
                    assert_eq!((plain_length(&bytes), by_one(&bytes)), (at, at), "{special} {after}");
                }
            }
        }
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(INPUT_DEPTH_MAX).as_bytes()).is_ok());
        assert!(matches!(parse(nested(INPUT_DEPTH_MAX + 1).as_bytes()), Err(ValueError::TooDeep { .. })));
        assert!(parse("[".repeat(1 << 20).as_bytes()).is_err());
        let many = format!("[{}0]", "0,".repeat(INPUT_VALUES_MAX));
        assert_eq!(parse(many.as_bytes()).unwrap_err(), ValueError::TooManyValues);
        assert_eq!(parse(&vec![b' '; INPUT_BYTES_MAX + 1]).unwrap_err(), ValueError::TooLarge);
    }
}
