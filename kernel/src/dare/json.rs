//! JSON as the views write it: members in DARE's order, `null` where nothing is known, numbers as exact decimal text.

use core::fmt::Write as _;

use assent_ledger::hash::Hash;

/// A JSON value that is written and never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// Nothing is known.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// The text of a number.
    Number(String),
    /// A string.
    Text(String),
    /// JSON text that is passed on verbatim; whoever makes one has parsed it.
    Raw(String),
    /// An array.
    List(Vec<Json>),
    /// An object, its members in the order in which they are written.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object.
    pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// A string, or `null`.
    pub fn text(text: Option<&str>) -> Json {
        text.map_or(Json::Null, |text| Json::Text(text.to_owned()))
    }

    /// Strings.
    pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Json {
        Json::List(texts.into_iter().map(|text| Json::Text(text.to_owned())).collect())
    }

    /// A digest as DARE writes it, or `null`.
    pub fn digest(hash: Option<Hash>) -> Json {
        hash.map_or(Json::Null, |hash| Json::Text(format!("sha256:{hash}")))
    }

    /// An integer, or `null`.
    pub fn int(number: Option<u64>) -> Json {
        number.map_or(Json::Null, |number| Json::Number(number.to_string()))
    }

    /// A fixed-point number of `places` decimals as the decimal that it stands for, exactly; or `null`.
    pub fn fixed(number: Option<u64>, places: u32) -> Json {
        number.map_or(Json::Null, |number| Json::Number(decimal(number, places)))
    }

    /// The text.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Json::Number(text) | Json::Raw(text) => out.push_str(text),
            Json::Text(text) => write_text(text, out),
            Json::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `number / 10^places` in decimals, without trailing zeros.
fn decimal(number: u64, places: u32) -> String {
    let digits = number.to_string();
    let places = usize::try_from(places).unwrap_or(usize::MAX).min(32);
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_point_numbers_come_back_as_the_decimals_that_they_stand_for() {
        let cases = [(420, 3, "0.42"), (18_500_000, 6, "18.5"), (0, 3, "0"), (7, 0, "7"), (1, 6, "0.000001")];
        for (number, places, text) in cases {
            assert_eq!(decimal(number, places), text);
        }
        assert_eq!(decimal(u64::MAX, 6), "18446744073709.551615");
    }

    #[test]
    fn texts_are_escaped_and_members_keep_their_order() {
        let value =
            Json::object([("b", Json::text(Some("a\"\\\n\u{1}é"))), ("a", Json::texts(["x"])), ("c", Json::Null)]);
        assert_eq!(value.to_text(), "{\"b\":\"a\\\"\\\\\\n\\u0001é\",\"a\":[\"x\"],\"c\":null}");
    }
}
