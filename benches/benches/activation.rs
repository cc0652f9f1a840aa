//! Whether offering and activating the largest bundle holds apply up: batches of 32 calls of one tenant, while another tenant's (or the same
//! one's) bundle of 10,000 rules is offered and activated in between. As in a node, a bundle is compiled before its offer is applied, and
//! apply takes what is there; what compiling costs beside apply is shown too.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use assent_benches::core::pin;
use assent_benches::percentiles::{Durations, micros};
use assent_benches::policy::{full, hostile};
use assent_benches::world::{World, check_allowed, operator};
use assent_kernel::bundle::{CompiledBundle, RuntimeRules, bundle_hash, compile};
use assent_kernel::command::{Batch, Command, CommandBody, OfferedSource};
use assent_kernel::machine::LogPosition;
use assent_kernel::state::{Compiled, MemoryState, Record, StateKey, StateRead};
use assent_ledger::hash::Hash;
use assent_ledger::ids::{NodeId, TenantId};

/// Calls in a batch.
const BATCH: usize = 32;
/// Batches of each kind; every second one has something in between.
const BATCHES: usize = 200;
/// The same for offers, of which each is another source that has to be compiled first.
const OFFERS: usize = 40;
/// A ledger that is larger is put away for a fresh one.
const ENTRIES_MAX: u64 = 100_000;

/// The state with what was compiled beside apply, as a node keeps it.
struct Beside<'a> {
    state: &'a MemoryState,
    compiled: &'a CompiledSources,
}

impl StateRead for Beside<'_> {
    fn get(&self, key: &StateKey) -> Option<Arc<Record>> {
        self.state.get(key)
    }

    fn compiled(&self, hash: &Hash, source: &[u8]) -> Compiled {
        match self.compiled.get(hash) {
            Some(bundle) => Ok(bundle.clone()),
            None => self.state.compiled(hash, source),
        }
    }

    fn bundle(&self, hash: &Hash) -> Option<Arc<CompiledBundle>> {
        self.state.bundle(hash)
    }

    fn runtime(&self, tenant: &TenantId, environment: &str) -> Option<Arc<RuntimeRules>> {
        self.state.runtime(tenant, environment)
    }
}

/// What is put into the middle of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    Offer,
    Activate,
    /// The calls' own tenant changes to the large bundle, so that the second half of the batch is decided by it.
    ActivateOwn,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("activation: {}", pin());
    println!(
        "| a batch of {BATCH} calls with | batches | p50 µs | p99 µs | longest µs | the next batch: p50 µs | longest µs |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (name, between) in [
        ("nothing", Between::Nothing),
        ("an offer of 10,000 rules by another tenant", Between::Offer),
        ("an activation of 10,000 rules by another tenant", Between::Activate),
        ("an activation of 10,000 rules by their own tenant", Between::ActivateOwn),
    ] {
        let (with, after) = measure(between)?;
        let (p50, p99, longest) = (micros(with.at(0.5)), micros(with.at(0.99)), micros(with.at(1.0)));
        let (next, next_longest) = (micros(after.at(0.5)), micros(after.at(1.0)));
        println!("| {name} | {} | {p50} | {p99} | {longest} | {next} | {next_longest} |", with.count());
    }
    for policy in [hostile::many_rules(), hostile::many_patterns()] {
        let start = Instant::now();
        compile(&policy.source).map_err(|errors| format!("{errors:?}"))?;
        let millis = start.elapsed().as_secs_f64() * 1e3;
        println!("compiling beside apply, {} ({} bytes): {millis:.1} ms", policy.name, policy.source.len());
    }
    Ok(())
}

/// A source that differs from others of its kind in a comment only.
fn source(own: bool, number: usize) -> Vec<u8> {
    let source = if own { own_rules() } else { hostile::many_rules().source };
    [format!("# {number}\n").as_bytes(), &source].concat()
}

/// The bundle of the calls with 9,900 more rules about other tools, which their calls need not look at.
fn own_rules() -> Vec<u8> {
    let mut source = full::native().source;
    for n in 0..9_900 {
        let rule = format!(
            "  - {{id: more-{n}, match: {{tool: file.read, parameters: {{path: {{in: [/p/{n}]}}}}}}, decision: deny}}\n"
        );
        source.extend(rule.into_bytes());
    }
    source
}

/// What is compiled, by its hash.
type CompiledSources = BTreeMap<Hash, Arc<CompiledBundle>>;

fn measure(between: Between) -> Result<(Durations, Durations), Box<dyn Error>> {
    let own = between == Between::ActivateOwn;
    let sources = [source(own, 1), source(own, 2)];
    let mut compiled = CompiledSources::new();
    for source in &sources {
        beside(&mut compiled, source)?;
    }
    let mut world = world(between, &sources)?;
    let (mut with, mut after) = (Vec::new(), Vec::new());
    for round in 0..if between == Between::Offer { OFFERS } else { BATCHES } {
        if world.machine.size().0 > ENTRIES_MAX {
            world = self::world(between, &sources)?;
        }
        for special in [true, false] {
            let mut batch = world.batch(BATCH);
            let command = if special { command(&mut world, between, &mut compiled, round)? } else { None };
            batch.commands.splice(BATCH / 2..BATCH / 2, command);
            let taken = apply(&mut world, &batch, &compiled)?;
            if special { with.push(taken) } else { after.push(taken) }
        }
    }
    Ok((Durations::new(with), Durations::new(after)))
}

/// Compiles a source, as a node does before the offer is applied; gives its hash.
fn beside(compiled: &mut CompiledSources, source: &[u8]) -> Result<Hash, Box<dyn Error>> {
    let bundle = compile(source).map_err(|errors| format!("{errors:?}"))?;
    let hash = bundle_hash(source);
    compiled.insert(hash, Arc::new(bundle));
    Ok(hash)
}

/// A ledger on which the sources are offered that are to be activated in turn.
fn world(between: Between, sources: &[Vec<u8>]) -> Result<World, Box<dyn Error>> {
    let mut world = World::with(full::native(), vec![hostile::many_rules()])?;
    match between {
        Between::Nothing | Between::Offer => {}
        Between::Activate | Between::ActivateOwn => {
            for source in sources {
                world.offer(usize::from(between == Between::Activate), source.clone())?;
            }
        }
    }
    Ok(world)
}

/// What comes in between.
fn command(
    world: &mut World,
    between: Between,
    compiled: &mut CompiledSources,
    round: usize,
) -> Result<Option<Command>, Box<dyn Error>> {
    let activate = |own| bundle_hash(&source(own, 1 + round % 2));
    Ok(match between {
        Between::Nothing => None,
        Between::Offer => {
            let source = source(false, 10 + round);
            beside(compiled, &source)?;
            let offer = OfferedSource { tenant: world.agent(1).tenant.clone(), source };
            Some(world.command_of(&operator(), CommandBody::OfferBundle(offer)))
        }
        Between::Activate => Some(world.activate(1, activate(false))),
        Between::ActivateOwn => Some(world.activate(0, activate(true))),
    })
}

/// Applies a batch over the state with what was compiled; gives how long the machine took.
fn apply(world: &mut World, batch: &Batch, compiled: &CompiledSources) -> Result<Duration, Box<dyn Error>> {
    let at = LogPosition { index: world.machine.size().0, term: 1, leader: NodeId(1), membership: vec![NodeId(1)] };
    let base = Beside { state: &world.state, compiled };
    let start = Instant::now();
    let applied = std::hint::black_box(world.machine.apply(&base, batch, &at));
    let taken = start.elapsed();
    world.state.commit(&applied.state, &applied.dropped_buckets);
    check_allowed(&applied)?;
    Ok(taken)
}
