//! Compute rules: what is to run in place of the call that was asked for.

use std::sync::Arc;

use super::error::{BundleErrorKind, Diagnostics, Position};
use super::fields::{Fields, list, literal, name, text, wrong_type};
use super::limits::COMPUTE_CHANGES_MAX;
use super::outcome::Replacement;
use super::select::Selector;
use super::source::{Node, NodeKind};
use crate::value::{Object, Value};

/// The changes of one compute rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Compute {
    pub(super) tool: Option<(Position, Arc<str>)>,
    remove: Vec<Selector>,
    set: Vec<(Selector, Value)>,
}

impl Compute {
    /// The call after the changes: first what is removed, then what is set, in the order written. `None` when a value is to
    /// be set at a place that does not exist.
    pub(super) fn apply(&self, args: &Object) -> Option<Replacement> {
        let mut args = args.clone();
        self.remove.iter().for_each(|selector| args.remove_at(selector.steps()));
        for (selector, value) in &self.set {
            args.set_at(selector.steps(), value.clone())?;
        }
        Some(Replacement { tool: self.tool.as_ref().map(|(_, tool)| tool.clone()), args })
    }

    /// Reads the mapping under `compute`.
    pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<Compute> {
        let fields = Fields::open(node, "compute", &["tool", "set", "remove"], &[], d)?;
        let mut compute = Compute::default();
        if let Some(node) = fields.get("tool") {
            compute.tool = name(node, "compute's tool", d).map(|tool| (node.at, tool));
        }
        for item in fields.get("remove").map_or(&[][..], |node| list(node, "remove", COMPUTE_CHANGES_MAX, d)) {
            let written = text(item, "an item of remove", d);
            compute.remove.extend(written.and_then(|text| Selector::read(text, item.at, d)));
        }
        if let Some(node) = fields.get("set") {
            compute.read_set(node, d);
        }
        if fields.is_empty() {
            let message = "a compute rule that changes nothing is an allow rule";
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "give tool, set or remove");
        }
        Some(compute)
    }

    fn read_set(&mut self, node: &Node, d: &mut Diagnostics) {
        let NodeKind::Map(members) = &node.kind else {
            wrong_type(node, "set", "a mapping from argument to value", d);
            return;
        };
        if members.len() > COMPUTE_CHANGES_MAX {
            d.error(
                node.at,
                BundleErrorKind::TooLarge,
                format!("set at most {COMPUTE_CHANGES_MAX} values in one rule"),
            );
            return;
        }
        for (key, node) in members {
            let selector = Selector::read(&key.text, key.at, d);
            let value = literal(node, "a value to set", d);
            self.set.extend(selector.zip(value));
        }
    }
}
