//! What applying a batch gives: everything that the shell stores in one write, and every answer.

use assent_ledger::chain::{Head, TenantHead};
use assent_ledger::hash::Hash;
use assent_ledger::ids::{NodeId, Seq, TenantId, TenantSeq, Time, TreeSize};
use assent_ledger::seal::SpanSealed;
use assent_ledger::tree::{Frontier, NodeAddress};

use crate::codec::{CodecError, Reader, Writer};
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::state::Changes;
use crate::state::keys::{DecidedRecord, DecisionTerms, RuledRecord};
use crate::verdict::Verdict;

/// Where a batch stands in the log, and who the cluster is; recorded in seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    /// Index in the Raft log.
    pub index: u64,
    /// Raft term of the batch.
    pub term: u64,
    /// The node that proposed it.
    pub leader: NodeId,
    /// The voters; order and repetitions do not matter.
    pub membership: Vec<NodeId>,
}

/// A payload of an entry, encrypted. `data_key` is to be wrapped under the tenant's key and never stored bare.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPayload {
    /// `SHA-256(salt ‖ bytes)`, as the leaf has it.
    pub commitment: Hash,
    /// Media type.
    pub content_type: String,
    /// What the payload is to the event.
    pub role: String,
    /// Length of the bytes, without salt and tag.
    pub length: u64,
    /// The encrypted salt and bytes.
    pub ciphertext: Vec<u8>,
    /// The key, used for this payload only.
    pub data_key: [u8; 32],
}

impl core::fmt::Debug for SealedPayload {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The data key is never printed.
        write!(f, "SealedPayload({} {}, {} bytes)", self.role, self.commitment, self.length)
    }
}

/// A new entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedEntry {
    /// Its position.
    pub seq: Seq,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its position in the tenant's chain.
    pub tseq: TenantSeq,
    /// The leaf's bytes.
    pub leaf: Vec<u8>,
    /// The leaf's hash.
    pub hash: Hash,
    /// The event type.
    pub kind: &'static str,
    /// The run, if any.
    pub run_id: Option<String>,
    /// Its time.
    pub time: Time,
    /// The verdict, if it is a decision.
    pub verdict: Option<Verdict>,
    /// The tool, if it is a decision.
    pub tool: Option<String>,
    /// Its payloads, in the order of the leaf.
    pub payloads: Vec<SealedPayload>,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A call was decided; the decision is on the ledger.
    Decided {
        /// The decision's entry.
        seq: Seq,
        /// The decision's event id.
        decision_id: String,
        /// The run, if the call got that far.
        run_id: Option<String>,
        /// The verdict.
        verdict: Verdict,
        /// The reasons, by ascending number.
        codes: Vec<ReasonCode>,
        /// The salt under which the leaf commits to the request's hash.
        request_salt: [u8; 32],
        /// Under which terms the call may run.
        terms: Box<DecisionTerms>,
        /// Whether this repeats the answer to an earlier command with the same request id.
        replayed: bool,
    },
    /// Something else that an agent asks for was ruled on: a redemption, a capability, a message, an access to memory.
    Ruled {
        /// The ruling's entry.
        seq: Seq,
        /// The entry's event id.
        event_id: String,
        /// Allow or deny.
        verdict: Verdict,
        /// The reasons, by ascending number.
        codes: Vec<ReasonCode>,
        /// What else the caller needs to know: names and values.
        details: Vec<(String, String)>,
        /// Whether this repeats the answer to an earlier command with the same request id.
        replayed: bool,
    },
    /// Another command was recorded.
    Recorded {
        /// Its first entry.
        first_seq: Seq,
        /// How many entries it made.
        count: u32,
        /// Whether this repeats the answer to an earlier command with the same request id.
        replayed: bool,
    },
    /// Nothing was recorded.
    Refused(Refusal),
}

impl Answer {
    /// The answer to a request that made `count` entries from `first_seq`. A decision is always the last entry of its command.
    pub(crate) fn of(
        first_seq: Seq,
        count: u32,
        decided: Option<&DecidedRecord>,
        ruled: Option<&RuledRecord>,
        replayed: bool,
    ) -> Answer {
        let Some(decided) = decided.cloned() else {
            return match ruled.cloned() {
                Some(RuledRecord { seq, event_id, verdict, codes, details }) => {
                    Answer::Ruled { seq, event_id, verdict, codes, details, replayed }
                }
                None => Answer::Recorded { first_seq, count, replayed },
            };
        };
        let DecidedRecord { decision_id, run_id, verdict, codes, request_salt, terms } = decided;
        let seq = Seq(first_seq.0 + u64::from(count.saturating_sub(1)));
        Answer::Decided { seq, decision_id, run_id, verdict, codes, request_salt, terms, replayed }
    }
}

/// A span that was sealed in the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealFacts {
    /// The seal's entry.
    pub seq: Seq,
    /// Size of the checkpoint to be signed: one more than `seq`.
    pub size_after: TreeSize,
    /// Root of the tree of that size.
    pub root_after: Hash,
    /// First entry of the span.
    pub span_start: Seq,
    /// What the seal's leaf says.
    pub body: SpanSealed,
}

/// A checkpoint whose cosignatures were recorded in the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedFacts {
    /// Its size.
    pub size: TreeSize,
    /// SHA-256 of its text.
    pub checkpoint: Hash,
    /// SHA-256 of the manifest.
    pub manifest: Hash,
}

/// The end of the ledger as it is stored: head and frontier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRecord {
    /// Size, last leaf hash and time.
    pub head: Head,
    /// The tree's compact range; its size is the head's.
    pub frontier: Frontier,
}

const HEAD_VERSION: u8 = 1;

impl HeadRecord {
    /// The record's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (_, roots) = self.frontier.to_parts();
        let mut w = Writer::versioned(HEAD_VERSION);
        w.u64(self.head.size.0);
        w.fixed(&self.head.last.0);
        w.u64(self.head.time.0);
        w.count(roots.len());
        for root in roots {
            w.fixed(&root.0);
        }
        w.finish()
    }

    /// Reads a record strictly; any bytes are safe.
    pub fn decode(bytes: &[u8]) -> Result<HeadRecord, CodecError> {
        let what = "a head";
        let mut r = Reader::versioned(bytes, what, HEAD_VERSION)?;
        let head = Head { size: r.size(what)?, last: r.hash(what)?, time: r.time(what)? };
        let mut roots = Vec::new();
        for _ in 0..r.count("the frontier", 64)? {
            roots.push(r.hash("the frontier")?);
        }
        r.finish()?;
        let frontier = Frontier::from_parts(head.size, roots).map_err(|_| CodecError::Invalid { what })?;
        Ok(HeadRecord { head, frontier })
    }
}

const TENANT_HEAD_VERSION: u8 = 1;

/// A tenant's head as bytes.
pub fn encode_tenant_head(head: &TenantHead) -> Vec<u8> {
    let mut w = Writer::versioned(TENANT_HEAD_VERSION);
    w.u64(head.count);
    w.fixed(&head.last.0);
    w.finish()
}

/// Reads a tenant's head strictly; any bytes are safe.
pub fn decode_tenant_head(bytes: &[u8]) -> Result<TenantHead, CodecError> {
    let what = "a tenant's head";
    let mut r = Reader::versioned(bytes, what, TENANT_HEAD_VERSION)?;
    let head = TenantHead { count: r.u64(what)?, last: r.hash(what)? };
    r.finish()?;
    Ok(head)
}

/// All that one batch came to. The shell stores it in one write and only then answers.
#[derive(Debug, Clone)]
pub struct AppliedBatch {
    /// New entries, in their order.
    pub entries: Vec<AppliedEntry>,
    /// New perfect nodes of the tree, in the order of their completion.
    pub nodes: Vec<(NodeAddress, Hash)>,
    /// Changed records, by key; `None` removes.
    pub state: Changes,
    /// Buckets whose requests are all to be removed (`StateKey::request_prefix`), before `state` is written.
    pub dropped_buckets: Vec<u64>,
    /// The end of the ledger after the batch.
    pub head: HeadRecord,
    /// Changed ends of tenants' chains, by tenant.
    pub tenant_heads: Vec<(TenantId, TenantHead)>,
    /// Keys of new tenants; not in any entry and not in the state.
    pub tenant_keys: Vec<(TenantId, [u8; 32])>,
    /// One answer per command, in their order.
    pub answers: Vec<Answer>,
    /// Seals, in their order.
    pub sealed: Vec<SealFacts>,
    /// Cosigned checkpoints, in their order.
    pub cosigned: Vec<CosignedFacts>,
    /// Erased payloads, by tenant and commitment: the wrapped key of each goes in the same write, if the payload is the tenant's.
    /// A payload of this very batch may be among them.
    pub erased: Vec<(TenantId, Hash)>,
}
