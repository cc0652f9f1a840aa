//! Steps 5 and 7: rates and budgets. What a call is charged to is part of its effects; it is taken when the decision is recorded.

use super::{Asked, Called, Judged, Who};
use crate::bundle::{CompiledBundle, Tool};
use crate::decide::budgets::{ChargedCall, charges};
use crate::decide::{Context, effect_seen};
use crate::reason::ReasonCode;
use crate::state::StateRead;
use crate::verdict::Verdict;

/// Charges a call of this tool to its subject and to those of the chain. An error is a budget or a rate that does not suffice.
pub(super) fn charge<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    called: &Called<'_>,
    tool: &Tool,
    chain: &[String],
    judged: &mut Judged,
) -> Result<(), ReasonCode> {
    take(ctx, asked, called.subject, (called.bundle, tool), chain, judged)
}

/// Charges a call of a tool that the bundle does not declare.
pub(super) fn charge_undeclared<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    who: &Who<'_>,
    of: (&CompiledBundle, &Tool),
    judged: &mut Judged,
) -> Result<(), ReasonCode> {
    take(ctx, asked, who.subject, of, &[], judged)
}

fn take<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    subject: &str,
    (bundle, tool): (&CompiledBundle, &Tool),
    chain: &[String],
    judged: &mut Judged,
) -> Result<(), ReasonCode> {
    let context = &asked.evaluate.context;
    let call = ChargedCall {
        tenant: &asked.caller.tenant,
        environment: &asked.evaluate.environment,
        run_id: judged.run_id.as_deref().unwrap_or_default(),
        subject,
        chain,
        tool,
        usage: context.usage,
        caller: &context.budgets,
        shares: judged.shares,
        before: asked.again.map_or(&[], |again| again.rates),
    };
    let charged = charges(ctx.state, ctx.now, bundle, &call);
    judged.effects.rates = charged.rates;
    judged.effects.reserved = charged.reserved;
    judged.budget_asked = charged.asked;
    judged.new_in_run = charged.new_in_run;
    if charged.exceeded == Some(ReasonCode::PolicyError) {
        // What cannot be charged must not run, observed or not.
        judged.soft = false;
    }
    charged.exceeded.map_or(Ok(()), Err)
}

/// Whether the same effect was allowed before; and what the tool's output will bring with it.
pub(super) fn effect<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    tool: &Tool,
    judged: &mut Judged,
) -> Result<(), ReasonCode> {
    judged.effects.output_labels = tool.output_labels().to_vec();
    let Some(key) = asked.evaluate.context.idempotency_key.as_deref() else { return Ok(()) };
    judged.effects.effect_key = Some(key.to_owned());
    let seen = effect_seen(ctx.state, &asked.caller.tenant, &asked.evaluate.environment, tool.name(), key, ctx.now);
    if seen { Err(ReasonCode::EffectRepeated) } else { Ok(()) }
}

/// When nothing may run yet, nothing is set aside. An allow within budgets says so.
pub(super) fn settle(judged: &mut Judged) {
    if judged.effective() <= Verdict::Escalate {
        judged.effects.reserved.clear();
        judged.effects.output_labels.clear();
        judged.effects.effect_key = None;
    }
    let outcome = &mut judged.outcome;
    if judged.budget_asked && outcome.verdict == Verdict::Allow {
        outcome.codes.push(ReasonCode::BudgetOk);
        outcome.codes.sort_unstable();
        outcome.codes.dedup();
    }
}
