//! Steps 5 to 9: capability, contract, rules and Rego, once for the call and once more for what is to run in its place.

use super::{Asked, Called, Replaced, called, run_mode};
use crate::accumulator::Scope;
use crate::bundle::{Accumulated, Call, CompiledBundle, Facts, Outcome, Per, Replacement, RunFacts, Situation, Tool};
use crate::command::Evaluate;
use crate::decide::grants::{Cover, Covered, cover};
use crate::decide::{Context, killed};
use crate::reason::ReasonCode;
use crate::state::StateRead;
use crate::state::keys::{RunMode, RunRecord};
use crate::value::Object;
use crate::verdict::Verdict;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;

/// What an evaluation is told about the call's surroundings.
struct Surroundings<'a, S: StateRead> {
    state: &'a S,
    scope: Scope<'a>,
    mode: RunMode,
    /// On what the call rests besides standing capabilities.
    cover: Cover,
    asked: &'a Asked<'a>,
    run: &'a RunRecord,
    now: Time,
}

impl<S: StateRead> Facts for Surroundings<'_, S> {
    fn situation(&self) -> Situation<'_> {
        let context = &self.asked.evaluate.context;
        let counters = &self.run.counters;
        Situation {
            call_taint: context.taint.iter().map(|label| label.source).collect(),
            run_taint: self.run.taint.sources().collect(),
            run: RunFacts {
                calls: counters.calls.into(),
                denied: counters.denied.into(),
                egress: counters.egress.into(),
                sensitive_reads: counters.sensitive_reads.into(),
            },
            now: self.now,
            environment: &self.asked.evaluate.environment,
            mode: self.mode.name(),
            // The caller's own word can raise the risk only; what reporters say is added where it is known.
            risk_milli: context.risk_score_milli.unwrap_or_default().into(),
            labels: &context.source_labels,
            approved: self.asked.approved_by.is_some(),
            leased: self.cover.leased,
            authority: self.cover.authority.as_deref(),
        }
    }

    fn accumulated(&self, key: &str, per: Per, value: Option<&Hash>) -> Accumulated {
        self.scope.read(self.state, key, per, value)
    }
}

/// What policy says about a call; with a verdict of compute, also what is to run in its place.
pub(super) fn vote<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    called: &Called<'_>,
    run_id: &str,
) -> (Outcome, Option<Replaced>, Option<String>) {
    let cover_of = |tool: &Tool, args: &Object| covered(ctx, asked, called, run_id, (tool, args));
    let cover = match cover_of(called.tool, called.args) {
        Ok(cover) => cover,
        Err(code) => return (Outcome::deny(code), None, None),
    };
    let lease = cover.lease.clone();
    let Called { subject, run, mode, .. } = *called;
    let scope = Scope { tenant: &asked.caller.tenant, run_id, subject, now: ctx.now };
    let mut facts = Surroundings { state: ctx.state, scope, mode, cover, asked, run, now: ctx.now };
    let call = Call { subject: called.subject, tool: called.tool, args: called.args };
    let mut outcome = called.layers.evaluate(called.bundle, &call, &facts);
    let Some(replacement) = outcome.replacement.take() else { return (outcome, None, lease) };
    match second_pass(asked, called, &mut facts, &replacement, cover_of) {
        Ok((second, replaced)) => (combine(outcome, second), Some(replaced), facts.cover.lease),
        Err(code) => (rejected(outcome, code), None, None),
    }
}

/// The lease or delegation that the call needs, if it needs one.
fn covered<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    called: &Called<'_>,
    run_id: &str,
    (tool, args): (&Tool, &Object),
) -> Result<Cover, ReasonCode> {
    let call = Covered {
        tenant: &asked.caller.tenant,
        environment: &asked.evaluate.environment,
        run_id,
        subject: called.subject,
        chain: &asked.evaluate.context.on_behalf_of,
        tool,
        args,
    };
    cover(ctx, called.bundle, &call)
}

/// The replacement goes the whole way again. Compute is off in it: a rule that would replace the replacement by something else
/// rejects it, one that asks for exactly this agrees.
fn second_pass<S: StateRead>(
    asked: &Asked<'_>,
    called: &Called<'_>,
    facts: &mut Surroundings<'_, S>,
    replacement: &Replacement,
    cover_of: impl Fn(&Tool, &Object) -> Result<Cover, ReasonCode>,
) -> Result<(Outcome, Replaced), ReasonCode> {
    let bundle: &CompiledBundle = called.bundle;
    let name = replacement.tool.as_deref().unwrap_or(&asked.evaluate.tool);
    let tool = called::tool(bundle, name)?;
    let inputs = replacement.inputs();
    let evaluate = Evaluate { tool: name.to_owned(), content_type: JSON.to_owned(), inputs, ..asked.evaluate.clone() };
    let args = called::arguments(tool, &evaluate)?;
    run_mode::admits(called.mode, called.run, tool, &args)?;
    kill_switch(facts, name)?;
    // What runs is what is taken from a lease.
    facts.cover = cover_of(tool, &args)?;
    let second = called.layers.evaluate(bundle, &Call { subject: called.subject, tool, args: &args }, &*facts);
    let again = second.replacement.as_ref();
    if again.is_some_and(|again| again.args != args || again.tool.as_deref().is_some_and(|tool| tool != name)) {
        return Err(ReasonCode::ComputeRejected);
    }
    Ok((second, Replaced { evaluate, schema: Some(tool.schema_hash()) }))
}

/// What takes the call's place may be another tool, with a switch of its own.
fn kill_switch<S: StateRead>(facts: &Surroundings<'_, S>, tool: &str) -> Result<(), ReasonCode> {
    killed(facts.state, facts.scope.tenant, [], Some(tool)).map_or(Ok(()), Err)
}

const JSON: &str = "application/json";

/// Stricter verdicts of the second pass stand.
fn combine(first: Outcome, second: Outcome) -> Outcome {
    match second.verdict {
        Verdict::Deny => {
            let codes = second.codes.clone();
            codes.into_iter().fold(rejected(first, ReasonCode::ComputeRejected), rejected)
        }
        Verdict::Escalate => {
            Outcome { rules: first.rules, shadow: first.shadow, obligations: first.obligations, ..second }
        }
        Verdict::Compute | Verdict::Allow => Outcome { accumulate: second.accumulate, ..first },
    }
}

fn rejected(first: Outcome, code: ReasonCode) -> Outcome {
    let mut codes = if first.verdict == Verdict::Deny { first.codes } else { vec![ReasonCode::ComputeRejected] };
    codes.push(code);
    codes.sort_unstable();
    codes.dedup();
    Outcome { verdict: Verdict::Deny, codes, accumulate: Vec::new(), ..first }
}
