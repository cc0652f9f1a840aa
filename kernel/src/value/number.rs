//! Decimal numbers that keep their text and compare exactly.

use core::cmp::Ordering;
use core::fmt;

/// Most significant digits: every coefficient of that many digits fits 128 bits.
const DIGITS_MAX: u32 = 38;
/// The smallest number of one digit more than that.
const COEFFICIENT_END: u128 = 10u128.pow(DIGITS_MAX);
/// The powers of ten that 64 bits hold, from 1 on.
const POWERS: [u64; 20] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
    10_000_000_000_000,
    100_000_000_000_000,
    1_000_000_000_000_000,
    10_000_000_000_000_000,
    100_000_000_000_000_000,
    1_000_000_000_000_000_000,
    10_000_000_000_000_000_000,
];
/// Largest absolute value of a written exponent.
const EXPONENT_MAX: i32 = 999;
/// Most bytes of a number's text.
const TEXT_BYTES_MAX: usize = 512;

/// A JSON number: its text, and `±coefficient × 10^exponent` for exact comparison. Equality and order ignore the text.
#[derive(Clone)]
pub struct Number {
    text: Box<str>,
    negative: bool,
    /// Without trailing decimal zeros; zero has exponent 0 and no sign.
    coefficient: u128,
    exponent: i32,
    integer: bool,
}

/// Why a text is not a number this kernel compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not of JSON's number grammar.
    #[error("write the number as JSON does, such as -12.5 or 3e2")]
    Syntax,
    /// An integer below -2^63 or above 2^64 - 1.
    #[error("keep integers between -2^63 and 2^64 - 1")]
    IntegerRange,
    /// Too many significant digits, too large an exponent, or too long a text.
    #[error("use at most 38 significant digits and an exponent between -999 and 999")]
    Precision,
}

impl Number {
    /// Parses one JSON number; nothing may precede or follow it.
    pub fn parse(text: &str) -> Result<Number, NumberError> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, written_exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => {
                let (mantissa, exponent) = unsigned.split_at(at);
                (mantissa, Some(exponent.get(1..).unwrap_or_default()))
            }
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || (whole.len() > 1 && whole.starts_with('0')) || !fraction.is_none_or(digits) {
            return Err(NumberError::Syntax);
        }
        let exponent = written_exponent.map_or(Ok(0), parse_exponent)?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(NumberError::Precision);
        }
        let fraction_text = fraction.unwrap_or_default();
        let coefficient = parse_coefficient(whole, fraction_text)?;
        let fraction_digits = i32::try_from(fraction_text.len()).map_err(|_| NumberError::Precision)?;
        let integer = fraction.is_none() && written_exponent.is_none();
        let mut number = Number { text: text.into(), negative, coefficient, exponent, integer };
        number.exponent = exponent.saturating_sub(fraction_digits);
        number.normalise();
        number.check_integer_range()?;
        Ok(number)
    }

    /// The number as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it was written without fraction and exponent.
    pub const fn is_integer(&self) -> bool {
        self.integer
    }

    /// The whole number.
    pub fn from_u64(value: u64) -> Number {
        let mut number = Number {
            text: value.to_string().into(),
            negative: false,
            coefficient: value.into(),
            exponent: 0,
            integer: true,
        };
        number.normalise();
        number
    }

    /// The exact sum, in normal form; `None` when it has more than 38 significant digits or too large an exponent.
    pub fn checked_add(&self, other: &Number) -> Option<Number> {
        let shared = match (self.coefficient, other.coefficient) {
            (0, _) => other.exponent,
            (_, 0) => self.exponent,
            _ => self.exponent.min(other.exponent),
        };
        let (a, b) = (self.coefficient_at(shared)?, other.coefficient_at(shared)?);
        let (negative, coefficient) = if self.negative == other.negative {
            (self.negative, a.checked_add(b)?)
        } else if a >= b {
            (self.negative, a - b)
        } else {
            (other.negative, b - a)
        };
        Number { text: "".into(), negative, coefficient, exponent: shared, integer: false }.in_range()
    }

    /// The number with the other sign.
    pub fn negated(&self) -> Number {
        let mut number = Number { negative: !self.negative && self.coefficient != 0, ..self.clone() };
        number.text = number.normal_text().into();
        number.integer = false;
        number
    }

    /// The exact product, in normal form; `None` when it has more than 38 significant digits or too large an exponent.
    pub fn checked_mul(&self, other: &Number) -> Option<Number> {
        let coefficient = self.coefficient.checked_mul(other.coefficient)?;
        let exponent = self.exponent.checked_add(other.exponent)?;
        let negative = self.negative != other.negative;
        Number { text: "".into(), negative, coefficient, exponent, integer: false }.in_range()
    }

    /// The number in normal form with its text, when that text could be read back.
    fn in_range(mut self) -> Option<Number> {
        self.normalise();
        let digits = self.coefficient.checked_ilog10().unwrap_or(0);
        if digits >= DIGITS_MAX || self.exponent.unsigned_abs() > EXPONENT_MAX.unsigned_abs() {
            return None;
        }
        self.text = self.normal_text().into();
        Some(self)
    }

    /// The number in thousandths; `None` when it is negative, has more than three decimals, or does not fit.
    pub fn to_milli(&self) -> Option<u64> {
        if self.negative {
            return None;
        }
        u64::try_from(self.coefficient_at(-3)?).ok()
    }

    fn coefficient_at(&self, exponent: i32) -> Option<u128> {
        if self.coefficient == 0 {
            return Some(0);
        }
        let by = u32::try_from(self.exponent.checked_sub(exponent)?).ok()?;
        self.coefficient.checked_mul(10u128.checked_pow(by)?)
    }

    /// Whether it is a whole number, however it was written.
    pub const fn is_whole(&self) -> bool {
        self.exponent >= 0
    }

    /// One text per value, whatever was written: `-125e-1` for -12.50.
    pub fn normal_text(&self) -> String {
        format!("{}{}e{}", if self.negative { "-" } else { "" }, self.coefficient, self.exponent)
    }

    fn normalise(&mut self) {
        if self.coefficient == 0 {
            self.negative = false;
            self.exponent = 0;
            return;
        }
        // Nearly every number fits 64 bits, in which a division costs a fraction of one in 128.
        if let Ok(mut small) = u64::try_from(self.coefficient) {
            while small.is_multiple_of(10) {
                small /= 10;
                self.exponent = self.exponent.saturating_add(1);
            }
            self.coefficient = small.into();
            return;
        }
        while self.coefficient.is_multiple_of(10) {
            self.coefficient /= 10;
            self.exponent = self.exponent.saturating_add(1);
        }
    }

    fn check_integer_range(&self) -> Result<(), NumberError> {
        if !self.integer {
            return Ok(());
        }
        let fits = if self.negative { self.text.parse::<i64>().is_ok() } else { self.text_as_u64().is_some() };
        // Minus zero has lost its sign by now and reads as neither.
        if fits || self.coefficient == 0 { Ok(()) } else { Err(NumberError::IntegerRange) }
    }

    fn text_as_u64(&self) -> Option<u64> {
        self.text.parse().ok()
    }

    /// Position of the leading digit: two numbers that differ here differ in magnitude.
    fn leading_position(&self) -> i64 {
        let digits = self.coefficient.checked_ilog10().map_or(0, |log| i64::from(log) + 1);
        digits + i64::from(self.exponent)
    }

    /// The magnitude of a whole number of ordinary size: 64 bits times a power of ten below 10^20 fit 128 bits.
    fn small_magnitude(&self) -> Option<u128> {
        let coefficient = u64::try_from(self.coefficient).ok()?;
        let power = POWERS.get(usize::try_from(self.exponent).ok()?)?;
        Some(u128::from(coefficient) * u128::from(*power))
    }

    fn compare_magnitude(&self, other: &Number) -> Ordering {
        // Rules compare one argument with one bound after the other: what is usual must not count digits.
        if let (Some(own), Some(others)) = (self.small_magnitude(), other.small_magnitude()) {
            return own.cmp(&others);
        }
        match (self.coefficient, other.coefficient) {
            (0, 0) => return Ordering::Equal,
            (0, _) => return Ordering::Less,
            (_, 0) => return Ordering::Greater,
            _ => {}
        }
        self.leading_position().cmp(&other.leading_position()).then_with(|| {
            // Equal leading positions: the one with the larger exponent has that many digits fewer, so scaling it cannot
            // exceed 38 digits.
            let shared = self.exponent.min(other.exponent);
            self.scaled_to(shared).cmp(&other.scaled_to(shared))
        })
    }

    fn scaled_to(&self, exponent: i32) -> u128 {
        let by = self.exponent.saturating_sub(exponent).unsigned_abs();
        10u128.checked_pow(by).and_then(|power| self.coefficient.checked_mul(power)).unwrap_or(u128::MAX)
    }
}

fn parse_exponent(text: &str) -> Result<i32, NumberError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NumberError::Syntax);
    }
    let magnitude = digits.iter().fold(0i32, |n, b| n.saturating_mul(10).saturating_add(i32::from(b - b'0')));
    if magnitude > EXPONENT_MAX {
        return Err(NumberError::Precision);
    }
    Ok(if negative { -magnitude } else { magnitude })
}

/// The digits of both parts as one integer; trailing zeros count as digits only when something follows them.
fn parse_coefficient(whole: &str, fraction: &str) -> Result<u128, NumberError> {
    whole.bytes().chain(fraction.bytes()).try_fold(0u128, |n, b| {
        let next = n.checked_mul(10).and_then(|n| n.checked_add(u128::from(b - b'0'))).ok_or(NumberError::Precision)?;
        if next >= COEFFICIENT_END { Err(NumberError::Precision) } else { Ok(next) }
    })
}

impl Default for Number {
    fn default() -> Number {
        Number::from_u64(0)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_magnitude(other),
            (true, true) => other.compare_magnitude(self),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn equal_values_are_equal_whatever_the_text() {
        for (a, b) in
            [("1", "1.0"), ("100", "1e2"), ("-0", "0"), ("0.10", "1e-1"), ("0e999", "0"), ("-12.50", "-125E-1")]
        {
            assert_eq!(n(a), n(b), "{a} {b}");
            assert_eq!(n(a).normal_text(), n(b).normal_text());
        }
    }

    #[test]
    fn order_is_exact_where_doubles_are_not() {
        let ascending = [
            "-1e999",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "-1e-999",
            "0",
            "1e-999",
            "0.1",
            "0.10000000000000000000000000000000000001",
            "0.2",
            "1",
            "9007199254740992",
            "9007199254740993",
            "1e19",
            "10000000000000000001",
            "18446744073709551614",
            "18446744073709551615",
            "18446744073709551615.5",
            "2e19",
            "20000000000000000001e0",
            "1e20",
            "12345678901234567890123456789e-5",
            "1e30",
            "1e999",
        ];
        assert!(ascending.iter().map(|t| n(t)).is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn sums_are_exact_or_nothing() {
        for (a, b, sum) in [
            ("0.1", "0.2", "0.3"),
            ("1", "-1", "0"),
            ("-1.5", "0.25", "-1.25"),
            ("0", "1e999", "1e999"),
            ("18446744073709551615", "1", "1.8446744073709551616e19"),
            ("99999999999999999999999999999999999999e-3", "0", "99999999999999999999999999999999999999e-3"),
        ] {
            let (a, b) = (n(a), n(b));
            let added = a.checked_add(&b).unwrap();
            assert_eq!(added, n(sum));
            assert_eq!(b.checked_add(&a).unwrap(), added);
            assert_eq!(n(added.text()), added, "the text reads back");
        }
        for (a, b) in
            [("1e38", "1"), ("1", "1e-999"), ("99999999999999999999999999999999999999e0", "0.5"), ("1.5e-999", "0")]
        {
            assert_eq!(n(a).checked_add(&n(b)), None, "{a} {b}");
        }
        for (a, b, product) in
            [("1.5", "-2", "-3"), ("0", "1e999", "0"), ("-0.1", "-0.1", "0.01"), ("1e500", "1e499", "1e999")]
        {
            assert_eq!(n(a).checked_mul(&n(b)).unwrap(), n(product), "{a} {b}");
        }
        assert_eq!(n("1e500").checked_mul(&n("1e500")), None);
        assert_eq!(n("1e-500").checked_mul(&n("1e-500")), None);
        assert_eq!(n("12345678901234567891").checked_mul(&n("12345678901234567891")), None);
        assert_eq!((n("-1.5").negated(), n("0").negated()), (n("1.5"), n("0")));
        assert_eq!(Number::from_u64(u64::MAX), n("18446744073709551615"));
        assert_eq!(Number::default().text(), "0");
        for (text, milli) in [("0.8", Some(800)), ("1", Some(1_000)), ("0", Some(0)), ("0.8001", None), ("-1", None)] {
            assert_eq!(n(text).to_milli(), milli, "{text}");
        }
    }

    #[test]
    fn what_json_does_not_write_is_refused() {
        for text in [
            "", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "1_0", " 1", "NaN", "Infinity", "--1", "1.e2",
            "1e1.5",
        ] {
            assert_eq!(Number::parse(text).unwrap_err(), NumberError::Syntax, "{text}");
        }
        for text in ["18446744073709551616", "-9223372036854775809"] {
            assert_eq!(Number::parse(text).unwrap_err(), NumberError::IntegerRange, "{text}");
        }
        for text in ["1e1000", "1e99999999999999999999", "0.123456789012345678901234567890123456789"] {
            assert_eq!(Number::parse(text).unwrap_err(), NumberError::Precision, "{text}");
        }
    }
}
