//! One call from bytes to events. Inside the measured time: decoding the command, shape, idempotency, credential, run, inputs against the
//! tool's schema, capability, taint, rates and budgets, contract, rules (CEL, Rego), behaviour, hashing, and the decision's event with its
//! payloads. With "and state writes" also what `evolve` makes of the events in an overlay of the state. Not inside: the leaf, chains, tree,
//! payload encryption (see `apply`), and dropping the result. The state is in memory, in the middle of a day: a run that is open and at its
//! cap of origins, a thousand remembered requests.

use std::error::Error;

use assent_benches::core::pin;
use assent_benches::percentiles::{Durations, WARM_UP};
use assent_benches::policy::{Policy, acme, full, hundred_rules};
use assent_benches::world::World;
use assent_kernel::command::{Batch, Command};
use assent_kernel::decide::{Decision, now};
use assent_kernel::event::{Event, EventBody};
use assent_kernel::evolve::{EntryFacts, evolve};
use assent_kernel::machine::decide_guarded;
use assent_kernel::stamp::Purpose;
use assent_kernel::state::{Changes, MemoryState, Overlay};
use assent_kernel::verdict::Verdict;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Seq;

/// Rounds, of which the quietest is shown beside all together: other work on the machine only ever adds.
const ROUNDS: usize = 5;
/// Single calls of a round.
const CALLS: usize = 20_000;
/// Different calls that a round takes one after the other.
const DIFFERENT: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    println!("decide: {}", pin());
    for policy in [full::native(), full::cel(), full::rego(), hundred_rules(), acme()] {
        one(policy)?;
    }
    Ok(())
}

fn one(policy: Policy) -> Result<(), Box<dyn Error>> {
    let name = policy.name;
    let mut world = World::new(policy)?;
    middle_of_a_day(&mut world)?;
    let calls: Vec<Vec<u8>> = (0..DIFFERENT).map(|_| world.evaluate(None).encode()).collect();
    for bytes in &calls {
        let events = events(&world.state, bytes).ok_or("a call was not decided")?;
        let allows = |event: &Event| matches!(&event.body, EventBody::Decision(body) if body.verdict == Verdict::Allow);
        if !events.iter().any(allows) {
            return Err(format!("{name}: a call was not allowed: {events:?}").into());
        }
    }
    println!("\ndecide, {name}: {} bytes a command", calls.first().map_or(0, Vec::len));
    rounds("bytes to events", &calls, |bytes| events(&world.state, bytes));
    rounds("bytes to events and state writes", &calls, |bytes| events_and_writes(&world.state, bytes));
    Ok(())
}

/// A thousand calls, the first forty from origins of their own, so that the run is at its cap.
fn middle_of_a_day(world: &mut World) -> Result<(), Box<dyn Error>> {
    for number in 0..1_000 {
        let command = world.evaluate_with(0, |call| {
            if let Some(label) = call.context.taint.first_mut().filter(|_| number < 40) {
                label.origin = format!("site-{number}.example");
            }
        });
        world.apply_allowed(&Batch { commands: vec![command] })?;
    }
    Ok(())
}

fn events(state: &MemoryState, bytes: &[u8]) -> Option<Vec<Event>> {
    let command = Command::decode(bytes).ok()?;
    match decide_guarded(state, &command).ok()? {
        Decision::Events(events) => Some(events),
        _ => None,
    }
}

fn events_and_writes(state: &MemoryState, bytes: &[u8]) -> Option<(Vec<Event>, Changes)> {
    let command = Command::decode(bytes).ok()?;
    let Decision::Events(events) = decide_guarded(state, &command).ok()? else { return None };
    let mut overlay = Overlay::new(state);
    let time = now(state, &command);
    for (number, event) in (0..).zip(&events) {
        let event_id = command.stamp.derive_uuid(Purpose::Event, number);
        // What the machine knows of the payloads once they are sealed.
        let payloads = event.payloads.iter().map(|payload| (payload.role, Hash([7; 32]))).collect();
        evolve(&mut overlay, &EntryFacts { seq: Seq(1_000_000), time, event_id, payloads }, event);
    }
    Some((events, overlay.into_changes().0))
}

/// Measures the rounds; prints all together and the quietest, by its median, with its histogram.
fn rounds<O>(what: &str, calls: &[Vec<u8>], call: impl Fn(&[u8]) -> O) {
    let mut next = calls.iter().cycle();
    let mut round = || Durations::measure(WARM_UP, CALLS, || next.next(), |bytes| bytes.map(|bytes| call(bytes)));
    let rounds: Vec<Durations> = (0..ROUNDS).map(|_| round()).collect();
    println!("{what}, all {ROUNDS} rounds: {}", Durations::together(&rounds).line());
    if let Some(quietest) = rounds.iter().min_by_key(|round| round.at(0.5)) {
        println!("{what}, quietest round: {}", quietest.line());
        print!("{}", quietest.histogram());
    }
}
