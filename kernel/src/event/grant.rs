//! Bodies of events about capabilities: leases that were asked for, passed on, taken back, or came to their end.
//!
//! What arguments a lease admits is a payload; the leaf only says whether it was narrowed.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::decision::{codes_from, codes_value};
use super::fields::{Fields, with_opt};
use super::lists::{latches, texts, with_latches, with_list};
use super::{Ruling, ruling_details};
use crate::limits::{CHAIN_MAX, LEASE_ACTIONS_MAX};
use crate::reason::ReasonCode;
use crate::verdict::Verdict;

/// What was asked for, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRuled {
    /// The actions; `*` alone is every action that the bundle's capability covers.
    pub actions: Vec<String>,
    /// The run that was asked for, if it is not the event's.
    pub asked_run_id: Option<String>,
    /// The stated subject, if it is not the one that asks.
    pub asked_subject: Option<String>,
    /// Whether the lease is bound to the event's run.
    pub bound: bool,
    /// The bundle that decided, if it came to that.
    pub bundle: Option<Hash>,
    /// For how many calls.
    pub calls: u32,
    /// The class of tools.
    pub class: String,
    /// Why, by ascending number, at least one.
    pub codes: Vec<ReasonCode>,
    /// Whether arguments must satisfy more than the bundle says; what, is the payload `constraints`.
    pub constrained: bool,
    /// The environment.
    pub environment: String,
    /// From when on it is worth nothing; present with a lease.
    pub expires: Option<Time>,
    /// Rules of behaviour that come to a step.
    pub latches: Vec<(String, u8)>,
    /// The lease, if there is one now.
    pub lease: Option<String>,
    /// Whether tenant or bundle only observe: then a denial is no strike but in the shadow state.
    pub observe: bool,
    /// For how long it was asked for.
    pub seconds: u32,
    /// Who asked; not known when the caller could not be identified.
    pub subject: Option<String>,
    /// Allow or deny.
    pub verdict: Verdict,
}

impl GrantRuled {
    fn to_value(&self) -> Value {
        let value = Value::map([
            ("calls", Value::from(self.calls)),
            ("class", Value::str(&*self.class)),
            ("codes", codes_value(&self.codes)),
            ("environment", Value::str(&*self.environment)),
            ("seconds", Value::from(self.seconds)),
            ("verdict", Value::str(self.verdict.name())),
        ]);
        let value = with_opt(value, "asked_run_id", self.asked_run_id.as_deref());
        let value = with_opt(value, "asked_subject", self.asked_subject.as_deref());
        let value = with_list(value, "actions", &self.actions, |action| Value::str(&**action));
        let value = with_opt(value, "bound", self.bound.then_some(true));
        let value = with_opt(value, "bundle", self.bundle);
        let value = with_opt(value, "constrained", self.constrained.then_some(true));
        let value = with_opt(value, "expires", self.expires.map(|time| Value::decimal(time.0)));
        let value = with_latches(value, &self.latches);
        let value = with_opt(value, "lease", self.lease.as_deref());
        let value = with_opt(value, "observe", self.observe.then_some(true));
        with_opt(value, "subject", self.subject.as_deref())
    }

    fn read(fields: &mut Fields<'_>) -> Result<GrantRuled, BodyError> {
        let number = |v: &Value| u32::try_from(v.as_int()?).ok();
        let verdict = |v: &Value| Verdict::from_name(v.as_str()?).filter(is_ruling);
        let is_true = |v: &Value| v.as_bool().filter(|b| *b);
        Ok(GrantRuled {
            actions: texts(fields, "actions", LEASE_ACTIONS_MAX)?,
            asked_run_id: fields.text_opt("asked_run_id")?,
            asked_subject: fields.text_opt("asked_subject")?,
            bound: fields.read_opt("bound", "true", is_true)?.unwrap_or(false),
            bundle: fields.hash_opt("bundle")?,
            calls: fields.read("calls", "an integer below 2^32", number)?,
            class: fields.text("class")?,
            codes: fields.read("codes", "known reason codes in strictly ascending order, at least one", codes_from)?,
            constrained: fields.read_opt("constrained", "true", is_true)?.unwrap_or(false),
            environment: fields.text("environment")?,
            expires: fields.read_opt("expires", "a time in microseconds", |v| v.as_decimal().map(Time))?,
            latches: latches(fields)?,
            lease: fields.text_opt("lease")?,
            observe: fields.read_opt("observe", "true", is_true)?.unwrap_or(false),
            seconds: fields.read("seconds", "an integer below 2^32", number)?,
            subject: fields.text_opt("subject")?,
            verdict: fields.read("verdict", "allow or deny", verdict)?,
        })
    }

    fn ruling(&self) -> Ruling {
        let expires = self.expires.map(|time| time.0.to_string());
        let calls = self.lease.as_ref().map(|_| self.calls.to_string());
        Ruling {
            verdict: self.verdict,
            codes: self.codes.clone(),
            details: ruling_details([("lease", self.lease.clone()), ("expires", expires), ("calls", calls)]),
        }
    }
}

const fn is_ruling(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Allow | Verdict::Deny)
}

/// A lease was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityGranted {
    /// What came of it.
    pub ruled: GrantRuled,
}

impl CapabilityGranted {
    /// The entry type.
    pub const KIND: &'static str = "assent.capability.granted";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        self.ruled.to_value()
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the grant")?;
        let body = CapabilityGranted { ruled: GrantRuled::read(&mut fields)? };
        fields.finish()?;
        Ok(body)
    }

    /// What the agent is answered.
    pub fn ruling(&self) -> Ruling {
        self.ruled.ruling()
    }
}

/// A lease or a standing capability was to be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityDelegated {
    /// Who passed it on, from the nearest to the origin: the chain that the new holder's calls have to name.
    pub chain: Vec<String>,
    /// The lease that it was passed on from; absent for a standing capability.
    pub from: Option<String>,
    /// What came of it.
    pub ruled: GrantRuled,
    /// The new holder.
    pub to: String,
}

impl CapabilityDelegated {
    /// The entry type.
    pub const KIND: &'static str = "assent.capability.delegated";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = self.ruled.to_value().with("to", &*self.to);
        let value = with_list(value, "chain", &self.chain, |subject| Value::str(&**subject));
        with_opt(value, "from", self.from.as_deref())
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the delegation")?;
        let body = CapabilityDelegated {
            chain: texts(&mut fields, "chain", CHAIN_MAX)?,
            from: fields.text_opt("from")?,
            ruled: GrantRuled::read(&mut fields)?,
            to: fields.text("to")?,
        };
        fields.finish()?;
        Ok(body)
    }

    /// What the agent is answered.
    pub fn ruling(&self) -> Ruling {
        self.ruled.ruling()
    }
}

/// A lease was taken back; why is the event's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityRevoked {
    /// The lease.
    pub lease: String,
    /// Who held it.
    pub subject: String,
}

impl CapabilityRevoked {
    /// The entry type.
    pub const KIND: &'static str = "assent.capability.revoked";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([("lease", Value::str(&*self.lease)), ("subject", Value::str(&*self.subject))])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the revocation")?;
        let body = CapabilityRevoked { lease: fields.text("lease")?, subject: fields.text("subject")? };
        fields.finish()?;
        Ok(body)
    }
}

/// A lease came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityExpired {
    /// The lease.
    pub lease: String,
    /// Who held it.
    pub subject: String,
}

impl CapabilityExpired {
    /// The entry type.
    pub const KIND: &'static str = "assent.capability.expired";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([("lease", Value::str(&*self.lease)), ("subject", Value::str(&*self.subject))])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the end of a lease")?;
        let body = CapabilityExpired { lease: fields.text("lease")?, subject: fields.text("subject")? };
        fields.finish()?;
        Ok(body)
    }
}
