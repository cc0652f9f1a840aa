//! Decimal digits without a formatter.

/// Most digits of a 64-bit number.
pub(crate) const DECIMAL_BYTES_MAX: usize = 20;

/// Appends a number as it is usually written.
pub(crate) fn push_decimal(text: &mut String, number: u64) {
    let mut digits = [0; DECIMAL_BYTES_MAX];
    let mut rest = number;
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        // Below ten: it fits.
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    let written = digits.get(DECIMAL_BYTES_MAX - length..).and_then(|digits| core::str::from_utf8(digits).ok());
    text.push_str(written.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_usual() {
        for number in [0, 1, 9, 10, 99, 100, 1_000_000, u64::MAX - 1, u64::MAX] {
            let mut text = "n".to_owned();
            push_decimal(&mut text, number);
            assert_eq!(text, format!("n{number}"));
        }
    }
}
