//! Any record of the state, with its bytes.

use super::keys::{
    AccumulatorRecord, ActiveBundleRecord, AdjustmentRecord, AgentKeyRecord, ApprovalRecord, BudgetRecord,
    BundleRecord, CredentialNameRecord, CredentialRecord, DecisionStatusRecord, EffectKeyRecord, EnvironmentsRecord,
    ErasedPayloadRecord, ExpiryBucketRecord, ExpiryCursorRecord, ExpiryRecord, ImplicitRunRecord, KeyringRecord,
    KillSwitchRecord, LeaseIndexRecord, LeaseRecord, LedgerRecord, MemoryRecord, MessageNonceRecord, NestingRecord,
    OfferedBundleRecord, OutstandingRecord, PendingCall, PrincipalRecord, ProgressRecord, RateRecord,
    RequestBucketRecord, RequestRecord, RequestWindowRecord, RunCountsRecord, RunRecord, RuntimeRulesRecord,
    SignalRecord, StateKey, SubjectStateRecord, TenantRecord, TenantSettingsRecord,
};
use crate::codec::{CodecError, Reader, Writer};

/// How one kind of record is written. The version comes first in the bytes.
pub(super) trait RecordCodec: Sized {
    const VERSION: u8;
    fn write(&self, w: &mut Writer);
    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError>;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned(Self::VERSION);
        self.write(&mut writer);
        writer.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::versioned(bytes, "a state record", Self::VERSION)?;
        let record = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(record)
    }
}

macro_rules! records {
    ($($variant:ident($record:ident) for ($key:pat);)*) => {
        /// A record of the state; its kind is that of its key.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Record {
            $(#[doc = concat!("See [`", stringify!($record), "`].")] $variant($record),)*
        }

        impl Record {
            /// The record's bytes.
            pub fn encode(&self) -> Vec<u8> {
                match self {
                    $(Record::$variant(record) => record.encode(),)*
                }
            }

            /// Reads the record that stands under `key`; any bytes are safe.
            pub fn decode(key: &StateKey, bytes: &[u8]) -> Result<Record, CodecError> {
                match key {
                    $($key => $record::decode(bytes).map(Record::$variant),)*
                }
            }
        }
    };
}

records! {
    Ledger(LedgerRecord) for (StateKey::Ledger);
    Progress(ProgressRecord) for (StateKey::Progress);
    Keyring(KeyringRecord) for (StateKey::Keyring);
    RequestWindow(RequestWindowRecord) for (StateKey::RequestWindow);
    Tenant(TenantRecord) for (StateKey::Tenant(_));
    Principal(PrincipalRecord) for (StateKey::Principal(..));
    Credential(CredentialRecord) for (StateKey::Credential(_));
    CredentialName(CredentialNameRecord) for (StateKey::CredentialName(..));
    Run(RunRecord) for (StateKey::Run(..));
    ImplicitRun(ImplicitRunRecord) for (StateKey::ImplicitRun(..));
    ActiveBundle(ActiveBundleRecord) for (StateKey::ActiveBundle(..));
    Environments(EnvironmentsRecord) for (StateKey::Environments(_));
    OfferedBundle(OfferedBundleRecord) for (StateKey::OfferedBundle(..));
    Bundle(BundleRecord) for (StateKey::Bundle(_));
    RequestBucket(RequestBucketRecord) for (StateKey::RequestBucket(_));
    Request(RequestRecord) for (StateKey::Request { .. });
    RuntimeRules(RuntimeRulesRecord) for (StateKey::RuntimeRules(..));
    Memory(MemoryRecord) for (StateKey::Memory(..));
    MessageNonce(MessageNonceRecord) for (StateKey::MessageNonce(..));
    AgentKey(AgentKeyRecord) for (StateKey::AgentKey(..));
    RunCounts(RunCountsRecord) for (StateKey::RunCounts(..));
    Accumulator(AccumulatorRecord) for (StateKey::Accumulator(..));
    KillSwitch(KillSwitchRecord) for (StateKey::KillSwitch(..));
    SubjectState(SubjectStateRecord) for (StateKey::SubjectState(..));
    ErasedPayload(ErasedPayloadRecord) for (StateKey::ErasedPayload(..));
    TenantSettings(TenantSettingsRecord) for (StateKey::TenantSettings(_));
    Outstanding(OutstandingRecord) for (StateKey::Outstanding(_));
    Budget(BudgetRecord) for (StateKey::Budget(..));
    Rate(RateRecord) for (StateKey::Rate(..));
    ExpiryBucket(ExpiryBucketRecord) for (StateKey::ExpiryBucket(_));
    Expiry(ExpiryRecord) for (StateKey::Expiry(..));
    EffectKey(EffectKeyRecord) for (StateKey::EffectKey(..));
    ExpiryCursor(ExpiryCursorRecord) for (StateKey::ExpiryCursor);
    Lease(LeaseRecord) for (StateKey::Lease(..));
    LeaseIndex(LeaseIndexRecord) for (StateKey::LeaseIndex(..));
    Approval(ApprovalRecord) for (StateKey::Approval(..));
    PendingCall(PendingCall) for (StateKey::PendingCall(..));
    DecisionStatus(DecisionStatusRecord) for (StateKey::DecisionStatus(..));
    Signal(SignalRecord) for (StateKey::Signal(..));
    Adjustment(AdjustmentRecord) for (StateKey::Adjustment(..));
    Nesting(NestingRecord) for (StateKey::Nesting(..));
}
