//! What a decided call changes in its run, and in what holds for all runs of its subject.

use assent_ledger::hash::sha256;
use assent_ledger::ids::Time;

use super::run::change_subject;
use super::tenant::is_implicit_run;
use super::{EntryFacts, counts};
use crate::accumulator::{self, Addition, DAY_MICROS};
use crate::bundle::{Addend, limits::DISTINCT_MAX};
use crate::counting;
use crate::event::{ACCUMULATE_ROLE, Event, INPUT_ROLE, PolicyDecision};
use crate::expiry;
use crate::limits::{LATCHES_MAX, PRINCIPAL_LATCH_PREFIX};
use crate::state::keys::{AccumulatorRecord, CallDigest, ImplicitRunRecord, RunRecord, call_digest};
use crate::state::{Record, StateKey, StateWrite};
use crate::value::{Number, Object, parse_object};

/// Takes a decision into the state.
pub(super) fn decided(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, body: &PolicyDecision) {
    let (Some(run_id), Some(subject)) = (&event.run_id, &body.subject) else { return };
    keep_alive(state, at, event, run_id, subject);
    let key = StateKey::Run(event.tenant.clone(), run_id.clone());
    if let Some(Record::Run(known)) = state.get(&key).as_deref() {
        let mut run = known.clone();
        advance(&mut run, at, event, body);
        state.put(key, Record::Run(run));
    }
    across_runs(state, event, subject, &body.effects.latches);
    if let Some(payload) = event.payloads.iter().find(|payload| payload.role == ACCUMULATE_ROLE) {
        let additions = accumulator::decode(&payload.bytes).unwrap_or_default();
        add_in_run(state, event, &additions);
        let daily = additions.into_iter().filter(|(_, daily, _)| *daily);
        daily.for_each(|addition| add(state, at, event, addition));
    }
}

/// A decision keeps its subject's implicit run alive.
pub(super) fn keep_alive(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, run_id: &str, subject: &str) {
    let key = StateKey::ImplicitRun(event.tenant.clone(), subject.to_owned());
    if is_implicit_run(state, &key, run_id) {
        let record = ImplicitRunRecord { run_id: run_id.to_owned(), last: at.time };
        state.put(key, Record::ImplicitRun(record));
    }
}

fn advance(run: &mut RunRecord, at: &EntryFacts, event: &Event, body: &PolicyDecision) {
    let effects = &body.effects;
    for name in &effects.counts {
        // What is only observed leads to a mode in the shadow state only.
        if *name == "strikes" && body.observe {
            run.shadow.strikes = run.shadow.strikes.saturating_add(1);
        } else {
            run.counters.add_one(name);
        }
    }
    effects.taint.iter().for_each(|label| run.taint.join(label, at.time));
    in_run(run, &effects.latches);
    // What people have answered is the call that came before, once more decided.
    let call = call_of(event, body).filter(|_| effects.replaces.is_none());
    call.into_iter().for_each(|call| run.recent.take(call));
}

/// Moves the latches of rules that are about one run.
pub(super) fn in_run(run: &mut RunRecord, latches: &[(String, u8)]) {
    for (latch, step) in latches.iter().filter(|(latch, _)| !latch.starts_with(PRINCIPAL_LATCH_PREFIX)) {
        set_latch(&mut run.latches, latch, *step);
    }
}

/// Moves the latches of rules that are about all runs of a subject.
pub(super) fn across_runs(state: &mut impl StateWrite, event: &Event, subject: &str, latches: &[(String, u8)]) {
    let of_subject =
        |(latch, step): &(String, u8)| Some((latch.strip_prefix(PRINCIPAL_LATCH_PREFIX)?.to_owned(), *step));
    let across: Vec<_> = latches.iter().filter_map(of_subject).collect();
    if !across.is_empty() {
        change_subject(state, &event.tenant, subject, |known| {
            across.iter().for_each(|(rule, step)| set_latch(&mut known.latches, rule, *step));
        });
    }
}

fn set_latch(latches: &mut std::collections::BTreeMap<String, u8>, rule: &str, step: u8) {
    if step == 0 {
        latches.remove(rule);
    } else if latches.len() < LATCHES_MAX || latches.contains_key(rule) {
        latches.insert(rule.to_owned(), step);
    }
}

/// Adds to what the calls of the run add up to.
fn add_in_run(state: &mut impl StateWrite, event: &Event, additions: &[Addition]) {
    let of_run = || additions.iter().filter(|(_, daily, _)| !daily).map(|(text, _, addend)| (text.as_str(), addend));
    if of_run().next().is_some() {
        counts::change(state, &event.tenant, event.run_id.as_deref(), |counts| {
            counting::add(counts, of_run());
        });
    }
}

/// Adds to what the calls of a day add up to.
fn add(state: &mut impl StateWrite, at: &EntryFacts, event: &Event, (text, _, addend): Addition) {
    let key = StateKey::Accumulator(event.tenant.clone(), text);
    let mut record = match state.get(&key).as_deref() {
        Some(Record::Accumulator(known)) => known.clone(),
        _ => {
            // The day may have begun just now, and decisions may be applied late: two days are long enough.
            let expires = Time(at.time.0.saturating_add(2 * DAY_MICROS));
            expiry::schedule(state, expires, key.clone());
            AccumulatorRecord::until(expires)
        }
    };
    match addend {
        Addend::Count => record.count = record.count.saturating_add(1),
        Addend::Sum(number) => add_number(&mut record, &number),
        Addend::Distinct(hash) => {
            if u64::try_from(record.distinct.len()).is_ok_and(|known| known < DISTINCT_MAX) {
                record.distinct.insert(hash);
            }
        }
    }
    state.put(key, Record::Accumulator(record));
}

/// A sum that cannot be held exactly was denied when it was decided.
fn add_number(record: &mut AccumulatorRecord, number: &Number) {
    let sum = Number::parse(&record.sum).unwrap_or_default();
    if let Some(sum) = sum.checked_add(number) {
        record.sum = sum.normal_text();
    }
}

/// What tells a call from others. The arguments are a payload; where they were erased, nothing does.
fn call_of(event: &Event, body: &PolicyDecision) -> Option<CallDigest> {
    let input = event.payloads.iter().find(|payload| payload.role == INPUT_ROLE)?;
    Some(match parse_object(&input.bytes) {
        Ok(args) => digest_of_call(&body.tool, &args),
        // No other text says the same.
        Err(_) => call_digest(&sha256(&[b"assent call/2\n", body.tool.as_bytes(), &[1], &input.bytes])),
    })
}

/// What tells a call from others, for finding loops: its tool and what its arguments say, however they are written.
pub fn digest_of_call(tool: &str, args: &Object) -> CallDigest {
    call_digest(&sha256(&[b"assent call/2\n", tool.as_bytes(), &[0], &args.canonical_bytes()]))
}
