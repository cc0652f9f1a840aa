//! One run with ten thousand calls, each bringing a label from an origin of its own: what a call around number 10,000 costs, and what one around
//! number 100 costs in another run. The two runs take turns, call by call, so that whatever else the machine does falls on both alike.
//! Deciding (bytes to events) and the whole apply of a batch of one; windows of 200 calls; the bar is 1.2.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use assent_benches::core::pin;
use assent_benches::percentiles::{Durations, micros};
use assent_benches::policy::full;
use assent_benches::world::World;
use assent_kernel::command::{Batch, Command};
use assent_kernel::machine::decide_guarded;

/// Calls that are compared: numbers 1 to 200 of a young run, 9,901 to 10,100 of an old one.
const WINDOW: usize = 200;
/// The first of the old run's calls that is compared, counted from 0.
const LATE: usize = 9_900;
/// Old runs, each beside a young one.
const PAIRS: usize = 5;

/// What calls took.
#[derive(Default)]
struct Taken {
    deciding: Vec<Duration>,
    applying: Vec<Duration>,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("long run: {}", pin());
    let mut world = World::new(full::native())?;
    let mut pairs = Vec::with_capacity(PAIRS);
    for number in 0..PAIRS {
        pairs.push(pair(&mut world, number)?);
    }
    report("bytes to events", pairs.iter().map(|(young, old)| (&young.deciding, &old.deciding)));
    report("apply", pairs.iter().map(|(young, old)| (&young.applying, &old.applying)));
    Ok(())
}

/// A young run beside an old one.
fn pair(world: &mut World, number: usize) -> Result<(Taken, Taken), Box<dyn Error>> {
    let (young_id, old_id) = (format!("young-{number}"), format!("old-{number}"));
    let mut unmeasured = Taken::default();
    for call in 0..LATE {
        one(world, &old_id, call, &mut unmeasured)?;
    }
    let (mut young, mut old) = (Taken::default(), Taken::default());
    for call in 0..WINDOW {
        one(world, &young_id, call, &mut young)?;
        one(world, &old_id, LATE + call, &mut old)?;
    }
    Ok((young, old))
}

fn one(world: &mut World, run_id: &str, call: usize, taken: &mut Taken) -> Result<(), Box<dyn Error>> {
    let command = world.evaluate_with(0, |evaluate| {
        evaluate.run_id = Some(run_id.to_owned());
        if let Some(label) = evaluate.context.taint.first_mut() {
            label.origin = format!("site-{call}.example");
        }
    });
    let bytes = command.encode();
    let start = Instant::now();
    let decided = Command::decode(&bytes).map(|command| decide_guarded(&world.state, &command));
    taken.deciding.push(start.elapsed());
    drop(black_box(decided));
    taken.applying.push(world.apply_allowed(&Batch { commands: vec![command] })?.1);
    Ok(())
}

fn report<'a>(what: &str, pairs: impl Iterator<Item = (&'a Vec<Duration>, &'a Vec<Duration>)>) {
    let (mut young, mut old, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for (early, late) in pairs {
        young.extend(early);
        old.extend(late);
        each.push(format!("{:.3}", median(late.iter().copied()) / median(early.iter().copied())));
    }
    let (young, old) = (Durations::new(young), Durations::new(old));
    println!("\n{what}, around call 100: {}", young.line());
    print!("{}", young.histogram());
    println!("{what}, around call 10,000: {}", old.line());
    print!("{}", old.histogram());
    let ratio = old.at(0.5).as_secs_f64() / young.at(0.5).as_secs_f64();
    println!(
        "{what}: median {} µs around call 100, {} µs around call 10,000: {ratio:.3}× (each pair: {}); bar 1.2×: {}",
        micros(young.at(0.5)),
        micros(old.at(0.5)),
        each.join(", "),
        if ratio <= 1.2 { "met" } else { "missed" }
    );
}

fn median(durations: impl Iterator<Item = Duration>) -> f64 {
    Durations::new(durations).at(0.5).as_secs_f64()
}
