//! What a tenant with native rules pays for a neighbour with Rego. Apply is serial: whatever a neighbour's call takes, everybody behind it waits.
//!
//! Tenant A calls with native rules throughout; its neighbour B is silent, calls with native rules as well, with a policy in Rego of
//! ordinary size, or with one at its budget. First both call at the same rate, one after the other, and apply has nothing else to do: what
//! an A call costs by itself, and how many A calls a second are left. Then A's calls and B's arrive at fixed rates (times of service as
//! measured, arrivals spread evenly in random phases of a fixed seed), and what is shown is how long an A call takes from its arrival on.

use std::error::Error;
use std::time::Duration;

use assent_benches::core::pin;
use assent_benches::percentiles::{Durations, micros};
use assent_benches::policy::{Policy, full};
use assent_benches::world::World;
use assent_kernel::bundle::compile;
use assent_kernel::command::Batch;

/// Calls of each tenant that are measured; fewer of a neighbour that takes long.
const CALLS: usize = 4_000;
/// Longest time for one neighbour.
const NEIGHBOUR: Duration = Duration::from_secs(8);
/// A ledger that is larger is put away for a fresh one.
const ENTRIES_MAX: u64 = 100_000;
/// Calls of A that arrive each second in the second part, and how many seconds pass.
const RATE: u64 = 1_000;
const SECONDS: u64 = 20;

/// What each tenant's calls took.
struct Taken {
    ours: Vec<Duration>,
    theirs: Vec<Duration>,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("neighbour: {}", pin());
    let heavy = heaviest()?;
    let neighbours = [
        ("silent", None),
        ("native rules", Some(full::native())),
        ("Rego of ordinary size", Some(full::rego())),
        ("Rego at its budget", Some(heavy)),
    ];
    let mut all = Vec::new();
    println!("| neighbour | A: p50 µs | A: p99 µs | B: p50 µs | A calls/s of a busy apply | of A beside native B |");
    println!("|---|--:|--:|--:|--:|--:|");
    let mut beside_native = None;
    for (name, policy) in neighbours {
        let taken = measure(policy)?;
        let (ours, theirs) = (Durations::new(taken.ours.clone()), Durations::new(taken.theirs.clone()));
        let rate = ours.count() as f64 / (ours.sum() + theirs.sum()).as_secs_f64();
        if name == "native rules" {
            beside_native = Some(rate);
        }
        let share = beside_native.map_or("".to_owned(), |native| format!("{:.1} %", 100.0 * rate / native));
        println!(
            "| {name} | {} | {} | {} | {rate:.0} | {share} |",
            micros(ours.at(0.5)),
            micros(ours.at(0.99)),
            micros(theirs.at(0.5)),
        );
        all.push((name, taken));
    }
    waiting(&all);
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

/// Both tenants call at the same rate, one after the other, each in a batch of its own.
fn measure(neighbour: Option<Policy>) -> Result<Taken, Box<dyn Error>> {
    let fresh = || World::with(full::native(), neighbour.clone().into_iter().collect());
    let mut world = fresh()?;
    let mut taken = Taken { ours: Vec::new(), theirs: Vec::new() };
    let mut passed = Duration::ZERO;
    for round in 0..CALLS + 200 {
        if world.machine.size().0 > ENTRIES_MAX {
            world = fresh()?;
        }
        let mut one = |tenant| {
            let command = world.evaluate_with(tenant, |_| ());
            world.apply_allowed(&Batch { commands: vec![command] }).map(|(_, taken)| taken)
        };
        let theirs = neighbour.as_ref().map(|_| one(1)).transpose()?;
        let ours = one(0)?;
        passed += ours + theirs.unwrap_or_default();
        if round >= 200 || passed > NEIGHBOUR / 4 {
            taken.ours.push(ours);
            taken.theirs.extend(theirs);
        }
        if passed > NEIGHBOUR {
            break;
        }
    }
    Ok(taken)
}

/// How long A's calls take from their arrival on, when both arrive at fixed rates.
fn waiting(all: &[(&str, Taken)]) {
    println!("\nA's calls arrive {RATE} a second; from arrival to applied, in µs:");
    println!("| neighbour | its calls/s | apply busy | A: p50 | A: p99 | A: longest |");
    println!("|---|--:|--:|--:|--:|--:|");
    for (name, taken) in all {
        let rates: &[u64] = if taken.theirs.is_empty() { &[0] } else { &[10, 100, RATE] };
        for rate in rates {
            let (waited, busy) = queue(taken, *rate);
            println!(
                "| {name} | {rate} | {:.1} % | {} | {} | {} |",
                100.0 * busy,
                micros(waited.at(0.5)),
                micros(waited.at(0.99)),
                micros(waited.at(1.0)),
            );
        }
    }
}

/// One server that takes calls in the order of their arrival; gives how long A's took, and how much of the time there was work.
fn queue(taken: &Taken, rate: u64) -> (Durations, f64) {
    let mut arrivals: Vec<(u64, bool, Duration)> = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for (per_second, services, ours) in [(RATE, &taken.ours, true), (rate, &taken.theirs, false)] {
        let every = 1_000_000_000_u64.checked_div(per_second).unwrap_or(u64::MAX);
        for (number, service) in (0..per_second * SECONDS).zip(services.iter().cycle()) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            arrivals.push((number * every + (random >> 33) % every, ours, *service));
        }
    }
    arrivals.sort_unstable();
    let (mut free, mut busy) = (0, 0);
    let mut waited = Vec::new();
    for (at, ours, service) in arrivals {
        let service = u64::try_from(service.as_nanos()).unwrap_or(u64::MAX);
        free = at.max(free) + service;
        busy += service;
        if ours {
            waited.push(Duration::from_nanos(free - at));
        }
    }
    (Durations::new(waited), busy as f64 / (SECONDS as f64 * 1e9))
}
