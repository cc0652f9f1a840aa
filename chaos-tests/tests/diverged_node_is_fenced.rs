//! Invariant: a node whose store comes to another root is contradicted at the next seal and fences itself off: no receipts,
//! not ready, no signature. The healthy majority goes on sealing and anchoring.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use assent_chaos_tests::support::raw_client::RawClient;
use assent_chaos_tests::support::real_cluster::{CALL_MAX, RealCluster, TENANT, allowed_call, token_of};
use assent_client::Deadline;
use assent_kernel::machine::HeadRecord;
use assent_ledger::tree::Frontier;
use assent_node::store::columns::{Column, meta};
use assent_node::store::db::Db;

/// Flips a bit in the root of one of the tree's finished parts, as the node keeps it between two entries.
fn flip_frontier(database: &Path) {
    let db = Db::open(database, false).unwrap();
    let mut record = HeadRecord::decode(&db.get(Column::Meta, meta::HEAD).unwrap().unwrap()).unwrap();
    let (size, roots) = record.frontier.to_parts();
    let mut roots = roots.to_vec();
    roots[0].0[7] ^= 1;
    record.frontier = Frontier::from_parts(size, roots).unwrap();
    let mut batch = db.batch();
    batch.put(Column::Meta, meta::HEAD, &record.encode()).unwrap();
    batch.write().unwrap();
    db.sync().unwrap();
}

/// The status line of a plain HTTP request.
fn http_status(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diverged_node_fences_itself_and_the_others_go_on() {
    let mut real = RealCluster::create("fence", |spec| spec.seal_seconds = 1).await;
    let leader = real.cluster.leader().await.unwrap();
    let diverged = (leader + 1) % 3;
    let http = real.cluster.node(diverged).unwrap().ports.http;
    assert!(http_status(http, "/health/ready").contains("200"), "ready before");
    real.cluster.stop(diverged).await.unwrap();
    flip_frontier(&real.database(diverged));
    real.cluster.start(diverged).unwrap();
    real.cluster.wait_node_answering(diverged).await.unwrap();

    let load = real.load(2);
    let until = Instant::now() + Duration::from_secs(30);
    let info = loop {
        let info = real.cluster.info(diverged).await.unwrap();
        if info.fenced {
            break info;
        }
        let log = real.cluster.node(diverged).unwrap().log();
        assert!(Instant::now() < until, "not fenced after 30 s; see {}", log.display());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    println!("fenced: {}", info.fence_reason);
    assert!(!info.fence_reason.is_empty());

    // The others: two more seals are cosigned and anchored without it.
    for _ in 0..2 {
        load.more(20).await;
        let size = real.cluster.leader_info().await.unwrap().size;
        let anchored = real.cluster.wait_anchored(size).await.unwrap();
        assert!(anchored >= size);
    }
    for node in (0..3).filter(|node| *node != diverged) {
        let info = real.cluster.info(node).await.unwrap();
        assert!(!info.fenced, "{}", info.fence_reason);
    }

    // The fenced one serves nothing, also after it was started again.
    for _ in 0..2 {
        let status = http_status(http, "/health/ready");
        assert!(!status.contains("200"), "{status}");
        let raw =
            RawClient::connect(&real.keys_dir(), real.cluster.node(diverged).unwrap().ports.client).await.unwrap();
        let refused = raw.evaluate(&token_of(TENANT), allowed_call(1)).await.unwrap_err();
        assert!(refused.message().contains("fenced"), "{refused:?}");
        real.cluster.stop(diverged).await.unwrap();
        real.cluster.start(diverged).unwrap();
        real.cluster.wait_node_answering(diverged).await.unwrap();
        assert!(real.cluster.info(diverged).await.unwrap().fenced, "the fence survives a restart");
    }
    load.stop().await;
    let client = real.agent(TENANT);
    assert!(client.evaluate(allowed_call(2), Deadline::after(CALL_MAX)).await.unwrap().is_allowed());
}
