//! The failure on the way: SIGKILL to the leader in the middle of the drive, and its return.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::cluster::Cluster;
use crate::drive::Progress;
use crate::error::{DemoError, Result};
use crate::screen::Screen;

/// Share of the calls after which the leader is killed, in hundredths.
const KILL_PERCENT: u64 = 40;
/// Share of the calls after which it comes back, in hundredths.
const RETURN_PERCENT: u64 = 70;

/// What the leader's death cost.
#[derive(Debug, Clone)]
pub struct Failover {
    /// The leader that was killed.
    pub killed: String,
    /// The node that signed the next decision.
    pub next: String,
    /// From the leader's end to the first verified receipt that another node signed.
    pub took: Duration,
}

/// Kills the leader and brings it back while `progress` goes on.
pub async fn run(
    cluster: &mut Cluster,
    screen: &Screen,
    mut progress: watch::Receiver<Progress>,
    total: u64,
    patience: Duration,
) -> Result<Failover> {
    reached(&mut progress, total * KILL_PERCENT / 100).await?;
    let leader = cluster.leader().await?;
    let (id, killed) = (cluster.node(leader)?.id, cluster.node(leader)?.name.clone());
    let pid = cluster.pid(leader)?.unwrap_or(0);
    let done = progress.borrow().done;
    cluster.kill(leader)?;
    let dead = Instant::now();
    screen.note(&format!("{done} done: SIGKILL to the leader {killed} (process {pid})"));
    // Answers of the dead leader may still be on their way: only another node's signature counts.
    let other = progress.wait_for(|p| p.signer.is_some_and(|signer| signer != id));
    let signer = match timeout(patience, other).await {
        Ok(Ok(progress)) => progress.signer,
        Ok(Err(_)) => return Err(DemoError::new("the drive ended before another node led")),
        Err(_) => {
            let logs: Vec<String> = cluster.nodes().iter().map(|node| node.log().display().to_string()).collect();
            let seconds = patience.as_secs();
            return Err(DemoError::new(format!(
                "no decision within {seconds} s of the leader's death; see {}",
                logs.join(", ")
            )));
        }
    };
    let took = dead.elapsed();
    let next = signer.and_then(|id| cluster.position(id).ok()).and_then(|at| cluster.nodes().get(at));
    let next = next.map_or("another node".to_owned(), |node| node.name.clone());
    screen.note(&format!("the next decision came from {next} after {:.2} s", took.as_secs_f64()));
    reached(&mut progress, total * RETURN_PERCENT / 100).await?;
    cluster.start(leader)?;
    let pid = cluster.pid(leader)?.unwrap_or(0);
    screen.note(&format!("{} done: {killed} is started again (process {pid})", progress.borrow().done));
    Ok(Failover { killed, next, took })
}

async fn reached(progress: &mut watch::Receiver<Progress>, done: u64) -> Result<()> {
    let ended = |_| DemoError::new("the drive ended before its time");
    progress.wait_for(|p| p.done >= done).await.map(drop).map_err(ended)
}
