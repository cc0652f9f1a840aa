//! Looking at a cluster, and waiting, never without an end, until it is in a certain state.

use std::time::Duration;

use assent_client::v1::ClusterInfoResponse;
use assent_client::{Client, Deadline};
use assent_ledger::ids::NodeId;
use tokio::time::{Instant, sleep};

use super::Cluster;
use crate::error::{DemoError, Result};
use crate::process::log_tail;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long one node may take to say how it is.
const INFO_MAX: Duration = Duration::from_secs(3);

impl Cluster {
    /// What a node says about itself.
    pub async fn info(&self, index: usize) -> Result<ClusterInfoResponse> {
        self.info_with(&self.client()?, index).await
    }

    async fn info_with(&self, client: &Client, index: usize) -> Result<ClusterInfoResponse> {
        let node = self.node(index)?;
        let answer = client.cluster_info_of(&node.endpoint(), Deadline::after(INFO_MAX)).await;
        answer.map_err(|e| DemoError::from(e).during(format!("node {}", node.name)))
    }

    /// Positions of the nodes whose processes run.
    pub fn running(&mut self) -> Vec<usize> {
        let nodes = self.nodes.iter_mut().enumerate();
        nodes.filter_map(|(index, node)| node.pid().map(|_| index)).collect()
    }

    /// What every running node says about itself, by position.
    pub async fn infos(&mut self) -> Result<Vec<(usize, ClusterInfoResponse)>> {
        let client = self.client()?;
        self.infos_with(&client).await
    }

    async fn infos_with(&mut self, client: &Client) -> Result<Vec<(usize, ClusterInfoResponse)>> {
        let mut infos = Vec::new();
        for index in self.running() {
            infos.push((index, self.info_with(client, index).await?));
        }
        Ok(infos)
    }

    /// The position of the node that leads: it says so itself, in the highest term that any running node knows of. Waits for one.
    pub async fn leader(&mut self) -> Result<usize> {
        let info = self.leader_info().await?;
        let id: NodeId = info.node_id.parse().map_err(|e| DemoError::new(format!("the leader's id: {e}")))?;
        self.position(id)
    }

    /// What the leader says about itself and the cluster. Waits for a leader.
    pub async fn leader_info(&mut self) -> Result<ClusterInfoResponse> {
        let client = self.client()?;
        let mut wait = Wait::new("a leader", self.patience);
        loop {
            let mut newest: Option<ClusterInfoResponse> = None;
            for index in self.running() {
                let rank = |info: &ClusterInfoResponse| (info.term, is_leader(info));
                match self.info_with(&client, index).await {
                    Ok(info) if newest.as_ref().is_none_or(|n| rank(n) < rank(&info)) => newest = Some(info),
                    Ok(_) => {}
                    Err(error) => wait.saw(error),
                }
            }
            match newest {
                Some(info) if is_leader(&info) => return Ok(info),
                Some(info) => wait.saw(format!("term {} has no leader that answers", info.term)),
                None => {}
            }
            wait.pause(self).await?;
        }
    }

    /// Waits until a node answers, whether there is a ledger or not.
    pub async fn wait_node_answering(&mut self, index: usize) -> Result<()> {
        let client = self.client()?;
        let name = self.node(index)?.name.clone();
        let mut wait = Wait::new(format!("an answer of {name}"), self.patience);
        loop {
            match self.info_with(&client, index).await {
                Ok(_) => return Ok(()),
                Err(error) => wait.saw(error),
            }
            wait.pause(self).await?;
        }
    }

    /// Waits until every node answers, whether there is a ledger or not.
    pub async fn wait_answering(&mut self) -> Result<()> {
        for index in self.running() {
            self.wait_node_answering(index).await?;
        }
        Ok(())
    }

    /// Waits until every running node has the ledger and knows a leader.
    pub async fn wait_ready(&mut self) -> Result<()> {
        let client = self.client()?;
        let mut wait = Wait::new("every node to have the ledger and a leader", self.patience);
        loop {
            match self.infos_with(&client).await {
                Ok(infos) => {
                    let behind = infos.iter().find(|(_, info)| info.size == 0 || info.leader_id.is_empty());
                    match behind {
                        None if !infos.is_empty() => return Ok(()),
                        None => return Err(DemoError::new("no node runs")),
                        Some((index, info)) => {
                            let name = &self.node(*index)?.name;
                            wait.saw(format!("{name} has size {}, leader {:?}", info.size, info.leader_id));
                        }
                    }
                }
                Err(error) => wait.saw(error),
            }
            wait.pause(self).await?;
        }
    }

    /// Waits until every running node has the same size, root and state digest, at least `size`; gives what they say.
    ///
    /// A node that is fenced is an error at once: it never converges.
    pub async fn wait_converged(&mut self, size: u64) -> Result<Vec<(usize, ClusterInfoResponse)>> {
        let client = self.client()?;
        let mut wait = Wait::new(format!("all nodes to agree at size {size} or more"), self.patience);
        loop {
            match self.infos_with(&client).await {
                Ok(infos) => {
                    if let Some((index, info)) = infos.iter().find(|(_, info)| info.fenced) {
                        let name = &self.node(*index)?.name;
                        return Err(DemoError::new(format!("node {name} has fenced itself: {}", info.fence_reason)));
                    }
                    if converged(&infos, size) {
                        return Ok(infos);
                    }
                    let sizes: Vec<String> = infos.iter().map(|(_, info)| info.size.to_string()).collect();
                    wait.saw(format!("sizes {}", sizes.join(", ")));
                }
                Err(error) => wait.saw(error),
            }
            wait.pause(self).await?;
        }
    }

    /// Waits until a seal of at least `size` has been cosigned and anchored and no other is under way; gives the anchored size.
    pub async fn wait_anchored(&mut self, size: u64) -> Result<u64> {
        let mut wait = Wait::new(format!("size {size} to be cosigned and anchored"), self.patience);
        loop {
            let info = self.leader_info().await?;
            let (sealed, cosigned, anchored) =
                (info.last_sealed_size, info.last_cosigned_size, info.last_anchored_size);
            if anchored >= size && anchored == sealed && cosigned == sealed {
                return Ok(anchored);
            }
            wait.saw(format!("sealed {sealed}, cosigned {cosigned}, anchored {anchored}"));
            wait.pause(self).await?;
        }
    }
}

fn is_leader(info: &ClusterInfoResponse) -> bool {
    !info.leader_id.is_empty() && info.leader_id == info.node_id
}

fn converged(infos: &[(usize, ClusterInfoResponse)], size: u64) -> bool {
    let Some((_, first)) = infos.first() else { return false };
    first.size >= size
        && infos.iter().all(|(_, info)| {
            info.size == first.size && info.root == first.root && info.state_digest == first.state_digest
        })
}

/// A bounded wait that remembers what it saw last.
struct Wait {
    what: String,
    deadline: Instant,
    limit: Duration,
    seen: String,
}

impl Wait {
    fn new(what: impl Into<String>, limit: Duration) -> Self {
        Wait { what: what.into(), deadline: Instant::now() + limit, limit, seen: "nothing".to_owned() }
    }

    fn saw(&mut self, what: impl core::fmt::Display) {
        self.seen = what.to_string();
    }

    /// Pauses, or ends the wait: at its deadline, or because a node's process has ended by itself.
    async fn pause(&mut self, cluster: &mut Cluster) -> Result<()> {
        for node in &mut cluster.nodes {
            let ended = node.process.as_mut().and_then(|process| process.ended());
            if let Some(status) = ended {
                let tail = log_tail(&node.log());
                let (what, name) = (&self.what, &node.name);
                return Err(DemoError::new(format!("waiting for {what}: {name} ended by itself ({status}){tail}")));
            }
        }
        if Instant::now() >= self.deadline {
            let logs: Vec<String> = cluster.nodes.iter().map(|node| node.log().display().to_string()).collect();
            return Err(DemoError::new(format!(
                "waited {} s for {}; last seen: {}; see {}",
                self.limit.as_secs(),
                self.what,
                self.seen,
                logs.join(", ")
            )));
        }
        sleep(LOOK_EVERY).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(size: u64, root: u8) -> ClusterInfoResponse {
        ClusterInfoResponse { size, root: vec![root; 32].into(), ..ClusterInfoResponse::default() }
    }

    #[test]
    fn nodes_agree_only_when_everything_is_equal_and_large_enough() {
        let same = [(0, info(9, 1)), (1, info(9, 1)), (2, info(9, 1))];
        assert!(converged(&same, 9) && !converged(&same, 10));
        assert!(!converged(&[(0, info(9, 1)), (1, info(9, 2))], 1));
        assert!(!converged(&[(0, info(9, 1)), (1, info(8, 1))], 1));
        assert!(!converged(&[], 0));
    }
}
