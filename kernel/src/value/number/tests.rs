//! Numbers compare exactly, whatever was written, and keep their text.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn n(text: &str) -> Number {
    Number::parse(text).unwrap()
}

#[test]
fn equal_values_are_equal_whatever_the_text() {
    for (a, b) in [("1", "1.0"), ("100", "1e2"), ("-0", "0"), ("0.10", "1e-1"), ("0e999", "0"), ("-12.50", "-125E-1")] {
        assert_eq!(n(a), n(b), "{a} {b}");
        assert_eq!(n(a).normal_text(), n(b).normal_text());
    }
}

#[test]
fn the_text_is_what_was_written() {
    for text in [
        "0",
        "-0",
        "1",
        "-1",
        "10",
        "-100",
        "1000000",
        "999999999999999999",
        "-999999999999999999",
        "100000000000000000",
        "1000000000000000000",
        "-1000000000000000000",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "10000000000000000000",
        "1.0",
        "-0.50",
        "1e2",
        "1E+02",
        "0e0",
        "12345678901234567890123456789012345678e-5",
    ] {
        let number = n(text);
        assert_eq!((&*number.text(), number.to_string().as_str()), (text, text));
        assert_eq!(number.is_integer(), !text.contains(['.', 'e', 'E']), "{text}");
        assert_eq!(Number::parse_any(text).unwrap(), number);
        assert_eq!(Number::parse_any(text).unwrap().normal_text(), number.normal_text());
    }
    for value in [0, 7, 10, u64::MAX, 10_000_000_000_000_000_000] {
        assert_eq!(Number::from_u64(value).text(), value.to_string());
    }
}

#[test]
fn normal_texts_are_what_a_formatter_writes() {
    for text in
        ["0", "-0.0", "-12.50", "1000", "18446744073709551616e0", "-123456789012345678901234567890e-900", "7e999"]
    {
        let parts = n(text).parts();
        let sign = if parts.negative { "-" } else { "" };
        assert_eq!(n(text).normal_text(), format!("{sign}{}e{}", parts.coefficient, parts.exponent), "{text}");
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
        assert_eq!(n(&added.text()), added, "the text reads back");
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
    for text in
        ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "1_0", " 1", "NaN", "Infinity", "--1", "1.e2", "1e1.5"]
    {
        assert_eq!(Number::parse(text).unwrap_err(), NumberError::Syntax, "{text}");
    }
    for text in ["18446744073709551616", "-9223372036854775809"] {
        assert_eq!(Number::parse(text).unwrap_err(), NumberError::IntegerRange, "{text}");
    }
    for text in ["1e1000", "1e99999999999999999999", "0.123456789012345678901234567890123456789"] {
        assert_eq!(Number::parse(text).unwrap_err(), NumberError::Precision, "{text}");
    }
}
