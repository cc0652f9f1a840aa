//! What an evaluation knows besides the call: taint, the run so far, time, signals, and what earlier calls added up to.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;

use crate::value::Number;

/// The names of the taint sources; a source's number is its place in this list, counted from 1.
const SOURCES: [&str; 7] = ["web", "rag", "email", "retrieved-doc", "model-generated", "user-provided", "tool-output"];

/// A set of taint sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TaintSources(u16);

impl TaintSources {
    /// The set of the sources with these numbers, 1 to 7; other numbers name no source and are left out.
    pub fn from_numbers(numbers: impl IntoIterator<Item = u8>) -> TaintSources {
        TaintSources(numbers.into_iter().filter(|n| (1..=7).contains(n)).fold(0, |set, n| set | (1 << n)))
    }

    /// The set with the source of this name alone; `None` when there is no such source.
    pub fn from_name(name: &str) -> Option<TaintSources> {
        let (number, _) = (1u8..).zip(SOURCES).find(|(_, known)| *known == name)?;
        Some(TaintSources::from_numbers([number]))
    }

    /// The names of all sources there are.
    pub const fn all_names() -> &'static [&'static str] {
        &SOURCES
    }

    /// The names of the sources in the set, by ascending number.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        (1u8..).zip(SOURCES).filter(move |(number, _)| self.0 & (1 << number) != 0).map(|(_, name)| name)
    }

    /// The sources of both sets.
    pub const fn union(self, other: TaintSources) -> TaintSources {
        TaintSources(self.0 | other.0)
    }

    /// Whether the sets have a source in common.
    pub const fn meets(self, other: TaintSources) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no source in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What happened in the run before this call, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunFacts {
    /// Decided calls.
    pub calls: u64,
    /// Denied calls.
    pub denied: u64,
    /// Attempts to send something out.
    pub egress: u64,
    /// Attempts to read something sensitive.
    pub sensitive_reads: u64,
}

/// What is known about a call's surroundings. The default knows nothing: no taint, nothing before, no signal, no approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Situation<'a> {
    /// Taint sources of the call's own arguments.
    pub call_taint: TaintSources,
    /// Taint sources of the run before this call.
    pub run_taint: TaintSources,
    /// The run so far.
    pub run: RunFacts,
    /// The command's stamped time.
    pub now: Time,
    /// The environment.
    pub environment: &'a str,
    /// The run's mode, such as `normal`.
    pub mode: &'a str,
    /// The highest risk that an authorised reporter has reported, in thousandths.
    pub risk_milli: u64,
    /// Labels of the call's sources, as the caller states them.
    pub labels: &'a [String],
    /// Whether a person has approved this very call: what asks for approval then agrees.
    pub approved: bool,
    /// Whether a valid lease covers this call: a capability that needs a lease then counts.
    pub leased: bool,
}

/// Over which calls a cross-step predicate accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Per {
    /// The calls of one run.
    Run,
    /// The calls of one subject within one day of stamped time (UTC).
    Day,
}

impl Per {
    /// The name in bundles and keys.
    pub const fn name(self) -> &'static str {
        match self {
            Per::Run => "run",
            Per::Day => "day",
        }
    }
}

/// What the calls before this one added up to under one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accumulated {
    /// How many calls were counted.
    pub count: u64,
    /// The sum of the argument's values.
    pub sum: Number,
    /// How many distinct values the argument had.
    pub distinct: u64,
    /// Whether the value that was asked about is one of those.
    pub seen: bool,
}

/// What an evaluation may ask.
pub trait Facts {
    /// The call's surroundings.
    fn situation(&self) -> Situation<'_>;

    /// What was accumulated under a key of [`super::Accumulate`] before this call. `value` is the digest of the argument's value
    /// when distinct values are counted; it decides [`Accumulated::seen`].
    fn accumulated(&self, key: &str, per: Per, value: Option<&Hash>) -> Accumulated;
}

/// Facts of a call about whose surroundings nothing is known: a first call without taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn situation(&self) -> Situation<'_> {
        Situation::default()
    }

    fn accumulated(&self, _: &str, _: Per, _: Option<&Hash>) -> Accumulated {
        Accumulated::default()
    }
}

impl Facts for Situation<'_> {
    fn situation(&self) -> Situation<'_> {
        *self
    }

    fn accumulated(&self, _: &str, _: Per, _: Option<&Hash>) -> Accumulated {
        Accumulated::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn sets_of_sources() {
        let web = TaintSources::from_name("web").unwrap();
        let both = web.union(TaintSources::from_numbers([7, 0, 8, 200]));
        assert_eq!(both.names().collect::<Vec<_>>(), ["web", "tool-output"]);
        assert!(both.meets(web) && !web.meets(TaintSources::from_numbers([2])) && !both.is_empty());
        assert_eq!(TaintSources::from_name("Web"), None);
        assert!(TaintSources::from_numbers([0, 8]).is_empty());
    }
}
