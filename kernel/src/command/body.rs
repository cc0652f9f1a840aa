//! What a command asks for, one type per command with more than a few fields.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{TenantId, TreeSize};
use assent_ledger::seal::{KeyEndorsed, KeyRetired, LedgerCreated, SealReason, SpanAnchored, SpanCosigned};

use super::{
    ApprovalCommand, CallContext, ControlCommand, ExecutionCommand, GrantCommand, MemoryCommand, MessageCommand,
    ReportSignal, Role, RunCommand,
};

/// What a command asks for. The numbers of the encoding are in `encoding.rs`; they are append-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandBody {
    /// Creates the ledger; exactly once, as the first command.
    Genesis(Box<Genesis>),
    /// Creates a tenant. Operator.
    CreateTenant(Box<NewTenant>),
    /// Makes a subject known to its tenant. Operator or the tenant's admin.
    RegisterPrincipal {
        /// The tenant.
        tenant: TenantId,
        /// The subject.
        subject: String,
        /// The person or group that answers for it.
        owner: Option<String>,
    },
    /// Stops a subject from being allowed anything. Operator or the tenant's admin.
    DisablePrincipal {
        /// The tenant.
        tenant: TenantId,
        /// The subject.
        subject: String,
    },
    /// Makes a credential known. Operator or the tenant's admin.
    RegisterCredential(Box<NewCredential>),
    /// Ends a credential. Operator or the tenant's admin.
    RevokeCredential {
        /// The tenant.
        tenant: TenantId,
        /// The credential's name.
        name: String,
    },
    /// Hands in a policy bundle; it is compiled now and refused if it does not. Operator or the tenant's admin.
    OfferBundle(OfferedSource),
    /// Makes an offered bundle the one that decides. Operator or the tenant's admin.
    ActivateBundle {
        /// The tenant.
        tenant: TenantId,
        /// The environment.
        environment: String,
        /// The bundle.
        bundle_hash: Hash,
    },
    /// Opens a run. Agent.
    OpenRun(RunRequest),
    /// Closes a run. Agent.
    CloseRun(RunRequest),
    /// Decides one call. Agent.
    Evaluate(Box<Evaluate>),
    /// Records an endorsement by the root key. Operator.
    EndorseKey(Box<KeyEndorsed>),
    /// Records a retirement by the root key. Operator.
    RetireKey(Box<KeyRetired>),
    /// Seals the open span. Node or operator.
    Seal {
        /// Why.
        reason: SealReason,
        /// The open span's start as the proposer saw it; another start makes the seal stale.
        expected_start: TreeSize,
    },
    /// Records the quorum's cosignatures of the last seal. Node.
    Cosigned(Box<CosignedSpan>),
    /// Records that a cosigned span is in WORM storage. Node.
    Anchored(Box<AnchoredSpan>),
    /// Sets a switch or a setting, erases a payload, changes the kernel's version.
    Control(Box<ControlCommand>),
    /// Asks for a capability, passes one on, takes one back.
    Grant(Box<GrantCommand>),
    /// Answers for a call that waits for people.
    Approval(Box<ApprovalCommand>),
    /// Redeems a decision, or says what came of it. Agent.
    Execution(Box<ExecutionCommand>),
    /// Records a message between agents, or a key with which they sign.
    Message(Box<MessageCommand>),
    /// Keeps, reads, releases or drops memory.
    Memory(Box<MemoryCommand>),
    /// Changes a run's mode, taint or record.
    Run(Box<RunCommand>),
    /// Says how risky or busy a run, a subject or the tenant is. Reporter.
    Signal(Box<ReportSignal>),
    /// Makes an entry of what has ended: unredeemed decisions, approvals, leases, memory. Node.
    Tick,
}

/// The cosigned span, as it will be recorded.
pub type CosignedSpan = SpanCosigned;
/// The anchored span, as it will be recorded.
pub type AnchoredSpan = SpanAnchored;

/// The creation of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// Parameters and root key.
    pub created: LedgerCreated,
    /// The first keys, each signed by the root key.
    pub endorsements: Vec<KeyEndorsed>,
    /// Name of the first operator's credential.
    pub operator: String,
    /// SHA-256 of the first operator's token.
    pub operator_token_hash: Hash,
}

/// The creation of a tenant.
#[derive(Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// The name.
    pub tenant: TenantId,
    /// Wraps the tenant's data keys; drawn by the leader, never in an entry and never in the kernel's state.
    pub tenant_key: [u8; 32],
    /// Hides the name in the tenant map; drawn by the leader.
    pub blind: [u8; 32],
}

impl core::fmt::Debug for NewTenant {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "NewTenant({})", self.tenant)
    }
}

/// The registration of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// The tenant that it belongs to.
    pub tenant: TenantId,
    /// Its name, unique within the tenant.
    pub name: String,
    /// SHA-256 of the 256-bit random token; the token itself never gets here.
    pub token_hash: Hash,
    /// What it may do.
    pub role: Role,
    /// The subject that it stands for; `None` for a tenant-wide one.
    pub subject: Option<String>,
}

/// A policy bundle's source.
#[derive(Clone, PartialEq, Eq)]
pub struct OfferedSource {
    /// The tenant.
    pub tenant: TenantId,
    /// The exact bytes.
    pub source: Vec<u8>,
}

impl core::fmt::Debug for OfferedSource {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OfferedSource({}, {} bytes)", self.tenant, self.source.len())
    }
}

/// A run of the caller's tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// The run.
    pub run_id: String,
    /// The asserted subject; only honoured for tenant-wide credentials.
    pub subject: Option<String>,
    /// The run that caused this one to be opened; read when a run is opened, ignored when it is closed.
    pub parent_run_id: Option<String>,
}

/// What an agent says about itself; recorded, never trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agent {
    /// The running instance.
    pub instance_id: Option<String>,
    /// The agent's name.
    pub name: Option<String>,
    /// The agent's version.
    pub version: Option<String>,
}

/// One call that is to be decided.
#[derive(Clone, PartialEq, Eq)]
pub struct Evaluate {
    /// The environment whose bundle decides.
    pub environment: String,
    /// The run; `None` for the subject's implicit run.
    pub run_id: Option<String>,
    /// The caller's trace.
    pub trace_id: Option<String>,
    /// The agent.
    pub agent: Agent,
    /// The asserted subject; only honoured for tenant-wide credentials.
    pub subject: Option<String>,
    /// The tool's name.
    pub tool: String,
    /// Media type of the inputs.
    pub content_type: String,
    /// The arguments: the caller's exact bytes.
    pub inputs: Vec<u8>,
    /// What else the caller says.
    pub context: Box<CallContext>,
}

impl core::fmt::Debug for Evaluate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The inputs are the caller's data: their length is all that a log may show.
        f.debug_struct("Evaluate")
            .field("environment", &self.environment)
            .field("run_id", &self.run_id)
            .field("subject", &self.subject)
            .field("tool", &self.tool)
            .field("inputs_bytes", &self.inputs.len())
            .finish_non_exhaustive()
    }
}

impl CommandBody {
    /// The command's name in refusals and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            CommandBody::Genesis(_) => "genesis",
            CommandBody::CreateTenant(_) => "create-tenant",
            CommandBody::RegisterPrincipal { .. } => "register-principal",
            CommandBody::DisablePrincipal { .. } => "disable-principal",
            CommandBody::RegisterCredential(_) => "register-credential",
            CommandBody::RevokeCredential { .. } => "revoke-credential",
            CommandBody::OfferBundle(_) => "offer-bundle",
            CommandBody::ActivateBundle { .. } => "activate-bundle",
            CommandBody::OpenRun(_) => "open-run",
            CommandBody::CloseRun(_) => "close-run",
            CommandBody::Evaluate(_) => "evaluate",
            CommandBody::EndorseKey(_) => "endorse-key",
            CommandBody::RetireKey(_) => "retire-key",
            CommandBody::Seal { .. } => "seal",
            CommandBody::Cosigned(_) => "cosigned",
            CommandBody::Anchored(_) => "anchored",
            CommandBody::Control(control) => control.name(),
            CommandBody::Grant(grant) => grant.name(),
            CommandBody::Approval(_) => ApprovalCommand::NAME,
            CommandBody::Execution(asked) => asked.name(),
            CommandBody::Message(message) => message.name(),
            CommandBody::Memory(memory) => memory.name(),
            CommandBody::Run(run) => run.name(),
            CommandBody::Signal(_) => ReportSignal::NAME,
            CommandBody::Tick => "tick",
        }
    }

    /// The subject that the command states, if its kind can.
    pub fn asserted_subject(&self) -> Option<&str> {
        match self {
            CommandBody::Evaluate(evaluate) => evaluate.subject.as_deref(),
            CommandBody::Grant(grant) => grant.asserted_subject(),
            CommandBody::OpenRun(run) | CommandBody::CloseRun(run) => run.subject.as_deref(),
            CommandBody::Message(message) => message.asserted_subject(),
            CommandBody::Memory(memory) => memory.asserted_subject(),
            CommandBody::Run(run) => run.asserted_subject(),
            _ => None,
        }
    }

    /// The same request without what the leader drew at random.
    pub(super) fn without_randomness(&self) -> std::borrow::Cow<'_, CommandBody> {
        match self {
            CommandBody::CreateTenant(new) => {
                let plain = NewTenant { tenant: new.tenant.clone(), tenant_key: [0; 32], blind: [0; 32] };
                std::borrow::Cow::Owned(CommandBody::CreateTenant(Box::new(plain)))
            }
            other => std::borrow::Cow::Borrowed(other),
        }
    }
}
