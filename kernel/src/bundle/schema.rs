//! `schema` of a tool: the part of JSON Schema (2020-12) that can be checked in linear time, without references.

use std::collections::{BTreeMap, BTreeSet};

use super::allowed::Allowed;
use super::encoder::Encoder;
use super::error::{BundleErrorKind, Diagnostics, nearest_hint};
use super::fields::{boolean, count, list, literal, number, one_of, one_or_many, text, wrong_type};
use super::inputs::{ArgumentError, INPUTS_MAX};
use super::pattern::{Pattern, Patterns};
use super::source::{Key, Node, NodeKind};
use super::work::Work;
use crate::value::{Number, Object, Value};

/// The types of JSON Schema.
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
/// The keywords that are checked, and those that say something to people only.
const KEYWORDS: [&str; 21] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "title",
    "description",
    "$comment",
    "$schema",
];

/// Most elements of an array whose elements must differ: each is written out to be compared with the others.
const UNIQUE_ITEMS_MAX: u64 = 1_024;

/// A compiled schema.
#[derive(Debug, Clone, Default)]
pub(super) struct Schema {
    /// Empty: every type.
    types: Vec<&'static str>,
    properties: BTreeMap<Box<str>, Schema>,
    required: BTreeSet<Box<str>>,
    /// Whether members that are not declared are accepted, when the schema says so.
    additional: Option<bool>,
    allowed: Option<Allowed>,
    bounds: Vec<(Bound, Number)>,
    lengths: (u64, Option<u64>),
    pattern: Option<Pattern>,
    items: Option<Box<Schema>>,
    counts: (u64, Option<u64>),
    unique: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Minimum,
    Maximum,
    ExclusiveMinimum,
    ExclusiveMaximum,
}

impl Schema {
    /// Whether the schema of a tool names this argument, and if so whether it is required.
    pub(super) fn requires(&self, argument: &str) -> Option<bool> {
        (self.is_open() || self.properties.contains_key(argument)).then(|| self.required.contains(argument))
    }

    /// Checks the arguments of a call; the first misfit in order of names is the error.
    pub(super) fn check(&self, args: &Object, work: &Work) -> Result<(), ArgumentError> {
        self.check_members(args, Way::Root, work)
    }

    /// Members that are not declared are refused, unless the schema says otherwise or says nothing about objects at all.
    fn is_open(&self) -> bool {
        self.additional.unwrap_or(self.types.is_empty() && self.properties.is_empty())
    }

    fn check_value(&self, value: &Value, at: Way<'_>, work: &Work) -> Result<(), ArgumentError> {
        let argument = || at.text();
        if !self.types.is_empty() && !self.types.iter().any(|name| is_of(value, name)) {
            let expected = self.types.first().copied().unwrap_or_default();
            return Err(ArgumentError::Type { argument: argument(), expected });
        }
        if self.allowed.as_ref().is_some_and(|allowed| !allowed.contains(value)) {
            return Err(ArgumentError::Enum { argument: argument() });
        }
        match value {
            Value::Number(number) if !self.bounds.iter().all(|(bound, limit)| bound.holds(number, limit)) => {
                Err(ArgumentError::Range { argument: argument() })
            }
            Value::String(text) => self.check_text(text, at, work),
            Value::Array(elements) => self.check_elements(elements, at, work),
            Value::Object(members) => self.check_members(members, at, work),
            _ => Ok(()),
        }
    }

    fn check_text(&self, text: &str, at: Way<'_>, work: &Work) -> Result<(), ArgumentError> {
        check_length(text.chars().count(), self.lengths, at)?;
        let fits = |pattern: &Pattern| pattern.finds(text, work).unwrap_or(false);
        if self.pattern.as_ref().is_some_and(|pattern| !fits(pattern)) {
            return Err(ArgumentError::Pattern { argument: at.text() });
        }
        Ok(())
    }

    fn check_elements(&self, elements: &[Value], at: Way<'_>, work: &Work) -> Result<(), ArgumentError> {
        check_length(elements.len(), self.counts, at)?;
        if self.unique {
            check_length(elements.len(), (0, Some(UNIQUE_ITEMS_MAX)), at)?;
            // Each is written out: elements within elements that must differ again as often as they are deep.
            let weight = elements.iter().map(Value::weight).fold(0, usize::saturating_add);
            if !work.spend_pattern(weight) {
                return Err(ArgumentError::Repeated { argument: at.text() });
            }
            let mut seen = BTreeSet::new();
            if !elements.iter().all(|element| seen.insert(element.canonical_bytes())) {
                return Err(ArgumentError::Repeated { argument: at.text() });
            }
        }
        let Some(schema) = &self.items else { return Ok(()) };
        elements
            .iter()
            .enumerate()
            .try_for_each(|(index, element)| schema.check_value(element, Way::Element(&at, index), work))
    }

    fn check_members(&self, members: &Object, at: Way<'_>, work: &Work) -> Result<(), ArgumentError> {
        if let Some(name) = self.required.iter().find(|name| members.get(name).is_none()) {
            return Err(ArgumentError::Missing { argument: Way::Member(&at, name).text() });
        }
        members.iter().try_for_each(|(name, value)| match self.properties.get(name) {
            Some(schema) => schema.check_value(value, Way::Member(&at, name), work),
            None if self.is_open() => Ok(()),
            None => Err(ArgumentError::Unknown { argument: Way::Member(&at, name).text() }),
        })
    }

    /// The schema's declaration, for the tool's hash.
    pub(super) fn encode(&self, out: &mut Encoder) {
        out.texts(self.types.iter().copied());
        out.count(self.properties.len());
        for (name, schema) in &self.properties {
            out.text(name);
            schema.encode(out);
        }
        out.texts(self.required.iter().map(|name| &**name));
        out.count(usize::from(self.is_open()));
        let allowed: Option<BTreeSet<Vec<u8>>> =
            self.allowed.as_ref().map(|allowed| allowed.values().iter().map(Value::canonical_bytes).collect());
        out.count(allowed.as_ref().map_or(usize::MAX, BTreeSet::len));
        allowed.iter().flatten().for_each(|value| out.bytes(value));
        out.count(self.bounds.len());
        for (bound, limit) in &self.bounds {
            out.count(*bound as usize);
            out.number(Some(limit));
        }
        for (least, most) in [self.lengths, self.counts] {
            out.text(&format!("{least} {}", most.map(|most| most.to_string()).unwrap_or_default()));
        }
        out.text(self.pattern.as_ref().map_or("", Pattern::as_str));
        out.count(usize::from(self.unique));
        out.count(usize::from(self.items.is_some()));
        if let Some(items) = &self.items {
            items.encode(out);
        }
    }

    /// Reads a tool's `schema`, whose root must describe an object.
    pub(super) fn read_root(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Schema> {
        let schema = Schema::read(node, patterns, d)?;
        if schema.types != ["object"] {
            let message = "a tool's schema must describe an object";
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "write type: object");
            return None;
        }
        Some(schema)
    }

    fn read(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Schema> {
        let NodeKind::Map(members) = &node.kind else {
            wrong_type(node, "a schema", "a mapping of keywords", d);
            return None;
        };
        let mut schema = Schema::default();
        members.iter().for_each(|(key, node)| schema.read_keyword(key, node, patterns, d));
        if let Some(name) = schema.required.iter().find(|name| !schema.properties.contains_key(*name))
            && !schema.is_open()
        {
            let message = format!("`{name}` is required and not among the properties");
            d.error_hint(node.at, BundleErrorKind::UnknownName, message, "declare it under properties");
        }
        Some(schema)
    }

    fn read_keyword(&mut self, key: &Key, node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) {
        let length = |what: &str, d: &mut Diagnostics| count(node, what, u64::from(u32::MAX), d);
        match key.text.as_str() {
            "type" => {
                let items = one_or_many(node, "type", TYPES.len(), d);
                self.types = items.iter().filter_map(|item| one_of(item, "type", &TYPES, d)).collect();
                self.types.sort_unstable();
                self.types.dedup();
            }
            "properties" => self.read_properties(node, patterns, d),
            "required" => {
                let items = list(node, "required", INPUTS_MAX, d).iter();
                self.required = items.filter_map(|item| text(item, "a required name", d).map(Into::into)).collect();
            }
            "additionalProperties" => self.additional = boolean(node, "additionalProperties", d),
            "enum" => {
                let items = list(node, "enum", INPUTS_MAX, d).iter();
                self.allow(items.filter_map(|item| literal(item, "a value of enum", d)).collect());
            }
            "const" => self.allow(literal(node, "const", d).into_iter().collect()),
            "minimum" => self.bound(Bound::Minimum, "minimum", node, d),
            "maximum" => self.bound(Bound::Maximum, "maximum", node, d),
            "exclusiveMinimum" => self.bound(Bound::ExclusiveMinimum, "exclusiveMinimum", node, d),
            "exclusiveMaximum" => self.bound(Bound::ExclusiveMaximum, "exclusiveMaximum", node, d),
            "minLength" => self.lengths.0 = length("minLength", d).unwrap_or(0),
            "maxLength" => self.lengths.1 = length("maxLength", d),
            "minItems" => self.counts.0 = length("minItems", d).unwrap_or(0),
            "maxItems" => self.counts.1 = length("maxItems", d),
            "pattern" => self.pattern = patterns.compile(node, d),
            "items" => self.items = Schema::read(node, patterns, d).map(Box::new),
            "uniqueItems" => self.unique = boolean(node, "uniqueItems", d).unwrap_or(false),
            "title" | "description" | "$comment" | "$schema" => {
                text(node, "this text", d);
            }
            other => {
                let all =
                    || "only keywords that can be checked in linear time without references are accepted".to_owned();
                let hint = nearest_hint(other, KEYWORDS).unwrap_or_else(all);
                let message = format!("`{other}` is no keyword of a tool's schema here");
                d.error_hint(key.at, BundleErrorKind::UnknownKey, message, &hint);
            }
        }
    }

    fn read_properties(&mut self, node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) {
        let NodeKind::Map(members) = &node.kind else {
            wrong_type(node, "properties", "a mapping from name to schema", d);
            return;
        };
        if members.len() > INPUTS_MAX {
            d.error(node.at, BundleErrorKind::TooLarge, format!("keep an object to {INPUTS_MAX} properties"));
            return;
        }
        for (key, node) in members {
            if let Some(schema) = Schema::read(node, patterns, d) {
                self.properties.insert(key.text.as_str().into(), schema);
            }
        }
    }

    /// `enum` and `const` together allow what both allow.
    fn allow(&mut self, values: Vec<Value>) {
        let both = match self.allowed.take() {
            Some(earlier) => earlier.values().iter().filter(|value| values.contains(value)).cloned().collect(),
            None => values,
        };
        self.allowed = Some(Allowed::of(both));
    }

    fn bound(&mut self, bound: Bound, what: &str, node: &Node, d: &mut Diagnostics) {
        if let Some(limit) = number(node, what, d) {
            self.bounds.push((bound, limit));
            self.bounds.sort_by_key(|(bound, _)| *bound as u8);
        }
    }
}

impl Bound {
    fn holds(self, number: &Number, limit: &Number) -> bool {
        match self {
            Bound::Minimum => number >= limit,
            Bound::Maximum => number <= limit,
            Bound::ExclusiveMinimum => number > limit,
            Bound::ExclusiveMaximum => number < limit,
        }
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match value {
        Value::Number(number) => name == "number" || (name == "integer" && number.is_whole()),
        other => other.type_name() == name,
    }
}

fn check_length(length: usize, (least, most): (u64, Option<u64>), at: Way<'_>) -> Result<(), ArgumentError> {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    if let Some(max) = most.filter(|most| length > *most) {
        return Err(ArgumentError::Length { argument: at.text(), max });
    }
    if length < least {
        return Err(ArgumentError::Short { argument: at.text(), min: least });
    }
    Ok(())
}

/// The way to a member or element, which becomes a text only where something does not fit.
#[derive(Clone, Copy)]
enum Way<'a> {
    Root,
    Member(&'a Way<'a>, &'a str),
    Element(&'a Way<'a>, usize),
}

impl Way<'_> {
    /// The argument's name, then steps after slashes.
    fn text(self) -> String {
        let (above, step) = match self {
            Way::Root => return String::new(),
            Way::Member(above, name) => (above.text(), name.to_owned()),
            Way::Element(above, index) => (above.text(), index.to_string()),
        };
        if above.is_empty() { step } else { format!("{above}/{step}") }
    }
}
