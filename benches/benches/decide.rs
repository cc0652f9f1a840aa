//! One call from bytes to events: decoding, idempotency, credential, capability, schema, contract, rules, hashing. Inputs of 512
//! bytes, 100 rules, and the bundle of the example fleet's tenant Acme.

use std::error::Error;
use std::hint::black_box;

use assent_benches::policy::{acme, hundred_rules};
use assent_benches::world::World;
use assent_benches::{percentiles, policy};
use assent_kernel::command::Command;
use assent_kernel::decide::decide;
use criterion::Criterion;

/// Single calls for the percentiles.
const SINGLE_CALLS: usize = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    for policy in [hundred_rules(), acme()] {
        one(&mut criterion, policy)?;
    }
    criterion.final_summary();
    Ok(())
}

fn one(criterion: &mut Criterion, policy: policy::Policy) -> Result<(), Box<dyn Error>> {
    let name = policy.name;
    let mut world = World::new(policy)?;
    // With a run that is open and an id that is remembered, as in the middle of a day.
    let batch = world.batch(1_000);
    world.apply(&batch)?;
    let command = world.evaluate(None);
    let bytes = command.encode();
    decide(&world.state, &command)?;
    let mut group = criterion.benchmark_group("decide");
    group.bench_function(format!("bytes to events, {name}"), |b| {
        b.iter(|| {
            let command = Command::decode(black_box(&bytes)).ok()?;
            decide(&world.state, &command).ok()
        });
    });
    group.bench_function(format!("decoded command to events, {name}"), |b| {
        b.iter(|| decide(&world.state, black_box(&command)));
    });
    group.finish();
    let all: Vec<Vec<u8>> = (0..1_000).map(|_| world.evaluate(None).encode()).collect();
    let mut next = all.iter().cycle();
    percentiles::print(
        &format!("decide/bytes to events, {name}"),
        SINGLE_CALLS,
        || next.next(),
        |bytes| {
            let command = Command::decode((*bytes)?).ok()?;
            decide(&world.state, &command).ok()
        },
    );
    Ok(())
}
