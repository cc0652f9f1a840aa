//! Decimal numbers that keep their text and compare exactly.

use core::cmp::Ordering;
use core::fmt;
use std::borrow::Cow;

use super::decimal::{DECIMAL_BYTES_MAX, push_decimal};

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
/// Any integer of so many digits is within the range of integers.
const PLAIN_DIGITS_MAX: usize = 18;

const _: () = assert!(10u64.pow(PLAIN_DIGITS_MAX as u32) <= i64::MAX as u64 && PLAIN_DIGITS_MAX + 1 < POWERS.len());

/// A JSON number: its text, and `±coefficient × 10^exponent` for exact comparison. Equality and order ignore the text.
///
/// Calls may consist of numbers: those that are written as plain integers take no memory of their own, and their text is made when it is
/// asked for.
#[derive(Clone)]
pub struct Number {
    /// Zero where `written` has it.
    coefficient: u64,
    exponent: i16,
    negative: bool,
    integer: bool,
    written: Option<Box<Written>>,
}

/// The text of a number that is not a plain integer, and its coefficient.
#[derive(Clone)]
struct Written {
    text: Box<str>,
    coefficient: u128,
}

/// `±coefficient × 10^exponent`.
#[derive(Clone, Copy)]
struct Parts {
    negative: bool,
    coefficient: u128,
    exponent: i32,
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
        match Number::plain_at(text.as_bytes()) {
            Some((number, length)) if length == text.len() => Ok(number),
            _ => Number::parse_any(text),
        }
    }

    /// The number that a text begins with and its length, if it is a plain integer of so many digits as any sign leaves room for: most
    /// numbers are, and are read in one pass.
    #[inline]
    pub(super) fn plain_at(text: &[u8]) -> Option<(Number, usize)> {
        let sign = usize::from(text.first() == Some(&b'-'));
        let digits = text.get(sign..)?;
        let looked_at = digits.get(..=PLAIN_DIGITS_MAX).unwrap_or(digits);
        let (mut magnitude, mut length) = (0u64, 0);
        for byte in looked_at {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            magnitude = magnitude * 10 + u64::from(digit);
            length += 1;
        }
        let leading_zero = digits.first() == Some(&b'0') && (sign > 0 || length > 1);
        let goes_on = matches!(digits.get(length), Some(b'.' | b'e' | b'E' | b'+' | b'-'));
        let is_plain = (1..=PLAIN_DIGITS_MAX).contains(&length) && !leading_zero && !goes_on;
        is_plain.then(|| (Number::plain(sign > 0, magnitude), sign + length))
    }

    fn parse_any(text: &str) -> Result<Number, NumberError> {
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
        let parts = Parts { negative, coefficient, exponent: exponent.saturating_sub(fraction_digits) }.normalised();
        let integer = fraction.is_none() && written_exponent.is_none();
        if integer && !is_in_integer_range(text, &parts) {
            return Err(NumberError::IntegerRange);
        }
        Ok(Number::written(&parts, integer, text.into()))
    }

    /// A whole number that is written as usual. Minus zero is not.
    #[inline]
    fn plain(negative: bool, magnitude: u64) -> Number {
        let (mut coefficient, mut exponent) = (magnitude, 0);
        while coefficient != 0 && coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        Number { coefficient, exponent, negative, integer: true, written: None }
    }

    /// A number in normal form with a text of its own.
    fn written(parts: &Parts, integer: bool, text: Box<str>) -> Number {
        let written = Some(Box::new(Written { text, coefficient: parts.coefficient }));
        // Exponents are bounded wherever a number comes from: by 999, and by the length of a text.
        let exponent = i16::try_from(parts.exponent).unwrap_or(i16::MAX);
        Number { coefficient: 0, exponent, negative: parts.negative, integer, written }
    }

    fn parts(&self) -> Parts {
        let coefficient = self.written.as_ref().map_or_else(|| self.coefficient.into(), |written| written.coefficient);
        Parts { negative: self.negative, coefficient, exponent: self.exponent.into() }
    }

    /// The number as it was written.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.written {
            Some(written) => Cow::Borrowed(&written.text),
            None => Cow::Owned(self.plain_text()),
        }
    }

    fn plain_text(&self) -> String {
        let power = usize::try_from(self.exponent).ok().and_then(|exponent| POWERS.get(exponent));
        // It was made of 64 bits, in which it fits again.
        let magnitude = self.coefficient.saturating_mul(power.copied().unwrap_or(1));
        let mut text = String::with_capacity(1 + DECIMAL_BYTES_MAX);
        text.push_str(if self.negative { "-" } else { "" });
        push_decimal(&mut text, magnitude);
        text
    }

    /// The whole number that it is, however it was written, if that fits.
    pub(crate) fn whole(&self) -> Option<i64> {
        let coefficient = match &self.written {
            Some(written) => i64::try_from(written.coefficient).ok()?,
            None => i64::try_from(self.coefficient).ok()?,
        };
        let power = POWERS.get(usize::try_from(self.exponent).ok()?).and_then(|power| i64::try_from(*power).ok())?;
        let magnitude = coefficient.checked_mul(power)?;
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// The whole number, if it is written as a plain integer of at most 18 digits: then no text has to be made to know it.
    pub(crate) fn plain_integer(&self) -> Option<i64> {
        if self.written.is_none() { self.whole() } else { None }
    }

    /// Whether it was written without fraction and exponent.
    pub const fn is_integer(&self) -> bool {
        self.integer
    }

    /// The whole number.
    pub fn from_u64(value: u64) -> Number {
        Number::plain(false, value)
    }

    /// The exact sum, in normal form; `None` when it has more than 38 significant digits or too large an exponent.
    pub fn checked_add(&self, other: &Number) -> Option<Number> {
        let (own, others) = (self.parts(), other.parts());
        let shared = match (own.coefficient, others.coefficient) {
            (0, _) => others.exponent,
            (_, 0) => own.exponent,
            _ => own.exponent.min(others.exponent),
        };
        let (a, b) = (own.coefficient_at(shared)?, others.coefficient_at(shared)?);
        let (negative, coefficient) = if own.negative == others.negative {
            (own.negative, a.checked_add(b)?)
        } else if a >= b {
            (own.negative, a - b)
        } else {
            (others.negative, b - a)
        };
        Parts { negative, coefficient, exponent: shared }.in_range()
    }

    /// The number with the other sign.
    pub fn negated(&self) -> Number {
        let own = self.parts();
        let parts = Parts { negative: !own.negative && own.coefficient != 0, ..own };
        Number::written(&parts, false, parts.text().into())
    }

    /// The exact product, in normal form; `None` when it has more than 38 significant digits or too large an exponent.
    pub fn checked_mul(&self, other: &Number) -> Option<Number> {
        let (own, others) = (self.parts(), other.parts());
        let coefficient = own.coefficient.checked_mul(others.coefficient)?;
        let exponent = own.exponent.checked_add(others.exponent)?;
        Parts { negative: own.negative != others.negative, coefficient, exponent }.in_range()
    }

    /// The number in thousandths; `None` when it is negative, has more than three decimals, or does not fit.
    pub fn to_milli(&self) -> Option<u64> {
        if self.negative {
            return None;
        }
        u64::try_from(self.parts().coefficient_at(-3)?).ok()
    }

    /// Whether it is a whole number, however it was written.
    pub const fn is_whole(&self) -> bool {
        self.exponent >= 0
    }

    /// One text per value, whatever was written: `-125e-1` for -12.50.
    pub fn normal_text(&self) -> String {
        self.parts().text()
    }

    /// The magnitude of a whole number of ordinary size: 64 bits times a power of ten below 10^20 fit 128 bits.
    fn small_magnitude(&self) -> Option<u128> {
        let coefficient = match &self.written {
            Some(written) => u64::try_from(written.coefficient).ok()?,
            None => self.coefficient,
        };
        let power = POWERS.get(usize::try_from(self.exponent).ok()?)?;
        Some(u128::from(coefficient) * u128::from(*power))
    }

    fn compare_magnitude(&self, other: &Number) -> Ordering {
        // Rules compare one argument with one bound after the other: what is usual must not count digits.
        match (self.small_magnitude(), other.small_magnitude()) {
            (Some(own), Some(others)) => own.cmp(&others),
            _ => self.parts().compare_magnitude(&other.parts()),
        }
    }
}

impl Parts {
    /// One text per value: the coefficient, and the exponent after an `e`.
    fn text(&self) -> String {
        let mut text = String::with_capacity(2 * DECIMAL_BYTES_MAX);
        text.push_str(if self.negative { "-" } else { "" });
        match u64::try_from(self.coefficient) {
            Ok(small) => push_decimal(&mut text, small),
            Err(_) => text.push_str(&self.coefficient.to_string()),
        }
        text.push_str(if self.exponent < 0 { "e-" } else { "e" });
        push_decimal(&mut text, self.exponent.unsigned_abs().into());
        text
    }

    /// Without trailing decimal zeros; zero has exponent 0 and no sign.
    fn normalised(mut self) -> Parts {
        if self.coefficient == 0 {
            return Parts { negative: false, coefficient: 0, exponent: 0 };
        }
        // Nearly every number fits 64 bits, in which a division costs a fraction of one in 128.
        if let Ok(mut small) = u64::try_from(self.coefficient) {
            while small.is_multiple_of(10) {
                small /= 10;
                self.exponent = self.exponent.saturating_add(1);
            }
            self.coefficient = small.into();
            return self;
        }
        while self.coefficient.is_multiple_of(10) {
            self.coefficient /= 10;
            self.exponent = self.exponent.saturating_add(1);
        }
        self
    }

    /// The number in normal form with its text, when that text could be read back.
    fn in_range(self) -> Option<Number> {
        let parts = self.normalised();
        let digits = parts.coefficient.checked_ilog10().unwrap_or(0);
        let fits = digits < DIGITS_MAX && parts.exponent.unsigned_abs() <= EXPONENT_MAX.unsigned_abs();
        fits.then(|| Number::written(&parts, false, parts.text().into()))
    }

    fn coefficient_at(&self, exponent: i32) -> Option<u128> {
        if self.coefficient == 0 {
            return Some(0);
        }
        let by = u32::try_from(self.exponent.checked_sub(exponent)?).ok()?;
        self.coefficient.checked_mul(10u128.checked_pow(by)?)
    }

    /// Position of the leading digit: two numbers that differ here differ in magnitude.
    fn leading_position(&self) -> i64 {
        let digits = self.coefficient.checked_ilog10().map_or(0, |log| i64::from(log) + 1);
        digits + i64::from(self.exponent)
    }

    fn compare_magnitude(&self, other: &Parts) -> Ordering {
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

/// Whether an integer of this text lies between -2^63 and 2^64 - 1. Minus zero has lost its sign by now and reads as neither.
fn is_in_integer_range(text: &str, parts: &Parts) -> bool {
    let fits = if parts.negative { text.parse::<i64>().is_ok() } else { text.parse::<u64>().is_ok() };
    fits || parts.coefficient == 0
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
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests;
