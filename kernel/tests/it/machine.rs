//! The machine as a whole: identical replicas, however batches are cut and wherever snapshots are taken; valid chains and trees.

use crate::support::*;
use assent_kernel::command::{Batch, CommandBody};
use assent_kernel::event::EventBody;
use assent_kernel::machine::{Answer, Machine};
use assent_kernel::refusal::Refusal;
use assent_kernel::state::{MemoryState, StateKey};
use assent_ledger::chain::ChainChecker;
use assent_ledger::entry::Entry;
use assent_ledger::hash::leaf_hash;
use assent_ledger::ids::{Time, TreeSize};
use assent_ledger::payload::decrypt;
use assent_ledger::seal::SpanSealed;
use assent_ledger::tree::merkle_root;
use proptest::prelude::*;

/// Leaves, root and digest of commands applied in batches of the given sizes (the last one repeats).
fn run(commands: &[assent_kernel::command::Command], sizes: &[usize], snapshot_every: usize) -> (Vec<Vec<u8>>, String) {
    let mut world = World::new(0);
    let mut left = commands;
    let mut turn = 0;
    while !left.is_empty() {
        let size = sizes[turn.min(sizes.len() - 1)].clamp(1, left.len());
        let (batch, rest) = left.split_at(size);
        // Seals state the log position: it must not depend on how batches were cut.
        world.index = 0;
        world.apply(batch.to_vec());
        left = rest;
        turn += 1;
        if snapshot_every > 0 && turn % snapshot_every == 0 {
            world.through_snapshot();
        }
    }
    let summary = format!("{:?}", world.summary());
    (world.leaves, summary)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn replicas_agree_however_batches_are_cut(seed: u64, sizes in proptest::collection::vec(1usize..40, 1..6)) {
        let commands = random_world(seed, 160).sent;
        let one_by_one = run(&commands, &[1], 0);
        prop_assert_eq!(&one_by_one, &run(&commands, &[1], 0), "the same twice");
        prop_assert_eq!(&one_by_one, &run(&commands, &sizes, 0), "other batches");
        prop_assert_eq!(&one_by_one, &run(&commands, &[commands.len()], 0), "one batch");
        prop_assert_eq!(&one_by_one, &run(&commands, &[1], 10), "a snapshot at every tenth position");
    }

    #[test]
    fn every_leaf_chains_parses_and_types(seed: u64) {
        let mut world = random_world(seed, 240);
        let mut checker = ChainChecker::new(origin());
        for leaf in &world.leaves {
            let (view, _) = checker.check_leaf(leaf).unwrap();
            let body = EventBody::from_value(view.kind, &view.body_value().unwrap()).unwrap().unwrap();
            prop_assert_eq!(body.to_value(), view.body_value().unwrap());
            if view.tenant == "-" {
                let text = std::str::from_utf8(leaf).unwrap();
                for name in ["acme", "zeta", "newco", "agent-1"] {
                    prop_assert!(!text.contains(name), "the system's chain names {}: {}", name, text);
                }
            }
        }
        prop_assert_eq!(checker.head(), &world.machine.head().head);
        prop_assert_eq!(world.machine.root(), merkle_root(world.leaves.iter().map(|leaf| leaf_hash(leaf))));
        let heads: Vec<_> = world.machine.tenant_heads().map(|(name, head)| (name.clone(), *head)).collect();
        prop_assert_eq!(heads, checker.tenants().clone().into_iter().collect::<Vec<_>>());
        let (_, _, digest) = world.summary();
        world.through_snapshot();
        prop_assert_eq!(world.machine.state_digest(), digest);
    }

    #[test]
    fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), seed: u64) {
        let _ = Batch::decode(&bytes);
        let _ = StateKey::decode(&bytes);
        let mut world = random_world(seed, 60);
        let mut encoded = Batch { commands: world.sent.clone() }.encode();
        let at = at.index(encoded.len());
        encoded[at] ^= 1 + bytes.first().copied().unwrap_or(0) % 255;
        if let Ok(batch) = Batch::decode(&encoded) {
            world.machine.apply(&world.state, &batch, &position(9));
        }
    }
}

#[test]
fn swapped_commands_are_told_apart() {
    let mut world = World::ready(1);
    let (a, b) =
        (world.command(agent("acme", Some("agent-1")), mail()), world.command(agent("zeta", Some("agent-1")), mail()));
    let mut commands = world.sent.clone();
    commands.extend([a.clone(), b.clone()]);
    let right = run(&commands, &[1], 0);
    let n = commands.len();
    commands.swap(n - 1, n - 2);
    let wrong = run(&commands, &[1], 0);
    assert_ne!(right.1, wrong.1);
    assert_ne!(right.0.last(), wrong.0.last());
}

#[test]
fn time_never_decreases() {
    let mut world = World::ready(2);
    let before = world.progress().time;
    let mut late = world.command(agent("acme", Some("agent-1")), mail());
    late.stamp.time = Time(before.0 - 60 * SECOND);
    let applied = world.apply(vec![late]);
    assert!(applied.entries.iter().all(|entry| entry.time == before));
    let mut beyond = world.command(agent("acme", Some("agent-1")), mail());
    beyond.stamp.time = Time(u64::MAX);
    assert_eq!(world.send_command(beyond), Answer::Refused(Refusal::TimeOutOfRange));
}

#[test]
fn seals_commit_to_what_was_before_them() {
    let mut world = World::ready(3);
    world.send(agent("acme", Some("agent-1")), mail());
    let (size, root, digest) = world.summary();
    let map = world.machine.tenant_map().root();
    let seal = world.seal();
    let command = world.command(node(), seal);
    let applied = world.apply(vec![command]);
    let facts = &applied.sealed[0];
    let body = SpanSealed::from_value(&Entry::parse(&applied.entries[0].leaf).unwrap().body).unwrap();
    assert_eq!((body.size, body.root, body.state_digest, body.tenant_map_root), (size, root, digest, map));
    assert_eq!((facts.size_after, facts.root_after), (TreeSize(size.0 + 1), world.machine.root()));
    assert_eq!(facts.body, body);
    assert!(body.membership.is_sorted());
    let progress = world.progress();
    assert_eq!((progress.span_start.0, progress.sealed.0, progress.span_entries), (size.0 + 1, size.0 + 1, 0));
    // The next seal waits for this one's cosignatures: a span that nobody can cosign any more could never be closed.
    let next = world.seal();
    assert_eq!(world.refused(node(), next.clone()), Refusal::SealPending { sealed: progress.sealed });
    let cosigned = world.cosigned();
    world.must(node(), cosigned);
    // An empty span is sealed too: silence is attested.
    world.must(node(), next);
}

#[test]
fn seals_cosignatures_and_anchors_happen_once_and_in_order() {
    let mut world = World::ready(4);
    let early = world.cosigned();
    assert!(matches!(world.refused(node(), early), Refusal::StaleCosigned { .. }));
    let seal = world.seal();
    world.must(node(), seal.clone());
    assert!(matches!(world.refused(node(), seal), Refusal::StaleSeal { .. }));
    let anchored = world.anchored();
    assert_eq!(world.refused(node(), anchored.clone()), Refusal::StaleAnchored);
    let cosigned = world.cosigned();
    let command = world.command(node(), cosigned.clone());
    assert_eq!(world.apply(vec![command]).cosigned[0].size, world.progress().sealed);
    assert!(matches!(world.refused(node(), cosigned), Refusal::StaleCosigned { .. }));
    let CommandBody::Anchored(other) = &anchored else { unreachable!() };
    let other = assent_ledger::seal::SpanAnchored { manifest: leaf_hash(b"other"), ..other.as_ref().clone() };
    assert_eq!(world.refused(node(), CommandBody::Anchored(Box::new(other))), Refusal::StaleAnchored);
    world.must(node(), anchored.clone());
    assert_eq!(world.refused(node(), anchored), Refusal::StaleAnchored);
    assert_eq!(world.progress().anchored, world.progress().sealed);
}

#[test]
fn payloads_open_under_their_keys_and_match_the_leaf() {
    let mut world = World::ready(5);
    let command = world.command(agent("acme", Some("agent-1")), mail());
    let applied = world.apply(vec![command]);
    let entry = applied.entries.last().unwrap();
    let leaf = Entry::parse(&entry.leaf).unwrap();
    let (payload, committed) = (&entry.payloads[0], &leaf.payloads[0]);
    assert_eq!((payload.commitment, payload.length), (committed.commitment, committed.length));
    let opened = decrypt(&payload.data_key, &payload.commitment, &payload.ciphertext).unwrap();
    assert_eq!(opened.bytes.as_slice(), GOOD_MAIL.as_bytes());
    let text = String::from_utf8(entry.leaf.clone()).unwrap();
    assert!(!text.contains("a@example.com") && !text.contains("hello"), "{text}");
}

#[test]
fn a_command_that_does_not_fit_a_leaf_leaves_nothing() {
    let mut world = World::ready(6);
    let seal = world.seal();
    world.must(node(), seal);
    // A cosigned span whose lines are longer than a leaf.
    let CommandBody::Cosigned(mut body) = world.cosigned() else { unreachable!() };
    let line = |n: u32| {
        let name = format!("{}/node/{n:016x}", "x".repeat(700));
        assent_ledger::note::NoteSignature::new(&name, assent_ledger::keys::KeyId([1; 4]), vec![7; 72]).unwrap()
    };
    body.cosignatures = (0..60).map(line).collect();
    let command = world.command(node(), CommandBody::Cosigned(body));
    let size = world.machine.size();
    let digest = world.machine.state_digest();
    let batch = Batch { commands: vec![command] };
    let applied = world.machine.apply(&world.state, &batch, &position(77));
    assert_eq!(applied.answers, [Answer::Refused(Refusal::LeafTooLarge)]);
    assert!(applied.entries.is_empty() && applied.state.is_empty() && applied.nodes.is_empty());
    assert_eq!((world.machine.size(), world.machine.state_digest()), (size, digest));
    let cosigned = world.cosigned();
    world.must(node(), cosigned);
}

#[test]
fn a_fresh_machine_refuses_everything_but_its_own_genesis() {
    let mut world = World::new(7);
    assert_eq!(world.refused(operator(), new_tenant("acme")), Refusal::NotCreated);
    let mut machine = Machine::new(assent_ledger::ids::Origin::new("another.example").unwrap());
    let command = world.command(operator(), CommandBody::Genesis(Box::new(genesis())));
    let batch = Batch { commands: vec![command] };
    let applied = machine.apply(&MemoryState::new(), &batch, &position(1));
    assert_eq!(applied.answers, [Answer::Refused(Refusal::OtherOrigin)]);
    assert!(applied.entries.is_empty());
}
