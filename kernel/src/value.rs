//! The inputs of a call: strict JSON, exact numbers, objects without duplicate keys.
//!
//! The order of an object's members never matters: they are kept sorted by name.

mod canonical;
pub(crate) mod decimal;
mod number;
mod parse;
mod write;

pub use number::{Number, NumberError};
pub use parse::{ValueError, parse, parse_object};

/// Most bytes of one JSON text.
pub const INPUT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of arrays and objects.
pub const INPUT_DEPTH_MAX: usize = 32;
/// Most values (scalars, arrays and objects together) in one JSON text.
pub const INPUT_VALUES_MAX: usize = 65_536;

/// One JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, compared exactly.
    Number(Number),
    /// A string of Unicode scalar values.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Object),
}

impl Value {
    /// Roughly how much work writing it out is, in bytes: what it takes to know before it is done.
    pub(crate) fn weight(&self) -> usize {
        const ANY: usize = 16;
        const NUMBER: usize = 64;
        match self {
            Value::Null | Value::Bool(_) => ANY,
            Value::Number(_) => NUMBER,
            Value::String(text) => ANY.saturating_add(text.len()),
            Value::Array(elements) => elements.iter().map(Value::weight).fold(ANY, usize::saturating_add),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| name.len().saturating_add(value.weight()))
                .fold(ANY, usize::saturating_add),
        }
    }

    /// The JSON name of the value's type.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a number value.
    pub const fn as_number(&self) -> Option<&Number> {
        match self {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The member (of an object) or element (of an array) that one decoded JSON pointer step names.
    pub fn child(&self, step: &str) -> Option<&Value> {
        match self {
            Value::Object(object) => object.get(step),
            Value::Array(elements) => array_index(step).and_then(|index| elements.get(index)),
            _ => None,
        }
    }
}

impl Value {
    /// The member or element that one decoded JSON pointer step names, to be changed.
    fn child_mut(&mut self, step: &str) -> Option<&mut Value> {
        match self {
            Value::Object(object) => object.get_mut(step),
            Value::Array(elements) => array_index(step).and_then(|index| elements.get_mut(index)),
            _ => None,
        }
    }
}

/// An array index as RFC 6901 writes it: decimal, no sign, no leading zero.
fn array_index(step: &str) -> Option<usize> {
    let canonical = step == "0" || (!step.starts_with('0') && step.bytes().all(|b| b.is_ascii_digit()));
    if canonical { step.parse().ok() } else { None }
}

/// Up to so many members are looked through one by one: names of different lengths differ at a glance.
const LOOKED_THROUGH_MAX: usize = 8;

/// A JSON object: members sorted by the bytes of their names, every name once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    members: Vec<(String, Value)>,
}

impl Object {
    /// Sorts the members; the first name that occurs twice is the error.
    pub fn new(mut members: Vec<(String, Value)>) -> Result<Object, String> {
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let twice = members.windows(2).find_map(|pair| match pair {
            [a, b] if a.0 == b.0 => Some(a.0.clone()),
            _ => None,
        });
        match twice {
            Some(name) => Err(name),
            None => Ok(Object { members }),
        }
    }

    /// The member with this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        if self.members.len() <= LOOKED_THROUGH_MAX {
            return self.members.iter().find(|member| member.0 == name).map(|member| &member.1);
        }
        let index = self.members.binary_search_by(|member| member.0.as_str().cmp(name)).ok()?;
        self.members.get(index).map(|member| &member.1)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let index = self.members.binary_search_by(|member| member.0.as_str().cmp(name)).ok()?;
        self.members.get_mut(index).map(|member| &mut member.1)
    }

    /// Sets the member with this name.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.members.binary_search_by(|member| member.0.as_str().cmp(name)) {
            Ok(index) => {
                if let Some(member) = self.members.get_mut(index) {
                    member.1 = value;
                }
            }
            Err(index) => self.members.insert(index, (name.to_owned(), value)),
        }
    }

    /// Removes the member with this name, if it is there.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let index = self.members.binary_search_by(|member| member.0.as_str().cmp(name)).ok()?;
        Some(self.members.remove(index).1)
    }

    /// Sets what the decoded steps of a JSON pointer name: a member of an object that is there, or an element that is there.
    /// `None` when the way does not exist; nothing is changed then.
    pub fn set_at(&mut self, steps: &[Box<str>], value: Value) -> Option<()> {
        let (last, way) = steps.split_last()?;
        let Some((first, rest)) = way.split_first() else {
            self.set(last, value);
            return Some(());
        };
        match rest.iter().try_fold(self.get_mut(first)?, |place, step| place.child_mut(step))? {
            Value::Object(object) => object.set(last, value),
            place @ Value::Array(_) => *place.child_mut(last)? = value,
            _ => return None,
        }
        Some(())
    }

    /// Removes what the decoded steps of a JSON pointer name, if it is there.
    pub fn remove_at(&mut self, steps: &[Box<str>]) {
        let Some((last, way)) = steps.split_last() else { return };
        let Some((first, rest)) = way.split_first() else {
            self.remove(last);
            return;
        };
        let place =
            self.get_mut(first).and_then(|place| rest.iter().try_fold(place, |place, step| place.child_mut(step)));
        match place {
            Some(Value::Object(object)) => {
                object.remove(last);
            }
            Some(Value::Array(elements)) => {
                if let Some(index) = array_index(last).filter(|index| *index < elements.len()) {
                    elements.remove(index);
                }
            }
            _ => {}
        }
    }

    /// The members in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.members.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}
