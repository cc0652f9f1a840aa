//! Invariant: SIGKILL of all nodes at once, under load, loses nothing that was acknowledged; the nodes come back equal to the
//! bit. So does a node that lost its disk: it joins under a new id, by snapshot.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use assent_chaos_tests::support::real_cluster::RealCluster;

/// All running nodes agree, at `size` or beyond.
async fn assert_equal(real: &mut RealCluster, size: u64) {
    let infos = real.cluster.wait_converged(size).await.unwrap();
    assert_eq!(infos.len(), 3);
    let (_, first) = &infos[0];
    for (_, info) in &infos {
        assert_eq!(
            (info.size, &info.root, &info.state_digest),
            (first.size, &first.root, &first.state_digest),
            "size, root and state digest"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_a_wiped_node_comes_back_by_snapshot() {
    let mut real = RealCluster::create("sigkill", |spec| {
        spec.snapshot_entries = Some(100);
        spec.keep_entries = Some(10);
    })
    .await;
    for _ in 0..2 {
        let load = real.load(6);
        load.more(400).await;
        real.kill_at_once(&[0, 1, 2]);
        real.cluster.start_all().unwrap();
        real.cluster.wait_ready().await.unwrap();
        load.more(50).await;
        let size = load.stop().await;
        assert_equal(&mut real, size).await;
        real.assert_on_every_node(&load).await;
        assert_equal(&mut real, size).await;
    }

    let before = real.cluster.node(2).unwrap().id;
    let load = real.load(6);
    load.more(50).await;
    real.kill_at_once(&[2]);
    real.cluster.wipe(2).unwrap();
    load.more(50).await;
    // The new node's log begins here: what it says about snapshots is about itself.
    std::fs::write(real.cluster.node(2).unwrap().log(), "").unwrap();
    real.cluster.rejoin(2).await.unwrap();
    load.more(50).await;
    let size = load.stop().await;
    assert_equal(&mut real, size).await;
    assert_ne!(real.cluster.node(2).unwrap().id, before);
    assert!(real.log_of(2).contains("snapshot installed"), "the node came back without a snapshot");
    real.assert_on_every_node(&load).await;
    assert_equal(&mut real, size).await;
}
