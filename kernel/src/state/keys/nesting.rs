//! The executions of a run that are under way: `Nesting(tenant, run id)`; absent while there is none. Bounded: beyond its cap
//! executions are not told apart any more, and count as one that is as deep as the deepest of them.

use assent_ledger::ids::Time;

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{NAME_BYTES_MAX, UNDER_WAY_MAX};
use crate::state::record::RecordCodec;

/// An execution that was started and whose outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// The decision that is carried out; empty for those beyond the cap.
    pub decision_id: String,
    /// How many calls it is nested in.
    pub depth: u32,
    /// How many calls came from it.
    pub children: u32,
    /// Until when it counts: an outcome that never comes must not stop a run for ever.
    pub until: Time,
}

/// The executions that are under way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NestingRecord {
    /// Those that are told apart, in the order of their starts.
    pub under_way: Vec<UnderWay>,
    /// All others as one.
    pub rest: Option<UnderWay>,
}

impl NestingRecord {
    /// Whether nothing is under way, so that there need be no record.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.rest.is_none()
    }

    /// The execution in which a call is made now. A call that names none is taken to come from the deepest: nobody escapes a limit by
    /// saying nothing. Nothing when nothing is under way.
    ///
    /// # Errors
    /// The named decision is not being carried out in this run.
    pub fn parent(&self, named: Option<&str>, now: Time) -> Result<Option<&UnderWay>, NotUnderWay> {
        let mut live = self.under_way.iter().filter(|known| known.until > now);
        let rest = self.rest.as_ref().filter(|rest| rest.until > now);
        match named {
            Some(id) => live.find(|known| known.decision_id == id).or(rest).map(Some).ok_or(NotUnderWay),
            None => Ok(live.chain(rest).max_by_key(|known| (known.depth, known.children))),
        }
    }

    /// An execution starts; those that count no longer go.
    pub fn start(&mut self, decision_id: &str, depth: u32, until: Time, now: Time) {
        self.under_way.retain(|known| known.until > now);
        self.rest = self.rest.take().filter(|rest| rest.until > now);
        let new = UnderWay { decision_id: decision_id.to_owned(), depth, children: 0, until };
        if self.under_way.len() < UNDER_WAY_MAX {
            self.under_way.push(new);
            return;
        }
        self.rest = Some(match self.rest.take() {
            Some(rest) => UnderWay { depth: rest.depth.max(depth), until: rest.until.max(until), ..rest },
            None => UnderWay { decision_id: String::new(), ..new },
        });
    }

    /// The outcome of an execution is known.
    pub fn end(&mut self, decision_id: &str) {
        self.under_way.retain(|known| known.decision_id != decision_id);
    }

    /// A call came from an execution.
    pub fn count_child(&mut self, decision_id: &str) {
        let found = self.under_way.iter_mut().find(|known| known.decision_id == decision_id);
        if let Some(parent) = found.or(self.rest.as_mut()) {
            parent.children = parent.children.saturating_add(1);
        }
    }
}

/// A decision that is not being carried out in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUnderWay;

impl RecordCodec for NestingRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.count(self.under_way.len());
        self.under_way.iter().for_each(|known| write(known, w));
        w.option(self.rest.as_ref(), |w, rest| write(rest, w));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let count = r.count("the executions", UNDER_WAY_MAX)?;
        let under_way: Result<Vec<UnderWay>, _> = (0..count).map(|_| read(r)).collect();
        Ok(NestingRecord { under_way: under_way?, rest: r.option("the other executions", read)? })
    }
}

fn write(known: &UnderWay, w: &mut Writer) {
    w.text(&known.decision_id);
    w.u32(known.depth);
    w.u32(known.children);
    w.u64(known.until.0);
}

fn read(r: &mut Reader<'_>) -> Result<UnderWay, CodecError> {
    Ok(UnderWay {
        decision_id: r.text("the decision", NAME_BYTES_MAX)?,
        depth: r.u32("the depth")?,
        children: r.u32("the children")?,
        until: r.time("the end")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(nesting: &NestingRecord, named: Option<&str>, now: u64) -> Result<Option<u32>, NotUnderWay> {
        nesting.parent(named, Time(now)).map(|found| found.map(|parent| parent.depth))
    }

    #[test]
    fn who_names_no_parent_comes_from_the_deepest() {
        let mut nesting = NestingRecord::default();
        assert_eq!(depth(&nesting, None, 1), Ok(None));
        assert_eq!(depth(&nesting, Some("a"), 1), Err(NotUnderWay));
        nesting.start("a", 0, Time(100), Time(1));
        nesting.start("b", 2, Time(50), Time(1));
        assert_eq!((depth(&nesting, None, 1), depth(&nesting, Some("a"), 1)), (Ok(Some(2)), Ok(Some(0))));
        assert_eq!((depth(&nesting, None, 50), depth(&nesting, Some("b"), 50)), (Ok(Some(0)), Err(NotUnderWay)));
        nesting.end("a");
        assert_eq!(depth(&nesting, Some("a"), 1), Err(NotUnderWay));
    }

    #[test]
    fn beyond_the_cap_the_deepest_counts_for_all() {
        let mut nesting = NestingRecord::default();
        for n in 0..UNDER_WAY_MAX + 9 {
            let depth = if n == UNDER_WAY_MAX + 3 { 7 } else { 1 };
            nesting.start(&format!("d-{n}"), depth, Time(100), Time(1));
        }
        assert_eq!(nesting.under_way.len(), UNDER_WAY_MAX);
        assert_eq!((depth(&nesting, Some("d-0"), 1), depth(&nesting, Some("forged"), 1)), (Ok(Some(1)), Ok(Some(7))));
        nesting.count_child("d-0");
        nesting.count_child("forged");
        let children = |named| nesting.parent(Some(named), Time(1)).map(|found| found.map(|parent| parent.children));
        assert_eq!((children("d-0"), children("d-1"), children("x")), (Ok(Some(1)), Ok(Some(0)), Ok(Some(1))));
        assert_eq!(NestingRecord::decode(&nesting.encode()), Ok(nesting));
    }
}
