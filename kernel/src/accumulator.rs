//! What calls add up to for contracts across steps: the keys, and the payload by which a decision says what it adds.
//!
//! Amounts and digests derive from arguments. They are a payload, never in a leaf; where it was erased, a replay does not add.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{TenantId, Time};

use crate::bundle::limits::ACROSS_PER_TOOL_MAX;
use crate::bundle::{Accumulate, Accumulated, Addend, Per};
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{ACCUMULATIONS_MAX, TEXT_BYTES_MAX};
use crate::state::keys::{Counted, is_among};
use crate::state::{Record, StateKey, StateRead};
use crate::value::Number;

/// Microseconds of a day.
pub const DAY_MICROS: u64 = 24 * 3_600 * 1_000_000;

/// Whose calls are added up.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The environment: what is tried in one is not taken from another's sums.
    pub environment: &'a str,
    /// The run.
    pub run_id: &'a str,
    /// The subject.
    pub subject: &'a str,
    /// Stamped time; its day (UTC) counts.
    pub now: Time,
}

impl Scope<'_> {
    /// The text of the accumulator's key. No name contains the mark between its parts.
    pub fn text(&self, key: &str, per: Per) -> String {
        match per {
            Per::Run => format!("run|{}|{}|{key}", self.environment, self.run_id),
            Per::Day => format!("day|{}|{}|{}|{key}", self.environment, self.now.0 / DAY_MICROS, self.subject),
        }
    }

    /// What was added up before.
    pub fn read(&self, state: &impl StateRead, key: &str, per: Per, value: Option<&Hash>) -> Accumulated {
        match per {
            Per::Run => self.read_run(state, key, value),
            Per::Day => self.read_day(state, key, value),
        }
    }

    fn read_run(&self, state: &impl StateRead, key: &str, value: Option<&Hash>) -> Accumulated {
        let of = StateKey::RunCounts(self.tenant.clone(), self.run_id.to_owned());
        let record = state.get(&of);
        let Some(Record::RunCounts(counts)) = record.as_deref() else { return Accumulated::default() };
        match counts.added_up(self.environment, key) {
            Some(Counted::Calls(count)) => Accumulated { count: *count, ..Accumulated::default() },
            Some(Counted::Sum(sum)) => {
                Accumulated { sum: Number::parse(sum).unwrap_or_default(), ..Accumulated::default() }
            }
            Some(Counted::Distinct(values)) => Accumulated {
                distinct: u64::try_from(values.len()).unwrap_or(u64::MAX),
                seen: value.is_some_and(|value| is_among(values, value)),
                ..Accumulated::default()
            },
            _ => Accumulated::default(),
        }
    }

    fn read_day(&self, state: &impl StateRead, key: &str, value: Option<&Hash>) -> Accumulated {
        let key = StateKey::Accumulator(self.tenant.clone(), self.text(key, Per::Day));
        match state.get(&key).as_deref() {
            Some(Record::Accumulator(known)) => Accumulated {
                count: known.count,
                sum: Number::parse(&known.sum).unwrap_or_default(),
                distinct: u64::try_from(known.distinct.len()).unwrap_or(u64::MAX),
                seen: value.is_some_and(|value| known.distinct.contains(value)),
            },
            _ => Accumulated::default(),
        }
    }
}

/// What is added up in a run, read off its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfRun<'a> {
    /// The environment.
    pub environment: &'a str,
    /// The run.
    pub run_id: &'a str,
    /// What is added up: the predicate's key.
    pub key: &'a str,
}

impl<'a> OfRun<'a> {
    /// Reads a text; nothing when it is a day's.
    pub fn of_text(text: &'a str) -> Option<OfRun<'a>> {
        let mut parts = text.strip_prefix("run|")?.splitn(3, '|');
        Some(OfRun { environment: parts.next()?, run_id: parts.next()?, key: parts.next()? })
    }
}

/// The payload's bytes.
pub fn encode(scope: &Scope<'_>, items: &[Accumulate]) -> Vec<u8> {
    let mut w = Writer::versioned(VERSION);
    w.count(items.len());
    for item in items {
        w.text(&scope.text(&item.key, item.per));
        w.bool(item.per == Per::Day);
        match &item.add {
            Addend::Count => w.u8(1),
            Addend::Sum(number) => {
                w.u8(2);
                w.text(&number.normal_text());
            }
            Addend::Distinct(hash) => {
                w.u8(3);
                w.fixed(&hash.0);
            }
        }
    }
    w.finish()
}

/// One addition as a payload has it: the text of the key, whether it counts for a day only, and what is added.
pub type Addition = (String, bool, Addend);

/// Reads a payload strictly; any bytes are safe.
pub fn decode(bytes: &[u8]) -> Result<Vec<Addition>, CodecError> {
    let mut r = Reader::versioned(bytes, "the additions", VERSION)?;
    let count = r.count("the additions", ACCUMULATIONS_MAX)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let (text, daily) = (r.text("a key", TEXT_BYTES_MAX)?, r.bool("daily")?);
        let add = match r.u8("a kind of addition")? {
            1 => Addend::Count,
            2 => {
                let text = r.text("an amount", TEXT_BYTES_MAX)?;
                Addend::Sum(Number::parse(&text).map_err(|_| CodecError::Invalid { what: "an amount" })?)
            }
            3 => Addend::Distinct(r.hash("a digest")?),
            got => return Err(CodecError::Choice { what: "a kind of addition", got: u64::from(got) }),
        };
        items.push((text, daily, add));
    }
    r.finish()?;
    Ok(items)
}

const VERSION: u8 = 1;

// The tenant's bundle and the operator's baseline, in both passes of a call that is replaced.
const _: () = assert!(4 * ACROSS_PER_TOOL_MAX <= ACCUMULATIONS_MAX);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_added_up_in_a_run_is_read_off_its_text() {
        let tenant = TenantId::new("acme").unwrap();
        let scope = Scope { tenant: &tenant, environment: "prod", run_id: "r-1", subject: "s", now: Time(0) };
        let text = scope.text("cap#0011/run", Per::Run);
        assert_eq!(OfRun::of_text(&text), Some(OfRun { environment: "prod", run_id: "r-1", key: "cap#0011/run" }));
        for none in [scope.text("cap#0011/day", Per::Day), "run|prod|r-1".to_owned(), String::new()] {
            assert_eq!(OfRun::of_text(&none), None, "{none}");
        }
    }
}
