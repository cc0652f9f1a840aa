//! The input document of a policy: what it may know about a call.

use std::collections::BTreeMap;

use regorus::Value as Rego;

use super::convert;
use crate::value::{Object, Value};

/// The input document, see `docs/schemas/rego-input.json`. Everything in it is committed or comes from the bundle.
#[derive(Debug, Clone, Copy)]
pub struct RegoInput<'a> {
    /// `input.tool`.
    pub tool: RegoTool<'a>,
    /// `input.subject`: the authenticated subject.
    pub subject: &'a str,
    /// `input.chain`: on whose behalf, from the nearest to the origin.
    pub chain: &'a [&'a str],
    /// `input.environment`.
    pub environment: &'a str,
    /// `input.args`: the arguments, having passed the tool's schema.
    pub args: &'a Object,
    /// `input.run`.
    pub run: RegoRun<'a>,
    /// `input.taint`: the names of the sources that taint the call or its run.
    pub taint: &'a [&'a str],
    /// `input.context.risk_milli`: the highest reported risk in thousandths, 0 without a report.
    pub risk_milli: u64,
    /// `input.context.labels`: the reported source labels.
    pub labels: &'a [&'a str],
    /// `input.time_ns`: the stamp of the decision in nanoseconds since 1970-01-01T00:00:00Z.
    pub time_ns: u64,
}

/// `input.tool`: the tool as the bundle declares it.
#[derive(Debug, Clone, Copy)]
pub struct RegoTool<'a> {
    /// The tool's name.
    pub name: &'a str,
    /// Its class.
    pub class: &'a str,
    /// Its actions.
    pub actions: &'a [&'a str],
    /// Its category, when the bundle states one.
    pub category: Option<&'a str>,
    /// Its risk tier, when the bundle states one.
    pub risk_tier: Option<&'a str>,
}

/// `input.run`: the run's counters before this call, and its mode.
#[derive(Debug, Clone, Copy)]
pub struct RegoRun<'a> {
    /// Calls decided.
    pub calls: u64,
    /// Calls denied.
    pub denied: u64,
    /// Calls that sent something out.
    pub egress: u64,
    /// Reads of sensitive resources.
    pub sensitive_reads: u64,
    /// `normal`, `restricted` or `quarantined`.
    pub mode: &'a str,
}

fn object<const N: usize>(members: [(&str, Rego); N]) -> Rego {
    Rego::from(members.into_iter().map(|(name, value)| (Rego::from(name), value)).collect::<BTreeMap<Rego, Rego>>())
}

fn texts(items: &[&str]) -> Rego {
    Rego::from(items.iter().map(|item| Rego::from(*item)).collect::<Vec<Rego>>())
}

fn optional(text: Option<&str>) -> Rego {
    text.map_or(Rego::Null, Rego::from)
}

/// How many nodes the document has, counted before it is made: its values, and its texts by their length.
pub(super) fn nodes(input: &RegoInput<'_>) -> u64 {
    /// Everything besides arguments and lists.
    const FIXED_NODES: u64 = 40;
    let texts = |items: &[&str]| items.iter().map(|text| text_nodes(text)).fold(0, u64::saturating_add);
    let lists = texts(input.chain).saturating_add(texts(input.taint)).saturating_add(texts(input.labels));
    members_nodes(input.args).saturating_add(lists).saturating_add(FIXED_NODES)
}

fn text_nodes(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX) / TOLD_BYTES_PER_NODE + 1
}

fn members_nodes(object: &Object) -> u64 {
    let member = |(name, value): (&str, &Value)| text_nodes(name).saturating_add(value_nodes(value));
    object.iter().map(member).fold(1, u64::saturating_add)
}

fn value_nodes(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) => 1,
        // Each number is written and read again, so that none loses digits.
        Value::Number(_) => 2,
        Value::String(text) => text_nodes(text),
        Value::Array(items) => items.iter().map(value_nodes).fold(1, u64::saturating_add),
        Value::Object(object) => members_nodes(object),
    }
}

/// One node stands for this many bytes of a text that is copied.
const TOLD_BYTES_PER_NODE: u64 = 64;

/// The document; `None` when a number in the arguments would lose digits.
pub(super) fn document(input: &RegoInput<'_>) -> Option<Rego> {
    let RegoInput { tool, run, .. } = input;
    Some(object([
        ("args", convert::object_to_rego(input.args)?),
        ("chain", texts(input.chain)),
        ("context", object([("labels", texts(input.labels)), ("risk_milli", Rego::from(input.risk_milli))])),
        ("environment", Rego::from(input.environment)),
        (
            "run",
            object([
                ("calls", Rego::from(run.calls)),
                ("denied", Rego::from(run.denied)),
                ("egress", Rego::from(run.egress)),
                ("mode", Rego::from(run.mode)),
                ("sensitive_reads", Rego::from(run.sensitive_reads)),
            ]),
        ),
        ("subject", Rego::from(input.subject)),
        ("taint", texts(input.taint)),
        ("time_ns", Rego::from(input.time_ns)),
        (
            "tool",
            object([
                ("actions", texts(tool.actions)),
                ("category", optional(tool.category)),
                ("class", Rego::from(tool.class)),
                ("name", Rego::from(tool.name)),
                ("risk_tier", optional(tool.risk_tier)),
            ]),
        ),
    ]))
}
