//! The memory firewall: who may keep, read and forget what, and what may be used of what an external store has found.
//!
//! An access that is not allowed is a recorded deny. Values are payloads: the state holds who wrote them, where they are, and what had
//! touched them, so that a reader takes it on.

mod checks;
mod release;

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::Time;

use super::Context;
use super::acting::{self, Act, Actor, Stop, few};
use super::control::{is_erased, justified};
use crate::bundle::{MemorySpace, Sensitivity, TaintedWrite};
use crate::command::{MemoryAct, MemoryCommand, MemoryQuarantine, MemoryRead, MemoryTarget, MemoryWrite};
use crate::event::{Event, MemoryAccess, MemoryAsked, MemoryOp, MemoryValue, PayloadIntent, QUERY_ROLE, VALUE_ROLE};
use crate::limits::MEMORY_QUERY_MICROS;
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::stamp::Purpose;
use crate::state::keys::{MemoryEntry, MemoryKey, MemoryRecord};
use crate::state::{Record, StateKey, StateRead};
use crate::taint::{TaintLabel, TaintSource};
use crate::verdict::Verdict;
use checks::Checks;

/// Decides a command about memory.
pub(super) fn memory<S: StateRead>(ctx: &Context<'_, S>, asked: &MemoryCommand) -> Result<Vec<Event>, Refusal> {
    match asked {
        MemoryCommand::Quarantine(asked) => quarantine(ctx, asked),
        MemoryCommand::Write(write) => {
            let mut body = blank(ctx, &write.act, MemoryOp::Write);
            (body.key, body.external) = (Some(write.key.clone()), write.external);
            body.classification = Some(write.classification);
            body.asked.labels.clone_from(&write.labels);
            body.asked.ttl_seconds = write.ttl_seconds;
            let payload = payload(VALUE_ROLE, &write.content_type, &write.value);
            access(ctx, &write.act, body, Some(payload), |checks, body| keep(checks, write, body))
        }
        MemoryCommand::Read(read) => match &read.target {
            MemoryTarget::Key(key) => {
                let mut body = MemoryAccess { key: Some(key.clone()), ..blank(ctx, &read.act, MemoryOp::Read) };
                body.asked.clearance = read.clearance;
                access(ctx, &read.act, body, None, |checks, body| look_up(checks, key, read.clearance, body))
            }
            MemoryTarget::Query { content_type, query } => {
                let mut body = blank(ctx, &read.act, MemoryOp::Query);
                body.asked.clearance = read.clearance;
                let payload = payload(QUERY_ROLE, content_type, query);
                access(ctx, &read.act, body, Some(payload), |checks, body| ask(checks, read, body))
            }
        },
        MemoryCommand::Forget { act, key } => {
            let body = MemoryAccess { key: Some(key.clone()), ..blank(ctx, act, MemoryOp::Forget) };
            access(ctx, act, body, None, |checks, _| forget(checks, key))
        }
        MemoryCommand::Release(asked) => {
            let body = MemoryAccess { query: Some(asked.query.clone()), ..blank(ctx, &asked.act, MemoryOp::Release) };
            let payload = release::payload(asked);
            access(ctx, &asked.act, body, Some(payload), |checks, body| release::release(checks, asked, body))
        }
    }
}

/// The steps that are the same for every access, with what is particular to one in between.
fn access<'a, S: StateRead>(
    ctx: &Context<'a, S>,
    act: &'a MemoryAct,
    mut body: MemoryAccess,
    payload: Option<PayloadIntent>,
    judge: impl Fn(&mut Checks<'_, 'a, S>, &mut MemoryAccess) -> Result<(), ReasonCode>,
) -> Result<Vec<Event>, Refusal> {
    let mut events = Vec::with_capacity(1);
    let who = Act { subject: act.subject.as_deref(), run_id: act.run_id.as_deref(), trace_id: act.trace_id.as_deref() };
    let (code, run_id) = match acting::actor(ctx, &who, &mut events) {
        Err(Stop::Refused(refusal)) => return Err(refusal),
        Err(Stop::Denied(code, run_id)) => (code, run_id),
        Ok(actor) => {
            let run_id = Some(actor.run_id.clone());
            let before = events.len();
            let mut found = judged(ctx, (act, actor.clone()), body.clone(), (before, before), &judge);
            if found.change.is_some() {
                // The entry of the mode comes first. The access then has the next id, by which its labels name it.
                found = judged(ctx, (act, actor), body, (before, before + 1), &judge);
            }
            body = found.body;
            let trace_id = act.trace_id.clone();
            events.extend(found.change.map(|change| Event { trace_id, ..change }));
            (found.code, run_id)
        }
    };
    body.codes = vec![code];
    body.verdict = if code.is_allow() { Verdict::Allow } else { Verdict::Deny };
    body.asked.run_id = act.run_id.clone().filter(|asked| run_id.as_ref() != Some(asked));
    body.asked.subject = act.subject.clone().filter(|asked| body.subject.as_ref() != Some(asked));
    let event = Event { run_id, trace_id: act.trace_id.clone(), ..ctx.event(&ctx.command.caller.tenant, body) };
    events.push(Event { payloads: payload.into_iter().collect(), ..event });
    Ok(events)
}

/// What an access comes to, and the change of its run's mode that it brings.
struct Found {
    body: MemoryAccess,
    code: ReasonCode,
    change: Option<Event>,
}

/// Judges an access: by the firewall, and by what its run has done before. `before` events come first; its own is number `place`.
fn judged<'a, S: StateRead>(
    ctx: &Context<'a, S>,
    (act, actor): (&'a MemoryAct, Actor<'a>),
    mut body: MemoryAccess,
    (before, place): (usize, usize),
    judge: impl Fn(&mut Checks<'_, 'a, S>, &mut MemoryAccess) -> Result<(), ReasonCode>,
) -> Found {
    body.taint = actor.takes_on(&[]);
    let id = ctx.command.stamp.derive_uuid(Purpose::Event, u32::try_from(place).unwrap_or(u32::MAX));
    let mut checks = Checks::new(ctx, act, actor, id);
    let blank = body.clone();
    let mut outcome = checks.open(&mut body).and_then(|()| judge(&mut checks, &mut body));
    let conduct = checks.conduct(&body, outcome.is_ok());
    if conduct.is_forbidden() && outcome.is_ok() {
        outcome = checks.object(ReasonCode::BehaviourSequence);
    }
    if outcome.is_err() {
        // What was found on the way says nothing about an access that is not made.
        body = MemoryAccess { bundle: body.bundle, ..blank };
    }
    body.effective = if outcome.is_ok() { Verdict::Allow } else { Verdict::Deny };
    let code = outcome.err().or(checks.objection).unwrap_or(ReasonCode::MemoryAllowed);
    let change = checks.change(&conduct, code.is_strike(), before);
    body.latches = conduct.latches;
    Found { body, code, change }
}

fn blank<S: StateRead>(ctx: &Context<'_, S>, act: &MemoryAct, op: MemoryOp) -> MemoryAccess {
    let caller = &ctx.command.caller;
    MemoryAccess {
        asked: MemoryAsked::default(),
        attested: caller.attested && caller.subject.is_some(),
        bundle: None,
        classification: None,
        codes: Vec::new(),
        effective: Verdict::Deny,
        environment: act.environment.clone(),
        expires: None,
        external: false,
        key: None,
        labels: Vec::new(),
        latches: Vec::new(),
        namespace: act.namespace.clone(),
        op,
        quarantined: false,
        query: None,
        released: Vec::new(),
        request_id: ctx.command.request_id,
        subject: ctx.command.subject().map(str::to_owned),
        taint: Vec::new(),
        value: None,
        verdict: Verdict::Deny,
        withheld: Vec::new(),
    }
}

fn payload(role: &'static str, content_type: &str, bytes: &[u8]) -> PayloadIntent {
    PayloadIntent { role, content_type: content_type.to_owned(), bytes: bytes.to_vec() }
}

/// Keeps a value. What is tainted is dealt with as the namespace says.
fn keep<S: StateRead>(
    checks: &mut Checks<'_, '_, S>,
    write: &MemoryWrite,
    body: &mut MemoryAccess,
) -> Result<(), ReasonCode> {
    checks.actor.admits(false)?;
    checks.writer()?;
    checks.not_quarantined(&write.key)?;
    if write.classification > checks.space.classification_max {
        checks.object(ReasonCode::MemoryClassification)?;
    }
    body.labels = checks.actor.carried(&write.labels, &checks.id);
    if body.labels.iter().any(|label| label.source.is_untrusted()) {
        match checks.space.on_tainted_write {
            TaintedWrite::Deny => checks.object(ReasonCode::MemoryTainted)?,
            // One that waits already stays: whoever looks at it must find what was there.
            TaintedWrite::Quarantine if checks.aside(&write.key) => return Err(ReasonCode::MemoryQuarantined),
            TaintedWrite::Quarantine => body.quarantined = true,
            TaintedWrite::Label => {}
        }
    }
    body.taint = checks.actor.takes_on(&write.labels);
    let seconds =
        write.ttl_seconds.map_or(checks.space.ttl_seconds_max, |asked| asked.min(checks.space.ttl_seconds_max));
    body.expires = Some(Time(checks.ctx.now.0.saturating_add(seconds.saturating_mul(1_000_000))).min(Time::MAX));
    // The value is the command's first and only payload: this is its salt.
    let salt: [u8; 32] = checks.ctx.command.stamp.derive(Purpose::Salt, 0);
    let version = checks.entry(&write.key).map_or(1, |known| known.version.saturating_add(1));
    body.value = Some(MemoryValue { commitment: sha256(&[&salt, &write.value]), entry: None, version });
    Ok(())
}

/// Finds a value, and what its reader takes on.
fn look_up<S: StateRead>(
    checks: &mut Checks<'_, '_, S>,
    key: &str,
    clearance: Option<Sensitivity>,
    body: &mut MemoryAccess,
) -> Result<(), ReasonCode> {
    checks.actor.admits(true)?;
    checks.reader()?;
    checks.not_quarantined(key)?;
    let entry = checks.live_entry(key).map_err(|code| checks.unless_aside(key, code))?;
    if clearance.is_some_and(|most| entry.classification > most) {
        checks.object(ReasonCode::MemoryClassification)?;
    }
    let mut labels = checks.labels_of_space(&entry.event_id);
    labels.extend(entry.taint.iter().cloned().map(|label| from(label, &entry.event_id)));
    body.taint = few(labels.into_iter().chain(checks.actor.inbox.iter().cloned()));
    body.value = Some(MemoryValue { commitment: entry.value, entry: Some(entry.seq), version: entry.version });
    (body.classification, body.expires) = (Some(entry.classification), Some(entry.expires));
    body.external = entry.external;
    Ok(())
}

fn from(label: TaintLabel, id: &str) -> TaintLabel {
    TaintLabel { propagated_from: Some(id.to_owned()), ..label }
}

/// Lets an external store be queried. Its results need another decision, within a while.
fn ask<S: StateRead>(
    checks: &mut Checks<'_, '_, S>,
    read: &MemoryRead,
    body: &mut MemoryAccess,
) -> Result<(), ReasonCode> {
    checks.actor.admits(true)?;
    checks.reader()?;
    let most = checks.space.classification_max;
    body.classification = Some(read.clearance.map_or(most, |asked| asked.min(most)));
    body.expires = Some(Time(checks.ctx.now.0.saturating_add(MEMORY_QUERY_MICROS)));
    Ok(())
}

/// Drops a value from memory; its payload stays on the record until it is erased.
fn forget<S: StateRead>(checks: &mut Checks<'_, '_, S>, key: &str) -> Result<(), ReasonCode> {
    checks.actor.admits(false)?;
    checks.writer()?;
    checks.not_quarantined(key)?;
    checks.live_entry(key).map(|_| ()).map_err(|code| checks.unless_aside(key, code))
}

fn quarantine<S: StateRead>(ctx: &Context<'_, S>, asked: &MemoryQuarantine) -> Result<Vec<Event>, Refusal> {
    ctx.enabled_tenant(&asked.tenant)?;
    let mark = MemoryKey::Quarantine(&asked.environment, &asked.namespace, &asked.key).text();
    let aside = MemoryKey::Aside(&asked.environment, &asked.namespace, &asked.key).text();
    let is_there = |text| match ctx.state.get(&StateKey::Memory(asked.tenant.clone(), text)).as_deref() {
        Some(Record::Memory(record)) => record.lives_at(ctx.now),
        _ => false,
    };
    let marked = is_there(mark);
    let unchanged = if asked.quarantined { marked } else { !marked && !is_there(aside) };
    if unchanged {
        return Err(Refusal::Unchanged);
    }
    let act = MemoryAct {
        environment: asked.environment.clone(),
        namespace: asked.namespace.clone(),
        subject: None,
        run_id: None,
        trace_id: None,
    };
    let op = if asked.quarantined { MemoryOp::Quarantine } else { MemoryOp::Restore };
    let body = MemoryAccess {
        codes: vec![ReasonCode::MemoryAllowed],
        effective: Verdict::Allow,
        key: Some(asked.key.clone()),
        subject: None,
        verdict: Verdict::Allow,
        ..blank(ctx, &act, op)
    };
    Ok(vec![justified(ctx, &asked.tenant, body, &asked.justification)])
}
