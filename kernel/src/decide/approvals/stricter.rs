//! What the active bundle's settings and the reported signals say about an answer, besides what was asked for when the call began to wait.

use assent_ledger::ids::TenantId;

use crate::bundle::CompiledBundle;
use crate::command::split_condition;
use crate::decide::Context;
use crate::decide::signals::adjustment_of;
use crate::limits::APPROVED_TOKEN_MICROS;
use crate::reason::ReasonCode;
use crate::state::StateRead;
use crate::state::keys::ApprovalRecord;

/// How many people have to agree at the level of what is reported by now; 0 when nothing raises it.
pub(super) fn people<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    known: &ApprovalRecord,
    bundle: Option<&CompiledBundle>,
) -> u32 {
    let Some(bundle) = bundle else { return 0 };
    let subjects = core::iter::once(&known.subject).chain(&known.chain).map(String::as_str);
    let adjustment = adjustment_of(ctx, bundle, tenant, known.run_id.as_deref(), subjects);
    let asked = bundle.tool(&known.tool).map_or(0, |tool| adjustment.people(tool));
    asked.max(adjustment.approvers())
}

/// Whether the bundle lets people set these conditions. A text that is none is somebody else's affair.
pub(super) fn admitted(bundle: Option<&CompiledBundle>, conditions: &[String]) -> Result<(), ReasonCode> {
    let Some(bundle) = bundle else { return Ok(()) };
    let admits = |text: &String| split_condition(text).is_none_or(|(name, _)| bundle.approvals().admits(name));
    if conditions.iter().all(admits) { Ok(()) } else { Err(ReasonCode::ConditionUnknown) }
}

/// For how long an approved call can be redeemed, in microseconds.
pub(super) fn token_micros(bundle: Option<&CompiledBundle>) -> u64 {
    bundle.map_or(APPROVED_TOKEN_MICROS, |bundle| bundle.approvals().token_micros())
}
