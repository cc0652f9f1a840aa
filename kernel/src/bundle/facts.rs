//! What an evaluation knows besides the call: taint, the run so far, time, signals, and what earlier calls added up to.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;

use super::orchestration::Adjustment;
use super::outcome::Granted;
use crate::taint::TaintSource;
use crate::value::Number;

/// A set of taint sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TaintSources(u16);

impl TaintSources {
    /// The names of all sources there are.
    pub fn all_names() -> [&'static str; 7] {
        TaintSource::ALL.map(TaintSource::name)
    }

    /// The sources in the set, by ascending number.
    pub fn iter(self) -> impl Iterator<Item = TaintSource> {
        TaintSource::ALL.into_iter().filter(move |source| self.meets((*source).into()))
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

impl From<TaintSource> for TaintSources {
    fn from(source: TaintSource) -> TaintSources {
        TaintSources(1 << source.number())
    }
}

impl FromIterator<TaintSource> for TaintSources {
    fn from_iter<I: IntoIterator<Item = TaintSource>>(sources: I) -> TaintSources {
        sources.into_iter().fold(TaintSources::default(), |set, source| set.union(source.into()))
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
    /// What people have agreed to for this very call: what asks for no more than that then agrees.
    pub granted: Option<Granted<'a>>,
    /// Whether the call is to run in the place of another one: compute is then off.
    pub replacing: bool,
    /// Whose capability has to cover the call, when it is made on somebody's behalf; `None` is the subject's own.
    pub authority: Option<&'a str>,
    /// On whose behalf the call is made, from the nearest to the origin.
    pub chain: &'a [String],
    /// Whether a valid lease covers this call: a capability that needs a lease then counts.
    pub leased: bool,
    /// What reported signals make stricter.
    pub adjusted: Option<&'a Adjustment>,
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
    use super::*;

    #[test]
    fn sets_of_sources() {
        let web = TaintSources::from(TaintSource::Web);
        let both: TaintSources = [TaintSource::ToolOutput, TaintSource::Web].into_iter().collect();
        assert_eq!(both.iter().map(TaintSource::name).collect::<Vec<_>>(), ["web", "tool-output"]);
        assert!(both.meets(web) && !web.meets(TaintSource::Rag.into()) && !both.is_empty());
        assert_eq!(TaintSource::ALL.into_iter().collect::<TaintSources>().iter().count(), TaintSource::ALL.len());
    }
}
