//! Evaluation of conditions: every step is counted, every surprise is an error.

use core::cmp::Ordering;
use std::borrow::Cow;

use super::{Arithmetic, Compare, Expr, Kind, Name, Quantifier, TEXT_BYTES_MAX, TextTest};
use crate::bundle::evaluate::Call;
use crate::bundle::facts::Situation;
use crate::bundle::limits::PATTERN_INPUT_BYTES_MAX;
use crate::bundle::work::Work;
use crate::reason::ReasonCode;
use crate::value::{Number, Object, Value};

/// Bytes of a text that count as one step.
const BYTES_PER_STEP: usize = 256;

/// A value while a condition is evaluated.
#[derive(Debug, Clone)]
enum Val<'a> {
    Null,
    Bool(bool),
    Number(Cow<'a, Number>),
    Text(Cow<'a, str>),
    /// A list that the condition wrote, or one of texts.
    List(Vec<Val<'a>>),
    /// A list within the arguments.
    Array(&'a [Value]),
    Map(&'a Object),
}

type Answer<T> = Result<T, ReasonCode>;

/// Whether the condition holds.
pub(super) fn holds(root: &Expr, call: &Call<'_>, situation: &Situation<'_>, work: &Work) -> Answer<bool> {
    let mut evaluation = Evaluation { call, situation, work, bound: Vec::new() };
    evaluation.boolean(root)
}

struct Evaluation<'a> {
    call: &'a Call<'a>,
    situation: &'a Situation<'a>,
    work: &'a Work,
    bound: Vec<Val<'a>>,
}

/// What an evaluation that met the unexpected answers.
const ODD: ReasonCode = ReasonCode::PolicyError;

impl<'a> Evaluation<'a> {
    fn spend(&self, steps: usize) -> Answer<()> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.work.steps.get().checked_sub(steps));
        match left {
            Some(left) => {
                self.work.steps.set(left);
                Ok(())
            }
            None => {
                self.work.steps.set(0);
                Err(ReasonCode::PolicyBudget)
            }
        }
    }

    /// A copy, paid for.
    fn copied(&self, value: &Val<'a>) -> Answer<Val<'a>> {
        self.spend(copy_weight(value))?;
        Ok(value.clone())
    }

    fn spend_text(&self, text: &str) -> Answer<()> {
        self.spend(1 + text.len() / BYTES_PER_STEP)
    }

    fn boolean(&mut self, expr: &'a Expr) -> Answer<bool> {
        match self.value(expr)? {
            Val::Bool(boolean) => Ok(boolean),
            _ => Err(ODD),
        }
    }

    fn number(&mut self, expr: &'a Expr) -> Answer<Cow<'a, Number>> {
        match self.value(expr)? {
            Val::Number(number) => Ok(number),
            _ => Err(ODD),
        }
    }

    fn text(&mut self, expr: &'a Expr) -> Answer<Cow<'a, str>> {
        match self.value(expr)? {
            Val::Text(text) => {
                self.spend_text(&text)?;
                Ok(text)
            }
            _ => Err(ODD),
        }
    }

    fn value(&mut self, expr: &'a Expr) -> Answer<Val<'a>> {
        self.spend(1)?;
        Ok(match &expr.kind {
            Kind::Null => Val::Null,
            Kind::Bool(boolean) => Val::Bool(*boolean),
            Kind::Number(number) => Val::Number(Cow::Borrowed(number)),
            Kind::Text(text) => Val::Text(Cow::Borrowed(text)),
            Kind::List(items) => Val::List(items.iter().map(|item| self.value(item)).collect::<Answer<_>>()?),
            Kind::Name(name) => self.name(*name)?,
            Kind::Member(on, name) => match self.value(on)? {
                Val::Map(object) => of_value(object.get(name).ok_or(ODD)?),
                _ => return Err(ODD),
            },
            Kind::Has(on, name) => match self.value(on)? {
                Val::Map(object) => Val::Bool(object.get(name).is_some()),
                _ => return Err(ODD),
            },
            Kind::Index(on, index) => self.element(on, index)?,
            Kind::Not(inner) => Val::Bool(!self.boolean(inner)?),
            Kind::Negative(inner) => Val::Number(Cow::Owned(self.number(inner)?.negated())),
            Kind::And(a, b) => Val::Bool(self.boolean(a)? && self.boolean(b)?),
            Kind::Or(a, b) => Val::Bool(self.boolean(a)? || self.boolean(b)?),
            Kind::If(condition, yes, no) => {
                let branch = if self.boolean(condition)? { yes } else { no };
                self.value(branch)?
            }
            Kind::Compare(compare, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                Val::Bool(self.compare(*compare, &a, &b)?)
            }
            Kind::In(item, list) => {
                let (item, list) = (self.value(item)?, self.value(list)?);
                Val::Bool(self.is_in(&item, &list)?)
            }
            Kind::Arithmetic(operator, a, b) => self.arithmetic(*operator, a, b)?,
            Kind::Size(inner) => {
                let value = self.value(inner)?;
                if let Val::Text(text) = &value {
                    self.spend_text(text)?;
                }
                Val::Number(Cow::Owned(size(&value)?))
            }
            Kind::LowerAscii(inner) => Val::Text(Cow::Owned(self.text(inner)?.to_ascii_lowercase())),
            Kind::TextTest(test, text, part) => {
                let (text, part) = (self.text(text)?, self.text(part)?);
                Val::Bool(match test {
                    TextTest::StartsWith => text.starts_with(&*part),
                    TextTest::EndsWith => text.ends_with(&*part),
                    TextTest::Contains => text.contains(&*part),
                })
            }
            Kind::Matches(text, pattern) => {
                let text = self.text(text)?;
                if text.len() > PATTERN_INPUT_BYTES_MAX {
                    return Err(ODD);
                }
                Val::Bool(pattern.finds(&text, self.work).ok_or(ReasonCode::PolicyBudget)?)
            }
            Kind::Quantified(quantifier, list, body) => Val::Bool(self.quantified(*quantifier, list, body)?),
        })
    }

    fn name(&self, name: Name) -> Answer<Val<'a>> {
        let (tool, situation) = (self.call.tool, self.situation);
        let count = |count: u64| Val::Number(Cow::Owned(Number::from_u64(count)));
        Ok(match name {
            Name::Args => Val::Map(self.call.args),
            Name::Tool => Val::Text(Cow::Borrowed(tool.name())),
            Name::Class => Val::Text(Cow::Borrowed(tool.class())),
            // Of a tool with several actions nobody knows which one a call performs.
            Name::Action if tool.actions().nth(1).is_some() => return Err(ODD),
            Name::Action => Val::Text(Cow::Borrowed(tool.actions().next().ok_or(ODD)?)),
            Name::Actions => Val::List(tool.actions().map(|action| Val::Text(Cow::Borrowed(action))).collect()),
            Name::Category => Val::Text(Cow::Borrowed(tool.category().unwrap_or_default())),
            Name::RiskTier => Val::Text(Cow::Borrowed(tool.risk_tier().unwrap_or_default())),
            Name::Subject => Val::Text(Cow::Borrowed(self.call.subject)),
            Name::Chain => {
                Val::List(situation.chain.iter().map(|subject| Val::Text(Cow::Borrowed(subject.as_str()))).collect())
            }
            Name::Environment => Val::Text(Cow::Borrowed(situation.environment)),
            Name::Taint => {
                let sources = situation.call_taint.union(situation.run_taint);
                Val::List(sources.iter().map(|source| Val::Text(Cow::Borrowed(source.name()))).collect())
            }
            Name::Time => count(situation.now.0),
            Name::RunCalls => count(situation.run.calls),
            Name::RunDenied => count(situation.run.denied),
            Name::RunEgress => count(situation.run.egress),
            Name::RunSensitiveReads => count(situation.run.sensitive_reads),
            Name::RunMode => Val::Text(Cow::Borrowed(situation.mode)),
            Name::RiskMilli => count(situation.risk_milli),
            Name::Labels => {
                Val::List(situation.labels.iter().map(|label| Val::Text(Cow::Borrowed(label.as_str()))).collect())
            }
            Name::Bound(place) => {
                let bound = usize::try_from(place).ok().and_then(|place| self.bound.get(place)).ok_or(ODD)?;
                self.copied(bound)?
            }
        })
    }

    fn element(&mut self, on: &'a Expr, index: &'a Expr) -> Answer<Val<'a>> {
        let (on, index) = (self.value(on)?, self.value(index)?);
        let place = |number: &Number| number.text().parse::<usize>().map_err(|_| ODD);
        match (on, index) {
            (Val::Map(object), Val::Text(name)) => {
                self.spend_text(&name)?;
                Ok(of_value(object.get(&name).ok_or(ODD)?))
            }
            (Val::Array(elements), Val::Number(number)) => Ok(of_value(elements.get(place(&number)?).ok_or(ODD)?)),
            (Val::List(items), Val::Number(number)) => self.copied(items.get(place(&number)?).ok_or(ODD)?),
            _ => Err(ODD),
        }
    }

    fn compare(&self, compare: Compare, a: &Val<'a>, b: &Val<'a>) -> Answer<bool> {
        if let Compare::Equal | Compare::NotEqual = compare {
            return Ok(self.equal(a, b)? == (compare == Compare::Equal));
        }
        let order = match (a, b) {
            (Val::Number(a), Val::Number(b)) => a.cmp(b),
            (Val::Text(a), Val::Text(b)) => {
                self.spend_text(a)?;
                a.cmp(b)
            }
            _ => return Err(ODD),
        };
        Ok(match compare {
            Compare::Less => order == Ordering::Less,
            Compare::LessOrEqual => order != Ordering::Greater,
            Compare::Greater => order == Ordering::Greater,
            Compare::GreaterOrEqual => order != Ordering::Less,
            Compare::Equal | Compare::NotEqual => false,
        })
    }

    /// Whether two values are equal. Null equals null alone; values of different types are an error, for an argument of the
    /// wrong type must not slip past a rule that compares it.
    fn equal(&self, a: &Val<'a>, b: &Val<'a>) -> Answer<bool> {
        self.spend(1)?;
        Ok(match (a, b) {
            (Val::Null, Val::Null) => true,
            (Val::Null, _) | (_, Val::Null) => false,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::Number(a), Val::Number(b)) => a == b,
            (Val::Text(a), Val::Text(b)) => {
                self.spend_text(a)?;
                a == b
            }
            (Val::Map(a), Val::Map(b)) => {
                self.spend(a.iter().map(|(_, value)| weight(value)).sum())?;
                a == b
            }
            (Val::Array(a), Val::Array(b)) => {
                self.spend(a.iter().map(weight).sum())?;
                a == b
            }
            (Val::List(_) | Val::Array(_), Val::List(_) | Val::Array(_)) => {
                let (Some(a), Some(b)) = (Items::of(a), Items::of(b)) else { return Err(ODD) };
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !self.equal(&a, &b)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => return Err(ODD),
        })
    }

    fn is_in(&self, item: &Val<'a>, list: &Val<'a>) -> Answer<bool> {
        match (item, list) {
            (Val::Text(name), Val::Map(object)) => {
                self.spend_text(name)?;
                Ok(object.get(name).is_some())
            }
            _ => {
                // Each element is paid for when it is looked at, and none is looked at after the first that is equal.
                for element in Items::of(list).ok_or(ODD)?.iter() {
                    if self.equal(item, &element)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn arithmetic(&mut self, operator: Arithmetic, a: &'a Expr, b: &'a Expr) -> Answer<Val<'a>> {
        let result = match (operator, self.value(a)?, self.value(b)?) {
            (Arithmetic::Add, Val::Text(a), Val::Text(b)) => {
                self.spend_text(&a)?;
                self.spend_text(&b)?;
                if a.len() + b.len() > TEXT_BYTES_MAX {
                    return Err(ODD);
                }
                return Ok(Val::Text(Cow::Owned(format!("{a}{b}"))));
            }
            (Arithmetic::Add, Val::Number(a), Val::Number(b)) => a.checked_add(&b),
            (Arithmetic::Subtract, Val::Number(a), Val::Number(b)) => a.checked_add(&b.negated()),
            (Arithmetic::Multiply, Val::Number(a), Val::Number(b)) => a.checked_mul(&b),
            _ => return Err(ODD),
        };
        result.map(|number| Val::Number(Cow::Owned(number))).ok_or(ODD)
    }

    fn quantified(&mut self, quantifier: Quantifier, list: &'a Expr, body: &'a Expr) -> Answer<bool> {
        let list = self.value(list)?;
        let elements = Items::of(&list).ok_or(ODD)?;
        let mut held = 0usize;
        for element in elements.iter() {
            let element = self.copied(&element)?;
            self.bound.push(element);
            let holds = self.boolean(body);
            self.bound.pop();
            held += usize::from(holds?);
        }
        Ok(match quantifier {
            Quantifier::All => held == elements.len(),
            Quantifier::Exists => held > 0,
            Quantifier::ExistsOne => held == 1,
        })
    }
}

fn of_value(value: &Value) -> Val<'_> {
    match value {
        Value::Null => Val::Null,
        Value::Bool(boolean) => Val::Bool(*boolean),
        Value::Number(number) => Val::Number(Cow::Borrowed(number)),
        Value::String(text) => Val::Text(Cow::Borrowed(text)),
        Value::Array(elements) => Val::Array(elements),
        Value::Object(object) => Val::Map(object),
    }
}

/// The elements of a list, where they are.
enum Items<'l, 'a> {
    Written(&'l [Val<'a>]),
    Given(&'a [Value]),
}

impl<'l, 'a> Items<'l, 'a> {
    /// The elements of a value, if it is a list.
    fn of(value: &'l Val<'a>) -> Option<Items<'l, 'a>> {
        match value {
            Val::List(items) => Some(Items::Written(items)),
            Val::Array(elements) => Some(Items::Given(elements)),
            _ => None,
        }
    }

    const fn len(&self) -> usize {
        match self {
            Items::Written(items) => items.len(),
            Items::Given(elements) => elements.len(),
        }
    }

    /// The elements in their order; none of those that the arguments hold is copied.
    fn iter(&self) -> impl Iterator<Item = Cow<'l, Val<'a>>> {
        let (written, given) = match self {
            Items::Written(items) => (*items, &[][..]),
            Items::Given(elements) => (&[][..], *elements),
        };
        written.iter().map(Cow::Borrowed).chain(given.iter().map(|element| Cow::Owned(of_value(element))))
    }
}

/// Characters of a text, elements of a list, members of an object.
fn size(value: &Val<'_>) -> Answer<Number> {
    let size = match value {
        Val::Text(text) => text.chars().count(),
        Val::List(items) => items.len(),
        Val::Array(elements) => elements.len(),
        Val::Map(object) => object.len(),
        Val::Null | Val::Bool(_) | Val::Number(_) => return Err(ODD),
    };
    Ok(Number::from_u64(u64::try_from(size).unwrap_or(u64::MAX)))
}

/// How many steps copying a value takes: what the arguments hold is not copied.
fn copy_weight(value: &Val<'_>) -> usize {
    match value {
        Val::Text(Cow::Owned(text)) => text.len() / BYTES_PER_STEP,
        Val::List(items) => items.iter().map(|item| 1 + copy_weight(item)).sum(),
        _ => 0,
    }
}

/// How many steps comparing a value takes at most.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() / BYTES_PER_STEP,
        Value::Array(elements) => 1 + elements.iter().map(weight).sum::<usize>(),
        Value::Object(object) => 1 + object.iter().map(|(_, value)| weight(value)).sum::<usize>(),
    }
}
