//! What a replay found, one finding per command at most: the first thing that does not hold.

use core::fmt;

use assent_ledger::ids::{Seq, TenantId};

/// One thing that a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The entry.
    pub seq: Seq,
    /// Whose it is.
    pub tenant: TenantId,
    /// What was found.
    pub what: Found,
}

/// What a replay can find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Deciding again gives something else than the record says.
    Differs {
        /// Where, as a path into the entry such as `body.verdict`; `entry` for the entry as a whole.
        field: String,
        /// What the entry says.
        recorded: String,
        /// What this kernel decides.
        computed: String,
    },
    /// The record says that it happened, and this kernel would have refused it.
    Refused {
        /// Number of the refusal.
        number: u16,
        /// Its text.
        text: String,
    },
    /// No command of the record makes this entry.
    Unexplained,
    /// It cannot be decided again. The state goes on from the leaf.
    NotReplayable(Why),
}

/// Why something cannot be decided again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A payload that the decision read was erased.
    PayloadErased {
        /// Its role.
        role: &'static str,
    },
    /// A payload that the decision read was not handed over.
    PayloadMissing {
        /// Its role.
        role: &'static str,
    },
    /// The state that it was decided on rests on a payload that is gone.
    RestsOnLost,
    /// The source of the bundle that decided is gone.
    BundleMissing,
    /// This kernel does not know the entry's type.
    UnknownType,
    /// Another kernel decided.
    OtherKernel {
        /// Its version.
        version: u32,
    },
}

impl Found {
    /// The stable name, in capitals.
    pub const fn name(&self) -> &'static str {
        match self {
            Found::Differs { .. } => "DIFFERS",
            Found::Refused { .. } => "REFUSED",
            Found::Unexplained => "UNEXPLAINED",
            Found::NotReplayable(_) => "NOT_REPLAYABLE",
        }
    }

    /// Whether the record contradicts this kernel. What cannot be replayed does not.
    pub const fn contradicts(&self) -> bool {
        !matches!(self, Found::NotReplayable(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at entry {} of tenant {}: ", self.what.name(), self.seq, self.tenant)?;
        match &self.what {
            Found::Differs { field, recorded, computed } => {
                write!(f, "{field} is {recorded} on the record and {computed} when it is decided again")
            }
            Found::Refused { text, .. } => write!(f, "this kernel refuses it: {text}"),
            Found::Unexplained => f.write_str("no command of the record makes this entry"),
            Found::NotReplayable(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::PayloadErased { role } => write!(f, "its {role} payload was erased"),
            Why::PayloadMissing { role } => write!(f, "its {role} payload was not handed over"),
            Why::RestsOnLost => f.write_str("the state that it was decided on rests on a payload that is gone"),
            Why::BundleMissing => f.write_str("the source of the bundle that decided is gone"),
            Why::UnknownType => {
                f.write_str("this kernel does not know its type; replay it with the kernel that wrote it")
            }
            Why::OtherKernel { version } => {
                write!(f, "kernel version {version} decided it; replay it with the archived binary of that version")
            }
        }
    }
}
