//! Tools of a bundle: what they are, and whether a call's arguments fit their declared inputs.

use std::sync::Arc;

use assent_ledger::hash::{Hash, sha256};

use super::condition::Scratch;
use super::encoder::Encoder;
use super::error::{BundleErrorKind, Diagnostics, Position};
use super::fields::{Fields, boolean, count, list, name, names, number, one_of, text};
use super::inputs::{ArgumentError, Inputs};
use super::pattern::Patterns;
use super::schema::Schema;
use super::sensitivity::{Resource, Sensitivity, by_default_patterns};
use super::source::Node;
use super::work::Work;
use crate::command::Usage;
use crate::limits::TAINT_LABELS_MAX;
use crate::taint::{TaintLabel, TaintSource};
use crate::value::Object;

/// Most actions of one tool.
const ACTIONS_MAX: usize = 1_024;
/// Largest cost of one call, in tokens or millionths of a US dollar.
const COST_MAX: u64 = 1 << 53;
/// Actions of class `http` that send something out.
const EGRESS_ACTIONS: [&str; 4] = ["post", "put", "patch", "delete"];
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
    accepts: Accepts,
    schema_hash: Hash,
    pin: Option<Hash>,
    output_labels: Vec<TaintLabel>,
    sensitivity: Sensitivity,
    pub(super) resources: Vec<Resource>,
    /// Whether the bundle switches the default patterns of sensitive paths on.
    pub(super) sensitivity_defaults: bool,
    quarantine_safe: bool,
    cost: Usage,
    egress: Option<bool>,
    /// Positions of the rules that can match this tool, in the order they are asked.
    pub(super) rules: Arc<[u32]>,
    /// Positions of the contract rules for this tool.
    pub(super) contracts: Vec<u32>,
    /// Positions of the budgets and of the rates that its calls may be charged to.
    pub(super) charged: (Vec<u32>, Vec<u32>),
}

/// What arguments a tool accepts.
#[derive(Debug, Clone)]
enum Accepts {
    Inputs(Inputs),
    Schema(Box<Schema>),
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

    /// SHA-256 of the tool's declaration as its server lists it, when the bundle pins it.
    pub const fn pin(&self) -> Option<Hash> {
        self.pin
    }

    /// Labels of what the tool returns; they hold for every call of it.
    pub fn output_labels(&self) -> &[TaintLabel] {
        &self.output_labels
    }

    /// How sensitive what a call with these arguments touches is: the highest of the tool's and its resources' labels, and of
    /// the default patterns when the bundle switches them on.
    pub fn sensitivity(&self, args: &Object) -> Sensitivity {
        self.sensitivity_within(args, &Work::default())
    }

    /// [`Tool::sensitivity`] with what is left to spend. What could not be looked for counts as if it were there.
    pub fn sensitivity_within(&self, args: &Object, work: &Work) -> Sensitivity {
        let memo = Scratch::new(work);
        let labelled =
            self.resources.iter().map(|resource| resource.touched(args, &memo)).fold(self.sensitivity, Ord::max);
        if self.sensitivity_defaults { labelled.max(by_default_patterns(args, work)) } else { labelled }
    }

    /// Whether the tool may still be called in a quarantined run.
    pub const fn is_quarantine_safe(&self) -> bool {
        self.quarantine_safe
    }

    /// What one call costs at least.
    pub const fn cost(&self) -> Usage {
        self.cost
    }

    /// Whether a call sends something out: as declared, else class `http` with post, put, patch or delete, or category
    /// `external_effect`.
    pub fn is_egress(&self) -> bool {
        let sends = || &*self.class == "http" && self.actions().any(|action| EGRESS_ACTIONS.contains(&action));
        self.egress.unwrap_or_else(|| self.category == Some("external_effect") || sends())
    }

    /// Whether the tool declares this argument, and if so whether it requires it.
    pub(super) fn requires(&self, argument: &str) -> Option<bool> {
        match &self.accepts {
            Accepts::Inputs(inputs) => inputs.requires(argument),
            Accepts::Schema(schema) => schema.requires(argument),
        }
    }

    /// Checks arguments against the declared inputs or schema; the first misfit in order of names is the error.
    pub fn check_arguments(&self, args: &Object) -> Result<(), ArgumentError> {
        self.check_arguments_within(args, &Work::default())
    }

    /// [`Tool::check_arguments`] with what is left to spend. Where `work` is exhausted afterwards, a text did not fit its pattern
    /// because it could not be looked for.
    pub fn check_arguments_within(&self, args: &Object, work: &Work) -> Result<(), ArgumentError> {
        match &self.accepts {
            Accepts::Inputs(inputs) => inputs.check(args),
            Accepts::Schema(schema) => schema.check(args, work),
        }
    }

    /// A tool of which nothing but its name is known: its class and its only action are nameless, so that nothing that names one is
    /// about it.
    pub(super) fn undeclared(name: &str) -> Tool {
        Tool {
            at: Position::default(),
            name: name.into(),
            class: "".into(),
            actions: vec!["".into()],
            category: None,
            risk_tier: None,
            accepts: Accepts::Inputs(Inputs::default()),
            schema_hash: Hash::default(),
            pin: None,
            output_labels: Vec::new(),
            sensitivity: Sensitivity::default(),
            resources: Vec::new(),
            sensitivity_defaults: false,
            quarantine_safe: false,
            cost: Usage::default(),
            egress: None,
            rules: Arc::from([]),
            contracts: Vec::new(),
            charged: (Vec::new(), Vec::new()),
        }
    }

    /// Reads one item of `tools`.
    pub(super) fn read(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Tool> {
        const KNOWN: [&str; 16] = [
            "name",
            "description",
            "class",
            "action",
            "actions",
            "category",
            "risk_tier",
            "inputs",
            "schema",
            "pin",
            "output_labels",
            "sensitivity",
            "resources",
            "quarantine_safe",
            "cost",
            "egress",
        ];
        let fields = Fields::open(node, "a tool", &KNOWN, &[], d)?;
        if let Some(node) = fields.get("description") {
            text(node, "description", d);
        }
        let tool_name = fields.required("name", d).and_then(|node| name(node, "a tool's name", d));
        let class = fields.required("class", d).and_then(|node| name(node, "a tool's class", d));
        let actions = match fields.any(&["action", "actions"], d) {
            Some(node) => names(node, "action", ACTIONS_MAX, d).into_iter().map(|(_, action)| action).collect(),
            None => {
                fields.missing("action", d);
                Vec::new()
            }
        };
        let category = fields.get("category").and_then(|node| one_of(node, "category", &CATEGORIES, d));
        let risk_tier = fields.get("risk_tier").and_then(|node| one_of(node, "risk_tier", &RISK_TIERS, d));
        let accepts = Accepts::read(&fields, patterns, d);
        let flag = |key: &str, d: &mut Diagnostics| fields.get(key).and_then(|node| boolean(node, key, d));
        let mut tool = Tool {
            at: node.at,
            name: tool_name?,
            class: class?,
            actions,
            category,
            risk_tier,
            accepts: accepts?,
            schema_hash: Hash::default(),
            pin: fields.get("pin").and_then(|node| read_pin(node, d)),
            output_labels: fields
                .get("output_labels")
                .map(|node| read_labels(node, "output_labels", d))
                .unwrap_or_default(),
            sensitivity: fields.get("sensitivity").and_then(|node| Sensitivity::read(node, d)).unwrap_or_default(),
            resources: fields.get("resources").map(|node| Resource::read_all(node, patterns, d)).unwrap_or_default(),
            sensitivity_defaults: false,
            quarantine_safe: flag("quarantine_safe", d).unwrap_or(false),
            cost: fields.get("cost").and_then(|node| read_cost(node, d)).unwrap_or_default(),
            egress: flag("egress", d),
            rules: Arc::from([]),
            contracts: Vec::new(),
            charged: (Vec::new(), Vec::new()),
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
        match &self.accepts {
            Accepts::Inputs(inputs) => inputs.encode(&mut out),
            Accepts::Schema(schema) => {
                out.text("schema");
                schema.encode(&mut out);
            }
        }
        sha256(&[&out.0])
    }
}

impl Accepts {
    fn read(fields: &Fields<'_>, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Accepts> {
        match (fields.get("inputs"), fields.get("schema")) {
            (Some(_), Some(schema)) => {
                let message = "a tool has either inputs or a schema";
                d.error_hint(schema.at, BundleErrorKind::Duplicate, message, "remove one of them");
                None
            }
            (inputs, None) => Some(Accepts::Inputs(inputs.map(|node| Inputs::read(node, d)).unwrap_or_default())),
            (None, Some(schema)) => Some(Accepts::Schema(Box::new(Schema::read_root(schema, patterns, d)?))),
        }
    }
}

fn read_pin(node: &Node, d: &mut Diagnostics) -> Option<Hash> {
    let written = text(node, "pin", d)?;
    let hash = written.strip_prefix("sha256:").unwrap_or(written).parse().ok();
    if hash.is_none() {
        let hint = "write the 64 lower-case hexadecimal digits of the SHA-256 of the tool's declaration";
        d.error_hint(node.at, BundleErrorKind::InvalidValue, "this pin is no digest", hint);
    }
    hash
}

/// `[{source, origin, confidence}]`, or sources alone.
/// A list of taint labels: sources, or sources with origin and confidence.
pub(super) fn read_labels(node: &Node, what: &str, d: &mut Diagnostics) -> Vec<TaintLabel> {
    let mut labels = Vec::new();
    for item in list(node, what, TAINT_LABELS_MAX, d) {
        labels.extend(read_label(item, d));
    }
    labels.sort();
    labels.dedup();
    labels
}

fn read_label(node: &Node, d: &mut Diagnostics) -> Option<TaintLabel> {
    let names = TaintSource::ALL.map(TaintSource::name);
    let source =
        |node: &Node, d: &mut Diagnostics| one_of(node, "taint source", &names, d).and_then(TaintSource::from_name);
    if node.scalar_value().is_some() {
        let source = source(node, d)?;
        return Some(TaintLabel {
            source,
            origin: source.name().to_owned(),
            confidence_milli: 1_000,
            propagated_from: None,
        });
    }
    let fields = Fields::open(node, "an output label", &["source", "origin", "confidence"], &[], d)?;
    let source = fields.required("source", d).and_then(|node| source(node, d));
    let origin = fields.get("origin").map(|node| name(node, "origin", d));
    let confidence_milli = match fields.get("confidence") {
        None => 1_000,
        Some(node) => {
            let milli = number(node, "confidence", d)?.to_milli().filter(|milli| *milli <= 1_000);
            if milli.is_none() {
                let message = "confidence must be a share from 0 to 1 with at most three decimals";
                d.error(node.at, BundleErrorKind::InvalidValue, message);
            }
            u16::try_from(milli?).ok()?
        }
    };
    let source = source?;
    let origin = match origin {
        Some(origin) => origin?.to_string(),
        None => source.name().to_owned(),
    };
    Some(TaintLabel { source, origin, confidence_milli, propagated_from: None })
}

fn read_cost(node: &Node, d: &mut Diagnostics) -> Option<Usage> {
    let fields = Fields::open(node, "cost", &["tokens", "cost_micro_usd"], &[], d)?;
    let amount = |key: &str, d: &mut Diagnostics| match fields.get(key) {
        Some(node) => count(node, key, COST_MAX, d),
        None => Some(0),
    };
    let (tokens, cost_micro_usd) = (amount("tokens", d), amount("cost_micro_usd", d));
    Some(Usage { tokens: tokens?, cost_micro_usd: cost_micro_usd? })
}
