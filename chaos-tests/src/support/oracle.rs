//! The oracle: remembers what was acknowledged and judges what is found afterwards. A request without an answer is
//! *unknown*: it may be on the record once, or not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use assent_kernel::command::{Command, RequestId};
use assent_kernel::machine::Answer;
use assent_ledger::entry::Entry;
use assent_ledger::hash::leaf_hash;
use assent_ledger::ids::{NodeId, Seq};
use assent_ledger::json::Value;
use assent_ledger::receipt::Receipt;
use assent_node::batcher::Settled;

use super::commands::{origin, receipt_key};
use super::sim_cluster::SimNode;

/// An acknowledgement as the caller holds it.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// The position that was returned.
    pub seq: Seq,
    /// The leaf that was returned; `None` when the answer repeated an earlier one, which names the position only.
    pub leaf: Option<Vec<u8>>,
}

#[derive(Default)]
struct Memory {
    asked: BTreeMap<RequestId, Command>,
    acknowledged: BTreeMap<RequestId, Acknowledged>,
    /// Answers that are wrong in themselves.
    faults: Vec<String>,
}

/// Remembers; clones share.
#[derive(Clone, Default)]
pub struct Oracle(Arc<Mutex<Memory>>);

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// An acknowledged decision is not where its receipt says, or is another.
    Lost(String),
    /// A request is on the record more than once.
    Twice(String),
    /// The nodes do not hold the same.
    Disagreement(String),
    /// A node's record contradicts itself.
    Broken(String),
    /// The cluster does not come back.
    Stuck(String),
}

impl Oracle {
    /// A decision is about to be asked for.
    pub fn asked(&self, command: &Command) {
        self.0.lock().unwrap().asked.insert(command.request_id, command.clone());
    }

    /// A decision was acknowledged by `node`; its receipt is verified here, as a client would.
    pub fn acknowledged(&self, node: u64, command: &Command, settled: &Settled) {
        let checked = check_answer(node, settled);
        let mut memory = self.0.lock().unwrap();
        match checked {
            Ok(acknowledged) => {
                memory.acknowledged.insert(command.request_id, acknowledged);
            }
            Err(fault) => memory.faults.push(format!("node {node}, {}: {fault}", command.request_id)),
        }
    }

    /// Requests whose outcome is unknown.
    pub fn unknown(&self) -> Vec<Command> {
        let memory = self.0.lock().unwrap();
        let unknown = memory.asked.iter().filter(|(id, _)| !memory.acknowledged.contains_key(id));
        unknown.map(|(_, command)| command.clone()).collect()
    }

    /// How many decisions were acknowledged.
    pub fn acknowledged_count(&self) -> usize {
        self.0.lock().unwrap().acknowledged.len()
    }

    /// Judges settled nodes: agreement, the chain and the tree of each, and every acknowledgement on each.
    pub fn judge(&self, nodes: &[SimNode]) -> Result<(), Violation> {
        let memory = self.0.lock().unwrap();
        if let Some(fault) = memory.faults.first() {
            return Err(Violation::Broken(fault.clone()));
        }
        let mut summaries = Vec::new();
        for node in nodes {
            let leaves = chained_leaves(node)?;
            summaries.push((node.store.progress().borrow().clone(), node.store.state_digest()));
            for (request, Acknowledged { seq, leaf }) in &memory.acknowledged {
                let found = leaves.get(seq.0 as usize).filter(|found| match leaf {
                    Some(leaf) => leaf == *found,
                    None => request_of(found) == Some(request.to_string()),
                });
                if found.is_none() {
                    let size = leaves.len();
                    let told = format!("node {} of {size} entries: {request} acknowledged at {seq}", node.id);
                    return Err(Violation::Lost(told));
                }
            }
            let recorded = decisions(&leaves);
            if let Some((request, times)) = recorded.iter().find(|(_, times)| **times > 1) {
                return Err(Violation::Twice(format!("node {}: {request} is recorded {times} times", node.id)));
            }
        }
        match summaries.iter().all(|summary| *summary == summaries[0]) {
            true => Ok(()),
            false => Err(Violation::Disagreement(format!("{summaries:#?}"))),
        }
    }
}

/// What a client holds after an answer.
fn check_answer(node: u64, settled: &Settled) -> Result<Acknowledged, String> {
    let Answer::Decided { seq, replayed, .. } = settled.answer else {
        return Err(format!("a call was answered with {:?}", settled.answer));
    };
    let Some(entry) = settled.batch.entries.iter().find(|entry| entry.seq == seq) else {
        return if replayed {
            Ok(Acknowledged { seq, leaf: None })
        } else {
            Err(format!("entry {seq} is not in the batch that made it"))
        };
    };
    let receipt = settled.receipts.receipt(seq, &entry.leaf).map_err(|e| e.to_string())?;
    let receipt = Receipt::parse(&receipt).map_err(|e| e.to_string())?;
    let key = receipt_key(node).public();
    let receipt = receipt.verify(&origin(), NodeId(node), &key).map_err(|e| e.to_string())?;
    Ok(Acknowledged { seq: receipt.seq(), leaf: Some(receipt.leaf().to_vec()) })
}

/// A node's leaves, after recomputing chain, tree and positions from their bytes.
fn chained_leaves(node: &SimNode) -> Result<Vec<Vec<u8>>, Violation> {
    let broken = |what: String| Violation::Broken(format!("node {}: {what}", node.id));
    let stored = node.store.entries(Seq(0), usize::MAX).map_err(|e| broken(e.to_string()))?;
    let mut frontier = assent_ledger::tree::Frontier::new();
    let mut leaves: Vec<Vec<u8>> = Vec::with_capacity(stored.len());
    for (at, (seq, leaf)) in stored.into_iter().enumerate() {
        let entry = Entry::parse(&leaf).map_err(|e| broken(format!("entry {seq}: {e}")))?;
        let follows = leaves.last().is_none_or(|previous| entry.prev == leaf_hash(previous));
        if seq.0 != at as u64 || entry.seq != seq || !follows {
            return Err(broken(format!("entry {seq} at place {at} does not follow the one before it")));
        }
        frontier.push(leaf_hash(&leaf));
        leaves.push(leaf);
    }
    let progress = node.store.progress().borrow().clone();
    if progress.size.0 != leaves.len() as u64 || progress.root != frontier.root() {
        return Err(broken(format!("{} leaves come to {}, the node says {progress:?}", leaves.len(), frontier.root())));
    }
    let stored_root = node.store.root_at(progress.size).map_err(|e| broken(e.to_string()))?;
    if !leaves.is_empty() && stored_root != progress.root {
        return Err(broken(format!("the stored tree comes to {stored_root}, the leaves to {}", progress.root)));
    }
    Ok(leaves)
}

fn decisions(leaves: &[Vec<u8>]) -> BTreeMap<String, u32> {
    let mut times = BTreeMap::new();
    for request in leaves.iter().filter_map(|leaf| request_of(leaf)) {
        *times.entry(request).or_insert(0) += 1;
    }
    times
}

/// The request that a decision's leaf names.
fn request_of(leaf: &[u8]) -> Option<String> {
    let Value::Map(body) = Entry::parse(leaf).ok()?.body else { return None };
    match body.get("request_id")? {
        Value::Str(request) => Some(request.clone()),
        _ => None,
    }
}
