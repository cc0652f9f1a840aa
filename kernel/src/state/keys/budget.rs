//! What of a budget is used: `Budget(tenant, key)`. The key names the budget, whose it is, its unit and its period.

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// What of a budget is used within its current period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BudgetRecord {
    /// The period, counted from 1970; 0 when the budget has none.
    pub window: u64,
    /// What is set aside for calls whose outcome is not known.
    pub reserved: u64,
    /// What is used up.
    pub spent: u64,
}

impl BudgetRecord {
    /// Used up and set aside together.
    pub const fn used(&self) -> u64 {
        self.spent.saturating_add(self.reserved)
    }

    /// Sets an amount aside in a period. A later period than the record's starts anew; what comes late to an earlier one is forgotten with it.
    pub fn reserve(&mut self, window: u64, amount: u64) {
        if window > self.window {
            *self = BudgetRecord { window, ..BudgetRecord::default() };
        }
        if window == self.window {
            self.reserved = self.reserved.saturating_add(amount);
        }
    }

    /// Replaces what was set aside in a period by what was used; 0 gives it back.
    pub fn settle(&mut self, window: u64, reserved: u64, used: u64) {
        if window == self.window {
            self.reserved = self.reserved.saturating_sub(reserved);
            self.spent = self.spent.saturating_add(used);
        }
    }
}

impl RecordCodec for BudgetRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.u64(self.window);
        w.u64(self.reserved);
        w.u64(self.spent);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(BudgetRecord {
            window: r.u64("the period")?,
            reserved: r.u64("what is set aside")?,
            spent: r.u64("what is spent")?,
        })
    }
}
