//! Step 4: what the run may still do.

use super::Called;
use crate::bundle::Tool;
use crate::reason::ReasonCode;
use crate::state::keys::{RunMode, RunRecord, SubjectStateRecord};
use crate::value::{Object, Value};

/// The mode in which a call is decided. Quarantine is its subject's: a new run does not escape it.
pub(super) fn of_call(run: &RunRecord, of_subject: &SubjectStateRecord) -> RunMode {
    if of_subject.quarantined.is_empty() { run.mode } else { run.mode.max(RunMode::Quarantined) }
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

/// Whether an http call's address carries more than a place. A tool that takes parameters apart counts too.
fn has_query(tool: &Tool, args: &Object) -> bool {
    let carries = |(name, value): (&str, &Value)| match value {
        Value::String(text) => text.contains('?') || text.contains('#'),
        Value::Object(members) => matches!(name, "query" | "params") && !members.is_empty(),
        _ => false,
    };
    tool.class() == "http" && args.iter().any(carries)
}
