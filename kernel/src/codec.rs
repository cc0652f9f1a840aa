//! The kernel's own binary encoding: big-endian numbers, 32-bit lengths, one byte for a choice; read strictly.
//!
//! Commands and state records are written with it. Nothing is derived: what a byte means is written down by hand, so that a
//! change of a Rust type cannot change stored bytes unnoticed.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, TenantId, Time, TreeSize};

/// Why bytes do not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end inside a value.
    #[error("the bytes end inside {what}; send the whole value")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },
    /// Bytes follow the value.
    #[error("{left} bytes follow the value; send exactly one value")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// A version that this code does not read.
    #[error("{what} has version {got}; use the release that wrote it")]
    Version {
        /// What was being read.
        what: &'static str,
        /// The version found.
        got: u8,
    },
    /// A number that stands for nothing.
    #[error("{what} has no choice numbered {got}")]
    Choice {
        /// What was being read.
        what: &'static str,
        /// The number found.
        got: u64,
    },
    /// A length or a count beyond its limit.
    #[error("{what} has length {got}, at most {max} is allowed")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// The length found.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// A value that its type does not have.
    #[error("{what} is not valid")]
    Invalid {
        /// What was being read.
        what: &'static str,
    },
}

/// Appends values to bytes.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty writer with room for a usual value.
    pub fn new() -> Self {
        Writer { out: Vec::with_capacity(256) }
    }

    /// A writer that starts with a version byte.
    pub fn versioned(version: u8) -> Self {
        let mut writer = Writer::new();
        writer.u8(version);
        writer
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// One byte.
    pub fn u8(&mut self, n: u8) {
        self.out.push(n);
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, n: u16) {
        self.out.extend_from_slice(&n.to_be_bytes());
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, n: u32) {
        self.out.extend_from_slice(&n.to_be_bytes());
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, n: u64) {
        self.out.extend_from_slice(&n.to_be_bytes());
    }

    /// One byte, 0 or 1.
    pub fn bool(&mut self, b: bool) {
        self.u8(u8::from(b));
    }

    /// Bytes of a length that the reader knows.
    pub fn fixed(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Bytes after their 32-bit length. Lengths beyond 32 bits cannot be reached: every cap is far below.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    /// Text after its 32-bit length.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Text of at most 255 bytes after its length in one byte. Texts that are longer cannot be reached: the caps of names are below.
    pub fn short_text(&mut self, text: &str) {
        self.short_count(text.len());
        self.fixed(text.as_bytes());
    }

    /// A count of at most 255 things that follow.
    pub fn short_count(&mut self, n: usize) {
        self.u8(u8::try_from(n).unwrap_or(u8::MAX));
    }

    /// A count of things that follow.
    pub fn count(&mut self, n: usize) {
        self.u32(u32::try_from(n).unwrap_or(u32::MAX));
    }

    /// A byte saying whether there is a value, then the value.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// Text or nothing.
    pub fn text_opt(&mut self, text: Option<&str>) {
        self.option(text, Writer::text);
    }
}

/// Reads values off bytes.
#[derive(Debug)]
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Reader { left: bytes }
    }

    /// Starts after a version byte, which must be `version`.
    pub fn versioned(bytes: &'a [u8], what: &'static str, version: u8) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        match reader.u8(what)? {
            got if got == version => Ok(reader),
            got => Err(CodecError::Version { what, got }),
        }
    }

    /// Nothing may be left.
    pub const fn finish(self) -> Result<(), CodecError> {
        if self.left.is_empty() { Ok(()) } else { Err(CodecError::Trailing { left: self.left.len() }) }
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], CodecError> {
        let (head, tail) = self.left.split_at_checked(n).ok_or(CodecError::Truncated { what })?;
        self.left = tail;
        Ok(head)
    }

    /// Exactly `N` bytes.
    pub fn fixed<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CodecError> {
        let (head, tail) = self.left.split_first_chunk::<N>().ok_or(CodecError::Truncated { what })?;
        self.left = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        self.fixed::<1>(what).map(|[b]| b)
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, CodecError> {
        self.fixed(what).map(u16::from_be_bytes)
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        self.fixed(what).map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, CodecError> {
        self.fixed(what).map(u64::from_be_bytes)
    }

    /// One byte, 0 or 1.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, CodecError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            got => Err(CodecError::Choice { what, got: u64::from(got) }),
        }
    }

    /// A count of things that follow, at most `max`.
    pub fn count(&mut self, what: &'static str, max: usize) -> Result<usize, CodecError> {
        let got = self.u32(what)? as usize;
        if got > max { Err(CodecError::TooLong { what, got, max }) } else { Ok(got) }
    }

    /// Bytes after their length, at most `max` of them.
    pub fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], CodecError> {
        let n = self.count(what, max)?;
        self.take(n, what)
    }

    /// Text after its length, at most `max` bytes of it.
    pub fn text(&mut self, what: &'static str, max: usize) -> Result<String, CodecError> {
        self.str(what, max).map(str::to_owned)
    }

    fn str(&mut self, what: &'static str, max: usize) -> Result<&'a str, CodecError> {
        let bytes = self.bytes(what, max)?;
        core::str::from_utf8(bytes).map_err(|_| CodecError::Invalid { what })
    }

    /// Text after its length in one byte, at most `max` bytes of it.
    pub fn short_text(&mut self, what: &'static str, max: usize) -> Result<String, CodecError> {
        let got = usize::from(self.u8(what)?);
        if got > max {
            return Err(CodecError::TooLong { what, got, max });
        }
        core::str::from_utf8(self.take(got, what)?).map(str::to_owned).map_err(|_| CodecError::Invalid { what })
    }

    /// All that is left, as text of at most `max` bytes.
    pub fn rest_text(&mut self, what: &'static str, max: usize) -> Result<String, CodecError> {
        let bytes = core::mem::take(&mut self.left);
        if bytes.len() > max {
            return Err(CodecError::TooLong { what, got: bytes.len(), max });
        }
        core::str::from_utf8(bytes).map(str::to_owned).map_err(|_| CodecError::Invalid { what })
    }

    /// Text or nothing.
    pub fn text_opt(&mut self, what: &'static str, max: usize) -> Result<Option<String>, CodecError> {
        self.option(what, |reader| reader.text(what, max))
    }

    /// A value or nothing.
    pub fn option<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        if self.bool(what)? { read(self).map(Some) } else { Ok(None) }
    }

    /// A digest.
    pub fn hash(&mut self, what: &'static str) -> Result<Hash, CodecError> {
        self.fixed(what).map(Hash)
    }

    /// A time.
    pub fn time(&mut self, what: &'static str) -> Result<Time, CodecError> {
        self.u64(what).map(Time)
    }

    /// A position in the ledger.
    pub fn seq(&mut self, what: &'static str) -> Result<Seq, CodecError> {
        self.u64(what).map(Seq)
    }

    /// A number of leaves.
    pub fn size(&mut self, what: &'static str) -> Result<TreeSize, CodecError> {
        self.u64(what).map(TreeSize)
    }

    /// A tenant's name.
    pub fn tenant(&mut self, what: &'static str) -> Result<TenantId, CodecError> {
        let text = self.str(what, assent_ledger::limits::TENANT_BYTES_MAX)?;
        TenantId::new(text).map_err(|_| CodecError::Invalid { what })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn values_round_trip_and_ends_are_checked() {
        let mut writer = Writer::versioned(3);
        writer.u16(7);
        writer.text_opt(Some("x"));
        writer.text_opt(None);
        let bytes = writer.finish();
        assert_eq!(bytes, [3, 0, 7, 1, 0, 0, 0, 1, b'x', 0]);
        let mut reader = Reader::versioned(&bytes, "test", 3).unwrap();
        assert_eq!(reader.u16("n").unwrap(), 7);
        assert_eq!(reader.text_opt("t", 1).unwrap().unwrap(), "x");
        assert_eq!(reader.text_opt("t", 1).unwrap(), None);
        assert_eq!(reader.u8("end"), Err(CodecError::Truncated { what: "end" }));
        reader.finish().unwrap();
        assert!(Reader::versioned(&bytes, "test", 2).is_err());
        assert_eq!(Reader::new(&[1]).finish(), Err(CodecError::Trailing { left: 1 }));
        assert_eq!(Reader::new(&[2]).bool("b"), Err(CodecError::Choice { what: "b", got: 2 }));
    }

    #[test]
    fn short_texts_round_trip_and_are_capped() {
        let mut writer = Writer::new();
        writer.short_text("abc");
        writer.short_text("");
        let bytes = writer.finish();
        assert_eq!(bytes, [3, b'a', b'b', b'c', 0]);
        let mut reader = Reader::new(&bytes);
        assert_eq!(
            (reader.short_text("t", 3).unwrap().as_str(), reader.short_text("t", 0).unwrap().as_str()),
            ("abc", "")
        );
        assert!(matches!(Reader::new(&bytes).short_text("t", 2), Err(CodecError::TooLong { got: 3, max: 2, .. })));
        assert!(matches!(Reader::new(&[2, 0xff, 0xff]).short_text("t", 9), Err(CodecError::Invalid { .. })));
        assert!(matches!(Reader::new(&[2, 0x61]).short_text("t", 9), Err(CodecError::Truncated { .. })));
    }

    #[test]
    fn lengths_from_the_outside_are_capped_before_anything_is_read() {
        let huge = [0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        assert!(matches!(Reader::new(&huge).bytes("b", 10), Err(CodecError::TooLong { .. })));
        assert!(matches!(Reader::new(&huge).bytes("b", usize::MAX), Err(CodecError::Truncated { .. })));
    }
}
