//! The worst that one call can cost within the kernel's caps: 10,000 rules that are all looked at, payloads up to the largest, patterns and
//! texts made for each other, conditions and Rego at their budgets. From bytes to events, as `decide` measures it; the bar is 1 ms.

use std::error::Error;
use std::time::{Duration, Instant};

use assent_benches::core::pin;
use assent_benches::percentiles::{Durations, micros};
use assent_benches::policy::{Policy, hostile};
use assent_benches::world::World;
use assent_kernel::command::Command;
use assent_kernel::decide::Decision;
use assent_kernel::event::{Event, EventBody};
use assent_kernel::machine::decide_guarded;

/// The bar.
const BAR: Duration = Duration::from_millis(1);
/// A case is repeated for so long; one call may take longer than that.
const CASE: Duration = Duration::from_millis(1_500);

fn main() -> Result<(), Box<dyn Error>> {
    println!("worst case: {}", pin());
    println!(
        "| case | bundle bytes | input bytes | compiled in ms | first call µs | p50 µs | longest µs | verdict | ≤ 1 ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|---|---|");
    for policy in cases() {
        one(policy)?;
    }
    Ok(())
}

fn cases() -> Vec<Policy> {
    let mut cases = vec![
        hostile::many_rules(),
        hostile::many_places(),
        hostile::many_patterns(),
        hostile::large_texts("10,000 rules, texts of 16 KiB together", 16 << 10),
        hostile::large_texts("10,000 rules, texts of 64 KiB together", 64 << 10),
        hostile::large_texts("10,000 rules, texts of 256 KiB together", hostile::LARGEST),
        hostile::many_values("10,000 rules, 4,000 numbers in 64 KiB", 64 << 10),
        hostile::many_values("10,000 rules, 16,000 numbers in 256 KiB", hostile::LARGEST),
    ];
    cases.push(hostile::enumerated());
    cases.extend(hostile::PATTERNS.map(|(name, pattern, unit)| hostile::long_subjects(name, pattern, unit)));
    cases.extend([
        hostile::cel_steps(),
        hostile::rego_loop(),
        hostile::rego_written_patterns(),
        hostile::rego_patterns(),
        hostile::everything(),
    ]);
    cases
}

fn one(policy: Policy) -> Result<(), Box<dyn Error>> {
    let (name, source) = (policy.name, policy.source.clone());
    let start = Instant::now();
    assent_kernel::bundle::compile(&source).map_err(|errors| format!("{name}: {errors:?}"))?;
    let compiled = start.elapsed();
    let mut world = World::new(policy)?;
    let bytes = world.evaluate(None).encode();
    let call = || {
        let command = Command::decode(std::hint::black_box(&bytes)).ok()?;
        match decide_guarded(&world.state, &command).ok()? {
            Decision::Events(events) => Some(events),
            _ => None,
        }
    };
    let start = Instant::now();
    let events = call().ok_or("the call was not decided")?;
    let first = start.elapsed();
    let mut taken: Vec<Duration> = Vec::new();
    while taken.iter().sum::<Duration>() < CASE {
        let start = Instant::now();
        let events = std::hint::black_box(call());
        taken.push(start.elapsed());
        drop(events);
    }
    let durations = Durations::new(taken);
    let inputs = bytes.len();
    println!(
        "| {name} | {} | {inputs} | {:.1} | {} | {} | {} | {} | {} |",
        source.len(),
        compiled.as_secs_f64() * 1e3,
        micros(first),
        micros(durations.at(0.5)),
        micros(durations.at(1.0)),
        verdict(&events),
        if durations.at(0.5) <= BAR { "yes" } else { "**no**" },
    );
    Ok(())
}

/// The decision's verdict and codes.
fn verdict(events: &[Event]) -> String {
    let decision = events.iter().find_map(|event| match &event.body {
        EventBody::Decision(body) => Some(format!("{} {:?}", body.verdict, body.codes)),
        _ => None,
    });
    decision.unwrap_or_default()
}
