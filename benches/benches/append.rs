//! Appending one decision's entry to a ledger: link to both chains, canonical JSON, leaf hash, compact range.

use std::error::Error;
use std::hint::black_box;

use assent_benches::policy::hundred_rules;
use assent_benches::world::World;
use assent_ledger::chain::{Head, TenantHead, link};
use assent_ledger::entry::Entry;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::tree::Frontier;
use criterion::{Criterion, Throughput};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let mut world = World::new(hundred_rules())?;
    let batch = world.batch(1);
    let (applied, _) = world.apply(&batch)?;
    // The last entry: the first may be the opening of the run.
    let leaf = applied.entries.last().ok_or("a call without an entry")?.leaf.clone();
    let mut entry = Entry::parse(&leaf)?;
    let mut head = Head::genesis(&entry.origin);
    let mut tenant = TenantHead::genesis(&entry.origin, &entry.tenant);
    let mut frontier = Frontier::new();
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(1));
    group.bench_function(format!("one entry, leaf of {} bytes", leaf.len()), |b| {
        b.iter(|| append(&mut entry, &mut head, &mut tenant, &mut frontier));
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// The entry's leaf and hash, with everything moved on to the next.
fn append(
    entry: &mut Entry,
    head: &mut Head,
    tenant: &mut TenantHead,
    frontier: &mut Frontier,
) -> Option<(Vec<u8>, Hash)> {
    let at = link(head, tenant);
    (entry.seq, entry.tseq, entry.prev, entry.tprev) = (at.seq, at.tseq, at.prev, at.tprev);
    let leaf = entry.encode().ok()?;
    let hash = leaf_hash(&leaf);
    *head = head.after(hash, entry.time);
    *tenant = tenant.after(hash);
    frontier.push_with(hash, |address, node| {
        black_box((address, node));
    });
    Some((leaf, hash))
}
