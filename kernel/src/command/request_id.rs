//! Request ids: UUIDs of version 7, whose own time says how long they are remembered.

use core::fmt;
use core::str::FromStr;

use assent_ledger::ids::Time;

use crate::stamp::uuid_text;

/// A request's id: a version 7 UUID. Its first 48 bits are milliseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; 16]);

/// The text or the bytes are no request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a version 7 UUID in 36 lower-case characters")]
pub struct RequestIdError;

impl RequestId {
    /// Checks version and variant.
    pub const fn from_bytes(bytes: [u8; 16]) -> Result<RequestId, RequestIdError> {
        let [_, _, _, _, _, _, version, _, variant, ..] = bytes;
        if version >> 4 == 7 && variant >> 6 == 0b10 { Ok(RequestId(bytes)) } else { Err(RequestIdError) }
    }

    /// Makes the id of a time and 10 random bytes, of which six bits give way to version and variant.
    pub const fn new(unix_millis: u64, random: [u8; 10]) -> RequestId {
        let [_, _, a, b, c, d, e, f] = unix_millis.to_be_bytes();
        let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9] = random;
        RequestId([a, b, c, d, e, f, (r0 & 0x0f) | 0x70, r1, (r2 & 0x3f) | 0x80, r3, r4, r5, r6, r7, r8, r9])
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id's own time, with the precision of a millisecond.
    pub const fn time(&self) -> Time {
        let [a, b, c, d, e, f, ..] = self.0;
        // 48 bits of milliseconds are below 2^58 microseconds.
        Time(u64::from_be_bytes([0, 0, a, b, c, d, e, f]) * 1_000)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&uuid_text(&self.0))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RequestId {
    type Err = RequestIdError;

    fn from_str(text: &str) -> Result<RequestId, RequestIdError> {
        let dashes = [8, 13, 18, 23];
        if text.len() != 36 || !text.is_ascii() || !dashes.iter().all(|at| text.as_bytes().get(*at) == Some(&b'-')) {
            return Err(RequestIdError);
        }
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        RequestId::from_bytes(assent_ledger::hash::hex_fixed(&digits).ok_or(RequestIdError)?)
    }
}
