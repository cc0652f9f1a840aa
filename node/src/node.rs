//! A running node: its parts, how they start, and how they stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use assent_kernel::decide::recorded_keyring;
use assent_kernel::stamp::Stamp;
use assent_ledger::endorse::{Keyring, KeyringError};
use assent_ledger::ids::{NodeId, Origin, Time};
use assent_ledger::keys::SecretKey;
use assent_ledger::receipt::BatchSigner;
use openraft::async_runtime::watch::WatchReceiver;
use tokio_util::sync::CancellationToken;

use crate::batcher::Batcher;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::fence::Fence;
use crate::files;
use crate::identity::NodeIdentity;
use crate::raft::network::PeerNetwork;
use crate::raft::types::Member;
use crate::raft::{self, RaftHandle};
use crate::random;
use crate::receipts::ReceiptSigner;
use crate::seal::anchor::AnchorTarget;
use crate::seal::cosigner::Cosigner;
use crate::seal::sealer;
use crate::store::Store;
use crate::store::secrets::StorageKey;
use crate::store::state_machine::StateMachine;
use crate::ticker;
use crate::tls::TlsMaterial;

/// Why a node cannot start. Every message says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

fn failed(error: impl core::fmt::Display) -> StartError {
    StartError(error.to_string())
}

/// A running node.
pub struct Node {
    config: Config,
    id: NodeId,
    store: Arc<Store>,
    raft: RaftHandle,
    batcher: Batcher,
    receipts: ReceiptSigner,
    cosigner: Cosigner,
    fence: Arc<Fence>,
    network: PeerNetwork,
    tls: TlsMaterial,
    log_key: Arc<SecretKey>,
    anchor: AnchorTarget,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

/// Compiles what is active beside the rest of the start. An error here is one that apply meets too, and ends the process for.
fn compile_active(store: Arc<Store>) {
    tokio::task::spawn_blocking(move || match store.view().compile_active() {
        Ok(bundles) => tracing::info!(bundles, "active bundles are compiled"),
        Err(error) => tracing::warn!(%error, "active bundles could not be compiled ahead"),
    });
}

impl Node {
    /// Opens everything below the data folder and starts Raft; serves nothing yet.
    pub async fn start(config: Config) -> Result<Arc<Node>, StartError> {
        Self::start_with_clock(config, Arc::new(SystemClock)).await
    }

    /// The same with another clock than the system's: for tests that let time pass.
    pub async fn start_with_clock(config: Config, clock: Arc<dyn Clock>) -> Result<Arc<Node>, StartError> {
        let identity = NodeIdentity::load(&config.data_dir).map_err(failed)?;
        let log_key = Arc::new(SecretKey::from_seed(&*files::read_key(&config.keys.log).map_err(failed)?));
        let storage_key = StorageKey::new(files::read_key(&config.keys.storage).map_err(failed)?);
        let tls = TlsMaterial::load(&config.tls).map_err(failed)?;
        let fence = Arc::new(Fence::load(&config.data_dir).map_err(failed)?);
        let anchor = AnchorTarget::local(&config.anchor.directory, &config.origin).map_err(failed)?;
        let store =
            Store::open(&config.data_dir, config.origin.clone(), storage_key.clone(), fence.clone()).map_err(failed)?;
        let mut log =
            raft::open::open(&config.data_dir.join("raft"), storage_key.as_bytes(), &config.origin).map_err(failed)?;
        log = log.compiling(store.bundles().clone());
        compile_active(store.clone());
        raft::reconcile::reconcile(&mut log, &store).await.map_err(failed)?;
        let network = PeerNetwork::new(tls.clone(), config.origin.as_str());
        let raft_config = raft::raft_config(&config.raft, config.origin.as_str()).map_err(failed)?;
        let machine = StateMachine::new(store.clone());
        let raft = RaftHandle::new(identity.id.0, Arc::new(raft_config), network.clone(), log, machine)
            .await
            .map_err(failed)?;
        if fence.is_up() {
            raft.runtime_config().elect(false);
        }
        let receipts = ReceiptSigner::new(BatchSigner::new(config.origin.clone(), identity.id, identity.receipt));
        let batcher = Batcher::start(raft.clone(), receipts.clone(), &config.limits);
        let cosigner = Cosigner::load(
            config.origin.clone(),
            identity.id,
            identity.cosigner,
            &config.data_dir,
            store.clone(),
            fence.clone(),
            clock.clone(),
        )
        .map_err(failed)?;
        let stop = CancellationToken::new();
        let id = identity.id;
        let node = Arc::new(Node {
            config,
            id,
            store,
            raft,
            batcher,
            receipts,
            cosigner,
            fence,
            network,
            tls,
            log_key,
            anchor,
            clock,
            stop,
        });
        tokio::spawn(sealer::run(node.clone()));
        tokio::spawn(ticker::run(node.clone()));
        tokio::spawn(keep_fenced_node_from_leading(node.clone()));
        tokio::spawn(stop_when_raft_stops(node.clone()));
        tracing::info!(node = %node.id, name = node.config.name, origin = %node.config.origin, "started");
        Ok(node)
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The ledger.
    pub fn origin(&self) -> &Origin {
        &self.config.origin
    }

    /// This node's id.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// This node's Raft.
    pub fn raft(&self) -> &RaftHandle {
        &self.raft
    }

    /// The way in for commands.
    pub fn batcher(&self) -> &Batcher {
        &self.batcher
    }

    /// Signs receipts.
    pub fn receipts(&self) -> &ReceiptSigner {
        &self.receipts
    }

    /// Signs cosignatures.
    pub fn cosigner(&self) -> &Cosigner {
        &self.cosigner
    }

    /// The fence.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Connections to the other nodes.
    pub fn network(&self) -> &PeerNetwork {
        &self.network
    }

    /// Certificates.
    pub fn tls(&self) -> &TlsMaterial {
        &self.tls
    }

    /// The log key.
    pub fn log_key(&self) -> Arc<SecretKey> {
        self.log_key.clone()
    }

    /// Where sealed spans go.
    pub fn anchor(&self) -> &AnchorTarget {
        &self.anchor
    }

    /// The present leader, as this node knows it.
    pub fn leader(&self) -> Option<(NodeId, Member)> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let id = metrics.current_leader?;
        let member = metrics.membership_config.get_node(&id)?.clone();
        Some((NodeId(id), member))
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.raft.is_leader()
    }

    /// The voters and their addresses.
    pub fn voters(&self) -> BTreeMap<u64, Member> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let membership = &metrics.membership_config;
        membership.voter_ids().filter_map(|id| Some((id, membership.get_node(&id)?.clone()))).collect()
    }

    /// The keys that the root key has endorsed so far; `None` before the genesis.
    pub fn keyring(&self) -> Option<Result<Keyring, KeyringError>> {
        recorded_keyring(self.store.view().as_ref())
    }

    /// The node's clock.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Time and randomness for one command: nothing random happens after this.
    pub fn stamp(&self) -> Stamp {
        Stamp { time: self.now(), seed: random::bytes() }
    }

    /// Whether the node is stopping: it takes no new work.
    pub fn stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until the node is told to stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Tells the node to stop taking work.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Hands leadership to the voter that is furthest, if this node leads.
    pub async fn hand_over(&self) {
        let Some(to) = self.best_successor() else { return };
        if let Err(error) = self.raft.trigger().transfer_leader(to).await {
            tracing::warn!(%error, "leadership could not be handed over");
            return;
        }
        let mut metrics = self.raft.server_metrics();
        let own = self.id.0;
        let handed = tokio::time::timeout(
            Duration::from_secs(3),
            metrics.wait_until(|m| m.current_leader.is_some_and(|l| l != own)),
        );
        match handed.await {
            Ok(Ok(_)) => tracing::info!(to = %NodeId(to), "leadership handed over"),
            _ => tracing::warn!("no other leader within 3 s; the others will elect one"),
        }
    }

    fn best_successor(&self) -> Option<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        if metrics.current_leader != Some(self.id.0) {
            return None;
        }
        let voters: Vec<u64> = metrics.membership_config.voter_ids().collect();
        let replication = metrics.replication.as_ref()?;
        replication
            .iter()
            .filter(|(id, _)| voters.contains(id) && **id != self.id.0)
            .max_by_key(|(_, matched)| matched.as_ref().map(|id| id.index))
            .map(|(id, _)| *id)
    }

    /// Stops Raft and makes everything durable. Call after the listeners have drained.
    pub async fn finish(&self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "raft did not stop cleanly");
        }
        // A clean stop leaves nothing to apply again; a crash before this only costs time at the next start.
        if let Err(error) = self.store.sync() {
            tracing::error!(%error, "the database could not be synced");
        }
        tracing::info!(node = %self.id, "stopped");
    }
}

/// A fenced node keeps replicating and voting, so that the healthy majority is not weakened, but never leads.
async fn keep_fenced_node_from_leading(node: Arc<Node>) {
    let mut fence = node.fence.watch();
    let raised = tokio::select! {
        raised = fence.wait_for(Option::is_some) => raised.is_ok(),
        () = node.stopped() => return,
    };
    if raised {
        node.raft.runtime_config().elect(false);
        node.hand_over().await;
    }
}

/// Raft stops by itself on a storage error: then the process must end, for it acknowledges nothing any more.
async fn stop_when_raft_stops(node: Arc<Node>) {
    let mut metrics = node.raft.metrics();
    loop {
        if let Err(fatal) = &metrics.borrow_watched().running_state
            && !node.stopping()
        {
            tracing::error!(error = %fatal, "raft stopped; this process ends so that it is restarted or replaced");
            std::process::exit(3);
        }
        tokio::select! {
            changed = metrics.changed() => if changed.is_err() { return },
            () = node.stopped() => return,
        }
    }
}
