//! Seeded sequences of commands of every kind, good and bad: what each area generates lies in a file of its own.

mod agents;
mod control;
mod exchange;
mod execution;
pub mod kinds;
mod registry;
mod seen;

use std::sync::LazyLock;

use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{Caller, Command, CommandBody, OfferedSource, RequestId, Role};
use assent_kernel::machine::Answer;
use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;

use super::{Dice, SECOND, World, admin, agent, credential_of, node, operator, register, reporter, tenant};

pub use seen::Seen;
use seen::recent;

/// A bundle with everything that makes entries of its own: leases, approvals, replacements, sums, sequences, signals, memory.
pub const SOURCE: &str = include_str!("world.yaml");

/// The seeds whose worlds have, taken together, everything.
pub const SEEDS: [u64; 3] = [1, 2, 3];
/// How many commands each of them has.
pub const COMMANDS: usize = 2_000;
/// The worlds of these seeds; made once, for they take a while.
pub static FIXED: LazyLock<Vec<World>> =
    LazyLock::new(|| SEEDS.into_iter().map(|seed| random_world(seed, COMMANDS)).collect());

const TENANTS: [&str; 3] = ["acme", "zeta", "newco"];
const SUBJECTS: [&str; 5] = ["agent-1", "agent-2", "agent-3", "reader-x", "spiffe://example.com/agent/9"];
const PEOPLE: [&str; 3] = ["alice@example.com", "bob@example.com", "owner@example.com"];

/// What generates the commands of an area: mostly by whoever may give them, and mostly as they should be.
type Generator = fn(&World, &mut Dice) -> (Caller, CommandBody);

/// Out of how many commands, and of which area.
const AREAS: [(u64, Generator); 14] = [
    (30, agents::call),
    (9, agents::grant),
    (10, agents::approval),
    (12, execution::execution),
    (10, agents::run),
    (5, agents::signal),
    (7, exchange::message),
    (14, exchange::memory),
    (6, registry::tenants),
    (6, registry::bundles),
    (2, registry::keys),
    (6, registry::spans),
    (8, control::control),
    (6, control::mend),
];

/// A person who answers for calls.
pub fn person(subject: &str) -> Caller {
    let credential = format!("person-{subject}");
    Caller { role: Role::Approver, credential, ..agent("acme", Some(subject)) }
}

/// An admin who is known by name, and owns no agent.
fn boss(of: &str) -> Caller {
    Caller { role: Role::TenantAdmin, credential: "key-of-boss".into(), ..agent(of, Some("boss")) }
}

/// A version of the bundle: other bytes, the same policy.
fn source(version: u64) -> String {
    SOURCE.replacen("version: 1", &format!("version: {version}"), 1)
}

fn offered(of: &str, source: String) -> CommandBody {
    CommandBody::OfferBundle(OfferedSource { tenant: tenant(of), source: source.into_bytes() })
}

fn activated(of: &str, environment: &str, bundle_hash: Hash) -> CommandBody {
    CommandBody::ActivateBundle { tenant: tenant(of), environment: environment.into(), bundle_hash }
}

/// Mostly the tenant whose bundle has everything.
fn of(dice: &mut Dice) -> &'static str {
    match dice.below(16) {
        0 => "newco",
        1 | 2 => "zeta",
        _ => "acme",
    }
}

/// Few names of runs at a time, and others later on: a run that was closed stays closed.
fn run_id(world: &World, dice: &mut Dice) -> String {
    format!("run-{}-{}", world.sent.len() / 120, dice.below(3))
}

/// Whether something happens that does so once in `n` times.
fn once_in(dice: &mut Dice, n: u64) -> bool {
    dice.below(n) == 0
}

/// `World::ready` with everybody who acts in a random world, and the bundle that has everything active in `acme`.
fn prepared(seed: u64) -> World {
    let mut world = World::ready(seed);
    for (of, subject) in [("acme", "agent-2"), ("acme", "agent-3"), ("zeta", "agent-2")] {
        world.must(admin(of), register(of, subject));
        world.must(admin(of), credential_of(&agent(of, Some(subject))));
    }
    let people = PEOPLE.map(person);
    let others = [boss("acme"), boss("zeta"), reporter("acme", None), reporter("acme", Some("agent-1"))];
    for caller in people.iter().chain(&others) {
        world.must(admin(caller.tenant.as_str()), credential_of(caller));
    }
    world.must(admin("acme"), offered("acme", source(1)));
    world.must(admin("acme"), activated("acme", "prod", bundle_hash(source(1).as_bytes())));
    world
}

/// Commands of every kind, good and bad, on top of a ledger that is prepared: `count` in all, each applied in a batch of its own.
pub fn random_world(seed: u64, count: usize) -> World {
    let mut world = prepared(seed);
    while world.sent.len() < count {
        let command = random_command(&mut world);
        let answer = world.send_command(command.clone());
        if matches!(&answer, Answer::Decided { terms, .. } if terms.approval.is_some()) {
            world.seen.waiting.push(command);
        }
    }
    world
}

/// The same with commands of these kinds only: short, and full of what other worlds have rarely.
pub fn random_world_of(seed: u64, count: usize, wanted: &[&str]) -> World {
    let mut world = prepared(seed);
    while world.sent.len() < count {
        let command = random_command(&mut world);
        if wanted.contains(&kinds::kind(&command.body)) {
            world.send_command(command);
        }
    }
    world
}

fn random_command(world: &mut World) -> Command {
    let mut dice = world.dice.clone();
    dice.next();
    match dice.below(80) {
        // A silence: implicit runs go idle, leases and approvals end, and now and then request ids leave the window.
        0 => world.clock += (1 + dice.below(60)) * 60 * SECOND,
        1 if once_in(&mut dice, 6) => {
            world.clock += 25 * 3_600 * SECOND;
            world.seen.waiting.clear();
        }
        _ => world.clock += dice.below(SECOND),
    }
    let (suitable, body) = random_body(world, &mut dice);
    let caller = if once_in(&mut dice, 10) { random_caller(world, &mut dice) } else { suitable };
    let mut command = world.command(caller, body);
    match dice.below(30) {
        // The same request again, perhaps long after; whoever waited for people asks again too.
        0 | 1 => command = again(command, recent(&mut dice, &world.sent, 60)),
        2 | 3 if !world.seen.waiting.is_empty() => {
            command = again(command, recent(&mut dice, &world.seen.waiting, 4));
        }
        // An id that was used for something else.
        4 => command.request_id = recent(&mut dice, &world.sent, 60).map_or(command.request_id, |sent| sent.request_id),
        // A leader whose clock is behind, or far ahead of the request's.
        5 => command.stamp.time = Time(world.clock.saturating_sub(dice.below(3_600) * SECOND)),
        6 => command.request_id = RequestId::new(world.clock / 1_000 + 3_600_000, dice.bytes()),
        _ => {}
    }
    command
}

fn again(new: Command, sent: Option<Command>) -> Command {
    match sent {
        Some(sent) => Command { stamp: new.stamp, ..sent },
        None => new,
    }
}

fn random_body(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let mut at = dice.below(AREAS.iter().map(|(weight, _)| weight).sum());
    for (weight, generate) in AREAS {
        if at < weight {
            return generate(world, dice);
        }
        at -= weight;
    }
    unreachable!("`at` lies below the sum of the weights")
}

fn random_caller(world: &World, dice: &mut Dice) -> Caller {
    let of = dice.pick(&TENANTS);
    match dice.below(8) {
        0 => operator(),
        1 => node(),
        2 => admin(of),
        3 => Caller { role: Role::Auditor, ..admin(of) },
        4 => person(dice.pick(&PEOPLE)),
        5 => reporter(of, None),
        6 => spare(world, dice, of),
        _ => agent(of, Some(dice.pick(&SUBJECTS))),
    }
}

/// One of the credentials that are registered and revoked as a world goes on, others later on.
fn spare(world: &World, dice: &mut Dice, of: &str) -> Caller {
    let credential = format!("spare-{}-{}", world.sent.len() / 300, dice.below(3));
    Caller { credential, ..agent(of, Some("agent-1")) }
}
