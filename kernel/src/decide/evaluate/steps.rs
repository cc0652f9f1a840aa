//! The steps of a call whose subject and run are known, in their order: what is structural, then what votes.

use assent_ledger::hash::Hash;

use super::layers::Layers;
use super::{
    Asked, Called, Judged, Who, against, behaviour, called, charges, nesting, obligations, orchestration, policy, rego,
    room, run_mode, undeclared,
};
use crate::bundle::{Outcome, Work};
use crate::decide::grants::Cover;
use crate::decide::{Context, approvals, settings};
use crate::event::RunModeChanged;
use crate::reason::ReasonCode;
use crate::state::StateRead;
use crate::state::keys::RunMode;

/// Takes a call through the steps. An error is structural and final.
pub(super) fn steps<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    who: &Who<'_>,
    judged: &mut Judged,
) -> Result<Option<RunModeChanged>, ReasonCode> {
    let active = called::active(ctx, asked)?;
    judged.bundle = Some(active);
    let bundle = called::bundle(ctx, &active)?;
    judged.observe = bundle.observes() || settings(ctx.state, &asked.caller.tenant).observe;
    let mode = judged.effects.mode;
    let tool = match called::tool(&bundle, &asked.evaluate.tool) {
        Err(code) if bundle.observes_unknown_tools() && mode == RunMode::Normal => {
            undeclared::observe(ctx, asked, who, &bundle, judged)?;
            against(&mut judged.outcome, code);
            return Ok(None);
        }
        found => found?,
    };
    judged.schema = Some(tool.schema_hash());
    let work = &Work::default();
    let args = called::arguments(tool, asked.evaluate, work)?;
    let layers = Layers::of(ctx, asked)?;
    layers.note(&mut judged.effects);
    rego::admit(ctx, &asked.caller.tenant, Some(&bundle), &layers, work);
    let reported = orchestration::signals(ctx, asked, who);
    let adjustment = &orchestration::adjust(who, (&active, &bundle), reported, judged);
    let limits = adjustment.limits(bundle.limits());
    let Who { subject, run_id, run, of_subject } = *who;
    let (bundle, layers, args) = (&bundle, &layers, &args);
    let called = Called {
        subject,
        run_id,
        run,
        of_subject,
        mode,
        bundle,
        layers,
        tool,
        args,
        limits,
        adjustment,
        reported,
        work,
    };
    match structural(ctx, asked, &called, &active, judged) {
        Ok(capability) => {
            vote(ctx, asked, &called, capability, judged);
            if !judged.observe && !meets_conditions(asked, judged) {
                judged.outcome = Outcome::deny(ReasonCode::ApprovalDenied);
            }
            room::enforce(ctx, asked, subject, judged);
        }
        Err(code) => judged.outcome = Outcome::deny(code),
    }
    judged.effects.rego_units = work.rego_spent();
    if mode < RunMode::Quarantined {
        behaviour::take(asked, &called, judged);
        nesting::check(ctx, asked, &called, judged);
    }
    if work.is_exhausted() && !judged.outcome.codes.contains(&ReasonCode::PolicyBudget) {
        against(&mut judged.outcome, ReasonCode::PolicyBudget);
    }
    obligations::check(asked, judged);
    Ok(behaviour::mode_change(&called, judged))
}

/// Whether what is to run in the place of a call that people have agreed to is what they tied their word to: they saw the call, not this.
fn meets_conditions(asked: &Asked<'_>, judged: &Judged) -> bool {
    let (Some(given), Some(replacement)) = (asked.approved_by, &judged.replacement) else { return true };
    approvals::are_met(given.conditions, &replacement.evaluate.inputs)
}

/// What no policy can allow. Answers on what capability the call rests, or what it lacks, which is a matter of policy.
fn structural<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    called: &Called<'_>,
    active: &Hash,
    judged: &mut Judged,
) -> Result<Result<Cover, ReasonCode>, ReasonCode> {
    approvals::held(ctx, asked, called.subject)?;
    called::envelope(asked.evaluate, active, Some(called.tool))?;
    charges::effect(ctx, asked, called.tool, judged)?;
    run_mode::check(called)?;
    match policy::covered(ctx, asked, called, called.run_id, (called.tool, called.args)) {
        // A delegation that does not hold, or that somebody in it may not stand for, is no matter of policy.
        Err(code) if code.number() < ReasonCode::CapabilityMissing.number() => Err(code),
        // Whether a capability covers the call is not known: that is no lack of one.
        Err(_) if called.work.is_exhausted() => Err(ReasonCode::PolicyBudget),
        capability => Ok(capability),
    }
}

/// What policy says: capability, rates and budgets first, then the votes. What is enforced ends with the first reason against the
/// call. What is only observed runs, so that everything is asked: the baseline, which is not softened, and what is added up.
fn vote<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    called: &Called<'_>,
    capability: Result<Cover, ReasonCode>,
    judged: &mut Judged,
) {
    judged.soft = true;
    let mut reasons: Vec<ReasonCode> = Vec::new();
    if judged.observe {
        reasons.extend(run_mode::admits(called.run.shadow.mode, called.run, called.tool, called.args).err());
    }
    reasons.extend(capability.as_ref().err());
    // Nobody is charged for a call on his behalf that he has not passed the capability for.
    let chain = if capability.is_ok() { asked.evaluate.context.on_behalf_of.as_slice() } else { &[] };
    reasons.extend(charges::charge(ctx, asked, called, called.tool, chain, judged).err());
    if let Some(code) = reasons.first().filter(|_| !judged.observe) {
        judged.outcome = Outcome::deny(*code);
        return;
    }
    let voted = policy::vote(ctx, asked, called, capability.unwrap_or_default(), judged.observe);
    (judged.outcome, judged.replacement, judged.effects.lease) = voted;
    reasons.into_iter().for_each(|code| against(&mut judged.outcome, code));
    if judged.observe {
        // The original runs, and is what is charged.
        return;
    }
    // Only the replacement is charged, if it is another tool.
    let other = judged.replacement.as_ref().and_then(|replaced| called.bundle.tool(&replaced.evaluate.tool));
    if let Some(other) = other.filter(|other| other.name() != called.tool.name()) {
        let charged = charges::effect(ctx, asked, other, judged)
            .and_then(|()| charges::charge(ctx, asked, called, other, chain, judged));
        if let Err(code) = charged {
            judged.outcome = Outcome::deny(code);
        }
    }
}
