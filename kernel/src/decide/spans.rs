//! Seals, cosignatures and anchors: each exactly once and in that order; whatever comes late or twice changes nothing.

use assent_ledger::ids::{TenantId, TreeSize};
use assent_ledger::seal::{SealReason, SpanAnchored, SpanCosigned};

use super::{Context, SealIntent, progress};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::state::StateRead;

/// Seals the open span. A span without an entry is sealed too: silence must be attested.
pub(super) fn seal<S: StateRead>(
    ctx: &Context<'_, S>,
    reason: SealReason,
    expected_start: TreeSize,
) -> Result<SealIntent, Refusal> {
    let progress = progress(ctx.state);
    let span_start = progress.span_start;
    if expected_start.0 != span_start.0 {
        return Err(Refusal::StaleSeal { span_start });
    }
    // Only the last seal can be cosigned: a second one would leave a span that no archive could ever close.
    if progress.cosigned.as_ref().map_or(TreeSize(0), |last| last.size) < progress.sealed {
        return Err(Refusal::SealPending { sealed: progress.sealed });
    }
    Ok(SealIntent { reason, span_start })
}

/// Records the cosignatures of the last seal's checkpoint.
pub(super) fn cosigned<S: StateRead>(ctx: &Context<'_, S>, body: &SpanCosigned) -> Result<Vec<Event>, Refusal> {
    let progress = progress(ctx.state);
    let newer = progress.cosigned.as_ref().is_none_or(|last| body.size > last.size);
    if progress.sealed == TreeSize(0) || body.size != progress.sealed || !newer {
        return Err(Refusal::StaleCosigned { sealed: progress.sealed });
    }
    Ok(vec![ctx.event(&TenantId::system(), body.clone())])
}

/// Records that the last cosigned checkpoint's span is in WORM storage.
pub(super) fn anchored<S: StateRead>(ctx: &Context<'_, S>, body: &SpanAnchored) -> Result<Vec<Event>, Refusal> {
    let progress = progress(ctx.state);
    let fits = progress.cosigned.as_ref().is_some_and(|last| {
        last.size == body.size && last.checkpoint == body.checkpoint && last.manifest == body.manifest
    });
    if !fits || body.size <= progress.anchored {
        return Err(Refusal::StaleAnchored);
    }
    Ok(vec![ctx.event(&TenantId::system(), body.clone())])
}
