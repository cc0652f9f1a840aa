//! A receipt's JSON document.

use super::{Receipt, ReceiptError};
use crate::hash::Hash;
use crate::json::Value;
use crate::limits;
use crate::seal::BodyError;
use crate::seal::fields::{Fields, object, string};

const VERSION: &str = "assent/receipt/1";

pub(super) fn to_value(receipt: &Receipt) -> Value {
    Value::Map(object([
        ("@v", string(VERSION)),
        ("count", string(receipt.count)),
        ("first_seq", string(receipt.first_seq)),
        ("index", string(receipt.index)),
        ("key_name", string(&receipt.key_name)),
        ("leaf", string(&receipt.leaf)),
        ("origin", string(&receipt.origin)),
        ("path", Value::List(receipt.path.iter().map(string).collect())),
        ("root", string(receipt.root)),
        ("signature", string(hex::encode(receipt.signature))),
    ]))
}

pub(super) fn from_value(value: &Value) -> Result<Receipt, ReceiptError> {
    let mut fields = Fields::of(value, "the receipt")?;
    if fields.text("@v")? != VERSION {
        return Err(BodyError::Invalid { field: "@v", expected: VERSION }.into());
    }
    let receipt = Receipt {
        count: fields.decimal("count")?,
        first_seq: fields.parse("first_seq", "a decimal string without leading zeros, below 2^64")?,
        index: fields.decimal("index")?,
        key_name: fields.text("key_name")?.to_owned(),
        leaf: fields.text("leaf")?.to_owned(),
        origin: fields.parse("origin", "a ledger origin")?,
        path: path(fields.list("path")?)?,
        root: fields.hash("root")?,
        signature: fields.signature("signature")?,
    };
    fields.finish()?;
    Ok(receipt)
}

fn path(items: &[Value]) -> Result<Vec<Hash>, BodyError> {
    let expected = "at most 64 hashes in lower-case hexadecimal";
    let invalid = BodyError::Invalid { field: "path", expected };
    if items.len() > limits::PROOF_HASHES_MAX {
        return Err(invalid);
    }
    let hash = |item: &Value| match item {
        Value::Str(text) => text.parse().ok(),
        _ => None,
    };
    items.iter().map(hash).collect::<Option<Vec<Hash>>>().ok_or(invalid)
}

const _: () = assert!(limits::PROOF_HASHES_MAX == 64, "the message above names the cap");
