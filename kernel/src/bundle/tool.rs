//! Tools of a bundle: what they are, and whether a call's arguments fit their declared inputs.

use std::sync::Arc;

use assent_ledger::hash::{Hash, sha256};

use super::error::{BundleErrorKind, Diagnostics, Position};
use super::fields::{Fields, boolean, count, name, names, number, one_or_many, scalar, text};
use super::source::{Key, Node, NodeKind};
use crate::value::{Number, Object, Value};

/// Most actions, inputs or listed values of one tool.
const TOOL_ITEMS_MAX: usize = 1_024;
/// The risk tiers, from the lowest.
const RISK_TIERS: [&str; 4] = ["low", "medium", "high", "critical"];
/// The categories of effects.
const CATEGORIES: [&str; 4] = ["read", "reversible_write", "irreversible_write", "external_effect"];

/// A tool the bundle declares.
#[derive(Debug, Clone)]
pub struct Tool {
    pub(super) at: Position,
    pub(super) name: Arc<str>,
    pub(super) class: Arc<str>,
    pub(super) actions: Vec<Arc<str>>,
    category: Option<&'static str>,
    risk_tier: Option<&'static str>,
    inputs: Vec<Argument>,
    schema_hash: Hash,
    /// Positions of the rules that can match this tool, in the order they are asked.
    pub(super) rules: Arc<[u32]>,
    /// Positions of the contract rules for this tool.
    pub(super) contracts: Vec<u32>,
}

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
    allowed: Vec<Value>,
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
    /// A value that is not among the declared ones.
    #[error("use one of the declared values for `{argument}`")]
    Enum {
        /// The argument.
        argument: String,
    },
}

impl Tool {
    /// The tool's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tool's class, which capabilities and rules name.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The tool's actions, in the order written.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(|action| &**action)
    }

    /// The declared category: `read`, `reversible_write`, `irreversible_write` or `external_effect`.
    pub const fn category(&self) -> Option<&'static str> {
        self.category
    }

    /// The declared risk tier: `low`, `medium`, `high` or `critical`.
    pub const fn risk_tier(&self) -> Option<&'static str> {
        self.risk_tier
    }

    /// SHA-256 over what the bundle declares of the tool (name, class, actions, category, risk tier, inputs), independent of
    /// layout, order of inputs and descriptions.
    pub const fn schema_hash(&self) -> Hash {
        self.schema_hash
    }

    /// Whether the tool declares this argument, and if so whether it requires it.
    pub(super) fn requires(&self, argument: &str) -> Option<bool> {
        self.inputs.iter().find(|input| &*input.name == argument).map(|input| input.required)
    }

    /// Checks arguments against the declared inputs; the first misfit in order of names is the error.
    pub fn check_arguments(&self, args: &Object) -> Result<(), ArgumentError> {
        let mut declared = self.inputs.iter().peekable();
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

    /// Reads one item of `tools`.
    pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<Tool> {
        const KNOWN: [&str; 8] =
            ["name", "description", "class", "action", "actions", "category", "risk_tier", "inputs"];
        const LATER: [&str; 7] =
            ["pin", "labels", "output_labels", "sensitivity", "quarantine_safe", "observe_default", "executor"];
        let fields = Fields::open(node, "a tool", &KNOWN, &LATER, d)?;
        if let Some(node) = fields.get("description") {
            text(node, "description", d);
        }
        let tool_name = fields.required("name", d).and_then(|node| name(node, "a tool's name", d));
        let class = fields.required("class", d).and_then(|node| name(node, "a tool's class", d));
        let actions = match fields.any(&["action", "actions"], d) {
            Some(node) => names(node, "action", TOOL_ITEMS_MAX, d).into_iter().map(|(_, action)| action).collect(),
            None => {
                fields.missing("action", d);
                Vec::new()
            }
        };
        let category = fields.get("category").and_then(|node| one_of(node, "category", &CATEGORIES, d));
        let risk_tier = fields.get("risk_tier").and_then(|node| one_of(node, "risk_tier", &RISK_TIERS, d));
        let inputs = fields.get("inputs").map(|node| read_inputs(node, d)).unwrap_or_default();
        let mut tool = Tool {
            at: node.at,
            name: tool_name?,
            class: class?,
            actions,
            category,
            risk_tier,
            inputs,
            schema_hash: Hash::default(),
            rules: Arc::from([]),
            contracts: Vec::new(),
        };
        tool.schema_hash = tool.hash_schema();
        Some(tool)
    }

    fn hash_schema(&self) -> Hash {
        let mut out = Encoder(b"assent tool schema/1\n".to_vec());
        out.text(&self.name);
        out.text(&self.class);
        let mut actions: Vec<&str> = self.actions().collect();
        actions.sort_unstable();
        out.count(actions.len());
        actions.iter().for_each(|action| out.text(action));
        out.text(self.category.unwrap_or_default());
        out.text(self.risk_tier.unwrap_or_default());
        out.count(self.inputs.len());
        for input in &self.inputs {
            out.text(&input.name);
            out.text(if input.required { "required" } else { "optional" });
            out.shape(&input.shape);
        }
        sha256(&[&out.0])
    }
}

fn missing(input: &Argument) -> Result<(), ArgumentError> {
    if input.required { Err(ArgumentError::Missing { argument: input.name.to_string() }) } else { Ok(()) }
}

impl Shape {
    fn check(&self, value: &Value, argument: &str) -> Result<(), ArgumentError> {
        let argument = || argument.to_owned();
        if !self.kind.admits(value) {
            return Err(ArgumentError::Type { argument: argument(), expected: self.kind.name() });
        }
        if let Value::Number(number) = value
            && (self.min.as_ref().is_some_and(|min| number < min) || self.max.as_ref().is_some_and(|max| number > max))
        {
            return Err(ArgumentError::Range { argument: argument() });
        }
        if let Some(max) = self.length_max
            && length(value) > max
        {
            return Err(ArgumentError::Length { argument: argument(), max });
        }
        if !self.allowed.is_empty() && !self.allowed.contains(value) {
            return Err(ArgumentError::Enum { argument: argument() });
        }
        match (&self.items, value) {
            (Some(shape), Value::Array(items)) => items.iter().try_for_each(|item| shape.check(item, &argument())),
            _ => Ok(()),
        }
    }
}

/// Characters of a text, elements of an array.
fn length(value: &Value) -> u64 {
    let length = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A text that must be one of a few.
fn one_of(node: &Node, what: &str, known: &[&'static str], d: &mut Diagnostics) -> Option<&'static str> {
    let written = text(node, what, d)?;
    let found = known.iter().find(|name| **name == written).copied();
    if found.is_none() {
        let message = format!("`{written}` is no {what}");
        d.error_hint(node.at, BundleErrorKind::InvalidValue, message, &format!("use one of {}", known.join(", ")));
    }
    found
}

fn read_inputs(node: &Node, d: &mut Diagnostics) -> Vec<Argument> {
    let NodeKind::Map(members) = &node.kind else {
        super::fields::wrong_type(node, "inputs", "a mapping from argument to type", d);
        return Vec::new();
    };
    if members.len() > TOOL_ITEMS_MAX {
        d.error(node.at, BundleErrorKind::TooLarge, format!("keep a tool to {TOOL_ITEMS_MAX} inputs"));
        return Vec::new();
    }
    let mut inputs: Vec<Argument> = members.iter().filter_map(|(key, node)| read_input(key, node, d)).collect();
    inputs.sort_by(|a, b| a.name.cmp(&b.name));
    inputs
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
    let allowed = fields.get("enum").map(|node| read_enum(node, kind, d)).unwrap_or_default();
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
    for item in one_or_many(node, "enum", TOOL_ITEMS_MAX, d) {
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

/// Length-prefixed encoding of a declaration, for its hash.
struct Encoder(Vec<u8>);

impl Encoder {
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: Option<&Number>) {
        self.text(&number.map(Number::normal_text).unwrap_or_default());
    }

    fn shape(&mut self, shape: &Shape) {
        self.text(shape.kind.name());
        self.number(shape.min.as_ref());
        self.number(shape.max.as_ref());
        self.text(&shape.length_max.map(|max| max.to_string()).unwrap_or_default());
        let mut allowed: Vec<String> = shape.allowed.iter().map(scalar_text).collect();
        allowed.sort_unstable();
        self.count(allowed.len());
        allowed.iter().for_each(|value| self.text(value));
        self.count(usize::from(shape.items.is_some()));
        if let Some(items) = &shape.items {
            self.shape(items);
        }
    }
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => format!("s{text}"),
        Value::Number(number) => format!("n{}", number.normal_text()),
        Value::Bool(boolean) => format!("b{boolean}"),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}
