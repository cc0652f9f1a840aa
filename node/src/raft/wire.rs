//! Raft messages between nodes, in Assent's own versioned encoding: openraft's derives promise no stable format.
//!
//! Every message begins with a version byte and its kind; numbers are big-endian; lists and strings carry a 32-bit length.

use assent_kernel::codec::{CodecError, Reader, Writer};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderRequest, VoteRequest, VoteResponse,
};

use super::codec::{
    put_entry, put_log_id, put_membership, put_vote, take_entry, take_log_id, take_membership, take_vote,
};
use super::types::{LogId, SnapshotMeta, StoredMembership, TypeConfig, Vote};

const VERSION: u8 = 1;
/// Most entries in one message.
const ENTRIES_MAX: usize = 65_536;
/// Most files in a snapshot.
const FILES_MAX: usize = 65_536;
/// Longest name of a snapshot's file, in bytes.
const FILE_NAME_BYTES_MAX: usize = 255;

/// The kinds of messages; numbers are append-only.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    AppendRequest = 1,
    AppendResponse = 2,
    StreamResult = 3,
    VoteRequest = 4,
    VoteResponse = 5,
    TransferRequest = 6,
    TransferResponse = 7,
    SnapshotHeader = 8,
    SnapshotOffsets = 9,
    SnapshotResponse = 10,
}

fn start(kind: Kind) -> Writer {
    let mut w = Writer::versioned(VERSION);
    w.u8(kind as u8);
    w
}

fn open(bytes: &[u8], kind: Kind) -> Result<Reader<'_>, CodecError> {
    let what = "a raft message";
    let mut r = Reader::versioned(bytes, what, VERSION)?;
    match r.u8(what)? {
        got if got == kind as u8 => Ok(r),
        got => Err(CodecError::Choice { what, got: u64::from(got) }),
    }
}

/// Encodes an AppendEntries request.
pub fn encode_append(request: &AppendEntriesRequest<TypeConfig>) -> Vec<u8> {
    let mut w = start(Kind::AppendRequest);
    put_vote(&mut w, &request.vote);
    w.option(request.prev_log_id.as_ref(), put_log_id);
    w.option(request.leader_commit.as_ref(), put_log_id);
    w.count(request.entries.len());
    for entry in &request.entries {
        put_entry(&mut w, entry);
    }
    w.finish()
}

/// Decodes an AppendEntries request.
pub fn decode_append(bytes: &[u8]) -> Result<AppendEntriesRequest<TypeConfig>, CodecError> {
    let mut r = open(bytes, Kind::AppendRequest)?;
    let vote = take_vote(&mut r)?;
    let prev_log_id = r.option("a log id", take_log_id)?;
    let leader_commit = r.option("a log id", take_log_id)?;
    let count = r.count("the entries", ENTRIES_MAX)?;
    let entries = (0..count).map(|_| take_entry(&mut r)).collect::<Result<_, _>>()?;
    r.finish()?;
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

/// Encodes the answer to a single AppendEntries request.
pub fn encode_append_response(response: &AppendEntriesResponse<TypeConfig>) -> Vec<u8> {
    let mut w = start(Kind::AppendResponse);
    match response {
        AppendEntriesResponse::Success => w.u8(0),
        AppendEntriesResponse::PartialSuccess(log_id) => {
            w.u8(1);
            w.option(log_id.as_ref(), put_log_id);
        }
        AppendEntriesResponse::Conflict => w.u8(2),
        AppendEntriesResponse::HigherVote(vote) => {
            w.u8(3);
            put_vote(&mut w, vote);
        }
    }
    w.finish()
}

/// Decodes the answer to a single AppendEntries request.
pub fn decode_append_response(bytes: &[u8]) -> Result<AppendEntriesResponse<TypeConfig>, CodecError> {
    let mut r = open(bytes, Kind::AppendResponse)?;
    let response = match r.u8("the kind of answer")? {
        0 => AppendEntriesResponse::Success,
        1 => AppendEntriesResponse::PartialSuccess(r.option("a log id", take_log_id)?),
        2 => AppendEntriesResponse::Conflict,
        3 => AppendEntriesResponse::HigherVote(take_vote(&mut r)?),
        got => return Err(CodecError::Choice { what: "an append response", got: u64::from(got) }),
    };
    r.finish()?;
    Ok(response)
}

/// Encodes one answer of an append stream.
pub fn encode_stream_result(result: &StreamAppendResult<TypeConfig>) -> Vec<u8> {
    let mut w = start(Kind::StreamResult);
    match result {
        Ok(log_id) => {
            w.u8(0);
            w.option(log_id.as_ref(), put_log_id);
        }
        Err(StreamAppendError::Conflict(log_id)) => {
            w.u8(1);
            put_log_id(&mut w, log_id);
        }
        Err(StreamAppendError::HigherVote(vote)) => {
            w.u8(2);
            put_vote(&mut w, vote);
        }
    }
    w.finish()
}

/// Decodes one answer of an append stream.
pub fn decode_stream_result(bytes: &[u8]) -> Result<StreamAppendResult<TypeConfig>, CodecError> {
    let mut r = open(bytes, Kind::StreamResult)?;
    let result = match r.u8("the kind of answer")? {
        0 => Ok(r.option("a log id", take_log_id)?),
        1 => Err(StreamAppendError::Conflict(take_log_id(&mut r)?)),
        2 => Err(StreamAppendError::HigherVote(take_vote(&mut r)?)),
        got => return Err(CodecError::Choice { what: "a stream result", got: u64::from(got) }),
    };
    r.finish()?;
    Ok(result)
}

/// Encodes a vote or pre-vote request.
pub fn encode_vote_request(request: &VoteRequest<TypeConfig>) -> Vec<u8> {
    let mut w = start(Kind::VoteRequest);
    put_vote(&mut w, &request.vote);
    w.option(request.last_log_id.as_ref(), put_log_id);
    w.bool(request.leadership_transfer);
    w.finish()
}

/// Decodes a vote or pre-vote request.
pub fn decode_vote_request(bytes: &[u8]) -> Result<VoteRequest<TypeConfig>, CodecError> {
    let mut r = open(bytes, Kind::VoteRequest)?;
    let vote = take_vote(&mut r)?;
    let last_log_id = r.option("a log id", take_log_id)?;
    let leadership_transfer = r.bool("a flag")?;
    r.finish()?;
    Ok(VoteRequest { vote, last_log_id, leadership_transfer })
}

/// Encodes the answer to a vote or pre-vote.
pub fn encode_vote_response(response: &VoteResponse<TypeConfig>) -> Vec<u8> {
    let mut w = start(Kind::VoteResponse);
    put_vote(&mut w, &response.vote);
    w.bool(response.vote_granted);
    w.option(response.last_log_id.as_ref(), put_log_id);
    w.finish()
}

/// Decodes the answer to a vote or pre-vote.
pub fn decode_vote_response(bytes: &[u8]) -> Result<VoteResponse<TypeConfig>, CodecError> {
    let mut r = open(bytes, Kind::VoteResponse)?;
    let vote = take_vote(&mut r)?;
    let vote_granted = r.bool("a flag")?;
    let last_log_id = r.option("a log id", take_log_id)?;
    r.finish()?;
    Ok(VoteResponse { vote, vote_granted, last_log_id })
}

/// Encodes a leader's order to take over.
pub fn encode_transfer(request: &TransferLeaderRequest<TypeConfig>) -> Vec<u8> {
    let mut w = start(Kind::TransferRequest);
    put_vote(&mut w, request.from_leader());
    w.u64(*request.to_node_id());
    w.option(request.last_log_id(), put_log_id);
    w.finish()
}

/// Decodes a leader's order to take over.
pub fn decode_transfer(bytes: &[u8]) -> Result<TransferLeaderRequest<TypeConfig>, CodecError> {
    let mut r = open(bytes, Kind::TransferRequest)?;
    let vote = take_vote(&mut r)?;
    let to = r.u64("a node id")?;
    let last_log_id = r.option("a log id", take_log_id)?;
    r.finish()?;
    Ok(TransferLeaderRequest::new(vote, to, last_log_id))
}

/// How a target answers the order to take over: accepted, another vote than expected, or its log is not there yet.
pub fn encode_transfer_response(response: &openraft::raft::TransferLeaderResponse<TypeConfig>) -> Vec<u8> {
    use openraft::raft::TransferLeaderError as E;
    let mut w = start(Kind::TransferResponse);
    match response {
        Ok(()) => w.u8(0),
        Err(E::VoteChanged { expected, actual }) => {
            w.u8(1);
            put_vote(&mut w, expected);
            put_vote(&mut w, actual);
        }
        Err(E::LogNotFlushed { expected, actual }) => {
            w.u8(2);
            w.option(expected.as_ref(), put_log_id);
            w.option(actual.as_ref(), put_log_id);
        }
    }
    w.finish()
}

/// Decodes a target's answer to the order to take over.
pub fn decode_transfer_response(
    bytes: &[u8],
) -> Result<openraft::raft::TransferLeaderResponse<TypeConfig>, CodecError> {
    use openraft::raft::TransferLeaderError as E;
    let mut r = open(bytes, Kind::TransferResponse)?;
    let response = match r.u8("the kind of answer")? {
        0 => Ok(()),
        1 => Err(E::VoteChanged { expected: take_vote(&mut r)?, actual: take_vote(&mut r)? }),
        2 => Err(E::LogNotFlushed {
            expected: r.option("a log id", take_log_id)?,
            actual: r.option("a log id", take_log_id)?,
        }),
        got => return Err(CodecError::Choice { what: "a transfer response", got: u64::from(got) }),
    };
    r.finish()?;
    Ok(response)
}

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its name, without folders.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its content.
    pub digest: [u8; 32],
}

/// What a snapshot consists of and what its content must come to.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotHeader {
    /// What it covers, for Raft.
    pub meta: SnapshotMeta,
    /// Size of the tree in it.
    pub size: u64,
    /// Root of the tree in it.
    pub root: [u8; 32],
    /// Digest of the kernel's state in it.
    pub state_digest: [u8; 32],
    /// Its files, sorted by name.
    pub files: Vec<SnapshotFile>,
}

/// Encodes a snapshot's header.
pub fn encode_snapshot_header(vote: &Vote, header: &SnapshotHeader) -> Vec<u8> {
    let mut w = start(Kind::SnapshotHeader);
    put_vote(&mut w, vote);
    w.option(header.meta.last_log_id.as_ref(), put_log_id);
    w.option(header.meta.last_membership.log_id().as_ref(), put_log_id);
    put_membership(&mut w, header.meta.last_membership.membership());
    w.u64(header.size);
    w.fixed(&header.root);
    w.fixed(&header.state_digest);
    w.count(header.files.len());
    for file in &header.files {
        w.text(&file.name);
        w.u64(file.length);
        w.fixed(&file.digest);
    }
    w.finish()
}

/// Decodes a snapshot's header; file names with folders in them are refused.
pub fn decode_snapshot_header(bytes: &[u8]) -> Result<(Vote, SnapshotHeader), CodecError> {
    let mut r = open(bytes, Kind::SnapshotHeader)?;
    let vote = take_vote(&mut r)?;
    let last_log_id: Option<LogId> = r.option("a log id", take_log_id)?;
    let membership_log_id = r.option("a log id", take_log_id)?;
    let membership = take_membership(&mut r)?;
    let (size, root, state_digest) = (r.u64("the size")?, r.fixed("the root")?, r.fixed("the state digest")?);
    let count = r.count("the files", FILES_MAX)?;
    let mut files = Vec::new();
    for _ in 0..count {
        let name = r.text("a file name", FILE_NAME_BYTES_MAX)?;
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if !plain || name.is_empty() || name.starts_with('.') {
            return Err(CodecError::Invalid { what: "a file name" });
        }
        files.push(SnapshotFile { name, length: r.u64("a length")?, digest: r.fixed("a digest")? });
    }
    r.finish()?;
    let meta = SnapshotMeta { last_log_id, last_membership: StoredMembership::new(membership_log_id, membership) };
    Ok((vote, SnapshotHeader { meta, size, root, state_digest, files }))
}

/// Encodes how many bytes of each file a receiver holds already.
pub fn encode_offsets(offsets: &[u64]) -> Vec<u8> {
    let mut w = start(Kind::SnapshotOffsets);
    w.count(offsets.len());
    for offset in offsets {
        w.u64(*offset);
    }
    w.finish()
}

/// Decodes how many bytes of each file a receiver holds already.
pub fn decode_offsets(bytes: &[u8]) -> Result<Vec<u64>, CodecError> {
    let mut r = open(bytes, Kind::SnapshotOffsets)?;
    let count = r.count("the files", FILES_MAX)?;
    let offsets = (0..count).map(|_| r.u64("an offset")).collect::<Result<_, _>>()?;
    r.finish()?;
    Ok(offsets)
}

/// Encodes the answer to an installed snapshot.
pub fn encode_snapshot_response(response: &SnapshotResponse<TypeConfig>) -> Vec<u8> {
    let mut w = start(Kind::SnapshotResponse);
    put_vote(&mut w, &response.vote);
    w.finish()
}

/// Decodes the answer to an installed snapshot.
pub fn decode_snapshot_response(bytes: &[u8]) -> Result<SnapshotResponse<TypeConfig>, CodecError> {
    let mut r = open(bytes, Kind::SnapshotResponse)?;
    let vote = take_vote(&mut r)?;
    r.finish()?;
    Ok(SnapshotResponse::new(vote))
}
