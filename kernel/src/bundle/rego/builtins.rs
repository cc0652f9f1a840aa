//! Which built-ins a policy may call, and our own versions of those whose cost regorus does not bound.

use std::collections::BTreeSet;

use regorus::rvm::Program;
use regorus::{LimitError, Value as Rego};

use super::convert;
use super::limits::{RANGE_MAX, TEXT_BYTES_MAX};
use crate::value;

/// Pure functions whose work grows with their arguments and results only: as they are, or as our own versions make it. Sorted.
#[rustfmt::skip]
const ALLOWED: &[&str] = &[
    "__builtin_sets.intersection", "__builtin_sets.union", "abs", "array.concat", "array.reverse", "array.slice",
    "base64.decode", "base64.encode", "base64.is_valid", "bits.and", "bits.negate", "bits.or", "bits.xor", "ceil",
    "concat", "contains", "count", "endswith", "floor", "hex.decode", "hex.encode", "indexof", "intersection",
    "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string", "json.marshal",
    "json.unmarshal", "lower", "max", "min", "numbers.range", "object.filter", "object.get", "object.keys",
    "object.remove", "object.union", "regex.match", "replace", "round", "semver.compare",
    "semver.is_valid", "sort", "split", "sprintf", "startswith", "strings.count", "strings.reverse", "substring",
    "sum", "to_number", "trim", "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix", "type_name",
    "upper",
];

/// Families of built-ins that reach outside of the evaluation, with what to use instead.
const OUTSIDE: &[(&str, &str)] = &[
    ("http.", "a decision reaches no network: bring what it needs in the arguments or in the bundle's data"),
    ("net.", "a decision reaches no network: compare the text, or match it with regex.match"),
    ("time.", "a decision has no clock: use input.time_ns, the stamp of the decision"),
    ("rand.", "a decision has no randomness: derive what you need from the input"),
    ("uuid.", "a decision has no randomness: derive what you need from the input"),
    ("opa.", "a decision does not depend on the machine that makes it"),
    ("io.", "decode what you need before the call; the policy sees the arguments only"),
    ("crypto.", "keys and signatures are checked by the ledger, not by policies"),
];

/// Families of which only the built-ins in `ALLOWED` are there.
const FAMILIES: &[&str] = &[
    "array.",
    "base64.",
    "base64url.",
    "bits.",
    "glob.",
    "graph.",
    "graphql.",
    "hex.",
    "json.",
    "numbers.",
    "object.",
    "providers.",
    "regex.",
    "rego.",
    "semver.",
    "strings.",
    "test.",
    "units.",
    "urlquery.",
    "yaml.",
    "__builtin",
];

const SINGLE: &[&str] = &["format_int", "indexof_n", "print", "product", "trace", "walk"];

/// Whether a called path is a built-in, and may be.
pub(super) enum Standing {
    /// A built-in that policies may call.
    Allowed,
    /// A built-in that they may not call, and what to do instead.
    Refused(String),
    /// No built-in: a function of the policy, or nothing.
    Other,
}

/// The standing of a called path.
pub(super) fn standing(path: &str) -> Standing {
    if ALLOWED.binary_search(&path).is_ok() {
        return Standing::Allowed;
    }
    if let Some((_, hint)) = OUTSIDE.iter().find(|(family, _)| path.starts_with(family)) {
        return Standing::Refused((*hint).to_owned());
    }
    if SINGLE.contains(&path) || FAMILIES.iter().any(|family| path.starts_with(family)) {
        return Standing::Refused("docs/policy/rego.md lists the built-ins that are there".to_owned());
    }
    Standing::Other
}

/// Puts the bounded versions in place of regorus' own; the names of what is not allowed come back.
pub(super) fn bind(program: &mut Program) -> BTreeSet<String> {
    let mut refused = BTreeSet::new();
    for (info, slot) in program.builtin_info_table.iter().zip(program.resolved_builtins.iter_mut()) {
        match info.name.as_str() {
            "concat" => slot.0 = |_, _, args, _| concat(args).map_err(Into::into),
            "sprintf" => slot.0 = |_, _, args, _| sprintf(args).map_err(Into::into),
            "replace" => slot.0 = |_, _, args, _| replace(args).map_err(Into::into),
            "trim" => slot.0 = |_, _, args, _| trim(args, true, true).map_err(Into::into),
            "trim_left" => slot.0 = |_, _, args, _| trim(args, true, false).map_err(Into::into),
            "trim_right" => slot.0 = |_, _, args, _| trim(args, false, true).map_err(Into::into),
            "numbers.range" => slot.0 = |_, _, args, _| range(args).map_err(Into::into),
            "split" => slot.0 = |_, _, args, _| Ok(split(args)),
            "indexof" => slot.0 = |_, _, args, _| Ok(indexof(args)),
            "strings.count" => slot.0 = |_, _, args, _| Ok(count(args)),
            "to_number" => slot.0 = |_, _, args, _| Ok(to_number(args)),
            "json.unmarshal" => slot.0 = |_, _, args, _| Ok(unmarshal(args)),
            name if ALLOWED.binary_search(&name).is_ok() => {}
            name => {
                refused.insert(name.to_owned());
            }
        }
    }
    refused
}

/// Units that a call costs beyond the size of its arguments: what it makes of them may be larger, or take longer.
pub(super) fn surcharge(name: &str, args: &[&Rego]) -> u64 {
    let units = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    match (name, args) {
        ("split", [Rego::String(text), Rego::String(delimiter)]) => units(parts(text, delimiter)) / 2,
        ("json.unmarshal", [Rego::String(text)]) => units(text.len()),
        ("replace", [Rego::String(text), ..]) => units(text.len()) / 8,
        ("numbers.range", [Rego::Number(from), Rego::Number(to)]) => match (from.as_i64(), to.as_i64()) {
            (Some(from), Some(to)) => from.abs_diff(to).min(RANGE_MAX) / 2,
            _ => 0,
        },
        _ => 0,
    }
}

/// In how many parts a text is split.
fn parts(text: &str, delimiter: &str) -> usize {
    if delimiter.is_empty() { text.chars().count() } else { text.matches(delimiter).count().saturating_add(1) }
}

/// What a built-in of ours gives: a failure that is not a limit is `undefined`, as in OPA.
type Answer = Result<Rego, LimitError>;

fn exceeded(limit: usize) -> LimitError {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    LimitError::MemoryLimitExceeded { usage: limit.saturating_add(1), limit }
}

/// A text that refuses to grow beyond the cap.
#[derive(Default)]
struct Bounded(String);

impl Bounded {
    fn push(&mut self, text: &str) -> Result<(), LimitError> {
        if self.0.len().saturating_add(text.len()) > TEXT_BYTES_MAX {
            return Err(exceeded(TEXT_BYTES_MAX));
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn concat(args: &[Rego]) -> Answer {
    let [Rego::String(delimiter), items] = args else { return Ok(Rego::Undefined) };
    let items: Vec<&Rego> = match items {
        Rego::Array(items) => items.iter().collect(),
        Rego::Set(items) => items.iter_sorted().collect(),
        _ => return Ok(Rego::Undefined),
    };
    let mut out = Bounded::default();
    for (position, item) in items.into_iter().enumerate() {
        let Rego::String(item) = item else { return Ok(Rego::Undefined) };
        if position > 0 {
            out.push(delimiter)?;
        }
        out.push(item)?;
    }
    Ok(Rego::from(out.0))
}

/// `%s`, `%v`, `%d`, `%x` and `%%` without flags and widths; anything else is `undefined`.
fn sprintf(args: &[Rego]) -> Answer {
    let [Rego::String(format), Rego::Array(values)] = args else { return Ok(Rego::Undefined) };
    let mut out = Bounded::default();
    let mut values = values.iter();
    let mut rest: &str = format;
    while let Some((before, after)) = rest.split_once('%') {
        out.push(before)?;
        let mut verbs = after.chars();
        match verbs.next() {
            Some('%') => out.push("%")?,
            Some(verb) => match values.next().and_then(|value| formatted(verb, value)) {
                Some(text) => out.push(&text)?,
                None => return Ok(Rego::Undefined),
            },
            None => return Ok(Rego::Undefined),
        }
        rest = verbs.as_str();
    }
    out.push(rest)?;
    Ok(Rego::from(out.0))
}

fn formatted(verb: char, value: &Rego) -> Option<String> {
    match (verb, value) {
        ('s' | 'v', Rego::String(text)) => Some(text.as_ref().to_owned()),
        ('s' | 'v', value) => Some(value.to_string()),
        ('d', Rego::Number(number)) if number.is_integer() => Some(number.format_decimal()),
        ('x', Rego::Number(number)) => Some(format!("{:x}", number.as_u64()?)),
        _ => None,
    }
}

fn replace(args: &[Rego]) -> Answer {
    let [Rego::String(text), Rego::String(old), Rego::String(new)] = args else { return Ok(Rego::Undefined) };
    let mut out = Bounded::default();
    let mut copied = 0usize;
    for (at, found) in text.match_indices(old.as_ref()) {
        out.push(text.get(copied..at).unwrap_or_default())?;
        out.push(new)?;
        copied = at.saturating_add(found.len());
    }
    out.push(text.get(copied..).unwrap_or_default())?;
    Ok(Rego::from(out.0))
}

/// A cutset is searched for each character that is cut, so it must be short.
fn trim(args: &[Rego], left: bool, right: bool) -> Answer {
    const CUTSET_BYTES_MAX: usize = 64;
    let [Rego::String(text), Rego::String(cutset)] = args else { return Ok(Rego::Undefined) };
    if cutset.len() > CUTSET_BYTES_MAX {
        return Err(exceeded(CUTSET_BYTES_MAX));
    }
    let cut = |c: char| cutset.contains(c);
    let text = if left { text.trim_start_matches(cut) } else { text };
    Ok(Rego::from(if right { text.trim_end_matches(cut) } else { text }))
}

/// By an empty delimiter into characters.
fn split(args: &[Rego]) -> Rego {
    let [Rego::String(text), Rego::String(delimiter)] = args else { return Rego::Undefined };
    let parts: Vec<Rego> = if delimiter.is_empty() {
        text.chars().map(|c| Rego::from(c.to_string())).collect()
    } else {
        text.split(delimiter.as_ref()).map(Rego::from).collect()
    };
    Rego::from(parts)
}

/// The place of the first occurrence in characters, -1 when there is none. Nothing is not looked for.
fn indexof(args: &[Rego]) -> Rego {
    let [Rego::String(text), Rego::String(part)] = args else { return Rego::Undefined };
    if part.is_empty() {
        return Rego::Undefined;
    }
    match text.split_once(part.as_ref()) {
        Some((before, _)) => Rego::from(u64::try_from(before.chars().count()).unwrap_or(u64::MAX)),
        None => Rego::from(-1i64),
    }
}

/// Occurrences that do not overlap; nothing is between all characters.
fn count(args: &[Rego]) -> Rego {
    let [Rego::String(text), Rego::String(part)] = args else { return Rego::Undefined };
    let count =
        if part.is_empty() { text.chars().count().saturating_add(1) } else { text.matches(part.as_ref()).count() };
    Rego::from(u64::try_from(count).unwrap_or(u64::MAX))
}

fn range(args: &[Rego]) -> Answer {
    let [Rego::Number(from), Rego::Number(to)] = args else { return Ok(Rego::Undefined) };
    let (Some(from), Some(to)) = (from.as_i64(), to.as_i64()) else { return Ok(Rego::Undefined) };
    if from.abs_diff(to) >= RANGE_MAX {
        return Err(exceeded(usize::try_from(RANGE_MAX).unwrap_or(usize::MAX)));
    }
    let ascending = from.min(to)..=from.max(to);
    let items: Vec<Rego> =
        if from <= to { ascending.map(Rego::from).collect() } else { ascending.rev().map(Rego::from).collect() };
    Ok(Rego::from(items))
}

fn to_number(args: &[Rego]) -> Rego {
    match args {
        [Rego::Null | Rego::Bool(false)] => Rego::from(0u64),
        [Rego::Bool(true)] => Rego::from(1u64),
        [Rego::Number(number)] => Rego::Number(number.clone()),
        [Rego::String(text)] => convert::number_text(text).unwrap_or(Rego::Undefined),
        _ => Rego::Undefined,
    }
}

fn unmarshal(args: &[Rego]) -> Rego {
    let [Rego::String(text)] = args else { return Rego::Undefined };
    value::parse(text.as_bytes()).ok().and_then(|value| convert::to_rego(&value)).unwrap_or(Rego::Undefined)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn text(value: &str) -> Rego {
        Rego::from(value)
    }

    #[test]
    fn the_list_is_sorted_and_no_name_is_in_two_lists() {
        assert!(ALLOWED.is_sorted());
        for name in ALLOWED {
            assert!(matches!(standing(name), Standing::Allowed), "{name}");
            assert!(!OUTSIDE.iter().any(|(family, _)| name.starts_with(family)), "{name}");
        }
        for name in ["http.send", "time.now_ns", "rand.intn", "strings.replace_n", "__builtin_host_await", "print"] {
            assert!(matches!(standing(name), Standing::Refused(_)), "{name}");
        }
        assert!(matches!(standing("my_rule"), Standing::Other));
    }

    #[test]
    fn texts_stop_growing_at_the_cap() {
        let long = text(&"x".repeat(TEXT_BYTES_MAX));
        assert!(concat(&[text(","), Rego::from(vec![long.clone(), text("y")])]).is_err());
        assert!(replace(&[long.clone(), text("x"), text("xx")]).is_err());
        assert!(sprintf(&[text("%s%s"), Rego::from(vec![long.clone(), long])]).is_err());
        assert!(range(&[Rego::from(0u64), Rego::from(u64::from(u32::MAX))]).is_err());
        assert!(trim(&[text("abc"), text(&"c".repeat(65))], true, true).is_err());
    }

    #[test]
    fn what_grows_or_takes_long_costs_more() {
        let (long, one) = (text(&"a,".repeat(500)), Rego::from(1u64));
        assert_eq!(surcharge("split", &[&long, &text(",")]), 250);
        assert_eq!(surcharge("split", &[&long, &text("")]), 500);
        assert_eq!(surcharge("json.unmarshal", &[&long]), 1_000);
        assert_eq!(surcharge("replace", &[&long, &one, &one]), 125);
        assert_eq!(surcharge("numbers.range", &[&one, &Rego::from(401u64)]), 200);
        assert_eq!(surcharge("numbers.range", &[&Rego::from(i64::MIN), &Rego::from(i64::MAX)]), RANGE_MAX / 2);
        assert_eq!(surcharge("count", &[&long]), 0);
    }

    #[test]
    fn ours_answer_as_opa_does() {
        assert_eq!(concat(&[text("/"), Rego::from(vec![text("a"), text("b")])]).unwrap(), text("a/b"));
        let values = Rego::from(vec![text("x"), Rego::from(7u64), Rego::Bool(true)]);
        assert_eq!(sprintf(&[text("%s has %d%% %v"), values]).unwrap(), text("x has 7% true"));
        assert_eq!(sprintf(&[text("%10d"), Rego::from(vec![Rego::from(1u64)])]).unwrap(), Rego::Undefined);
        assert_eq!(replace(&[text("aXbX"), text("X"), text("-")]).unwrap(), text("a-b-"));
        assert_eq!(trim(&[text("..a.b.."), text(".")], true, true).unwrap(), text("a.b"));
        assert_eq!(trim(&[text("..a"), text(".")], false, true).unwrap(), text("..a"));
        let down: Vec<Rego> = [3u64, 2, 1].map(Rego::from).into();
        assert_eq!(range(&[Rego::from(3u64), Rego::from(1u64)]).unwrap(), Rego::from(down));
        let letters = |texts: &[&str]| Rego::from(texts.iter().map(|t| text(t)).collect::<Vec<_>>());
        assert_eq!(split(&[text("a,b,,c"), text(",")]), letters(&["a", "b", "", "c"]));
        assert_eq!(split(&[text("aé"), text("")]), letters(&["a", "é"]));
        assert_eq!(split(&[text(""), text(",")]), letters(&[""]));
        assert_eq!(
            (indexof(&[text("éab"), text("b")]), indexof(&[text("a"), text("b")])),
            (Rego::from(2u64), Rego::from(-1i64))
        );
        assert_eq!(indexof(&[text("a"), text("")]), Rego::Undefined);
        assert_eq!(
            (count(&[text("aaa"), text("aa")]), count(&[text("éa"), text("")])),
            (Rego::from(1u64), Rego::from(3u64))
        );
        assert_eq!(to_number(&[text("12.5")]), Rego::from(12.5));
        assert_eq!(to_number(&[text("1e999999999")]), Rego::Undefined);
        assert_eq!(unmarshal(&[text("[1e999999999]")]), Rego::Undefined);
        assert_eq!(unmarshal(&[text("[1e999]")]), Rego::Undefined);
        assert_eq!(unmarshal(&[text("[1]")]), Rego::from(vec![Rego::from(1u64)]));
    }
}
