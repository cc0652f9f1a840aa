//! Body of `assent.expiry.swept`: how far expiries were walked. What ended without an entry of its own ended with this one.

use assent_ledger::ids::Seq;
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::fields::Fields;

/// A walk over expiries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpirySwept {
    /// The minute, counted from 1970, at which the walk stopped.
    pub minute: u64,
    /// The row of that minute at which it stopped.
    pub row: u32,
    /// The position at which the walk over outstanding decisions stopped.
    pub tokens: Seq,
}

impl ExpirySwept {
    /// The entry type.
    pub const KIND: &'static str = "assent.expiry.swept";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("minute", Value::decimal(self.minute)),
            ("row", Value::from(self.row)),
            ("tokens", Value::decimal(self.tokens.0)),
        ])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the sweep")?;
        let swept = ExpirySwept {
            minute: fields.read("minute", "a number as text", Value::as_decimal)?,
            row: fields.read("row", "an integer below 2^32", |v| u32::try_from(v.as_int()?).ok())?,
            tokens: fields.read("tokens", "a number as text", Value::as_decimal).map(Seq)?,
        };
        fields.finish()?;
        Ok(swept)
    }
}
