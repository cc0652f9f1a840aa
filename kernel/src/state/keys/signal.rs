//! What was reported about a run, a subject or the tenant: `Signal(tenant, scope)`, with the scope as of `SignalScope::key`.
//! One record a scope, however many reports there are.

use assent_ledger::ids::Time;

use crate::codec::{CodecError, Reader, Writer};
use crate::command::Signals;
use crate::state::record::RecordCodec;

/// The last value of one signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// The value.
    pub value: u32,
    /// From when on it says nothing any more.
    pub expires: Time,
}

/// The last value of each signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignalRecord {
    /// How risky it is, in thousandths.
    pub risk_milli: Option<Reported>,
    /// How much waits to be done.
    pub queue_depth: Option<Reported>,
    /// How much of a budget is used, in thousandths.
    pub budget_use_milli: Option<Reported>,
}

impl SignalRecord {
    /// Takes a report in: what it does not name stays.
    pub fn report(&mut self, signals: &Signals, expires: Time) {
        let take = |slot: &mut Option<Reported>, value: Option<u32>| {
            *slot = value.map(|value| Reported { value, expires }).or(*slot);
        };
        take(&mut self.risk_milli, signals.risk_milli);
        take(&mut self.queue_depth, signals.queue_depth);
        take(&mut self.budget_use_milli, signals.budget_use_milli);
    }

    /// What holds now.
    pub fn signals(&self, now: Time) -> Signals {
        let held = |slot: Option<Reported>| slot.filter(|known| known.expires > now).map(|known| known.value);
        Signals {
            risk_milli: held(self.risk_milli),
            queue_depth: held(self.queue_depth),
            budget_use_milli: held(self.budget_use_milli),
        }
    }
}

impl RecordCodec for SignalRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        for slot in [self.risk_milli, self.queue_depth, self.budget_use_milli] {
            w.option(slot, |w, known| {
                w.u32(known.value);
                w.u64(known.expires.0);
            });
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let slot = |r: &mut Reader<'_>| {
            r.option("a signal", |r| Ok(Reported { value: r.u32("a signal")?, expires: r.time("a signal's end")? }))
        };
        Ok(SignalRecord { risk_milli: slot(r)?, queue_depth: slot(r)?, budget_use_milli: slot(r)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_ends_by_itself_and_what_is_not_named_stays() {
        let mut record = SignalRecord::default();
        record.report(&Signals { risk_milli: Some(900), queue_depth: Some(7), ..Signals::default() }, Time(10));
        record.report(&Signals { risk_milli: Some(300), ..Signals::default() }, Time(20));
        let at = |now| record.signals(Time(now));
        assert_eq!((at(9).risk_milli, at(9).queue_depth), (Some(300), Some(7)));
        assert_eq!((at(10).risk_milli, at(10).queue_depth), (Some(300), None));
        assert!(at(20).is_empty());
        assert_eq!(SignalRecord::decode(&record.encode()), Ok(record));
    }
}
