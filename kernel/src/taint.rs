//! Taint: which untrusted sources have touched a run, a message or a memory entry. It is joined, never stripped.
//!
//! A set keeps one counter per (source, origin). Origins are capped; what comes after the cap is counted under `*`, so that a
//! label costs the same on the ten-thousandth call as on the tenth.

use std::collections::BTreeMap;

use assent_ledger::ids::Time;

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{NAME_BYTES_MAX, TAINT_LABELS_MAX, TAINT_ORIGINS_MAX};

/// Where tainted data came from. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TaintSource {
    /// Fetched from the internet.
    Web = 1,
    /// Retrieved from a vector store.
    Rag = 2,
    /// The content of an email.
    Email = 3,
    /// A retrieved document.
    RetrievedDoc = 4,
    /// Produced by a model.
    ModelGenerated = 5,
    /// Direct input of a user.
    UserProvided = 6,
    /// Output of an earlier call.
    ToolOutput = 7,
}

impl TaintSource {
    /// Every source, by ascending number.
    pub const ALL: [TaintSource; 7] = [
        TaintSource::Web,
        TaintSource::Rag,
        TaintSource::Email,
        TaintSource::RetrievedDoc,
        TaintSource::ModelGenerated,
        TaintSource::UserProvided,
        TaintSource::ToolOutput,
    ];

    /// The number that is stored.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The source of a number.
    pub fn from_number(number: u8) -> Option<TaintSource> {
        TaintSource::ALL.into_iter().find(|source| source.number() == number)
    }

    /// The name in rules, entries and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            TaintSource::Web => "web",
            TaintSource::Rag => "rag",
            TaintSource::Email => "email",
            TaintSource::RetrievedDoc => "retrieved-doc",
            TaintSource::ModelGenerated => "model-generated",
            TaintSource::UserProvided => "user-provided",
            TaintSource::ToolOutput => "tool-output",
        }
    }

    /// The source of a name.
    pub fn from_name(name: &str) -> Option<TaintSource> {
        TaintSource::ALL.into_iter().find(|source| source.name() == name)
    }

    /// Whether data of this source may carry instructions of strangers.
    pub const fn is_untrusted(self) -> bool {
        matches!(self, TaintSource::Web | TaintSource::Rag | TaintSource::Email | TaintSource::RetrievedDoc)
    }
}

/// One label as it is attached: by an executor, by hand, by a message or by memory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaintLabel {
    /// The kind of source.
    pub source: TaintSource,
    /// Which one, such as a host or a collection: a name, never text of the data itself.
    pub origin: String,
    /// How sure the labeller is, in thousandths, 0 to 1000.
    pub confidence_milli: u16,
    /// The decision, message or memory entry that it came with.
    pub propagated_from: Option<String>,
}

impl TaintLabel {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.u8(self.source.number());
        w.text(&self.origin);
        w.u16(self.confidence_milli);
        w.text_opt(self.propagated_from.as_deref());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<TaintLabel, CodecError> {
        Ok(TaintLabel {
            source: read_source(r)?,
            origin: r.text("the label's origin", NAME_BYTES_MAX)?,
            confidence_milli: r.u16("the label's confidence")?,
            propagated_from: r.text_opt("the label's cause", NAME_BYTES_MAX)?,
        })
    }
}

/// Writes a list of labels.
pub(crate) fn write_labels(labels: &[TaintLabel], w: &mut Writer) {
    w.count(labels.len());
    labels.iter().for_each(|label| label.write(w));
}

/// Reads a list of at most `TAINT_LABELS_MAX` labels.
pub(crate) fn read_labels(r: &mut Reader<'_>) -> Result<Vec<TaintLabel>, CodecError> {
    let count = r.count("the labels", TAINT_LABELS_MAX)?;
    (0..count).map(|_| TaintLabel::read(r)).collect()
}

fn read_source(r: &mut Reader<'_>) -> Result<TaintSource, CodecError> {
    let number = r.u8("a taint source")?;
    TaintSource::from_number(number).ok_or(CodecError::Choice { what: "a taint source", got: u64::from(number) })
}

/// The origin that stands for all that came after the cap.
pub const OTHER_ORIGINS: &str = "*";

/// Everything that has touched something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaintSet {
    entries: BTreeMap<(TaintSource, String), Touch>,
    /// The sources of the entries, a bit for each by its number: every call asks for them, and there may be many entries.
    sources: u16,
}

/// A source's place in a set of sources.
const fn bit_of(source: TaintSource) -> u16 {
    1 << source.number()
}

/// How one origin touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// How often; saturates.
    pub count: u32,
    /// When first.
    pub first_seen: Time,
    /// The highest confidence, in thousandths.
    pub confidence_milli: u16,
}

impl TaintSet {
    /// Joins one label.
    pub fn join(&mut self, label: &TaintLabel, at: Time) {
        self.touch(
            label.source,
            &label.origin,
            Touch { count: 1, first_seen: at, confidence_milli: label.confidence_milli },
        );
    }

    /// Joins another set; what it saw first counts as seen then.
    pub fn union(&mut self, other: &TaintSet) {
        for ((source, origin), touch) in &other.entries {
            self.touch(*source, origin, *touch);
        }
    }

    fn touch(&mut self, source: TaintSource, origin: &str, new: Touch) {
        self.sources |= bit_of(source);
        let known = self.entries.contains_key(&(source, origin.to_owned()));
        let origin = if known || self.entries.len() < TAINT_ORIGINS_MAX { origin } else { OTHER_ORIGINS };
        self.entries
            .entry((source, origin.to_owned()))
            .and_modify(|touch| {
                touch.count = touch.count.saturating_add(new.count);
                touch.first_seen = touch.first_seen.min(new.first_seen);
                touch.confidence_milli = touch.confidence_milli.max(new.confidence_milli);
            })
            .or_insert(new);
    }

    /// Whether this source has touched.
    pub const fn has(&self, source: TaintSource) -> bool {
        self.sources & bit_of(source) != 0
    }

    /// Whether any source that may carry instructions of strangers has touched.
    pub fn is_untrusted(&self) -> bool {
        self.sources().any(TaintSource::is_untrusted)
    }

    /// The sources, each once, by ascending number.
    pub fn sources(&self) -> impl Iterator<Item = TaintSource> + '_ {
        TaintSource::ALL.into_iter().filter(|source| self.has(*source))
    }

    /// Every origin with how it touched, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (TaintSource, &str, &Touch)> {
        self.entries.iter().map(|((source, origin), touch)| (*source, origin.as_str(), touch))
    }

    /// How many origins have touched.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing has touched.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The set as labels that say where they came from, for what it is carried by.
    pub fn labels_from(&self, propagated_from: &str) -> Vec<TaintLabel> {
        let label = |(source, origin, touch): (TaintSource, &str, &Touch)| TaintLabel {
            source,
            origin: origin.to_owned(),
            confidence_milli: touch.confidence_milli,
            propagated_from: Some(propagated_from.to_owned()),
        };
        self.iter().map(label).collect()
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.count(self.entries.len());
        for (source, origin, touch) in self.iter() {
            w.u8(source.number());
            w.short_text(origin);
            w.u32(touch.count);
            w.u64(touch.first_seen.0);
            w.u16(touch.confidence_milli);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<TaintSet, CodecError> {
        let mut set = TaintSet::default();
        // Beyond the cap each source has at most one more, its `*`.
        for _ in 0..r.count("the taint", TAINT_ORIGINS_MAX + TaintSource::ALL.len())? {
            let key = (read_source(r)?, r.short_text("an origin", NAME_BYTES_MAX)?);
            let touch = Touch {
                count: r.u32("a count")?,
                first_seen: r.time("a time")?,
                confidence_milli: r.u16("a confidence")?,
            };
            set.sources |= bit_of(key.0);
            set.entries.insert(key, touch);
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn label(source: TaintSource, origin: &str) -> TaintLabel {
        TaintLabel { source, origin: origin.to_owned(), confidence_milli: 900, propagated_from: None }
    }

    #[test]
    fn numbers_and_names_round_trip() {
        for source in TaintSource::ALL {
            assert_eq!(TaintSource::from_number(source.number()), Some(source));
            assert_eq!(TaintSource::from_name(source.name()), Some(source));
        }
        assert_eq!(TaintSource::from_number(0), None);
    }

    #[test]
    fn origins_are_capped_and_nothing_is_lost() {
        let mut set = TaintSet::default();
        for n in 0..1_000 {
            set.join(&label(TaintSource::Web, &format!("host-{n}")), Time(n));
        }
        set.join(&label(TaintSource::Email, "late"), Time(9));
        assert_eq!(set.iter().count(), TAINT_ORIGINS_MAX + 2);
        let total: u32 = set.iter().map(|(_, _, touch)| touch.count).sum();
        assert_eq!(total, 1_001);
        assert!(set.has(TaintSource::Email) && !set.has(TaintSource::Rag) && set.is_untrusted());
        let mut w = Writer::new();
        set.write(&mut w);
        assert_eq!(TaintSet::read(&mut Reader::new(&w.finish())).unwrap(), set);
        assert!(TaintSet::default().is_empty() && !set.is_empty());
    }

    #[test]
    fn a_stored_set_has_no_more_origins_than_are_ever_kept() {
        let stored = |origins: usize| {
            let mut w = Writer::new();
            w.count(origins);
            for n in 0..origins {
                w.u8(TaintSource::Web.number());
                w.short_text(&format!("{n:02}"));
                w.u32(1);
                w.u64(1);
                w.u16(1);
            }
            TaintSet::read(&mut Reader::new(&w.finish())).map(|set| set.len())
        };
        let most = TAINT_ORIGINS_MAX + TaintSource::ALL.len();
        assert_eq!(stored(most), Ok(most));
        assert!(stored(most + 1).is_err());
    }

    #[test]
    fn a_union_takes_the_earliest_and_the_surest() {
        let (mut a, mut b) = (TaintSet::default(), TaintSet::default());
        a.join(&label(TaintSource::Web, "x"), Time(7));
        b.join(&TaintLabel { confidence_milli: 1_000, ..label(TaintSource::Web, "x") }, Time(3));
        a.union(&b);
        let (_, _, touch) = a.iter().next().unwrap();
        assert_eq!((touch.count, touch.first_seen, touch.confidence_milli), (2, Time(3), 1_000));
        assert_eq!(a.labels_from("m-1").first().unwrap().propagated_from.as_deref(), Some("m-1"));
    }
}
