//! The pipeline of Evaluate: tenant, identity, run, bundle, tool, inputs, arguments, policy. Whatever stops a call is a recorded
//! deny.

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::TenantId;

use super::{Context, runs};
use crate::bundle::{Call, Outcome};
use crate::codec::Writer;
use crate::command::{CallContext, Command, CommandBody, Evaluate};
use crate::event::{CONTEXT_ROLE, Effects, Event, INPUT_ROLE, PayloadIntent, PolicyDecision, ShownRules};
use crate::limits::RULES_SHOWN_MAX;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::stamp::Purpose;
use crate::state::{Record, StateKey, StateRead};
use crate::value::parse_object;
use crate::verdict::Verdict;

/// How far a call got, and what was found.
struct Judged {
    run_id: Option<String>,
    bundle: Option<Hash>,
    schema: Option<Hash>,
    outcome: Outcome,
    effects: Effects,
}

impl Judged {
    fn deny(code: ReasonCode) -> Judged {
        let outcome = Outcome::deny(code);
        Judged { run_id: None, bundle: None, schema: None, outcome, effects: Effects::default() }
    }

    fn stopped(self, code: ReasonCode) -> Judged {
        Judged { outcome: Judged::deny(code).outcome, ..self }
    }
}

/// Decides a call. The tenant must exist: without its record the entry would have no place in the tenant map.
pub(super) fn evaluate<S: StateRead>(ctx: &Context<'_, S>, evaluate: &Evaluate) -> Result<Vec<Event>, Refusal> {
    let mut events = Vec::with_capacity(1);
    let judged = judge(ctx, evaluate, &mut events)?;
    events.push(decision(ctx.command, evaluate, judged));
    Ok(events)
}

/// The recorded deny of a call on which the kernel failed; `None` for commands of other kinds.
pub fn fault(command: &Command) -> Option<Event> {
    let CommandBody::Evaluate(evaluate) = &command.body else { return None };
    Some(decision(command, evaluate, Judged::deny(ReasonCode::KernelFault)))
}

fn judge<S: StateRead>(ctx: &Context<'_, S>, evaluate: &Evaluate, events: &mut Vec<Event>) -> Result<Judged, Refusal> {
    let caller = &ctx.command.caller;
    let tenant = &caller.tenant;
    match ctx.state.get(&StateKey::Tenant(tenant.clone())).as_deref() {
        Some(Record::Tenant(record)) if record.disabled => return Ok(Judged::deny(ReasonCode::TenantDisabled)),
        Some(Record::Tenant(_)) => {}
        _ => return Err(Refusal::TenantUnknown),
    }
    let subject = match (caller.subject.as_deref(), evaluate.subject.as_deref()) {
        (Some(own), Some(asserted)) if own != asserted => return Ok(Judged::deny(ReasonCode::SubjectMismatch)),
        (Some(subject), _) | (None, Some(subject)) => subject,
        (None, None) => return Ok(Judged::deny(ReasonCode::PrincipalUnknown)),
    };
    match ctx.state.get(&StateKey::Principal(tenant.clone(), subject.to_owned())).as_deref() {
        Some(Record::Principal(principal)) if principal.disabled => {
            return Ok(Judged::deny(ReasonCode::PrincipalDisabled));
        }
        Some(Record::Principal(_)) => {}
        _ => return Ok(Judged::deny(ReasonCode::PrincipalUnknown)),
    }
    Ok(match runs::of_call(ctx, subject, evaluate.run_id.as_deref(), events) {
        Ok(run_id) => judge_by_policy(ctx, tenant, subject, run_id, evaluate),
        Err((code, run_id)) => Judged { run_id, ..Judged::deny(code) },
    })
}

fn judge_by_policy<S: StateRead>(
    ctx: &Context<'_, S>,
    tenant: &TenantId,
    subject: &str,
    run_id: String,
    evaluate: &Evaluate,
) -> Judged {
    let mut judged = Judged { run_id: Some(run_id), ..Judged::deny(ReasonCode::NoActiveBundle) };
    let active = ctx.state.get(&StateKey::ActiveBundle(tenant.clone(), evaluate.environment.clone()));
    let Some(Record::ActiveBundle(active)) = active.as_deref() else { return judged };
    judged.bundle = Some(active.bundle);
    // An activated bundle was offered, and what was offered compiled: not finding it is an error of policy, not its absence.
    let Some(bundle) = ctx.state.bundle(&active.bundle) else { return judged.stopped(ReasonCode::PolicyError) };
    let Some(tool) = bundle.tool(&evaluate.tool) else { return judged.stopped(ReasonCode::UnknownTool) };
    judged.schema = Some(tool.schema_hash());
    let Ok(args) = parse_object(&evaluate.inputs) else { return judged.stopped(ReasonCode::InputsNotJson) };
    if tool.check_arguments(&args).is_err() {
        return judged.stopped(ReasonCode::ArgumentsInvalid);
    }
    judged.outcome = bundle.evaluate(&Call { subject, tool, args: &args });
    judged
}

fn decision(command: &Command, evaluate: &Evaluate, judged: Judged) -> Event {
    let caller = &command.caller;
    let subject = command.subject().map(str::to_owned);
    let Judged { run_id, bundle, schema, outcome, mut effects } = judged;
    if run_id.is_some() {
        effects.counts = counts(&outcome);
        effects.taint = evaluate.context.taint.clone();
    }
    effects.chain = evaluate.context.on_behalf_of.clone();
    effects.span_id = evaluate.context.span_id.clone();
    effects.cooperative = evaluate.context.cooperative;
    let salt: [u8; 32] = command.stamp.derive(Purpose::RequestSalt, 0);
    let request_hash = request_hash(&caller.tenant, subject.as_deref(), evaluate, schema.as_ref());
    let total = u32::try_from(outcome.rules.len()).unwrap_or(u32::MAX);
    let shown = outcome.rules.iter().take(RULES_SHOWN_MAX).map(|id| id.to_string()).collect();
    let ratio = u64::from(outcome.contract_passed) * 1_000 / u64::from(outcome.contract_total.max(1));
    let body = PolicyDecision {
        agent: evaluate.agent.clone(),
        asked_run_id: evaluate.run_id.clone().filter(|asked| run_id.as_ref() != Some(asked)),
        asked_subject: evaluate.subject.clone().filter(|asked| subject.as_ref() != Some(asked)),
        attested: caller.attested && caller.subject.is_some(),
        bundle,
        codes: outcome.codes,
        effective: outcome.verdict,
        effects,
        environment: evaluate.environment.clone(),
        observe: false,
        pass_ratio_milli: u32::try_from(ratio).ok().filter(|_| outcome.contract_total > 0),
        request_commitment: sha256(&[&salt, &request_hash.0]),
        request_id: command.request_id,
        rules: (total > 0).then_some(ShownRules { shown, total }),
        subject: subject.clone(),
        tool: evaluate.tool.clone(),
        verdict: outcome.verdict,
    };
    Event {
        tenant: caller.tenant.clone(),
        actor: subject.or_else(|| Some(format!("credential:{}", caller.credential))),
        run_id,
        trace_id: evaluate.trace_id.clone(),
        body: body.into(),
        payloads: payloads(evaluate),
    }
}

/// Which counters of the run a call moves.
fn counts(outcome: &Outcome) -> Vec<&'static str> {
    let mut counts = vec!["calls"];
    counts.push(match outcome.verdict {
        Verdict::Deny => "denied",
        Verdict::Escalate => "escalated",
        Verdict::Compute => "computed",
        Verdict::Allow => "allowed",
    });
    // Who is denied for what it tried, and not for what it is, gets a strike.
    let strike = |code: &ReasonCode| (200..800).contains(&code.number());
    if outcome.verdict == Verdict::Deny && outcome.codes.iter().any(strike) {
        counts.push("strikes");
    }
    counts
}

/// The arguments, and what else the caller said if it said anything.
fn payloads(evaluate: &Evaluate) -> Vec<PayloadIntent> {
    let content_type = evaluate.content_type.clone();
    let mut payloads = vec![PayloadIntent { role: INPUT_ROLE, content_type, bytes: evaluate.inputs.clone() }];
    if *evaluate.context != CallContext::default() {
        let content_type = "application/vnd.assent.call-context".to_owned();
        payloads.push(PayloadIntent { role: CONTEXT_ROLE, content_type, bytes: evaluate.context.encode() });
    }
    payloads
}

/// Digest of what was asked: tenant, environment, subject, delegation chain, tool, the tool's schema hash (nothing when it is
/// unknown), content type and exact bytes, each after its length in 32 bits; the chain is its subjects in the same way after their
/// number. A subject that is not known counts as empty.
pub fn request_hash(tenant: &TenantId, subject: Option<&str>, evaluate: &Evaluate, schema: Option<&Hash>) -> Hash {
    let mut chain = Writer::new();
    chain.count(evaluate.context.on_behalf_of.len());
    evaluate.context.on_behalf_of.iter().for_each(|subject| chain.text(subject));
    let chain = chain.finish();
    let parts: [&[u8]; 8] = [
        tenant.as_str().as_bytes(),
        evaluate.environment.as_bytes(),
        subject.unwrap_or_default().as_bytes(),
        &chain,
        evaluate.tool.as_bytes(),
        schema.map_or(&[], |hash| hash.as_bytes()),
        evaluate.content_type.as_bytes(),
        &evaluate.inputs,
    ];
    let lengths = parts.map(|part| u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    let [l0, l1, l2, l3, l4, l5, l6, l7] = &lengths;
    let [p0, p1, p2, p3, p4, p5, p6, p7] = parts;
    sha256(&[b"assent request/2\n", l0, p0, l1, p1, l2, p2, l3, p3, l4, p4, l5, p5, l6, p6, l7, p7])
}
