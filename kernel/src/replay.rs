//! Replay: the record decided again. From verified entries and the payloads that still exist, each command is rebuilt and decided on
//! a state that is evolved from the recorded events; what comes out must be what is on the record, but for what the leader drew at
//! random. Nothing is executed: a replay reads, decides and compares.
//!
//! The entries are those of a whole ledger, or of one tenant and the system, in the order of their sequence numbers. They are read one
//! by one; what is held is the kernel's state and the entries of one command.
//!
//! An erased payload makes a decision `NOT_REPLAYABLE`, never a difference, and so it does for later decisions that rest on what the
//! payload had put into the state. Remembered request ids follow from commands and not from leaves; a replay does without them,
//! for the record holds every request once.

mod boundary;
mod compare;
mod finding;
mod rebuild;
mod recorded;
mod walk;
mod what_if;

pub use boundary::{Boundary, BoundaryFinding, Response, Served};
pub use finding::{Finding, Found, Why};
pub(crate) use rebuild::{call_of, message_of};
pub use recorded::{Held, Payloads, ReadError, Recorded};
pub use what_if::{Flip, Flips, Judgement, Selection, WhatIf};

use assent_ledger::hash::sha256;
use assent_ledger::json::Value;
use assent_ledger::seal::SpanSealed;

use crate::command::{Command, CommandBody};
use crate::decide::{self, Decision, SealIntent};
use crate::event::{Event, EventBody};
use crate::machine;
use crate::refusal::Refusal;
use crate::stamp::Stamp;
use crate::state::StateRead;
use compare::{Renames, differs, first_difference};
use rebuild::{Rebuilt, Shown, rebuild};
use recorded::computed_form;
use walk::{Step, Visitor};

/// The two seeds under which each command is decided.
const SEEDS: [[u8; 32]; 2] = [[0x5a; 32], [0xa5; 32]];

/// What a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Entries read.
    pub entries: u64,
    /// Commands decided again.
    pub commands: u64,
    /// Calls among them.
    pub decisions: u64,
    /// Findings in which the record contradicts this kernel.
    pub contradictions: u64,
    /// Commands that could not be decided again.
    pub not_replayable: u64,
    /// Entries whose command is in a chain that was not replayed.
    pub elsewhere: u64,
}

/// Replays entries in the order of their sequence numbers and tells each finding. Errors are those of the iterator; what was found
/// before stands.
pub fn replay<E>(
    entries: impl IntoIterator<Item = Result<Recorded, E>>,
    payloads: &impl Payloads,
    tell: impl FnMut(Finding),
) -> Result<Summary, E> {
    let mut replay = Replay { tell, summary: Summary::default() };
    let entries = walk::walk(entries, payloads, &mut replay)?;
    Ok(Summary { entries, ..replay.summary })
}

struct Replay<F: FnMut(Finding)> {
    tell: F,
    summary: Summary,
}

impl<F: FnMut(Finding), P: Payloads> Visitor<P> for Replay<F> {
    fn command(&mut self, step: &Step<'_, P>, root: usize, command: &Command) -> usize {
        self.summary.commands += 1;
        self.summary.decisions += u64::from(matches!(command.body, CommandBody::Evaluate(_)));
        let Again { entries, found } = match again(step, root, command) {
            // Commands may have the same time: the first entry may be one of its own.
            Again { found: Some(found), entries } => alone(step, root).unwrap_or(Again { found: Some(found), entries }),
            agreed => agreed,
        };
        if let Some((at, found)) = found {
            self.found(step, at, found);
        }
        entries
    }

    fn lost(&mut self, step: &Step<'_, P>, root: usize, why: Why) {
        self.found(step, root, Found::NotReplayable(why));
    }

    fn elsewhere(&mut self) {
        self.summary.elsewhere += 1;
    }

    fn follows(&mut self, step: &Step<'_, P>) {
        // What follows a command that could not be decided again cannot be expected either.
        if !step.after_lost {
            self.found(step, 0, Found::Unexplained);
        }
    }
}

impl<F: FnMut(Finding)> Replay<F> {
    fn found<P: Payloads>(&mut self, step: &Step<'_, P>, at: usize, found: Found) {
        let Some(recorded) = step.window.get(at).or_else(|| step.window.last()) else { return };
        let lost = found.contradicts() && step.lost.concerns(&recorded.entry);
        let what = if lost { Found::NotReplayable(Why::RestsOnLost) } else { found };
        if what.contradicts() {
            self.summary.contradictions += 1;
        } else {
            self.summary.not_replayable += 1;
        }
        (self.tell)(Finding { seq: recorded.entry.seq, tenant: recorded.entry.tenant.clone(), what });
    }
}

/// What deciding a command again came to.
struct Again {
    /// How many recorded entries are the command's.
    entries: usize,
    /// The first difference, and the entry's place.
    found: Option<(usize, Found)>,
}

fn again<P: Payloads>(step: &Step<'_, P>, root: usize, command: &Command) -> Again {
    let state = Shown::new(step.state, step.window.get(root));
    let [one, two] = SEEDS.map(|seed| decided(&state, command, seed));
    match (one, two) {
        (Ok(Decision::Events(one)), Ok(Decision::Events(two))) => compare_events(step, root, command, &one, &two),
        (Ok(Decision::Seal(intent)), Ok(_)) => {
            let recorded = step.window.get(root).and_then(|recorded| recorded.body.as_ref());
            let found = recorded.and_then(|body| seal_difference(body, intent));
            Again { entries: root + 1, found: found.map(|found| (root, found)) }
        }
        (Err(refusal), _) | (_, Err(refusal)) => {
            let found = Found::Refused { number: refusal.number(), text: refusal.to_string() };
            Again { entries: root + 1, found: Some((root, found)) }
        }
        // Request ids are not looked up, so that nothing repeats.
        (Ok(_), Ok(_)) => Again { entries: root + 1, found: Some((root, Found::Unexplained)) },
    }
}

/// The first entry as a command of its own, when it was taken for a part of the one at `root`; nothing unless it agrees.
fn alone<P: Payloads>(step: &Step<'_, P>, root: usize) -> Option<Again> {
    let first = step.window.get(..1).filter(|_| root > 0)?;
    let Rebuilt::Command { root: 0, command } = rebuild(first, step.whole, step.state, step.payloads) else {
        return None;
    };
    Some(again(step, 0, &command)).filter(|again| again.found.is_none())
}

/// One decision under one seed. A kernel that failed then must fail now.
fn decided(state: &impl StateRead, command: &Command, seed: [u8; 32]) -> Result<Decision, Refusal> {
    let command = Command { stamp: Stamp { seed, ..command.stamp.clone() }, ..command.clone() };
    machine::guard(&command, || decide::decide_new(state, &command))
}

fn compare_events<P: Payloads>(
    step: &Step<'_, P>,
    root: usize,
    command: &Command,
    one: &[Event],
    two: &[Event],
) -> Again {
    let mut renames = Renames::default();
    for (at, event) in one.iter().enumerate() {
        let Some(recorded) = step.window.get(at) else {
            let found = differs("entry", None, Some(&Value::str(event.body.kind())));
            return Again { entries: step.window.len(), found: Some((at, found)) };
        };
        let form = recorded.form(step.payloads);
        let other = two.get(at).unwrap_or(event);
        let (one, two) = (computed_form(event, &form), computed_form(other, &form));
        if let Some(found) = first_difference(&form, &one, &two, &mut renames) {
            // An entry of another type begins something else.
            let same = recorded.entry.kind == event.body.kind();
            return Again { entries: (at + usize::from(same)).max(root + 1), found: Some((at, found)) };
        }
    }
    let found = step.window.get(root).and_then(|recorded| salted_difference(step, recorded, command));
    Again { entries: one.len().max(1), found: found.map(|found| (root, found)) }
}

/// The machine completes a seal from the tree, which the verifier checks; what the kernel says about it is why and from where.
fn seal_difference(recorded: &EventBody, intent: SealIntent) -> Option<Found> {
    let EventBody::SpanSealed(body) = recorded else { return Some(Found::Unexplained) };
    let computed = SpanSealed { reason: intent.reason, span_start: intent.span_start, ..(**body).clone() };
    let (recorded, computed) = (body.to_value(), computed.to_value());
    first_difference(&recorded, &computed, &computed, &mut Renames::default())
}

/// With the salt that came with the answer, the commitment to the request is computed again too.
fn salted_difference<P: Payloads>(step: &Step<'_, P>, recorded: &Recorded, command: &Command) -> Option<Found> {
    let (CommandBody::Evaluate(call), Some(EventBody::Decision(body))) = (&command.body, &recorded.body) else {
        return None;
    };
    let salt = step.payloads.request_salt(recorded.entry.seq)?;
    let tool = body.bundle.and_then(|hash| step.state.bundle(&hash));
    let schema = tool.and_then(|bundle| bundle.tool(&call.tool).map(crate::bundle::Tool::schema_hash));
    let tenant = &command.caller.tenant;
    let of = |schema| sha256(&[&salt, &decide::request_hash(tenant, command.subject(), call, schema).0]);
    // Calls that are stopped before their tool is looked up are hashed without a schema.
    let computed = of(schema.as_ref());
    if [computed, of(None)].contains(&body.request_commitment) {
        return None;
    }
    let (recorded, computed) = (Value::from(body.request_commitment), Value::from(computed));
    Some(differs("body.request_commitment", Some(&recorded), Some(&computed)))
}
