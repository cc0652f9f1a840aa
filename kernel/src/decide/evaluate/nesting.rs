//! How deep a call is nested and how many calls came from its parent. The kernel computes both from the executions that it knows to be
//! under way in the run; of the caller's word only the parent's name is taken, and only if that is one of them.

use super::{Asked, Called, Judged, against};
use crate::decide::Context;
use crate::reason::ReasonCode;
use crate::state::keys::NestingRecord;
use crate::state::{Record, StateKey, StateRead};

/// Takes the limits on depth, fan-out and cascades into account, where there are any.
pub(super) fn check<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>, called: &Called<'_>, judged: &mut Judged) {
    let limits = called.limits;
    // Each delegation that a call rests on is one step further from a person.
    let behind = u32::try_from(asked.evaluate.context.on_behalf_of.len()).unwrap_or(u32::MAX);
    if behind > 0 && called.run.generation.saturating_add(behind) > limits.generation {
        against(&mut judged.outcome, ReasonCode::BehaviourCascade);
    }
    if limits.depth.is_none() && limits.fan_out.is_none() {
        return;
    }
    let key = StateKey::Nesting(asked.caller.tenant.clone(), called.run_id.to_owned());
    let nesting = match ctx.state.get(&key).as_deref() {
        Some(Record::Nesting(known)) => known.clone(),
        _ => NestingRecord::default(),
    };
    let named = asked.evaluate.context.parent_decision.as_deref();
    match nesting.parent(named, ctx.now) {
        Ok(None) => {}
        Ok(Some(parent)) => {
            judged.effects.depth = parent.depth.saturating_add(1);
            // What is beyond the cap has no name of its own; the caller's is as good as any.
            judged.effects.parent = Some(parent.decision_id.clone()).filter(|id| !id.is_empty());
            if judged.effects.parent.is_none() && named.is_none() {
                judged.effects.parent = Some(UNNAMED.to_owned());
            }
            if limits.depth.is_some_and(|most| judged.effects.depth > most) {
                against(&mut judged.outcome, ReasonCode::BehaviourDepth);
            }
            // A call that waited for people was counted when it was asked for.
            if asked.again.is_none() && limits.fan_out.is_some_and(|most| parent.children >= most) {
                against(&mut judged.outcome, ReasonCode::BehaviourFanOut);
            }
        }
        // Its parent may have ended while people were asked; what comes from it is as deep as calls may be.
        Err(_) if asked.again.is_some() => judged.effects.depth = limits.depth.unwrap_or(1),
        Err(_) => against(&mut judged.outcome, ReasonCode::BehaviourParent),
    }
}

/// Stands for an execution that is not told apart from others.
const UNNAMED: &str = "unnamed";
