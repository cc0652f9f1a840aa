//! The keyring: built from the ledger's system entries when it is first needed, extended when a key is missing.

use std::sync::Arc;

use assent_ledger::chain::TenantHead;
use assent_ledger::checkpoint::VerifiedCheckpoint;
use assent_ledger::cosignature;
use assent_ledger::endorse::Keyring;
use assent_ledger::entry::EntryView;
use assent_ledger::hash::{Hash, leaf_hash};
use assent_ledger::ids::{Origin, TenantId, TreeSize};
use assent_ledger::keys::PublicKey;
use assent_ledger::proof::{verify_consistency, verify_inclusion};
use assent_ledger::receipt::{Receipt, ReceiptError, VerifiedReceipt};
use tokio::sync::{Mutex, RwLock};

use super::{CheckedCheckpoint, TrustError, hashes};
use crate::client::Client;
use crate::error::ClientError;
use crate::v1;

/// A pinned root key and origin, and the keys that follow from them. Shared by all clones of a client.
#[derive(Debug)]
pub struct Trust {
    origin: Origin,
    keyring: RwLock<Arc<Keyring>>,
    /// How far the system chain has been read; held while reading on, so that callers do not read the same entries
    /// twice.
    progress: Mutex<Progress>,
}

#[derive(Debug, Clone)]
struct Progress {
    /// The first global position that has not been looked at.
    next_seq: u64,
    head: TenantHead,
}

impl Trust {
    /// Pins a ledger. `root_key` comes from the operator, by a way that the nodes do not control.
    pub fn new(origin: Origin, root_key: PublicKey) -> Self {
        let head = TenantHead::genesis(&origin, &TenantId::system());
        Trust {
            keyring: RwLock::new(Arc::new(Keyring::new(origin.clone(), root_key))),
            progress: Mutex::new(Progress { next_seq: 0, head }),
            origin,
        }
    }

    /// The pinned ledger.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The keys as far as they have been read; empty before anything was verified.
    pub async fn keyring(&self) -> Arc<Keyring> {
        self.keyring.read().await.clone()
    }

    /// Reads the system entries that are new since the last time, checks their chain and folds their keys in.
    pub async fn extend(&self, client: &Client) -> Result<Arc<Keyring>, ClientError> {
        let mut progress = self.progress.lock().await;
        let mut next = progress.clone();
        let mut keyring = Keyring::clone(&*self.keyring().await);
        let request =
            v1::EntriesRequest { from_seq: next.next_seq, tenant: "-".to_owned(), ..v1::EntriesRequest::default() };
        let mut entries = client.entries(request, client.own_deadline()).await?;
        while let Some(record) = entries.next().await? {
            fold(&mut keyring, &mut next, &self.origin, &record.leaf)?;
        }
        // Only what was read to its end without an error is kept.
        let keyring = Arc::new(keyring);
        *self.keyring.write().await = keyring.clone();
        *progress = next;
        Ok(keyring)
    }

    /// Verifies a receipt document: canonical form, leaf, path, and a signature by a receipt key that the root key
    /// endorsed for these sizes. Reads on in the ledger once when the key is not known yet.
    pub async fn receipt(&self, client: &Client, document: &[u8]) -> Result<VerifiedReceipt, ClientError> {
        if document.is_empty() {
            return Err(TrustError::NoReceipt.into());
        }
        let receipt = Receipt::parse(document).map_err(TrustError::from)?;
        let known = self.keyring().await;
        match receipt.clone().verify_with(&known) {
            Ok(verified) => Ok(verified),
            Err(ReceiptError::Keyring(_)) => {
                let extended = self.extend(client).await?;
                Ok(receipt.verify_with(&extended).map_err(TrustError::from)?)
            }
            Err(error) => Err(TrustError::from(error).into()),
        }
    }

    /// Verifies a checkpoint: the endorsed log key's signature, and as many endorsed cosigners as the ledger requires.
    /// The keys are read on first, so that a key that was retired before this size is not accepted.
    pub async fn checkpoint(&self, client: &Client, note: &[u8]) -> Result<CheckedCheckpoint, ClientError> {
        let keyring = self.extend(client).await?;
        Ok(check_checkpoint(&keyring, note)?)
    }

    /// Verifies that an entry's leaf is in the tree of a checked checkpoint. Size and root come from the checkpoint
    /// alone.
    pub fn inclusion(
        checkpoint: &CheckedCheckpoint,
        leaf: &Hash,
        seq: u64,
        proof: &v1::ProofResponse,
    ) -> Result<(), TrustError> {
        let path = hashes(&proof.path)?;
        let verified = &checkpoint.verified;
        Ok(verify_inclusion(leaf, seq, verified.size(), &path, verified.root())?)
    }

    /// Verifies that the newer of two checked checkpoints extends the older one.
    pub fn consistency(
        old: &CheckedCheckpoint,
        new: &CheckedCheckpoint,
        proof: &v1::ProofResponse,
    ) -> Result<(), TrustError> {
        let (old, new) = (&old.verified, &new.verified);
        if old.size() == new.size() && old.root() != new.root() {
            return Err(TrustError::Diverged { size: old.size(), first: *old.root(), second: *new.root() });
        }
        let path = hashes(&proof.path)?;
        Ok(verify_consistency(old.size(), old.root(), new.size(), new.root(), &path)?)
    }
}

/// Log signature and quorum, with the keys at hand.
fn check_checkpoint(keyring: &Keyring, note: &[u8]) -> Result<CheckedCheckpoint, TrustError> {
    let verified = VerifiedCheckpoint::verify_with(note, keyring)?;
    let cosigned = cosignature::quorum(keyring, &verified, verified.note().signatures())?;
    let required = keyring.created().map_or(u32::MAX, |created| created.quorum);
    if !cosigned.reaches(required) {
        let (size, got) = (verified.size(), cosigned.valid.len());
        return Err(TrustError::Quorum { size, got, required });
    }
    Ok(CheckedCheckpoint { verified, cosigned })
}

/// Checks one system entry's place in its chain and folds it in. Entries at positions that were folded in before are an
/// error.
fn fold(keyring: &mut Keyring, progress: &mut Progress, origin: &Origin, leaf: &[u8]) -> Result<(), TrustError> {
    let view = EntryView::parse(leaf)?;
    let broken = |what| TrustError::Chain { seq: view.seq, what };
    if view.origin != origin.as_str() {
        return Err(broken("it is another ledger's"));
    }
    if view.tenant != "-" {
        return Err(broken("it is not a system entry"));
    }
    if view.seq.0 < progress.next_seq {
        return Err(broken("its position was passed already"));
    }
    if view.tseq.0 != progress.head.count {
        return Err(broken("its number among the system entries is not the next one"));
    }
    if view.tprev != progress.head.last {
        return Err(broken("it follows another system entry than the last one"));
    }
    keyring
        .apply(view.seq, view.kind, &view.body_value()?)
        .map_err(|source| TrustError::Keyring { seq: view.seq, source })?;
    progress.next_seq = TreeSize(view.seq.0).0.saturating_add(1);
    progress.head = progress.head.after(leaf_hash(leaf));
    Ok(())
}
