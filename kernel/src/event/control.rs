//! Bodies of control events: kill switches, settings, erasure, versions.

use assent_ledger::hash::Hash;
use assent_ledger::ids::{NodeId, Seq};
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::fields::{Fields, with_opt};
use crate::command::{KillTarget, TenantSettings};
use crate::limits::MEMBERS_MAX;

/// A kill switch was engaged or released; why is the event's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillSwitchSet {
    /// Whether the target is stopped from now on.
    pub engaged: bool,
    /// What.
    pub target: KillTarget,
}

impl KillSwitchSet {
    /// The entry type.
    pub const KIND: &'static str = "assent.kill-switch.set";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([("engaged", Value::from(self.engaged)), ("target", Value::str(self.target.kind()))]);
        with_opt(value, "name", Some(self.target.name()).filter(|name| !name.is_empty()))
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the kill switch")?;
        let (engaged, kind, name) = (fields.bool("engaged")?, fields.text("target")?, fields.text_opt("name")?);
        fields.finish()?;
        let target = KillTarget::from_parts(&kind, name.as_deref().unwrap_or_default());
        let expected = "tenant without a name, or agent or tool with one";
        Ok(KillSwitchSet { engaged, target: target.ok_or(BodyError::Invalid { field: "target", expected })? })
    }
}

/// A tenant's settings are these from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantConfigured {
    /// All of them.
    pub settings: TenantSettings,
}

impl TenantConfigured {
    /// The entry type.
    pub const KIND: &'static str = "assent.tenant.configured";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("mode", Value::str(if self.settings.observe { "observe" } else { "enforce" })),
            ("require_attested", Value::from(self.settings.require_attested)),
        ])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the settings")?;
        let observe = |v: &Value| match v.as_str()? {
            "observe" => Some(true),
            "enforce" => Some(false),
            _ => None,
        };
        let settings = TenantSettings {
            observe: fields.read("mode", "enforce or observe", observe)?,
            require_attested: fields.bool("require_attested")?,
        };
        fields.finish()?;
        Ok(TenantConfigured { settings })
    }
}

/// A tenant was switched off or on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantDisabled {
    /// Whether everything of it is denied from now on.
    pub disabled: bool,
}

impl TenantDisabled {
    /// The entry type.
    pub const KIND: &'static str = "assent.tenant.disabled";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([("disabled", Value::from(self.disabled))])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the switched tenant")?;
        let body = TenantDisabled { disabled: fields.bool("disabled")? };
        fields.finish()?;
        Ok(body)
    }
}

/// A disabled subject may act again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalEnabled {
    /// The subject.
    pub subject: String,
}

impl PrincipalEnabled {
    /// The entry type.
    pub const KIND: &'static str = "assent.principal.enabled";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([("subject", Value::str(&*self.subject))])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the enabled principal")?;
        let body = PrincipalEnabled { subject: fields.text("subject")? };
        fields.finish()?;
        Ok(body)
    }
}

/// A payload's key was destroyed; leaf, proofs and ciphertext stay. Why is the event's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadErased {
    /// The commitment, which was made under a random salt.
    pub commitment: Hash,
    /// The entry that commits to it.
    pub entry: Seq,
}

impl PayloadErased {
    /// The entry type.
    pub const KIND: &'static str = "assent.payload.erased";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([("commitment", Value::from(self.commitment)), ("entry", Value::decimal(self.entry.0))])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the erased payload")?;
        let body = PayloadErased {
            commitment: fields.hash("commitment")?,
            entry: fields.read("entry", "a position as text", |v| v.as_decimal().map(Seq))?,
        };
        fields.finish()?;
        Ok(body)
    }
}

/// These rules are asked before those of the active bundle from now on; their source is the event's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeRulesSet {
    /// The bundle that they were compiled for.
    pub bundle: Hash,
    /// The environment.
    pub environment: String,
    /// How many rules there are; with none, the layer is gone.
    pub rules: u32,
    /// The source's hash.
    pub runtime: Hash,
}

impl RuntimeRulesSet {
    /// The entry type.
    pub const KIND: &'static str = "assent.bundle.runtime";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("bundle", Value::from(self.bundle)),
            ("environment", Value::str(&*self.environment)),
            ("rules", Value::from(self.rules)),
            ("runtime", Value::from(self.runtime)),
        ])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the runtime rules")?;
        let body = RuntimeRulesSet {
            bundle: fields.hash("bundle")?,
            environment: fields.text("environment")?,
            rules: fields.read("rules", "an integer below 2^32", |v| u32::try_from(v.as_int()?).ok())?,
            runtime: fields.hash("runtime")?,
        };
        fields.finish()?;
        Ok(body)
    }
}

/// Another version of the kernel decides from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelActivated {
    /// The version before.
    pub previous: u32,
    /// The nodes that said that they know the version, ascending, each once.
    pub supports: Vec<NodeId>,
    /// The version.
    pub version: u32,
}

impl KernelActivated {
    /// The entry type.
    pub const KIND: &'static str = "assent.kernel.activated";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("previous", Value::from(self.previous)),
            ("supports", Value::list(self.supports.iter().map(ToString::to_string))),
            ("version", Value::from(self.version)),
        ])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the activated kernel")?;
        let number = |v: &Value| u32::try_from(v.as_int()?).ok();
        let nodes = |v: &Value| {
            let nodes: Option<Vec<NodeId>> = v.as_list()?.iter().map(|item| item.as_str()?.parse().ok()).collect();
            nodes.filter(|nodes| nodes.len() <= MEMBERS_MAX && nodes.is_sorted_by(|a, b| a < b))
        };
        let body = KernelActivated {
            previous: fields.read("previous", "an integer below 2^32", number)?,
            supports: fields.read("supports", "ids of nodes in ascending order", nodes)?,
            version: fields.read("version", "an integer below 2^32", number)?,
        };
        fields.finish()?;
        Ok(body)
    }
}
