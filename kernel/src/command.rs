//! Commands: what the leader commits and every replica decides. Their fields are what a caller asked for, never what was decided.

mod approval;
mod body;
mod context;
mod control;
mod encoding;
mod execution;
mod grant;
mod memory;
mod message;
mod offered;
mod request_id;
mod run;
mod signal;

pub use approval::{ApprovalAction, ApprovalCommand, split_condition};
pub use body::{
    Agent, AnchoredSpan, CommandBody, CosignedSpan, Evaluate, Genesis, NewCredential, NewTenant, OfferedSource,
    RunRequest,
};
pub use context::{CallContext, CallerBudgets, ClaimedTool, Usage};
pub use control::{ControlCommand, KillTarget, TenantSettings};
pub use execution::{Complete, Completion, ExecutionCommand, Fulfilled, Redeem};
pub use grant::{GrantCommand, GrantTerms};
pub use memory::{
    MemoryAct, MemoryCommand, MemoryQuarantine, MemoryRead, MemoryRelease, MemoryTarget, MemoryWrite, RetrievedItem,
};
pub(crate) use memory::{read_items, read_level, write_items};
pub use message::{AgentKeyRotation, AgentMessage, MessageCommand, NewAgentKey};
pub use offered::offered_sources;
pub use request_id::{RequestId, RequestIdError};
pub use run::RunCommand;
pub use signal::{ReportSignal, SignalScope, Signals};

use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::TenantId;

use crate::codec::{CodecError, Reader, Writer};
use crate::limits;
use crate::stamp::Stamp;

/// Version byte of an encoded command.
const COMMAND_VERSION: u8 = 2;
/// Version byte of an encoded batch.
const BATCH_VERSION: u8 = 1;

/// What a credential may do. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Runs the ledger: tenants and keys. Belongs to the system tenant.
    Operator = 1,
    /// Runs one tenant: its principals, credentials and bundles.
    TenantAdmin = 2,
    /// Asks for decisions and opens runs.
    Agent = 3,
    /// Reads.
    Auditor = 4,
    /// A node of the cluster: seals, cosignatures, anchors. Belongs to the system tenant.
    Node = 5,
    /// Answers for people to whom calls were escalated.
    Approver = 6,
    /// Reports signals about agents: risk, queues, budgets. Not an agent, and never about itself.
    Reporter = 7,
}

impl Role {
    /// Every role, by ascending number.
    pub const ALL: [Role; 7] =
        [Role::Operator, Role::TenantAdmin, Role::Agent, Role::Auditor, Role::Node, Role::Approver, Role::Reporter];

    /// The number that is stored.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The role of a number.
    pub const fn from_number(number: u8) -> Option<Role> {
        match number {
            1 => Some(Role::Operator),
            2 => Some(Role::TenantAdmin),
            3 => Some(Role::Agent),
            4 => Some(Role::Auditor),
            5 => Some(Role::Node),
            6 => Some(Role::Approver),
            7 => Some(Role::Reporter),
            _ => None,
        }
    }

    /// The role's name in entries and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::TenantAdmin => "tenant-admin",
            Role::Agent => "agent",
            Role::Auditor => "auditor",
            Role::Node => "node",
            Role::Approver => "approver",
            Role::Reporter => "reporter",
        }
    }

    /// The role of a name.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl core::fmt::Display for Role {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// Who sent a command, as the node authenticated it. `decide` checks it again against the recorded credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The credential's tenant.
    pub tenant: TenantId,
    /// The credential's subject; `None` for a tenant-wide one.
    pub subject: Option<String>,
    /// Whether the subject was proven (by a certificate or a credential of its own) and not merely stated.
    pub attested: bool,
    /// The credential's role.
    pub role: Role,
    /// The credential's name.
    pub credential: String,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The caller's id of the request.
    pub request_id: RequestId,
    /// Time and randomness.
    pub stamp: Stamp,
    /// Who asks.
    pub caller: Caller,
    /// What for.
    pub body: CommandBody,
}

impl Command {
    /// The command's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned(COMMAND_VERSION);
        self.write(&mut writer);
        writer.finish()
    }

    /// Reads a command strictly; any bytes are safe.
    pub fn decode(bytes: &[u8]) -> Result<Command, CodecError> {
        let mut reader = Reader::versioned(bytes, "a command", COMMAND_VERSION)?;
        let command = Command::read(&mut reader)?;
        reader.finish()?;
        Ok(command)
    }

    fn write(&self, writer: &mut Writer) {
        writer.fixed(self.request_id.as_bytes());
        writer.u64(self.stamp.time.0);
        writer.fixed(&self.stamp.seed);
        self.caller.write(writer);
        self.body.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Command, CodecError> {
        Ok(Command {
            request_id: RequestId::from_bytes(reader.fixed("the request id")?)
                .map_err(|_| CodecError::Invalid { what: "the request id" })?,
            stamp: Stamp { time: reader.time("the stamp's time")?, seed: reader.fixed("the stamp's seed")? },
            caller: Caller::read(reader)?,
            body: CommandBody::read(reader)?,
        })
    }

    /// Digest of who asked for what: two commands with the same request id and the same digest are the same request.
    /// It leaves out everything that the leader drew at random, for a retry meets another leader; and the credential's name, for a
    /// retry may come after the credential was replaced. Whether the subject was proven stays in: who merely states a subject is not
    /// told what was answered to it.
    pub fn content_hash(&self) -> Hash {
        let mut writer = Writer::new();
        writer.text(self.caller.tenant.as_str());
        writer.text_opt(self.subject());
        writer.bool(self.caller.attested && self.caller.subject.is_some());
        writer.u8(self.caller.role.number());
        self.body.without_randomness().write(&mut writer);
        sha256(&[b"assent command/2\n", &writer.finish()])
    }

    /// Whose request ids this command's id lives among: the effective subject, or the credential where there is none.
    pub fn principal(&self) -> String {
        match self.subject() {
            Some(subject) => principal_of_subject(subject),
            None => principal_of_credential(&self.caller.credential),
        }
    }

    /// The credential's subject, or the one that a tenant-wide credential asserts.
    pub fn subject(&self) -> Option<&str> {
        self.caller.subject.as_deref().or_else(|| self.body.asserted_subject())
    }
}

/// The principal under which a subject's request ids are remembered.
pub fn principal_of_subject(subject: &str) -> String {
    ["subject:", subject].concat()
}

/// The principal under which the request ids of a credential without a subject are remembered.
pub fn principal_of_credential(name: &str) -> String {
    ["credential:", name].concat()
}

impl Caller {
    fn write(&self, writer: &mut Writer) {
        writer.text(self.tenant.as_str());
        writer.text_opt(self.subject.as_deref());
        writer.bool(self.attested);
        writer.u8(self.role.number());
        writer.text(&self.credential);
    }

    /// Passes over a caller, whose texts are not checked.
    fn skip(reader: &mut Reader<'_>) -> Result<(), CodecError> {
        reader.bytes("the caller's tenant", limits::TEXT_BYTES_MAX)?;
        reader.option("the caller's subject", |reader| reader.bytes("the caller's subject", limits::TEXT_BYTES_MAX))?;
        reader.take(2, "the caller's attestation and role")?;
        reader.bytes("the caller's credential", limits::TEXT_BYTES_MAX).map(|_| ())
    }

    fn read(reader: &mut Reader<'_>) -> Result<Caller, CodecError> {
        Ok(Caller {
            tenant: reader.tenant("the caller's tenant")?,
            subject: reader.text_opt("the caller's subject", limits::TEXT_BYTES_MAX)?,
            attested: reader.bool("the caller's attestation")?,
            role: read_role(reader)?,
            credential: reader.text("the caller's credential", limits::TEXT_BYTES_MAX)?,
        })
    }
}

pub(crate) fn read_role(reader: &mut Reader<'_>) -> Result<Role, CodecError> {
    let number = reader.u8("a role")?;
    Role::from_number(number).ok_or(CodecError::Choice { what: "a role", got: u64::from(number) })
}

/// The commands that one Raft entry carries; they are applied in their order, each on its own merits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The commands.
    pub commands: Vec<Command>,
}

impl Batch {
    /// The batch's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned(BATCH_VERSION);
        writer.count(self.commands.len());
        for command in &self.commands {
            writer.bytes(&command.encode());
        }
        writer.finish()
    }

    /// Reads a batch strictly; any bytes are safe.
    pub fn decode(bytes: &[u8]) -> Result<Batch, CodecError> {
        let (got, max) = (bytes.len(), limits::BATCH_BYTES_MAX);
        if got > max {
            return Err(CodecError::TooLong { what: "a batch", got, max });
        }
        let mut reader = Reader::versioned(bytes, "a batch", BATCH_VERSION)?;
        let count = reader.count("a batch's commands", limits::COMMANDS_PER_BATCH_MAX)?;
        let mut commands = Vec::new();
        for _ in 0..count {
            commands.push(Command::decode(reader.bytes("a command", limits::BATCH_BYTES_MAX)?)?);
        }
        reader.finish()?;
        Ok(Batch { commands })
    }
}

#[cfg(test)]
mod tests;
