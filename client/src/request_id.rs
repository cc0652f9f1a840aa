//! Request ids: UUIDv7 (RFC 9562), made by the client so that a retry carries the id of the first attempt.

use core::fmt;
use core::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ClientError;

/// A UUIDv7: 48 bits of Unix milliseconds, then random bits. Shown as 36 lower-case characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId([u8; 16]);

/// The text is no UUIDv7 in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a UUIDv7 such as 01932c07-2f00-7abc-8def-0123456789ab, in lower case")]
pub struct RequestIdError;

impl RequestId {
    /// A fresh id of this moment. Fails only when the operating system has no randomness to give.
    pub fn now() -> Result<Self, ClientError> {
        let mut random = [0u8; 10];
        getrandom::fill(&mut random).map_err(|e| ClientError::Randomness(e.to_string()))?;
        // A clock before 1970 gives an id that the ledger refuses as outside its window: nothing is recorded.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self::from_parts(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), random))
    }

    /// The id of a moment, in milliseconds since 1970 (the lower 48 bits count), and random bytes, of which 74 bits are
    /// used.
    pub fn from_parts(millis: u64, random: [u8; 10]) -> Self {
        let [_, _, t0, t1, t2, t3, t4, t5] = millis.to_be_bytes();
        let [a, b, c, d, e, f, g, h, i, j] = random;
        RequestId([t0, t1, t2, t3, t4, t5, 0x70 | (a & 0x0f), b, 0x80 | (c & 0x3f), d, e, f, g, h, i, j])
    }

    /// The moment in the id, in milliseconds since 1970.
    pub fn millis(&self) -> u64 {
        let [t0, t1, t2, t3, t4, t5, ..] = self.0;
        u64::from_be_bytes([0, 0, t0, t1, t2, t3, t4, t5])
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for RequestId {
    type Err = RequestIdError;

    fn from_str(text: &str) -> Result<Self, RequestIdError> {
        let dashes = [8usize, 13, 18, 23];
        let shape = text.len() == 36 && text.bytes().enumerate().all(|(at, b)| (b == b'-') == dashes.contains(&at));
        let digits = text.replace('-', "");
        let bytes = assent_ledger::hash::hex_fixed::<16>(&digits).filter(|_| shape).ok_or(RequestIdError)?;
        let [_, _, _, _, _, _, version, _, variant, ..] = bytes;
        if version >> 4 != 7 || variant >> 6 != 0b10 {
            return Err(RequestIdError);
        }
        Ok(RequestId(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn layout_is_that_of_rfc_9562() {
        // RFC 9562, appendix A.6.
        let id = RequestId::from_parts(0x017F_22E2_79B0, [0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
        assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(id.millis(), 1_645_557_742_000);
        assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
    }

    #[test]
    fn version_and_variant_hold_for_any_random_bytes() {
        for random in [[0u8; 10], [0xff; 10], [0xa5; 10]] {
            let id = RequestId::from_parts(u64::MAX, random);
            assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
            assert_eq!(id.millis(), (1 << 48) - 1);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
            "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
            "017f22e279b07cc398c4dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
            "017f22e2-79b07-cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c0739-f",
        ] {
            assert!(text.parse::<RequestId>().is_err(), "{text}");
        }
    }

    #[test]
    fn fresh_ids_differ_and_carry_the_time() {
        let (a, b) = (RequestId::now().unwrap(), RequestId::now().unwrap());
        assert_ne!(a, b);
        assert!(a.millis() > 1_700_000_000_000);
    }
}
