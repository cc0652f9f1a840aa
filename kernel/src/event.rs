//! Events: what a decision records. Each has a typed body with one JSON form, and whose event it is, in whose run.

mod approval;
mod bodies;
mod control;
mod decision;
mod detail;
mod effects;
mod execution;
mod expiry;
mod fields;
mod grant;
mod lists;
mod memory;
mod message;
mod orchestration;
mod run;
mod signal;

pub use approval::{ApprovalExpired, ApprovalRequested, ApprovalVoid, HitlDecision, VoidReason};
pub use assent_ledger::seal::BodyError;
pub use bodies::{
    BundleActivated, BundleOffered, CredentialRegistered, CredentialRevoked, NamedTenant, ParentRun, PrincipalDisabled,
    PrincipalRegistered, RunCloseReason, RunClosed, RunOpened, TenantCreated,
};
pub use control::{
    KernelActivated, KillSwitchSet, PayloadErased, PrincipalEnabled, RuntimeRulesSet, TenantConfigured, TenantDisabled,
};
pub use decision::{PolicyDecision, ShownRules};
pub(crate) use detail::with_params;
pub use detail::{DETAIL_ROLE, PolicyDetail};
pub use effects::{Effects, Obligation, Reservation, ShadowVote};
pub use execution::{ExpiredToken, TokenExpired, ToolRequest, ToolResponse};
pub use expiry::ExpirySwept;
pub use grant::{CapabilityDelegated, CapabilityExpired, CapabilityGranted, CapabilityRevoked, GrantRuled};
pub use memory::{MemoryAccess, MemoryAsked, MemoryOp, MemoryValue};
pub use message::{AgentKeyRegistered, AgentKeyRotated, AgentMessageChecked};
pub use orchestration::OrchestrationAdjusted;
pub use run::{ModeTrigger, RunModeChanged, RunStep, StepKind, TaintAttached};
pub use signal::SignalReported;

use crate::limits::{DECISION_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::reason::ReasonCode;
use crate::verdict::Verdict;
use assent_ledger::ids::TenantId;
use assent_ledger::json::Value;
use assent_ledger::seal::{KeyEndorsed, KeyRetired, LedgerCreated, SpanAnchored, SpanCosigned, SpanSealed};

/// One event, before it becomes an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose event it is; the system's events name no tenant.
    pub tenant: TenantId,
    /// Who acted.
    pub actor: Option<String>,
    /// The run that it belongs to.
    pub run_id: Option<String>,
    /// The caller's trace.
    pub trace_id: Option<String>,
    /// What happened.
    pub body: EventBody,
    /// What is to be encrypted and committed to.
    pub payloads: Vec<PayloadIntent>,
}

/// A payload that an event will commit to.
#[derive(Clone, PartialEq, Eq)]
pub struct PayloadIntent {
    /// What it is to the event, such as `input`.
    pub role: &'static str,
    /// Media type.
    pub content_type: String,
    /// The exact bytes.
    pub bytes: Vec<u8>,
}

impl core::fmt::Debug for PayloadIntent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PayloadIntent({}, {} bytes)", self.role, self.bytes.len())
    }
}

/// Role of the payload that holds a call's arguments.
pub const INPUT_ROLE: &str = "input";
/// Role of the payload that holds what a call said besides tool and arguments (`CallContext::encode`).
pub const CONTEXT_ROLE: &str = "context";
/// Role of the payload that holds the arguments that are to be used in place of the caller's.
pub const REPLACEMENT_ROLE: &str = "replacement";
/// Role of the payload that says what the call adds to contracts across steps; it derives from arguments.
pub const ACCUMULATE_ROLE: &str = "accumulate";
/// Role of the payload that holds what a tool returned.
pub const OUTPUT_ROLE: &str = "output";
/// Role of the payload that holds what a tool returned, as it may be shown.
pub const OUTPUT_REDACTED_ROLE: &str = "output_redacted";
/// Role of the payload that holds a person's reason.
pub const JUSTIFICATION_ROLE: &str = "justification";
/// Role of the payload that holds the bytes of a message.
pub const MESSAGE_ROLE: &str = "message";
/// Role of the payload that holds what the sender of a message signed besides its bytes (`AgentMessage::envelope`).
pub const ENVELOPE_ROLE: &str = "envelope";
/// Role of the payload that says what arguments a lease admits.
pub const CONSTRAINTS_ROLE: &str = "constraints";
/// Role of the payload that holds the arguments that a person agreed to in place of the caller's.
pub const MODIFIED_ROLE: &str = "modified";
/// Role of the payload that holds the salt of a request's commitment, when the one who is to redeem it was not there to be answered.
pub const SALT_ROLE: &str = "salt";
/// Role of the payload that holds a value of memory, or a reference to one.
pub const VALUE_ROLE: &str = "value";
/// Role of the payload that holds a query to an external store.
pub const QUERY_ROLE: &str = "query";
/// Role of the payload that holds what a query has found.
pub const ITEMS_ROLE: &str = "items";
/// Role of the payload that holds a bundle's source.
pub const BUNDLE_ROLE: &str = "bundle";

/// Role of the payload that holds what a step of a run came to.
pub const STEP_ROLE: &str = "step";

/// Every role. A replay hands `evolve` the payloads of these roles, so that one that is missing here would not be replayed.
pub const PAYLOAD_ROLES: &[&str] = &[
    INPUT_ROLE,
    CONTEXT_ROLE,
    REPLACEMENT_ROLE,
    ACCUMULATE_ROLE,
    DETAIL_ROLE,
    OUTPUT_ROLE,
    OUTPUT_REDACTED_ROLE,
    JUSTIFICATION_ROLE,
    MESSAGE_ROLE,
    ENVELOPE_ROLE,
    BUNDLE_ROLE,
    CONSTRAINTS_ROLE,
    MODIFIED_ROLE,
    SALT_ROLE,
    VALUE_ROLE,
    QUERY_ROLE,
    ITEMS_ROLE,
    STEP_ROLE,
];

impl Event {
    /// Whether a decision can be recorded; of other events, whose parts are bounded by their commands, this says nothing. Encoding an
    /// entry only in order to measure it would cost as much as the decision, so that usual ones are seen to fit by their counts.
    pub(crate) fn fits(&self) -> bool {
        let EventBody::Decision(body) = &self.body else { return true };
        let payloads = self.payloads.iter().all(|payload| payload.bytes.len() <= PAYLOAD_BYTES_MAX);
        let usual = || body.to_value().to_bytes().is_ok_and(|bytes| bytes.len() <= DECISION_BYTES_MAX);
        payloads && (body.effects.is_small() || usual())
    }
}

macro_rules! event_bodies {
    ($($variant:ident($body:ident),)*) => {
        /// What happened. Each variant has one event type and one JSON form.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum EventBody {
            $(#[doc = concat!("See [`", stringify!($body), "`].")] $variant(Box<$body>),)*
        }

        impl EventBody {
            /// Every event type.
            pub const KINDS: &'static [&'static str] = &[$($body::KIND),*];

            /// The event's type.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(EventBody::$variant(_) => $body::KIND,)*
                }
            }

            /// The body as JSON.
            pub fn to_value(&self) -> Value {
                match self {
                    $(EventBody::$variant(body) => body.to_value(),)*
                }
            }

            /// Reads the body of an event type strictly; `None` when this kernel does not know the type.
            pub fn from_value(kind: &str, value: &Value) -> Option<Result<EventBody, BodyError>> {
                match kind {
                    $($body::KIND => Some($body::from_value(value).map(|b| EventBody::$variant(Box::new(b)))),)*
                    _ => None,
                }
            }
        }

        $(impl From<$body> for EventBody {
            fn from(body: $body) -> EventBody {
                EventBody::$variant(Box::new(body))
            }
        })*
    };
}

event_bodies! {
    LedgerCreated(LedgerCreated),
    KeyEndorsed(KeyEndorsed),
    KeyRetired(KeyRetired),
    TenantCreated(TenantCreated),
    PrincipalRegistered(PrincipalRegistered),
    PrincipalDisabled(PrincipalDisabled),
    CredentialRegistered(CredentialRegistered),
    CredentialRevoked(CredentialRevoked),
    BundleOffered(BundleOffered),
    BundleActivated(BundleActivated),
    RunOpened(RunOpened),
    RunClosed(RunClosed),
    Decision(PolicyDecision),
    RunModeChanged(RunModeChanged),
    TaintAttached(TaintAttached),
    RunStep(RunStep),
    KillSwitchSet(KillSwitchSet),
    TenantConfigured(TenantConfigured),
    TenantDisabled(TenantDisabled),
    PrincipalEnabled(PrincipalEnabled),
    PayloadErased(PayloadErased),
    RuntimeRulesSet(RuntimeRulesSet),
    KernelActivated(KernelActivated),
    AgentMessage(AgentMessageChecked),
    MemoryAccess(MemoryAccess),
    AgentKeyRegistered(AgentKeyRegistered),
    AgentKeyRotated(AgentKeyRotated),
    SpanSealed(SpanSealed),
    SpanCosigned(SpanCosigned),
    SpanAnchored(SpanAnchored),
    ToolRequest(ToolRequest),
    ToolResponse(ToolResponse),
    TokenExpired(TokenExpired),
    ExpirySwept(ExpirySwept),
    CapabilityGranted(CapabilityGranted),
    CapabilityDelegated(CapabilityDelegated),
    CapabilityRevoked(CapabilityRevoked),
    CapabilityExpired(CapabilityExpired),
    ApprovalRequested(ApprovalRequested),
    HitlDecision(HitlDecision),
    ApprovalExpired(ApprovalExpired),
    ApprovalVoid(ApprovalVoid),
    SignalReported(SignalReported),
    OrchestrationAdjusted(OrchestrationAdjusted),
}

/// What an agent gets to know about something that it asked for and that is not a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Allow or deny.
    pub verdict: Verdict,
    /// The reasons, by ascending number.
    pub codes: Vec<ReasonCode>,
    /// What else it needs to know: names and values, at most 32.
    pub details: Vec<(String, String)>,
}

/// The details that there are.
fn ruling_details<const N: usize>(details: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    details.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

impl EventBody {
    /// The ruling, if the event rules on what an agent asked for and is not a decided call; the command is answered with it.
    pub fn ruling(&self) -> Option<Ruling> {
        match self {
            EventBody::ToolRequest(body) => Some(body.ruling()),
            EventBody::ToolResponse(body) => Some(body.ruling()),
            EventBody::MemoryAccess(body) => {
                Some(Ruling { verdict: body.effective, codes: body.codes.clone(), details: body.details() })
            }
            EventBody::AgentMessage(body) => {
                Some(Ruling { verdict: body.verdict, codes: body.codes.clone(), details: Vec::new() })
            }
            EventBody::CapabilityGranted(body) => Some(body.ruling()),
            EventBody::CapabilityDelegated(body) => Some(body.ruling()),
            EventBody::HitlDecision(body) => Some(body.ruling()),
            _ => None,
        }
    }
}

impl Event {
    /// An event without run, trace and payloads.
    pub fn new(tenant: TenantId, actor: Option<String>, body: impl Into<EventBody>) -> Event {
        Event { tenant, actor, run_id: None, trace_id: None, body: body.into(), payloads: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
