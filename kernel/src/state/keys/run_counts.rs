//! All that is counted in a run: `RunCounts(tenant, run id)`. One record, whatever its bundles count and in however many environments the
//! run acts, and bounded: what it has no room for is not taken in, and a decision that would need it denies (`decide/evaluate/room.rs`).

use super::{BudgetRecord, RunRate, ValueDigest, value_digest};
use crate::charge::{Period, Unit};
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{NAME_BYTES_MAX, RUN_COUNTS_BYTES_MAX};
use crate::state::record::RecordCodec;
use crate::value::Number;
use assent_ledger::hash::Hash;

/// Longest text of an exact sum, in bytes: a sign, 38 digits, `e`, and an exponent of three digits with its sign.
const SUM_BYTES_MAX: usize = 1 + 38 + 1 + 4;
/// Longest name of what is counted, in bytes: the id of a baseline's contract rule with what is added up.
const COUNTED_NAME_BYTES_MAX: usize = NAME_BYTES_MAX + 30;

/// What kind of thing is counted. Together with a name and an environment it tells what is counted in a run apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountedKind {
    /// What of a budget is used; one that has another unit or period is another budget.
    Budget(Unit, Period),
    /// How full the buckets of a rate are.
    Rate,
    /// Calls, under a contract across steps.
    Calls,
    /// A sum, under a contract across steps.
    Sum,
    /// Distinct values, under a contract across steps.
    Distinct,
}

impl CountedKind {
    /// Most bytes of an item of this kind under a name of so many bytes, before the second bucket of a rate and each distinct value.
    pub const fn item_bytes(self, name: usize) -> usize {
        let value = match self {
            CountedKind::Budget(..) => 24,
            CountedKind::Rate => 1 + RunRate::BUCKET_BYTES,
            CountedKind::Calls => 8,
            CountedKind::Sum => 1 + SUM_BYTES_MAX,
            CountedKind::Distinct => 2,
        };
        2 + name + value
    }

    /// The number that is stored.
    const fn number(self) -> u8 {
        match self {
            CountedKind::Rate => 1,
            CountedKind::Calls => 2,
            CountedKind::Sum => 3,
            CountedKind::Distinct => 4,
            CountedKind::Budget(unit, period) => 16 * (1 + unit.number()) + period.number(),
        }
    }

    fn from_number(number: u8) -> Option<CountedKind> {
        let budgets =
            Unit::ALL.into_iter().flat_map(|unit| Period::ALL.map(|period| CountedKind::Budget(unit, period)));
        let others = [CountedKind::Rate, CountedKind::Calls, CountedKind::Sum, CountedKind::Distinct];
        others.into_iter().chain(budgets).find(|kind| kind.number() == number)
    }
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// What of a budget is used.
    Budget(Unit, Period, BudgetRecord),
    /// How full the buckets of a rate were, and when.
    Rate(RunRate),
    /// How many calls.
    Calls(u64),
    /// The exact sum, as normal text.
    Sum(Box<str>),
    /// What tells the distinct values apart, ascending.
    Distinct(Vec<ValueDigest>),
}

impl Counted {
    /// Its kind.
    pub const fn kind(&self) -> CountedKind {
        match self {
            Counted::Budget(unit, period, _) => CountedKind::Budget(*unit, *period),
            Counted::Rate(_) => CountedKind::Rate,
            Counted::Calls(_) => CountedKind::Calls,
            Counted::Sum(_) => CountedKind::Sum,
            Counted::Distinct(_) => CountedKind::Distinct,
        }
    }

    /// Bytes that it may take besides those of its kind.
    fn more_bytes(&self) -> usize {
        match self {
            Counted::Rate(rate) if rate.share.is_some() => RunRate::BUCKET_BYTES,
            Counted::Distinct(values) => values.len() * size_of::<ValueDigest>(),
            _ => 0,
        }
    }
}

/// One thing that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    name: Box<str>,
    counted: Counted,
}

/// What is counted in one environment, by name and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    environment: Box<str>,
    items: Vec<Item>,
}

impl Section {
    fn find(&self, kind: CountedKind, name: &str) -> Result<usize, usize> {
        self.items.binary_search_by(|item| (&*item.name, item.counted.kind()).cmp(&(name, kind)))
    }
}

/// All that is counted in a run, by environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunCountsRecord {
    sections: Vec<Section>,
}

impl RunCountsRecord {
    /// Bytes of a record that counts nothing yet in an environment whose name has so many bytes.
    pub const fn empty_bytes(environment: usize) -> usize {
        2 + section_bytes(environment)
    }

    /// Whether nothing is counted, so that there need be no record.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Most bytes of the record as it is stored, whatever its sums become.
    pub fn bytes(&self) -> usize {
        let of = |item: &Item| item.counted.kind().item_bytes(item.name.len()) + item.counted.more_bytes();
        let sections = self.sections.iter();
        2 + sections
            .map(|section| section_bytes(section.environment.len()) + section.items.iter().map(of).sum::<usize>())
            .sum::<usize>()
    }

    /// Every item: environment, name and what was counted, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Counted)> {
        self.sections
            .iter()
            .flat_map(|section| section.items.iter().map(|item| (&*section.environment, &*item.name, &item.counted)))
    }

    /// What was counted; nothing when it was not counted yet.
    pub fn get(&self, environment: &str, kind: CountedKind, name: &str) -> Option<&Counted> {
        let section = self.section(environment)?;
        section.items.get(section.find(kind, name).ok()?).map(|item| &item.counted)
    }

    /// What calls added up to under a contract across steps, of whatever kind it is.
    pub fn added_up(&self, environment: &str, name: &str) -> Option<&Counted> {
        let across = [CountedKind::Calls, CountedKind::Sum, CountedKind::Distinct];
        across.into_iter().find_map(|kind| self.get(environment, kind, name))
    }

    /// What was counted, to be changed.
    pub fn get_mut(&mut self, environment: &str, kind: CountedKind, name: &str) -> Option<&mut Counted> {
        let section = self.sections.iter_mut().find(|section| *section.environment == *environment)?;
        let at = section.find(kind, name).ok()?;
        section.items.get_mut(at).map(|item| &mut item.counted)
    }

    /// What was counted, or `new` in its place, to be changed; nothing when there is no room for it.
    pub fn entry(&mut self, environment: &str, name: &str, new: Counted) -> Option<&mut Counted> {
        let kind = new.kind();
        if self.get(environment, kind, name).is_none() {
            let section = self.section(environment).map_or(section_bytes(environment.len()), |_| 0);
            if !self.has_room(section + kind.item_bytes(name.len())) {
                return None;
            }
            let section = self.open_section(environment)?;
            let at = section.find(kind, name).unwrap_or_else(|at| at);
            section.items.insert(at, Item { name: name.into(), counted: new });
        }
        self.get_mut(environment, kind, name)
    }

    /// Whether the record may grow by so many bytes.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes().saturating_add(bytes) <= RUN_COUNTS_BYTES_MAX
    }

    fn section(&self, environment: &str) -> Option<&Section> {
        self.sections.iter().find(|section| *section.environment == *environment)
    }

    fn open_section(&mut self, environment: &str) -> Option<&mut Section> {
        let at = match self.sections.binary_search_by(|section| (*section.environment).cmp(environment)) {
            Ok(at) => at,
            Err(at) => {
                self.sections.insert(at, Section { environment: environment.into(), items: Vec::new() });
                at
            }
        };
        self.sections.get_mut(at)
    }
}

/// Whether a value is one of those that were told apart.
pub fn is_among(values: &[ValueDigest], value: &Hash) -> bool {
    values.binary_search(&value_digest(value)).is_ok()
}

/// Bytes of a section for an environment whose name has so many bytes, without its items.
const fn section_bytes(environment: usize) -> usize {
    1 + environment + 2
}

impl RecordCodec for RunCountsRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.short_count(self.sections.len());
        for section in &self.sections {
            w.short_text(&section.environment);
            w.u16(u16::try_from(section.items.len()).unwrap_or(u16::MAX));
            section.items.iter().for_each(|item| write_item(item, w));
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let sections: Result<Vec<Section>, _> = (0..r.u8("the environments")?).map(|_| read_section(r)).collect();
        let counts = RunCountsRecord { sections: sections? };
        let ascends = counts.sections.is_sorted_by(|a, b| a.environment < b.environment);
        if ascends && counts.has_room(0) { Ok(counts) } else { Err(CodecError::Invalid { what: "a run's counts" }) }
    }
}

fn read_section(r: &mut Reader<'_>) -> Result<Section, CodecError> {
    let environment = r.short_text("an environment", NAME_BYTES_MAX)?.into();
    let count = r.u16("what is counted")?;
    let items: Result<Vec<Item>, _> = (0..count).map(|_| read_item(r)).collect();
    let section = Section { environment, items: items? };
    let ascends = section.items.is_sorted_by(|a, b| (&a.name, a.counted.kind()) < (&b.name, b.counted.kind()));
    if ascends && count > 0 { Ok(section) } else { Err(CodecError::Invalid { what: "what is counted" }) }
}

fn write_item(item: &Item, w: &mut Writer) {
    w.u8(item.counted.kind().number());
    w.short_text(&item.name);
    match &item.counted {
        Counted::Budget(_, _, budget) => budget.write(w),
        Counted::Rate(rate) => rate.write(w),
        Counted::Calls(calls) => w.u64(*calls),
        Counted::Sum(sum) => w.short_text(sum),
        Counted::Distinct(values) => {
            w.u16(u16::try_from(values.len()).unwrap_or(u16::MAX));
            values.iter().for_each(|value| w.fixed(value));
        }
    }
}

fn read_item(r: &mut Reader<'_>) -> Result<Item, CodecError> {
    let number = r.u8("a kind")?;
    let kind = CountedKind::from_number(number);
    let kind = kind.ok_or(CodecError::Choice { what: "what is counted", got: number.into() })?;
    let name = r.short_text("a name", COUNTED_NAME_BYTES_MAX)?.into();
    let counted = match kind {
        CountedKind::Budget(unit, period) => Counted::Budget(unit, period, BudgetRecord::read(r)?),
        CountedKind::Rate => Counted::Rate(RunRate::read(r)?),
        CountedKind::Calls => Counted::Calls(r.u64("the calls")?),
        CountedKind::Sum => Counted::Sum(read_sum(r)?),
        CountedKind::Distinct => Counted::Distinct(read_values(r)?),
    };
    Ok(Item { name, counted })
}

fn read_sum(r: &mut Reader<'_>) -> Result<Box<str>, CodecError> {
    let text = r.short_text("the sum", SUM_BYTES_MAX)?;
    if Number::parse(&text).is_ok() { Ok(text.into()) } else { Err(CodecError::Invalid { what: "the sum" }) }
}

fn read_values(r: &mut Reader<'_>) -> Result<Vec<ValueDigest>, CodecError> {
    let count = r.u16("the values")?;
    let values: Result<Vec<ValueDigest>, _> = (0..count).map(|_| r.fixed("a value")).collect();
    let values = values?;
    if values.is_sorted_by(|a, b| a < b) { Ok(values) } else { Err(CodecError::Invalid { what: "the values" }) }
}

const _: () = assert!(COUNTED_NAME_BYTES_MAX <= u8::MAX as usize);
// No more environments than one byte counts: each has at least one call counted under a name of one byte.
const _: () = assert!(RUN_COUNTS_BYTES_MAX / (section_bytes(1) + CountedKind::Calls.item_bytes(1)) <= u8::MAX as usize);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::charge::RateTerms;
    use assent_ledger::ids::Time;

    /// One of each kind, and one of each in another environment.
    fn full() -> RunCountsRecord {
        let mut counts = RunCountsRecord::default();
        let terms = RateTerms { calls: 3, per_seconds: 60, burst: 5 };
        let mut rate = RunRate::full(terms, Time(7));
        rate.take(true, RateTerms { per_seconds: 90, ..terms }, Time(9));
        for environment in ["prod", "test"] {
            for counted in [
                Counted::Budget(Unit::Tokens, Period::Day, BudgetRecord { window: 1, reserved: 2, spent: 3 }),
                Counted::Budget(Unit::Calls, Period::Run, BudgetRecord::default()),
                Counted::Rate(rate),
                Counted::Calls(u64::MAX),
                Counted::Sum("-99999999999999999999999999999999999999e-999".into()),
                Counted::Distinct(vec![[1; 16], [2; 16]]),
            ] {
                counts.entry(environment, "some-name", counted).unwrap();
            }
        }
        counts
    }

    #[test]
    fn a_record_round_trips_and_takes_what_it_says() {
        let counts = full();
        assert_eq!(counts.iter().count(), 12);
        let bytes = counts.encode();
        assert_eq!(RunCountsRecord::decode(&bytes), Ok(counts.clone()));
        assert_eq!(bytes.len(), counts.bytes(), "the sums here are as long as sums get");
        let mut shorter = counts;
        *shorter.get_mut("prod", CountedKind::Sum, "some-name").unwrap() = Counted::Sum("0".into());
        assert_eq!(shorter.bytes(), bytes.len(), "a sum has its room from the start");
        assert!(RunCountsRecord::decode(&shorter.encode()).is_ok());
        let mut rate = RunCountsRecord::default();
        let terms = RateTerms { calls: 3, per_seconds: 60, burst: 5 };
        rate.entry("prod", "a", Counted::Rate(RunRate::full(terms, Time(7)))).unwrap();
        assert_eq!(rate.encode().len(), rate.bytes(), "without a share");
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = full().encode();
        for at in 0..bytes.len() {
            assert!(RunCountsRecord::decode(&bytes[..at]).is_err(), "{at} bytes");
        }
        assert!(RunCountsRecord::decode(&[&bytes[..], &[0]].concat()).is_err());
        // Every change either is refused or reads as what it then says.
        for at in 0..bytes.len() {
            for byte in [0, 1, 4, 17, 255] {
                let mut changed = bytes.clone();
                changed[at] = byte;
                if let Ok(read) = RunCountsRecord::decode(&changed) {
                    assert_eq!(read.encode(), changed, "byte {at} as {byte}");
                }
            }
        }
        let twice = Section { environment: "e".into(), items: Vec::new() };
        let empty = RunCountsRecord { sections: vec![twice] };
        assert!(RunCountsRecord::decode(&empty.encode()).is_err(), "a section without items");
        let item = |name: &str, counted| Item { name: name.into(), counted };
        let section = |environment: &str, items| Section { environment: environment.into(), items };
        let reads = |sections| RunCountsRecord::decode(&RunCountsRecord { sections }.encode()).is_ok();
        let one = || vec![item("a", Counted::Calls(1))];
        assert!(reads(vec![section("a", one()), section("b", one())]));
        assert!(!reads(vec![section("b", one()), section("a", one())]), "in another order");
        assert!(!reads(vec![section("a", one()), section("a", one())]), "twice");
        assert!(!reads(vec![section("a", [one(), one()].concat())]), "an item twice");
        let values = |values: &[u8]| vec![item("a", Counted::Distinct(values.iter().map(|n| [*n; 16]).collect()))];
        assert!(reads(vec![section("a", values(&[1, 2]))]) && !reads(vec![section("a", values(&[1, 1]))]));
        let many = (100..300).map(|n| item(&n.to_string(), Counted::Calls(1))).collect();
        assert!(!reads(vec![section("a", many)]), "more than there is room for");
    }

    #[test]
    fn what_has_no_room_is_not_taken_in() {
        let mut counts = RunCountsRecord::default();
        let mut taken = 0;
        while counts.entry("prod", &format!("n{taken:03}"), Counted::Calls(1)).is_some() {
            taken += 1;
            assert!(counts.encode().len() <= RUN_COUNTS_BYTES_MAX);
        }
        assert!(counts.bytes() + CountedKind::Calls.item_bytes(4) > RUN_COUNTS_BYTES_MAX && taken > 90);
        assert!(counts.entry("prod", "n000", Counted::Calls(0)).is_some(), "what is there stays");
        assert_eq!(counts.get("prod", CountedKind::Calls, "n001"), Some(&Counted::Calls(1)));
        assert_eq!(counts.get("test", CountedKind::Calls, "n001"), None);
        assert!(counts.entry("x", "y", Counted::Calls(0)).is_none(), "nor a new environment");
        assert_eq!(RunCountsRecord::decode(&counts.encode()), Ok(counts));
    }

    #[test]
    fn numbers_of_kinds_differ_and_are_frozen() {
        let numbers: Vec<u8> = (0..=u8::MAX).filter(|number| CountedKind::from_number(*number).is_some()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 16, 17, 18, 19, 20, 32, 33, 34, 35, 36, 48, 49, 50, 51, 52]);
        assert_eq!(CountedKind::Budget(Unit::Tokens, Period::Ever).number(), 36);
    }
}
