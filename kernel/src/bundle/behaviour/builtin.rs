//! The behaviour rules that every bundle can name: what untrusted data, secrets and refused capabilities must not lead to.

use std::sync::Arc;

use super::matcher::Matcher;
use crate::bundle::facts::TaintSources;
use crate::taint::TaintSource;

/// The names.
pub(super) const NAMES: [&str; 6] = [
    "web_taint_sensitive_probe",
    "denied_capability_then_escalation",
    "sensitive_read_then_egress",
    "tainted_database_write",
    "tainted_shell_with_data",
    "secret_access_then_any_egress",
];

/// Classes from the least to the most risky.
const RISK: [&str; 4] = ["http", "database", "file", "shell"];
/// A command longer than this is taken to carry data.
const SHELL_CHARACTERS: u64 = 100;

type Steps = Vec<Vec<Matcher>>;

/// The rules behind a name: what their ids end with, and their steps.
pub(super) fn rules(name: &str) -> Option<Vec<(String, Steps)>> {
    let none = Matcher::default;
    let tainted = || vec![Matcher { taint: Some(strangers()), ..none() }];
    let sensitive_read = || Matcher { sensitive_read: Some(true), ..none() };
    let egress = || Matcher { egress: Some(true), ..none() };
    let one = |steps| Some(vec![(String::new(), steps)]);
    match name {
        "web_taint_sensitive_probe" => one(vec![tainted(), vec![sensitive_read(), of_class(&["shell"]), egress()]]),
        "denied_capability_then_escalation" => Some(escalations()),
        "sensitive_read_then_egress" => one(vec![vec![sensitive_read()], vec![egress()]]),
        "tainted_database_write" => {
            let writes = vec!["reversible_write", "irreversible_write", "external_effect"];
            let by_category = Matcher { categories: Some(writes), ..of_class(&["database"]) };
            let actions = arcs(&["write", "exec", "mutate", "insert", "update", "delete"]);
            let by_action = Matcher { actions: Some(actions), ..of_class(&["database"]) };
            one(vec![tainted(), vec![by_category, by_action]])
        }
        "tainted_shell_with_data" => {
            one(vec![tainted(), vec![Matcher { longer_than: Some(SHELL_CHARACTERS), ..of_class(&["shell"]) }]])
        }
        "secret_access_then_any_egress" => {
            let secret = Matcher { secret_access: Some(true), ..none() };
            // Reading the next secret from the same vault by http is no egress of the first one.
            let http = Matcher { secret_access: Some(false), ..of_class(&["http"]) };
            one(vec![vec![secret], vec![egress(), http]])
        }
        _ => None,
    }
}

/// One rule per class whose capability was denied: latches know where they stand, not what they saw.
fn escalations() -> Vec<(String, Steps)> {
    let mut rules = Vec::new();
    for (at, class) in RISK.iter().enumerate() {
        let riskier = RISK.get(at + 1..).unwrap_or_default();
        if !riskier.is_empty() {
            let denied = Matcher { capability_denied: Some(true), ..of_class(&[class]) };
            rules.push((format!("/{class}"), vec![vec![denied], vec![of_class(riskier)]]));
        }
    }
    rules
}

/// What may carry instructions of strangers, the same as for leases and memory.
fn strangers() -> TaintSources {
    TaintSource::ALL.into_iter().filter(|source| source.is_untrusted()).collect()
}

fn of_class(names: &[&str]) -> Matcher {
    Matcher { classes: Some(arcs(names)), ..Matcher::default() }
}

fn arcs(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| (*name).into()).collect()
}
