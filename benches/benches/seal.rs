//! Sealing a span of 1,000 decisions: `Machine::apply` of the seal, which hashes what changed in the state, the tenant map and the
//! tree. Co-signing and the span's objects are a node's work and not in it.

use std::error::Error;
use std::time::Duration;

use assent_benches::policy::hundred_rules;
use assent_benches::world::World;
use assent_kernel::command::Batch;
use criterion::Criterion;

/// Decisions in a span.
const SPAN: usize = 1_000;
/// Commands in a batch.
const BATCH: usize = 32;
/// A ledger that is larger is put away for a fresh one: every round adds 1,000 runs.
const ENTRIES_MAX: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    for runs in [10, 1_000] {
        let mut world = World::new(hundred_rules())?;
        let mut group = criterion.benchmark_group("seal");
        let mut failed = None;
        group.bench_function(format!("1,000 decisions of {runs} runs"), |b| {
            b.iter_custom(|rounds| {
                let mut sum = Duration::ZERO;
                for _ in 0..rounds {
                    match round(&mut world, runs) {
                        Ok(taken) => sum += taken,
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

/// Decides 1,000 calls, seals them, and gives how long the seal took.
fn round(world: &mut World, runs: usize) -> Result<Duration, Box<dyn Error>> {
    if world.machine.size().0 > ENTRIES_MAX {
        *world = World::new(hundred_rules())?;
    }
    let span = world.machine.size().0;
    let mut commands = Vec::with_capacity(BATCH);
    for number in 0..SPAN {
        commands.push(world.evaluate(Some(format!("run-{span}-{}", number % runs))));
        if commands.len() == BATCH || number + 1 == SPAN {
            let batch = Batch { commands: core::mem::take(&mut commands) };
            world.apply(&batch)?;
        }
    }
    let seal = world.seal();
    let (applied, taken) = world.apply(&seal)?;
    if applied.sealed.len() != 1 {
        return Err("the seal did not seal".into());
    }
    let cosigned = world.cosigned();
    world.apply(&cosigned)?;
    Ok(taken)
}
