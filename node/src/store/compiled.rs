//! Bundles as they were compiled, by the hash of their source, kept apart from apply: compiling begins as soon as this node has a
//! source in its hands (an offer that it was asked to commit, a Raft entry that it appends, a bundle that is active when it starts), so
//! that apply finds it done. Apply that comes earlier waits for just that one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use assent_kernel::bundle::{bundle_hash, compile};
use assent_kernel::command::offered_sources;
use assent_kernel::state::Compiled;
use assent_ledger::hash::Hash;

/// Bytes of sources after which the half that was not used lately is dropped. What is compiled is some times as large as its source.
const HALF_BYTES_MAX: usize = 32 << 20;
/// What a bundle counts for besides its source.
const BUNDLE_OVERHEAD_BYTES: usize = 4 << 10;

/// A bundle that is compiled or being compiled. Whoever comes second waits, and compiles nothing.
#[derive(Default)]
struct Bundle {
    compiled: OnceLock<Compiled>,
    /// Whether committed state was seen to hold it. What was only offered so far must be as unknown here as on a replica that has not
    /// seen the offer.
    in_state: AtomicBool,
}

type Slot = Arc<Bundle>;

/// What was compiled lately; clones share it.
#[derive(Clone, Default)]
pub struct CompiledBundles {
    halves: Arc<Mutex<Halves>>,
}

/// Two halves: what is used moves to the young one; when that is full it becomes the old one. A bundle in use is never dropped before as
/// much as [`HALF_BYTES_MAX`] of others was used since.
#[derive(Default)]
struct Halves {
    young: HashMap<Hash, (Slot, usize)>,
    young_bytes: usize,
    old: HashMap<Hash, (Slot, usize)>,
}

impl Halves {
    fn slot(&mut self, hash: &Hash) -> Option<Slot> {
        if let Some((slot, _)) = self.young.get(hash) {
            return Some(slot.clone());
        }
        let (slot, weight) = self.old.remove(hash)?;
        self.insert(*hash, slot.clone(), weight);
        Some(slot)
    }

    fn slot_or_new(&mut self, hash: &Hash, source: &[u8]) -> Slot {
        self.slot(hash).unwrap_or_else(|| {
            let slot = Slot::default();
            self.insert(*hash, slot.clone(), source.len() + BUNDLE_OVERHEAD_BYTES);
            slot
        })
    }

    fn insert(&mut self, hash: Hash, slot: Slot, weight: usize) {
        if self.young_bytes + weight > HALF_BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += weight;
        self.young.insert(hash, (slot, weight));
    }
}

impl CompiledBundles {
    fn halves(&self) -> MutexGuard<'_, Halves> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bundle of this hash if it was compiled lately for committed state; does not wait.
    pub fn in_state(&self, hash: &Hash) -> Option<Compiled> {
        let slot = self.halves().slot(hash)?;
        slot.in_state.load(Ordering::Acquire).then(|| slot.compiled.get().cloned()).flatten()
    }

    /// The compiled form of a source, whose hash this is; compiles it if nobody has.
    pub fn get(&self, hash: &Hash, source: &[u8]) -> Compiled {
        self.slot(hash, source).compiled.get_or_init(|| compile(source).map(Arc::new).map_err(Arc::new)).clone()
    }

    /// As [`CompiledBundles::get`], for a source that was read from committed state.
    pub fn get_in_state(&self, hash: &Hash, source: &[u8]) -> Compiled {
        let compiled = self.get(hash, source);
        self.slot(hash, source).in_state.store(true, Ordering::Release);
        compiled
    }

    fn slot(&self, hash: &Hash, source: &[u8]) -> Slot {
        // What follows is not under the lock: only those who ask for the same bundle wait.
        self.halves().slot_or_new(hash, source)
    }

    /// Begins to compile what an encoded batch offers, on threads of its own. Does not wait.
    pub fn compile_ahead(&self, batch: &[u8]) {
        for source in offered_sources(batch) {
            let (bundles, source) = (self.clone(), source.to_vec());
            tokio::task::spawn_blocking(move || bundles.get(&bundle_hash(&source), &source).is_ok());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use assent_kernel::command::{Batch, Caller, Command, CommandBody, OfferedSource, RequestId, Role};
    use assent_kernel::stamp::Stamp;
    use assent_ledger::ids::{TenantId, Time};

    fn source(name: &str) -> Vec<u8> {
        format!("name: {name}\nversion: 1\ntools: [{{name: t, class: c, action: a}}]\n").into_bytes()
    }

    fn same(a: &Compiled, b: &Compiled) -> bool {
        match (a, b) {
            (Ok(a), Ok(b)) => Arc::ptr_eq(a, b),
            (Err(a), Err(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    #[test]
    fn a_source_is_compiled_once_whether_it_is_right_or_wrong() {
        let bundles = CompiledBundles::default();
        for source in [source("one"), b"nothing: good".to_vec()] {
            let hash = bundle_hash(&source);
            let first = bundles.get(&hash, &source);
            assert!(same(&first, &bundles.get(&hash, &source)));
            assert!(bundles.in_state(&hash).is_none(), "nothing has said that the state holds it");
            assert!(same(&first, &bundles.get_in_state(&hash, &source)));
            assert!(same(&first, &bundles.in_state(&hash).unwrap()));
        }
        assert!(bundles.get(&bundle_hash(&source("one")), &source("one")).is_ok());
    }

    #[test]
    fn what_is_in_use_outlasts_what_is_not() {
        let mut halves = Halves::default();
        let (used, unused) = (bundle_hash(b"used"), bundle_hash(b"unused"));
        let slots = [halves.slot_or_new(&used, b"used"), halves.slot_or_new(&unused, b"unused")];
        // Three halves' worth of others, while one of the two is asked for.
        let other = vec![b'x'; HALF_BYTES_MAX / 8];
        for n in 0..24u32 {
            halves.slot_or_new(&bundle_hash(&n.to_be_bytes()), &other);
            assert!(Arc::ptr_eq(&halves.slot(&used).unwrap(), &slots[0]), "{n}");
        }
        assert!(halves.slot(&unused).is_none());
        assert!(halves.young.len() + halves.old.len() < 20, "the others are dropped, too");
    }

    #[tokio::test]
    async fn an_offer_is_compiled_when_its_batch_is_seen() {
        let caller = Caller {
            tenant: TenantId::system(),
            subject: None,
            attested: true,
            role: Role::Operator,
            credential: "operator".into(),
        };
        let offered = OfferedSource { tenant: TenantId::new("acme").unwrap(), source: source("ahead") };
        let stamp = Stamp { time: Time(7), seed: [9; 32] };
        let body = CommandBody::OfferBundle(offered);
        let batch = Batch { commands: vec![Command { request_id: RequestId::new(1, [0; 10]), stamp, caller, body }] };
        let bundles = CompiledBundles::default();
        bundles.compile_ahead(&batch.encode());
        let hash = bundle_hash(&source("ahead"));
        let compiled = || bundles.halves().slot(&hash).and_then(|slot| slot.compiled.get().cloned());
        let waiting = async {
            while compiled().is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await.unwrap();
        assert!(compiled().unwrap().is_ok() && bundles.in_state(&hash).is_none());
    }
}
