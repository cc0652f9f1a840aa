//! What one decision may still spend on what a policy's author can make arbitrarily long: patterns, conditions and Rego.
//!
//! Capabilities, schemas, labels of resources, contracts, rules and the second pass of a replaced call share it. What cannot be paid
//! for is not done, counts against the caller, and the call is denied with `POLICY_BUDGET`. Units are counted and not timed, so that
//! every replica runs out at the same point.

use core::cell::Cell;

use super::cel::STEPS_MAX;
use super::limits::PATTERN_UNITS_PER_CALL_MAX;
use super::rego::limits::BUDGET_DEFAULT as REGO_UNITS_PER_CALL_MAX;

/// The budgets of one decision. The default is full.
#[derive(Debug)]
pub struct Work {
    /// Units that patterns may still take; nothing when there were not enough.
    pattern: Cell<Option<usize>>,
    /// Steps that conditions may still take.
    pub(super) steps: Cell<u32>,
    /// Units that Rego may still take.
    rego: Cell<u64>,
    rego_spent: Cell<u64>,
}

impl Default for Work {
    fn default() -> Work {
        Work {
            pattern: Cell::new(Some(PATTERN_UNITS_PER_CALL_MAX)),
            steps: Cell::new(STEPS_MAX),
            rego: Cell::new(REGO_UNITS_PER_CALL_MAX),
            rego_spent: Cell::new(0),
        }
    }
}

impl Work {
    /// Pays for looking for a pattern. Once something could not be paid for, nothing can.
    pub(super) fn spend_pattern(&self, units: usize) -> bool {
        let left = self.pattern.get().and_then(|left| left.checked_sub(units));
        self.pattern.set(left);
        left.is_some()
    }

    /// Units that patterns may still take.
    pub(super) fn pattern_units(&self) -> usize {
        self.pattern.get().unwrap_or_default()
    }

    /// Whether a pattern could not be paid for.
    pub fn is_exhausted(&self) -> bool {
        self.pattern.get().is_none()
    }

    /// Lets Rego take nothing: the tenant has used up what it has for it.
    pub fn refuse_rego(&self) {
        self.rego.set(0);
    }

    /// Units that Rego may still take.
    pub(super) fn rego(&self) -> u64 {
        self.rego.get()
    }

    /// Counts what an evaluation of Rego took. It may be somewhat more than there was.
    pub(super) fn spend_rego(&self, units: u64) {
        self.rego.set(self.rego.get().saturating_sub(units));
        self.rego_spent.set(self.rego_spent.get().saturating_add(units));
    }

    /// Units that Rego has taken.
    pub fn rego_spent(&self) -> u64 {
        self.rego_spent.get()
    }
}
