//! Obligations: what an enforcement point has to do besides running or refusing a call.

use std::sync::Arc;

use super::error::{BundleErrorKind, Diagnostics, nearest_hint};
use super::fields::{Fields, boolean, list, name, text, wrong_type};
use super::limits::{OBLIGATION_BYTES_MAX, OBLIGATION_PARAMS_MAX, OBLIGATIONS_MAX};
use super::source::{Node, NodeKind};

/// The kinds every enforcement point knows by name; others begin with `x-` and mean what an enforcement point makes of them.
const KINDS: [&str; 10] = [
    "audit_log",
    "sign_action",
    "redact",
    "notify",
    "output_limit",
    "label",
    "watermark",
    "sandbox",
    "dry_run",
    "rate_limit",
];

/// Something that an enforcement point has to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obligation {
    /// What, such as `audit_log` or `redact`.
    pub kind: Arc<str>,
    /// Whether the call must not run at a point that cannot do it.
    pub required: bool,
    /// How: names and texts, in order of names. A list is one pair for each of its items.
    pub params: Vec<(Arc<str>, Arc<str>)>,
    /// Whether a policy made it for the call: its parameters may repeat arguments, which must not get into a leaf.
    pub made: bool,
}

impl Obligation {
    /// Whether every enforcement point knows this kind by name, or it is an own kind (`x-…`).
    pub fn is_kind(kind: &str) -> bool {
        KINDS.contains(&kind) || kind.strip_prefix("x-").is_some_and(|rest| !rest.is_empty())
    }

    /// Whether this is an own kind.
    pub(super) fn is_own(kind: &str) -> bool {
        kind.starts_with("x-")
    }

    fn read(node: &Node, d: &mut Diagnostics) -> Option<Obligation> {
        if matches!(node.kind, NodeKind::Scalar { .. }) {
            return Some(Obligation { kind: read_kind(node, d)?, required: true, params: Vec::new(), made: false });
        }
        let fields = Fields::open(node, "an obligation", &["type", "required", "params"], &[], d)?;
        let kind = fields.required("type", d).and_then(|node| read_kind(node, d));
        let required = fields.get("required").map_or(Some(true), |node| boolean(node, "required", d));
        let params = fields.get("params").map(|node| read_params(node, d)).unwrap_or_default();
        Some(Obligation { kind: kind?, required: required?, params, made: false })
    }
}

/// Reads a list of obligations; each is a mapping, or a kind alone.
pub(super) fn read_obligations(node: &Node, d: &mut Diagnostics) -> Vec<Obligation> {
    let items = list(node, "obligations", OBLIGATIONS_MAX, d);
    items.iter().filter_map(|item| Obligation::read(item, d)).collect()
}

pub(super) fn read_kind(node: &Node, d: &mut Diagnostics) -> Option<Arc<str>> {
    let kind = name(node, "an obligation's type", d)?;
    if !Obligation::is_kind(&kind) {
        let all = || format!("use one of {}, or a name of your own that begins with x-", KINDS.join(", "));
        let hint = nearest_hint(&kind, KINDS).unwrap_or_else(all);
        d.error_hint(node.at, BundleErrorKind::InvalidValue, format!("`{kind}` is no type of obligation"), &hint);
        return None;
    }
    Some(kind)
}

/// How many bytes parameters have.
pub(super) fn params_bytes(params: &[(Arc<str>, Arc<str>)]) -> usize {
    params.iter().map(|(name, text)| name.len() + text.len()).sum()
}

fn read_params(node: &Node, d: &mut Diagnostics) -> Vec<(Arc<str>, Arc<str>)> {
    let NodeKind::Map(members) = &node.kind else {
        wrong_type(node, "params", "a mapping from name to text", d);
        return Vec::new();
    };
    let mut params: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    for (key, node) in members {
        let items = match &node.kind {
            NodeKind::List(items) => items.as_slice(),
            _ => core::slice::from_ref(node),
        };
        for item in items {
            params.extend(text(item, "a parameter", d).map(|text| (key.text.as_str().into(), text.into())));
        }
    }
    if params.len() > OBLIGATION_PARAMS_MAX {
        let message = format!("keep an obligation to {OBLIGATION_PARAMS_MAX} parameters");
        d.error(node.at, BundleErrorKind::TooLarge, message);
        return Vec::new();
    }
    if params_bytes(&params) > OBLIGATION_BYTES_MAX {
        let message = format!("keep an obligation's parameters to {OBLIGATION_BYTES_MAX} bytes");
        d.error(node.at, BundleErrorKind::TooLarge, message);
        return Vec::new();
    }
    params.sort_by(|a, b| a.0.cmp(&b.0));
    params
}
