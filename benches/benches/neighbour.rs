//! What a tenant with native rules pays for a neighbour with Rego. Apply is serial: whatever a neighbour's call takes, everybody behind it waits.
//!
//! Tenant A calls with native rules throughout; its neighbour B is silent, calls with native rules as well, with a policy in Rego of
//! ordinary size, or with one at its budget. First both call at the same rate, one after the other, and apply has nothing else to do: how many
//! A calls a second are left. Then A's calls and B's arrive at fixed rates, evenly spread in random phases of a fixed seed, and what is
//! shown is how long an A call takes from its arrival on. Stamped time passes as time does: as calls take, and as they arrive.

use std::error::Error;
use std::time::Duration;

use assent_benches::core::pin;
use assent_benches::percentiles::{Durations, micros};
use assent_benches::policy::{Policy, full};
use assent_benches::world::{World, check_allowed};
use assent_kernel::bundle::compile;
use assent_kernel::command::Batch;
use assent_kernel::machine::Answer;
use assent_kernel::verdict::Verdict;

/// Rounds of a busy apply that are measured, after some to get warm and to use up what a bucket holds at first.
const ROUNDS: usize = 20_000;
const WARM: usize = 10_000;
/// In how many turns the neighbours take theirs, so that what the machine does besides falls on all of them alike.
const TURNS: usize = 5;
/// Calls of A that arrive each second in the second part, and how many seconds pass.
const RATE: u64 = 1_000;
const SECONDS: u64 = 20;
/// The bar: what is left to the others beside a neighbour with Rego.
const BAR: f64 = 0.9;

type Neighbour = (&'static str, Option<Policy>);

fn main() -> Result<(), Box<dyn Error>> {
    println!("neighbour: {}", pin());
    let heavy = heaviest()?;
    let neighbours: [Neighbour; 4] = [
        ("silent", None),
        ("native rules", Some(full::native())),
        ("Rego of ordinary size", Some(full::rego())),
        ("Rego at its budget", Some(heavy)),
    ];
    busy(&neighbours)?;
    println!("\nA's calls arrive {RATE} a second; from arrival to applied, in µs:");
    println!("| neighbour | its calls/s | allowed of them | apply busy | A: p50 | A: p99 | A: longest |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (name, policy) in &neighbours {
        let rates: &[u64] = if policy.is_none() { &[0] } else { &[10, 100, RATE] };
        for rate in rates {
            let seen = arriving(policy.as_ref(), *rate)?;
            println!(
                "| {name} | {rate} | {} | {:.1} % | {} | {} | {} |",
                share(seen.allowed, seen.theirs),
                100.0 * seen.busy,
                micros(seen.waited.at(0.5)),
                micros(seen.waited.at(0.99)),
                micros(seen.waited.at(1.0)),
            );
        }
    }
    Ok(())
}

/// The policy with the longest loop that still fits the budget of one call.
fn heaviest() -> Result<Policy, Box<dyn Error>> {
    let mut best = None;
    let (mut low, mut high) = (1, 1_000);
    while low <= high {
        let middle = (low + high) / 2;
        let policy = full::rego_heavy(middle);
        compile(&policy.source).map_err(|errors| format!("{errors:?}"))?;
        let mut world = World::new(policy.clone())?;
        let batch = world.batch(1);
        match world.apply_allowed(&batch) {
            Ok(_) => {
                best = Some(policy);
                low = middle + 1;
            }
            Err(_) => high = middle - 1,
        }
    }
    println!("the loop that fits the budget makes {high} × 100 steps");
    best.ok_or_else(|| "no loop fits the budget".into())
}

/// A, which is tenant 0, and B, which is tenant 1 if there is one.
fn world(neighbour: Option<&Policy>) -> Result<World, Box<dyn Error>> {
    World::with(full::native(), neighbour.cloned().into_iter().collect())
}

/// A call of a tenant in a batch of its own: how long it took, and whether it was allowed. A's calls must be.
fn one(world: &mut World, tenant: usize) -> Result<(Duration, bool), Box<dyn Error>> {
    let command = world.evaluate_with(tenant, |_| ());
    let (applied, taken) = world.apply(&Batch { commands: vec![command] })?;
    if tenant == 0 {
        check_allowed(&applied)?;
    }
    let allowed = |answer: &Answer| matches!(answer, Answer::Decided { verdict: Verdict::Allow, .. });
    Ok((taken, applied.answers.first().is_some_and(allowed)))
}

/// Both call at the same rate, one after the other, each in a batch of its own, and time passes as they take.
fn busy(neighbours: &[Neighbour]) -> Result<(), Box<dyn Error>> {
    let mut worlds = Vec::new();
    for (_, policy) in neighbours {
        let mut world = world(policy.as_ref())?;
        Taken::default().turn(&mut world, policy.is_some(), WARM)?;
        worlds.push((world, Taken::default()));
    }
    for _ in 0..TURNS {
        for ((world, taken), (_, policy)) in worlds.iter_mut().zip(neighbours) {
            taken.turn(world, policy.is_some(), ROUNDS / TURNS)?;
        }
    }
    println!(
        "| neighbour | A: p50 µs | A: p99 µs | B: p50 µs | B: longest µs | allowed of B | A calls/s of a busy apply | of A beside native B | ≤ 10 % |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|---|");
    let native = worlds.get(1).map_or(f64::NAN, |(_, taken)| taken.rate());
    for ((_, taken), (name, policy)) in worlds.iter().zip(neighbours) {
        let (ours, theirs) = (Durations::new(taken.ours.clone()), Durations::new(taken.theirs.clone()));
        let left = taken.rate() / native;
        println!(
            "| {name} | {} | {} | {} | {} | {} | {:.0} | {:.1} % | {} |",
            micros(ours.at(0.5)),
            micros(ours.at(0.99)),
            micros(theirs.at(0.5)),
            micros(theirs.at(1.0)),
            share(taken.allowed, taken.theirs.len()),
            taken.rate(),
            100.0 * left,
            if policy.is_none() || left >= BAR { "yes" } else { "**no**" },
        );
    }
    Ok(())
}

/// What each tenant's calls took.
#[derive(Default)]
struct Taken {
    ours: Vec<Duration>,
    theirs: Vec<Duration>,
    allowed: usize,
}

impl Taken {
    fn turn(&mut self, world: &mut World, neighbour: bool, rounds: usize) -> Result<(), Box<dyn Error>> {
        for _ in 0..rounds {
            if neighbour {
                let (taken, allowed) = one(world, 1)?;
                world.pass(taken);
                self.theirs.push(taken);
                self.allowed += usize::from(allowed);
            }
            let (taken, _) = one(world, 0)?;
            world.pass(taken);
            self.ours.push(taken);
        }
        Ok(())
    }

    /// A's calls in a second of an apply that does nothing else.
    fn rate(&self) -> f64 {
        let passed: Duration = self.ours.iter().chain(&self.theirs).sum();
        self.ours.len() as f64 / passed.as_secs_f64()
    }
}

fn share(part: usize, whole: usize) -> String {
    if whole == 0 { String::new() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

/// What was seen of calls that arrive at fixed rates.
struct Seen {
    waited: Durations,
    busy: f64,
    theirs: usize,
    allowed: usize,
}

/// One server that takes calls in the order of their arrival, each stamped when it arrives.
fn arriving(neighbour: Option<&Policy>, rate: u64) -> Result<Seen, Box<dyn Error>> {
    let mut arrivals: Vec<(u64, usize)> = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for (tenant, per_second) in [(0, RATE), (1, rate)] {
        let every = 1_000_000_000_u64.checked_div(per_second).unwrap_or(u64::MAX);
        for number in 0..per_second * SECONDS {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            arrivals.push((number * every + (random >> 33) % every, tenant));
        }
    }
    arrivals.sort_unstable();
    let mut world = world(neighbour)?;
    let (mut waited, mut theirs) = (Vec::new(), Vec::new());
    let (mut free, mut work, mut last) = (0, 0, 0);
    for (at, tenant) in arrivals {
        world.pass(Duration::from_nanos(at - last));
        last = at;
        let (taken, allowed) = one(&mut world, tenant)?;
        let taken = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        free = at.max(free) + taken;
        work += taken;
        if tenant == 0 {
            waited.push(Duration::from_nanos(free - at));
        } else {
            theirs.push(allowed);
        }
    }
    Ok(Seen {
        waited: Durations::new(waited),
        busy: work as f64 / (SECONDS as f64 * 1e9),
        allowed: theirs.iter().filter(|allowed| **allowed).count(),
        theirs: theirs.len(),
    })
}
