//! Control: what operators and tenants' admins do besides registering: switches, settings, erasure, versions.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{NodeId, Seq, TenantId};

use super::Role;
use crate::admit;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{MEMBERS_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, SUBJECT_BYTES_MAX};
use crate::refusal::Refusal;

/// A control command.
#[derive(Clone, PartialEq, Eq)]
pub enum ControlCommand {
    /// Makes a payload unreadable for good. Operator or the tenant's admin.
    ErasePayload {
        /// The tenant.
        tenant: TenantId,
        /// The entry that commits to the payload.
        seq: Seq,
        /// The commitment in that entry.
        commitment: Hash,
        /// Why, in words; a payload of the entry.
        justification: Vec<u8>,
    },
    /// Sets how a tenant is decided for. Operator or the tenant's admin.
    ConfigureTenant {
        /// The tenant.
        tenant: TenantId,
        /// All settings; what was set before is gone.
        settings: TenantSettings,
    },
    /// Switches a tenant off or on. Operator.
    SetTenantDisabled {
        /// The tenant.
        tenant: TenantId,
        /// Whether everything of it is denied.
        disabled: bool,
    },
    /// Stops an agent, a tool or the whole tenant at once, or lets it go on. Operator or the tenant's admin.
    KillSwitch {
        /// The tenant.
        tenant: TenantId,
        /// What is stopped.
        target: KillTarget,
        /// Whether it is stopped.
        engaged: bool,
        /// Why, in words; a payload of the entry.
        justification: Vec<u8>,
    },
    /// Makes another version of the kernel decide. Operator.
    ActivateKernelVersion {
        /// The version.
        version: u32,
        /// The nodes that said that they know it.
        supports: Vec<NodeId>,
    },
    /// Sets the rules that are asked before those of the active bundle. Operator or the tenant's admin.
    SetRuntimeRules {
        /// The tenant.
        tenant: TenantId,
        /// The environment.
        environment: String,
        /// The YAML source; one without rules takes the layer away.
        source: Vec<u8>,
    },
    /// Lets a disabled subject act again. Operator or the tenant's admin.
    EnablePrincipal {
        /// The tenant.
        tenant: TenantId,
        /// The subject.
        subject: String,
    },
}

/// What a kill switch stops. Whoever only asks names it by borrowed text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KillTarget<T = String> {
    /// Everything of the tenant.
    Tenant,
    /// One subject.
    Agent(T),
    /// One tool.
    Tool(T),
}

impl<T: AsRef<str>> KillTarget<T> {
    /// The kind of target, as entries name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            KillTarget::Tenant => "tenant",
            KillTarget::Agent(_) => "agent",
            KillTarget::Tool(_) => "tool",
        }
    }

    /// The subject or the tool; empty for the tenant.
    pub fn name(&self) -> &str {
        match self {
            KillTarget::Tenant => "",
            KillTarget::Agent(name) | KillTarget::Tool(name) => name.as_ref(),
        }
    }

    /// The text under which the switch stands in the state: kind, colon, name.
    pub fn key(&self) -> String {
        [self.kind(), ":", self.name()].concat()
    }
}

impl KillTarget {
    /// The target of a kind and a name; the tenant has none.
    pub fn from_parts(kind: &str, name: &str) -> Option<KillTarget> {
        match (kind, name) {
            ("tenant", "") => Some(KillTarget::Tenant),
            ("agent", name) if !name.is_empty() => Some(KillTarget::Agent(name.to_owned())),
            ("tool", name) if !name.is_empty() => Some(KillTarget::Tool(name.to_owned())),
            _ => None,
        }
    }
}

/// How a tenant is decided for. The default enforces and takes subjects at their word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantSettings {
    /// Whether policy is only recorded and not enforced.
    pub observe: bool,
    /// Whether only proven subjects may act, not those that a tenant-wide credential states.
    pub require_attested: bool,
}

impl TenantSettings {
    pub(crate) fn write(self, w: &mut Writer) {
        w.bool(self.observe);
        w.bool(self.require_attested);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<TenantSettings, CodecError> {
        Ok(TenantSettings { observe: r.bool("observe")?, require_attested: r.bool("require_attested")? })
    }
}

impl core::fmt::Debug for ControlCommand {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Justifications are free text: they never get into a log.
        let tenant = self.target().map_or("-", TenantId::as_str);
        write!(f, "{}({tenant})", self.name())
    }
}

impl ControlCommand {
    pub(super) const fn tag(&self) -> u8 {
        match self {
            ControlCommand::ErasePayload { .. } => 33,
            ControlCommand::ConfigureTenant { .. } => 34,
            ControlCommand::SetTenantDisabled { .. } => 35,
            ControlCommand::KillSwitch { .. } => 38,
            ControlCommand::ActivateKernelVersion { .. } => 40,
            ControlCommand::SetRuntimeRules { .. } => 41,
            ControlCommand::EnablePrincipal { .. } => 42,
        }
    }

    /// The command's name in refusals and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            ControlCommand::ErasePayload { .. } => "erase-payload",
            ControlCommand::ConfigureTenant { .. } => "configure-tenant",
            ControlCommand::SetTenantDisabled { .. } => "disable-tenant",
            ControlCommand::KillSwitch { .. } => "kill-switch",
            ControlCommand::ActivateKernelVersion { .. } => "activate-kernel-version",
            ControlCommand::SetRuntimeRules { .. } => "set-runtime-rules",
            ControlCommand::EnablePrincipal { .. } => "enable-principal",
        }
    }

    /// The roles that may give it.
    pub(crate) const fn permitted(&self) -> &'static [Role] {
        match self {
            ControlCommand::SetTenantDisabled { .. } | ControlCommand::ActivateKernelVersion { .. } => {
                &[Role::Operator]
            }
            ControlCommand::ErasePayload { .. }
            | ControlCommand::ConfigureTenant { .. }
            | ControlCommand::KillSwitch { .. }
            | ControlCommand::SetRuntimeRules { .. }
            | ControlCommand::EnablePrincipal { .. } => &[Role::Operator, Role::TenantAdmin],
        }
    }

    /// The tenant that it is about.
    pub(crate) const fn target(&self) -> Option<&TenantId> {
        match self {
            ControlCommand::ErasePayload { tenant, .. }
            | ControlCommand::ConfigureTenant { tenant, .. }
            | ControlCommand::SetTenantDisabled { tenant, .. }
            | ControlCommand::KillSwitch { tenant, .. }
            | ControlCommand::SetRuntimeRules { tenant, .. }
            | ControlCommand::EnablePrincipal { tenant, .. } => Some(tenant),
            ControlCommand::ActivateKernelVersion { .. } => None,
        }
    }

    /// Checks the shape of every field.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self {
            ControlCommand::KillSwitch { target, justification, .. } => {
                match target {
                    KillTarget::Tenant => {}
                    KillTarget::Agent(who) => admit::subject("target", who)?,
                    KillTarget::Tool(tool) => admit::name("target", tool)?,
                }
                admit::payload("justification", justification)
            }
            ControlCommand::ErasePayload { justification, .. } => admit::payload("justification", justification),
            ControlCommand::EnablePrincipal { subject, .. } => admit::subject("subject", subject),
            ControlCommand::SetRuntimeRules { environment, source, .. } => {
                admit::name("environment", environment)?;
                admit::payload("source", source)
            }
            ControlCommand::ActivateKernelVersion { supports, .. } if supports.len() > MEMBERS_MAX => {
                Err(Refusal::Malformed { field: "supports", expected: "a list of at most 64 nodes" })
            }
            ControlCommand::ConfigureTenant { .. }
            | ControlCommand::SetTenantDisabled { .. }
            | ControlCommand::ActivateKernelVersion { .. } => Ok(()),
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        if let Some(tenant) = self.target() {
            w.text(tenant.as_str());
        }
        match self {
            ControlCommand::ErasePayload { seq, commitment, justification, .. } => {
                w.u64(seq.0);
                w.fixed(&commitment.0);
                w.bytes(justification);
            }
            ControlCommand::ConfigureTenant { settings, .. } => settings.write(w),
            ControlCommand::SetTenantDisabled { disabled, .. } => w.bool(*disabled),
            ControlCommand::KillSwitch { target, engaged, justification, .. } => {
                w.text(target.kind());
                w.text(target.name());
                w.bool(*engaged);
                w.bytes(justification);
            }
            ControlCommand::ActivateKernelVersion { version, supports } => {
                w.u32(*version);
                w.count(supports.len());
                supports.iter().for_each(|node| w.u64(node.0));
            }
            ControlCommand::SetRuntimeRules { environment, source, .. } => {
                w.text(environment);
                w.bytes(source);
            }
            ControlCommand::EnablePrincipal { subject, .. } => w.text(subject),
        }
    }

    /// Reads what follows the tag; nothing when the tag is of another area.
    pub(super) fn read(tag: u8, r: &mut Reader<'_>) -> Result<Option<ControlCommand>, CodecError> {
        let what = "the tenant";
        Ok(Some(match tag {
            33 => ControlCommand::ErasePayload {
                tenant: r.tenant(what)?,
                seq: r.seq("the entry")?,
                commitment: r.hash("the commitment")?,
                justification: r.bytes("the justification", PAYLOAD_BYTES_MAX)?.to_vec(),
            },
            34 => ControlCommand::ConfigureTenant { tenant: r.tenant(what)?, settings: TenantSettings::read(r)? },
            35 => ControlCommand::SetTenantDisabled { tenant: r.tenant(what)?, disabled: r.bool("disabled")? },
            38 => ControlCommand::KillSwitch {
                tenant: r.tenant(what)?,
                target: read_target(r)?,
                engaged: r.bool("engaged")?,
                justification: r.bytes("the justification", PAYLOAD_BYTES_MAX)?.to_vec(),
            },
            40 => {
                let version = r.u32("the version")?;
                let count = r.count("the nodes", MEMBERS_MAX)?;
                let supports: Result<Vec<NodeId>, CodecError> =
                    (0..count).map(|_| r.u64("a node").map(NodeId)).collect();
                ControlCommand::ActivateKernelVersion { version, supports: supports? }
            }
            41 => ControlCommand::SetRuntimeRules {
                tenant: r.tenant(what)?,
                environment: r.text("the environment", NAME_BYTES_MAX)?,
                source: r.bytes("the source", PAYLOAD_BYTES_MAX)?.to_vec(),
            },
            42 => ControlCommand::EnablePrincipal {
                tenant: r.tenant(what)?,
                subject: r.text("the subject", SUBJECT_BYTES_MAX)?,
            },
            _ => return Ok(None),
        }))
    }
}

fn read_target(r: &mut Reader<'_>) -> Result<KillTarget, CodecError> {
    let what = "the target";
    let (kind, name) = (r.text(what, NAME_BYTES_MAX)?, r.text(what, SUBJECT_BYTES_MAX)?);
    KillTarget::from_parts(&kind, &name).ok_or(CodecError::Invalid { what })
}
