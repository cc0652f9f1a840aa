//! Time ends with the year 9999: its last moment is one, and the next is none.

use crate::support::*;
use assent_kernel::refusal::Refusal;
use assent_ledger::ids::Time;

#[test]
fn the_last_moment_is_a_time() {
    let mut world = World::ready(1);
    world.clock = Time::MAX.0 - 1_000;
    world.must(admin("acme"), register("acme", "agent-9"));
    assert_eq!(world.progress().time, Time::MAX);
    world.clock = Time::MAX.0 - 999;
    assert_eq!(world.refused(admin("acme"), register("acme", "agent-10")), Refusal::TimeOutOfRange);
}
