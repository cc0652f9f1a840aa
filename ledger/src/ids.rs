//! Newtypes that keep sequence numbers, sizes, times and names from being mixed up.

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits;

/// What is wrong with a name, a number or a time that was offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty or longer than its limit, in bytes.
    #[error("{what} must have 1 to {max} bytes, got {got}")]
    Length {
        /// Which identifier.
        what: &'static str,
        /// The limit, in bytes.
        max: usize,
        /// What was offered, in bytes.
        got: usize,
    },
    /// A character outside the identifier's alphabet.
    #[error("{what} must consist of {alphabet}")]
    Alphabet {
        /// Which identifier.
        what: &'static str,
        /// The characters that are allowed.
        alphabet: &'static str,
    },
    /// Not a canonical decimal number.
    #[error("expected a decimal number without sign or leading zeros, below 2^64")]
    Number,
    /// Not a time of the one accepted form.
    #[error("expected a time such as 2026-11-20T18:00:00.123456Z")]
    Time,
}

macro_rules! number_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_decimal(text.as_bytes()).map($name).ok_or(IdError::Number)
            }
        }
    };
}

number_newtype!(
    /// Global position of an entry, gap-free from 0; equals its leaf index.
    Seq
);
number_newtype!(
    /// Number of leaves of a tree: one more than the last `Seq` in it.
    TreeSize
);
number_newtype!(
    /// Position of an entry within its tenant, gap-free from 0.
    TenantSeq
);

impl Seq {
    /// The size of the tree that ends with this entry.
    pub const fn size_after(self) -> TreeSize {
        TreeSize(self.0.saturating_add(1))
    }
}

/// Parses a canonical decimal: digits only, no leading zero (except "0"), below 2^64.
pub fn parse_decimal(text: &[u8]) -> Option<u64> {
    let (first, rest) = text.split_first()?;
    if *first == b'0' && !rest.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// A node's random identity, written once, never reused; shown as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NodeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = crate::hash::hex_fixed::<8>(text)
            .ok_or(IdError::Alphabet { what: "node id", alphabet: "16 lower-case hexadecimal digits" })?;
        Ok(NodeId(u64::from_be_bytes(bytes)))
    }
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr, $alphabet:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and alphabet.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                Self::check(text)?;
                Ok($name(text.into()))
            }

            /// Checks length and alphabet of a name that is only looked at.
            pub fn check(text: &str) -> Result<(), IdError> {
                if text.is_empty() || text.len() > $max {
                    return Err(IdError::Length { what: $what, max: $max, got: text.len() });
                }
                let ok = $ok;
                if !text.bytes().all(ok) {
                    return Err(IdError::Alphabet { what: $what, alphabet: $alphabet });
                }
                Ok(())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                $name::new(text)
            }
        }

        impl core::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                $name::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_newtype!(
    /// A ledger's name: the origin line of its checkpoints and the name of its log key. Neither spaces nor `+` (C2SP key names).
    Origin, "ledger origin", limits::ORIGIN_BYTES_MAX, "letters, digits and . _ - / :",
    |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':')
);
text_newtype!(
    /// A tenant's name; `-` is the system tenant.
    TenantId, "tenant", limits::TENANT_BYTES_MAX, "lower-case letters, digits and . _ -",
    |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
);

impl TenantId {
    /// The tenant of the system's own entries, readable by all.
    pub fn system() -> Self {
        TenantId("-".into())
    }

    /// Whether this is the system tenant.
    pub fn is_system(&self) -> bool {
        &*self.0 == "-"
    }
}

/// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Time(pub u64);

/// The first moment of the year 10000, which four digits cannot write, in microseconds.
const TIME_END: u64 = 253_402_300_800_000_000;
const DAY_SECONDS: u64 = 86_400;

impl Time {
    /// The last moment that four digits of a year can write; later times have no text.
    pub const MAX: Time = Time(TIME_END - 1);

    /// Whole seconds since 1970.
    pub const fn unix_seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Months since January of the year 0, in UTC; times after the year 9999 count as its last.
    pub const fn months(self) -> u64 {
        let micros = if self.0 < TIME_END { self.0 } else { TIME_END - 1 };
        let (year, month, _) = civil_from_days(micros / 1_000_000 / DAY_SECONDS);
        year * 12 + month - 1
    }

    /// Parses the one accepted form, `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
    pub fn parse(text: &[u8]) -> Option<Time> {
        let [
            y0,
            y1,
            y2,
            y3,
            b'-',
            m0,
            m1,
            b'-',
            d0,
            d1,
            b'T',
            h0,
            h1,
            b':',
            i0,
            i1,
            b':',
            s0,
            s1,
            b'.',
            fraction @ ..,
            b'Z',
        ] = text
        else {
            return None;
        };
        if fraction.len() != 6 {
            return None;
        }
        let year = digits(&[*y0, *y1, *y2, *y3])?;
        let (month, day) = (digits(&[*m0, *m1])?, digits(&[*d0, *d1])?);
        let (hour, minute, second) = (digits(&[*h0, *h1])?, digits(&[*i0, *i1])?, digits(&[*s0, *s1])?);
        if year < 1970 || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        let seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second;
        Some(Time(seconds * 1_000_000 + digits(fraction)?))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.min(TIME_END - 1);
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (year, month, day) = civil_from_days(seconds / DAY_SECONDS);
        let in_day = seconds % DAY_SECONDS;
        let (hour, minute, second) = (in_day / 3600, in_day / 60 % 60, in_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Time {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Time::parse(text.as_bytes()).ok_or(IdError::Time)
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March, so that the leap day is last.
const fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let y = if month <= 2 { year - 1 } else { year };
    let (era, in_era) = (y / 400, y % 400);
    let shifted = (month + 9) % 12;
    let in_year = (153 * shifted + 2) / 5 + day - 1;
    let in_era_days = in_era * 365 + in_era / 4 - in_era / 100 + in_year;
    era * 146_097 + in_era_days - 719_468
}

const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, in_era) = (z / 146_097, z % 146_097);
    let year_of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * in_year + 2) / 153;
    let day = in_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn time_round_trips_over_the_calendar() {
        for days in 0..200_000u64 {
            let time = Time(days * DAY_SECONDS * 1_000_000 + 86_399_999_999);
            let text = time.to_string();
            assert_eq!(text.parse::<Time>().unwrap(), time);
            let part = |range: core::ops::Range<usize>| text[range].parse::<u64>().unwrap();
            assert_eq!(time.months(), part(0..4) * 12 + part(5..7) - 1, "{text}");
        }
        assert_eq!((Time(u64::MAX).months(), Time::MAX.months()), (9999 * 12 + 11, 9999 * 12 + 11));
        assert_eq!("2000-02-29T00:00:00.000000Z".parse::<Time>().unwrap().unix_seconds(), 951_782_400);
    }

    #[test]
    fn odd_times_are_refused() {
        for text in [
            "2026-02-29T00:00:00.000000Z",
            "2026-13-01T00:00:00.000000Z",
            "2026-01-01T24:00:00.000000Z",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.0000000Z",
            "2026-01-01T00:00:60.000000Z",
            "1969-12-31T23:59:59.000000Z",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn decimals_are_canonical() {
        assert_eq!(parse_decimal(b"18446744073709551615"), Some(u64::MAX));
        for text in ["", "00", "+1", "-1", "18446744073709551616", " 1", "1.0"] {
            assert_eq!(parse_decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn names_keep_to_their_alphabet() {
        assert!(TenantId::new("acme-1").is_ok());
        assert!(TenantId::new("Acme").is_err());
        assert!(Origin::new("assent.example/demo").is_ok());
        assert!(Origin::new("has space").is_err());
        assert!("0123456789abcdef".parse::<NodeId>().is_ok());
        assert!("0123456789ABCDEF".parse::<NodeId>().is_err());
    }
}
