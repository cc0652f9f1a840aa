//! Verification, per entry: strict parsing, hash, both chains and the tree in memory; and the whole verifier over an archive of 20
//! spans of 1,000 decisions on disk (in the page cache), without payloads and with one of 512 bytes each.

use std::error::Error;
use std::path::Path;

use assent_benches::policy::{INPUT_BYTES, hundred_rules};
use assent_benches::world::World;
use assent_ledger::chain::ChainChecker;
use assent_ledger::entry::Entry;
use assent_ledger::ids::TenantId;
use assent_ledger::json::Value;
use assent_ledger::tree::Frontier;
use assent_verifier::{Options, Verdict};
use criterion::{Criterion, Throughput};

#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the builder of the verifier's own tests, of which this uses a part"
)]
#[path = "../../verifier/tests/support/ledger_builder.rs"]
mod ledger_builder;

const SPANS: usize = 20;
const DECISIONS_PER_SPAN: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    in_memory(&mut criterion)?;
    for payload_bytes in [0, INPUT_BYTES] {
        archive(&mut criterion, payload_bytes)?;
    }
    criterion.final_summary();
    Ok(())
}

fn in_memory(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let (bodies, _) = decisions()?;
    let mut ledger = ledger_builder::Ledger::new(ledger_builder::origin());
    for tenant in tenants()?.iter().cycle().take(DECISIONS_PER_SPAN) {
        ledger.append(tenant, KIND, bodies.clone(), &[]);
    }
    let bytes: usize = ledger.leaves.iter().map(|leaf| leaf.bytes.len()).sum();
    let (count, root) = (ledger.leaves.len(), assent_ledger::tree::merkle_root(ledger.leaves.iter().map(|l| l.hash)));
    let check = || {
        let mut chain = ChainChecker::new(ledger_builder::origin());
        let mut tree = Frontier::new();
        for leaf in &ledger.leaves {
            let (_, hash) = chain.check_leaf(&leaf.bytes).ok()?;
            tree.append(hash);
        }
        Some(tree.root())
    };
    if check() != Some(root) {
        return Err("the leaves do not verify".into());
    }
    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(format!("leaves, chains, tree in memory, leaves of {} bytes", bytes / count), |b| {
        b.iter(check);
    });
    group.finish();
    Ok(())
}

fn archive(criterion: &mut Criterion, payload_bytes: usize) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let entries = build(folder.path(), payload_bytes)?;
    let options = Options::new(folder.path(), ledger_builder::root_key().public());
    let report = assent_verifier::verify(&options)?;
    if report.verdict != Verdict::Valid || report.coverage.size < entries {
        return Err(report.to_text().into());
    }
    let mut group = criterion.benchmark_group("verify");
    group.sample_size(20);
    group.throughput(Throughput::Elements(report.coverage.size));
    group.bench_function(format!("whole verifier, {SPANS} spans, payloads of {payload_bytes} bytes"), |b| {
        b.iter(|| assent_verifier::verify(&options));
    });
    group.finish();
    Ok(())
}

/// Writes the archive; gives how many decisions are in it.
fn build(folder: &Path, payload_bytes: usize) -> Result<u64, Box<dyn Error>> {
    let (body, inputs) = decisions()?;
    let payload: Vec<&[u8]> = inputs.get(..payload_bytes).filter(|bytes| !bytes.is_empty()).into_iter().collect();
    let tenants = tenants()?;
    let mut ledger = ledger_builder::Ledger::new(ledger_builder::origin());
    for _ in 0..SPANS {
        for tenant in tenants.iter().cycle().take(DECISIONS_PER_SPAN) {
            ledger.append(tenant, KIND, body.clone(), &payload);
        }
        ledger.seal(folder);
    }
    Ok((SPANS * DECISIONS_PER_SPAN) as u64)
}

/// The entry type of decisions.
const KIND: &str = "dare.policy.decision";

fn tenants() -> Result<Vec<TenantId>, Box<dyn Error>> {
    Ok(["acme", "borealis", "cumulus"].map(TenantId::new).into_iter().collect::<Result<_, _>>()?)
}

/// The body of a real decision, and its inputs.
fn decisions() -> Result<(Value, Vec<u8>), Box<dyn Error>> {
    let policy = hundred_rules();
    let inputs = policy.call.inputs.clone();
    let mut world = World::new(policy)?;
    let batch = world.batch(1);
    let (applied, _) = world.apply(&batch)?;
    let leaf = &applied.entries.last().ok_or("a call without an entry")?.leaf;
    Ok((Entry::parse(leaf)?.body, inputs))
}
