//! Every cap of the kernel's commands and state, in one place, with the relations between them checked at compile time.

use assent_ledger::limits as ledger;

use crate::state::keys::{RunCounters, RunCountsRecord};
use crate::taint::TaintSource;

/// Version of the decisions that this code makes; recorded in the genesis and in every seal.
pub const KERNEL_VERSION: u32 = 1;
/// Versions whose decisions this code can make, ascending.
pub const KERNEL_VERSIONS: &[u32] = &[1];
/// Most nodes of a cluster.
pub const MEMBERS_MAX: usize = 64;

/// Most commands in one batch (one Raft entry).
pub const COMMANDS_PER_BATCH_MAX: usize = 4_096;
/// Longest encoded batch, in bytes.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// Most entries that one command makes: an idle run closed, a new one opened, the decision; or a genesis with its endorsements.
pub const ENTRIES_PER_COMMAND_MAX: usize = 2 + GENESIS_ENDORSEMENTS_MAX;
/// Longest single text field of a command, in bytes; each field has its own, smaller limit besides.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// Longest tool, environment, run id, trace id, credential name and agent field, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Most environments in which one tenant has bundles.
pub const ENVIRONMENTS_MAX: usize = 64;
/// Longest subject of a principal, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 256;
/// Most labels that one call, message or memory entry brings.
pub const TAINT_LABELS_MAX: usize = 16;
/// Most (source, origin) pairs that a taint set tells apart; later origins count under `*`.
pub const TAINT_ORIGINS_MAX: usize = 16;
/// Most behaviour rules that are under way in one run.
pub const LATCHES_MAX: usize = 24;
/// Longest id of a behaviour rule, in bytes.
pub const BEHAVIOUR_ID_BYTES_MAX: usize = 48;
/// Longest text that tells the parts of a built-in behaviour rule apart, in bytes.
pub const BEHAVIOUR_PART_BYTES_MAX: usize = 16;
/// Most different calls between two that are the same, for these to count as repeated.
pub const RECENT_CALLS_MAX: usize = 8;
/// Most labels of messages that a subject's inbox tells apart; later origins count under `*`.
pub const INBOX_LABELS_MAX: usize = 32;
/// Most quarantined runs of a subject that are told apart.
pub const QUARANTINED_RUNS_MAX: usize = 16;
/// Most capabilities that one message names.
pub const MESSAGE_CAPABILITIES_MAX: usize = 16;
/// Shortest nonce of a message, in bytes: what is drawn at random does not come up twice by chance.
pub const NONCE_BYTES_MIN: usize = 16;
/// How far in the future a message may expire, in microseconds: its nonce is remembered until then.
pub const MESSAGE_LIFE_MICROS: u64 = 24 * 3_600 * 1_000_000;
/// How long the labels of a message hold for its recipient at least, in microseconds: an agent acts upon what it has read some time later,
/// and a sender that is out to deceive would have its message expire in between.
pub const MESSAGE_TAINT_MICROS: u64 = 3_600 * 1_000_000;
/// Most runs, messages and delegations that may lie between a person and the sender of a message.
pub const MESSAGE_GENERATION_MAX: u32 = 64;
/// Most items that one release of retrieved memory asks for.
pub const MEMORY_ITEMS_MAX: usize = 64;
/// How long after a query its results can be released, in microseconds.
pub const MEMORY_QUERY_MICROS: u64 = 10 * 60 * 1_000_000;
/// What the latches of behaviour rules across runs are told apart by; no rule's id begins with it.
pub const PRINCIPAL_LATCH_PREFIX: &str = "principal:";
/// Most steps of a behaviour rule.
pub const BEHAVIOUR_STEPS_MAX: usize = 16;
/// Most predicates across steps that one call adds to.
pub const ACCUMULATIONS_MAX: usize = 2_048;
/// Longest delegation chain.
pub const CHAIN_MAX: usize = 8;
/// Most `source_labels` and obligation types in one context.
pub const LABELS_MAX: usize = 32;
/// Most claims in one context.
pub const CLAIMS_MAX: usize = 16;
/// Most budgets or rates that one call is charged to.
pub const BUDGETS_PER_CALL_MAX: usize = 32;
/// Most obligations of one decision, and most parameters of one obligation.
pub const OBLIGATIONS_MAX: usize = 16;
/// Most bytes that a live run takes in the state, in keys and records, with everything that is counted in it. Decisions that wait to be
/// redeemed or completed are not part of it.
pub const RUN_BYTES_MAX: usize = 8 << 10;
/// Most bytes of the record of all that is counted in a run.
pub const RUN_COUNTS_BYTES_MAX: usize = 1_856;
/// Most bytes of what an operator's baseline has counted in each run.
pub const BASELINE_COUNTED_BYTES_MAX: usize = 320;
/// Most bytes of what a tenant's bundle has counted in each run: what the baseline and the frame of the record leave.
pub const BUNDLE_COUNTED_BYTES_MAX: usize =
    RUN_COUNTS_BYTES_MAX - BASELINE_COUNTED_BYTES_MAX - RunCountsRecord::empty_bytes(NAME_BYTES_MAX);
/// Most rows of expiries that one Tick walks.
pub const TICK_ITEMS_MAX: usize = 1_000;
/// Most entries about ended records that one Tick makes, besides its own.
pub const TICK_EVENTS_MAX: usize = 32;
/// Most positions at which one Tick looks for decisions whose time is over.
pub const TICK_POSITIONS_MAX: u64 = 1_024;
/// Most decisions that end with one Tick.
pub const TICK_TOKENS_MAX: usize = 512;
/// Most tenants whose decisions end with one Tick.
pub const TICK_TENANTS_MAX: usize = 16;
/// Most decisions in one entry about their end.
pub const TOKENS_PER_ENTRY_MAX: usize = 64;
/// Most minutes without rows that one Tick passes; a longer silence gets an entry, so that it is not walked again.
pub const EXPIRY_EMPTY_MINUTES_MAX: u64 = 24 * 60;
/// Units of Rego that a tenant may run in a second on average.
pub const REGO_UNITS_PER_SECOND: u64 = 1_000_000;
/// Most units of Rego that a tenant may run at once.
pub const REGO_UNITS_AT_ONCE: u64 = 500_000;
/// How long an effect's key is remembered, in microseconds.
pub const EFFECT_KEY_MICROS: u64 = 24 * 3_600 * 1_000_000;
/// How long an allowed call can be redeemed, in microseconds.
pub const TOKEN_MICROS: u64 = 60 * 1_000_000;
/// Most leases that one subject holds at a time.
pub const LEASES_PER_SUBJECT_MAX: usize = 32;
/// Most actions that one lease names.
pub const LEASE_ACTIONS_MAX: usize = 32;
/// Longest constraints of one lease, in bytes of JSON.
pub const LEASE_CONSTRAINTS_BYTES_MAX: usize = 4_096;
/// Longest life of a lease, in seconds; a bundle allows less.
pub const LEASE_SECONDS_MAX: u32 = 7 * 24 * 3_600;
/// Most approvals that the calls of one subject wait for at a time.
pub const APPROVALS_PER_SUBJECT_MAX: usize = 64;
/// Most people that one approval needs or hears.
pub const APPROVERS_MAX: usize = 16;
/// Most roles that one approval asks for, and most arguments that it leaves open.
pub const APPROVAL_ROLES_MAX: usize = 32;
/// Most conditions of one approval.
pub const CONDITIONS_MAX: usize = 16;
/// Longest condition, in bytes.
pub const CONDITION_BYTES_MAX: usize = 256;
/// Longest reason that a person gives, in bytes.
pub const JUSTIFICATION_BYTES_MAX: usize = 16 << 10;
/// How long an approved call can be redeemed, in microseconds: whoever waited for people does not ask every minute.
pub const APPROVED_TOKEN_MICROS: u64 = 5 * 60 * 1_000_000;
/// Most executions of a run that are told apart while they are under way.
pub const UNDER_WAY_MAX: usize = 12;
/// How long an execution counts as under way whose outcome never comes, in microseconds.
pub const UNDER_WAY_MICROS: u64 = 3_600 * 1_000_000;
/// Longest validity of a reported signal, in seconds.
pub const SIGNAL_SECONDS_MAX: u32 = 24 * 3_600;
/// Longest inputs of one call, in bytes: all of them are read and hashed while everybody's calls wait. What is longer is handed over by
/// reference.
pub const INPUTS_BYTES_MAX: usize = 256 << 10;
/// Longest payload besides inputs, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = ledger::PAYLOAD_BYTES_MAX;
/// Most bytes of a decision's body: what is left of a leaf for it, beside its header and its payloads' commitments.
pub const DECISION_BYTES_MAX: usize = ledger::LEAF_BYTES_MAX - (8 << 10);
/// Longest source of a policy bundle, in bytes.
pub const BUNDLE_BYTES_MAX: usize = ledger::PAYLOAD_BYTES_MAX;
/// Most rule ids that a decision's leaf shows; the total is stated beside them.
pub const RULES_SHOWN_MAX: usize = 8;
/// Most compile errors that a refused bundle's answer shows; the total is stated beside them.
pub const BUNDLE_ERRORS_SHOWN_MAX: usize = 8;
/// Most endorsements in a genesis.
pub const GENESIS_ENDORSEMENTS_MAX: usize = 64;
/// Most endorsements and retirements over a ledger's life: each new one is checked against all before it.
pub const KEY_EVENTS_MAX: usize = 1_024;

/// How long a request id is remembered, in seconds of stamped time.
pub const REQUEST_WINDOW_SECONDS: u64 = 24 * 3_600;
/// How far a request id may lie in the future, in seconds.
pub const REQUEST_FUTURE_SECONDS: u64 = 5 * 60;
/// Width of one bucket of request ids, in seconds.
pub const REQUEST_BUCKET_SECONDS: u64 = 60;
/// Most request ids that are remembered; beyond it the oldest buckets go and the window's start moves up.
pub const REQUESTS_MAX: u64 = 4_000_000;

/// How long after its end a run is remembered, in microseconds: everything that was bound to it has ended by then.
pub const CLOSED_RUN_MICROS: u64 = 30 * 24 * 3_600 * 1_000_000;
/// How long after its end what was counted in a run is kept, and how often it is then looked whether it can go, in microseconds.
pub const RUN_SCOPE_MICROS: u64 = 24 * 3_600 * 1_000_000;

/// An implicit run that was idle for longer is closed and a new one opened, in microseconds.
pub const IMPLICIT_RUN_IDLE_MICROS: u64 = 30 * 60 * 1_000_000;

const _: () = assert!(COMMANDS_PER_BATCH_MAX as u64 * 3 <= ledger::RECEIPT_BATCH_MAX);
const _: () = assert!(INPUTS_BYTES_MAX <= PAYLOAD_BYTES_MAX && PAYLOAD_BYTES_MAX + TEXT_BYTES_MAX < BATCH_BYTES_MAX);
const _: () = assert!(BUNDLE_BYTES_MAX + TEXT_BYTES_MAX < BATCH_BYTES_MAX);
/// A key that names a run: its kind, the tenant after its length, the run.
const RUN_KEY_BYTES: usize = 1 + 1 + ledger::TENANT_BYTES_MAX + NAME_BYTES_MAX;
/// An id that the kernel makes, after its length.
const MADE_ID_BYTES: usize = 4 + 36;
/// The run's own record: version, subject, whether it is implicit, when it was opened, mode and counters; labels (source, origin, count, time,
/// confidence), of which one a source is a `*`; latches (id, step); what observe mode would have enforced; recent calls (digest, count); and the
/// rest.
const RUN_RECORD_BYTES: usize = (1 + 4 + SUBJECT_BYTES_MAX + 1 + 8 + 1 + 4 * RunCounters::NAMES.len())
    + (4 + TAINT_ORIGINS_MAX * (NAME_BYTES_MAX + 16) + TaintSource::ALL.len() * (1 + 16))
    + (4 + LATCHES_MAX * (1 + BEHAVIOUR_ID_BYTES_MAX + BEHAVIOUR_PART_BYTES_MAX + 1))
    + (4 + 1)
    + (4 + RECENT_CALLS_MAX * (16 + 4))
    + (4 + 4 + 1);
/// Its executions that are under way (id, depth, children, end), and all others as one without an id.
const RUN_NESTING_BYTES: usize = 1 + 4 + UNDER_WAY_MAX * (MADE_ID_BYTES + 16) + 1 + (4 + 16);
/// What is adjusted in it (digest, entry), and what is reported about it (three signals; their key says besides that they are a run's).
const RUN_SIGNALS_BYTES: usize = (1 + 32 + MADE_ID_BYTES) + ("run:".len() + 1 + 3 * (1 + 4 + 8));
// A live run has five records: itself, its nesting, its adjustment, its signals and its counts. No row of an expiry is about it.
const _: () = assert!(
    5 * RUN_KEY_BYTES + RUN_RECORD_BYTES + RUN_NESTING_BYTES + RUN_SIGNALS_BYTES + RUN_COUNTS_BYTES_MAX
        <= RUN_BYTES_MAX
);
const _: () = assert!(BEHAVIOUR_ID_BYTES_MAX + BEHAVIOUR_PART_BYTES_MAX <= NAME_BYTES_MAX);
const _: () =
    assert!(TICK_EVENTS_MAX + TICK_TENANTS_MAX + TICK_TOKENS_MAX / TOKENS_PER_ENTRY_MAX < ENTRIES_PER_COMMAND_MAX);
// A run is remembered for longer than any lease that names it, any request and any effect.
const _: () = assert!(CLOSED_RUN_MICROS > LEASE_SECONDS_MAX as u64 * 1_000_000);
const _: () = assert!(CLOSED_RUN_MICROS > REQUEST_WINDOW_SECONDS * 1_000_000);
const _: () = assert!(NAME_BYTES_MAX <= ledger::ID_BYTES_MAX);
const _: () = assert!(SUBJECT_BYTES_MAX <= ledger::ACTOR_BYTES_MAX);
const _: () = assert!(REQUEST_WINDOW_SECONDS.is_multiple_of(REQUEST_BUCKET_SECONDS));
const _: () = assert!(GENESIS_ENDORSEMENTS_MAX <= KEY_EVENTS_MAX);
