//! Bodies of events about calls that wait for people: what was asked, what was answered, and why it came to nothing.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;
use assent_ledger::json::Value;
use assent_ledger::seal::BodyError;

use super::decision::{codes_from, codes_value};
use super::fields::{Fields, with_opt};
use super::lists::{texts, with_list};
use super::{Ruling, ruling_details};
use crate::command::ApprovalAction;
use crate::limits::{APPROVAL_ROLES_MAX, APPROVERS_MAX, CHAIN_MAX, CONDITIONS_MAX};
use crate::reason::ReasonCode;
use crate::state::keys::ApprovalStatus;
use crate::verdict::Verdict;

/// A call waits for people. The decision that says so follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequested {
    /// The approval.
    pub approval: String,
    /// On whose behalf the call is made, from the nearest to the origin.
    pub chain: Vec<String>,
    /// The decision that the caller got first; absent when it is the one that follows.
    pub decision: Option<String>,
    /// The environment.
    pub environment: String,
    /// From when on it is too late.
    pub expires: Time,
    /// Arguments that an approver may change; absent: any.
    pub fields: Vec<String>,
    /// The policy that asks, as of `policy_hash`.
    pub policy: Hash,
    /// The same commitment to the request as in the decision.
    pub request_commitment: Hash,
    /// How many have to agree.
    pub required: u32,
    /// Roles of which each must be held by one of those who agree; absent: any approver.
    pub roles: Vec<String>,
    /// Whose call it is.
    pub subject: String,
    /// The tool.
    pub tool: String,
}

impl ApprovalRequested {
    /// The entry type.
    pub const KIND: &'static str = "assent.approval.requested";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([
            ("approval", Value::str(&*self.approval)),
            ("environment", Value::str(&*self.environment)),
            ("expires", Value::decimal(self.expires.0)),
            ("policy", Value::from(self.policy)),
            ("request_commitment", Value::from(self.request_commitment)),
            ("required", Value::from(self.required)),
            ("subject", Value::str(&*self.subject)),
            ("tool", Value::str(&*self.tool)),
        ]);
        let value = with_list(value, "chain", &self.chain, |subject| Value::str(&**subject));
        let value = with_list(value, "fields", &self.fields, |field| Value::str(&**field));
        let value = with_list(value, "roles", &self.roles, |role| Value::str(&**role));
        with_opt(value, "decision", self.decision.as_deref())
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the approval")?;
        let people = |v: &Value| u32::try_from(v.as_int()?).ok().filter(|n| (1..=APPROVERS_MAX as u32).contains(n));
        let body = ApprovalRequested {
            approval: fields.text("approval")?,
            chain: texts(&mut fields, "chain", CHAIN_MAX)?,
            decision: fields.text_opt("decision")?,
            environment: fields.text("environment")?,
            expires: fields.read("expires", "a time in microseconds", |v| v.as_decimal().map(Time))?,
            fields: texts(&mut fields, "fields", APPROVAL_ROLES_MAX)?,
            policy: fields.hash("policy")?,
            request_commitment: fields.hash("request_commitment")?,
            required: fields.read("required", "an integer from 1 to 16", people)?,
            roles: texts(&mut fields, "roles", APPROVAL_ROLES_MAX)?,
            subject: fields.text("subject")?,
            tool: fields.text("tool")?,
        };
        fields.finish()?;
        Ok(body)
    }
}

/// A person answered. Justification and modified arguments are payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HitlDecision {
    /// The answer: one of `ApprovalAction::NAMES`.
    pub action: &'static str,
    /// The approval.
    pub approval: String,
    /// Who answered.
    pub approver: String,
    /// Why it counts or not, by ascending number, at least one.
    pub codes: Vec<ReasonCode>,
    /// Under which conditions.
    pub conditions: Vec<String>,
    /// Whether the answer counts. One that does not has no effect but that it is recorded.
    pub counted: bool,
    /// Name of the credential with which the person answered: the answer does not outlive it.
    pub credential: String,
    /// The decision that waits.
    pub decision: String,
    /// How many have to agree.
    pub required: u32,
    /// The roles in which the person agreed.
    pub roles: Vec<String>,
    /// How far the approval is now.
    pub status: ApprovalStatus,
    /// Whose call it is.
    pub subject: String,
    /// The tool.
    pub tool: String,
    /// Allow when all have agreed, escalate when others still have to, deny otherwise.
    pub verdict: Verdict,
    /// How many agree to the call as it stands now.
    pub votes: u32,
}

impl HitlDecision {
    /// The entry type.
    pub const KIND: &'static str = "dare.hitl.decision";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let value = Value::map([
            ("action", Value::str(self.action)),
            ("approval", Value::str(&*self.approval)),
            ("approver", Value::str(&*self.approver)),
            ("codes", codes_value(&self.codes)),
            ("counted", Value::from(self.counted)),
            ("credential", Value::str(&*self.credential)),
            ("decision", Value::str(&*self.decision)),
            ("required", Value::from(self.required)),
            ("status", Value::str(self.status.name())),
            ("subject", Value::str(&*self.subject)),
            ("tool", Value::str(&*self.tool)),
            ("verdict", Value::str(self.verdict.name())),
            ("votes", Value::from(self.votes)),
        ]);
        let value = with_list(value, "conditions", &self.conditions, |condition| Value::str(&**condition));
        with_list(value, "roles", &self.roles, |role| Value::str(&**role))
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the answer")?;
        let number = |v: &Value| u32::try_from(v.as_int()?).ok();
        let action = |v: &Value| {
            let name = v.as_str()?;
            ApprovalAction::NAMES.into_iter().find(|known| *known == name)
        };
        let body = HitlDecision {
            action: fields.read("action", "approve, deny, modify or request_more_info", action)?,
            approval: fields.text("approval")?,
            approver: fields.text("approver")?,
            codes: fields.read("codes", "known reason codes in strictly ascending order, at least one", codes_from)?,
            conditions: texts(&mut fields, "conditions", CONDITIONS_MAX)?,
            counted: fields.bool("counted")?,
            credential: fields.text("credential")?,
            decision: fields.text("decision")?,
            required: fields.read("required", "an integer below 2^32", number)?,
            roles: texts(&mut fields, "roles", APPROVAL_ROLES_MAX)?,
            status: fields.read("status", "an approval's status", |v| ApprovalStatus::from_name(v.as_str()?))?,
            subject: fields.text("subject")?,
            tool: fields.text("tool")?,
            verdict: fields.read("verdict", "deny, escalate or allow", |v| Verdict::from_name(v.as_str()?))?,
            votes: fields.read("votes", "an integer below 2^32", number)?,
        };
        fields.finish()?;
        Ok(body)
    }

    /// What the person is answered.
    pub fn ruling(&self) -> Ruling {
        let details = [
            ("status", Some(self.status.name().to_owned())),
            ("counted", Some(self.counted.to_string())),
            ("votes", Some(self.votes.to_string())),
            ("required", Some(self.required.to_string())),
        ];
        Ruling { verdict: self.verdict, codes: self.codes.clone(), details: ruling_details(details) }
    }
}

/// Nobody answered in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalExpired {
    /// The approval.
    pub approval: String,
    /// The decision that waited.
    pub decision: String,
    /// Whose call it was.
    pub subject: String,
}

impl ApprovalExpired {
    /// The entry type.
    pub const KIND: &'static str = "assent.approval.expired";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("approval", Value::str(&*self.approval)),
            ("decision", Value::str(&*self.decision)),
            ("subject", Value::str(&*self.subject)),
        ])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the end of an approval")?;
        let body = ApprovalExpired {
            approval: fields.text("approval")?,
            decision: fields.text("decision")?,
            subject: fields.text("subject")?,
        };
        fields.finish()?;
        Ok(body)
    }
}

/// What an approval was asked for is no longer so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalVoid {
    /// The approval.
    pub approval: String,
    /// The decision that waited.
    pub decision: String,
    /// Why.
    pub reason: VoidReason,
    /// Whose call it was.
    pub subject: String,
}

/// Why an approval is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoidReason {
    /// Another policy holds now; the call was decided anew.
    Policy,
    /// The run is quarantined or closed.
    Run,
    /// A kill switch is on, or the subject is disabled.
    Stopped,
    /// The call's arguments were erased.
    Erased,
}

impl VoidReason {
    /// Every reason.
    pub const ALL: [VoidReason; 4] = [VoidReason::Policy, VoidReason::Run, VoidReason::Stopped, VoidReason::Erased];

    /// The name in entries.
    pub const fn name(self) -> &'static str {
        match self {
            VoidReason::Policy => "policy",
            VoidReason::Run => "run",
            VoidReason::Stopped => "stopped",
            VoidReason::Erased => "erased",
        }
    }
}

impl ApprovalVoid {
    /// The entry type.
    pub const KIND: &'static str = "assent.approval.void";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("approval", Value::str(&*self.approval)),
            ("decision", Value::str(&*self.decision)),
            ("reason", Value::str(self.reason.name())),
            ("subject", Value::str(&*self.subject)),
        ])
    }

    /// Reads the body strictly.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the void approval")?;
        let reason = |v: &Value| {
            let name = v.as_str()?;
            VoidReason::ALL.into_iter().find(|known| known.name() == name)
        };
        let body = ApprovalVoid {
            approval: fields.text("approval")?,
            decision: fields.text("decision")?,
            reason: fields.read("reason", "policy, run, stopped or erased", reason)?,
            subject: fields.text("subject")?,
        };
        fields.finish()?;
        Ok(body)
    }
}
