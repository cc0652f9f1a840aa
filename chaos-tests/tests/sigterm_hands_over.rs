//! Invariant: SIGTERM to a leader under load hands leadership over: another leads within 3 s, nothing acknowledged is lost,
//! and the process ends with exit code 0.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::time::{Duration, Instant};

use assent_chaos_tests::support::real_cluster::RealCluster;
use assent_fleet_demo::commands::Program;
use assent_fleet_demo::process::{Process, signal};

/// Longest time without a leader.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(3);
/// Longest time that a stopping process may take for everything.
const GRACE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_told_to_stop_hands_over() {
    let mut real = RealCluster::create("sigterm", |_| ()).await;
    // The node is run by hand: the test wants to see its exit code.
    real.cluster.stop(0).await.unwrap();
    let node = real.cluster.node(0).unwrap();
    let (name, log, config, id) = (node.name.clone(), node.log(), node.config.clone(), node.id.to_string());
    let mut command = real.cluster.commands().program(Program::Assentd);
    command.arg("run").arg("--config").arg(&config).env("ASSENT_LOG", "info");
    let mut process = Process::start(command, &name, &log, false).unwrap();
    real.make_leader(0).await;
    let load = real.load(6);
    load.more(200).await;
    assert_eq!(real.cluster.info(1).await.unwrap().leader_id, id, "it leads when it is told to stop");

    let told = Instant::now();
    signal(process.pid(), "TERM").unwrap();
    let handed_over = loop {
        let other = real.cluster.info(1).await.is_ok_and(|info| !info.leader_id.is_empty() && info.leader_id != id);
        if other {
            break told.elapsed();
        }
        assert!(told.elapsed() < GRACE, "no other leader; see {}", log.display());
    };
    let status = process.wait(GRACE).await.unwrap();
    println!("another leader after {handed_over:?}, the process ended after {:?} with {status}", told.elapsed());
    assert!(handed_over < HANDED_OVER_WITHIN, "{handed_over:?}");
    assert_eq!(status.code(), Some(0), "see {}", log.display());

    load.more(50).await;
    real.cluster.start(0).unwrap();
    let size = load.stop().await;
    real.cluster.wait_converged(size).await.unwrap();
    real.assert_on_every_node(&load).await;
    let infos = real.cluster.wait_converged(size).await.unwrap();
    assert_eq!(infos.len(), 3);
}
