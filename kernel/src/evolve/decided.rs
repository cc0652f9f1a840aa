//! What a decided call changes in its run.

use assent_ledger::hash::{Hash, sha256};

use super::EntryFacts;
use super::tenant::is_implicit_run;
use crate::event::{Event, INPUT_ROLE, PolicyDecision};
use crate::state::keys::{ImplicitRunRecord, RunRecord};
use crate::state::{Record, StateKey, StateWrite};

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
    effects.counts.iter().for_each(|name| run.counters.add_one(name));
    effects.taint.iter().for_each(|label| run.taint.join(label, at.time));
    for (rule, step) in &effects.latches {
        if *step == 0 {
            run.latches.remove(rule);
        } else {
            run.latches.insert(rule.clone(), *step);
        }
    }
    let call = call_digest(event, body);
    run.repeats = if call == run.last_call { run.repeats.saturating_add(1) } else { 1 };
    run.last_call = call;
}

/// What tells a call from the one before it. The arguments are a payload; where they were erased, nothing does.
fn call_digest(event: &Event, body: &PolicyDecision) -> Hash {
    match event.payloads.iter().find(|payload| payload.role == INPUT_ROLE) {
        Some(input) => digest_of_call(&body.tool, &input.bytes),
        None => Hash::default(),
    }
}

/// Digest of a tool and its exact arguments, for finding loops; it stays in the state and never gets into a leaf.
pub fn digest_of_call(tool: &str, inputs: &[u8]) -> Hash {
    sha256(&[b"assent call/1\n", tool.as_bytes(), &[0], inputs])
}
