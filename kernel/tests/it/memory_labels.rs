//! How many labels one entry of memory carries, and whose word it takes for who acts.

use super::memory::{Ruled, act, ask, kept, me, write};
use crate::support::calls::world_under;
use crate::support::*;
use assent_kernel::bundle::Sensitivity;
use assent_kernel::command::{
    Caller, ControlCommand, MemoryAct, MemoryCommand, MemoryRead, MemoryTarget, MemoryWrite, TenantSettings,
};
use assent_kernel::event::{EventBody, MemoryAccess};
use assent_kernel::limits::TAINT_LABELS_MAX;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::replay::Recorded;
use assent_kernel::taint::{TaintLabel, TaintSource};

const SOURCE: &str = "
name: labels
version: 1
memory:
  - {namespace: notes, readers: ['*'], writers: ['*'], on_tainted_write: label, labels: [], classification_max: secret}
  - {namespace: open, readers: ['*'], writers: ['*'], on_tainted_write: label}
";

fn webs(count: usize) -> Vec<TaintLabel> {
    (0..count).map(|n| runs::label(TaintSource::Web, &format!("host-{n}.example"))).collect()
}

/// What the last entry says about an access.
pub(super) fn last(world: &World) -> MemoryAccess {
    match Recorded::read(world.leaves.last().unwrap()).unwrap().body {
        Some(EventBody::MemoryAccess(body)) => *body,
        other => panic!("{other:?}"),
    }
}

fn read(namespace: &str) -> MemoryCommand {
    let target = MemoryTarget::Key("todo".into());
    MemoryCommand::Read(Box::new(MemoryRead { act: act(namespace), target, clearance: Some(Sensitivity::Secret) }))
}

fn kept_with(world: &mut World, namespace: &str, labels: usize) -> Ruled {
    let ruled = ask(world, me("agent-1"), kept(MemoryWrite { labels: webs(labels), ..write(namespace, "todo") }));
    assert_eq!(ruled.code, MemoryAllowed);
    ruled
}

#[test]
fn as_many_origins_as_an_entry_carries_are_told_apart_and_one_more_is_not() {
    let mut world = world_under(SOURCE);
    // A namespace without labels of its own: as many as were written.
    let written = kept_with(&mut world, "notes", TAINT_LABELS_MAX);
    assert_eq!(ask(&mut world, me("agent-1"), read("notes")).code, MemoryAllowed);
    let labels = last(&world).taint;
    assert_eq!(labels.len(), TAINT_LABELS_MAX);
    assert!(labels.iter().all(|label| label.propagated_from.as_ref() == Some(&written.event_id)), "{labels:?}");
    // With one of the namespace's they are one too many: what is left of each source comes from nowhere in particular.
    let mut world = world_under(SOURCE);
    kept_with(&mut world, "open", TAINT_LABELS_MAX);
    assert_eq!(ask(&mut world, me("agent-1"), read("open")).code, MemoryAllowed);
    let labels = last(&world).taint;
    let mut of: Vec<_> = labels.iter().map(|l| (l.source, l.origin.as_str(), l.propagated_from.as_deref())).collect();
    of.sort_unstable();
    let mut expected = [(TaintSource::Web, "*", None), (TaintSource::Rag, "*", None)];
    expected.sort_unstable();
    assert_eq!(of, expected);
}

#[test]
fn what_a_namespace_is_labelled_with_comes_from_the_value_that_is_read() {
    let mut world = world_under(SOURCE);
    let written = kept_with(&mut world, "open", 0);
    assert_eq!(ask(&mut world, me("agent-1"), read("open")).code, MemoryAllowed);
    let labels = last(&world).taint;
    let of: Vec<_> = labels.iter().map(|l| (l.source, l.origin.as_str(), l.propagated_from.as_ref())).collect();
    assert_eq!(of, [(TaintSource::Rag, "open", Some(&written.event_id))]);
}

#[test]
fn a_tenant_that_asks_for_proof_takes_nobodys_word_for_who_acts() {
    let mut world = world_under(SOURCE);
    let settings = TenantSettings { require_attested: true, ..TenantSettings::default() };
    world.must(admin("acme"), control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings }));
    let stated = |namespace: &str| {
        let act = MemoryAct { subject: Some("agent-1".into()), ..act(namespace) };
        kept(MemoryWrite { act, ..write(namespace, "todo") })
    };
    for attested in [false, true] {
        // The credential is proven; that it is this agent is not.
        let wide = Caller { attested, ..agent("acme", None) };
        assert_eq!(ask(&mut world, wide, stated("notes")).code, SubjectMismatch, "{attested}");
    }
    assert_eq!(ask(&mut world, me("agent-1"), stated("notes")).code, MemoryAllowed);
}
