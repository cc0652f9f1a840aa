//! Checkpoints, proofs and seals: what anyone needs to check the ledger without believing this node.

use assent_ledger::checkpoint::Checkpoint;
use assent_ledger::hash::Hash;
use assent_ledger::ids::TreeSize;
use assent_ledger::note::Note;
use assent_ledger::tree::{NodeAddress, NodeRead, consistency_path, inclusion_path};
use assent_proto::v1::{
    CheckpointResponse, ConsistencyProofRequest, InclusionProofRequest, ProofResponse, SealInfo, SealsRequest,
    SealsResponse,
};

use super::{Api, convert, errors};
use crate::outcome::ApiError;
use crate::seal::span;
use crate::store::seals::SealRow;

/// Seals in one answer.
const SEALS_MAX: u32 = 256;

impl Api {
    /// The newest co-signed checkpoint.
    pub(super) fn checkpoint(&self) -> Result<CheckpointResponse, ApiError> {
        let seal = self.newest_cosigned()?;
        let note = self.note_of(&seal)?.ok_or_else(no_checkpoint)?;
        Ok(CheckpointResponse { note: note.to_bytes().into(), size: seal.size.0 })
    }

    fn newest_cosigned(&self) -> Result<SealRow, ApiError> {
        self.node.store().latest_cosigned().map_err(errors::storage)?.ok_or_else(no_checkpoint)
    }

    /// The checkpoint of a seal with its committed cosignatures; `None` while it is not co-signed.
    ///
    /// Only a root that a quorum has co-signed is signed again here: it was checked against this node's own tree when it was applied.
    fn note_of(&self, seal: &SealRow) -> Result<Option<Note>, ApiError> {
        let Some(cosigned) = &seal.cosigned else { return Ok(None) };
        let checkpoint = Checkpoint { origin: self.node.origin().clone(), size: seal.size, root: seal.root };
        if checkpoint.digest() != cosigned.checkpoint {
            return Err(ApiError::internal(format!("the stored seal of size {} is not what was co-signed", seal.size)));
        }
        let signed = checkpoint.sign(&self.node.log_key()).map_err(|e| ApiError::internal(e.to_string()))?;
        span::with_cosignatures(signed, &cosigned.cosignatures).map(Some).map_err(ApiError::internal)
    }

    /// That an entry is in the tree of a size.
    pub(super) fn inclusion_proof(&self, request: &InclusionProofRequest) -> Result<ProofResponse, ApiError> {
        let size = self.size_asked_for("size", request.size)?;
        if request.seq >= size.0 {
            return Err(convert::wrong(
                "seq",
                format_args!("is {}", request.seq),
                format_args!("below the size, {size}; the newest entries are proven once the next seal is co-signed"),
            ));
        }
        let tree = self.node.store().nodes();
        let leaf = tree.node(NodeAddress { level: 0, index: request.seq }).map_err(errors::storage)?;
        let leaf = leaf.ok_or_else(|| ApiError::internal(format!("the hash of entry {} is missing", request.seq)))?;
        let path = inclusion_path(tree.as_ref(), request.seq, size).map_err(errors::storage)?;
        let root = tree.root_at(size).map_err(errors::storage)?;
        Ok(ProofResponse { leaf_hash: leaf.0.to_vec().into(), ..proof(size, root, path) })
    }

    /// That the tree of one size is a beginning of the tree of another.
    pub(super) fn consistency_proof(&self, request: &ConsistencyProofRequest) -> Result<ProofResponse, ApiError> {
        let to = self.size_asked_for("to_size", request.to_size)?;
        let from = TreeSize(request.from_size);
        if from.0 == 0 || from > to {
            let right = format_args!("between 1 and to_size, {to}");
            return Err(convert::wrong("from_size", format_args!("is {from}"), right));
        }
        let tree = self.node.store().nodes();
        let path = consistency_path(tree.as_ref(), from, to).map_err(errors::storage)?;
        Ok(proof(to, tree.root_at(to).map_err(errors::storage)?, path))
    }

    /// The size that a proof is for; 0 asks for the newest co-signed one.
    fn size_asked_for(&self, field: &str, size: u64) -> Result<TreeSize, ApiError> {
        if size == 0 {
            return Ok(self.newest_cosigned()?.size);
        }
        let here = self.node.store().progress().borrow().size;
        if size > here.0 {
            let right = format_args!("at most {here}, what this node has applied");
            return Err(convert::wrong(field, format_args!("is {size}"), right));
        }
        Ok(TreeSize(size))
    }

    /// Seals with checkpoints of at least a size. A manifest is made anew from the span's entries, so that it is given only for a
    /// single seal.
    pub(super) async fn seals(&self, request: &SealsRequest) -> Result<SealsResponse, ApiError> {
        let limit = if request.limit == 0 { SEALS_MAX } else { request.limit.min(SEALS_MAX) };
        let rows = self.node.store().seals(TreeSize(request.from_size), limit as usize).map_err(errors::storage)?;
        let with_manifest = request.limit == 1;
        let mut seals = Vec::with_capacity(rows.len());
        for row in rows {
            let checkpoint = self.note_of(&row)?.map(|note| note.to_bytes()).unwrap_or_default();
            let manifest = if with_manifest { self.manifest_of(&row).await? } else { Vec::new() };
            seals.push(SealInfo {
                start: row.start.0,
                size: row.size.0,
                root: row.root.0.to_vec().into(),
                reason: row.reason.as_str().to_owned(),
                cosigned: row.cosigned.is_some(),
                anchored: row.anchored.is_some(),
                checkpoint: checkpoint.into(),
                manifest: manifest.into(),
                sink_uri: row.anchored.map(|anchor| anchor.sink_uri).unwrap_or_default(),
            });
        }
        Ok(SealsResponse { seals })
    }

    /// The manifest of a co-signed seal, which must come out as it was committed.
    async fn manifest_of(&self, seal: &SealRow) -> Result<Vec<u8>, ApiError> {
        let Some(cosigned) = &seal.cosigned else { return Ok(Vec::new()) };
        let (node, row) = (self.node.clone(), seal.clone());
        let build = move || span::build(node.store(), node.origin(), &node.log_key(), &row);
        let objects = tokio::task::spawn_blocking(build).await.map_err(|e| ApiError::internal(e.to_string()))?;
        let manifest = objects.map_err(|e| ApiError::internal(e.to_string()))?.manifest;
        if manifest.digest() != cosigned.manifest {
            return Err(ApiError::internal(format!("the manifest of size {} is not what was committed", seal.size)));
        }
        Ok(manifest.to_bytes())
    }
}

fn no_checkpoint() -> ApiError {
    ApiError::not_found("no checkpoint has been co-signed yet; wait for the first seal")
}

fn proof(size: TreeSize, root: Hash, path: Vec<Hash>) -> ProofResponse {
    ProofResponse {
        size: size.0,
        root: root.0.to_vec().into(),
        path: path.into_iter().map(|hash| hash.0.to_vec().into()).collect(),
        ..ProofResponse::default()
    }
}
