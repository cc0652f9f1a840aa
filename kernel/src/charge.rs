//! What calls are charged to: budgets with their periods, and rates. A charge has one text, which the decision's leaf carries; it says
//! everything that `evolve` needs, so that nothing depends on the bundle that was active.
//!
//! The parts of a text are separated by `|`, which no name contains.

use assent_ledger::ids::Time;

use crate::command::Usage;
use crate::limits::{REGO_UNITS_AT_ONCE, REGO_UNITS_PER_SECOND};
use crate::state::keys::RateRecord;
use crate::value::decimal::{DECIMAL_BYTES_MAX, push_decimal};

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Calls.
    Calls,
    /// Tokens.
    Tokens,
    /// Millionths of a US dollar.
    CostMicroUsd,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Unit; 3] = [Unit::Calls, Unit::Tokens, Unit::CostMicroUsd];

    /// The number that is stored.
    pub const fn number(self) -> u8 {
        match self {
            Unit::Calls => 0,
            Unit::Tokens => 1,
            Unit::CostMicroUsd => 2,
        }
    }

    /// The name in bundles and charges.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Calls => "calls",
            Unit::Tokens => "tokens",
            Unit::CostMicroUsd => "cost_micro_usd",
        }
    }

    /// The unit of a name.
    pub fn from_name(name: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// How much one call of this usage is, in this unit.
    pub const fn of(self, usage: Usage) -> u64 {
        match self {
            Unit::Calls => 1,
            Unit::Tokens => usage.tokens,
            Unit::CostMicroUsd => usage.cost_micro_usd,
        }
    }
}

/// After what time a budget is full again. All are of stamped time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// With every run.
    Run,
    /// Every hour.
    Hour,
    /// Every day.
    Day,
    /// Every month.
    Month,
    /// Never.
    Ever,
}

impl Period {
    /// Every period.
    pub const ALL: [Period; 5] = [Period::Run, Period::Hour, Period::Day, Period::Month, Period::Ever];

    /// The number that is stored.
    pub const fn number(self) -> u8 {
        match self {
            Period::Run => 0,
            Period::Hour => 1,
            Period::Day => 2,
            Period::Month => 3,
            Period::Ever => 4,
        }
    }

    /// The name in bundles and charges.
    pub const fn name(self) -> &'static str {
        match self {
            Period::Run => "run",
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Month => "month",
            Period::Ever => "ever",
        }
    }

    /// The period of a name.
    pub fn from_name(name: &str) -> Option<Period> {
        Period::ALL.into_iter().find(|period| period.name() == name)
    }

    /// The number of the period that a time lies in; 0 for those that do not follow the clock.
    pub fn window(self, time: Time) -> u64 {
        match self {
            Period::Run | Period::Ever => 0,
            Period::Hour => time.unix_seconds() / 3_600,
            Period::Day => time.unix_seconds() / 86_400,
            Period::Month => month_of(time),
        }
    }
}

/// Months since the year 0, January of which counts as 1.
const fn month_of(time: Time) -> u64 {
    time.months() + 1
}

/// The parts with `|` between them, and room for so many bytes more. Every call makes some of these texts: they are put together without
/// a formatter, in one piece.
fn joined(parts: &[&str], room: usize) -> String {
    let length: usize = parts.iter().map(|part| part.len() + 1).sum();
    let mut text = String::with_capacity(length + room);
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            text.push('|');
        }
        text.push_str(part);
    }
    text
}

/// Whose budget or rate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Each run's own.
    Run,
    /// Each subject's own, over all its runs; charged for everybody on whose behalf a call is made.
    Principal,
    /// The tenant's.
    Tenant,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Scope::Run, Scope::Principal, Scope::Tenant];

    /// The name in bundles.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Run => "run",
            Scope::Principal => "principal",
            Scope::Tenant => "tenant",
        }
    }

    /// The scope of a name.
    pub fn from_name(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A charge to a budget, read from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetCharge<'a> {
    /// The record's key.
    pub key: &'a str,
    /// The unit.
    pub unit: Unit,
    /// The period that it falls into.
    pub window: u64,
}

/// A budget's record: which budget in which environment, whose, in which unit and period. There is room for the rest of a charge's text.
pub fn budget_key(environment: &str, id: &str, holder: &str, unit: Unit, period: Period) -> String {
    joined(&[environment, id, holder, period.name(), unit.name()], 1 + DECIMAL_BYTES_MAX)
}

/// What a holder's text begins with when it is a run.
pub const RUN_HOLDER: &str = "run:";

/// The run whose budget or rate stands under this key; nothing when it is a subject's or the tenant's.
pub fn run_of_key(key: &str) -> Option<&str> {
    key.split('|').nth(2)?.strip_prefix(RUN_HOLDER)
}

/// A rate's record: which rate in which environment, whose, and on which terms.
pub fn rate_key(environment: &str, id: &str, holder: &str, terms: &str) -> String {
    joined(&[environment, id, holder, terms], 0)
}

/// A budget or rate that is a run's own, read off its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfRun<'a> {
    /// The environment.
    pub environment: &'a str,
    /// Its id.
    pub id: &'a str,
    /// The run.
    pub run_id: &'a str,
    /// What follows: period and unit, or the terms of a rate.
    rest: &'a str,
}

impl<'a> OfRun<'a> {
    /// Reads a key; nothing when the budget or rate is a subject's or the tenant's.
    pub fn of_key(key: &'a str) -> Option<OfRun<'a>> {
        let mut parts = key.splitn(4, '|');
        let (environment, id) = (parts.next()?, parts.next()?);
        let run_id = parts.next()?.strip_prefix(RUN_HOLDER)?;
        Some(OfRun { environment, id, run_id, rest: parts.next()? })
    }

    /// Whether both are of one budget or rate, whatever its terms.
    pub fn is_same(&self, other: &OfRun<'_>) -> bool {
        (self.environment, self.id, self.run_id) == (other.environment, other.id, other.run_id)
    }

    /// The period of a budget.
    pub fn period(&self) -> Option<Period> {
        Period::from_name(self.rest.split_once('|')?.0)
    }
}

/// The text of a charge: the record's key and the period's number.
pub fn budget_text(mut key: String, window: u64) -> String {
    key.push('|');
    push_decimal(&mut key, window);
    key
}

/// Reads the text of a charge; nothing when it is none.
pub fn parse_budget(text: &str) -> Option<BudgetCharge<'_>> {
    let (key, window) = text.rsplit_once('|')?;
    let (_, unit) = key.rsplit_once('|')?;
    Some(BudgetCharge { key, unit: Unit::from_name(unit)?, window: window.parse().ok()? })
}

/// The terms of a rate: so many calls in so many seconds on average, so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateTerms {
    /// Calls.
    pub calls: u64,
    /// In so many seconds.
    pub per_seconds: u64,
    /// Most calls at once.
    pub burst: u64,
}

/// Largest number of calls and of calls at once in a rate.
pub const RATE_CALLS_MAX: u64 = 1_000_000;
/// Longest period of a rate, in seconds: 31 days.
pub const RATE_SECONDS_MAX: u64 = 31 * 86_400;

impl RateTerms {
    /// The record's key, which is the charge's text as well: the terms are its last part.
    pub fn key(&self, environment: &str, id: &str, holder: &str) -> String {
        rate_key(environment, id, holder, &self.text())
    }

    /// The terms as they stand in a key.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(3 * DECIMAL_BYTES_MAX + 2);
        push_decimal(&mut text, self.calls);
        text.push('/');
        push_decimal(&mut text, self.per_seconds);
        text.push('/');
        push_decimal(&mut text, self.burst);
        text
    }

    /// Reads the terms off a key; nothing when they are none.
    pub fn of_key(key: &str) -> Option<RateTerms> {
        let (_, terms) = key.rsplit_once('|')?;
        let mut parts = terms.split('/').map(|part| part.parse::<u64>().ok());
        let terms = RateTerms { calls: parts.next()??, per_seconds: parts.next()??, burst: parts.next()?? };
        (terms.is_usable() && parts.next().is_none()).then_some(terms)
    }

    /// Whether each is within its bounds.
    pub fn is_usable(&self) -> bool {
        (1..=RATE_CALLS_MAX).contains(&self.calls)
            && (1..=RATE_SECONDS_MAX).contains(&self.per_seconds)
            && (1..=RATE_CALLS_MAX).contains(&self.burst)
    }

    /// What one call takes from the bucket.
    pub const fn call(&self) -> u64 {
        self.per_seconds * 1_000_000
    }

    /// What so many calls take from the bucket.
    pub const fn of_calls(&self, calls: u64) -> u64 {
        self.call().saturating_mul(calls)
    }

    /// How full the bucket is; one that was never used is full.
    pub fn credit(&self, known: Option<&RateRecord>, now: Time) -> u64 {
        let full = u128::from(self.burst) * u128::from(self.call());
        let credit = known.map_or(full, |known| {
            let micros = now.0.saturating_sub(known.at.0);
            (u128::from(known.credit) + u128::from(micros) * u128::from(self.calls)).min(full)
        });
        u64::try_from(credit).unwrap_or(u64::MAX)
    }
}

/// How much Rego a tenant may run: the calls of this rate are units of work. A unit takes some 30 nanoseconds, so that it is a few
/// hundredths of what apply can do.
pub const REGO_RATE: RateTerms = RateTerms { calls: REGO_UNITS_PER_SECOND, per_seconds: 1, burst: REGO_UNITS_AT_ONCE };

/// The key under which a tenant's bucket for Rego stands. No environment has this name, so that no bundle's rate shares it.
pub fn rego_rate_key() -> String {
    REGO_RATE.key("", "rego", "tenant")
}

/// What reported signals leave of rates and budgets, in thousandths; by default everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Of every rate.
    pub rates_milli: u32,
    /// Of every budget.
    pub budgets_milli: u32,
}

impl Default for Shares {
    fn default() -> Shares {
        Shares { rates_milli: 1_000, budgets_milli: 1_000 }
    }
}

impl Shares {
    /// What is left of a budget's limit.
    pub fn of_budget(self, limit: u64) -> u64 {
        let left = u128::from(limit) * u128::from(self.budgets_milli.min(1_000)) / 1_000;
        u64::try_from(left).unwrap_or(limit)
    }

    /// A rate of that share, asked besides the whole one; nothing when the whole is left. The time gets longer rather than the calls
    /// fewer, so that no share of a small rate is nothing.
    pub fn of_rate(self, terms: RateTerms) -> Option<RateTerms> {
        let milli = u64::from(self.rates_milli);
        if milli >= 1_000 {
            return None;
        }
        let per_seconds = terms.per_seconds.saturating_mul(1_000).div_ceil(milli.max(1)).min(RATE_SECONDS_MAX);
        Some(RateTerms { per_seconds, burst: (terms.burst * milli / 1_000).max(1), ..terms })
    }
}

const _: () = assert!(RATE_CALLS_MAX as u128 * (RATE_SECONDS_MAX as u128 * 1_000_000) <= u64::MAX as u128);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn charges_have_one_text() {
        let key = budget_key("prod", "spend", "principal:a/b", Unit::CostMicroUsd, Period::Day);
        assert_eq!(key, "prod|spend|principal:a/b|day|cost_micro_usd");
        let text = budget_text(key.clone(), 20_000);
        assert_eq!(parse_budget(&text), Some(BudgetCharge { key: &key, unit: Unit::CostMicroUsd, window: 20_000 }));
        for text in ["", "x", "a|b", "prod|spend|t|day|apples|1", "prod|spend|t|day|calls|x"] {
            assert_eq!(parse_budget(text), None, "{text}");
        }
        let terms = RateTerms { calls: 3, per_seconds: 60, burst: 5 };
        assert_eq!(RateTerms::of_key(&terms.key("prod", "r", "tenant")), Some(terms));
        assert_eq!(run_of_key(&terms.key("prod", "r", "run:r-1")), Some("r-1"));
        assert_eq!((run_of_key(&key), run_of_key(""), run_of_key("run:a")), (None, None, None));
        for text in ["", "a|1/2", "a|0/2/3", "a|1/2/3/4", "a|1/0/3", "a|1/2/9000000"] {
            assert_eq!(RateTerms::of_key(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_a_runs_own_is_read_off_its_key() {
        let budget = budget_key("prod", "few", "run:r-1", Unit::Tokens, Period::Day);
        let of = OfRun::of_key(&budget).unwrap();
        assert_eq!((of.environment, of.id, of.run_id, of.period()), ("prod", "few", "r-1", Some(Period::Day)));
        let rate = RateTerms { calls: 3, per_seconds: 60, burst: 5 }.key("prod", "few", "run:r-1");
        let of_rate = OfRun::of_key(&rate).unwrap();
        assert_eq!((of_rate.id, of_rate.period(), of_rate.is_same(&of)), ("few", None, true));
        for other in ["test|few|run:r-1|x", "prod|some|run:r-1|x", "prod|few|run:r-2|x"] {
            assert!(!OfRun::of_key(other).unwrap().is_same(&of), "{other}");
        }
        for none in ["", "prod|few|run:r-1", "prod|few|principal:r-1|day|calls", "prod|few|tenant|3/60/5"] {
            assert_eq!(OfRun::of_key(none), None, "{none}");
        }
    }

    #[test]
    fn a_share_of_a_rate_is_slower_and_never_nothing() {
        let terms = RateTerms { calls: 3, per_seconds: 60, burst: 5 };
        let share = |rates_milli| Shares { rates_milli, ..Shares::default() }.of_rate(terms);
        assert_eq!((share(1_000), share(2_000)), (None, None));
        assert_eq!(share(500), Some(RateTerms { calls: 3, per_seconds: 120, burst: 2 }));
        assert_eq!(share(700), Some(RateTerms { calls: 3, per_seconds: 86, burst: 3 }));
        assert_eq!(share(1), Some(RateTerms { calls: 3, per_seconds: 60_000, burst: 1 }));
        let left = |budgets_milli, limit| Shares { budgets_milli, ..Shares::default() }.of_budget(limit);
        assert_eq!((left(1_000, u64::MAX), left(300, 10), left(999, 1), left(5_000, 7)), (u64::MAX, 3, 0, 7));
    }

    #[test]
    fn periods_follow_the_calendar() {
        let time = |text: &str| Time::parse(text.as_bytes()).unwrap();
        let (a, b) = (time("2026-11-30T23:59:59.999999Z"), time("2026-12-01T00:00:00.000000Z"));
        for period in [Period::Hour, Period::Day, Period::Month] {
            assert_eq!(period.window(a) + 1, period.window(b), "{period:?}");
        }
        assert_eq!(Period::Month.window(time("2027-01-01T00:00:00.000000Z")), Period::Month.window(b) + 1);
        assert_eq!((Period::Run.window(b), Period::Ever.window(b)), (0, 0));
        // They are in charges on the ledger.
        assert_eq!(Period::Month.window(time("1970-01-01T00:00:00.000000Z")), 1_970 * 12 + 1);
        assert_eq!((Period::Hour.window(b), Period::Day.window(b)), (20_788 * 24, 20_788));
    }

    #[test]
    fn a_bucket_refills_exactly() {
        let terms = RateTerms { calls: 3, per_seconds: 7, burst: 2 };
        assert_eq!(terms.credit(None, Time(9)), 14_000_000);
        let empty = RateRecord { credit: 0, at: Time(1_000) };
        assert_eq!(terms.credit(Some(&empty), Time(1_000 + 2_333_333)), 6_999_999, "a microsecond too early");
        assert_eq!(terms.credit(Some(&empty), Time(1_000 + 2_333_334)), 7_000_002);
        assert_eq!(terms.credit(Some(&empty), Time(u64::MAX)), 14_000_000);
        assert_eq!(terms.credit(Some(&empty), Time(0)), 0, "time does not run backwards");
    }
}
