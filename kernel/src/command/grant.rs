//! Capabilities at run time: asking for a lease, passing one on, taking one back.

use assent_ledger::ids::TenantId;

use super::Role;
use crate::admit;
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{
    JUSTIFICATION_BYTES_MAX, LEASE_ACTIONS_MAX, LEASE_CONSTRAINTS_BYTES_MAX, LEASE_SECONDS_MAX, NAME_BYTES_MAX,
    SUBJECT_BYTES_MAX,
};
use crate::refusal::Refusal;
use crate::state::keys::ALL_ACTIONS;

use super::context::{read_texts, write_texts};

/// A command about capabilities.
#[derive(Clone, PartialEq, Eq)]
pub enum GrantCommand {
    /// Asks for a lease within a capability of the bundle that needs one. Agent.
    Request {
        /// The asserted subject; only honoured for tenant-wide credentials.
        subject: Option<String>,
        /// What it is to allow.
        terms: GrantTerms,
    },
    /// Passes a lease, or a standing capability, on to another subject, narrowed. Agent.
    Delegate {
        /// The asserted subject; only honoured for tenant-wide credentials.
        subject: Option<String>,
        /// The lease that is passed on; `None` for a standing capability of the bundle.
        lease: Option<String>,
        /// Who gets it.
        to: String,
        /// What it is to allow.
        terms: GrantTerms,
    },
    /// Takes a lease back, and with it everything that was passed on from it. Whoever holds it or passed it on, the tenant's
    /// admin, operator.
    Revoke {
        /// The tenant.
        tenant: TenantId,
        /// The asserted subject; only honoured for tenant-wide credentials of agents.
        subject: Option<String>,
        /// The lease.
        lease: String,
        /// Why, in words; a payload of the entry.
        justification: Vec<u8>,
    },
}

/// What a lease is to allow.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantTerms {
    /// The environment in whose bundle the capability lies.
    pub environment: String,
    /// The run to which the lease is bound; `None` holds in every run of its holder.
    pub run_id: Option<String>,
    /// The class of tools.
    pub class: String,
    /// The actions, at least one; `*` alone is every action that the bundle's capability covers.
    pub actions: Vec<String>,
    /// What arguments must satisfy besides: a JSON object as the bundle's `constraints`; empty for nothing. A payload.
    pub constraints: Vec<u8>,
    /// For how many calls, at least one.
    pub calls: u32,
    /// For how long, in seconds, at least one.
    pub seconds: u32,
    /// Why, in words; a payload of the entry.
    pub justification: Vec<u8>,
}

impl core::fmt::Debug for GrantCommand {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Constraints and justifications are the caller's data: they never get into a log.
        f.write_str(self.name())
    }
}

impl GrantCommand {
    pub(super) const fn tag(&self) -> u8 {
        match self {
            GrantCommand::Request { .. } => 21,
            GrantCommand::Delegate { .. } => 22,
            GrantCommand::Revoke { .. } => 23,
        }
    }

    /// The command's name in refusals and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            GrantCommand::Request { .. } => "request-capability",
            GrantCommand::Delegate { .. } => "delegate",
            GrantCommand::Revoke { .. } => "revoke-capability",
        }
    }

    /// The roles that may give it.
    pub(crate) const fn permitted(&self) -> &'static [Role] {
        match self {
            GrantCommand::Request { .. } | GrantCommand::Delegate { .. } => &[Role::Agent],
            GrantCommand::Revoke { .. } => &[Role::Agent, Role::TenantAdmin, Role::Operator],
        }
    }

    /// The subject that the command states.
    pub(super) fn asserted_subject(&self) -> Option<&str> {
        match self {
            GrantCommand::Request { subject, .. }
            | GrantCommand::Delegate { subject, .. }
            | GrantCommand::Revoke { subject, .. } => subject.as_deref(),
        }
    }

    /// The tenant that an administrator names.
    pub(crate) const fn target(&self) -> Option<&TenantId> {
        match self {
            GrantCommand::Revoke { tenant, .. } => Some(tenant),
            GrantCommand::Request { .. } | GrantCommand::Delegate { .. } => None,
        }
    }

    /// Checks the shape of every field.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        admit::optional(admit::subject, "subject", self.asserted_subject())?;
        match self {
            GrantCommand::Request { terms, .. } => terms.check(),
            GrantCommand::Delegate { lease, to, terms, .. } => {
                admit::optional(admit::name, "lease", lease.as_deref())?;
                admit::subject("to", to)?;
                terms.check()
            }
            GrantCommand::Revoke { lease, justification, .. } => {
                admit::name("lease", lease)?;
                admit::reason("justification", justification)
            }
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.text_opt(self.asserted_subject());
        match self {
            GrantCommand::Request { terms, .. } => terms.write(w),
            GrantCommand::Delegate { lease, to, terms, .. } => {
                w.text_opt(lease.as_deref());
                w.text(to);
                terms.write(w);
            }
            GrantCommand::Revoke { tenant, lease, justification, .. } => {
                w.text(tenant.as_str());
                w.text(lease);
                w.bytes(justification);
            }
        }
    }

    /// Reads what follows the tag; nothing when the tag is of another area.
    pub(super) fn read(tag: u8, r: &mut Reader<'_>) -> Result<Option<GrantCommand>, CodecError> {
        if !(21..=23).contains(&tag) {
            return Ok(None);
        }
        let subject = r.text_opt("the subject", SUBJECT_BYTES_MAX)?;
        Ok(Some(match tag {
            21 => GrantCommand::Request { subject, terms: GrantTerms::read(r)? },
            22 => GrantCommand::Delegate {
                subject,
                lease: r.text_opt("the lease", NAME_BYTES_MAX)?,
                to: r.text("the new holder", SUBJECT_BYTES_MAX)?,
                terms: GrantTerms::read(r)?,
            },
            _ => GrantCommand::Revoke {
                subject,
                tenant: r.tenant("the tenant")?,
                lease: r.text("the lease", NAME_BYTES_MAX)?,
                justification: r.bytes("the justification", JUSTIFICATION_BYTES_MAX)?.to_vec(),
            },
        }))
    }
}

impl GrantTerms {
    fn check(&self) -> Result<(), Refusal> {
        admit::name("environment", &self.environment)?;
        admit::optional(admit::name, "run_id", self.run_id.as_deref())?;
        admit::name("class", &self.class)?;
        let every = self.actions.iter().any(|action| action == ALL_ACTIONS);
        if !(1..=LEASE_ACTIONS_MAX).contains(&self.actions.len()) || (every && self.actions.len() > 1) {
            return Err(Refusal::Malformed { field: "actions", expected: "1 to 32 names, or * alone" });
        }
        if !every {
            self.actions.iter().try_for_each(|action| admit::name("actions", action))?;
        }
        if self.constraints.len() > LEASE_CONSTRAINTS_BYTES_MAX {
            return Err(Refusal::Malformed { field: "constraints", expected: "at most 4 KiB" });
        }
        if self.calls == 0 {
            return Err(Refusal::Malformed { field: "calls", expected: "at least 1" });
        }
        if !(1..=LEASE_SECONDS_MAX).contains(&self.seconds) {
            return Err(Refusal::Malformed { field: "seconds", expected: "1 to 604800" });
        }
        admit::reason("justification", &self.justification)
    }

    fn write(&self, w: &mut Writer) {
        w.text(&self.environment);
        w.text_opt(self.run_id.as_deref());
        w.text(&self.class);
        write_texts(&self.actions, w);
        w.bytes(&self.constraints);
        w.u32(self.calls);
        w.u32(self.seconds);
        w.bytes(&self.justification);
    }

    fn read(r: &mut Reader<'_>) -> Result<GrantTerms, CodecError> {
        Ok(GrantTerms {
            environment: r.text("the environment", NAME_BYTES_MAX)?,
            run_id: r.text_opt("the run", NAME_BYTES_MAX)?,
            class: r.text("the class", NAME_BYTES_MAX)?,
            actions: read_texts(r, "the actions", LEASE_ACTIONS_MAX, NAME_BYTES_MAX)?,
            constraints: r.bytes("the constraints", LEASE_CONSTRAINTS_BYTES_MAX)?.to_vec(),
            calls: r.u32("the calls")?,
            seconds: r.u32("the seconds")?,
            justification: r.bytes("the justification", JUSTIFICATION_BYTES_MAX)?.to_vec(),
        })
    }
}
