//! Request ids: once is once, whatever comes in between, and what is forgotten is refused.

use crate::support::*;
use assent_kernel::command::{Caller, Command, Evaluate, RequestId};
use assent_kernel::machine::Answer;
use assent_kernel::refusal::Refusal;
use assent_kernel::state::{StateKey, StateRead};
use assent_ledger::ids::Time;

const HOUR: u64 = 3_600 * SECOND;

fn wide() -> Caller {
    agent("acme", Some("agent-1"))
}

/// The same request as the leader would stamp it later.
fn again(world: &mut World, command: &Command) -> Command {
    let stamp = world.command(wide(), mail()).stamp;
    Command { stamp, ..command.clone() }
}

#[test]
fn the_same_request_is_answered_with_the_first_decision() {
    let mut world = World::ready(1);
    let command = world.command(wide(), mail());
    let first = world.send_command(command.clone());
    let Answer::Decided { seq, decision_id, request_salt, replayed: false, .. } = first.clone() else {
        panic!("{first:?}")
    };
    let (size, root, digest) = world.summary();
    let retry = again(&mut world, &command);
    let second = world.send_command(retry.clone());
    let Answer::Decided { seq: seq2, decision_id: id2, request_salt: salt2, replayed: true, .. } = second else {
        panic!("{second:?}")
    };
    assert_eq!((seq, decision_id, request_salt), (seq2, id2, salt2));
    assert_eq!(world.summary(), (size, root, digest), "a repetition leaves no trace");
    world.through_snapshot();
    assert!(matches!(world.send_command(retry), Answer::Decided { replayed: true, .. }), "also after a snapshot");
}

#[test]
fn a_repetition_within_one_batch_counts_too() {
    let mut world = World::ready(2);
    let command = world.command(wide(), mail());
    let retry = again(&mut world, &command);
    let applied = world.apply(vec![command, retry]);
    assert!(matches!(applied.answers[1], Answer::Decided { replayed: true, .. }));
    assert_eq!(applied.entries.iter().filter(|entry| entry.verdict.is_some()).count(), 1);
}

#[test]
fn recorded_commands_repeat_as_recorded() {
    let mut world = World::ready(3);
    let command = world.command(operator(), new_tenant("newco"));
    let Answer::Recorded { first_seq, count: 2, replayed: false } = world.send_command(command.clone()) else {
        panic!()
    };
    let mut retry = again(&mut world, &command);
    // Another leader draws another key and another blind: still the same request.
    let assent_kernel::command::CommandBody::CreateTenant(new) = &mut retry.body else { unreachable!() };
    (new.tenant_key, new.blind) = ([1; 32], [2; 32]);
    let applied = world.apply(vec![retry]);
    assert_eq!(applied.answers, [Answer::Recorded { first_seq, count: 2, replayed: true }]);
    assert!(applied.tenant_keys.is_empty(), "the first key holds");
}

#[test]
fn another_content_under_the_same_id_is_refused() {
    let mut world = World::ready(4);
    let command = world.command(wide(), mail());
    world.send_command(command.clone());
    let other = evaluate(call("mail.send", r#"{"to":[],"subject":"hello"}"#));
    let reused = Command { body: other, ..again(&mut world, &command) };
    assert_eq!(world.send_command(reused), Answer::Refused(Refusal::RequestIdReused));
    // Another principal's ids are its own.
    let own = Command { caller: agent("zeta", Some("agent-1")), ..again(&mut world, &command) };
    assert!(matches!(world.send_command(own), Answer::Decided { replayed: false, .. }));
}

#[test]
fn refused_commands_do_not_use_up_their_id() {
    let mut world = World::ready(5);
    let command = world.command(operator(), register("newco", "agent-1"));
    assert_eq!(world.send_command(command.clone()), Answer::Refused(Refusal::TenantUnknown));
    world.must(operator(), new_tenant("newco"));
    assert!(matches!(world.send_command(command), Answer::Recorded { replayed: false, .. }));
}

#[test]
fn ids_outside_the_window_are_refused_never_decided_anew() {
    let mut world = World::ready(6);
    let command = world.command(wide(), mail());
    world.send_command(command.clone());
    let bucket = assent_kernel::idempotency::bucket_of(command.request_id.time());
    world.clock += 23 * HOUR;
    let retry = again(&mut world, &command);
    assert!(matches!(world.send_command(retry), Answer::Decided { replayed: true, .. }), "within the window");
    world.clock += HOUR + 120 * SECOND;
    let retry = again(&mut world, &command);
    assert_eq!(world.send_command(retry), Answer::Refused(Refusal::RequestIdTooOld));
    // The next command that is recorded takes the old bucket with it.
    let fresh = world.command(wide(), mail());
    let applied = world.apply(vec![fresh]);
    assert!(applied.dropped_buckets.contains(&bucket));
    assert!(world.state.get(&StateKey::RequestBucket(bucket)).is_none());
    let mut future = world.command(wide(), mail());
    future.request_id = RequestId::new(world.clock / 1_000 + 5 * 60_000 + 1, [1; 10]);
    assert_eq!(world.send_command(future.clone()), Answer::Refused(Refusal::RequestIdInFuture));
    future.stamp.time = Time(future.stamp.time.0 + SECOND);
    assert!(matches!(world.send_command(future), Answer::Decided { .. }), "five minutes ahead is near enough");
}

#[test]
fn the_window_of_ids_ends_to_the_millisecond() {
    let says = |world: &mut World, millis: u64| {
        let mut command = world.command(wide(), mail());
        // The stamp stays where it is: only the id moves.
        command.stamp.time = Time(world.clock);
        command.request_id = RequestId::new(millis, [7; 10]);
        world.send_command(command)
    };
    let mut world = World::ready(8);
    let now = |world: &World| (world.clock + 1_000) / 1_000;
    let oldest = now(&world) - 24 * 3_600_000;
    assert_eq!(says(&mut world, oldest - 1), Answer::Refused(Refusal::RequestIdTooOld));
    let oldest = now(&world) - 24 * 3_600_000;
    assert!(matches!(says(&mut world, oldest), Answer::Decided { .. }), "a day is within the window");
    let newest = now(&world) + 5 * 60_000;
    assert_eq!(says(&mut world, newest + 1), Answer::Refused(Refusal::RequestIdInFuture));
    let newest = now(&world) + 5 * 60_000;
    assert!(matches!(says(&mut world, newest), Answer::Decided { .. }), "five minutes ahead is near enough");
}

#[test]
fn a_retry_may_come_with_a_new_credential_and_not_with_a_mere_claim() {
    let mut world = World::ready(9);
    let stated = Evaluate { subject: Some("agent-1".into()), ..call("mail.send", GOOD_MAIL) };
    let command = world.command(wide(), evaluate(stated));
    let Answer::Decided { decision_id: first, .. } = world.send_command(command.clone()) else { panic!() };
    let rotated = Caller { credential: "key-rotated".into(), ..wide() };
    world.must(admin("acme"), credential_of(&rotated));
    let retry = Command { caller: rotated, ..again(&mut world, &command) };
    let answer = world.send_command(retry);
    assert!(
        matches!(&answer, Answer::Decided { replayed: true, decision_id, .. } if *decision_id == first),
        "{answer:?}"
    );
    // The tenant's own credential may state the subject; it is not told what the subject was answered.
    let claim = Command { caller: agent("acme", None), ..again(&mut world, &command) };
    assert_eq!(world.send_command(claim), Answer::Refused(Refusal::RequestIdReused));
}
