//! Capabilities at run time: leases within the bundle's capabilities, and delegation of both.
//!
//! A lease never gives more than the bundle: it is granted within a capability, and at each use capability and lease must both cover the
//! call, so that another bundle narrows it at once.

mod cover;

use std::borrow::Cow;

use assent_ledger::ids::Time;

use super::Context;
use super::conduct::{Conduct, Place};
use super::evaluate::{Asked, identity, taint};
use super::{acting, killed, run_commands, runs};
use crate::bundle::{Behaviour, CapabilityView, CompiledBundle, Constraints, Happening, Sensitivity, What, Work};
use crate::command::{Agent, Command, Evaluate, GrantCommand, GrantTerms, Role};
use crate::event::{
    CONSTRAINTS_ROLE, CapabilityDelegated, CapabilityExpired, CapabilityGranted, CapabilityRevoked, Event, EventBody,
    GrantRuled, JUSTIFICATION_ROLE, PayloadIntent,
};
use crate::limits::LEASES_PER_SUBJECT_MAX;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::stamp::Purpose;
use crate::state::keys::{ALL_ACTIONS, LeaseIndexRecord, LeaseRecord, RunMode, RunRecord, SubjectStateRecord};
use crate::state::{Record, StateKey, StateRead};
use crate::verdict::Verdict;

pub(super) use cover::{Cover, Covered, cover, quarantined, until};

/// Decides a command about capabilities.
pub(super) fn grant<S: StateRead>(ctx: &Context<'_, S>, asked: &GrantCommand) -> Result<Vec<Event>, Refusal> {
    match asked {
        GrantCommand::Request { subject, terms } => request(ctx, subject.as_deref(), terms),
        GrantCommand::Delegate { subject, lease, to, terms } => {
            delegate(ctx, subject.as_deref(), lease.as_deref(), to, terms)
        }
        GrantCommand::Revoke { tenant, subject, lease, justification } => {
            let key = StateKey::Lease(tenant.clone(), lease.clone());
            let Some(Record::Lease(known)) = ctx.state.get(&key).as_deref().cloned() else {
                return Err(Refusal::LeaseUnknown);
            };
            may_revoke(ctx, subject.as_deref(), tenant == &ctx.command.caller.tenant, &known)?;
            if known.revoked {
                return Err(Refusal::LeaseRevoked);
            }
            let mut event = ctx.event(tenant, CapabilityRevoked { lease: lease.clone(), subject: known.holder });
            event.run_id = known.run_id;
            event.payloads.extend(reason(justification));
            Ok(vec![event])
        }
    }
}

/// An agent takes back what it holds or passed on; an admin anything of the tenant.
fn may_revoke<S: StateRead>(
    ctx: &Context<'_, S>,
    asserted: Option<&str>,
    own_tenant: bool,
    lease: &LeaseRecord,
) -> Result<(), Refusal> {
    let caller = &ctx.command.caller;
    if caller.role != Role::Agent {
        return Ok(());
    }
    if !own_tenant {
        return Err(Refusal::OtherTenant);
    }
    acting::proven(ctx)?;
    let subject = match (caller.subject.as_deref(), asserted) {
        (Some(own), Some(asserted)) if own != asserted => return Err(Refusal::SubjectMismatch),
        (Some(subject), _) | (None, Some(subject)) => subject,
        (None, None) => return Err(Refusal::SubjectMissing),
    };
    let concerned = lease.holder == subject || lease.chain.iter().any(|known| known == subject);
    if concerned { Ok(()) } else { Err(Refusal::LeaseNotOwned) }
}

/// Who asks, in which run, under which bundle.
struct Asker {
    subject: String,
    run: RunRecord,
    of_subject: SubjectStateRecord,
    run_id: String,
}

/// A call that only says who asks and in which run: identity and run are found as for any call.
fn stand_in(subject: Option<&str>, terms: &GrantTerms) -> Evaluate {
    Evaluate {
        environment: terms.environment.clone(),
        run_id: terms.run_id.clone(),
        trace_id: None,
        agent: Agent::default(),
        subject: subject.map(str::to_owned),
        tool: String::new(),
        content_type: String::new(),
        inputs: Vec::new(),
        context: Box::default(),
    }
}

fn asker<S: StateRead>(
    ctx: &Context<'_, S>,
    subject: Option<&str>,
    terms: &GrantTerms,
    events: &mut Vec<Event>,
) -> Result<Result<Asker, ReasonCode>, Refusal> {
    let evaluate = stand_in(subject, terms);
    let Command { caller, request_id, .. } = ctx.command;
    let asked = Asked { caller, request_id: *request_id, evaluate: &evaluate, again: None, approved_by: None };
    if let Some(code) = identity::tenant(ctx, &asked)? {
        return Ok(Err(code));
    }
    let subject = match identity::subject(ctx, &asked) {
        Ok(subject) => subject,
        Err(code) => return Ok(Err(code)),
    };
    if let Some(code) = killed(ctx.state, &caller.tenant, [subject], None) {
        return Ok(Err(code));
    }
    Ok(match runs::of_call(ctx, &asked, subject, events) {
        Ok(run_id) => {
            let mut run = Cow::Owned(runs::record(ctx, &asked, subject, &run_id));
            let of_subject = run_commands::of_subject(ctx.state, &caller.tenant, subject);
            taint::receive(ctx, &asked, &of_subject, &run_id, &mut run, events);
            Ok(Asker { subject: subject.to_owned(), run: run.into_owned(), of_subject, run_id })
        }
        Err((code, _)) => Err(code),
    })
}

/// What a lease comes to: for how many calls, until when.
struct Granted {
    calls: u32,
    expires: Time,
    bundle: assent_ledger::hash::Hash,
}

fn request<S: StateRead>(
    ctx: &Context<'_, S>,
    subject: Option<&str>,
    terms: &GrantTerms,
) -> Result<Vec<Event>, Refusal> {
    let mut events = Vec::new();
    let asker = asker(ctx, subject, terms, &mut events)?;
    let granted = asker.as_ref().map_err(|code| *code).and_then(|asker| within_bundle(ctx, asker, terms));
    let ruled = ruled(ctx, asker.as_ref().ok(), (subject, terms), granted, &mut events);
    events.push(grant_event(ctx, asker.ok(), terms, CapabilityGranted { ruled }.into()));
    Ok(events)
}

/// A lease is granted within a capability of the bundle that needs one, and nowhere else.
fn within_bundle<S: StateRead>(ctx: &Context<'_, S>, asker: &Asker, terms: &GrantTerms) -> Result<Granted, ReasonCode> {
    let (hash, bundle) = allowed_to_ask(ctx, asker, terms)?;
    let within = |view: &CapabilityView<'_>| {
        view.lease().map(|most| bundle.leases().within(most)).is_some_and(|most| {
            names(view, terms)
                && u64::from(terms.calls) <= most.calls_max
                && u64::from(terms.seconds) <= most.seconds_max
        })
    };
    if !bundle.capabilities(&asker.subject).any(|view| within(&view)) {
        return Err(ReasonCode::CapabilityNotGrantable);
    }
    room(ctx, &asker.subject, &[])?;
    Ok(Granted { calls: terms.calls, expires: after(ctx, terms), bundle: hash })
}

/// What holds for every lease: the run's mode, the bundle, constraints that can be read, and no strangers' instructions behind it.
fn allowed_to_ask<S: StateRead>(
    ctx: &Context<'_, S>,
    asker: &Asker,
    terms: &GrantTerms,
) -> Result<(assent_ledger::hash::Hash, std::sync::Arc<CompiledBundle>), ReasonCode> {
    match asker.run.mode {
        // One quarantined run stops all runs of its subject: a new run does not escape it.
        _ if cover::quarantined(ctx, &ctx.command.caller.tenant, &asker.subject) => {
            return Err(ReasonCode::RunQuarantined);
        }
        RunMode::Normal => {}
        RunMode::Restricted => return Err(ReasonCode::RunRestricted),
        RunMode::Quarantined => return Err(ReasonCode::RunQuarantined),
        RunMode::Closed => return Err(ReasonCode::RunClosed),
    }
    let tenant = ctx.command.caller.tenant.clone();
    let hash = match ctx.state.get(&StateKey::ActiveBundle(tenant, terms.environment.clone())).as_deref() {
        Some(Record::ActiveBundle(active)) => active.bundle,
        _ => return Err(ReasonCode::NoActiveBundle),
    };
    let bundle = ctx.state.bundle(&hash).ok_or(ReasonCode::PolicyError)?;
    if !terms.constraints.is_empty() && Constraints::read_json(&terms.constraints, &Work::default()).is_err() {
        return Err(ReasonCode::ArgumentsInvalid);
    }
    if asker.run.taint.is_untrusted() && is_risky(&bundle, terms) {
        return Err(ReasonCode::LeaseTainted);
    }
    Ok((hash, bundle))
}

/// Whether a capability of the bundle is about the class, and all actions that are asked for; `*` asks for those it has.
fn names(view: &CapabilityView<'_>, terms: &GrantTerms) -> bool {
    let named = |actions: &[&str], action: &str| action == ALL_ACTIONS || actions.contains(&action);
    let listed = |actions: &[&str]| terms.actions.iter().all(|action| named(actions, action));
    view.class() == terms.class && view.actions().is_none_or(|actions| listed(&actions.collect::<Vec<_>>()))
}

/// Whether what is asked for would do for a call that strangers' instructions must not get hold of.
fn is_risky(bundle: &CompiledBundle, terms: &GrantTerms) -> bool {
    let every = terms.actions.iter().any(|action| action == ALL_ACTIONS);
    let mut concerned = bundle.tools().filter(|tool| {
        tool.class() == terms.class && (every || tool.actions().all(|name| terms.actions.iter().any(|a| a == name)))
    });
    concerned.any(|tool| cover::is_risky(bundle, tool))
}

/// Whether the holder can hold one more: of its own, or from whoever is the nearest in the chain. What others gave it takes no room.
fn room<S: StateRead>(ctx: &Context<'_, S>, holder: &str, chain: &[String]) -> Result<(), ReasonCode> {
    let tenant = &ctx.command.caller.tenant;
    let index = ctx.state.get(&StateKey::LeaseIndex(tenant.clone(), LeaseIndexRecord::text(holder, chain)));
    let Some(Record::LeaseIndex(index)) = index.as_deref() else { return Ok(()) };
    let live =
        |id: &&String| cover::lease(ctx, tenant, id).is_some_and(|lease| cover::alive(ctx, tenant, &lease).is_ok());
    let full = index.leases.len() >= LEASES_PER_SUBJECT_MAX && index.leases.iter().all(|id| live(&id));
    if full { Err(ReasonCode::RateExceeded) } else { Ok(()) }
}

fn after<S: StateRead>(ctx: &Context<'_, S>, terms: &GrantTerms) -> Time {
    Time(ctx.now.0.saturating_add(u64::from(terms.seconds) * 1_000_000))
}

/// A delegation and what came of it.
struct Delegated {
    granted: Granted,
    chain: Vec<String>,
}

fn delegate<S: StateRead>(
    ctx: &Context<'_, S>,
    subject: Option<&str>,
    lease: Option<&str>,
    to: &str,
    terms: &GrantTerms,
) -> Result<Vec<Event>, Refusal> {
    let mut events = Vec::new();
    let asker = asker(ctx, subject, terms, &mut events)?;
    let passed = asker.as_ref().map_err(|code| *code).and_then(|asker| passed_on(ctx, asker, lease, to, terms));
    let (granted, chain) = match passed {
        Ok(Delegated { granted, chain }) => (Ok(granted), chain),
        Err(code) => (Err(code), Vec::new()),
    };
    // A lease that is passed on is not bound to the delegator's run: its new holder acts in runs of its own.
    let ruled = GrantRuled { bound: false, ..ruled(ctx, asker.as_ref().ok(), (subject, terms), granted, &mut events) };
    let chain = if ruled.lease.is_some() { chain } else { Vec::new() };
    let body = CapabilityDelegated { chain, from: lease.map(str::to_owned), ruled, to: to.to_owned() };
    events.push(grant_event(ctx, asker.ok(), terms, body.into()));
    Ok(events)
}

/// What is passed on is never more than what there is: calls and time are cut to what is left.
fn passed_on<S: StateRead>(
    ctx: &Context<'_, S>,
    asker: &Asker,
    lease: Option<&str>,
    to: &str,
    terms: &GrantTerms,
) -> Result<Delegated, ReasonCode> {
    let tenant = &ctx.command.caller.tenant;
    let (hash, bundle) = allowed_to_ask(ctx, asker, terms)?;
    match ctx.state.get(&StateKey::Principal(tenant.clone(), to.to_owned())).as_deref() {
        Some(Record::Principal(known)) if known.disabled => return Err(ReasonCode::PrincipalDisabled),
        Some(Record::Principal(_)) => {}
        _ => return Err(ReasonCode::PrincipalUnknown),
    }
    let mut chain = vec![asker.subject.clone()];
    let mut granted = Granted { calls: terms.calls, expires: after(ctx, terms), bundle: hash };
    match lease {
        Some(id) => {
            let known = cover::lease(ctx, tenant, id).filter(|lease| lease.holder == asker.subject);
            let known = known.ok_or(ReasonCode::DelegationInvalid)?;
            let whole = terms.actions.iter().any(|action| action == ALL_ACTIONS);
            let every = known.actions.iter().any(|action| action == ALL_ACTIONS);
            if known.environment != terms.environment
                || !known.covers(&terms.class, &terms.actions)
                || (whole && !every)
                || known.run_id.as_ref().is_some_and(|run| *run != asker.run_id)
            {
                return Err(ReasonCode::CapabilityNotGrantable);
            }
            cover::links(ctx, tenant, &known)?;
            chain.extend(known.chain.iter().cloned());
            granted.calls = granted.calls.min(known.calls_left);
            granted.expires = granted.expires.min(known.expires);
        }
        None => {
            let stands = |view: CapabilityView<'_>| view.lease().is_none() && names(&view, terms);
            if !bundle.capabilities(&asker.subject).any(stands) {
                return Err(ReasonCode::CapabilityNotGrantable);
            }
        }
    }
    if chain.iter().any(|link| link == to) {
        return Err(ReasonCode::DelegationInvalid);
    }
    if chain.len() > bundle.leases().delegation_depth() {
        return Err(ReasonCode::DelegationTooDeep);
    }
    room(ctx, to, &chain)?;
    Ok(Delegated { granted, chain })
}

/// What comes of a request. One that completes a forbidden sequence gives nothing, and many denials restrict the run.
fn ruled<S: StateRead>(
    ctx: &Context<'_, S>,
    asker: Option<&Asker>,
    (stated, terms): (Option<&str>, &GrantTerms),
    granted: Result<Granted, ReasonCode>,
    events: &mut Vec<Event>,
) -> GrantRuled {
    let lease = ctx.command.stamp.derive_uuid(Purpose::Lease, 0);
    let mut codes = vec![granted.as_ref().map_or_else(|code| *code, |_| ReasonCode::CapabilityGranted)];
    let (conduct, observe) = asker.map(|asker| conduct(ctx, asker, terms, &mut codes, events)).unwrap_or_default();
    let allowed = granted.as_ref().ok().filter(|_| codes.iter().all(|code| code.is_allow()));
    GrantRuled {
        actions: terms.actions.clone(),
        asked_run_id: terms.run_id.clone().filter(|run| asker.is_none_or(|asker| asker.run_id != *run)),
        asked_subject: stated.filter(|stated| asker.is_none_or(|asker| asker.subject != *stated)).map(str::to_owned),
        bound: terms.run_id.is_some(),
        bundle: allowed.map(|granted| granted.bundle),
        calls: allowed.map_or(terms.calls, |granted| granted.calls),
        class: terms.class.clone(),
        codes,
        constrained: !terms.constraints.is_empty(),
        environment: terms.environment.clone(),
        expires: allowed.map(|granted| granted.expires),
        latches: conduct.latches,
        lease: allowed.map(|_| lease),
        observe,
        seconds: terms.seconds,
        subject: asker.map(|asker| asker.subject.clone()),
        verdict: if allowed.is_some() { Verdict::Allow } else { Verdict::Deny },
    }
}

/// What a request makes of its run: it is a step of rules about capabilities, whether or not it is granted. A change of the run's mode is
/// an event before its own.
fn conduct<S: StateRead>(
    ctx: &Context<'_, S>,
    asker: &Asker,
    terms: &GrantTerms,
    codes: &mut Vec<ReasonCode>,
    events: &mut Vec<Event>,
) -> (Conduct, bool) {
    let key = StateKey::ActiveBundle(ctx.command.caller.tenant.clone(), terms.environment.clone());
    let bundle = match ctx.state.get(&key).as_deref() {
        Some(Record::ActiveBundle(active)) => ctx.state.bundle(&active.bundle),
        _ => None,
    };
    let Some(bundle) = bundle else { return (Conduct::default(), false) };
    let place = Place::of(ctx, &bundle, (&asker.run, &asker.of_subject));
    let happening = Happening {
        what: What::Request { class: &terms.class, actions: &terms.actions },
        taint: asker.run.taint.sources().collect(),
        sensitivity: Sensitivity::None,
        capability_denied: codes.iter().any(|code| (200..210).contains(&code.number())),
        longest_argument: 0,
    };
    let conduct = place.take(&happening, Behaviour::is_about_capabilities);
    if conduct.is_forbidden() && !place.observe {
        codes.retain(|code| !code.is_allow());
        codes.push(ReasonCode::BehaviourSequence);
    }
    let strike = codes.iter().any(|code| code.is_strike());
    events.extend(place.change(ctx, &conduct, strike, (&asker.run_id, events.len())));
    (conduct, place.observe)
}

fn grant_event<S: StateRead>(ctx: &Context<'_, S>, asker: Option<Asker>, terms: &GrantTerms, body: EventBody) -> Event {
    let mut event = ctx.event(&ctx.command.caller.tenant, body);
    if let Some(Asker { subject, run_id, .. }) = asker {
        event.actor = Some(subject);
        event.run_id = Some(run_id);
    }
    if !terms.constraints.is_empty() {
        let (role, content_type) = (CONSTRAINTS_ROLE, "application/json".to_owned());
        event.payloads.push(PayloadIntent { role, content_type, bytes: terms.constraints.clone() });
    }
    event.payloads.extend(reason(&terms.justification));
    event
}

/// A person's or an agent's reason as a payload, if there is one.
pub(super) fn reason(words: &[u8]) -> Option<PayloadIntent> {
    let (role, content_type) = (JUSTIFICATION_ROLE, "text/plain; charset=utf-8".to_owned());
    (!words.is_empty()).then(|| PayloadIntent { role, content_type, bytes: words.to_vec() })
}

/// The entry that the end of a lease makes.
pub(super) fn expired<S: StateRead>(ctx: &Context<'_, S>, key: &StateKey) -> Option<Event> {
    let StateKey::Lease(tenant, id) = key else { return None };
    let lease = cover::lease(ctx, tenant, id).filter(|lease| lease.expires <= ctx.now)?;
    let body = CapabilityExpired { lease: id.clone(), subject: lease.holder };
    Some(Event { run_id: lease.run_id, ..ctx.event(tenant, body) })
}
