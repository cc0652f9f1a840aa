//! Every key of the state: one number, one file and one record type each. Numbers are append-only.
//!
//! A key's bytes are its number, then its parts: names after one byte of length, numbers big-endian, the last text bare.

mod accumulator;
mod active_bundle;
mod adjustment;
mod agent_key;
mod approval;
mod budget;
mod bundle;
mod credential;
mod credential_name;
mod decided;
mod decision_status;
mod effect_key;
mod environments;
mod erased_payload;
mod expiry;
mod expiry_bucket;
mod expiry_cursor;
mod implicit_run;
mod keyring;
mod kill_switch;
mod lease;
mod lease_index;
mod ledger;
mod memory;
mod message_nonce;
mod nesting;
mod offered_bundle;
mod outstanding;
mod pending_call;
mod principal;
mod progress;
mod rate;
mod recent_calls;
mod request;
mod request_bucket;
mod request_window;
mod run;
mod run_counts;
mod run_rate;
mod runtime_rules;
mod signal;
mod subject_state;
mod tenant;
mod tenant_settings;
mod value_digest;

pub use accumulator::AccumulatorRecord;
pub use active_bundle::ActiveBundleRecord;
pub use adjustment::AdjustmentRecord;
pub use agent_key::{AgentKeyRecord, pair_text};
pub use approval::{ApprovalRecord, ApprovalStatus, Vote};
pub use budget::BudgetRecord;
pub use bundle::BundleRecord;
pub use credential::CredentialRecord;
pub use credential_name::CredentialNameRecord;
pub(crate) use decided::PAIRS_MAX;
pub use decided::{DecidedRecord, DecisionTerms, RuledRecord};
pub use decision_status::{DecisionStatusRecord, ReplacedDecision};
pub use effect_key::EffectKeyRecord;
pub use environments::EnvironmentsRecord;
pub use erased_payload::ErasedPayloadRecord;
pub use expiry::ExpiryRecord;
pub use expiry_bucket::ExpiryBucketRecord;
pub use expiry_cursor::ExpiryCursorRecord;
pub use implicit_run::ImplicitRunRecord;
pub use keyring::{KeyEvent, KeyringRecord};
pub use kill_switch::KillSwitchRecord;
pub use lease::{ALL_ACTIONS, LeaseConstraints, LeaseRecord};
pub use lease_index::LeaseIndexRecord;
pub use ledger::LedgerRecord;
pub use memory::{MemoryEntry, MemoryKey, MemoryQuery, MemoryRecord};
pub use message_nonce::MessageNonceRecord;
pub use nesting::{NestingRecord, NotUnderWay, UnderWay};
pub use offered_bundle::OfferedBundleRecord;
pub use outstanding::{OutstandingRecord, RedeemedRecord};
pub use pending_call::PendingCall;
pub use principal::PrincipalRecord;
pub use progress::{CosignedRecord, ProgressRecord};
pub use rate::RateRecord;
pub use recent_calls::{CallDigest, RecentCalls, call_digest};
pub use request::RequestRecord;
pub use request_bucket::RequestBucketRecord;
pub use request_window::RequestWindowRecord;
pub(crate) use run::read_mode;
pub use run::{RunCounters, RunMode, RunRecord, ShadowState};
pub use run_counts::{Counted, CountedKind, RunCountsRecord, is_among};
pub use run_rate::{Bucket, RunRate};
pub use runtime_rules::RuntimeRulesRecord;
pub use signal::{Reported, SignalRecord};
pub use subject_state::{InboxLabel, SubjectStateRecord};
pub use tenant::TenantRecord;
pub use tenant_settings::TenantSettingsRecord;
pub use value_digest::{ValueDigest, value_digest};

use assent_ledger::hash::Hash;
use assent_ledger::ids::TenantId;

use crate::codec::{CodecError, Reader, Writer};
use crate::command::RequestId;
use crate::limits::TEXT_BYTES_MAX;

/// Where a record of the state stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKey {
    /// The ledger's parameters.
    Ledger,
    /// How far time, seals, cosignatures and anchors have come.
    Progress,
    /// Endorsements and retirements, in their order.
    Keyring,
    /// Which request ids are remembered.
    RequestWindow,
    /// A tenant.
    Tenant(TenantId),
    /// A subject of a tenant.
    Principal(TenantId, String),
    /// A credential, by the hash of its token.
    Credential(Hash),
    /// A credential, by its name.
    CredentialName(TenantId, String),
    /// A run.
    Run(TenantId, String),
    /// The implicit run of a subject.
    ImplicitRun(TenantId, String),
    /// The bundle that decides in an environment.
    ActiveBundle(TenantId, String),
    /// In which environments a tenant has bundles.
    Environments(TenantId),
    /// That a bundle was offered to a tenant.
    OfferedBundle(TenantId, Hash),
    /// A bundle's source, by its hash; shared by all who offered it.
    Bundle(Hash),
    /// Digest over the requests of one minute.
    RequestBucket(u64),
    /// One remembered request. Not in the state trie: its bucket's digest is.
    Request {
        /// The minute of the request id's own time.
        bucket: u64,
        /// The caller's tenant.
        tenant: TenantId,
        /// The id.
        id: RequestId,
        /// Whose id it is, as of `Command::principal`.
        principal: String,
    },
    /// What holds for all runs of a subject.
    SubjectState(TenantId, String),
    /// The rules that are asked before those of the bundle in an environment.
    RuntimeRules(TenantId, String),
    /// Something about memory, by `MemoryKey::text`.
    Memory(TenantId, String),
    /// A nonce that was used, by `pair_text` of sender and nonce.
    MessageNonce(TenantId, String),
    /// A key with which an agent signs, by `pair_text` of subject and key id.
    AgentKey(TenantId, String),
    /// A kill switch, by `KillTarget::key`.
    KillSwitch(TenantId, String),
    /// That a payload was erased, by its commitment.
    ErasedPayload(TenantId, Hash),
    /// How a tenant is decided for.
    TenantSettings(TenantId),
    /// A decision that may be redeemed, or was, by its position.
    Outstanding(u64),
    /// What of a budget is used that is not a run's, by its key.
    Budget(TenantId, String),
    /// The bucket of a rate that is not a run's, by its key.
    Rate(TenantId, String),
    /// All that is counted in a run, by its id.
    RunCounts(TenantId, String),
    /// What calls of a day added up to under a contract across steps.
    Accumulator(TenantId, String),
    /// How many rows end in a minute.
    ExpiryBucket(u64),
    /// What ends in a minute: the minute and the row.
    Expiry(u64, u32),
    /// That an effect was allowed.
    EffectKey(TenantId, Hash),
    /// How far expiries were walked.
    ExpiryCursor,
    /// A lease, by its id.
    Lease(TenantId, String),
    /// What a subject holds and waits for.
    LeaseIndex(TenantId, String),
    /// An approval, by its id.
    Approval(TenantId, String),
    /// The call that an approval is about, by the approval's id.
    PendingCall(TenantId, String),
    /// What became of a decision that waited for people, by the decision's id.
    DecisionStatus(TenantId, String),
    /// What was reported about a run, a subject or the tenant, by `SignalScope::key`.
    Signal(TenantId, String),
    /// What orchestration rules have made stricter in a run.
    Adjustment(TenantId, String),
    /// The executions of a run that are under way.
    Nesting(TenantId, String),
}

const LEDGER: u8 = 1;
const PROGRESS: u8 = 2;
const KEYRING: u8 = 3;
const REQUEST_WINDOW: u8 = 4;
const TENANT: u8 = 10;
const PRINCIPAL: u8 = 11;
const CREDENTIAL: u8 = 12;
const CREDENTIAL_NAME: u8 = 13;
const RUN: u8 = 14;
const IMPLICIT_RUN: u8 = 15;
const ACTIVE_BUNDLE: u8 = 16;
const OFFERED_BUNDLE: u8 = 17;
const BUNDLE: u8 = 18;
const REQUEST_BUCKET: u8 = 20;
const REQUEST: u8 = 21;
const MEMORY: u8 = 34;
const RUNTIME_RULES: u8 = 38;
const MESSAGE_NONCE: u8 = 35;
const AGENT_KEY: u8 = 36;
const KILL_SWITCH: u8 = 31;
const SIGNAL: u8 = 33;
const ADJUSTMENT: u8 = 44;
const NESTING: u8 = 45;
const ACCUMULATOR: u8 = 41;
const SUBJECT_STATE: u8 = 32;
const ERASED_PAYLOAD: u8 = 39;
const TENANT_SETTINGS: u8 = 42;
const OUTSTANDING: u8 = 22;
const BUDGET: u8 = 25;
const RATE: u8 = 26;
const EXPIRY_BUCKET: u8 = 23;
const EXPIRY: u8 = 24;
const EFFECT_KEY: u8 = 37;
const EXPIRY_CURSOR: u8 = 43;
const LEASE: u8 = 27;
const LEASE_INDEX: u8 = 28;
const APPROVAL: u8 = 29;
const PENDING_CALL: u8 = 30;
const DECISION_STATUS: u8 = 40;
const ENVIRONMENTS: u8 = 46;
const RUN_COUNTS: u8 = 47;

impl StateKey {
    /// The number of the key's kind.
    pub const fn number(&self) -> u8 {
        match self {
            StateKey::Ledger => LEDGER,
            StateKey::Progress => PROGRESS,
            StateKey::Keyring => KEYRING,
            StateKey::RequestWindow => REQUEST_WINDOW,
            StateKey::Tenant(_) => TENANT,
            StateKey::Principal(..) => PRINCIPAL,
            StateKey::Credential(_) => CREDENTIAL,
            StateKey::CredentialName(..) => CREDENTIAL_NAME,
            StateKey::Run(..) => RUN,
            StateKey::ImplicitRun(..) => IMPLICIT_RUN,
            StateKey::ActiveBundle(..) => ACTIVE_BUNDLE,
            StateKey::Environments(_) => ENVIRONMENTS,
            StateKey::OfferedBundle(..) => OFFERED_BUNDLE,
            StateKey::Bundle(_) => BUNDLE,
            StateKey::RequestBucket(_) => REQUEST_BUCKET,
            StateKey::Request { .. } => REQUEST,
            StateKey::Memory(..) => MEMORY,
            StateKey::RuntimeRules(..) => RUNTIME_RULES,
            StateKey::MessageNonce(..) => MESSAGE_NONCE,
            StateKey::AgentKey(..) => AGENT_KEY,
            StateKey::KillSwitch(..) => KILL_SWITCH,
            StateKey::Accumulator(..) => ACCUMULATOR,
            StateKey::RunCounts(..) => RUN_COUNTS,
            StateKey::SubjectState(..) => SUBJECT_STATE,
            StateKey::ErasedPayload(..) => ERASED_PAYLOAD,
            StateKey::TenantSettings(_) => TENANT_SETTINGS,
            StateKey::Outstanding(_) => OUTSTANDING,
            StateKey::Budget(..) => BUDGET,
            StateKey::Rate(..) => RATE,
            StateKey::ExpiryBucket(_) => EXPIRY_BUCKET,
            StateKey::Expiry(..) => EXPIRY,
            StateKey::EffectKey(..) => EFFECT_KEY,
            StateKey::ExpiryCursor => EXPIRY_CURSOR,
            StateKey::Lease(..) => LEASE,
            StateKey::LeaseIndex(..) => LEASE_INDEX,
            StateKey::Approval(..) => APPROVAL,
            StateKey::PendingCall(..) => PENDING_CALL,
            StateKey::DecisionStatus(..) => DECISION_STATUS,
            StateKey::Signal(..) => SIGNAL,
            StateKey::Adjustment(..) => ADJUSTMENT,
            StateKey::Nesting(..) => NESTING,
        }
    }

    /// Whether the state trie holds the record itself. Requests are covered by the digest of their bucket.
    pub const fn in_trie(&self) -> bool {
        !matches!(self, StateKey::Request { .. })
    }

    /// The key's bytes; their order groups a tenant's records and a bucket's requests.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(self.number());
        match self {
            StateKey::Tenant(tenant) | StateKey::TenantSettings(tenant) | StateKey::Environments(tenant) => {
                w.fixed(tenant.as_str().as_bytes());
            }
            StateKey::Ledger
            | StateKey::Progress
            | StateKey::Keyring
            | StateKey::RequestWindow
            | StateKey::ExpiryCursor => {}
            StateKey::Principal(tenant, text)
            | StateKey::CredentialName(tenant, text)
            | StateKey::Run(tenant, text)
            | StateKey::ImplicitRun(tenant, text)
            | StateKey::ActiveBundle(tenant, text)
            | StateKey::KillSwitch(tenant, text)
            | StateKey::Memory(tenant, text)
            | StateKey::RuntimeRules(tenant, text)
            | StateKey::MessageNonce(tenant, text)
            | StateKey::AgentKey(tenant, text)
            | StateKey::Accumulator(tenant, text)
            | StateKey::RunCounts(tenant, text)
            | StateKey::Lease(tenant, text)
            | StateKey::LeaseIndex(tenant, text)
            | StateKey::Approval(tenant, text)
            | StateKey::PendingCall(tenant, text)
            | StateKey::DecisionStatus(tenant, text)
            | StateKey::Signal(tenant, text)
            | StateKey::Adjustment(tenant, text)
            | StateKey::Nesting(tenant, text)
            | StateKey::Budget(tenant, text)
            | StateKey::Rate(tenant, text)
            | StateKey::SubjectState(tenant, text) => {
                write_tenant(tenant, &mut w);
                w.fixed(text.as_bytes());
            }
            StateKey::OfferedBundle(tenant, hash)
            | StateKey::ErasedPayload(tenant, hash)
            | StateKey::EffectKey(tenant, hash) => {
                write_tenant(tenant, &mut w);
                w.fixed(&hash.0);
            }
            StateKey::Credential(hash) | StateKey::Bundle(hash) => w.fixed(&hash.0),
            StateKey::RequestBucket(number) | StateKey::ExpiryBucket(number) | StateKey::Outstanding(number) => {
                w.u64(*number)
            }
            StateKey::Expiry(minute, row) => {
                w.u64(*minute);
                w.u32(*row);
            }
            StateKey::Request { bucket, tenant, principal, id } => {
                w.u64(*bucket);
                write_tenant(tenant, &mut w);
                w.fixed(id.as_bytes());
                w.fixed(principal.as_bytes());
            }
        }
        w.finish()
    }

    /// Reads a key strictly; any bytes are safe.
    pub fn decode(bytes: &[u8]) -> Result<StateKey, CodecError> {
        let mut r = Reader::new(bytes);
        let number = r.u8("a state key")?;
        let key = match number {
            LEDGER => StateKey::Ledger,
            PROGRESS => StateKey::Progress,
            KEYRING => StateKey::Keyring,
            REQUEST_WINDOW => StateKey::RequestWindow,
            TENANT => StateKey::Tenant(read_last_tenant(&mut r)?),
            PRINCIPAL => StateKey::Principal(read_tenant(&mut r)?, read_name(&mut r)?),
            CREDENTIAL => StateKey::Credential(r.hash("a token hash")?),
            CREDENTIAL_NAME => StateKey::CredentialName(read_tenant(&mut r)?, read_name(&mut r)?),
            RUN => StateKey::Run(read_tenant(&mut r)?, read_name(&mut r)?),
            IMPLICIT_RUN => StateKey::ImplicitRun(read_tenant(&mut r)?, read_name(&mut r)?),
            ACTIVE_BUNDLE => StateKey::ActiveBundle(read_tenant(&mut r)?, read_name(&mut r)?),
            OFFERED_BUNDLE => StateKey::OfferedBundle(read_tenant(&mut r)?, r.hash("a bundle")?),
            BUNDLE => StateKey::Bundle(r.hash("a bundle")?),
            REQUEST_BUCKET => StateKey::RequestBucket(r.u64("a bucket")?),
            REQUEST => read_request(&mut r)?,
            RUNTIME_RULES => StateKey::RuntimeRules(read_tenant(&mut r)?, read_name(&mut r)?),
            MEMORY => StateKey::Memory(read_tenant(&mut r)?, read_name(&mut r)?),
            MESSAGE_NONCE => StateKey::MessageNonce(read_tenant(&mut r)?, read_name(&mut r)?),
            AGENT_KEY => StateKey::AgentKey(read_tenant(&mut r)?, read_name(&mut r)?),
            ACCUMULATOR => StateKey::Accumulator(read_tenant(&mut r)?, read_name(&mut r)?),
            RUN_COUNTS => StateKey::RunCounts(read_tenant(&mut r)?, read_name(&mut r)?),
            KILL_SWITCH => StateKey::KillSwitch(read_tenant(&mut r)?, read_name(&mut r)?),
            SUBJECT_STATE => StateKey::SubjectState(read_tenant(&mut r)?, read_name(&mut r)?),
            ERASED_PAYLOAD => StateKey::ErasedPayload(read_tenant(&mut r)?, r.hash("a commitment")?),
            TENANT_SETTINGS => StateKey::TenantSettings(read_last_tenant(&mut r)?),
            ENVIRONMENTS => StateKey::Environments(read_last_tenant(&mut r)?),
            OUTSTANDING => StateKey::Outstanding(r.u64("a position")?),
            BUDGET => StateKey::Budget(read_tenant(&mut r)?, read_name(&mut r)?),
            RATE => StateKey::Rate(read_tenant(&mut r)?, read_name(&mut r)?),
            EXPIRY_BUCKET => StateKey::ExpiryBucket(r.u64("a minute")?),
            EXPIRY => StateKey::Expiry(r.u64("a minute")?, r.u32("a row")?),
            EFFECT_KEY => StateKey::EffectKey(read_tenant(&mut r)?, r.hash("an effect")?),
            EXPIRY_CURSOR => StateKey::ExpiryCursor,
            LEASE => StateKey::Lease(read_tenant(&mut r)?, read_name(&mut r)?),
            LEASE_INDEX => StateKey::LeaseIndex(read_tenant(&mut r)?, read_name(&mut r)?),
            APPROVAL => StateKey::Approval(read_tenant(&mut r)?, read_name(&mut r)?),
            PENDING_CALL => StateKey::PendingCall(read_tenant(&mut r)?, read_name(&mut r)?),
            ADJUSTMENT => StateKey::Adjustment(read_tenant(&mut r)?, read_name(&mut r)?),
            NESTING => StateKey::Nesting(read_tenant(&mut r)?, read_name(&mut r)?),
            SIGNAL => StateKey::Signal(read_tenant(&mut r)?, read_name(&mut r)?),
            DECISION_STATUS => StateKey::DecisionStatus(read_tenant(&mut r)?, read_name(&mut r)?),
            _ => return Err(CodecError::Choice { what: "a state key", got: u64::from(number) }),
        };
        r.finish()?;
        Ok(key)
    }

    /// What the encoded keys of a bucket's requests start with, and no other key does.
    pub fn request_prefix(bucket: u64) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(REQUEST);
        w.u64(bucket);
        w.finish()
    }
}

fn write_tenant(tenant: &TenantId, w: &mut Writer) {
    // A tenant's name has at most 64 bytes.
    w.u8(u8::try_from(tenant.as_str().len()).unwrap_or(u8::MAX));
    w.fixed(tenant.as_str().as_bytes());
}

fn read_tenant(r: &mut Reader<'_>) -> Result<TenantId, CodecError> {
    let what = "a tenant";
    let length = usize::from(r.u8(what)?);
    let name = core::str::from_utf8(r.take(length, what)?).map_err(|_| CodecError::Invalid { what })?;
    TenantId::new(name).map_err(|_| CodecError::Invalid { what })
}

fn read_last_tenant(r: &mut Reader<'_>) -> Result<TenantId, CodecError> {
    let what = "a tenant";
    TenantId::new(r.rest_text(what, TEXT_BYTES_MAX)?).map_err(|_| CodecError::Invalid { what })
}

fn read_name(r: &mut Reader<'_>) -> Result<String, CodecError> {
    r.rest_text("a name", TEXT_BYTES_MAX)
}

fn read_request(r: &mut Reader<'_>) -> Result<StateKey, CodecError> {
    let bucket = r.u64("a bucket")?;
    let tenant = read_tenant(r)?;
    let what = "a request id";
    let id = RequestId::from_bytes(r.fixed(what)?).map_err(|_| CodecError::Invalid { what })?;
    Ok(StateKey::Request { bucket, tenant, id, principal: r.rest_text("a principal", 2 * TEXT_BYTES_MAX)? })
}

const _: () = assert!(assent_ledger::limits::TENANT_BYTES_MAX <= u8::MAX as usize);
