//! What is on the record: a tenant's entries as the nodes give them, and whole ledgers as stopped nodes hold them.

use assent_chaos_tests::support::raw_client::with_token;
use assent_chaos_tests::support::real_cluster::RealCluster;
use assent_client::v1;
use assent_ledger::entry::Entry;
use assent_ledger::ids::Seq;
use assent_ledger::json::Value;
use assent_node::store::columns::{Column, entry_key};
use assent_node::store::db::Db;
use v1::ledger_client::LedgerClient;

use crate::world::World;

/// Made by the clock and not by a caller: a token that nobody redeemed has ended.
const BY_THE_CLOCK: &str = "assent.token.expired";

/// A tenant's entries, in order.
pub struct TenantRecord(Vec<Entry>);

impl TenantRecord {
    /// What all running nodes hold alike; without what time alone adds.
    pub async fn read(world: &mut World) -> TenantRecord {
        let agreed = world.real.cluster.wait_converged(1).await.unwrap();
        let mut records = Vec::new();
        for (node, _) in agreed {
            records.push((node, leaves_of(world, node).await));
        }
        let (_, first) = records.first().unwrap();
        for (node, leaves) in &records {
            assert!(leaves == first, "node {node} holds other entries of the tenant");
        }
        TenantRecord(first.iter().map(|leaf| Entry::parse(leaf).unwrap()).collect())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The last entries, in words.
    pub fn since(&self, len: usize) -> Vec<String> {
        self.0.iter().skip(len).map(|entry| format!("{} {}", entry.seq, entry.kind)).collect()
    }

    /// Bodies of one type of which one field is `value`.
    pub fn bodies<'a>(&'a self, kind: &'a str, field: &'a str, value: &'a str) -> impl Iterator<Item = &'a Value> + 'a {
        let of_kind = self.0.iter().filter(move |entry| entry.kind == kind).map(|entry| &entry.body);
        of_kind.filter(move |body| body.get(field).and_then(Value::as_str) == Some(value))
    }
}

async fn leaves_of(world: &World, node: usize) -> Vec<Vec<u8>> {
    let request = v1::EntriesRequest { tenant: world.tenant().to_owned(), ..v1::EntriesRequest::default() };
    let request = with_token(&world.token("payer"), request);
    let mut stream = LedgerClient::new(world.connect(node).await).entries(request).await.unwrap().into_inner();
    let mut leaves = Vec::new();
    while let Some(record) = stream.message().await.unwrap() {
        let leaf = record.leaf.to_vec();
        if Entry::parse(&leaf).unwrap().kind != BY_THE_CLOCK {
            leaves.push(leaf);
        }
    }
    leaves
}

/// The ledgers of stopped nodes are the same, byte by byte, up to a size that all of them had.
pub fn assert_same_ledgers(real: &RealCluster, size: u64) {
    let nodes = 0..real.cluster.nodes().len();
    let databases: Vec<Db> = nodes.map(|node| Db::open_read_only(&real.database(node)).unwrap()).collect();
    for seq in 0..size {
        let leaves = databases.iter().map(|db| db.get(Column::Entries, &entry_key(Seq(seq))).unwrap());
        let leaves: Vec<Vec<u8>> = leaves.map(|leaf| leaf.unwrap_or_else(|| panic!("no entry {seq}"))).collect();
        assert!(leaves.iter().all(|leaf| *leaf == leaves[0]), "entry {seq} differs");
    }
}
