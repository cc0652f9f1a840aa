//! The bytes of votes, log ids, memberships and entries: in the Raft log, in RocksDB and between nodes.
//!
//! openraft's own derives promise no stable format, so each byte is written down here. Numbers are big-endian; lists and
//! texts carry a 32-bit length. The stored forms ([`encode_vote`], [`encode_log_id`], [`entry_to_record`]) begin with a
//! version byte; the `put_` and `take_` pairs are parts of messages that carry a version of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assent_kernel::codec::{CodecError, Reader, Writer};
use openraft::EntryPayload;
use openraft::impls::leader_id_adv::LeaderId;

use super::types::{CommandBatch, Entry, LogId, Member, Membership, Vote};
use crate::rlog::LogRecord;

const VERSION: u8 = 1;
const KIND_BLANK: u8 = 0;
const KIND_NORMAL: u8 = 1;
const KIND_MEMBERSHIP: u8 = 2;

/// The most bytes an entry's payload may have.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// The most voter sets in a membership; two while it changes.
const CONFIGS_MAX: usize = 16;
/// The most nodes in a membership.
const NODES_MAX: usize = 1024;
/// The most bytes a node's name or address may have.
const TEXT_BYTES_MAX: usize = 1024;

/// Writes a log id: term, node and index, eight bytes each.
pub fn put_log_id(w: &mut Writer, id: &LogId) {
    w.u64(id.leader_id.term);
    w.u64(id.leader_id.node_id);
    w.u64(id.index);
}

/// Reads what [`put_log_id`] wrote.
///
/// # Errors
/// When the bytes end early.
pub fn take_log_id(r: &mut Reader<'_>) -> Result<LogId, CodecError> {
    let leader_id = take_leader(r)?;
    Ok(LogId::new(leader_id, r.u64("log index")?))
}

fn take_leader(r: &mut Reader<'_>) -> Result<LeaderId<u64, u64>, CodecError> {
    Ok(LeaderId { term: r.u64("term")?, node_id: r.u64("leader node")? })
}

/// Writes a vote: term and node, eight bytes each, and a byte that says whether a quorum granted it.
pub fn put_vote(w: &mut Writer, vote: &Vote) {
    w.u64(vote.leader_id.term);
    w.u64(vote.leader_id.node_id);
    w.bool(vote.committed);
}

/// Reads what [`put_vote`] wrote.
///
/// # Errors
/// When the bytes end early or the last is neither 0 nor 1.
pub fn take_vote(r: &mut Reader<'_>) -> Result<Vote, CodecError> {
    let leader_id = take_leader(r)?;
    Ok(Vote { leader_id, committed: r.bool("vote committed")? })
}

/// Writes a membership: the voter sets as lists of node ids, then all nodes as id, name, peer and client address.
pub fn put_membership(w: &mut Writer, membership: &Membership) {
    let configs = membership.get_joint_config();
    w.count(configs.len());
    for config in configs {
        w.count(config.len());
        config.iter().for_each(|id| w.u64(*id));
    }
    w.count(membership.nodes().count());
    for (id, member) in membership.nodes() {
        w.u64(*id);
        w.text(&member.name);
        w.text(&member.peer_address);
        w.text(&member.client_address);
    }
}

/// Reads what [`put_membership`] wrote. Ids must ascend: there is one encoding of each membership.
///
/// # Errors
/// When the bytes end early, exceed a bound, are out of order, or name a voter that is no node.
pub fn take_membership(r: &mut Reader<'_>) -> Result<Membership, CodecError> {
    let mut configs = Vec::new();
    for _ in 0..r.count("voter sets", CONFIGS_MAX)? {
        let mut config = BTreeSet::new();
        for _ in 0..r.count("voters", NODES_MAX)? {
            let id = r.u64("voter")?;
            ascending(config.last(), id)?;
            config.insert(id);
        }
        configs.push(config);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..r.count("nodes", NODES_MAX)? {
        let id = r.u64("node id")?;
        ascending(nodes.last_key_value().map(|(last, _)| last), id)?;
        let name = r.text("node name", TEXT_BYTES_MAX)?;
        let peer_address = r.text("peer address", TEXT_BYTES_MAX)?;
        let client_address = r.text("client address", TEXT_BYTES_MAX)?;
        nodes.insert(id, Member { name, peer_address, client_address });
    }
    Membership::new(configs, nodes).map_err(|_| CodecError::Invalid { what: "membership" })
}

fn ascending(last: Option<&u64>, id: u64) -> Result<(), CodecError> {
    if last.is_none_or(|last| *last < id) { Ok(()) } else { Err(CodecError::Invalid { what: "order of node ids" }) }
}

/// Writes an entry: log id, kind, payload after its length.
pub fn put_entry(w: &mut Writer, entry: &Entry) {
    put_log_id(w, &entry.log_id);
    let (kind, payload) = encode_entry_payload(entry);
    w.u8(kind);
    w.bytes(&payload);
}

/// Reads what [`put_entry`] wrote.
///
/// # Errors
/// When the bytes end early, exceed a bound, or are no payload of the kind they claim.
pub fn take_entry(r: &mut Reader<'_>) -> Result<Entry, CodecError> {
    let log_id = take_log_id(r)?;
    let kind = r.u8("entry kind")?;
    let payload = Arc::from(r.bytes("entry payload", PAYLOAD_BYTES_MAX)?);
    Ok(Entry { log_id, payload: decode_entry_payload(kind, payload)? })
}

/// The kind and the bytes of an entry's payload. Commands are shared, not copied.
pub fn encode_entry_payload(entry: &Entry) -> (u8, Arc<[u8]>) {
    match &entry.payload {
        EntryPayload::Blank => (KIND_BLANK, Arc::from([])),
        EntryPayload::Normal(batch) => (KIND_NORMAL, Arc::clone(&batch.0)),
        EntryPayload::Membership(membership) => {
            let mut w = Writer::new();
            put_membership(&mut w, membership);
            (KIND_MEMBERSHIP, Arc::from(w.finish()))
        }
    }
}

/// The payload of `kind` in `bytes`.
///
/// # Errors
/// When there is no such kind or the bytes are none of it.
pub fn decode_entry_payload(kind: u8, bytes: Arc<[u8]>) -> Result<EntryPayload<CommandBatch, u64, Member>, CodecError> {
    match kind {
        KIND_BLANK if bytes.is_empty() => Ok(EntryPayload::Blank),
        KIND_BLANK => Err(CodecError::Trailing { left: bytes.len() }),
        KIND_NORMAL => Ok(EntryPayload::Normal(CommandBatch(bytes))),
        KIND_MEMBERSHIP => {
            let mut r = Reader::new(&bytes);
            let membership = take_membership(&mut r)?;
            r.finish()?;
            Ok(EntryPayload::Membership(membership))
        }
        got => Err(CodecError::Choice { what: "entry kind", got: u64::from(got) }),
    }
}

/// An entry as the Raft log keeps it: meta is version, kind, term and node; the payload is that of the entry.
pub fn entry_to_record(entry: &Entry) -> LogRecord {
    let (kind, payload) = encode_entry_payload(entry);
    let mut meta = Writer::versioned(VERSION);
    meta.u8(kind);
    meta.u64(entry.log_id.leader_id.term);
    meta.u64(entry.log_id.leader_id.node_id);
    LogRecord { index: entry.log_id.index, meta: meta.finish(), payload }
}

/// The entry in a record of the Raft log.
///
/// # Errors
/// When another version wrote it, or no entry is in it.
pub fn record_to_entry(record: &LogRecord) -> Result<Entry, CodecError> {
    let (kind, log_id) = record_head(record)?;
    Ok(Entry { log_id, payload: decode_entry_payload(kind, Arc::clone(&record.payload))? })
}

/// The log id of a record, without a look at its payload.
///
/// # Errors
/// When another version wrote it, or no entry is in it.
pub fn record_log_id(record: &LogRecord) -> Result<LogId, CodecError> {
    record_head(record).map(|(_, log_id)| log_id)
}

fn record_head(record: &LogRecord) -> Result<(u8, LogId), CodecError> {
    let mut r = Reader::versioned(&record.meta, "raft log entry", VERSION)?;
    let kind = r.u8("entry kind")?;
    let leader_id = take_leader(&mut r)?;
    r.finish()?;
    Ok((kind, LogId::new(leader_id, record.index)))
}

/// A log id as it is stored.
pub fn encode_log_id(id: &LogId) -> Vec<u8> {
    let mut w = Writer::versioned(VERSION);
    put_log_id(&mut w, id);
    w.finish()
}

/// Reads what [`encode_log_id`] wrote.
///
/// # Errors
/// When another version wrote it, or the bytes are not exactly one log id.
pub fn decode_log_id(bytes: &[u8]) -> Result<LogId, CodecError> {
    let mut r = Reader::versioned(bytes, "log id", VERSION)?;
    let id = take_log_id(&mut r)?;
    r.finish()?;
    Ok(id)
}

/// A vote as it is stored.
pub fn encode_vote(vote: &Vote) -> Vec<u8> {
    let mut w = Writer::versioned(VERSION);
    put_vote(&mut w, vote);
    w.finish()
}

/// Reads what [`encode_vote`] wrote.
///
/// # Errors
/// When another version wrote it, or the bytes are not exactly one vote.
pub fn decode_vote(bytes: &[u8]) -> Result<Vote, CodecError> {
    let mut r = Reader::versioned(bytes, "vote", VERSION)?;
    let vote = take_vote(&mut r)?;
    r.finish()?;
    Ok(vote)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    fn log_id() -> impl Strategy<Value = LogId> {
        any::<(u64, u64, u64)>().prop_map(|(term, node_id, index)| LogId::new(LeaderId { term, node_id }, index))
    }

    fn membership() -> impl Strategy<Value = Membership> {
        let sets = prop::collection::vec(prop::collection::btree_set(0_u64..9, 1..5), 0..3);
        (sets, prop::collection::btree_map(any::<u64>(), ".{0,9}", 0..4)).prop_map(|(sets, learners)| {
            let member = |name: &str| Member {
                name: name.to_owned(),
                peer_address: format!("{name}:1"),
                client_address: String::new(),
            };
            let mut nodes: BTreeMap<_, _> = learners.iter().map(|(id, name)| (*id, member(name))).collect();
            nodes.extend(sets.iter().flatten().map(|id| (*id, member("voter"))));
            Membership::new(sets, nodes).unwrap()
        })
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let payload = prop_oneof![
            Just(EntryPayload::Blank),
            prop::collection::vec(any::<u8>(), 0..99).prop_map(|b| EntryPayload::Normal(CommandBatch(Arc::from(b)))),
            membership().prop_map(EntryPayload::Membership),
        ];
        (log_id(), payload).prop_map(|(log_id, payload)| Entry { log_id, payload })
    }

    proptest! {
        #[test]
        fn entries_come_back(entry in entry()) {
            let record = entry_to_record(&entry);
            prop_assert_eq!(record_log_id(&record).unwrap(), entry.log_id);
            prop_assert_eq!(&record_to_entry(&record).unwrap(), &entry);
            let mut w = Writer::new();
            put_entry(&mut w, &entry);
            let bytes = w.finish();
            let mut r = Reader::new(&bytes);
            prop_assert_eq!(&take_entry(&mut r).unwrap(), &entry);
            r.finish().unwrap();
            for len in 0..bytes.len() {
                prop_assert!(take_entry(&mut Reader::new(&bytes[..len])).is_err());
            }
        }

        #[test]
        fn votes_and_log_ids_come_back(id in log_id(), committed: bool) {
            let vote = Vote { leader_id: id.leader_id, committed };
            prop_assert_eq!(decode_log_id(&encode_log_id(&id)).unwrap(), id);
            prop_assert_eq!(decode_vote(&encode_vote(&vote)).unwrap(), vote);
        }

        #[test]
        fn arbitrary_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = take_entry(&mut Reader::new(&bytes));
            let _ = decode_vote(&bytes);
            let _ = decode_log_id(&bytes);
        }
    }

    #[test]
    fn the_stored_bytes_are_these() {
        let leader_id = LeaderId { term: 2, node_id: 3 };
        assert_eq!(
            encode_vote(&Vote { leader_id, committed: true }),
            [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 1]
        );
        let id = LogId::new(leader_id, 4);
        assert_eq!(encode_log_id(&id), [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4]);
        let member = Member { name: "a".into(), peer_address: "b".into(), client_address: String::new() };
        let membership = Membership::new(vec![BTreeSet::from([7])], BTreeMap::from([(7, member)])).unwrap();
        let record = entry_to_record(&Entry { log_id: id, payload: EntryPayload::Membership(membership) });
        assert_eq!(record.meta, [1, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
        let expected = [
            0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, // one voter set of one voter
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, // one node, 7
            0, 0, 0, 1, b'a', 0, 0, 0, 1, b'b', 0, 0, 0, 0,
        ];
        assert_eq!(record.payload.as_ref(), expected);
    }
}
