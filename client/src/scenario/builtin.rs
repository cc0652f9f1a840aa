//! The attack range that ships with the client: attacks, and ordinary work under the same policy.

use super::load::{LoadError, load_text};
use super::model::Scenario;

const FILES: [(&str, &str); 4] = [
    ("attacks-memory.yaml", include_str!("../../scenarios/attacks-memory.yaml")),
    ("attacks-runs.yaml", include_str!("../../scenarios/attacks-runs.yaml")),
    ("attacks-trust.yaml", include_str!("../../scenarios/attacks-trust.yaml")),
    ("benign.yaml", include_str!("../../scenarios/benign.yaml")),
];

const BUNDLE: (&str, &str) = ("agents.bundle.yaml", include_str!("../../scenarios/agents.bundle.yaml"));

/// Every scenario of the attack range, in order.
pub fn attack_range() -> Result<Vec<Scenario>, LoadError> {
    let mut scenarios = Vec::new();
    for (name, text) in FILES {
        let bundle = |path: &std::path::Path| {
            let known = path.as_os_str() == BUNDLE.0;
            if known { Ok(BUNDLE.1.to_owned()) } else { Err(std::io::ErrorKind::NotFound.into()) }
        };
        scenarios.extend(load_text(name.as_ref(), text, bundle)?);
    }
    Ok(scenarios)
}
