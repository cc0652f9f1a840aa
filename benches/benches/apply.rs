//! `Machine::apply`, per call, in batches of 1 and 32: decide, evolve, payload encryption, leaf, chain, tree, state trie. In memory:
//! what a store does with the result is not in it.

use std::error::Error;
use std::time::Duration;

use assent_benches::policy::{acme, hundred_rules};
use assent_benches::world::World;
use criterion::{Criterion, Throughput};

/// A ledger that is larger is put away for a fresh one, so that memory stays bounded.
const ENTRIES_MAX: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    for (policy, size) in [(hundred_rules(), 1), (hundred_rules(), 32), (acme(), 32)] {
        let name = format!("batch of {size}, {}", policy.name);
        let mut world = World::new(policy.clone())?;
        let mut failed = None;
        let mut group = criterion.benchmark_group("apply");
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                let mut sum = Duration::ZERO;
                for _ in 0..rounds {
                    if world.machine.size().0 > ENTRIES_MAX {
                        match World::new(policy.clone()) {
                            Ok(fresh) => world = fresh,
                            Err(error) => failed = Some(error),
                        }
                    }
                    let batch = world.batch(size);
                    match world.apply(&batch) {
                        Ok((_, taken)) => sum += taken,
                        Err(error) => failed = Some(error),
                    }
                }
                sum
            });
        });
        group.finish();
        if let Some(error) = failed {
            return Err(error);
        }
    }
    criterion.final_summary();
    Ok(())
}
