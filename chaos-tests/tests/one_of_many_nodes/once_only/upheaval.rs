//! What happens to a cluster between a request and its retry.

use std::time::{Duration, Instant};

use assent_chaos_tests::support::real_cluster::RealCluster;

/// Raft entries between snapshots.
pub const SNAPSHOT_ENTRIES: u64 = 100;
/// Raft entries kept behind a snapshot: whoever lacks more gets the snapshot.
pub const KEEP_ENTRIES: u64 = 10;
/// Agents that fill the Raft log.
const AGENTS: usize = 6;
/// Decisions between two looks at the snapshots.
const AT_ONCE: usize = 20;
/// Longest time until every node has made another snapshot.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(60);

/// SIGKILL of the leader: another one leads. Gives who is gone.
pub async fn kill_the_leader(real: &mut RealCluster) -> usize {
    let leader = real.cluster.leader().await.unwrap();
    real.kill_at_once(&[leader]);
    assert_ne!(real.cluster.leader().await.unwrap(), leader);
    leader
}

/// SIGTERM to the leader: it hands leadership over and ends. Gives who is gone.
pub async fn stop_the_leader(real: &mut RealCluster) -> usize {
    let leader = real.cluster.leader().await.unwrap();
    real.cluster.stop(leader).await.unwrap();
    assert_ne!(real.cluster.leader().await.unwrap(), leader);
    leader
}

/// Starts who is gone, and waits until all serve.
pub async fn back(real: &mut RealCluster) {
    real.cluster.start_all().unwrap();
    real.cluster.wait_ready().await.unwrap();
    real.cluster.wait_converged(1).await.unwrap();
}

/// SIGKILL of all nodes with one command; all come back.
pub async fn restart_all(real: &mut RealCluster) {
    real.kill_at_once(&[0, 1, 2]);
    back(real).await;
}

/// Other tenants' work, until every running node has made a snapshot of everything that is committed by now. Gives the position in the Raft
/// log that it is at least of.
pub async fn past_a_snapshot(real: &mut RealCluster) -> u64 {
    let now = real.cluster.leader_info().await.unwrap().committed_index;
    let running = real.cluster.running();
    let load = real.load(AGENTS);
    let until = Instant::now() + SNAPSHOT_WITHIN;
    // Further by what is kept: what was committed by now is then in no log any more.
    while running.iter().any(|node| newest_snapshot(real, *node) <= now + KEEP_ENTRIES) {
        assert!(Instant::now() < until, "not every node has made a snapshot after {}", now + KEEP_ENTRIES);
        load.more(AT_ONCE).await;
    }
    load.stop().await;
    now
}

/// A follower loses its disk and comes back as a new node: all that it knows about what was committed up to `index` is from the snapshot.
pub async fn wipe_and_rejoin(real: &mut RealCluster, node: usize, index: u64) {
    real.kill_at_once(&[node]);
    real.cluster.wipe(node).unwrap();
    real.cluster.rejoin(node).await.unwrap();
    came_by_snapshot(real, node, index).await;
}

/// Starts a node that was away; it has everything up to `index` from the snapshot.
pub async fn catch_up(real: &mut RealCluster, node: usize, index: u64) {
    real.cluster.start(node).unwrap();
    real.cluster.wait_node_answering(node).await.unwrap();
    came_by_snapshot(real, node, index).await;
}

async fn came_by_snapshot(real: &mut RealCluster, node: usize, index: u64) {
    real.cluster.wait_converged(1).await.unwrap();
    let installed = installed(real, node);
    assert!(installed > index, "node {node} has a snapshot of {installed}, and {index} from the log");
}

/// The position of the snapshot from which a node's database was made; 0 when it was made from nothing.
fn installed(real: &RealCluster, node: usize) -> u64 {
    let database = real.database(node);
    let name = database.file_name().unwrap().to_str().unwrap();
    name.split_once('-').unwrap().0.parse().unwrap()
}

/// The position of a node's newest snapshot; 0 when it has none.
fn newest_snapshot(real: &RealCluster, node: usize) -> u64 {
    let folder = real.cluster.node(node).unwrap().data_dir.join("snapshots");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let made = names.filter_map(|name| name.strip_suffix(".snapshot")?.parse().ok());
    made.max().unwrap_or_default()
}
