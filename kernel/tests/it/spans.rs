//! Seals, cosignatures and anchors: each of exactly what came before it, once and in order.

use crate::support::*;
use assent_kernel::command::CommandBody;
use assent_kernel::refusal::Refusal;
use assent_ledger::hash::sha256;
use assent_ledger::ids::TreeSize;
use assent_ledger::seal::{SealReason, SpanAnchored, SpanCosigned};

fn cosigned(world: &World, change: impl Fn(&mut SpanCosigned)) -> CommandBody {
    let CommandBody::Cosigned(mut body) = world.cosigned() else { unreachable!() };
    change(&mut body);
    CommandBody::Cosigned(body)
}

fn anchored(world: &World, change: impl Fn(&mut SpanAnchored)) -> CommandBody {
    let CommandBody::Anchored(mut body) = world.anchored() else { unreachable!() };
    change(&mut body);
    CommandBody::Anchored(body)
}

#[test]
fn a_span_is_cosigned_as_it_was_sealed_and_anchored_as_it_was_cosigned() {
    let mut world = World::ready(91);
    let early = cosigned(&world, |_| {});
    assert!(matches!(world.refused(node(), early), Refusal::StaleCosigned { .. }), "nothing is sealed");
    for round in 0..3 {
        for by in [1, u64::MAX] {
            let expected_start = TreeSize(world.progress().span_start.0.wrapping_add(by));
            let other = CommandBody::Seal { reason: SealReason::Count, expected_start };
            assert!(matches!(world.refused(node(), other), Refusal::StaleSeal { .. }), "{round}");
        }
        let seal = world.seal();
        world.must(node(), seal);
        let next = world.seal();
        assert!(matches!(world.refused(node(), next), Refusal::SealPending { .. }), "{round}");
        let nothing = anchored(&world, |_| {});
        assert_eq!(world.refused(node(), nothing), Refusal::StaleAnchored, "not cosigned yet: {round}");
        for wrong in [cosigned(&world, |body| body.size.0 += 1), cosigned(&world, |body| body.size.0 -= 1)] {
            assert!(matches!(world.refused(node(), wrong), Refusal::StaleCosigned { .. }), "{round}");
        }
        let right = cosigned(&world, |_| {});
        world.must(node(), right.clone());
        assert!(matches!(world.refused(node(), right), Refusal::StaleCosigned { .. }), "once: {round}");
        for wrong in [
            anchored(&world, |body| body.size.0 += 1),
            anchored(&world, |body| body.checkpoint = sha256(&[b"other"])),
            anchored(&world, |body| body.manifest = sha256(&[b"other"])),
        ] {
            assert_eq!(world.refused(node(), wrong), Refusal::StaleAnchored, "{round}");
        }
        let right = anchored(&world, |_| {});
        world.must(node(), right.clone());
        assert_eq!(world.refused(node(), right), Refusal::StaleAnchored, "once: {round}");
    }
}
