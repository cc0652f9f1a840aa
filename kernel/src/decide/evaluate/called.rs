//! Step 1: what is called. The bundle, the tool, the arguments, and whether the caller's picture of them is the recorded one.

use std::sync::Arc;

use assent_ledger::hash::Hash;

use super::Asked;
use crate::bundle::{CompiledBundle, Tool, Work};
use crate::command::Evaluate;
use crate::decide::Context;
use crate::reason::ReasonCode;
use crate::state::{Record, StateKey, StateRead};
use crate::value::{Object, parse_object};

/// Hash of the bundle that is active for the call.
pub(super) fn active<S: StateRead>(ctx: &Context<'_, S>, asked: &Asked<'_>) -> Result<Hash, ReasonCode> {
    let key = StateKey::ActiveBundle(asked.caller.tenant.clone(), asked.evaluate.environment.clone());
    match ctx.state.get(&key).as_deref() {
        Some(Record::ActiveBundle(active)) => Ok(active.bundle),
        _ => Err(ReasonCode::NoActiveBundle),
    }
}

/// The compiled bundle. An activated bundle was offered, and what was offered compiled: not finding it is an error of policy,
/// not its absence.
pub(super) fn bundle<S: StateRead>(ctx: &Context<'_, S>, hash: &Hash) -> Result<Arc<CompiledBundle>, ReasonCode> {
    ctx.state.bundle(hash).ok_or(ReasonCode::PolicyError)
}

/// The tool.
pub(super) fn tool<'b>(bundle: &'b CompiledBundle, name: &str) -> Result<&'b Tool, ReasonCode> {
    bundle.tool(name).ok_or(ReasonCode::UnknownTool)
}

/// The arguments: one strict JSON object that fits the tool.
pub(super) fn arguments(tool: &Tool, evaluate: &Evaluate, work: &Work) -> Result<Object, ReasonCode> {
    let args = json(evaluate)?;
    match tool.check_arguments_within(&args, work) {
        Ok(()) => Ok(args),
        // What could not be looked through is not called invalid.
        Err(_) if work.is_exhausted() => Err(ReasonCode::PolicyBudget),
        Err(_) => Err(ReasonCode::ArgumentsInvalid),
    }
}

/// The arguments: one strict JSON object.
pub(super) fn json(evaluate: &Evaluate) -> Result<Object, ReasonCode> {
    parse_object(&evaluate.inputs).map_err(|_| ReasonCode::InputsNotJson)
}

/// Whether category, risk tier and bundle are what the caller believes; what it does not state it does not get wrong, and of a tool
/// that is not declared there is nothing to believe.
pub(super) fn envelope(evaluate: &Evaluate, active: &Hash, tool: Option<&Tool>) -> Result<(), ReasonCode> {
    let claimed = &evaluate.context.claimed;
    if claimed.policy_bundle.as_ref().is_some_and(|hash| hash != active) {
        return Err(ReasonCode::EnvelopeMismatch);
    }
    let Some(tool) = tool else { return Ok(()) };
    let differs = |claimed: Option<&str>, known: Option<&str>| claimed.is_some_and(|text| known != Some(text));
    if differs(claimed.category.as_deref(), tool.category()) || differs(claimed.risk_tier.as_deref(), tool.risk_tier())
    {
        return Err(ReasonCode::EnvelopeMismatch);
    }
    pin(evaluate, tool)
}

/// A tool whose server lists it differently than when it was pinned is another tool; and of one that the caller does not say how it is listed
/// now, nobody knows.
pub(super) fn pin(evaluate: &Evaluate, tool: &Tool) -> Result<(), ReasonCode> {
    let listed = evaluate.context.claimed.tool_schema;
    if tool.pin().is_some_and(|pin| listed != Some(pin)) { Err(ReasonCode::ToolPinMismatch) } else { Ok(()) }
}
