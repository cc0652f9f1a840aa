//! A span's objects. They are a function of what is committed, so that every node and every retry makes the same bytes.

use std::collections::BTreeMap;

use assent_ledger::archive::{MapPathFile, SpanObject, append_leaf, append_leaf_hash, append_payload};
use assent_ledger::checkpoint::Checkpoint;
use assent_ledger::entry::EntryView;
use assent_ledger::hash::{Hash, leaf_hash, sha256};
use assent_ledger::ids::{Origin, Seq, TenantId, TreeSize};
use assent_ledger::keys::SecretKey;
use assent_ledger::manifest::{Manifest, ManifestObject};
use assent_ledger::map::{TenantMap, TenantMapLeaf};
use assent_ledger::note::{Note, NoteSignature};
use assent_ledger::tree::{SpanTree, consistency_path};

use crate::store::Store;
use crate::store::seals::SealRow;

/// Entries that are read from the store at once: bounds what is in memory beside the objects themselves.
const READ_AT_ONCE: usize = 256;

/// Everything that is written for one span.
pub struct SpanObjects {
    /// The signed manifest.
    pub manifest: Note,
    /// The checkpoint with the log key's signature; cosignatures are appended when they are chosen.
    pub checkpoint: Note,
    /// The rest, in order of path.
    pub objects: Vec<(SpanObject, Vec<u8>)>,
}

/// Why a span's objects cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("span {start}..{end}: {message}")]
pub struct SpanError {
    start: Seq,
    end: TreeSize,
    message: String,
}

/// Makes the objects of a sealed span.
pub fn build(store: &Store, origin: &Origin, log_key: &SecretKey, seal: &SealRow) -> Result<SpanObjects, SpanError> {
    let fail = |message: String| SpanError { start: seal.start, end: seal.size, message };
    let mut collected = Collected::default();
    let mut next = seal.start;
    while next.0 < seal.size.0 {
        next = collected.read(store, next, seal.size).map_err(fail)?;
    }
    let map = tenant_map(store, seal).map_err(fail)?;
    if map.root() != seal.tenant_map_root {
        return Err(fail(format!("tenant map has root {}, the seal says {}", map.root(), seal.tenant_map_root)));
    }
    let span = SpanTree::build(collected.hashes.clone()).map_err(|e| fail(e.to_string()))?;
    let objects = collected.into_objects(&map).map_err(fail)?;
    let checkpoint = Checkpoint { origin: origin.clone(), size: seal.size, root: seal.root };
    let manifest = Manifest {
        origin: origin.clone(),
        start: seal.start,
        end: seal.size,
        span_root: span.root(),
        checkpoint: checkpoint.digest(),
        prev_checkpoint: previous(store, origin, seal).map_err(fail)?,
        consistency: consistency_path(store.nodes().as_ref(), TreeSize(seal.start.0), seal.size)
            .map_err(|e| fail(e.to_string()))?,
        reason: seal.reason,
        objects: objects
            .iter()
            .map(|(object, bytes)| ManifestObject {
                object: *object,
                digest: sha256(&[bytes]),
                length: bytes.len() as u64,
            })
            .collect(),
    };
    Ok(SpanObjects {
        manifest: manifest.sign(log_key).map_err(|e| fail(e.to_string()))?,
        checkpoint: checkpoint.sign(log_key).map_err(|e| fail(e.to_string()))?,
        objects,
    })
}

/// The checkpoint note with its committed cosignatures.
pub fn with_cosignatures(mut checkpoint: Note, lines: &[NoteSignature]) -> Result<Note, String> {
    for line in lines {
        checkpoint.append(line.clone()).map_err(|e| e.to_string())?;
    }
    Ok(checkpoint)
}

fn previous(store: &Store, origin: &Origin, seal: &SealRow) -> Result<Option<Hash>, String> {
    let size = TreeSize(seal.start.0);
    if size.0 == 0 {
        return Ok(None);
    }
    let root = store.root_at(size).map_err(|e| e.to_string())?;
    Ok(Some(Checkpoint { origin: origin.clone(), size, root }.digest()))
}

/// What the entries of a span give, by opaque tenant id.
#[derive(Default)]
struct Collected {
    hashes: Vec<Hash>,
    leaves: Vec<u8>,
    bundles: BTreeMap<Hash, Vec<u8>>,
    payloads: BTreeMap<Hash, Vec<u8>>,
    opaque: BTreeMap<TenantId, Hash>,
}

impl Collected {
    /// Adds entries from `from` on, some of those before `end`; gives the position after them.
    fn read(&mut self, store: &Store, from: Seq, end: TreeSize) -> Result<Seq, String> {
        let left = usize::try_from(end.0.saturating_sub(from.0)).unwrap_or(usize::MAX);
        let entries = store.entries(from, left.min(READ_AT_ONCE)).map_err(|e| e.to_string())?;
        // Of each payload the opaque id of its tenant and its commitment, in the order of the entries.
        let mut payloads: Vec<(Hash, Hash)> = Vec::with_capacity(entries.len());
        let mut next = from;
        for (seq, leaf) in &entries {
            if *seq != next {
                break;
            }
            self.add(store, *seq, leaf, &mut payloads)?;
            next = Seq(seq.0 + 1);
        }
        if next == from {
            return Err(format!("entry {from} is missing"));
        }
        let commitments: Vec<Hash> = payloads.iter().map(|(_, commitment)| *commitment).collect();
        let ciphertexts = store.ciphertexts(&commitments).map_err(|e| e.to_string())?;
        for ((id, commitment), ciphertext) in payloads.iter().zip(ciphertexts) {
            // An erased payload is simply not there any more; its commitment stays in the leaf.
            if let Some(ciphertext) = ciphertext {
                append_payload(self.payloads.entry(*id).or_default(), commitment, &ciphertext)
                    .map_err(|e| e.to_string())?;
            }
        }
        Ok(next)
    }

    fn add(&mut self, store: &Store, seq: Seq, leaf: &[u8], payloads: &mut Vec<(Hash, Hash)>) -> Result<(), String> {
        let hash = leaf_hash(leaf);
        self.hashes.push(hash);
        append_leaf_hash(&mut self.leaves, &hash);
        let view = EntryView::parse(leaf).map_err(|e| format!("entry {seq}: {e}"))?;
        let tenant = TenantId::new(view.tenant).map_err(|e| e.to_string())?;
        let id = match self.opaque.get(&tenant) {
            Some(id) => *id,
            None => {
                let id = opaque_id(store, &tenant)?;
                self.opaque.insert(tenant, id);
                id
            }
        };
        append_leaf(self.bundles.entry(id).or_default(), leaf).map_err(|e| e.to_string())?;
        payloads.extend(view.payloads().map(|payload| (id, payload.commitment)));
        Ok(())
    }

    fn into_objects(self, map: &TenantMap) -> Result<Vec<(SpanObject, Vec<u8>)>, String> {
        let mut objects = vec![(SpanObject::Leaves, self.leaves)];
        objects.extend(self.bundles.into_iter().map(|(id, bytes)| (SpanObject::TenantBundle(id), bytes)));
        objects.extend(self.payloads.into_iter().map(|(id, bytes)| (SpanObject::TenantPayloads(id), bytes)));
        let paths = map.paths();
        for leaf in map.leaves() {
            let path = paths.path(&leaf.id).map_err(|e| e.to_string())?;
            let file = MapPathFile::new(&leaf, path);
            objects.push((SpanObject::TenantMap(leaf.id), file.to_string().into_bytes()));
        }
        objects.sort_by_key(|(object, _)| *object);
        Ok(objects)
    }
}

/// A tenant's opaque id, from its record.
pub fn opaque_id(store: &Store, tenant: &TenantId) -> Result<Hash, String> {
    store.view().opaque_id(tenant).ok_or_else(|| format!("tenant {tenant} has no record"))
}

/// Every tenant's chain as it ended just before the seal leaf.
fn tenant_map(store: &Store, seal: &SealRow) -> Result<TenantMap, String> {
    let before = Seq(seal.size.0.saturating_sub(1));
    let mut map = TenantMap::default();
    for tenant in store.tenants().map_err(|e| e.to_string())? {
        if let Some(head) = store.tenant_head_before(&tenant, before).map_err(|e| e.to_string())? {
            let id = opaque_id(store, &tenant)?;
            map.insert(TenantMapLeaf { id, count: head.count, last: head.last }).map_err(|e| e.to_string())?;
        }
    }
    Ok(map)
}
