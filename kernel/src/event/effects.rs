//! What a decided call changes: in its run, its budgets, its leases. `evolve` reads this and not the bundle.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::fields::{Fields, with_opt};
use super::lists::{labels, latches, list, texts, with_labels, with_latches, with_list};
use crate::limits::{BUDGETS_PER_CALL_MAX, CHAIN_MAX, OBLIGATIONS_MAX, RULES_SHOWN_MAX};
use crate::state::keys::{PAIRS_MAX, RunCounters, RunMode};
use crate::taint::TaintLabel;
use crate::verdict::Verdict;

/// The effects of one decided call. What is empty or usual is left out of the leaf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    /// Event id of the entry about what reported signals make stricter for this call.
    pub adjusted: Option<String>,
    /// The approval that this decision asks for.
    pub approval: Option<String>,
    /// The approval that this decision rests on.
    pub approved_by: Option<String>,
    /// Hash of the operator's baseline that was asked too.
    pub baseline: Option<Hash>,
    /// The only executor that can redeem the decision.
    pub audience: Option<String>,
    /// On whose behalf, from the nearest to the origin.
    pub chain: Vec<String>,
    /// What an approver tied the decision to: names and values, such as `max_amount` and `5000`.
    pub constraints: Vec<(String, String)>,
    /// Whether the agent enforces in its own process.
    pub cooperative: bool,
    /// Names of the run's counters that advance by one.
    pub counts: Vec<&'static str>,
    /// How many calls this one is nested in.
    pub depth: u32,
    /// The caller's key of the effect, which must not happen twice.
    pub effect_key: Option<String>,
    /// Rules of behaviour that come to a step.
    pub latches: Vec<(String, u8)>,
    /// The lease that one call is taken from.
    pub lease: Option<String>,
    /// The run's mode when it was decided.
    pub mode: RunMode,
    /// What the enforcement point has to do besides.
    pub obligations: Vec<Obligation>,
    /// Labels of what the tool returns; the run takes them on when the decision is redeemed.
    pub output_labels: Vec<TaintLabel>,
    /// The decision in whose execution this call was made.
    pub parent: Option<String>,
    /// Keys of the rate buckets that one call is taken from.
    pub rates: Vec<String>,
    /// Units of work that Rego took, of the tenant's bucket for it.
    pub rego_units: u64,
    /// `SHA-256(salt ‖ request hash)` of what is to run in the call's place; its bytes are the payload `replacement`.
    pub replacement: Option<Hash>,
    /// Hash of the declaration of the tool that is to run in the call's place, when it is another one.
    pub replacement_schema: Option<Hash>,
    /// The tool that is to run in the call's place, when it is another one.
    pub replacement_tool: Option<String>,
    /// The decision that this one replaces: it waited for people.
    pub replaces: Option<String>,
    /// What is set aside until the outcome is known.
    pub reserved: Vec<Reservation>,
    /// Hash of the runtime layer that was asked too.
    pub runtime: Option<Hash>,
    /// Rules that are tried without being enforced.
    pub shadow: Vec<ShadowVote>,
    /// The caller's span.
    pub span_id: Option<String>,
    /// Labels that the run takes on.
    pub taint: Vec<TaintLabel>,
    /// Until when the decision can be redeemed; absent when it cannot.
    pub token_expires: Option<Time>,
}

/// Something that the enforcement point has to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obligation {
    /// What, such as `audit_log` or `redact`.
    pub kind: String,
    /// Whether the call must not run without it.
    pub required: bool,
    /// How, as the bundle says: names and values.
    pub params: Vec<(String, String)>,
}

/// An amount that is set aside of a budget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reservation {
    /// The budget's key within the tenant's state.
    pub budget: String,
    /// How much, in the budget's unit.
    pub amount: u64,
}

/// What a rule that is only tried would have decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowVote {
    /// The rule.
    pub rule: String,
    /// Its decision.
    pub verdict: Verdict,
}

/// Effects of no more parts than this, counted over their lists, fit an entry whatever is in them.
const SMALL_PARTS_MAX: usize = 48;

impl Effects {
    /// Whether the effects fit an entry whatever is in them.
    pub(super) fn is_small(&self) -> bool {
        let params: usize = self.obligations.iter().map(|known| known.params.len()).sum();
        let parts = [
            self.chain.len(),
            self.latches.len(),
            self.output_labels.len(),
            self.rates.len(),
            self.reserved.len(),
            self.shadow.len(),
            self.taint.len(),
        ];
        params == 0 && self.constraints.is_empty() && parts.iter().sum::<usize>() <= SMALL_PARTS_MAX
    }

    /// The effects as JSON; nothing when there are none.
    pub(super) fn to_value(&self) -> Option<Value> {
        let mut value = Value::empty_map();
        let texts: [(&str, Option<&str>); 11] = [
            ("adjusted", self.adjusted.as_deref()),
            ("audience", self.audience.as_deref()),
            ("approval", self.approval.as_deref()),
            ("approved_by", self.approved_by.as_deref()),
            ("effect_key", self.effect_key.as_deref()),
            ("lease", self.lease.as_deref()),
            ("mode", (self.mode != RunMode::Normal).then_some(self.mode.name())),
            ("parent", self.parent.as_deref()),
            ("replacement_tool", self.replacement_tool.as_deref()),
            ("replaces", self.replaces.as_deref()),
            ("span_id", self.span_id.as_deref()),
        ];
        for (field, text) in texts {
            value = with_opt(value, field, text);
        }
        for (field, hash) in [
            ("baseline", self.baseline),
            ("replacement", self.replacement),
            ("replacement_schema", self.replacement_schema),
            ("runtime", self.runtime),
        ] {
            value = with_opt(value, field, hash);
        }
        value = with_opt(value, "cooperative", self.cooperative.then_some(true));
        value = with_opt(value, "depth", (self.depth > 0).then_some(self.depth));
        value = with_opt(value, "rego_units", (self.rego_units > 0).then(|| Value::decimal(self.rego_units)));
        value = with_opt(value, "token_expires", self.token_expires.map(|time| Value::decimal(time.0)));
        value = with_list(value, "chain", &self.chain, |subject| Value::str(&**subject));
        value = with_list(value, "constraints", &self.constraints, pair_value);
        value = with_labels(value, "output_labels", &self.output_labels);
        value = with_list(value, "counts", &self.counts, |name| Value::str(*name));
        value = with_latches(value, &self.latches);
        value = with_list(value, "obligations", &self.obligations, Obligation::to_value);
        value = with_list(value, "rates", &self.rates, |key| Value::str(&**key));
        value = with_list(value, "reserved", &self.reserved, Reservation::to_value);
        value = with_list(value, "shadow", &self.shadow, |vote| {
            Value::map([("rule", Value::str(&*vote.rule)), ("verdict", Value::str(vote.verdict.name()))])
        });
        value = with_labels(value, "taint", &self.taint);
        value.as_map().is_some_and(|map| !map.is_empty()).then_some(value)
    }

    /// Reads the effects strictly.
    pub(super) fn from_value(value: &Value) -> Result<Effects, BodyError> {
        let mut fields = Fields::of(value, "the effects")?;
        let mode = |v: &Value| RunMode::from_name(v.as_str()?).filter(|mode| *mode != RunMode::Normal);
        let effects = Effects {
            adjusted: fields.text_opt("adjusted")?,
            approval: fields.text_opt("approval")?,
            approved_by: fields.text_opt("approved_by")?,
            audience: fields.text_opt("audience")?,
            baseline: fields.hash_opt("baseline")?,
            chain: texts(&mut fields, "chain", CHAIN_MAX)?,
            constraints: list(&mut fields, "constraints", PAIRS_MAX, read_pair)?,
            cooperative: fields.read_opt("cooperative", "true", |v| v.as_bool().filter(|b| *b))?.unwrap_or(false),
            counts: list(&mut fields, "counts", RunCounters::NAMES.len(), read_counter)?,
            depth: fields
                .read_opt("depth", "a positive integer", |v| u32::try_from(v.as_int()?).ok().filter(|n| *n > 0))?
                .unwrap_or(0),
            effect_key: fields.text_opt("effect_key")?,
            latches: latches(&mut fields)?,
            lease: fields.text_opt("lease")?,
            mode: fields.read_opt("mode", "restricted, quarantined or closed", mode)?.unwrap_or_default(),
            obligations: list(&mut fields, "obligations", OBLIGATIONS_MAX, Obligation::from_value)?,
            output_labels: labels(&mut fields, "output_labels")?,
            parent: fields.text_opt("parent")?,
            rates: texts(&mut fields, "rates", BUDGETS_PER_CALL_MAX)?,
            rego_units: fields
                .read_opt("rego_units", "a positive number as text", |v| v.as_decimal().filter(|n| *n > 0))?
                .unwrap_or(0),
            replacement: fields.hash_opt("replacement")?,
            replacement_schema: fields.hash_opt("replacement_schema")?,
            replacement_tool: fields.text_opt("replacement_tool")?,
            replaces: fields.text_opt("replaces")?,
            reserved: list(&mut fields, "reserved", BUDGETS_PER_CALL_MAX, Reservation::from_value)?,
            runtime: fields.hash_opt("runtime")?,
            shadow: list(&mut fields, "shadow", RULES_SHOWN_MAX, ShadowVote::from_value)?,
            span_id: fields.text_opt("span_id")?,
            taint: labels(&mut fields, "taint")?,
            token_expires: fields.read_opt("token_expires", "a time in microseconds", |v| v.as_decimal().map(Time))?,
        };
        fields.finish()?;
        if effects == Effects::default() {
            return Err(BodyError::Invalid { field: "effects", expected: "absent when there are none" });
        }
        Ok(effects)
    }
}

fn read_counter(item: &Value) -> Result<&'static str, BodyError> {
    let name = item.as_str().and_then(|name| RunCounters::NAMES.iter().find(|known| **known == name).copied());
    name.ok_or(BodyError::Invalid { field: "counts", expected: "names of counters" })
}

fn pair_value((name, text): &(String, String)) -> Value {
    Value::map([("name", Value::str(&**name)), ("value", Value::str(&**text))])
}

fn read_pair(item: &Value) -> Result<(String, String), BodyError> {
    let mut fields = Fields::of(item, "a name and a value")?;
    let pair = (fields.text("name")?, fields.text("value")?);
    fields.finish()?;
    Ok(pair)
}

impl Obligation {
    fn to_value(&self) -> Value {
        let value = Value::map([("required", Value::from(self.required)), ("type", Value::str(&*self.kind))]);
        with_list(value, "params", &self.params, pair_value)
    }

    fn from_value(item: &Value) -> Result<Obligation, BodyError> {
        let mut fields = Fields::of(item, "an obligation")?;
        let obligation = Obligation {
            kind: fields.text("type")?,
            required: fields.bool("required")?,
            params: list(&mut fields, "params", OBLIGATIONS_MAX, read_pair)?,
        };
        fields.finish()?;
        Ok(obligation)
    }
}

impl Reservation {
    pub(super) fn to_value(&self) -> Value {
        Value::map([("amount", Value::decimal(self.amount)), ("budget", Value::str(&*self.budget))])
    }

    pub(super) fn from_value(item: &Value) -> Result<Reservation, BodyError> {
        let mut fields = Fields::of(item, "a reservation")?;
        let reservation = Reservation {
            budget: fields.text("budget")?,
            amount: fields.read("amount", "a number as text", Value::as_decimal)?,
        };
        fields.finish()?;
        Ok(reservation)
    }
}

impl ShadowVote {
    fn from_value(item: &Value) -> Result<ShadowVote, BodyError> {
        let mut fields = Fields::of(item, "a shadow vote")?;
        let vote = ShadowVote {
            rule: fields.text("rule")?,
            verdict: fields.read("verdict", "a verdict", |v| Verdict::from_name(v.as_str()?))?,
        };
        fields.finish()?;
        Ok(vote)
    }
}
