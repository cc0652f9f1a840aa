//! From a scenario's steps to the kernel's commands, and from its answers to the scenario's.

use std::collections::BTreeMap;

use assent_kernel::command::{
    Agent, CallContext, CallerBudgets, ClaimedTool, CommandBody, Evaluate, Role, RunRequest, Usage,
};
use assent_kernel::machine::Answer as KernelAnswer;
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_ledger::hash::sha256;
use assent_ledger::ids::{TenantId, Time};

use super::answer::Answer;
use super::model::{Action, BundleStep, EvaluateStep, Scenario, TaintSpec};

/// Whose credential a step uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// The ledger's operator.
    Operator,
    /// A node.
    Node,
    /// The tenant's admin.
    Admin,
    /// A subject of the scenario.
    Subject(String, Role),
}

/// Resolves a step's `as`: a subject of the scenario, `operator`, `node` or `admin`; the first subject when absent.
pub(super) fn who_of(scenario: &Scenario, who: Option<&str>) -> Result<Who, String> {
    match who {
        Some("operator") => Ok(Who::Operator),
        Some("node") => Ok(Who::Node),
        Some("admin") => Ok(Who::Admin),
        named => {
            let first = scenario.subjects.first();
            let found = match named {
                Some(name) => scenario.subjects.iter().find(|subject| subject.name == name),
                None => first,
            };
            let subject = found.ok_or_else(|| format!("no subject is called {}", named.unwrap_or("anything")))?;
            let role = subject.role.as_deref().unwrap_or("agent");
            let role = Role::from_name(role).ok_or_else(|| format!("`{role}` is no role"))?;
            Ok(Who::Subject(subject.name.clone(), role))
        }
    }
}

fn admin_or(scenario: &Scenario, who: Option<&str>) -> Result<Who, String> {
    who.map_or(Ok(Who::Admin), |who| who_of(scenario, Some(who)))
}

/// The text of the bundle that a step activates.
pub(super) fn bundle_of_step(scenario: &Scenario, step: &BundleStep) -> Result<String, String> {
    match (&step.text, &step.append) {
        (Some(text), None) => Ok(text.clone()),
        (None, Some(more)) => Ok(format!("{}{more}", scenario.bundle_text.as_deref().unwrap_or_default())),
        _ => Err("`activate` needs either `text` or `append`".to_owned()),
    }
}

/// What the tenant's admin does after the bundle is active and before the first step.
pub(super) fn set_up(_scenario: &Scenario, _tenant: &TenantId) -> Result<Vec<CommandBody>, String> {
    Ok(Vec::new())
}

/// The command of a step, and whose it is.
pub(super) fn command(
    scenario: &Scenario,
    tenant: &TenantId,
    action: Action<'_>,
    saved: &BTreeMap<String, Answer>,
    now: Time,
) -> Result<(Who, CommandBody), String> {
    let _ = now;
    let run = |step: &super::model::RunStep| RunRequest {
        run_id: step.run.clone(),
        subject: None,
        parent_run_id: step.parent.clone(),
    };
    match action {
        Action::Evaluate(step) => {
            let who = who_of(scenario, step.who.as_deref())?;
            Ok((who, CommandBody::Evaluate(Box::new(evaluate(scenario, step, saved)?))))
        }
        Action::OpenRun(step) => Ok((who_of(scenario, step.who.as_deref())?, CommandBody::OpenRun(run(step)))),
        Action::CloseRun(step) => Ok((who_of(scenario, step.who.as_deref())?, CommandBody::CloseRun(run(step)))),
        Action::DisablePrincipal(step) => {
            let body = CommandBody::DisablePrincipal { tenant: tenant.clone(), subject: step.subject.clone() };
            Ok((admin_or(scenario, step.who.as_deref())?, body))
        }
        other => Err(format!("this driver cannot do {other:?}")),
    }
}

/// The call of an `evaluate` step.
pub(super) fn evaluate(
    scenario: &Scenario,
    step: &EvaluateStep,
    saved: &BTreeMap<String, Answer>,
) -> Result<Evaluate, String> {
    let inputs = match (&step.inputs, &step.args) {
        (Some(_), Some(_)) => return Err("give either `args` or `inputs`".to_owned()),
        (Some(text), None) => text.clone(),
        (None, Some(args)) => args.to_string(),
        (None, None) => "{}".to_owned(),
    };
    Ok(Evaluate {
        environment: step.environment.clone().unwrap_or_else(|| scenario.environment.clone()),
        run_id: step.run.clone(),
        trace_id: None,
        agent: Agent::default(),
        subject: step.subject.clone(),
        tool: step.tool.clone(),
        content_type: step.content_type.clone().unwrap_or_else(|| "application/json".to_owned()),
        inputs: inputs.into_bytes(),
        context: Box::new(context(step, saved)?),
    })
}

fn context(step: &EvaluateStep, saved: &BTreeMap<String, Answer>) -> Result<CallContext, String> {
    let parent_decision = match &step.parent {
        Some(name) => Some(decision_id(saved, name)?),
        None => None,
    };
    let hash = |text: &String| sha256(&[text.as_bytes()]);
    Ok(CallContext {
        parent_decision,
        on_behalf_of: step.on_behalf_of.clone(),
        taint: labels(&step.taint)?,
        source_labels: step.source_labels.clone(),
        risk_score_milli: step.risk_milli,
        budgets: CallerBudgets {
            tokens_remaining: step.budgets.get("tokens").copied(),
            tool_calls_remaining: step.budgets.get("calls").copied(),
            cost_micro_usd_remaining: step.budgets.get("cost_micro_usd").copied(),
        },
        usage: usage(&step.usage),
        claimed: ClaimedTool {
            category: step.category.clone(),
            risk_tier: step.risk_tier.clone(),
            policy_bundle: step.policy_bundle_of.as_ref().map(hash),
            prompt_bundle: None,
            tool_schema: step.tool_schema_of.as_ref().map(hash),
        },
        idempotency_key: step.idempotency_key.clone(),
        fulfils: step.fulfils.clone(),
        ..CallContext::default()
    })
}

fn usage(usage: &BTreeMap<String, u64>) -> Usage {
    let of = |name: &str| usage.get(name).copied().unwrap_or(0);
    Usage { tokens: of("tokens"), cost_micro_usd: of("cost_micro_usd") }
}

/// The id of a saved decision.
pub(super) fn decision_id(saved: &BTreeMap<String, Answer>, name: &str) -> Result<String, String> {
    let id = saved.get(name).and_then(|answer| answer.id.clone());
    id.ok_or_else(|| format!("no step with a decision was saved as `{name}`"))
}

/// Taint labels with full confidence.
pub(super) fn labels(specs: &[TaintSpec]) -> Result<Vec<TaintLabel>, String> {
    let label = |spec: &TaintSpec| {
        let (source, origin) = spec.parts();
        let known = TaintSource::from_name(source).ok_or_else(|| format!("`{source}` is no taint source"))?;
        Ok(TaintLabel { source: known, origin: origin.to_owned(), confidence_milli: 1_000, propagated_from: None })
    };
    specs.iter().map(label).collect()
}

/// The kernel's answer in the scenario's words.
pub(super) fn answer(answer: &KernelAnswer) -> Answer {
    match answer {
        KernelAnswer::Decided { seq, decision_id, run_id, verdict, codes, request_salt, replayed } => Answer {
            verdict: Some(verdict.name().to_owned()),
            effective: Some(verdict.name().to_owned()),
            codes: codes.iter().map(|code| code.name().to_owned()).collect(),
            seq: Some(seq.0),
            id: Some(decision_id.clone()),
            run_id: run_id.clone(),
            request_salt: request_salt.to_vec(),
            replayed: *replayed,
            ..Answer::default()
        },
        KernelAnswer::Recorded { first_seq, replayed, .. } => {
            Answer { seq: Some(first_seq.0), replayed: *replayed, ..Answer::default() }
        }
        KernelAnswer::Refused(refusal) => Answer { refusal: Some(refusal.name().to_owned()), ..Answer::default() },
    }
}
