//! A person's answer: whether it counts, what it comes to, and the call that is decided anew once enough people have agreed.

use assent_ledger::hash::sha256;
use assent_ledger::ids::{TenantId, Time};

use super::conditions::{self, TokenTerms};
use super::open::recount;
use super::{approval, policy_hash, stricter};
use crate::bundle::{CompiledBundle, Granted};
use crate::command::{ApprovalAction, ApprovalCommand, Caller, Evaluate, Role};
use crate::decide::control::is_erased;
use crate::decide::evaluate::{self, Again, Asked, Given};
use crate::decide::grants::{quarantined, reason, until};
use crate::decide::run_commands::of_subject;
use crate::decide::{Context, killed, request_hash};
use crate::event::{
    ApprovalVoid, Event, EventBody, HitlDecision, INPUT_ROLE, MODIFIED_ROLE, PayloadIntent, PolicyDecision,
    REPLACEMENT_ROLE, SALT_ROLE, VoidReason,
};
use crate::limits::CONDITIONS_MAX;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::stamp::Purpose;
use crate::state::keys::{ApprovalRecord, ApprovalStatus, PendingCall, RunMode, Vote};
use crate::state::{Record, StateKey, StateRead};
use crate::value::{Object, parse_object};
use crate::verdict::Verdict;

/// The role that every approver's credential holds, whatever the bundle says.
const APPROVER: &str = "approver";

/// An answer to an approval that exists.
struct Answer<'a> {
    tenant: &'a TenantId,
    command: &'a ApprovalCommand,
    known: ApprovalRecord,
    approver: String,
}

/// What an answer comes to.
struct Heard {
    code: ReasonCode,
    counted: bool,
    status: ApprovalStatus,
    roles: Vec<String>,
    votes: usize,
}

/// What enough people have agreed to.
struct Consent {
    /// What they tie the decision to.
    terms: TokenTerms,
    /// All of their conditions: what runs in the call's place has to meet them, too.
    conditions: Vec<String>,
    /// How many they are.
    votes: u32,
    /// The roles that they were asked for and hold; may repeat.
    roles: Vec<String>,
}

/// Decides a person's answer.
pub(in crate::decide) fn resolve<S: StateRead>(
    ctx: &Context<'_, S>,
    command: &ApprovalCommand,
) -> Result<Vec<Event>, Refusal> {
    let caller = &ctx.command.caller;
    let tenant = &caller.tenant;
    ctx.enabled_tenant(tenant)?;
    let known = approval(ctx, tenant, &command.approval).ok_or(Refusal::ApprovalUnknown)?;
    let approver = caller.subject.clone().unwrap_or_else(|| format!("credential:{}", caller.credential));
    let answer = Answer { tenant, command, known, approver };
    let roles = match may_answer(ctx, &answer) {
        Ok(roles) => roles,
        Err(code) => {
            // Somebody may have come too late: then the approval ends here, and not only with the next tick.
            let late = code == ReasonCode::ApprovalExpired && answer.known.status == ApprovalStatus::Pending;
            let status = if late { ApprovalStatus::Expired } else { answer.known.status };
            let votes = answer.known.votes.len();
            return Ok(vec![heard(ctx, &answer, Heard { code, counted: false, status, roles: Vec::new(), votes })]);
        }
    };
    let plain =
        |code, status| Heard { code, counted: true, status, roles: Vec::new(), votes: answer.known.votes.len() };
    if let Some(why) = void(ctx, &answer) {
        let heard_now = Heard { counted: false, ..plain(ReasonCode::ApprovalVoid, ApprovalStatus::Void) };
        return Ok(vec![heard(ctx, &answer, heard_now), voided(ctx, &answer, why)]);
    }
    match &command.action {
        ApprovalAction::Deny => {
            Ok(vec![heard(ctx, &answer, plain(ReasonCode::ApprovalDenied, ApprovalStatus::Denied))])
        }
        ApprovalAction::RequestMoreInfo => {
            Ok(vec![heard(ctx, &answer, plain(ReasonCode::ApprovalRequired, ApprovalStatus::Pending))])
        }
        ApprovalAction::Approve | ApprovalAction::Modify(_) => agreed(ctx, &answer, roles),
    }
}

/// In which of the roles that are asked for the person may answer, or why the answer does not count.
fn may_answer<S: StateRead>(ctx: &Context<'_, S>, answer: &Answer<'_>) -> Result<Vec<String>, ReasonCode> {
    let known = &answer.known;
    match known.status {
        ApprovalStatus::Pending if known.expires <= ctx.now => return Err(ReasonCode::ApprovalExpired),
        ApprovalStatus::Pending => {}
        ApprovalStatus::Used => return Err(ReasonCode::ApprovalConsumed),
        ApprovalStatus::Denied => return Err(ReasonCode::ApprovalDenied),
        ApprovalStatus::Expired => return Err(ReasonCode::ApprovalExpired),
        ApprovalStatus::Void => return Err(ReasonCode::ApprovalVoid),
    }
    // A credential that several people share cannot show that they are several.
    let person = ctx.command.caller.subject.as_deref().ok_or(ReasonCode::ApproverNotPermitted)?;
    if is_stopped(ctx, answer.tenant, person) {
        return Err(ReasonCode::ApproverNotPermitted);
    }
    let bundle = active(ctx, answer);
    let bundle = bundle.as_deref();
    separate(ctx, answer, bundle, person)?;
    let mut roles: Vec<&str> = bundle.map(|bundle| bundle.roles(person).collect()).unwrap_or_default();
    if ctx.command.caller.role == Role::Approver {
        roles.push(APPROVER);
    }
    let asked_for = |role: &str| match known.roles.as_slice() {
        [] => role == APPROVER,
        asked => asked.iter().any(|known| known == role),
    };
    let mut held: Vec<String> = roles.into_iter().filter(|role| asked_for(role)).map(str::to_owned).collect();
    held.sort();
    held.dedup();
    if held.is_empty() { Err(ReasonCode::ApproverNotPermitted) } else { Ok(held) }
}

/// Whether a person may not act any more. Those who answer need not be registered as principals; who is can be disabled.
fn is_stopped<S: StateRead>(ctx: &Context<'_, S>, tenant: &TenantId, person: &str) -> bool {
    let principal = ctx.state.get(&StateKey::Principal(tenant.clone(), person.to_owned()));
    let disabled = matches!(principal.as_deref(), Some(Record::Principal(known)) if known.disabled);
    disabled || killed(ctx.state, tenant, [person], None).is_some()
}

/// Whether the word of somebody who agreed before still counts: it does not outlive the person's access.
fn may_still<S: StateRead>(ctx: &Context<'_, S>, answer: &Answer<'_>, vote: &Vote) -> bool {
    let tenant = answer.tenant;
    let name = ctx.state.get(&StateKey::CredentialName(tenant.clone(), vote.credential.clone()));
    let Some(Record::CredentialName(name)) = name.as_deref() else { return false };
    let credential = ctx.state.get(&StateKey::Credential(name.token_hash));
    let valid = matches!(credential.as_deref(), Some(Record::Credential(known)) if !known.revoked);
    let since = of_subject(ctx.state, tenant, &vote.approver).void_before;
    valid && vote.seq >= since && !is_stopped(ctx, tenant, &vote.approver)
}

/// Nobody agrees to a call that is made by, for, or under the responsibility of themselves.
fn separate<S: StateRead>(
    ctx: &Context<'_, S>,
    answer: &Answer<'_>,
    bundle: Option<&CompiledBundle>,
    person: &str,
) -> Result<(), ReasonCode> {
    let known = &answer.known;
    for subject in core::iter::once(&known.subject).chain(&known.chain) {
        let principal = ctx.state.get(&StateKey::Principal(answer.tenant.clone(), subject.clone()));
        let owner = match principal.as_deref() {
            Some(Record::Principal(principal)) => principal.owner.clone(),
            _ => None,
        };
        let declared = bundle.and_then(|bundle| bundle.owner(subject));
        if subject == person || owner.as_deref() == Some(person) || declared == Some(person) {
            return Err(ReasonCode::SeparationOfDuties);
        }
    }
    Ok(())
}

fn active<S: StateRead>(ctx: &Context<'_, S>, answer: &Answer<'_>) -> Option<std::sync::Arc<CompiledBundle>> {
    let key = StateKey::ActiveBundle(answer.tenant.clone(), answer.known.environment.clone());
    match ctx.state.get(&key).as_deref() {
        Some(Record::ActiveBundle(active)) => ctx.state.bundle(&active.bundle),
        _ => None,
    }
}

/// Whether the call cannot be made any more, whatever people say.
fn void<S: StateRead>(ctx: &Context<'_, S>, answer: &Answer<'_>) -> Option<VoidReason> {
    let Answer { tenant, known, .. } = answer;
    let subjects = || core::iter::once(&known.subject).chain(&known.chain).map(String::as_str);
    if killed(ctx.state, tenant, subjects(), Some(&known.tool)).is_some() {
        return Some(VoidReason::Stopped);
    }
    let enabled = |subject: &str| {
        let principal = ctx.state.get(&StateKey::Principal((*tenant).clone(), subject.to_owned()));
        matches!(principal.as_deref(), Some(Record::Principal(principal)) if !principal.disabled)
    };
    if !subjects().all(enabled) {
        return Some(VoidReason::Stopped);
    }
    if subjects().any(|subject| quarantined(ctx, tenant, subject)) {
        return Some(VoidReason::Run);
    }
    if let Some(run_id) = &known.run_id {
        match ctx.state.get(&StateKey::Run((*tenant).clone(), run_id.clone())).as_deref() {
            Some(Record::Run(run)) if run.mode < RunMode::Quarantined => {}
            _ => return Some(VoidReason::Run),
        }
    }
    let call = ctx.state.get(&StateKey::PendingCall((*tenant).clone(), answer.command.approval.clone()));
    match call.as_deref() {
        Some(Record::PendingCall(call)) if !call.payloads.iter().any(|known| is_erased(ctx.state, tenant, known)) => {
            None
        }
        _ => Some(VoidReason::Erased),
    }
}

/// A person agrees, to the call as it is or to other arguments.
fn agreed<S: StateRead>(ctx: &Context<'_, S>, answer: &Answer<'_>, roles: Vec<String>) -> Result<Vec<Event>, Refusal> {
    let call = ctx.state.get(&StateKey::PendingCall(answer.tenant.clone(), answer.command.approval.clone()));
    let Some(Record::PendingCall(call)) = call.as_deref() else { return Err(Refusal::ApprovalUnknown) };
    let votes = answer.known.votes.len();
    let refuse = |code| Heard { code, counted: false, status: ApprovalStatus::Pending, roles: Vec::new(), votes };
    if answer.known.policy != policy_hash(ctx.state, answer.tenant, &answer.known.environment) {
        return under_another_policy(ctx, answer, call);
    }
    let args = match arguments(ctx, answer, call) {
        Ok(args) => args,
        Err(code) => return Ok(vec![heard(ctx, answer, refuse(code))]),
    };
    let admitted = |()| stricter::admitted(active(ctx, answer).as_deref(), &answer.command.conditions);
    if let Err(code) = conditions::known(&answer.command.conditions, &args).and_then(admitted) {
        return Ok(vec![heard(ctx, answer, refuse(code))]);
    }
    let modify = matches!(answer.command.action, ApprovalAction::Modify(_));
    let before: &[Vote] = if modify { &[] } else { &answer.known.votes };
    let before: Vec<&Vote> = before.iter().filter(|vote| may_still(ctx, answer, vote)).collect();
    if before.iter().any(|vote| vote.approver == answer.approver) {
        return Ok(vec![heard(ctx, answer, refuse(ReasonCode::ApproverNotPermitted))]);
    }
    let mut all = if modify { Vec::new() } else { answer.known.conditions.clone() };
    all.extend(answer.command.conditions.iter().cloned());
    all.sort();
    all.dedup();
    if all.len() > CONDITIONS_MAX {
        // What is not kept with the approval would not bind.
        return Ok(vec![heard(ctx, answer, refuse(ReasonCode::ConditionUnknown))]);
    }
    let held: Vec<String> = roles.iter().chain(before.iter().flat_map(|vote| &vote.roles)).cloned().collect();
    let bundle = active(ctx, answer);
    let required = answer.known.required.max(stricter::people(ctx, answer.tenant, &answer.known, bundle.as_deref()));
    let enough = before.len() + 1 >= required as usize && answer.known.roles.iter().all(|role| held.contains(role));
    let votes = before.len() + 1;
    if !enough {
        let (code, status) = (ReasonCode::ApprovalRequired, ApprovalStatus::Pending);
        return Ok(vec![heard(ctx, answer, Heard { code, counted: true, status, roles, votes })]);
    }
    let Some(terms) = conditions::terms(&all, &args) else {
        // Agreed to on a condition that this call does not meet: that is a no to this call.
        let (code, status) = (ReasonCode::ApprovalDenied, ApprovalStatus::Denied);
        return Ok(vec![heard(ctx, answer, Heard { code, counted: true, status, roles, votes })]);
    };
    let (code, status) = (ReasonCode::Approved, ApprovalStatus::Used);
    let mut events = vec![heard(ctx, answer, Heard { code, counted: true, status, roles, votes })];
    let modified = match &answer.command.action {
        ApprovalAction::Modify(inputs) => Some(inputs),
        _ => call.modified.as_ref(),
    };
    let consent = Consent { terms, conditions: all, votes: u32::try_from(votes).unwrap_or(u32::MAX), roles: held };
    decide_anew(ctx, answer, call, modified, Some(&consent), &mut events)?;
    Ok(events)
}

/// The arguments that are agreed to: they fit the tool, and differ only where an approver may change them.
fn arguments<S: StateRead>(
    ctx: &Context<'_, S>,
    answer: &Answer<'_>,
    call: &PendingCall,
) -> Result<Object, ReasonCode> {
    let inputs = match &answer.command.action {
        ApprovalAction::Modify(inputs) => inputs,
        _ => call.modified.as_ref().unwrap_or(&call.evaluate.inputs),
    };
    let args = parse_object(inputs).map_err(|_| ReasonCode::InputsNotJson)?;
    if !matches!(answer.command.action, ApprovalAction::Modify(_)) {
        return Ok(args);
    }
    let bundle = active(ctx, answer).ok_or(ReasonCode::NoActiveBundle)?;
    let tool = bundle.tool(&call.evaluate.tool).ok_or(ReasonCode::UnknownTool)?;
    tool.check_arguments(&args).map_err(|_| ReasonCode::ArgumentsInvalid)?;
    let fields = &answer.known.fields;
    if !fields.is_empty() {
        let before = parse_object(&call.evaluate.inputs).map_err(|_| ReasonCode::InputsNotJson)?;
        let kept = |name: &str| before.get(name) == args.get(name) || fields.iter().any(|field| field == name);
        let all = before.iter().chain(args.iter()).all(|(name, _)| kept(name));
        if !all {
            return Err(ReasonCode::ApproverNotPermitted);
        }
    }
    Ok(args)
}

/// What people were asked under another policy says nothing under this one: the call is decided anew without their answers, and may
/// well wait for people again.
fn under_another_policy<S: StateRead>(
    ctx: &Context<'_, S>,
    answer: &Answer<'_>,
    call: &PendingCall,
) -> Result<Vec<Event>, Refusal> {
    let (code, status, votes) = (ReasonCode::ApprovalVoid, ApprovalStatus::Void, answer.known.votes.len());
    let first = heard(ctx, answer, Heard { code, counted: false, status, roles: Vec::new(), votes });
    let mut events = vec![first, voided(ctx, answer, VoidReason::Policy)];
    decide_anew(ctx, answer, call, None, None, &mut events)?;
    Ok(events)
}

/// Decides the call that waited, as if its caller asked now; with `consent`, the approval is given.
fn decide_anew<S: StateRead>(
    ctx: &Context<'_, S>,
    answer: &Answer<'_>,
    call: &PendingCall,
    modified: Option<&Vec<u8>>,
    consent: Option<&Consent>,
    events: &mut Vec<Event>,
) -> Result<(), Refusal> {
    let mut asked_for = call.evaluate.clone();
    asked_for.context.approval_id = None;
    let subject = asked_for.subject.clone();
    let caller = Caller {
        tenant: answer.tenant.clone(),
        subject: subject.filter(|_| call.attested),
        attested: call.attested,
        role: Role::Agent,
        credential: "approval".to_owned(),
    };
    let agreed_to = match modified {
        Some(inputs) => Evaluate { inputs: inputs.clone(), ..asked_for.clone() },
        None => asked_for,
    };
    let approved_by = consent.map(|consent| Given {
        approval: &answer.command.approval,
        granted: Granted { votes: consent.votes, roles: &consent.roles },
        conditions: &consent.conditions,
    });
    let again = Some(Again { latches: &call.latches, rates: &call.rates, modified: modified.is_some() });
    let asked = Asked { caller: &caller, request_id: call.request_id, evaluate: &agreed_to, again, approved_by };
    evaluate::decide_call(ctx, &asked, events)?;
    for event in &mut *events {
        if let EventBody::ApprovalRequested(body) = &mut event.body {
            body.decision = Some(answer.known.decision.clone());
        }
    }
    let Some(event) = events.last_mut() else { return Ok(()) };
    let salt: [u8; 32] = ctx.command.stamp.derive(Purpose::RequestSalt, 0);
    let (role, content_type) = (SALT_ROLE, "application/octet-stream".to_owned());
    event.payloads.push(PayloadIntent { role, content_type, bytes: salt.to_vec() });
    let Event { body: EventBody::Decision(body), payloads, .. } = event else { return Ok(()) };
    body.effects.replaces = Some(answer.known.decision.clone());
    if body.effective >= Verdict::Compute
        && let Some(consent) = consent
    {
        bind(ctx, body, &consent.terms, stricter::token_micros(active(ctx, answer).as_deref()));
    }
    if modified.is_some() {
        in_its_place(ctx, answer, (body, payloads), call, &salt);
        let commitment = body.request_commitment;
        for event in &mut *events {
            if let EventBody::ApprovalRequested(body) = &mut event.body {
                body.request_commitment = commitment;
            }
        }
    }
    Ok(())
}

/// The decision is tied to what those who agreed have set.
fn bind<S: StateRead>(ctx: &Context<'_, S>, body: &mut PolicyDecision, terms: &TokenTerms, micros: u64) {
    let leased = body.effects.lease.as_ref().map_or(Time::MAX, |lease| until(ctx, &ctx.command.caller.tenant, lease));
    let longest = Time(ctx.now.0.saturating_add(micros)).min(leased);
    let within = |seconds: u64| Time(ctx.now.0.saturating_add(seconds.saturating_mul(1_000_000)));
    body.effects.token_expires = Some(terms.expires_in_seconds.map_or(longest, within).min(longest));
    body.effects.audience.clone_from(&terms.audience);
    body.effects.constraints.clone_from(&terms.constraints);
}

/// The caller asked for other arguments than people agreed to: what it is allowed is a replacement of its call.
fn in_its_place<S: StateRead>(
    ctx: &Context<'_, S>,
    answer: &Answer<'_>,
    (body, payloads): (&mut PolicyDecision, &mut Vec<PayloadIntent>),
    call: &PendingCall,
    salt: &[u8; 32],
) {
    let schema = active(ctx, answer).and_then(|bundle| bundle.tool(&body.tool).map(|tool| tool.schema_hash()));
    let hash = request_hash(answer.tenant, body.subject.as_deref(), &call.evaluate, schema.as_ref());
    let modified = core::mem::replace(&mut body.request_commitment, sha256(&[salt, &hash.0]));
    let Some(input) = payloads.iter_mut().find(|payload| payload.role == INPUT_ROLE) else { return };
    let bytes = core::mem::replace(&mut input.bytes, call.evaluate.inputs.clone());
    if body.effective == Verdict::Allow {
        (body.verdict, body.effective) = (Verdict::Compute, Verdict::Compute);
        body.codes.push(ReasonCode::ArgumentsReplaced);
        body.codes.sort_unstable();
        body.codes.dedup();
        body.effects.replacement = Some(modified);
        recount(body, "allowed", "computed");
        let content_type = call.evaluate.content_type.clone();
        payloads.push(PayloadIntent { role: REPLACEMENT_ROLE, content_type, bytes });
    } else if body.effective == Verdict::Escalate || body.effects.replacement.is_none() {
        // What was denied, or what others have to agree to as well, is what people agreed to: it stays on the record beside what was
        // asked for.
        let content_type = call.evaluate.content_type.clone();
        payloads.push(PayloadIntent { role: MODIFIED_ROLE, content_type, bytes });
    }
}

fn heard<S: StateRead>(ctx: &Context<'_, S>, answer: &Answer<'_>, heard: Heard) -> Event {
    let Answer { tenant, command, known, approver } = answer;
    let verdict = match (heard.counted, heard.status) {
        (true, ApprovalStatus::Used) => Verdict::Allow,
        (true, ApprovalStatus::Pending) => Verdict::Escalate,
        _ => Verdict::Deny,
    };
    let body = HitlDecision {
        action: command.action.name(),
        approval: command.approval.clone(),
        approver: approver.clone(),
        codes: vec![heard.code],
        conditions: command.conditions.clone(),
        counted: heard.counted,
        credential: ctx.command.caller.credential.clone(),
        decision: known.decision.clone(),
        required: known.required,
        roles: heard.roles,
        status: heard.status,
        subject: known.subject.clone(),
        tool: known.tool.clone(),
        verdict,
        votes: u32::try_from(heard.votes).unwrap_or(u32::MAX),
    };
    let mut event = Event { run_id: known.run_id.clone(), ..ctx.event(tenant, body) };
    if let ApprovalAction::Modify(inputs) = &command.action {
        let content_type = "application/json".to_owned();
        event.payloads.push(PayloadIntent { role: MODIFIED_ROLE, content_type, bytes: inputs.clone() });
    }
    event.payloads.extend(reason(&command.justification));
    event
}

fn voided<S: StateRead>(ctx: &Context<'_, S>, answer: &Answer<'_>, reason: VoidReason) -> Event {
    let body = ApprovalVoid {
        approval: answer.command.approval.clone(),
        decision: answer.known.decision.clone(),
        reason,
        subject: answer.known.subject.clone(),
    };
    Event { run_id: answer.known.run_id.clone(), ..ctx.event(answer.tenant, body) }
}
