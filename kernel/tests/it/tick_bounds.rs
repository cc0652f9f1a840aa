//! How much one tick does: so many rows, entries, positions, tokens and tenants, and the rest with the next one.

use super::approvals;
use super::memory::{kept, me, write};
use crate::support::*;
use assent_kernel::command::{Command, CommandBody, MemoryWrite};
use assent_kernel::event::EventBody;
use assent_kernel::limits::{TICK_EVENTS_MAX, TICK_ITEMS_MAX, TICK_POSITIONS_MAX, TICK_TENANTS_MAX, TICK_TOKENS_MAX};
use assent_kernel::refusal::Refusal;
use assent_kernel::replay::Recorded;

/// What a tick records: how many approvals ended, how many tokens of each entry, and where it stands in rows and positions.
struct Ticked {
    approvals: usize,
    tokens: Vec<usize>,
    row: u32,
    position: u64,
}

fn tick(world: &mut World) -> Ticked {
    let command = world.command(node(), CommandBody::Tick);
    let applied = world.apply(vec![command]);
    let mut ticked = Ticked { approvals: 0, tokens: Vec::new(), row: 0, position: 0 };
    for entry in &applied.entries {
        match Recorded::read(&entry.leaf).unwrap().body.unwrap() {
            EventBody::ApprovalExpired(_) => ticked.approvals += 1,
            EventBody::TokenExpired(body) => ticked.tokens.push(body.tokens.len()),
            EventBody::ExpirySwept(body) => (ticked.row, ticked.position) = (body.row, body.tokens.0),
            other => panic!("{other:?}"),
        }
    }
    assert!(!applied.entries.is_empty(), "{:?}", applied.answers);
    ticked
}

fn mails(world: &mut World, count: usize) {
    let mail = |world: &mut World, n: usize| {
        let inputs = GOOD_MAIL.replace("hello", &format!("no {n}"));
        world.command(agent("acme", Some("agent-1")), evaluate(call("mail.send", &inputs)))
    };
    let commands: Vec<Command> = (0..count).map(|n| mail(world, n)).collect();
    world.apply(commands);
}

#[test]
fn rows_and_positions_are_walked_in_pieces() {
    let mut world = World::ready(1);
    let keep = |world: &mut World, n: usize| {
        let short = MemoryWrite { ttl_seconds: Some(60), ..write("notes", &format!("k-{n}")) };
        world.command(me("agent-1"), CommandBody::Memory(Box::new(kept(short))))
    };
    let commands: Vec<Command> = (0..TICK_ITEMS_MAX + 100).map(|n| keep(&mut world, n)).collect();
    world.apply(commands);
    world.clock += 180 * SECOND;
    let first = tick(&mut world);
    assert_eq!((first.row as usize, first.position), (TICK_ITEMS_MAX, TICK_POSITIONS_MAX));
    let size = world.machine.size().0;
    let second = tick(&mut world);
    assert_eq!((second.row, second.position), (0, size), "up to what there was before it");
}

#[test]
fn entries_are_made_in_pieces() {
    let mut world = approvals::world(2);
    for n in 1..=TICK_EVENTS_MAX + 8 {
        let inputs = format!(r#"{{"amount_usd":{n},"account":"primary"}}"#);
        approvals::wait_for(&mut world, call("pay.send", &inputs));
    }
    world.clock += 700 * SECOND;
    assert_eq!([tick(&mut world).approvals, tick(&mut world).approvals], [TICK_EVENTS_MAX, 8]);
}

#[test]
fn tokens_end_in_pieces() {
    let mut world = World::ready(3);
    mails(&mut world, TICK_TOKENS_MAX + 1);
    world.clock += 61 * SECOND;
    assert_eq!(tick(&mut world).tokens.iter().sum::<usize>(), TICK_TOKENS_MAX);
    assert_eq!(tick(&mut world).tokens, [1]);
}

#[test]
fn a_token_ends_at_exactly_its_time() {
    let mut world = World::ready(4);
    mails(&mut world, 1);
    let end = world.clock + 60 * SECOND;
    world.clock = end - 1_001;
    assert_eq!(world.refused(node(), CommandBody::Tick), Refusal::NothingDue);
    world.clock = end - 1_000;
    assert_eq!(tick(&mut world).tokens, [1]);
}

#[test]
fn tokens_of_so_many_tenants_end_at_once() {
    let mut world = World::ready(5);
    let names: Vec<String> = (0..=TICK_TENANTS_MAX).map(|n| format!("tenant-{n}")).collect();
    for name in &names {
        world.must(operator(), new_tenant(name));
        world.must(operator(), credential_of(&admin(name)));
        world.must(admin(name), register(name, "agent-1"));
        world.must(admin(name), credential_of(&agent(name, Some("agent-1"))));
        world.must(admin(name), offer(name));
        world.must(admin(name), activate(name));
    }
    // The first of them asks once more when there is room for no other, and gets its place among its own.
    let (last, most) = names.split_last().unwrap();
    for name in most.iter().chain([&names[0], last]) {
        world.send(agent(name, Some("agent-1")), mail());
    }
    world.clock += 61 * SECOND;
    let mut tokens = tick(&mut world).tokens;
    tokens.sort_unstable();
    let expected: Vec<usize> = (1..TICK_TENANTS_MAX).map(|_| 1).chain([2]).collect();
    assert_eq!(tokens, expected);
    assert_eq!(tick(&mut world).tokens, [1]);
}
