//! A call of a tool that the bundle does not declare and only observes (`unknown_tools: observe`). It runs, so that everything is asked
//! that does not take a declaration: the form of the arguments, approvals and delegations that the call names, its effect, its rates
//! and budgets, and the operator's baseline, which no tenant overrides by not declaring a tool.

use super::layers::Layers;
use super::{Asked, Judged, Who, against, called, charges, policy, rego, room};
use crate::bundle::{CompiledBundle, Outcome, Work};
use crate::decide::{Context, approvals};
use crate::reason::ReasonCode;
use crate::state::StateRead;

/// Finds what stands against the call besides its tool. An error is structural and final.
pub(super) fn observe<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    who: &Who<'_>,
    bundle: &CompiledBundle,
    judged: &mut Judged,
) -> Result<(), ReasonCode> {
    let work = &Work::default();
    let args = called::json(asked.evaluate)?;
    let layers = Layers::of_baseline(ctx, asked)?;
    layers.note(&mut judged.effects);
    rego::admit(ctx, &asked.caller.tenant, None, &layers, work);
    approvals::held(ctx, asked, who.subject)?;
    called::envelope(asked.evaluate, &bundle.hash(), None)?;
    if !asked.evaluate.context.on_behalf_of.is_empty() {
        // Nobody can have passed on a capability for what nobody knows.
        return Err(ReasonCode::DelegationInvalid);
    }
    let tool = bundle.undeclared(&asked.evaluate.tool);
    charges::effect(ctx, asked, &tool, judged)?;
    (judged.observe, judged.soft) = (true, true);
    let charged = charges::charge_undeclared(ctx, asked, who, (bundle, &tool), judged);
    judged.outcome = match layers.baseline() {
        Some(baseline) => policy::undeclared(ctx, asked, who, (baseline, &args), work),
        None => Outcome::deny(ReasonCode::UnknownTool),
    };
    judged.effects.rego_units = work.rego_spent();
    if let Err(code) = charged {
        against(&mut judged.outcome, code);
    }
    room::enforce(ctx, asked, who.subject, judged);
    Ok(())
}
