//! From a scenario's steps to the kernel's commands, and from its answers to the scenario's.

mod answers;
mod grants;
mod memory;
mod messages;
mod runs;

use std::collections::BTreeMap;

use assent_kernel::command::{
    Agent, CallContext, CallerBudgets, ClaimedTool, CommandBody, Complete, Completion, ControlCommand, Evaluate,
    ExecutionCommand, Fulfilled, KillTarget, Redeem, Role, RunRequest, TenantSettings, Usage,
};
use assent_kernel::decide::request_hash;
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{NodeId, Origin, Seq, TenantId, Time};

pub(super) use answers::{answer, obligation_in_words};

use super::answer::{Answer, EvaluatedCall};
use super::model::{Action, BundleStep, CompleteStep, EvaluateStep, RedeemStep, Scenario, TaintSpec};

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
    /// A credential of the whole tenant, by its name in the scenario.
    Wide(String, Role),
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
            let name = subject.name.clone();
            Ok(if subject.wide { Who::Wide(name, role) } else { Who::Subject(name, role) })
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
pub(super) fn set_up(scenario: &Scenario, tenant: &TenantId) -> Result<Vec<CommandBody>, String> {
    let mut bodies = messages::registrations(scenario, tenant);
    let observe = match scenario.tenant_mode.as_deref() {
        None | Some("enforce") => return Ok(bodies),
        Some("observe") => true,
        Some(other) => return Err(format!("`{other}` is no mode of a tenant, use enforce or observe")),
    };
    let settings = TenantSettings { observe, ..TenantSettings::default() };
    bodies.push(control(ControlCommand::ConfigureTenant { tenant: tenant.clone(), settings }));
    Ok(bodies)
}

fn control(command: ControlCommand) -> CommandBody {
    CommandBody::Control(Box::new(command))
}

/// What a driver knows when it makes a command.
pub(super) struct Moment<'a> {
    /// The ledger.
    pub(super) origin: &'a Origin,
    /// The scenario's tenant.
    pub(super) tenant: &'a TenantId,
    /// The answers that were saved.
    pub(super) saved: &'a BTreeMap<String, Answer>,
    /// The time.
    pub(super) now: Time,
    /// A text that differs every time.
    pub(super) drawn: &'a str,
}

/// The command of a step, and whose it is.
pub(super) fn command(
    scenario: &Scenario,
    action: Action<'_>,
    moment: &Moment<'_>,
) -> Result<(Who, CommandBody), String> {
    let Moment { tenant, saved, .. } = *moment;
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
        Action::Redeem(step) => {
            let command = ExecutionCommand::Redeem(redeem(tenant, step, saved)?);
            Ok((who_of(scenario, step.who.as_deref())?, CommandBody::Execution(Box::new(command))))
        }
        Action::Complete(step) => {
            let command = ExecutionCommand::Complete(complete(step, saved)?);
            Ok((who_of(scenario, step.who.as_deref())?, CommandBody::Execution(Box::new(command))))
        }
        Action::KillSwitch(step) => {
            let name = step.name.as_deref().unwrap_or_default();
            let target = KillTarget::from_parts(&step.target, name);
            let target = target.ok_or_else(|| format!("`{}` `{name}` is nothing that can be switched", step.target))?;
            let (tenant, engaged, justification) = (tenant.clone(), step.engaged, b"scenario".to_vec());
            let body = control(ControlCommand::KillSwitch { tenant, target, engaged, justification });
            Ok((admin_or(scenario, step.who.as_deref())?, body))
        }
        Action::TenantDisabled(step) => {
            let (tenant, disabled) = (tenant.clone(), step.disabled);
            Ok((Who::Operator, control(ControlCommand::SetTenantDisabled { tenant, disabled })))
        }
        Action::Tick(_) => Ok((Who::Node, CommandBody::Tick)),
        other => settings(scenario, other, moment),
    }
}

/// Commands of those who run the tenant or the ledger.
fn settings(scenario: &Scenario, action: Action<'_>, moment: &Moment<'_>) -> Result<(Who, CommandBody), String> {
    let tenant = moment.tenant.clone();
    match action {
        Action::EnablePrincipal(step) => {
            let body = control(ControlCommand::EnablePrincipal { tenant, subject: step.subject.clone() });
            Ok((admin_or(scenario, step.who.as_deref())?, body))
        }
        Action::Configure(step) => {
            let observe = step.observe.unwrap_or(scenario.tenant_mode.as_deref() == Some("observe"));
            let settings = TenantSettings { observe, require_attested: step.require_attested };
            let body = control(ControlCommand::ConfigureTenant { tenant, settings });
            Ok((admin_or(scenario, step.who.as_deref())?, body))
        }
        Action::RuntimeRules(step) => {
            let (environment, source) = (scenario.environment.clone(), step.text.clone().into_bytes());
            let body = control(ControlCommand::SetRuntimeRules { tenant, environment, source });
            Ok((admin_or(scenario, step.who.as_deref())?, body))
        }
        Action::Signal(step) => Ok((who_of(scenario, step.who.as_deref())?, runs::signal(step))),
        Action::KernelVersion(step) => {
            // A scenario's ledger has one member; on a cluster the node fills in who said that it knows the version.
            let body = ControlCommand::ActivateKernelVersion { version: step.version, supports: vec![NodeId(1)] };
            Ok((Who::Operator, control(body)))
        }
        other => between(scenario, other, moment),
    }
}

/// Commands about what lies between subjects, and between them and their runs: agreements, messages, memory, modes.
fn between(scenario: &Scenario, action: Action<'_>, moment: &Moment<'_>) -> Result<(Who, CommandBody), String> {
    let Moment { tenant, saved, .. } = *moment;
    match action {
        Action::Resolve(step) => {
            let command = grants::resolve(step, saved)?;
            Ok((who_of(scenario, step.who.as_deref())?, CommandBody::Approval(Box::new(command))))
        }
        Action::RequestCapability(step) => {
            let command = grants::request(scenario, step)?;
            Ok((who_of(scenario, step.who.as_deref())?, CommandBody::Grant(Box::new(command))))
        }
        Action::Delegate(step) => {
            let command = grants::delegate(scenario, step, saved)?;
            Ok((who_of(scenario, step.who.as_deref())?, CommandBody::Grant(Box::new(command))))
        }
        Action::Revoke(step) => {
            let command = grants::revoke(tenant, step, saved)?;
            Ok((admin_or(scenario, step.who.as_deref())?, CommandBody::Grant(Box::new(command))))
        }
        Action::MemoryWrite(step) => Ok((who_of(scenario, step.who.as_deref())?, memory::write(scenario, step)?)),
        Action::MemoryRead(step) => Ok((who_of(scenario, step.who.as_deref())?, memory::read(scenario, step)?)),
        Action::MemoryForget(step) => Ok((who_of(scenario, step.who.as_deref())?, memory::forget(scenario, step))),
        Action::MemoryQuery(step) => Ok((who_of(scenario, step.who.as_deref())?, memory::query(scenario, step)?)),
        Action::MemoryRelease(step) => {
            Ok((who_of(scenario, step.who.as_deref())?, memory::release(scenario, step, saved)?))
        }
        Action::MemoryQuarantine(step) => {
            Ok((admin_or(scenario, step.who.as_deref())?, memory::quarantine(scenario, tenant, step)))
        }
        Action::RecordStep(step) => Ok((who_of(scenario, step.who.as_deref())?, runs::record_step(step)?)),
        Action::AttachTaint(step) => Ok((who_of(scenario, step.who.as_deref())?, runs::attach_taint(step)?)),
        Action::SetRunMode(step) => Ok((admin_or(scenario, step.who.as_deref())?, runs::set_mode(tenant, step)?)),
        Action::Release(step) => Ok((admin_or(scenario, step.who.as_deref())?, runs::release(tenant, step))),
        Action::Message(step) => {
            let who = who_of(scenario, step.who.as_deref())?;
            let body = messages::message(step, &who, (moment.origin, tenant), moment.now, moment.drawn)?;
            Ok((who, body))
        }
        other => Err(format!("this driver cannot do {other:?}")),
    }
}

/// A saved decision.
pub(super) fn decided<'a>(saved: &'a BTreeMap<String, Answer>, name: &str) -> Result<&'a Answer, String> {
    let found = saved.get(name).filter(|answer| answer.id.is_some() && answer.seq.is_some());
    found.ok_or_else(|| format!("no step with a decision was saved as `{name}`"))
}

fn redeem(tenant: &TenantId, step: &RedeemStep, saved: &BTreeMap<String, Answer>) -> Result<Redeem, String> {
    let decision = decided(saved, &step.decision)?;
    let call = decision.call.as_ref().ok_or_else(|| format!("`{}` is no call", step.decision))?;
    let inputs = step.inputs.as_ref().map_or_else(|| call.inputs.clone(), |text| text.clone().into_bytes());
    let evaluate = Evaluate {
        environment: call.environment.clone(),
        run_id: None,
        trace_id: None,
        agent: Agent::default(),
        subject: None,
        tool: call.tool.clone(),
        content_type: call.content_type.clone(),
        inputs,
        context: Box::new(CallContext { on_behalf_of: call.on_behalf_of.clone(), ..CallContext::default() }),
    };
    let schema = <[u8; 32]>::try_from(decision.tool_schema.as_slice()).ok().map(Hash);
    let salt = decision.request_salt.as_slice();
    Ok(Redeem {
        decision_id: decision.id.clone().unwrap_or_default(),
        seq: Seq(decision.seq.unwrap_or_default()),
        request_hash: request_hash(tenant, Some(&call.subject), &evaluate, schema.as_ref()),
        request_salt: salt.try_into().map_err(|_| "the decision came without a salt".to_owned())?,
        audience: step.audience.clone(),
    })
}

fn complete(step: &CompleteStep, saved: &BTreeMap<String, Answer>) -> Result<Complete, String> {
    let decision = decided(saved, &step.decision)?;
    let status = step.status.as_deref().unwrap_or("success");
    let status = Completion::ALL.into_iter().find(|known| known.name() == status);
    let fulfilled = |kind: &String| Fulfilled { kind: kind.clone(), proof: sha256(&[b"proof of ", kind.as_bytes()]) };
    Ok(Complete {
        decision_id: decision.id.clone().unwrap_or_default(),
        seq: Seq(decision.seq.unwrap_or_default()),
        status: status.ok_or("a status is success, failure or unknown")?,
        duration_ms: 7,
        content_type: "text/plain".to_owned(),
        output: step.output.clone().unwrap_or_default().into_bytes(),
        redacted: None,
        taint: labels(&step.taint)?,
        fulfilled: step.fulfilled.iter().map(fulfilled).collect(),
        usage: (!step.usage.is_empty()).then(|| usage(&step.usage)),
    })
}

/// The approval that a saved decision waits for; the name itself when nothing is saved under it.
fn approval_of(saved: &BTreeMap<String, Answer>, name: &str) -> String {
    saved.get(name).and_then(|answer| answer.approval.clone()).unwrap_or_else(|| name.to_owned())
}

/// What is to run in a call's place.
#[derive(Debug, Clone, Default)]
pub(super) struct Replacement {
    /// The tool, when it is another one.
    pub(super) tool: Option<String>,
    /// The arguments.
    pub(super) inputs: Vec<u8>,
}

/// What may run after a decision on this call: the answer does not repeat what was asked.
pub(super) fn called(
    evaluate: &Evaluate,
    subject: Option<&str>,
    replacement: Option<Replacement>,
) -> Box<EvaluatedCall> {
    let asked = EvaluatedCall {
        environment: evaluate.environment.clone(),
        subject: subject.unwrap_or_default().to_owned(),
        on_behalf_of: evaluate.context.on_behalf_of.clone(),
        tool: evaluate.tool.clone(),
        content_type: evaluate.content_type.clone(),
        inputs: evaluate.inputs.clone(),
    };
    Box::new(match replacement {
        None => asked,
        Some(Replacement { tool, inputs }) => EvaluatedCall {
            tool: tool.unwrap_or(asked.tool),
            // What a rule computes is JSON, whatever the call came as.
            content_type: "application/json".to_owned(),
            inputs,
            ..asked
        },
    })
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
        Some(name) => decided(saved, name)?.id.clone(),
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
        approval_id: step.approval.as_ref().map(|name| approval_of(saved, name)),
        fulfils: step.fulfils.clone(),
        ..CallContext::default()
    })
}

fn usage(usage: &BTreeMap<String, u64>) -> Usage {
    let of = |name: &str| usage.get(name).copied().unwrap_or(0);
    Usage { tokens: of("tokens"), cost_micro_usd: of("cost_micro_usd") }
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
