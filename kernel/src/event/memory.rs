//! Body of `dare.memory.access`: who asked for what memory, what was decided, and what the run takes on by it.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Seq, Time};
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::decision::codes_from;
use super::fields::{Fields, with_opt};
use super::lists::{labels, latches, list, with_labels, with_latches, with_list};
use crate::bundle::Sensitivity;
use crate::command::RequestId;
use crate::limits::MEMORY_ITEMS_MAX;
use crate::reason::ReasonCode;
use crate::taint::TaintLabel;
use crate::verdict::Verdict;

/// What was done with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryOp {
    /// A value was to be kept.
    Write,
    /// A value of the built-in store was asked for.
    Read,
    /// An external store was to be queried.
    Query,
    /// Results of a query were to be used.
    Release,
    /// A value was to be dropped.
    Forget,
    /// An admin keeps something from being read.
    Quarantine,
    /// An admin lets it be read again.
    Restore,
}

impl MemoryOp {
    const ALL: [MemoryOp; 7] = [
        MemoryOp::Write,
        MemoryOp::Read,
        MemoryOp::Query,
        MemoryOp::Release,
        MemoryOp::Forget,
        MemoryOp::Quarantine,
        MemoryOp::Restore,
    ];

    /// The name in entries.
    pub const fn name(self) -> &'static str {
        match self {
            MemoryOp::Write => "write",
            MemoryOp::Read => "read",
            MemoryOp::Query => "query",
            MemoryOp::Release => "release",
            MemoryOp::Forget => "forget",
            MemoryOp::Quarantine => "quarantine",
            MemoryOp::Restore => "restore",
        }
    }
}

/// An access to memory was decided. Values, queries and retrieved items are payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryAccess {
    /// What was asked for and does not show in what came of it.
    pub asked: MemoryAsked,
    /// Whether the subject was proven and not merely stated.
    pub attested: bool,
    /// The bundle that decided, if it came to that.
    pub bundle: Option<Hash>,
    /// Of the value, the highest that may be released, or the highest that was.
    pub classification: Option<Sensitivity>,
    /// Why, by ascending number, each once, at least one.
    pub codes: Vec<ReasonCode>,
    /// What is enforced; differs from the verdict in observe mode only.
    pub effective: Verdict,
    /// The environment.
    pub environment: String,
    /// From when on the entry is gone, or nothing is released any more.
    pub expires: Option<Time>,
    /// Whether the value is a reference to one elsewhere.
    pub external: bool,
    /// The entry's name.
    pub key: Option<String>,
    /// Labels that a written entry carries.
    pub labels: Vec<TaintLabel>,
    /// Rules of behaviour that come to a step.
    pub latches: Vec<(String, u8)>,
    /// The namespace.
    pub namespace: String,
    /// What was asked.
    pub op: MemoryOp,
    /// Whether a written entry is kept from being read until an admin releases it.
    pub quarantined: bool,
    /// The query whose results are released: its decision's event id.
    pub query: Option<String>,
    /// Which of the items may be used, by their place in the payload `items`.
    pub released: Vec<u32>,
    /// The caller's id of the request.
    pub request_id: RequestId,
    /// Whose access it was, as far as is known; absent for an admin's.
    pub subject: Option<String>,
    /// Labels that the run takes on.
    pub taint: Vec<TaintLabel>,
    /// The value: the payload that is kept or read.
    pub value: Option<MemoryValue>,
    /// What was decided.
    pub verdict: Verdict,
    /// Which items may not be used, and why.
    pub withheld: Vec<(u32, ReasonCode)>,
}

/// What an access asked for, as far as it is not what came of it: with the rest, enough to ask for it again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemoryAsked {
    /// The highest classification that the use admits.
    pub clearance: Option<Sensitivity>,
    /// Labels of the value that was to be kept, besides those of the run.
    pub labels: Vec<TaintLabel>,
    /// The run, if it is not the entry's.
    pub run_id: Option<String>,
    /// The stated subject, if it is not the one that acts.
    pub subject: Option<String>,
    /// How long the value was to last.
    pub ttl_seconds: Option<u64>,
}

/// Where a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryValue {
    /// The payload's commitment.
    pub commitment: Hash,
    /// The entry that holds the payload; absent when it is this one.
    pub entry: Option<Seq>,
    /// How often the name was written, from 1.
    pub version: u32,
}

impl MemoryAccess {
    /// The entry type.
    pub const KIND: &'static str = "dare.memory.access";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let mut value = Value::map([
            ("attested", Value::from(self.attested)),
            ("codes", Value::list(self.codes.iter().map(|code| u32::from(code.number())))),
            ("effective", Value::str(self.effective.name())),
            ("environment", Value::str(&*self.environment)),
            ("namespace", Value::str(&*self.namespace)),
            ("op", Value::str(self.op.name())),
            ("request_id", Value::str(self.request_id.to_string())),
            ("verdict", Value::str(self.verdict.name())),
        ]);
        value = with_opt(value, "bundle", self.bundle);
        value = with_opt(value, "classification", self.classification.map(Sensitivity::name));
        value = with_opt(value, "expires", self.expires.map(|time| time.to_string()));
        value = with_opt(value, "external", self.external.then_some(true));
        value = with_opt(value, "key", self.key.as_deref());
        value = with_opt(value, "quarantined", self.quarantined.then_some(true));
        value = with_opt(value, "query", self.query.as_deref());
        value = with_opt(value, "subject", self.subject.as_deref());
        value = with_labels(value, "labels", &self.labels);
        value = with_latches(value, &self.latches);
        value = with_labels(value, "taint", &self.taint);
        value = with_list(value, "released", &self.released, |index| Value::from(*index));
        value = with_list(value, "withheld", &self.withheld, |(index, code)| {
            Value::map([("code", Value::from(u32::from(code.number()))), ("item", Value::from(*index))])
        });
        value = with_opt(value, "value", self.value.as_ref().map(MemoryValue::to_value));
        let asked = Some(&self.asked).filter(|asked| **asked != MemoryAsked::default());
        with_opt(value, "asked", asked.map(MemoryAsked::to_value))
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the access to memory")?;
        let verdict = |v: &Value| Verdict::from_name(v.as_str()?);
        let flag = |v: &Value| v.as_bool().filter(|is| *is);
        let op = |v: &Value| MemoryOp::ALL.into_iter().find(|op| Some(op.name()) == v.as_str());
        let body = MemoryAccess {
            asked: match fields.read_opt("asked", "an object, absent when it is empty", Some)? {
                Some(asked) => MemoryAsked::from_value(asked)?,
                None => MemoryAsked::default(),
            },
            attested: fields.bool("attested")?,
            bundle: fields.hash_opt("bundle")?,
            classification: fields
                .read_opt("classification", "a classification", |v| Sensitivity::from_name(v.as_str()?))?,
            codes: fields.read("codes", "known reason codes in strictly ascending order, at least one", codes_from)?,
            effective: fields.read("effective", "allow or deny", verdict)?,
            environment: fields.text("environment")?,
            expires: fields.read_opt("expires", "a time with six fraction digits", |v| v.as_str()?.parse().ok())?,
            external: fields.read_opt("external", "true, or absent", flag)?.is_some(),
            key: fields.text_opt("key")?,
            labels: labels(&mut fields, "labels")?,
            latches: latches(&mut fields)?,
            namespace: fields.text("namespace")?,
            op: fields.read("op", "an operation on memory", op)?,
            quarantined: fields.read_opt("quarantined", "true, or absent", flag)?.is_some(),
            query: fields.text_opt("query")?,
            released: list(&mut fields, "released", MEMORY_ITEMS_MAX, |item| index(item, "released"))?,
            request_id: fields.read("request_id", "a version 7 UUID", |v| v.as_str()?.parse().ok())?,
            subject: fields.text_opt("subject")?,
            taint: labels(&mut fields, "taint")?,
            value: match fields.read_opt("value", "an object", Some)? {
                Some(value) => Some(MemoryValue::from_value(value)?),
                None => None,
            },
            verdict: fields.read("verdict", "allow or deny", verdict)?,
            withheld: list(&mut fields, "withheld", MEMORY_ITEMS_MAX, withheld)?,
        };
        fields.finish()?;
        Ok(body)
    }

    /// What the caller is told besides verdict and codes.
    pub fn details(&self) -> Vec<(String, String)> {
        let mut details = Vec::new();
        let mut add = |name: &str, text: Option<String>| {
            details.extend(text.map(|text| (name.to_owned(), text)));
        };
        let value = self.value.as_ref();
        add("value_commitment", value.map(|value| value.commitment.to_string()));
        add("value_entry", value.and_then(|value| value.entry).map(|seq| seq.to_string()));
        add("version", value.map(|value| value.version.to_string()));
        add("classification", self.classification.map(|level| level.name().to_owned()));
        add("expires", self.expires.map(|time| time.to_string()));
        add("external", self.external.then(|| "true".to_owned()));
        add("quarantined", self.quarantined.then(|| "true".to_owned()));
        let indexes: Vec<String> = self.released.iter().map(u32::to_string).collect();
        add("released", (!indexes.is_empty()).then(|| indexes.join(",")));
        let pairs: Vec<String> = self.withheld.iter().map(|(item, code)| format!("{item}:{}", code.number())).collect();
        add("withheld", (!pairs.is_empty()).then(|| pairs.join(",")));
        details
    }
}

fn index(item: &Value, field: &'static str) -> Result<u32, BodyError> {
    let number = item.as_int().and_then(|n| u32::try_from(n).ok());
    number.ok_or(BodyError::Invalid { field, expected: "integers below 2^32" })
}

fn withheld(item: &Value) -> Result<(u32, ReasonCode), BodyError> {
    let mut fields = Fields::of(item, "a withheld item")?;
    let code = |v: &Value| ReasonCode::from_number(u16::try_from(v.as_int()?).ok()?);
    let code = fields.read("code", "a known reason code", code)?;
    let place = fields.read("item", "an integer below 2^32", |v| u32::try_from(v.as_int()?).ok())?;
    fields.finish()?;
    Ok((place, code))
}

impl MemoryAsked {
    fn to_value(&self) -> Value {
        let mut value = Value::empty_map();
        value = with_opt(value, "clearance", self.clearance.map(Sensitivity::name));
        value = with_opt(value, "run_id", self.run_id.as_deref());
        value = with_opt(value, "subject", self.subject.as_deref());
        value = with_opt(value, "ttl_seconds", self.ttl_seconds.map(Value::decimal));
        with_labels(value, "labels", &self.labels)
    }

    fn from_value(value: &Value) -> Result<MemoryAsked, BodyError> {
        let mut fields = Fields::of(value, "what was asked for")?;
        let asked = MemoryAsked {
            clearance: fields.read_opt("clearance", "a classification", |v| Sensitivity::from_name(v.as_str()?))?,
            labels: labels(&mut fields, "labels")?,
            run_id: fields.text_opt("run_id")?,
            subject: fields.text_opt("subject")?,
            ttl_seconds: fields.read_opt("ttl_seconds", "seconds as text", Value::as_decimal)?,
        };
        fields.finish()?;
        if asked == MemoryAsked::default() {
            return Err(BodyError::Invalid { field: "asked", expected: "an object, absent when it is empty" });
        }
        Ok(asked)
    }
}

impl MemoryValue {
    fn to_value(&self) -> Value {
        let value = Value::map([("commitment", Value::from(self.commitment)), ("version", Value::from(self.version))]);
        with_opt(value, "entry", self.entry.map(|seq| Value::decimal(seq.0)))
    }

    fn from_value(value: &Value) -> Result<MemoryValue, BodyError> {
        let mut fields = Fields::of(value, "the value")?;
        let value = MemoryValue {
            commitment: fields.hash("commitment")?,
            entry: fields.read_opt("entry", "a position as text", |v| v.as_decimal().map(Seq))?,
            version: fields.read("version", "an integer below 2^32", |v| u32::try_from(v.as_int()?).ok())?,
        };
        fields.finish()?;
        Ok(value)
    }
}
