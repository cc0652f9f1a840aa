//! The layers around the active bundle: the tenant's runtime rules and the operator's baseline.

use std::sync::Arc;

use assent_ledger::hash::Hash;
use assent_ledger::ids::TenantId;

use super::Asked;
use crate::bundle::{Call, CompiledBundle, Facts, Outcome, RuntimeRules, Work};
use crate::decide::Context;
use crate::event::Effects;
use crate::reason::ReasonCode;
use crate::state::{Record, StateKey, StateRead};

/// What votes besides the active bundle.
pub(super) struct Layers {
    baseline: Option<Arc<CompiledBundle>>,
    runtime: Option<Arc<RuntimeRules>>,
}

/// The environment of a baseline that holds wherever none is active for the environment itself.
const EVERYWHERE: &str = "*";

impl Layers {
    /// The layers of a call's environment. One that is set and not there is an error of policy, not its absence.
    pub(super) fn of<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>) -> Result<Layers, ReasonCode> {
        let (tenant, environment) = (&asked.caller.tenant, &asked.evaluate.environment);
        let layers = Layers::of_baseline(ctx, asked)?;
        if ctx.state.get(&StateKey::RuntimeRules(tenant.clone(), environment.clone())).is_none() {
            return Ok(layers);
        }
        let runtime = Some(ctx.state.runtime(tenant, environment).ok_or(ReasonCode::PolicyError)?);
        Ok(Layers { runtime, ..layers })
    }

    /// The baseline alone, for calls about which the tenant's own rules say nothing.
    pub(super) fn of_baseline<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>) -> Result<Layers, ReasonCode> {
        let system = TenantId::system();
        let of = |environment: &str| baseline(ctx.state, &system, environment);
        let hash = of(&asked.evaluate.environment).or_else(|| of(EVERYWHERE));
        let baseline = match hash {
            Some(hash) => Some(ctx.state.bundle(&hash).ok_or(ReasonCode::PolicyError)?),
            None => None,
        };
        Ok(Layers { baseline, runtime: None })
    }

    /// The baseline.
    pub(super) fn baseline(&self) -> Option<&CompiledBundle> {
        self.baseline.as_deref()
    }

    /// Notes which layers were asked.
    pub(super) fn note(&self, effects: &mut Effects) {
        effects.baseline = self.baseline.as_ref().map(|bundle| bundle.hash());
        effects.runtime = self.runtime.as_ref().map(|rules| rules.hash());
    }

    /// What the bundle says about a call together with its layers; the capability is the caller's to ask for.
    pub(super) fn evaluate(
        &self,
        bundle: &CompiledBundle,
        call: &Call<'_>,
        facts: &impl Facts,
        work: &Work,
    ) -> Outcome {
        bundle.ask_layered(call, facts, (self.baseline.as_deref(), self.runtime.as_deref()), work)
    }
}

fn baseline(state: &impl StateRead, system: &TenantId, environment: &str) -> Option<Hash> {
    match state.get(&StateKey::ActiveBundle(system.clone(), environment.to_owned())).as_deref() {
        Some(Record::ActiveBundle(active)) => Some(active.bundle),
        _ => None,
    }
}
