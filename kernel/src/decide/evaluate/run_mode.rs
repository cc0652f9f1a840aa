//! Step 4: what the run may still do.

use crate::bundle::Tool;
use crate::reason::ReasonCode;
use crate::state::keys::RunMode;

/// Whether a run of this mode may call this tool at all.
pub(super) fn admits(mode: RunMode, tool: &Tool) -> Result<(), ReasonCode> {
    match mode {
        RunMode::Normal => Ok(()),
        RunMode::Restricted if tool.category() == Some("read") => Ok(()),
        RunMode::Restricted => Err(ReasonCode::RunRestricted),
        RunMode::Quarantined => Err(ReasonCode::RunQuarantined),
        RunMode::Closed => Err(ReasonCode::RunClosed),
    }
}
