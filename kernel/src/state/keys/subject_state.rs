//! What holds for all runs of a subject: `SubjectState(tenant, subject)`; absent while nothing does. Bounded.

use std::collections::BTreeMap;

use assent_ledger::ids::{Seq, Time};

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{INBOX_LABELS_MAX, LATCHES_MAX, NAME_BYTES_MAX, QUARANTINED_RUNS_MAX};
use crate::state::record::RecordCodec;
use crate::taint::{OTHER_ORIGINS, TaintLabel};

/// What no new run of a subject escapes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectStateRecord {
    /// Its runs that are quarantined; at the cap the oldest stay. While there is one, listed or not, every run of the subject is.
    pub quarantined: Vec<String>,
    /// How many more of its runs are quarantined than there is room to list.
    pub unlisted: u32,
    /// No decision of the subject before this position can be redeemed, and no lease that it held or passed on before is worth
    /// anything: it was quarantined, disabled or stopped since.
    pub void_before: Seq,
    /// Labels of messages that it may have read, each with the time until which it joins every run in which the subject acts.
    pub inbox: Vec<InboxLabel>,
    /// How many runs, messages or delegations lay between a person and the messages that it may have read, at most.
    pub generation: u32,
    /// When the last of these messages expires.
    pub generation_until: Time,
    /// How far each behaviour rule across runs has come, by rule id.
    pub latches: BTreeMap<String, u8>,
}

/// A label that came with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxLabel {
    /// The label.
    pub label: TaintLabel,
    /// Until when it holds.
    pub until: Time,
}

impl SubjectStateRecord {
    /// Whether nothing holds, so that there need be no record.
    pub fn is_empty(&self) -> bool {
        *self == SubjectStateRecord::default()
    }

    /// Whether a run of the subject is quarantined, and with it all of them.
    pub const fn is_quarantined(&self) -> bool {
        self.unlisted > 0 || !self.quarantined.is_empty()
    }

    /// Takes a run into quarantine.
    pub fn quarantine(&mut self, run_id: &str) {
        if self.quarantined.len() < QUARANTINED_RUNS_MAX {
            self.quarantined.push(run_id.to_owned());
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    /// Lets a run out of quarantine that was taken into it.
    pub fn release(&mut self, run_id: &str) {
        match self.quarantined.iter().position(|known| known == run_id) {
            Some(at) => {
                self.quarantined.remove(at);
            }
            None => self.unlisted = self.unlisted.saturating_sub(1),
        }
    }

    /// The labels that join a run in which the subject acts now.
    pub fn labels(&self, now: Time) -> impl Iterator<Item = &TaintLabel> {
        self.inbox.iter().filter(move |item| item.until > now).map(|item| &item.label)
    }

    /// The generation that a run in which the subject acts now has at least.
    pub fn generation(&self, now: Time) -> u32 {
        if self.generation_until > now { self.generation } else { 0 }
    }

    /// A message came that is so far from a person, whatever it carries.
    pub fn hear(&mut self, generation: u32, until: Time, now: Time) {
        self.generation = self.generation(now).max(generation);
        self.generation_until = self.generation_until.max(until);
    }

    /// Takes a label in; what has expired goes, and beyond the cap origins are not told apart any more.
    pub fn receive(&mut self, label: &TaintLabel, until: Time, now: Time) {
        self.inbox.retain(|item| item.until > now);
        if self.join(label, until) {
            return;
        }
        let any = TaintLabel { origin: OTHER_ORIGINS.to_owned(), propagated_from: None, ..label.clone() };
        if self.inbox.len() < INBOX_LABELS_MAX {
            self.inbox.push(InboxLabel { label: label.clone(), until });
        } else if !self.join(&any, until) {
            // One of each source beyond the cap: there are few sources.
            self.inbox.push(InboxLabel { label: any, until });
        }
    }

    fn join(&mut self, label: &TaintLabel, until: Time) -> bool {
        let same = |item: &&mut InboxLabel| item.label.source == label.source && item.label.origin == label.origin;
        let Some(item) = self.inbox.iter_mut().find(same) else { return false };
        item.until = item.until.max(until);
        item.label.confidence_milli = item.label.confidence_milli.max(label.confidence_milli);
        true
    }
}

impl RecordCodec for SubjectStateRecord {
    const VERSION: u8 = 4;

    fn write(&self, w: &mut Writer) {
        w.count(self.quarantined.len());
        self.quarantined.iter().for_each(|run| w.text(run));
        w.u32(self.unlisted);
        w.u64(self.void_before.0);
        w.count(self.inbox.len());
        for item in &self.inbox {
            item.label.write(w);
            w.u64(item.until.0);
        }
        w.u32(self.generation);
        w.u64(self.generation_until.0);
        w.count(self.latches.len());
        for (rule, step) in &self.latches {
            w.text(rule);
            w.u8(*step);
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let runs = r.count("the runs", QUARANTINED_RUNS_MAX)?;
        let quarantined: Result<Vec<String>, _> = (0..runs).map(|_| r.text("a run", NAME_BYTES_MAX)).collect();
        let unlisted = r.u32("the runs that are not listed")?;
        let void_before = r.seq("the void decisions")?;
        let labels = r.count("the inbox", INBOX_LABELS_MAX + crate::taint::TaintSource::ALL.len())?;
        let inbox: Result<Vec<InboxLabel>, _> =
            (0..labels).map(|_| Ok(InboxLabel { label: TaintLabel::read(r)?, until: r.time("until")? })).collect();
        let (quarantined, inbox) = (quarantined?, inbox?);
        let (generation, generation_until) = (r.u32("the generation")?, r.time("its end")?);
        let rules = r.count("the latches", LATCHES_MAX)?;
        let latches: Result<BTreeMap<String, u8>, _> =
            (0..rules).map(|_| Ok((r.text("a rule", NAME_BYTES_MAX)?, r.u8("a step")?))).collect();
        let latches = latches?;
        Ok(SubjectStateRecord { quarantined, unlisted, void_before, inbox, generation, generation_until, latches })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::TaintSource;

    fn label(source: TaintSource, origin: String) -> TaintLabel {
        TaintLabel { source, origin, confidence_milli: 500, propagated_from: Some("m".into()) }
    }

    #[test]
    fn an_inbox_forgets_what_expired_and_nothing_else() {
        let mut subject = SubjectStateRecord::default();
        subject.receive(&label(TaintSource::Web, "a".into()), Time(10), Time(1));
        subject.receive(&label(TaintSource::Web, "a".into()), Time(5), Time(2));
        assert_eq!((subject.labels(Time(9)).count(), subject.labels(Time(10)).count()), (1, 0));
        subject.receive(&label(TaintSource::Email, "b".into()), Time(20), Time(10));
        assert_eq!(subject.inbox.len(), 1);
    }

    #[test]
    fn the_farthest_message_counts_until_the_last_one_expires() {
        let mut subject = SubjectStateRecord::default();
        subject.hear(3, Time(10), Time(1));
        subject.hear(1, Time(20), Time(2));
        assert_eq!([9, 10, 19, 20].map(|now| subject.generation(Time(now))), [3, 3, 3, 0]);
        subject.hear(2, Time(30), Time(20));
        assert_eq!([20, 29, 30].map(|now| subject.generation(Time(now))), [2, 2, 0], "what has expired counts no more");
        assert_eq!(SubjectStateRecord::decode(&subject.encode()), Ok(subject));
    }

    #[test]
    fn beyond_the_cap_sources_are_still_told_apart() {
        let mut subject = SubjectStateRecord::default();
        for n in 0..200 {
            let source = if n % 2 == 0 { TaintSource::Web } else { TaintSource::Rag };
            subject.receive(&label(source, format!("o-{n}")), Time(100 + n), Time(1));
        }
        assert_eq!(subject.inbox.len(), INBOX_LABELS_MAX + 2);
        assert_eq!(subject.labels(Time(290)).filter(|label| label.origin == OTHER_ORIGINS).count(), 2);
        assert_eq!(SubjectStateRecord::decode(&subject.encode()), Ok(subject));
    }
}
