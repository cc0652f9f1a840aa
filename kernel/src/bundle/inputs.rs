//! `inputs` of a tool: its arguments with their types and ranges, and whether a call's arguments fit.

use super::allowed::Allowed;
use super::encoder::Encoder;
use super::error::{BundleErrorKind, Diagnostics};
use super::fields::{Fields, boolean, count, number, one_of, one_or_many, scalar, text, wrong_type};
use super::source::{Key, Node, NodeKind};
use crate::value::{Number, Object, Value};

/// Most inputs of one tool, and most listed values of one input.
pub(super) const INPUTS_MAX: usize = 1_024;

/// The declared inputs of one tool, sorted by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Inputs(Vec<Argument>);

#[derive(Debug, Clone)]
struct Argument {
    name: Box<str>,
    required: bool,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
}

impl Kind {
    const ALL: [(Kind, &'static str); 6] = [
        (Kind::String, "string"),
        (Kind::Integer, "integer"),
        (Kind::Number, "number"),
        (Kind::Boolean, "boolean"),
        (Kind::Array, "array"),
        (Kind::Object, "object"),
    ];

    fn name(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Kind::Integer, Value::Number(number)) => number.is_integer(),
            (Kind::String, Value::String(_))
            | (Kind::Number, Value::Number(_))
            | (Kind::Boolean, Value::Bool(_))
            | (Kind::Array, Value::Array(_))
            | (Kind::Object, Value::Object(_)) => true,
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
struct Shape {
    kind: Kind,
    min: Option<Number>,
    max: Option<Number>,
    length_max: Option<u64>,
    /// Everything when nothing is listed.
    allowed: Allowed,
    items: Option<Box<Shape>>,
}

/// Why arguments do not fit a tool's declared inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// The tool declares no such argument.
    #[error("leave out `{argument}`, the tool declares no such argument")]
    Unknown {
        /// The argument.
        argument: String,
    },
    /// A required argument is not there.
    #[error("give the required argument `{argument}`")]
    Missing {
        /// The argument.
        argument: String,
    },
    /// A value of another type.
    #[error("make `{argument}` a value of type {expected}")]
    Type {
        /// The argument.
        argument: String,
        /// The declared type.
        expected: &'static str,
    },
    /// A number outside its range.
    #[error("keep `{argument}` within its declared range")]
    Range {
        /// The argument.
        argument: String,
    },
    /// A text with too many characters, or an array with too many elements.
    #[error("keep `{argument}` to a length of {max}")]
    Length {
        /// The argument.
        argument: String,
        /// Characters or elements allowed.
        max: u64,
    },
    /// A text with too few characters, or an array with too few elements.
    #[error("give `{argument}` a length of at least {min}")]
    Short {
        /// The argument.
        argument: String,
        /// Characters or elements needed.
        min: u64,
    },
    /// A text that does not match the declared pattern.
    #[error("write `{argument}` as its declared pattern says")]
    Pattern {
        /// The argument.
        argument: String,
    },
    /// An array that holds a value twice.
    #[error("list every value of `{argument}` once")]
    Repeated {
        /// The argument.
        argument: String,
    },
    /// A value that is not among the declared ones.
    #[error("use one of the declared values for `{argument}`")]
    Enum {
        /// The argument.
        argument: String,
    },
}

impl Inputs {
    /// Whether there is such an argument, and if so whether it is required.
    pub(super) fn requires(&self, argument: &str) -> Option<bool> {
        self.0.iter().find(|input| &*input.name == argument).map(|input| input.required)
    }

    /// The first misfit in order of names is the error.
    pub(super) fn check(&self, args: &Object) -> Result<(), ArgumentError> {
        let mut declared = self.0.iter().peekable();
        for (name, value) in args.iter() {
            while let Some(passed) = declared.next_if(|input| &*input.name < name) {
                missing(passed)?;
            }
            let Some(input) = declared.next_if(|input| &*input.name == name) else {
                return Err(ArgumentError::Unknown { argument: name.to_owned() });
            };
            input.shape.check(value, name)?;
        }
        declared.try_for_each(missing)
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.count(self.0.len());
        for input in &self.0 {
            out.text(&input.name);
            out.text(if input.required { "required" } else { "optional" });
            input.shape.encode(out);
        }
    }

    /// Reads the mapping under `inputs`.
    pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Inputs {
        let NodeKind::Map(members) = &node.kind else {
            wrong_type(node, "inputs", "a mapping from argument to type", d);
            return Inputs::default();
        };
        if members.len() > INPUTS_MAX {
            d.error(node.at, BundleErrorKind::TooLarge, format!("keep a tool to {INPUTS_MAX} inputs"));
            return Inputs::default();
        }
        let mut inputs: Vec<Argument> = members.iter().filter_map(|(key, node)| read_input(key, node, d)).collect();
        inputs.sort_by(|a, b| a.name.cmp(&b.name));
        Inputs(inputs)
    }
}

fn missing(input: &Argument) -> Result<(), ArgumentError> {
    if input.required { Err(ArgumentError::Missing { argument: input.name.to_string() }) } else { Ok(()) }
}

impl Shape {
    fn encode(&self, out: &mut Encoder) {
        out.text(self.kind.name());
        out.number(self.min.as_ref());
        out.number(self.max.as_ref());
        out.text(&self.length_max.map(|max| max.to_string()).unwrap_or_default());
        let mut allowed: Vec<String> = self.allowed.values().iter().map(scalar_text).collect();
        allowed.sort_unstable();
        out.count(allowed.len());
        allowed.iter().for_each(|value| out.text(value));
        out.count(usize::from(self.items.is_some()));
        if let Some(items) = &self.items {
            items.encode(out);
        }
    }

    fn check(&self, value: &Value, name: &str) -> Result<(), ArgumentError> {
        let argument = || name.to_owned();
        if !self.kind.admits(value) {
            return Err(ArgumentError::Type { argument: argument(), expected: self.kind.name() });
        }
        if let Value::Number(number) = value
            && (self.min.as_ref().is_some_and(|min| number < min) || self.max.as_ref().is_some_and(|max| number > max))
        {
            return Err(ArgumentError::Range { argument: argument() });
        }
        if let Some(max) = self.length_max
            && is_longer(value, max)
        {
            return Err(ArgumentError::Length { argument: argument(), max });
        }
        if !self.allowed.values().is_empty() && !self.allowed.contains(value) {
            return Err(ArgumentError::Enum { argument: argument() });
        }
        match (&self.items, value) {
            (Some(shape), Value::Array(items)) => items.iter().try_for_each(|item| shape.check(item, name)),
            _ => Ok(()),
        }
    }
}

/// Whether a text has more characters, or an array more elements.
fn is_longer(value: &Value, max: u64) -> bool {
    let exceeds = |length: usize| u64::try_from(length).unwrap_or(u64::MAX) > max;
    match value {
        // No text has more characters than bytes: most need not be counted.
        Value::String(text) => exceeds(text.len()) && exceeds(text.chars().count()),
        Value::Array(items) => exceeds(items.len()),
        _ => false,
    }
}

fn read_input(key: &Key, node: &Node, d: &mut Diagnostics) -> Option<Argument> {
    if key.text.is_empty() || key.text.len() > super::limits::NAME_BYTES_MAX {
        let message = format!("an input's name must have 1 to {} bytes", super::limits::NAME_BYTES_MAX);
        d.error(key.at, BundleErrorKind::InvalidValue, message);
    }
    const KNOWN: [&str; 8] = ["type", "required", "description", "min", "max", "max_length", "enum", "items"];
    let fields = Fields::open(node, "an input", &KNOWN, &[], d)?;
    let required = fields.get("required").and_then(|node| boolean(node, "required", d)).unwrap_or(false);
    Some(Argument { name: key.text.as_str().into(), required, shape: read_shape(&fields, d)? })
}

fn read_shape(fields: &Fields<'_>, d: &mut Diagnostics) -> Option<Shape> {
    let type_node = fields.required("type", d)?;
    let names = Kind::ALL.map(|(_, name)| name);
    let type_name = one_of(type_node, "type", &names, d)?;
    let kind = Kind::ALL.iter().find(|(_, name)| *name == type_name).map(|(kind, _)| *kind)?;
    let numeric = matches!(kind, Kind::Integer | Kind::Number);
    let sized = matches!(kind, Kind::String | Kind::Array);
    for (key, fits) in [("min", numeric), ("max", numeric), ("max_length", sized), ("items", kind == Kind::Array)] {
        if let Some(node) = fields.get(key).filter(|_| !fits) {
            let message = format!("`{key}` says nothing about an input of type {type_name}");
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "remove it, or correct the type");
        }
    }
    if let Some(node) = fields.get("description") {
        text(node, "description", d);
    }
    let allowed = fields.get("enum").map(|node| Allowed::of(read_enum(node, kind, d))).unwrap_or_default();
    let items = fields.get("items").and_then(|node| {
        const KNOWN: [&str; 7] = ["type", "description", "min", "max", "max_length", "enum", "items"];
        let fields = Fields::open(node, "the items of an input", &KNOWN, &[], d)?;
        read_shape(&fields, d).map(Box::new)
    });
    Some(Shape {
        kind,
        min: fields.get("min").and_then(|node| number(node, "min", d)),
        max: fields.get("max").and_then(|node| number(node, "max", d)),
        length_max: fields.get("max_length").and_then(|node| count(node, "max_length", u64::from(u32::MAX), d)),
        allowed,
        items,
    })
}

fn read_enum(node: &Node, kind: Kind, d: &mut Diagnostics) -> Vec<Value> {
    let mut values = Vec::new();
    for item in one_or_many(node, "enum", INPUTS_MAX, d) {
        let Some(value) = scalar(item, "a value of enum", d) else { continue };
        if kind.admits(&value) {
            values.push(value);
        } else {
            let message = format!("a value of enum must be of type {}, this is a {}", kind.name(), value.type_name());
            d.error(item.at, BundleErrorKind::WrongType, message);
        }
    }
    values
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => format!("s{text}"),
        Value::Number(number) => format!("n{}", number.normal_text()),
        Value::Bool(boolean) => format!("b{boolean}"),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}
