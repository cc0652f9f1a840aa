//! A snapshot's way from one node's disk to another's, by the very calls that the network makes.

use assent_node::raft::types::Vote;
use assent_node::raft::wire;
use assent_node::store::Store;
use assent_node::store::snapshot::{SnapshotError, SnapshotFolder};

/// Bytes in one piece; small, so that even small files travel in several.
pub const PIECE_BYTES: usize = 4096;

/// Sends up to `pieces_max` pieces, from where the receiver stands; returns how many bytes that were.
pub async fn send(to: &Store, folder: &SnapshotFolder, pieces_max: usize) -> Result<u64, SnapshotError> {
    let header = wire::encode_snapshot_header(&Vote::new(0, 0), &folder.header);
    let (_, received) = wire::decode_snapshot_header(&header).expect("a header comes back");
    let offsets = to.snapshots().offsets(&received)?;
    let offsets = wire::decode_offsets(&wire::encode_offsets(&offsets)).expect("offsets come back");
    let mut pieces = folder.clone().chunks(header, offsets, PIECE_BYTES);
    // The first piece carries the header only.
    pieces.recv().await;
    let mut bytes = 0;
    for _ in 0..pieces_max {
        let Some(piece) = pieces.recv().await else { break };
        bytes += piece.data.len() as u64;
        to.snapshots().receive(&received, &piece)?;
    }
    Ok(bytes)
}

/// Sends everything that is missing and has the receiver check it.
pub async fn transfer(to: &Store, folder: &SnapshotFolder) -> Result<SnapshotFolder, SnapshotError> {
    send(to, folder, usize::MAX).await?;
    to.snapshots().finish(folder.header.clone())
}
