//! Invariant: every command is reached through each door, gRPC, HTTP/JSON and the command line, and means the same behind each.
//!
//! One play of all commands runs over gRPC and over HTTP/JSON, for two tenants that differ in their names only, at a leader and a follower
//! in turn; what comes of each step must be the same. HTTP requests are made from the OpenAPI document that the node serves: a path, a
//! field or a shape that the document has wrong fails here. A method of the protocol that the play leaves out fails, too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod doors;
mod line;
mod play;
mod runs;
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use assent_fleet_demo::binaries::Binaries;
use assent_fleet_demo::cluster::{Cluster, ClusterSpec};
use assent_proto::describe::SERVICES;
use serde_json::Value;
use tokio::time::timeout;

use doors::{Document, Door, Protocol};
use play::Play;

/// Streams have no single answer to compare: `hostile_input` drives them over gRPC, the node's own tests over HTTP/JSON.
const STREAMS: [&str; 2] = ["/assent.v1.Ledger/EvaluateStream", "/assent.v1.Ledger/Entries"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_means_the_same_behind_each_door() {
    let folder = tempfile::tempdir().unwrap();
    let test = async {
        let spec = ClusterSpec::new(folder.path().join("cluster"));
        let mut cluster = Cluster::create(spec, Binaries::find().unwrap()).await.unwrap();
        let leader = cluster.leader().await.unwrap();
        let follower = (leader + 1) % cluster.nodes().len();
        let ports = [leader, follower].map(|node| cluster.nodes()[node].ports);
        let ports = ports.map(|ports| (ports.client, ports.http_api));
        let keys = cluster.keys_dir();
        let (document, served) = Document::of(&keys, ports[1].1).await;
        is_the_one_in_the_repository(&served);
        let document = Arc::new(document);
        let operator = std::fs::read_to_string(keys.join("operator.token")).unwrap().trim_end().to_owned();
        let mut played = Vec::new();
        for (protocol, tenant) in [(Protocol::Grpc, "by-grpc"), (Protocol::Http, "by-http")] {
            let door = Door::open(protocol, &keys, &ports, document.clone()).await;
            let mut play = Play::new(&door, tenant, &operator, cluster.origin().clone());
            play.everything().await;
            played.push(play.transcript);
            let asked = door.asked();
            let methods = SERVICES.iter().filter(|service| service.name != "Peer").flat_map(|s| s.methods);
            let all: BTreeSet<&str> = methods.map(|method| method.path).collect();
            let missing: Vec<_> = all.iter().filter(|path| !asked.contains(*path) && !STREAMS.contains(path)).collect();
            assert!(missing.is_empty(), "{protocol:?}: the play leaves out {missing:?}");
        }
        for (step, (grpc, http)) in played[0].iter().zip(&played[1]).enumerate() {
            assert_eq!(grpc, http, "step {step} differs");
        }
        assert_eq!(played[0].len(), played[1].len());
        line::everything(&cluster).await;
        cluster.stop_all().await.unwrap();
    };
    timeout(Duration::from_secs(180), test).await.expect("the test is bounded in time");
}

fn is_the_one_in_the_repository(served: &Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(*served == kept, "the node serves another document than docs/openapi.json");
}
