//! Steps 5 to 9: capability, contract, rules and Rego, once for the call and once more for what is to run in its place.

use std::collections::BTreeSet;

use super::{Asked, Called, Replaced, Who, called, orchestration, run_mode};
use crate::accumulator::Scope;
use crate::bundle::limits::{OBLIGATIONS_MAX, SHADOW_MAX};
use crate::bundle::{
    Accumulated, Adjustment, ApprovalNeed, Call, CompiledBundle, Facts, Outcome, Per, Replacement, RunFacts, Situation,
    Tool, Work,
};
use crate::command::Evaluate;
use crate::decide::grants::{Cover, Covered, cover};
use crate::decide::{Context, killed};
use crate::limits::INPUTS_BYTES_MAX;
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
    /// The risk that was reported, in thousandths.
    risk_milli: u32,
    adjusted: &'a Adjustment,
    /// Whether the call takes the place of the one that was asked for.
    replacing: bool,
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
            // The caller's own word can raise what was reported, never lower it.
            risk_milli: context.risk_score_milli.unwrap_or_default().max(self.risk_milli).into(),
            labels: &context.source_labels,
            granted: self.asked.approved_by.map(|given| given.granted),
            replacing: self.replacing,
            chain: &context.on_behalf_of,
            leased: self.cover.leased,
            authority: self.cover.authority.as_deref(),
            adjusted: Some(self.adjusted),
        }
    }

    fn accumulated(&self, key: &str, per: Per, value: Option<&Hash>) -> Accumulated {
        self.scope.read(self.state, key, per, value)
    }
}

/// What policy says about a call that rests on this capability; with a verdict of compute, also what is to run in its place. In
/// observe mode the call itself runs: what it adds up and what the baseline says about it is then what counts.
pub(super) fn vote<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    called: &Called<'_>,
    cover: Cover,
    observe: bool,
) -> (Outcome, Option<Replaced>, Option<String>) {
    let Called { subject, run_id, run, mode, .. } = *called;
    let cover_of = |tool: &Tool, args: &Object| covered(ctx, asked, called, run_id, (tool, args));
    let lease = cover.lease.clone();
    let scope =
        Scope { tenant: &asked.caller.tenant, environment: &asked.evaluate.environment, run_id, subject, now: ctx.now };
    let (risk_milli, adjusted) = (called.reported.risk_milli.unwrap_or_default(), called.adjustment);
    let mut facts = Surroundings {
        state: ctx.state,
        scope,
        mode,
        cover,
        asked,
        run,
        now: ctx.now,
        risk_milli,
        adjusted,
        replacing: false,
    };
    let call = Call { subject: called.subject, tool: called.tool, args: called.args };
    let mut outcome = called.layers.evaluate(called.bundle, &call, &facts, called.work);
    let Some(replacement) = outcome.replacement.take() else { return (outcome, None, lease) };
    let original = (outcome.accumulate.clone(), outcome.baseline);
    let (mut outcome, replaced, used) = match second_pass(asked, called, &mut facts, &replacement, cover_of) {
        Ok((second, replaced)) => (combine(outcome, second), Some(replaced), facts.cover.lease),
        Err(code) => (rejected(outcome, code), None, None),
    };
    if observe {
        (outcome.accumulate, outcome.baseline) = original;
        return (outcome, None, lease);
    }
    (outcome, replaced, used)
}

/// What the operator's baseline says about a call of a tool that the tenant's bundle does not declare.
pub(super) fn undeclared<S: StateRead>(
    ctx: &Context<'_, S>,
    asked: &Asked<'_>,
    who: &Who<'_>,
    (baseline, args): (&CompiledBundle, &Object),
    work: &Work,
) -> Outcome {
    let Who { subject, run_id, run, .. } = *who;
    let scope =
        Scope { tenant: &asked.caller.tenant, environment: &asked.evaluate.environment, run_id, subject, now: ctx.now };
    let facts = Surroundings {
        state: ctx.state,
        scope,
        mode: run.mode,
        cover: Cover::default(),
        asked,
        run,
        now: ctx.now,
        risk_milli: orchestration::signals(ctx, asked, who).risk_milli.unwrap_or_default(),
        // What adjusts is the tenant's bundle, which does not know the tool.
        adjusted: &Adjustment::default(),
        replacing: false,
    };
    baseline.evaluate_undeclared(&asked.evaluate.tool, (subject, args), &facts, work)
}

/// The lease or delegation that the call needs, if it needs one, or what it lacks.
pub(super) fn covered<S: StateRead>(
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
        tainted: called.run.taint.is_untrusted()
            || asked.evaluate.context.taint.iter().any(|label| label.source.is_untrusted()),
    };
    cover(ctx, called.bundle, &call, called.work)
}

/// The replacement goes the whole way again. Compute is off in it: what would replace the replacement by something else rejects it,
/// what asks for exactly this abstains, so that something else has to allow it and nothing that denies it is hidden.
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
    if name != asked.evaluate.tool {
        called::pin(asked.evaluate, tool)?;
    }
    let inputs = replacement.inputs();
    if inputs.len() > INPUTS_BYTES_MAX {
        return Err(ReasonCode::ComputeRejected);
    }
    let evaluate = Evaluate { tool: name.to_owned(), content_type: JSON.to_owned(), inputs, ..asked.evaluate.clone() };
    let args = called::arguments(tool, &evaluate, called.work)?;
    run_mode::admits(called.mode, called.run, tool, &args)?;
    kill_switch(facts, name)?;
    // What runs is what is taken from a lease.
    let unknown = |code| if called.work.is_exhausted() { ReasonCode::PolicyBudget } else { code };
    facts.cover = cover_of(tool, &args).map_err(unknown)?;
    facts.replacing = true;
    let call = Call { subject: called.subject, tool, args: &args };
    let second = called.layers.evaluate(bundle, &call, &*facts, called.work);
    Ok((second, Replaced { evaluate, schema: Some(tool.schema_hash()) }))
}

/// What takes the call's place may be another tool, with a switch of its own.
fn kill_switch<S: StateRead>(facts: &Surroundings<'_, S>, tool: &str) -> Result<(), ReasonCode> {
    killed(facts.state, facts.scope.tenant, [], Some(tool)).map_or(Ok(()), Err)
}

const JSON: &str = "application/json";

/// Stricter verdicts of the second pass stand. What comes with a verdict comes from both passes; what is counted and added up is
/// that of what runs.
fn combine(first: Outcome, second: Outcome) -> Outcome {
    let denied = second.verdict == Verdict::Deny;
    // What stands against the call is named first.
    let rules = if denied { union(second.rules, first.rules) } else { union(first.rules, second.rules) };
    let shadow = union(first.shadow, second.shadow).into_iter().take(SHADOW_MAX).collect();
    let mut obligations = union(first.obligations, second.obligations);
    obligations.sort();
    let counted = Outcome {
        rules,
        shadow,
        obligations,
        reasons: union(first.reasons, second.reasons),
        baseline: first.baseline.min(second.baseline),
        contract_passed: second.contract_passed,
        contract_total: second.contract_total,
        ..Outcome::deny(ReasonCode::ComputeRejected)
    };
    // An obligation that cannot be passed on must not be forgotten silently.
    if !denied && counted.obligations.len() > OBLIGATIONS_MAX {
        return Outcome { codes: vec![ReasonCode::PolicyError], obligations: Vec::new(), ..counted };
    }
    let granted = first.granted.into_iter().chain(second.granted).reduce(ApprovalNeed::and);
    match second.verdict {
        Verdict::Deny => second.codes.into_iter().fold(counted, rejected),
        Verdict::Escalate => Outcome {
            verdict: Verdict::Escalate,
            codes: second.codes,
            // Who has agreed to what the first pass asks for is asked again together with the others: the call is decided anew then,
            // and both passes ask.
            approval: granted.into_iter().chain(second.approval).reduce(ApprovalNeed::and),
            accumulate: second.accumulate,
            ..counted
        },
        Verdict::Compute | Verdict::Allow => {
            Outcome { verdict: first.verdict, codes: first.codes, granted, accumulate: second.accumulate, ..counted }
        }
    }
}

/// What is in either, each once, in order.
fn union<T: Ord + Clone>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    let mut known: BTreeSet<T> = first.iter().cloned().collect();
    first.into_iter().chain(second.into_iter().filter(|item| known.insert(item.clone()))).collect()
}

fn rejected(first: Outcome, code: ReasonCode) -> Outcome {
    let mut codes = if first.verdict == Verdict::Deny { first.codes } else { vec![ReasonCode::ComputeRejected] };
    codes.push(code);
    codes.sort_unstable();
    codes.dedup();
    Outcome { verdict: Verdict::Deny, codes, accumulate: Vec::new(), ..first }
}
