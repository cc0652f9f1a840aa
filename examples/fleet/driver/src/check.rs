//! The final check: every receipt that a client got, against the whole ledger as the nodes give it and as its checkpoint proves it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use assent_client::{Client, Deadline, v1};
use assent_ledger::entry::EntryView;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::tree::Frontier;

use crate::drive::Acknowledged;
use crate::error::{DemoError, Result};
use crate::workload::Workload;

/// The type of a decision's entry.
pub const DECISION_KIND: &str = "dare.policy.decision";
/// Longest time to read the whole ledger.
const EXPORT_MAX: Duration = Duration::from_secs(120);

/// What of a ledger matters for the check.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Hash of every leaf, by position.
    leaves: Vec<Hash>,
    /// Where each request id was decided.
    decisions: BTreeMap<String, Vec<u64>>,
}

/// What the check came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Entries that were read.
    pub entries: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// Receipts that were held against them.
    pub receipts: u64,
    /// Planned calls or receipts that the ledger does not have where it must.
    pub lost: u64,
    /// Requests that the ledger has more than once, or receipts that share a position.
    pub doubled: u64,
    /// Decisions that nobody here asked for.
    pub foreign: u64,
    /// The first that is wrong, in words.
    pub first: Option<String>,
}

impl Checked {
    /// Whether nothing is lost, doubled or foreign.
    pub fn is_ok(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.foreign == 0
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        self.first.get_or_insert_with(text);
    }
}

impl Ledger {
    /// Adds the next leaf. Its position is the number of leaves so far.
    pub fn push(&mut self, leaf: &[u8]) -> Result<()> {
        let view = EntryView::parse(leaf).map_err(|e| DemoError::new(format!("entry {}: {e}", self.leaves.len())))?;
        let seq = self.leaves.len() as u64;
        if view.seq.0 != seq {
            return Err(DemoError::new(format!("the entry at position {seq} says that it is entry {}", view.seq)));
        }
        if view.kind == DECISION_KIND {
            let body = view.body_value().map_err(|e| DemoError::new(format!("entry {seq}: {e}")))?;
            let id = body.get("request_id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
            self.decisions.entry(id).or_default().push(seq);
        }
        self.leaves.push(leaf_hash(leaf));
        Ok(())
    }

    /// The root of the tree of the first `size` leaves; `None` when there are fewer.
    pub fn root(&self, size: u64) -> Option<Hash> {
        let leaves = self.leaves.get(..usize::try_from(size).ok()?)?;
        let mut frontier = Frontier::new();
        for leaf in leaves {
            frontier.append(*leaf);
        }
        Some(frontier.root())
    }

    /// Holds what was acknowledged against the ledger: each receipt's leaf at its position, each planned request decided exactly once, and
    /// nothing decided that was not planned (`before` decisions were there before).
    pub fn check(&self, workload: &Workload, acknowledged: &[Acknowledged], before: u64) -> Checked {
        let decisions = self.decisions.values().map(|seqs| seqs.len() as u64).sum();
        let mut checked = Checked {
            entries: self.leaves.len() as u64,
            decisions,
            receipts: acknowledged.len() as u64,
            ..Checked::default()
        };
        let mut taken = BTreeSet::new();
        for receipt in acknowledged {
            let seq = receipt.seq;
            let there = usize::try_from(seq).ok().and_then(|at| self.leaves.get(at));
            if there != Some(&receipt.leaf) {
                checked.lost += 1;
                checked.note(|| format!("the ledger has another leaf at {seq} than the receipt of it"));
            }
            if !taken.insert(seq) {
                checked.doubled += 1;
                checked.note(|| format!("two receipts are for entry {seq}"));
            }
            let asked = workload.get(receipt.position).and_then(|(p, _)| self.decisions.get(&p.request_id));
            if asked.is_some_and(|seqs| !seqs.contains(&seq)) {
                checked.lost += 1;
                checked.note(|| format!("the receipt for entry {seq} is not for the decision of its request"));
            }
        }
        for planned in workload.planned() {
            match self.decisions.get(&planned.request_id).map_or(0, Vec::len) {
                1 => {}
                0 => {
                    checked.lost += 1;
                    checked.note(|| format!("request {} is not on the ledger", planned.request_id));
                }
                times => {
                    checked.doubled += 1;
                    checked.note(|| format!("request {} is on the ledger {times} times", planned.request_id));
                }
            }
        }
        if acknowledged.len() < workload.len() {
            checked.lost += (workload.len() - acknowledged.len()) as u64;
            checked.note(|| "a call has no receipt".to_owned());
        }
        let planned: BTreeSet<&str> = workload.planned().iter().map(|p| p.request_id.as_str()).collect();
        let others = self.decisions.iter().filter(|(id, _)| !planned.contains(id.as_str()));
        let foreign: u64 = others.map(|(_, seqs)| seqs.len() as u64).sum();
        if foreign != before {
            checked.foreign = foreign.abs_diff(before);
            checked.note(|| format!("{foreign} decisions are of other requests, {before} were there before"));
        }
        checked
    }

    /// Decisions on the ledger.
    pub fn decisions(&self) -> u64 {
        self.decisions.values().map(|seqs| seqs.len() as u64).sum()
    }
}

/// Reads the whole ledger and proves it against the newest cosigned checkpoint: the leaves make its root, an endorsed log key and a
/// quorum signed it. Gives the ledger and the checkpoint's size.
pub async fn read_ledger(client: &Client) -> Result<(Ledger, u64)> {
    let deadline = Deadline::after(EXPORT_MAX);
    let trust = client.trust().cloned().ok_or_else(|| DemoError::new("the client pins no root key"))?;
    let note = client.checkpoint(deadline).await?.note;
    let checkpoint = trust.checkpoint(client, &note).await?.verified;
    let mut ledger = Ledger::default();
    let mut entries = client.entries(v1::EntriesRequest::default(), deadline).await?;
    while let Some(record) = entries.next().await? {
        ledger.push(&record.leaf)?;
    }
    let size = checkpoint.size().0;
    match ledger.root(size) {
        Some(root) if root == *checkpoint.root() => Ok((ledger, size)),
        Some(root) => {
            Err(DemoError::new(format!("the leaves make root {root} at size {size}, signed is {}", checkpoint.root())))
        }
        None => Err(DemoError::new(format!("the node gave fewer entries than the checkpoint's {size}"))),
    }
}

#[cfg(test)]
mod tests;
