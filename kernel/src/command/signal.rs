//! Reported signals: what somebody who watches agents says about a run, a subject or the whole tenant. Only a credential of role
//! reporter may say it, and never about itself. What a report changes is up to the bundle's orchestration rules.

use super::Role;
use crate::admit;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{NAME_BYTES_MAX, SIGNAL_SECONDS_MAX, SUBJECT_BYTES_MAX};
use crate::refusal::Refusal;

/// What a report is about. Whoever only asks names it by borrowed text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignalScope<T = String> {
    /// Everything of the tenant.
    Tenant,
    /// One subject, in all of its runs.
    Subject(T),
    /// One run.
    Run(T),
}

impl<T: AsRef<str>> SignalScope<T> {
    /// The kind of scope, as entries name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            SignalScope::Tenant => "tenant",
            SignalScope::Subject(_) => "subject",
            SignalScope::Run(_) => "run",
        }
    }

    /// The subject or the run; empty for the tenant.
    pub fn name(&self) -> &str {
        match self {
            SignalScope::Tenant => "",
            SignalScope::Subject(name) | SignalScope::Run(name) => name.as_ref(),
        }
    }

    /// The text under which the signals stand in the state: kind, colon, name.
    pub fn key(&self) -> String {
        [self.kind(), ":", self.name()].concat()
    }
}

impl SignalScope {
    /// The scope of a kind and a name; the tenant has none.
    pub fn from_parts(kind: &str, name: &str) -> Option<SignalScope> {
        match (kind, name) {
            ("tenant", "") => Some(SignalScope::Tenant),
            ("subject", name) if !name.is_empty() => Some(SignalScope::Subject(name.to_owned())),
            ("run", name) if !name.is_empty() => Some(SignalScope::Run(name.to_owned())),
            _ => None,
        }
    }
}

/// Values of signals; those that are absent say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signals {
    /// How risky it is, in thousandths: 0 to 1000.
    pub risk_milli: Option<u32>,
    /// How much waits to be done.
    pub queue_depth: Option<u32>,
    /// How much of a budget is used, in thousandths; more than 1000 when it was exceeded.
    pub budget_use_milli: Option<u32>,
}

impl Signals {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Signals::default()
    }

    /// The higher of each.
    pub fn max(self, other: Signals) -> Signals {
        Signals {
            risk_milli: self.risk_milli.max(other.risk_milli),
            queue_depth: self.queue_depth.max(other.queue_depth),
            budget_use_milli: self.budget_use_milli.max(other.budget_use_milli),
        }
    }
}

/// A report. What it does not name stays as it was reported before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSignal {
    /// What it is about.
    pub scope: SignalScope,
    /// The values, at least one.
    pub signals: Signals,
    /// For how long they hold, in seconds.
    pub valid_seconds: u32,
}

impl ReportSignal {
    pub(super) const TAG: u8 = 28;
    /// The command's name in refusals and metrics.
    pub const NAME: &'static str = "report-signal";
    /// The roles that may give it.
    pub(crate) const PERMITTED: &'static [Role] = &[Role::Reporter];

    /// Checks the shape of every field.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match &self.scope {
            SignalScope::Tenant => {}
            SignalScope::Subject(of) => admit::subject("scope", of)?,
            SignalScope::Run(of) => admit::name("scope", of)?,
        }
        if self.signals.is_empty() {
            return Err(Refusal::Malformed { field: "signals", expected: "at least one signal" });
        }
        if self.signals.risk_milli.is_some_and(|risk| risk > 1_000) {
            return Err(Refusal::Malformed { field: "risk_milli", expected: "0 to 1000" });
        }
        if !(1..=SIGNAL_SECONDS_MAX).contains(&self.valid_seconds) {
            return Err(Refusal::Malformed { field: "valid_seconds", expected: "1 second to 24 hours" });
        }
        Ok(())
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.u8(match self.scope {
            SignalScope::Tenant => 1,
            SignalScope::Subject(_) => 2,
            SignalScope::Run(_) => 3,
        });
        w.text(self.scope.name());
        for value in [self.signals.risk_milli, self.signals.queue_depth, self.signals.budget_use_milli] {
            w.option(value, Writer::u32);
        }
        w.u32(self.valid_seconds);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<ReportSignal, CodecError> {
        let what = "a signal's scope";
        let scope = match r.u8(what)? {
            1 if r.text(what, 0)?.is_empty() => SignalScope::Tenant,
            2 => SignalScope::Subject(r.text(what, SUBJECT_BYTES_MAX)?),
            3 => SignalScope::Run(r.text(what, NAME_BYTES_MAX)?),
            got => return Err(CodecError::Choice { what, got: u64::from(got) }),
        };
        let signals = Signals {
            risk_milli: r.option("the risk", |r| r.u32("the risk"))?,
            queue_depth: r.option("the queue's depth", |r| r.u32("the queue's depth"))?,
            budget_use_milli: r.option("the budget's use", |r| r.u32("the budget's use"))?,
        };
        Ok(ReportSignal { scope, signals, valid_seconds: r.u32("the validity")? })
    }
}
