//! Step 4: what the run may still do.

use super::Called;
use crate::bundle::Tool;
use crate::reason::ReasonCode;
use crate::state::keys::{RunMode, RunRecord, SubjectStateRecord};
use crate::value::{Object, Value};

/// The mode in which a call is decided. Quarantine is its subject's: a new run does not escape it.
pub(super) fn of_call(run: &RunRecord, of_subject: &SubjectStateRecord) -> RunMode {
    if of_subject.is_quarantined() { run.mode.max(RunMode::Quarantined) } else { run.mode }
}

/// Whether the run's mode admits the call.
pub(super) fn check(called: &Called<'_>) -> Result<(), ReasonCode> {
    admits(called.mode, called.run, called.tool, called.args)
}

/// Whether a run in this mode may make this call at all.
pub(super) fn admits(mode: RunMode, run: &RunRecord, tool: &Tool, args: &Object) -> Result<(), ReasonCode> {
    match mode {
        RunMode::Normal => Ok(()),
        RunMode::Restricted if tool.category() != Some("read") => Err(ReasonCode::RunRestricted),
        // What was read could leave in the query of a request that only reads.
        RunMode::Restricted if run.counters.sensitive_reads > 0 && has_query(tool, args) => {
            Err(ReasonCode::RunRestricted)
        }
        RunMode::Restricted => Ok(()),
        RunMode::Quarantined if tool.is_quarantine_safe() => Ok(()),
        RunMode::Quarantined => Err(ReasonCode::RunQuarantined),
        RunMode::Closed => Err(ReasonCode::RunClosed),
    }
}

/// Arguments that carry something besides an address, whatever form it takes.
const CARRIERS: [&str; 16] = [
    "body",
    "content",
    "data",
    "filter",
    "form",
    "fragment",
    "json",
    "params",
    "payload",
    "q",
    "qs",
    "query",
    "query_params",
    "query_string",
    "querystring",
    "search",
];

/// Whether a call that goes out carries more than the place that it goes to: a query or fragment anywhere in what it says, or an
/// argument that is there to carry something.
fn has_query(tool: &Tool, args: &Object) -> bool {
    (tool.class() == "http" || tool.is_egress()) && carries_more(args)
}

fn carries_more(members: &Object) -> bool {
    members.iter().any(|(name, value)| {
        let carrier = CARRIERS.iter().any(|known| name.eq_ignore_ascii_case(known));
        (carrier && !is_empty(value)) || is_query(value)
    })
}

fn is_query(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(['?', '#']),
        Value::Array(elements) => elements.iter().any(is_query),
        Value::Object(members) => carries_more(members),
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
