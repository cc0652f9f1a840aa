//! The state machine that openraft drives: decode, decide, evolve, hash, write once, answer.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use assent_kernel::command::{Batch, CommandBody, Role};
use assent_kernel::machine::LogPosition;
use assent_ledger::ids::NodeId;
use futures::{Stream, StreamExt};
use openraft::entry::RaftEntry;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::type_config::alias::SnapshotOf;
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};

use super::snapshot::SnapshotFolder;
use super::{Store, commit};
use crate::raft::types::{BatchAnswer, CommandBatch, Entry, LogId, SnapshotMeta, StoredMembership, TypeConfig};

/// The handle that openraft owns.
#[derive(Clone)]
pub struct StateMachine {
    store: Arc<Store>,
}

impl StateMachine {
    /// Over a node's store.
    pub fn new(store: Arc<Store>) -> Self {
        StateMachine { store }
    }
}

impl Store {
    /// Applies one committed Raft entry.
    ///
    /// Nothing here may fail and go on: an error that only this replica has would make its record differ. It is returned, openraft
    /// stops, and the process ends.
    fn apply(&self, entry: Entry) -> io::Result<BatchAnswer> {
        let log_id = entry.log_id();
        let mut loaded = self.applier();
        let generation = self.view();
        let answer = match &entry.payload {
            EntryPayload::Blank => {
                commit::commit_position(&generation, &log_id, None).map_err(io::Error::other)?;
                BatchAnswer::default()
            }
            EntryPayload::Membership(membership) => {
                let stored = StoredMembership::new(Some(log_id), membership.clone());
                commit::commit_position(&generation, &log_id, Some(&stored)).map_err(io::Error::other)?;
                loaded.membership = stored;
                BatchAnswer::default()
            }
            EntryPayload::Normal(CommandBatch(bytes)) => {
                let batch = Batch::decode(bytes).map_err(io::Error::other)?;
                let position = LogPosition {
                    index: log_id.index,
                    term: log_id.leader_id.term,
                    leader: NodeId(log_id.leader_id.node_id),
                    membership: loaded.membership.voter_ids().map(NodeId).collect(),
                };
                let applied = loaded.machine.apply(generation.as_ref(), &batch, &position);
                commit::commit(&generation, &self.storage_key, &applied, &log_id).map_err(io::Error::other)?;
                self.compare_cosigned(&generation, &batch);
                BatchAnswer(Some(Arc::new(applied)))
            }
        };
        loaded.last_applied = Some(log_id);
        self.announce(&loaded);
        Ok(answer)
    }

    /// Committed cosignatures of a checkpoint that this node does not have: a quorum contradicts it. What the kernel here made of the
    /// command does not matter: to a replica of another size it is stale, and just that replica must be found out.
    fn compare_cosigned(&self, generation: &super::generation::Generation, batch: &Batch) {
        for command in &batch.commands {
            let CommandBody::Cosigned(facts) = &command.body else { continue };
            if command.caller.role != Role::Node {
                continue;
            }
            let own = generation.root_at(facts.size).map(|root| assent_ledger::checkpoint::Checkpoint {
                origin: self.origin.clone(),
                size: facts.size,
                root,
            });
            match own {
                Ok(own) if own.digest() == facts.checkpoint => {}
                Ok(own) => self.fence.raise(&format!(
                    "a quorum co-signed another checkpoint of size {} than this node's, whose root is {}",
                    facts.size, own.root
                )),
                Err(error) => {
                    self.fence.raise(&format!("checkpoint of size {} cannot be recomputed: {error}", facts.size))
                }
            }
        }
    }

    /// As `apply`, with a panic ending the process: the state may be half changed in memory, and what is on disk is whole.
    fn apply_or_stop(&self, entry: Entry) -> io::Result<BatchAnswer> {
        match catch_unwind(AssertUnwindSafe(|| self.apply(entry))) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(%error, "a committed entry cannot be applied; stopping");
                Err(error)
            }
            Err(_) => {
                tracing::error!("a panic while applying a committed entry; stopping");
                std::process::abort()
            }
        }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotFolder;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, SnapshotFolder>, io::Error> {
        let store = self.store.clone();
        let folder = tokio::task::spawn_blocking(move || store.build_snapshot())
            .await
            .map_err(io::Error::other)?
            .map_err(io::Error::other)?;
        Ok(openraft::Snapshot { meta: folder.header.meta.clone(), snapshot: folder })
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotFolder;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let loaded = self.store.applier();
        Ok((loaded.last_applied, loaded.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            let store = self.store.clone();
            let answer = tokio::task::block_in_place(|| store.apply_or_stop(entry))?;
            if let Some(responder) = responder {
                responder.send(answer);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, folder: SnapshotFolder) -> Result<(), io::Error> {
        if *meta != folder.header.meta {
            return Err(io::Error::other("the snapshot's header is about another position than Raft's"));
        }
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.install_snapshot(&folder))
            .await
            .map_err(io::Error::other)?
            .map_err(io::Error::other)
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<TypeConfig, SnapshotFolder>>, io::Error> {
        let folder = self.store.snapshots().current().map_err(io::Error::other)?;
        Ok(folder.map(|folder| openraft::Snapshot { meta: folder.header.meta.clone(), snapshot: folder }))
    }
}
