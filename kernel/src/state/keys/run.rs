//! A run: `Run(tenant, run id)`. Bounded: whatever happens in a run, its record is of a bounded size, and so is all that is kept for it (`RUN_BYTES_MAX`).

use std::collections::BTreeMap;

use assent_ledger::ids::Time;

use super::recent_calls::RecentCalls;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{LATCHES_MAX, NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::state::record::RecordCodec;
use crate::taint::TaintSet;

/// How much a run may still do. The numbers are stored; the larger, the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum RunMode {
    /// Everything that policy allows.
    #[default]
    Normal = 1,
    /// Reading only, under full policy.
    Restricted = 2,
    /// Quarantine-safe tools only; outstanding tokens, leases and approvals are dead.
    Quarantined = 3,
    /// Nothing.
    Closed = 4,
}

impl RunMode {
    /// Every mode, by ascending number.
    pub const ALL: [RunMode; 4] = [RunMode::Normal, RunMode::Restricted, RunMode::Quarantined, RunMode::Closed];

    /// The number that is stored.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The mode of a number.
    pub fn from_number(number: u8) -> Option<RunMode> {
        RunMode::ALL.into_iter().find(|mode| mode.number() == number)
    }

    /// The name in entries and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            RunMode::Normal => "normal",
            RunMode::Restricted => "restricted",
            RunMode::Quarantined => "quarantined",
            RunMode::Closed => "closed",
        }
    }

    /// The mode of a name.
    pub fn from_name(name: &str) -> Option<RunMode> {
        RunMode::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

macro_rules! counters {
    ($($field:ident = $name:literal, $text:literal;)*) => {
        /// What happened in a run, counted; every counter saturates.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct RunCounters {
            $(#[doc = $text] pub $field: u32,)*
        }

        impl RunCounters {
            /// The counters' names, in the order in which they are stored.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Adds one to the counter of this name; a name that no counter has changes nothing.
            pub fn add_one(&mut self, name: &str) {
                match name {
                    $($name => self.$field = self.$field.saturating_add(1),)*
                    _ => {}
                }
            }

            /// Every counter with its name, in the order in which they are stored.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
                [$(($name, self.$field)),*].into_iter()
            }

            fn write(&self, w: &mut Writer) {
                $(w.u32(self.$field);)*
            }

            fn read(r: &mut Reader<'_>) -> Result<RunCounters, CodecError> {
                Ok(RunCounters { $($field: r.u32($name)?),* })
            }
        }
    };
}

counters! {
    calls = "calls", "Decided calls.";
    allowed = "allowed", "Calls that may run.";
    denied = "denied", "Calls that may not run (seed 003's `deniedActions`).";
    strikes = "strikes", "Denials by policy, capability or behaviour: what leads to restricted mode.";
    capability_requests = "capability_requests", "Requests for a capability.";
    capability_denied = "capability_denied", "Requests for a capability that were denied.";
    egress = "egress", "Attempts to send something out.";
    sensitive_reads = "sensitive_reads", "Attempts to read something sensitive.";
    writes = "writes", "Allowed calls that change something.";
    escalated = "escalated", "Calls that a person had to agree to first.";
    computed = "computed", "Calls in whose place another one was to run.";
    redeemed = "redeemed", "Executions that were started.";
    completed = "completed", "Executions whose outcome is known.";
    failed = "failed", "Executions that failed.";
    messages = "messages", "Messages that were sent.";
    delegations = "delegations", "Capabilities that were passed on.";
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Whose it is; nobody else may act in it.
    pub subject: String,
    /// Whether it was opened because a call named none.
    pub implicit: bool,
    /// When it was opened.
    pub opened: Time,
    /// How much it may still do.
    pub mode: RunMode,
    /// What happened in it.
    pub counters: RunCounters,
    /// What has touched it.
    pub taint: TaintSet,
    /// How far each behaviour rule has come, by rule id; rules at their start are left out.
    pub latches: BTreeMap<String, u8>,
    /// What observe mode would have enforced.
    pub shadow: ShadowState,
    /// The calls that came last, and how often; those whose arguments were erased are left out.
    pub recent: RecentCalls,
    /// How many runs, messages or delegations lie between a person and this run.
    pub generation: u32,
    /// Executions that were started and not completed.
    pub open_intents: u32,
    /// Whether it was quarantined and not released since; closing it is no release.
    pub quarantined: bool,
}

/// Denials and modes as they would be if observe mode enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShadowState {
    /// Denials that were not enforced.
    pub strikes: u32,
    /// The mode that the run would be in.
    pub mode: RunMode,
}

impl RunRecord {
    /// A run in which nothing has happened yet.
    pub fn new(subject: String, implicit: bool, opened: Time) -> RunRecord {
        RunRecord {
            subject,
            implicit,
            opened,
            mode: RunMode::Normal,
            counters: RunCounters::default(),
            taint: TaintSet::default(),
            latches: BTreeMap::new(),
            shadow: ShadowState::default(),
            recent: RecentCalls::default(),
            generation: 0,
            open_intents: 0,
            quarantined: false,
        }
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        self.mode == RunMode::Closed
    }
}

impl RecordCodec for RunRecord {
    const VERSION: u8 = 4;

    fn write(&self, w: &mut Writer) {
        w.text(&self.subject);
        w.bool(self.implicit);
        w.u64(self.opened.0);
        w.u8(self.mode.number());
        self.counters.write(w);
        self.taint.write(w);
        w.count(self.latches.len());
        for (rule, step) in &self.latches {
            w.short_text(rule);
            w.u8(*step);
        }
        w.u32(self.shadow.strikes);
        w.u8(self.shadow.mode.number());
        self.recent.write(w);
        w.u32(self.generation);
        w.u32(self.open_intents);
        w.bool(self.quarantined);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(RunRecord {
            subject: r.text("the subject", TEXT_BYTES_MAX)?,
            implicit: r.bool("implicit")?,
            opened: r.time("opened")?,
            mode: read_mode(r)?,
            counters: RunCounters::read(r)?,
            taint: TaintSet::read(r)?,
            latches: read_latches(r)?,
            shadow: ShadowState { strikes: r.u32("the shadow strikes")?, mode: read_mode(r)? },
            recent: RecentCalls::read(r)?,
            generation: r.u32("the generation")?,
            open_intents: r.u32("the open intents")?,
            quarantined: r.bool("quarantined")?,
        })
    }
}

/// Reads a mode's number.
pub(crate) fn read_mode(r: &mut Reader<'_>) -> Result<RunMode, CodecError> {
    let number = r.u8("a run's mode")?;
    RunMode::from_number(number).ok_or(CodecError::Choice { what: "a run's mode", got: u64::from(number) })
}

fn read_latches(r: &mut Reader<'_>) -> Result<BTreeMap<String, u8>, CodecError> {
    let count = r.count("the latches", LATCHES_MAX)?;
    (0..count).map(|_| Ok((r.short_text("a rule", NAME_BYTES_MAX)?, r.u8("a step")?))).collect()
}
