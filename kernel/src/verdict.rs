//! The four verdicts, ordered from the most to the least restrictive.

use core::fmt;

/// What the kernel says about a call. The smaller the number, the more restrictive; votes combine with `min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// The call must not run.
    Deny = 1,
    /// A person has to agree first.
    Escalate = 2,
    /// Another call is to run in its place.
    Compute = 3,
    /// The call may run.
    Allow = 4,
}

impl Verdict {
    /// The number that stands for this verdict in stored bytes.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The verdict with this number, if there is one.
    pub const fn from_number(number: u8) -> Option<Verdict> {
        match number {
            1 => Some(Verdict::Deny),
            2 => Some(Verdict::Escalate),
            3 => Some(Verdict::Compute),
            4 => Some(Verdict::Allow),
            _ => None,
        }
    }

    /// The lower-case name used in records.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Deny => "deny",
            Verdict::Escalate => "escalate",
            Verdict::Compute => "compute",
            Verdict::Allow => "allow",
        }
    }

    /// The verdict with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Verdict> {
        [Verdict::Deny, Verdict::Escalate, Verdict::Compute, Verdict::Allow].into_iter().find(|v| v.name() == name)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_round_trip_and_restrictive_sorts_first() {
        for number in 0..=u8::MAX {
            if let Some(verdict) = Verdict::from_number(number) {
                assert_eq!(verdict.number(), number);
                assert_eq!(Verdict::from_name(verdict.name()), Some(verdict));
            }
        }
        assert!(Verdict::Deny < Verdict::Escalate && Verdict::Escalate < Verdict::Compute);
        assert_eq!(Verdict::Compute.min(Verdict::Allow), Verdict::Compute);
    }
}
