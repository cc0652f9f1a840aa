//! Bodies of the events of tenants: who belongs to them, what policy holds, which runs are open.

use assent_ledger::hash::Hash;
use assent_ledger::ids::TenantId;
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::fields::{Fields, with_opt};
use crate::command::Role;

/// A tenant was created. The system's chain learns the opaque id only; name and blind are in the tenant's own entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantCreated {
    /// The name under which others see it.
    pub opaque: Hash,
    /// What only the tenant's own chain says.
    pub named: Option<NamedTenant>,
}

/// What a tenant's own chain says about its creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTenant {
    /// The name.
    pub tenant: TenantId,
    /// What hides it.
    pub blind: [u8; 32],
}

impl TenantCreated {
    /// The entry type.
    pub const KIND: &'static str = "assent.tenant.created";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([("opaque", Value::from(self.opaque))]);
        match &self.named {
            Some(named) => value.with("tenant", named.tenant.as_str()).with("blind", Value::hex(&named.blind)),
            None => value,
        }
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the created tenant")?;
        let opaque = fields.hash("opaque")?;
        let named = match fields.bytes32_opt("blind")? {
            Some(blind) => {
                let tenant = fields.read("tenant", "a tenant's name", |v| TenantId::new(v.as_str()?).ok())?;
                Some(NamedTenant { tenant, blind })
            }
            None => None,
        };
        fields.finish()?;
        Ok(TenantCreated { opaque, named })
    }
}

/// A subject became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRegistered {
    /// The subject.
    pub subject: String,
    /// Who answers for it.
    pub owner: Option<String>,
}

impl PrincipalRegistered {
    /// The entry type.
    pub const KIND: &'static str = "assent.principal.registered";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        with_opt(Value::map([("subject", Value::str(&*self.subject))]), "owner", self.owner.as_deref())
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the registered principal")?;
        let body = PrincipalRegistered { subject: fields.text("subject")?, owner: fields.text_opt("owner")? };
        fields.finish()?;
        Ok(body)
    }
}

/// A subject was disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalDisabled {
    /// The subject.
    pub subject: String,
}

impl PrincipalDisabled {
    /// The entry type.
    pub const KIND: &'static str = "assent.principal.disabled";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([("subject", Value::str(&*self.subject))])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the disabled principal")?;
        let body = PrincipalDisabled { subject: fields.text("subject")? };
        fields.finish()?;
        Ok(body)
    }
}

/// A credential became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRegistered {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The subject that it stands for.
    pub subject: Option<String>,
    /// SHA-256 of the token, which is 256 random bits: the digest gives nothing away.
    pub token_hash: Hash,
}

impl CredentialRegistered {
    /// The entry type.
    pub const KIND: &'static str = "assent.credential.registered";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([
            ("name", Value::str(&*self.name)),
            ("role", Value::str(self.role.name())),
            ("token_hash", Value::from(self.token_hash)),
        ]);
        with_opt(value, "subject", self.subject.as_deref())
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the registered credential")?;
        let body = CredentialRegistered {
            name: fields.text("name")?,
            role: fields.read("role", "a role's name", |v| Role::from_name(v.as_str()?))?,
            subject: fields.text_opt("subject")?,
            token_hash: fields.hash("token_hash")?,
        };
        fields.finish()?;
        Ok(body)
    }
}

/// A credential was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRevoked {
    /// Its name.
    pub name: String,
    /// SHA-256 of its token.
    pub token_hash: Hash,
}

impl CredentialRevoked {
    /// The entry type.
    pub const KIND: &'static str = "assent.credential.revoked";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([("name", Value::str(&*self.name)), ("token_hash", Value::from(self.token_hash))])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the revoked credential")?;
        let body = CredentialRevoked { name: fields.text("name")?, token_hash: fields.hash("token_hash")? };
        fields.finish()?;
        Ok(body)
    }
}

/// A bundle was offered and compiled; its source is the event's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleOffered {
    /// Its hash.
    pub bundle: Hash,
}

impl BundleOffered {
    /// The entry type.
    pub const KIND: &'static str = "assent.bundle.offered";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([("bundle", Value::from(self.bundle))])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the offered bundle")?;
        let body = BundleOffered { bundle: fields.hash("bundle")? };
        fields.finish()?;
        Ok(body)
    }
}

/// A bundle decides from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleActivated {
    /// The environment.
    pub environment: String,
    /// Its hash.
    pub bundle: Hash,
    /// The bundle that it takes over from.
    pub previous: Option<Hash>,
}

impl BundleActivated {
    /// The entry type.
    pub const KIND: &'static str = "assent.bundle.activated";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([("bundle", Value::from(self.bundle)), ("environment", Value::str(&*self.environment))]);
        with_opt(value, "previous", self.previous)
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the activated bundle")?;
        let body = BundleActivated {
            environment: fields.text("environment")?,
            bundle: fields.hash("bundle")?,
            previous: fields.hash_opt("previous")?,
        };
        fields.finish()?;
        Ok(body)
    }
}

/// A run was opened; its id is the entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOpened {
    /// Whose run it is.
    pub subject: String,
    /// Whether it was opened because a call named none.
    pub implicit: bool,
    /// The run that caused it, and how many runs lie between a person and this one.
    pub parent: Option<ParentRun>,
}

/// The run that caused another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentRun {
    /// Its id.
    pub run_id: String,
    /// One more than the parent's.
    pub generation: u32,
}

impl RunOpened {
    /// The entry type.
    pub const KIND: &'static str = "assent.run.opened";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([("implicit", Value::from(self.implicit)), ("subject", Value::str(&*self.subject))]);
        match &self.parent {
            Some(parent) => value.with("parent", &*parent.run_id).with("generation", parent.generation),
            None => value,
        }
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the opened run")?;
        let (subject, implicit) = (fields.text("subject")?, fields.bool("implicit")?);
        let parent = match fields.text_opt("parent")? {
            Some(run_id) => {
                let positive = |v: &Value| u32::try_from(v.as_int()?).ok().filter(|n| *n > 0);
                Some(ParentRun { run_id, generation: fields.read("generation", "a positive integer", positive)? })
            }
            None => None,
        };
        fields.finish()?;
        Ok(RunOpened { subject, implicit, parent })
    }
}

/// Why a run was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunCloseReason {
    /// Its subject asked.
    Requested,
    /// It was implicit, and nothing happened in it for too long.
    Idle,
}

impl RunCloseReason {
    /// The reason's name in entries.
    pub const fn name(self) -> &'static str {
        match self {
            RunCloseReason::Requested => "requested",
            RunCloseReason::Idle => "idle",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [RunCloseReason::Requested, RunCloseReason::Idle].into_iter().find(|reason| reason.name() == name)
    }
}

/// A run was closed; its id is the entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunClosed {
    /// Whose run it was.
    pub subject: String,
    /// Why.
    pub reason: RunCloseReason,
}

impl RunClosed {
    /// The entry type.
    pub const KIND: &'static str = "assent.run.closed";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([("reason", Value::str(self.reason.name())), ("subject", Value::str(&*self.subject))])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the closed run")?;
        let body = RunClosed {
            subject: fields.text("subject")?,
            reason: fields.read("reason", "requested or idle", |v| RunCloseReason::from_name(v.as_str()?))?,
        };
        fields.finish()?;
        Ok(body)
    }
}
